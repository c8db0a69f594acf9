/* block_parts_x86.h - template: what the quantised types have in common on their way into panels, and what each block says. Include it
 * after a vector_*.h.
 *
 * A vector holds 16 bytes of several rows of W, rows r, r + 4, r + 8 ... in its 128-bit parts. Four such vectors (r = 0..3) are then
 * transposed within their parts, and each result is one line of a panel: four columns of LANES rows in a row.
 *
 * A weight is d level + m, with levels from 0 up; d and m hold for a part of 32 columns, 16 in q6_k. Q8_0's levels have a sign. */
#ifndef TRINE_KERNELS_BLOCK_PARTS_X86_H
#define TRINE_KERNELS_BLOCK_PARTS_X86_H

#include "base/size.h"
#include "kernels/kernels.h"
#include "kernels/quantised_types.h"
#include "kernels/x86/unrolled.h"

enum { PART = 32 };

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

TRINE_INLINE vi low_nibbles(vi v) { return vi_and(v, vi_set8(15)); }
TRINE_INLINE vi high_nibbles(vi v) { return vi_and(vi_right16(v, 4), vi_set8(15)); }

/* LANES rows of W from row j on; a row that is not there is the last again: nobody reads what it becomes. */
TRINE_INLINE void rows_from(const unsigned char **rows, const unsigned char *w, size_t w_stride, int j, int n_w)
{
    for (int i = 0; i < LANES; i++) rows[i] = w + (size_t)trine_min_int(j + i, n_w - 1) * w_stride;
}

/* Asks for bytes [at, at + n) of the row LANES behind this one: short pieces of many rows are no stream that the hardware follows. */
TRINE_INLINE void ask_for_row(const unsigned char *row, size_t w_stride, size_t at, size_t n)
{
    for (const size_t end = at + n; at < end; at += 64) _mm_prefetch((const char *)row + LANES * w_stride + at, _MM_HINT_T0);
}

/* The first four bytes of a block in LANES rows. */
TRINE_INLINE vi block_heads(const unsigned char *const *rows, size_t at)
{
    uint32_t heads[LANES];
    TRINE_UNROLL for (int i = 0; i < LANES; i++) memcpy(&heads[i], rows[i] + at, sizeof heads[i]);
    return vi_load_bytes(heads);
}

/* d and m of a block of 32, LANES rows. */
TRINE_INLINE void part_of_32(vf *d, vf *m, vi heads, trine_dtype type)
{
    *d = vf_from_low_f16(heads);
    if (type == TRINE_Q4_1 || type == TRINE_Q5_1)
        *m = vf_from_low_f16(vi_shift_right(heads, 16));
    else
        *m = vf_mul(*d, vf_set(type == TRINE_Q4_0 ? -8 : type == TRINE_Q5_0 ? -16 : 0));
}

/* Of the eight parts of a q4_k or q5_k block: its first 16 bytes are two factors in f16 and all scales and mins. Transposed, they
 * are four vectors of 32 bits of LANES rows, and each operation on their bits serves four parts. */
TRINE_INLINE void parts_of_k(vf d[8], vf m[8], const unsigned char *const *rows, size_t at)
{
    vi v[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++) v[r] = vi_load_rows(rows + r, at);
    transpose_4(v);
    const vi head = v[0], s0 = v[1], s1 = v[2], s2 = v[3];
    const vi six = vi_set(0x3F3F3F3F), four = vi_set(0x0F0F0F0F), two = vi_set(0x30303030);
    const vi scale[2] = { vi_and(s0, six), vi_or(vi_and(s2, four), vi_and(vi_shift_right(s0, 2), two)) };
    const vi min[2] = { vi_and(s1, six), vi_or(vi_and(vi_shift_right(s2, 4), four), vi_and(vi_shift_right(s1, 2), two)) };
    const vf of_scales = vf_from_low_f16(head), of_mins = vf_from_low_f16(vi_shift_right(head, 16));
    TRINE_UNROLL for (int p = 0; p < 8; p++)
    {
        const vi byte = vi_set(0xFF);
        d[p] = vf_mul(of_scales, vf_from_vi(vi_and(vi_shift_right(scale[p / 4], p % 4 * 8), byte)));
        m[p] = vf_sub(vf_zero(), vf_mul(of_mins, vf_from_vi(vi_and(vi_shift_right(min[p / 4], p % 4 * 8), byte))));
    }
}

/* d of the sixteen halves of parts of a q6_k block; m is -32 d. */
TRINE_INLINE void halves_of_q6(vf d[16], const unsigned char *const *rows, size_t at)
{
    uint32_t heads[LANES];
    vi v[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++) v[r] = vi_load_rows(rows + r, at + 192);
    transpose_4(v);
    TRINE_UNROLL for (int i = 0; i < LANES; i++)
    {
        uint16_t h;
        memcpy(&h, rows[i] + at + 208, sizeof h);
        heads[i] = h;
    }
    const vf all = vf_from_low_f16(vi_load_bytes(heads));
    TRINE_UNROLL for (int q = 0; q < 4; q++) TRINE_UNROLL for (int p = 0; p < 4; p++)
    {
        const vi s = vi_shift_right_signed(vi_shift_left(v[q], 24 - 8 * p), 24);
        d[4 * q + p] = vf_mul(all, vf_from_vi(s));
    }
}

#endif
