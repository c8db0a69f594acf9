/* test_presets.c - published models by name: their parameters and cache as published, however the name is spelt; nothing allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>
#include <trine.h>

static trine_planner *open(const char *name, const char *weights)
{
    trine_planner *p;
    trine_error err;
    const trine_planner_options options = { .weights = weights };
    if (trine_planner_open(&p, name, &options, &err)) fail_msg("%s: %s", name, err.text);
    return p;
}

static int64_t parameters(const char *name)
{
    trine_planner *p = open(name, NULL);
    const int64_t n = trine_planner_info(p)->n_parameters;
    trine_planner_close(p);
    return n;
}

/* The numbers that the repositories and papers give, or follow from their tensors. */
static void parameters_are_the_published_ones(void **state)
{
    static const struct {
        const char *name;
        int64_t n;
    } known[] = {
        { "bert-tiny", 4385920 },
        { "bert-base-uncased", 109482240 },
        { "bert-base-cased", 108310272 },
        { "bert-large-uncased", 335141888 },
        { "bert-base-multilingual-cased", 177853440 },
        { "bert-base-chinese", 102267648 },
        { "all-MiniLM-L6-v2", 22713216 },
        { "bge-small-en-v1.5", 33360000 },
        { "distilbert-base-uncased", 66362880 },
        { "roberta-base", 124645632 },
        { "roberta-large", 355359744 },
        { "xlm-roberta-base", 278043648 },
        { "distilgpt2", 81912576 },
        { "gpt2", 124439808 },
        { "gpt2-medium", 354823168 },
        { "gpt2-large", 774030080 },
        { "gpt2-xl", 1557611200 },
        { "t5-small", 60506624 },
        { "t5-base", 222903552 },
        { "t5-large", 737668096 },
        { "t5-3b", 2851598336 },
        { "t5-11b", 11307321344 },
        { "flan-t5-small", 76961152 },
        { "flan-t5-base", 247577856 },
        { "flan-t5-large", 783150080 },
        { "flan-t5-xl", 2849757184 },
        { "flan-t5-xxl", 11135332352 },
        { "mt5-small", 300176768 },
        { "mt5-base", 582401280 },
        { "mt5-large", 1229581312 },
        { "byt5-small", 299637760 },
        { "TinyLlama-1.1B", 1100048384 },
        { "llama-2-7b", 6738415616 },
        { "llama-2-13b", 13015864320 },
        { "llama-2-70b", 68976648192 },
        { "llama-3-8b", 8030261248 },
        { "llama-3-70b", 70553706496 },
        { "llama-3.1-405b", 405853388800 },
        { "llama-3.2-1b", 1235814400 },
        { "llama-3.2-3b", 3212749824 },
        { "smollm2-135m", 134515008 },
        { "smollm2-360m", 361821120 },
        { "smollm2-1.7b", 1711376384 },
        { "mistral-7b-v0.1", 7241732096 },
        { "qwen2.5-0.5b", 494032768 },
        { "qwen2.5-1.5b", 1543714304 },
        { "qwen2.5-3b", 3085938688 },
        { "qwen2.5-7b", 7615616512 },
        { "qwen2.5-14b", 14770033664 },
        { "qwen2.5-32b", 32763876352 },
        { "qwen2.5-72b", 72706203648 },
        { "qwen3-0.6b", 596049920 },
        { "qwen3-1.7b", 1720574976 },
        { "qwen3-4b", 4022468096 },
        { "qwen3-8b", 8190735360 },
        { "qwen3-14b", 14768307200 },
        { "qwen3-32b", 32762123264 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (parameters(known[i].name) != known[i].n)
            fail_msg("%s: %lld parameters, published are %lld", known[i].name, (long long)parameters(known[i].name),
                     (long long)known[i].n);
}

static void every_preset_can_be_planned(void **state)
{
    (void)state;
    for (int i = 0; trine_preset(i); i++) {
        trine_planner *p = open(trine_preset(i), NULL);
        trine_session_bytes b;
        trine_error err;
        if (trine_planner_session(&b, p, NULL, &err)) fail_msg("%s: %s", trine_preset(i), err.text);
        assert_true(b.total_bytes > b.weights_bytes && b.arena_bytes > 0);
        trine_planner_close(p);
    }
}

static trine_session_bytes session(const char *name, int ctx, trine_dtype cache_type)
{
    trine_planner *p = open(name, NULL);
    trine_session_bytes b;
    trine_error err;
    const trine_session_options o = { .ctx = ctx, .cache_type = cache_type };
    if (trine_planner_session(&b, p, &o, &err)) fail_msg("%s: %s", name, err.text);
    trine_planner_close(p);
    return b;
}

/* 2 layers n_kv_heads d_head bytes: docs/PLAN.md has the sources. */
static void a_token_of_cache_takes_what_is_published(void **state)
{
    static const struct {
        const char *name;
        trine_dtype type;
        size_t bytes;
    } known[] = {
        { "llama-3-8b", TRINE_F16, 131072 },     { "llama-3-8b", TRINE_Q8_0, 68 << 10 },
        { "llama-3-8b", TRINE_Q4_0, 36 << 10 },  { "llama-3-8b", TRINE_F32, 262144 },
        { "llama-3-70b", TRINE_F16, 320 << 10 }, { "llama-3.1-405b", TRINE_F16, 504 << 10 },
        { "llama-3.2-1b", TRINE_F16, 32 << 10 }, { "llama-3.2-3b", TRINE_F16, 112 << 10 },
        { "llama-2-7b", TRINE_F16, 512 << 10 },  { "gpt2", TRINE_F16, 36 << 10 },
        { "t5-small", TRINE_F16, 12 << 10 },     { "bert-base-uncased", TRINE_F16, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(session(known[i].name, 512, known[i].type).kv_bytes_per_token, known[i].bytes);
    const trine_session_bytes b = session("llama-3-8b", 8192, TRINE_F16);
    assert_true(b.kv_bytes == (size_t)1 << 30); /* 8,192 tokens: exactly 1 GiB */
    assert_true(b.cache_bytes >= b.kv_bytes && b.cache_bytes < b.kv_bytes + (1 << 16));
    assert_true(session("llama-3-8b", 100000, TRINE_F16).kv_bytes == 100000 * (size_t)131072);
    assert_true(session("llama-3-8b", 8192, TRINE_F16).plain_attention_bytes == (size_t)32 * 128 << 20);
}

static void a_name_is_known_however_it_is_spelt(void **state)
{
    static const char *const same[][2] = {
        { "meta-llama/Meta-Llama-3-8B", "llama-3-8b" },
        { "meta-llama/Meta-Llama-3-8B-Instruct", "llama-3-8b" },
        { "meta-llama/Llama-2-7b-chat-hf", "llama-2-7b" },
        { "meta-llama/Llama-3.1-405B", "llama-3.1-405b" },
        { "openai-community/gpt2-xl", "gpt2-xl" },
        { "google-bert/bert-base-uncased", "bert-base-uncased" },
        { "google-t5/t5-small", "t5-small" },
        { "google/flan-t5-base", "flan-t5-base" },
        { "google/t5-v1_1-small", "flan-t5-small" },
        { "FacebookAI/roberta-base", "roberta-base" },
        { "HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2-135m" },
        { "Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b" },
        { "Qwen/Qwen3-0.6B", "qwen3-0.6b" },
        { "LLAMA_3_8B", "llama-3-8b" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) assert_int_equal(parameters(same[i][0]), parameters(same[i][1]));
}

static void an_unknown_name_says_what_is_near(void **state)
{
    trine_planner *p;
    trine_error err;
    (void)state;
    assert_int_equal(trine_planner_open(&p, "lama-3-8b", NULL, &err), TRINE_ERROR_NOT_FOUND);
    assert_null(p);
    assert_non_null(strstr(err.text, "llama-3-8b"));
    assert_int_equal(trine_planner_open(&p, "/no/such/place", NULL, &err), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_planner_open(&p, "", NULL, &err), TRINE_ERROR_ARGUMENT);
}

/* q4_k_m of Llama 3 8B is a file of 4.92 GB wherever it is published, q8_0 one of 8.54 GB; the rest is rounding of vectors. */
static void other_weights_are_those_of_quantize(void **state)
{
    (void)state;
    trine_planner *p = open("llama-3-8b", "q4_k_m");
    assert_true(trine_planner_info(p)->weights_bytes > (size_t)4900 * 1000 * 1000);
    assert_true(trine_planner_info(p)->weights_bytes < (size_t)4930 * 1000 * 1000);
    assert_int_equal(trine_planner_info(p)->n_parameters, 8030261248);
    trine_planner_close(p);
    p = open("llama-2-7b", "q8_0");
    assert_true(trine_planner_info(p)->weights_bytes > (size_t)7150 * 1000 * 1000);
    assert_true(trine_planner_info(p)->weights_bytes < (size_t)7170 * 1000 * 1000);
    trine_planner_close(p);
    trine_error err;
    const trine_planner_options unknown = { .weights = "q3" };
    assert_int_equal(trine_planner_open(&p, "gpt2", &unknown, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "q4_k_m"));
}

/* All presets, the largest of 812 GB, have been planned before this. */
static void nothing_of_a_models_size_is_allocated(void **state)
{
    struct rusage usage;
    (void)state;
    getrusage(RUSAGE_SELF, &usage);
    assert_true(usage.ru_maxrss < 256 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_the_published_ones),        cmocka_unit_test(every_preset_can_be_planned),
        cmocka_unit_test(a_token_of_cache_takes_what_is_published), cmocka_unit_test(a_name_is_known_however_it_is_spelt),
        cmocka_unit_test(an_unknown_name_says_what_is_near),        cmocka_unit_test(other_weights_are_those_of_quantize),
        cmocka_unit_test(nothing_of_a_models_size_is_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
