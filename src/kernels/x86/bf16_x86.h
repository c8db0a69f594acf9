/* bf16_x86.h - template: the bf16 product but for its innermost loop. For files compiled with AVX512_BF16; before they include
 * it they declare what computes a block of y.
 *
 *     for each slice of depth, 256 or less: all rows of x have their slice in the second cache
 *         for each 32 columns of y (rows of W), a panel
 *             the slice of the panel is packed: 16 KiB, in the first cache while all rows of x pass
 *             for each block of rows: y or sums += x times the slice
 *
 * Between slices sums wait in f32, a panel's together, in the second cache as well: in y, whose rows may lie a power of two apart,
 * they would push each other out. A sum's order is that of depth from the bias on, however depth is cut.
 *
 * Packing transposes W in units of two elements, 32 bits: a tile of 16 rows by 32 elements becomes 16 lines of 64 bytes. */
#ifndef TRINE_KERNELS_BF16_X86_H
#define TRINE_KERNELS_BF16_X86_H

#include <immintrin.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/x86/transpose_avx512.h"

enum { TILE_BYTES = 1024, STEP_BYTES = 2 * TILE_BYTES, ROW_BYTES = 64, TILE_LINES = 16 };

/* A tile that lacks rows or elements; those are zeros. */
static void pack_part_of_tile(unsigned char *out, const unsigned char *in, size_t stride, int n_rows, size_t bytes)
{
    unsigned char whole[TILE_LINES * ROW_BYTES] = { 0 };
    for (int i = 0; i < n_rows; i++) memcpy(whole + i * ROW_BYTES, in + (size_t)i * stride, bytes);
    transpose_16x16(out, ROW_BYTES, whole, ROW_BYTES);
}

/* One block of the work: columns [col, col + n_cols) of y, steps [step, step + n_steps) of depth. */
typedef struct slice {
    const trine_bf16_product *p;
    unsigned char *panel; /* [n_steps][2][16 pairs][16 columns][2] */
    float *sums;          /* of the slices before, 32 a row, in the panel's place */
    int col, n_cols, step, n_steps, steps;
    const float *bias;         /* 32 of them, zeros where there is none */
    const unsigned char *next; /* where the next slice's rows of W begin */
    int share;                 /* of these rows, how many each 32 rows of x ask for */
} slice;

/* Asks for step k of the next slice, a share of its rows with each 32 rows of x, so that W comes while products are computed. What
 * lies past the end of W is asked for in vain. */
static inline void ask_for_next(const slice *s, int row, int k)
{
    const int from = row / 32 * s->share, to = from + s->share < 32 ? from + s->share : 32;
    const unsigned char *at = s->next + (size_t)from * s->p->w_stride + (size_t)k * ROW_BYTES;
    for (int i = from; i < to; i++, at += s->p->w_stride) _mm_prefetch((const char *)at, _MM_HINT_T1);
}

static inline const unsigned char *rows_of_x(const slice *s, int row)
{
    return (const unsigned char *)s->p->x + ((size_t)(row / TRINE_BF16_GROUP) * (size_t)s->steps + (size_t)s->step) * TILE_BYTES +
           (size_t)(row % TRINE_BF16_GROUP) * ROW_BYTES;
}

static void pack_slice(const slice *s)
{
    const trine_bf16_product *p = s->p;
    for (int half = 0; half < 2; half++) {
        const int first = half * TILE_LINES, n_rows = s->n_cols - first < TILE_LINES ? s->n_cols - first : TILE_LINES;
        const unsigned char *in = p->w + (size_t)(s->col + first) * p->w_stride;
        for (int k = 0; k < s->n_steps; k++) {
            const int left = p->depth - (s->step + k) * TRINE_BF16_STEP;
            const unsigned char *from = in + (size_t)(s->step + k) * ROW_BYTES;
            unsigned char *to = s->panel + k * STEP_BYTES + half * TILE_BYTES;
            if (n_rows == TILE_LINES && left >= TRINE_BF16_STEP)
                transpose_16x16(to, ROW_BYTES, from, p->w_stride);
            else
                pack_part_of_tile(to, from, p->w_stride, n_rows, left < TRINE_BF16_STEP ? 2 * (size_t)left : ROW_BYTES);
        }
    }
}

static void gemm_by_slices(const trine_bf16_product *p, void all_rows(const slice *))
{
    enum { MOST = 256 / TRINE_BF16_STEP, PANEL = 32 };
    float bias[PANEL] __attribute__((aligned(64)));
    slice s = { .p = p, .panel = (unsigned char *)p->scratch, .bias = bias };
    const int n_blocks = (p->n_rows + 31) / 32;
    s.share = n_blocks ? (32 + n_blocks - 1) / n_blocks : 0;
    s.steps = (p->depth + TRINE_BF16_STEP - 1) / TRINE_BF16_STEP;
    const int n_slices = (s.steps + MOST - 1) / MOST, length = n_slices ? (s.steps + n_slices - 1) / n_slices : 1;
    for (s.step = 0; s.step < s.steps; s.step += length) {
        s.n_steps = s.steps - s.step < length ? s.steps - s.step : length;
        s.sums = p->scratch + PANEL * 256 / 2;
        for (s.col = 0; s.col < p->n_cols; s.col += PANEL, s.sums += (size_t)n_blocks * 32 * PANEL) {
            s.n_cols = p->n_cols - s.col < PANEL ? p->n_cols - s.col : PANEL;
            memset(bias, 0, sizeof bias);
            if (p->bias) memcpy(bias, p->bias + s.col, (size_t)s.n_cols * sizeof *bias);
            const bool ends = s.col + PANEL >= p->n_cols;
            s.next = p->w + (ends ? 0 : (size_t)(s.col + PANEL) * p->w_stride) + (size_t)(s.step + (ends ? length : 0)) * ROW_BYTES;
            pack_slice(&s);
            all_rows(&s);
        }
    }
}

static void round_row(uint16_t *out, const float *x, size_t n)
{
    size_t k = 0;
    for (; k + TRINE_BF16_STEP <= n; k += TRINE_BF16_STEP, out += TILE_BYTES / 2)
        _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + k + 16), _mm512_loadu_ps(x + k)));
    if (k == n) return;
    const uint32_t left = (1u << (n - k)) - 1;
    const __m512 low = _mm512_maskz_loadu_ps((__mmask16)left, x + k);
    const __m512 high = left >> 16 ? _mm512_maskz_loadu_ps((__mmask16)(left >> 16), x + k + 16) : _mm512_setzero_ps();
    _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

#endif
