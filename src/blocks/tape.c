/* tape.c - notes, gradients and the walk backwards. */
#include "blocks/tape.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "blocks/rows.h"

/* Some 300 bytes an op and 30 ops a layer: room for a thousand layers. Pages are taken when they are used. */
enum { NOTES_BYTES = 16 << 20 };

trine_status trine_tape_open(trine_tape *tape, int n_cross, trine_error *err)
{
    *tape = (trine_tape) { .n_cross = n_cross };
    if (n_cross > 0) {
        tape->cross = calloc((size_t)n_cross, sizeof *tape->cross);
        if (!tape->cross) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a tape of %d cross-attention layers", n_cross);
    }
    tape->blocks = calloc(TRINE_GRAD_BLOCKS, sizeof *tape->blocks);
    const trine_status status = tape->blocks ? trine_arena_open(&tape->notes, NOTES_BYTES, err)
                                             : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a tape's gradients");
    if (status) trine_tape_close(tape);
    return status;
}

void trine_tape_close(trine_tape *tape)
{
    if (!tape) return;
    trine_arena_close(&tape->notes);
    free(tape->pool.memory);
    free(tape->blocks);
    free(tape->cross);
    *tape = (trine_tape) { 0 };
}

trine_status trine_tape_take_pool(trine_tape *tape, size_t bytes, trine_error *err)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes ? trine_round_up(bytes, 64) : 64))
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for gradients of %zu bytes", bytes);
    free(tape->pool.memory);
    tape->pool = (trine_grad_pool) { .memory = memory, .size = bytes };
    return TRINE_OK;
}

void trine_tape_reset(trine_tape *tape)
{
    trine_arena_reset(&tape->notes);
    tape->last = NULL;
    tape->paused = false;
    tape->n_draws = 0;
    tape->logits_x = (trine_mat) { 0 };
    tape->logits_w = NULL;
    for (int i = 0; i < tape->n_cross; i++) tape->cross[i] = (trine_cross_pair) { 0 };
    memset(tape->blocks, 0, TRINE_GRAD_BLOCKS * sizeof *tape->blocks);
    tape->pool.used = 0;
    tape->pool.n_free = 0;
}

/* ------------------------------------------------------------------------------------------------------------- notes */

void *trine_tape_alloc(trine_pass *p, size_t n, size_t size)
{
    size_t bytes;
    if (p->failed) return NULL;
    void *memory = trine_mul_size(&bytes, n, size) ? trine_arena_alloc(&p->tape->notes, bytes) : NULL;
    if (memory) return memset(memory, 0, bytes);
    trine_pass_fail(p, TRINE_ERROR_MEMORY, "tape: no room to note %zu x %zu bytes more, %zu are in use", n, size,
                    p->tape->notes.used);
    return NULL;
}

void *trine_tape_note(trine_pass *p, trine_backward_fn *backward, size_t size)
{
    if (p->failed || !trine_pass_notes(p)) return NULL;
    trine_op *op = trine_tape_alloc(p, 1, size);
    if (!op) return NULL;
    op->before = p->tape->last;
    op->backward = backward;
    op->batch = p->batch;
    p->tape->last = op;
    return op;
}

trine_value *trine_tape_made(trine_pass *p, trine_op *op, trine_mat y, bool wanted)
{
    if (!wanted) return NULL;
    trine_value *value = trine_tape_alloc(p, 1, sizeof *value);
    if (!value) return NULL;
    *value = (trine_value) { .rows = y.rows, .cols = y.cols };
    op->made[op->n_made++] = value;
    return value;
}

/* -------------------------------------------------------------------------------------------------------------- pool */

/* First fit. The order of a step's requests is always the same, so what was measured suffices. */
static bool pool_take(trine_grad_pool *pool, size_t *at, size_t bytes, bool measuring)
{
    for (int i = 0; i < pool->n_free; i++) {
        trine_free_piece *piece = &pool->free[i];
        if (piece->bytes < bytes) continue;
        *at = piece->at;
        piece->at += bytes;
        piece->bytes -= bytes;
        if (!piece->bytes) memmove(piece, piece + 1, (size_t)(--pool->n_free - i) * sizeof *piece);
        return true;
    }
    if (!measuring && pool->size - pool->used < bytes) return false;
    *at = pool->used;
    pool->used += bytes;
    if (pool->used > pool->peak) pool->peak = pool->used;
    return true;
}

/* Gives a piece back, joined with its free neighbours. Where the list is full the piece is lost until the next reset. */
static void pool_give(trine_grad_pool *pool, size_t at, size_t bytes)
{
    int i = 0;
    while (i < pool->n_free && pool->free[i].at < at) i++;
    const bool left = i > 0 && pool->free[i - 1].at + pool->free[i - 1].bytes == at;
    const bool right = i < pool->n_free && at + bytes == pool->free[i].at;
    if (left) {
        pool->free[i - 1].bytes += bytes;
        if (right) {
            pool->free[i - 1].bytes += pool->free[i].bytes;
            memmove(&pool->free[i], &pool->free[i + 1], (size_t)(--pool->n_free - i) * sizeof *pool->free);
        }
    } else if (right) {
        pool->free[i].at = at;
        pool->free[i].bytes += bytes;
    } else if (pool->n_free < TRINE_FREE_PIECES) {
        memmove(&pool->free[i + 1], &pool->free[i], (size_t)(pool->n_free++ - i) * sizeof *pool->free);
        pool->free[i] = (trine_free_piece) { at, bytes };
    }
    /* The last piece shrinks the pool: a larger request then finds room there. */
    while (pool->n_free && pool->free[pool->n_free - 1].at + pool->free[pool->n_free - 1].bytes == pool->used)
        pool->used = pool->free[--pool->n_free].at;
}

static size_t grad_bytes(const trine_value *value)
{
    return trine_round_up((size_t)value->rows * (size_t)value->cols * sizeof(float), 64);
}

static trine_grad_block *free_block(trine_pass *p)
{
    trine_grad_block *block = p->tape->blocks, *end = block + TRINE_GRAD_BLOCKS;
    while (block < end && block->n_users) block++;
    if (block < end) return block;
    trine_pass_fail(p, TRINE_ERROR_MEMORY, "tape: more than %d gradients at a time", TRINE_GRAD_BLOCKS);
    return NULL;
}

static trine_grad_block *take_block(trine_pass *p, const trine_value *value)
{
    trine_grad_block *block = free_block(p);
    if (!block) return NULL;
    *block = (trine_grad_block) { .bytes = grad_bytes(value), .n_users = 1 };
    if (pool_take(&p->tape->pool, &block->at, block->bytes, p->arena->measuring)) return block;
    trine_pass_fail(p, TRINE_ERROR_MEMORY, "tape: a gradient of %zu bytes does not fit the pool of %zu (%zu in use)", block->bytes,
                    p->tape->pool.size, p->tape->pool.used);
    block->n_users = 0;
    return NULL;
}

static void drop_block(trine_tape *tape, trine_value *value)
{
    trine_grad_block *block = value->grad;
    value->grad = NULL;
    if (block && --block->n_users == 0 && block->bytes) pool_give(&tape->pool, block->at, block->bytes);
}

static float *block_data(const trine_pass *p, const trine_grad_block *block)
{
    if (!block->bytes) return block->lent;
    return p->arena->measuring || !p->tape->pool.memory ? NULL : (float *)(void *)(p->tape->pool.memory + block->at);
}

trine_mat trine_grad_of(const trine_pass *p, const trine_value *made)
{
    trine_mat g = { .rows = made->rows, .cols = made->cols };
    if (made->grad) g.data = block_data(p, made->grad);
    return g;
}

trine_mat trine_grad_for(trine_pass *p, trine_mat x, bool *fresh)
{
    trine_value *value = x.value;
    *fresh = false;
    if (!value || p->failed) return (trine_mat) { 0 };
    if (!value->grad) {
        *fresh = true;
        value->grad = take_block(p, value);
    } else if (value->grad->n_users > 1) {
        /* Shared: what others will still read stays as it is. */
        trine_grad_block *own = take_block(p, value);
        if (own && block_data(p, own)) memcpy(block_data(p, own), block_data(p, value->grad), own->bytes);
        if (own) value->grad->n_users--;
        if (own) value->grad = own;
    }
    return p->failed ? (trine_mat) { 0 } : trine_grad_of(p, value);
}

void trine_grad_share(trine_pass *p, trine_mat x, const trine_value *y)
{
    if (!x.value || p->failed || !trine_has_grad(y)) return;
    if (!x.value->grad) {
        x.value->grad = y->grad;
        y->grad->n_users++;
        return;
    }
    bool fresh;
    trine_mat g = trine_grad_for(p, x, &fresh);
    if (!p->failed) trine_add_in_place(p, g, trine_grad_of(p, y));
}

static void copy_rows(trine_pass *p, trine_mat to, trine_mat from)
{
    if (trine_pass_computes(p) && to.data && from.data)
        memcpy(to.data, from.data, (size_t)to.rows * (size_t)to.cols * sizeof *to.data);
}

trine_mat trine_grad_move(trine_pass *p, trine_mat x, trine_value *made, bool *apart)
{
    trine_value *value = x.value;
    *apart = value && value->grad;
    if (!value || p->failed || !trine_has_grad(made)) return (trine_mat) { 0 };
    if (*apart) {
        trine_mat copy = trine_mat_new(p, made->rows, made->cols);
        copy_rows(p, copy, trine_grad_of(p, made));
        return copy;
    }
    if (made->grad->n_users == 1) {
        value->grad = made->grad;
        made->grad = NULL;
        return trine_grad_of(p, value);
    }
    value->grad = take_block(p, value);
    if (p->failed) return (trine_mat) { 0 };
    copy_rows(p, trine_grad_of(p, value), trine_grad_of(p, made));
    return trine_grad_of(p, value);
}

void trine_grad_moved(trine_pass *p, trine_mat x, trine_mat changed, bool apart)
{
    bool fresh;
    if (!apart || p->failed) return;
    trine_mat g = trine_grad_for(p, x, &fresh);
    if (!p->failed) trine_add_in_place(p, g, changed);
}

void trine_grad_lend(trine_pass *p, trine_mat x)
{
    trine_grad_block *block = x.value && !x.value->grad && !p->failed ? free_block(p) : NULL;
    if (!block) return;
    *block = (trine_grad_block) { .lent = x.data, .n_users = 1 };
    x.value->grad = block;
}

/* ---------------------------------------------------------------------------------------------------------- the walk */

static void walk(trine_pass *p)
{
    const trine_batch *batch = p->batch;
    for (trine_op *op; !p->failed && (op = p->tape->last);) {
        bool any = op->n_made == 0; /* a loss makes nothing, and begins */
        for (int i = 0; i < op->n_made; i++) any |= trine_has_grad(op->made[i]);
        p->tape->last = op->before;
        p->batch = op->batch;
        if (any) op->backward(p, op);
        for (int i = 0; i < op->n_made; i++) drop_block(p->tape, op->made[i]);
        if (p->tape->watch) p->tape->watch->walked(p->tape->watch->user);
    }
    p->batch = batch;
}

void trine_backward(trine_pass *p)
{
    if (p->tape) walk(p);
}

/* ------------------------------------------------------------------------------------------------------------ layers */

typedef struct layer_op {
    trine_op op;
    trine_layer_fn *layer;
    const void *weights;
    int n;
    uint32_t draws; /* the first stream of random numbers that the layer drew from */
    trine_mat x;
} layer_op;

static trine_mat copy_of(trine_pass *p, trine_mat x)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    copy_rows(p, y, x);
    return y;
}

static void layer_backward(trine_pass *p, trine_op *op)
{
    const layer_op *o = (const layer_op *)op;
    trine_tape *tape = p->tape;
    trine_op *before = tape->last;
    const size_t mark = trine_arena_mark(p->arena), notes = trine_arena_mark(&tape->notes);
    const uint32_t draws = tape->n_draws;
    tape->last = NULL;
    tape->n_draws = o->draws;
    trine_mat y = o->layer(p, o->weights, o->n, o->x);
    if (!p->failed && y.value) {
        /* What the layer made now stands for what it made then. */
        y.value->grad = op->made[0]->grad;
        y.value->grad->n_users++;
        walk(p);
    }
    trine_arena_release(p->arena, mark);
    trine_arena_release(&tape->notes, notes);
    tape->last = before;
    tape->n_draws = draws;
}

trine_mat trine_layer(trine_pass *p, trine_layer_fn *layer, const void *weights, int n, trine_mat x)
{
    if (!trine_pass_notes(p) || !p->tape->recompute) return layer(p, weights, n, x);
    layer_op *op = trine_tape_note(p, layer_backward, sizeof *op);
    if (!op) return x;
    *op = (layer_op) { .op = op->op, .layer = layer, .weights = weights, .n = n, .draws = p->tape->n_draws, .x = x };
    trine_mat y = copy_of(p, x);
    y.value = NULL;
    p->tape->paused = true;
    y = layer(p, weights, n, y);
    p->tape->paused = false;
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}
