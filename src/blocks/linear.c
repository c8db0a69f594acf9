/* linear.c - x W^T + b, for one row of x and for thousands, over weights as they lie in the file.
 *
 * Few rows (a decode step): every weight is used a few times, so reading W is all the cost. W streams by once, row after row
 * as it lies in the file, and meets x in tiles of 4 x 4 rows.
 *
 * Many rows (prefill, encoding): the arithmetic is the cost. A task takes a block of W's rows; for each slice of DEPTH columns it
 * turns the block into panels, [DEPTH][panel_cols], that stay in the second cache while all rows of x pass over them, several
 * rows by a panel's width at a time in registers (Goto & van de Geijn 2008, with x in place of a packed A).
 *
 *        DEPTH                        x rows        panel        y
 *     +---------+   W rows          [ .......  ] x [ ....  ]  += [ .... ]
 *     |/////////|   block -> panels [ .......  ]   [ ....  ]     [ .... ]
 *     +---------+
 *
 * A sum runs over slices in order and inside a slice in order, whichever thread computes it. */
#include "blocks/linear.h"

#include <omp.h>

#include "base/size.h"

enum {
    FEW_ROWS = 48,      /* up to here W streams */
    DEPTH = 512,        /* columns of W a panel holds; a multiple of every block of quant.h */
    BLOCK_COLS = 256,   /* most rows of W (columns of y) in a block of panels: 512 KiB of them */
    UNPACK_ROWS = 16,   /* rows of W unpacked at a time before they become a panel */
    SMALL_WORK = 32768, /* multiplications below which a second thread costs more than it brings */
};

/* A matrix of weights as memory. */
typedef struct layout {
    size_t row_bytes, slice_bytes;
} layout; /* of a row, and of DEPTH elements of it */

static const unsigned char *weight_row(const trine_weight *w, const layout *l, int row)
{
    return (const unsigned char *)w->data + (size_t)row * l->row_bytes;
}

/* Rows [first, end) of W against all rows of x. scratch [TRINE_DOT_TILE * cols]. */
static void few_rows(trine_mat y, trine_mat x, const trine_weight *w, const layout *l, const trine_kernels *kernels, int first,
                     int end, float *scratch)
{
    const size_t cols = (size_t)w->cols;
    for (int j = first; j < end; j += TRINE_DOT_TILE) {
        const int n_w = trine_min_int(TRINE_DOT_TILE, end - j);
        const void *rows = weight_row(w, l, j);
        size_t stride = l->row_bytes;
        trine_dtype type = w->type;
        /* Unpacking quantised weights costs more than a product with one row: share it when several rows want it. */
        if (x.rows > TRINE_DOT_TILE && type > TRINE_BF16) {
            for (int i = 0; i < n_w; i++) kernels->unpack[type](scratch + (size_t)i * cols, weight_row(w, l, j + i), cols);
            rows = scratch;
            stride = cols * sizeof(float);
            type = TRINE_F32;
        }
        for (int i = 0; i < x.rows; i += TRINE_DOT_TILE)
            kernels->dot_tile[type](y.data + (size_t)i * (size_t)y.cols + (size_t)j, (size_t)y.cols, x.data + (size_t)i * cols,
                                    cols, trine_min_int(TRINE_DOT_TILE, x.rows - i), rows, stride, n_w, cols);
        if (w->bias)
            for (int i = 0; i < x.rows; i++)
                for (int c = j; c < j + n_w; c++) y.data[(size_t)i * (size_t)y.cols + (size_t)c] += w->bias[c];
    }
}

/* Rows [first, first + n) of W, columns [k0, k0 + depth), as panels one after another. */
static void make_panels(float *panels, const trine_weight *w, const layout *l, const trine_kernels *kernels, int first, int n,
                        int k0, int depth, float *unpacked)
{
    const size_t width = (size_t)kernels->panel_cols;
    for (int j = 0; j < n; j += UNPACK_ROWS) {
        const int take = trine_min_int(UNPACK_ROWS, n - j);
        const unsigned char *rows = weight_row(w, l, first + j) + (size_t)(k0 / DEPTH) * l->slice_bytes;
        float *panel = panels + (size_t)j / width * width * (size_t)depth + (size_t)j % width;
        if (w->type == TRINE_F32) {
            kernels->transpose(panel, width, rows, (size_t)w->cols, take, depth);
            continue;
        }
        for (int i = 0; i < take; i++)
            kernels->unpack[w->type](unpacked + (size_t)i * DEPTH, rows + (size_t)i * l->row_bytes, (size_t)depth);
        kernels->transpose(panel, width, unpacked, DEPTH, take, depth);
    }
}

/* Columns [first, first + n) of y, rows [row, row + n_rows). */
static void many_rows(trine_mat y, trine_mat x, const trine_weight *w, const layout *l, const trine_kernels *kernels, int first,
                      int n, int row, int n_rows, float *scratch)
{
    const int width = kernels->panel_cols;
    float *unpacked = scratch, *panels = scratch + UNPACK_ROWS * DEPTH;
    for (int k0 = 0; k0 < w->cols; k0 += DEPTH) {
        const int depth = trine_min_int(DEPTH, w->cols - k0);
        make_panels(panels, w, l, kernels, first, n, k0, depth, unpacked);
        /* Rows of x outside, panels inside: a few rows of x stay in the first cache while the panels of the block pass. */
        for (int i = 0; i < n_rows; i += TRINE_LINEAR_X_ROWS) {
            const size_t at = (size_t)(row + i);
            const int take = trine_min_int(TRINE_LINEAR_X_ROWS, n_rows - i);
            for (int j = 0; j < n; j += width) {
                const int c = first + j;
                kernels->gemm_panel(y.data + at * (size_t)y.cols + (size_t)c, (size_t)y.cols,
                                    x.data + at * (size_t)x.cols + (size_t)k0, (size_t)x.cols, take,
                                    panels + (size_t)j * (size_t)depth, (size_t)width, trine_min_int(width, n - j), (size_t)depth,
                                    w->bias ? w->bias + c : NULL, k0 > 0);
            }
        }
    }
}

void trine_linear_into(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *w)
{
    const trine_dtype_info *type = trine_dtype_get(w->type);
    layout l;
    if (p->failed) return;
    if (!type || !type->computes || x.cols != w->cols || y.cols != w->rows || y.rows != x.rows || w->cols % type->block ||
        !trine_dtype_bytes(&l.row_bytes, w->type, (size_t)w->cols)) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "linear: weights [%d, %d] of type %s do not take x [%d, %d] to y [%d, %d]",
                        w->rows, w->cols, type ? type->name : "unknown", x.rows, x.cols, y.rows, y.cols);
        return;
    }
    l.slice_bytes = (size_t)(DEPTH / type->block) * (size_t)type->block_bytes;
    const bool few = x.rows <= FEW_ROWS;
    const int n_threads = trine_max_int(1, p->n_threads);
    /* Of many rows never less than of few: a pass measured with the most rows has room for every other. */
    const size_t few_floats = (size_t)TRINE_DOT_TILE * (size_t)w->cols;
    const size_t many_floats = (size_t)BLOCK_COLS * (size_t)trine_min_int(DEPTH, w->cols) + UNPACK_ROWS * DEPTH;
    const size_t stride = trine_round_up(few || few_floats > many_floats ? few_floats : many_floats, 16);

    const size_t mark = trine_arena_mark(p->arena);
    float *scratch = trine_pass_alloc(p, stride * (size_t)n_threads, sizeof(float));
    if (trine_pass_computes(p) && x.rows > 0) {
        const double work = (double)x.rows * (double)w->cols * (double)w->rows;
        /* Cut so that each thread finds several tasks, in whole tiles: the cut decides who computes, not what. */
        const int unit = few ? TRINE_DOT_TILE : p->kernels->panel_cols;
        const int most = few ? trine_max_int(16, (int)(65536 / (l.row_bytes + 1))) : BLOCK_COLS;
        int block = (w->rows + 4 * n_threads - 1) / (4 * n_threads);
        block = trine_min_int((int)trine_round_up((size_t)trine_max_int(block, 1), (size_t)unit), most / unit * unit);
        const int n_blocks = (w->rows + block - 1) / block;
        /* A narrow W leaves threads without a block: then rows of x are shared out as well, each part making its own panels. */
        const int n_parts = few ? 1 : trine_max_int(1, trine_min_int(x.rows / 64, (2 * n_threads + n_blocks - 1) / n_blocks));
        const int part = (x.rows + n_parts - 1) / n_parts;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(n_threads) if (work > SMALL_WORK && n_threads > 1)
        for (int b = 0; b < n_blocks; b++)
            for (int r = 0; r < n_parts; r++) {
                float *mine = scratch + (size_t)omp_get_thread_num() * stride;
                const int first = b * block, n = trine_min_int(block, w->rows - first);
                const int row = r * part, n_rows = trine_min_int(part, x.rows - row);
                if (few)
                    few_rows(y, x, w, &l, p->kernels, first, first + n, mine);
                else if (n_rows > 0)
                    many_rows(y, x, w, &l, p->kernels, first, n, row, n_rows, mine);
            }
    }
    trine_arena_release(p->arena, mark);
}

trine_mat trine_linear(trine_pass *p, trine_mat x, const trine_weight *w)
{
    trine_mat y = trine_mat_new(p, x.rows, w->rows);
    trine_linear_into(p, y, x, w);
    return y;
}
