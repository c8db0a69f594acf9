/* json_out.c - a tokenizer as tokenizer.json. One that was read from such a file, and not changed by its neighbours, gives that text
 * back; every other kept its description (t->config) and gets its vocabulary, merges and the ids of added tokens put in. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/json_score.h"
#include "tokenizer/tokenizer_json.h"

static bool put_vocabulary(json_t *model, const trine_tokenizer *t)
{
    const bool list = t->algorithm == TRINE_UNIGRAM;
    json_t *vocab = list ? json_array() : json_object();
    bool fine = vocab != NULL;
    for (int id = 0; fine && id < t->vocab.n; id++) {
        const trine_piece p = trine_vocab_piece(&t->vocab, id);
        if (!p.text && !list) continue;
        if (list)
            fine = !json_array_append_new(vocab,
                                          json_pack("[s#, f]", p.text ? p.text : "", (int)p.n, trine_score_write(t->scores[id])));
        else
            fine = !json_object_set_new(vocab, p.text, json_integer(id));
    }
    fine = fine && !json_object_set(model, "vocab", vocab);
    json_decref(vocab);
    return fine;
}

static bool put_merges(json_t *model, const trine_tokenizer *t)
{
    json_t *merges = json_array();
    bool fine = merges != NULL;
    for (int i = 0; fine && i < t->n_merges; i++) {
        const trine_piece a = trine_vocab_piece(&t->vocab, t->merges[i].left), b = trine_vocab_piece(&t->vocab, t->merges[i].right);
        fine = !json_array_append_new(merges, json_pack("[s#, s#]", a.text, (int)a.n, b.text, (int)b.n));
    }
    fine = fine && !json_object_set(model, "merges", merges);
    json_decref(merges);
    return fine;
}

static bool put_added_tokens(json_t *root, const trine_tokenizer *t)
{
    json_t *list = json_array();
    bool fine = list != NULL;
    for (int i = 0; fine && i < t->added.n; i++) {
        const trine_added_token *a = &t->added.items[i];
        fine = !json_array_append_new(list, json_pack("{s:i, s:s#, s:b, s:b, s:b, s:b, s:b}", "id", a->id, "content", a->content,
                                                      (int)a->n_content, "single_word", a->single_word, "lstrip", a->lstrip,
                                                      "rstrip", a->rstrip, "normalized", a->normalized, "special", a->special));
    }
    fine = fine && !json_object_set(root, "added_tokens", list);
    json_decref(list);
    return fine;
}

/* Every part that readers look for, null where there is none. */
static json_t *in_order(const json_t *root)
{
    static const char *const keys[] = { "version",       "truncation",     "padding", "added_tokens", "normalizer",
                                        "pre_tokenizer", "post_processor", "decoder", "model" };
    json_t *out = json_object();
    for (size_t i = 0; out && i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(root, keys[i]);
        const bool kept = value && strcmp(keys[i], "truncation") != 0 && strcmp(keys[i], "padding") != 0;
        if (json_object_set_new(out, keys[i], kept ? json_incref(value) : i ? json_null() : json_string("1.0"))) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

trine_status trine_tokenizer_to_json(char **out, const trine_tokenizer *tokenizer, trine_error *err)
{
    static const char *const types[] = {
        [TRINE_WORDPIECE] = "WordPiece", [TRINE_BPE] = "BPE", [TRINE_UNIGRAM] = "Unigram", [TRINE_WORDLEVEL] = "WordLevel"
    };
    if (!out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no place for the result");
    *out = NULL;
    if (!tokenizer) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no tokenizer");
    if (tokenizer->algorithm == TRINE_BYTES)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "tokenizer.json cannot say a tokenizer of plain bytes (ByT5): copy its tokenizer_config.json");
    if (tokenizer->source.data) {
        *out = trine_copy_text((const char *)tokenizer->source.data, tokenizer->source.size);
        return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its JSON");
    }
    json_t *root = NULL, *ordered = NULL;
    trine_status status = trine_json_read(&root, tokenizer->config, strlen(tokenizer->config), "tokenizer", err);
    if (status) return status;
    json_t *model = json_object_get(root, "model");
    bool fine = put_vocabulary(model, tokenizer) && (tokenizer->algorithm != TRINE_BPE || put_merges(model, tokenizer)) &&
                !json_object_set_new(model, "type", json_string(types[tokenizer->algorithm])) &&
                put_added_tokens(root, tokenizer) && (ordered = in_order(root));
    if (fine) *out = json_dumps(ordered, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(ordered);
    json_decref(root);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its JSON");
}
