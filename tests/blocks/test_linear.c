/* Products with weights of every type in the file's own layout, and what is built on them, against sums in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/linear.h"
#include "support/random.h"
#include "support/run_pass.h"

static const trine_dtype TYPES[] = { TRINE_F32,  TRINE_F16,  TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0, TRINE_Q4_1,
                                     TRINE_Q5_0, TRINE_Q5_1, TRINE_Q4_K, TRINE_Q5_K, TRINE_Q6_K };
enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

static void *bytes_of(size_t n)
{
    void *memory = malloc(n ? n : 1);
    assert_non_null(memory);
    return memory;
}

/* Weights of a type at an address that is a multiple of nothing, with what they unpack to. */
typedef struct weights {
    trine_weight w;
    float *plain, *bias;
    unsigned char *memory;
} weights;

static void fill_f16(unsigned char *at, float value)
{
    const uint16_t h = trine_f32_to_f16(value);
    memcpy(at, &h, sizeof h);
}

/* K types need not be packed by this library: random blocks with scales of a sensible size are as good. */
static void random_blocks(random_state *r, unsigned char *b, size_t n, trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    for (size_t i = 0; i < n; i++) b[i] = (unsigned char)random_u64(r);
    for (unsigned char *at = b; at < b + n; at += info->block_bytes) {
        if (type == TRINE_Q6_K) {
            fill_f16(at + 208, 1e-4f * (float)random_int(r, 1, 9));
        } else {
            fill_f16(at, 1e-4f * (float)random_int(r, 1, 9));
            fill_f16(at + 2, 1e-4f * (float)random_int(r, 1, 9));
        }
    }
}

static weights make_weights(random_state *r, trine_dtype type, int rows, int cols, bool bias)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    const size_t n = (size_t)rows * (size_t)cols, bytes = n / (size_t)info->block * (size_t)info->block_bytes;
    weights m = { .plain = bytes_of(n * sizeof(float)), .memory = bytes_of(bytes + 1) };
    unsigned char *odd = m.memory + 1; /* ends where the allocation ends: reading past it is seen by the sanitizer */
    random_fill(r, m.plain, n, 1 / sqrtf((float)cols));
    if (info->block == 256)
        random_blocks(r, odd, bytes, type);
    else
        info->pack(odd, m.plain, n);
    info->unpack(m.plain, odd, n);
    if (bias) {
        m.bias = bytes_of((size_t)rows * sizeof(float));
        random_fill(r, m.bias, (size_t)rows, 1);
    }
    m.w = (trine_weight) { .data = odd, .type = type, .rows = rows, .cols = cols, .bias = m.bias };
    return m;
}

static void free_weights(weights *m)
{
    free(m->plain);
    free(m->bias);
    free(m->memory);
}

typedef struct product {
    const trine_weight *w;
    const trine_feed_forward_weights *ffn;
    float *x, *y;
    int n_rows, cols;
} product;

static trine_mat input(trine_pass *p, const product *t)
{
    trine_mat x = trine_mat_new(p, t->n_rows, t->cols);
    if (trine_pass_computes(p)) memcpy(x.data, t->x, (size_t)t->n_rows * (size_t)t->cols * sizeof(float));
    return x;
}

static void keep(trine_pass *p, product *t, trine_mat y)
{
    if (trine_pass_computes(p)) memcpy(t->y, y.data, (size_t)y.rows * (size_t)y.cols * sizeof(float));
}

static void linear_body(trine_pass *p, void *user)
{
    product *t = user;
    keep(p, t, trine_linear(p, input(p, t), t->w));
}

/* Steps of W's bytes on the integer path, [rows][groups]: the reference's. NULL when this product does not take it: for few rows, and where
 * W's own levels are multiplied. */
static float *byte_steps(const weights *m, int n_rows, const trine_kernels *kernels)
{
    const trine_dtype_info *type = trine_dtype_get(m->w.type);
    if (type->block == 1 || n_rows < trine_linear_integer_rows(kernels, m->w.type) || kernels->levels.pack[m->w.type]) return NULL;
    trine_kernels ref;
    trine_kernels_init(&ref, TRINE_CPU_SCALAR);
    const size_t n = (size_t)m->w.cols, row_bytes = n / (size_t)type->block * (size_t)type->block_bytes;
    const size_t groups = (n + TRINE_INT8_GROUP - 1) / TRINE_INT8_GROUP, width = (size_t)ref.int8_cols;
    trine_int8_panel panel = { bytes_of((n + TRINE_INT8_PAD) * width), bytes_of(groups * width * sizeof(float)) };
    float *steps = bytes_of((size_t)m->w.rows * groups * sizeof *steps);
    for (int j = 0; j < m->w.rows; j++) {
        ref.pack_panel[m->w.type](&panel, (const unsigned char *)m->w.data + (size_t)j * row_bytes, row_bytes, 1, n, 0);
        for (size_t g = 0; g < groups; g++) steps[(size_t)j * groups + g] = panel.scale[g * width];
    }
    free(panel.bytes);
    free(panel.scale);
    return steps;
}

/* What bytes may add to the error of x . w, one group of columns: x is within half a step of its bytes, w within TRINE_INT8_ERROR. */
static double error_of_bytes(const float *x, const float *w, size_t n, float w_step)
{
    double most = 0, error = 0;
    for (size_t k = 0; k < n; k++) most = fmax(most, fabs((double)x[k]));
    const double x_step = most / 127, half = (0.5 + 127 * 4 * 0x1p-24) * x_step;
    for (size_t k = 0; k < n; k++)
        error += (fabs((double)x[k]) + half) * (double)TRINE_INT8_ERROR * (double)w_step + half * fabs((double)w[k]);
    return error;
}

/* The same where W is taken as it is, or to within `half`, and x in blocks of 32. */
static double error_of_x8(const float *x, const float *w, size_t n, double half)
{
    double most = 0, error = 0;
    for (size_t k = 0; k < n; k++) most = fmax(most, fabs((double)x[k]));
    for (size_t k = 0; k < n; k++)
        error += 0.50001 * most / 127 * (fabs((double)w[k]) + half) + 1.00001 * half * fabs((double)x[k]);
    return error;
}

/* Whether this product is one of Q8_0 by levels, of which it has 7 bits there. */
static bool has_7_bits(const weights *m, int n_rows, const trine_kernels *kernels)
{
    return m->w.type == TRINE_Q8_0 && n_rows >= trine_linear_integer_rows(kernels, TRINE_Q8_0) && kernels->levels.pack[TRINE_Q8_0];
}

/* Half a level of 7 bits, and what its factor is rounded by, of the block of Q8_0 that begins at column k of row j. */
static double half_of_7(const weights *m, int j, int k)
{
    uint16_t d;
    memcpy(&d, (const unsigned char *)m->w.data + ((size_t)j * (size_t)m->w.cols + (size_t)k) / 32 * 34, sizeof d);
    return 0.505 * 127 / 63 * fabs((double)trine_f16_to_f32(d));
}

/* |y - exact| is within rounding of the sum of magnitudes, and of what bytes lose. */
static void check_linear(const weights *m, const product *t, trine_cpu level)
{
    trine_kernels kernels;
    trine_kernels_init(&kernels, level);
    const bool rounds = m->w.type == TRINE_BF16 && kernels.bf16_gemm && t->n_rows >= TRINE_LINEAR_BF16_ROWS; /* x to bf16 */
    const bool sevens = has_7_bits(m, t->n_rows, &kernels);
    float *steps = byte_steps(m, t->n_rows, &kernels);
    const int cols = t->cols, groups = (cols + TRINE_INT8_GROUP - 1) / TRINE_INT8_GROUP;
    for (int i = 0; i < t->n_rows; i++)
        for (int j = 0; j < m->w.rows; j++) {
            const float *x = t->x + (size_t)i * (size_t)cols, *w = m->plain + (size_t)j * (size_t)cols;
            double exact = m->bias ? (double)m->bias[j] : 0, size = fabs(exact), error = 0;
            for (int k = 0; k < cols; k++) {
                const double term = (double)(rounds ? trine_bf16_to_f32(trine_f32_to_bf16(x[k])) : x[k]) * (double)w[k];
                exact += term;
                size += fabs(term);
            }
            for (int g = 0; steps && g < groups; g++) {
                const int k = g * TRINE_INT8_GROUP, n = cols - k < TRINE_INT8_GROUP ? cols - k : TRINE_INT8_GROUP;
                error += error_of_bytes(x + k, w + k, (size_t)n, steps[(size_t)j * (size_t)groups + (size_t)g]);
            }
            for (int k = 0; m->w.type > TRINE_BF16 && !steps && k < cols; k += 32)
                error += sevens ? error_of_x8(x + k, w + k, 32, half_of_7(m, j, k)) : error_of_x8(x + k, w + k, 32, 0);
            const double got = (double)t->y[(size_t)i * (size_t)m->w.rows + (size_t)j];
            if (!(fabs(got - exact) <= 16 * 0x1p-24 * size + error + 1e-30))
                fail_msg("%s [%d, %d] x %d rows: y[%d][%d] is %.9g, expected %.9g", trine_dtype_name(m->w.type), m->w.rows, cols,
                         t->n_rows, i, j, got, exact);
        }
    free(steps);
}

static void run_linear(random_state *r, trine_cpu level, trine_dtype type, int n_rows, int rows, int cols)
{
    weights m = make_weights(r, type, rows, cols, random_int(r, 0, 1));
    product t = { .w = &m.w, .x = bytes_of((size_t)n_rows * (size_t)cols * sizeof(float)), .n_rows = n_rows, .cols = cols };
    t.y = bytes_of((size_t)n_rows * (size_t)rows * sizeof(float));
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, n_rows);
    random_fill(r, t.x, (size_t)n_rows * (size_t)cols, 1);
    run_pass(&batch, level, 1, NULL, linear_body, &t);
    check_linear(&m, &t, level);
    /* Bit by bit the same with any number of threads. */
    float *first = t.y;
    t.y = bytes_of((size_t)n_rows * (size_t)rows * sizeof(float));
    for (int n_threads = 2; n_threads <= 5; n_threads++) {
        run_pass(&batch, level, n_threads, NULL, linear_body, &t);
        assert_memory_equal(first, t.y, (size_t)n_rows * (size_t)rows * sizeof(float));
    }
    free(first);
    free(t.y);
    free(t.x);
    free_weights(&m);
}

typedef struct together {
    product t[3];
    float *apart[3];
} together;

static void together_body(trine_pass *p, void *user)
{
    together *all = user;
    const trine_weight *w[3];
    trine_mat y[3];
    for (int i = 0; i < 3; i++) w[i] = all->t[i].w;
    trine_linears(p, y, input(p, &all->t[0]), w, 3);
    for (int i = 0; i < 3; i++) keep(p, &all->t[i], y[i]);
}

/* Products of one x: of the same type and of different ones, of few rows and many, they are what each is alone. */
static void linears_are_each_alone(void **state)
{
    (void)state;
    random_state r = random_open("linears are each alone");
    for (int round = 0, level = 0; round < 90; round++) {
        if ((level = trine_cpu_next(level)) >= TRINE_CPU_COUNT) level = 0;
        const int n_rows = round % 2 ? random_int(&r, 1, 6) : random_int(&r, 40, 80), cols = 256 * random_int(&r, 1, 2);
        const trine_dtype same = TYPES[random_int(&r, 0, N_TYPES - 1)];
        weights m[3];
        together all;
        trine_segment segment;
        const trine_batch batch = one_segment(&segment, n_rows);
        float *x = bytes_of((size_t)n_rows * (size_t)cols * sizeof(float));
        random_fill(&r, x, (size_t)n_rows * (size_t)cols, 1);
        for (int i = 0; i < 3; i++) {
            const int rows = random_int(&r, 1, 200);
            const trine_dtype type = round % 3 && i > 0 ? TYPES[random_int(&r, 0, N_TYPES - 1)] : same;
            m[i] = make_weights(&r, type, rows, cols, random_int(&r, 0, 1));
            const size_t bytes = (size_t)n_rows * (size_t)rows * sizeof(float);
            all.t[i] = (product) { .w = &m[i].w, .x = x, .y = all.apart[i] = bytes_of(bytes), .n_rows = n_rows, .cols = cols };
            run_pass(&batch, (trine_cpu)level, 1, NULL, linear_body, &all.t[i]);
            all.t[i].y = bytes_of(bytes);
        }
        for (int n_threads = 1; n_threads <= 4; n_threads++) {
            run_pass(&batch, (trine_cpu)level, n_threads, NULL, together_body, &all);
            for (int i = 0; i < 3; i++)
                assert_memory_equal(all.apart[i], all.t[i].y, (size_t)n_rows * (size_t)m[i].w.rows * sizeof(float));
        }
        for (int i = 0; i < 3; i++) {
            free(all.apart[i]);
            free(all.t[i].y);
            free_weights(&m[i]);
        }
        free(x);
    }
}

static void linear_of_every_type(void **state)
{
    (void)state;
    random_state r = random_open("linear of every type");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int i = 0; i < N_TYPES; i++) {
            const int block = trine_dtype_get(TYPES[i])->block;
            for (int round = 0; round < 12; round++) {
                const int n_rows = round < 6 ? random_int(&r, 1, 20) : random_int(&r, 17, 100);
                const int cols = block == 1 ? random_int(&r, 1, 90) : block * random_int(&r, 1, 4);
                run_linear(&r, (trine_cpu)level, TYPES[i], n_rows, random_int(&r, 1, 90), cols);
            }
        }
}

/* Past the edges of slices, blocks of panels and row parts. */
static void linear_past_the_edges(void **state)
{
    (void)state;
    random_state r = random_open("linear past the edges");
    static const int shapes[][3] = { { 1, 300, 1030 },  { 4, 37, 513 },   { 17, 515, 511 },
                                     { 130, 33, 1027 }, { 49, 257, 512 }, { 200, 5, 40 } };
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        for (int i = 0; i < 6; i++)
            run_linear(&r, (trine_cpu)level, i % 2 ? TRINE_F32 : TRINE_BF16, shapes[i][0], shapes[i][1], shapes[i][2]);
        run_linear(&r, (trine_cpu)level, TRINE_BF16, 300, 70, 2100); /* more rows than meet W at once */
        run_linear(&r, (trine_cpu)level, TRINE_Q4_K, 33, 290, 1280);
        run_linear(&r, (trine_cpu)level, TRINE_Q8_0, 60, 70, 1056);
        run_linear(&r, (trine_cpu)level, TRINE_Q4_0, 30, 300, 1120);
        run_linear(&r, (trine_cpu)level, TRINE_Q5_1, 130, 40, 2080);
    }
}

static void feed_forward_body(trine_pass *p, void *user)
{
    product *t = user;
    keep(p, t, trine_feed_forward(p, input(p, t), t->ffn));
}

static double activation(double x, trine_activation kind)
{
    switch (kind) {
    case TRINE_RELU: return x < 0 ? 0 : x;
    case TRINE_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case TRINE_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case TRINE_SILU: return x / (1 + exp(-x));
    case TRINE_TANH: return tanh(x);
    case TRINE_GELU_QUICK: return x / (1 + exp(-1.702 * x));
    }
    return NAN;
}

static void feed_forward(void **state)
{
    (void)state;
    random_state r = random_open("feed forward");
    enum { WIDE = 50, NARROW = 30, ROWS = 5 }; /* few: x is not rounded */
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int kind = TRINE_RELU; kind <= TRINE_GELU_QUICK; kind++)
            for (int gated = 0; gated < 2; gated++) {
                weights up = make_weights(&r, TRINE_F32, WIDE, NARROW, true),
                        down = make_weights(&r, TRINE_F16, NARROW, WIDE, true),
                        gate = make_weights(&r, TRINE_BF16, WIDE, NARROW, false);
                trine_feed_forward_weights ffn = { .up = up.w, .down = down.w, .activation = (trine_activation)kind };
                if (gated) ffn.gate = gate.w;
                float x[ROWS * NARROW], y[ROWS * NARROW];
                trine_segment segment;
                const trine_batch batch = one_segment(&segment, ROWS);
                product t = { .ffn = &ffn, .x = x, .y = y, .n_rows = ROWS, .cols = NARROW };
                random_fill(&r, x, ROWS * NARROW, 1);
                run_pass(&batch, (trine_cpu)level, 2, NULL, feed_forward_body, &t);
                for (int i = 0; i < ROWS; i++) {
                    double h[WIDE];
                    for (int j = 0; j < WIDE; j++) {
                        double u = (double)up.bias[j], g = 0;
                        for (int k = 0; k < NARROW; k++) {
                            u += (double)x[i * NARROW + k] * (double)up.plain[j * NARROW + k];
                            g += (double)x[i * NARROW + k] * (double)gate.plain[j * NARROW + k];
                        }
                        h[j] = gated ? activation(g, (trine_activation)kind) * u : activation(u, (trine_activation)kind);
                    }
                    for (int j = 0; j < NARROW; j++) {
                        double exact = (double)down.bias[j];
                        for (int k = 0; k < WIDE; k++) exact += h[k] * (double)down.plain[j * WIDE + k];
                        assert_true(fabs((double)y[i * NARROW + j] - exact) < 1e-5);
                    }
                }
                free_weights(&up);
                free_weights(&down);
                free_weights(&gate);
            }
}

static void activation_names(void **state)
{
    (void)state;
    trine_activation a;
    assert_true(trine_activation_from_name(&a, "gelu") && a == TRINE_GELU);
    assert_true(trine_activation_from_name(&a, "gelu_new") && a == TRINE_GELU_TANH);
    assert_true(trine_activation_from_name(&a, "gelu_pytorch_tanh") && a == TRINE_GELU_TANH);
    assert_true(trine_activation_from_name(&a, "silu") && a == TRINE_SILU);
    assert_true(trine_activation_from_name(&a, "swish") && a == TRINE_SILU);
    assert_true(trine_activation_from_name(&a, "relu") && a == TRINE_RELU);
    assert_true(trine_activation_from_name(&a, "tanh") && a == TRINE_TANH);
    assert_true(trine_activation_from_name(&a, "quick_gelu") && a == TRINE_GELU_QUICK);
    assert_false(trine_activation_from_name(&a, "mish"));
    assert_false(trine_activation_from_name(&a, ""));
}

static void weights_that_do_not_fit(void **state)
{
    (void)state;
    float x[8] = { 0 }, y[8], data[8] = { 0 };
    trine_weight w = { .data = data, .type = TRINE_F32, .rows = 2, .cols = 3 };
    product t = { .w = &w, .x = x, .y = y, .n_rows = 2, .cols = 4 };
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, 2);
    assert_int_equal(run_failing_pass(&batch, TRINE_CPU_SCALAR, 1, linear_body, &t), TRINE_ERROR_INTERNAL);
    w = (trine_weight) { .data = data, .type = TRINE_I32, .rows = 2, .cols = 4 };
    assert_int_equal(run_failing_pass(&batch, TRINE_CPU_SCALAR, 1, linear_body, &t), TRINE_ERROR_INTERNAL);
    w = (trine_weight) { .data = data, .type = TRINE_Q8_0, .rows = 2, .cols = 4 };
    assert_int_equal(run_failing_pass(&batch, TRINE_CPU_SCALAR, 1, linear_body, &t), TRINE_ERROR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linears_are_each_alone), cmocka_unit_test(linear_of_every_type), cmocka_unit_test(linear_past_the_edges),
        cmocka_unit_test(feed_forward),           cmocka_unit_test(activation_names),     cmocka_unit_test(weights_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
