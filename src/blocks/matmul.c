/* matmul.c - C (+)= A B: who computes which block of C, and how operands are laid out for the kernel (Goto & van de Geijn 2008).
 *
 * A piece is a block of C. For each slice of depth its rows of A are laid out eight side by side, in the second cache; then columns
 * of B become a panel, in the first cache, and all these rows pass over it. Both are made ready by the piece that uses them: that costs
 * some parts in a hundred of multiplying, and saves memory as large as the operands and a meeting of the threads.
 *
 *           slice                 A [groups][slice][8]    panel [slice][width]     C
 *        +--------+  B columns        [ ........ ]    x      [    ......    ]  += [ ...... ]
 *     A  |////////|                   [ ........ ]                                [ ...... ]
 *        +--------+ */
#include "blocks/matmul.h"

#include <string.h>

#include "base/size.h"
#include "blocks/tape.h"

enum {
    SLICE = 192,      /* of depth: a panel is 36 KiB where it is widest */
    SLICE_BF16 = 384, /* in bf16: 24 KiB */
    BF16_COLS = 2 * TRINE_PAIR_COLS,
    MOST_ROWS = 256, /* of C in a piece: 192 KiB of A */
    MOST_COLS = 384, /* of C in a piece: what reuses A, and is not made ready again for others */
    LEAST_ROWS = 64, /* where pieces are cut smaller so that each thread has some */
    LEAST_COLS = 96,
    SMALL_WORK = 32768, /* multiplications below which a second thread costs more than it brings */
};

/* One product and how it is cut: n_blocks of `rows` by n_parts of `cols`. */
typedef struct cut {
    const trine_matmul *product;
    int rows, n_blocks, cols, n_parts;
} cut;

typedef struct job {
    const trine_kernels *kernels;
    bool bf16;
    cut items[TRINE_MATMULS];
    int n;
    float *scratch;
    size_t stride; /* floats of it that a thread has */
} job;

/* A block of C. */
typedef struct block {
    const trine_matmul *product;
    int row, n_rows, col, n_cols;
} block;

/* Slices of A are of one size in bytes; a panel of bf16 is smaller than one of f32, and leaves room for a block of C. */
static size_t a_floats(void) { return (size_t)MOST_ROWS * SLICE; }
static size_t panel_floats(const trine_kernels *kernels)
{
    const size_t bf16 = SLICE_BF16 * BF16_COLS / 2 + TRINE_PAIR_ROWS * BF16_COLS, f32 = (size_t)kernels->group_cols * SLICE;
    return trine_round_up(f32 > bf16 ? f32 : bf16, 16);
}
static size_t scratch_floats(const trine_kernels *kernels) { return a_floats() + panel_floats(kernels) + MOST_ROWS; }

/* Element (i, k) of A begins here, or (k, j) of B by its turned twin. */
static const float *at(const trine_operand *o, int line, int k)
{
    return o->turned ? o->data + (size_t)k * o->stride + (size_t)line : o->data + (size_t)line * o->stride + (size_t)k;
}

/* n <= width lines of an operand, side by side: out[k][width]. The lines of A are its rows, those of B its columns. */
static void lay_out(const trine_kernels *kernels, float *out, int width, const trine_operand *o, int line, int n, int k0, int depth)
{
    const float *from = at(o, line, k0);
    if (n < width) memset(out, 0, (size_t)width * (size_t)depth * sizeof *out);
    if (!o->turned) {
        kernels->transpose(out, (size_t)width, from, o->stride, n, depth);
    } else if (n == TRINE_GROUP && width == TRINE_GROUP) {
        for (int k = 0; k < depth; k++, out += TRINE_GROUP, from += o->stride) memcpy(out, from, TRINE_GROUP * sizeof *out);
    } else {
        for (int k = 0; k < depth; k++, out += width, from += o->stride) memcpy(out, from, (size_t)n * sizeof *out);
    }
}

/* The columns of B as lines. */
static trine_operand columns_of(const trine_operand *b) { return (trine_operand) { b->data, b->stride, !b->turned, b->rounded }; }

/* The operand that comes after a panel's, as it lies in memory. */
typedef struct ahead {
    const unsigned char *at;
    size_t stride, bytes; /* of a line */
    int n_lines, share;   /* lines that each step of rows asks for */
} ahead;

/* What follows columns [col, col + width) of the block at [k0, k0 + depth): the next columns, or the first of the next slice. */
static ahead what_follows(const block *b, const trine_matmul_term *term, int col, int width, int k0, int depth, int slice, int step,
                          bool rounded)
{
    const trine_operand columns = columns_of(&term->b);
    const bool last = col + width >= b->n_cols;
    const int next_k = last ? k0 + depth : k0, next_depth = last ? trine_min_int(slice, term->k - next_k) : depth;
    const int first = last ? 0 : col + width, n = trine_min_int(width, b->n_cols - first);
    const size_t size = rounded ? sizeof(uint16_t) : sizeof(float);
    if (next_depth <= 0) return (ahead) { .n_lines = 0 };
    const size_t line = (size_t)(b->col + first), k = (size_t)next_k;
    ahead next = { .at = rounded ? (const unsigned char *)columns.rounded : (const unsigned char *)columns.data,
                   .stride = columns.stride * size,
                   .bytes = (size_t)(columns.turned ? n : next_depth) * size,
                   .n_lines = columns.turned ? next_depth : n };
    next.at += columns.turned ? k * next.stride + line * size : line * next.stride + k * size;
    next.share = (next.n_lines * step + b->n_rows - 1) / b->n_rows;
    return next;
}

/* Asks for a share of the lines. */
static void ask_for(const ahead *next, int asked)
{
    for (int i = asked; i < trine_min_int(asked + next->share, next->n_lines); i++)
        for (size_t byte = 0; byte < next->bytes; byte += 64) __builtin_prefetch(next->at + (size_t)i * next->stride + byte, 0, 2);
}

/* Sums of rows of A over a slice; A's lines in memory are steps of depth. */
static void add_sums(const trine_kernels *kernels, float *sums, float *slice, const trine_operand *a, int row, int n, int k0,
                     int depth)
{
    memset(slice, 0, (size_t)n * sizeof *slice);
    for (int k = 0; k < depth; k++) kernels->add(slice, at(a, row, k0 + k), (size_t)n);
    kernels->add(sums + row, slice, (size_t)n);
}

/* Columns [k0, k0 + depth) of A times rows of B are added to the block; when `first` they begin it. */
static void add_slice(const job *j, const block *b, const trine_matmul_term *term, int k0, int depth, bool first, float *scratch)
{
    const trine_kernels *kernels = j->kernels;
    const trine_matmul *c = b->product;
    const trine_operand columns = columns_of(&term->b);
    const int width = kernels->group_cols;
    float *left = scratch, *panel = left + a_floats(), *slice_sums = panel + panel_floats(kernels);
    for (int i = 0; i < b->n_rows; i += TRINE_GROUP)
        lay_out(kernels, left + (size_t)i * (size_t)depth, TRINE_GROUP, &term->a, b->row + i,
                trine_min_int(TRINE_GROUP, b->n_rows - i), k0, depth);
    if (c->sums && b->col == 0) add_sums(kernels, c->sums, slice_sums, &term->a, b->row, b->n_rows, k0, depth);
    for (int col = 0; col < b->n_cols; col += width) {
        const int n_cols = trine_min_int(width, b->n_cols - col);
        lay_out(kernels, panel, width, &columns, b->col + col, n_cols, k0, depth);
        /* While rows pass over the panel, what the next is made of comes from memory. */
        const ahead next = what_follows(b, term, col, width, k0, depth, SLICE, TRINE_GROUP, false);
        for (int i = 0, asked = 0; i < b->n_rows; i += TRINE_GROUP, asked += next.share) {
            ask_for(&next, asked);
            kernels->gemm_group(c->c + (size_t)(b->row + i) * c->c_stride + (size_t)(b->col + col), c->c_stride,
                                left + (size_t)i * (size_t)depth, trine_min_int(TRINE_GROUP, b->n_rows - i), panel, n_cols,
                                (size_t)depth, NULL, !first);
        }
    }
}

/* ---- in bf16 ---- */

/* Whether the kernel may write the columns of C at `c` where they are: it writes whole groups of rows and panels of columns. */
static bool is_whole(const float *c, size_t stride, int n_rows, int n_cols)
{
    return n_rows % TRINE_PAIR_GROUP == 0 && n_cols % TRINE_PAIR_COLS == 0 && stride % 16 == 0 && (uintptr_t)c % 64 == 0;
}

/* n_rows <= TRINE_PAIR_ROWS rows of the block: a product that is not of whole groups and panels is computed apart. */
static void pair_rows(const job *j, float *c, size_t stride, int n_rows, int n_cols, const uint16_t *left, const uint16_t *panel,
                      int n_steps, bool add, float *apart)
{
    const size_t step = (size_t)n_steps * TRINE_PAIR_STEP, group = step * TRINE_PAIR_GROUP, panel_size = step * TRINE_PAIR_COLS;
    const int n_panels = (n_cols + TRINE_PAIR_COLS - 1) / TRINE_PAIR_COLS;
    if (is_whole(c, stride, n_rows, n_cols)) {
        j->kernels->pair.gemm(c, stride, left, group, n_rows, panel, panel_size, n_panels, n_steps, add);
        return;
    }
    for (int i = 0; i < n_rows && add; i++) memcpy(apart + i * BF16_COLS, c + (size_t)i * stride, (size_t)n_cols * sizeof *c);
    j->kernels->pair.gemm(apart, BF16_COLS, left, group, n_rows, panel, panel_size, n_panels, n_steps, add);
    for (int i = 0; i < n_rows; i++) memcpy(c + (size_t)i * stride, apart + i * BF16_COLS, (size_t)n_cols * sizeof *c);
}

static void add_slice_bf16(const job *j, const block *b, const trine_matmul_term *term, int k0, int depth, bool first,
                           float *scratch)
{
    const trine_kernels *kernels = j->kernels;
    const trine_pair_kernels *pair = &kernels->pair;
    const trine_matmul *c = b->product;
    const trine_operand *right = &term->b;
    const int n_steps = (depth + TRINE_PAIR_STEP - 1) / TRINE_PAIR_STEP, padded = n_steps * TRINE_PAIR_STEP;
    const size_t group = (size_t)padded * TRINE_PAIR_GROUP, panel_size = (size_t)padded * TRINE_PAIR_COLS;
    uint16_t *left = (uint16_t *)(void *)scratch, *panel = (uint16_t *)(void *)(scratch + a_floats());
    float *apart = scratch + a_floats() + SLICE_BF16 * BF16_COLS / 2, *slice_sums = scratch + a_floats() + panel_floats(kernels);
    for (int i = 0; i < b->n_rows; i += TRINE_PAIR_GROUP) {
        const int n = trine_min_int(TRINE_PAIR_GROUP, b->n_rows - i);
        uint16_t *out = left + (size_t)(i / TRINE_PAIR_GROUP) * group;
        if (term->a.turned)
            pair->left_turned(out, at(&term->a, b->row + i, k0), term->a.stride, n, (size_t)depth);
        else
            for (int r = 0; r < n; r++) pair->left(out, group, r, at(&term->a, b->row + i + r, k0), 1, (size_t)depth);
    }
    if (c->sums && b->col == 0) add_sums(kernels, c->sums, slice_sums, &term->a, b->row, b->n_rows, k0, depth);
    for (int col = 0; col < b->n_cols; col += BF16_COLS) {
        const int n_cols = trine_min_int(BF16_COLS, b->n_cols - col);
        const size_t from = (size_t)k0 * right->stride + (size_t)(b->col + col);
        if (right->rounded)
            pair->right_bf16(panel, panel_size, right->rounded + from, right->stride, depth, padded, n_cols);
        else
            pair->right(panel, panel_size, right->data + from, right->stride, NULL, depth, padded, n_cols);
        const ahead next = what_follows(b, term, col, BF16_COLS, k0, depth, SLICE_BF16, TRINE_PAIR_ROWS, right->rounded);
        for (int i = 0, asked = 0; i < b->n_rows; i += TRINE_PAIR_ROWS, asked += next.share) {
            ask_for(&next, asked);
            pair_rows(j, c->c + (size_t)(b->row + i) * c->c_stride + (size_t)(b->col + col), c->c_stride,
                      trine_min_int(TRINE_PAIR_ROWS, b->n_rows - i), n_cols, left + (size_t)(i / TRINE_PAIR_GROUP) * group, panel,
                      n_steps, !first, apart);
        }
    }
}

static void run_piece(void *user, int piece, int thread)
{
    const job *j = user;
    const cut *it = j->items;
    for (; piece >= it->n_blocks * it->n_parts; it++) piece -= it->n_blocks * it->n_parts;
    /* Neighbours among the pieces share columns of B: it comes from memory once for them. */
    block b = { .product = it->product, .row = piece % it->n_blocks * it->rows, .col = piece / it->n_blocks * it->cols };
    b.n_rows = trine_min_int(it->rows, it->product->m - b.row);
    b.n_cols = trine_min_int(it->cols, it->product->n - b.col);
    bool first = !it->product->add;
    float *scratch = j->scratch + (size_t)thread * j->stride;
    const int slice = j->bf16 ? SLICE_BF16 : SLICE;
    if (j->bf16) j->kernels->pair.begin();
    for (int t = 0; t < it->product->n_terms; t++) {
        const trine_matmul_term *term = &it->product->terms[t];
        for (int k0 = 0; k0 < term->k; k0 += slice, first = false)
            (j->bf16 ? add_slice_bf16 : add_slice)(j, &b, term, k0, trine_min_int(slice, term->k - k0), first, scratch);
    }
    if (j->bf16) j->kernels->pair.end();
    for (int i = 0; first && i < b.n_rows; i++) /* no depth at all: a sum of nothing */
        memset(it->product->c + (size_t)(b.row + i) * it->product->c_stride + b.col, 0, (size_t)b.n_cols * sizeof(float));
}

/* n in equal blocks of at most `most`, multiples of `unit`. */
static int divide(int *size, int n, int most, int unit)
{
    const int n_blocks = trine_max_int(1, (n + most - 1) / most);
    *size = (int)trine_round_up((size_t)trine_max_int(1, (n + n_blocks - 1) / n_blocks), (size_t)unit);
    return (n + *size - 1) / *size;
}

/* Large blocks, for they need the least laying out; smaller ones where threads would wait for one of them. */
#define SHARES 1.5 /* a piece is at most a thread's part of the work over this */

static int cut_one(cut *it, double most_work, int unit, int width)
{
    int rows = MOST_ROWS, cols = MOST_COLS / width * width, depth = 0;
    for (int t = 0; t < it->product->n_terms; t++) depth += it->product->terms[t].k;
    for (;;) {
        it->n_blocks = divide(&it->rows, it->product->m, rows, unit);
        it->n_parts = divide(&it->cols, it->product->n, cols, width);
        if ((double)it->rows * it->cols * depth <= most_work || (rows <= LEAST_ROWS && cols <= LEAST_COLS)) break;
        if (rows > LEAST_ROWS && (rows >= cols || cols <= LEAST_COLS))
            rows /= 2;
        else
            cols = trine_max_int(LEAST_COLS / width, cols / width / 2) * width;
    }
    return it->n_blocks * it->n_parts;
}

static double piece_work(const cut *it)
{
    double depth = 0;
    for (int t = 0; t < it->product->n_terms; t++) depth += (double)it->product->terms[t].k;
    return (double)it->rows * (double)it->cols * depth;
}

/* Products of the largest pieces first: what is left at the end is small. */
static void order(cut *items, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && piece_work(&items[k]) > piece_work(&items[k - 1]); k--) {
            const cut it = items[k];
            items[k] = items[k - 1];
            items[k - 1] = it;
        }
}

void trine_matmuls(trine_pass *p, const trine_matmul *products, int n)
{
    const int n_threads = trine_max_int(1, p->n_threads);
    const size_t mark = trine_arena_mark(p->arena);
    job j = { .kernels = p->kernels, .n = n, .stride = trine_round_up(scratch_floats(p->kernels), 16) };
    double work = 0;
    /* Of the backward's products none has a right side that lies turned. */
    j.bf16 = p->tape && p->tape->values_bf16 && p->kernels->pair.gemm;
    for (int i = 0; i < n; i++)
        for (int t = 0; t < products[i].n_terms; t++) j.bf16 &= !products[i].terms[t].b.turned;
    if (n > TRINE_MATMULS)
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "matmul: %d products at once, expected at most %d", n, TRINE_MATMULS);
    j.scratch = trine_pass_alloc(p, j.stride * (size_t)n_threads, sizeof(float));
    if (trine_pass_computes(p)) {
        for (int i = 0; i < n; i++) {
            j.items[i].product = &products[i];
            for (int t = 0; t < products[i].n_terms; t++)
                work += (double)products[i].m * (double)products[i].n * (double)products[i].terms[t].k;
        }
        const bool small = work <= SMALL_WORK || n_threads < 2;
        int n_pieces = 0;
        for (int i = 0; i < n; i++)
            n_pieces += cut_one(&j.items[i], small ? work : work / (SHARES * n_threads), j.bf16 ? TRINE_PAIR_ROWS : TRINE_GROUP,
                                j.bf16 ? BF16_COLS : p->kernels->group_cols);
        order(j.items, n);
        trine_team_run(small ? NULL : p->team, n_pieces, run_piece, &j);
    }
    trine_arena_release(p->arena, mark);
}
