/* fit_32.c - weights into the formats of block_32.c. A block is one part. The levels are those nearest to the line as it is
 * stored, its scale and base rounded to f16. */
#include <math.h>
#include <string.h>

#include "quant/block_formats.h"
#include "quant/fit.h"
#include "quant/quant.h"

enum { BLOCK = 32, HALF = BLOCK / 2 };

/* Puts f into 2 bytes as f16; returns what was stored. */
static float put_f16(unsigned char *p, float f)
{
    const uint16_t h = trine_f32_to_f16(f);
    memcpy(p, &h, sizeof h);
    return trine_f16_to_f32(h);
}

/* The largest magnitude, as the unit of a block; 1 when no f16 scale could show any of it. */
static float unit_of(const float *in)
{
    float most = 0;
    for (int i = 0; i < BLOCK; i++) most = fmaxf(most, fabsf(in[i]));
    return most > 0x1p-26f ? most : 1;
}

static void put_levels(const uint8_t levels[BLOCK], unsigned char *nibbles, unsigned char *high)
{
    uint32_t fifth = 0;
    for (int j = 0; j < HALF; j++) nibbles[j] = (unsigned char)((levels[j] & 0xF) | (levels[j + HALF] & 0xF) << 4);
    for (int j = 0; j < BLOCK; j++) fifth |= (uint32_t)(levels[j] >> 4 & 1) << j;
    if (high) memcpy(high, &fifth, sizeof fifth);
}

/* x = d (q - zero), q in [0, 2 zero). */
static void fit_symmetric(unsigned char *b, const float *in, size_t n, int zero, trine_fit_range range, bool fifth,
                          size_t block_bytes)
{
    for (size_t i = 0; i < n; i += BLOCK, b += block_bytes) {
        trine_fit_part p;
        uint8_t levels[BLOCK];
        const float unit = unit_of(in + i);
        trine_fit_part_set(&p, in + i, BLOCK, unit, -zero, zero - 1);
        trine_line line = trine_fit_scale(&p, range);
        line.scale = put_f16(b, trine_fit_half(line.scale * unit)) / unit;
        trine_fit_levels(levels, &p, line);
        put_levels(levels, b + (fifth ? 6 : 2), fifth ? b + 2 : NULL);
    }
}

/* x = d q + m, q in [0, top]. */
static void fit_affine(unsigned char *b, const float *in, size_t n, int top, trine_fit_range range, bool fifth, size_t block_bytes)
{
    for (size_t i = 0; i < n; i += BLOCK, b += block_bytes) {
        trine_fit_part p;
        uint8_t levels[BLOCK];
        const float unit = unit_of(in + i);
        trine_fit_part_set(&p, in + i, BLOCK, unit, 0, top);
        trine_line line = trine_fit_line(&p, range, false);
        line.scale = put_f16(b, trine_fit_half(line.scale * unit)) / unit;
        line.base = put_f16(b + 2, line.base * unit) / unit;
        trine_fit_levels(levels, &p, line);
        put_levels(levels, b + (fifth ? 8 : 4), fifth ? b + 4 : NULL);
    }
}

void trine_fit_q8_0(void *out, const float *in, size_t n)
{
    unsigned char *b = out;
    for (size_t i = 0; i < n; i += BLOCK, b += 34) {
        trine_fit_part p;
        uint8_t levels[BLOCK];
        const float unit = unit_of(in + i);
        trine_fit_part_set(&p, in + i, BLOCK, unit, -127, 127);
        trine_line line = trine_fit_scale(&p, (trine_fit_range) { 122, 127.4f, 0.25f });
        line.scale = put_f16(b, trine_fit_half(line.scale * unit)) / unit;
        trine_fit_levels(levels, &p, line);
        for (int j = 0; j < BLOCK; j++) b[2 + j] = (unsigned char)(int8_t)(levels[j] - 127);
    }
}

static const trine_fit_range scale_4 = { 6, 9, 0.25f }, scale_5 = { 14, 17, 0.25f };
static const trine_fit_range line_4 = { 12, 16.5f, 0.25f }, line_5 = { 28, 32.5f, 0.25f };

void trine_fit_q4_0(void *out, const float *in, size_t n) { fit_symmetric(out, in, n, 8, scale_4, false, 18); }
void trine_fit_q5_0(void *out, const float *in, size_t n) { fit_symmetric(out, in, n, 16, scale_5, true, 22); }
void trine_fit_q4_1(void *out, const float *in, size_t n) { fit_affine(out, in, n, 15, line_4, false, 20); }
void trine_fit_q5_1(void *out, const float *in, size_t n) { fit_affine(out, in, n, 31, line_5, true, 24); }
