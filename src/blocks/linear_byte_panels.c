/* linear_byte_panels.c - a block of rows of W as panels, and rows of x over them. A sum runs over parts of depth in order, whichever
 * thread computes it. */
#include "blocks/linear_byte_panels.h"

#include "base/size.h"

enum { X_ROWS = 24 }; /* rows of x that pass over all panels of a block before the next do */

static trine_byte_panels panels_of(const trine_linear_job *job)
{
    return job->kernels->levels.pack[job->w->type] ? trine_level_panels(job) : trine_integer_panels(job);
}

static size_t scratch_floats(const trine_linear_job *job)
{
    const trine_byte_panels panels = panels_of(job);
    return panels.panel_floats * (size_t)(TRINE_BYTE_COLS / panels.width);
}

/* Columns [first, first + n) of y, rows [row, row + n_rows): what the part adds to them. */
static void add_part(const trine_byte_panels *panels, const trine_linear_job *job, int first, int n, int row, int n_rows,
                     trine_byte_part part, float *scratch)
{
    const int width = panels->width;
    for (int j = 0; j < n; j += width)
        panels->pack(job, scratch + (size_t)(j / width) * panels->panel_floats, first + j, trine_min_int(width, n - j), part);
    /* Rows of x outside, panels inside: a few rows of x stay in the first cache while the panels of the block pass. */
    for (int i = row; i < row + n_rows; i += X_ROWS)
        for (int j = 0; j < n; j += width)
            panels->multiply(job, scratch + (size_t)(j / width) * panels->panel_floats, first + j, trine_min_int(width, n - j), i,
                             trine_min_int(X_ROWS, row + n_rows - i), part);
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    /* When all rows pass over a panel at once, it goes no further than the first cache. */
    const trine_byte_panels panels = panels_of(job);
    const int step = n_rows <= X_ROWS ? panels.width : n, cols = job->w->cols;
    for (int j = 0; j < n; j += step)
        for (int k0 = 0; k0 < cols; k0 += TRINE_BYTE_DEPTH)
            add_part(&panels, job, first + j, trine_min_int(step, n - j), row, n_rows,
                     (trine_byte_part) { k0, trine_min_int(TRINE_BYTE_DEPTH, cols - k0) }, scratch);
}

trine_linear_path trine_linear_bytes(const trine_linear_job *job)
{
    const trine_byte_panels panels = panels_of(job);
    return (trine_linear_path) {
        .unit = panels.width,
        .most = TRINE_BYTE_COLS / panels.width * panels.width,
        .cuts_x = true,
        .shared_bytes = panels.shared_bytes,
        .scratch_floats = scratch_floats,
        .prepare = panels.prepare,
        .run = run,
    };
}
