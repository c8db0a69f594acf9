/* test_quantize.c - which type each tensor gets, that its values are those of the source, and that files are whole or not there. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "load/mixture.h"
#include "quant/quant.h"
#include "support/alloc.h"
#include "support/temp.h"
#include "trine/converting.h"
#include "trine/inference.h"

static int set_up(void **state) { return *state = (void *)(uintptr_t)temp_make(), 0; }
static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

static const char *model(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, name);
    return path;
}

/* What the library said, line after line. */
static char said[4096];
static void hear(void *user, const char *text)
{
    (void)user;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text);
}

static trine_quantize_result quantize(const char *out, const char *in, trine_quantize_options o)
{
    trine_error err;
    trine_quantize_result result;
    said[0] = 0;
    o.log = hear;
    o.overwrite = true;
    if (trine_quantize(&result, out, in, &o, &err)) fail_msg("%s: %s", in, err.text);
    assert_true(result.bytes > 0 && result.n_files > 0 && result.n_tensors > 0);
    return result;
}

static void expect_refused(const char *out, const char *in, trine_quantize_options o, trine_status status, const char *says)
{
    trine_error err = { 0 };
    trine_quantize_result result;
    assert_int_equal(trine_quantize(&result, out, in, &o, &err), status);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
    assert_int_equal(result.n_files, 0);
}

/* ------------------------------------------------------------------------------------------------------ models of a test */

enum { MOST_TENSORS = 64 };
static trine_tensor tensors[MOST_TENSORS];
static char names[MOST_TENSORS][80];
static int n_tensors;

/* `pattern` with the layer in place of its '*'. */
static void put_name(char name[80], const char *pattern, int layer)
{
    const char *star = strchr(pattern, '*');
    if (star)
        snprintf(name, 80, "%.*s%d%s", (int)(star - pattern), pattern, layer, star + 1);
    else
        snprintf(name, 80, "%s", pattern);
}

static void add(int64_t rows, int64_t cols, const char *pattern, int layer)
{
    assert_true(n_tensors < MOST_TENSORS);
    const size_t n = (size_t)(rows * (cols ? cols : 1));
    float *values = malloc(n * sizeof *values);
    uint32_t state = (uint32_t)n_tensors + 1;
    for (size_t i = 0; i < n; i++) {
        float sum = -2;
        for (int k = 0; k < 4; k++) {
            state = state * 1664525u + 1013904223u;
            sum += (float)(state >> 8) * 0x1p-24f;
        }
        values[i] = 0.1f * sum;
    }
    put_name(names[n_tensors], pattern, layer);
    tensors[n_tensors] = (trine_tensor) { .name = names[n_tensors],
                                          .type = TRINE_F32,
                                          .n_dims = cols ? 2 : 1,
                                          .shape = { rows, cols ? cols : 1, 1, 1 },
                                          .data = values,
                                          .bytes = n * sizeof *values };
    n_tensors++;
}

/* Paths of a test stay valid through it, unlike those of temp_path. */
static char in_path[256], a_path[256];

/* Writes what was added as temp_path("in"). */
static const char *write_model(const char *config)
{
    snprintf(in_path, sizeof in_path, "%s", temp_path("in"));
    mkdir(temp_path("in"), 0777);
    temp_write("in/config.json", config, strlen(config));
    assert_int_equal(trine_safetensors_write(temp_path("in/model.safetensors"), tensors, n_tensors, NULL, true, NULL), TRINE_OK);
    return in_path;
}

static void forget_tensors(void)
{
    while (n_tensors) free((void *)(uintptr_t)tensors[--n_tensors].data);
}

/* A Llama of `width` whose rows are as wide, and 2 `width` in the feed-forward's second matrix. */
static const char *llama(int n_layers, int width, bool tied)
{
    forget_tensors();
    add(40, width, "model.embed_tokens.weight", 0);
    if (!tied) add(40, width, "lm_head.weight", 0);
    add(width, 0, "model.norm.weight", 0);
    for (int i = 0; i < n_layers; i++) {
        add(8, width, "model.layers.*.self_attn.q_proj.weight", i);
        add(8, width, "model.layers.*.self_attn.v_proj.weight", i);
        add(8, 2 * width, "model.layers.*.mlp.down_proj.weight", i);
        add(width, 0, "model.layers.*.input_layernorm.weight", i);
    }
    char config[160];
    snprintf(config, sizeof config, "{\"model_type\":\"llama\",\"num_attention_heads\":2,\"hidden_size\":%d%s}", width,
             tied ? ",\"tie_word_embeddings\":true" : "");
    return write_model(config);
}

static trine_checkpoint *open_checkpoint(const char *path)
{
    trine_checkpoint *c;
    trine_error err;
    if (trine_checkpoint_open(&c, path, &err)) fail_msg("%s", err.text);
    return c;
}

static void expect_type(const trine_checkpoint *c, trine_dtype type, const char *pattern, int layer)
{
    char name[80];
    put_name(name, pattern, layer);
    const trine_tensor *t = trine_checkpoint_find(c, name);
    if (!t) fail_msg("'%s' is lost", name);
    if (t->type != type) fail_msg("'%s' is %s, expected %s", name, trine_dtype_name(t->type), trine_dtype_name(type));
}

/* Every tensor of `in` is in the file, its matrices with no more than `share` of their squares lost. */
static void expect_values(const char *file, const char *in, double share)
{
    /* As safetensors, where rows have their own order again. */
    const trine_convert_options f32 = { .type = TRINE_F32, .overwrite = true };
    assert_int_equal(trine_convert(NULL, temp_path("got"), file, &f32, NULL), TRINE_OK);
    assert_int_equal(trine_convert(NULL, temp_path("want"), in, &f32, NULL), TRINE_OK);
    trine_checkpoint *got = open_checkpoint(temp_path("got")), *want = open_checkpoint(temp_path("want"));
    assert_int_equal(trine_checkpoint_n_tensors(got), trine_checkpoint_n_tensors(want));
    for (int i = 0; i < trine_checkpoint_n_tensors(want); i++) {
        const trine_tensor *w = trine_checkpoint_tensor(want, i), *g = trine_checkpoint_find(got, w->name);
        assert_non_null(g);
        assert_memory_equal(g->shape, w->shape, sizeof w->shape);
        const size_t n = (size_t)(w->shape[0] * w->shape[1]);
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
        trine_dtype_get(w->type)->unpack(x, w->data, n);
        trine_dtype_get(g->type)->unpack(y, g->data, n);
        double error = 0, all = 0;
        for (size_t k = 0; k < n; k++) {
            error += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
            all += (double)x[k] * (double)x[k];
        }
        if (!(error <= (w->n_dims < 2 ? 0 : share) * all)) fail_msg("'%s' lost %g of its squares", w->name, error / all);
        free(x);
        free(y);
    }
    trine_checkpoint_close(got);
    trine_checkpoint_close(want);
}

/* -------------------------------------------------------------------------------------------------------------- mixtures */

static trine_dtype type_in(const char *mixture, const char *name, int n_layers, bool has_output)
{
    const trine_place place = trine_place_of(name);
    return trine_mixture_type(trine_mixture_find(mixture), &place, n_layers, has_output);
}

static void test_mixtures(void **state)
{
    (void)state;
    for (int i = 0; trine_quantize_type(i); i++) assert_non_null(trine_mixture_find(trine_quantize_type(i)));
    assert_null(trine_mixture_find("q3_k"));
    assert_null(trine_mixture_find(NULL));
    assert_string_equal(trine_mixture_find("Q4_K_M")->name, "q4_k_m");
    /* 30 layers: 0 to 2, 26 to 29, and 5, 8... between. */
    for (int layer = 0; layer < 30; layer++) {
        char down[64], v[64];
        snprintf(down, sizeof down, "blk.%d.ffn_down.weight", layer);
        snprintf(v, sizeof v, "blk.%d.attn_v.weight", layer);
        const bool more = layer < 3 || layer >= 26 || layer % 3 == 2;
        assert_int_equal(type_in("q4_k_m", down, 30, true), more ? TRINE_Q6_K : TRINE_Q4_K);
        assert_int_equal(type_in("q5_k_m", v, 30, true), more ? TRINE_Q6_K : TRINE_Q5_K);
        assert_int_equal(type_in("q4_k_s", down, 30, true), layer < 3 ? TRINE_Q5_K : TRINE_Q4_K);
        assert_int_equal(type_in("q4_k_s", v, 30, true), layer < 4 ? TRINE_Q5_K : TRINE_Q4_K);
        assert_int_equal(type_in("q4_0", v, 30, true), TRINE_Q4_0);
        assert_int_equal(type_in("q5_k_s", v, 30, true), TRINE_Q5_K);
    }
    assert_int_equal(type_in("q4_k_m", "blk.0.attn_qkv.weight", 12, true), TRINE_Q5_K);
    assert_int_equal(type_in("q5_k_m", "blk.0.attn_qkv.weight", 12, true), TRINE_Q6_K);
    assert_int_equal(type_in("q4_k_m", "blk.0.attn_q.weight", 12, true), TRINE_Q4_K);
    assert_int_equal(type_in("q4_k_m", "enc.blk.2.attn_v.weight", 6, true), TRINE_Q6_K);
    assert_int_equal(type_in("q4_k_m", "dec.blk.1.cross_attn_v.weight", 6, true), TRINE_Q4_K);
    static const char *const outputs[] = { "output.weight", "cls.predictions.decoder.weight", "lm_head.decoder.weight",
                                           "vocab_projector.weight" };
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        assert_int_equal(type_in("q4_0", outputs[i], 4, true), TRINE_Q6_K);
        assert_int_equal(type_in("q8_0", outputs[i], 4, true), TRINE_Q8_0);
        assert_int_equal(type_in("bf16", outputs[i], 4, true), TRINE_BF16);
    }
    assert_int_equal(type_in("q4_0", "token_embd.weight", 4, true), TRINE_Q4_0);
    assert_int_equal(type_in("q4_0", "token_embd.weight", 4, false), TRINE_Q6_K);
    static const char *const exact[] = { "position_embd.weight", "token_types.weight", "enc.blk.0.attn_rel_b.weight",
                                         "dec.blk.0.cross_attn_rel_b.weight", "cls.output.weight" };
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        assert_int_equal(type_in("q4_k_m", exact[i], 4, true), TRINE_DTYPE_DEFAULT);

    assert_int_equal(trine_type_for_row(TRINE_Q4_K, 512), TRINE_Q4_K);
    assert_int_equal(trine_type_for_row(TRINE_Q4_K, 576), TRINE_Q5_0);
    assert_int_equal(trine_type_for_row(TRINE_Q5_K, 576), TRINE_Q5_1);
    assert_int_equal(trine_type_for_row(TRINE_Q6_K, 576), TRINE_Q8_0);
    assert_int_equal(trine_type_for_row(TRINE_Q4_0, 576), TRINE_Q4_0);
    assert_int_equal(trine_type_for_row(TRINE_Q6_K, 100), TRINE_F16);
    assert_int_equal(trine_type_for_row(TRINE_Q4_0, 100), TRINE_F16);
    assert_int_equal(trine_type_for_row(TRINE_F32, 100), TRINE_F32);
}

/* The types reach the file, with the values, the heads of q in their new order, and llama.cpp's number of the mixture. */
static void test_file(void **state)
{
    (void)state;
    const char *in = llama(8, 256, false), *out = temp_path("q.gguf");
    const trine_quantize_result r = quantize(out, in, (trine_quantize_options) { .type = "q4_k_m" });
    trine_checkpoint *c = open_checkpoint(out);
    int64_t number;
    assert_true(trine_gguf_get_int(&number, trine_checkpoint_gguf(c), "general.file_type"));
    assert_int_equal(number, 15);
    expect_type(c, TRINE_Q4_K, "model.embed_tokens.weight", 0);
    expect_type(c, TRINE_Q6_K, "lm_head.weight", 0);
    expect_type(c, TRINE_F32, "model.norm.weight", 0);
    for (int i = 0; i < 8; i++) {
        const bool more = i < 1 || i >= 7 || (i - 1) % 3 == 2;
        expect_type(c, TRINE_Q4_K, "model.layers.*.self_attn.q_proj.weight", i);
        expect_type(c, more ? TRINE_Q6_K : TRINE_Q4_K, "model.layers.*.self_attn.v_proj.weight", i);
        expect_type(c, more ? TRINE_Q6_K : TRINE_Q4_K, "model.layers.*.mlp.down_proj.weight", i);
        expect_type(c, TRINE_F32, "model.layers.*.input_layernorm.weight", i);
    }
    int n = 0;
    int64_t values = 0, bytes = 0, before = 0;
    for (int i = 0; i < TRINE_DTYPE_COUNT; i++) {
        n += r.types[i].n_tensors;
        values += r.types[i].n_values;
        bytes += r.types[i].bytes;
        before += r.types[i].bytes_before;
    }
    assert_int_equal(n, 2 + 1 + 8 * 4);
    assert_int_equal(n, r.n_tensors);
    assert_int_equal(values, 81 * 256 + 8 * (8 * 4 * 256 + 256));
    assert_true(values == r.n_values && bytes == r.tensor_bytes && before == r.bytes_before && before == 4 * values);
    assert_int_equal(r.types[TRINE_Q4_K].bytes, r.types[TRINE_Q4_K].n_values / 256 * 144);
    assert_true(r.bytes > bytes && !r.from_quantised && r.n_replaced == 0);
    assert_string_equal(said, "");
    trine_checkpoint_close(c);
    expect_values(out, in, 0.008);
    forget_tensors();
}

/* A tied embedding is the output; rows that blocks do not divide get others, and that is said. */
static void test_rows(void **state)
{
    (void)state;
    const char *out = temp_path("q.gguf");
    trine_quantize_result r = quantize(out, llama(2, 96, true), (trine_quantize_options) { .type = "q4_k_m" });
    trine_checkpoint *c = open_checkpoint(out);
    expect_type(c, TRINE_Q8_0, "model.embed_tokens.weight", 0);
    expect_type(c, TRINE_Q5_0, "model.layers.0.self_attn.q_proj.weight", 0);
    assert_int_equal(r.n_replaced, 7);
    assert_non_null(strstr(said, "blocks of 256 do not divide: q5_0 in place of q4_k"));
    assert_non_null(strstr(said, "q8_0 in place of q6_k"));
    trine_checkpoint_close(c);
    expect_values(out, temp_path("in"), 0.003);
    r = quantize(out, llama(1, 20, true), (trine_quantize_options) { .type = "q5_1" });
    assert_int_equal(r.types[TRINE_F16].n_tensors, 4);
    assert_non_null(strstr(said, "f16 in place of q5_1"));
    forget_tensors();
}

static void test_own_choice(void **state)
{
    (void)state;
    static const trine_tensor_type own[] = { { "attn_v", TRINE_Q8_0 },
                                             { "blk.1.*", TRINE_BF16 },
                                             { "model.layers.2.mlp.down_proj.weight", TRINE_Q5_K },
                                             { "token_embd", TRINE_F16 } };
    const char *in = llama(4, 256, true), *out = temp_path("q.gguf");
    quantize(out, in, (trine_quantize_options) { .type = "q4_0", .tensor_types = own, .n_tensor_types = 4 });
    trine_checkpoint *c = open_checkpoint(out);
    for (int i = 0; i < 4; i++) {
        expect_type(c, i == 1 ? TRINE_BF16 : TRINE_Q4_0, "model.layers.*.self_attn.q_proj.weight", i);
        expect_type(c, i == 1 ? TRINE_BF16 : TRINE_Q8_0, "model.layers.*.self_attn.v_proj.weight", i);
        expect_type(c, i == 1 ? TRINE_BF16 : i == 2 ? TRINE_Q5_K : TRINE_Q4_0, "model.layers.*.mlp.down_proj.weight", i);
        expect_type(c, TRINE_F32, "model.layers.*.input_layernorm.weight", i);
    }
    expect_type(c, TRINE_F16, "model.embed_tokens.weight", 0);
    trine_checkpoint_close(c);
    forget_tensors();
}

/* ------------------------------------------------------------------------------------------------------------- the rules */

static void test_t5(void **state)
{
    (void)state;
    static const char *const models[] = { "t5-v1.0", "t5-v1.1", "mt5", "umt5", "t5-encoder" };
    static const char *const types[] = { "q4_0", "q8_0", "q4_k_m", "f16", "bf16", "f32" };
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            const char *out = temp_path("q.gguf");
            quantize(out, model(models[m]), (trine_quantize_options) { .type = types[t] });
            trine_checkpoint *c = open_checkpoint(out);
            const bool f32 = !strcmp(types[t], "f32");
            expect_type(c, f32 ? TRINE_F32 : TRINE_BF16, "encoder.block.0.layer.1.DenseReluDense.wo.weight", 0);
            expect_type(c, TRINE_F32, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 0);
            if (strcmp(models[m], "t5-encoder"))
                expect_type(c, f32 ? TRINE_F32 : TRINE_BF16, "decoder.block.1.layer.2.DenseReluDense.wo.weight", 0);
            assert_int_equal(strstr(said, "second matrices") != NULL, !f32 && strcmp(types[t], "bf16"));
            trine_checkpoint_close(c);
        }
    }
    static const trine_tensor_type own = { "ffn_down", TRINE_F32 };
    quantize(temp_path("own.gguf"), model("t5-v1.0"),
             (trine_quantize_options) { .type = "q4_0", .tensor_types = &own, .n_tensor_types = 1 });
    trine_checkpoint *c = open_checkpoint(temp_path("own.gguf"));
    expect_type(c, TRINE_F32, "encoder.block.0.layer.1.DenseReluDense.wo.weight", 0);
    trine_checkpoint_close(c);
}

/* Tables and a classifier's last matrix stay exact; every family's file opens as a model again. */
static void test_families(void **state)
{
    (void)state;
    DIR *dir = opendir(TRINE_FIXTURES "/models");
    assert_non_null(dir);
    int n_models = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char in[600], weights[700];
        if (e->d_name[0] == '.') continue;
        snprintf(in, sizeof in, "%s/models/%s", TRINE_FIXTURES, e->d_name);
        snprintf(weights, sizeof weights, "%s/model.safetensors", in);
        if (!trine_file_exists(weights)) continue;
        static const char *const outs[] = { "q.gguf", "f16" };
        const bool has_form = strcmp(e->d_name, "t5-classify") != 0 && strcmp(e->d_name, "umt5-tags") != 0; /* in GGUF */
        for (int i = has_form ? 0 : 1; i < 2; i++) {
            trine_quantize_options o = { .type = i ? "f16" : "q4_k_m" };
            trine_error err;
            trine_model *m;
            quantize(temp_path(outs[i]), in, o);
            if (trine_model_open(&m, temp_path(outs[i]), NULL, &err)) fail_msg("%s: %s", e->d_name, err.text);
            trine_tensor_info t;
            for (int k = 0; trine_model_tensor(&t, m, k); k++) {
                const bool table = strstr(t.name, "position_embd") || strstr(t.name, "token_types") || strstr(t.name, "_rel_b") ||
                                   strstr(t.name, "cls.output") || !strncmp(t.name, "score.", 6) ||
                                   !strncmp(t.name, "classifier.", 11) || t.n_dims < 2;
                if (i == 0 && table) assert_int_equal(t.type, TRINE_F32);
            }
            trine_model_close(m);
        }
        n_models++;
    }
    closedir(dir);
    assert_true(n_models > 20);
}

static void test_quantised_source(void **state)
{
    (void)state;
    const char *in = llama(2, 256, true);
    quantize(temp_path("a.gguf"), in, (trine_quantize_options) { .type = "q4_0" });
    trine_quantize_result r = quantize(temp_path("b.gguf"), temp_path("a.gguf"), (trine_quantize_options) { .type = "q4_0" });
    assert_true(r.from_quantised);
    assert_non_null(strstr(said, "quantised already (q4_0)"));
    trine_checkpoint *a = open_checkpoint(temp_path("a.gguf")), *b = open_checkpoint(temp_path("b.gguf"));
    for (int i = 0; i < trine_checkpoint_n_tensors(a); i++) {
        const trine_tensor *x = trine_checkpoint_tensor(a, i), *y = trine_checkpoint_find(b, x->name);
        assert_int_equal(x->type, y->type);
        assert_memory_equal(x->data, y->data, x->bytes);
    }
    trine_checkpoint_close(a);
    trine_checkpoint_close(b);
    r = quantize(temp_path("b.gguf"), temp_path("a.gguf"), (trine_quantize_options) { .type = "q8_0" });
    assert_int_equal(r.types[TRINE_Q8_0].n_tensors, 7);
    expect_values(temp_path("b.gguf"), temp_path("a.gguf"), 5e-5);
    forget_tensors();
}

/* -------------------------------------------------------------------------------------------------------------- refusals */

static bool stop_at(void *user, int done, int total)
{
    assert_in_range(done, 1, total);
    return done < *(int *)user;
}

static void test_refused(void **state)
{
    const char *folder = *state;
    const char *in = llama(2, 64, true), *a = a_path;
    snprintf(a_path, sizeof a_path, "%s", temp_path("a.gguf"));
    const trine_quantize_options q4 = { .type = "q4_0" };
    expect_refused(a, in, (trine_quantize_options) { 0 }, TRINE_ERROR_ARGUMENT, "'(none)'");
    expect_refused(a, in, (trine_quantize_options) { .type = "q3_k" }, TRINE_ERROR_ARGUMENT, "expected one of f32, f16");
    expect_refused("", in, q4, TRINE_ERROR_ARGUMENT, "expected the path");
    expect_refused(in, in, (trine_quantize_options) { .type = "f16" }, TRINE_ERROR_ARGUMENT, "the input itself");
    expect_refused(a, temp_path("none"), q4, TRINE_ERROR_NOT_FOUND, "none");
    expect_refused(temp_path("d"), in, q4, TRINE_ERROR_ARGUMENT, "safetensors has no quantised types such as q4_0");
    trine_tensor_type own = { "down_proj", TRINE_Q4_K };
    expect_refused(temp_path("d"), in, (trine_quantize_options) { .type = "f16", .tensor_types = &own, .n_tensor_types = 1 },
                   TRINE_ERROR_ARGUMENT, "safetensors has no quantised types such as q4_k");
    expect_refused(a, in, (trine_quantize_options) { .type = "q4_0", .container = "onnx" }, TRINE_ERROR_ARGUMENT, "onnx");
    expect_refused(a, in, (trine_quantize_options) { .type = "q4_0", .n_threads = -1 }, TRINE_ERROR_ARGUMENT, "n_threads");
    own.pattern = "ffn_dwon";
    expect_refused(a, in, (trine_quantize_options) { .type = "q4_0", .tensor_types = &own, .n_tensor_types = 1 },
                   TRINE_ERROR_ARGUMENT, "ffn_dwon");
    own.pattern = "norm";
    expect_refused(a, in, (trine_quantize_options) { .type = "q4_0", .tensor_types = &own, .n_tensor_types = 1 },
                   TRINE_ERROR_ARGUMENT, "vectors and small tables");
    own = (trine_tensor_type) { "attn_q", TRINE_I8 };
    expect_refused(a, in, (trine_quantize_options) { .type = "q4_0", .tensor_types = &own, .n_tensor_types = 1 },
                   TRINE_ERROR_ARGUMENT, "tensor_types[0]");
    for (int at = 1; at < 9; at += 3) {
        const trine_quantize_options stop = { .type = "q4_0", .on_progress = stop_at, .user = &at };
        expect_refused(a, in, stop, TRINE_ERROR_CANCELLED, "quantize: stopped");
    }
    temp_write("a.gguf", "x", 1);
    expect_refused(a, in, q4, TRINE_ERROR_IO, "exists already");
    remove(a);
    assert_int_equal(temp_count(folder), 1);

    /* Values that blocks cannot hold, wherever they are; bf16 holds the large one. */
    static const float bad[] = { INFINITY, -INFINITY, NAN, 1e30f };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        in = llama(2, 64, true);
        ((float *)(uintptr_t)tensors[4].data)[8 * 128 - 1] = bad[i]; /* the last */
        write_model("{\"model_type\":\"llama\",\"num_attention_heads\":2,\"hidden_size\":64,\"tie_word_embeddings\":true}");
        for (int threads = 1; threads < 4; threads++)
            expect_refused(a, in, (trine_quantize_options) { .type = "q8_0", .n_threads = threads }, TRINE_ERROR_NUMERIC,
                           "tensor 'blk.0.ffn_down.weight' holds the value");
        quantize(temp_path("b.gguf"), in, (trine_quantize_options) { .type = "bf16" });
        remove(temp_path("b.gguf"));
    }
    assert_int_equal(temp_count(folder), 1);
    forget_tensors();
}

static void test_threads(void **state)
{
    (void)state;
    const char *in = llama(2, 512, false);
    char *one, *many;
    size_t n_one, n_many;
    quantize(temp_path("one.gguf"), in, (trine_quantize_options) { .type = "q4_k_m", .n_threads = 1 });
    assert_int_equal(trine_file_read(&one, &n_one, temp_path("one.gguf"), 1 << 28, NULL), TRINE_OK);
    for (int threads = 2; threads < 6; threads++) {
        quantize(temp_path("many.gguf"), in, (trine_quantize_options) { .type = "q4_k_m", .n_threads = threads });
        assert_int_equal(trine_file_read(&many, &n_many, temp_path("many.gguf"), 1 << 28, NULL), TRINE_OK);
        assert_int_equal(n_one, n_many);
        assert_memory_equal(one, many, n_one);
        free(many);
    }
    free(one);
    forget_tensors();
}

static void test_full_disk(void **state)
{
    const char *folder = *state;
    const char *in = llama(2, 256, true);
    struct rlimit old, low;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    trine_error a = { 0 }, b = { 0 };
    const trine_quantize_options q4 = { .type = "q4_k_s" }, f16 = { .type = "f16" };
    const trine_status gguf = trine_quantize(NULL, temp_path("x.gguf"), in, &q4, &a);
    const trine_status hf = trine_quantize(NULL, temp_path("x"), in, &f16, &b);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(gguf, TRINE_ERROR_IO);
    assert_int_equal(hf, TRINE_ERROR_IO);
    assert_non_null(strstr(a.text, "cannot write"));
    assert_non_null(strstr(b.text, "cannot write"));
    assert_int_equal(temp_count(folder), 1);
    forget_tensors();
}

static void test_no_memory(void **state)
{
    const char *folder = *state;
    json_set_alloc_funcs(malloc, free);
    const char *in = llama(1, 64, true);
    static const trine_tensor_type own = { "attn_v", TRINE_Q8_0 };
    for (int threads = 1; threads < 3; threads++) {
        const trine_quantize_options o = {
            .type = "q4_k_m", .tensor_types = &own, .n_tensor_types = 1, .n_threads = threads, .overwrite = true
        };
        trine_status status;
        long k = 0;
        do {
            trine_error err = { 0 };
            alloc_fail_at(++k);
            status = trine_quantize(NULL, temp_path("x.gguf"), in, &o, &err);
            alloc_fail_at(0);
            if (status && status != TRINE_ERROR_MEMORY) fail_msg("allocation %ld: %s", k, err.text);
            assert_int_equal(temp_count(folder), threads > 1 || !status ? 2 : 1);
        } while (status && k < 100000);
        assert_int_equal(status, TRINE_OK);
        assert_true(k > 20);
    }
    expect_values(temp_path("x.gguf"), in, 0.003);
    forget_tensors();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_mixtures),         TEST(test_file),      TEST(test_rows),
        TEST(test_own_choice),       TEST(test_t5),        TEST(test_families),
        TEST(test_quantised_source), TEST(test_refused),   TEST(test_threads),
        TEST(test_full_disk),        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
