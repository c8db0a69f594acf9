/* float16.c - IEEE half and bfloat16, to and from f32, in integers: the same answer on every machine. */
#include <string.h>

#include "quant/block_formats.h"
#include "quant/quant.h"

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

float trine_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 0x1F, mantissa = h & 0x3FF;
    if (exponent == 31) return float_of(sign | 0x7F800000 | mantissa << 13);                      /* infinity, NaN */
    if (exponent == 0) return float_of(sign | bits_of((float)mantissa * 5.9604644775390625e-8f)); /* subnormal: units of 2^-24 */
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);                              /* bias 15 becomes 127 */
}

uint16_t trine_f32_to_f16(float f)
{
    const uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, magnitude = u & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF)); /* NaN stays a (quiet) NaN */
    if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);                            /* 65520 and up round to infinity */
    if (magnitude < 0x38800000) {
        /* Below 2^-14 the result counts units of 2^-24; adding 0.5 puts that unit into the last bit of an f32, so the
         * addition itself rounds to nearest even. */
        const float shifted = float_of(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3F000000));
    }
    /* Half of the dropped 13 bits' range, less one when the kept part is even: nearest, ties to even. */
    const uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | ((rounded >> 13) - (112u << 10)));
}

uint16_t trine_f32_to_bf16(float f)
{
    const uint32_t u = bits_of(f);
    if ((u & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

void trine_unpack_f32(float *out, const void *in, size_t n) { memcpy(out, in, n * sizeof *out); }
void trine_pack_f32(void *out, const float *in, size_t n) { memcpy(out, in, n * sizeof *in); }

/* Data in files may have any alignment, hence memcpy. */
void trine_unpack_f16(float *out, const void *in, size_t n)
{
    const unsigned char *from = in;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + 2 * i, sizeof h);
        out[i] = trine_f16_to_f32(h);
    }
}

void trine_pack_f16(void *out, const float *in, size_t n)
{
    unsigned char *to = out;
    for (size_t i = 0; i < n; i++) {
        const uint16_t h = trine_f32_to_f16(in[i]);
        memcpy(to + 2 * i, &h, sizeof h);
    }
}

void trine_unpack_bf16(float *out, const void *in, size_t n)
{
    const unsigned char *from = in;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + 2 * i, sizeof h);
        out[i] = trine_bf16_to_f32(h);
    }
}

void trine_pack_bf16(void *out, const float *in, size_t n)
{
    unsigned char *to = out;
    for (size_t i = 0; i < n; i++) {
        const uint16_t h = trine_f32_to_bf16(in[i]);
        memcpy(to + 2 * i, &h, sizeof h);
    }
}
