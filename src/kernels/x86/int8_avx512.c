/* int8_avx512.c - rows and panels of bytes, 16 rows of W at a time: for the integer dot products of VNNI. */
#if defined(__x86_64__)
#include "kernels/x86/int8_x86.h"

#include "kernels/x86/vector_avx512.h"
/* The template. */
#include "kernels/x86/int8_pack_x86.h"

void trine_int8_pack_avx512(trine_kernels *k) { register_int8_pack(k); }
#endif
