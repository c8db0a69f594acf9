/* convert_tensor.c - one tensor from the mapped source to the writer, some rows at a time: memory stays at a megabyte, or at one matrix
 * where it is turned. Rows are moved as they lie when the type stays, so blocks of a quantised type are copied bit by bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "load/convert_plan.h"
#include "quant/quant.h"

/* A tensor as rows of blocks. */
typedef struct rows {
    size_t n, cols, bytes; /* rows, values a row, bytes a row */
} rows;

static rows rows_of(const trine_tensor *t, bool single_values)
{
    rows r = { .n = 1, .cols = 1 };
    const int last = single_values ? t->n_dims : t->n_dims - 1;
    for (int d = 0; d < t->n_dims; d++) {
        if (d < last)
            r.n *= (size_t)t->shape[d];
        else
            r.cols *= (size_t)t->shape[d];
    }
    if (!trine_dtype_bytes(&r.bytes, t->type, r.cols)) r.bytes = 0;
    return r;
}

/* Which source row comes as row `r` of the target. */
static size_t source_row(const trine_planned_tensor *t, size_t r, size_t n_rows)
{
    if (t->change == TRINE_CHANGE_CUT_ROWS) return r + (size_t)t->n;
    if (t->change != TRINE_CHANGE_TO_PAIRS && t->change != TRINE_CHANGE_FROM_PAIRS) return r;
    const size_t d_head = n_rows / (size_t)t->n, half = d_head / 2, head = r / d_head, j = r % d_head;
    return head * d_head + (t->change == TRINE_CHANGE_TO_PAIRS ? j / 2 + j % 2 * half : j % half * 2 + j / half);
}

/* The first of n values that the type cannot hold, or n. Only f32 and bf16 reach beyond 65504: f16 does not, nor do scales in f16;
 * a block is lost with any value that is not finite. */
static size_t first_unfit(const float *values, size_t n, trine_dtype type)
{
    if (type == TRINE_F32 || type == TRINE_BF16) return n;
    const bool blocks = trine_dtype_get(type)->block > 1;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i]) ? fabsf(values[i]) >= 65520.0f : blocks) return i;
    }
    return n;
}

static trine_status unfit(const trine_tensor *to, float value, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_NUMERIC, "tensor '%s' holds the value %g, %s %s holds: choose bf16 or f32", to->name,
                      (double)value, isfinite(value) ? "more than" : "which no block of", trine_dtype_name(to->type));
}

static trine_status no_memory(const trine_convert_plan *plan, const trine_planned_tensor *t, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to %s tensor '%s'", plan->task, t->to.name);
}

/* Rows on their way from one type to another. */
typedef struct job {
    const trine_planned_tensor *t;
    rows from, to;
    float *turned; /* the source as values when the target is its transpose, else NULL */
    void (*pack)(void *out, const float *in, size_t n);
    size_t first;           /* row of the first piece */
    float *values;          /* [n_threads, to.cols] */
    unsigned char *aligned; /* [n_threads, from.bytes] */
    unsigned char *packed;  /* [rows of a chunk, to.bytes] */
    size_t *bad;            /* [n_threads] the first row that each found a value in that does not fit; SIZE_MAX: none */
} job;

static const unsigned char *source_bytes(const job *j, size_t r)
{
    return (const unsigned char *)j->t->from->data + source_row(j->t, r, j->to.n) * j->from.bytes;
}

/* Row r of the target as values. */
static void get_row(float *values, unsigned char *aligned, const job *j, size_t r)
{
    if (j->turned) {
        for (size_t c = 0; c < j->to.cols; c++) values[c] = j->turned[c * j->to.n + r];
        return;
    }
    memcpy(aligned, source_bytes(j, r), j->from.bytes); /* a file may have it at any address */
    trine_dtype_get(j->t->from->type)->unpack(values, aligned, j->to.cols);
}

/* One row, packed alone: the result does not depend on who does it. */
static void pack_row(void *user, int piece, int thread)
{
    job *j = user;
    const size_t r = j->first + (size_t)piece, cols = j->to.cols;
    float *row = j->values + (size_t)thread * cols;
    get_row(row, j->aligned + (size_t)thread * j->from.bytes, j, r);
    if (first_unfit(row, cols, j->t->to.type) == cols)
        j->pack(j->packed + (size_t)piece * j->to.bytes, row, cols);
    else if (r < j->bad[thread])
        j->bad[thread] = r;
}

/* Packs and writes, a chunk of rows at a time. */
static trine_status write_packed(trine_writer *w, const trine_convert_plan *plan, job *j, size_t n_chunk, trine_error *err)
{
    const size_t threads = (size_t)plan->n_threads;
    for (size_t i = 0; i < threads; i++) j->bad[i] = SIZE_MAX;
    for (j->first = 0; j->first < j->to.n; j->first += n_chunk) {
        const size_t n = n_chunk < j->to.n - j->first ? n_chunk : j->to.n - j->first;
        trine_team_run(n * j->to.cols > 4096 ? plan->team : NULL, (int)n, pack_row, j);
        size_t bad = SIZE_MAX;
        for (size_t i = 0; i < threads; i++) bad = j->bad[i] < bad ? j->bad[i] : bad;
        if (bad != SIZE_MAX) {
            get_row(j->values, j->aligned, j, bad);
            return unfit(&j->t->to, j->values[first_unfit(j->values, j->to.cols, j->t->to.type)], err);
        }
        trine_writer_write(w, j->packed, n * j->to.bytes);
    }
    return TRINE_OK;
}

static trine_status convert_rows(trine_writer *w, const trine_convert_plan *plan, job *j, trine_error *err)
{
    enum { CHUNK = 1 << 20 }; /* bytes that are packed before they are written */
    const size_t threads = (size_t)plan->n_threads;
    const size_t most = trine_max_size(CHUNK / trine_max_size(j->to.bytes, 1), threads), n_chunk = most < j->to.n ? most : j->to.n;
    size_t values_bytes, aligned_bytes, packed_bytes;
    if (!trine_mul_size(&values_bytes, threads * sizeof(float), j->to.cols) ||
        !trine_mul_size(&aligned_bytes, threads, j->from.bytes) || !trine_mul_size(&packed_bytes, n_chunk, j->to.bytes))
        return no_memory(plan, j->t, err);
    j->values = malloc(values_bytes);
    j->aligned = malloc(aligned_bytes);
    j->packed = malloc(packed_bytes);
    j->bad = malloc(threads * sizeof *j->bad);
    const bool enough = j->values && j->aligned && j->packed && j->bad;
    const trine_status status = enough ? write_packed(w, plan, j, n_chunk, err) : no_memory(plan, j->t, err);
    free(j->values);
    free(j->aligned);
    free(j->packed);
    free(j->bad);
    return status;
}

static trine_status write_rows(trine_writer *w, const trine_convert_plan *plan, job *j, trine_error *err)
{
    const trine_planned_tensor *t = j->t;
    /* A bias whose heads change order is rows of one value each. */
    const bool single = t->from->n_dims < 2 && t->change != TRINE_CHANGE_NONE;
    j->from = rows_of(t->from, single);
    j->to = rows_of(&t->to, single);
    if (!t->to.bytes) return TRINE_OK; /* a dimension of 0 */
    if (!j->from.bytes || !j->to.bytes)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "tensor '%s' of type %s cannot be taken apart into rows", t->from->name,
                          trine_dtype_name(t->from->type));
    if (t->from->type != t->to.type) return convert_rows(w, plan, j, err);
    for (size_t r = 0; r < j->to.n; r++) trine_writer_write(w, source_bytes(j, r), j->to.bytes);
    return TRINE_OK;
}

/* A matrix turned: out[c][r] = in[r][c]. The source is unpacked whole. */
static trine_status write_turned(trine_writer *w, const trine_convert_plan *plan, job *j, trine_error *err)
{
    const trine_planned_tensor *t = j->t;
    j->from = rows_of(t->from, false);
    j->to = rows_of(&t->to, false);
    size_t n, bytes;
    if (!trine_mul_size(&n, j->to.n, j->to.cols) || !trine_mul_size(&bytes, n, sizeof(float)) || !n) return TRINE_OK;
    j->turned = calloc(n, sizeof *j->turned);
    unsigned char *aligned = malloc(j->from.bytes);
    trine_status status = j->turned && aligned ? TRINE_OK : no_memory(plan, t, err);
    for (size_t r = 0; !status && r < j->from.n; r++) {
        memcpy(aligned, (const unsigned char *)t->from->data + r * j->from.bytes, j->from.bytes);
        trine_dtype_get(t->from->type)->unpack(j->turned + r * j->from.cols, aligned, j->from.cols);
    }
    free(aligned);
    if (!status) status = convert_rows(w, plan, j, err);
    free(j->turned);
    return status;
}

trine_status trine_convert_tensor(trine_writer *w, const trine_convert_plan *plan, const trine_planned_tensor *t, trine_error *err)
{
    trine_status status = TRINE_OK;
    const trine_dtype_info *to = trine_dtype_get(t->to.type);
    job j = { .t = t, .pack = plan->by_search ? to->fit : to->pack };
    if (t->made)
        trine_writer_write(w, t->made, t->to.bytes);
    else if (t->change == TRINE_CHANGE_NONE && t->from->type == t->to.type)
        trine_writer_write(w, t->from->data, t->to.bytes);
    else if (t->change == TRINE_CHANGE_TRANSPOSE)
        status = write_turned(w, plan, &j, err);
    else
        status = write_rows(w, plan, &j, err);
    if (t->from) trine_checkpoint_forget(plan->checkpoint, t->from); /* resident memory stays at one tensor */
    return status;
}
