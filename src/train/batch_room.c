/* batch_room.c - see batch_room.h. */
#include "train/batch_room.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

void trine_batch_begin(trine_batch_room *r)
{
    r->n_texts = r->n_rows = r->n_target_rows = r->n_out = r->n_targets = 0;
    r->has_types = r->has_weights = r->failed = false;
}

void trine_batch_clear(trine_batch_room *r)
{
    free(r->ids);
    free(r->types);
    free(r->target_ids);
    free(r->out_rows);
    free(r->labels);
    free(r->weights);
    free(r->segments);
    free(r->target_segments);
    free(r->out_ends);
    *r = (trine_batch_room) { 0 };
}

/* Room for n + more things in each of up to three arrays that share a capacity. */
static bool grow(trine_batch_room *r, int *cap, int n, int more, void **a, size_t a_size, void **b, size_t b_size, void **c,
                 size_t c_size)
{
    if (r->failed) return false;
    if (more <= *cap - n) return true;
    if (more > INT_MAX / 4 - n) {
        r->failed = true;
        return false;
    }
    const int want = n + more > 2 * *cap ? n + more : 2 * *cap;
    void **arrays[] = { a, b, c };
    const size_t sizes[] = { a_size, b_size, c_size };
    for (int i = 0; i < 3 && arrays[i]; i++) {
        void *grown = realloc(*arrays[i], (size_t)want * sizes[i]);
        if (!grown) {
            r->failed = true;
            return false;
        }
        *arrays[i] = grown;
    }
    *cap = want;
    return true;
}

#define GROW1(r, cap, n, more, a) grow(r, &(r)->cap, (r)->n, more, (void **)&(r)->a, sizeof *(r)->a, NULL, 0, NULL, 0)
#define GROW2(r, cap, n, more, a, b)                                                                                               \
    grow(r, &(r)->cap, (r)->n, more, (void **)&(r)->a, sizeof *(r)->a, (void **)&(r)->b, sizeof *(r)->b, NULL, 0)
#define GROW3(r, cap, n, more, a, b, c)                                                                                            \
    grow(r, &(r)->cap, (r)->n, more, (void **)&(r)->a, sizeof *(r)->a, (void **)&(r)->b, sizeof *(r)->b, (void **)&(r)->c,         \
         sizeof *(r)->c)

void trine_batch_add_text(trine_batch_room *r, const int32_t *ids, const int32_t *types, int n, int prefix)
{
    if (!GROW2(r, texts_cap, n_texts, 1, segments, out_ends) || !GROW2(r, rows_cap, n_rows, n, ids, types)) return;
    r->segments[r->n_texts] = (trine_segment) { .first_row = r->n_rows, .n_rows = n, .prefix = prefix };
    r->out_ends[r->n_texts++] = r->n_out;
    if (!n) return;
    memcpy(r->ids + r->n_rows, ids, (size_t)n * sizeof *ids);
    for (int i = 0; i < n; i++) {
        const int32_t type = types ? types[i] : 0;
        r->types[r->n_rows + i] = type;
        r->has_types |= type != 0;
    }
    r->n_rows += n;
}

void trine_batch_add_row(trine_batch_room *r, int32_t id)
{
    if (!GROW2(r, rows_cap, n_rows, 1, ids, types)) return;
    r->ids[r->n_rows] = id;
    r->types[r->n_rows++] = 0;
    r->segments[r->n_texts - 1].n_rows++;
}

static void add_out(trine_batch_room *r, int row, int32_t label, float weight)
{
    if (!GROW3(r, out_cap, n_out, 1, out_rows, labels, weights)) return;
    r->out_rows[r->n_out] = row;
    r->labels[r->n_out] = label;
    r->weights[r->n_out++] = weight;
    r->has_weights |= weight != 1;
    r->out_ends[r->n_texts - 1] = r->n_out;
}

void trine_batch_add_shifted(trine_batch_room *r, int32_t start, const int32_t *ids, int n)
{
    if (!GROW1(r, targets_cap, n_targets, 1, target_segments) || !GROW1(r, target_rows_cap, n_target_rows, n, target_ids)) return;
    r->target_segments[r->n_targets++] = (trine_segment) { .first_row = r->n_target_rows, .n_rows = n };
    for (int i = 0; i < n; i++) r->target_ids[r->n_target_rows++] = i ? ids[i - 1] : start;
}

void trine_batch_add_target(trine_batch_room *r, int32_t start, const int32_t *ids, int n)
{
    const int first = r->n_target_rows;
    trine_batch_add_shifted(r, start, ids, n);
    for (int i = 0; i < n && !r->failed; i++) add_out(r, first + i, ids[i], 1);
}

void trine_batch_add_out(trine_batch_room *r, int row, int32_t label, float weight)
{
    if (!r->failed) add_out(r, r->label_a_text ? r->n_texts - 1 : r->segments[r->n_texts - 1].first_row + row, label, weight);
}

trine_status trine_batch_end(trine_train_batch *out, const trine_batch_room *r, trine_error *err)
{
    *out = (trine_train_batch) { 0 };
    if (r->failed) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for a batch of %d rows", r->n_rows);
    *out = (trine_train_batch) {
        .n_texts = r->n_texts,
        .n_rows = r->n_rows,
        .ids = r->ids,
        .types = r->has_types ? r->types : NULL,
        .segments = r->segments,
        .mask = r->prefix ? TRINE_MASK_PREFIX : TRINE_MASK_DEFAULT,
        .n_target_rows = r->n_target_rows,
        .target_ids = r->n_target_rows ? r->target_ids : NULL,
        .target_segments = r->n_target_rows ? r->target_segments : NULL,
        .n_out = r->n_out,
        .out_rows = r->label_a_text ? NULL : r->out_rows,
        .labels = r->labels,
        .weights = r->has_weights ? r->weights : NULL,
    };
    return TRINE_OK;
}

void trine_batch_copy_text(trine_batch_room *r, const trine_batch_room *all, int64_t i)
{
    const trine_segment *s = &all->segments[i], *t = all->n_targets ? &all->target_segments[i] : NULL;
    trine_batch_add_text(r, all->ids + s->first_row, all->types + s->first_row, s->n_rows, s->prefix);
    if (r->failed) return;
    const int at = r->segments[r->n_texts - 1].first_row;
    const int shift = t ? r->n_target_rows - t->first_row : at - s->first_row;
    if (t) {
        if (!GROW1(r, targets_cap, n_targets, 1, target_segments) ||
            !GROW1(r, target_rows_cap, n_target_rows, t->n_rows, target_ids))
            return;
        r->target_segments[r->n_targets++] = (trine_segment) { .first_row = r->n_target_rows, .n_rows = t->n_rows };
        memcpy(r->target_ids + r->n_target_rows, all->target_ids + t->first_row, (size_t)t->n_rows * sizeof *r->target_ids);
        r->n_target_rows += t->n_rows;
    }
    for (int k = i ? all->out_ends[i - 1] : 0; k < all->out_ends[i]; k++)
        add_out(r, r->label_a_text ? r->n_texts - 1 : all->out_rows[k] + shift, all->labels[k], all->weights[k]);
}

double trine_batch_weight(const trine_train_batch *b)
{
    double sum = 0;
    for (int i = 0; i < b->n_out; i++)
        if (b->labels[i] >= 0) sum += b->weights ? b->weights[i] : 1;
    return sum;
}
