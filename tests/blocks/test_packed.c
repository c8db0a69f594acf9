/* Weights whose panels are kept: products are those of the weights as they lie, bit for bit, at every level of the CPU. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/packed.h"
#include "support/alloc.h"
#include "support/random.h"
#include "support/run_pass.h"

enum { N = 3, MOST_ROWS = 700 };

/* N weights [rows, cols] of one x, each alone in memory, and what they make. */
typedef struct products {
    trine_packing packing;
    trine_packed packed[N];
    trine_weight w[N];
    float *x, *y[N];
    int n_rows, cols;
} products;

static float *floats(size_t n)
{
    float *memory = malloc(n * sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static void make(products *t, random_state *r, int n_rows, int rows, int cols, bool bias)
{
    *t = (products) { .n_rows = n_rows, .cols = cols, .x = floats((size_t)n_rows * (size_t)cols) };
    random_fill(r, t->x, (size_t)n_rows * (size_t)cols, 1);
    for (int i = 0; i < N; i++) {
        float *w = floats((size_t)rows * (size_t)cols), *b = floats((size_t)rows);
        random_fill(r, w, (size_t)rows * (size_t)cols, 1);
        random_fill(r, b, (size_t)rows, 1);
        t->w[i] = (trine_weight) { .data = w, .type = TRINE_F32, .rows = rows, .cols = cols, .bias = b };
        if (!bias) {
            free(b);
            t->w[i].bias = NULL;
        }
        t->y[i] = floats((size_t)n_rows * (size_t)rows);
    }
}

static void pack(products *t)
{
    for (int i = 0; i < N; i++) {
        t->packed[i] = (trine_packed) { .data = t->w[i].data, .rows = t->w[i].rows, .cols = t->w[i].cols };
        if (i) t->packed[i].next = &t->packed[i - 1];
        t->w[i].packed = &t->packed[i];
    }
    t->packing = (trine_packing) { .first = &t->packed[N - 1] };
}

static void drop(products *t)
{
    trine_packing_free(&t->packing);
    for (int i = 0; i < N; i++) {
        free((void *)t->w[i].data);
        free((void *)t->w[i].bias);
        free(t->y[i]);
    }
    free(t->x);
}

static void body(trine_pass *p, void *user)
{
    products *t = user;
    const trine_weight *w[N] = { &t->w[0], &t->w[1], &t->w[2] };
    trine_mat x = trine_mat_new(p, t->n_rows, t->cols), y[N];
    if (trine_pass_computes(p)) memcpy(x.data, t->x, (size_t)t->n_rows * (size_t)t->cols * sizeof(float));
    trine_linears(p, y, x, w, N);
    for (int i = 0; i < N; i++)
        if (trine_pass_computes(p)) memcpy(t->y[i], y[i].data, (size_t)y[i].rows * (size_t)y[i].cols * sizeof(float));
}

static void compute(products *t, trine_cpu level, int n_threads)
{
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, t->n_rows);
    run_pass(&batch, level, n_threads, NULL, body, t);
}

/* A pass over the model as a session has it before each. */
static void begin(products *t, trine_cpu level, int n_threads)
{
    trine_kernels kernels;
    trine_team *team;
    trine_error err;
    trine_kernels_init(&kernels, level);
    assert_int_equal(trine_team_open(&team, n_threads, &err), TRINE_OK);
    trine_packing_pass(&t->packing, &kernels, team, t->n_rows);
    trine_team_close(team);
}

/* Bytes that a pass takes. */
static size_t arena_of(products *t, trine_cpu level)
{
    trine_arena counter;
    trine_kernels kernels;
    trine_error err;
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, t->n_rows);
    trine_kernels_init(&kernels, level);
    trine_arena_measure(&counter);
    trine_pass p = { .arena = &counter, .kernels = &kernels, .n_threads = 2, .batch = &batch };
    body(&p, t);
    assert_int_equal(trine_pass_status(&p, &err), TRINE_OK);
    const size_t peak = counter.peak;
    trine_arena_close(&counter);
    return peak;
}

static int n_kept(const products *t)
{
    int n = 0;
    for (int i = 0; i < N; i++) n += trine_packed_panels(&t->packed[i]) != NULL;
    return n;
}

static void check(products *t, random_state *r, trine_cpu level)
{
    float *as_it_lies[N];
    const size_t bytes = (size_t)t->n_rows * (size_t)t->w[0].rows * sizeof(float);
    compute(t, level, 1);
    for (int i = 0; i < N; i++) {
        as_it_lies[i] = t->y[i];
        t->y[i] = floats(bytes / sizeof(float));
    }
    pack(t);
    begin(t, level, 2);
    assert_int_equal(n_kept(t), 0);
    const size_t before = arena_of(t, level);
    begin(t, level, random_int(r, 1, 4));
    assert_int_equal(n_kept(t), N);
    assert_int_equal(arena_of(t, level), before); /* a session that was sized before has room */
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        for (int i = 0; i < N; i++) memset(t->y[i], 0, bytes);
        compute(t, level, n_threads);
        for (int i = 0; i < N; i++) assert_memory_equal(as_it_lies[i], t->y[i], bytes);
    }
    /* They are what is multiplied by: without W itself the sums are there. */
    for (int i = 0; i < N; i++) memset((void *)t->w[i].data, 0, (size_t)t->w[i].rows * (size_t)t->cols * sizeof(float));
    compute(t, level, 2);
    for (int i = 0; i < N; i++) assert_memory_equal(as_it_lies[i], t->y[i], bytes);
    for (int i = 0; i < N; i++) free(as_it_lies[i]);
}

/* From the first number of rows that is not few on, over the edges of panels, slices, strips and pieces. */
static void sums_are_the_same(void **state)
{
    (void)state;
    random_state r = random_open("sums are the same");
    static const int shapes[][3] = { { 0, 24, 192 },  { 1, 25, 193 },    { 3, 7, 5 },        { 40, 96, 384 }, { 128, 100, 200 },
                                     { 77, 49, 577 }, { 260, 300, 400 }, { 130, 1024, 200 }, { 600, 30, 210 } };
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels kernels;
        trine_kernels_init(&kernels, (trine_cpu)level);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            products t;
            const int n_rows = kernels.dot_rows + 1 + shapes[i][0];
            assert_true(n_rows <= MOST_ROWS);
            make(&t, &r, n_rows, shapes[i][1], shapes[i][2], i % 2);
            check(&t, &r, (trine_cpu)level);
            drop(&t);
        }
    }
}

/* A pass measured with the most rows has room for every other. */
static void fewer_rows_need_no_more(void **state)
{
    (void)state;
    random_state r = random_open("fewer rows need no more");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        products t;
        make(&t, &r, 1, 256, 256, true);
        pack(&t);
        for (size_t before = 0, now; t.n_rows < 300; t.n_rows++, before = now) {
            now = arena_of(&t, (trine_cpu)level);
            if (now < before) fail_msg("level %d: %d rows take %zu bytes, and one less %zu", level, t.n_rows, now, before);
        }
        drop(&t);
    }
}

/* A few rows stream W as it lies, and never lay it out. */
static void few_rows_keep_nothing(void **state)
{
    (void)state;
    random_state r = random_open("few rows keep nothing");
    products t;
    make(&t, &r, 8, 40, 60, true);
    pack(&t);
    for (int i = 0; i < 5; i++) begin(&t, TRINE_CPU_SCALAR, 1);
    assert_int_equal(n_kept(&t), 0);
    drop(&t);
}

/* No memory for the second of three: it and the third stay as they lie, products of all three are made alike, and nothing is tried again. */
static void memory_that_is_not_there(void **state)
{
    (void)state;
    random_state r = random_open("memory that is not there");
    products t;
    trine_kernels kernels;
    trine_kernels_init(&kernels, TRINE_CPU_SCALAR);
    make(&t, &r, 60, 40, 60, true);
    pack(&t);
    trine_packing_pass(&t.packing, &kernels, NULL, t.n_rows);
    alloc_fail_at(2);
    trine_packing_pass(&t.packing, &kernels, NULL, t.n_rows);
    alloc_fail_at(0);
    assert_int_equal(n_kept(&t), 1);
    compute(&t, TRINE_CPU_SCALAR, 2);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 40; j++) {
            double sum = (double)t.w[i].bias[j];
            for (int k = 0; k < 60; k++) sum += (double)t.x[60 + k] * (double)((const float *)t.w[i].data)[j * 60 + k];
            assert_true(fabs(sum - (double)t.y[i][40 + j]) < 1e-4);
        }
    for (int i = 0; i < 3; i++) begin(&t, TRINE_CPU_SCALAR, 1);
    assert_int_equal(n_kept(&t), 1);
    drop(&t);
}

/* One of several sessions: its passes, until all weights are kept and some more. */
typedef struct session {
    products *t;
    const float *expected; /* of the first product */
    bool same;
} session;

static void first_alone(trine_pass *p, void *user)
{
    session *s = user;
    products *t = s->t;
    const trine_weight *w[N] = { &t->w[0], &t->w[1], &t->w[2] };
    trine_mat y[N];
    trine_linears(p, y, (trine_mat) { .data = t->x, .rows = t->n_rows, .cols = t->cols }, w, N);
    if (trine_pass_computes(p)) s->same &= !memcmp(s->expected, y[0].data, (size_t)y[0].rows * (size_t)y[0].cols * sizeof(float));
}

static void *passes(void *user)
{
    session *s = user;
    trine_kernels kernels;
    trine_arena arena;
    trine_error err;
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, s->t->n_rows);
    trine_kernels_init(&kernels, TRINE_CPU_SCALAR);
    s->same = !trine_arena_open(&arena, (size_t)4 << 20, &err);
    for (int i = 0; s->same && i < 40; i++) {
        trine_packing_pass(&s->t->packing, &kernels, NULL, s->t->n_rows);
        trine_arena_reset(&arena);
        trine_pass p = { .arena = &arena, .kernels = &kernels, .n_threads = 1, .batch = &batch };
        first_alone(&p, s);
        s->same &= !trine_pass_status(&p, &err);
    }
    trine_arena_close(&arena);
    return NULL;
}

static void sessions_share_them(void **state)
{
    (void)state;
    random_state r = random_open("sessions share them");
    products t;
    make(&t, &r, 40, 50, 60, false);
    compute(&t, TRINE_CPU_SCALAR, 1);
    pack(&t);
    session sessions[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        sessions[i] = (session) { .t = &t, .expected = t.y[0] };
        assert_int_equal(pthread_create(&threads[i], NULL, passes, &sessions[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) assert_true(sessions[i].same);
    assert_int_equal(n_kept(&t), N);
    drop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_the_same),     cmocka_unit_test(fewer_rows_need_no_more),
        cmocka_unit_test(few_rows_keep_nothing), cmocka_unit_test(memory_that_is_not_there),
        cmocka_unit_test(sessions_share_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
