/* test_lora_params.c - adapters in place of the weights: what learns and what stays, that they begin as nothing, are saved in PEFT's
 * layout, opened beside the model, and merged; and PEFT's own (tests/fixtures/train/lora-*, by tools/make_train_fixtures.py). */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "checkpoint/json_file.h"
#include "support/alloc.h"
#include "support/open_fixture.h"
#include "support/open_params.h"
#include "support/random.h"
#include "support/temp.h"
#include "train/params_save.h"
#include "train/step.h"
#include "trine/converting.h"

static const char *fixture(const char *name)
{
    static char path[4][512];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", TRINE_FIXTURES, name);
    return out;
}

static void check_near(const trine_model *a, const trine_model *b, double bound)
{
    runner_output x = run_seven(a), y = run_seven(b);
    assert_int_equal(x.rows, y.rows);
    assert_int_equal(x.cols, y.cols);
    double most = 0;
    for (int i = 0; i < x.rows * x.cols; i++) {
        const double apart = fabs((double)x.data[i] - (double)y.data[i]) / (1 + fabs((double)x.data[i]));
        if (!(apart <= most)) most = apart;
    }
    if (!(most <= bound)) fail_msg("apart by %g, expected %g", most, bound);
    free(x.data);
    free(y.data);
}

static void open_beside(trine_model **out, const char *model, const char *adapter)
{
    trine_error err;
    const trine_model_options options = { .cpu = "scalar" };
    if (trine_model_open_adapted(out, model, adapter, &options, NULL, &err)) fail_msg("%s", err.text);
}

/* Every family: adapters begin as nothing, are something once B is, and are the same saved, opened beside and merged. */
static void adapters_are_saved_opened_and_merged(void **state)
{
    (void)state;
    static const char *const names[] = { "bert-mlm", "roberta-mlm", "distilbert-mlm", "gpt2",
                                         "llama3",   "qwen2",       "t5-v1.1",        "t5-v1.0" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64], adapter[300], merged[300];
        snprintf(name, sizeof name, "models/%s", names[i]);
        snprintf(adapter, sizeof adapter, "%s-%zu", temp_path("adapter"), i);
        snprintf(merged, sizeof merged, "%s-%zu", temp_path("merged"), i);
        const char *path = fixture(name);
        trine_model *base, *model, *beside, *whole;
        trine_error err;
        open_beside(&base, path, NULL);
        trine_params *p = open_params(&model, &(trine_params_options) { .checkpoint = path, .lora_rank = 3, .cpu = "scalar" });
        check_near(base, model, 1e-6);
        assert_int_equal(p->n_new, 0);
        assert_int_equal(p->n_unused, 0);
        random_state r = { i };
        for (int t = 0; t < p->n_tensors; t++) {
            const trine_param *b = &p->tensors[t];
            assert_non_null(strstr(b->name, ".lora_"));
            assert_int_equal(b->shape[t % 2], 3);
            random_fill(&r, p->values + b->offset, b->n, 0.3f);
        }
        runner_output before = run_seven(base), after = run_seven(model);
        assert_memory_not_equal(before.data, after.data, (size_t)before.cols * sizeof(float));
        free(before.data);
        free(after.data);
        if (trine_params_save(adapter, p, model, NULL, &err)) fail_msg("%s", err.text);
        open_beside(&beside, path, adapter);
        check_near(model, beside, 1e-6);
        trine_convert_result result;
        if (trine_merge_adapter(&result, merged, path, adapter, &(trine_convert_options) { .type = TRINE_F32 }, &err))
            fail_msg("%s", err.text);
        assert_true(result.n_tensors > 0 && result.bytes > 0);
        open_beside(&whole, merged, NULL);
        check_near(model, whole, 1e-4);
        trine_model_close(whole);
        trine_model_close(beside);
        trine_model_close(model);
        trine_params_close(p);
        trine_model_close(base);
    }
}

static double gradients(size_t *step_bytes, trine_params *p, trine_model *m, bool recompute)
{
    static const int32_t ids[7] = { 3, 9, 4, 7, 5, 8, 6 }, rows[7] = { 0, 1, 2, 3, 4, 5, 6 };
    static const trine_segment segments[2] = { { .n_rows = 3 }, { .first_row = 3, .n_rows = 4 } };
    const bool both = trine_model_get_info(m)->paradigm == TRINE_ENCODER_DECODER;
    const trine_train_batch batch = { .n_texts = 2,
                                      .n_rows = 7,
                                      .ids = ids,
                                      .segments = segments,
                                      .n_target_rows = both ? 7 : 0,
                                      .target_ids = both ? ids : NULL,
                                      .target_segments = both ? segments : NULL,
                                      .n_out = 7,
                                      .out_rows = rows,
                                      .labels = ids };
    trine_step *step;
    trine_error err;
    double loss, weight;
    if (trine_step_open(&step, m, p, &(trine_step_options) { .n_threads = 2, .recompute = recompute }, &err))
        fail_msg("%s", err.text);
    if (trine_step_run(&loss, &weight, step, &batch, 1.0f / 7, &err)) fail_msg("%s", err.text);
    *step_bytes = trine_step_bytes(step);
    trine_step_close(step);
    return loss;
}

/* |have - want| over all, beside |want|. */
typedef struct distance {
    double apart, size;
} distance;

static void add_distance(distance *d, double have, double want)
{
    d->apart += (have - want) * (have - want);
    d->size += want * want;
}

/* With W' = W + s B A merged and learning whole, d B is s dW' A^T and d A is s B^T dW'. */
static void compare_gradients(const trine_params *lora, const trine_params *whole, float scale)
{
    distance d = { 0, 0 };
    for (int t = 0; t < lora->n_tensors; t += 2) {
        const trine_param *a = &lora->tensors[t], *b = &lora->tensors[t + 1];
        char name[200];
        snprintf(name, sizeof name, "%.*s.weight", (int)(strlen(a->name) - strlen("base_model.model..lora_A.weight")),
                 a->name + strlen("base_model.model."));
        const trine_param *w = trine_params_find(whole, name);
        if (!w) fail_msg("there is no '%s'", name);
        const size_t rank = (size_t)a->shape[0], in = (size_t)a->shape[1], out = (size_t)b->shape[0];
        const float *va = lora->values + a->offset, *vb = lora->values + b->offset, *ga = lora->grads + a->offset,
                    *gb = lora->grads + b->offset, *gw = whole->grads + w->offset;
        for (size_t k = 0; k < rank; k++) {
            for (size_t o = 0; o < out; o++) {
                double sum = 0;
                for (size_t i = 0; i < in; i++) sum += (double)gw[o * in + i] * (double)va[k * in + i];
                add_distance(&d, (double)gb[o * rank + k], (double)scale * sum);
            }
            for (size_t i = 0; i < in; i++) {
                double sum = 0;
                for (size_t o = 0; o < out; o++) sum += (double)gw[o * in + i] * (double)vb[o * rank + k];
                add_distance(&d, (double)ga[k * in + i], (double)scale * sum);
            }
        }
    }
    /* Two forwards whose weights round differently, in f32. */
    if (!(d.size > 0 && d.apart <= 1e-8 * d.size)) fail_msg("gradients apart by %g of %g", sqrt(d.apart), sqrt(d.size));
}

static void adapters_learn_as_the_merged_weights_would(void **state)
{
    (void)state;
    static const char *const names[] = { "bert-mlm", "roberta-mlm", "distilbert-mlm", "gpt2",
                                         "llama3",   "qwen2",       "t5-v1.1",        "t5-v1.0" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64], adapter[300], path[512];
        snprintf(name, sizeof name, "models/%s", names[i]);
        snprintf(path, sizeof path, "%s", fixture(name));
        snprintf(adapter, sizeof adapter, "%s-%zu", temp_path("adapter"), i);
        trine_model *model, *merged;
        trine_error err;
        trine_params_options o = { .checkpoint = path, .lora_rank = 3, .lora_alpha = 2, .grads = true, .cpu = "scalar" };
        trine_params *p = open_params(&model, &o);
        random_state r = { 3 };
        for (int t = 0; t < p->n_tensors; t++) random_fill(&r, p->values + p->tensors[t].offset, p->tensors[t].n, 0.2f);
        if (trine_params_save(adapter, p, model, NULL, &err)) fail_msg("%s", err.text);
        o = (trine_params_options) { .checkpoint = path, .adapter = adapter, .grads = true, .cpu = "scalar" };
        trine_params *whole = open_params(&merged, &o);
        for (int recompute = 0; recompute < 2; recompute++) {
            memset(p->grads, 0, p->n * sizeof *p->grads);
            memset(whole->grads, 0, whole->n * sizeof *whole->grads);
            size_t adapted, plain;
            const double x = gradients(&adapted, p, model, recompute), y = gradients(&plain, whole, merged, recompute);
            if (fabs(x - y) > 1e-5 * fabs(y)) fail_msg("%s: loss %.9g, expected %.9g", names[i], x, y);
            compare_gradients(p, whole, 2.0f / 3);
            /* Beside the values that the model keeps, each adapter keeps `rank` a row. */
            if (adapted > plain + plain / 5)
                fail_msg("%s: a step of adapters takes %zu bytes, of all %zu", names[i], adapted, plain);
        }
        trine_model_close(model);
        trine_params_close(p);
        trine_model_close(merged);
        trine_params_close(whole);
    }
}

/* A new head learns whole, is saved with the adapter, and opens over the base. */
static void a_new_head_goes_with_its_adapter(void **state)
{
    (void)state;
    static const char *const labels[] = { "no", "yes", "maybe" };
    static const char *const bases[] = { "bert-mlm", "bert-plain", "roberta-mlm", "distilbert-mlm" };
    for (int i = 0; i < 4; i++) {
        char name[64], adapter[300], merged[300], path[512];
        snprintf(name, sizeof name, "models/%s", bases[i]);
        snprintf(path, sizeof path, "%s", fixture(name));
        snprintf(adapter, sizeof adapter, "%s-%d", temp_path("adapter"), i);
        snprintf(merged, sizeof merged, "%s-%d", temp_path("merged"), i);
        trine_model *model, *beside, *whole;
        trine_error err;
        trine_params_options o = { .checkpoint = path,
                                   .change_head = true,
                                   .head = TRINE_HEAD_LABELS,
                                   .labels = labels,
                                   .n_labels = 3,
                                   .lora_rank = 2,
                                   .lora_alpha = 3,
                                   .grads = true,
                                   .adam = true,
                                   .cpu = "scalar" };
        trine_params *p = open_params(&model, &o);
        assert_true(p->n_new >= 2);
        random_state r = { 9 };
        random_fill(&r, p->values, p->n, 0.2f);
        if (trine_params_save(adapter, p, model, NULL, &err)) fail_msg("%s", err.text);
        open_beside(&beside, path, adapter);
        assert_int_equal(trine_model_get_info(beside)->head, TRINE_HEAD_LABELS);
        assert_string_equal(trine_model_label(beside, 2), "maybe");
        check_near(model, beside, 1e-6);
        if (trine_merge_adapter(NULL, merged, path, adapter, &(trine_convert_options) { .type = TRINE_F32 }, &err))
            fail_msg("%s", err.text);
        open_beside(&whole, merged, NULL);
        assert_string_equal(trine_model_label(whole, 1), "yes");
        check_near(model, whole, 1e-4);
        trine_model_close(whole);
        trine_model_close(beside);
        trine_model_close(model);
        trine_params_close(p);
    }
}

/* Into one file: rows of q and k become pairs there, Conv1D turns. What is there already stays, and nothing else is left behind. */
static void merges_into_gguf(void **state)
{
    static const char *const names[] = { "gpt2", "llama3", "t5-v1.1", "bert-classify" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64], adapter[300], file[300];
        snprintf(name, sizeof name, "models/%s", names[i]);
        snprintf(adapter, sizeof adapter, "%s-%zu", temp_path("for-gguf"), i);
        snprintf(file, sizeof file, "%s-%zu.gguf", temp_path("merged"), i);
        const char *path = fixture(name);
        trine_model *model, *whole;
        trine_error err;
        trine_params *p = open_params(&model, &(trine_params_options) { .checkpoint = path, .lora_rank = 3, .cpu = "scalar" });
        random_state r = { 20 + i };
        random_fill(&r, p->values, p->n, 0.3f);
        if (trine_params_save(adapter, p, model, NULL, &err)) fail_msg("%s", err.text);
        trine_convert_options options = { .type = TRINE_F32 };
        trine_convert_result result;
        if (trine_merge_adapter(&result, file, path, adapter, &options, &err)) fail_msg("%s", err.text);
        assert_true(result.n_tensors > 0 && result.n_files == 1);
        open_beside(&whole, file, NULL);
        assert_false(trine_is_directory(file));
        check_near(model, whole, 1e-4);
        trine_model_close(whole);
        assert_int_equal(trine_merge_adapter(NULL, file, path, adapter, &options, &err), TRINE_ERROR_IO);
        assert_non_null(strstr(err.text, "exists already"));
        options.overwrite = true;
        if (trine_merge_adapter(NULL, file, path, adapter, &options, &err)) fail_msg("%s", err.text);
        trine_model_close(model);
        trine_params_close(p);
    }
    DIR *dir = opendir(temp_folder());
    for (struct dirent *e; (e = readdir(dir));) assert_null(strstr(e->d_name, ".part"));
    closedir(dir);
}

/* What PEFT saved gives what PEFT computed. */
static void adapters_of_peft_are_read(void **state)
{
    (void)state;
    static const char *const names[] = { "lora-bert-classify", "lora-gpt2", "lora-llama3", "lora-t5" };
    for (int i = 0; i < 4; i++) {
        char path[512], model_path[512];
        json_t *expected;
        trine_model *m;
        trine_error err;
        snprintf(path, sizeof path, "%s/train/%s/expected.json", TRINE_FIXTURES, names[i]);
        if (trine_json_file_read(&expected, path, &err)) fail_msg("%s", err.text);
        snprintf(model_path, sizeof model_path, "%s/models/%s", TRINE_FIXTURES,
                 json_string_value(json_object_get(expected, "base")));
        snprintf(path, sizeof path, "%s/train/%s", TRINE_FIXTURES, names[i]);
        open_beside(&m, model_path, path);
        const json_t *ids = json_object_get(expected, "ids"), *logits = json_object_get(expected, "logits");
        int32_t list[16];
        const int n = (int)json_array_size(ids);
        for (int j = 0; j < n; j++) list[j] = (int32_t)json_integer_value(json_array_get(ids, (size_t)j));
        const runner_text text = { .ids = list, .n = n, .decoder_ids = list, .n_decoder = n };
        runner_options options = { 0 };
        runner_output out;
        if (runner_run(&out, m, &text, 1, &options, &err)) fail_msg("%s", err.text);
        assert_int_equal(json_array_size(logits), out.rows * out.cols);
        for (int j = 0; j < out.rows * out.cols; j++) {
            const double want = json_number_value(json_array_get(logits, (size_t)j));
            /* f32 on both sides, through some layers. */
            if (fabs((double)out.data[j] - want) > 1e-4 * (1 + fabs(want)))
                fail_msg("%s: %g, expected %g", names[i], (double)out.data[j], want);
        }
        free(out.data);
        trine_model_close(m);
        json_decref(expected);
    }
}

static void expect_refused(const char *model, const char *adapter, const char *says)
{
    trine_model *m = (trine_model *)1;
    trine_error err = { 0 };
    assert_int_not_equal(trine_model_open_adapted(&m, model, adapter, NULL, NULL, &err), TRINE_OK);
    assert_null(m);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
}

static void write_config(const char *text) { temp_write("adapter_config.json", text, strlen(text)); }

static void what_is_no_adapter_is_refused(void **state)
{
    (void)state;
    char gpt2[512], lora[512];
    snprintf(gpt2, sizeof gpt2, "%s", fixture("models/gpt2"));
    snprintf(lora, sizeof lora, "%s", fixture("train/lora-gpt2"));
    expect_refused(gpt2, temp_folder(), "no adapter_config.json");
    write_config("{\"peft_type\": \"IA3\"}");
    expect_refused(gpt2, temp_folder(), "peft_type");
    write_config("{\"use_dora\": true, \"lora_alpha\": 4}");
    expect_refused(gpt2, temp_folder(), "use_dora");
    write_config("{\"peft_type\": \"LORA\"}");
    expect_refused(gpt2, temp_folder(), "lora_alpha");
    write_config("{\"peft_type\": \"LORA\", \"lora_alpha\": 4}");
    expect_refused(gpt2, temp_folder(), "adapter_model.safetensors");
    float values[64] = { 0 };
    trine_tensor t[2] = { { .name = "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight",
                            .type = TRINE_F32,
                            .n_dims = 2,
                            .shape = { 2, 4, 1, 1 },
                            .data = values,
                            .bytes = 32 },
                          { .name = "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight",
                            .type = TRINE_F32,
                            .n_dims = 2,
                            .shape = { 4, 2, 1, 1 },
                            .data = values,
                            .bytes = 32 } };
    const char *path = temp_path("adapter_model.safetensors");
    assert_int_equal(trine_safetensors_write(path, t, 1, NULL, true, NULL), TRINE_OK);
    expect_refused(gpt2, temp_folder(), "without its lora_B");
    assert_int_equal(trine_safetensors_write(path, t, 2, NULL, true, NULL), TRINE_OK);
    expect_refused(gpt2, temp_folder(), "but the model's weight is");
    t[0].name = "other.lora_magnitude_vector";
    assert_int_equal(trine_safetensors_write(path, t, 1, NULL, true, NULL), TRINE_OK);
    expect_refused(gpt2, temp_folder(), "of no kind that is supported");
    expect_refused(fixture("models/llama3"), lora, "of another model");
    trine_params_options o = { .checkpoint = gpt2, .lora_rank = 5000 };
    trine_params *p;
    trine_model *m;
    assert_int_equal(trine_params_open(&p, &m, &o, NULL), TRINE_ERROR_ARGUMENT);
    static const char *const nothing[] = { "nothing" };
    o = (trine_params_options) { .checkpoint = gpt2, .lora_rank = 2, .lora_targets = nothing, .n_lora_targets = 1 };
    assert_int_equal(trine_params_open(&p, &m, &o, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_merge_adapter(NULL, temp_path("x"), fixture("models/llama3"), lora, NULL, NULL), TRINE_ERROR_FORMAT);
    assert_int_equal(trine_merge_adapter(NULL, NULL, gpt2, lora, NULL, NULL), TRINE_ERROR_ARGUMENT);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    char gpt2[512], lora[512];
    snprintf(gpt2, sizeof gpt2, "%s", fixture("models/gpt2"));
    snprintf(lora, sizeof lora, "%s", fixture("train/lora-gpt2"));
    for (long k = 1;; k++) {
        trine_model *m;
        alloc_fail_at(k);
        const trine_status status = trine_model_open_adapted(&m, gpt2, lora, NULL, NULL, NULL);
        alloc_fail_at(0);
        trine_model_close(m);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    for (long k = 1;; k++) {
        trine_params *p;
        trine_model *m;
        alloc_fail_at(k);
        trine_status status = trine_params_open(&p, &m, &(trine_params_options) { .checkpoint = gpt2, .lora_rank = 2 }, NULL);
        if (!status) status = trine_params_save(temp_path("out"), p, m, &(trine_save_options) { .overwrite = true }, NULL);
        alloc_fail_at(0);
        trine_model_close(m);
        trine_params_close(p);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status =
            trine_merge_adapter(NULL, temp_path("merged.gguf"), gpt2, lora, &(trine_convert_options) { .type = TRINE_F32 }, NULL);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_false(trine_file_exists(temp_path("merged.gguf")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(adapters_are_saved_opened_and_merged, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(merges_into_gguf, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(adapters_learn_as_the_merged_weights_would, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_new_head_goes_with_its_adapter, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(adapters_of_peft_are_read, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_adapter_is_refused, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
