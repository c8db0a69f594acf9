/* arena.c - a bump allocator; see arena.h for why it can also only count. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"

enum { ALIGNMENT = 64 }; /* a cache line, and the widest register */

trine_status trine_arena_open(trine_arena *arena, size_t size, trine_error *err)
{
    *arena = (trine_arena) { 0 };
    if (size > SIZE_MAX - ALIGNMENT)
        return trine_fail(err, TRINE_ERROR_MEMORY, "arena: %zu bytes are more than an address holds", size);
    size = trine_round_up(size ? size : 1, ALIGNMENT);
    /* Large blocks come from the system as untouched pages, so what is never used never becomes resident. */
    arena->memory = aligned_alloc(ALIGNMENT, size);
    if (!arena->memory) return trine_fail(err, TRINE_ERROR_MEMORY, "arena: no memory for %zu bytes of temporaries", size);
    arena->size = size;
    return TRINE_OK;
}

void trine_arena_measure(trine_arena *arena) { *arena = (trine_arena) { .measuring = true, .size = SIZE_MAX }; }

void trine_arena_close(trine_arena *arena)
{
    free(arena->memory);
    *arena = (trine_arena) { 0 };
}

void *trine_arena_alloc(trine_arena *arena, size_t bytes)
{
    if (arena->full) return NULL;
    size_t end;
    if (bytes > SIZE_MAX - ALIGNMENT || !trine_add_size(&end, arena->used, trine_round_up(bytes ? bytes : 1, ALIGNMENT)) ||
        end > arena->size) {
        arena->full = true;
        return NULL;
    }
    void *start = arena->measuring ? NULL : arena->memory + arena->used;
    arena->used = end;
    if (end > arena->peak) arena->peak = end;
    return start;
}

size_t trine_arena_mark(const trine_arena *arena) { return arena->used; }
void trine_arena_release(trine_arena *arena, size_t mark) { arena->used = mark; }

void trine_arena_reset(trine_arena *arena)
{
    arena->used = 0;
    arena->full = false;
}
