/* test_matmul.c - products of training against sums in double: turned operands, odd sizes, several terms, C between guards; the same
 * bits on any number of threads, at every level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/matmul.h"
#include "support/random.h"
#include "support/run_pass.h"

enum { GUARD = 5, TERMS = 2, PRODUCTS = 2 };

typedef struct side {
    float *memory;
    trine_operand o;
} side;

typedef struct work {
    trine_matmul products[PRODUCTS];
    int n;
    float *c[PRODUCTS], *c_sums[PRODUCTS];         /* what products are computed into */
    float *start[PRODUCTS], *start_sums[PRODUCTS]; /* what is there before */
    float *result[PRODUCTS], *sums[PRODUCTS];      /* and after */
} work;

static float *floats(size_t n)
{
    float *memory = malloc((n ? n : 1) * sizeof *memory);
    assert_non_null(memory);
    return memory;
}

/* rows x cols, or its transpose, in lines that are `more` longer than they need be; the last line ends with the memory. */
static side make_side(random_state *r, int rows, int cols, bool turned, int more)
{
    const size_t lines = (size_t)(turned ? cols : rows), wide = (size_t)(turned ? rows : cols), stride = wide + (size_t)more;
    const size_t n = lines ? (lines - 1) * stride + wide : 0;
    side s = { .memory = floats(n) };
    random_fill(r, s.memory, n, 1);
    s.o = (trine_operand) { s.memory, stride, turned, NULL };
    return s;
}

static double element(const trine_operand *o, int i, int k)
{
    return (double)(o->turned ? o->data[(size_t)k * o->stride + (size_t)i] : o->data[(size_t)i * o->stride + (size_t)k]);
}

static size_t c_size(const trine_matmul *c) { return (size_t)(c->m + 2 * GUARD) * c->c_stride; }

/* A run that fails, for want of memory, leaves the results of the run before. */
static void body(trine_pass *p, void *user)
{
    work *w = user;
    for (int i = 0; i < w->n && trine_pass_computes(p); i++) {
        memcpy(w->c[i], w->start[i], c_size(&w->products[i]) * sizeof(float));
        memcpy(w->c_sums[i], w->start_sums[i], (size_t)w->products[i].m * sizeof(float));
    }
    trine_matmuls(p, w->products, w->n);
    for (int i = 0; i < w->n && trine_pass_computes(p); i++) {
        memcpy(w->result[i], w->c[i], c_size(&w->products[i]) * sizeof(float));
        memcpy(w->sums[i], w->c_sums[i], (size_t)w->products[i].m * sizeof(float));
    }
}

static void check(const work *w, trine_cpu level)
{
    for (int i = 0; i < w->n; i++) {
        const trine_matmul *c = &w->products[i];
        for (int row = -GUARD; row < c->m + GUARD; row++)
            for (int col = 0; col < (int)c->c_stride; col++) {
                const size_t at = (size_t)(row + GUARD) * c->c_stride + (size_t)col;
                const bool inside = row >= 0 && row < c->m && col >= GUARD && col < GUARD + c->n;
                if (!inside) {
                    assert_true(w->result[i][at] == w->start[i][at]);
                    continue;
                }
                double sum = c->add ? (double)w->start[i][at] : 0, size = fabs(sum);
                int depth = 1;
                for (int t = 0; t < c->n_terms; t++)
                    for (int k = 0; k < c->terms[t].k; k++, depth++) {
                        const double product = element(&c->terms[t].a, row, k) * element(&c->terms[t].b, k, col - GUARD);
                        sum += product;
                        size += fabs(product);
                    }
                /* Each of the additions rounds by half a step of the partial sum. */
                if (!(fabs((double)w->result[i][at] - sum) <= 0x1p-24 * (depth + 8) * size))
                    fail_msg("level %d, product %d of %d x %d: [%d][%d] is %g, expected %g", level, i, c->m, c->n, row, col - GUARD,
                             (double)w->result[i][at], sum);
            }
        for (int row = 0; c->sums && row < c->m; row++) {
            double sum = (double)w->start_sums[i][row], size = fabs(sum);
            for (int t = 0; t < c->n_terms; t++)
                for (int k = 0; k < c->terms[t].k; k++) {
                    sum += element(&c->terms[t].a, row, k);
                    size += fabs(element(&c->terms[t].a, row, k));
                }
            assert_true(fabs((double)w->sums[i][row] - sum) <= 0x1p-24 * (c->terms[0].k + 8) * size);
        }
    }
}

static int any_size(random_state *r)
{
    switch (random_int(r, 0, 5)) {
    case 0: return random_int(r, 1, 9);
    case 1: return random_int(r, 250, 410); /* across slices and pieces */
    case 2: return 16 * random_int(r, 1, 8);
    default: return random_int(r, 1, 70);
    }
}

static void products_agree(void **state)
{
    (void)state;
    random_state r = random_open("matmul");
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, 1);
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int round = 0; round < 40; round++) {
            work w = { .n = random_int(&r, 1, PRODUCTS) };
            side sides[PRODUCTS][TERMS][2];
            for (int i = 0; i < w.n; i++) {
                trine_matmul *c = &w.products[i];
                const bool sums = random_int(&r, 0, 1);
                c->m = any_size(&r);
                c->n = any_size(&r);
                c->n_terms = random_int(&r, 0, 9) ? random_int(&r, 1, TERMS) : 0;
                c->add = random_int(&r, 0, 1);
                c->c_stride = (size_t)c->n + 2 * GUARD;
                for (int t = 0; t < c->n_terms; t++) {
                    const int k = any_size(&r);
                    sides[i][t][0] = make_side(&r, c->m, k, sums || random_int(&r, 0, 1), random_int(&r, 0, 3));
                    sides[i][t][1] = make_side(&r, k, c->n, random_int(&r, 0, 1), random_int(&r, 0, 3));
                    c->terms[t] = (trine_matmul_term) { sides[i][t][0].o, sides[i][t][1].o, k };
                }
                w.start[i] = floats(c_size(c));
                w.result[i] = floats(c_size(c));
                w.c[i] = floats(c_size(c));
                w.c_sums[i] = floats((size_t)c->m);
                w.start_sums[i] = floats((size_t)c->m);
                w.sums[i] = floats((size_t)c->m);
                random_fill(&r, w.start[i], c_size(c), 1);
                random_fill(&r, w.start_sums[i], (size_t)c->m, 1);
                c->c = w.c[i] + GUARD * c->c_stride + GUARD;
                if (sums) c->sums = w.c_sums[i];
            }
            run_pass(&batch, (trine_cpu)level, 1, NULL, body, &w);
            check(&w, (trine_cpu)level);
            float *alone[PRODUCTS];
            for (int i = 0; i < w.n; i++) {
                alone[i] = floats(c_size(&w.products[i]));
                memcpy(alone[i], w.result[i], c_size(&w.products[i]) * sizeof(float));
            }
            run_pass(&batch, (trine_cpu)level, 3, NULL, body, &w);
            for (int i = 0; i < w.n; i++) {
                assert_memory_equal(alone[i], w.result[i], c_size(&w.products[i]) * sizeof(float));
                free(alone[i]);
                free(w.start[i]);
                free(w.result[i]);
                free(w.c[i]);
                free(w.c_sums[i]);
                free(w.start_sums[i]);
                free(w.sums[i]);
                for (int t = 0; t < w.products[i].n_terms; t++) {
                    free(sides[i][t][0].memory);
                    free(sides[i][t][1].memory);
                }
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(products_agree) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
