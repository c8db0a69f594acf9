/* quant.h - the element types: how many bytes, how a block is laid out, to and from f32.
 * Block layouts are GGUF's (ggml-common.h). One entry a type. */
#ifndef TRINE_QUANT_QUANT_H
#define TRINE_QUANT_QUANT_H

#include <string.h>

#include "trine/basics.h"

typedef struct trine_dtype_info {
    const char *name;        /* "q4_k" */
    const char *safetensors; /* "BF16", or NULL when safetensors has no such type */
    int gguf;                /* GGUF's type number, or -1 */
    int block;               /* elements a block; 1 for plain types */
    int block_bytes;
    bool computes; /* can be a weight */
    /* f32 from n elements and back (n a multiple of `block`); scalar, the definition of correct. NULL when it cannot. */
    void (*unpack)(float *out, const void *in, size_t n);
    void (*pack)(void *out, const float *in, size_t n);
    /* The same for weights: searches for the scales that make the values' errors cost least, at hundreds of times the work. For types
     * without a plainer way `pack` is this. */
    void (*fit)(void *out, const float *in, size_t n);
} trine_dtype_info;

/* Facts of a type, or NULL for a number that is none. */
const trine_dtype_info *trine_dtype_get(trine_dtype type);
/* Bytes of n elements; false on overflow or when n is not a multiple of the block. */
bool trine_dtype_bytes(size_t *out, trine_dtype type, size_t n);
trine_dtype trine_dtype_from_safetensors(const char *name); /* 0 when unknown */
trine_dtype trine_dtype_from_gguf(int number);              /* 0 when unknown */

float trine_f16_to_f32(uint16_t h);
static inline float trine_f16_at(const unsigned char *p) /* at any alignment */
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return trine_f16_to_f32(h);
}
uint16_t trine_f32_to_f16(float f); /* round to nearest even */
static inline float trine_bf16_to_f32(uint16_t h)
{
    union {
        uint32_t u;
        float f;
    } v = { (uint32_t)h << 16 };
    return v.f;
}
uint16_t trine_f32_to_bf16(float f); /* round to nearest even, NaN stays NaN */

#endif
