/* train_tokenizer.c - files to a directory with a tokenizer: recipe, words, training, and the result written whole or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/team.h"
#include "tokenizer/tokenizer_files.h"
#include "tokenizer/train.h"

/* Of tokens that stand for no text of their own: low enough that no text is ever cut into one because it is spelt so. */
static const double reserved_score = -1000;

enum { VOCAB_DEFAULT = 8000, SEEDS_DEFAULT = 1000000, PIECE_DEFAULT = 16 };

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory"); }

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The tokens that come before what is trained: special ones, then added words, then bytes. */
typedef struct first_tokens {
    char **items;
    int n;
} first_tokens;

static bool put_first(first_tokens *f, const char *text)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->items[i], text)) return true;
    if (!(f->items[f->n] = trine_copy_text(text, strlen(text)))) return false;
    f->n++;
    return true;
}

static trine_status first_open(first_tokens *f, const trine_recipe *r, trine_error *err)
{
    f->n = 0;
    f->items = malloc(((size_t)r->n_specials + (size_t)r->n_words + 256) * sizeof *f->items);
    bool fine = f->items != NULL;
    for (int i = 0; i < r->n_specials && fine; i++) fine = put_first(f, r->specials[i].text);
    for (int i = 0; i < r->n_words && fine; i++) fine = put_first(f, r->words[i]);
    for (int i = 0; i < 256 && r->byte_fallback && fine; i++) {
        char byte[8];
        snprintf(byte, sizeof byte, "<0x%02X>", i);
        fine = put_first(f, byte);
    }
    return fine ? TRINE_OK : no_memory(err);
}

static void first_close(first_tokens *f)
{
    for (int i = 0; i < f->n; i++) free(f->items[i]);
    free(f->items);
}

/* A pair's template, where none is given: the one of a text for both. */
static char *twice(const char *single)
{
    trine_buffer b = { 0 };
    trine_buffer_puts(&b, single);
    trine_buffer_putc(&b, ' ');
    for (const char *at = single, *a; at; at = a ? a + 2 : NULL) {
        a = strstr(at, "$A");
        trine_buffer_append(&b, at, a ? (size_t)(a - at) : strlen(at));
        if (a) trine_buffer_puts(&b, "$B");
    }
    return trine_buffer_take(&b);
}

/* A tokenizer of the recipe. Without a vocabulary in it yet (t->vocab) it gets one of the first tokens alone: it can cut texts into
 * words. */
static trine_status fill(trine_tokenizer *t, const trine_recipe *r, const first_tokens *first, trine_error *err)
{
    const char *unk = trine_recipe_token(r, "unk");
    trine_status status = TRINE_OK;
    if (!t->vocab.n) {
        for (int i = 0; i < first->n && !status; i++)
            status = trine_vocab_set(&t->vocab, i, first->items[i], strlen(first->items[i]), err);
        if (!status && !first->n) status = trine_vocab_set(&t->vocab, 0, "", 0, err);
        if (!status) status = trine_vocab_index(&t->vocab, err);
        if (!status && !(t->scores = calloc((size_t)t->vocab.n + 1, sizeof *t->scores))) status = no_memory(err);
    }
    if (status) return status;
    json_t *root = trine_recipe_describe(r), *model = json_object_get(root, "model");
    bool fine = root != NULL;
    if (fine && !strcmp(r->algorithm, "unigram"))
        fine = !json_object_set_new(model, "unk_id", json_integer(trine_vocab_find(&t->vocab, unk, strlen(unk))));
    status = fine ? trine_tokenizer_fill(t, root, err) : no_memory(err);
    json_decref(root);
    if (status || !r->single) return status;
    char *pair = r->pair ? trine_copy_text(r->pair, strlen(r->pair)) : twice(r->single);
    status = pair ? trine_tokenizer_set_template(t, r->single, pair, err) : no_memory(err);
    free(pair);
    if (status != TRINE_ERROR_FORMAT) return status;
    const trine_error said = *err;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s", said.text); /* it came as an option, not from a file */
}

/* -- writing */

static trine_status write_json(const char *dir, const char *name, json_t *value, bool overwrite, trine_error *err)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    json_decref(value);
    const trine_status status = trine_text_write(dir, name, text, overwrite, err);
    free(text);
    return status;
}

static const char *const names[] = { "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json" };

/* Whether the directory can take the files: before the work that they are to hold. */
static trine_status check_out(const char *dir, bool overwrite, trine_error *err)
{
    const trine_status status = trine_directory_make(dir, err);
    if (status) return status;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = trine_path_join(dir, names[i]);
        if (!path) return no_memory(err);
        const bool there = trine_file_exists(path);
        free(path);
        if (there && !overwrite)
            return trine_fail(err, TRINE_ERROR_IO, "'%s' has a %s already: choose another name, or ask to overwrite it", dir,
                              names[i]);
    }
    return TRINE_OK;
}

/* tokenizer.json comes last: where it is, the others are. */
static trine_status write_out(const char *dir, const trine_tokenizer *t, const trine_recipe *r, bool overwrite, trine_error *err)
{
    char *text = NULL;
    trine_status status = trine_tokenizer_to_json(&text, t, err);
    if (!status) status = write_json(dir, names[0], trine_recipe_map(r), overwrite, err);
    if (!status) status = write_json(dir, names[1], trine_recipe_config(r), overwrite, err);
    if (!status) status = trine_text_write(dir, names[2], text, overwrite, err);
    free(text);
    return status;
}

/* -- all of it */

static trine_status check_options(const trine_tokenizer_train_options *o, trine_error *err)
{
    if (o->vocab < 0 || o->vocab > TRINE_ID_LIMIT / 4)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: a vocabulary of %d tokens, expected 1 to %d", o->vocab,
                          TRINE_ID_LIMIT / 4);
    if (!(o->coverage >= 0 && o->coverage <= 1))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: coverage is %g, expected 0 (the default) to 1", o->coverage);
    if (o->max_piece < 0 || o->max_piece > TRINE_PIECE_MAX)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: max_piece is %d, expected 0 (the default) to %d", o->max_piece,
                          TRINE_PIECE_MAX);
    if (o->max_seeds < 0 || o->max_seeds > 1 << 25)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: max_seeds is %d, expected 0 (the default) to %d", o->max_seeds,
                          1 << 25);
    if (o->min_count < 0 || o->n_threads < 0 || o->n_specials < 0 || o->n_words < 0 || o->n_held_out < 0 || o->n_sentinels > 100000)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: an option's number is out of range");
    return TRINE_OK;
}

typedef struct work {
    trine_recipe recipe;
    first_tokens first;
    trine_team *team;
    int n_threads;
    trine_tokenizer *cutter, *result;
    trine_word_counts words;
} work;

static trine_status count(trine_word_counts *out, work *t, const char *const *files, int n_files,
                          const trine_tokenizer_train_options *o, const trine_train_progress *progress, int *n_read,
                          trine_error *err)
{
    trine_text_source source;
    trine_status status = trine_text_source_open(&source, files, n_files, o->column, o->lines, err);
    if (status) return status;
    *n_read = source.n;
    status = trine_word_counts_make(out, t->cutter, &source, t->team, t->n_threads, progress, err);
    trine_text_source_close(&source);
    return status;
}

trine_status trine_training_too_small(int n_needed, const trine_training *training, trine_error *err)
{
    const int n_last = training->n_last;
    return trine_fail(err, TRINE_ERROR_ARGUMENT,
                      "tokenizer: %d special tokens and single characters do not fit a vocabulary of %d: expected %d or more%s",
                      n_needed + n_last, training->vocab + n_last, n_needed + n_last,
                      training->bytes ? "" : ", or a coverage of less of the characters");
}

static trine_status train(work *t, const trine_tokenizer_train_options *o, trine_error *err)
{
    const bool unigram = !strcmp(t->recipe.algorithm, "unigram"), wordpiece = !strcmp(t->recipe.algorithm, "wordpiece");
    const int vocab = o->vocab ? o->vocab : VOCAB_DEFAULT;
    const trine_train_progress progress = { o->on_progress, o->user, 0.5, 1 };
    const trine_training training = {
        .words = &t->words,
        .first = (const char *const *)t->first.items,
        .n_first = t->first.n,
        .vocab = vocab - t->recipe.n_sentinels,
        .n_last = t->recipe.n_sentinels,
        .min_count = o->min_count,
        .coverage = o->coverage > 0 ? o->coverage
                    : unigram       ? 0.9995
                                    : 1,
        .max_piece = o->max_piece ? o->max_piece
                     : unigram    ? PIECE_DEFAULT
                                  : 0,
        .max_seeds = o->max_seeds ? o->max_seeds : SEEDS_DEFAULT,
        .prefix = wordpiece ? "##" : NULL,
        .bytes = !unigram && !wordpiece,
        .reserved_score = reserved_score,
        .team = t->team,
        .n_threads = t->n_threads,
        .progress = &progress,
    };
    if (training.vocab <= t->first.n)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: %d special tokens leave no room in a vocabulary of %d",
                          t->first.n + t->recipe.n_sentinels, vocab);
    trine_status status = trine_tokenizer_new(&t->result, err);
    if (!status) status = unigram ? trine_train_unigram(t->result, &training, err) : trine_train_merges(t->result, &training, err);
    return status ? status : fill(t->result, &t->recipe, &t->first, err);
}

static trine_status measure(trine_tokenizer_train_result *result, work *t, const trine_tokenizer_train_options *o, trine_error *err)
{
    trine_status status = trine_word_counts_measure(&result->n_tokens, &t->words, t->result, err);
    if (status || !o->n_held_out) return status;
    trine_word_counts words;
    int n_read;
    if ((status = count(&words, t, o->held_out, o->n_held_out, o, NULL, &n_read, err))) return status;
    result->held_out_bytes = words.n_bytes;
    status = trine_word_counts_measure(&result->held_out_tokens, &words, t->result, err);
    trine_word_counts_clear(&words);
    return status;
}

trine_status trine_tokenizer_train(trine_tokenizer_train_result *result, const char *out, const char *const *files, int n_files,
                                   const trine_tokenizer_train_options *options, trine_error *err)
{
    const trine_tokenizer_train_options none = { 0 }, *o = options ? options : &none;
    if (!result) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no place for the result");
    *result = (trine_tokenizer_train_result) { 0 };
    if (!out || !files || n_files < 1) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no %s", out ? "files" : "output");
    if (o->n_specials < 0 || o->n_words < 0 || o->n_held_out < 0 || (o->n_specials && !o->specials) || (o->n_words && !o->words) ||
        (o->n_held_out && !o->held_out))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: special tokens, words or held out files that are not there");
    const double start = now();
    trine_error local;
    if (!err) err = &local;
    *err = (trine_error) { 0 };
    work t = { .n_threads = o->n_threads };
    const trine_train_progress reading = { o->on_progress, o->user, 0, 0.5 };
    trine_status status = check_options(o, err);
    if (!status) status = trine_team_size(&t.n_threads, err);
    if (!status) status = trine_recipe_open(&t.recipe, o, err);
    if (!status) status = check_out(out, o->overwrite, err);
    if (!status) status = first_open(&t.first, &t.recipe, err);
    if (!status) status = trine_team_open(&t.team, t.n_threads, err);
    if (!status) status = trine_tokenizer_new(&t.cutter, err);
    if (!status) status = fill(t.cutter, &t.recipe, &t.first, err);
    if (!status) status = count(&t.words, &t, files, n_files, o, &reading, &result->n_files, err);
    if (!status && !t.words.table.n)
        status = trine_fail(err, TRINE_ERROR_EMPTY, "%s%s: no text to train on", files[0], n_files > 1 ? " and the others" : "");
    if (!status) status = train(&t, o, err);
    if (!status) status = measure(result, &t, o, err);
    if (!status) status = trine_train_step(&(trine_train_progress) { o->on_progress, o->user, 0, 1 }, 1, err);
    if (!status) status = write_out(out, t.result, &t.recipe, o->overwrite, err);
    result->vocab = trine_tokenizer_vocab_size(t.result);
    result->algorithm = t.result ? trine_tokenizer_algorithm(t.result) : NULL;
    result->n_bytes = t.words.n_bytes;
    result->n_words = t.words.n_words;
    result->n_different_words = t.words.table.n;
    trine_word_counts_clear(&t.words);
    trine_tokenizer_close(t.cutter);
    trine_tokenizer_close(t.result);
    trine_team_close(t.team);
    first_close(&t.first);
    trine_recipe_close(&t.recipe);
    result->seconds = now() - start;
    return status;
}
