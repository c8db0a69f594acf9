/* gather.c - rows of a matrix by index. */
#include <string.h>

#include "blocks/rows.h"

trine_mat trine_take_rows(trine_pass *p, trine_mat x, const int32_t *rows, int n)
{
    if (!rows) return x;
    trine_mat y = trine_mat_new(p, n, x.cols);
    if (!trine_pass_computes(p)) return y;
    for (int i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= x.rows) {
            trine_pass_fail(p, TRINE_ERROR_INTERNAL, "take rows: row %d of %d", (int)rows[i], x.rows);
            return y;
        }
        memcpy(y.data + (size_t)i * (size_t)x.cols, x.data + (size_t)rows[i] * (size_t)x.cols, (size_t)x.cols * sizeof(float));
    }
    return y;
}

trine_mat trine_first_rows(trine_pass *p, trine_mat x)
{
    const trine_batch *b = p->batch;
    trine_mat y = trine_mat_new(p, b->n_segments, x.cols);
    for (int s = 0; trine_pass_computes(p) && s < b->n_segments; s++)
        memcpy(trine_row(y, s), trine_row(x, b->segments[s].first_row), (size_t)x.cols * sizeof *x.data);
    return y;
}
