/* int8_pack_x86.h - template: rows of x and panels of W as bytes (ref/int8_ref.c defines both). Include it after a vector_*.h.
 *
 * What is done to a row is looked up by its place in the 128-bit part where it lies (block_parts_x86.h), so factors and offsets of
 * LANES rows lie in one vector, four and four in each part.
 *
 * 16 levels of 4 bits are a table of 16 bytes, made once for 32 columns; more levels go through the product one by one. */
#ifndef TRINE_KERNELS_INT8_PACK_X86_H
#define TRINE_KERNELS_INT8_PACK_X86_H

#include <math.h>

#include "kernels/x86/block_parts_x86.h"

enum { SLICE = 512, GROUP_PARTS = TRINE_INT8_GROUP / PART }; /* columns done at a time: scales first, then bytes */

/* Sixteen bytes that repeat 16-bit number n of a part; n from 0: factors, from 4: offsets. */
TRINE_INLINE vi every(int n) { return vi_set16((2 * n + 1) << 8 | 2 * n); }

/* ---- scales ---- */

/* |most that a part can hold|, in the reference's words `reach`. */
TRINE_INLINE vf reach(vf e, vf c, trine_dtype type)
{
    if (type == TRINE_Q8_0) return vf_max(vf_mul(e, vf_set(127)), vf_mul(e, vf_set(-128)));
    if (type == TRINE_Q4_0 || type == TRINE_Q5_0 || type == TRINE_Q6_K) return vf_abs(vf_mul(e, vf_set(128)));
    const vf low = vf_abs(vf_sub(c, vf_mul(e, vf_set(128))));
    const vf high = vf_abs(vf_add(c, vf_mul(e, vf_set(type == TRINE_Q4_1 || type == TRINE_Q4_K ? 112 : 120))));
    return vf_max(vf_max(low, high), vf_abs(vf_mul(e, vf_set(127))));
}

/* Levels fill a byte, with its sign: v = step (level - zero). Of w = d level + m these are e and c in w = e v + c. */
TRINE_INLINE void fill_bytes(vf *e, vf *c, vf d, vf m, trine_dtype type)
{
    const bool nibbles = type == TRINE_Q4_0 || type == TRINE_Q4_1 || type == TRINE_Q4_K;
    const bool centred = type == TRINE_Q8_0 || type == TRINE_Q4_0 || type == TRINE_Q5_0 || type == TRINE_Q6_K;
    const float step = type == TRINE_Q8_0 ? 1 : type == TRINE_Q6_K ? 4 : nibbles ? 16 : 8;
    *e = vf_mul(d, vf_set(1 / step));
    *c = centred ? vf_zero() : vf_add(vf_mul(d, vf_set(nibbles ? 8 : 16)), m);
}

/* The scale of a group and, for n of its parts (halves of parts in q6_k), factors and offsets as vi_look_up8(.., every(..)) wants them. */
TRINE_INLINE void put_scales(vi *factors, float *scale, const vf *e, const vf *c, int n, vi offset, trine_dtype type)
{
    vf most = vf_zero();
    for (int p = 0; p < n; p++) most = vf_max(most, reach(e[p], c[p], type));
    const vf d = vf_mul(most, vf_set(1.0f / 127));
    vf_store(scale, d);
    const vf inverse = vf_choose(vf_less(vf_zero(), d), vf_div(vf_set(1), d), vf_zero());
    for (int p = 0; p < n; p++) {
        const vi factor = vi_from_vf(vf_mul(vf_mul(e[p], inverse), vf_set(32768)));
        const vi start = vi_add(vi_from_vf(vf_mul(vf_mul(c[p], inverse), vf_set(256))), vi_set(128));
        factors[p] = vi_add16(vi_narrow32(factor, start), offset);
    }
}

/* Scales of n columns (at most SLICE, of whole groups but for the last): into the panel, and factors. */
TRINE_INLINE void make_scales(vi *factors, float *scale, size_t width, const unsigned char *const *rows, size_t n, int offset,
                              trine_dtype type, size_t block, size_t block_bytes)
{
    const vi added = vi_load_parts((const int16_t[8]) { 0, 0, 0, 0, (int16_t)(256 * offset), (int16_t)(256 * offset),
                                                        (int16_t)(256 * offset), (int16_t)(256 * offset) });
    if (block == PART) {
        for (size_t k = 0; k < n; k += TRINE_INT8_GROUP, scale += width, factors += GROUP_PARTS) {
            const int parts = (int)((n - k < TRINE_INT8_GROUP ? n - k : TRINE_INT8_GROUP) / PART);
            vf e[GROUP_PARTS], c[GROUP_PARTS];
            for (int p = 0; p < parts; p++) {
                vf d, m;
                part_of_32(&d, &m, block_heads(rows, (k / PART + (size_t)p) * block_bytes), type);
                fill_bytes(&e[p], &c[p], d, m, type);
            }
            put_scales(factors, scale, e, c, parts, added, type);
        }
        return;
    }
    enum { GROUPS = 256 / TRINE_INT8_GROUP }; /* in a block */
    for (size_t k = 0; k < n; k += block, scale += GROUPS * width) {
        const size_t at = k / block * block_bytes;
        const int parts = type == TRINE_Q6_K ? 2 * GROUP_PARTS : GROUP_PARTS;
        vf d[16], m[16], e[16], c[16];
        if (type == TRINE_Q6_K)
            halves_of_q6(d, rows, at);
        else
            parts_of_k(d, m, rows, at);
        TRINE_UNROLL for (int p = 0; p < GROUPS * parts; p++)
            fill_bytes(&e[p], &c[p], d[p], type == TRINE_Q6_K ? d[p] : m[p], type);
        for (int g = 0; g < GROUPS; g++, factors += parts)
            put_scales(factors, scale + (size_t)g * width, e + g * parts, c + g * parts, parts, added, type);
    }
}

/* ---- bytes ---- */

/* Signed bytes times a factor, plus an offset. */
TRINE_INLINE vi requantise(vi v, vi factor, vi start)
{
    const vi even = vi_add16(vi_mul16(vi_left16(v, 8), factor), start);
    const vi odd = vi_add16(vi_mul16(vi_and(v, vi_set16((short)0xFF00)), factor), start);
    return vi_high_bytes(even, odd);
}

/* All 16 levels of 4 bits at once: a table for look-ups. */
TRINE_INLINE vi make_table(vi factors, int r)
{
    static const int16_t levels[16] = { -32768, -28672, -24576, -20480, -16384, -12288, -8192, -4096,
                                        0,      4096,   8192,   12288,  16384,  20480,  24576, 28672 };
    const vi factor = vi_look_up8(factors, every(r)), start = vi_look_up8(factors, every(4 + r));
    const vi low = vi_add16(vi_mul16(vi_load_parts(levels), factor), start);
    const vi high = vi_add16(vi_mul16(vi_load_parts(levels + 8), factor), start);
    return vi_narrow16(vi_right16_signed(low, 8), vi_right16_signed(high, 8));
}

/* Four vectors of levels become four lines. */
TRINE_INLINE void put_levels(unsigned char *panel, size_t line, vi v[4], vi factors)
{
    TRINE_UNROLL for (int r = 0; r < 4; r++) v[r] =
        requantise(v[r], vi_look_up8(factors, every(r)), vi_look_up8(factors, every(4 + r)));
    put_lines(panel, line, v);
}

/* One block of 32 columns: eight lines. */
TRINE_INLINE void put_32(unsigned char *panel, size_t line, const unsigned char *const *rows, size_t at, const vi *factors,
                         trine_dtype type)
{
    vi low[4], high[4];
    if (type == TRINE_Q8_0) {
        TRINE_UNROLL for (int r = 0; r < 4; r++)
        {
            low[r] = vi_load_rows(rows + r, at + 2);
            high[r] = vi_load_rows(rows + r, at + 18);
        }
    } else if (type == TRINE_Q4_0 || type == TRINE_Q4_1) {
        TRINE_UNROLL for (int r = 0; r < 4; r++)
        {
            const vi nibbles = vi_load_rows(rows + r, at + (type == TRINE_Q4_0 ? 2 : 4)), table = make_table(*factors, r);
            low[r] = vi_look_up8(table, low_nibbles(nibbles));
            high[r] = vi_look_up8(table, high_nibbles(nibbles));
        }
        put_lines(panel, line, low);
        put_lines(panel + 4 * line, line, high);
        return;
    } else {
        static const uint8_t first_two[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
        static const uint8_t one_each[16] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
        const vi first = vi_load_parts(first_two), last = vi_add16(first, vi_set8(2)), bits = vi_load_parts(one_each);
        const size_t fifths = at + (type == TRINE_Q5_0 ? 2 : 4);
        TRINE_UNROLL for (int r = 0; r < 4; r++)
        {
            /* The 16 bytes that begin with the fifth bits, and those of the nibbles that follow. */
            const vi fifth = vi_load_rows(rows + r, fifths), nibbles = vi_load_rows(rows + r, fifths + 4);
            const vi l = vi_and(vi_left16(nibbles, 3), vi_set8(0x78)), h = vi_and(vi_right16(nibbles, 1), vi_set8(0x78));
            low[r] = vi_sign_where_none(l, vi_look_up8(fifth, first), bits);
            high[r] = vi_sign_where_none(h, vi_look_up8(fifth, last), bits);
        }
    }
    put_levels(panel, line, low, *factors);
    put_levels(panel + 4 * line, line, high, *factors);
}

/* 64 columns of a q4_k or q5_k block, whose parts 2k and 2k + 1 share 32 bytes. */
TRINE_INLINE void put_pair_k(unsigned char *panel, size_t line, const unsigned char *const *rows, size_t at, int pair,
                             const vi *factors, trine_dtype type)
{
    vi tables[2][4];
    if (type == TRINE_Q4_K)
        TRINE_UNROLL for (int part = 0; part < 2; part++) TRINE_UNROLL for (int r = 0; r < 4; r++) tables[part][r] =
            make_table(factors[part], r);
    TRINE_UNROLL for (int half = 0; half < 2; half++)
    {
        vi low[4], high[4];
        unsigned char *to = panel + 4 * (size_t)half * line;
        if (type == TRINE_Q4_K) {
            TRINE_UNROLL for (int r = 0; r < 4; r++)
            {
                const vi nibbles = vi_load_rows(rows + r, at + 16 + 32 * (size_t)pair + 16 * (size_t)half);
                low[r] = vi_look_up8(tables[0][r], low_nibbles(nibbles));
                high[r] = vi_look_up8(tables[1][r], high_nibbles(nibbles));
            }
            put_lines(to, line, low);
            put_lines(to + 8 * line, line, high);
            continue;
        }
        TRINE_UNROLL for (int r = 0; r < 4; r++)
        {
            const vi nibbles = vi_load_rows(rows + r, at + 48 + 32 * (size_t)pair + 16 * (size_t)half);
            const vi fifth = vi_load_rows(rows + r, at + 16 + 16 * (size_t)half);
            const vi l = vi_and(vi_left16(nibbles, 3), vi_set8(0x78)), h = vi_and(vi_right16(nibbles, 1), vi_set8(0x78));
            low[r] = vi_sign_where_none(l, fifth, vi_set8(1 << 2 * pair));
            high[r] = vi_sign_where_none(h, fifth, vi_set8(2 << 2 * pair));
        }
        put_levels(to, line, low, factors[0]);
        put_levels(to + 8 * line, line, high, factors[1]);
    }
}

/* 128 columns of a q6_k block: four quarters of 32 out of 64 bytes of nibbles and 32 of bit pairs. */
TRINE_INLINE void put_half_q6(unsigned char *panel, size_t line, const unsigned char *const *rows, size_t at, int half,
                              const vi *factors)
{
    TRINE_UNROLL for (int quarter = 0; quarter < 4; quarter++) TRINE_UNROLL for (int h = 0; h < 2; h++)
    {
        vi v[4];
        TRINE_UNROLL for (int r = 0; r < 4; r++)
        {
            const vi nibbles = vi_load_rows(rows + r, at + 64 * (size_t)half + 32 * (size_t)(quarter % 2) + 16 * (size_t)h);
            const vi pairs = vi_load_rows(rows + r, at + 128 + 32 * (size_t)half + 16 * (size_t)h);
            const vi low = vi_and(quarter / 2 ? vi_right16(nibbles, 2) : vi_left16(nibbles, 2), vi_set8(0x3C));
            v[r] = vi_or(low, vi_and(vi_left16(pairs, 6 - 2 * quarter), vi_set8(0xC0)));
            v[r] = vi_flip(v[r], vi_set8(0x80));
        }
        put_levels(panel + (size_t)(8 * quarter + 4 * h) * line, line, v, factors[2 * quarter + h]);
    }
}

/* ---- a panel ---- */

TRINE_INLINE void pack_panel(trine_int8_panel *panel, const unsigned char *w, size_t w_stride, int n_w, size_t n, int offset,
                             trine_dtype type, size_t block, size_t block_bytes)
{
    enum { WIDTH = 2 * LANES };
    const size_t line = 4 * WIDTH;
    vi factors[SLICE / 16];
    for (int j = 0; j < n_w; j += LANES) {
        const unsigned char *rows[LANES];
        rows_from(rows, w, w_stride, j, n_w);
        for (size_t k = 0; k < n; k += SLICE) {
            const size_t take = n - k < SLICE ? n - k : SLICE, bytes = take / block * block_bytes;
            unsigned char *to = panel->bytes + k / 4 * line + 4 * (size_t)j;
            for (int i = 0; i < LANES; i++) ask_for_row(rows[i], w_stride, 0, bytes);
            make_scales(factors, panel->scale + k / TRINE_INT8_GROUP * WIDTH + j, WIDTH, rows, take, offset, type, block,
                        block_bytes);
            const vi *f = factors;
            for (size_t i = 0; i < take / block; i++) {
                const size_t at = i * block_bytes;
                if (block == PART) {
                    put_32(to, line, rows, at, f++, type);
                    to += PART / 4 * line;
                } else if (type == TRINE_Q6_K) {
                    for (int half = 0; half < 2; half++, f += 8, to += 32 * line) put_half_q6(to, line, rows, at, half, f);
                } else {
                    TRINE_UNROLL for (int pair = 0; pair < 4; pair++)
                        put_pair_k(to + 16 * (size_t)pair * line, line, rows, at, pair, f + 2 * pair, type);
                    f += 8;
                    to += 64 * line;
                }
            }
            for (int i = 0; i < LANES; i++) rows[i] += bytes;
        }
    }
    memset(panel->bytes + n / 4 * line, 0, (trine_round_up(n, TRINE_INT8_PAD) - n) / 4 * line);
}

#define TRINE_PACK_PANEL(name, type, block, bytes)                                                                                 \
    static void TRINE_NAME(pack_panel_##name)(trine_int8_panel * panel, const void *w, size_t w_stride, int n_w, size_t n,         \
                                              int offset)                                                                          \
    {                                                                                                                              \
        pack_panel(panel, w, w_stride, n_w, n, offset, type, block, bytes);                                                        \
    }
TRINE_QUANTISED_TYPES(TRINE_PACK_PANEL)
#undef TRINE_PACK_PANEL

/* ---- rows of x ---- */

static void TRINE_NAME(quantize_row)(int8_t *bytes, float *scale, int32_t *sum, const float *x, size_t n)
{
    for (size_t at = 0; at < n; at += TRINE_INT8_GROUP, scale++, sum++) {
        const size_t take = n - at < TRINE_INT8_GROUP ? n - at : TRINE_INT8_GROUP;
        size_t k;
        vi most = vi_set(0), all = vi_set(0); /* of bits: what is not a number is more than any number */
        for (k = 0; k < take; k += LANES) most = vi_most(most, vi_bits(vf_abs(vf_load(x + at + k))));
        const float m = vf_most_of_bits(most);
        const float inverse = m < 0x1p-100f ? 0 : 127 / m;
        *scale = m < 0x1p-100f ? 0 : m * (1.0f / 127);
        for (k = 0; k < take; k += LANES) {
            const vi v = vi_from_vf(vf_mul(vf_load(x + at + k), vf_set(inverse)));
            all = vi_add(all, v);
            vi_store_i8(bytes + at + k, v);
        }
        *sum = (int32_t)(0u - 128u * (uint32_t)vi_total(all));
    }
    for (size_t k = n; k < trine_round_up(n, TRINE_INT8_PAD); k++) bytes[k] = 0;
}

static void register_int8_pack(trine_kernels *k)
{
#define TRINE_PACK_PANEL(name, type, block, bytes) k->pack_panel[type] = TRINE_NAME(pack_panel_##name);
    TRINE_QUANTISED_TYPES(TRINE_PACK_PANEL)
#undef TRINE_PACK_PANEL
    k->quantize_row = TRINE_NAME(quantize_row);
    k->int8_cols = 2 * LANES;
}

#endif
