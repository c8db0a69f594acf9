/* quantised_blocks.h - blocks of quantised weights for tests of kernels: any bits, between scales of a chosen kind. */
#ifndef TRINE_TESTS_QUANTISED_BLOCKS_H
#define TRINE_TESTS_QUANTISED_BLOCKS_H

#include <string.h>

#include "kernels/quantised_types.h"
#include "quant/quant.h"
#include "support/random.h"

#define TYPE_OF(name, type, block, bytes) type,
static const trine_dtype QUANTISED[] = { TRINE_QUANTISED_TYPES(TYPE_OF) };
#undef TYPE_OF
enum { N_QUANTISED = sizeof QUANTISED / sizeof *QUANTISED };

/* ALIKE: scales of one size. WILD: zero, subnormal, negative and large ones side by side, and some blocks of one byte over and over
 * (0x80: the least levels of q8_0). FULL, LEAST: 1, and the highest or the least levels. */
typedef enum blocks_kind { BLOCKS_ALIKE, BLOCKS_WILD, BLOCKS_FULL, BLOCKS_LEAST } blocks_kind;

static inline void put_f16(unsigned char *at, float value)
{
    const uint16_t h = trine_f32_to_f16(value);
    memcpy(at, &h, sizeof h);
}

static inline float block_scale(random_state *r, blocks_kind kind, bool is_min)
{
    static const float wild[] = { 0.01f, -0.02f, 0.5f, 0.0f, 3e-7f, 1.5f, 3000.0f };
    if (kind == BLOCKS_FULL || kind == BLOCKS_LEAST) return 1;
    if (kind == BLOCKS_WILD) return wild[random_int(r, 0, 6)];
    return is_min ? 0.1f * random_normal(r) : 0.01f * (1 + (float)random_unit(r));
}

static inline void random_blocks(random_state *r, unsigned char *out, trine_dtype type, size_t n, blocks_kind kind)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    const bool has_min = type != TRINE_Q8_0 && type != TRINE_Q4_0 && type != TRINE_Q5_0 && type != TRINE_Q6_K;
    static const unsigned char same[] = { 0x00, 0x7F, 0x80, 0x81, 0xFF };
    for (size_t i = 0; i < n; i += (size_t)info->block, out += info->block_bytes) {
        const int full = type == TRINE_Q8_0 ? 1 : 4, least = type == TRINE_Q8_0 ? 2 : 0;
        const int all = kind == BLOCKS_FULL ? full : kind == BLOCKS_LEAST ? least : kind == BLOCKS_WILD ? random_int(r, 0, 9) : 9;
        for (int j = 0; j < info->block_bytes; j++) out[j] = all < 5 ? same[all] : (unsigned char)random_u64(r);
        if (kind == BLOCKS_LEAST && info->block == 256)
            memset(out + (type == TRINE_Q6_K ? 192 : 4), 0x3F, type == TRINE_Q6_K ? 16 : 12);
        put_f16(out + (type == TRINE_Q6_K ? 208 : 0), block_scale(r, kind, false));
        if (has_min) put_f16(out + 2, block_scale(r, kind, true));
    }
}

#endif
