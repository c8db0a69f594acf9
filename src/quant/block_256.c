/* block_256.c - the "K" formats: 256 elements a block, in parts that have scales of their own, quantised again.
 *
 *     q4_k  d f16, dmin f16, 12 bytes of scales, 128 bytes of nibbles                     144 bytes   8 parts of 32
 *     q5_k  d f16, dmin f16, 12 bytes of scales, 32 bytes of fifth bits, 128 of nibbles   176 bytes   8 parts of 32
 *     q6_k  128 low nibbles, 64 bytes of upper bit pairs, 16 x int8 scales, d f16         210 bytes   16 parts of 16
 *
 * q4_k, q5_k: x = d scale q - dmin min, scale and min 6 bits each. q6_k: x = d scale (q - 32). */
#include <string.h>

#include "quant/block_formats.h"
#include "quant/quant.h"

enum { BLOCK = 256 };

/* Scale and min of part j out of 12 bytes: parts 0..3 have theirs in the low 6 bits of bytes 0..3 and 4..7; parts 4..7 have
 * low nibbles in bytes 8..11 and their upper two bits on top of bytes 0..3 and 4..7. */
static void get_scale_min(unsigned *scale, unsigned *min, const unsigned char *s, int j)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *min = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 0xFu) | (unsigned)(s[j - 4] >> 6) << 4;
        *min = (unsigned)(s[j + 4] >> 4) | (unsigned)(s[j] >> 6) << 4;
    }
}

void trine_unpack_q4_k(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += BLOCK, b += 144) {
        const float d = trine_f16_at(b), dmin = trine_f16_at(b + 2);
        const unsigned char *q = b + 16;
        for (int j = 0; j < 8; j++) { /* parts 2k and 2k+1 are the low and high nibbles of the same 32 bytes */
            unsigned scale, min;
            get_scale_min(&scale, &min, b + 4, j);
            const float ds = d * (float)scale, m = dmin * (float)min;
            for (int l = 0; l < 32; l++) out[i + 32 * j + l] = ds * (float)(q[32 * (j / 2) + l] >> 4 * (j & 1) & 0xF) - m;
        }
    }
}

void trine_unpack_q5_k(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += BLOCK, b += 176) {
        const float d = trine_f16_at(b), dmin = trine_f16_at(b + 2);
        const unsigned char *high = b + 16, *q = b + 48;
        for (int j = 0; j < 8; j++) { /* bit j of the 32 bytes is the fifth bit of part j */
            unsigned scale, min;
            get_scale_min(&scale, &min, b + 4, j);
            const float ds = d * (float)scale, m = dmin * (float)min;
            for (int l = 0; l < 32; l++) {
                const int level = (q[32 * (j / 2) + l] >> 4 * (j & 1) & 0xF) | (high[l] >> j & 1) << 4;
                out[i + 32 * j + l] = ds * (float)level - m;
            }
        }
    }
}

void trine_unpack_q6_k(float *out, const void *in, size_t n)
{
    const unsigned char *b = in;
    for (size_t i = 0; i < n; i += BLOCK, b += 210) {
        const float d = trine_f16_at(b + 208);
        for (int e = 0; e < BLOCK; e++) {
            /* Each half of 128 has 64 bytes of nibbles (its first 64 elements low, the other 64 high) and 32 bytes of
             * bit pairs (its quarters of 32 in rising pairs). */
            const int half = e / 128, r = e % 128;
            const int low = b[64 * half + r % 64] >> 4 * (r / 64) & 0xF;
            const int high = b[128 + 32 * half + r % 32] >> 2 * (r / 32) & 3;
            const int8_t scale = (int8_t)b[192 + e / 16];
            out[i + e] = d * (float)scale * (float)((low | high << 4) - 32);
        }
    }
}
