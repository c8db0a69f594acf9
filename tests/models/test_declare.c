/* test_declare.c - what a configuration alone says a model holds: the names and shapes that transformers writes for its class
 * (tests/fixtures/train/declared.json, by tools/make_train_fixtures.py), and the totals of published models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoint/blank_checkpoint.h"
#include "checkpoint/json_file.h"
#include "models/model.h"
#include "support/alloc.h"

static json_t *fixture;

static int set_up(void **state)
{
    trine_error err;
    (void)state;
    if (trine_json_file_read(&fixture, TRINE_FIXTURES "/train/declared.json", &err)) fail_msg("%s", err.text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(fixture);
    return 0;
}

static trine_checkpoint *declare(trine_model_info *info, const json_t *config)
{
    trine_checkpoint *c;
    trine_error err;
    if (trine_checkpoint_blank(&c, config, NULL, &err)) fail_msg("%s", err.text);
    if (trine_family_declare(info, c, &err)) fail_msg("%s", err.text);
    return c;
}

static void tensors_are_those_that_transformers_writes(void **state)
{
    (void)state;
    const json_t *cases = json_object_get(fixture, "written");
    assert_true(json_array_size(cases) > 50);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *tensors = json_object_get(one, "tensors");
        const char *class = json_string_value(json_object_get(one, "class"));
        trine_model_info info;
        trine_checkpoint *c = declare(&info, json_object_get(one, "config"));
        int64_t n_parameters = 0;
        for (int t = 0; t < trine_checkpoint_n_tensors(c); t++) {
            const trine_tensor *have = trine_checkpoint_tensor(c, t);
            const json_t *shape = json_object_get(tensors, have->name);
            if (!shape) fail_msg("%s: '%s' is declared and not written", class, have->name);
            assert_null(have->data);
            assert_int_equal(have->n_dims, json_array_size(shape));
            for (int d = 0; d < have->n_dims; d++)
                if (have->shape[d] != json_integer_value(json_array_get(shape, (size_t)d)))
                    fail_msg("%s: '%s' has another size of dimension %d", class, have->name, d);
            n_parameters += have->shape[0] * have->shape[1];
        }
        const char *name;
        json_t *shape;
        json_object_foreach((json_t *)(uintptr_t)tensors, name, shape)
        {
            if (!trine_checkpoint_find(c, name)) fail_msg("%s: '%s' is written and not declared", class, name);
        }
        assert_int_equal(info.n_parameters, n_parameters);
        trine_checkpoint_close(c);
    }
}

static void published_totals_come_out(void **state)
{
    (void)state;
    const json_t *cases = json_object_get(fixture, "published");
    assert_true(json_array_size(cases) > 10);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        trine_model_info info;
        trine_checkpoint *c = declare(&info, json_object_get(one, "config"));
        const int64_t expected = json_integer_value(json_object_get(one, "parameters"));
        if (info.n_parameters != expected)
            fail_msg("%s: %lld parameters, expected %lld", json_string_value(json_object_get(one, "name")),
                     (long long)info.n_parameters, (long long)expected);
        assert_int_equal(info.weights_bytes, expected * 4);
        trine_checkpoint_close(c);
    }
}

static void expect_refused(const char *text, const char *says)
{
    json_t *config = json_loads(text, 0, NULL);
    trine_checkpoint *c;
    trine_model_info info;
    trine_error err = { 0 };
    assert_non_null(config);
    assert_int_equal(trine_checkpoint_blank(&c, config, NULL, &err), TRINE_OK);
    assert_int_not_equal(trine_family_declare(&info, c, &err), TRINE_OK);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
    trine_checkpoint_close(c);
    json_decref(config);
}

static void configurations_that_make_no_model_are_refused(void **state)
{
    (void)state;
    expect_refused("{}", "model_type");
    expect_refused("{\"model_type\": \"bert\"}", "hidden_size");
    expect_refused("{\"model_type\": \"llama\", \"hidden_size\": 8}", "num_hidden_layers");
    expect_refused("{\"model_type\": \"bert\", \"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 1000000000}",
                   "num_hidden_layers");
    expect_refused("{\"model_type\": \"bert\", \"hidden_size\": 7, \"num_attention_heads\": 2}", "do not divide");
    trine_checkpoint *c = (trine_checkpoint *)1;
    assert_int_equal(trine_checkpoint_blank(&c, NULL, NULL, NULL), TRINE_ERROR_FORMAT);
    assert_null(c);
}

static void a_name_has_one_shape(void **state)
{
    (void)state;
    trine_checkpoint *c;
    trine_error err;
    json_t *config = json_object();
    assert_int_equal(trine_checkpoint_blank(&c, config, "some/where", &err), TRINE_OK);
    assert_string_equal(trine_checkpoint_directory(c), "some/where");
    const trine_declaration a = { .n_dims = 2, .shape = { 2, 3 }, .turned = true }, b = { .n_dims = 2, .shape = { 3, 2 } };
    const trine_declaration huge = { .n_dims = 2, .shape = { INT64_MAX, 4 } };
    assert_non_null(trine_blank_declare(c, "a", &a, &err));
    assert_non_null(trine_blank_declare(c, "a", &a, &err));
    assert_int_equal(trine_checkpoint_n_tensors(c), 1);
    assert_true(trine_blank_declaration(c, 0).turned);
    assert_null(trine_blank_declare(c, "a", &b, &err));
    assert_null(trine_blank_declare(c, "b", &huge, &err));
    assert_int_equal(err.code, TRINE_ERROR_FORMAT);
    trine_checkpoint_close(c);
    json_decref(config);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    const json_t *one = json_array_get(json_object_get(fixture, "written"), 1);
    for (long k = 1;; k++) {
        trine_checkpoint *c;
        trine_model_info info;
        trine_error err;
        alloc_fail_at(k);
        trine_status status = trine_checkpoint_blank(&c, json_object_get(one, "config"), NULL, &err);
        if (!status) status = trine_family_declare(&info, c, &err);
        alloc_fail_at(0);
        trine_checkpoint_close(c);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_those_that_transformers_writes),
        cmocka_unit_test(published_totals_come_out),
        cmocka_unit_test(configurations_that_make_no_model_are_refused),
        cmocka_unit_test(a_name_has_one_shape),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
