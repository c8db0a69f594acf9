/* block_formats.h - the packers and unpackers behind the table of dtype.c. Layouts and rounding are those of GGUF's
 * reference (ggml-quants.c): a block is scales in f16, then integers, lower nibbles first. */
#ifndef TRINE_QUANT_BLOCK_FORMATS_H
#define TRINE_QUANT_BLOCK_FORMATS_H

#include <stddef.h>

typedef void trine_unpack_fn(float *out, const void *in, size_t n);
typedef void trine_pack_fn(void *out, const float *in, size_t n);

/* float16.c */
trine_unpack_fn trine_unpack_f32, trine_unpack_f16, trine_unpack_bf16;
trine_pack_fn trine_pack_f32, trine_pack_f16, trine_pack_bf16;
/* block_32.c */
trine_unpack_fn trine_unpack_q8_0, trine_unpack_q4_0, trine_unpack_q4_1, trine_unpack_q5_0, trine_unpack_q5_1;
trine_pack_fn trine_pack_q8_0, trine_pack_q4_0, trine_pack_q4_1, trine_pack_q5_0, trine_pack_q5_1;
/* fit_32.c */
trine_pack_fn trine_fit_q8_0, trine_fit_q4_0, trine_fit_q4_1, trine_fit_q5_0, trine_fit_q5_1;
/* block_256.c, fit_256.c */
trine_unpack_fn trine_unpack_q4_k, trine_unpack_q5_k, trine_unpack_q6_k;
trine_pack_fn trine_pack_q4_k, trine_pack_q5_k, trine_pack_q6_k;

#endif
