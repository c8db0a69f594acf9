/* products_ref.c - the products, scalar: the definition of correct. Sums are kept in double, so that the reference is
 * nearer to the true value than any variant that is compared with it. */
#include "kernels/ref/ref.h"

#include <string.h>

enum { CHUNK = 256 }; /* a multiple of every block */

/* A row of any type meets x in pieces small enough for the stack. */
static double dot_any(const float *x, const unsigned char *w, size_t n, const trine_dtype_info *type)
{
    float piece[CHUNK];
    double sum = 0;
    for (size_t at = 0; at < n; at += CHUNK) {
        const size_t take = n - at < CHUNK ? n - at : CHUNK;
        type->unpack(piece, w + at / (size_t)type->block * (size_t)type->block_bytes, take);
        for (size_t k = 0; k < take; k++) sum += (double)x[at + k] * (double)piece[k];
    }
    return sum;
}

static void dot_tile_any(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w, size_t w_stride,
                         int n_w, size_t n, trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    for (int j = 0; j < n_w; j++) {
        const unsigned char *row = (const unsigned char *)w + (size_t)j * w_stride;
        for (int i = 0; i < n_x; i++) y[(size_t)i * y_stride + (size_t)j] = (float)dot_any(x + (size_t)i * x_stride, row, n, info);
    }
}

/* The table's entries carry no type, so each type has its own. */
#define DOT_TILE(name, type)                                                                                                       \
    void trine_dot_tile_##name##_ref(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w,           \
                                     size_t w_stride, int n_w, size_t n)                                                           \
    {                                                                                                                              \
        dot_tile_any(y, y_stride, x, x_stride, n_x, w, w_stride, n_w, n, type);                                                    \
    }
TRINE_REF_PLAIN(DOT_TILE)
#undef DOT_TILE

void trine_gemm_panel_ref(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const float *panel,
                          size_t panel_stride, int n_cols, size_t depth, const float *bias, bool add)
{
    for (int i = 0; i < n_rows; i++) {
        float *out = y + (size_t)i * y_stride;
        double sum[TRINE_PANEL_REF];
        for (int j = 0; j < n_cols; j++) sum[j] = add ? (double)out[j] : bias ? (double)bias[j] : 0.0;
        for (size_t k = 0; k < depth; k++) {
            const double a = (double)x[(size_t)i * x_stride + k];
            const float *row = panel + k * panel_stride;
            for (int j = 0; j < n_cols; j++) sum[j] += a * (double)row[j];
        }
        for (int j = 0; j < n_cols; j++) out[j] = (float)sum[j];
    }
}

void trine_gemm_group_ref(float *y, size_t y_stride, const float *x, int n_rows, const float *panel, int n_cols, size_t depth,
                          const float *bias, bool add)
{
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < n_cols; j++) {
            float *out = y + (size_t)i * y_stride + (size_t)j;
            double sum = add ? (double)*out : bias ? (double)bias[j] : 0.0;
            for (size_t k = 0; k < depth; k++)
                sum += (double)x[k * TRINE_GROUP + (size_t)i] * (double)panel[k * TRINE_PANEL_REF + (size_t)j];
            *out = (float)sum;
        }
}

void trine_gemm_strip_ref(const trine_strip *s)
{
    for (int i = 0; i < s->n_rows; i++)
        for (int j = 0; j < s->n_w; j++) {
            float *waits = s->sums + (size_t)j * TRINE_PANEL_REF + (size_t)i;
            double sum = !s->first ? (double)*waits : s->bias ? (double)s->bias[j] : 0.0;
            for (size_t k = 0; k < s->depth; k++) {
                float weight;
                memcpy(&weight, s->w + (size_t)j * s->w_stride + k * sizeof weight, sizeof weight);
                sum += (double)s->x[k * TRINE_PANEL_REF + (size_t)i] * (double)weight;
            }
            *waits = (float)sum;
        }
}

void trine_transpose_ref(float *out, size_t out_stride, const void *in, size_t in_stride, int n_rows, int n_cols)
{
    for (int i = 0; i < n_rows; i++)
        for (int k = 0; k < n_cols; k++)
            memcpy(out + (size_t)k * out_stride + (size_t)i, (const char *)in + ((size_t)i * in_stride + (size_t)k) * sizeof(float),
                   sizeof(float));
}
