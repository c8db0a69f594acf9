/* json_post_processor.c - every post-processor of tokenizer.json as two templates (one text, a pair) and trims of offsets. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/tokenizer_json.h"

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its template");
}

static trine_status put_piece(trine_template *template, int sequence, int32_t type, const int32_t *ids, int n_ids, trine_error *err)
{
    trine_template_piece *pieces = realloc(template->pieces, (size_t)(template->n + 1) * sizeof *pieces);
    if (!pieces) return no_memory(err);
    template->pieces = pieces;
    trine_template_piece *piece = &pieces[template->n];
    *piece = (trine_template_piece) { .sequence = sequence, .type = type };
    if (n_ids) {
        piece->ids = malloc((size_t)n_ids * sizeof *ids);
        if (!piece->ids) return no_memory(err);
        memcpy(piece->ids, ids, (size_t)n_ids * sizeof *ids);
        piece->n_ids = n_ids;
    }
    template->n++;
    return TRINE_OK;
}

/* ["[SEP]", 102] */
static trine_status read_token(int32_t *id, const json_t *value, const char *type, const char *key, trine_error *err)
{
    const json_t *pair = json_object_get(value, key), *number = json_array_get(pair, 1);
    if (!json_is_string(json_array_get(pair, 0)) || !json_is_integer(number) || json_integer_value(number) < 0 ||
        json_integer_value(number) >= TRINE_ID_LIMIT)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: '%s' is not [token, id]", type, key);
    *id = (int32_t)json_integer_value(number);
    return TRINE_OK;
}

/* BertProcessing: [CLS] A [SEP] B [SEP]; RobertaProcessing: <s> A </s> </s> B </s>, all of type 0. */
static trine_status read_bert(trine_tokenizer *t, const json_t *value, const char *type, bool roberta, trine_error *err)
{
    int32_t cls, sep;
    trine_status status = read_token(&sep, value, type, "sep", err);
    if (!status) status = read_token(&cls, value, type, "cls", err);
    const int32_t seps[2] = { sep, sep };
    for (int pair = 0; pair < 2 && !status; pair++) {
        trine_template *template = pair ? &t->pair : &t->single;
        status = put_piece(template, -1, 0, &cls, 1, err);
        if (!status) status = put_piece(template, 0, 0, NULL, 0, err);
        if (!status) status = put_piece(template, -1, 0, seps, pair && roberta ? 2 : 1, err);
        if (!pair) continue;
        if (!status) status = put_piece(template, 1, roberta ? 0 : 1, NULL, 0, err);
        if (!status) status = put_piece(template, -1, roberta ? 0 : 1, seps, 1, err);
    }
    return status;
}

/* The ids of a special token of a template. */
static trine_status put_special(trine_template *template, const json_t *tokens, const char *name, int32_t type, trine_error *err)
{
    const json_t *ids = json_object_get(json_object_get(tokens, name), "ids");
    const size_t n = json_array_size(ids);
    if (!json_is_array(ids) || n > 4096)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: TemplateProcessing: special token '%.60s' has no list of ids", name);
    int32_t *numbers = malloc((n + 1) * sizeof *numbers);
    if (!numbers) return no_memory(err);
    trine_status status = TRINE_OK;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= TRINE_ID_LIMIT)
            status = trine_fail(err, TRINE_ERROR_FORMAT,
                                "tokenizer: TemplateProcessing: special token '%.60s' has an id that is none", name);
        else
            numbers[i] = (int32_t)json_integer_value(id);
    }
    if (!status) status = put_piece(template, -1, type, numbers, (int)n, err);
    free(numbers);
    return status;
}

static trine_status read_template(trine_template *template, const json_t *value, const char *key, const json_t *tokens,
                                  trine_error *err)
{
    const json_t *list = json_object_get(value, key);
    if (!json_is_array(list)) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: TemplateProcessing: '%s' is no list", key);
    const bool pair = !strcmp(key, "pair");
    bool has[2] = { false, false };
    trine_status status = TRINE_OK;
    for (size_t i = 0; i < json_array_size(list) && !status; i++) {
        const json_t *piece = json_array_get(list, i);
        const json_t *sequence = json_object_get(piece, "Sequence"), *special = json_object_get(piece, "SpecialToken");
        const json_t *body = sequence ? sequence : special;
        const char *id;
        json_int_t type;
        status = trine_json_text(&id, NULL, body, "TemplateProcessing", "id", false, err);
        if (!status) status = trine_json_int(&type, body, "TemplateProcessing", "type_id", 0, INT32_MAX, err);
        if (status) break;
        if (!sequence) {
            status = put_special(template, tokens, id, (int32_t)type, err);
            continue;
        }
        const int which = !strcmp(id, "A") ? 0 : !strcmp(id, "B") ? 1 : -1;
        if (which < 0 || (which == 1 && !pair) || has[which])
            return trine_fail(err, TRINE_ERROR_FORMAT,
                              "tokenizer: TemplateProcessing: '%s' uses sequence '%.20s', expected A%s once", key, id,
                              pair ? " and B" : "");
        has[which] = true;
        status = put_piece(template, which, (int32_t)type, NULL, 0, err);
    }
    return status;
}

static trine_status read_one(trine_tokenizer *t, const json_t *value, int depth, trine_error *err)
{
    if (!value || json_is_null(value)) return TRINE_OK;
    const char *type;
    trine_status status = trine_json_text(&type, NULL, value, "post_processor", "type", false, err);
    if (status) return status;
    if (!strcmp(type, "Sequence")) {
        const json_t *list = json_object_get(value, "processors");
        if (!json_is_array(list) || depth > 16)
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: post_processor: a Sequence without a list 'processors'");
        for (size_t i = 0; i < json_array_size(list) && !status; i++) status = read_one(t, json_array_get(list, i), depth + 1, err);
        return status;
    }
    const bool template = !strcmp(type, "TemplateProcessing"), roberta = !strcmp(type, "RobertaProcessing");
    const bool bert = !strcmp(type, "BertProcessing"), bytes = !strcmp(type, "ByteLevel");
    if (!template && !roberta && !bert && !bytes)
        return trine_fail(
            err, TRINE_ERROR_UNSUPPORTED,
            "tokenizer: post_processor '%.60s' is not supported; supported are Sequence, TemplateProcessing, BertProcessing, "
            "RobertaProcessing, ByteLevel",
            type);
    if (bytes || roberta) {
        bool trims, prefix;
        status = trine_json_bool(&trims, value, type, "trim_offsets", NULL, err);
        if (!status) status = trine_json_bool(&prefix, value, type, "add_prefix_space", NULL, err);
        if (status) return status;
        if (trims && t->n_trims == TRINE_TRIMS_MAX)
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "tokenizer: post_processor: offsets are trimmed more than %d times",
                              TRINE_TRIMS_MAX);
        if (trims) t->trim_prefix[t->n_trims++] = prefix;
        if (bytes) return TRINE_OK;
    }
    if (t->single.n || t->pair.n)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "tokenizer: post_processor: special tokens are added twice, which is not supported");
    if (bert || roberta) return read_bert(t, value, type, roberta, err);
    const json_t *tokens = json_object_get(value, "special_tokens");
    status = read_template(&t->single, value, "single", tokens, err);
    return status ? status : read_template(&t->pair, value, "pair", tokens, err);
}

trine_status trine_json_post_processor(trine_tokenizer *t, const json_t *value, trine_error *err)
{
    trine_status status = read_one(t, value, 0, err);
    /* Without one: the text alone, or both one after the other. */
    if (!status && !t->single.n) status = put_piece(&t->single, 0, 0, NULL, 0, err);
    if (!status && !t->pair.n) status = put_piece(&t->pair, 0, 0, NULL, 0, err);
    if (!status && t->pair.n == 1 && t->pair.pieces[0].sequence == 0) status = put_piece(&t->pair, 1, 1, NULL, 0, err);
    return status;
}
