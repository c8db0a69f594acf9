/* pair_amx.c - the products of bf16 attention by the tiles of AMX: two groups of rows by two panels in four of them. */
#if defined(__x86_64__)
#include "kernels/pair_kernels.h"
#include "kernels/x86/tiles_amx.h"

enum { STEP = TRINE_PAIR_STEP, GROUP = TRINE_PAIR_GROUP, COLS = TRINE_PAIR_COLS, TILE = STEP * GROUP, LINE = 64 };

static inline __attribute__((always_inline)) void block(float *y, size_t y_stride, const uint16_t *left, size_t group,
                                                        int two_groups, const uint16_t *right, size_t panel, int two_panels,
                                                        int n_steps, bool add)
{
    const size_t bytes = y_stride * sizeof *y;
    float *below = y + GROUP * y_stride;
    if (add) {
        _tile_loadd(0, y, bytes);
        if (two_panels) _tile_loadd(1, y + COLS, bytes);
        if (two_groups) _tile_loadd(2, below, bytes);
        if (two_groups && two_panels) _tile_loadd(3, below + COLS, bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int s = 0; s < n_steps; s++, left += TILE, right += STEP * COLS) {
        _tile_loadd(4, left, LINE);
        _tile_loadd(6, right, LINE);
        _tile_dpbf16ps(0, 4, 6);
        if (two_panels) {
            _tile_loadd(7, right + panel, LINE);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_groups) {
            _tile_loadd(5, left + group, LINE);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (two_groups && two_panels) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, y, bytes);
    if (two_panels) _tile_stored(1, y + COLS, bytes);
    if (two_groups) _tile_stored(2, below, bytes);
    if (two_groups && two_panels) _tile_stored(3, below + COLS, bytes);
}

/* Two groups of at most two steps stay in four tiles while all panels pass: scores, whose sums are short. */
static void short_sums(float *y, size_t y_stride, const uint16_t *left, size_t group, const uint16_t *right, size_t panel,
                       int n_panels, int n_steps)
{
    const size_t bytes = y_stride * sizeof *y;
    const uint16_t *below = left + group;
    _tile_loadd(4, left, LINE);
    _tile_loadd(5, below, LINE);
    if (n_steps == 2) {
        _tile_loadd(6, left + TILE, LINE);
        _tile_loadd(7, below + TILE, LINE);
    }
    for (int j = 0; j < n_panels; j++, y += COLS, right += panel) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_loadd(2, right, LINE);
        _tile_dpbf16ps(0, 4, 2);
        _tile_dpbf16ps(1, 5, 2);
        if (n_steps == 2) {
            _tile_loadd(3, right + STEP * COLS, LINE);
            _tile_dpbf16ps(0, 6, 3);
            _tile_dpbf16ps(1, 7, 3);
        }
        _tile_stored(0, y, bytes);
        _tile_stored(1, y + GROUP * y_stride, bytes);
    }
}

static void gemm(float *y, size_t y_stride, const uint16_t *left, size_t group, int n_rows, const uint16_t *right, size_t panel,
                 int n_panels, int n_steps, bool add)
{
    TRINE_MEMORY_FENCE();
    const bool is_short = n_rows > GROUP && n_steps <= 2 && !add;
    if (is_short) short_sums(y, y_stride, left, group, right, panel, n_panels, n_steps);
    for (int j = 0; j < n_panels && !is_short; j += 2, y += 2 * COLS, right += 2 * panel) {
        const bool two = n_panels - j >= 2;
        if (n_rows > GROUP && two)
            block(y, y_stride, left, group, 1, right, panel, 1, n_steps, add);
        else if (n_rows > GROUP)
            block(y, y_stride, left, group, 1, right, panel, 0, n_steps, add);
        else if (two)
            block(y, y_stride, left, group, 0, right, panel, 1, n_steps, add);
        else
            block(y, y_stride, left, group, 0, right, panel, 0, n_steps, add);
    }
    TRINE_MEMORY_FENCE();
}

static void close_tiles(void) { _tile_release(); } /* a thread that holds no tiles has a smaller state to switch */

void trine_pair_kernels_amx(trine_pair_kernels *k)
{
    k->begin = tiles_open;
    k->end = close_tiles;
    k->gemm = gemm;
}
#endif
