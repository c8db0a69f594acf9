/* model_open.c - a path becomes a model: checkpoint, family, kernels, tokenizer, and the facts around the weights.
 *
 * Weights stay in the mapped file and are not read here: a family checks names, types and shapes, which the container's head
 * says, so opening a model costs neither time nor resident memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/numbers.h"
#include "base/status.h"
#include "checkpoint/hollow_checkpoint.h"
#include "checkpoint/json_file.h"
#include "load/gguf_vocabulary.h"
#include "load/model_open.h"
#include "load/sentence_transformers.h"
#include "models/model.h"

static void tell(const trine_model *m, const char *text)
{
    if (m->log) m->log(m->log_user, text);
}

/* The tokenizer of a directory, when it has one: a file that is there must be sound. tokenizer_config.json alone is a whole
 * tokenizer for ByT5 and nothing for the others. */
static trine_status open_beside(trine_tokenizer **out, const char *dir, trine_error *err)
{
    static const char *const names[] = { "tokenizer.json", "vocab.txt",       "vocab.json",
                                         "spiece.model",   "tokenizer.model", "sentencepiece.bpe.model" };
    bool there = false;
    trine_status status = TRINE_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !status && !there; i++)
        status = trine_file_beside(&there, dir, names[i], err);
    if (there) return trine_tokenizer_open_path(out, dir, err);
    if (!status) status = trine_file_beside(&there, dir, "tokenizer_config.json", err);
    if (!there) return status;
    status = trine_tokenizer_open_path(out, dir, err);
    return status == TRINE_ERROR_NOT_FOUND ? TRINE_OK : status;
}

static trine_status open_tokenizer(trine_model *m, trine_error *err)
{
    const char *dir = trine_checkpoint_directory(m->checkpoint);
    const trine_gguf *g = trine_checkpoint_gguf(m->checkpoint);
    trine_status status = TRINE_OK;
    if (g)
        status = trine_tokenizer_open_gguf(&m->tokenizer, g, m->info.path, err);
    else if (dir)
        status = open_beside(&m->tokenizer, dir, err);
    if (status) return status;
    if (!m->tokenizer) {
        tell(m, "no tokenizer lies beside the model: it takes ids only");
        return TRINE_OK;
    }
    /* Embeddings are often padded past the vocabulary, never the other way round. */
    const int n = trine_tokenizer_vocab_size(m->tokenizer);
    if (n <= m->info.vocab) return TRINE_OK;
    return trine_fail(
        err, TRINE_ERROR_FORMAT,
        "'%s': the tokenizer has %d tokens, but the model's embedding has %d rows: the tokenizer does not match its model",
        m->info.path, n, m->info.vocab);
}

/* A token's id in generation_config.json: a number or the first of a list; -1 when it says none that the model has. */
static int32_t token_of(const json_t *config, const char *key, int vocab)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_array(value)) value = json_array_get(value, 0);
    const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    return id >= 0 && id < vocab ? (int32_t)id : -1;
}

static void fill_token(int32_t *id, int32_t other)
{
    if (*id < 0) *id = other;
}

/* Says what generation_config.json asks of transformers' generate() beside tokens: here the caller says how a text is written. */
static void tell_of_generation(const trine_model *m, const json_t *generation)
{
    static const struct {
        const char *name;
        double harmless;
    } numbers[] = { { "repetition_penalty", 1 }, { "no_repeat_ngram_size", 0 }, { "num_beams", 1 },
                    { "length_penalty", 1 },     { "min_length", 0 },           { "min_new_tokens", 0 } };
    static const char *const others[] = { "suppress_tokens",     "begin_suppress_tokens", "bad_words_ids",
                                          "forced_bos_token_id", "forced_eos_token_id",   "forced_decoder_ids" };
    char text[512];
    int n = snprintf(text, sizeof text, "not applied of generation_config.json, options say how a text is written:");
    const int nothing = n;
    if (m->info.paradigm == TRINE_ENCODER || m->info.head != TRINE_HEAD_LM) return;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const double value = json_number_value(json_object_get(generation, numbers[i].name));
        if (json_is_number(json_object_get(generation, numbers[i].name)) && value != numbers[i].harmless)
            n += trine_print(text + n, sizeof text - (size_t)n, " %s %.4g", numbers[i].name, value);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const json_t *value = json_object_get(generation, others[i]);
        if (json_is_integer(value) || json_array_size(value)) n += snprintf(text + n, sizeof text - (size_t)n, " %s", others[i]);
    }
    if (n > nothing) tell(m, text);
}

/* Special tokens that config.json does not name: generation_config.json, then the tokenizer. */
static trine_status fill_tokens(trine_model *m, trine_error *err)
{
    const char *dir = trine_checkpoint_directory(m->checkpoint);
    json_t *generation = NULL;
    const trine_status status = dir ? trine_json_file_read_optional(&generation, dir, "generation_config.json", err) : TRINE_OK;
    if (status) return status;
    trine_model_info *info = &m->info;
    fill_token(&info->bos, token_of(generation, "bos_token_id", info->vocab));
    fill_token(&info->eos, token_of(generation, "eos_token_id", info->vocab));
    fill_token(&info->pad, token_of(generation, "pad_token_id", info->vocab));
    if (info->paradigm == TRINE_ENCODER_DECODER)
        fill_token(&info->decoder_start, token_of(generation, "decoder_start_token_id", info->vocab));
    tell_of_generation(m, generation);
    json_decref(generation);
    if (m->tokenizer) {
        fill_token(&info->bos, trine_tokenizer_special(m->tokenizer, TRINE_TOKEN_BOS));
        fill_token(&info->eos, trine_tokenizer_special(m->tokenizer, TRINE_TOKEN_EOS));
        fill_token(&info->pad, trine_tokenizer_special(m->tokenizer, TRINE_TOKEN_PAD));
    }
    return TRINE_OK;
}

/* Says what sentence-transformers would put before every text: here the caller's text is the whole of it. */
static trine_status tell_of_prompt(const trine_model *m, const char *dir, trine_error *err)
{
    char *prompt, text[512];
    const trine_status status = trine_sentence_prompt_read(&prompt, dir, err);
    if (!prompt) return status;
    size_t n = strnlen(prompt, 256);
    while (n && ((unsigned char)prompt[n] & 0xC0) == 0x80) n--; /* not amid a character */
    prompt[n] = 0;
    snprintf(
        text, sizeof text,
        "config_sentence_transformers.json names a default prompt, which is not applied: for sentence-transformers' vectors, begin "
        "each text with \"%s\"",
        prompt);
    tell(m, text);
    free(prompt);
    return TRINE_OK;
}

/* One vector of a text: modules.json of a directory, or what a GGUF file says. */
static trine_status fill_pooling(trine_model *m, trine_error *err)
{
    const json_t *config = trine_checkpoint_config(m->checkpoint);
    const char *pooling = json_string_value(json_object_get(config, "trine_pooling"));
    static const char *const names[] = {
        [TRINE_POOL_MEAN] = "mean", [TRINE_POOL_CLS] = "cls", [TRINE_POOL_MAX] = "max", [TRINE_POOL_LAST] = "last"
    };
    for (int i = 1; pooling && i <= TRINE_POOL_LAST; i++) {
        if (!strcmp(pooling, names[i])) m->info.pooling = (trine_pooling)i;
    }
    if (json_is_true(json_object_get(config, "trine_normalize"))) m->info.normalize = true;
    const int64_t embed_tokens = json_integer_value(json_object_get(config, "trine_embed_tokens"));
    if (embed_tokens > 0 && embed_tokens <= INT32_MAX) m->info.embed_tokens = (int)embed_tokens;
    const char *dir = trine_checkpoint_directory(m->checkpoint);
    if (!dir) return TRINE_OK;
    trine_status status = trine_sentence_modules_read(&m->info.pooling, &m->info.normalize, dir, err);
    if (!status) status = trine_sentence_length_read(&m->info.embed_tokens, dir, m->info.max_tokens, err);
    return status ? status : tell_of_prompt(m, dir, err);
}

/* Every part of an adapter must have found its weight: half an adapter would be another model. */
static trine_status check_adapter(const trine_model *m, trine_error *err)
{
    for (int i = 0; m->adapter && i < m->adapter->n_modules; i++)
        if (!m->adapter->modules[i].used)
            return trine_fail(err, TRINE_ERROR_FORMAT,
                              "'%s': the adapter has '%s', which this model has not: it is of another model", m->info.path,
                              m->adapter->modules[i].name);
    return TRINE_OK;
}

/* m->checkpoint may be there already. */
static trine_status open_parts(trine_model *m, const char *path, const trine_model_options *options, bool bare, trine_error *err)
{
    trine_cpu level;
    trine_status status = trine_cpu_choose(&level, options->cpu, err);
    if (status) return status;
    trine_kernels_init(&m->kernels, level);
    if (!(m->info.path = strdup(path))) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    if (!m->checkpoint) status = trine_checkpoint_open(&m->checkpoint, path, err);
    if (status) return status;
    if (m->adapter && m->adapter->config) status = trine_checkpoint_configure(m->checkpoint, m->adapter->config, path, err);
    if (status) return status;
    m->family = trine_family_find(trine_checkpoint_config(m->checkpoint), err);
    if (!m->family) {
        status = TRINE_ERROR_UNSUPPORTED;
        return trine_fail_in(err, status, "'%s'", path);
    }
    status = m->family->load(m, err);
    if (status) {
        m->family = NULL; /* load has freed what it took */
        return trine_fail_in(err, status, "'%s'", path);
    }
    status = check_adapter(m, err);
    if (status) return status;
    if (m->rope_scaling && strcmp(m->info.positions, "rotary") != 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "'%s': rope_scaling is for rotary positions, and this %s has %s ones", path,
                          m->info.family, m->info.positions);
    m->rope_scaling = NULL; /* the caller's */
    if (bare || trine_checkpoint_is_hollow(m->checkpoint)) return TRINE_OK;
    status = open_tokenizer(m, err);
    if (!status) status = fill_tokens(m, err);
    return status ? status : fill_pooling(m, err);
}

/* A model of `path`, or of a checkpoint that is open already, which is the model's from here on. */
static trine_status open_model(trine_model **out, const char *path, trine_checkpoint *c, trine_adapter *adapter,
                               const trine_model_options *options, const trine_rope_scaling *rope, bool bare, trine_error *err)
{
    *out = NULL;
    trine_model *m = calloc(1, sizeof *m);
    if (!m) {
        trine_checkpoint_close(c);
        trine_adapter_close(adapter);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    }
    m->checkpoint = c;
    m->adapter = adapter;
    const trine_model_options none = { 0 };
    if (!options) options = &none;
    m->log = options->log;
    m->log_user = options->log_user;
    m->rope_scaling = rope;
    const trine_status status = open_parts(m, path, options, bare, err);
    if (status) {
        trine_model_close(m);
        return status;
    }
    *out = m;
    return TRINE_OK;
}

trine_status trine_model_open(trine_model **out, const char *path, const trine_model_options *options, trine_error *err)
{
    return trine_model_open_scaled(out, path, options, NULL, err);
}

trine_status trine_model_open_scaled(trine_model **out, const char *path, const trine_model_options *options,
                                     const trine_rope_scaling *rope, trine_error *err)
{
    if (path && *path) return open_model(out, path, NULL, NULL, options, rope, false, err);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "no path of a model was given");
}

trine_status trine_model_open_adapted(trine_model **out, const char *path, const char *adapter_dir,
                                      const trine_model_options *options, const trine_rope_scaling *rope, trine_error *err)
{
    *out = NULL;
    if (!adapter_dir || !*adapter_dir) return trine_model_open_scaled(out, path, options, rope, err);
    if (!path || !*path) return trine_fail(err, TRINE_ERROR_ARGUMENT, "no path of a model was given");
    trine_adapter *adapter;
    const trine_status status = trine_adapter_open(&adapter, adapter_dir, err);
    return status ? status : open_model(out, path, NULL, adapter, options, rope, false, err);
}

trine_status trine_model_open_checkpoint(trine_model **out, trine_checkpoint *c, trine_adapter *adapter, const char *path,
                                         const trine_model_options *options, trine_error *err)
{
    return open_model(out, path, c, adapter, options, NULL, false, err);
}

trine_status trine_model_open_bare(trine_model **out, const char *path, const trine_model_options *options, trine_error *err)
{
    return open_model(out, path, NULL, NULL, options, NULL, true, err);
}

void trine_model_close(trine_model *m)
{
    if (!m) return;
    if (m->family && m->family->unload) m->family->unload(m);
    trine_tokenizer_close(m->tokenizer);
    trine_checkpoint_close(m->checkpoint);
    trine_adapter_close(m->adapter);
    free((void *)(uintptr_t)m->info.path);
    free(m);
}

const trine_model_info *trine_model_get_info(const trine_model *model) { return &model->info; }
const trine_tokenizer *trine_model_get_tokenizer(const trine_model *model) { return model->tokenizer; }
const char *trine_model_label(const trine_model *model, int i)
{
    return i >= 0 && i < model->info.n_labels && model->labels ? model->labels[i] : NULL;
}
int trine_model_n_tensors(const trine_model *model) { return trine_checkpoint_n_tensors(model->checkpoint); }

bool trine_model_tensor(trine_tensor_info *out, const trine_model *model, int i)
{
    const trine_tensor *t = trine_checkpoint_tensor(model->checkpoint, i);
    if (!t) return false;
    *out = (trine_tensor_info) { .name = t->file_name, .type = t->type, .n_dims = t->n_dims, .bytes = t->bytes };
    memcpy(out->shape, t->shape, sizeof out->shape);
    return true;
}
