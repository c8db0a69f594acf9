/* dot_x8_register.h - products with rows of x in 8 bits, for the table. */
#ifndef TRINE_KERNELS_DOT_X8_REGISTER_H
#define TRINE_KERNELS_DOT_X8_REGISTER_H

#include "kernels/kernels.h"

void trine_dot_x8_avx2(trine_kernels *k); /* and pack_x8 */
void trine_dot_x8_avx_vnni(trine_kernels *k);
void trine_dot_x8_avx512_vnni(trine_kernels *k);

#endif
