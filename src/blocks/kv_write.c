/* kv_write.c - puts tokens into tiles of the cache: rows are rounded as their type says, then their elements go where
 * kernels/kv_kernels.h draws them. */
#include <string.h>

#include "base/size.h"
#include "blocks/kv_cache.h"

enum { PAGE = TRINE_KV_PAGE, BLOCK = 32 };

/* n rows of plain elements, `size` bytes each, become columns of [d][PAGE]. */
static void put_columns(unsigned char *tile, const unsigned char *rows, int n, size_t d, size_t size)
{
    for (size_t i = 0; i < d; i++)
        for (int t = 0; t < n; t++) {
            const unsigned char *from = rows + ((size_t)t * d + i) * size;
            if (size == 2)
                memcpy(tile + (i * PAGE + (size_t)t) * 2, from, 2);
            else
                memcpy(tile + (i * PAGE + (size_t)t) * 4, from, 4);
        }
}

/* The level of element i of a block, its zero at 0 or 8. */
static unsigned level_of(const unsigned char *block, int i, bool nibbles)
{
    if (!nibbles) return block[2 + i];
    return i < BLOCK / 2 ? block[2 + i] & 15u : block[2 + i - BLOCK / 2] >> 4;
}

static void put_level(unsigned char *tile, size_t along, size_t across, size_t wide, unsigned level, bool nibbles)
{
    if (!nibbles) {
        tile[(along / 4 * wide + across) * 4 + along % 4] = (unsigned char)level;
        return;
    }
    unsigned char *byte = tile + (along / 8 * wide + across) * 4 + along % 4;
    *byte = (unsigned char)(along % 8 < 4 ? (*byte & 0xF0u) | level : (*byte & 15u) | level << 4);
}

/* One token's blocks of d elements into slot `slot`. */
static void put_blocks(unsigned char *tile, const unsigned char *blocks, int slot, size_t d, bool keys, trine_dtype type)
{
    const bool nibbles = type == TRINE_Q4_0;
    const size_t block_bytes = (size_t)trine_dtype_get(type)->block_bytes, token = (size_t)slot;
    for (size_t b = 0; b < d / BLOCK; b++, blocks += block_bytes) {
        for (int i = 0; i < BLOCK; i++) {
            const size_t element = b * BLOCK + (size_t)i;
            const unsigned level = level_of(blocks, i, nibbles);
            if (keys)
                put_level(tile, element, token, PAGE, nibbles ? level : level ^ 128, nibbles);
            else
                put_level(tile, token, element, d, level, nibbles);
        }
        memcpy(tile + trine_kv_levels_bytes(type, d) + (b * PAGE + token) * 2, blocks, 2);
    }
}

void trine_kv_write(trine_kv *kv, const trine_kernels *kernels, int layer, int head, int pos, int n, const float *k, const float *v,
                    size_t stride, float *scratch)
{
    const trine_kv_shape *shape = trine_kv_get_shape(kv);
    const trine_dtype_info *info = trine_dtype_get(shape->type);
    const size_t d = (size_t)shape->d_head, row_bytes = d / (size_t)info->block * (size_t)info->block_bytes;
    trine_pack_fn *pack = kernels->pack[shape->type];
    unsigned char *packed = (unsigned char *)scratch;
    while (n > 0) {
        const int slot = pos % PAGE, take = trine_min_int(n, PAGE - slot);
        const trine_kv_tile tile = trine_kv_get_tile(kv, layer, head, pos / PAGE);
        unsigned char *keys = tile.keys, *values = tile.values;
        for (int t = 0; t < take; t++) pack(packed + (size_t)t * row_bytes, k + (size_t)t * stride, d);
        if (info->block == 1) {
            const size_t size = (size_t)info->block_bytes;
            put_columns(keys + (size_t)slot * size, packed, take, d, size);
            for (int t = 0; t < take; t++) pack(values + (size_t)(slot + t) * row_bytes, v + (size_t)t * stride, d);
        } else {
            for (int t = 0; t < take; t++) put_blocks(keys, packed + (size_t)t * row_bytes, slot + t, d, true, shape->type);
            for (int t = 0; t < take; t++) {
                pack(packed, v + (size_t)t * stride, d);
                put_blocks(values, packed, slot + t, d, false, shape->type);
            }
        }
        k += (size_t)take * stride;
        v += (size_t)take * stride;
        pos += take;
        n -= take;
    }
}
