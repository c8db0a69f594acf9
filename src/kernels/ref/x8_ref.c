/* x8_ref.c - rows of x in 8 bits and their products with quantised rows of W, scalar: the definition of correct. */
#include "kernels/ref/ref.h"

#include <math.h>
#include <string.h>

enum { BLOCK = TRINE_X8_BLOCK, CHUNK = 256 };

/* x * (127 / most) is at most 127 (1 + 2^-23), which rounds to 127. */
float trine_x8_block_ref(int8_t levels[BLOCK], const float *x, size_t n)
{
    float most = 0;
    bool finite = true;
    memset(levels, 0, BLOCK);
    for (size_t i = 0; i < n; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    if (!finite) return NAN;
    if (most < TRINE_X8_LEAST) return 0;
    const float inverse = 127 / most;
    for (size_t i = 0; i < n; i++) levels[i] = (int8_t)lrintf(x[i] * inverse);
    return most / 127;
}

void trine_pack_x8_ref(void *out, const float *in, size_t n)
{
    int8_t *levels = out;
    unsigned char *scales = (unsigned char *)out + trine_x8_levels(n);
    for (size_t at = 0; at < trine_x8_levels(n); at += BLOCK, levels += BLOCK) {
        const size_t take = at >= n ? 0 : n - at < BLOCK ? n - at : BLOCK;
        float scale = trine_x8_block_ref(levels, in + at, take), sum = 0;
        for (int i = 0; i < BLOCK; i++) sum += levels[i];
        sum *= scale;
        unsigned char *to = scales + at / TRINE_X8_GROUP * 32 + at % TRINE_X8_GROUP / BLOCK * sizeof scale;
        memcpy(to, &scale, sizeof scale);
        memcpy(to + 16, &sum, sizeof sum);
    }
}

static double dot_any(const unsigned char *x, const unsigned char *w, size_t n, const trine_dtype_info *type)
{
    float piece[CHUNK], scale;
    double sum = 0;
    for (size_t at = 0; at < n; at += CHUNK) {
        const size_t take = n - at < CHUNK ? n - at : CHUNK;
        type->unpack(piece, w + at / (size_t)type->block * (size_t)type->block_bytes, take);
        for (size_t k = 0; k < take; k++) {
            const size_t e = at + k;
            memcpy(&scale, x + trine_x8_levels(n) + e / TRINE_X8_GROUP * 32 + e % TRINE_X8_GROUP / BLOCK * sizeof scale,
                   sizeof scale);
            sum += (double)scale * (double)(int8_t)x[e] * (double)piece[k];
        }
    }
    return sum;
}

#define DOT_X8(name, type, block, bytes)                                                                                           \
    void trine_dot_x8_##name##_ref(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const void *w,     \
                                   size_t w_stride, int n_w, size_t n)                                                             \
    {                                                                                                                              \
        for (int j = 0; j < n_w; j++)                                                                                              \
            for (int i = 0; i < n_x; i++)                                                                                          \
                y[(size_t)i * y_stride + (size_t)j] = (float)dot_any(                                                              \
                    x + (size_t)i * x_stride, (const unsigned char *)w + (size_t)j * w_stride, n, trine_dtype_get(type));          \
    }
TRINE_QUANTISED_TYPES(DOT_X8)
#undef DOT_X8
