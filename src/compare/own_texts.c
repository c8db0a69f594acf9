/* own_texts.c - see own_texts.h. */
#include "compare/own_texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "train/corpus.h"

enum { LEAST_LENGTH = 16, LEAST_TEXTS = 40 };

static const char *const roles[] = { "pad", "unk", "cls", "sep", "mask", "bos", "eos" };

/* Special tokens at the world's ids. */
static trine_status train_tokenizer(const char *dir, const char *path, int n_threads, trine_error *err)
{
    trine_special_token specials[TRINE_WORLD_WORD];
    char names[TRINE_WORLD_WORD][24];
    for (int i = 0; i < TRINE_WORLD_WORD; i++)
        specials[i] = (trine_special_token) { trine_world_spell(names[i], NULL, i), i <= TRINE_WORLD_EOS ? roles[i] : NULL };
    const trine_tokenizer_train_options options = { .type = "gpt2",
                                                    .algorithm = "bpe",
                                                    .vocab = TRINE_OWN_VOCAB,
                                                    .specials = specials,
                                                    .n_specials = TRINE_WORLD_WORD,
                                                    .n_sentinels = -1,
                                                    .single = "$A",
                                                    .overwrite = true,
                                                    .n_threads = n_threads };
    trine_tokenizer_train_result result;
    return trine_tokenizer_train(&result, dir, &path, 1, &options, err);
}

static void remove_folder(const char *dir)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = trine_path_join(dir, names[i]);
        if (path) unlink(path);
        free(path);
    }
    rmdir(dir);
}

/* The vocabulary's size and the file's tokens. */
static trine_status tokenize(int *vocab, trine_corpus *corpus, const char *path, int n_threads, trine_error *err)
{
    const char *place = getenv("TMPDIR");
    char dir[512];
    snprintf(dir, sizeof dir, "%.480s/trine_compare_XXXXXX", place && *place ? place : "/tmp");
    if (!mkdtemp(dir)) return trine_fail(err, TRINE_ERROR_IO, "compare: no temporary folder '%s': %s", dir, strerror(errno));
    trine_tokenizer *tokenizer = NULL;
    trine_team *team = NULL;
    const trine_corpus_options options = { .before = -1, .after = -1 };
    trine_status status = train_tokenizer(dir, path, n_threads, err);
    if (!status) status = trine_tokenizer_open(&tokenizer, dir, err);
    remove_folder(dir);
    if (!status) status = trine_team_open(&team, n_threads > 0 ? n_threads : 1, err);
    if (!status) status = trine_corpus_open(corpus, &path, 1, tokenizer, &options, team, err);
    if (!status) *vocab = trine_tokenizer_vocab_size(tokenizer);
    trine_team_close(team);
    trine_tokenizer_close(tokenizer);
    return status;
}

/* Pieces first .. last - 1 of TRINE_OWN_LENGTH tokens. */
static trine_status take_pieces(trine_world_set *s, const trine_corpus *c, const size_t *starts, const int *lengths, int64_t first,
                                int64_t last, int64_t n_tokens, trine_error *err)
{
    const size_t n = (size_t)(last - first);
    s->starts = malloc((n + 1) * sizeof *s->starts);
    s->splits = calloc(n + 1, sizeof *s->splits);
    s->rules = calloc(n + 1, sizeof *s->rules);
    s->ids = malloc((n * TRINE_OWN_LENGTH + 1) * sizeof *s->ids);
    if (!s->starts || !s->splits || !s->rules || !s->ids) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    s->starts[0] = 0;
    for (int64_t i = first; i < last && s->n_tokens < n_tokens; i++) {
        memcpy(s->ids + s->starts[s->n], c->ids + starts[i], (size_t)lengths[i] * sizeof *s->ids);
        s->rules[s->n] = -1;
        s->starts[s->n + 1] = s->starts[s->n] + (size_t)lengths[i];
        s->n++;
        s->n_tokens += lengths[i] + 1;
    }
    return TRINE_OK;
}

static trine_status part(trine_world_set *set, trine_world_set *held, const trine_corpus *c, const char *path, int64_t n_tokens,
                         trine_error *err)
{
    const size_t most = c->n / LEAST_LENGTH + c->n_documents + 1;
    size_t *starts = malloc(most * sizeof *starts);
    int *lengths = malloc(most * sizeof *lengths);
    int64_t n = 0;
    trine_status status = starts && lengths ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    for (size_t d = 0, at = 0; d < c->n_documents && !status; at = c->ends[d++]) {
        for (; c->ends[d] - at >= LEAST_LENGTH; n++) {
            starts[n] = at;
            lengths[n] = c->ends[d] - at < TRINE_OWN_LENGTH ? (int)(c->ends[d] - at) : TRINE_OWN_LENGTH;
            at += (size_t)lengths[n];
        }
    }
    if (!status && n < LEAST_TEXTS)
        status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: %zu tokens make %lld texts, and a comparison needs %d: a longer text",
                            path, c->n, (long long)n, LEAST_TEXTS);
    if (!status) status = take_pieces(held, c, starts, lengths, n - n / 10, n, INT64_MAX, err);
    if (!status) status = take_pieces(set, c, starts, lengths, 0, n - n / 10, n_tokens, err);
    free(starts);
    free(lengths);
    return status;
}

trine_status trine_own_texts_open(trine_world_set *set, trine_world_set *held, const char *path, int64_t n_tokens, int n_threads,
                                  trine_error *err)
{
    trine_corpus corpus = { 0 };
    int vocab = 0;
    *set = *held = (trine_world_set) { 0 };
    trine_status status = tokenize(&vocab, &corpus, path, n_threads, err);
    set->vocab = held->vocab = vocab;
    if (!status) status = part(set, held, &corpus, path, n_tokens, err);
    trine_corpus_close(&corpus);
    if (status) {
        trine_world_set_close(set);
        trine_world_set_close(held);
    }
    return status;
}
