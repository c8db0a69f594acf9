/* kernels_avx512.c - the kernels 16 floats wide: AVX-512 F, BW, DQ and VL. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"
/* The templates, in the order in which they use each other. */
#include "kernels/x86/rows_x86.h"
#include "kernels/x86/unpack_x86.h"

#include "kernels/x86/products_x86.h"
#include "kernels/x86/register_x86.h"

void trine_kernels_avx512(trine_kernels *k) { register_all(k); }
#endif
