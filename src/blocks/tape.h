/* tape.h - what a training forward notes, so that its gradient can be computed backwards (reverse mode; Griewank & Walther
 * 2008, ch. 3).
 *
 * With a tape a block gives its result a `value` and notes an op: its operands and a backward function, which stands in the file
 * of the forward. trine_backward walks the ops from the last to the first. Each op reads the gradients of what it made and adds
 * to those of its operands; then what it made has been used by everybody, and its gradient's memory goes back to the pool.
 *
 *     static void scale_backward(trine_pass *p, trine_op *op) { ... }
 *
 *     scale_op *op = trine_tape_note(p, scale_backward, sizeof *op);    NULL: nothing is noted
 *     if (op) { op->x = x; y.value = trine_tape_made(p, &op->op, y, trine_value_wanted(x)); }
 *
 * All parameters that learn lie in one array of floats and their gradients in another of the same layout, so the gradient of a
 * weight is found from its address, also that of a part of it and of one that is shared; a weight that lies elsewhere is frozen.
 *
 * A pass on a measuring arena notes and walks as any other and computes nothing: the memory of a step is known exactly. */
#ifndef TRINE_BLOCKS_TAPE_H
#define TRINE_BLOCKS_TAPE_H

#include "blocks/blocks.h"

/* Memory of a gradient: a piece of the pool, shared by values whose gradients are the same numbers (x and y of x + y). */
typedef struct trine_grad_block {
    size_t at, bytes; /* in the pool */
    float *lent;      /* the memory, where it is not the pool's */
    int n_users;
} trine_grad_block;

struct trine_value {
    int rows, cols;
    trine_grad_block *grad; /* NULL: nobody has added to it yet */
};

typedef struct trine_op trine_op;
typedef void trine_backward_fn(trine_pass *p, trine_op *op);

#define TRINE_MADE 4 /* most values that an op makes */

/* The first member of each block's own op. */
struct trine_op {
    trine_op *before; /* noted before it */
    trine_backward_fn *backward;
    const trine_batch *batch; /* of the pass when it was noted, and again while it is walked */
    trine_value *made[TRINE_MADE];
    int n_made;
};

/* Free pieces of the pool, in order of their place. */
typedef struct trine_free_piece {
    size_t at, bytes;
} trine_free_piece;

#define TRINE_FREE_PIECES 256
#define TRINE_GRAD_BLOCKS 2048 /* gradients at a time: some a layer, where all wait for the encoder's */

typedef struct trine_grad_pool {
    unsigned char *memory; /* NULL while measuring */
    size_t size, used, peak;
    trine_free_piece free[TRINE_FREE_PIECES];
    int n_free;
} trine_grad_pool;

/* Keys and values that a decoder layer takes from its source. */
typedef struct trine_cross_pair {
    trine_mat k, v;
} trine_cross_pair;

/* Who wants to know when gradients of parameters are final, while the walk still runs. */
typedef struct trine_tape_watch {
    void *user;
    void (*touched)(void *user, size_t at); /* the gradient at `at` is asked for, and may be added to until the op is walked */
    void (*walked)(void *user);             /* an op was walked */
} trine_tape_watch;

struct trine_tape {
    /* The parameters that learn. */
    const float *values;
    const uint16_t *values_bf16; /* the same, rounded to bf16; NULL: products are in f32 */
    float *grads;                /* NULL: nothing learns */
    size_t n_values;

    const trine_tape_watch *watch; /* or NULL */

    float dropout;           /* probability that an element is dropped */
    float dropout_attention; /* and a weight of attention */
    uint64_t seed;           /* of this step's random numbers */
    bool recompute;          /* trine_layer keeps its input alone */

    trine_arena notes; /* ops and values */
    trine_grad_pool pool;
    trine_grad_block *blocks; /* [TRINE_GRAD_BLOCKS], free where n_users is 0: they outlive the notes of a layer */
    trine_op *last;
    bool paused;             /* nothing is noted: a layer that will be computed again */
    uint32_t n_draws;        /* ops that drew random numbers: each draws from a stream of its own */
    trine_cross_pair *cross; /* [n_cross], by layer */
    int n_cross;
    /* What the head's last product would be: trine_logits leaves it to trine_softmax_loss. */
    trine_mat logits_x;
    const trine_weight *logits_w;
    float logits_scale;
};

/* Memory for a tape's notes and for n_cross layers of cross-attention. ERROR_MEMORY. */
trine_status trine_tape_open(trine_tape *tape, int n_cross, trine_error *err);
void trine_tape_close(trine_tape *tape);
/* Memory for gradients of activations: `bytes` is the peak of a measured step. ERROR_MEMORY. */
trine_status trine_tape_take_pool(trine_tape *tape, size_t bytes, trine_error *err);
/* Forgets all ops, for the next forward; the parameters, the pool's memory and the options stay. */
void trine_tape_reset(trine_tape *tape);

/* Whether blocks note what they do. */
static inline bool trine_pass_notes(const trine_pass *p) { return p->tape && !p->tape->paused; }
/* Whether the gradient of x is asked for. */
static inline bool trine_value_wanted(trine_mat x) { return x.value != NULL; }

/* A new op of `size` bytes, the first of them a trine_op, all else zero. NULL when nothing is noted, or the pass has failed. */
void *trine_tape_note(trine_pass *p, trine_backward_fn *backward, size_t size);
/* The value of a matrix that `op` made; NULL, and no gradient, when it is not wanted. */
trine_value *trine_tape_made(trine_pass *p, trine_op *op, trine_mat y, bool wanted);
/* Memory that lives as long as the notes, zeroed. NULL fails the pass. */
void *trine_tape_alloc(trine_pass *p, size_t n, size_t size);

/* The gradient of a made value while its op is walked; data NULL while measuring. */
trine_mat trine_grad_of(const trine_pass *p, const trine_value *made);
/* Whether anybody has added to it: an op none of whose values has a gradient is passed over. */
static inline bool trine_has_grad(const trine_value *made) { return made && made->grad; }
/* The gradient of an operand, to be added to; where *fresh it was taken now and must be written. rows 0 when it is not wanted. */
trine_mat trine_grad_for(trine_pass *p, trine_mat x, bool *fresh);
/* The gradient of x has that of y added to it; where x had none they share memory until somebody adds. */
void trine_grad_share(trine_pass *p, trine_mat x, const trine_value *y);
/* Whether `data` lies among the parameters. */
static inline bool trine_is_parameter(const trine_pass *p, const void *data)
{
    const uintptr_t at = (uintptr_t)data, first = (uintptr_t)p->tape->values;
    return data && at >= first && at < first + p->tape->n_values * sizeof(float);
}
/* For an operation that is undone element by element, in place: memory that holds the gradient of `made`. It is x's gradient already, or
 * `apart` from it: trine_grad_moved adds what has become of it, and frees it. rows 0 when x's gradient is not wanted. */
trine_mat trine_grad_move(trine_pass *p, trine_mat x, trine_value *made, bool *apart);
void trine_grad_moved(trine_pass *p, trine_mat x, trine_mat changed, bool apart);
/* The memory of x, whose content nobody needs any more, becomes that of its gradient, which nobody has added to. */
void trine_grad_lend(trine_pass *p, trine_mat x);
/* The gradient of parameters at `data`, to be added to; NULL when they are frozen. */
static inline float *trine_parameter_grad(const trine_pass *p, const void *data)
{
    const trine_tape *tape = p->tape;
    if (!tape->grads || !trine_is_parameter(p, data)) return NULL;
    const size_t at = ((uintptr_t)data - (uintptr_t)tape->values) / sizeof(float);
    if (tape->watch) tape->watch->touched(tape->watch->user, at);
    return tape->grads + at;
}
/* Whether parameters at `data` learn. */
static inline bool trine_learns(const trine_pass *p, const void *data) { return trine_parameter_grad(p, data) != NULL; }

/* Whether elements are dropped, and dropping those of a draw: tape->n_draws++ is its stream. */
bool trine_drops(const trine_pass *p);
void trine_drop_in_place(trine_pass *p, trine_mat x, uint32_t stream);

/* Walks all ops noted, from the last; gradients of values that ops have seeded flow to parameters. */
void trine_backward(trine_pass *p);

#endif
