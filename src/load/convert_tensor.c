/* convert_tensor.c - one tensor from the mapped source to the writer, row by row: memory stays at a row, or at one matrix
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

/* Packs values, after looking whether the type can hold them. */
static trine_status pack(void *out, const float *values, size_t n, const trine_tensor *to, trine_error *err)
{
    if (to->type != TRINE_F32 && to->type != TRINE_BF16) { /* f16, or blocks with scales in f16 */
        for (size_t i = 0; i < n; i++) {
            if (fabsf(values[i]) >= 65520.0f && isfinite(values[i]))
                return trine_fail(err, TRINE_ERROR_NUMERIC,
                                  "tensor '%s' holds the value %g, more than %s holds: choose bf16 or f32", to->name,
                                  (double)values[i], trine_dtype_name(to->type));
        }
    }
    trine_dtype_get(to->type)->pack(out, values, n);
    return TRINE_OK;
}

static trine_status no_memory(const trine_planned_tensor *t, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to convert tensor '%s'", t->to.name);
}

static trine_status write_rows(trine_writer *w, const trine_planned_tensor *t, trine_error *err)
{
    /* A bias whose heads change order is rows of one value each. */
    const bool moves = t->change != TRINE_CHANGE_NONE, single = t->from->n_dims < 2 && moves;
    const rows from = rows_of(t->from, single), to = rows_of(&t->to, single);
    const bool same = t->from->type == t->to.type;
    if (!from.bytes || !to.bytes) {
        if (!t->to.bytes) return TRINE_OK; /* a dimension of 0 */
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "tensor '%s' of type %s cannot be taken apart into rows", t->from->name,
                          trine_dtype_name(t->from->type));
    }
    float *values = malloc(to.cols * sizeof *values);
    unsigned char *packed = malloc(to.bytes), *aligned = malloc(from.bytes);
    trine_status status = values && packed && aligned ? TRINE_OK : no_memory(t, err);
    for (size_t r = 0; !status && r < to.n; r++) {
        const unsigned char *row = (const unsigned char *)t->from->data + source_row(t, r, to.n) * from.bytes;
        if (same) {
            trine_writer_write(w, row, to.bytes);
            continue;
        }
        memcpy(aligned, row, from.bytes); /* a file may have it at any address */
        trine_dtype_get(t->from->type)->unpack(values, aligned, to.cols);
        status = pack(packed, values, to.cols, &t->to, err);
        if (!status) trine_writer_write(w, packed, to.bytes);
    }
    free(values);
    free(packed);
    free(aligned);
    return status;
}

/* A matrix turned: out[c][r] = in[r][c]. The source is unpacked whole. */
static trine_status write_turned(trine_writer *w, const trine_planned_tensor *t, trine_error *err)
{
    const size_t n_rows = (size_t)t->to.shape[0], n_cols = (size_t)t->to.shape[1];
    const rows from = rows_of(t->from, false), to = rows_of(&t->to, false);
    size_t n, bytes;
    if (!trine_mul_size(&n, n_rows, n_cols) || !trine_mul_size(&bytes, n, sizeof(float)) || !n) return TRINE_OK;
    float *values = calloc(n, sizeof *values), *row = malloc(n_cols * sizeof *row);
    unsigned char *packed = malloc(to.bytes), *aligned = malloc(from.bytes);
    trine_status status = values && row && packed && aligned ? TRINE_OK : no_memory(t, err);
    for (size_t r = 0; !status && r < from.n; r++) {
        memcpy(aligned, (const unsigned char *)t->from->data + r * from.bytes, from.bytes);
        trine_dtype_get(t->from->type)->unpack(values + r * from.cols, aligned, from.cols);
    }
    for (size_t r = 0; !status && r < n_rows; r++) {
        for (size_t c = 0; c < n_cols; c++) row[c] = values[c * n_rows + r];
        status = pack(packed, row, n_cols, &t->to, err);
        if (!status) trine_writer_write(w, packed, to.bytes);
    }
    free(values);
    free(row);
    free(packed);
    free(aligned);
    return status;
}

trine_status trine_convert_tensor(trine_writer *w, const trine_convert_plan *plan, const trine_planned_tensor *t, trine_error *err)
{
    trine_status status = TRINE_OK;
    if (t->made)
        trine_writer_write(w, t->made, t->to.bytes);
    else if (t->change == TRINE_CHANGE_NONE && t->from->type == t->to.type)
        trine_writer_write(w, t->from->data, t->to.bytes);
    else if (t->change == TRINE_CHANGE_TRANSPOSE)
        status = write_turned(w, t, err);
    else
        status = write_rows(w, t, err);
    if (t->from) trine_checkpoint_forget(plan->checkpoint, t->from); /* resident memory stays at one tensor */
    return status;
}
