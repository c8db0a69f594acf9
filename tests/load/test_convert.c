/* test_convert.c - every model of the fixtures goes to GGUF and back with every value; outputs are whole or not there. */
#include <dirent.h>
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
#include "checkpoint/gguf_architecture.h"
#include "quant/quant.h"
#include "support/alloc.h"
#include "support/temp.h"
#include "trine/converting.h"

static const char models[] = TRINE_FIXTURES "/models";

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
    snprintf(path, sizeof path, "%s/%s", models, name);
    return path;
}

static trine_checkpoint *open_checkpoint(const char *path)
{
    trine_checkpoint *c;
    trine_error err;
    if (trine_checkpoint_open(&c, path, &err)) fail_msg("%s", err.text);
    return c;
}

static void convert(const char *out, const char *in, const trine_convert_options *options)
{
    trine_error err;
    trine_convert_result result;
    if (trine_convert(&result, out, in, options, &err)) fail_msg("%s: %s", in, err.text);
    assert_true(result.bytes > 0 && result.n_files > 0 && result.n_tensors > 0);
}

static void expect_refused(const char *out, const char *in, const trine_convert_options *options, trine_status status,
                           const char *says)
{
    trine_error err = { 0 };
    trine_convert_result result;
    assert_int_equal(trine_convert(&result, out, in, options, &err), status);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
    assert_int_equal(result.n_files, 0);
}

static float *values_of(const trine_tensor *t, size_t *n)
{
    *n = 1;
    for (int d = 0; d < t->n_dims; d++) *n *= (size_t)t->shape[d];
    float *values = malloc((*n + 1) * sizeof *values);
    trine_dtype_get(t->type)->unpack(values, t->data, *n);
    return values;
}

/* All tensors of `want` are in `got` with the same values, those of matrices rounded to half precision when `half`. */
static void expect_tensors(const trine_checkpoint *got, const trine_checkpoint *want, const char *name, bool half)
{
    assert_int_equal(trine_checkpoint_n_tensors(got), trine_checkpoint_n_tensors(want));
    for (int i = 0; i < trine_checkpoint_n_tensors(want); i++) {
        const trine_tensor *w = trine_checkpoint_tensor(want, i), *g = trine_checkpoint_find(got, w->name);
        /* From GGUF names come with their prefix, and a norm's gamma and beta are called weight and bias. */
        const trine_gguf_architecture *a = trine_gguf_architecture_of(trine_checkpoint_config(want));
        char newer[256];
        const int n_base = (int)(strrchr(w->name, '.') - w->name);
        const char *end = strstr(w->name, ".gamma") ? ".weight" : strstr(w->name, ".beta") ? ".bias" : w->name + n_base;
        for (int k = 0; !g && k < 2; k++) {
            snprintf(newer, sizeof newer, "%s%.*s%s", k ? a->prefix : "", n_base, w->name, end);
            g = trine_checkpoint_find(got, newer);
        }
        if (!g) fail_msg("%s: '%s' is lost", name, w->name);
        assert_int_equal(g->n_dims, w->n_dims);
        assert_memory_equal(g->shape, w->shape, sizeof w->shape);
        const bool rounded = half && g->n_dims >= 2;
        if (rounded) assert_int_equal(g->type, TRINE_F16);
        size_t n;
        float *x = values_of(w, &n), *y = values_of(g, &n);
        for (size_t k = 0; k < n; k++) {
            if (y[k] != (rounded ? trine_f16_to_f32(trine_f32_to_f16(x[k])) : x[k]))
                fail_msg("%s: '%s' has other values", name, w->name);
        }
        free(x);
        free(y);
    }
}

/* A configuration comes back as it was, but for the words that name the type of weights. */
static void expect_config(const trine_checkpoint *got, const trine_checkpoint *want, const char *name)
{
    json_t *g = json_deep_copy(trine_checkpoint_config(got)), *w = json_deep_copy(trine_checkpoint_config(want));
    static const char *const words[] = { "dtype", "torch_dtype" };
    for (int i = 0; i < 2; i++) {
        json_object_del(g, words[i]);
        json_object_del(w, words[i]);
    }
    if (!json_equal(g, w)) fail_msg("%s: config.json is not what it was", name);
    json_decref(g);
    json_decref(w);
}

static void test_round_trip(void **state)
{
    (void)state;
    DIR *dir = opendir(models);
    assert_non_null(dir);
    int n_models = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char in[600], weights[700];
        if (e->d_name[0] == '.') continue;
        snprintf(in, sizeof in, "%s/%s", models, e->d_name);
        snprintf(weights, sizeof weights, "%s/model.safetensors", in);
        if (!trine_file_exists(weights)) continue;
        const trine_convert_options again = { .overwrite = true }, half = { .overwrite = true, .type = TRINE_F16 };
        const bool has_form = strcmp(e->d_name, "t5-classify") != 0 && strcmp(e->d_name, "umt5-tags") != 0;
        if (has_form)
            convert(temp_path("a.gguf"), in, &again);
        else
            expect_refused(temp_path("none.gguf"), in, &again, TRINE_ERROR_UNSUPPORTED, "GGUF has no form for");
        convert(temp_path("b"), has_form ? temp_path("a.gguf") : in, &again);
        trine_checkpoint *source = open_checkpoint(in), *back = open_checkpoint(temp_path("b"));
        if (!strstr(e->d_name, "roberta") && !strstr(e->d_name, "camembert")) expect_tensors(back, source, e->d_name, false);
        expect_config(back, source, e->d_name);
        trine_checkpoint_close(back);
        trine_checkpoint_close(source);

        convert(temp_path("c"), in, &half);
        source = open_checkpoint(in), back = open_checkpoint(temp_path("c"));
        expect_tensors(back, source, e->d_name, true);
        trine_checkpoint_close(back);
        trine_checkpoint_close(source);
        n_models++;
    }
    closedir(dir);
    assert_in_range(n_models, 20, 1000);
}

/* RoBERTa's table of positions loses the rows before the pad token's, which nothing reads; all others are the same. */
/* What llama.cpp puts around a text of WordPiece is told by the names it looks for. */
static void test_wordpiece_ends(void **state)
{
    (void)state;
    trine_gguf *g;
    int64_t bos, eos, cls, sep;
    convert(temp_path("w.gguf"), TRINE_FIXTURES "/command/bert-mlm", &(trine_convert_options) { .overwrite = true });
    assert_int_equal(trine_gguf_open(&g, temp_path("w.gguf"), NULL), TRINE_OK);
    assert_true(trine_gguf_get_int(&bos, g, "tokenizer.ggml.bos_token_id") &&
                trine_gguf_get_int(&eos, g, "tokenizer.ggml.eos_token_id"));
    assert_true(trine_gguf_get_int(&cls, g, "tokenizer.ggml.cls_token_id") &&
                trine_gguf_get_int(&sep, g, "tokenizer.ggml.seperator_token_id"));
    assert_true(bos == cls && eos == sep && bos != eos);
    trine_gguf_close(g);
}

static void test_positions(void **state)
{
    (void)state;
    static const char name[] = "roberta.embeddings.position_embeddings.weight";
    convert(temp_path("a.gguf"), model("roberta-mlm"), NULL);
    trine_checkpoint *source = open_checkpoint(model("roberta-mlm")), *back = open_checkpoint(temp_path("a.gguf"));
    const trine_tensor *w = trine_checkpoint_find(source, name), *g = trine_checkpoint_find(back, name);
    assert_memory_equal(g->shape, w->shape, sizeof w->shape);
    const size_t row = (size_t)w->shape[1] * sizeof(float);
    assert_memory_equal((const char *)g->data + row, (const char *)w->data + row, w->bytes - row);
    assert_string_equal(g->file_name, "position_embd.weight");
    trine_checkpoint_forget(back, g);
    assert_memory_equal((const char *)g->data + row, (const char *)w->data + row, w->bytes - row);
    trine_checkpoint_close(back);
    trine_checkpoint_close(source);
}

/* What a GGUF file holds for Llama: rows in pairs, and the layout that other readers expect. */
static void test_pairs(void **state)
{
    (void)state;
    static const char name[] = "model.layers.0.self_attn.k_proj.weight";
    convert(temp_path("a.gguf"), model("llama3"), NULL);
    trine_checkpoint *source = open_checkpoint(model("llama3")), *file = open_checkpoint(temp_path("a.gguf"));
    const json_t *config = trine_checkpoint_config(source);
    const int64_t heads = json_integer_value(json_object_get(config, "num_key_value_heads"));
    const trine_tensor *w = trine_checkpoint_find(source, name), *g = trine_checkpoint_find(file, name);
    assert_int_equal(g->type, w->type);
    const size_t row = w->bytes / (size_t)w->shape[0], d_head = (size_t)(w->shape[0] / heads);
    for (size_t h = 0; h < (size_t)heads; h++) {
        for (size_t i = 0; i < d_head / 2; i++) {
            const char *head_w = (const char *)w->data + h * d_head * row, *head_g = (const char *)g->data + h * d_head * row;
            assert_memory_equal(head_g + 2 * i * row, head_w + i * row, row);
            assert_memory_equal(head_g + (2 * i + 1) * row, head_w + (i + d_head / 2) * row, row);
        }
    }
    assert_true(json_is_true(json_object_get(trine_checkpoint_config(file), "trine_rope_interleaved")));
    assert_non_null(trine_checkpoint_find(file, "rope_freqs.weight"));
    trine_checkpoint_close(file);
    trine_checkpoint_close(source);
}

/* Without "trine.config" the keys of other writers must do: the same model comes out. */
static void test_foreign(void **state)
{
    (void)state;
    static const char *const names[] = { "llama2",  "llama3",           "qwen2",     "qwen3", "gpt2", "bert-plain",
                                         "t5-v1.0", "flan-t5-before-5", "t5-encoder" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const trine_convert_options again = { .overwrite = true };
        convert(temp_path("a.gguf"), model(names[i]), &again);
        char *bytes;
        size_t n;
        assert_int_equal(trine_file_read(&bytes, &n, temp_path("a.gguf"), 1 << 26, NULL), TRINE_OK);
        char *key = memmem(bytes, n, "trine.config", 12);
        assert_non_null(key);
        memcpy(key, "other.config", 12); /* nobody knows this key */
        temp_write("a.gguf", bytes, n);
        free(bytes);
        convert(temp_path("b"), temp_path("a.gguf"), &again);
        trine_checkpoint *source = open_checkpoint(model(names[i])), *back = open_checkpoint(temp_path("b"));
        expect_tensors(back, source, names[i], false);
        const json_t *want = trine_checkpoint_config(source), *got = trine_checkpoint_config(back);
        static const char *const keys[] = { "model_type",
                                            "hidden_size",
                                            "num_hidden_layers",
                                            "num_attention_heads",
                                            "num_key_value_heads",
                                            "head_dim",
                                            "intermediate_size",
                                            "max_position_embeddings",
                                            "vocab_size",
                                            "n_embd",
                                            "n_layer",
                                            "n_head",
                                            "n_positions",
                                            "d_model",
                                            "d_ff",
                                            "d_kv",
                                            "num_layers",
                                            "num_heads",
                                            "num_decoder_layers",
                                            "feed_forward_proj",
                                            "relative_attention_num_buckets",
                                            "tie_word_embeddings",
                                            "decoder_start_token_id" };
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const json_t *w = json_object_get(want, keys[k]), *g = json_object_get(got, keys[k]);
            if (w && g && !json_equal(w, g)) fail_msg("%s: \"%s\" differs", names[i], keys[k]);
        }
        const json_t *scaling = json_object_get(want, "rope_parameters");
        const char *type = json_string_value(json_object_get(scaling, "rope_type"));
        if (type && !strcmp(type, "llama3")) {
            /* Few frequencies leave a choice of numbers; what they do to the frequencies is the same. */
            float w[64], g[64];
            const int n_factors = (int)json_integer_value(json_object_get(want, "head_dim")) / 2;
            const double theta = json_number_value(json_object_get(scaling, "rope_theta"));
            assert_true(trine_rope_factors_make(w, n_factors, theta, scaling));
            assert_true(trine_rope_factors_make(g, n_factors, theta, json_object_get(got, "rope_scaling")));
            for (int k = 0; k < n_factors; k++) assert_true(w[k] - g[k] < 1e-5f && g[k] - w[k] < 1e-5f);
        }
        trine_checkpoint_close(back);
        trine_checkpoint_close(source);
    }
}

static void test_shards(void **state)
{
    (void)state;
    const trine_convert_options options = { .shard_bytes = 4000 };
    trine_convert_result result;
    assert_int_equal(trine_convert(&result, temp_path("out"), model("bert-plain"), &options, NULL), TRINE_OK);
    assert_true(trine_file_exists(temp_path("out/model.safetensors.index.json")));
    assert_false(trine_file_exists(temp_path("out/model.safetensors")));
    assert_in_range(result.n_files, 4, 100);
    assert_int_equal(temp_count(temp_path("out")), result.n_files);
    trine_checkpoint *source = open_checkpoint(model("bert-plain")), *back = open_checkpoint(temp_path("out"));
    expect_tensors(back, source, "bert-plain", false);
    trine_checkpoint_close(back);
    trine_checkpoint_close(source);
}

/* Blocks are copied bit by bit from GGUF to GGUF, and unpacked for safetensors: f16 for matrices unless told, norms as they were. */
static void test_quantised(void **state)
{
    (void)state;
    static float matrix[4 * 64], norm[64];
    for (int i = 0; i < 4 * 64; i++) matrix[i] = (float)(i * 37 % 101 - 50) / 50;
    for (int i = 0; i < 64; i++) norm[i] = 1 + (float)i / 1000;
    const trine_tensor tensors[] = { { .name = "model.embed_tokens.weight",
                                       .type = TRINE_F32,
                                       .n_dims = 2,
                                       .shape = { 4, 64, 1, 1 },
                                       .data = matrix,
                                       .bytes = sizeof matrix },
                                     { .name = "model.layers.0.self_attn.q_proj.weight",
                                       .type = TRINE_F32,
                                       .n_dims = 2,
                                       .shape = { 4, 64, 1, 1 },
                                       .data = matrix,
                                       .bytes = sizeof matrix },
                                     { .name = "model.norm.weight",
                                       .type = TRINE_F32,
                                       .n_dims = 1,
                                       .shape = { 64, 1, 1, 1 },
                                       .data = norm,
                                       .bytes = sizeof norm } };
    static const char config[] = "{\"model_type\":\"llama\",\"num_attention_heads\":2,\"hidden_size\":64}";
    mkdir(temp_path("in"), 0777);
    temp_write("in/config.json", config, sizeof config - 1);
    assert_int_equal(trine_safetensors_write(temp_path("in/model.safetensors"), tensors, 3, NULL, false, NULL), TRINE_OK);
    static const trine_dtype types[] = { TRINE_Q8_0, TRINE_Q4_0, TRINE_Q4_1, TRINE_Q5_0, TRINE_Q5_1 };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const trine_convert_options f32 = { .type = TRINE_F32, .overwrite = true }, again = { .overwrite = true };
        const trine_tensor_type all = { "*", types[i] };
        const trine_quantize_options pack = { .type = "f32", .tensor_types = &all, .n_tensor_types = 1, .overwrite = true };
        assert_int_equal(trine_quantize(NULL, temp_path("q.gguf"), temp_path("in"), &pack, NULL), TRINE_OK);
        convert(temp_path("same.gguf"), temp_path("q.gguf"), &again);
        convert(temp_path("f32"), temp_path("q.gguf"), &f32);
        convert(temp_path("f16"), temp_path("q.gguf"), &again);
        trine_checkpoint *q = open_checkpoint(temp_path("q.gguf")), *same = open_checkpoint(temp_path("same.gguf"));
        trine_checkpoint *whole = open_checkpoint(temp_path("f32")), *half = open_checkpoint(temp_path("f16"));
        for (int k = 0; k < 3; k++) {
            const trine_tensor *a = trine_checkpoint_find(q, tensors[k].name), *b = trine_checkpoint_find(same, tensors[k].name);
            assert_int_equal(a->type, tensors[k].n_dims == 2 ? types[i] : TRINE_F32);
            assert_int_equal(b->type, a->type);
            assert_memory_equal(b->data, a->data, a->bytes);
        }
        unsigned char packed[4 * 64 * 2];
        float unpacked[4 * 64];
        trine_dtype_get(types[i])->fit(packed, matrix, 4 * 64);
        trine_dtype_get(types[i])->unpack(unpacked, packed, 4 * 64);
        for (int k = 0; k < 2; k++) /* the second has its rows moved there and back */
            assert_memory_equal(trine_checkpoint_find(whole, tensors[k].name)->data, unpacked, sizeof unpacked);
        expect_tensors(half, whole, "quantised", true);
        assert_string_equal(json_string_value(json_object_get(trine_checkpoint_config(half), "dtype")), "float16");
        trine_checkpoint_close(q);
        trine_checkpoint_close(same);
        trine_checkpoint_close(whole);
        trine_checkpoint_close(half);
    }
}

/* ------------------------------------------------------------------------------------------------------------ refusals */

static bool stop_at(void *user, int done, int total)
{
    assert_in_range(done, 1, total);
    return done < *(int *)user;
}

static void test_refused(void **state)
{
    const char *folder = *state;
    const trine_convert_options none = { 0 }, again = { .overwrite = true };
    const char *in = model("gpt2");
    expect_refused("", in, &none, TRINE_ERROR_ARGUMENT, "expected the path");
    expect_refused(temp_path("a.gguf"), temp_path("none"), &none, TRINE_ERROR_NOT_FOUND, "none");
    expect_refused(temp_path("no/a.gguf"), in, &none, TRINE_ERROR_IO, "a.gguf");
    expect_refused(temp_path("no/a"), in, &none, TRINE_ERROR_IO, "beside");
    expect_refused(temp_path("a"), in, &(trine_convert_options) { .container = "onnx" }, TRINE_ERROR_ARGUMENT, "onnx");
    expect_refused(temp_path("a"), in, &(trine_convert_options) { .type = TRINE_Q8_0 }, TRINE_ERROR_ARGUMENT, "q8_0");
    expect_refused(temp_path("a.gguf"), in, &(trine_convert_options) { .type = TRINE_Q4_K }, TRINE_ERROR_ARGUMENT,
                   "quantize writes");
    expect_refused(temp_path("a.gguf"), in, &(trine_convert_options) { .type = TRINE_I8 }, TRINE_ERROR_ARGUMENT, "i8");
    expect_refused(temp_path("a.gguf"), in, &(trine_convert_options) { .type = (trine_dtype)77 }, TRINE_ERROR_ARGUMENT, "unknown");
    assert_int_equal(temp_count(folder), 0);

    /* The input itself, by any of its names. */
    convert(temp_path("m"), in, NULL);
    expect_refused(temp_path("m"), temp_path("m"), &again, TRINE_ERROR_ARGUMENT, "the input itself");
    expect_refused(temp_path("m/"), temp_path("m/model.safetensors"), &again, TRINE_ERROR_ARGUMENT, "the input itself");
    convert(temp_path("m.gguf"), in, NULL);
    expect_refused(temp_path("m.gguf"), temp_path("m.gguf"), &again, TRINE_ERROR_ARGUMENT, "the input itself");

    /* What exists is replaced only when asked, and only a model. */
    expect_refused(temp_path("m"), in, &none, TRINE_ERROR_IO, "exists already");
    expect_refused(temp_path("m.gguf"), in, &none, TRINE_ERROR_IO, "exists already");
    convert(temp_path("m"), in, &again);
    convert(temp_path("m/"), in, &again);
    mkdir(temp_path("m/notes"), 0777);
    expect_refused(temp_path("m"), in, &again, TRINE_ERROR_IO, "'notes', which is no part of a model");
    mkdir(temp_path("home"), 0777);
    convert(temp_path("home"), in, NULL); /* an empty folder is as good as none */
    remove(temp_path("home/config.json"));
    expect_refused(temp_path("home"), in, &again, TRINE_ERROR_IO, "not a model's directory");
    temp_write("file", "x", 1);
    expect_refused(temp_path("file"), in, &again, TRINE_ERROR_IO, "not a directory");
    assert_int_equal(temp_count(folder), 4);

    /* Stopped on the way. */
    for (int at = 1; at < 28; at += 13) {
        const trine_convert_options stop = { .overwrite = true, .on_progress = stop_at, .user = &at };
        expect_refused(temp_path("x.gguf"), in, &stop, TRINE_ERROR_CANCELLED, "stopped");
        expect_refused(temp_path("x"), in, &stop, TRINE_ERROR_CANCELLED, "stopped");
    }
    assert_int_equal(temp_count(folder), 4);

    temp_write("config.json", "{\"model_type\":\"mamba\"}", 22);
    const float one = 1;
    const trine_tensor t = { .name = "a", .type = TRINE_F32, .n_dims = 1, .shape = { 1, 1, 1, 1 }, .data = &one, .bytes = 4 };
    assert_int_equal(trine_safetensors_write(temp_path("model.safetensors"), &t, 1, NULL, false, NULL), TRINE_OK);
    expect_refused(temp_path("x.gguf"), folder, &none, TRINE_ERROR_UNSUPPORTED, "mamba");
}

static void test_too_large(void **state)
{
    (void)state;
    const float values[4] = { 1, 70000, 2, 3 };
    const trine_tensor t = {
        .name = "wte.weight", .type = TRINE_F32, .n_dims = 2, .shape = { 2, 2, 1, 1 }, .data = values, .bytes = 16
    };
    temp_write("config.json", "{\"model_type\":\"gpt2\",\"n_embd\":2}", 32);
    assert_int_equal(trine_safetensors_write(temp_path("model.safetensors"), &t, 1, NULL, false, NULL), TRINE_OK);
    expect_refused(temp_path("x.gguf"), temp_path("."), &(trine_convert_options) { .type = TRINE_F16 }, TRINE_ERROR_NUMERIC,
                   "70000");
    convert(temp_path("x.gguf"), temp_path("."), &(trine_convert_options) { .type = TRINE_BF16 });
}

/* A full disk, played by a limit on the size of files. */
static void test_full_disk(void **state)
{
    const char *folder = *state;
    struct rlimit old, low;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    trine_error a = { 0 }, b = { 0 };
    const trine_status gguf = trine_convert(NULL, temp_path("x.gguf"), model("gpt2"), NULL, &a);
    const trine_status hf = trine_convert(NULL, temp_path("x"), model("gpt2"), NULL, &b);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(gguf, TRINE_ERROR_IO);
    assert_int_equal(hf, TRINE_ERROR_IO);
    assert_non_null(strstr(a.text, "cannot write"));
    assert_non_null(strstr(b.text, "cannot write"));
    assert_int_equal(temp_count(folder), 0);
}

static void test_no_memory(void **state)
{
    const char *folder = *state;
    json_set_alloc_funcs(malloc, free);
    static const char *const outs[] = { "x.gguf", "x" };
    for (int i = 0; i < 2; i++) {
        trine_status status;
        long k = 0;
        do {
            trine_error err = { 0 };
            alloc_fail_at(++k);
            status = trine_convert(NULL, temp_path(outs[i]), model("t5-v1.0"), NULL, &err);
            alloc_fail_at(0);
            if (status && status != TRINE_ERROR_MEMORY) fail_msg("allocation %ld: %s", k, err.text);
            assert_int_equal(temp_count(folder), status ? i : i + 1);
            if (k > 300 && status) k += 17; /* thousands of small strings: a sample of them */
        } while (status && k < 100000);
        assert_int_equal(status, TRINE_OK);
    }
    trine_checkpoint *source = open_checkpoint(model("t5-v1.0")), *back = open_checkpoint(temp_path("x"));
    expect_tensors(back, source, "t5-v1.0", false);
    expect_config(back, source, "t5-v1.0");
    trine_checkpoint_close(back);
    trine_checkpoint_close(source);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip), TEST(test_wordpiece_ends), TEST(test_positions), TEST(test_pairs),
        TEST(test_foreign),    TEST(test_shards),         TEST(test_quantised), TEST(test_refused),
        TEST(test_too_large),  TEST(test_full_disk),      TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
