/* test_trace.c - the file that trine_trace writes has the names, shapes and numbers of transformers' output_hidden_states and
 * output_attentions, for every checkpoint of tests/fixtures/models; and is whole or not there. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/alloc.h"
#include "support/open_fixture.h"
#include "support/temp.h"
#include "trine/measuring.h"

/* As in test_parity.c: both sides compute in f32, in another order. */
static const double tolerance = 2e-4;

static const trine_tensor *find(const trine_checkpoint *c, int i, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "%d/%s", i, what);
    return trine_checkpoint_find(c, name);
}

static void compare(const char *where, const trine_tensor *got, const trine_tensor *want)
{
    size_t n = 1;
    double largest = 0, worst = 0;
    assert_int_equal(got->type, TRINE_F32);
    if (got->n_dims != want->n_dims) fail_msg("%s: %s has %d dimensions, expected %d", where, got->name, got->n_dims, want->n_dims);
    for (int d = 0; d < got->n_dims; d++) {
        if (got->shape[d] != want->shape[d]) fail_msg("%s: %s, dimension %d is %d", where, got->name, d, (int)got->shape[d]);
        n *= (size_t)got->shape[d];
    }
    for (size_t k = 0; k < n; k++) {
        const double a = (double)((const float *)got->data)[k], b = (double)((const float *)want->data)[k];
        largest = fmax(largest, fabs(b));
        worst = fabs(a - b) <= worst ? worst : isnan(a) ? INFINITY : fabs(a - b);
    }
    if (!(worst <= tolerance * largest)) fail_msg("%s: %s differs by %g, the largest is %g", where, got->name, worst, largest);
}

/* Traces case i and compares what was written; returns false when there is no case i. */
static bool one_case(trine_model *m, const trine_checkpoint *expected, int i, const char *where)
{
    const trine_tensor *tokens = find(expected, i, "tokens"), *types = find(expected, i, "types"),
                       *decoder = find(expected, i, "decoder");
    if (!tokens) return false;
    const int n = (int)tokens->shape[0];
    const bool pair = m->info.paradigm == TRINE_ENCODER_DECODER, inside = n <= 12;
    trine_session *s = open_session(m, (trine_session_options) { .batch_tokens = 320, .logit_rows = 320 });
    const trine_trace_options o = { .ids = tokens->data,
                                    .n_ids = n,
                                    .types = types ? types->data : NULL,
                                    .decoder_ids = pair ? decoder->data : NULL,
                                    .n_decoder_ids = pair ? (int)decoder->shape[0] : 0,
                                    .hidden = inside,
                                    .attention = inside,
                                    .lens = inside };
    trine_error err;
    int n_tensors = 0, n_compared = 0, n_wanted = 0;
    const char *path = temp_path("trace.safetensors");
    check_ok(trine_trace(&n_tensors, s, path, &o, &err), &err);
    trine_checkpoint *got;
    check_ok(trine_checkpoint_open(&got, path, &err), &err);
    assert_int_equal(trine_checkpoint_n_tensors(got), n_tensors);
    char start[16];
    snprintf(start, sizeof start, "%d/", i);
    for (int k = 0; k < trine_checkpoint_n_tensors(expected); k++) {
        const trine_tensor *want = trine_checkpoint_tensor(expected, k);
        if (strncmp(want->name, start, strlen(start))) continue;
        const char *name = want->name + strlen(start);
        if (!strcmp(name, "tokens") || !strcmp(name, "types") || !strcmp(name, "decoder") || !strcmp(name, "rows")) continue;
        n_wanted++;
        const trine_tensor *t = trine_checkpoint_find(got, name);
        if (!t) fail_msg("%s: there is no '%s'", where, name);
        if (find(expected, i, "rows")) { /* some rows of a long text */
            const trine_tensor *rows = find(expected, i, "rows");
            assert_int_equal(t->shape[0], pair ? decoder->shape[0] : n);
            for (int r = 0; r < rows->shape[0]; r++) {
                trine_tensor a = *t, b = *want;
                a.shape[0] = b.shape[0] = 1;
                a.data = (const float *)t->data + ((const int32_t *)rows->data)[r] * t->shape[1];
                b.data = (const float *)want->data + r * want->shape[1];
                compare(where, &a, &b);
            }
        } else {
            compare(where, t, want);
        }
        n_compared++;
    }
    assert_true(n_compared == n_wanted && n_wanted > 0);
    const int n_layers = pair ? m->info.n_decoder_layers : m->info.n_layers;
    if (inside) {
        char name[32];
        snprintf(name, sizeof name, "hidden.%d", n_layers);
        assert_non_null(trine_checkpoint_find(got, name));
        snprintf(name, sizeof name, "attention.%d", n_layers - 1);
        assert_non_null(trine_checkpoint_find(got, name));
        assert_int_equal(trine_checkpoint_find(got, "encoder.hidden.0") != NULL, pair);
        assert_int_equal(trine_checkpoint_find(got, "cross.0") != NULL, pair);
    } else {
        assert_int_equal(n_tensors, 1);
    }
    trine_checkpoint_close(got);
    assert_int_equal(s->n_open, 0);
    assert_null(s->tracer);
    trine_session_close(s);
    return true;
}

static void test_every_model(void **unused)
{
    (void)unused;
    temp_make();
    temp_write("config.json", "{}", 2);
    DIR *dir = opendir(TRINE_FIXTURES "/models");
    assert_non_null(dir);
    int n_models = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        char path[800], where[320];
        trine_error err;
        trine_checkpoint *expected;
        snprintf(path, sizeof path, "%s/models/%s/expected.safetensors", TRINE_FIXTURES, e->d_name);
        check_ok(trine_checkpoint_open(&expected, path, &err), &err);
        snprintf(path, sizeof path, "%s/models/%s/model.gguf", TRINE_FIXTURES, e->d_name);
        if (trine_file_exists(path)) { /* the same models in the other container: their vocabularies are another test's subject */
            trine_checkpoint_close(expected);
            continue;
        }
        snprintf(path, sizeof path, "models/%s", e->d_name);
        trine_model *m = open_model(path);
        for (int i = 0;; i++) {
            snprintf(where, sizeof where, "%s, case %d", e->d_name, i);
            if (!one_case(m, expected, i, where)) break;
        }
        n_models++;
        trine_model_close(m);
        trine_checkpoint_close(expected);
    }
    closedir(dir);
    assert_true(n_models > 20);
    temp_remove();
}

static void test_refusals(void **unused)
{
    (void)unused;
    temp_make();
    trine_model *m = open_model("generate/t5");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 16, .batch_tokens = 8, .logit_rows = 4 });
    int32_t ids[17];
    make_ids(ids, 17, m, 1);
    const struct {
        trine_trace_options o;
        trine_status status;
        const char *says;
    } bad[] = {
        { { .ids = ids, .n_ids = 17 }, TRINE_ERROR_TOO_LONG, "16" },
        { { .ids = ids, .n_ids = 3, .decoder_ids = ids, .n_decoder_ids = 5 }, TRINE_ERROR_TOO_LONG, "logit_rows" },
        { { .ids = ids, .n_ids = 3, .decoder_ids = ids, .n_decoder_ids = -1 }, TRINE_ERROR_ARGUMENT, "n_decoder_ids" },
        { { .ids = (const int32_t[]) { 99 }, .n_ids = 1 }, TRINE_ERROR_ARGUMENT, "99" },
        { { .ids = ids }, TRINE_ERROR_EMPTY, "no ids" },
        { { .text = "" }, TRINE_ERROR_EMPTY, "empty" },
        { { .text = "a" }, TRINE_ERROR_NOT_FOUND, "tokenizer" },
    };
    const char *path = temp_path("trace.safetensors");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trine_error err;
        int n = 7;
        assert_int_equal(trine_trace(&n, s, path, &bad[i].o, &err), bad[i].status);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_int_equal(n, 0);
        assert_false(trine_file_exists(path));
        assert_int_equal(s->n_open, 0);
    }
    trine_error err;
    const trine_trace_options good = { .ids = ids, .n_ids = 3 };
    assert_int_not_equal(trine_trace(NULL, s, "/nowhere/at/all/t.safetensors", &good, &err), TRINE_OK);
    assert_int_equal(trine_trace(NULL, s, NULL, &good, &err), TRINE_ERROR_ARGUMENT);
    check_ok(trine_trace(NULL, s, path, &good, &err), &err); /* and again over the old one */
    check_ok(trine_trace(NULL, s, path, &good, &err), &err);
    trine_session_close(s);
    trine_model_close(m);
    temp_remove();
}

/* Wherever memory runs out: the right code, no file, no leak, and a session that still works. */
static void test_allocation_failures(void **unused)
{
    (void)unused;
    temp_make();
    trine_model *m = open_model("generate/t5");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 16 });
    int32_t ids[9];
    make_ids(ids, 9, m, 1);
    const trine_trace_options o = { .ids = ids, .n_ids = 9, .hidden = true, .attention = true, .lens = true };
    const char *path = temp_path("trace.safetensors");
    long k = 1;
    for (;; k++) {
        trine_error err;
        alloc_fail_at(k);
        const trine_status status = trine_trace(NULL, s, path, &o, &err);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_false(trine_file_exists(path));
        assert_int_equal(s->n_open, 0);
        assert_true(k < 2000);
    }
    assert_true(k > 20);
    assert_true(trine_file_exists(path));
    trine_session_close(s);
    trine_model_close(m);
    temp_remove();
}

/* What is kept is what is written, tensor by tensor; wherever memory runs out, nothing is. */
static void test_kept_in_memory(void **unused)
{
    (void)unused;
    temp_make();
    temp_write("config.json", "{}", 2);
    trine_model *m = open_model("generate/t5");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 16 });
    int32_t ids[9];
    make_ids(ids, 9, m, 1);
    const trine_trace_options o = { .ids = ids, .n_ids = 9, .hidden = true, .attention = true };
    const char *path = temp_path("trace.safetensors");
    trine_trace_result kept;
    trine_checkpoint *file;
    trine_error err;
    int n;
    check_ok(trine_trace(&n, s, path, &o, &err), &err);
    check_ok(trine_checkpoint_open(&file, path, &err), &err);
    check_ok(trine_trace_keep(&kept, s, &o, &err), &err);
    assert_int_equal(kept.n, n);
    for (int i = 0; i < n; i++) {
        const trine_traced *a = &kept.items[i];
        const trine_tensor *b = trine_checkpoint_find(file, a->name);
        assert_non_null(b);
        assert_int_equal(a->n_dims, b->n_dims);
        for (int d = 0; d < a->n_dims; d++) assert_int_equal(a->shape[d], b->shape[d]);
        assert_memory_equal(a->data, b->data, b->bytes);
    }
    trine_trace_result_clear(&kept);
    assert_int_equal(trine_trace_keep(&kept, s, &(trine_trace_options) { .ids = ids }, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(kept.n, 0);
    assert_int_equal(trine_trace_keep(NULL, s, &o, &err), TRINE_ERROR_ARGUMENT);
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_trace_keep(&kept, s, &o, &err);
        alloc_fail_at(0);
        assert_int_equal(kept.n, status ? 0 : n);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    trine_trace_result_clear(&kept);
    trine_checkpoint_close(file);
    trine_session_close(s);
    trine_model_close(m);
    temp_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_model),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_kept_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
