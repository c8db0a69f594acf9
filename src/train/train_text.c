/* train_text.c - running text as examples: the tokenizer's special tokens, the corpus, the objective, and what is held out. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "train/train_setup.h"

/* ------------------------------------------------------------------------------------------------------ special tokens */

typedef struct tokens {
    trine_objective_tokens ids;
    int32_t *sentinels;
    uint8_t *continues, *special;
    int32_t before, after; /* around a document */
} tokens;

static void clear_tokens(tokens *t)
{
    free(t->sentinels);
    free(t->continues);
    free(t->special);
}

/* Whether a piece goes on a word: WordPiece marks those, the others mark what begins one. */
static bool goes_on(const trine_tokenizer *t, const char *piece)
{
    if (!strcmp(trine_tokenizer_algorithm(t), "wordpiece")) return !strncmp(piece, "##", 2);
    return strncmp(piece, "\xC4\xA0", 2) &&
           strncmp(piece, "\xE2\x96\x81", 3); /* byte-level BPE's mark of a space; sentencepiece's */
}

/* BOS where this tokenizer puts one before a text. */
static int32_t put_before(const trine_tokenizer *t)
{
    trine_encoding e;
    int32_t id = -1;
    if (trine_tokenizer_encode(&e, t, "a", 1, NULL, NULL)) return -1;
    if (e.n > 1 && e.special[0] && e.ids[0] == trine_tokenizer_special(t, TRINE_TOKEN_BOS)) id = e.ids[0];
    trine_encoding_clear(&e);
    return id;
}

static trine_status read_tokens(tokens *out, const trine_model *m, const trine_train_options *o, trine_error *err)
{
    const trine_tokenizer *t = m->tokenizer;
    const trine_model_info *info = &m->info;
    int n = 0;
    char name[32];
    *out = (tokens) { .before = -1, .after = -1 };
    out->ids = (trine_objective_tokens) {
        .cls = trine_tokenizer_special(t, TRINE_TOKEN_CLS),
        .sep = trine_tokenizer_special(t, TRINE_TOKEN_SEP),
        .mask = trine_tokenizer_special(t, TRINE_TOKEN_MASK),
        .eos = info->eos >= 0 ? info->eos : trine_tokenizer_special(t, TRINE_TOKEN_EOS),
        .decoder_start = trine_start_token(info),
        .vocab = trine_tokenizer_vocab_size(t),
    };
    const int vocab = out->ids.vocab;
    if (vocab > info->vocab)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: the tokenizer has %d ids, and the model %d", vocab, info->vocab);
    if (info->paradigm == TRINE_DECODER) {
        out->after = out->ids.eos;
        out->before = put_before(t);
        if (out->before == out->after) out->before = -1; /* GPT-2: one token is both */
    }
    out->sentinels = malloc((size_t)vocab * sizeof *out->sentinels);
    out->continues = calloc((size_t)vocab, 1);
    out->special = calloc((size_t)vocab, 1);
    if (!out->sentinels || !out->continues || !out->special) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    for (; n < vocab; n++) {
        snprintf(name, sizeof name, "<extra_id_%d>", n);
        if ((out->sentinels[n] = trine_tokenizer_id(t, name)) < 0) break;
    }
    for (int32_t i = 0; i < vocab; i++) {
        const char *piece = trine_tokenizer_token(t, i);
        out->special[i] = trine_tokenizer_is_special(t, i);
        out->continues[i] = o->whole_word && piece && !out->special[i] && goes_on(t, piece);
    }
    out->ids.sentinels = out->sentinels;
    out->ids.n_sentinels = n;
    out->ids.continues = out->continues;
    out->ids.special = out->special;
    return TRINE_OK;
}

/* --------------------------------------------------------------------------------------------------------------- parts */

/* The end of a corpus as one of its own: whole documents where there are many, else tokens. */
static trine_status split_corpus(trine_corpus *held, trine_corpus *c, double share, trine_error *err)
{
    *held = (trine_corpus) { 0 };
    size_t first = c->n_documents - (size_t)(share * (double)c->n_documents + 0.5), at;
    const bool by_documents = c->n_documents >= 20 && first < c->n_documents && first > 0;
    if (by_documents) {
        at = c->ends[first - 1];
    } else {
        at = c->n - (size_t)(share * (double)c->n);
        for (first = 0; first < c->n_documents && c->ends[first] <= at;) first++;
    }
    held->n = c->n - at;
    held->n_documents = c->n_documents - first;
    held->ids = malloc((held->n + 1) * sizeof *held->ids);
    held->ends = malloc((held->n_documents + 1) * sizeof *held->ends);
    if (!held->ids || !held->ends) {
        trine_corpus_close(held);
        return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the text held out");
    }
    memcpy(held->ids, c->ids + at, held->n * sizeof *held->ids);
    for (size_t i = 0; i < held->n_documents; i++) held->ends[i] = c->ends[first + i] - at;
    c->n = at;
    c->n_documents = first;
    if (!by_documents && (!first || c->ends[first - 1] < at))
        c->ends[c->n_documents++] = at; /* it has room for the one that was cut */
    return TRINE_OK;
}

static trine_objective default_objective(const trine_model_info *info)
{
    return info->paradigm == TRINE_ENCODER   ? TRINE_OBJECTIVE_MASKED
           : info->paradigm == TRINE_DECODER ? TRINE_OBJECTIVE_CAUSAL
                                             : TRINE_OBJECTIVE_SPAN;
}

static trine_status read_pairs(trine_examples **out, trine_examples **held, const trine_train_part *part, const trine_model *m,
                               const trine_train_options *o, int seq_len, trine_error *err)
{
    trine_stored *pairs, *others = NULL;
    trine_reading r = {
        .tokenizer = m->tokenizer, .info = &m->info, .seq_len = seq_len, .target_len = o->target_len ? o->target_len : seq_len
    };
    if (m->info.paradigm == TRINE_ENCODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: sequence to sequence is for models with a decoder");
    if (m->info.eos < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: this tokenizer has no end token");
    trine_status status = trine_stored_open(&pairs, err);
    if (status) return status;
    status = trine_read_pairs(pairs, &r, part, err);
    if (!status && held) status = trine_stored_hold_out(&others, pairs, o->hold_out, o->seed, err);
    if (status) {
        trine_examples_close(&pairs->base);
        return status;
    }
    trine_train_log_cut(&r, part, o);
    *out = &pairs->base;
    if (held) *held = &others->base;
    return TRINE_OK;
}

trine_status trine_train_read_part(trine_examples **out, trine_examples **held, const trine_train_part *part,
                                   const trine_model *model, const trine_train_options *o, trine_team *team, trine_error *err)
{
    int seq_len;
    tokens t = { 0 };
    trine_corpus corpus = { 0 }, rest = { 0 };
    *out = NULL;
    if (held) *held = NULL;
    trine_status status = trine_train_length(&seq_len, o, &model->info, err);
    const trine_objective kind = part->objective ? part->objective : default_objective(&model->info);
    if (status) return status;
    if (kind == TRINE_OBJECTIVE_SEQ2SEQ) return read_pairs(out, held, part, model, o, seq_len, err);
    status = read_tokens(&t, model, o, err);
    const trine_corpus_options reading = { .documents = { .column = part->text_column, .split = o->split },
                                           .before = t.before,
                                           .after = t.after,
                                           .on_progress = o->on_read,
                                           .user = o->user };
    if (!status) status = trine_corpus_open(&corpus, part->paths, part->n_paths, model->tokenizer, &reading, team, err);
    if (!status)
        trine_train_log(o, "%s%zu tokens in %zu document%s, %.2f bytes a token", trine_train_whose(part, o), corpus.n,
                        corpus.n_documents, corpus.n_documents == 1 ? "" : "s", (double)corpus.n_bytes / (double)corpus.n);
    if (!status && model->info.paradigm == TRINE_DECODER && t.after < 0)
        trine_train_log(
            o, "this tokenizer has no end token: documents stand one after another without one, and no text ends by itself");
    if (!status && held) status = split_corpus(&rest, &corpus, o->hold_out, err);
    const trine_objective_options objective = {
        .kind = kind,
        .tokens = t.ids,
        .seq_len = seq_len,
        .share = (double)o->noise,
        .separate = o->separate,
        .whole_word = o->whole_word,
        .has_encoder = model->info.paradigm != TRINE_DECODER,
        .has_decoder = model->info.paradigm != TRINE_ENCODER,
        .seed = o->seed,
    };
    if (!status) status = trine_objective_open(out, &corpus, &objective, err);
    if (!status && held) status = trine_objective_open(held, &rest, &objective, err);
    if (status) {
        trine_examples_close(*out);
        *out = NULL;
    }
    trine_corpus_close(&corpus);
    trine_corpus_close(&rest);
    clear_tokens(&t);
    return status;
}

trine_status trine_train_feed(trine_feed **out, trine_examples *examples, const trine_train_options *o, bool shuffle,
                              trine_error *err)
{
    const trine_feed_part part = { examples, 1 };
    const trine_feed_options options = { o->batch_texts, o->batch_tokens, shuffle, o->seed };
    return trine_feed_open(out, &part, 1, &options, err);
}

trine_status trine_train_open_feeds(trine_trainer *t, const trine_train_options *o, trine_error *err)
{
    trine_feed_part parts[TRINE_FEED_PARTS] = { 0 };
    trine_examples *held = NULL;
    trine_status status = TRINE_OK;
    int n = 0;
    const bool files = o->valid && o->valid->n_paths;
    if (o->n_parts > TRINE_FEED_PARTS)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a mixture of %d parts, expected %d at most", o->n_parts,
                          TRINE_FEED_PARTS);
    for (; n < o->n_parts && !status; n++) {
        parts[n].weight = o->parts[n].weight;
        status = trine_train_read_part(&parts[n].examples, !n && o->hold_out > 0 ? &held : NULL, &o->parts[n], t->model, o, t->team,
                                       err);
    }
    if (!status && held && o->n_parts > 1)
        trine_train_log(o, "what is held out is of '%s' alone, the mixture's first source: --valid measures on others",
                        o->parts[0].paths[0]);
    if (!status && files) status = trine_train_read_part(&held, NULL, o->valid, t->model, o, t->team, err);
    if (status) {
        for (int i = 0; i < n; i++) trine_examples_close(parts[i].examples);
        trine_examples_close(held);
        return status;
    }
    const trine_feed_options options = { o->batch_texts, o->batch_tokens, true, o->seed };
    status = trine_feed_open(&t->feed, parts, n, &options, err);
    if (status)
        trine_examples_close(held);
    else if (held)
        status = trine_train_feed(&t->valid, held, o, false, err);
    return status;
}
