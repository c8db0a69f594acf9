/* int8_pack_x86.h - template: rows of x and panels of W as bytes (ref/int8_ref.c defines both). Include it after a vector_*.h.
 *
 * A vector holds 16 bytes of several rows of W, rows r, r + 4, r + 8 ... in its 128-bit parts. Four such vectors (r = 0..3) are then
 * transposed within their parts, and each result is one line of a panel: four columns of LANES rows in a row. What is done to a row
 * is looked up by its place in the part, so factors and offsets of LANES rows lie in one vector, four and four in each part.
 *
 * 16 levels of 4 bits are a table of 16 bytes, made once for 32 columns; more levels go through the product one by one. */
#ifndef TRINE_KERNELS_INT8_PACK_X86_H
#define TRINE_KERNELS_INT8_PACK_X86_H

#include <math.h>

#include "base/size.h"
#include "kernels/kernels.h"

#define TRINE_UNROLL _Pragma("GCC unroll 16")
#define TRINE_INLINE static inline __attribute__((always_inline))

enum { SLICE = 512, PART = 32, GROUP_PARTS = TRINE_INT8_GROUP / PART }; /* columns done at a time: scales first, then bytes */

/* Sixteen bytes that repeat 16-bit number n of a part; n from 0: factors, from 4: offsets. */
TRINE_INLINE vi every(int n) { return vi_set16((2 * n + 1) << 8 | 2 * n); }

/* v[r] holds 16 bytes of rows r, r + 4, ...: afterwards v[q] holds bytes 4q .. 4q + 3 of rows 0, 1, 2 ... */
TRINE_INLINE void transpose_4(vi v[4])
{
    const vi a = vi_low32(v[0], v[1]), b = vi_high32(v[0], v[1]), c = vi_low32(v[2], v[3]), d = vi_high32(v[2], v[3]);
    v[0] = vi_low64(a, c);
    v[1] = vi_high64(a, c);
    v[2] = vi_low64(b, d);
    v[3] = vi_high64(b, d);
}

/* 16 columns become four lines of a panel. */
TRINE_INLINE void put_lines(unsigned char *panel, size_t line, vi v[4])
{
    transpose_4(v);
    TRINE_UNROLL for (size_t q = 0; q < 4; q++) vi_store_bytes(panel + q * line, v[q]);
}

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

/* The first four bytes of block b in LANES rows. */
TRINE_INLINE vi block_heads(const unsigned char *const *rows, size_t at)
{
    uint32_t heads[LANES];
    TRINE_UNROLL for (int i = 0; i < LANES; i++) memcpy(&heads[i], rows[i] + at, sizeof heads[i]);
    return vi_load_bytes(heads);
}

/* e and c of the parts of a block of 32, LANES rows. */
TRINE_INLINE void scales_32(vf *e, vf *c, vi heads, trine_dtype type)
{
    const float step = type == TRINE_Q8_0 ? 1 : type == TRINE_Q4_0 || type == TRINE_Q4_1 ? 16 : 8;
    const vf d = vf_from_low_f16(heads);
    *e = vf_mul(d, vf_set(1 / step));
    *c = vf_zero();
    if (type == TRINE_Q4_1) *c = vf_add(vf_mul(d, vf_set(8)), vf_from_low_f16(vi_shift_right(heads, 16)));
    if (type == TRINE_Q5_1) *c = vf_add(vf_mul(d, vf_set(16)), vf_from_low_f16(vi_shift_right(heads, 16)));
}

/* The same of the eight parts of a q4_k or q5_k block: its first 16 bytes are d, dmin and all scales and mins. Transposed, they
 * are four vectors of 32 bits of LANES rows, and each operation on their bits serves four parts. */
TRINE_INLINE void scales_k(vf e[8], vf c[8], const unsigned char *const *rows, size_t at, trine_dtype type)
{
    vi v[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++) v[r] = vi_load_rows(rows + r, at);
    transpose_4(v);
    const vi head = v[0], s0 = v[1], s1 = v[2], s2 = v[3];
    const vi six = vi_set(0x3F3F3F3F), four = vi_set(0x0F0F0F0F), two = vi_set(0x30303030);
    const vi scale[2] = { vi_and(s0, six), vi_or(vi_and(s2, four), vi_and(vi_shift_right(s0, 2), two)) };
    const vi min[2] = { vi_and(s1, six), vi_or(vi_and(vi_shift_right(s2, 4), four), vi_and(vi_shift_right(s1, 2), two)) };
    const vf d = vf_from_low_f16(head), dmin = vf_from_low_f16(vi_shift_right(head, 16));
    TRINE_UNROLL for (int p = 0; p < 8; p++)
    {
        const vi byte = vi_set(0xFF);
        const vf ds = vf_mul(d, vf_from_vi(vi_and(vi_shift_right(scale[p / 4], p % 4 * 8), byte)));
        const vf m = vf_mul(dmin, vf_from_vi(vi_and(vi_shift_right(min[p / 4], p % 4 * 8), byte)));
        e[p] = vf_mul(ds, vf_set(type == TRINE_Q5_K ? 1.0f / 8 : 1.0f / 16));
        c[p] = vf_sub(vf_mul(ds, vf_set(type == TRINE_Q5_K ? 16 : 8)), m);
    }
}

/* The sixteen halves of parts of a q6_k block; c is 0. */
TRINE_INLINE void scales_q6(vf e[16], const unsigned char *const *rows, size_t at)
{
    uint32_t d[LANES];
    vi v[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++) v[r] = vi_load_rows(rows + r, at + 192);
    transpose_4(v);
    TRINE_UNROLL for (int i = 0; i < LANES; i++)
    {
        uint16_t h;
        memcpy(&h, rows[i] + at + 208, sizeof h);
        d[i] = h;
    }
    const vf quarter = vf_mul(vf_from_low_f16(vi_load_bytes(d)), vf_set(1.0f / 4));
    TRINE_UNROLL for (int q = 0; q < 4; q++) TRINE_UNROLL for (int p = 0; p < 4; p++)
    {
        const vi s = vi_shift_right_signed(vi_shift_left(v[q], 24 - 8 * p), 24);
        e[4 * q + p] = vf_mul(quarter, vf_from_vi(s));
    }
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
            for (int p = 0; p < parts; p++) scales_32(&e[p], &c[p], block_heads(rows, (k / PART + (size_t)p) * block_bytes), type);
            put_scales(factors, scale, e, c, parts, added, type);
        }
        return;
    }
    enum { GROUPS = 256 / TRINE_INT8_GROUP }; /* in a block */
    for (size_t k = 0; k < n; k += block, scale += GROUPS * width) {
        const size_t at = k / block * block_bytes;
        const int parts = type == TRINE_Q6_K ? 2 * GROUP_PARTS : GROUP_PARTS;
        vf e[16], c[16];
        if (type == TRINE_Q6_K) {
            scales_q6(e, rows, at);
            for (int p = 0; p < 16; p++) c[p] = vf_zero();
        } else {
            scales_k(e, c, rows, at, type);
        }
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

TRINE_INLINE vi low_nibbles(vi v) { return vi_and(v, vi_set8(15)); }
TRINE_INLINE vi high_nibbles(vi v) { return vi_and(vi_right16(v, 4), vi_set8(15)); }

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
        const unsigned char *rows[LANES]; /* a row that is not there is the last again: nobody reads what it becomes */
        for (int i = 0; i < LANES; i++) rows[i] = w + (size_t)trine_min_int(j + i, n_w - 1) * w_stride;
        for (size_t k = 0; k < n; k += SLICE) {
            const size_t take = n - k < SLICE ? n - k : SLICE, bytes = take / block * block_bytes;
            unsigned char *to = panel->bytes + k / 4 * line + 4 * (size_t)j;
            for (int i = 0; i < LANES; i++) /* short pieces of many rows are no stream that the hardware follows */
                for (size_t at = 0; at < bytes; at += 64) _mm_prefetch((const char *)rows[i] + LANES * w_stride + at, _MM_HINT_T0);
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
TRINE_PACK_PANEL(q8_0, TRINE_Q8_0, 32, 34)
TRINE_PACK_PANEL(q4_0, TRINE_Q4_0, 32, 18)
TRINE_PACK_PANEL(q4_1, TRINE_Q4_1, 32, 20)
TRINE_PACK_PANEL(q5_0, TRINE_Q5_0, 32, 22)
TRINE_PACK_PANEL(q5_1, TRINE_Q5_1, 32, 24)
TRINE_PACK_PANEL(q4_k, TRINE_Q4_K, 256, 144)
TRINE_PACK_PANEL(q5_k, TRINE_Q5_K, 256, 176)
TRINE_PACK_PANEL(q6_k, TRINE_Q6_K, 256, 210)

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
    k->pack_panel[TRINE_Q8_0] = TRINE_NAME(pack_panel_q8_0);
    k->pack_panel[TRINE_Q4_0] = TRINE_NAME(pack_panel_q4_0);
    k->pack_panel[TRINE_Q4_1] = TRINE_NAME(pack_panel_q4_1);
    k->pack_panel[TRINE_Q5_0] = TRINE_NAME(pack_panel_q5_0);
    k->pack_panel[TRINE_Q5_1] = TRINE_NAME(pack_panel_q5_1);
    k->pack_panel[TRINE_Q4_K] = TRINE_NAME(pack_panel_q4_k);
    k->pack_panel[TRINE_Q5_K] = TRINE_NAME(pack_panel_q5_k);
    k->pack_panel[TRINE_Q6_K] = TRINE_NAME(pack_panel_q6_k);
    k->quantize_row = TRINE_NAME(quantize_row);
    k->int8_cols = 2 * LANES;
}

#endif
