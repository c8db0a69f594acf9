/* level_pack_x86.h - template: panels of levels (level_kernels.h). Include it after a vector_*.h of 8 floats. */
#ifndef TRINE_KERNELS_LEVEL_PACK_X86_H
#define TRINE_KERNELS_LEVEL_PACK_X86_H

#include "kernels/x86/block_parts_x86.h"

enum { LEVEL_LINE = 4 * TRINE_LEVEL_COLS };

/* d and m of a part, or of some that follow each other. */
TRINE_INLINE void put_parts(const trine_level_panel *to, size_t part, const vf *d, const vf *m, int n)
{
    TRINE_UNROLL for (int p = 0; p < n; p++)
    {
        vf_store(to->d + (part + (size_t)p) * TRINE_LEVEL_COLS, d[p]);
        vf_store(to->m + (part + (size_t)p) * TRINE_LEVEL_COLS, m[p]);
    }
}

/* 16 more in the bytes where b has one of the bits of `bits`. */
TRINE_INLINE vi with_fifth(vi level, vi b, vi bits)
{
    const vi none = vi_sign_where_none(vi_set(0), b, bits); /* bit 7 where there is none */
    return vi_or(level, vi_flip(vi_right16(none, 3), vi_set8(16)));
}

/* (a + 128) / 2 */
TRINE_INLINE vi without_last(vi a) { return vi_and(vi_right16(vi_flip(a, vi_set8(0x80)), 1), vi_set8(0x7F)); }

/* A block of 32: its levels are eight lines. */
TRINE_INLINE void put_block_32(unsigned char *line, const unsigned char *const *rows, size_t at, trine_dtype type)
{
    static const uint8_t first_two[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
    static const uint8_t one_each[16] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
    const bool fifth = type == TRINE_Q5_0 || type == TRINE_Q5_1;
    const size_t fifths = at + (type == TRINE_Q4_0 || type == TRINE_Q5_0 ? 2 : 4);
    vi low[4], high[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++)
    {
        if (type == TRINE_Q8_0) {
            low[r] = without_last(vi_load_rows(rows + r, at + 2));
            high[r] = without_last(vi_load_rows(rows + r, at + 18));
            continue;
        }
        const vi nibbles = vi_load_rows(rows + r, fifths + (fifth ? 4 : 0));
        low[r] = low_nibbles(nibbles);
        high[r] = high_nibbles(nibbles);
        if (fifth) {
            const vi b = vi_load_rows(rows + r, fifths), first = vi_load_parts(first_two), bits = vi_load_parts(one_each);
            low[r] = with_fifth(low[r], vi_look_up8(b, first), bits);
            high[r] = with_fifth(high[r], vi_look_up8(b, vi_add16(first, vi_set8(2))), bits);
        }
    }
    put_lines(line, LEVEL_LINE, low);
    put_lines(line + 4 * LEVEL_LINE, LEVEL_LINE, high);
}

/* A q4_k or q5_k block: parts 2k and 2k + 1 share 32 bytes. */
TRINE_INLINE void put_block_k(unsigned char *line, const unsigned char *const *rows, size_t at, trine_dtype type)
{
    TRINE_UNROLL for (int pair = 0; pair < 4; pair++) TRINE_UNROLL for (int half = 0; half < 2; half++)
    {
        unsigned char *to = line + (size_t)(16 * pair + 4 * half) * LEVEL_LINE;
        vi low[4], high[4];
        TRINE_UNROLL for (int r = 0; r < 4; r++)
        {
            const size_t q = at + (type == TRINE_Q5_K ? 48 : 16) + 32 * (size_t)pair + 16 * (size_t)half;
            const vi nibbles = vi_load_rows(rows + r, q);
            low[r] = low_nibbles(nibbles);
            high[r] = high_nibbles(nibbles);
            if (type == TRINE_Q5_K) {
                const vi b = vi_load_rows(rows + r, at + 16 + 16 * (size_t)half);
                low[r] = with_fifth(low[r], b, vi_set8(1 << 2 * pair));
                high[r] = with_fifth(high[r], b, vi_set8(2 << 2 * pair));
            }
        }
        put_lines(to, LEVEL_LINE, low);
        put_lines(to + 8 * LEVEL_LINE, LEVEL_LINE, high);
    }
}

/* A q6_k block: halves of 128, four quarters of 32 in each, out of 64 bytes of nibbles and 32 of bit pairs. */
TRINE_INLINE void put_block_q6(unsigned char *line, const unsigned char *const *rows, size_t at)
{
    for (int half = 0; half < 2; half++, at += 32, line += 32 * LEVEL_LINE)
        TRINE_UNROLL for (int quarter = 0; quarter < 4; quarter++) TRINE_UNROLL for (int h = 0; h < 2; h++)
        {
            vi v[4];
            TRINE_UNROLL for (int r = 0; r < 4; r++)
            {
                const vi nibbles = vi_load_rows(rows + r, at + 32 * (size_t)half + 32 * (size_t)(quarter % 2) + 16 * (size_t)h);
                const vi pairs = vi_load_rows(rows + r, at + 128 + 16 * (size_t)h), two = vi_set8(0x30);
                const vi upper = vi_and(quarter == 3 ? vi_right16(pairs, 2) : vi_left16(pairs, 4 - 2 * quarter), two);
                v[r] = vi_or(quarter / 2 ? high_nibbles(nibbles) : low_nibbles(nibbles), upper);
            }
            put_lines(line + (size_t)(8 * quarter + 4 * h) * LEVEL_LINE, LEVEL_LINE, v);
        }
}

/* One block of LANES rows: its lines, and what its parts multiply by. */
TRINE_INLINE void put_block(const trine_level_panel *to, size_t k, const unsigned char *const *rows, size_t at, trine_dtype type)
{
    unsigned char *line = to->bytes + k / 4 * LEVEL_LINE;
    const size_t part = k / (size_t)trine_level_part(type);
    vf d[16], m[16];
    if (type == TRINE_Q6_K) {
        halves_of_q6(d, rows, at);
        TRINE_UNROLL for (int p = 0; p < 16; p++) m[p] = vf_mul(d[p], vf_set(-32));
        put_parts(to, part, d, m, 16);
        put_block_q6(line, rows, at);
    } else if (type == TRINE_Q4_K || type == TRINE_Q5_K) {
        parts_of_k(d, m, rows, at);
        put_parts(to, part, d, m, 8);
        put_block_k(line, rows, at, type);
    } else {
        part_of_32(d, m, block_heads(rows, at), type);
        if (type == TRINE_Q8_0) {
            m[0] = vf_mul(d[0], vf_set(-127.5f));
            d[0] = vf_mul(d[0], vf_set(2));
        }
        put_parts(to, part, d, m, 1);
        put_block_32(line, rows, at, type);
    }
}

TRINE_INLINE void pack_levels(const trine_level_panel *panel, const unsigned char *w, size_t w_stride, int n_w, size_t n,
                              trine_dtype type, size_t block, size_t block_bytes)
{
    for (int j = 0; j < n_w; j += LANES) {
        const trine_level_panel to = { panel->bytes + 4 * (size_t)j, panel->d + j, panel->m + j };
        const unsigned char *rows[LANES];
        rows_from(rows, w, w_stride, j, n_w);
        for (size_t k = 0, at = 0, asked = 0; k < n; k += block, at += block_bytes) {
            /* A line of each at a time: all at once fill the places in which the first cache waits for memory. */
            for (; asked <= at; asked += 64) TRINE_UNROLL for (int i = 0; i < LANES; i++) ask_for_row(rows[i], w_stride, asked, 1);
            put_block(&to, k, rows, at, type);
        }
    }
}

#define TRINE_PACK_LEVELS(name, type, block, bytes)                                                                                \
    static void TRINE_NAME(pack_levels_##name)(trine_level_panel * panel, const void *w, size_t w_stride, int n_w, size_t n)       \
    {                                                                                                                              \
        pack_levels(panel, w, w_stride, n_w, n, type, block, bytes);                                                               \
    }
TRINE_QUANTISED_TYPES(TRINE_PACK_LEVELS)
#undef TRINE_PACK_LEVELS

static void register_level_pack(trine_level_kernels *k)
{
#define TRINE_PACK_LEVELS(name, type, block, bytes) k->pack[type] = TRINE_NAME(pack_levels_##name);
    TRINE_QUANTISED_TYPES(TRINE_PACK_LEVELS)
#undef TRINE_PACK_LEVELS
}

#endif
