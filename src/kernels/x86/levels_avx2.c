/* levels_avx2.c - products by levels, 8 columns wide. */
#if defined(__x86_64__)
#include "kernels/kernels.h"

#include "kernels/x86/vector_avx2.h"
/* The templates. */
#include "kernels/x86/byte_tile_x86.h"
#include "kernels/x86/level_pack_x86.h"
#include "kernels/x86/x8_block_avx2.h"

enum {
    LEVEL_ROWS = 4, /* rows of x in a tile, by two vectors of columns: 8 sums of 16 bits stay in registers */
};

/* Left alone, GCC 12 makes all products first, in memory, and adds them in an order of its own. */
#define IN_ORDER(v) __asm__("" : "+x"(v))

/* `lines` lines of the panel by the same of x: products in pairs, added in 16 bits; these in pairs, added to `whole` or the `first` there. */
TRINE_INLINE void run_of_lines(vi whole[LEVEL_ROWS][2], const int8_t *b, const uint8_t *a, size_t stride, int rows, int lines,
                               bool first)
{
    const vi ones = vi_set16(1);
    vi sums[LEVEL_ROWS][2];
    TRINE_UNROLL for (int l = 0; l < lines; l++)
    {
        const vi w[2] = { vi_load_bytes(b + l * LEVEL_LINE), vi_load_bytes(b + l * LEVEL_LINE + LEVEL_LINE / 2) };
        TRINE_UNROLL for (int i = 0; i < rows; i++)
        {
            const vi four = four_bytes((const int8_t *)a + (size_t)i * stride + 4 * l);
            TRINE_UNROLL for (int c = 0; c < 2; c++)
            {
                const vi pairs = _mm256_maddubs_epi16(four, w[c]);
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

/* Levels of `bits` bits by bytes of x: as many lines as 16 bits hold the sums of, 8 x 2 x 8 x 255, 4 x 2 x 16 x 255, 2 x 2 x 32 x 255,
 * 2 x 63 x 255. */
TRINE_INLINE void level_tile(float *y, size_t y_stride, const trine_level_rows *x, int row, int rows,
                             const trine_level_panel *panel, int bits, bool has_min, int n_cols, size_t depth, const float *bias,
                             bool add)
{
    const size_t stride = x->stride, part = bits == 6 ? 16 : TRINE_LEVEL_BLOCK;
    const int lines = bits == 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
    const uint8_t *a = x->bytes + (size_t)row * stride;
    const float *scale = x->scale + (size_t)row * x->scales, *sum_of_x = x->sum + (size_t)row * x->scales;
    const int8_t *b = panel->bytes;
    vf sum[LEVEL_ROWS][2];
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < 2; c++) sum[i][c] = start_cols(y + (size_t)i * y_stride, bias, add, c * LANES, n_cols);
    for (size_t block = 0; block < depth / TRINE_LEVEL_BLOCK; block++) {
        vf of_block[LEVEL_ROWS][2];
        TRINE_UNROLL for (size_t p = 0; p < TRINE_LEVEL_BLOCK / part; p++)
        {
            vi whole[LEVEL_ROWS][2];
            TRINE_UNROLL for (int l = 0; l < (int)part / 4; l += lines, a += 4 * lines, b += lines * LEVEL_LINE)
                run_of_lines(whole, b, a, stride, rows, lines, l == 0);
            TRINE_UNROLL for (int c = 0; c < 2; c++)
            {
                const vf d = vf_load(panel->d + (block * (TRINE_LEVEL_BLOCK / part) + p) * TRINE_LEVEL_COLS + c * LANES);
                const vf zero = vf_load(panel->zero + block * TRINE_LEVEL_COLS + c * LANES);
                TRINE_UNROLL for (int i = 0; i < rows; i++) of_block[i][c] =
                    vf_fma(vf_from_vi(whole[i][c]), d, p ? of_block[i][c] : zero);
            }
        }
        TRINE_UNROLL for (int c = 0; c < 2; c++) TRINE_UNROLL for (int i = 0; i < rows; i++)
        {
            if (has_min)
                sum[i][c] = vf_fma(vf_load(panel->m + block * TRINE_LEVEL_COLS + c * LANES),
                                   vf_set(sum_of_x[(size_t)i * x->scales + block]), sum[i][c]);
            sum[i][c] = vf_fma(of_block[i][c], vf_set(scale[(size_t)i * x->scales + block]), sum[i][c]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < 2; c++) store_cols(y + (size_t)i * y_stride, sum[i][c], c * LANES, n_cols);
}

#define LEVEL_TILE(name, bits, has_min, rows)                                                                                      \
    static void level_tile_##name##_##rows(float *y, size_t y_stride, const trine_level_rows *x, int row,                          \
                                           const trine_level_panel *panel, int n_cols, size_t depth, const float *bias, bool add)  \
    {                                                                                                                              \
        level_tile(y, y_stride, x, row, rows, panel, bits, has_min, n_cols, depth, bias, add);                                     \
    }
#define LEVEL_TILES(name, bits, has_min)                                                                                           \
    LEVEL_TILE(name, bits, has_min, 1)                                                                                             \
    LEVEL_TILE(name, bits, has_min, 2)                                                                                             \
    LEVEL_TILE(name, bits, has_min, 3)                                                                                             \
    LEVEL_TILE(name, bits, has_min, 4)
LEVEL_TILES(4, 4, false)
LEVEL_TILES(4_min, 4, true)
LEVEL_TILES(5, 5, false)
LEVEL_TILES(5_min, 5, true)
LEVEL_TILES(6, 6, false)
LEVEL_TILES(7, 7, false)
typedef void level_tile_fn(float *y, size_t y_stride, const trine_level_rows *x, int row, const trine_level_panel *panel,
                           int n_cols, size_t depth, const float *bias, bool add);

#define OF_ROWS(name)                                                                                                              \
    {                                                                                                                              \
        level_tile_##name##_1, level_tile_##name##_2, level_tile_##name##_3, level_tile_##name##_4                                 \
    }
static void gemm_levels(float *y, size_t y_stride, const trine_level_rows *x, int n_rows, const trine_level_panel *panel,
                        trine_dtype type, int n_cols, size_t depth, const float *bias, bool add)
{
    static level_tile_fn *const tiles[TRINE_DTYPE_COUNT][LEVEL_ROWS] = {
        [TRINE_Q4_0] = OF_ROWS(4),     [TRINE_Q4_1] = OF_ROWS(4_min), [TRINE_Q4_K] = OF_ROWS(4_min), [TRINE_Q5_0] = OF_ROWS(5),
        [TRINE_Q5_1] = OF_ROWS(5_min), [TRINE_Q5_K] = OF_ROWS(5_min), [TRINE_Q6_K] = OF_ROWS(6),     [TRINE_Q8_0] = OF_ROWS(7),
    };
    level_tile_fn *const *of_rows = tiles[type];
    for (int row = 0; row < n_rows; row += LEVEL_ROWS)
        of_rows[(n_rows - row < LEVEL_ROWS ? n_rows - row : LEVEL_ROWS) - 1](y + (size_t)row * y_stride, y_stride, x, row, panel,
                                                                             n_cols, depth, bias, add);
}

static void pack_row(uint8_t *bytes, float *scale, float *sum, const float *x, size_t n)
{
    for (size_t at = 0; at < n; at += TRINE_LEVEL_BLOCK, bytes += TRINE_LEVEL_BLOCK, scale++, sum++) {
        const int whole = x8_block(bytes, scale, x + at);
        vi_store_bytes(bytes, vi_flip(vi_load_bytes(bytes), vi_set8(TRINE_LEVEL_ZERO)));
        *sum = *scale * (float)whole;
    }
}

void trine_level_kernels_avx2(trine_level_kernels *k)
{
    k->pack_row = pack_row;
    register_level_pack(k);
    k->gemm = gemm_levels;
}
#endif
