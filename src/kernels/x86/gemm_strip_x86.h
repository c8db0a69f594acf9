/* gemm_strip_x86.h - template: the product of a strip of rows of x with rows of W as they lie. Include it after products_x86.h.
 *
 * Rows of x are the lanes, and one weight at a time meets them all: so nothing of W is laid out anew, which for 128 rows of x would
 * cost a third of what the product does. Three vectors of x by half as many rows of W as a vector has lanes are the sums that stay
 * in registers. They lie turned. */
#ifndef TRINE_KERNELS_GEMM_STRIP_X86_H
#define TRINE_KERNELS_GEMM_STRIP_X86_H

#include "kernels/kernels.h"

enum { STRIP_W = LANES / 2, STRIP_VECTORS = 3, STRIP_COLS = STRIP_VECTORS * LANES };

/* One weight, at any address, in all lanes. */
TRINE_INLINE vf strip_weight(const unsigned char *p)
{
    float one;
    memcpy(&one, p, sizeof one);
    return vf_set(one);
}

/* n_vectors vectors of rows of x by rows [j, j + n_w) of W: both are constants where this is inlined. */
TRINE_INLINE void strip_tile(const trine_strip *s, int j, int n_vectors, int n_w)
{
    const unsigned char *w[TRINE_GROUP]; /* a row that is not there is another once more */
    const float *x = s->x;
    vf sums[TRINE_GROUP][STRIP_VECTORS];
    TRINE_UNROLL for (int r = 0; r < n_w; r++) w[r] = s->w + (size_t)(j + r < s->n_w ? j + r : j) * s->w_stride;
    TRINE_UNROLL for (int r = 0; r < n_w; r++) TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[r][v] = vf_zero();
    for (size_t at = 0; at < s->depth * sizeof(float); at += sizeof(float), x += STRIP_COLS) {
        /* A line for each of the next rows while 16 weights pass, so that they are in the first cache when it is their turn; and x. */
        if (n_w == STRIP_W)
            _mm_prefetch((const char *)s->next_w + ((size_t)j + at * STRIP_W / 64 % STRIP_W) * s->w_stride + at, _MM_HINT_T0);
        _mm_prefetch((const char *)s->next_x + at * (TRINE_STRIP_AHEAD / sizeof(float)), _MM_HINT_T1);
        vf a[STRIP_VECTORS];
        TRINE_UNROLL for (int v = 0; v < n_vectors; v++) a[v] = vf_load(x + v * LANES);
        TRINE_UNROLL for (int r = 0; r < n_w; r++)
        {
            const vf b = strip_weight(w[r] + at);
            TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[r][v] = vf_fma(a[v], b, sums[r][v]);
        }
    }
    TRINE_UNROLL for (int r = 0; r < n_w; r++)
    {
        if (j + r >= s->n_w) return;
        float *out = s->sums + (size_t)(j + r) * STRIP_COLS;
        const vf start = s->bias ? vf_set(s->bias[j + r]) : vf_zero();
        TRINE_UNROLL for (int v = 0; v < n_vectors; v++)
        {
            vf_store(out + v * LANES, vf_add(sums[r][v], s->first ? start : vf_load(out + v * LANES)));
        }
    }
}

#define TRINE_STRIP_TILE(vectors)                                                                                                  \
    static void strip_tile_##vectors(const trine_strip *s, int j) { strip_tile(s, j, vectors, STRIP_W); }
TRINE_STRIP_TILE(2)
TRINE_STRIP_TILE(3)
#undef TRINE_STRIP_TILE

/* One vector alone meets all rows of W: the sums of fewer would wait for each other. Where those are more rows at once, nothing is asked
 * for: with as many lines of the next rows they would push each other out of the first cache wherever rows lie whole pages apart. */
static void strip_tile_1(const trine_strip *s) { strip_tile(s, 0, 1, TRINE_GROUP); }

static void TRINE_NAME(gemm_strip)(const trine_strip *s)
{
    const int n_vectors = (s->n_rows + LANES - 1) / LANES;
    if (n_vectors == 1) strip_tile_1(s);
    for (int j = 0; n_vectors > 1 && j < s->n_w; j += STRIP_W)
        if (n_vectors == 3)
            strip_tile_3(s, j);
        else
            strip_tile_2(s, j);
}

#endif
