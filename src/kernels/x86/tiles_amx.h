/* tiles_amx.h - the shape of the tiles, for files compiled with AMX: all eight are 16 lines of 64 bytes. */
#ifndef TRINE_KERNELS_TILES_AMX_H
#define TRINE_KERNELS_TILES_AMX_H

#include <immintrin.h>
#include <stdint.h>

/* The compiler does not know what memory tile instructions read: what was stored before must be in memory by here. */
#define TRINE_MEMORY_FENCE() __asm__ volatile("" ::: "memory")

/* Palette 1 (Intel SDM vol. 1, sec. 18.2). Set it up before the tiles are used and call _tile_release after: a thread that
 * holds no tiles has a smaller state to switch. */
static inline void tiles_open(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t line_bytes[16];
        uint8_t lines[16];
    } shape = { .palette = 1 };
    for (int i = 0; i < 8; i++) {
        shape.line_bytes[i] = 64;
        shape.lines[i] = 16;
    }
    TRINE_MEMORY_FENCE();
    _tile_loadconfig(&shape);
}

#endif
