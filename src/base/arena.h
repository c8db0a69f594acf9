/* arena.h - the temporaries of one pass: a bump allocator over one block, with a sticky failure.
 *
 * Measuring: an arena opened with no memory (trine_arena_measure) hands out NULL but counts, so that running a pass on it
 * gives the exact size a real arena needs. Planner and allocator are the same code, so they cannot disagree. */
#ifndef TRINE_BASE_ARENA_H
#define TRINE_BASE_ARENA_H

#include "trine/basics.h"

typedef struct trine_arena {
    unsigned char *memory; /* NULL while measuring */
    size_t size, used, peak;
    bool measuring;
    bool full; /* sticky: an allocation did not fit; cleared by reset */
} trine_arena;

/* Takes `size` bytes (64-byte aligned, pages untouched until used). ERROR_MEMORY. */
trine_status trine_arena_open(trine_arena *arena, size_t size, trine_error *err);
/* An arena that only counts. */
void trine_arena_measure(trine_arena *arena);
void trine_arena_close(trine_arena *arena);
/* 64-byte aligned, not cleared; NULL once full, and always NULL while measuring. */
void *trine_arena_alloc(trine_arena *arena, size_t bytes);
/* release() gives back all that was allocated since the mark. */
size_t trine_arena_mark(const trine_arena *arena);
void trine_arena_release(trine_arena *arena, size_t mark);
/* Empties the arena and clears `full`; `peak` stays. */
void trine_arena_reset(trine_arena *arena);

#endif
