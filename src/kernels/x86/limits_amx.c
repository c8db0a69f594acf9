/* limits_amx.c - products of tiles: 16 rows of 64 bytes by 16 columns, four sums at a time so that each may take its time. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/limit_kernels.h"

enum { ROWS = 16, COLUMN_BYTES = 64, SUMS = 4 };

/* The registers' shapes, as ldtilecfg reads them (Intel SDM vol. 2). */
typedef struct tile_shapes {
    uint8_t palette, start_row, unused[14];
    uint16_t column_bytes[16];
    uint8_t rows[16];
} tile_shapes;

static void begin(void)
{
    tile_shapes shapes = { .palette = 1 };
    for (int i = 0; i < 8; i++) {
        shapes.rows[i] = ROWS;
        shapes.column_bytes[i] = COLUMN_BYTES;
    }
    __asm__ volatile("" : : "r"(&shapes) : "memory"); /* gcc 12 believes that only 8 bytes of it are read */
    _tile_loadconfig(&shapes);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
}

static float end(void)
{
    float out[ROWS * COLUMN_BYTES / 4];
    _tile_stored(0, out, COLUMN_BYTES);
    _tile_release();
    return out[0];
}

static float peak_bf16(size_t n_rounds)
{
    begin();
    for (size_t i = 0; i < n_rounds; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    return end();
}

static float peak_int8(size_t n_rounds)
{
    begin();
    for (size_t i = 0; i < n_rounds; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    return end();
}

void trine_limits_amx(trine_limit_kernels *k)
{
    k->tile_bf16 = (trine_peak) { peak_bf16, SUMS * ROWS * 16 * 32 * 2.0 };
    k->tile_int8 = (trine_peak) { peak_int8, SUMS * ROWS * 16 * 64 * 2.0 };
}
#endif
