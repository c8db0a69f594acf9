/* families.c - the families there are. A new one is a file in this room and a line in the list. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "models/model.h"

static const trine_family *const families[] = {
    &trine_family_bert, &trine_family_roberta, &trine_family_distilbert, &trine_family_gpt2, &trine_family_llama, &trine_family_t5,
};
enum { N_FAMILIES = sizeof families / sizeof *families };

/* "bert, roberta, ...": every model_type that some family reads. */
static void list_supported(char *out, size_t out_bytes)
{
    size_t n = 0;
    for (int i = 0; i < N_FAMILIES; i++)
        for (const char *const *type = families[i]->model_types; *type && n < out_bytes; type++)
            n += (size_t)snprintf(out + n, out_bytes - n, "%s%s", n ? ", " : "", *type);
}

static const trine_family *by_model_type(const char *name)
{
    for (int i = 0; i < N_FAMILIES; i++)
        for (const char *const *type = families[i]->model_types; *type; type++)
            if (!strcmp(*type, name)) return families[i];
    return NULL;
}

/* Configurations older than model_type have the class alone: "BertModel". The longest match wins, so that DistilBert is not Bert.
 */
static const trine_family *by_architecture(const char *name)
{
    static const struct {
        const char *start;
        const trine_family *family;
    } starts[] = {
        { "DistilBert", &trine_family_distilbert },
        { "XLMRoberta", &trine_family_roberta },
        { "Camembert", &trine_family_roberta },
        { "Roberta", &trine_family_roberta },
        { "Bert", &trine_family_bert },
        { "GPT2", &trine_family_gpt2 },
        { "Llama", &trine_family_llama },
        { "Mistral", &trine_family_llama },
        { "Qwen2For", &trine_family_llama },
        { "Qwen3For", &trine_family_llama },
        { "T5", &trine_family_t5 },
        { "MT5", &trine_family_t5 },
        { "UMT5", &trine_family_t5 },
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncmp(name, starts[i].start, strlen(starts[i].start))) return starts[i].family;
    return NULL;
}

const trine_family *trine_family_find(const json_t *config, trine_error *err)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const char *class = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    const trine_family *family = type ? by_model_type(type) : class ? by_architecture(class) : NULL;
    if (family) return family;
    char supported[256];
    list_supported(supported, sizeof supported);
    if (type)
        trine_fail(err, TRINE_ERROR_UNSUPPORTED, "config.json \"model_type\" is \"%s\"; supported: %s", type, supported);
    else if (class)
        trine_fail(err, TRINE_ERROR_UNSUPPORTED, "config.json names %s and no \"model_type\"; supported: %s", class, supported);
    else
        trine_fail(err, TRINE_ERROR_FORMAT, "config.json has no \"model_type\"; expected one of: %s", supported);
    return NULL;
}

trine_status trine_family_declare(trine_model_info *info, trine_checkpoint *c, trine_error *err)
{
    trine_model m = { .checkpoint = c, .family = trine_family_find(trine_checkpoint_config(c), err) };
    *info = (trine_model_info) { 0 };
    if (!m.family) return TRINE_ERROR_UNSUPPORTED;
    const trine_status status = m.family->load(&m, err);
    if (status) return status; /* load has freed what it took */
    *info = m.info;
    m.family->unload(&m);
    return TRINE_OK;
}

bool trine_family_class(char out[64], const char *model_type, trine_head head)
{
    static const struct {
        const char *type, *class;
    } classes[] = { { "bert", "Bert" },
                    { "roberta", "Roberta" },
                    { "xlm-roberta", "XLMRoberta" },
                    { "camembert", "Camembert" },
                    { "gpt2", "GPT2" },
                    { "distilbert", "DistilBert" },
                    { "llama", "Llama" },
                    { "mistral", "Mistral" },
                    { "qwen2", "Qwen2" },
                    { "qwen3", "Qwen3" },
                    { "t5", "T5" },
                    { "mt5", "MT5" },
                    { "umt5", "UMT5" } };
    const trine_family *family = by_model_type(model_type);
    if (!family) return false;
    const bool encodes = family->paradigm == TRINE_ENCODER;
    const char *end = NULL;
    switch (head) {
    case TRINE_HEAD_NONE: end = family->paradigm == TRINE_ENCODER_DECODER ? "EncoderModel" : "Model"; break;
    case TRINE_HEAD_LM:
        if (family == &trine_family_gpt2) end = "LMHeadModel";
        if (family == &trine_family_llama) end = "ForCausalLM";
        if (family == &trine_family_t5) end = "ForConditionalGeneration";
        break;
    case TRINE_HEAD_MLM: end = encodes ? "ForMaskedLM" : NULL; break;
    case TRINE_HEAD_LABELS: end = "ForSequenceClassification"; break;
    case TRINE_HEAD_TAGS: end = "ForTokenClassification"; break;
    }
    for (size_t i = 0; end && i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(classes[i].type, model_type) != 0) continue;
        snprintf(out, 64, "%s%s", classes[i].class, end);
        return true;
    }
    return false;
}
