/* int8_avx2.c - rows and panels of bytes, 8 rows of W at a time, and their product without integer dot products: |w| times x with w's
 * sign, in pairs that fit 16 bits (2 * 128 * 127 < 2^15), and those pairs added in 32. */
#if defined(__x86_64__)
#include "kernels/x86/int8_x86.h"

#include "kernels/x86/vector_avx2.h"
/* The template. */
#include "kernels/x86/int8_pack_x86.h"

#define INT8_ROWS 4
enum { INT8_OFFSET = 0 };
typedef struct w_bytes {
    vi w, size;
} w_bytes;

TRINE_INLINE w_bytes w_bytes_load(const uint8_t *p)
{
    const vi w = vi_load_bytes(p);
    return (w_bytes) { w, _mm256_abs_epi8(w) };
}

TRINE_INLINE vi w_bytes_dot(vi sum, w_bytes w, vi four)
{
    const vi pairs = _mm256_maddubs_epi16(w.size, _mm256_sign_epi8(four, w.w));
    return vi_add(sum, _mm256_madd_epi16(pairs, vi_set16(1)));
}

/* The other template. */
#include "kernels/x86/int8_gemm_x86.h"

static void gemm_int8_avx2(float *y, size_t y_stride, const trine_int8_rows *x, int n_rows, const trine_int8_panel *panel,
                           int n_cols, size_t depth, const float *bias, bool add)
{
    int8_tiles(y, y_stride, x, n_rows, panel, n_cols, depth, bias, add);
}

void trine_int8_avx2(trine_kernels *k)
{
    register_int8_pack(k);
    k->gemm_int8 = gemm_int8_avx2;
    k->int8_offset = INT8_OFFSET;
}
#endif
