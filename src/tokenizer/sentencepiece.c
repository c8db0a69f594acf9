/* sentencepiece.c - sentencepiece models (spiece.model, tokenizer.model): unigram as T5's, BPE as Llama's.
 *
 * This file reads the protocol buffer; piece_model.c knows what such a model means. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/piece_model.h"
#include "tokenizer/sentencepiece_model.pb-c.h"
#include "tokenizer/tokenizer_files.h"

enum { FILE_LIMIT = 256 << 20, EXTRA_LIMIT = 100000, UNIGRAM = 1, BPE = 2 };

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "sentencepiece: no memory"); }

/* {"content": ..., ...} appended to a list; `component` is taken over. */
static bool append(json_t *list, json_t *component) { return component && !json_array_append_new(list, component); }

/* Pieces, scores and types of the model into the tokenizer. */
static trine_status read_pieces(trine_tokenizer *t, int32_t **types, const Trine__Sentencepiece__Model *m, const char *path,
                                trine_error *err)
{
    if (!m->n_pieces || m->n_pieces >= TRINE_ID_LIMIT - EXTRA_LIMIT)
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s: %zu pieces, expected a sentencepiece model with some", path, m->n_pieces);
    t->scores = malloc((m->n_pieces + EXTRA_LIMIT) * sizeof *t->scores); /* room for T5's extra ids */
    *types = malloc((m->n_pieces + EXTRA_LIMIT) * sizeof **types);
    if (!t->scores || !*types) return no_memory(err);
    for (size_t i = 0; i < m->n_pieces; i++) {
        const Trine__Sentencepiece__Piece *p = m->pieces[i];
        if (!trine_utf8_valid((const char *)p->piece.data, p->piece.len))
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s: piece %zu is not UTF-8 text", path, i);
        const trine_status status = trine_vocab_set(&t->vocab, (int32_t)i, (const char *)p->piece.data, p->piece.len, err);
        if (status) return status;
        t->scores[i] = (double)p->score;
        (*types)[i] = p->type;
        if (!(t->scores[i] > -1e30 && t->scores[i] < 1e30))
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s: piece %zu has a score that is no number", path, i);
    }
    return trine_vocab_index(&t->vocab, err);
}

/* T5's sentinels, <extra_id_99> down to <extra_id_0>, when the vocabulary is T5's and does not have them as pieces. */
static trine_status add_extra_ids(trine_tokenizer *t, int32_t *types, json_t *added, const trine_neighbors *n, trine_error *err)
{
    if (trine_vocab_find(&t->vocab, "<extra_id_0>", 12) >= 0 || trine_vocab_find(&t->vocab, "\xE2\x96\x81<extra_id_0>", 15) >= 0)
        return TRINE_OK;
    json_int_t count = 100;
    if (json_object_get(n->config, "extra_ids")) {
        const trine_status status = trine_json_int(&count, n->config, "tokenizer_config.json", "extra_ids", 0, 90000, err);
        if (status) return status;
    }
    for (json_int_t i = count - 1; i >= 0; i--) {
        char name[40];
        const int length = snprintf(name, sizeof name, "<extra_id_%lld>", (long long)i);
        t->scores[t->vocab.n] = 0.0;
        types[t->vocab.n] = TRINE_PIECE_CONTROL;
        const trine_status status = trine_vocab_set(&t->vocab, t->vocab.n, name, (size_t)length, err);
        if (status) return status;
        if (!append(added, json_pack("{s:s, s:b, s:b}", "content", name, "special", true, "normalized", false)))
            return no_memory(err);
    }
    return trine_vocab_index(&t->vocab, err);
}

static bool id_is(const trine_tokenizer *t, int32_t id, const char *text)
{
    const trine_piece p = trine_vocab_piece(&t->vocab, id);
    return p.text && !strcmp(p.text, text);
}

static trine_status build(trine_tokenizer *t, int32_t *types, const Trine__Sentencepiece__Model *m, const char *path,
                          const trine_neighbors *n, trine_error *err)
{
    const Trine__Sentencepiece__TrainerSpec none = TRINE__SENTENCEPIECE__TRAINER_SPEC__INIT;
    const Trine__Sentencepiece__NormalizerSpec plain = TRINE__SENTENCEPIECE__NORMALIZER_SPEC__INIT;
    const Trine__Sentencepiece__TrainerSpec *trainer = m->trainer_spec ? m->trainer_spec : &none;
    const Trine__Sentencepiece__NormalizerSpec *norm = m->normalizer_spec ? m->normalizer_spec : &plain;
    if (trainer->model_type != UNIGRAM && trainer->model_type != BPE)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "%s: sentencepiece model type %d is not supported; supported are unigram (1) and BPE (2)", path,
                          trainer->model_type);
    if (trainer->treat_whitespace_as_suffix || !norm->escape_whitespaces)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "%s: %s is not supported", path,
                          trainer->treat_whitespace_as_suffix ? "treat_whitespace_as_suffix" : "escape_whitespaces = false");

    const bool t5_pieces = id_is(t, 0, "<pad>") && id_is(t, 1, "</s>") && id_is(t, 2, "<unk>");
    const bool t5 = trainer->model_type == UNIGRAM && (strstr(n->class, "t5") || (!n->class[0] && t5_pieces));
    const trine_piece unk = trine_vocab_piece(&t->vocab, trainer->unk_id);
    const bool add_prefix = trine_neighbors_flag(n, "add_prefix_space", norm->add_dummy_prefix);
    const trine_piece_model model = {
        .bpe = trainer->model_type == BPE,
        .words = t5,
        .byte_fallback = trainer->byte_fallback,
        .unk_id = unk.text ? trainer->unk_id : -1,
        .unk = unk.text,
        .charsmap = norm->precompiled_charsmap.data,
        .charsmap_bytes = norm->precompiled_charsmap.len,
        .remove_extra_spaces = norm->remove_extra_whitespaces,
        .add_prefix = add_prefix,
        .scheme = trine_neighbors_flag(n, "legacy", true) ? NULL
                  : add_prefix                            ? "first"
                                                          : "never",
    };
    json_t *root = NULL, *added = json_array();
    trine_status status = added ? trine_describe_sentencepiece(&root, &model, err) : no_memory(err);
    for (int32_t id = 0; id < t->vocab.n && !status; id++)
        if (types[id] == TRINE_PIECE_CONTROL || types[id] == TRINE_PIECE_USER_DEFINED)
            if (!append(added, json_pack("{s:s, s:b, s:b}", "content", t->vocab.pieces[id].text, "special",
                                         types[id] == TRINE_PIECE_CONTROL, "normalized", false)))
                status = no_memory(err);
    if (!status && t5) status = add_extra_ids(t, types, added, n, err);
    if (!status && json_object_set(root, "added_tokens", added)) status = no_memory(err);
    if (!status && model.bpe) status = trine_merges_from_scores(t, types, err);

    const char *defaults[2 * TRINE_N_SPECIALS + 1];
    int n_defaults = 0;
    const struct {
        const char *role;
        int32_t id;
    } roles[] = {
        { "bos_token", trainer->bos_id },
        { "eos_token", trainer->eos_id },
        { "unk_token", trainer->unk_id },
        { "pad_token", trainer->pad_id },
    };
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const trine_piece p = trine_vocab_piece(&t->vocab, roles[i].id);
        if (!p.text || !p.n) continue;
        defaults[n_defaults++] = roles[i].role;
        defaults[n_defaults++] = p.text;
    }
    defaults[n_defaults] = NULL;
    if (!status) {
        int n_new;
        status = trine_neighbors_extend(&n_new, root, n, defaults, err);
        if (!status) status = trine_tokenizer_fill(t, root, err);
        if (!status) status = trine_neighbors_finish(t, n, defaults, err);
    }
    json_decref(root);
    json_decref(added);
    if (status) return status;

    /* T5 ends a text with </s>; a BPE model's text begins with <s> unless the configuration says otherwise. */
    const bool add_bos = !t5 && trine_neighbors_flag(n, "add_bos_token", model.bpe),
               add_eos = trine_neighbors_flag(n, "add_eos_token", t5);
    const char *bos = add_bos ? trine_tokenizer_token(t, t->specials[TRINE_TOKEN_BOS]) : NULL;
    const char *eos = add_eos ? trine_tokenizer_token(t, t->specials[TRINE_TOKEN_EOS]) : NULL;
    return trine_tokenizer_set_bos_eos(t, bos, eos, t5 ? 0 : 1, err);
}

trine_status trine_tokenizer_from_sentencepiece(trine_tokenizer *t, const char *path, const trine_neighbors *n, trine_error *err)
{
    char *bytes;
    size_t size;
    trine_status status = trine_file_read(&bytes, &size, path, FILE_LIMIT, err);
    if (status) return status;
    Trine__Sentencepiece__Model *m = trine__sentencepiece__model__unpack(NULL, size, (const uint8_t *)bytes);
    free(bytes);
    if (!m) return trine_fail(err, TRINE_ERROR_FORMAT, "%s: not a sentencepiece model", path);
    int32_t *types = NULL;
    status = read_pieces(t, &types, m, path, err);
    if (!status) status = build(t, types, m, path, n, err);
    free(types);
    trine__sentencepiece__model__free_unpacked(m, NULL);
    return status;
}
