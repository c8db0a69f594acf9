/* parallel.c - --parallel: many inputs written as one batch. An input is put into the library's generator as soon as a place is free;
 * what is over waits here until all before it have been told. */
#include "run.h"

#include <stdlib.h>

/* One input between its reading and its result. */
typedef struct pending {
    long line;
    bool over;
    trine_status status;
    trine_error error;
    trine_generation text;
    trine_generate_options options;
} pending;

typedef struct parallel {
    run *run;
    put_input_fn *put;
    void *user;
    bool with_score;
    trine_generator *generator;
    pending *ring;               /* [cap] inputs n_told .. n_read - 1 at their number modulo cap */
    int64_t n_told, n_read, cap; /* cap: a power of two */
    int first_failure;
} parallel;

/* The ring is there once an input was read: cap > 0. */
static pending *at(const parallel *p, int64_t number) { return &p->ring[number & (p->cap - 1)]; }

/* Results that are due. */
static int tell(parallel *p)
{
    run *r = p->run;
    while (p->n_told < p->n_read && at(p, p->n_told)->over) {
        pending *one = at(p, p->n_told++);
        writing w = { .run = r, .collecting = r->args.json };
        r->line = one->line;
        r->last_status = TRINE_OK;
        const int code = one->status ? generation_failed(r, &w, one->status, &one->error)
                                     : finish_generation(r, &w, &one->text, &one->options, p->with_score);
        trine_generation_clear(&one->text);
        if (code && !p->first_failure) p->first_failure = code;
        if (code && (!is_input_failure(r->last_status) || interrupted() || output_failed(r))) return code;
    }
    return interrupted() ? EXIT_INTERRUPTED : output_failed(r) ? EXIT_FAILED : 0;
}

/* One step of the batch, and what it brought to an end. */
static int step(parallel *p)
{
    trine_error err = { 0 };
    trine_status status = trine_generator_step(p->generator, &err);
    if (status) return fail_status(p->run, status, &err);
    for (;;) {
        trine_generation text;
        int64_t id;
        status = trine_generator_take(&text, &id, p->generator, &err);
        if (id < 0) return tell(p);
        pending *one = at(p, id);
        one->over = true;
        one->status = status;
        one->error = err;
        one->text = text;
    }
}

/* The ring holds every input that is not told: it grows when one long text lets many short ones pass. */
static bool make_room(parallel *p)
{
    if (p->n_read - p->n_told < p->cap) return true;
    const int64_t cap = p->cap ? 2 * p->cap : 64;
    pending *ring = calloc((size_t)cap, sizeof *ring);
    if (!ring) return false;
    for (int64_t i = p->n_told; i < p->n_read; i++) ring[i & (cap - 1)] = *at(p, i);
    free(p->ring);
    p->ring = ring;
    p->cap = cap;
    return true;
}

static int take_input(run *r, const input *in, void *user)
{
    parallel *p = user;
    int code = 0;
    while (!trine_generator_room(p->generator))
        if ((code = step(p))) return code;
    if (!make_room(p)) return fail_memory(r);
    const int64_t number = p->n_read++;
    pending *one = at(p, number);
    *one = (pending) { .line = in->line };
    one->status = p->put(r, p->generator, number, in, &one->options, p->user, &one->error);
    one->over = one->status != TRINE_OK;
    return tell(p);
}

/* Everything that is being written comes to its end: what a round of ranks ends with. */
static int finish_all(void *user)
{
    parallel *p = user;
    int code = 0;
    while (!code && trine_generator_held(p->generator)) code = step(p);
    return code;
}

int for_each_in_parallel(run *r, put_input_fn *put_input, void *user, bool with_score)
{
    parallel p = { .run = r, .put = put_input, .user = user, .with_score = with_score };
    trine_error err = { 0 };
    const trine_status status = trine_generator_open(&p.generator, r->session, &err);
    if (status) return fail_status(r, status, &err);
    r->finish_round = finish_all;
    r->finish_user = &p;
    int code = for_each_input(r, take_input, &p);
    if (!code) code = finish_all(&p);
    r->finish_round = NULL;
    for (int64_t i = p.n_told; i < p.n_read; i++) trine_generation_clear(&at(&p, i)->text);
    r->line = 0;
    free(p.ring);
    trine_generator_close(p.generator);
    return code ? code : share_failure(r, p.first_failure);
}

int check_parallel(run *r, int *n_sequences)
{
    const arguments *a = &r->args;
    *n_sequences = a->parallel > 1 ? a->parallel : a->beam;
    if (a->parallel > 1 && a->beam > 1) return fail_usage(r, "--parallel and --beam exclude each other");
    if (a->parallel > 1 && a->tokens.n) return fail_usage(r, "--parallel takes texts, and --tokens is one");
    return 0;
}
