/* test_plan_weights.c - a model planned in another type of weights is what convert and quantize write of it, to the byte: loaded, and in
 * what a session takes over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/temp.h"
#include <trine.h>

static trine_planner *open_planner(const char *model, const char *weights)
{
    trine_planner *p;
    trine_error err;
    if (trine_planner_open(&p, model, &(trine_planner_options) { .weights = weights }, &err)) fail_msg("%s: %s", model, err.text);
    return p;
}

/* `planned` in a type, `written` in it. */
static void check_same(const char *what, trine_planner *planned, const char *written)
{
    trine_planner *there = open_planner(written, NULL);
    trine_model *m;
    trine_error err;
    trine_session_bytes a, b;
    const trine_session_options o = { .n_threads = 2 };
    if (trine_model_open(&m, written, NULL, &err)) fail_msg("%s: %s", what, err.text);
    const trine_model_info *said = trine_planner_info(planned), *real = trine_model_get_info(m);
    if (said->weights_bytes != real->weights_bytes || said->copied_bytes != real->copied_bytes ||
        said->n_parameters != real->n_parameters)
        fail_msg("%s: planned %zu bytes (%zu copied) of %lld parameters, there are %zu (%zu) of %lld", what, said->weights_bytes,
                 said->copied_bytes, (long long)said->n_parameters, real->weights_bytes, real->copied_bytes,
                 (long long)real->n_parameters);
    if (trine_planner_session(&a, planned, &o, &err) || trine_planner_session(&b, there, &o, &err))
        fail_msg("%s: %s", what, err.text);
    if (a.total_bytes != b.total_bytes || a.arena_bytes != b.arena_bytes)
        fail_msg("%s: a session of %zu bytes was planned, %zu it is", what, a.total_bytes, b.total_bytes);
    trine_model_close(m);
    trine_planner_close(there);
}

static const char *const models[] = { "bert-plain",
                                      "bert-mlm",
                                      "bert-mlm-own-decoder",
                                      "roberta-mlm",
                                      "distilbert-mlm",
                                      "gpt2",
                                      "llama3",
                                      "mistral",
                                      "qwen2",
                                      "qwen3",
                                      "t5-v1.0",
                                      "t5-v1.1",
                                      "gguf-llama/model.gguf" };
enum { N_MODELS = sizeof models / sizeof *models };

static void quantised_types_are_those_of_quantize(void **state)
{
    static const char *const types[] = { "q8_0", "q4_0", "q4_k_m" };
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            char path[512], what[128];
            trine_error err;
            snprintf(path, sizeof path, TRINE_FIXTURES "/models/%s", models[i]);
            snprintf(what, sizeof what, "%s in %s", models[i], types[k]);
            const char *out = temp_path("q.gguf");
            if (trine_quantize(NULL, out, path, &(trine_quantize_options) { .type = types[k], .overwrite = true, .n_threads = 1 },
                               &err))
                fail_msg("%s: %s", what, err.text);
            trine_planner *p = open_planner(path, types[k]);
            check_same(what, p, out);
            trine_planner_close(p);
        }
    }
}

static void plain_types_are_those_of_convert(void **state)
{
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16 };
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            char path[512], what[128];
            trine_error err;
            trine_convert_result result;
            snprintf(path, sizeof path, TRINE_FIXTURES "/models/%s", models[i]);
            snprintf(what, sizeof what, "%s in %s", models[i], trine_dtype_name(types[k]));
            const trine_convert_options options = { .container = "safetensors", .type = types[k], .overwrite = true };
            if (trine_convert(&result, temp_path("directory"), path, &options, &err)) fail_msg("%s: %s", what, err.text);
            trine_planner *p = open_planner(path, trine_dtype_name(types[k]));
            check_same(what, p, temp_path("directory"));
            trine_planner_close(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quantised_types_are_those_of_quantize, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(plain_types_are_those_of_convert, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
