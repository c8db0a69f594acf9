/* products_avx512_bf16.c - the bf16 product with vdpbf16ps: 8 rows of x by two vectors of columns in registers, and a pair of
 * neighbours in depth at a time. */
#if defined(__x86_64__)
#include "kernels/x86/bf16_x86.h"

enum { ROWS = 8 };

/* n (a constant where this is inlined) rows from `row` on, all of one group. */
static inline __attribute__((always_inline)) void some_rows(const slice *s, int row, int n)
{
    const bool first = s->step == 0, last = s->step + s->n_steps == s->steps;
    __m512 sums[ROWS][2];
    TRINE_UNROLL for (int i = 0; i < n; i++)
    {
        const float *start = first ? s->bias : s->sums + (size_t)(row + i) * 32;
        sums[i][0] = _mm512_loadu_ps(start);
        sums[i][1] = _mm512_loadu_ps(start + 16);
    }
    const unsigned char *x = rows_of_x(s, row), *panel = s->panel;
    for (int step = 0; step < s->n_steps; step++, x += TILE_BYTES, panel += STEP_BYTES) {
        if (row % 32 == 0) ask_for_next(s, row, step);
        for (int pair = 0; pair < TILE_LINES; pair++) {
            const __m512bh b0 = (__m512bh)_mm512_loadu_si512(panel + pair * ROW_BYTES);
            const __m512bh b1 = (__m512bh)_mm512_loadu_si512(panel + TILE_BYTES + pair * ROW_BYTES);
            TRINE_UNROLL for (int i = 0; i < n; i++)
            {
                int two;
                memcpy(&two, x + i * ROW_BYTES + 4 * pair, sizeof two);
                const __m512bh a = (__m512bh)_mm512_set1_epi32(two);
                sums[i][0] = _mm512_dpbf16_ps(sums[i][0], a, b0);
                sums[i][1] = _mm512_dpbf16_ps(sums[i][1], a, b1);
            }
        }
    }
    const uint32_t cols = last && s->n_cols < 32 ? (1u << s->n_cols) - 1 : UINT32_MAX;
    TRINE_UNROLL for (int i = 0; i < n; i++)
    {
        float *to = last ? s->p->y + (size_t)(row + i) * s->p->y_stride + s->col : s->sums + (size_t)(row + i) * 32;
        _mm512_mask_storeu_ps(to, (__mmask16)cols, sums[i][0]);
        if (cols >> 16) _mm512_mask_storeu_ps(to + 16, (__mmask16)(cols >> 16), sums[i][1]);
    }
}

static void all_rows(const slice *s)
{
    int row = 0;
    for (; row + ROWS <= s->p->n_rows; row += ROWS) some_rows(s, row, ROWS);
    for (; row + 2 <= s->p->n_rows; row += 2) some_rows(s, row, 2);
    if (row < s->p->n_rows) some_rows(s, row, 1);
}

static void gemm_avx512_bf16(const trine_bf16_product *p) { gemm_by_slices(p, all_rows); }

void trine_kernels_avx512_bf16(trine_kernels *k)
{
    k->bf16_round = round_row;
    k->bf16_gemm = gemm_avx512_bf16;
}
#endif
