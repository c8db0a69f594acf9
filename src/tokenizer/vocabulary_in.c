/* vocabulary_in.c - a GGUF vocabulary becomes a tokenizer.
 *
 * GGUF keeps the tokens and, by name ("pre"), how text is cut before; the rest is custom. Each kind is described as tokenizer.json
 * would describe it (tokenizer_json.h) and goes the same way. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/piece_model.h"
#include "tokenizer/pre_patterns.h"

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for the vocabulary");
}

static int type_of(const trine_vocabulary *v, int id) { return v->token_types ? v->token_types[id] : TRINE_PIECE_NORMAL; }

/* Spellings: those of WordPiece mark the start of a word (U+2581) where vocab.txt marks what follows one (##). */
static trine_status take_tokens(trine_tokenizer *t, const trine_vocabulary *v, trine_error *err)
{
    const bool bert = !strcmp(v->model, "bert");
    for (int id = 0; id < v->n_tokens; id++) {
        const char *text = v->tokens[id];
        size_t n = strlen(text);
        if (!trine_utf8_valid(text, n)) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: token %d is not UTF-8 text", id);
        char word[512];
        if (bert && n > 3 && !memcmp(text, "\xE2\x96\x81", 3)) {
            text += 3;
            n -= 3;
        } else if (bert && n && !(text[0] == '[' && text[n - 1] == ']') && n < sizeof word - 2) {
            memcpy(word, "##", 2);
            memcpy(word + 2, text, n);
            text = word;
            n += 2;
        }
        const trine_status status = trine_vocab_set(&t->vocab, id, text, n, err);
        if (status) return status;
    }
    return trine_vocab_index(&t->vocab, err);
}

static trine_status take_scores(trine_tokenizer *t, const trine_vocabulary *v, trine_error *err)
{
    if (!v->scores) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: a \"%s\" vocabulary without scores", v->model);
    t->scores = malloc((size_t)v->n_tokens * sizeof *t->scores);
    if (!t->scores) return no_memory(err);
    for (int id = 0; id < v->n_tokens; id++) {
        t->scores[id] = (double)v->scores[id];
        if (!(t->scores[id] > -1e30 && t->scores[id] < 1e30))
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: token %d has a score that is no number", id);
    }
    return TRINE_OK;
}

/* "a b": tokens hold no plain space, except that a merge may begin with one. */
static trine_status take_merges(trine_tokenizer *t, const trine_vocabulary *v, trine_error *err)
{
    t->merges = malloc(((size_t)v->n_merges + 1) * sizeof *t->merges);
    if (!t->merges) return no_memory(err);
    for (int i = 0; i < v->n_merges; i++) {
        const char *text = v->merges[i], *space = *text ? strchr(text + 1, ' ') : NULL;
        const trine_merge ids = { space ? trine_vocab_find(&t->vocab, text, (size_t)(space - text)) : -1,
                                  space ? trine_vocab_find(&t->vocab, space + 1, strlen(space + 1)) : -1 };
        if (ids.left < 0 || ids.right < 0)
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: merge %d, '%.60s', does not join two tokens of the vocabulary",
                              i, text);
        t->merges[t->n_merges++] = ids;
    }
    return TRINE_OK;
}

/* Control tokens are special, user-defined ones are only found before the text is cut. */
static json_t *added_tokens(const trine_tokenizer *t, const trine_vocabulary *v)
{
    json_t *list = json_array();
    const int32_t roles[] = { v->bos, v->eos, v->pad, v->unk, v->cls, v->sep, v->mask };
    for (int id = 0; list && id < v->n_tokens; id++) {
        bool special = type_of(v, id) == TRINE_PIECE_CONTROL;
        for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) special = special || roles[r] == id;
        if (!special && type_of(v, id) != TRINE_PIECE_USER_DEFINED) continue;
        json_t *token = json_pack("{s:s, s:b, s:b}", "content", t->vocab.pieces[id].text, "special", special, "normalized", false);
        if (token && id == v->mask &&
            json_object_set_new(token, "lstrip", json_boolean(!strcmp(t->vocab.pieces[id].text, "<mask>")))) {
            json_decref(token);
            token = NULL;
        }
        if (!token || json_array_append_new(list, token)) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* GGUF does not say whether case counts: a vocabulary made without has no capitals, but for names like [CLS] and a stray token. */
bool trine_vocabulary_is_cased(const trine_tokenizer *t)
{
    int n_capital = 0, n_small = 0;
    for (int id = 0; id < t->vocab.n; id++) {
        const trine_piece p = trine_vocab_piece(&t->vocab, id);
        bool capital = false, small = false;
        for (uint32_t i = 0; i < p.n; i++) {
            capital = capital || (p.text[i] >= 'A' && p.text[i] <= 'Z');
            small = small || (p.text[i] >= 'a' && p.text[i] <= 'z');
        }
        if (p.n > 1 && (p.text[0] == '[' || p.text[0] == '<')) continue;
        n_capital += capital;
        n_small += small;
    }
    return n_capital > 0 && n_capital >= n_small / 100;
}

static json_t *describe_bert(const trine_tokenizer *t, const trine_vocabulary *v)
{
    const bool cased = trine_vocabulary_is_cased(t);
    const char *unk = v->unk >= 0 ? t->vocab.pieces[v->unk].text : "[UNK]";
    return json_pack("{s:s, s:{s:s, s:b, s:b, s:b}, s:{s:s}, s:{s:s, s:s, s:b}, s:{s:s, s:s, s:s, s:i}}", "version", "1.0",
                     "normalizer", "type", "BertNormalizer", "clean_text", true, "handle_chinese_chars", true, "lowercase", !cased,
                     "pre_tokenizer", "type", "BertPreTokenizer", "decoder", "type", "WordPiece", "prefix", "##", "cleanup", true,
                     "model", "type", "WordPiece", "unk_token", unk, "continuing_subword_prefix", "##", "max_input_chars_per_word",
                     100);
}

/* Byte-level BPE with the special tokens of an encoder. */
static bool is_roberta(const trine_vocabulary *v)
{
    return !strcmp(v->model, "gpt2") && v->cls >= 0 && v->sep >= 0 && v->mask >= 0;
}

static trine_status describe_bytes(json_t **out, const trine_vocabulary *v, trine_error *err)
{
    const trine_pre_pattern *pre = trine_pre_pattern_find(v->pre && *v->pre ? v->pre : "gpt-2");
    if (!pre)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "tokenizer: tokenizer.ggml.pre is \"%.60s\"; supported: %s", v->pre,
                          trine_pre_pattern_names());
    *out = trine_pre_pattern_describe(pre, v->add_space_prefix == 1);
    if (*out && is_roberta(v) &&
        json_object_set_new(*out, "post_processor",
                            json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", v->add_space_prefix == 1,
                                      "trim_offsets", true, "use_regex", true))) {
        json_decref(*out);
        *out = NULL;
    }
    return *out ? TRINE_OK : no_memory(err);
}

static trine_status describe_pieces(json_t **out, const trine_tokenizer *t, const trine_vocabulary *v, bool bpe, trine_error *err)
{
    bool bytes = false;
    int32_t unk = v->unk;
    for (int id = 0; id < v->n_tokens; id++) {
        bytes = bytes || type_of(v, id) == TRINE_PIECE_BYTE;
        if (unk < 0 && type_of(v, id) == TRINE_PIECE_UNKNOWN) unk = id;
    }
    const trine_piece_model model = {
        .bpe = bpe,
        .words = !bpe,
        .byte_fallback = bytes,
        .unk_id = unk,
        .unk = unk >= 0 ? t->vocab.pieces[unk].text : NULL,
        .charsmap = v->charsmap,
        .charsmap_bytes = v->charsmap ? v->charsmap_bytes : 0,
        .remove_extra_spaces = v->remove_extra_whitespaces,
        .add_prefix = v->add_space_prefix != 0,
        .scheme = bpe ? trine_pre_scheme(v->pre) : NULL,
    };
    return trine_describe_sentencepiece(out, &model, err);
}

/* What is put around a text, where the file does not say. */
static trine_status set_template(trine_tokenizer *t, const trine_vocabulary *v, trine_error *err)
{
    const char *cls = trine_tokenizer_token(t, v->cls), *sep = trine_tokenizer_token(t, v->sep);
    const char *bos = trine_tokenizer_token(t, v->bos), *eos = trine_tokenizer_token(t, v->eos);
    if (!strcmp(v->model, "bert") && cls && sep) return trine_tokenizer_set_pair_template(t, cls, sep, false, err);
    if (is_roberta(v) && cls && sep) return trine_tokenizer_set_pair_template(t, cls, sep, true, err);
    const bool t5 = !strcmp(v->model, "t5"), llama = !strcmp(v->model, "llama");
    const trine_pre_pattern *pre = !strcmp(v->model, "gpt2") ? trine_pre_pattern_find(v->pre && *v->pre ? v->pre : "gpt-2") : NULL;
    const bool add_bos = v->add_bos >= 0 ? v->add_bos == 1 : llama || (pre && pre->add_bos);
    const bool add_eos = v->add_eos >= 0 ? v->add_eos == 1 : t5;
    if (!(add_bos && bos) && !(add_eos && eos)) return TRINE_OK;
    return trine_tokenizer_set_bos_eos(t, add_bos ? bos : NULL, add_eos ? eos : NULL, t5 ? 0 : 1, err);
}

static trine_status open_vocabulary(trine_tokenizer *t, const trine_vocabulary *v, trine_error *err)
{
    json_t *root = NULL;
    const bool bert = !strcmp(v->model, "bert"), bytes = !strcmp(v->model, "gpt2"), llama = !strcmp(v->model, "llama"),
               t5 = !strcmp(v->model, "t5");
    if (!bert && !bytes && !llama && !t5)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "tokenizer: tokenizer.ggml.model is \"%.60s\"; supported: bert, gpt2, llama, t5", v->model);
    if (v->n_tokens < 1 || v->n_tokens > TRINE_ID_LIMIT)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %d tokens, expected 1 to %d", v->n_tokens, TRINE_ID_LIMIT);
    const int32_t roles[TRINE_N_SPECIALS] = {
        [TRINE_TOKEN_BOS] = v->bos, [TRINE_TOKEN_EOS] = v->eos, [TRINE_TOKEN_PAD] = v->pad,  [TRINE_TOKEN_UNK] = v->unk,
        [TRINE_TOKEN_CLS] = v->cls, [TRINE_TOKEN_SEP] = v->sep, [TRINE_TOKEN_MASK] = v->mask
    };
    for (int i = 0; i < TRINE_N_SPECIALS; i++) {
        if (roles[i] < -1 || roles[i] >= v->n_tokens)
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: a special token has id %d, there are %d tokens", roles[i],
                              v->n_tokens);
        t->specials[i] = roles[i];
    }
    trine_status status = take_tokens(t, v, err);
    if (!status && (llama || t5)) status = take_scores(t, v, err);
    if (!status && llama) status = trine_merges_from_scores(t, v->token_types, err);
    if (!status && bytes) status = take_merges(t, v, err);
    if (!status && bert && !(root = describe_bert(t, v))) status = no_memory(err);
    if (!status && bytes) status = describe_bytes(&root, v, err);
    if (!status && (llama || t5)) status = describe_pieces(&root, t, v, llama, err);
    if (!status) {
        json_t *added = added_tokens(t, v);
        if (!added || json_object_set_new(root, "added_tokens", added)) status = no_memory(err);
    }
    if (!status) status = trine_tokenizer_fill(t, root, err);
    json_decref(root);
    if (!status) status = set_template(t, v, err);
    if (!status && v->chat_template && !(t->chat_template = trine_copy_text(v->chat_template, strlen(v->chat_template))))
        status = no_memory(err);
    return status;
}

trine_status trine_tokenizer_open_vocabulary(trine_tokenizer **out, const trine_vocabulary *v, trine_error *err)
{
    if (!out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no place for the result");
    *out = NULL;
    if (!v || !v->model || (v->n_tokens && !v->tokens)) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no vocabulary");
    trine_error local;
    if (!err) err = &local;
    *err = (trine_error) { 0 };
    trine_status status = trine_tokenizer_new(out, err);
    if (!status) status = open_vocabulary(*out, v, err);
    if (status) {
        trine_tokenizer_close(*out);
        *out = NULL;
    }
    return status;
}
