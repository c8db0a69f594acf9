/* size.h - sizes that come from files and options are multiplied with a check, before anything is allocated. */
#ifndef TRINE_BASE_SIZE_H
#define TRINE_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

static inline bool trine_mul_size(size_t *out, size_t a, size_t b) { return !__builtin_mul_overflow(a, b, out); }
static inline bool trine_add_size(size_t *out, size_t a, size_t b) { return !__builtin_add_overflow(a, b, out); }
static inline size_t trine_round_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }
static inline int trine_min_int(int a, int b) { return a < b ? a : b; }
static inline size_t trine_max_size(size_t a, size_t b) { return a > b ? a : b; }
static inline int trine_max_int(int a, int b) { return a > b ? a : b; }

#endif
