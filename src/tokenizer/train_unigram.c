/* train_unigram.c - the unigram model (Kudo 2018, "Subword Regularization", section 3.2), trained as sentencepiece does it.
 *
 * From many pieces (train_seeds.c) to few: twice, the probabilities are estimated anew by expectation and maximisation over all ways
 * to cut all words; then the pieces whose loss would cost the likelihood least are taken away, a quarter at a time, until there are a
 * tenth more than asked for. Of these the likeliest stay. Characters stay always, so that every word can be cut.
 *
 * The expectation runs forwards and backwards over a word with plain probabilities: each character's share is scaled by one constant,
 * about what a character costs, so that a whole word stays near 1; a word for which that is not enough is done again in logarithms.
 * Expected counts are summed as whole numbers of 2^-24, so that the sum does not depend on who adds first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "tokenizer/train.h"

enum {
    ROUNDS = 2,            /* of expectation and maximisation between two prunings */
    BLOCK_SEGMENTS = 4096, /* words of one piece of work */
    BLOCK_PIECES = 4096,
};
static const double unit = 16777216.0; /* of expected counts: 2^-24 */
static const double too_few = 0.5;     /* expected occurrences below which a piece goes */
static const double shrinking = 0.75;  /* of the pieces, what a pruning leaves */
static const double enough = 1.1;      /* of the vocabulary, where pruning ends */

typedef struct model {
    trine_lattices lattices;
    const trine_training *training;
    double *scores; /* [n_pieces] logarithms; -INFINITY: gone */
    float *weights; /* [n_pieces] probability times scale^length */
    double log_scale;
    int64_t *sums;        /* [n_threads][n_pieces]: expected occurrences in units, or while pruning how often a piece is used */
    int64_t *log_sums;    /* [n_threads] the words' log probabilities times their counts, in 2^-8 */
    int64_t n_characters; /* of the words, times their counts */
    double *losses;       /* [n_pieces] while pruning: what taking it away would cost; negative: nothing */
    double n_used;        /* while pruning: pieces that all words are cut into */
} model;

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory to train"); }

static uint32_t segment_end(const trine_lattices *l, int i)
{
    return (i + 1 < l->n_segments ? l->segments[i + 1] : (uint32_t)l->n_places) - 1;
}

static inline uint32_t piece_of(uint32_t entry) { return entry >> TRINE_PIECE_BITS; }
static inline uint32_t length_of(uint32_t entry) { return entry & (uint32_t)TRINE_PIECE_MAX; }

static int n_blocks(int n, int size) { return n / size + (n % size != 0); }

/* -- expectation */

static double log_add(double a, double b)
{
    const double high = a > b ? a : b, low = a > b ? b : a;
    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

/* In logarithms. Returns that of the word's probability. */
static double expect_in_logarithms(const model *m, int64_t *sums, uint32_t begin, uint32_t n, double count)
{
    const trine_lattices *l = &m->lattices;
    double forward[TRINE_SEGMENT_MAX + 1], backward[TRINE_SEGMENT_MAX + 1];
    for (uint32_t i = 0; i <= n; i++) forward[i] = backward[i] = -INFINITY;
    forward[0] = backward[n] = 0;
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = l->begins[begin + i]; k < l->begins[begin + i + 1]; k++) {
            const uint32_t e = l->entries[k];
            forward[i + length_of(e)] = log_add(forward[i + length_of(e)], forward[i] + m->scores[piece_of(e)]);
        }
    for (uint32_t i = n; i-- > 0;)
        for (size_t k = l->begins[begin + i]; k < l->begins[begin + i + 1]; k++) {
            const uint32_t e = l->entries[k];
            const double rest = m->scores[piece_of(e)] + backward[i + length_of(e)];
            backward[i] = log_add(backward[i], rest);
            sums[piece_of(e)] += llrint(exp(forward[i] + rest - forward[n]) * count * unit);
        }
    return forward[n];
}

static double expect(const model *m, int64_t *sums, uint32_t begin, uint32_t n, double count)
{
    const trine_lattices *l = &m->lattices;
    const float *weights = m->weights;
    double forward[TRINE_SEGMENT_MAX + 1], backward[TRINE_SEGMENT_MAX + 1];
    for (uint32_t i = 1; i <= n; i++) forward[i] = 0;
    forward[0] = backward[n] = 1;
    for (uint32_t i = 0; i < n; i++) {
        const double here = forward[i];
        for (size_t k = l->begins[begin + i]; k < l->begins[begin + i + 1]; k++)
            forward[i + length_of(l->entries[k])] += here * weights[piece_of(l->entries[k])];
    }
    if (!(forward[n] > 1e-250 && forward[n] < 1e250)) return expect_in_logarithms(m, sums, begin, n, count);
    const double share = count * unit / forward[n];
    for (uint32_t i = n; i-- > 0;) {
        const double here = forward[i] * share;
        double all = 0;
        for (size_t k = l->begins[begin + i]; k < l->begins[begin + i + 1]; k++) {
            const uint32_t e = l->entries[k];
            const double rest = weights[piece_of(e)] * backward[i + length_of(e)];
            all += rest;
            sums[piece_of(e)] += llrint(here * rest);
        }
        backward[i] = all;
    }
    return log(forward[n]) - n * m->log_scale;
}

static void expect_block(void *job, int block, int thread)
{
    model *m = job;
    const trine_lattices *l = &m->lattices;
    int64_t *sums = m->sums + (size_t)thread * (size_t)l->n_pieces, log_sum = 0;
    const int first = block * BLOCK_SEGMENTS, end = trine_min_int(l->n_segments, first + BLOCK_SEGMENTS);
    for (int i = first; i < end; i++) {
        const uint32_t begin = l->segments[i];
        log_sum += llrint(256 * expect(m, sums, begin, segment_end(l, i) - begin, (double)l->counts[i])) * l->counts[i];
    }
    m->log_sums[thread] += log_sum;
}

/* What all threads have summed, in the first one's place. */
static void add_up(model *m)
{
    const size_t n = (size_t)m->lattices.n_pieces;
    for (int t = 1; t < m->training->n_threads; t++) {
        const int64_t *from = m->sums + (size_t)t * n;
        for (size_t i = 0; i < n; i++) m->sums[i] += from[i];
        m->log_sums[0] += m->log_sums[t];
    }
}

static void run(model *m, int n, trine_piece_fn *block)
{
    memset(m->sums, 0, (size_t)m->training->n_threads * (size_t)m->lattices.n_pieces * sizeof *m->sums);
    memset(m->log_sums, 0, (size_t)m->training->n_threads * sizeof *m->log_sums);
    trine_team_run(m->training->team, n, block, m);
    add_up(m);
}

/* -- maximisation */

/* The logarithmic derivative of the gamma function, x > 0: by recurrence up to where its asymptotic series is good to 1e-12. */
static double digamma(double x)
{
    double sum = 0;
    while (x < 8) {
        sum -= 1 / x;
        x += 1;
    }
    const double y = 1 / (x * x);
    return sum + log(x) - 0.5 / x - y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y / 132))));
}

/* As the mean of the logarithms under a Dirichlet prior near 0 (Liang and Klein 2007), which makes rare pieces rarer. Returns how many
 * pieces are left. */
static int maximise(model *m)
{
    const trine_lattices *l = &m->lattices;
    double all = 0;
    int n = 0;
    for (int i = 0; i < l->n_pieces; i++) {
        const double expected = (double)m->sums[i] / unit;
        if (expected >= too_few) all += expected;
    }
    const double log_all = digamma(all > too_few ? all : too_few);
    for (int i = 0; i < l->n_pieces; i++) {
        double expected = (double)m->sums[i] / unit;
        if (i < l->n_characters && expected < too_few) expected = too_few;
        m->scores[i] = expected < too_few ? -INFINITY : digamma(expected) - log_all;
        n += expected >= too_few;
    }
    return n;
}

static void weigh(model *m)
{
    const trine_lattices *l = &m->lattices;
    for (int i = 0; i < l->n_pieces; i++) m->weights[i] = (float)exp(m->scores[i] + l->lengths[i] * m->log_scale);
}

static int one_round(model *m)
{
    weigh(m);
    run(m, n_blocks(m->lattices.n_segments, BLOCK_SEGMENTS), expect_block);
    m->log_scale = -(double)m->log_sums[0] / 256 / (double)m->n_characters;
    return maximise(m);
}

/* -- pruning */

/* The best way to cut places [begin, begin + n) without `without` (-1: with all): its score, and for each place where the piece that
 * ends there begins and which it is. */
typedef struct path {
    double score[TRINE_SEGMENT_MAX + 1];
    uint32_t entry[TRINE_SEGMENT_MAX + 1];
} path;

static void find_path(path *p, const model *m, uint32_t begin, uint32_t n, int64_t without)
{
    const trine_lattices *l = &m->lattices;
    memset(p->entry, 0, sizeof p->entry);
    for (uint32_t i = 1; i <= n; i++) p->score[i] = -INFINITY;
    p->score[0] = 0;
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = l->begins[begin + i]; k < l->begins[begin + i + 1]; k++) {
            const uint32_t e = l->entries[k], to = i + length_of(e);
            if (to > n) break; /* the shortest come first */
            const double score = p->score[i] + m->scores[piece_of(e)];
            if (!(score > p->score[to]) || piece_of(e) == without) continue;
            p->score[to] = score;
            p->entry[to] = e;
        }
}

static void use_block(void *job, int block, int thread)
{
    model *m = job;
    const trine_lattices *l = &m->lattices;
    int64_t *sums = m->sums + (size_t)thread * (size_t)l->n_pieces;
    const int first = block * BLOCK_SEGMENTS, end = trine_min_int(l->n_segments, first + BLOCK_SEGMENTS);
    path p;
    for (int i = first; i < end; i++) {
        const uint32_t begin = l->segments[i], n = segment_end(l, i) - begin;
        find_path(&p, m, begin, n, -1);
        for (uint32_t at = n; at; at -= length_of(p.entry[at])) sums[piece_of(p.entry[at])] += l->counts[i];
    }
}

/* How much less likely the words would be if each occurrence of a piece were cut as the piece itself is best cut without it. */
static double loss_of(const model *m, int piece)
{
    const trine_lattices *l = &m->lattices;
    const double used = (double)m->sums[piece];
    if (m->scores[piece] == -INFINITY || m->sums[piece] == 0) return -1;
    path p;
    const uint32_t n = l->lengths[piece];
    find_path(&p, m, l->places[piece], n, piece);
    if (p.score[n] > m->scores[piece]) return -1; /* it is cut better itself */
    int n_parts = 0;
    for (uint32_t at = n; at; at -= length_of(p.entry[at])) n_parts++;
    const double log_all = log(m->n_used), log_then = log(m->n_used + used * (n_parts - 1));
    double then = 0;
    for (uint32_t at = n; at; at -= length_of(p.entry[at])) then += log((double)m->sums[piece_of(p.entry[at])] + used) - log_then;
    const double loss = used * (log(used) - log_all - then);
    return loss > 0 ? loss : 0;
}

static void lose_block(void *job, int block, int thread)
{
    (void)thread;
    model *m = job;
    const int first = block * BLOCK_PIECES, end = trine_min_int(m->lattices.n_pieces, first + BLOCK_PIECES);
    for (int i = first; i < end; i++) m->losses[i] = i < m->lattices.n_characters ? INFINITY : loss_of(m, i);
}

typedef struct ranked {
    double value;
    int piece;
} ranked;
static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

/* Takes away pieces down to `target`. */
static trine_status prune(model *m, int target, trine_error *err)
{
    trine_lattices *l = &m->lattices;
    run(m, n_blocks(l->n_segments, BLOCK_SEGMENTS), use_block);
    m->n_used = 0;
    for (int i = 0; i < l->n_pieces; i++) m->n_used += (double)m->sums[i];
    trine_team_run(m->training->team, n_blocks(l->n_pieces, BLOCK_PIECES), lose_block, m);
    ranked *order = malloc((size_t)l->n_pieces * sizeof *order);
    bool *kept = calloc((size_t)l->n_pieces, sizeof *kept);
    if (!order || !kept) {
        free(order);
        free(kept);
        return no_memory(err);
    }
    int n = 0, n_kept = 0;
    for (int i = 0; i < l->n_pieces; i++)
        if (m->losses[i] >= 0) order[n++] = (ranked) { m->losses[i], i };
    qsort(order, (size_t)n, sizeof *order, by_value);
    for (int i = 0; i < n && (i < target || order[i].piece < l->n_characters); i++) kept[order[i].piece] = true;
    for (int i = 0; i < l->n_pieces; i++)
        if (kept[i]) m->scores[n_kept++] = m->scores[i];
    trine_lattices_prune(l, kept);
    free(order);
    free(kept);
    return TRINE_OK;
}

static trine_status estimate(model *m, trine_error *err)
{
    const trine_training *training = m->training;
    const int wanted = (int)(training->vocab * enough);
    const double begun = log((double)m->lattices.n_pieces + 1), end = log((double)wanted + 1);
    for (;;) {
        int n = 0;
        for (int i = 0; i < ROUNDS; i++) n = one_round(m);
        if (n <= wanted) return TRINE_OK;
        const int target = (int)(shrinking * n) > wanted ? (int)(shrinking * n) : wanted;
        trine_status status = prune(m, target, err);
        if (!status && begun > end)
            status = trine_train_step(training->progress, (begun - log((double)m->lattices.n_pieces + 1)) / (begun - end), err);
        if (status) return status;
    }
}

/* -- begin and end */

/* Scores of the seeds: in proportion to the characters that they cover. */
static trine_status begin(model *m, trine_error *err)
{
    trine_status status = trine_lattices_open(&m->lattices, m->training, err);
    if (status) return status;
    const trine_lattices *l = &m->lattices;
    const size_t n = (size_t)l->n_pieces, n_threads = (size_t)m->training->n_threads;
    m->scores = malloc((n + 1) * sizeof *m->scores);
    m->weights = malloc((n + 1) * sizeof *m->weights);
    m->losses = malloc((n + 1) * sizeof *m->losses);
    m->sums = malloc((n * n_threads + 1) * sizeof *m->sums);
    m->log_sums = malloc(n_threads * sizeof *m->log_sums);
    if (!m->scores || !m->weights || !m->losses || !m->sums || !m->log_sums) return no_memory(err);
    double all = 0;
    for (size_t i = 0; i < n; i++) all += (double)l->seen[i] * l->lengths[i];
    for (size_t i = 0; i < n; i++) m->scores[i] = log((double)l->seen[i] * l->lengths[i]) - log(all);
    for (int i = 0; i < l->n_segments; i++) m->n_characters += l->counts[i] * (int64_t)(segment_end(l, i) - l->segments[i]);
    m->log_scale = 3; /* until the first expectation tells */
    return TRINE_OK;
}

static size_t spell(char out[4 * TRINE_PIECE_MAX], const trine_lattices *l, int piece)
{
    size_t n = 0;
    for (int i = 0; i < l->lengths[piece]; i++) {
        const char *c = l->characters[piece < l->n_characters ? piece + 1 : l->codes[l->places[piece] + (uint32_t)i]];
        const size_t size = trine_utf8_length((unsigned char)*c);
        memcpy(out + n, c, size);
        n += size;
    }
    return n;
}

static trine_status put(trine_tokenizer *out, const char *text, size_t n, double score, trine_error *err)
{
    const int id = out->vocab.n;
    out->scores[id] = score;
    return trine_vocab_set(&out->vocab, id, text, n, err);
}

/* All characters and the likeliest of the others, in the order of their scores. A piece that is spelt as a token before them is that
 * token already. */
static trine_status finish(trine_tokenizer *out, const model *m, trine_error *err)
{
    const trine_training *training = m->training;
    const trine_lattices *l = &m->lattices;
    ranked *order = malloc(((size_t)l->n_pieces + 1) * sizeof *order);
    out->scores = malloc(((size_t)training->vocab + 1) * sizeof *out->scores);
    trine_string_table first = { 0 };
    trine_status status = order && out->scores ? TRINE_OK : no_memory(err);
    for (int i = 0; i < training->n_first && !status; i++) {
        const size_t n = strlen(training->first[i]);
        status = trine_table_put(&first, training->first[i], n) < 0
                     ? no_memory(err)
                     : put(out, training->first[i], n, training->reserved_score, err);
    }
    char text[4 * TRINE_PIECE_MAX];
    int n = 0, room = training->vocab - training->n_first - l->n_characters; /* for pieces longer than one character */
    for (int i = 0; i < l->n_characters && !status; i++) room += trine_table_find(&first, text, spell(text, l, i)) >= 0;
    for (int i = 0; i < l->n_pieces && !status; i++)
        if (m->scores[i] > -INFINITY) order[n++] = (ranked) { m->scores[i], i };
    if (!status && n) qsort(order, (size_t)n, sizeof *order, by_value);
    for (int i = 0; i < n && !status; i++) {
        const int piece = order[i].piece;
        const size_t size = spell(text, l, piece);
        if ((piece >= l->n_characters && room <= 0) || trine_table_find(&first, text, size) >= 0) continue;
        room -= piece >= l->n_characters;
        status = put(out, text, size, order[i].value, err);
    }
    free(order);
    trine_table_clear(&first);
    return status ? status : trine_vocab_index(&out->vocab, err);
}

trine_status trine_train_unigram(trine_tokenizer *out, const trine_training *training, trine_error *err)
{
    model m = { .training = training };
    trine_status status = begin(&m, err);
    if (!status) status = estimate(&m, err);
    if (!status) status = finish(out, &m, err);
    trine_lattices_close(&m.lattices);
    free(m.scores);
    free(m.weights);
    free(m.losses);
    free(m.sums);
    free(m.log_sums);
    return status;
}
