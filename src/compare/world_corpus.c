/* world_corpus.c - trine_corpus_write: texts of the world for files, by kind, seed and number. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "compare/world.h"
#include "trine/comparing.h"

enum { MOST_FILLER = 100000 };

/* What people call the kinds, and the rule of each. */
static const struct {
    const char *kind, *rule, *separator; /* separator: what stands in the place of "=>"; NULL: that */
    bool target_first;
} kinds[] = {
    { "text", "story", NULL, false },          { "pairs", "pairs", "\t", false },   { "labelled", "review", "\t", true },
    { "documents", "summarise", "\t", false }, { "recall", "recall", "\t", false }, { "translate", "translate", "\t", false },
    { "reverse", "reverse", "\t", false },     { "world", "world", NULL, false },
};

static trine_status open_kind(int *which, int *rule, trine_grammar **world, const char *kind, trine_error *err)
{
    const int n = (int)(sizeof kinds / sizeof *kinds);
    *world = NULL;
    for (*which = 0; *which < n && strcmp(kinds[*which].kind, kind ? kind : "text"); (*which)++) {}
    if (*which == n)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "corpus: no kind '%s': expected text, pairs, labelled, documents, recall, translate, reverse or world",
                          kind);
    const trine_status status = trine_world_open(world, err);
    if (!status) *rule = trine_grammar_find(*world, kinds[*which].rule);
    return status;
}

/* A line: the text, or its two halves parted by a tab. */
static trine_status line_of(char **out, const trine_grammar *world, const trine_grammar_text *t, int which, trine_error *err)
{
    const char *between = kinds[which].separator;
    const int32_t mark = trine_grammar_id(world, "=>");
    int split = 0;
    while (split < t->n && t->ids[split] != mark) split++;
    if (!between || split == t->n) return trine_world_spell_all(out, world, t->ids, t->n, err);
    char *source, *target = NULL;
    *out = NULL;
    trine_status status = trine_world_spell_all(&source, world, t->ids, split, err);
    if (!status) status = trine_world_spell_all(&target, world, t->ids + split + 1, t->n - split - 1, err);
    if (!status) {
        const char *first = kinds[which].target_first ? target : source, *last = kinds[which].target_first ? source : target;
        const size_t n = strlen(first) + strlen(between) + strlen(last) + 1;
        *out = malloc(n);
        if (*out)
            stpcpy(stpcpy(stpcpy(*out, first), between), last);
        else
            status = trine_fail(err, TRINE_ERROR_MEMORY, "corpus: no memory");
    }
    trine_free(source);
    trine_free(target);
    return status;
}

static trine_status write_all(const trine_grammar *world, int which, int rule, const trine_corpus_text_options *o,
                              trine_document_text_fn *each, void *user, trine_error *err)
{
    trine_grammar_text t = { 0 };
    trine_status status = TRINE_OK;
    for (int64_t i = 0; i < o->count && !status; i++) {
        char *line = NULL;
        t.n = 0;
        trine_grammar_write(&t, world, rule, o->seed, (uint64_t)(o->first + i), o->filler);
        status = t.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "corpus: no memory") : line_of(&line, world, &t, which, err);
        if (!status && !each(user, line, strlen(line))) status = trine_fail(err, TRINE_ERROR_CANCELLED, "corpus: stopped");
        trine_free(line);
    }
    trine_grammar_text_clear(&t);
    return status;
}

trine_status trine_corpus_write(const trine_corpus_text_options *options, trine_document_text_fn *each, void *user,
                                trine_error *err)
{
    trine_grammar *world;
    int which, rule = 0;
    if (!options || !each) return trine_fail(err, TRINE_ERROR_ARGUMENT, "corpus: no %s", options ? "function" : "options");
    if (options->count < 0 || options->first < 0 || options->filler < 0 || options->filler > MOST_FILLER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "corpus: a number is out of range: expected 0 or more, and at most %d of filler", MOST_FILLER);
    trine_status status = open_kind(&which, &rule, &world, options->kind, err);
    if (!status) status = write_all(world, which, rule, options, each, user, err);
    trine_grammar_close(world);
    return status;
}

trine_status trine_corpus_facts(trine_corpus_text_facts *out, const char *kind, trine_error *err)
{
    trine_grammar *world;
    int which, rule = 0;
    *out = (trine_corpus_text_facts) { 0 };
    trine_status status = open_kind(&which, &rule, &world, kind, err);
    if (!status) {
        const trine_grammar_facts *f = &world->rules[rule].facts;
        *out = (trine_corpus_text_facts) { .vocab = trine_world_vocab(world),
                                           .nats = f->nats,
                                           .tokens = f->tokens + 1,
                                           .nats_per_token = f->nats / (f->tokens + 1),
                                           .perplexity = exp(f->nats / (f->tokens + 1)),
                                           .most_tokens = f->most_tokens + 1 };
    }
    trine_grammar_close(world);
    return status;
}

trine_status trine_corpus_save_tokenizer(const char *dir, bool overwrite, trine_error *err)
{
    trine_grammar *world;
    trine_status status = trine_world_open(&world, err);
    if (!status) status = trine_world_save_tokenizer(world, dir, overwrite, err);
    trine_grammar_close(world);
    return status;
}

const char *trine_corpus_grammar(void) { return trine_world_notation(); }
