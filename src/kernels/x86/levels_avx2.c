/* levels_avx2.c - products by levels, 8 columns wide. */
#if defined(__x86_64__)
#include "kernels/kernels.h"

#include "kernels/x86/vector_avx2.h"
/* The templates. */
#include "kernels/x86/byte_tile_x86.h"
#include "kernels/x86/level_pack_x86.h"

enum {
    LEVEL_ROWS = 4, /* rows of x in a tile, by two vectors of columns: 8 sums of 16 bits stay in registers */
};

/* Left alone, GCC 12 makes all products first, in memory, and adds them in an order of its own. */
#define IN_ORDER(v) __asm__("" : "+x"(v))

/* `lines` lines of the panel by the same of x: products in pairs, added in 16 bits; these in pairs, added to `whole` or the `first` there. */
TRINE_INLINE void run_of_lines(vi whole[LEVEL_ROWS][2], const uint8_t *b, const int8_t *a, size_t stride, int rows, int lines,
                               bool first)
{
    const vi ones = vi_set16(1);
    vi sums[LEVEL_ROWS][2];
    TRINE_UNROLL for (int l = 0; l < lines; l++)
    {
        const vi w[2] = { vi_load_bytes(b + l * LEVEL_LINE), vi_load_bytes(b + l * LEVEL_LINE + LEVEL_LINE / 2) };
        TRINE_UNROLL for (int i = 0; i < rows; i++)
        {
            const vi four = four_bytes(a + (size_t)i * stride + 4 * l);
            TRINE_UNROLL for (int c = 0; c < 2; c++)
            {
                const vi pairs = _mm256_maddubs_epi16(w[c], four);
                sums[i][c] = l ? vi_add16(sums[i][c], pairs) : pairs;
                if (l < lines - 1) {
                    IN_ORDER(sums[i][c]);
                    continue;
                }
                const vi fours = _mm256_madd_epi16(sums[i][c], ones);
                whole[i][c] = first ? fours : vi_add(whole[i][c], fours);
                IN_ORDER(whole[i][c]);
            }
        }
    }
}

/* Levels of `bits` bits by bytes of x: as many lines as 16 bits hold the sums of, 8 x 2 x 15 x 127, 4 x 2 x 31 x 127, 2 x 2 x 63 x 127
 * and 2 x 127 x 127. */
TRINE_INLINE void level_tile(float *y, size_t y_stride, const trine_level_rows *x, int row, int rows,
                             const trine_level_panel *panel, int bits, int n_cols, size_t depth, const float *bias, bool add)
{
    const size_t stride = x->stride, part = bits == 6 ? 16 : TRINE_LEVEL_BLOCK;
    const int lines = bits == 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
    const int8_t *a = x->bytes + (size_t)row * stride;
    const float *scale = x->scale + (size_t)row * x->scales, *sum_of_x = x->sum + (size_t)row * x->sums;
    const float *d = panel->d, *m = panel->m;
    const uint8_t *b = panel->bytes;
    vf sum[LEVEL_ROWS][2];
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < 2; c++) sum[i][c] = start_cols(y + (size_t)i * y_stride, bias, add, c * LANES, n_cols);
    for (size_t p = 0; p < depth / part; p++, d += TRINE_LEVEL_COLS, m += TRINE_LEVEL_COLS) {
        vi whole[LEVEL_ROWS][2];
        TRINE_UNROLL for (int l = 0; l < (int)part / 4; l += lines, a += 4 * lines, b += lines * LEVEL_LINE)
            run_of_lines(whole, b, a, stride, rows, lines, l == 0);
        TRINE_UNROLL for (int c = 0; c < 2; c++)
        {
            const vf of_levels = vf_load(d + c * LANES), least = vf_load(m + c * LANES);
            TRINE_UNROLL for (int i = 0; i < rows; i++)
            {
                const vf own = vf_set(scale[(size_t)i * x->scales + p * part / TRINE_LEVEL_BLOCK]);
                const vf with_least = vf_fma(least, vf_set(sum_of_x[(size_t)i * x->sums + p]), sum[i][c]);
                sum[i][c] = vf_fma(vf_mul(vf_from_vi(whole[i][c]), of_levels), own, with_least);
            }
        }
    }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < 2; c++) store_cols(y + (size_t)i * y_stride, sum[i][c], c * LANES, n_cols);
}

#define LEVEL_TILE(bits, rows)                                                                                                     \
    static void level_tile_##bits##_##rows(float *y, size_t y_stride, const trine_level_rows *x, int row,                          \
                                           const trine_level_panel *panel, int n_cols, size_t depth, const float *bias, bool add)  \
    {                                                                                                                              \
        level_tile(y, y_stride, x, row, rows, panel, bits, n_cols, depth, bias, add);                                              \
    }
#define LEVEL_TILES(bits) LEVEL_TILE(bits, 1) LEVEL_TILE(bits, 2) LEVEL_TILE(bits, 3) LEVEL_TILE(bits, 4)
LEVEL_TILES(4)
LEVEL_TILES(5)
LEVEL_TILES(6)
LEVEL_TILES(7)
typedef void level_tile_fn(float *y, size_t y_stride, const trine_level_rows *x, int row, const trine_level_panel *panel,
                           int n_cols, size_t depth, const float *bias, bool add);

static void gemm_levels(float *y, size_t y_stride, const trine_level_rows *x, int n_rows, const trine_level_panel *panel,
                        trine_dtype type, int n_cols, size_t depth, const float *bias, bool add)
{
    static level_tile_fn *const tiles[4][LEVEL_ROWS] = {
        { level_tile_4_1, level_tile_4_2, level_tile_4_3, level_tile_4_4 },
        { level_tile_5_1, level_tile_5_2, level_tile_5_3, level_tile_5_4 },
        { level_tile_6_1, level_tile_6_2, level_tile_6_3, level_tile_6_4 },
        { level_tile_7_1, level_tile_7_2, level_tile_7_3, level_tile_7_4 },
    };
    const bool five = type == TRINE_Q5_0 || type == TRINE_Q5_1 || type == TRINE_Q5_K;
    level_tile_fn *const *of_rows = tiles[type == TRINE_Q8_0 ? 3 : type == TRINE_Q6_K ? 2 : five];
    for (int row = 0; row < n_rows; row += LEVEL_ROWS)
        of_rows[(n_rows - row < LEVEL_ROWS ? n_rows - row : LEVEL_ROWS) - 1](y + (size_t)row * y_stride, y_stride, x, row, panel,
                                                                             n_cols, depth, bias, add);
}

void trine_level_kernels_avx2(trine_level_kernels *k)
{
    register_level_pack(k);
    k->gemm = gemm_levels;
}
#endif
