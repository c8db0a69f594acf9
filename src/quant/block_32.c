/* block_32.c - formats of 32 elements a block.
 *
 *     q8_0  d f16, 32 x int8                             34 bytes   x = d q
 *     q4_0  d f16, 16 bytes of nibbles                   18 bytes   x = d (q - 8)
 *     q4_1  d f16, m f16, 16 bytes of nibbles            20 bytes   x = d q + m
 *     q5_0  d f16, 32 fifth bits, 16 bytes of nibbles    22 bytes   x = d (q - 16)
 *     q5_1  d f16, m f16, 32 fifth bits, 16 of nibbles   24 bytes   x = d q + m
 *
 * Byte j of the nibbles holds element j in its low half and element j + 16 in its high half. The scale that divides is the
 * f32 one, the scale that is stored is its f16: so says the reference, and files must agree bit by bit. */
#include <math.h>
#include <string.h>

#include "quant/block_formats.h"
#include "quant/quant.h"

enum { BLOCK = 32, HALF = BLOCK / 2 };

static void put_f16(unsigned char *p, float f)
{
    const uint16_t h = trine_f32_to_f16(f);
    memcpy(p, &h, sizeof h);
}

/* The integer part of x, kept in [0, high]; what is not a number gives 0. */
static unsigned to_level(float x, unsigned high)
{
    if (!(x > 0)) return 0;
    return x >= (float)high ? high : (unsigned)x;
}

void trine_unpack_q8_0(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += BLOCK, b += 34) {
        const float d = trine_f16_at(b);
        for (int j = 0; j < BLOCK; j++) out[i + j] = d * (float)(int8_t)b[2 + j];
    }
}

void trine_pack_q8_0(void *out, const float *in, size_t n)
{
    unsigned char *b = out;
    for (size_t i = 0; i < n; i += BLOCK, b += 34) {
        float most = 0;
        for (int j = 0; j < BLOCK; j++) most = fmaxf(most, fabsf(in[i + j]));
        const float d = most / 127, inverse = d != 0 ? 1 / d : 0;
        put_f16(b, d);
        for (int j = 0; j < BLOCK; j++) {
            const float q = roundf(in[i + j] * inverse);
            b[2 + j] = (unsigned char)(int8_t)(q >= 127 ? 127 : q <= -127 ? -127 : q == q ? (int)q : 0);
        }
    }
}

/* Nibbles, and fifth bits where high != NULL, as levels of all 32 elements. */
static void get_levels(unsigned levels[BLOCK], const unsigned char *nibbles, const unsigned char *high)
{
    uint32_t fifth = 0;
    if (high) memcpy(&fifth, high, sizeof fifth);
    for (int j = 0; j < HALF; j++) {
        levels[j] = (nibbles[j] & 0xFu) | (fifth >> j & 1) << 4;
        levels[j + HALF] = (unsigned)(nibbles[j] >> 4) | (fifth >> (j + HALF) & 1) << 4;
    }
}

static void put_levels(const unsigned levels[BLOCK], unsigned char *nibbles, unsigned char *high)
{
    uint32_t fifth = 0;
    for (int j = 0; j < HALF; j++) nibbles[j] = (unsigned char)((levels[j] & 0xF) | (levels[j + HALF] & 0xF) << 4);
    for (int j = 0; j < BLOCK; j++) fifth |= (uint32_t)(levels[j] >> 4 & 1) << j;
    if (high) memcpy(high, &fifth, sizeof fifth);
}

/* x = d (q - zero): q4_0 and q5_0. */
static void unpack_symmetric(float *out, const unsigned char *b, size_t n, int zero, bool fifth, size_t block_bytes)
{
    unsigned levels[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK, b += block_bytes) {
        const float d = trine_f16_at(b);
        get_levels(levels, b + (fifth ? 6 : 2), fifth ? b + 2 : NULL);
        for (int j = 0; j < BLOCK; j++) out[i + j] = d * (float)((int)levels[j] - zero);
    }
}

/* The value of the largest magnitude becomes exactly -zero. */
static void pack_symmetric(unsigned char *b, const float *in, size_t n, int zero, bool fifth, size_t block_bytes)
{
    unsigned levels[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK, b += block_bytes) {
        float most = 0, signed_most = 0;
        for (int j = 0; j < BLOCK; j++) {
            if (fabsf(in[i + j]) > most) {
                most = fabsf(in[i + j]);
                signed_most = in[i + j];
            }
        }
        const float d = signed_most / (float)-zero, inverse = d != 0 ? 1 / d : 0;
        put_f16(b, d);
        for (int j = 0; j < BLOCK; j++) levels[j] = to_level(in[i + j] * inverse + ((float)zero + 0.5f), 2 * (unsigned)zero - 1);
        put_levels(levels, b + (fifth ? 6 : 2), fifth ? b + 2 : NULL);
    }
}

/* x = d q + m: q4_1 and q5_1. */
static void unpack_affine(float *out, const unsigned char *b, size_t n, bool fifth, size_t block_bytes)
{
    unsigned levels[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK, b += block_bytes) {
        const float d = trine_f16_at(b), m = trine_f16_at(b + 2);
        get_levels(levels, b + (fifth ? 8 : 4), fifth ? b + 4 : NULL);
        for (int j = 0; j < BLOCK; j++) out[i + j] = d * (float)levels[j] + m;
    }
}

static void pack_affine(unsigned char *b, const float *in, size_t n, bool fifth, size_t block_bytes)
{
    const unsigned top = fifth ? 31 : 15;
    unsigned levels[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK, b += block_bytes) {
        float low = in[i], high = in[i];
        for (int j = 1; j < BLOCK; j++) {
            if (in[i + j] < low) low = in[i + j];
            if (in[i + j] > high) high = in[i + j];
        }
        const float d = (high - low) / (float)top, inverse = d != 0 ? 1 / d : 0;
        put_f16(b, d);
        put_f16(b + 2, low);
        for (int j = 0; j < BLOCK; j++) levels[j] = to_level((in[i + j] - low) * inverse + 0.5f, top);
        put_levels(levels, b + (fifth ? 8 : 4), fifth ? b + 4 : NULL);
    }
}

void trine_unpack_q4_0(float *out, const void *in, size_t n) { unpack_symmetric(out, in, n, 8, false, 18); }
void trine_unpack_q5_0(float *out, const void *in, size_t n) { unpack_symmetric(out, in, n, 16, true, 22); }
void trine_unpack_q4_1(float *out, const void *in, size_t n) { unpack_affine(out, in, n, false, 20); }
void trine_unpack_q5_1(float *out, const void *in, size_t n) { unpack_affine(out, in, n, true, 24); }
void trine_pack_q4_0(void *out, const float *in, size_t n) { pack_symmetric(out, in, n, 8, false, 18); }
void trine_pack_q5_0(void *out, const float *in, size_t n) { pack_symmetric(out, in, n, 16, true, 22); }
void trine_pack_q4_1(void *out, const float *in, size_t n) { pack_affine(out, in, n, false, 20); }
void trine_pack_q5_1(void *out, const float *in, size_t n) { pack_affine(out, in, n, true, 24); }
