/* test_linear_gradients.c - gradients of x W^T + b against sums in double: some weights of one x, one used twice,
 * frozen ones of every type, with and without bias, in f32 and in bf16. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/blocks.h"
#include "support/learn.h"
#include "support/random.h"
#include "support/run_pass.h"

static const trine_dtype TYPES[] = { TRINE_F32,  TRINE_F16,  TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0,
                                     TRINE_Q4_1, TRINE_Q5_0, TRINE_Q5_1, TRINE_Q6_K };

enum { MOST_ROWS = 300, MOST_COLS = 512, MOST_OUT = 420, N = 3 };

typedef struct linears_test {
    int n, rows, cols;
    trine_weight w[N];
    float *plain[N]; /* what W unpacks to */
    float *x, *dx, *factors[N], *y[N];
    bool wants_dx, twice; /* x is used once more, by a product of the first W */
} linears_test;

static float *floats(size_t n)
{
    float *memory = calloc(n ? n : 1, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static void body(trine_pass *p, void *user)
{
    linears_test *t = user;
    const trine_weight *w[N];
    trine_mat y[N];
    const trine_mat x = learn_input(p, t->x, t->rows, t->cols, t->wants_dx ? t->dx : NULL);
    for (int i = 0; i < t->n; i++) w[i] = &t->w[i];
    if (t->n == 1)
        y[0] = trine_linear(p, x, w[0]);
    else
        trine_linears(p, y, x, w, t->n);
    for (int i = 0; i < t->n; i++) learn_weigh(p, y[i], t->factors[i], t->y[i]);
    if (t->twice) learn_weigh(p, trine_linear(p, x, w[0]), t->factors[0], NULL);
}

static void close_to(const char *what, int level, double got, double expected, double size, double eps)
{
    if (!(fabs(got - expected) <= eps * size + 1e-30))
        fail_msg("level %d: %s is %g, expected %g (error %g, allowed %g)", level, what, got, expected, fabs(got - expected),
                 eps * size);
}

/* eps: of one rounding of an operand, and of each addition. */
static void check(const linears_test *t, const learning *l, double eps)
{
    const double again = t->twice ? 2 : 1;
    for (int i = 0; i < t->rows && t->wants_dx; i++)
        for (int k = 0; k < t->cols; k++) {
            double sum = 0, size = 0;
            int depth = 0;
            for (int v = 0; v < t->n; v++)
                for (int j = 0; j < t->w[v].rows; j++, depth++) {
                    const double product =
                        (double)t->factors[v][i * t->w[v].rows + j] * (double)t->plain[v][j * t->cols + k] * (v ? 1 : again);
                    sum += product;
                    size += fabs(product);
                }
            close_to("dx", l->level, (double)t->dx[i * t->cols + k], sum, size, eps + 0x1p-24 * (depth + 8));
        }
    double *expected = calloc(2 * l->n + 1, sizeof *expected), *sizes = expected + l->n;
    assert_non_null(expected);
    for (int v = 0; v < t->n; v++) {
        const trine_weight *w = &t->w[v];
        const bool learns =
            w->type == TRINE_F32 && (const float *)w->data >= l->values && (const float *)w->data < l->values + l->n;
        for (int j = 0; j < w->rows; j++)
            for (int i = 0; i < t->rows; i++) {
                const double dy = (double)t->factors[v][i * w->rows + j] * (v ? 1 : again);
                for (int k = 0; k < t->cols && learns; k++) {
                    const size_t at = (size_t)((const float *)w->data - l->values) + (size_t)(j * t->cols + k);
                    expected[at] += dy * (double)t->x[i * t->cols + k];
                    sizes[at] += fabs(dy * (double)t->x[i * t->cols + k]);
                }
                if (w->bias) {
                    expected[w->bias - l->values + j] += dy;
                    sizes[w->bias - l->values + j] += fabs(dy);
                }
            }
    }
    for (size_t i = 0; i < l->n; i++)
        close_to("dW", l->level, (double)l->grads[i], expected[i], sizes[i], eps + 0x1p-24 * (2 * t->rows + 8));
    free(expected);
}

static void forget(linears_test *t, learning *l)
{
    for (int v = 0; v < t->n; v++) {
        free(t->factors[v]);
        free(t->y[v]);
        free(t->plain[v]);
        if ((const float *)t->w[v].data < l->values || (const float *)t->w[v].data >= l->values + l->n) free((void *)t->w[v].data);
    }
    free(t->x);
    free(t->dx);
    free(l->values);
    free(l->grads);
    free(l->bf16);
}

/* Runs on one thread and on three: the same bits. */
static void run_both(linears_test *t, learning *l)
{
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, t->rows);
    l->n_threads = 1;
    learn(l, &batch, body, t);
    float *grads = floats(l->n), *dx = floats((size_t)(t->rows * t->cols));
    memcpy(grads, l->grads, l->n * sizeof *grads);
    memcpy(dx, t->dx, (size_t)(t->rows * t->cols) * sizeof *dx);
    l->n_threads = 3;
    learn(l, &batch, body, t);
    assert_memory_equal(grads, l->grads, l->n * sizeof *grads);
    assert_memory_equal(dx, t->dx, (size_t)(t->rows * t->cols) * sizeof *dx);
    free(grads);
    free(dx);
}

static void gradients_agree(trine_cpu level, bool bf16, random_state *r)
{
    for (int round = 0; round < 24; round++) {
        linears_test t = { .n = random_int(r, 1, N), .wants_dx = random_int(r, 0, 3), .twice = random_int(r, 0, 3) == 0 };
        const bool large = round % 6 == 0, blocks = random_int(r, 0, 1);
        t.rows = random_int(r, 1, large ? MOST_ROWS : 40);
        t.cols = blocks ? 256 * random_int(r, 1, 2) : random_int(r, 1, large ? MOST_COLS : 90);
        learning l = { .level = level, .n = (size_t)N * (MOST_OUT * (size_t)t.cols + MOST_OUT) };
        l.values = floats(l.n);
        l.grads = floats(l.n);
        random_fill(r, l.values, l.n, 1);
        if (bf16) {
            l.bf16 = calloc(l.n, sizeof *l.bf16);
            assert_non_null(l.bf16);
        }
        t.x = floats((size_t)(t.rows * t.cols));
        t.dx = floats((size_t)(t.rows * t.cols));
        random_fill(r, t.x, (size_t)(t.rows * t.cols), 1);
        float *next = l.values;
        for (int v = 0; v < t.n; v++) {
            const int out = random_int(r, 1, large ? MOST_OUT : 60);
            const size_t size = (size_t)out * (size_t)t.cols;
            trine_weight *w = &t.w[v];
            *w = (trine_weight) { .data = next, .type = TRINE_F32, .rows = out, .cols = t.cols };
            t.plain[v] = floats(size);
            memcpy(t.plain[v], next, size * sizeof(float));
            next += size;
            if (random_int(r, 0, 1)) w->bias = next, next += out;
            if (random_int(r, 0, 2) == 0) { /* frozen */
                const trine_dtype type = TYPES[random_int(r, 0, blocks ? (int)(sizeof TYPES / sizeof *TYPES) - 2 : 2)];
                const trine_dtype_info *info = trine_dtype_get(type);
                void *memory = malloc(size / (size_t)info->block * (size_t)info->block_bytes);
                assert_non_null(memory);
                info->pack(memory, t.plain[v], size);
                info->unpack(t.plain[v], memory, size);
                w->data = memory;
                w->type = type;
            }
            t.factors[v] = floats((size_t)(t.rows * out));
            t.y[v] = floats((size_t)(t.rows * out));
            random_fill(r, t.factors[v], (size_t)(t.rows * out), 1);
        }
        run_both(&t, &l);
        check(&t, &l, bf16 ? 0x1p-7 : 0);
        forget(&t, &l);
    }
}

static void linears_have_gradients(void **state)
{
    (void)state;
    random_state r = random_open("linear gradients");
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int bf16 = 0; bf16 < 2; bf16++) gradients_agree((trine_cpu)level, bf16, &r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(linears_have_gradients) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
