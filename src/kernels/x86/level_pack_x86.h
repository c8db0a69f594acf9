/* level_pack_x86.h - template: panels of levels (level_kernels.h). Include it after a vector_*.h of 8 floats. */
#ifndef TRINE_KERNELS_LEVEL_PACK_X86_H
#define TRINE_KERNELS_LEVEL_PACK_X86_H

#include "kernels/x86/block_parts_x86.h"

enum { LEVEL_LINE = 4 * TRINE_LEVEL_COLS };

/* ---- what levels multiply by ---- */

TRINE_INLINE void put_d(const trine_level_panel *to, size_t part, vf d) { vf_store(to->d + part * TRINE_LEVEL_COLS, d); }

/* The level of a block that is 0 in a panel: half of all its levels. */
TRINE_INLINE int middle_of(trine_dtype type)
{
    return type == TRINE_Q6_K ? 32 : type == TRINE_Q5_0 || type == TRINE_Q5_1 || type == TRINE_Q5_K ? 16 : 8;
}

/* A min moves with the middle of the levels. */
TRINE_INLINE void put_min(const trine_level_panel *to, size_t block, vf d, vf m, trine_dtype type)
{
    vf_store(to->m + block * TRINE_LEVEL_COLS, vf_fma(vf_set((float)middle_of(type)), d, m));
}

/* What the zero of x brings to a part, of whose levels these are the sums: 16 bits, two for each row of W. */
TRINE_INLINE vf zero_of(vf d, vi sums) { return vf_mul(d, vf_from_vi(_mm256_madd_epi16(sums, vi_set16(-TRINE_LEVEL_ZERO)))); }

TRINE_INLINE void put_zero(const trine_level_panel *to, size_t block, vf zero)
{
    vf_store(to->zero + block * TRINE_LEVEL_COLS, zero);
}

/* ---- levels ---- */

/* 16 columns become four lines; returns `sums` and what they add. */
TRINE_INLINE vi put_levels(int8_t *line, vi v[4], vi sums)
{
    put_lines((unsigned char *)line, LEVEL_LINE, v);
    TRINE_UNROLL for (int q = 0; q < 4; q++) sums = vi_add16(sums, _mm256_maddubs_epi16(vi_set8(1), v[q]));
    return sums;
}

TRINE_INLINE vi about_0(vi level, trine_dtype type) { return _mm256_sub_epi8(level, vi_set8(middle_of(type))); }

/* 16 more in the bytes where b has one of the bits of `bits`. */
TRINE_INLINE vi with_fifth(vi level, vi b, vi bits)
{
    const vi none = vi_sign_where_none(vi_set(0), b, bits); /* bit 7 where there is none */
    return vi_or(level, vi_flip(vi_right16(none, 3), vi_set8(16)));
}

/* Bytes with sign in 7 bits, as ref/levels_ref.c says. */
TRINE_INLINE vi in_7_bits(vi a)
{
    const vi factor = vi_set16(TRINE_LEVEL_7), half = vi_set16(128);
    const vi even = vi_add16(vi_mul16(vi_left16(a, 8), factor), half);
    const vi odd = vi_add16(vi_mul16(vi_and(a, vi_set16(-256)), factor), half);
    return vi_high_bytes(even, odd);
}

/* A block of 32 is a part: eight lines. Returns the sums of its levels. */
TRINE_INLINE vi put_block_32(int8_t *line, const unsigned char *const *rows, size_t at, trine_dtype type)
{
    static const uint8_t first_two[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
    static const uint8_t one_each[16] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
    const bool fifth = type == TRINE_Q5_0 || type == TRINE_Q5_1;
    const size_t fifths = at + (trine_level_has_min(type) ? 4 : 2);
    vi low[4], high[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++)
    {
        if (type == TRINE_Q8_0) {
            low[r] = in_7_bits(vi_load_rows(rows + r, at + 2));
            high[r] = in_7_bits(vi_load_rows(rows + r, at + 18));
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
        low[r] = about_0(low[r], type);
        high[r] = about_0(high[r], type);
    }
    return put_levels(line + 4 * LEVEL_LINE, high, put_levels(line, low, vi_set(0)));
}

/* Parts 2 pair and 2 pair + 1 of a q4_k or q5_k block, which share 32 bytes. */
TRINE_INLINE void put_pair_k(vi sums[2], int8_t *line, const unsigned char *const *rows, size_t at, int pair, trine_dtype type)
{
    sums[0] = sums[1] = vi_set(0);
    TRINE_UNROLL for (int half = 0; half < 2; half++)
    {
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
            low[r] = about_0(low[r], type);
            high[r] = about_0(high[r], type);
        }
        sums[0] = put_levels(line + 4 * half * LEVEL_LINE, low, sums[0]);
        sums[1] = put_levels(line + (8 + 4 * half) * LEVEL_LINE, high, sums[1]);
    }
}

/* A part of a q6_k block: 16 columns of a quarter of a half, whose nibbles are 64 bytes and whose bit pairs 32. */
TRINE_INLINE vi put_part_q6(int8_t *line, const unsigned char *const *rows, size_t at, int half, int quarter, int h)
{
    vi v[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++)
    {
        const vi nibbles = vi_load_rows(rows + r, at + 64 * (size_t)half + 32 * (size_t)(quarter % 2) + 16 * (size_t)h);
        const vi pairs = vi_load_rows(rows + r, at + 128 + 32 * (size_t)half + 16 * (size_t)h), two = vi_set8(0x30);
        const vi upper = vi_and(quarter == 3 ? vi_right16(pairs, 2) : vi_left16(pairs, 4 - 2 * quarter), two);
        v[r] = about_0(vi_or(quarter / 2 ? high_nibbles(nibbles) : low_nibbles(nibbles), upper), TRINE_Q6_K);
    }
    return put_levels(line, v, vi_set(0));
}

/* A q6_k block: each 32 columns are two parts. */
TRINE_INLINE void put_block_q6(const trine_level_panel *to, size_t k, const unsigned char *const *rows, size_t at)
{
    int8_t *line = to->bytes + k / 4 * LEVEL_LINE;
    vf d[16];
    halves_of_q6(d, rows, at);
    TRINE_UNROLL for (size_t p = 0; p < 16; p++) put_d(to, k / 16 + p, d[p]);
    for (int half = 0; half < 2; half++) TRINE_UNROLL for (int quarter = 0; quarter < 4; quarter++)
        {
            vf zero[2];
            TRINE_UNROLL for (int h = 0; h < 2; h++)
            {
                const int p = 8 * half + 2 * quarter + h;
                zero[h] = zero_of(d[p], put_part_q6(line + 4 * p * LEVEL_LINE, rows, at, half, quarter, h));
            }
            put_zero(to, k / PART + (size_t)(4 * half + quarter), vf_add(zero[0], zero[1]));
        }
}

TRINE_INLINE void put_block_k(const trine_level_panel *to, size_t k, const unsigned char *const *rows, size_t at, trine_dtype type)
{
    vf d[8], m[8];
    parts_of_k(d, m, rows, at);
    TRINE_UNROLL for (int pair = 0; pair < 4; pair++)
    {
        vi sums[2];
        put_pair_k(sums, to->bytes + (k / 4 + 16 * (size_t)pair) * LEVEL_LINE, rows, at, pair, type);
        TRINE_UNROLL for (int p = 0; p < 2; p++)
        {
            const size_t block = k / PART + (size_t)(2 * pair + p);
            put_d(to, block, d[2 * pair + p]);
            put_min(to, block, d[2 * pair + p], m[2 * pair + p], type);
            put_zero(to, block, zero_of(d[2 * pair + p], sums[p]));
        }
    }
}

/* One block of LANES rows: its lines, and what its parts multiply by. */
TRINE_INLINE void put_block(const trine_level_panel *to, size_t k, const unsigned char *const *rows, size_t at, trine_dtype type)
{
    if (type == TRINE_Q6_K) {
        put_block_q6(to, k, rows, at);
    } else if (type == TRINE_Q4_K || type == TRINE_Q5_K) {
        put_block_k(to, k, rows, at, type);
    } else {
        vf d, m;
        part_of_32(&d, &m, block_heads(rows, at), type);
        if (type == TRINE_Q8_0) d = vf_mul(d, vf_set(32768.0f / TRINE_LEVEL_7));
        put_d(to, k / PART, d);
        if (trine_level_has_min(type)) put_min(to, k / PART, d, m, type);
        put_zero(to, k / PART, zero_of(d, put_block_32(to->bytes + k / 4 * LEVEL_LINE, rows, at, type)));
    }
}

TRINE_INLINE void pack_levels(const trine_level_panel *panel, const unsigned char *w, size_t w_stride, int n_w, size_t n,
                              trine_dtype type, size_t block, size_t block_bytes)
{
    for (int j = 0; j < n_w; j += LANES) {
        const trine_level_panel to = { panel->bytes + 4 * (size_t)j, panel->d + j, panel->zero + j,
                                       panel->m ? panel->m + j : NULL };
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
