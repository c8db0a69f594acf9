/* gemm_int8_avx512_vnni.c - products on bytes with vpdpbusd, 16 columns wide: W without sign (128 added), x with it. */
#if defined(__x86_64__)
#include "kernels/x86/int8_x86.h"

#include "kernels/x86/vector_avx512.h"

#define INT8_ROWS 6 /* 12 sums in integers and the 12 in floats they end in: both stay in registers */
enum { INT8_OFFSET = 128 };
typedef __m512i w_bytes;

static inline w_bytes w_bytes_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
/* vpdpbusd by its name: of the intrinsic GCC 12 makes copies of the sums, half of them in memory, and runs at a third of the speed. */
static inline vi w_bytes_dot(vi sum, w_bytes w, vi four)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(four));
    return sum;
}

/* The template. */
#include "kernels/x86/int8_gemm_x86.h"

void trine_gemm_int8_avx512_vnni(float *y, size_t y_stride, const trine_int8_rows *x, int n_rows, const trine_int8_panel *panel,
                                 int n_cols, size_t depth, const float *bias, bool add)
{
    int8_tiles(y, y_stride, x, n_rows, panel, n_cols, depth, bias, add);
}
#endif
