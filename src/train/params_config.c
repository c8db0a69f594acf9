/* params_config.c - the configuration of a model that is to be trained: a copy of one that is there, for another head. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "checkpoint/json_file.h"
#include "train/params.h"

/* id2label and label2id; num_labels follows from them in transformers, and would contradict them. */
static void put_labels(trine_json_builder *config, const char *const *labels, int n_labels)
{
    trine_json_builder names = { .object = json_object() }, ids = { .object = json_object() };
    for (int i = 0; i < n_labels; i++) {
        char digits[16];
        snprintf(digits, sizeof digits, "%d", i);
        trine_json_put(&names, digits, json_string(labels[i]));
        trine_json_put(&ids, labels[i], json_integer(i));
    }
    config->failed |= names.failed || ids.failed;
    trine_json_put(config, "id2label", names.object);
    trine_json_put(config, "label2id", ids.object);
    json_object_del(config->object, "num_labels");
    json_object_del(config->object, "_num_labels");
}

/* transformers finds the last token of each text of a batch by what is no padding, and refuses a batch where nothing is. */
static void put_padding(trine_json_builder *config)
{
    const json_t *pad = json_object_get(config->object, "pad_token_id"), *end = json_object_get(config->object, "eos_token_id");
    if (json_is_array(end)) end = json_array_get(end, 0);
    if (!json_is_integer(pad) && json_is_integer(end))
        trine_json_put(config, "pad_token_id", json_integer(json_integer_value(end)));
}

static trine_status check_labels(const char *const *labels, int n_labels, trine_error *err)
{
    if (n_labels < 1 || !labels)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "a head of labels needs their names, and none were given");
    for (int i = 0; i < n_labels; i++) {
        json_t *text = json_string(labels[i]); /* NULL for what is not UTF-8 */
        json_decref(text);
        if (!text) return trine_fail(err, TRINE_ERROR_ARGUMENT, "the name of label %d is not UTF-8", i);
        for (int j = 0; j < i; j++)
            if (!strcmp(labels[i], labels[j]))
                return trine_fail(err, TRINE_ERROR_ARGUMENT, "labels %d and %d have one name, '%s'", j, i, labels[i]);
    }
    return TRINE_OK;
}

trine_status trine_params_config(json_t **out, const json_t *config, trine_head head, const char *const *labels, int n_labels,
                                 trine_error *err)
{
    *out = NULL;
    const trine_family *family = trine_family_find(config, err);
    if (!family) return TRINE_ERROR_UNSUPPORTED;
    const char *type = json_string_value(json_object_get(config, "model_type"));
    if (!type) type = family->model_types[0];
    char class[64];
    const bool labelled = trine_gives_labels(head);
    if (!trine_family_class(class, type, head)) {
        static const char *const heads[] = { "none", "language model", "masked language model", "labels", "tags" };
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "a model of type '%s' has no head '%s'", type, heads[head]);
    }
    const trine_status status = labelled ? check_labels(labels, n_labels, err) : TRINE_OK;
    if (status) return status;
    trine_json_builder made = { .object = trine_json_copy(config) };
    if (!made.object) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model's configuration");
    trine_json_put(&made, "model_type", json_string(type));
    trine_json_put(&made, "architectures", json_pack("[s]", class));
    if (labelled) put_labels(&made, labels, n_labels);
    if (head == TRINE_HEAD_LABELS && family->paradigm == TRINE_DECODER) put_padding(&made);
    if (made.failed) {
        json_decref(made.object);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model's configuration");
    }
    *out = made.object;
    return TRINE_OK;
}
