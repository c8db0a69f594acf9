/* compare_long.c - long documents: what is measured, in which order, and how it is kept in the record. long_report.c tells it. */
#include "compare/compare_long.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/team.h"
#include "compare/kept_run.h"
#include "compare/paradigm_words.h"

enum { PARAMETERS = 200000, LONGEST_TRAINED = 160, SHARES = 10000, DOCUMENTS_SHORT = 40, DOCUMENTS_MOST = 6 };
#define TRAIN_QUICK 3200000
#define TRAIN 24000000
#define TRAIN_COST 2.5e5 /* of a token of training, in the units of cost_of */

const trine_paradigm trine_long_paradigms[2] = { TRINE_DECODER, TRINE_ENCODER_DECODER };

static const char kind[] = "compare long-document";
static const int64_t quick_lengths[] = { 150, 1000, 4000, 16000 };
static const int64_t lengths[] = { 150, 1000, 4000, 16000, 50000, 100000 };
static const trine_dtype types[TRINE_LONG_TYPES] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The numbers of a measurement under their names in the record. */
#define FIELD(name, member)                                                                                                        \
    {                                                                                                                              \
        name, offsetof(trine_long_cost, member)                                                                                    \
    }
#define THREE(name, member, i) FIELD(name #i, member[i])
#define WORDS(name, member)                                                                                                        \
    THREE(name, member, 0), THREE(name, member, 1), THREE(name, member, 2), THREE(name, member, 3), THREE(name, member, 4),        \
        THREE(name, member, 5), THREE(name, member, 6), THREE(name, member, 7), THREE(name, member, 8)
static const struct {
    const char *name;
    size_t offset;
} fields[] = { FIELD("n_tokens", n_tokens),     FIELD("first_ms", first_ms),       FIELD("token_ms", token_ms),
               FIELD("self_bytes", self_bytes), FIELD("cross_bytes", cross_bytes), FIELD("arena_bytes", arena_bytes),
               FIELD("more_ms", more_ms),       THREE("recall_", recall, 0),       THREE("recall_", recall, 1),
               THREE("recall_", recall, 2),     WORDS("planted_", planted),        WORDS("said_", said) };

static double *field_of(trine_long_cost *cost, int field) { return (double *)(void *)((char *)cost + fields[field].offset); }

/* One measurement that is to be made. */
typedef struct item {
    trine_long_cost *to;
    int paradigm;
    int64_t n_tokens;
    trine_dtype type;
    bool kept; /* the record has it */
} item;

typedef struct measuring {
    trine_long_documents *l;
    trine_long_options o;
    trine_grammar *world;
    item *items;
    int n;
    double before, all, share; /* costs; share: that of the training that runs */
    char what[80];
} measuring;

/* Attention over n tokens, and what is done for each of them. */
static double cost_of(int64_t n) { return 64.0 * (double)n * (double)n + 1e6 * (double)n; }

static bool go_on(measuring *m, double cost)
{
    return !m->o.on_progress || m->o.on_progress(m->o.user, m->what, (int)(SHARES * (m->before + cost) / m->all), SHARES);
}

static bool on_step(void *user, const trine_contender_progress *p)
{
    measuring *m = user;
    return go_on(m, m->share * (double)p->step / (double)p->n_steps);
}

/* ----------------------------------------------------------------------------------------------------------- the record */

static char *configuration_of(const measuring *m)
{
    trine_buffer b = { 0 };
    trine_buffer_printf(
        &b, "{\"corpus\":\"documents\",\"parameters\":%d,\"seed\":%" PRIu64 ",\"train_tokens\":%" PRId64 ",\"lengths\":[",
        PARAMETERS, m->o.seed, m->o.train_tokens);
    for (int i = 0; i < m->o.n_lengths; i++) trine_buffer_printf(&b, "%s%" PRId64, i ? "," : "", m->o.lengths[i]);
    trine_buffer_puts(&b, "]}");
    return trine_buffer_take(&b);
}

static trine_status find_run(measuring *m, trine_error *err)
{
    bool found;
    char *configuration = configuration_of(m);
    if (!configuration) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    trine_status status = trine_kept_run_find(&m->l->run, &found, m->o.record, kind, configuration, m->o.seed, err);
    free(configuration);
    for (int f = 0; f < COUNT(fields) && !status && found; f++) {
        trine_series s;
        status = trine_record_series(&s, m->o.record, m->l->run, fields[f].name, err);
        if (status) return status;
        for (int i = 0; i < s.n; i++)
            if (s.steps[i] >= 0 && s.steps[i] < m->n) {
                *field_of(m->items[s.steps[i]].to, f) = s.values[i];
                m->items[s.steps[i]].kept = true;
            }
        trine_series_clear(&s);
    }
    return status;
}

static trine_status keep_item(const measuring *m, int i, trine_error *err)
{
    trine_metric metrics[COUNT(fields)];
    if (!m->o.record) return TRINE_OK;
    for (int f = 0; f < COUNT(fields); f++) metrics[f] = (trine_metric) { fields[f].name, *field_of(m->items[i].to, f) };
    return trine_record_metrics(m->o.record, m->l->run, i, metrics, COUNT(fields), err);
}

/* ---------------------------------------------------------------------------------------------------------- measurements */

static void plan_items(measuring *m)
{
    trine_long_documents *l = m->l;
    for (int k = 0; k < l->n; k++)
        for (int p = 0; p < 2; p++) m->items[m->n++] = (item) { &l->costs[p][k], p, m->o.lengths[k], TRINE_F32, false };
    for (int t = 0; t < TRINE_LONG_TYPES; t++)
        for (int p = 0; p < 2; p++) m->items[m->n++] = (item) { &l->by_type[p][t], p, l->type_length, types[t], false };
    for (int i = 0; i < m->n; i++) m->all += cost_of(m->items[i].n_tokens);
}

static trine_status train_both(measuring *m, trine_contender *contenders[2], trine_error *err)
{
    const trine_long_training training = { .n_parameters = PARAMETERS,
                                           .n_tokens = m->o.train_tokens,
                                           .longest = LONGEST_TRAINED,
                                           .seed = m->o.seed,
                                           .n_threads = m->o.n_threads,
                                           .cpu = m->o.cpu,
                                           .on_step = on_step,
                                           .user = m };
    trine_status status = TRINE_OK;
    m->share = TRAIN_COST * (double)m->o.train_tokens;
    for (int p = 0; p < 2 && !status; p++) {
        snprintf(m->what, sizeof m->what, "training the %s", trine_words_of(trine_long_paradigms[p])->name);
        status = trine_long_train(&contenders[p], m->world, trine_long_paradigms[p], &training, err);
        if (status) break;
        m->before += m->share;
        m->l->n_parameters[p] = contenders[p]->size.n_parameters;
        m->l->train_seconds[p] = contenders[p]->points[contenders[p]->n_points - 1].seconds;
    }
    return status;
}

static trine_status measure_all(measuring *m, trine_contender *const contenders[2], trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < m->n && !status; i++) {
        item *k = &m->items[i];
        snprintf(m->what, sizeof m->what, "%s, %" PRId64 " tokens, %s", trine_words_of(trine_long_paradigms[k->paradigm])->name,
                 k->n_tokens, trine_dtype_name(k->type));
        if (!go_on(m, 0)) return trine_fail(err, TRINE_ERROR_CANCELLED, "long-document: stopped");
        const int most = (int)(8000 / k->n_tokens), n = k->n_tokens <= LONGEST_TRAINED ? DOCUMENTS_SHORT
                                                        : most < 1                     ? 1
                                                        : most > DOCUMENTS_MOST        ? DOCUMENTS_MOST
                                                                                       : most;
        if (!k->kept)
            status = trine_long_measure(k->to, contenders[k->paradigm], m->world, (int)k->n_tokens, n, k->type, m->o.seed + 1, err);
        if (!status && !k->kept) status = keep_item(m, i, err);
        m->before += cost_of(k->n_tokens);
    }
    for (int i = 0; i < TRINE_LONG_PLAIN && !status; i++) {
        const int n = 1000 << i;
        snprintf(m->what, sizeof m->what, "attention with and without tiles, %d tokens", n);
        if (!go_on(m, 0)) return trine_fail(err, TRINE_ERROR_CANCELLED, "long-document: stopped");
        m->l->plain_tokens[i] = n;
        status = trine_attention_measure(&m->l->plain[i], n, TRINE_LONG_HEADS, TRINE_LONG_HEAD, m->o.n_threads, m->o.cpu, err);
    }
    return status;
}

static trine_status measure(measuring *m, trine_error *err)
{
    trine_long_documents *l = m->l;
    trine_contender *contenders[2] = { NULL };
    l->n = m->o.n_lengths;
    l->type_length = m->o.lengths[m->o.n_lengths > 2 ? 2 : m->o.n_lengths - 1];
    l->costs[0] = calloc(2 * (size_t)l->n, sizeof *l->costs[0]);
    m->items = calloc(2 * ((size_t)l->n + TRINE_LONG_TYPES), sizeof *m->items);
    if (!l->costs[0] || !m->items) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    l->costs[1] = l->costs[0] + l->n;
    for (int t = 0; t < TRINE_LONG_TYPES; t++) l->types[t] = types[t];
    plan_items(m);
    m->all += 2 * TRAIN_COST * (double)m->o.train_tokens;
    trine_status status = m->o.record ? find_run(m, err) : TRINE_OK;
    if (!status) status = train_both(m, contenders, err);
    if (!status) status = measure_all(m, contenders, err);
    for (int p = 0; p < 2; p++) trine_contender_close(contenders[p]);
    if (status == TRINE_ERROR_CANCELLED)
        trine_fail(err, status, "long-document: stopped: %s",
                   m->o.record ? "what was measured is kept in the record, and the same command goes on from here"
                               : "without a record what was measured is lost");
    return status;
}

trine_status trine_compare_long(trine_report **out, const trine_long_options *options, trine_error *err)
{
    trine_long_documents l = { 0 };
    measuring m = { .l = &l };
    *out = NULL;
    if (options) m.o = *options;
    if (!m.o.n_lengths) {
        m.o.lengths = m.o.quick ? quick_lengths : lengths;
        m.o.n_lengths = m.o.quick ? COUNT(quick_lengths) : COUNT(lengths);
    }
    if (m.o.n_lengths < 0 || !m.o.lengths)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "long-document: %d lengths that are not there", m.o.n_lengths);
    if (!m.o.train_tokens) m.o.train_tokens = m.o.quick ? TRAIN_QUICK : TRAIN;
    trine_status status = trine_team_size(&m.o.n_threads, err);
    if (status) return status;
    l.options = m.o;
    l.longest_trained = LONGEST_TRAINED;
    for (int i = 0; i < m.o.n_lengths; i++)
        if (m.o.lengths[i] < 60 || m.o.lengths[i] > 1000000 || (i && m.o.lengths[i] <= m.o.lengths[i - 1]))
            return trine_fail(err, TRINE_ERROR_ARGUMENT,
                              "long-document: a length of %" PRId64 " tokens, expected 60 to 1000000, each more than the last",
                              m.o.lengths[i]);
    status = trine_world_open(&m.world, err);
    if (!status) status = measure(&m, err);
    if (!status) status = trine_long_tell(out, &l, m.world, err);
    trine_kept_run_end(m.o.record, l.run, status);
    trine_grammar_close(m.world);
    free(l.costs[0]);
    free(m.items);
    return status;
}
