/* pass.h - one forward: its memory, its kernels, its threads, and the ragged batch it computes.
 *
 * Activations are [n_rows, width], the rows of all sequences one after another; a segment says which rows are whose, so
 * no padding exists anywhere. The same shape serves an encoder's batch of sentences, a decoder's mixed prefill and step,
 * and T5's decoder over its cross keys.
 *
 * Blocks take a pass and matrices and return matrices from the pass's arena. When the arena is full, or something else
 * went wrong, the pass is failed: blocks then return at once, and the model reports once, at the end (trine_pass_status).
 * While the arena is measuring, blocks allocate and compute nothing: this is how the arena is sized, exactly. */
#ifndef TRINE_BLOCKS_PASS_H
#define TRINE_BLOCKS_PASS_H

#include "base/arena.h"
#include "base/team.h"
#include "kernels/kernels.h"
#include "trine/inference.h"

typedef struct trine_tape trine_tape;   /* tape.h: what a training forward notes */
typedef struct trine_value trine_value; /* tape.h: a matrix that has, or may have, a gradient */

/* Row-major, rows contiguous. `data` is NULL while measuring or after a failure. */
typedef struct trine_mat {
    float *data;
    int rows, cols;
    trine_value *value; /* its place on the tape; NULL: no gradient is wanted */
} trine_mat;

typedef struct trine_kv trine_kv; /* kv_cache.h: keys and values of one sequence, all layers */

/* The rows of one sequence in this pass. */
typedef struct trine_segment {
    int first_row, n_rows;
    int pos;                  /* position of the first of them: tokens already in the cache */
    int prefix;               /* TRINE_MASK_PREFIX: positions below it are seen by all */
    trine_kv *self;           /* cache its keys are appended to and read from, or NULL: keys from the pass */
    trine_kv *cross;          /* encoder-decoder: keys of the source */
    int source_row, n_source; /* with a tape: rows of the source in the matrices of trine_cross_append */
} trine_segment;

typedef struct trine_batch {
    int n_rows, n_segments;
    const trine_segment *segments;
    const int32_t *ids;      /* [n_rows] */
    const int32_t *types;    /* [n_rows] token types, or NULL for all 0 */
    const int32_t *out_rows; /* [n_out] rows whose logits are wanted, or NULL: all n_rows */
    int n_out;
    trine_mask mask; /* override of every self-attention; DEFAULT: the model's own */
    int window;      /* TRINE_MASK_WINDOW */
} trine_batch;

/* Receives copies of what happens inside (trine_trace). Called on the thread of the pass. Return a status that ends the pass. */
typedef trine_status trine_trace_fn(void *user, const char *name, const float *data, int n_dims, const int64_t *shape);
typedef struct trine_tracer {
    trine_trace_fn *put;
    void *user;
    const char *prefix; /* "" or "encoder." */
    bool hidden, attention, lens, parts;
    bool unscaled; /* scores are not scaled */
} trine_tracer;

typedef struct trine_pass {
    trine_arena *arena;
    const trine_kernels *kernels;
    int n_threads;    /* most that work at a time: scratch memory is for so many */
    trine_team *team; /* n_threads of them, or NULL: the caller alone */
    const trine_batch *batch;
    trine_tracer *tracer; /* NULL unless looking inside */
    trine_tape *tape;     /* NULL unless training */
    trine_status failed;  /* sticky */
    trine_error error;
} trine_pass;

/* True when data is there to compute on: not failed, not measuring. */
static inline bool trine_pass_computes(const trine_pass *p) { return !p->failed && !p->arena->measuring; }
/* Memory of the pass, not cleared; NULL while measuring, and when the arena is full, which fails the pass. */
void *trine_pass_alloc(trine_pass *p, size_t n, size_t size);
/* A matrix from the arena, not cleared. */
trine_mat trine_mat_new(trine_pass *p, int rows, int cols);
/* Around the temporaries of a layer, in model files. Release gives back what was allocated since the mark; a tape keeps all of it. */
size_t trine_pass_mark(const trine_pass *p);
void trine_pass_release(trine_pass *p, size_t mark);
/* Marks the pass failed (the first failure stays). */
void trine_pass_fail(trine_pass *p, trine_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What to report at the end: the sticky failure, or ERROR_MEMORY when the arena was full. */
trine_status trine_pass_status(const trine_pass *p, trine_error *err);
/* Hands a matrix to the tracer as "<prefix><name>" or "<prefix><name>.<index>" (index < 0: no index). */
void trine_pass_trace(trine_pass *p, const char *name, int index, trine_mat x);
/* The same for any number of dimensions. */
void trine_pass_put(trine_pass *p, const char *name, int index, const float *data, int n_dims, const int64_t *shape);

#endif
