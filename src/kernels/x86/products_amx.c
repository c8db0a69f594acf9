/* products_amx.c - the bf16 product with the tiles of AMX: 32 rows of x by 32 columns of y in four tiles.
 *
 * What limits it is not the products but the loads: a step of depth loads four tiles for four products, and the second cache
 * gives them in about the time that the products take. So the slice of the panel comes from the first cache. Lines are 64 bytes at
 * multiples of 64 throughout: a tile load that splits cache lines takes three times as long. */
#if defined(__x86_64__)
#include "kernels/x86/bf16_x86.h"
#include "kernels/x86/tiles_amx.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Tiles 0 and 1, and 2 and 3 when there are `two` groups of rows, are 16 lines each of 16 of the 32 columns. */
ALWAYS_INLINE void load_sums(const float *from, size_t stride, int two)
{
    const size_t bytes = stride * sizeof(float);
    _tile_loadd(0, from, bytes);
    _tile_loadd(1, from + 16, bytes);
    if (!two) return;
    _tile_loadd(2, from + 16 * stride, bytes);
    _tile_loadd(3, from + 16 * stride + 16, bytes);
}

ALWAYS_INLINE void store_sums(float *to, size_t stride, int two)
{
    const size_t bytes = stride * sizeof(float);
    _tile_stored(0, to, bytes);
    _tile_stored(1, to + 16, bytes);
    if (!two) return;
    _tile_stored(2, to + 16 * stride, bytes);
    _tile_stored(3, to + 16 * stride + 16, bytes);
}

ALWAYS_INLINE void block(const slice *s, int row, int two)
{
    const unsigned char *x0 = rows_of_x(s, row), *x1 = two ? rows_of_x(s, row + TRINE_BF16_GROUP) : x0, *panel = s->panel;
    float *sums = s->sums + (size_t)row * 32;
    load_sums(s->step ? sums : s->bias, s->step ? 32 : 0, two); /* with stride 0 every line is the bias */
    for (int k = 0; k < s->n_steps; k++, x0 += TILE_BYTES, x1 += TILE_BYTES, panel += STEP_BYTES) {
        _tile_loadd(4, x0, ROW_BYTES);
        _tile_loadd(6, panel, ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, panel + TILE_BYTES, ROW_BYTES);
        _tile_dpbf16ps(1, 4, 7);
        ask_for_next(s, row, k);
        if (!two) continue;
        _tile_loadd(5, x1, ROW_BYTES);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    const trine_bf16_product *p = s->p;
    float *y = p->y + (size_t)row * p->y_stride + s->col;
    const bool last = s->step + s->n_steps == s->steps;
    const int n_rows = p->n_rows - row < 32 ? p->n_rows - row : 32;
    if (last && s->n_cols == 32 && n_rows == (two ? 32 : 16)) {
        store_sums(y, p->y_stride, two);
        return;
    }
    store_sums(sums, 32, two);
    TRINE_MEMORY_FENCE();
    if (last)
        for (int i = 0; i < n_rows; i++) memcpy(y + (size_t)i * p->y_stride, sums + 32 * i, (size_t)s->n_cols * sizeof *y);
}

static void all_rows(const slice *s)
{
    const int n = s->p->n_rows;
    int row = 0;
    TRINE_MEMORY_FENCE();
    for (; n - row > TRINE_BF16_GROUP; row += 32) block(s, row, 1);
    if (row < n) block(s, row, 0);
}

static void gemm_amx(const trine_bf16_product *p)
{
    tiles_open();
    gemm_by_slices(p, all_rows);
    _tile_release();
}

void trine_kernels_amx(trine_kernels *k)
{
    k->bf16_round = round_row;
    k->bf16_gemm = gemm_amx;
}
#endif
