/* test_model_errors.c - what a family says of a configuration or a checkpoint that lies, and what it says of itself when all is well:
 * every message names the field or tensor and what was expected, and nothing leaks, whichever allocation fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "support/alloc.h"
#include "support/runner.h"
#include "support/temp.h"

static int set_up(void **state) { return *state = (void *)(uintptr_t)temp_make(), 0; }
static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

static const char *fixture(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, name);
    return path;
}

/* The fixture `name` in the test's folder, with its field `key` set to a JSON value (NULL: taken away). */
static void copy_with_field(const char *name, const char *key, const char *value)
{
    char path[600], *bytes;
    size_t n;
    snprintf(path, sizeof path, "%s/model.safetensors", fixture(name));
    assert_int_equal(trine_file_read(&bytes, &n, path, 1 << 24, NULL), TRINE_OK);
    temp_write("model.safetensors", bytes, n);
    free(bytes);
    snprintf(path, sizeof path, "%s/config.json", fixture(name));
    json_t *config = json_load_file(path, 0, NULL);
    assert_non_null(config);
    if (key && value) assert_int_equal(json_object_set_new(config, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    if (key && !value) json_object_del(config, key);
    char *text = json_dumps(config, 0);
    assert_non_null(text);
    temp_write("config.json", text, strlen(text));
    free(text);
    json_decref(config);
}

static void expect_refused(const char *what, trine_status status, const char *says)
{
    trine_model m;
    trine_error err = { 0 };
    const trine_status got = runner_open(&m, temp_path("."), NULL, &err);
    if (got != status)
        fail_msg("%s: %s '%s', expected %s '%s'", what, trine_status_name(got), err.text, trine_status_name(status), says);
    if (!strstr(err.text, says)) fail_msg("%s: says '%s', expected '%s'", what, err.text, says);
}

static void test_lying_fields(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *key, *value;
        trine_status status;
        const char *says;
    } cases[] = {
        /* sizes that no checkpoint backs: nothing may be allocated for them */
        { "bert-mlm", "num_hidden_layers", "2000000000", TRINE_ERROR_FORMAT, "is 2000000000, but the checkpoint holds only" },
        { "bert-mlm", "num_hidden_layers", "3", TRINE_ERROR_NOT_FOUND, "tensor 'bert.encoder.layer.2." },
        { "bert-mlm", "hidden_size", "0", TRINE_ERROR_FORMAT, "\"hidden_size\" is 0, expected 1 to" },
        { "bert-mlm", "hidden_size", "1e300", TRINE_ERROR_FORMAT, "hidden_size" },
        { "bert-mlm", "hidden_size", "\"30\"", TRINE_ERROR_FORMAT, "\"hidden_size\" is a string, expected an integer" },
        { "bert-mlm", "hidden_size", "30.5", TRINE_ERROR_FORMAT, "\"hidden_size\" is a fraction, expected an integer" },
        { "bert-mlm", "hidden_size", NULL, TRINE_ERROR_FORMAT, "no \"hidden_size\"" },
        { "bert-mlm", "hidden_size", "35", TRINE_ERROR_FORMAT,
          "'bert.embeddings.word_embeddings.weight' has shape [97,30], expected [97,35]" },
        { "bert-mlm", "intermediate_size", "45", TRINE_ERROR_FORMAT,
          "intermediate.dense.weight' has shape [44,30], expected [45,30]" },
        { "bert-mlm", "num_attention_heads", "7", TRINE_ERROR_FORMAT, "7 heads, which do not divide a width of 30" },
        { "bert-mlm", "num_attention_heads", "-1", TRINE_ERROR_FORMAT, "num_attention_heads" },
        { "bert-mlm", "layer_norm_eps", "-1e-12", TRINE_ERROR_FORMAT, "\"layer_norm_eps\" is -1e-12, expected 0 to 1" },
        { "bert-mlm", "vocab_size", "98", TRINE_ERROR_FORMAT, "has shape [97,30], expected [98,30]" },
        { "bert-mlm", "max_position_embeddings", "65", TRINE_ERROR_FORMAT,
          "position_embeddings.weight' has shape [64,30], expected [65,30]" },
        { "bert-mlm", "type_vocab_size", "3", TRINE_ERROR_FORMAT,
          "token_type_embeddings.weight' has shape [2,30], expected [3,30]" },
        /* what is not supported, by name, with what is */
        { "bert-mlm", "hidden_act", "\"mish\"", TRINE_ERROR_UNSUPPORTED,
          "\"hidden_act\" is \"mish\"; supported activations: relu, gelu" },
        { "bert-mlm", "position_embedding_type", "\"relative_key\"", TRINE_ERROR_UNSUPPORTED,
          "is \"relative_key\"; supported: absolute" },
        { "bert-mlm", "is_decoder", "true", TRINE_ERROR_UNSUPPORTED, "is_decoder" },
        { "bert-mlm", "add_cross_attention", "true", TRINE_ERROR_UNSUPPORTED, "add_cross_attention" },
        { "bert-mlm", "architectures", "[\"BertForQuestionAnswering\"]", TRINE_ERROR_UNSUPPORTED,
          "BertForQuestionAnswering; supported classes: ...ForMaskedLM" },
        { "bert-mlm", "model_type", "\"mamba\"", TRINE_ERROR_UNSUPPORTED,
          "\"mamba\"; supported: bert, roberta, xlm-roberta, camembert, distilbert, gpt2, llama" },
        { "bert-mlm", "quantization_config", "{\"quant_method\":\"gptq\"}", TRINE_ERROR_UNSUPPORTED, "quantization_config" },
        { "llama3", "num_local_experts", "8", TRINE_ERROR_UNSUPPORTED, "num_local_experts" },
        { "bert-classify", "id2label", "{\"0\":\"A\"}", TRINE_ERROR_FORMAT, "names 1 labels, but the classifier has 3" },
        { "bert-classify", "id2label", "{\"0\":\"A\",\"1\":null,\"2\":\"C\"}", TRINE_ERROR_FORMAT, "no name for label 1" },
        { "bert-classify", "id2label", "{\"0\":\"A\",\"1\":\"B\",\"3\":\"C\"}", TRINE_ERROR_FORMAT, "no name for label 2" },
        { "roberta-mlm", "pad_token_id", "65", TRINE_ERROR_FORMAT, "max_position_embeddings" },
        { "distilbert-mlm", "dim", "27", TRINE_ERROR_FORMAT, "4 heads, which do not divide a width of 27" },
        { "gpt2", "n_head", "5", TRINE_ERROR_FORMAT, "5 heads, which do not divide a width of 28" },
        { "gpt2", "n_inner", "111", TRINE_ERROR_FORMAT, "c_fc.weight' has shape [28,112], expected [28,111]" },
        { "gpt2", "activation_function", "7", TRINE_ERROR_FORMAT, "\"activation_function\" is an integer, expected a string" },
        { "llama3", "num_key_value_heads", "4", TRINE_ERROR_FORMAT, "\"num_key_value_heads\" is 4, which does not divide 6 heads" },
        { "llama3", "head_dim", "7", TRINE_ERROR_FORMAT, "rope: 7 rotated dimensions" },
        { "llama3", "rms_norm_eps", "-1", TRINE_ERROR_FORMAT, "rms_norm_eps" },
        { "llama3", "rope_parameters", "{\"rope_type\":\"dynamic\",\"factor\":2}", TRINE_ERROR_UNSUPPORTED,
          "is \"dynamic\"; supported: default, linear, llama3, yarn" },
        { "llama3", "rope_scaling", "{\"type\":\"longrope\"}", TRINE_ERROR_UNSUPPORTED, "is \"longrope\"" },
        { "llama3", "rope_parameters", "{\"rope_type\":\"linear\",\"factor\":0}", TRINE_ERROR_FORMAT, "\"factor\" is 0" },
        { "llama3", "rope_parameters", "{\"rope_theta\":-5}", TRINE_ERROR_FORMAT, "\"rope_theta\" is -5" },
        { "llama3", "attention_bias", "true", TRINE_ERROR_NOT_FOUND, "_proj.bias' is missing" },
        { "llama3", "rope_parameters", "{\"full_attention\":{\"rope_theta\":1e6}}", TRINE_ERROR_UNSUPPORTED,
          "differ by layer type" },
        { "llama3", "architectures", "[\"LlamaBidirectionalModel\"]", TRINE_ERROR_UNSUPPORTED, "LlamaBidirectionalModel" },
        { "mistral", "sliding_window", "0", TRINE_ERROR_FORMAT, "sliding_window" },
        { "qwen2", "layer_types", "[\"full_attention\"]", TRINE_OK, "" }, /* windows are off: the list is not read */
        { "t5-v1.0", "d_kv", "7", TRINE_ERROR_FORMAT, "SelfAttention.q.weight' has shape [18,24], expected [21,24]" },
        { "t5-v1.0", "num_decoder_layers", "4", TRINE_ERROR_NOT_FOUND, "decoder.block.2." },
        { "t5-v1.0", "relative_attention_num_buckets", "2", TRINE_ERROR_FORMAT, "relative_attention_num_buckets" },
        { "t5-v1.0", "relative_attention_max_distance", "16", TRINE_ERROR_FORMAT, "relative_attention_max_distance" },
        { "t5-v1.0", "feed_forward_proj", "\"gated-gelu-new\"", TRINE_ERROR_UNSUPPORTED, "feed_forward_proj" },
        { "t5-v1.0", "dense_act_fn", "\"softplus\"", TRINE_ERROR_UNSUPPORTED, "softplus" },
        { "t5-v1.0", "is_gated_act", "true", TRINE_ERROR_NOT_FOUND, "layer.1.DenseReluDense.wi_" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char what[128];
        snprintf(what, sizeof what, "%s, %s = %s", cases[i].fixture, cases[i].key, cases[i].value ? cases[i].value : "absent");
        copy_with_field(cases[i].fixture, cases[i].key, cases[i].value);
        if (cases[i].status) {
            expect_refused(what, cases[i].status, cases[i].says);
        } else {
            trine_model m;
            trine_error err = { 0 };
            if (runner_open(&m, temp_path("."), NULL, &err)) fail_msg("%s: %s", what, err.text);
            runner_close(&m);
        }
    }
}

/* Writes the fixture's tensors without `name`, or with it in another shape or type. */
static void copy_with_tensor(const char *from, const char *name, int64_t rows, int64_t cols, trine_dtype type)
{
    trine_checkpoint *c;
    trine_tensor kept[256];
    static const double zeros[4096];
    int n = 0;
    bool found = false;
    copy_with_field(from, NULL, NULL);
    assert_int_equal(trine_checkpoint_open(&c, fixture(from), NULL), TRINE_OK);
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
        trine_tensor t = *trine_checkpoint_tensor(c, i);
        if (!strcmp(t.name, name)) {
            found = true;
            if (!rows) continue;
            t.n_dims = cols ? 2 : 1;
            t.shape[0] = rows;
            t.shape[1] = cols ? cols : 1;
            t.type = type;
            t.data = zeros;
            t.bytes = (size_t)(rows * (cols ? cols : 1)) * (type == TRINE_F32 ? 4 : 8);
            assert_true(t.bytes <= sizeof zeros);
        }
        assert_true(n < 256);
        kept[n++] = t;
    }
    assert_true(found);
    assert_int_equal(trine_safetensors_write(temp_path("model.safetensors"), kept, n, NULL, true, NULL), TRINE_OK);
    trine_checkpoint_close(c);
}

static void test_lying_tensors(void **state)
{
    (void)state;
    static const char *const norm = "bert.encoder.layer.1.output.LayerNorm.gamma", *const bias = "cls.predictions.bias",
                             *const query = "bert.encoder.layer.0.attention.self.query.weight";
    copy_with_tensor("bert-mlm", norm, 0, 0, TRINE_F32);
    expect_refused("no norm", TRINE_ERROR_NOT_FOUND, "tensor 'bert.encoder.layer.1.output.LayerNorm.weight' is missing");
    copy_with_tensor("bert-mlm", norm, 29, 0, TRINE_F32);
    expect_refused("short norm", TRINE_ERROR_FORMAT, "has shape [29], expected [30]");
    copy_with_tensor("bert-mlm", norm, 30, 2, TRINE_F32);
    expect_refused("norm of two dimensions", TRINE_ERROR_FORMAT, "has shape [30,2], expected [30]");
    copy_with_tensor("bert-mlm", query, 900, 0, TRINE_F32);
    expect_refused("flat matrix", TRINE_ERROR_FORMAT, "has shape [900], expected [30,30]");
    copy_with_tensor("bert-mlm", query, 30, 30, TRINE_F64);
    expect_refused("doubles", TRINE_ERROR_UNSUPPORTED, "has type f64; supported: f32, f16, bf16");
    copy_with_tensor("bert-mlm", bias, 0, 0, TRINE_F32);
    expect_refused("no bias", TRINE_ERROR_NOT_FOUND, "tensor 'cls.predictions.bias' is missing");
    copy_with_tensor("t5-v1.0", "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 32, 4, TRINE_F32);
    expect_refused("table of other heads", TRINE_ERROR_FORMAT, "has shape [32,4], expected [32,3]");
    copy_with_tensor("t5-v1.1", "lm_head.weight", 76, 24, TRINE_F32);
    expect_refused("another vocabulary", TRINE_ERROR_FORMAT, "'lm_head.weight' has shape [76,24], expected [77,24]");
    copy_with_tensor("llama3", "lm_head.weight", 0, 0, TRINE_F32);
    expect_refused("no output layer", TRINE_ERROR_NOT_FOUND,
                   "'lm_head.weight' is missing, and config.json \"tie_word_embeddings\" is false");
}

/* Parameters by the formulas of the papers, from the sizes that the fixture was made with. */
static void test_facts(void **state)
{
    (void)state;
    const int64_t v = 97, d = 30, ff = 44, positions = 64, layers = 2;
    const int64_t bert_layer = 4 * (d * d + d) + 2 * d + (ff * d + ff) + (d * ff + d) + 2 * d;
    const int64_t bert = (v + positions + 2) * d + 2 * d + layers * bert_layer + (d * d + d) + 2 * d + v;
    trine_model m;
    trine_error err = { 0 };
    if (runner_open(&m, fixture("bert-mlm"), NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(m.info.n_parameters, bert);
    assert_int_equal(m.info.weights_bytes, bert * 4);
    assert_int_equal(m.info.copied_bytes, 0);
    assert_int_equal(m.info.weights_type, TRINE_F32);
    assert_int_equal(m.info.head, TRINE_HEAD_MLM);
    assert_true(m.info.tied && !m.info.gated);
    assert_string_equal(m.info.activation, "gelu");
    assert_int_equal(m.self_shape.n_layers, 0);
    runner_close(&m);

    if (runner_open(&m, fixture("gpt2"), NULL, &err)) fail_msg("%s", err.text);
    const int64_t g = 28, gpt2 = 79 * g + 310 * g + 2 * (12 * g * g + 13 * g) + 2 * g; /* 12 d^2 + 13 d a layer */
    assert_int_equal(m.info.n_parameters, gpt2);
    assert_int_equal(m.info.copied_bytes, 2 * 12 * g * g * 4); /* its matrices are stored transposed */
    assert_int_equal(m.self_shape.n_layers, 2);
    runner_close(&m);

    if (runner_open(&m, fixture("qwen3"), NULL, &err)) fail_msg("%s", err.text);
    assert_string_equal(m.info.family, "qwen3");
    assert_int_equal(m.info.d_head, 14);
    assert_int_equal(m.self_shape.d_head, 14);
    assert_int_equal(m.info.weights_type, TRINE_BF16);
    assert_false(m.info.tied);
    runner_close(&m);

    if (runner_open(&m, fixture("roberta-tags"), NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(m.info.max_tokens, 64); /* 66 positions, of which 0 and 1 are never a token's */
    assert_int_equal(m.info.n_labels, 3);
    assert_string_equal(m.labels[2], "LABEL_2");
    runner_close(&m);

    if (runner_open(&m, fixture("mistral"), NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(m.info.window, 7);
    runner_close(&m);

    if (runner_open(&m, fixture("t5-encoder"), NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(m.info.paradigm, TRINE_ENCODER);
    assert_int_equal(m.info.head, TRINE_HEAD_NONE);
    runner_close(&m);
}

/* Labels that are numbers in config.json are names spelt in digits. */
static void test_labels_that_are_numbers(void **state)
{
    (void)state;
    trine_model m;
    trine_error err = { 0 };
    copy_with_field("bert-classify", "id2label", "{\"0\": 7, \"1\": -12, \"2\": \"C\"}");
    if (runner_open(&m, temp_path("."), NULL, &err)) fail_msg("%s", err.text);
    assert_string_equal(m.labels[0], "7");
    assert_string_equal(m.labels[1], "-12");
    assert_string_equal(m.labels[2], "C");
    runner_close(&m);
}

/* Whichever allocation fails, opening says so and gives everything back (the sanitizer's leak check is the witness). */
static void test_no_memory(void **state)
{
    (void)state;
    static const char *const names[] = { "bert-classify", "roberta-mlm", "gpt2", "llama-biases", "t5-v1.1" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        trine_status status = TRINE_ERROR_MEMORY;
        for (long k = 1; status; k++) {
            trine_model m;
            trine_error err = { 0 };
            alloc_fail_at(k);
            status = runner_open(&m, fixture(names[i]), NULL, &err);
            alloc_fail_at(0);
            if (status)
                assert_true(err.text[0]);
            else
                runner_close(&m);
            assert_true(k < 100000);
        }
    }
}

/* Texts that a model cannot take fail the pass, and say why. */
static void test_bad_texts(void **state)
{
    (void)state;
    trine_model m;
    trine_error err = { 0 };
    runner_output out;
    int32_t ids[80] = { 0 };
    for (int i = 0; i < 80; i++) ids[i] = 3;
    if (runner_open(&m, fixture("roberta-mlm"), NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(runner_run(&out, &m, &(runner_text) { .ids = ids, .n = 65 }, 1, &(runner_options) { 0 }, &err),
                     TRINE_ERROR_TOO_LONG);
    assert_non_null(strstr(err.text, "more than 64 tokens"));
    ids[2] = 83;
    assert_int_equal(runner_run(&out, &m, &(runner_text) { .ids = ids, .n = 5 }, 1, &(runner_options) { 0 }, &err),
                     TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "83"));
    runner_close(&m);
    if (runner_open(&m, fixture("bert-mlm"), NULL, &err)) fail_msg("%s", err.text);
    ids[2] = 3;
    assert_int_equal(runner_run(&out, &m, &(runner_text) { .ids = ids, .n = 65 }, 1, &(runner_options) { 0 }, &err),
                     TRINE_ERROR_TOO_LONG);
    const int32_t types[3] = { 0, 2, 0 };
    assert_int_equal(runner_run(&out, &m, &(runner_text) { .ids = ids, .types = types, .n = 3 }, 1, &(runner_options) { 0 }, &err),
                     TRINE_ERROR_ARGUMENT);
    runner_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lying_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lying_tensors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels_that_are_numbers, set_up, tear_down),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_bad_texts),
    };
    return cmocka_run_group_tests_name("model errors", tests, NULL, NULL);
}
