/* levels_ref.c - products by levels, scalar: the definition of what a block's levels, d and m are. A block's layout is that of
 * quant/block_32.c and block_256.c. */
#include <string.h>

#include "kernels/level_kernels.h"
#include "kernels/ref/ref.h"

static float get_f16(const unsigned char *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return trine_f16_to_f32(h);
}

/* One weight as its block says it. */
typedef struct level {
    int level;
    float d, m;
} level;

/* Element j of a block of 32: nibbles of the first half come first; fifth bits in order. */
static level of_32(const unsigned char *b, int j, trine_dtype type)
{
    if (type == TRINE_Q8_0) return (level) { ((int8_t)b[2 + j] + 128) / 2, 2 * get_f16(b), -127.5f * get_f16(b) };
    const bool min = type == TRINE_Q4_1 || type == TRINE_Q5_1, fifth = type == TRINE_Q5_0 || type == TRINE_Q5_1;
    const unsigned char *bits = b + (min ? 4 : 2), *nibbles = bits + (fifth ? 4 : 0);
    const float d = get_f16(b);
    level w = { .level = nibbles[j % 16] >> 4 * (j / 16) & 0xF, .d = d };
    if (fifth) w.level |= (bits[j / 8] >> j % 8 & 1) << 4;
    w.m = min ? get_f16(b + 2) : d * (fifth ? -16 : -8);
    return w;
}

/* Element j of a q4_k or q5_k block: parts of 32, whose scales and mins have 6 bits. */
static level of_k(const unsigned char *b, int j, trine_dtype type)
{
    const unsigned char *s = b + 4;
    const int part = j / 32;
    const int scale = part < 4 ? s[part] & 63 : (s[part + 4] & 0xF) | s[part - 4] >> 6 << 4;
    const int min = part < 4 ? s[part + 4] & 63 : s[part + 4] >> 4 | s[part] >> 6 << 4;
    const unsigned char *nibbles = b + (type == TRINE_Q5_K ? 48 : 16) + 32 * (part / 2);
    level w = { .level = nibbles[j % 32] >> 4 * (part % 2) & 0xF };
    if (type == TRINE_Q5_K) w.level |= (b[16 + j % 32] >> part & 1) << 4;
    w.d = get_f16(b) * (float)scale;
    w.m = 0 - get_f16(b + 2) * (float)min;
    return w;
}

/* Element j of a q6_k block: halves of 128, quarters of 32 in each, a scale for each 16. */
static level of_q6(const unsigned char *b, int j)
{
    const int half = j / 128, quarter = j / 32 % 4, at = j % 32;
    const int low = b[64 * half + 32 * (quarter % 2) + at] >> 4 * (quarter / 2) & 0xF;
    const int high = b[128 + 32 * half + at] >> 2 * quarter & 3;
    const float d = get_f16(b + 208) * (float)(int8_t)b[192 + j / 16];
    return (level) { low | high << 4, d, -32 * d };
}

static void pack_any(trine_level_panel *panel, const unsigned char *w, size_t w_stride, int n_w, size_t n, trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    const size_t part = (size_t)trine_level_part(type), block = (size_t)info->block;
    for (int j = 0; j < n_w; j++)
        for (size_t k = 0; k < n; k++) {
            const unsigned char *b = w + (size_t)j * w_stride + k / block * (size_t)info->block_bytes;
            const int in = (int)(k % block);
            const level one = block == 32 ? of_32(b, in, type) : type == TRINE_Q6_K ? of_q6(b, in) : of_k(b, in, type);
            panel->bytes[k / 4 * 4 * TRINE_LEVEL_COLS + 4 * (size_t)j + k % 4] = (uint8_t)one.level;
            panel->d[k / part * TRINE_LEVEL_COLS + (size_t)j] = one.d;
            panel->m[k / part * TRINE_LEVEL_COLS + (size_t)j] = one.m;
        }
}

#define PACK_LEVELS(name, type)                                                                                                    \
    static void pack_##name(trine_level_panel *panel, const void *w, size_t w_stride, int n_w, size_t n)                           \
    {                                                                                                                              \
        pack_any(panel, w, w_stride, n_w, n, type);                                                                                \
    }
TRINE_REF_QUANTISED(PACK_LEVELS)
#undef PACK_LEVELS

static void gemm(float *y, size_t y_stride, const trine_level_rows *x, int n_rows, const trine_level_panel *panel, trine_dtype type,
                 int n_cols, size_t depth, const float *bias, bool add)
{
    const size_t part = (size_t)trine_level_part(type);
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < n_cols; j++) {
            float *out = y + (size_t)i * y_stride + (size_t)j;
            double sum = add ? (double)*out : bias ? (double)bias[j] : 0.0;
            for (size_t p = 0; p < depth / part; p++) {
                const size_t at = p * TRINE_LEVEL_COLS + (size_t)j;
                int whole = 0;
                for (size_t k = p * part; k < (p + 1) * part; k++)
                    whole +=
                        x->bytes[(size_t)i * x->stride + k] * panel->bytes[k / 4 * 4 * TRINE_LEVEL_COLS + 4 * (size_t)j + k % 4];
                sum += (double)panel->d[at] * (double)x->scale[(size_t)i * x->scales + p * part / TRINE_LEVEL_BLOCK] * whole +
                       (double)panel->m[at] * (double)x->sum[(size_t)i * x->sums + p];
            }
            *out = (float)sum;
        }
}

void trine_level_kernels_ref(trine_level_kernels *k)
{
    *k = (trine_level_kernels) { .gemm = gemm };
#define SET(name, type) k->pack[type] = pack_##name;
    TRINE_REF_QUANTISED(SET)
#undef SET
}
