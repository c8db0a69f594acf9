/* block_level.c - see block_level.h. */
#include "kernels/ref/block_level.h"

#include <stdbool.h>
#include <string.h>

static float get_f16(const unsigned char *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return trine_f16_to_f32(h);
}

static bool has_fifth(trine_dtype type) { return type == TRINE_Q5_0 || type == TRINE_Q5_1 || type == TRINE_Q5_K; }

int trine_block_levels(trine_dtype type)
{
    if (type == TRINE_Q8_0) return 256;
    return type == TRINE_Q6_K ? 64 : has_fifth(type) ? 32 : 16;
}

/* Element j of a block of 32: nibbles of the first half come first; fifth bits in order. */
static trine_block_level of_32(const unsigned char *b, int j, trine_dtype type)
{
    const bool min = type == TRINE_Q4_1 || type == TRINE_Q5_1;
    const unsigned char *bits = b + (min ? 4 : 2), *nibbles = bits + (has_fifth(type) ? 4 : 0);
    const float d = get_f16(b), m = min ? get_f16(b + 2) : -d * (float)(trine_block_levels(type) / 2);
    if (type == TRINE_Q8_0) return (trine_block_level) { (int8_t)b[2 + j] + 128, d, m };
    const int fifth = has_fifth(type) ? bits[j / 8] >> j % 8 & 1 : 0;
    return (trine_block_level) { (nibbles[j % 16] >> 4 * (j / 16) & 0xF) | fifth << 4, d, m };
}

/* Element j of a q4_k or q5_k block: parts of 32, whose scales and mins have 6 bits. */
static trine_block_level of_k(const unsigned char *b, int j, trine_dtype type)
{
    const unsigned char *s = b + 4, *nibbles = b + (has_fifth(type) ? 48 : 16);
    const int part = j / 32, at = j % 32;
    const int scale = part < 4 ? s[part] & 63 : (s[part + 4] & 0xF) | s[part - 4] >> 6 << 4;
    const int min = part < 4 ? s[part + 4] & 63 : s[part + 4] >> 4 | s[part] >> 6 << 4;
    const int fifth = has_fifth(type) ? b[16 + at] >> part & 1 : 0;
    return (trine_block_level) { (nibbles[32 * (part / 2) + at] >> 4 * (part % 2) & 0xF) | fifth << 4, get_f16(b) * (float)scale,
                                 0 - get_f16(b + 2) * (float)min };
}

/* Element j of a q6_k block: halves of 128, quarters of 32 in each, a scale for each 16. */
static trine_block_level of_q6(const unsigned char *b, int j)
{
    const int half = j / 128, quarter = j / 32 % 4, at = j % 32;
    const int low = b[64 * half + 32 * (quarter % 2) + at] >> 4 * (quarter / 2) & 0xF;
    const int high = b[128 + 32 * half + at] >> 2 * quarter & 3;
    const float d = get_f16(b + 208) * (float)(int8_t)b[192 + j / 16];
    return (trine_block_level) { low | high << 4, d, -32 * d };
}

trine_block_level trine_block_level_at(const unsigned char *row, size_t column, trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    const unsigned char *b = row + column / (size_t)info->block * (size_t)info->block_bytes;
    const int j = (int)(column % (size_t)info->block);
    if (info->block == 32) return of_32(b, j, type);
    return type == TRINE_Q6_K ? of_q6(b, j) : of_k(b, j, type);
}
