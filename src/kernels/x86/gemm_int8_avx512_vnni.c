/* gemm_int8_avx512_vnni.c - products on bytes with vpdpbusd: four products of a byte without sign (W, 128 added) and one with (x), summed
 * into 32 bits, in each of 16 columns.
 *
 * Up to 12 rows of x by 32 columns stay in registers while a group passes: per line of the panel two loads, a broadcast of four
 * bytes for each row and 24 products. A group begins with what takes the 128s back and ends in floats, in memory. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "base/size.h"
#include "kernels/x86/int8_x86.h"

#define TRINE_UNROLL _Pragma("GCC unroll 16")
#define TRINE_INLINE static inline __attribute__((always_inline))

enum { ROWS = 12, LANES = 16, COLS = 2 * LANES, LINE = 4 * COLS };

TRINE_INLINE __m512i four_bytes(const int8_t *p)
{
    int v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

TRINE_INLINE __mmask16 first_lanes(int n) { return n <= 0 ? 0 : n >= LANES ? 0xFFFF : (__mmask16)((1u << n) - 1); }

TRINE_INLINE void tile(float *y, size_t y_stride, const trine_int8_rows *x, int row, int rows, const trine_int8_panel *panel,
                       int n_cols, size_t depth, const float *bias, bool add)
{
    const __mmask16 mask[2] = { first_lanes(n_cols), first_lanes(n_cols - LANES) };
    const int8_t *a = x->bytes + (size_t)row * x->stride;
    const float *x_scale = x->scale + (size_t)row * x->groups;
    const int32_t *x_sum = x->sum + (size_t)row * x->groups;
    const uint8_t *b = panel->bytes;
    const float *w_scale = panel->scale;
    __m512 sum[ROWS][2];
    TRINE_UNROLL for (int i = 0; i < rows; i++) TRINE_UNROLL for (int c = 0; c < 2; c++)
    {
        const float *start = add ? y + (size_t)i * y_stride + c * LANES : bias + c * LANES;
        sum[i][c] = add || bias ? _mm512_maskz_loadu_ps(mask[c], start) : _mm512_setzero_ps();
    }
    for (size_t at = 0; at < depth; at += TRINE_INT8_GROUP, w_scale += COLS, x_scale++, x_sum++) {
        const size_t lines = (depth - at < TRINE_INT8_GROUP ? depth - at : TRINE_INT8_GROUP) / 4;
        __m512i whole[ROWS][2];
        TRINE_UNROLL for (int i = 0; i < rows; i++) whole[i][0] = whole[i][1] = _mm512_set1_epi32(x_sum[(size_t)i * x->groups]);
        for (size_t l = 0; l < lines; l++, a += 4, b += LINE) {
            const __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + LINE / 2);
            TRINE_UNROLL for (int i = 0; i < rows; i++)
            {
                const __m512i four = four_bytes(a + (size_t)i * x->stride);
                whole[i][0] = _mm512_dpbusd_epi32(whole[i][0], b0, four);
                whole[i][1] = _mm512_dpbusd_epi32(whole[i][1], b1, four);
            }
        }
        const __m512 d0 = _mm512_loadu_ps(w_scale), d1 = _mm512_loadu_ps(w_scale + LANES);
        TRINE_UNROLL for (int i = 0; i < rows; i++)
        {
            const __m512 d = _mm512_set1_ps(x_scale[(size_t)i * x->groups]);
            sum[i][0] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(whole[i][0]), d0), d, sum[i][0]);
            sum[i][1] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(whole[i][1]), d1), d, sum[i][1]);
        }
    }
    TRINE_UNROLL for (int i = 0; i < rows; i++) TRINE_UNROLL for (int c = 0; c < 2; c++)
        _mm512_mask_storeu_ps(y + (size_t)i * y_stride + c * LANES, mask[c], sum[i][c]);
}

void trine_gemm_int8_avx512_vnni(float *y, size_t y_stride, const trine_int8_rows *x, int n_rows, const trine_int8_panel *panel,
                                 int n_cols, size_t depth, const float *bias, bool add)
{
    /* Tiles of equal height: a low one at the end would wait for its own sums. */
    const int n_tiles = (n_rows + ROWS - 1) / ROWS;
    for (int t = 0, row = 0; t < n_tiles; t++) {
        const int rows = (n_rows - row) / (n_tiles - t);
        float *out = y + (size_t)row * y_stride;
#define TILE(n)                                                                                                                    \
    case n: tile(out, y_stride, x, row, n, panel, n_cols, depth, bias, add); break;
        switch (rows) {
            TILE(1)
            TILE(2)
            TILE(3)
            TILE(4)
            TILE(5)
            TILE(6)
            TILE(7)
            TILE(8)
            TILE(9)
            TILE(10)
            TILE(11)
        default: tile(out, y_stride, x, row, ROWS, panel, n_cols, depth, bias, add);
        }
#undef TILE
        row += rows;
    }
}
#endif
