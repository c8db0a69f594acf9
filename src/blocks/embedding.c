/* embedding.c - tokens become vectors, and learned positions are added to them. */
#include "base/size.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

/* Whether rows of `table` can be unpacked; *row_bytes is how far apart they lie. */
static bool table_is_fine(trine_pass *p, size_t *row_bytes, const trine_weight *table)
{
    const trine_dtype_info *type = trine_dtype_get(table->type);
    if (p->failed) return false;
    if (type && type->computes && trine_dtype_bytes(row_bytes, table->type, (size_t)table->cols)) return true;
    trine_pass_fail(p, TRINE_ERROR_INTERNAL, "embedding: a table [%d, %d] of type %s", table->rows, table->cols,
                    type ? type->name : "unknown");
    return false;
}

typedef struct lookup {
    trine_unpack_fn *unpack;
    trine_mat y;
    const unsigned char *table;
    size_t row_bytes;
    const int32_t *ids;
} lookup;

static void unpack_rows(const void *job, int first, int n, int thread)
{
    const lookup *j = job;
    (void)thread;
    for (int r = first; r < first + n; r++)
        j->unpack(trine_row(j->y, r), j->table + (size_t)j->ids[r] * j->row_bytes, (size_t)j->y.cols);
}

/* ------------------------------------------------------------------------------------------------------------ a tape */

/* y = table[ids], or y = x + table[position + offset]. */
typedef struct lookup_op {
    trine_op op;
    trine_mat x;
    const float *table;
    const int32_t *ids; /* NULL: positions */
    int offset;
} lookup_op;

static void lookup_backward(trine_pass *p, trine_op *op)
{
    const lookup_op *o = (const lookup_op *)op;
    const size_t mark = trine_arena_mark(p->arena);
    const trine_mat dy = trine_grad_of(p, op->made[0]);
    float *table = trine_parameter_grad(p, o->table);
    const int32_t *ids = o->ids;
    trine_grad_share(p, o->x, op->made[0]);
    if (!ids) {
        int32_t *positions = trine_pass_alloc(p, (size_t)dy.rows, sizeof *positions);
        for (int s = 0; trine_pass_computes(p) && s < p->batch->n_segments; s++) {
            const trine_segment *segment = &p->batch->segments[s];
            for (int i = 0; i < segment->n_rows; i++) positions[segment->first_row + i] = segment->pos + i + o->offset;
        }
        ids = positions;
    }
    if (table) trine_scatter_rows(p, table, dy, ids);
    trine_arena_release(p->arena, mark);
}

static trine_mat note(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *table, const int32_t *ids, int offset)
{
    const bool learns = p->tape && table->type == TRINE_F32 && trine_learns(p, table->data);
    lookup_op *op = learns || trine_value_wanted(x) ? trine_tape_note(p, lookup_backward, sizeof *op) : NULL;
    y.value = NULL;
    if (!op) return y;
    *op = (lookup_op) { op->op, x, table->data, ids, offset };
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}

/* ----------------------------------------------------------------------------------------------------------- forward */

trine_mat trine_embedding(trine_pass *p, const trine_weight *table, const int32_t *ids)
{
    const int n_rows = p->batch->n_rows;
    trine_mat y = trine_mat_new(p, n_rows, table->cols);
    size_t row_bytes;
    if (!ids) ids = p->batch->ids;
    if (!table_is_fine(p, &row_bytes, table) || !trine_pass_computes(p)) return note(p, y, (trine_mat) { 0 }, table, ids, 0);
    for (int i = 0; i < n_rows; i++)
        if (ids[i] < 0 || ids[i] >= table->rows) {
            trine_pass_fail(
                p, TRINE_ERROR_ARGUMENT,
                "embedding: id %d at position %d is outside the vocabulary of %d; does the tokenizer belong to this model?",
                (int)ids[i], i, table->rows);
            return y;
        }
    trine_for_rows(p, n_rows, table->cols, unpack_rows,
                   &(lookup) { p->kernels->unpack[table->type], y, table->data, row_bytes, ids });
    return note(p, y, (trine_mat) { 0 }, table, ids, 0);
}

trine_mat trine_add_positions(trine_pass *p, trine_mat x, const trine_weight *table, int offset)
{
    size_t row_bytes = 0;
    const size_t mark = trine_arena_mark(p->arena);
    float *position = trine_pass_alloc(p, (size_t)table->cols, sizeof(float));
    if (table_is_fine(p, &row_bytes, table) && table->cols != x.cols)
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "positions: a table [%d, %d] for x [%d, %d]", table->rows, table->cols, x.rows,
                        x.cols);
    if (!trine_pass_computes(p)) {
        trine_arena_release(p->arena, mark);
        return note(p, x, x, table, NULL, offset);
    }
    for (int s = 0; s < p->batch->n_segments; s++) {
        const trine_segment *segment = &p->batch->segments[s];
        const int64_t last = (int64_t)segment->pos + segment->n_rows - 1 + offset;
        if (segment->pos < 0 || last >= table->rows) {
            trine_pass_fail(p, TRINE_ERROR_TOO_LONG, "positions: the text needs position %lld, the model has %d",
                            (long long)(last - offset + 1), table->rows - offset);
            break;
        }
        for (int i = 0; i < segment->n_rows; i++) {
            const size_t at = (size_t)(segment->pos + i + offset);
            p->kernels->unpack[table->type](position, (const unsigned char *)table->data + at * row_bytes, (size_t)table->cols);
            p->kernels->add(x.data + (size_t)(segment->first_row + i) * (size_t)x.cols, position, (size_t)x.cols);
        }
    }
    trine_arena_release(p->arena, mark);
    return note(p, x, x, table, NULL, offset);
}
