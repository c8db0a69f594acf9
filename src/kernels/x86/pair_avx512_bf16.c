/* pair_avx512_bf16.c - bf16 attention by vectors: the product with vdpbf16ps, the packing and the softmax. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/pair_kernels.h"
#include "kernels/x86/transpose_avx512.h"
#include "kernels/x86/unrolled.h"

enum { STEP = TRINE_PAIR_STEP, GROUP = TRINE_PAIR_GROUP, COLS = TRINE_PAIR_COLS, TILE = STEP * GROUP, LANES = 16 };

TRINE_INLINE __mmask16 first_lanes(size_t n) { return n >= LANES ? 0xFFFF : (__mmask16)((1u << n) - 1); }
TRINE_INLINE __m512i two_of(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

/* ---- the product ---- */

/* 8 rows of a group by two panels (or one): 16 sums. */
TRINE_INLINE void rows_by_panels(float *y, size_t y_stride, const uint16_t *left, const uint16_t *right, size_t panel, int n_panels,
                                 int n_steps, bool add)
{
    __m512 sums[8][2];
    TRINE_UNROLL for (size_t i = 0; i < 8; i++) TRINE_UNROLL for (int j = 0; j < n_panels; j++) sums[i][j] =
        add ? _mm512_loadu_ps(y + i * y_stride + (size_t)j * COLS) : _mm512_setzero_ps();
    for (int s = 0; s < n_steps; s++, left += TILE, right += STEP * COLS)
        for (size_t pair = 0; pair < STEP / 2; pair++) {
            __m512bh b[2];
            TRINE_UNROLL for (int j = 0; j < n_panels; j++) b[j] =
                (__m512bh)_mm512_loadu_si512(right + (size_t)j * panel + pair * 2 * COLS);
            TRINE_UNROLL for (size_t i = 0; i < 8; i++)
            {
                int two;
                memcpy(&two, left + i * STEP + 2 * pair, sizeof two);
                const __m512bh a = (__m512bh)_mm512_set1_epi32(two);
                TRINE_UNROLL for (int j = 0; j < n_panels; j++) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], a, b[j]);
            }
        }
    TRINE_UNROLL for (size_t i = 0; i < 8; i++) TRINE_UNROLL for (int j = 0; j < n_panels; j++)
        _mm512_storeu_ps(y + i * y_stride + (size_t)j * COLS, sums[i][j]);
}

static void gemm(float *y, size_t y_stride, const uint16_t *left, size_t group, int n_rows, const uint16_t *right, size_t panel,
                 int n_panels, int n_steps, bool add)
{
    for (int j = 0; j < n_panels; j += 2)
        for (int i = 0; i < n_rows; i += 8) {
            const uint16_t *from = left + (size_t)(i / GROUP) * group + (size_t)(i % GROUP) * STEP;
            float *to = y + (size_t)i * y_stride + (size_t)j * COLS;
            if (n_panels - j >= 2)
                rows_by_panels(to, y_stride, from, right + (size_t)j * panel, panel, 2, n_steps, add);
            else
                rows_by_panels(to, y_stride, from, right + (size_t)j * panel, panel, 1, n_steps, add);
        }
}

/* ---- packing ---- */

static void left(uint16_t *out, size_t group, int row, const float *x, float factor, size_t n)
{
    const __m512 f = _mm512_set1_ps(factor);
    uint16_t *to = out + (size_t)(row / GROUP) * group + (size_t)(row % GROUP) * STEP;
    for (size_t k = 0; k < n; k += STEP, to += TILE) {
        const __m512 low = _mm512_maskz_loadu_ps(first_lanes(n - k), x + k);
        const size_t rest = n - k > LANES ? n - k - LANES : 0;
        const __m512 high = rest ? _mm512_maskz_loadu_ps(first_lanes(rest), x + k + LANES) : _mm512_setzero_ps();
        _mm512_storeu_si512(to, two_of(_mm512_mul_ps(low, f), _mm512_mul_ps(high, f)));
    }
}

/* Elements 0 and 16, 1 and 17, ... of a vector side by side: pairs. */
TRINE_INLINE __m512i pairs_of(__m512i two)
{
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
                                           19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(pairs, two);
}

static void left_turned(uint16_t *out, const float *in, size_t stride, int n_rows, size_t n)
{
    uint32_t columns[STEP / 2][GROUP] __attribute__((aligned(64)));
    const __mmask16 rows = first_lanes((size_t)n_rows);
    for (size_t k = 0; k < n; k += STEP, out += TILE) {
        for (size_t pair = 0; pair < STEP / 2; pair++) {
            const size_t at = k + 2 * pair;
            const __m512 first = at < n ? _mm512_maskz_loadu_ps(rows, in + at * stride) : _mm512_setzero_ps();
            const __m512 second = at + 1 < n ? _mm512_maskz_loadu_ps(rows, in + (at + 1) * stride) : _mm512_setzero_ps();
            _mm512_store_si512(columns[pair], pairs_of(two_of(first, second)));
        }
        transpose_16x16(out, sizeof *columns, columns, sizeof *columns);
    }
}

static void right(uint16_t *out, size_t panel, const float *in, size_t stride, const float *less, int n_rows, int rows, int n_cols)
{
    for (int k = 0; k < rows; k += 2, out += 2 * COLS) {
        uint16_t *to = out;
        const __m512 less_first = _mm512_set1_ps(less && k < n_rows ? less[k] : 0);
        const __m512 less_second = _mm512_set1_ps(less && k + 1 < n_rows ? less[k + 1] : 0);
        for (int j = 0; j < n_cols; j += COLS, to += panel) {
            const __mmask16 lanes = first_lanes((size_t)(n_cols - j));
            const float *at = in + (size_t)k * stride + (size_t)j;
            const __mmask16 here = k < n_rows ? lanes : 0, next = k + 1 < n_rows ? lanes : 0;
            const __m512 first = _mm512_maskz_sub_ps(here, _mm512_maskz_loadu_ps(here, at), less_first);
            const __m512 second = _mm512_maskz_sub_ps(next, _mm512_maskz_loadu_ps(next, at + stride), less_second);
            _mm512_storeu_si512(to, pairs_of(two_of(first, second)));
        }
    }
}

static void right_bf16(uint16_t *out, size_t panel, const uint16_t *in, size_t stride, int n_rows, int rows, int n_cols)
{
    for (int k = 0; k < rows; k += 2, out += 2 * COLS) {
        uint16_t *to = out;
        for (int j = 0; j < n_cols; j += COLS, to += panel) {
            const __mmask16 lanes = first_lanes((size_t)(n_cols - j));
            const uint16_t *at = in + (size_t)k * stride + (size_t)j;
            const __m256i first = _mm256_maskz_loadu_epi16(k < n_rows ? lanes : 0, at);
            const __m256i second = _mm256_maskz_loadu_epi16(k + 1 < n_rows ? lanes : 0, at + stride);
            _mm512_storeu_si512(to, pairs_of(_mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1)));
        }
    }
}

/* ---- softmax ---- */

/* 2^t to 2^-13.7 of itself, where half a step of bf16 is 2^-8: r in [0, 1) is what t has after its whole part, and the polynomial
 * the best of degree 3 there. 2^-INFINITY is 0. */
TRINE_INLINE __m512 exp2_about(__m512 t)
{
    const __m512 r = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.078024514f), r, _mm512_set1_ps(0.226067171f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.695833564f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999925196f));
    return _mm512_scalef_ps(p, t);
}

/* Maxima first, for they are long chains that the next rows' work overlaps. */
static void soften(uint16_t *out, size_t group, const float *scores, size_t stride, int n_rows, int n, float *max, float *sum,
                   float *fade)
{
    enum { FAR = 8 };
    const float to_2 = 1.44269504088896341f;
    const size_t all = (size_t)n;
    for (int r = 0; r < n_rows; r++) {
        const float *row = scores + (size_t)r * stride;
        __m512 most = _mm512_set1_ps(-INFINITY);
        size_t k = 0;
        for (; k + LANES <= all; k += LANES) most = _mm512_max_ps(_mm512_loadu_ps(row + k), most);
        if (k < all)
            most = _mm512_mask_max_ps(most, first_lanes(all - k), _mm512_maskz_loadu_ps(first_lanes(all - k), row + k), most);
        const float seen = _mm512_reduce_max_ps(most), old = max[r];
        fade[r] = 1;
        if (seen > old + FAR || old == -INFINITY) {
            max[r] = seen;
            if (old != -INFINITY) fade[r] = expf(old - seen);
        }
    }
    for (int r = 0; r < n_rows; r++) {
        const float *row = scores + (size_t)r * stride;
        uint16_t *to = out + (size_t)(r / GROUP) * group + (size_t)(r % GROUP) * STEP;
        const __m512 least = _mm512_set1_ps(max[r] == -INFINITY ? 0 : -max[r] * to_2), factor = _mm512_set1_ps(to_2);
        __m512 total = _mm512_setzero_ps();
        for (size_t k = 0; k < all; k += STEP, to += TILE) {
            __m512 e[2];
            TRINE_UNROLL for (size_t i = 0; i < 2; i++)
            {
                const size_t at = k + i * LANES, here = at < all ? all - at : 0;
                const __mmask16 lanes = first_lanes(here);
                const __m512 t = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, row + at), factor, least);
                e[i] = _mm512_maskz_mov_ps(lanes, exp2_about(t));
                total = _mm512_add_ps(total, e[i]);
            }
            _mm512_storeu_si512(to, two_of(e[0], e[1]));
        }
        sum[r] = sum[r] * fade[r] + _mm512_reduce_add_ps(total);
    }
}

static void nothing(void) {}

void trine_pair_kernels_avx512_bf16(trine_pair_kernels *k)
{
    *k = (trine_pair_kernels) { nothing, nothing, gemm, left, left_turned, right, right_bf16, soften };
}
#endif
