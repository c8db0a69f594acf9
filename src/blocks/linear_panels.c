/* linear_panels.c - x W^T for many rows of x in f32: the arithmetic is the cost.
 *
 * For each slice of DEPTH columns, rows of W are turned into panels, [DEPTH][panel_cols], that stay in the second cache while
 * all rows of x pass over them, several rows by a panel's width at a time in registers (Goto & van de Geijn 2008, with x in place
 * of a packed A).
 *
 *        DEPTH                        x rows        panel        y
 *     +---------+   W rows          [ .......  ] x [ ....  ]  += [ .... ]
 *     |/////////|   block -> panels [ .......  ]   [ ....  ]     [ .... ]
 *     +---------+
 *
 * A sum runs over slices in order and inside a slice in order, whichever thread computes it. */
#include "base/size.h"
#include "blocks/linear.h"

enum {
    DEPTH = 512,      /* columns of W a panel holds; a multiple of every block of quant.h */
    BLOCK_COLS = 256, /* most rows of W (columns of y) in a block of panels: 512 KiB of them */
    UNPACK_ROWS = 16, /* rows of W unpacked at a time before they become a panel */
    X_ROWS = 48,      /* rows of x that pass over all panels of a block before the next do */
};

static size_t no_bytes(const trine_linear_job *job)
{
    (void)job;
    return 0;
}

static size_t scratch_floats(const trine_linear_job *job)
{
    return (size_t)BLOCK_COLS * (size_t)trine_min_int(DEPTH, job->w->cols) + UNPACK_ROWS * DEPTH;
}

/* Rows [first, first + n) of W, columns [k0, k0 + depth), as panels one after another. */
static void make_panels(float *panels, const trine_linear_job *job, int first, int n, int k0, int depth, float *unpacked)
{
    const trine_kernels *kernels = job->kernels;
    const trine_dtype_info *type = trine_dtype_get(job->w->type);
    const size_t width = (size_t)kernels->panel_cols, before = (size_t)(k0 / type->block) * (size_t)type->block_bytes;
    for (int j = 0; j < n; j += UNPACK_ROWS) {
        const int take = trine_min_int(UNPACK_ROWS, n - j);
        const unsigned char *rows = trine_linear_weight_row(job, first + j) + before;
        float *panel = panels + (size_t)j / width * width * (size_t)depth + (size_t)j % width;
        if (job->w->type == TRINE_F32) {
            kernels->transpose(panel, width, rows, (size_t)job->w->cols, take, depth);
            continue;
        }
        for (int i = 0; i < take; i++)
            kernels->unpack[job->w->type](unpacked + (size_t)i * DEPTH, rows + (size_t)i * job->row_bytes, (size_t)depth);
        kernels->transpose(panel, width, unpacked, DEPTH, take, depth);
    }
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const trine_kernels *kernels = job->kernels;
    const trine_weight *w = job->w;
    const trine_mat y = job->y, x = job->x;
    const int width = kernels->panel_cols;
    float *unpacked = scratch, *panels = scratch + UNPACK_ROWS * DEPTH;
    for (int k0 = 0; k0 < w->cols; k0 += DEPTH) {
        const int depth = trine_min_int(DEPTH, w->cols - k0);
        make_panels(panels, job, first, n, k0, depth, unpacked);
        /* Rows of x outside, panels inside: a few rows of x stay in the first cache while the panels of the block pass. */
        for (int i = 0; i < n_rows; i += X_ROWS) {
            const size_t at = (size_t)(row + i);
            const int take = trine_min_int(X_ROWS, n_rows - i);
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

trine_linear_path trine_linear_panels(const trine_linear_job *job)
{
    const int width = job->kernels->panel_cols;
    return (trine_linear_path) {
        .unit = width,
        .most = BLOCK_COLS / width * width,
        .cuts_x = true,
        .shared_bytes = no_bytes,
        .scratch_floats = scratch_floats,
        .run = run,
    };
}
