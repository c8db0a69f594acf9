/* linear_panels.c - x W^T for many rows of x in f32: the arithmetic is the cost.
 *
 * x is laid out anew once for the product, eight rows side by side. For each slice of columns of W, some rows of it become a panel
 * in the first cache, and all rows of x pass over it, eight at a time (Goto & van de Geijn 2008).
 *
 *       slice                          x [slice][8]     panel [slice][width]      y
 *     +---------+   W rows             [ ........ ] x   [     ......     ]    +=  [ ...... ]
 *     |/////////|   width -> panel     [ ........ ]                               [ ...... ]
 *     +---------+
 *
 * Between slices sums wait in y, or, where rows of y lie so that they push each other out of the second cache, in a place of their
 * own, a panel's together. Panels that are kept (packed.h) are not made again. A sum runs over slices in order and inside a slice in order, whichever thread computes it. */
#include <string.h>

#include "base/size.h"
#include "blocks/linear.h"

enum {
    SLICE = 192,      /* columns of W a panel holds: 36 KiB of them where a panel is widest */
    SLICE_256 = 256,  /* of types whose blocks are 256 columns */
    UNPACK_ROWS = 16, /* rows of W unpacked at a time before they become a part of a panel */
    MOST_COLS = 240,  /* rows of W in a piece */
    MOST_APART = 144, /* and where sums wait apart from y: then they take room in the second cache */
    PAGE_COLS = 1024, /* columns of y to a page */
    ASK_ROWS = 128,   /* the last rows of x, during which the next rows of W come from memory */
    LINE_FLOATS = 16, /* of a line of the cache */
    X_ROWS = 512,     /* rows of x that pass over a panel: their slice, and their sums, stay in the second cache */
};

static int slice_of(const trine_linear_job *job) { return trine_dtype_get(job->w->type)->block > SLICE ? SLICE_256 : SLICE; }

static size_t shared_bytes(const trine_linear_job *job)
{
    size_t n;
    const size_t rows = trine_round_up((size_t)job->x.rows, TRINE_GROUP);
    return trine_mul_size(&n, rows, (size_t)job->x.cols * sizeof(float)) ? n : SIZE_MAX;
}

/* Rows that lie whole pages apart share few sets of a cache. */
static bool sums_apart(const trine_linear_job *job) { return job->y.cols % PAGE_COLS == 0 && job->w->cols > slice_of(job); }

static int most_cols(const trine_linear_job *job)
{
    const int width = job->kernels->group_cols;
    return trine_max_int((sums_apart(job) ? MOST_APART : MOST_COLS) / width, 1) * width;
}

static size_t panel_floats(const trine_linear_job *job) { return SLICE_256 * ((size_t)job->kernels->group_cols + UNPACK_ROWS); }
static size_t sums_floats(const trine_linear_job *job)
{
    return sums_apart(job) ? (size_t)trine_min_int(X_ROWS, job->x.rows) * (size_t)most_cols(job) : 0;
}
static size_t scratch_floats(const trine_linear_job *job) { return panel_floats(job) + sums_floats(job); }

/* Groups of rows that begin in [row, row + n). */
static void prepare(const trine_linear_job *job, int row, int n)
{
    const size_t cols = (size_t)job->x.cols;
    for (int i = (int)trine_round_up((size_t)row, TRINE_GROUP); i < row + n; i += TRINE_GROUP) {
        float *group = (float *)job->shared + (size_t)i * cols;
        const int take = trine_min_int(TRINE_GROUP, job->x.rows - i);
        if (take < TRINE_GROUP) memset(group, 0, TRINE_GROUP * cols * sizeof *group);
        job->kernels->transpose(group, TRINE_GROUP, job->x.data + (size_t)i * cols, cols, take, (int)cols);
    }
}

/* Panels that are kept lie as they are used: a slice after the other, in each the panels of all rows. */
static size_t kept_at(const trine_linear_job *job, int first, int k0)
{
    const size_t depth = (size_t)trine_min_int(slice_of(job), job->w->cols - k0);
    return (size_t)k0 * trine_linear_panel_rows(job) + (size_t)first * depth;
}

/* Some rows of W and some of their columns. */
typedef struct part {
    const unsigned char *at;
    int n_rows, n_cols;
    const float *kept; /* the panel that they are already, or NULL */
} part;

static part part_of(const trine_linear_job *job, int first, int n_rows, int k0)
{
    const trine_dtype_info *type = trine_dtype_get(job->w->type);
    return (part) { trine_linear_weight_row(job, first) + (size_t)(k0 / type->block) * (size_t)type->block_bytes,
                    trine_min_int(job->kernels->group_cols, n_rows), trine_min_int(slice_of(job), job->w->cols - k0),
                    job->panels ? job->panels + kept_at(job, first, k0) : NULL };
}

static void make_panel(float *panel, const trine_linear_job *job, const part *w, float *unpacked)
{
    const trine_kernels *kernels = job->kernels;
    const size_t width = (size_t)kernels->group_cols, depth = (size_t)w->n_cols;
    if (w->n_rows < (int)width) memset(panel, 0, width * depth * sizeof *panel);
    for (int j = 0; j < w->n_rows; j += UNPACK_ROWS) {
        const int take = trine_min_int(UNPACK_ROWS, w->n_rows - j);
        const unsigned char *rows = w->at + (size_t)j * job->row_bytes;
        if (job->w->type == TRINE_F32) {
            kernels->transpose(panel + j, width, rows, (size_t)job->w->cols, take, w->n_cols);
            continue;
        }
        for (int i = 0; i < take; i++)
            kernels->unpack[job->w->type](unpacked + (size_t)i * depth, rows + (size_t)i * job->row_bytes, depth);
        kernels->transpose(panel + j, width, unpacked, depth, take, w->n_cols);
    }
}

void trine_linear_lay_out(float *out, const trine_linear_job *job, int piece)
{
    const int first = piece * job->kernels->group_cols;
    for (int k0 = 0; k0 < job->w->cols; k0 += slice_of(job)) {
        const part w = part_of(job, first, job->w->rows - first, k0);
        make_panel(out + kept_at(job, first, k0), job, &w, NULL);
    }
}

/* What can be asked for of a part: its rows, or the lines of its panel. */
static int n_to_ask(const trine_linear_job *job, const part *w)
{
    return w->kept ? w->n_cols * job->kernels->group_cols / LINE_FLOATS : job->kernels->group_cols;
}

/* Asks for [from, to) of them. What lies past the end of W is asked for in vain. */
static void ask_for(const trine_linear_job *job, const part *w, int from, int to)
{
    if (w->kept) {
        const int end = trine_min_int(to, n_to_ask(job, w));
        for (int i = from; i < end; i++) __builtin_prefetch(w->kept + (size_t)i * LINE_FLOATS, 0, 2);
        return;
    }
    const trine_dtype_info *type = trine_dtype_get(job->w->type);
    const size_t bytes = (size_t)(w->n_cols / type->block) * (size_t)type->block_bytes;
    for (int j = from; j < trine_min_int(to, w->n_rows); j++)
        for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(w->at + (size_t)j * job->row_bytes + at, 0, 2);
}

/* n_rows rows of x from `row` on over one panel: columns from `col` on of y, which is column j of the piece. */
static void pass_over(const trine_linear_job *job, const part *now, const part *next, int col, int row, int n_rows, int k0, int j,
                      float *scratch)
{
    const trine_kernels *kernels = job->kernels;
    /* While the last rows of x pass, W's next rows come from memory: asked for sooner, many would be pushed out by x again. A panel that
     * is kept has more lines, and comes all the while. */
    const int late = now->kept ? 0 : trine_max_int(0, n_rows - ASK_ROWS),
              share = (n_to_ask(job, next) * TRINE_GROUP + n_rows - late - 1) / (n_rows - late);
    const size_t width = (size_t)kernels->group_cols, y_cols = (size_t)job->y.cols;
    const float *bias = job->w->bias ? job->w->bias + col : NULL;
    const bool apart = sums_apart(job), last = k0 + now->n_cols == job->w->cols;
    float *made = scratch + UNPACK_ROWS * SLICE_256, *sums = scratch + panel_floats(job) + (size_t)j * (size_t)n_rows;
    const float *panel = now->kept ? now->kept : made;
    if (!now->kept) make_panel(made, job, now, scratch);
    for (int g = 0, asked = 0; g < n_rows; g += TRINE_GROUP, sums += width * TRINE_GROUP) {
        const int n = trine_min_int(TRINE_GROUP, n_rows - g);
        const float *x = (const float *)job->shared + (size_t)(row + g) * (size_t)job->w->cols + (size_t)k0 * TRINE_GROUP;
        float *y = job->y.data + (size_t)(row + g) * y_cols + (size_t)col;
        if (g >= late) {
            ask_for(job, next, asked, asked + share);
            asked += share;
        }
        kernels->gemm_group(apart ? sums : y, apart ? width : y_cols, x, n, panel, now->n_rows, (size_t)now->n_cols, bias, k0 > 0);
        for (int i = 0; apart && last && i < n; i++)
            memcpy(y + (size_t)i * y_cols, sums + (size_t)i * width, (size_t)now->n_rows * sizeof *y);
    }
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const trine_weight *w = job->w;
    const int width = job->kernels->group_cols, slice = slice_of(job);
    for (int i = 0; i < n_rows; i += X_ROWS)
        for (int k0 = 0; k0 < w->cols; k0 += slice)
            for (int j = 0; j < n; j += width) {
                const part now = part_of(job, first + j, n - j, k0);
                const part next = j + width < n ? part_of(job, first + j + width, n - j - width, k0)
                                                : part_of(job, first, n, k0 + slice < w->cols ? k0 + slice : k0);
                pass_over(job, &now, &next, first + j, row + i, trine_min_int(X_ROWS, n_rows - i), k0, j, scratch);
            }
}

trine_linear_path trine_linear_panels(const trine_linear_job *job)
{
    return (trine_linear_path) {
        .unit = job->kernels->group_cols,
        .most = most_cols(job),
        .cuts_x = true,
        .x_unit = TRINE_GROUP, /* a group of rows belongs to one piece */
        .shared_bytes = shared_bytes,
        .scratch_floats = scratch_floats,
        .prepare = prepare,
        .run = run,
    };
}
