/* bench.h - what `trine bench` measures, how long it took, and how much had to be read and computed for it. */
#ifndef TRINE_APP_BENCH_H
#define TRINE_APP_BENCH_H

#include "run.h"

typedef enum bench_kind {
    BENCH_PREFILL,  /* a decoder reads `tokens` tokens, `depth` tokens deep in its context */
    BENCH_DECODE,   /* `batch` sequences get `tokens` tokens each, one a pass */
    BENCH_ENCODE,   /* `batch` texts of `tokens` tokens become vectors */
    BENCH_TRANSLATE /* an encoder-decoder reads `source` tokens and writes `tokens`: with `beam` beams, or `batch` texts together */
} bench_kind;

typedef struct bench_result {
    bench_kind kind;
    int tokens, source, depth, batch, beam, threads;
    trine_dtype cache_type; /* DEFAULT where there is no cache */
    double units;           /* tokens made or read in a run; encode: texts */
    double best_ms, median_ms;
    double bytes, flops; /* of a run: read from memory at least; 2 a weight and token, and attention */
} bench_result;

typedef struct bench_results {
    bench_result *items;
    int n, cap;
} bench_results;

/* The peaks of arithmetic for weights of a type; 0: this machine has none of the kind. */
typedef struct bench_peaks {
    const char *name;
    double vector, tiles;
} bench_peaks;
bench_peaks bench_peak(trine_dtype weights_type, const trine_limits *limits);
/* Shares of what the machine can do: 0 where a limit does not apply. */
typedef struct bench_shares {
    double read;          /* bytes a second, of what memory gives */
    double vector, tiles; /* operations a second, of the peak for the type of the weights */
    const char *name;     /* of the peak: "f32", "bf16", "int8" */
} bench_shares;
bench_shares bench_share(const bench_result *result, const run *r, const trine_limits *limits);

/* The numbers of threads that the arguments ask for: [n], borrowed. bench_measure.c */
const int32_t *bench_threads(const run *r, int *n);
/* Runs everything the arguments ask for and appends to `all`; returns an exit status. bench_measure.c */
int bench_measure(run *r, bench_results *all);
/* Fills in the bytes and FLOPs of a result from the model's shape and parts. bench_work.c */
void bench_count_work(bench_result *result, const trine_model_info *m, const trine_weight_uses *parts);
/* "prefill", ...; static. */
const char *bench_kind_name(bench_kind kind);

#endif
