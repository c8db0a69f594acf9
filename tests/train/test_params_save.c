/* test_params_save.c - a trained model as a directory: it is there whole or not at all, and computes what the parameters do. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/file.h"
#include "checkpoint/json_file.h"
#include "load/sentence_transformers.h"
#include "quant/quant.h"
#include "support/alloc.h"
#include "support/temp.h"
#include "train/params_save.h"
#include "trine/converting.h"

static int set_up(void **state) { return *state = (void *)(uintptr_t)temp_make(), 0; }
static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

static trine_params *open_params(trine_model **model, const char *path)
{
    trine_params *p;
    trine_error err;
    if (trine_params_open(&p, model, &(trine_params_options) { .checkpoint = path }, &err)) fail_msg("%s", err.text);
    return p;
}

static trine_params *open_fixture(trine_model **model, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TRINE_FIXTURES, name);
    return open_params(model, path);
}

static void close_both(trine_params *p, trine_model *model)
{
    trine_model_close(model);
    trine_params_close(p);
}

static void what_is_saved_is_what_is_opened(void **state)
{
    (void)state;
    static const char *const names[] = {
        "models/bert-mlm",   "models/bert-classify", "models/bert-plain",          "models/roberta-tags", "models/t5-v1.1",
        "models/gpt2",       "models/llama3",        "models/distilbert-mlm",      "models/umt5",         "models/qwen2",
        "models/t5-encoder", "generate/t5",          "models/bert-mlm-own-decoder"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        trine_model *model, *again, *half;
        trine_error err;
        trine_params *p = open_fixture(&model, names[i]), *q, *b;
        char out[300], rounded[300];
        snprintf(out, sizeof out, "%s-%zu", temp_path("out"), i);
        snprintf(rounded, sizeof rounded, "%s-%zu", temp_path("bf16"), i);
        if (trine_params_save(out, p, model, NULL, &err)) fail_msg("%s", err.text);
        q = open_params(&again, out);
        assert_int_equal(q->n_new + q->n_unused, 0);
        assert_int_equal(q->n, p->n);
        assert_memory_equal(q->values, p->values, p->n * sizeof *p->values);
        const trine_model_info *a = trine_model_get_info(model), *c = trine_model_get_info(again);
        assert_int_equal(a->head, c->head);
        assert_int_equal(a->tied, c->tied);
        assert_int_equal(a->pooling, c->pooling);
        assert_int_equal(a->n_labels, c->n_labels);
        assert_int_equal(trine_model_get_tokenizer(model) != NULL, trine_model_get_tokenizer(again) != NULL);
        if (trine_params_save(rounded, p, model, &(trine_save_options) { .type = TRINE_BF16 }, &err)) fail_msg("%s", err.text);
        b = open_params(&half, rounded);
        for (size_t j = 0; j < p->n; j++) assert_true(b->values[j] == trine_bf16_to_f32(trine_f32_to_bf16(p->values[j])));
        close_both(b, half);
        close_both(q, again);
        close_both(p, model);
    }
}

/* Other values, such as an average over steps, in place of the last. */
static void other_values_can_be_saved(void **state)
{
    (void)state;
    trine_model *model, *again;
    trine_error err;
    trine_params *p = open_fixture(&model, "models/gpt2");
    float *other = calloc(p->n, sizeof *other);
    for (size_t i = 0; i < p->n; i++) other[i] = 2 * p->values[i];
    const char *out = temp_path("other");
    if (trine_params_save(out, p, model, &(trine_save_options) { .values = other }, &err)) fail_msg("%s", err.text);
    trine_params *q = open_params(&again, out);
    assert_memory_equal(q->values, other, p->n * sizeof *other);
    free(other);
    close_both(q, again);
    close_both(p, model);
}

static void nothing_is_there_after_a_failure(void **state)
{
    (void)state;
    trine_model *model;
    trine_error err;
    trine_params *p = open_fixture(&model, "models/bert-mlm");
    const char *dir = temp_make(), *out = temp_path("out");
    /* A value that is not finite. */
    const float kept = p->values[100];
    p->values[100] = NAN;
    assert_int_equal(trine_params_save(out, p, model, NULL, &err), TRINE_ERROR_NUMERIC);
    assert_non_null(strstr(err.text, "not finite"));
    assert_int_equal(temp_count(dir), 0);
    p->values[100] = kept;
    /* A full disk. */
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 20000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(trine_params_save(out, p, model, NULL, &err), TRINE_ERROR_IO);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(temp_count(dir), 0);
    /* Memory. */
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_params_save(out, p, model, NULL, &err);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_int_equal(temp_count(dir), 0);
    }
    /* What is there stays, unless it may go; what is no model always stays. */
    assert_int_equal(trine_params_save(out, p, model, NULL, &err), TRINE_ERROR_IO);
    assert_int_equal(trine_params_save(out, p, model, &(trine_save_options) { .overwrite = true }, &err), TRINE_OK);
    assert_int_equal(trine_params_save(dir, p, model, &(trine_save_options) { .overwrite = true }, &err), TRINE_ERROR_IO);
    assert_int_equal(trine_params_save(out, p, model, &(trine_save_options) { .type = TRINE_Q4_0 }, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(temp_count(dir), 1);
    close_both(p, model);
}

static trine_params *open_as(trine_model **model, const char *path, trine_head head)
{
    trine_params *p;
    trine_error err;
    static const char *const labels[] = { "no", "yes" };
    const trine_params_options o = { .checkpoint = path, .change_head = true, .head = head, .labels = labels, .n_labels = 2 };
    if (trine_params_open(&p, model, &o, &err)) fail_msg("%s", err.text);
    return p;
}

static void save(const char *out, trine_params *p, const trine_model *model)
{
    trine_error err;
    if (trine_params_save(out, p, model, &(trine_save_options) { .overwrite = true }, &err)) fail_msg("%s", err.text);
}

static void expect_vectors(const char *path, bool said, trine_pooling pooling, bool normalize, int embed_tokens)
{
    char modules[400];
    trine_model *m;
    trine_error err;
    snprintf(modules, sizeof modules, "%s/modules.json", path);
    assert_int_equal(trine_file_exists(modules), said);
    if (trine_model_open(&m, path, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_model_get_info(m)->pooling, pooling);
    assert_int_equal(trine_model_get_info(m)->normalize, normalize);
    assert_int_equal(trine_model_get_info(m)->embed_tokens, embed_tokens);
    trine_model_close(m);
}

/* A decoder and T5 without heads say what they were trained by, as encoders do; a decoder with its head what its source said, with
 * the longest text, which another directory's tokenizer does not bring. */
static void how_texts_become_vectors_is_saved(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        trine_pooling pooling;
    } plain[] = { { "bert-plain", TRINE_POOL_MEAN },
                  { "gpt2", TRINE_POOL_LAST },
                  { "llama3", TRINE_POOL_LAST },
                  { "t5-v1.1", TRINE_POOL_MEAN } };
    trine_model *model;
    trine_params *p;
    char out[300], path[512], declared[300];
    snprintf(out, sizeof out, "%s", temp_path("out"));
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, plain[i].name);
        p = open_as(&model, path, TRINE_HEAD_NONE);
        save(out, p, model);
        expect_vectors(out, true, plain[i].pooling, false, 0);
        close_both(p, model);
    }
    p = open_fixture(&model, "models/llama3");
    save(out, p, model);
    expect_vectors(out, false, TRINE_POOL_LAST, false, 0);
    close_both(p, model);

    trine_error err;
    snprintf(declared, sizeof declared, "%s", temp_path("declared"));
    if (trine_convert(NULL, declared, TRINE_FIXTURES "/models/llama3", NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_sentence_modules_write(declared, TRINE_POOL_MEAN, true, 32, &err), TRINE_OK);
    temp_write("declared/sentence_bert_config.json", "{\"max_seq_length\":9}", 20);
    for (int i = 0; i < 4; i++) {
        p = i / 2 ? open_as(&model, declared, TRINE_HEAD_NONE) : open_params(&model, declared);
        const trine_save_options o = { .tokenizer = i % 2 ? TRINE_FIXTURES "/models/llama3" : NULL, .overwrite = true };
        if (trine_params_save(out, p, model, &o, &err)) fail_msg("%s", err.text);
        expect_vectors(out, true, TRINE_POOL_MEAN, true, 9);
        close_both(p, model);
    }
    p = open_as(&model, declared, TRINE_HEAD_LABELS);
    save(out, p, model);
    expect_vectors(out, false, TRINE_POOL_LAST, false, 9);
    close_both(p, model);
}

/* A classifier's directory says what it is: class and labels both ways. */
static void labels_are_saved_both_ways(void **state)
{
    (void)state;
    static const char *const labels[] = { "no", "yes" };
    trine_params_options o = { .checkpoint = TRINE_FIXTURES "/models/bert-mlm",
                               .change_head = true,
                               .head = TRINE_HEAD_LABELS,
                               .labels = labels,
                               .n_labels = 2 };
    trine_params *p;
    trine_model *model;
    trine_error err;
    json_t *config;
    char path[400];
    if (trine_params_open(&p, &model, &o, &err)) fail_msg("%s", err.text);
    const char *out = temp_path("labels");
    if (trine_params_save(out, p, model, NULL, &err)) fail_msg("%s", err.text);
    snprintf(path, sizeof path, "%s/config.json", out);
    assert_int_equal(trine_json_file_read(&config, path, &err), TRINE_OK);
    assert_string_equal(json_string_value(json_array_get(json_object_get(config, "architectures"), 0)),
                        "BertForSequenceClassification");
    assert_string_equal(json_string_value(json_object_get(json_object_get(config, "id2label"), "1")), "yes");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(config, "label2id"), "yes")), 1);
    assert_string_equal(json_string_value(json_object_get(config, "torch_dtype")), "float32");
    json_decref(config);
    close_both(p, model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_saved_is_what_is_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_values_can_be_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_there_after_a_failure, NULL, tear_down),
        cmocka_unit_test_setup_teardown(how_texts_become_vectors_is_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_are_saved_both_ways, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
