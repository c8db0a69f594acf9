/* test_gguf.c - the GGUF container: what is read from sound files, and what is refused in others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_architecture.h"
#include "checkpoint/gguf_write.h"
#include "support/alloc.h"
#include "support/temp.h"

static int set_up(void **state) { return *state = (void *)(uintptr_t)temp_make(), 0; }
static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

/* A file by hand, byte by byte: the reader is not to be tested against our own writer alone. */
static void put(trine_buffer *b, uint64_t v, int n)
{
    for (; n; n--, v >>= 8) trine_buffer_putc(b, (char)v);
}
static void put_text(trine_buffer *b, const char *text)
{
    put(b, strlen(text), 8);
    trine_buffer_puts(b, text);
}
static void start(trine_buffer *b, uint32_t version, uint64_t n_tensors, uint64_t n_pairs)
{
    trine_buffer_puts(b, "GGUF");
    put(b, version, 4);
    put(b, n_tensors, 8);
    put(b, n_pairs, 8);
}
static void put_pair(trine_buffer *b, const char *key, uint32_t kind, uint64_t value, int n)
{
    put_text(b, key);
    put(b, kind, 4);
    put(b, value, n);
}
static void put_tensor(trine_buffer *b, const char *name, uint32_t n_dims, const uint64_t *dims, uint32_t type, uint64_t offset)
{
    put_text(b, name);
    put(b, n_dims, 4);
    for (uint32_t d = 0; d < n_dims; d++) put(b, dims[d], 8);
    put(b, type, 4);
    put(b, offset, 8);
}
static void pad(trine_buffer *b, size_t alignment)
{
    while (b->n % alignment) trine_buffer_putc(b, 0);
}

static trine_status open_bytes(trine_gguf **g, trine_buffer *b, trine_error *err)
{
    const char *path = temp_write("model.gguf", b->data, b->n);
    trine_buffer_clear(b);
    return trine_gguf_open(g, path, err);
}

static uint64_t bits_of(double d)
{
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

static void test_values(void **state)
{
    (void)state;
    trine_buffer b = { 0 };
    start(&b, 2, 0, 16);
    put_pair(&b, "u8", 0, 200, 1);
    put_pair(&b, "i8", 1, 0xFF, 1);
    put_pair(&b, "u16", 2, 60000, 2);
    put_pair(&b, "i16", 3, 0xFFFE, 2);
    put_pair(&b, "u32", 4, 4000000000u, 4);
    put_pair(&b, "i32", 5, 0xFFFFFFFD, 4);
    put_pair(&b, "f32", 6, 0x3FC00000, 4);
    put_pair(&b, "bool", 7, 1, 1);
    put_text(&b, "string");
    put(&b, 8, 4);
    put_text(&b, "words");
    put_pair(&b, "u64", 10, 1ull << 40, 8);
    put_pair(&b, "big", 10, UINT64_MAX, 8);
    put_pair(&b, "i64", 11, (uint64_t)-5, 8);
    put_pair(&b, "f64", 12, bits_of(0.1), 8);
    put_pair(&b, "ints", 9, 3, 4);
    put(&b, 2, 8);
    put(&b, 7, 2);
    put(&b, 0xFFFF, 2);
    put_pair(&b, "texts", 9, 8, 4);
    put(&b, 3, 8);
    put_text(&b, "a");
    put_text(&b, "");
    put_text(&b, "ccc");
    put_pair(&b, "floats", 9, 6, 4);
    put(&b, 1, 8);
    put(&b, 0x40000000, 4);
    trine_gguf *g;
    trine_error err;
    if (open_bytes(&g, &b, &err)) fail_msg("%s", err.text);
    static const struct {
        const char *key;
        int64_t value;
    } ints[] = { { "u8", 200 }, { "i8", -1 },  { "u16", 60000 },     { "i16", -2 }, { "u32", 4000000000 },
                 { "i32", -3 }, { "bool", 1 }, { "u64", 1ll << 40 }, { "i64", -5 } };
    int64_t v;
    double f;
    size_t n;
    trine_gguf_string s;
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        assert_true(trine_gguf_get_int(&v, g, ints[i].key));
        assert_true(v == ints[i].value);
        assert_false(trine_gguf_get_float(&f, g, ints[i].key));
        assert_false(trine_gguf_get_string(&s, g, ints[i].key));
        assert_false(trine_gguf_get_array(&n, g, ints[i].key));
    }
    assert_false(trine_gguf_get_int(&v, g, "big")); /* does not fit */
    assert_true(trine_gguf_get_float(&f, g, "f32") && f == 1.5);
    assert_true(trine_gguf_get_float(&f, g, "f64") && f == 0.1);
    assert_false(trine_gguf_get_int(&v, g, "f32"));
    assert_true(trine_gguf_get_string(&s, g, "string") && s.n == 5 && !memcmp(s.data, "words", 5));
    assert_true(trine_gguf_get_array(&n, g, "ints") && n == 2);
    assert_true(trine_gguf_array_int(&v, g, "ints", 1) && v == -1);
    assert_false(trine_gguf_array_int(&v, g, "ints", 2));
    assert_false(trine_gguf_array_float(&f, g, "ints", 0));
    assert_false(trine_gguf_array_string(&s, g, "ints", 0));
    assert_true(trine_gguf_array_string(&s, g, "texts", 2) && s.n == 3 && !memcmp(s.data, "ccc", 3));
    assert_true(trine_gguf_array_string(&s, g, "texts", 1) && s.n == 0);
    assert_false(trine_gguf_array_string(&s, g, "texts", 3));
    assert_true(trine_gguf_array_float(&f, g, "floats", 0) && f == 2);
    assert_false(trine_gguf_get_int(&v, g, "none"));
    assert_false(trine_gguf_get_int(&v, g, "ints"));
    assert_false(trine_gguf_array_int(&v, g, "u8", 0));
    assert_int_equal(trine_gguf_n_tensors(g), 0);
    assert_null(trine_gguf_tensor_at(g, 0));
    trine_gguf_string key, bytes;
    size_t n_pairs = 0;
    while (trine_gguf_pair_at(&key, &bytes, g, n_pairs)) n_pairs++;
    assert_int_equal(n_pairs, 16);
    trine_gguf_close(g);
    trine_gguf_close(NULL);
}

static void test_tensors(void **state)
{
    (void)state;
    const uint64_t a_dims[] = { 32, 2 }, b_dims[] = { 3 };
    trine_buffer b = { 0 };
    start(&b, 3, 2, 1);
    put_pair(&b, "general.alignment", 4, 64, 4);
    put_tensor(&b, "a", 2, a_dims, 8, 64); /* q8_0, lies second */
    put_tensor(&b, "b", 1, b_dims, 0, 0);
    pad(&b, 64);
    const size_t data = b.n;
    for (int i = 0; i < 64 + 68; i++) trine_buffer_putc(&b, (char)i);
    trine_gguf *g;
    trine_error err;
    if (open_bytes(&g, &b, &err)) fail_msg("%s", err.text);
    const trine_gguf_tensor *t = trine_gguf_tensor_at(g, 0);
    assert_string_equal(t->name, "a");
    assert_int_equal(t->type, TRINE_Q8_0);
    assert_int_equal(t->shape[0], 2);
    assert_int_equal(t->shape[1], 32);
    assert_int_equal(t->shape[2], 1);
    assert_int_equal(t->bytes, 68);
    assert_int_equal(*(const unsigned char *)t->data, 64);
    assert_ptr_equal(t->data, trine_gguf_mapping(g)->data + data + 64);
    trine_gguf_close(g);
}

/* Each changes a sound file of two tensors in one place. */
static void test_lies(void **state)
{
    (void)state;
    enum {
        MAGIC,
        VERSION_1,
        VERSION_9,
        BIG_ENDIAN_FILE,
        MANY_TENSORS,
        MANY_PAIRS,
        LONG_KEY,
        KIND_13,
        NESTED,
        LONG_ARRAY,
        LONG_STRING,
        TWICE,
        ALIGNMENT,
        DIMS_5,
        DIM_0,
        DIM_HUGE,
        TYPE_Q2,
        TYPE_99,
        BLOCK,
        OFFSET_ODD,
        OFFSET_FAR,
        OVERLAP,
        NO_NAME,
        LONG_NAME,
        CUT,
        N_LIES
    };
    static const struct {
        trine_status status;
        const char *says;
    } expected[N_LIES] = {
        [MAGIC] = { TRINE_ERROR_FORMAT, "does not start with" },
        [VERSION_1] = { TRINE_ERROR_UNSUPPORTED, "version 1, supported are 2 and 3" },
        [VERSION_9] = { TRINE_ERROR_UNSUPPORTED, "version 9" },
        [BIG_ENDIAN_FILE] = { TRINE_ERROR_UNSUPPORTED, "big-endian" },
        [MANY_TENSORS] = { TRINE_ERROR_FORMAT, "tensors, more than the file holds" },
        [MANY_PAIRS] = { TRINE_ERROR_FORMAT, "metadata entries, more than the file holds" },
        [LONG_KEY] = { TRINE_ERROR_FORMAT, "its metadata" },
        [KIND_13] = { TRINE_ERROR_FORMAT, "kind 13" },
        [NESTED] = { TRINE_ERROR_UNSUPPORTED, "array of arrays" },
        [LONG_ARRAY] = { TRINE_ERROR_FORMAT, "elements, more than the file holds" },
        [LONG_STRING] = { TRINE_ERROR_FORMAT, "a string of its metadata" },
        [TWICE] = { TRINE_ERROR_FORMAT, "twice" },
        [ALIGNMENT] = { TRINE_ERROR_FORMAT, "general.alignment is 48" },
        [DIMS_5] = { TRINE_ERROR_UNSUPPORTED, "5 dimensions" },
        [DIM_0] = { TRINE_ERROR_FORMAT, "dimension 0 of tensor 'a' is 0" },
        [DIM_HUGE] = { TRINE_ERROR_FORMAT, "no file can hold" },
        [TYPE_Q2] = { TRINE_ERROR_UNSUPPORTED, "type Q2_K (10)" },
        [TYPE_99] = { TRINE_ERROR_UNSUPPORTED, "type unknown (99)" },
        [BLOCK] = { TRINE_ERROR_FORMAT, "blocks of 32" },
        [OFFSET_ODD] = { TRINE_ERROR_FORMAT, "not aligned" },
        [OFFSET_FAR] = { TRINE_ERROR_FORMAT, "cut or damaged" },
        [OVERLAP] = { TRINE_ERROR_FORMAT, "overlaps" },
        [NO_NAME] = { TRINE_ERROR_FORMAT, "name is 0 bytes" },
        [LONG_NAME] = { TRINE_ERROR_FORMAT, "name is 2000 bytes" },
        [CUT] = { TRINE_ERROR_FORMAT, "cut or damaged" },
    };
    char long_name[2001];
    memset(long_name, 'x', 2000);
    long_name[2000] = 0;
    for (int lie = -1; lie < N_LIES; lie++) { /* -1: sound */
        trine_buffer b = { 0 };
        const uint64_t dims_a[5] = { lie == DIM_0      ? 0
                                     : lie == DIM_HUGE ? UINT64_MAX
                                     : lie == BLOCK    ? 24
                                                       : 32,
                                     lie == DIM_HUGE ? 1u << 31 : 2, 1, 1, 1 },
                       dims_b[1] = { 16 };
        start(&b,
              lie == VERSION_1         ? 1
              : lie == VERSION_9       ? 9
              : lie == BIG_ENDIAN_FILE ? 0x03000000
                                       : 3,
              lie == MANY_TENSORS ? 1ull << 60 : 2, lie == MANY_PAIRS ? 1ull << 60 : 3);
        if (lie == MAGIC) b.data[0] = 'g';
        put_pair(&b, "general.alignment", 4, lie == ALIGNMENT ? 48 : 32, 4);
        put_text(&b, lie == TWICE ? "general.alignment" : "text");
        if (lie == LONG_KEY) memset(b.data + b.n - 12, 0x7F, 8);
        put(&b, 8, 4);
        put_text(&b, "value");
        if (lie == LONG_STRING) memset(b.data + b.n - 13, 0x7F, 8);
        put_pair(&b, "array", lie == KIND_13 ? 13 : 9, lie == NESTED ? 9 : 4, 4);
        put(&b, lie == LONG_ARRAY ? 1ull << 62 : 1, 8);
        put(&b, 0, 4);
        put_tensor(&b,
                   lie == NO_NAME     ? ""
                   : lie == LONG_NAME ? long_name
                                      : "a",
                   lie == DIMS_5 ? 5 : 2, dims_a,
                   lie == TYPE_Q2   ? 10
                   : lie == TYPE_99 ? 99
                                    : 8,
                   lie == OFFSET_ODD ? 16 : 0);
        put_tensor(&b, "b", 1, dims_b, 0, lie == OFFSET_FAR ? UINT64_MAX - 31 : lie == OVERLAP ? 64 : 96);
        pad(&b, 32);
        for (int i = 0; i < 96 + 64 - (lie == CUT); i++) trine_buffer_putc(&b, (char)i);
        trine_gguf *g = (trine_gguf *)1;
        trine_error err = { 0 };
        const trine_status status = open_bytes(&g, &b, &err);
        if (lie < 0) {
            if (status) fail_msg("the sound file: %s", err.text);
            trine_gguf_close(g);
            continue;
        }
        assert_null(g);
        if (status != expected[lie].status || !strstr(err.text, expected[lie].says))
            fail_msg("lie %d: '%s', expected '%s'", lie, err.text, expected[lie].says);
    }
}

/* A file cut anywhere is refused, and never read past its end (a sanitizer would see it: the file is mapped to its page). */
static void test_cut(void **state)
{
    (void)state;
    trine_buffer b = { 0 };
    const uint64_t dims[] = { 4 };
    start(&b, 3, 1, 2);
    put_text(&b, "name");
    put(&b, 8, 4);
    put_text(&b, "value");
    put_pair(&b, "array", 9, 8, 4);
    put(&b, 2, 8);
    put_text(&b, "x");
    put_text(&b, "yz");
    put_tensor(&b, "t", 1, dims, 0, 0);
    pad(&b, 32);
    put(&b, 1, 8);
    put(&b, 1, 8);
    trine_gguf *g;
    for (size_t n = 1; n < b.n; n++) {
        const char *path = temp_write("cut.gguf", b.data, n);
        assert_int_equal(trine_gguf_open(&g, path, NULL), TRINE_ERROR_FORMAT);
    }
    assert_int_equal(open_bytes(&g, &b, NULL), TRINE_OK);
    trine_gguf_close(g);
    assert_int_equal(trine_gguf_open(&g, temp_path("none.gguf"), NULL), TRINE_ERROR_NOT_FOUND);
}

/* ------------------------------------------------------------------------------------------------------ as a checkpoint */

static void write_head(const char *name, const trine_gguf_head *h, const void *data, size_t n)
{
    trine_writer w;
    assert_int_equal(trine_writer_open(&w, temp_path(name), true, NULL), TRINE_OK);
    assert_int_equal(trine_gguf_head_write(&w, h, NULL), TRINE_OK);
    trine_writer_write(&w, data, n);
    assert_int_equal(trine_writer_commit(&w, NULL), TRINE_OK);
}

static void put_llama(trine_gguf_head *h)
{
    trine_gguf_put_string(h, "general.architecture", "llama");
    trine_gguf_put_u32(h, ".embedding_length", 8);
    trine_gguf_put_u32(h, ".block_count", 1);
    trine_gguf_put_u32(h, ".feed_forward_length", 16);
    trine_gguf_put_u32(h, ".attention.head_count", 2);
    trine_gguf_put_u32(h, ".context_length", 64);
    trine_gguf_put_f32(h, ".attention.layer_norm_rms_epsilon", 1e-5f);
}

static void test_checkpoint(void **state)
{
    (void)state;
    trine_gguf_head h = { .architecture = "llama" };
    const int64_t shape[] = { 5, 8 };
    static const float data[64] = { 1, 2, 3 };
    put_llama(&h);
    trine_gguf_put_u32(&h, "tokenizer.ggml.eos_token_id", 2);
    trine_gguf_put_string(&h, ".rope.scaling.type", "yarn");
    trine_gguf_put_f32(&h, ".rope.scaling.factor", 4);
    trine_gguf_put_u32(&h, ".rope.scaling.original_context_length", 16);
    trine_gguf_put_tensor(&h, "token_embd.weight", TRINE_F32, 2, shape, 160);
    trine_gguf_put_tensor(&h, "blk.0.attn_q.weight", TRINE_F32, 1, shape + 1, 32);
    trine_gguf_put_tensor(&h, "some.head.bias", TRINE_F32, 1, shape + 1, 32);
    write_head("model.gguf", &h, data, sizeof data);
    trine_gguf_head_clear(&h);

    trine_checkpoint *c;
    trine_error err;
    if (trine_checkpoint_open(&c, temp_path("model.gguf"), &err)) fail_msg("%s", err.text);
    const json_t *config = trine_checkpoint_config(c);
    char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    assert_string_equal(
        text,
        "{\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":false,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_"
        "size\":8,"
        "\"intermediate_size\":16,\"max_position_embeddings\":64,\"mlp_bias\":false,\"model_type\":\"llama\",\"num_attention_"
        "heads\":2,"
        "\"num_hidden_layers\":1,\"num_key_value_heads\":2,\"rms_norm_eps\":1e-5,"
        "\"rope_scaling\":{\"factor\":4.0,\"original_max_position_embeddings\":16,\"rope_type\":\"yarn\"},\"rope_theta\":10000.0,"
        "\"tie_word_embeddings\":true,\"trine_rope_interleaved\":true,\"vocab_size\":5}");
    free(text);
    assert_string_equal(trine_checkpoint_container(c), "gguf");
    assert_non_null(trine_checkpoint_gguf(c));
    const trine_tensor *t = trine_checkpoint_find(c, "model.embed_tokens.weight");
    assert_non_null(t);
    assert_string_equal(t->file_name, "token_embd.weight");
    assert_int_equal(t->shape[0], 5);
    assert_non_null(trine_checkpoint_find(c, "model.layers.0.self_attn.q_proj.weight"));
    assert_non_null(trine_checkpoint_find(c, "some.head.bias"));
    trine_checkpoint_forget(c, t);
    assert_true(*(const float *)t->data == 1);
    trine_checkpoint_close(c);

    /* The same file under a name that does not say what it is. */
    assert_int_equal(rename(temp_path("model.gguf"), temp_path("model.bin")), 0);
    assert_int_equal(trine_checkpoint_open(&c, temp_path("model.bin"), &err), TRINE_OK);
    trine_checkpoint_close(c);
}

static void test_refused(void **state)
{
    (void)state;
    enum { OTHER, UNNAMED, EXPERTS, PARTS, NO_LAYERS, BAD_CONFIG, TWO_NAMES, N_CASES };
    static const struct {
        trine_status status;
        const char *says;
    } expected[N_CASES] = {
        [OTHER] = { TRINE_ERROR_UNSUPPORTED, "supported in GGUF are llama, qwen2, qwen3, gpt2, bert, t5, t5encoder" },
        [UNNAMED] = { TRINE_ERROR_FORMAT, "general.architecture" },
        [EXPERTS] = { TRINE_ERROR_UNSUPPORTED, "8 experts" },
        [PARTS] = { TRINE_ERROR_UNSUPPORTED, "one of 3 parts" },
        [NO_LAYERS] = { TRINE_ERROR_FORMAT, "llama.embedding_length" },
        [BAD_CONFIG] = { TRINE_ERROR_FORMAT, "trine.config" },
        [TWO_NAMES] = { TRINE_ERROR_FORMAT, "twice" },
    };
    for (int i = 0; i < N_CASES; i++) {
        trine_gguf_head h = { .architecture = i == OTHER ? "mamba" : "llama" };
        if (i == OTHER)
            trine_gguf_put_string(&h, "general.architecture", "mamba");
        else if (i == NO_LAYERS)
            trine_gguf_put_string(&h, "general.architecture", "llama");
        else if (i != UNNAMED)
            put_llama(&h);
        if (i == EXPERTS) trine_gguf_put_u32(&h, ".expert_count", 8);
        if (i == PARTS) trine_gguf_put_u32(&h, "split.count", 3);
        if (i == BAD_CONFIG) trine_gguf_put_string(&h, "trine.config", "[1]");
        static const int64_t one = 1;
        if (i == TWO_NAMES) {
            trine_gguf_put_tensor(&h, "output_norm.weight", TRINE_F32, 1, &one, 4);
            trine_gguf_put_tensor(&h, "model.norm.weight", TRINE_F32, 1, &one, 4);
        }
        write_head("model.gguf", &h, (char[64]) { 0 }, 64);
        trine_gguf_head_clear(&h);
        trine_checkpoint *c;
        trine_error err = { 0 };
        assert_int_equal(trine_checkpoint_open(&c, temp_path("model.gguf"), &err), expected[i].status);
        if (!strstr(err.text, expected[i].says)) fail_msg("case %d: '%s', expected '%s'", i, err.text, expected[i].says);
        assert_null(c);
    }
}

/* Every row of every table: to Hugging Face and back, with and without the prefix. */
static void test_names(void **state)
{
    (void)state;
    for (int i = 0; trine_gguf_architectures[i]; i++) {
        const trine_gguf_architecture *a = trine_gguf_architectures[i];
        for (const trine_gguf_name *row = a->names; row->gguf; row++) {
            char name[128];
            const char *star = strchr(row->gguf, '*');
            if (star)
                snprintf(name, sizeof name, "%.*s17%s.weight", (int)(star - row->gguf), row->gguf, star + 1);
            else
                snprintf(name, sizeof name, "%s.bias", row->gguf);
            trine_buffer hf = { 0 }, back = { 0 };
            trine_gguf_name_to_hf(&hf, a, name, row->when != TRINE_WITHOUT_GATE);
            assert_string_not_equal(hf.data, name);
            assert_null(strchr(hf.data, '*'));
            trine_gguf_name_from_hf(&back, a, hf.data);
            assert_string_equal(back.data, name);
            const size_t n = strlen(a->prefix);
            if (n && !strncmp(hf.data, a->prefix, n)) {
                back.n = 0;
                trine_gguf_name_from_hf(&back, a, hf.data + n);
                assert_string_equal(back.data, name);
            }
            trine_buffer_clear(&hf);
            trine_buffer_clear(&back);
        }
        static const char *const others[] = { "blk.x.attn_q.weight",  "blk..attn_q.weight", "blk.1", "", ".weight",
                                              "cls.predictions.bias", "enc.blk.1.attn_q_" };
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            trine_buffer out = { 0 };
            trine_gguf_name_to_hf(&out, a, others[k], false);
            assert_string_equal(out.data, others[k]);
            trine_buffer_clear(&out);
        }
    }
}

/* Llama 3.1's factors: the published scaling is found again from them, another is not. */
static void test_rope_factors(void **state)
{
    (void)state;
    float factors[64];
    json_t *scaling = json_pack("{s:s,s:f,s:f,s:f,s:i}", "rope_type", "llama3", "factor", 8.0, "low_freq_factor", 1.0,
                                "high_freq_factor", 4.0, "original_max_position_embeddings", 8192);
    assert_true(trine_rope_factors_make(factors, 64, 500000, scaling));
    assert_true(factors[0] == 1 && factors[63] == 8);
    for (int i = 1; i < 64; i++) assert_true(factors[i] >= factors[i - 1]);
    double factor;
    int original;
    assert_true(trine_rope_factors_explain(&factor, &original, factors, 64, 500000));
    assert_true(factor == 8 && original == 8192);
    factors[5] = 3;
    assert_false(trine_rope_factors_explain(&factor, &original, factors, 64, 500000));
    factors[63] = 0;
    assert_false(trine_rope_factors_explain(&factor, &original, factors, 64, 500000));
    assert_false(trine_rope_factors_explain(&factor, &original, factors, 0, 500000));
    json_object_del(scaling, "factor");
    assert_false(trine_rope_factors_make(factors, 64, 500000, scaling));
    json_decref(scaling);
}

static void test_no_memory(void **state)
{
    (void)state;
    trine_gguf_head h = { .architecture = "llama" };
    static const char *const texts[] = { "a", "b" };
    static const int64_t shape[] = { 5, 8 };
    put_llama(&h);
    trine_gguf_put_strings(&h, "tokenizer.ggml.tokens", texts, 2);
    trine_gguf_put_tensor(&h, "token_embd.weight", TRINE_F32, 2, shape, 160);
    write_head("model.gguf", &h, (char[160]) { 0 }, 160);
    trine_gguf_head_clear(&h);
    json_set_alloc_funcs(malloc, free); /* so that jansson fails too */
    char *whole = NULL;
    trine_status status = TRINE_OK;
    for (long k = 0; k < 1000; k++) { /* 0: none fails */
        trine_checkpoint *c;
        trine_error err = { 0 };
        alloc_fail_at(k);
        status = trine_checkpoint_open(&c, temp_path("model.gguf"), &err);
        alloc_fail_at(0);
        if (status != TRINE_OK && status != TRINE_ERROR_MEMORY) fail_msg("allocation %ld: %s", k, err.text);
        if (!status) { /* and then nothing may be missing */
            char *text = json_dumps(trine_checkpoint_config(c), 0);
            if (!whole)
                whole = text;
            else {
                assert_string_equal(text, whole);
                free(text);
                assert_in_range(k, 30, 999);
                trine_checkpoint_close(c);
                break;
            }
        }
        trine_checkpoint_close(c);
    }
    assert_int_equal(status, TRINE_OK);
    free(whole);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = { TEST(test_values), TEST(test_tensors),      TEST(test_lies),
                                        TEST(test_cut),    TEST(test_checkpoint),   TEST(test_refused),
                                        TEST(test_names),  TEST(test_rope_factors), TEST(test_no_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
