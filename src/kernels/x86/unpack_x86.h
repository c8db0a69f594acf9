/* unpack_x86.h - template: element types to f32, bit by bit as the definitions in quant/ give them. Include it after a
 * vector_*.h. Layouts are drawn in quant/block_32.c and quant/block_256.c. Nothing outside a block is read. */
#ifndef TRINE_KERNELS_UNPACK_X86_H
#define TRINE_KERNELS_UNPACK_X86_H

#include "kernels/kernels.h"
#include "kernels/x86/round_bf16_x86.h"

static inline float f16_at(const unsigned char *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _cvtsh_ss(h);
}

static inline vf bf16_vf(const unsigned char *p) { return vf_bits(vi_shift_left(vi_load_u16(p), 16)); }

static void TRINE_NAME(unpack_f16)(float *out, const void *in, size_t n)
{
    const unsigned char *p = in;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(out + i, vf_load_f16(p + 2 * i));
    for (; i < n; i++) out[i] = f16_at(p + 2 * i);
}

static void TRINE_NAME(unpack_bf16)(float *out, const void *in, size_t n)
{
    const unsigned char *p = in;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(out + i, bf16_vf(p + 2 * i));
    for (; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        out[i] = trine_bf16_to_f32(h);
    }
}

static void TRINE_NAME(pack_f16)(void *out, const float *in, size_t n)
{
    unsigned char *p = out;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store_f16(p + 2 * i, vf_load(in + i));
    for (; i < n; i++) {
        const uint16_t h = trine_f32_to_f16(in[i]);
        memcpy(p + 2 * i, &h, sizeof h);
    }
}

static void TRINE_NAME(pack_bf16)(void *out, const float *in, size_t n)
{
    unsigned char *p = out;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store_bf16(p + 2 * i, vf_load(in + i));
    for (; i < n; i++) {
        const uint16_t h = trine_f32_to_bf16(in[i]);
        memcpy(p + 2 * i, &h, sizeof h);
    }
}

/* ---- 32 elements a block ---- */

static void TRINE_NAME(unpack_q8_0)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += 32, b += 34) {
        const vf d = vf_set(f16_at(b));
        for (int j = 0; j < 32; j += LANES) vf_store(out + i + j, vf_mul(d, vf_from_vi(vi_load_i8(b + 2 + j))));
    }
}

/* Elements j .. j + LANES of 16 bytes of nibbles: low halves first. */
static inline vi nibbles_at(const unsigned char *q, int j)
{
    return j < 16 ? vi_and(vi_load_u8(q + j), vi_set(15)) : vi_shift_right(vi_load_u8(q + j - 16), 4);
}

static inline vi fifth_bits(uint32_t bits, int j) { return vi_shift_left(vi_spread_bits(bits >> j), 4); }

static void TRINE_NAME(unpack_q4_0)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += 32, b += 18) {
        const vf d = vf_set(f16_at(b));
        for (int j = 0; j < 32; j += LANES) vf_store(out + i + j, vf_mul(d, vf_from_vi(vi_add(nibbles_at(b + 2, j), vi_set(-8)))));
    }
}

static void TRINE_NAME(unpack_q4_1)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += 32, b += 20) {
        const vf d = vf_set(f16_at(b)), m = vf_set(f16_at(b + 2));
        for (int j = 0; j < 32; j += LANES) vf_store(out + i + j, vf_add(vf_mul(d, vf_from_vi(nibbles_at(b + 4, j))), m));
    }
}

static void TRINE_NAME(unpack_q5_0)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += 32, b += 22) {
        const vf d = vf_set(f16_at(b));
        uint32_t fifth;
        memcpy(&fifth, b + 2, sizeof fifth);
        for (int j = 0; j < 32; j += LANES) {
            const vi level = vi_or(nibbles_at(b + 6, j), fifth_bits(fifth, j));
            vf_store(out + i + j, vf_mul(d, vf_from_vi(vi_add(level, vi_set(-16)))));
        }
    }
}

static void TRINE_NAME(unpack_q5_1)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += 32, b += 24) {
        const vf d = vf_set(f16_at(b)), m = vf_set(f16_at(b + 2));
        uint32_t fifth;
        memcpy(&fifth, b + 4, sizeof fifth);
        for (int j = 0; j < 32; j += LANES)
            vf_store(out + i + j, vf_add(vf_mul(d, vf_from_vi(vi_or(nibbles_at(b + 8, j), fifth_bits(fifth, j)))), m));
    }
}

/* ---- 256 elements a block ---- */

/* The 8 scales and 8 mins, 6 bits each, of q4_k and q5_k. */
static inline void scales_and_mins(uint8_t scale[8], uint8_t min[8], const unsigned char *s)
{
    for (int j = 0; j < 4; j++) {
        scale[j] = s[j] & 63;
        min[j] = s[j + 4] & 63;
        scale[j + 4] = (uint8_t)((s[j + 8] & 15) | (s[j] >> 6) << 4);
        min[j + 4] = (uint8_t)((s[j + 8] >> 4) | (s[j + 4] >> 6) << 4);
    }
}

static void TRINE_NAME(unpack_q4_k)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    uint8_t scale[8], min[8];
    for (size_t i = 0; i < n; i += 256, b += 144) {
        const float d = f16_at(b), dmin = f16_at(b + 2);
        scales_and_mins(scale, min, b + 4);
        for (int part = 0; part < 8; part += 2) {
            const unsigned char *q = b + 16 + 16 * part;
            const vf d0 = vf_set(d * (float)scale[part]), m0 = vf_set(dmin * (float)min[part]);
            const vf d1 = vf_set(d * (float)scale[part + 1]), m1 = vf_set(dmin * (float)min[part + 1]);
            float *to = out + i + 32 * part;
            for (int j = 0; j < 32; j += LANES) {
                const vi bytes = vi_load_u8(q + j);
                vf_store(to + j, vf_sub(vf_mul(d0, vf_from_vi(vi_and(bytes, vi_set(15)))), m0));
                vf_store(to + 32 + j, vf_sub(vf_mul(d1, vf_from_vi(vi_shift_right(bytes, 4))), m1));
            }
        }
    }
}

static void TRINE_NAME(unpack_q5_k)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    uint8_t scale[8], min[8];
    for (size_t i = 0; i < n; i += 256, b += 176) {
        const float d = f16_at(b), dmin = f16_at(b + 2);
        scales_and_mins(scale, min, b + 4);
        for (int part = 0; part < 8; part++) {
            const unsigned char *q = b + 48 + 32 * (part / 2);
            const vf ds = vf_set(d * (float)scale[part]), m = vf_set(dmin * (float)min[part]);
            for (int j = 0; j < 32; j += LANES) {
                const vi low = vi_and(vi_shift_right(vi_load_u8(q + j), 4 * (part & 1)), vi_set(15));
                const vi high = vi_shift_left(vi_and(vi_shift_right(vi_load_u8(b + 16 + j), part), vi_set(1)), 4);
                vf_store(out + i + 32 * part + j, vf_sub(vf_mul(ds, vf_from_vi(vi_or(low, high))), m));
            }
        }
    }
}

static void TRINE_NAME(unpack_q6_k)(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += 256, b += 210) {
        const float d = f16_at(b + 208);
        for (int e = 0; e < 256; e += LANES) {
            const int half = e / 128, r = e % 128;
            const vi low = vi_and(vi_shift_right(vi_load_u8(b + 64 * half + r % 64), 4 * (r / 64)), vi_set(15));
            const vi high = vi_and(vi_shift_right(vi_load_u8(b + 128 + 32 * half + r % 32), 2 * (r / 32)), vi_set(3));
            const vf level = vf_from_vi(vi_add(vi_or(low, vi_shift_left(high, 4)), vi_set(-32)));
            vf_store(out + i + e, vf_mul(vf_set(d * (float)(int8_t)b[192 + e / 16]), level));
        }
    }
}

#endif
