/* kernels_avx2.c - the kernels 8 floats wide: AVX2, FMA and F16C. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"
/* The templates, in the order in which they use each other. */
#include "kernels/x86/rows_x86.h"
#include "kernels/x86/unpack_x86.h"

#include "kernels/x86/grad_x86.h"

#include "kernels/x86/int8_x86.h"
#include "kernels/x86/products_x86.h"

#include "kernels/x86/gemm_group_x86.h"
#include "kernels/x86/transpose_x86.h"

#include "kernels/x86/gemm_strip_x86.h"
#include "kernels/x86/register_x86.h"

#include "kernels/x86/dot_x8_register.h"

void trine_kernels_avx2(trine_kernels *k)
{
    register_all(k);
    trine_dot_x8_avx2(k);
    k->transpose = transpose_by_8;
    trine_int8_avx2(k);
}
#endif
