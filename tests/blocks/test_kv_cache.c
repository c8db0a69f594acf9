/* The paged cache: what is written is read, forks are isolated, pages come back, nothing allocates after open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/kv_cache.h"
#include "support/alloc.h"
#include "support/random.h"

enum { CTX = 200, HEADS = 2, LAYERS = 2, D = 32, WIDTH = HEADS * D };

static const trine_kv_shape SHAPE = { LAYERS, HEADS, D, TRINE_F32 };

/* Element i of what token number `token` of text `text` puts into a layer. */
static float element(int text, int token, int layer, int i)
{
    return (float)(text * 1000000 + token * 1000 + layer * 100) + (float)i * 0.25f;
}

static void append(trine_kv *kv, int text, int n)
{
    static float k[CTX * WIDTH], v[CTX * WIDTH], scratch[TRINE_KV_PAGE * D];
    trine_kernels kernels;
    trine_error err = { 0 };
    const int pos = trine_kv_length(kv);
    trine_kernels_init(&kernels, TRINE_CPU_SCALAR);
    if (trine_kv_reserve(kv, n, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_kv_length(kv), pos);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int t = 0; t < n; t++)
            for (int i = 0; i < WIDTH; i++) {
                k[t * WIDTH + i] = element(text, pos + t, layer, i);
                v[t * WIDTH + i] = -k[t * WIDTH + i];
            }
        for (int h = 0; h < HEADS; h++) trine_kv_write(kv, &kernels, layer, h, pos, n, k + h * D, v + h * D, WIDTH, scratch);
    }
    trine_kv_commit(kv, n);
}

/* Tokens [first, end) are those of `text`. */
static void expect(const trine_kv *kv, int text, int first, int end)
{
    assert_true(trine_kv_length(kv) >= end);
    for (int t = first; t < end; t++)
        for (int layer = 0; layer < LAYERS; layer++)
            for (int h = 0; h < HEADS; h++) {
                const trine_kv_tile tile = trine_kv_get_tile(kv, layer, h, t / TRINE_KV_PAGE);
                const float *k = tile.keys, *v = tile.values;
                for (int i = 0; i < D; i++) {
                    const float expected = element(text, t, layer, h * D + i);
                    assert_true(k[i * TRINE_KV_PAGE + t % TRINE_KV_PAGE] == expected);
                    assert_true(v[t % TRINE_KV_PAGE * D + i] == -expected);
                }
            }
}

static trine_kv_pool *open_pool(int n_sequences)
{
    trine_kv_pool *pool;
    trine_error err;
    if (trine_kv_pool_open(&pool, &SHAPE, CTX, n_sequences, &err)) fail_msg("%s", err.text);
    return pool;
}

static void written_is_read(void **state)
{
    (void)state;
    trine_kv_pool *pool = open_pool(1);
    trine_kv *kv;
    assert_int_equal(trine_kv_open(&kv, pool, NULL), TRINE_OK);
    append(kv, 1, 1);
    append(kv, 1, 62);
    append(kv, 1, 1);
    append(kv, 1, 3);
    append(kv, 1, 133);
    assert_int_equal(trine_kv_length(kv), CTX);
    expect(kv, 1, 0, CTX);
    trine_error err;
    assert_int_equal(trine_kv_reserve(kv, 1, &err), TRINE_ERROR_TOO_LONG);
    assert_int_equal(trine_kv_reserve(kv, 0, &err), TRINE_OK);
    trine_kv_close(kv);
    trine_kv_pool_close(pool);
    trine_kv_close(NULL);
    trine_kv_pool_close(NULL);
}

static void forks_are_isolated(void **state)
{
    (void)state;
    trine_kv_pool *pool = open_pool(3);
    trine_kv *a, *b, *c, *none;
    trine_error err;
    assert_int_equal(trine_kv_open(&a, pool, NULL), TRINE_OK);
    append(a, 1, 100);
    assert_int_equal(trine_kv_fork(&b, a, NULL), TRINE_OK);
    assert_int_equal(trine_kv_fork(&c, a, NULL), TRINE_OK);
    assert_int_equal(trine_kv_open(&none, pool, &err), TRINE_ERROR_MEMORY);
    assert_null(none);
    /* The common page 0 is one; the common page 1 is copied by whoever writes. */
    assert_ptr_equal(trine_kv_get_tile(a, 0, 0, 0).keys, trine_kv_get_tile(b, 0, 0, 0).keys);
    append(b, 2, 100);
    append(a, 3, 50);
    append(c, 4, 100);
    assert_ptr_equal(trine_kv_get_tile(a, 0, 0, 0).keys, trine_kv_get_tile(b, 0, 0, 0).keys);
    assert_ptr_not_equal(trine_kv_get_tile(a, 0, 0, 1).keys, trine_kv_get_tile(b, 0, 0, 1).keys);
    expect(a, 1, 0, 100);
    expect(b, 1, 0, 100);
    expect(c, 1, 0, 100);
    expect(a, 3, 100, 150);
    expect(b, 2, 100, 200);
    expect(c, 4, 100, 200);
    trine_kv_close(b);
    expect(a, 3, 100, 150);
    trine_kv_assign(c, a); /* a beam dies, another splits */
    append(c, 5, 50);
    append(a, 6, 50);
    expect(c, 3, 100, 150);
    expect(c, 5, 150, 200);
    expect(a, 6, 150, 200);
    trine_kv_assign(c, c);
    expect(c, 5, 150, 200);
    trine_kv_pool_close(pool);
}

static void truncated_and_written_again(void **state)
{
    (void)state;
    trine_kv_pool *pool = open_pool(2);
    trine_kv *a, *b;
    assert_int_equal(trine_kv_open(&a, pool, NULL), TRINE_OK);
    append(a, 1, 150);
    assert_int_equal(trine_kv_fork(&b, a, NULL), TRINE_OK);
    trine_kv_truncate(b, 70);
    assert_int_equal(trine_kv_length(b), 70);
    append(b, 2, 30);
    expect(a, 1, 0, 150);
    expect(b, 1, 0, 70);
    expect(b, 2, 70, 100);
    trine_kv_truncate(b, 128); /* longer than it is: nothing */
    assert_int_equal(trine_kv_length(b), 100);
    trine_kv_truncate(a, 64); /* a page's edge */
    append(a, 3, 136);
    expect(a, 1, 0, 64);
    expect(a, 3, 64, 200);
    expect(b, 2, 70, 100);
    trine_kv_truncate(a, 0);
    append(a, 4, 200);
    expect(a, 4, 0, 200);
    expect(b, 1, 0, 70);
    trine_kv_pool_close(pool);
}

/* A pass that reserved and failed leaves what was there; reserving again is fine. */
static void reserved_without_commit(void **state)
{
    (void)state;
    trine_kv_pool *pool = open_pool(2);
    trine_kv *a, *b;
    assert_int_equal(trine_kv_open(&a, pool, NULL), TRINE_OK);
    append(a, 1, 60);
    for (int i = 0; i < 100; i++) assert_int_equal(trine_kv_reserve(a, 130, NULL), TRINE_OK);
    assert_true(trine_kv_reserved(a) >= 190);
    assert_int_equal(trine_kv_length(a), 60);
    assert_int_equal(trine_kv_fork(&b, a, NULL), TRINE_OK);
    append(a, 1, 140);
    append(b, 2, 140);
    expect(a, 1, 0, 200);
    expect(b, 1, 0, 60);
    expect(b, 2, 60, 200);
    trine_kv_pool_close(pool);
}

/* Random life of five sequences against a model of what each must hold. */
static void random_life(void **state)
{
    (void)state;
    enum { N = 5 };
    random_state r = random_open("random life");
    trine_kv_pool *pool = open_pool(N);
    trine_kv *kv[N];
    static int text[N][CTX];
    int length[N] = { 0 };
    for (int i = 0; i < N; i++) assert_int_equal(trine_kv_open(&kv[i], pool, NULL), TRINE_OK);
    const long before = alloc_count();
    for (int step = 0; step < 400; step++) {
        const int i = random_int(&r, 0, N - 1), j = random_int(&r, 0, N - 1);
        switch (random_int(&r, 0, 4)) {
        case 0:
        case 1: {
            const int n = random_int(&r, 0, CTX - length[i]);
            if (n) append(kv[i], step, n);
            for (int t = 0; t < n; t++) text[i][length[i] + t] = step;
            length[i] += n;
            break;
        }
        case 2:
            trine_kv_assign(kv[i], kv[j]);
            memmove(text[i], text[j], sizeof text[i]);
            length[i] = length[j];
            break;
        case 3:
            length[i] = random_int(&r, 0, length[i]);
            trine_kv_truncate(kv[i], length[i]);
            break;
        default:
            if (i == j) break;
            trine_kv_close(kv[i]);
            assert_int_equal(trine_kv_fork(&kv[i], kv[j], NULL), TRINE_OK);
            memcpy(text[i], text[j], sizeof text[i]);
            length[i] = length[j];
        }
        const int who = random_int(&r, 0, N - 1);
        assert_int_equal(trine_kv_length(kv[who]), length[who]);
        for (int t = 0; t < length[who]; t++) expect(kv[who], text[who][t], t, t + 1);
    }
    assert_int_equal(alloc_count(), before); /* nothing allocates after open */
    trine_kv_pool_close(pool);
}

static void types_round_as_they_say(void **state)
{
    (void)state;
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
    random_state r = random_open("types");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int i = 0; i < 5; i++) {
            enum { N = 100 };
            static float k[N * D], v[N * D], scratch[TRINE_KV_PAGE * D];
            const trine_kv_shape shape = { 1, 1, D, types[i] };
            const trine_dtype_info *info = trine_dtype_get(types[i]);
            trine_kernels kernels;
            trine_kv_pool *pool;
            trine_kv *kv;
            trine_kernels_init(&kernels, (trine_cpu)level);
            assert_int_equal(trine_kv_pool_open(&pool, &shape, N, 1, NULL), TRINE_OK);
            assert_int_equal(trine_kv_open(&kv, pool, NULL), TRINE_OK);
            random_fill(&r, k, N * D, 1);
            random_fill(&r, v, N * D, 1);
            assert_int_equal(trine_kv_reserve(kv, N, NULL), TRINE_OK);
            trine_kv_write(kv, &kernels, 0, 0, 0, N, k, v, D, scratch);
            trine_kv_commit(kv, N);
            trine_kv_kernels kv_kernels[TRINE_DTYPE_COUNT];
            trine_kv_kernels_init(kv_kernels, TRINE_CPU_SCALAR);
            for (int t = 0; t < N; t++) {
                unsigned char packed[4 * D];
                float keys[D * TRINE_KV_PAGE], values[TRINE_KV_PAGE * D], expected[D];
                const trine_kv_tile tile = trine_kv_get_tile(kv, 0, 0, t / TRINE_KV_PAGE);
                const int slot = t % TRINE_KV_PAGE;
                kv_kernels[types[i]].unpack_keys(keys, tile.keys, D);
                kv_kernels[types[i]].unpack_values(values, tile.values, slot + 1, D);
                info->pack(packed, v + t * D, D);
                info->unpack(expected, packed, D);
                assert_memory_equal(values + slot * D, expected, sizeof expected);
                info->pack(packed, k + t * D, D);
                info->unpack(expected, packed, D);
                for (int e = 0; e < D; e++) assert_true(keys[e * TRINE_KV_PAGE + slot] == expected[e]);
            }
            trine_kv_pool_close(pool);
        }
}

static void bad_pools(void **state)
{
    (void)state;
    trine_kv_pool *pool;
    trine_error err;
    size_t bytes;
    const trine_kv_shape odd = { 1, 1, 48, TRINE_Q8_0 }, wrong = { 1, 1, 256, TRINE_Q4_K },
                         huge = { 1 << 30, 1 << 30, 1 << 30, TRINE_F32 };
    assert_int_equal(trine_kv_pool_open(&pool, &odd, 64, 1, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "f16"));
    assert_int_equal(trine_kv_pool_open(&pool, &wrong, 64, 1, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_kv_pool_open(&pool, &huge, 1 << 30, 1 << 30, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_kv_pool_open(&pool, &SHAPE, 0, 1, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_kv_pool_open(&pool, &SHAPE, 64, 0, &err), TRINE_ERROR_ARGUMENT);
    assert_null(pool);
    assert_false(trine_kv_pool_bytes(&bytes, &huge, 64, 1));
    assert_true(trine_kv_page_bytes(&bytes, &SHAPE));
    assert_int_equal(bytes, 2 * sizeof(float) * TRINE_KV_PAGE * WIDTH * LAYERS);
    size_t pool_bytes;
    assert_true(trine_kv_pool_bytes(&pool_bytes, &SHAPE, CTX, 3));
    assert_in_range(pool_bytes, 12 * bytes, 12 * bytes + 4096);
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_kv_pool_open(&pool, &SHAPE, CTX, 2, &err);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(pool);
    }
    trine_kv_pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_is_read), cmocka_unit_test(forks_are_isolated),      cmocka_unit_test(truncated_and_written_again),
        cmocka_unit_test(random_life),     cmocka_unit_test(reserved_without_commit), cmocka_unit_test(types_round_as_they_say),
        cmocka_unit_test(bad_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
