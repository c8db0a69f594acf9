/* test_params.c - a model in flat arrays: computes what the file's own model computes, changes its head, and begins as
 * transformers begins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoint/json_file.h"
#include "support/alloc.h"
#include "support/open_fixture.h"
#include "support/open_params.h"

static const char *fixture_path(char path[512], const char *name)
{
    snprintf(path, 512, "%s/models/%s", TRINE_FIXTURES, name);
    return path;
}

/* Every byte of what the head gives is that of the file's own model. Plain C on both sides: better levels multiply weights that are
 * bf16 in the file by x rounded to bf16. */
static void a_model_from_a_checkpoint_computes_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {
        "bert-classify",
        "bert-mlm",
        "bert-mlm-own-decoder",
        "bert-plain",
        "bert-tags",
        "camembert-plain",
        "gpt2",
        "gpt2-classify",
        "gpt2-tags",
        "llama3",
        "llama-classify",
        "qwen3-tags",
        "t5-classify",
        "umt5-tags",
        "distilbert-classify",
        "distilbert-mlm",
        "llama-biases",
        "gpt2-variant",
        "qwen2",
        "qwen3",
        "roberta-classify",
        "roberta-mlm",
        "roberta-tags",
        "mistral",
        "t5-encoder",
        "t5-v1.0",
        "t5-v1.1",
        "umt5",
        "mt5",
        "flan-t5-before-5",
        "t5-v1.1-shared-unscaled",
        "xlm-roberta-mlm",
        "t5-v1.0-before-5",
        "llama3-before-5",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        trine_model file, *model;
        trine_error err;
        if (runner_open(&file, fixture_path(path, names[i]), "scalar", &err)) fail_msg("%s", err.text);
        trine_params *p =
            open_params(&model, &(trine_params_options) { .checkpoint = path, .grads = true, .n_threads = 2, .cpu = "scalar" });
        if (p->n_new || p->n_unused) fail_msg("%s: %d new, %d unused", names[i], p->n_new, p->n_unused);
        runner_output a = run_seven(&file), b = run_seven(model);
        assert_int_equal(a.rows, b.rows);
        assert_int_equal(a.cols, b.cols);
        if (memcmp(a.data, b.data, (size_t)a.rows * (size_t)a.cols * sizeof *a.data)) fail_msg("%s computes another", names[i]);
        free(a.data);
        free(b.data);
        trine_model_close(model);
        trine_params_close(p);
        runner_close(&file);
    }
}

/* Tensors at multiples of 16, in order, padding zero, arrays as asked for. */
static void tensors_lie_in_order(void **state)
{
    (void)state;
    char path[512];
    trine_model *model;
    trine_params *p =
        open_params(&model, &(trine_params_options) { .checkpoint = fixture_path(path, "gpt2"), .adam = true, .bf16 = true });
    size_t at = 0;
    for (int i = 0; i < p->n_tensors; i++) {
        const trine_param *t = &p->tensors[i];
        assert_int_equal(t->offset, at);
        assert_int_equal(t->n, t->shape[0] * (t->n_dims > 1 ? t->shape[1] : 1));
        for (at += t->n; at % 16; at++) assert_true(p->values[at] == 0);
        assert_int_equal(t->decays, t->n_dims == 2);
        assert_int_equal(t->turned, strstr(t->name, ".c_") && t->n_dims == 2);
    }
    assert_int_equal(at, p->n);
    assert_null(p->grads);
    for (size_t i = 0; i < p->n; i++) {
        assert_true(p->m[i] == 0 && p->v[i] == 0);
        assert_int_equal(p->bf16[i], trine_f32_to_bf16(p->values[i]));
    }
    assert_non_null(trine_params_find(p, "transformer.wpe.weight"));
    assert_null(trine_params_find(p, "transformer.nothing"));
    trine_model_close(model);
    trine_params_close(p);
}

static void keep_line(void *user, const char *text)
{
    char *lines = user;
    if (strlen(lines) + strlen(text) + 2 < 2000) strcat(strcat(lines, text), "\n");
}

static void a_head_can_be_changed(void **state)
{
    (void)state;
    static const char *const labels[] = { "no", "yes", "maybe" };
    static const char *const from[] = { "bert-mlm", "bert-plain", "roberta-mlm", "distilbert-mlm", "xlm-roberta-mlm" };
    static const char *const class[] = { "Bert", "Bert", "Roberta", "DistilBert", "XLMRoberta" };
    for (int i = 0; i < 5; i++) {
        for (int tags = 0; tags < 2; tags++) {
            char path[512], lines[2000] = "", name[64];
            trine_model *model;
            trine_params *p = open_params(&model, &(trine_params_options) { .checkpoint = fixture_path(path, from[i]),
                                                                            .change_head = true,
                                                                            .head = tags ? TRINE_HEAD_TAGS : TRINE_HEAD_LABELS,
                                                                            .labels = labels,
                                                                            .n_labels = 3,
                                                                            .log = keep_line,
                                                                            .log_user = lines });
            const trine_model_info *info = trine_model_get_info(model);
            snprintf(name, sizeof name, "%sFor%sClassification", class[i], tags ? "Token" : "Sequence");
            assert_string_equal(info->architecture, name);
            assert_int_equal(info->n_labels, 3);
            assert_string_equal(trine_model_label(model, 2), "maybe");
            assert_true(p->n_new >= 2);
            const bool out_proj = !tags && strstr(from[i], "roberta");
            const trine_param *out = trine_params_find(p, out_proj ? "classifier.out_proj.weight" : "classifier.weight");
            assert_non_null(out);
            assert_true(out->is_new);
            assert_int_equal(out->shape[0], 3);
            assert_non_null(strstr(lines, "begin at random: "));
            assert_int_equal(strstr(lines, "are not used") != NULL, strstr(from[i], "mlm") || tags);
            runner_output r = run_seven(model);
            assert_int_equal(r.rows, tags ? 7 : 1);
            assert_int_equal(r.cols, 3);
            free(r.data);
            trine_model_close(model);
            trine_params_close(p);
        }
    }
}

/* The classifier of the same labels is kept, of others it begins anew; all else is taken. */
static void a_classifier_belongs_to_its_labels(void **state)
{
    (void)state;
    char path[512];
    trine_model *model;
    fixture_path(path, "bert-classify");
    trine_params *p = open_params(&model, &(trine_params_options) { .checkpoint = path });
    const char *same[16] = { 0 }, *other[16] = { 0 };
    const int n = trine_model_get_info(model)->n_labels;
    char names[16][64];
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%s", trine_model_label(model, i));
        same[i] = names[i];
        other[i] = names[n - 1 - i];
    }
    trine_model_close(model);
    trine_params_close(p);
    trine_params_options o = { .checkpoint = path, .change_head = true, .head = TRINE_HEAD_LABELS, .labels = same, .n_labels = n };
    p = open_params(&model, &o);
    assert_int_equal(p->n_new, 0);
    trine_model_close(model);
    trine_params_close(p);
    o.labels = other;
    p = open_params(&model, &o);
    assert_int_equal(p->n_new, 2);
    trine_model_close(model);
    trine_params_close(p);
}

static json_t *config_of(const char *text)
{
    json_error_t why;
    json_t *config = json_loads(text, 0, &why);
    if (!config) fail_msg("%s", why.text);
    return config;
}

/* Mean and standard deviation of a tensor within four standard errors of the rule's. */
static void check_moments(const trine_params *p, const char *name, double scale)
{
    const trine_param *t = trine_params_find(p, name);
    if (!t) fail_msg("there is no '%s'", name);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < t->n; i++) {
        const double x = (double)p->values[t->offset + i];
        sum += x;
        squares += x * x;
    }
    const double n = (double)t->n, mean = sum / n, deviation = sqrt(squares / n);
    if (fabs(mean) > 4 * scale / sqrt(n)) fail_msg("%s: mean %g", name, mean);
    if (fabs(deviation - scale) > 4 * scale / sqrt(2 * n)) fail_msg("%s: deviation %g, expected %g", name, deviation, scale);
}

static void check_constant(const trine_params *p, const char *name, float value)
{
    const trine_param *t = trine_params_find(p, name);
    if (!t) fail_msg("there is no '%s'", name);
    for (size_t i = 0; i < t->n; i++) assert_true(p->values[t->offset + i] == value);
}

static void gpt2_begins_as_published(void **state)
{
    (void)state;
    json_t *config = config_of("{\"model_type\": \"gpt2\", \"vocab_size\": 300, \"n_embd\": 96, \"n_layer\": 8, \"n_head\": 3,"
                               "\"n_positions\": 64, \"architectures\": [\"GPT2LMHeadModel\"]}");
    trine_model *model;
    trine_params *p = open_params(&model, &(trine_params_options) { .config = config, .seed = 1 });
    check_moments(p, "transformer.wte.weight", 0.02);
    check_moments(p, "transformer.wpe.weight", 0.02);
    check_moments(p, "transformer.h.3.attn.c_attn.weight", 0.02);
    check_moments(p, "transformer.h.3.attn.c_proj.weight", 0.02 / 4);
    check_moments(p, "transformer.h.7.mlp.c_proj.weight", 0.02 / 4);
    check_moments(p, "transformer.h.7.mlp.c_fc.weight", 0.02);
    check_constant(p, "transformer.h.7.mlp.c_fc.bias", 0);
    check_constant(p, "transformer.ln_f.weight", 1);
    check_constant(p, "transformer.ln_f.bias", 0);
    trine_model_close(model);
    trine_params_close(p);
    json_decref(config);
}

static void t5_begins_as_published(void **state)
{
    (void)state;
    json_t *config = config_of("{\"model_type\": \"t5\", \"vocab_size\": 200, \"d_model\": 64, \"d_kv\": 16, \"d_ff\": 160,"
                               "\"num_layers\": 2, \"num_heads\": 6, \"feed_forward_proj\": \"gated-gelu\","
                               "\"tie_word_embeddings\": false, \"initializer_factor\": 0.5,"
                               "\"relative_attention_num_buckets\": 32, \"architectures\": [\"T5ForConditionalGeneration\"]}");
    trine_model *model;
    trine_params *p = open_params(&model, &(trine_params_options) { .config = config, .seed = 2 });
    check_moments(p, "shared.weight", 0.5);
    check_moments(p, "lm_head.weight", 0.5);
    check_moments(p, "encoder.block.1.layer.0.SelfAttention.q.weight", 0.5 / 32);
    check_moments(p, "encoder.block.1.layer.0.SelfAttention.k.weight", 0.5 / 8);
    check_moments(p, "decoder.block.1.layer.1.EncDecAttention.v.weight", 0.5 / 8);
    check_moments(p, "decoder.block.1.layer.1.EncDecAttention.o.weight", 0.5 / sqrt(96));
    check_moments(p, "decoder.block.1.layer.2.DenseReluDense.wi_1.weight", 0.5 / 8);
    check_moments(p, "decoder.block.1.layer.2.DenseReluDense.wo.weight", 0.5 / sqrt(160));
    check_moments(p, "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 0.5 / 8);
    check_constant(p, "decoder.final_layer_norm.weight", 0.5f);
    assert_false(trine_params_find(p, "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")->decays);
    trine_model_close(model);
    trine_params_close(p);
    json_decref(config);
}

static void padding_begins_as_zero(void **state)
{
    (void)state;
    json_t *config =
        config_of("{\"model_type\": \"roberta\", \"vocab_size\": 50, \"hidden_size\": 32, \"num_attention_heads\": 2,"
                  "\"num_hidden_layers\": 1, \"intermediate_size\": 40, \"max_position_embeddings\": 20, \"pad_token_id\": 1,"
                  "\"initializer_range\": 0.1, \"architectures\": [\"RobertaForMaskedLM\"]}");
    trine_model *model;
    trine_params *p = open_params(&model, &(trine_params_options) { .config = config });
    static const char *const names[] = { "roberta.embeddings.word_embeddings.weight",
                                         "roberta.embeddings.position_embeddings.weight" };
    for (int i = 0; i < 2; i++) {
        const float *rows = p->values + trine_params_find(p, names[i])->offset;
        for (int j = 0; j < 32; j++) assert_true(rows[32 + j] == 0 && rows[j] != 0 && rows[64 + j] != 0);
    }
    check_moments(p, "roberta.encoder.layer.0.attention.self.query.weight", 0.1);
    trine_model_close(model);
    trine_params_close(p);
    json_decref(config);
}

/* The first weights depend on the seed and the name, not on threads or on what else there is. */
static void first_weights_are_the_seeds(void **state)
{
    (void)state;
    json_t *config = config_of("{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 24, \"num_hidden_layers\": 2,"
                               "\"num_attention_heads\": 2, \"intermediate_size\": 40, \"architectures\": [\"LlamaForCausalLM\"]}");
    trine_model *model[3];
    trine_params *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = open_params(&model[i], &(trine_params_options) { .config = config, .seed = i < 2 ? 7 : 8, .n_threads = 1 + i });
    assert_memory_equal(p[0]->values, p[1]->values, p[0]->n * sizeof(float));
    assert_memory_not_equal(p[0]->values, p[2]->values, p[0]->n * sizeof(float));
    check_moments(p[0], "lm_head.weight", 0.02);
    for (int i = 0; i < 3; i++) {
        trine_model_close(model[i]);
        trine_params_close(p[i]);
    }
    json_decref(config);
}

static void expect_refused(const trine_params_options *o, trine_status status, const char *says)
{
    trine_params *p = (trine_params *)1;
    trine_model *model = (trine_model *)1;
    trine_error err = { 0 };
    assert_int_equal(trine_params_open(&p, &model, o, &err), status);
    assert_null(p);
    assert_null(model);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
}

static void what_cannot_be_trained_is_refused(void **state)
{
    (void)state;
    static const char *const twice[] = { "a", "a" }, *const bytes[] = { "a", "\xff" };
    char path[512], other[512];
    fixture_path(path, "bert-mlm");
    expect_refused(&(trine_params_options) { 0 }, TRINE_ERROR_ARGUMENT, "neither was given");
    expect_refused(&(trine_params_options) { .checkpoint = "no/such" }, TRINE_ERROR_NOT_FOUND, "no/such");
    trine_params_options o = { .checkpoint = path, .change_head = true, .head = TRINE_HEAD_LABELS };
    expect_refused(&o, TRINE_ERROR_ARGUMENT, "needs their names");
    o.n_labels = 2;
    o.labels = twice;
    expect_refused(&o, TRINE_ERROR_ARGUMENT, "have one name, 'a'");
    o.labels = bytes;
    expect_refused(&o, TRINE_ERROR_ARGUMENT, "not UTF-8");
    o.head = TRINE_HEAD_LM;
    expect_refused(&o, TRINE_ERROR_ARGUMENT, "has no head");
    o.checkpoint = fixture_path(other, "gguf-llama/model.gguf");
    expect_refused(&o, TRINE_ERROR_UNSUPPORTED, "trine convert");
    /* A configuration of another shape. */
    json_t *config;
    char config_path[600];
    snprintf(config_path, sizeof config_path, "%s/config.json", path);
    assert_int_equal(trine_json_file_read(&config, config_path, NULL), TRINE_OK);
    json_object_set_new(config, "intermediate_size", json_integer(999));
    expect_refused(&(trine_params_options) { .checkpoint = path, .config = config }, TRINE_ERROR_FORMAT, "expected [999,");
    json_decref(config);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    char path[512];
    static const char *const labels[] = { "no", "yes" };
    const trine_params_options o = { .checkpoint = fixture_path(path, "bert-mlm"),
                                     .change_head = true,
                                     .head = TRINE_HEAD_LABELS,
                                     .labels = labels,
                                     .n_labels = 2,
                                     .grads = true,
                                     .adam = true };
    for (long k = 1;; k++) {
        trine_params *p;
        trine_model *model;
        trine_error err;
        alloc_fail_at(k);
        const trine_status status = trine_params_open(&p, &model, &o, &err);
        alloc_fail_at(0);
        trine_model_close(model);
        trine_params_close(p);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_from_a_checkpoint_computes_the_same),
        cmocka_unit_test(tensors_lie_in_order),
        cmocka_unit_test(a_head_can_be_changed),
        cmocka_unit_test(a_classifier_belongs_to_its_labels),
        cmocka_unit_test(gpt2_begins_as_published),
        cmocka_unit_test(t5_begins_as_published),
        cmocka_unit_test(padding_begins_as_zero),
        cmocka_unit_test(first_weights_are_the_seeds),
        cmocka_unit_test(what_cannot_be_trained_is_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
