/* int8_ref.c - products on bytes, scalar: the definition of what x and W become.
 *
 * Every quantised type is w = e v + c, with a signed byte v that is its level (times 4 to 16, so that it fills the byte) and a
 * factor and an offset for 16 or 32 columns. A group's scale D is the least multiple that reaches all its weights; then
 *
 *     byte = round(w / D) = (v * 256 * factor >> 15  +  offset) >> 8,    factor = e / D * 2^15, offset = c / D * 2^8 + 2^7
 *
 * in 16 bits, rounding where a shift loses bits: one instruction for the product on every x86. What it adds to the half step of
 * rounding: 128 / 2^15 for a factor that does not quite reach 1, and half of 2^-8 each for the product's and the offset's rounding:
 * below 0.51 steps in all. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/ref/block_level.h"
#include "kernels/ref/ref.h"

enum { PART = 32 }; /* columns that are decoded at a time; each half has its own e and c */

typedef struct part {
    int v[PART];
    float e[2], c[2];
} part;

/* w = d level + m, and v is the level from the middle of all levels, times what fills the byte. */
static void decode(part *out, const unsigned char *row, size_t column, trine_dtype type)
{
    const int middle = trine_block_levels(type) / 2, times = 128 / middle;
    for (int h = 0; h < PART / TRINE_BLOCK_RUN; h++) {
        const trine_block_run run = trine_block_run_at(row, column + (size_t)h * TRINE_BLOCK_RUN, type);
        out->e[h] = run.d / (float)times;
        out->c[h] = run.m + run.d * (float)middle;
        for (int i = 0; i < TRINE_BLOCK_RUN; i++) out->v[h * TRINE_BLOCK_RUN + i] = times * (run.level[i] - middle);
    }
}

/* The largest magnitude that a part may hold, by its scales alone, in 127ths; and no less than e, so that the factor is at most 1. */
static float reach(float e, float c, trine_dtype type)
{
    if (type == TRINE_Q8_0) return e < 0 ? -128 * e : 127 * e; /* its lowest level is used by no quantiser: let it be -128 */
    const float top = type == TRINE_Q6_K ? 124 : type == TRINE_Q4_0 || type == TRINE_Q4_1 || type == TRINE_Q4_K ? 112 : 120;
    return fmaxf(fmaxf(fabsf(c - 128 * e), fabsf(c + top * e)), 127 * fabsf(e));
}

static int to_int(float x, int least, int most)
{
    if (!(x > (float)least)) return least; /* and what is not a number */
    return x > (float)most ? most : (int)rintf(x);
}

static void pack_group(uint8_t *bytes, float *scale, const unsigned char *row, size_t column, size_t n, trine_dtype type,
                       int offset)
{
    part parts[TRINE_INT8_GROUP / PART] = { 0 };
    float most = 0;
    for (size_t p = 0; p < n / PART; p++) {
        decode(&parts[p], row, column + p * PART, type);
        for (int h = 0; h < 2; h++) most = fmaxf(most, reach(parts[p].e[h], parts[p].c[h], type));
    }
    *scale = most * (1.0f / 127);
    const float inverse = *scale > 0 ? 1 / *scale : 0;
    for (size_t k = 0; k < n; k++) {
        const part *p = &parts[k / PART];
        const int half = (int)(k % PART) / 16;
        const int factor = to_int(p->e[half] * inverse * 32768, -32768, 32767);
        const int start = to_int(p->c[half] * inverse * 256, -32768, 32639) + 128 + 256 * offset;
        const int product = ((p->v[k % PART] * 256 * factor >> 14) + 1) >> 1;
        bytes[k / 4 * 4 * TRINE_INT8_COLS_REF + k % 4] = (uint8_t)((unsigned)(product + start) >> 8);
    }
}

static void pack_any(trine_int8_panel *panel, const void *w, size_t w_stride, int n_w, size_t n, int offset, trine_dtype type)
{
    for (size_t k = 0; k < n; k += TRINE_INT8_GROUP)
        for (int j = 0; j < n_w; j++)
            pack_group(panel->bytes + k * TRINE_INT8_COLS_REF + 4 * (size_t)j,
                       panel->scale + k / TRINE_INT8_GROUP * TRINE_INT8_COLS_REF + (size_t)j,
                       (const unsigned char *)w + (size_t)j * w_stride, k, n - k < TRINE_INT8_GROUP ? n - k : TRINE_INT8_GROUP,
                       type, offset);
    memset(panel->bytes + n * TRINE_INT8_COLS_REF, 0, (trine_round_up(n, TRINE_INT8_PAD) - n) * TRINE_INT8_COLS_REF);
}

/* The table's entries carry no type, so each type has its own. */
#define PACK_PANEL(name, type, block, bytes)                                                                                       \
    void trine_pack_panel_##name##_ref(trine_int8_panel *panel, const void *w, size_t w_stride, int n_w, size_t n, int offset)     \
    {                                                                                                                              \
        pack_any(panel, w, w_stride, n_w, n, offset, type);                                                                        \
    }
TRINE_QUANTISED_TYPES(PACK_PANEL)
#undef PACK_PANEL

void trine_quantize_row_ref(int8_t *bytes, float *scale, int32_t *sum, const float *x, size_t n)
{
    for (size_t at = 0; at < n; at += TRINE_INT8_GROUP, scale++, sum++) {
        const size_t end = n - at < TRINE_INT8_GROUP ? n : at + TRINE_INT8_GROUP;
        float most = 0;
        for (size_t k = at; k < end; k++)
            if (most == most && !(fabsf(x[k]) <= most)) most = fabsf(x[k]); /* what is not a number stays the most */
        /* Below this the inverse would overflow; nothing that small is seen in a sum. */
        const float inverse = most < 0x1p-100f ? 0 : 127 / most;
        *scale = most < 0x1p-100f ? 0 : most * (1.0f / 127);
        *sum = 0;
        for (size_t k = at; k < end; k++) {
            bytes[k] = (int8_t)to_int(x[k] * inverse, -128, 127);
            *sum -= 128 * bytes[k];
        }
    }
    memset(bytes + n, 0, trine_round_up(n, TRINE_INT8_PAD) - n);
}

void trine_gemm_int8_ref(float *y, size_t y_stride, const trine_int8_rows *x, int n_rows, const trine_int8_panel *panel, int n_cols,
                         size_t depth, const float *bias, bool add)
{
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < n_cols; j++) {
            float *out = y + (size_t)i * y_stride + (size_t)j;
            const int8_t *a = x->bytes + (size_t)i * x->stride;
            const int8_t *b = (const int8_t *)panel->bytes + 4 * (size_t)j;
            double sum = add ? (double)*out : bias ? (double)bias[j] : 0.0;
            for (size_t k = 0; k < depth;) {
                const size_t group = k / TRINE_INT8_GROUP, end = trine_round_up(k + 1, TRINE_INT8_GROUP);
                int32_t whole = 0;
                for (; k < depth && k < end; k++) whole += a[k] * b[k / 4 * 4 * TRINE_INT8_COLS_REF + k % 4];
                sum += (double)whole * (double)x->scale[(size_t)i * x->groups + group] *
                       (double)panel->scale[group * TRINE_INT8_COLS_REF + (size_t)j];
            }
            *out = (float)sum;
        }
}
