/* measure_text.c - see measure_text.h. Several texts are written at a time; the likeliest token each, so that a measure is a function of the
 * weights. */
#include "train/measure_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/many_ranks.h"
#include "base/status.h"
#include "tasks/metrics.h"

enum { AT_A_TIME = 16 };

typedef struct asked {
    char **targets;
    int n;
} asked;

typedef struct measuring {
    const trine_text_measure *m;
    trine_reading reading;
    trine_session *session;
    trine_generator *generator;
    asked asked[AT_A_TIME]; /* by the place of a text that is being written, which is its name in the generator */
    bool taken[AT_A_TIME];
    int64_t n_rows, n;
    trine_bleu bleu;
    trine_rouge rouge;
} measuring;

const char *trine_text_measure_name(const char *name)
{
    return !strcmp(name, "bleu") ? "bleu" : !strcmp(name, "rouge") ? "rougeL" : NULL;
}

static void forget(asked *a)
{
    for (int i = 0; i < a->n; i++) free(a->targets[i]);
    free(a->targets);
    *a = (asked) { 0 };
}

static trine_status score(measuring *g, const char *text, const asked *a, trine_error *err)
{
    const char *const *targets = (const char *const *)a->targets;
    trine_rouge r = { 0 };
    g->n++;
    if (!strcmp(g->m->name, "bleu")) return trine_bleu_add(&g->bleu, text, targets[0], err);
    const trine_status status = trine_rouge_score(&r, text, targets, a->n, err);
    g->rouge.rougeL += r.rougeL;
    return status;
}

/* One step of all that is being written, and the scores of what is over. */
static trine_status write_on(measuring *g, trine_error *err)
{
    trine_status status = trine_generator_step(g->generator, err);
    while (!status) {
        trine_generation text;
        int64_t slot;
        status = trine_generator_take(&text, &slot, g->generator, err);
        if (slot < 0) break;
        if (!status) status = score(g, text.text, &g->asked[slot], err);
        trine_generation_clear(&text);
        forget(&g->asked[slot]);
        g->taken[slot] = false;
    }
    return status;
}

static trine_status keep_targets(asked *a, const char *const *targets, int n, trine_error *err)
{
    a->targets = calloc((size_t)n, sizeof *a->targets);
    for (; a->targets && a->n < n; a->n++)
        if (!(a->targets[a->n] = strdup(targets[a->n]))) break;
    return a->n == n ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "no memory to measure");
}

static trine_status ask(void *user, const char *source, const char *const *targets, int n_targets, trine_error *err)
{
    measuring *g = user;
    const trine_text_measure *m = g->m;
    const int64_t row = g->n_rows++;
    trine_status status = TRINE_OK;
    if ((m->limit && row >= m->limit) || row % trine_n_ranks(m->ranks) != trine_rank(m->ranks)) return TRINE_OK;
    while (!status && !trine_generator_room(g->generator)) status = write_on(g, err);
    int slot = 0;
    while (slot < AT_A_TIME - 1 && g->taken[slot]) slot++;
    trine_encoding e;
    if (!status) status = trine_reading_source(&e, &g->reading, m->part, source, err);
    if (status) return status;
    const trine_generate_options options = { .ids = e.ids, .n_ids = e.n, .max_tokens = g->reading.target_len };
    status = keep_targets(&g->asked[slot], targets, n_targets, err);
    g->taken[slot] = true;
    if (!status) status = trine_generator_add(g->generator, slot, NULL, &options, err);
    trine_encoding_clear(&e);
    return status;
}

static trine_status run(measuring *g, trine_error *err)
{
    const trine_text_measure *m = g->m;
    const bool decoder = m->model->info.paradigm == TRINE_DECODER;
    const trine_session_options options = { .n_threads = m->n_threads,
                                            .n_sequences = AT_A_TIME,
                                            .ctx = (decoder ? m->reading.seq_len : 0) + m->reading.target_len + 1,
                                            .source_ctx = decoder ? 0 : m->reading.seq_len };
    trine_status status = trine_session_open(&g->session, m->model, &options, err);
    if (!status) status = trine_generator_open(&g->generator, g->session, err);
    if (!status) status = trine_each_pair(m->part, ask, g, err);
    while (!status && trine_generator_held(g->generator)) status = write_on(g, err);
    trine_generator_close(g->generator);
    trine_session_close(g->session);
    for (int i = 0; i < AT_A_TIME; i++) forget(&g->asked[i]);
    return status;
}

trine_status trine_text_measure_run(double *out, const trine_text_measure *m, trine_error *err)
{
    measuring g = { .m = m, .reading = m->reading };
    _Static_assert(sizeof g.bleu % sizeof(int64_t) == 0, "scores are counts alone");
    trine_status status = trine_ranks_agree(m->ranks, run(&g, err), err);
    if (!status) status = trine_ranks_count(m->ranks, (int64_t *)(void *)&g.bleu, (int)(sizeof g.bleu / sizeof(int64_t)), err);
    if (!status) status = trine_ranks_count(m->ranks, &g.n, 1, err);
    if (!status) status = trine_ranks_sum(m->ranks, &g.rouge.rougeL, 1, err);
    if (status) return status;
    *out = !strcmp(m->name, "bleu") ? trine_bleu_score(&g.bleu) : g.rouge.rougeL / (double)g.n;
    return TRINE_OK;
}
