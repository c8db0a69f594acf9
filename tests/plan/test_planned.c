/* test_planned.c - planned, allocated and resident bytes of models that run: of every family, at several contexts, cache types and
 * batches, and of a training step. Each runs in a process of its own, whose resident memory nothing else has touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/apart.h"
#include "support/temp.h"
#include "train/params_save.h"
#include "trine/converting.h"
#include "trine/planning.h"

/* Some megabytes each, so that 2% are more than noise; widths and heads of no round number. */
static const struct {
    const char *name, *config;
    trine_dtype type; /* of the file: what is not f32 has vectors that are copied */
} models[] = {
    { "bert",
      "{\"model_type\":\"bert\",\"architectures\":[\"BertModel\"],\"hidden_size\":320,\"num_hidden_layers\":4,\"num_attention_"
      "heads\":5,"
      "\"intermediate_size\":1280,\"vocab_size\":6000,\"max_position_embeddings\":700}",
      TRINE_F32 },
    { "bert-wide", /* its panels' sums wait apart from y (linear_panels.c) */
      "{\"model_type\":\"bert\",\"architectures\":[\"BertModel\"],\"hidden_size\":1024,\"num_hidden_layers\":1,\"num_attention_"
      "heads\":16,"
      "\"intermediate_size\":4096,\"vocab_size\":3000,\"max_position_embeddings\":700}",
      TRINE_F32 },
    { "bert-mlm",
      "{\"model_type\":\"bert\",\"architectures\":[\"BertForMaskedLM\"],\"hidden_size\":320,\"num_hidden_layers\":4,"
      "\"num_attention_heads\":5,\"intermediate_size\":1280,\"vocab_size\":6000,\"max_position_embeddings\":700}",
      TRINE_BF16 },
    { "roberta",
      "{\"model_type\":\"roberta\",\"architectures\":[\"RobertaForMaskedLM\"],\"hidden_size\":320,\"num_hidden_layers\":3,"
      "\"num_attention_heads\":5,\"intermediate_size\":1280,\"vocab_size\":6000,\"max_position_embeddings\":702,\"pad_token_id\":"
      "1}",
      TRINE_F32 },
    { "distilbert",
      "{\"model_type\":\"distilbert\",\"architectures\":[\"DistilBertForMaskedLM\"],\"dim\":320,\"n_layers\":3,\"n_heads\":5,"
      "\"hidden_dim\":1280,\"vocab_size\":6000,\"max_position_embeddings\":700}",
      TRINE_F16 },
    { "gpt2",
      "{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2LMHeadModel\"],\"n_embd\":320,\"n_layer\":4,\"n_head\":5,\"vocab_size\":"
      "6000,"
      "\"n_positions\":1300}",
      TRINE_F32 },
    { "llama",
      "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":320,\"intermediate_size\":960,"
      "\"num_hidden_layers\":4,\"num_attention_heads\":10,\"num_key_value_heads\":5,\"vocab_size\":6000,"
      "\"max_position_embeddings\":2048,\"tie_word_embeddings\":false}",
      TRINE_BF16 },
    { "qwen3",
      "{\"model_type\":\"qwen3\",\"architectures\":[\"Qwen3ForCausalLM\"],\"hidden_size\":320,\"intermediate_size\":960,\"head_"
      "dim\":64,"
      "\"num_hidden_layers\":3,\"num_attention_heads\":8,\"num_key_value_heads\":2,\"vocab_size\":6000,"
      "\"max_position_embeddings\":2048,\"tie_word_embeddings\":true}",
      TRINE_F16 },
    { "t5",
      "{\"model_type\":\"t5\",\"architectures\":[\"T5ForConditionalGeneration\"],\"d_model\":320,\"d_kv\":64,\"d_ff\":960,\"num_"
      "layers\":3,"
      "\"num_heads\":5,\"vocab_size\":6000,\"feed_forward_proj\":\"gated-gelu\",\"tie_word_embeddings\":false}",
      TRINE_F32 },
};
enum { N_MODELS = sizeof models / sizeof *models };

static bool make_model(int i)
{
    trine_params *p;
    trine_model *m;
    json_t *config = json_loads(models[i].config, 0, NULL);
    return config && !trine_params_open(&p, &m, &(trine_params_options) { .config = config, .n_threads = 2 }, NULL) &&
           !trine_params_save(temp_path(models[i].name), p, m, &(trine_save_options) { .type = models[i].type }, NULL);
}

/* In a process of its own: memory that was in use before would be resident without having been taken. */
static int make_models(void **state)
{
    (void)state;
    temp_make();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        bool made = true;
        for (int i = 0; i < N_MODELS; i++) made &= make_model(i);
        _exit(made ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

static int remove_models(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

typedef struct found {
    trine_verification v;
    size_t arena; /* planned */
    trine_status status;
    trine_error err;
} found;

typedef void work_fn(found *out, const char *model, const void *options);

static void verify_session(found *out, const char *model, const void *options)
{
    trine_planner *p;
    trine_session_bytes b;
    out->status = trine_planner_open(&p, model, NULL, &out->err);
    if (!out->status) out->status = trine_planner_session(&b, p, options, &out->err);
    out->arena = b.arena_bytes;
    trine_planner_close(p);
    if (!out->status) out->status = trine_verify_session(&out->v, model, options, NULL, &out->err);
}

static void verify_training(found *out, const char *model, const void *options)
{
    trine_planner *p;
    trine_training_bytes b;
    out->status = trine_planner_open(&p, model, NULL, &out->err);
    if (!out->status) out->status = trine_planner_training(&b, p, options, &out->err);
    out->arena = b.arena_bytes + b.pool_bytes;
    trine_planner_close(p);
    if (!out->status) out->status = trine_verify_training(&out->v, model, options, NULL, &out->err);
}

typedef struct verifying {
    work_fn *work;
    const char *model;
    const void *options;
} verifying;

static bool verify(void *out, void *user)
{
    const verifying *v = user;
    memset(out, 0, sizeof(found));
    v->work(out, v->model, v->options);
    return true;
}

/* In a process of its own. */
static found verified(work_fn *work, const char *model, const void *options)
{
    found f;
    apart(&f, sizeof f, verify, &(verifying) { work, model, options });
    return f;
}

static void check(const char *what, const found *f)
{
    const trine_verification *v = &f->v;
    if (f->status) fail_msg("%s: %s", what, f->err.text);
    if (v->planned_bytes != v->allocated_bytes)
        fail_msg("%s: %zu bytes were planned, %zu allocated", what, v->planned_bytes, v->allocated_bytes);
    /* What is planned is needed: the largest pass fills the arena. */
    if (v->arena_peak > f->arena || v->arena_peak < f->arena / 10 * 9)
        fail_msg("%s: %zu bytes of temporaries were planned, %zu used", what, f->arena, v->arena_peak);
#if !defined(__SANITIZE_ADDRESS__) /* whose own memory is several times that of the program */
    const size_t bound = v->planned_bytes / 50 + ((size_t)8 << 20);
    if (v->resident_bytes > v->planned_bytes + bound || v->resident_bytes + bound < v->planned_bytes)
        fail_msg("%s: %zu bytes were planned, %zu are resident", what, v->planned_bytes, v->resident_bytes);
#endif
}

static void sessions_take_what_was_planned(void **state)
{
    static const trine_session_options options[] = {
        { .ctx = 640, .n_threads = 2 },
        { .ctx = 64, .n_threads = 1, .n_sequences = 12, .cache_type = TRINE_F32 },
        { .ctx = 333, .n_threads = 2, .n_sequences = 3, .cache_type = TRINE_Q8_0, .batch_tokens = 100 },
        { .ctx = 700, .n_threads = 1, .n_sequences = 2, .cache_type = TRINE_Q4_0 },
        { .ctx = 200, .source_ctx = 500, .n_threads = 2, .cache_type = TRINE_BF16 },
        { .ctx = 128, .n_threads = 2 },
    };
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
            char what[96];
            trine_session_options o = options[k];
            if (strstr(models[i].name, "bert")) o.batch_tokens = 0; /* an encoder's pass takes whole texts */
            snprintf(what, sizeof what, "%s, session %zu", models[i].name, k);
            const found f = verified(verify_session, temp_path(models[i].name), &o);
            check(what, &f);
        }
    }
}

static void training_steps_take_what_was_planned(void **state)
{
    static const trine_training_options options[] = {
        { .n_texts = 4, .seq_len = 128, .n_threads = 2 },
        { .n_texts = 3, .seq_len = 100, .n_threads = 1, .recompute = true, .average = true },
        { .n_texts = 2, .seq_len = 200, .n_threads = 2, .bf16 = true, .optimizer = TRINE_OPTIMIZER_SGD },
        { .n_texts = 5, .seq_len = 64, .n_threads = 2, .n_ranks = 3, .shard_optimizer = true },
        { .n_texts = 3, .seq_len = 90, .n_threads = 2, .lora_rank = 8 },
        { .n_texts = 2, .seq_len = 70, .n_threads = 1, .lora_rank = 4, .recompute = true, .average = true },
        { .n_texts = 2, .seq_len = 60, .n_threads = 2, .optimizer = TRINE_OPTIMIZER_MUON },
        { .n_texts = 3, .seq_len = 80, .n_threads = 1, .optimizer = TRINE_OPTIMIZER_MUON, .bf16 = true },
    };
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
            char what[96];
            if ((i + (int)k) % 2) continue; /* half of all: each family and each option several times */
            snprintf(what, sizeof what, "%s, training %zu", models[i].name, k);
            const found f = verified(verify_training, temp_path(models[i].name), &options[k]);
            check(what, &f);
        }
    }
}

/* A file's head is enough: what is planned by its first bytes is what is planned by the whole. */
static void a_head_alone_plans_as_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        char path[256], cut[256], line[700];
        trine_planner *whole, *head;
        trine_session_bytes a, b;
        trine_error err;
        snprintf(path, sizeof path, "%s/model.safetensors", temp_path(models[i].name));
        snprintf(cut, sizeof cut, "cut-%s", models[i].name);
        snprintf(line, sizeof line, "mkdir -p '%s' && cp '%s/config.json' '%s' && head -c 60000 '%s' > '%s/model.safetensors'",
                 temp_path(cut), temp_path(models[i].name), temp_path(cut), path, temp_path(cut));
        assert_int_equal(system(line), 0);
        if (trine_planner_open(&whole, temp_path(models[i].name), NULL, &err) ||
            trine_planner_open(&head, temp_path(cut), NULL, &err))
            fail_msg("%s: %s", models[i].name, err.text);
        assert_int_equal(trine_planner_session(&a, whole, NULL, &err), TRINE_OK);
        assert_int_equal(trine_planner_session(&b, head, NULL, &err), TRINE_OK);
        assert_true(a.weights_bytes == b.weights_bytes && a.cache_bytes == b.cache_bytes && a.arena_bytes == b.arena_bytes);
        assert_true(a.total_bytes == b.total_bytes);
        trine_planner_close(whole);
        trine_planner_close(head);
    }
}

/* The same for GGUF. */
static void a_gguf_head_alone_plans_as_the_whole(void **state)
{
    static const char *const files[] = { "gguf-llama", "gguf-t5" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[512], line[1100];
        trine_planner *whole, *head;
        trine_error err;
        snprintf(path, sizeof path, TRINE_FIXTURES "/models/%s/model.gguf", files[i]);
        snprintf(line, sizeof line, "head -c 60000 '%s' > '%s'", path, temp_path("head.gguf"));
        assert_int_equal(system(line), 0);
        if (trine_planner_open(&whole, path, NULL, &err) || trine_planner_open(&head, temp_path("head.gguf"), NULL, &err))
            fail_msg("%s: %s", files[i], err.text);
        assert_int_equal(trine_planner_info(whole)->n_parameters, trine_planner_info(head)->n_parameters);
        assert_true(trine_planner_info(whole)->weights_bytes == trine_planner_info(head)->weights_bytes);
        trine_planner_close(whole);
        trine_planner_close(head);
    }
}

/* finetune --lora unpacks a GGUF file: what is planned of the file is what is planned of the directory that it becomes. */
static void adapters_of_gguf_plan_as_of_its_directory(void **state)
{
    static const char *const files[] = { "gguf-llama", "gguf-t5" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[512];
        trine_convert_result made;
        trine_planner *file, *dir;
        trine_training_bytes a, b;
        trine_error err;
        snprintf(path, sizeof path, TRINE_FIXTURES "/models/%s/model.gguf", files[i]);
        const trine_convert_options to_f32 = { .type = TRINE_F32 };
        const trine_training_options o = { .n_texts = 2, .seq_len = 32, .lora_rank = 4, .n_threads = 1 };
        if (trine_convert(&made, temp_path(files[i]), path, &to_f32, &err) || trine_planner_open(&file, path, NULL, &err) ||
            trine_planner_open(&dir, temp_path(files[i]), NULL, &err) || trine_planner_training(&a, file, &o, &err) ||
            trine_planner_training(&b, dir, &o, &err))
            fail_msg("%s: %s", files[i], err.text);
        assert_true(a.frozen_bytes > 0 && a.frozen_bytes == b.frozen_bytes);
        assert_true(a.total_bytes == b.total_bytes);
        trine_planner_close(file);
        trine_planner_close(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_take_what_was_planned),
        cmocka_unit_test(training_steps_take_what_was_planned),
        cmocka_unit_test(a_head_alone_plans_as_the_whole),
        cmocka_unit_test(a_gguf_head_alone_plans_as_the_whole),
        cmocka_unit_test(adapters_of_gguf_plan_as_of_its_directory),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
