/* block_level.c - see block_level.h. */
#include "kernels/ref/block_level.h"

#include <stdbool.h>

static bool has_fifth(trine_dtype type) { return type == TRINE_Q5_0 || type == TRINE_Q5_1 || type == TRINE_Q5_K; }

int trine_block_levels(trine_dtype type)
{
    if (type == TRINE_Q8_0) return 256;
    return type == TRINE_Q6_K ? 64 : has_fifth(type) ? 32 : 16;
}

/* Elements from j on of a block of 32: nibbles of the first half come first; fifth bits in order. */
static trine_block_run of_32(const unsigned char *b, int j, trine_dtype type)
{
    const bool min = type == TRINE_Q4_1 || type == TRINE_Q5_1, fifth = has_fifth(type);
    const unsigned char *bits = b + (min ? 4 : 2), *nibbles = bits + (fifth ? 4 : 0);
    const float d = trine_f16_at(b);
    trine_block_run w = { .d = d, .m = min ? trine_f16_at(b + 2) : -d * (float)(trine_block_levels(type) / 2) };
    for (int i = 0; i < TRINE_BLOCK_RUN; i++) {
        const int at = j + i, high = fifth ? bits[at / 8] >> at % 8 & 1 : 0;
        w.level[i] = type == TRINE_Q8_0 ? (int8_t)b[2 + at] + 128 : (nibbles[i] >> 4 * (j / 16) & 0xF) | high << 4;
    }
    return w;
}

/* Elements from j on of a q4_k or q5_k block: parts of 32, whose scales and mins have 6 bits. */
static trine_block_run of_k(const unsigned char *b, int j, trine_dtype type)
{
    const bool fifth = has_fifth(type);
    const int part = j / 32;
    const unsigned char *s = b + 4, *bits = b + 16 + j % 32, *nibbles = b + (fifth ? 48 : 16) + 32 * (part / 2) + j % 32;
    const int scale = part < 4 ? s[part] & 63 : (s[part + 4] & 0xF) | s[part - 4] >> 6 << 4;
    const int min = part < 4 ? s[part + 4] & 63 : s[part + 4] >> 4 | s[part] >> 6 << 4;
    trine_block_run w = { .d = trine_f16_at(b) * (float)scale, .m = 0 - trine_f16_at(b + 2) * (float)min };
    for (int i = 0; i < TRINE_BLOCK_RUN; i++)
        w.level[i] = (nibbles[i] >> 4 * (part % 2) & 0xF) | (fifth ? bits[i] >> part & 1 : 0) << 4;
    return w;
}

/* Elements from j on of a q6_k block: halves of 128, quarters of 32 in each, a scale for each 16. */
static trine_block_run of_q6(const unsigned char *b, int j)
{
    const int half = j / 128, quarter = j / 32 % 4;
    const unsigned char *low = b + 64 * half + 32 * (quarter % 2) + j % 32, *high = b + 128 + 32 * half + j % 32;
    const float d = trine_f16_at(b + 208) * (float)(int8_t)b[192 + j / 16];
    trine_block_run w = { .d = d, .m = -32 * d };
    for (int i = 0; i < TRINE_BLOCK_RUN; i++) w.level[i] = (low[i] >> 4 * (quarter / 2) & 0xF) | (high[i] >> 2 * quarter & 3) << 4;
    return w;
}

trine_block_run trine_block_run_at(const unsigned char *row, size_t column, trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    const unsigned char *b = row + column / (size_t)info->block * (size_t)info->block_bytes;
    const int j = (int)(column % (size_t)info->block);
    if (info->block == 32) return of_32(b, j, type);
    return type == TRINE_Q6_K ? of_q6(b, j) : of_k(b, j, type);
}
