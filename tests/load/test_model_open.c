/* test_model_open.c - a path becomes a model: what lies around the weights, and what is said when something is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
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

static void write_text(const char *name, const char *text) { temp_write(name, text, strlen(text)); }

/* A model of the fixtures, copied so that files can be laid beside it. */
static void copy_model(const char *name)
{
    static const char *const files[] = { "config.json", "model.safetensors" };
    for (int i = 0; i < 2; i++) {
        char path[512], *bytes;
        size_t n;
        snprintf(path, sizeof path, "%s/models/%s/%s", TRINE_FIXTURES, name, files[i]);
        assert_int_equal(trine_file_read(&bytes, &n, path, 1 << 24, NULL), TRINE_OK);
        temp_write(files[i], bytes, n);
        free(bytes);
    }
}

static trine_model *open_model(const char *path, const trine_model_options *options)
{
    trine_model *m;
    trine_error err;
    if (trine_model_open(&m, path, options, &err)) fail_msg("%s", err.text);
    return m;
}

static void expect_refused(const char *path, const trine_model_options *options, trine_status status, const char *says)
{
    trine_model *m = (trine_model *)1;
    trine_error err = { 0 };
    assert_int_equal(trine_model_open(&m, path, options, &err), status);
    assert_null(m);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
}

static void count_line(void *user, const char *text)
{
    assert_non_null(strstr(text, "tokenizer"));
    ++*(int *)user;
}

/* The last line of the log that has `word`. */
typedef struct kept_line {
    const char *word;
    char text[512];
} kept_line;

static void keep_line(void *user, const char *text)
{
    kept_line *k = user;
    if (strstr(text, k->word)) snprintf(k->text, sizeof k->text, "%s", text);
}

/* What a model asks of transformers' generate() and does not get here is said, once and by its name. */
static void test_generation_config(void **state)
{
    const char *dir = *state;
    kept_line line = { .word = "generation_config" };
    const trine_model_options options = { .cpu = "scalar", .log = keep_line, .log_user = &line };
    copy_model("gpt2");
    write_text("generation_config.json",
               "{\"eos_token_id\": 1, \"num_beams\": 1, \"repetition_penalty\": 1.0, \"suppress_tokens\": []}");
    trine_model_close(open_model(dir, &options));
    assert_string_equal(line.text, "");
    write_text("generation_config.json", "{\"repetition_penalty\": 1.8, \"no_repeat_ngram_size\": 2, \"suppress_tokens\": [3]}");
    trine_model_close(open_model(dir, &options));
    assert_non_null(strstr(line.text, "repetition_penalty 1.8 no_repeat_ngram_size 2 suppress_tokens"));
}

static void test_facts(void **state)
{
    const char *dir = *state;
    int n_lines = 0;
    const trine_model_options options = { .cpu = "scalar", .log = count_line, .log_user = &n_lines };
    copy_model("bert-classify");
    trine_model *m = open_model(dir, &options);
    const trine_model_info *info = trine_model_get_info(m);
    assert_string_equal(info->path, dir);
    assert_string_equal(info->family, "bert");
    assert_string_equal(info->container, "safetensors");
    assert_string_equal(info->architecture, "BertForSequenceClassification");
    assert_int_equal(info->n_labels, 3);
    assert_non_null(trine_model_label(m, 2));
    assert_null(trine_model_label(m, 3));
    assert_null(trine_model_label(m, -1));
    assert_null(trine_model_get_tokenizer(m));
    assert_int_equal(n_lines, 1); /* the log says that there is none */
    const int n = trine_model_n_tensors(m);
    assert_in_range(n, 20, 100);
    trine_tensor_info t;
    size_t bytes = 0;
    for (int i = 0; i < n; i++) {
        assert_true(trine_model_tensor(&t, m, i));
        bytes += t.bytes;
        assert_int_equal(t.type, TRINE_BF16);
    }
    assert_in_range(bytes, 1000, 1 << 20);
    assert_false(trine_model_tensor(&t, m, n));
    assert_false(trine_model_tensor(&t, m, -1));
    trine_model_close(m);
    trine_model_close(NULL);
}

static void test_refused(void **state)
{
    const char *dir = *state;
    expect_refused("", NULL, TRINE_ERROR_ARGUMENT, "no path");
    expect_refused(temp_path("none"), NULL, TRINE_ERROR_NOT_FOUND, "none");
    expect_refused(dir, NULL, TRINE_ERROR_NOT_FOUND, "config.json");
    copy_model("gpt2");
    expect_refused(dir, &(trine_model_options) { .cpu = "mmx" }, TRINE_ERROR_ARGUMENT, "mmx");
    remove(temp_path("model.safetensors"));
    expect_refused(dir, NULL, TRINE_ERROR_NOT_FOUND, "looked for model.safetensors");
    copy_model("gpt2");
    write_text("config.json", "{\"model_type\":\"mamba\"}");
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "mamba");
    write_text("config.json", "{}");
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "model_type");
    write_text("config.json", "{\"model_type\":\"gpt2\",\"n_embd\":\"wide\"}");
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "n_embd");
    write_text("config.json",
               "{\"model_type\":\"t5\",\"d_model\":28,\"d_kv\":4,\"num_heads\":7,\"num_layers\":1,\"d_ff\":4,\"vocab_size\":310}");
    trine_model *m;
    trine_error err;
    assert_true(trine_model_open(&m, dir, NULL, &err)); /* another model's weights */
    assert_non_null(strstr(err.text, dir));
    assert_non_null(strstr(err.text, "missing"));
}

static void set_in_config(const char *key, json_t *value)
{
    json_t *config = json_load_file(temp_path("config.json"), 0, NULL);
    json_object_set_new(config, key, value);
    json_dump_file(config, temp_path("config.json"), 0);
    json_decref(config);
}

static void test_configurations_that_lie(void **state)
{
    const char *dir = *state;
    static const struct {
        const char *model, *key, *value;
    } cases[] = {
        { "llama-plain", "rope_scaling", "[1]" },
        { "llama-plain", "rope_parameters", "4" },
        { "t5-v1.0", "decoder_start_token_id", "1000000" },
        { "bert-classify", "id2label", "5" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        copy_model(cases[i].model);
        set_in_config(cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        expect_refused(dir, NULL, TRINE_ERROR_FORMAT, cases[i].key);
    }
}

/* A WordPiece vocabulary of n tokens. */
static void write_vocab(int n)
{
    char text[4096] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < n; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "w%d\n", i);
    write_text("vocab.txt", text);
}

static void test_tokenizer(void **state)
{
    const char *dir = *state;
    copy_model("bert-plain"); /* 97 rows */
    write_vocab(97);
    trine_model *m = open_model(dir, NULL);
    const trine_tokenizer *tokenizer = trine_model_get_tokenizer(m);
    assert_non_null(tokenizer);
    assert_int_equal(trine_tokenizer_vocab_size(tokenizer), 97);
    trine_model_close(m);
    write_vocab(40); /* embeddings are often padded */
    m = open_model(dir, NULL);
    assert_int_equal(trine_tokenizer_vocab_size(trine_model_get_tokenizer(m)), 40);
    trine_model_close(m);
    write_vocab(98);
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "98 tokens, but the model's embedding has 97 rows");
    remove(temp_path("vocab.txt"));
    write_text("tokenizer.json", "{\"version\":");
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "tokenizer.json");
    remove(temp_path("tokenizer.json"));

    /* A configuration of a tokenizer alone is none. */
    write_text("tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\"}");
    m = open_model(dir, NULL);
    assert_null(trine_model_get_tokenizer(m));
    trine_model_close(m);

    /* And the tokenizer by itself. */
    trine_tokenizer *alone;
    trine_error err;
    write_vocab(40);
    assert_int_equal(trine_tokenizer_open(&alone, dir, &err), TRINE_OK);
    trine_tokenizer_close(alone);
    assert_int_equal(trine_tokenizer_open(&alone, temp_path("vocab.txt"), &err), TRINE_OK);
    trine_tokenizer_close(alone);
    assert_int_equal(trine_tokenizer_open(&alone, "", &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_tokenizer_open(&alone, temp_path("none"), &err), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_tokenizer_open(&alone, temp_path("none.gguf"), &err), TRINE_ERROR_NOT_FOUND);
    assert_null(alone);
}

static void test_special_tokens(void **state)
{
    const char *dir = *state;
    copy_model("gpt2");
    json_t *config = json_load_file(temp_path("config.json"), 0, NULL);
    json_object_set_new(config, "eos_token_id", json_null());
    json_object_set_new(config, "bos_token_id", json_integer(7));
    json_dump_file(config, temp_path("config.json"), 0);
    json_decref(config);
    write_text("generation_config.json", "{\"eos_token_id\":[5,6],\"bos_token_id\":9,\"pad_token_id\":100000}");
    trine_model *m = open_model(dir, NULL);
    const trine_model_info *info = trine_model_get_info(m);
    assert_int_equal(info->bos, 7); /* config.json names it */
    assert_int_equal(info->eos, 5);
    assert_int_equal(info->pad, -1); /* the model has no such row */
    trine_model_close(m);
    write_text("generation_config.json", "{");
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "generation_config.json");
}

static void test_pooling(void **state)
{
    const char *dir = *state;
    static const char modules[] = "[{\"idx\":0,\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"
                                  "{\"idx\":1,\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}%s]";
    static const char normalize[] = ",{\"idx\":2,\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}";
    static const char dense[] = ",{\"idx\":2,\"path\":\"2_Dense\",\"type\":\"sentence_transformers.models.Dense\"}";
    static const struct {
        const char *config;
        trine_pooling pooling;
    } cases[] = {
        { "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", TRINE_POOL_CLS },
        { "{\"pooling_mode_mean_tokens\":true}", TRINE_POOL_MEAN },
        { "{\"pooling_mode_max_tokens\":true}", TRINE_POOL_MAX },
        { "{\"pooling_mode_lasttoken\":true,\"include_prompt\":true}", TRINE_POOL_LAST },
        { "{\"pooling_mode\":\"cls\"}", TRINE_POOL_CLS },
        { "{\"pooling_mode\":\"mean\",\"pooling_mode_cls_token\":true}", TRINE_POOL_MEAN }, /* the newer key counts */
        { "{\"pooling_mode\":[\"lasttoken\"]}", TRINE_POOL_LAST },
        { "{\"word_embedding_dimension\":24}", TRINE_POOL_MEAN }, /* the family's custom */
    };
    char text[1024];
    copy_model("bert-plain");
    mkdir(temp_path("1_Pooling"), 0777);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, modules, i % 2 ? normalize : "");
        write_text("modules.json", text);
        write_text("1_Pooling/config.json", cases[i].config);
        trine_model *m = open_model(dir, NULL);
        assert_int_equal(trine_model_get_info(m)->pooling, cases[i].pooling);
        assert_int_equal(trine_model_get_info(m)->normalize, i % 2);
        trine_model_close(m);
    }
    write_text("1_Pooling/config.json", "{\"pooling_mode_weightedmean_tokens\":true}");
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "pooling_mode_weightedmean_tokens");
    write_text("1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}");
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "joins 2 poolings");
    write_text("1_Pooling/config.json", "{\"pooling_mode\":\"attention\"}");
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "attention");
    write_text("1_Pooling/config.json", "{\"pooling_mode\":[\"mean\",\"max\"]}");
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "joins 2 poolings");
    static const char *const others[] = { "[]", "[1]", "true", "{}", "3" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(text, sizeof text, "{\"pooling_mode\":%s}", others[i]);
        write_text("1_Pooling/config.json", text);
        expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "neither a word nor a list of words");
    }
    write_text("1_Pooling/config.json", "{\"pooling_mode_cls_token\":true}");
    snprintf(text, sizeof text, modules, dense);
    write_text("modules.json", text);
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "Dense");
    write_text("modules.json", "[{\"path\":\"../1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}]");
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "without a path");
    write_text("modules.json", "{}");
    expect_refused(dir, NULL, TRINE_ERROR_FORMAT, "not a list");
    write_text("modules.json", "[1]");
    expect_refused(dir, NULL, TRINE_ERROR_UNSUPPORTED, "without a type");
}

/* sentence-transformers 6 leaves the longest text to the tokenizer; the model has 64 positions. GGUF keeps what there is. */
static void test_longest_text(void **state)
{
    const char *dir = *state;
    static const struct {
        const char *length, *tokenizer;
        int expected, without_modules;
    } cases[] = {
        { "{\"max_seq_length\":16}", "{\"model_max_length\":32}", 16, 16 },
        { "{}", "{\"model_max_length\":32}", 32, 0 },
        { "{\"max_seq_length\":null}", "{\"model_max_length\":32.0}", 32, 0 },
        { "{}", "{\"model_max_length\":64}", 0, 0 },
        { "{}", "{\"model_max_length\":1000000000000000019884624838656}", 0, 0 },
        { "{}", "{\"model_max_length\":-5}", 0, 0 },
        { "{}", "{}", 0, 0 },
    };
    const trine_convert_options again = { .overwrite = true };
    copy_model("bert-plain");
    write_vocab(40);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("sentence_bert_config.json", cases[i].length);
        write_text("tokenizer_config.json", cases[i].tokenizer);
        write_text("modules.json", "[{\"path\":\"\",\"type\":\"a.Transformer\"}]");
        trine_model *m = open_model(dir, NULL);
        assert_int_equal(trine_model_get_info(m)->embed_tokens, cases[i].expected);
        trine_model_close(m);
        assert_int_equal(trine_convert(NULL, temp_path("out.gguf"), dir, &again, NULL), TRINE_OK);
        m = open_model(temp_path("out.gguf"), NULL);
        assert_int_equal(trine_model_get_info(m)->embed_tokens, cases[i].expected);
        trine_model_close(m);
        remove(temp_path("modules.json"));
        m = open_model(dir, NULL);
        assert_int_equal(trine_model_get_info(m)->embed_tokens, cases[i].without_modules);
        trine_model_close(m);
    }
}

/* What sentence-transformers puts before each text by itself is said. */
static void test_default_prompt(void **state)
{
    const char *dir = *state;
    kept_line line = { .word = "default prompt" };
    const trine_model_options options = { .cpu = "scalar", .log = keep_line, .log_user = &line };
    static const char *const silent[] = { "{\"prompts\":{\"query\":\"to find: \"},\"default_prompt_name\":null}",
                                          "{\"prompts\":{\"query\":\"\"},\"default_prompt_name\":\"query\"}",
                                          "{\"default_prompt_name\":\"query\"}" };
    static const char says[] = "{\"prompts\":{\"query\":\"to find: \"},\"default_prompt_name\":\"query\"}";
    copy_model("bert-plain");
    write_text("config_sentence_transformers.json", says);
    trine_model_close(open_model(dir, &options));
    assert_string_equal(line.text, ""); /* without modules.json the library does not read it */
    write_text("modules.json", "[{\"path\":\"\",\"type\":\"a.Transformer\"}]");
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        write_text("config_sentence_transformers.json", silent[i]);
        trine_model_close(open_model(dir, &options));
        assert_string_equal(line.text, "");
    }
    write_text("config_sentence_transformers.json", says);
    trine_model_close(open_model(dir, &options));
    assert_non_null(strstr(line.text, "not applied"));
    assert_non_null(strstr(line.text, "\"to find: \""));
}

/* A model converted to GGUF keeps its labels, its pooling and its tokenizer. */
static void test_gguf(void **state)
{
    (void)state;
    mkdir(temp_path("1_Pooling"), 0777);
    copy_model("bert-plain");
    write_vocab(40);
    write_text("modules.json",
               "[{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"},{\"path\":\"2_Normalize\",\"type\":\"a.Normalize\"}]");
    write_text("1_Pooling/config.json", "{\"pooling_mode_cls_token\":true}");
    trine_error err;
    const trine_convert_options again = { .overwrite = true };
    if (trine_convert(NULL, temp_path("out.gguf"), temp_path("."), NULL, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < 2; i++) { /* and back in a directory */
        trine_model *m = open_model(temp_path(i ? "back" : "out.gguf"), NULL);
        const trine_model_info *info = trine_model_get_info(m);
        assert_int_equal(info->pooling, TRINE_POOL_CLS);
        assert_true(info->normalize);
        assert_non_null(trine_model_get_tokenizer(m));
        assert_int_equal(trine_tokenizer_vocab_size(trine_model_get_tokenizer(m)), 40);
        assert_int_equal(trine_tokenizer_id(trine_model_get_tokenizer(m), "w17"), 17);
        assert_int_equal(trine_tokenizer_special(trine_model_get_tokenizer(m), TRINE_TOKEN_CLS), 2);
        trine_model_close(m);
        if (!i && trine_convert(NULL, temp_path("back"), temp_path("out.gguf"), &again, &err)) fail_msg("%s", err.text);
    }
    trine_tokenizer *alone;
    if (trine_tokenizer_open(&alone, temp_path("out.gguf"), &err)) fail_msg("%s", err.text);
    trine_tokenizer_close(alone);
}

static void expect_ids(const char *path, const char *text, const int32_t *ids, int n)
{
    trine_tokenizer *tokenizer;
    trine_encoding encoding;
    trine_error err;
    if (trine_tokenizer_open(&tokenizer, path, &err)) fail_msg("%s: %s", path, err.text);
    assert_int_equal(trine_tokenizer_encode(&encoding, tokenizer, text, 0, NULL, &err), TRINE_OK);
    assert_int_equal(encoding.n, n);
    assert_memory_equal(encoding.ids, ids, (size_t)n * sizeof *ids);
    trine_encoding_clear(&encoding);
    trine_tokenizer_close(tokenizer);
}

/* What the vocabulary of a GGUF file cannot say goes along in words: a cased vocabulary read without case, and plain bytes. */
static void test_gguf_tokenizers(void **state)
{
    const char *dir = *state;
    trine_error err;
    const trine_convert_options again = { .overwrite = true };
    copy_model("gpt2");
    write_text("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nCat\ncat\n");
    if (trine_convert(NULL, temp_path("out.gguf"), dir, &again, &err)) fail_msg("%s", err.text);
    if (trine_convert(NULL, temp_path("back"), temp_path("out.gguf"), &again, &err)) fail_msg("%s", err.text);
    const int32_t cat[] = { 2, 6, 3 };
    expect_ids(dir, "Cat", cat, 3);
    expect_ids(temp_path("out.gguf"), "Cat", cat, 3);
    expect_ids(temp_path("back"), "Cat", cat, 3);
    remove(temp_path("vocab.txt"));

    write_text("tokenizer_config.json", "{\"tokenizer_class\":\"ByT5Tokenizer\",\"extra_ids\":10}");
    if (trine_convert(NULL, temp_path("out.gguf"), dir, &again, &err)) fail_msg("%s", err.text);
    if (trine_convert(NULL, temp_path("back"), temp_path("out.gguf"), &again, &err)) fail_msg("%s", err.text);
    const int32_t bytes[] = { 'C' + 3, 'a' + 3, 1 };
    expect_ids(dir, "Ca", bytes, 3);
    expect_ids(temp_path("out.gguf"), "Ca", bytes, 3);
    expect_ids(temp_path("back"), "Ca", bytes, 3);
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &pages, &resident) != 2) fail_msg("/proc/self/statm");
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Opening reads the head of the file, not the weights: an embedding of 128 MiB (a hole in the file) stays out of memory. */
static void test_resident(void **state)
{
    const char *dir = *state;
    enum { ROWS = 1 << 18, WIDTH = 128 };
    static const struct {
        const char *name;
        int64_t shape[4];
        int n_dims;
    } list[] = {
        { "model.embed_tokens.weight", { ROWS, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.self_attn.q_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.self_attn.k_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.self_attn.v_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.self_attn.o_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.mlp.gate_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.mlp.up_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.mlp.down_proj.weight", { WIDTH, WIDTH, 1, 1 }, 2 },
        { "model.layers.0.input_layernorm.weight", { WIDTH, 1, 1, 1 }, 1 },
        { "model.layers.0.post_attention_layernorm.weight", { WIDTH, 1, 1, 1 }, 1 },
        { "model.norm.weight", { WIDTH, 1, 1, 1 }, 1 },
    };
    enum { N = sizeof list / sizeof *list };
    trine_tensor tensors[N];
    size_t data = 0, n;
    for (int i = 0; i < N; i++) {
        tensors[i] = (trine_tensor) { .name = list[i].name,
                                      .type = TRINE_F32,
                                      .n_dims = list[i].n_dims,
                                      .bytes = (size_t)(list[i].shape[0] * list[i].shape[1]) * 4 };
        memcpy(tensors[i].shape, list[i].shape, sizeof tensors[i].shape);
        data += tensors[i].bytes;
    }
    char *header;
    assert_int_equal(trine_safetensors_header(&header, &n, tensors, N, NULL, NULL), TRINE_OK);
    const char *path = temp_write("model.safetensors", header, n);
    free(header);
    assert_int_equal(truncate(path, (off_t)(n + data)), 0);
    write_text("config.json",
               "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":128,\"num_attention_heads\":2,"
               "\"num_hidden_layers\":1,"
               "\"intermediate_size\":128,\"vocab_size\":262144,\"max_position_embeddings\":64,\"tie_word_embeddings\":true}");
    const size_t before = resident_bytes();
    trine_model *m = open_model(dir, NULL);
    const size_t after = resident_bytes();
    assert_in_range(trine_model_get_info(m)->weights_bytes, (size_t)128 << 20, (size_t)130 << 20);
    trine_model_close(m);
    assert_in_range(after, 0, before + ((size_t)16 << 20));
}

static void test_no_memory(void **state)
{
    const char *dir = *state;
    json_set_alloc_funcs(malloc, free);
    copy_model("bert-classify");
    write_text("generation_config.json", "{\"eos_token_id\":1}");
    write_text("modules.json", "[{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"}]");
    write_text("config_sentence_transformers.json", "{\"prompts\":{\"q\":\"a\"},\"default_prompt_name\":\"q\"}");
    trine_status status;
    long k = 0;
    do {
        trine_model *m;
        trine_error err = { 0 };
        alloc_fail_at(++k);
        status = trine_model_open(&m, dir, NULL, &err);
        alloc_fail_at(0);
        if (status && status != TRINE_ERROR_MEMORY) fail_msg("allocation %ld: %s: %s", k, trine_status_name(status), err.text);
        assert_true(!status == (m != NULL));
        trine_model_close(m);
    } while (status && k < 10000);
    assert_int_equal(status, TRINE_OK);
    assert_in_range(k, 50, 9999);
}

enum { ROPE_IDS = 40, ROPE_VOCAB = 89 };

/* Logits after a text far enough in that positions matter. */
static int rope_logits(float *out, const char *path, const trine_rope_scaling *rope)
{
    trine_error err = { 0 };
    int32_t ids[ROPE_IDS];
    trine_model *m;
    if (trine_model_open_scaled(&m, path, NULL, rope, &err)) fail_msg("%s", err.text);
    trine_session *s;
    trine_sequence *q;
    assert_int_equal(trine_session_open(&s, m, &(trine_session_options) { .ctx = ROPE_IDS }, &err), TRINE_OK);
    assert_int_equal(trine_sequence_open(&q, s, &err), TRINE_OK);
    for (int i = 0; i < ROPE_IDS; i++) ids[i] = i * 37 % ROPE_VOCAB;
    assert_int_equal(trine_sequence_feed(q, ids, ROPE_IDS, &err), TRINE_OK);
    memcpy(out, trine_sequence_logits(q), ROPE_VOCAB * sizeof *out);
    const int max_tokens = trine_model_get_info(m)->max_tokens;
    trine_sequence_close(q);
    trine_session_close(s);
    trine_model_close(m);
    return max_tokens;
}

static void expect_rope_refused(const char *path, const char *kind, float scale, const char *says)
{
    trine_model *m = (trine_model *)1;
    trine_error err = { 0 };
    const trine_rope_scaling rope = { kind, scale };
    assert_int_equal(trine_model_open_scaled(&m, path, NULL, &rope, &err), TRINE_ERROR_ARGUMENT);
    assert_null(m);
    assert_non_null(strstr(err.text, says));
}

/* The caller's scaling is what the same one in the model's configuration is, which test_parity holds to the reference. */
static void test_rope_scaling(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        trine_rope_scaling rope;
        int max_tokens;
    } same[] = { { "llama-linear", { "linear", 3 }, 1536 }, { "llama-yarn", { "yarn", 4 }, 256 } };
    for (int i = 0; i < 2; i++) {
        float own[ROPE_VOCAB], given[ROPE_VOCAB], other[ROPE_VOCAB];
        char path[512];
        snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, same[i].model);
        rope_logits(own, path, NULL);
        assert_int_equal(rope_logits(given, path, &same[i].rope), same[i].max_tokens);
        assert_memory_equal(own, given, sizeof own);
        rope_logits(other, path, &(trine_rope_scaling) { same[i].rope.kind, 2 * same[i].rope.scale });
        assert_int_not_equal(memcmp(own, other, sizeof own), 0);
        expect_rope_refused(path, "ntk", 2, "linear or yarn");
        expect_rope_refused(path, NULL, 2, "linear or yarn");
        expect_rope_refused(path, "yarn", 0.5f, "rope_scale is 0.5");
    }
    expect_rope_refused(TRINE_FIXTURES "/models/gpt2", "yarn", 2, "learned");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_generation_config), TEST(test_facts),          TEST(test_refused),   TEST(test_configurations_that_lie),
        TEST(test_tokenizer),         TEST(test_special_tokens), TEST(test_pooling),   TEST(test_gguf),
        TEST(test_gguf_tokenizers),   TEST(test_resident),       TEST(test_no_memory), TEST(test_rope_scaling),
        TEST(test_longest_text),      TEST(test_default_prompt)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
