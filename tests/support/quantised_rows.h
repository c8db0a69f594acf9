/* quantised_rows.h - rows of quantised weights at odd addresses. */
#ifndef TRINE_TESTS_QUANTISED_ROWS_H
#define TRINE_TESTS_QUANTISED_ROWS_H

#include "support/guarded_bytes.h"
#include "support/quantised_blocks.h"

/* Some rows of W at an odd address, that end where their memory ends; memory is freed. */
typedef struct rows_of_w {
    unsigned char *memory, *at;
    size_t stride, n;
    trine_dtype type;
    int n_w;
} rows_of_w;

static inline rows_of_w make_rows(random_state *r, trine_dtype type, int n_w, size_t n, blocks_kind kind)
{
    size_t bytes = 0;
    assert_true(trine_dtype_bytes(&bytes, type, n));
    rows_of_w w = { .stride = bytes + (size_t)random_int(r, 0, 5), .n = n, .type = type, .n_w = n_w };
    w.memory = take((size_t)(n_w - 1) * w.stride + bytes + 1);
    w.at = w.memory + 1;
    for (int j = 0; j < n_w; j++) random_blocks(r, w.at + (size_t)j * w.stride, type, n, kind);
    return w;
}

#endif
