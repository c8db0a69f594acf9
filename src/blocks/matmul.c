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

enum {
    SLICE = 192,     /* of depth: a panel is 36 KiB where it is widest */
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

static size_t a_floats(void) { return (size_t)MOST_ROWS * SLICE; }
static size_t panel_floats(const trine_kernels *kernels) { return (size_t)kernels->group_cols * SLICE; }
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
static trine_operand columns_of(const trine_operand *b) { return (trine_operand) { b->data, b->stride, !b->turned }; }

/* Asks for lines [from, to) of an operand's n lines as they lie in memory, of which a panel will be made. */
static void ask_for(const trine_operand *o, int line, int n, int k0, int depth, int from, int to)
{
    const int n_lines = o->turned ? depth : n, wide = o->turned ? n : depth;
    const unsigned char *first = (const unsigned char *)at(o, line, k0);
    for (int i = from; i < trine_min_int(to, n_lines); i++) {
        const unsigned char *lies = first + (size_t)i * o->stride * sizeof(float);
        for (size_t byte = 0; byte < (size_t)wide * sizeof(float); byte += 64) __builtin_prefetch(lies + byte, 0, 2);
    }
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
        const bool last = col + width >= b->n_cols;
        const int next = last ? b->col : b->col + col + width, next_k = last ? k0 + depth : k0;
        const int next_n = last ? trine_min_int(width, b->n_cols) : trine_min_int(width, b->n_cols - col - width);
        const int next_depth = last ? trine_min_int(SLICE, term->k - next_k) : depth;
        const int n_lines = columns.turned ? next_depth : next_n;
        const int share = (n_lines * TRINE_GROUP + b->n_rows - 1) / b->n_rows;
        for (int i = 0, asked = 0; i < b->n_rows; i += TRINE_GROUP, asked += share) {
            if (next_depth > 0) ask_for(&columns, next, next_n, next_k, next_depth, asked, asked + share);
            kernels->gemm_group(c->c + (size_t)(b->row + i) * c->c_stride + (size_t)(b->col + col), c->c_stride,
                                left + (size_t)i * (size_t)depth, trine_min_int(TRINE_GROUP, b->n_rows - i), panel, n_cols,
                                (size_t)depth, NULL, !first);
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
    for (int t = 0; t < it->product->n_terms; t++) {
        const trine_matmul_term *term = &it->product->terms[t];
        for (int k0 = 0; k0 < term->k; k0 += SLICE, first = false)
            add_slice(j, &b, term, k0, trine_min_int(SLICE, term->k - k0), first, j->scratch + (size_t)thread * j->stride);
    }
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

/* Large blocks, for they need the least laying out; smaller ones where a thread would work on one for long after all others are done. */
static int cut_one(cut *it, double most_work, int width)
{
    int rows = MOST_ROWS, cols = MOST_COLS / width * width, depth = 0;
    for (int t = 0; t < it->product->n_terms; t++) depth += it->product->terms[t].k;
    for (;;) {
        it->n_blocks = divide(&it->rows, it->product->m, rows, TRINE_GROUP);
        it->n_parts = divide(&it->cols, it->product->n, cols, width);
        if ((double)it->rows * it->cols * depth <= most_work || (rows <= LEAST_ROWS && cols <= LEAST_COLS)) break;
        if (rows > LEAST_ROWS && (rows >= cols || cols <= LEAST_COLS))
            rows /= 2;
        else
            cols = trine_max_int(LEAST_COLS / width, cols / width / 2) * width;
    }
    return it->n_blocks * it->n_parts;
}

void trine_matmuls(trine_pass *p, const trine_matmul *products, int n)
{
    const int n_threads = trine_max_int(1, p->n_threads);
    const size_t mark = trine_arena_mark(p->arena);
    job j = { .kernels = p->kernels, .n = n, .stride = trine_round_up(scratch_floats(p->kernels), 16) };
    double work = 0;
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
        for (int i = 0; i < n; i++) n_pieces += cut_one(&j.items[i], small ? work : work / (3 * n_threads), p->kernels->group_cols);
        trine_team_run(small ? NULL : p->team, n_pieces, run_piece, &j);
    }
    trine_arena_release(p->arena, mark);
}
