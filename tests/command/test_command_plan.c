/* test_command_plan.c - trine plan: the numbers that are published, 80 columns, what fits with what, and what is refused. */
#include "run_trine.h"

#include <sys/stat.h>

#include "support/temp.h"

static json_t *plan(const char *const *arguments)
{
    const char *argv[24] = { TRINE_COMMAND, "plan", "--json" };
    int n = 3;
    while (*arguments && n < 23) argv[n++] = *arguments++;
    process_result r = process_run(argv, NULL);
    assert_status(&r, 0);
    json_t *d = document(&r, 0);
    process_result_clear(&r);
    return d;
}
#define PLAN(...) plan((const char *const[]) { __VA_ARGS__, NULL })

/* Llama 3 8B: 8,192 tokens are 1 GiB in f16, 100,000 are 12.2 GiB, 3.4 in q4_0. */
static void published_numbers_are_given(void **state)
{
    (void)state;
    json_t *d = PLAN("llama-3-8b", "-c", "8192,100000", "--memory", "24GiB");
    assert_true(number_of(d, "parameters") == 8030261248.0);
    assert_true(number_of(d, "kv_bytes_per_token") == 131072);
    assert_true(number_of(d, "kv_bytes") == 1 << 30);
    assert_true(json_is_true(json_object_get(d, "fits")));
    assert_true(number_of(d, "total_bytes") > number_of(d, "weights_bytes") + number_of(d, "kv_bytes"));
    const json_t *contexts = json_object_get(d, "contexts"), *second = json_array_get(contexts, 1);
    assert_int_equal(json_array_size(contexts), 2);
    assert_true(number_of(second, "kv_bytes") == 100000 * 131072.0);
    assert_true(json_is_false(json_object_get(second, "fits")));
    assert_string_equal(text_of(json_object_get(second, "fits_with"), "cache_type"), "q8_0");
    assert_true(number_of(second, "plain_attention_bytes") == 32 * 1e10 * 2);
    const int longest = (int)number_of(d, "longest_context");
    assert_true(longest > 8192 && longest < 100000);
    json_decref(d);
    d = PLAN("llama-3-8b", "-c", "100000", "--cache-type", "q4_0", "--memory", "24GiB");
    assert_true(number_of(d, "kv_bytes") == 100000 * 36864.0);
    assert_true(json_is_true(json_object_get(d, "fits")));
    json_decref(d);
}

/* One token more than the longest context does not fit, nor one sequence more than the largest batch. */
static void what_fits_is_the_most_that_does(void **state)
{
    char ctx[2][16], batch[2][16];
    (void)state;
    json_t *d = PLAN("gpt2", "-c", "512", "--memory", "700MiB");
    const int most = (int)number_of(d, "largest_batch");
    assert_true(most > 1);
    for (int k = 0; k < 2; k++) snprintf(batch[k], sizeof batch[k], "%d", most + k);
    json_decref(d);
    for (int k = 0; k < 2; k++) {
        d = PLAN("gpt2", "-c", "512", "--memory", "700MiB", "--batch", batch[k]);
        assert_true(json_is_true(json_object_get(d, "fits")) == (k == 0));
        json_decref(d);
    }
    d = PLAN("llama-3.2-1b", "--memory", "4GiB");
    const int longest = (int)number_of(d, "longest_context");
    json_decref(d);
    for (int k = 0; k < 2; k++) {
        snprintf(ctx[k], sizeof ctx[k], "%d", longest + k);
        d = PLAN("llama-3.2-1b", "--memory", "4GiB", "-c", ctx[k]);
        assert_true(json_is_true(json_object_get(d, "fits")) == (k == 0));
        json_decref(d);
    }
}

/* 50 GB/s: at most 3.3 tokens a second from Llama 3 8B in bf16, of whose 16 GB 1 GB is an embedding that is looked up. */
static void rates_are_bound_by_what_is_read(void **state)
{
    (void)state;
    json_t *d = PLAN("llama-3-8b", "-c", "64", "--bandwidth", "50", "--memory", "24GiB");
    const double rate = number_of(d, "decode_tokens_per_second");
    assert_true(rate > 3.2 && rate < 3.4);
    json_decref(d);
    d = PLAN("bert-base-uncased", "--device", "h100");
    assert_true(number_of(d, "encode_texts_per_second") > 1000);
    assert_true(number_of(d, "memory_bytes") == 80.0 * (1 << 30));
    json_decref(d);
}

static int lines_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

static void a_plan_fits_a_terminal(void **state)
{
    static const char *const models[] = {
        "llama-3.1-405b", "bert-base-uncased", "t5-11b", "mistral-7b-v0.1", LLAMA, MLM, T5, LABELS
    };
    const process_options plain = { .environment = { "LC_ALL=C" } }, braille = { .environment = { "LC_ALL=C.UTF-8" } };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof models / sizeof *models; i++) {
        process_result r = run_trine(i % 2 ? &braille : &plain, "plan", models[i / 2], "--memory", "640GiB", "--bandwidth", "819.2",
                                     "--flops", "2");
        assert_status(&r, 0);
        assert_true(longest_line(r.out) <= 80);
        assert_contains(r.out, "weights");
        assert_contains(r.out, "longest context that fits");
        assert_lacks(r.out, "\033");
        assert_true(lines_of(r.out) < 24); /* a screen, with the line that is typed next */
        process_result_clear(&r);
        r = run_trine(i % 2 ? &braille : &plain, "plan", models[i / 2], "--memory", "640GiB", "--details");
        assert_status(&r, 0);
        assert_true(longest_line(r.out) <= 80);
        assert_contains(r.out, "q4_k_m");
        assert_contains(r.out, "context, tokens");
        process_result_clear(&r);
        r = run_trine(i % 2 ? &braille : &plain, "plan", models[i / 2], "--train", "--memory", "640GiB", "--seq-len", "16");
        assert_status(&r, 0);
        assert_true(longest_line(r.out) <= 80);
        assert_contains(r.out, "moments");
        process_result_clear(&r);
    }
}

static void what_makes_it_fit_is_said(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "plan", "llama-3-8b", "-c", "8192,100000", "--memory", "20GiB");
    assert_status(&r, 0);
    assert_contains(r.out, "8,192 fits");
    assert_contains(r.out, "100,000 does not fit");
    assert_contains(r.out, "it needs a q4_0 cache (3.43 GiB)");
    process_result_clear(&r);
    r = run_trine(NULL, "plan", "llama-3-8b", "-c", "8192,100000", "--memory", "10GiB");
    assert_status(&r, 0);
    assert_contains(r.out, "weights, q4_0 cache do (");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
    r = run_trine(NULL, "plan", "llama-3-70b", "--memory", "1GiB");
    assert_status(&r, 0);
    assert_contains(r.out, "in no type that there is");
    assert_contains(r.out, "longest context that fits: none");
    process_result_clear(&r);
}

/* Weights, gradients and two moments of 4 bytes each: 16 bytes a parameter, and activations. */
static void training_is_planned(void **state)
{
    (void)state;
    json_t *d = PLAN("gpt2", "--train", "--memory", "100GiB", "--batch", "4", "--seq-len", "256");
    const double n = number_of(d, "parameters");
    assert_true(n == 124439808);
    assert_true(number_of(d, "weights_bytes") >= 4 * n && number_of(d, "weights_bytes") < 4.001 * n);
    assert_true(number_of(d, "optimizer_bytes") == 2 * number_of(d, "weights_bytes"));
    assert_true(number_of(d, "activation_bytes") > 0);
    const double all = number_of(d, "total_bytes"), kept = number_of(d, "activation_bytes");
    json_decref(d);
    d = PLAN("gpt2", "--train", "--memory", "100GiB", "--batch", "4", "--seq-len", "256", "--recompute");
    assert_true(number_of(d, "activation_bytes") < kept / 2);
    json_decref(d);
    d = PLAN("gpt2", "--train", "--memory", "100GiB", "--batch", "4", "--seq-len", "256", "--ranks", "4", "--shard-optimizer");
    assert_true(number_of(d, "optimizer_bytes") < 2.001 * n && number_of(d, "total_bytes") < all);
    json_decref(d);
    d = PLAN("gpt2", "--train", "--memory", "2GiB", "--batch", "4", "--seq-len", "256", "--bf16");
    assert_true(json_is_false(json_object_get(d, "fits")));
    assert_true(number_of(d, "bf16_bytes") > 2 * n - 1);
    json_decref(d);
    d = PLAN("gpt2", "--train", "--memory", "100GiB", "--batch", "4", "--seq-len", "256", "--optimizer", "muon");
    /* The largest matrix of a layer twice, and its Gram matrix twice, in f32. */
    assert_true(number_of(d, "muon_bytes") >= 2 * 4 * (3072 * 768 + 768 * 768));
    assert_true(number_of(d, "total_bytes") == all + number_of(d, "muon_bytes"));
    json_decref(d);
    d = PLAN("bert-base-uncased", "--train", "--memory", "100GiB");
    assert_true(number_of(d, "parameters") == 109514298); /* the head of masked tokens in place of the pooler */
    json_decref(d);
    d = PLAN("t5-small", "--train", "--memory", "100GiB", "--seq-len", "512", "--batch", "1");
    assert_true(number_of(d, "target_rows") == 114); /* as the paper has it for 512 */
    json_decref(d);
}

static void a_model_is_run_beside_its_plan(void **state)
{
    (void)state;
    static const char *const models[] = { MLM, LLAMA, T5 };
    for (int i = 0; i < 3; i++) {
        json_t *d = PLAN(models[i], "--verify", "-c", "32", "-t", "1");
        const json_t *v = json_object_get(d, "verify");
        assert_true(number_of(v, "planned_bytes") == number_of(d, "total_bytes"));
        assert_true(number_of(v, "allocated_bytes") == number_of(v, "planned_bytes"));
        assert_true(number_of(v, "resident_bytes") < number_of(v, "planned_bytes") * 1.02 + (8 << 20));
        json_decref(d);
    }
    process_result r = run_trine(NULL, "plan", LLAMA, "--verify", "-c", "64", "-t", "1", "--train", "--seq-len", "16");
    if (r.status == 0) assert_contains(r.out, "allocated the same");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "plan", "gpt2", "--verify"), 2, "has no weights");
    assert_error(run_trine(NULL, "plan", TRINE_FIXTURES "/models/gguf-llama/model.gguf", "--train", "--verify"), 3,
                 "to verify training, make a directory");
    assert_error(run_trine(NULL, "plan", LLAMA, "--verify", "--weights", "q8_0"), 2, "as it is");
}

/* 812 GB of weights, in a process that may have 400 MiB of addresses. */
static void the_largest_is_planned_in_little_memory(void **state)
{
    const process_options little = { .memory = (size_t)400 << 20 };
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* the sanitizer itself takes terabytes of addresses */
#endif
    process_result r = run_trine(&little, "plan", "llama-3.1-405b", "-c", "8192,131072", "--memory", "1TiB");
    assert_status(&r, 0);
    assert_contains(r.out, "405,853,388,800");
    process_result_clear(&r);
    r = run_trine(&little, "plan", "llama-3.1-405b", "--train", "--memory", "1TiB", "--batch", "1");
    assert_status(&r, 0);
    process_result_clear(&r);
}

static void write_config(const char *name, const char *text) { temp_write(name, text, strlen(text)); }

static void what_cannot_be_planned_is_refused(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "plan"), 2, "no model");
    assert_error(run_trine(NULL, "plan", "gpt2", "--memory", "0"), 2, "--memory");
    assert_error(run_trine(NULL, "plan", "gpt2", "-c", "0"), 2, "-c takes");
    assert_error(run_trine(NULL, "plan", "gpt2", "-c", "4096"), 2, "positions for 1024");
    assert_error(run_trine(NULL, "plan", "gpt2", "--device", "abacus"), 2, "h100");
    assert_error(run_trine(NULL, "plan", "gpt2", "--weights", "q1"), 2, "q4_k_m");
    assert_error(run_trine(NULL, "plan", "lama-3-8b"), 3, "did you mean 'llama-3-8b'");
    assert_error(run_trine(NULL, "plan", temp_path("nothing.json")), 3, "nothing.json");
    write_config("field.json", "{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":64,\"num_attention_heads\":4}");
    assert_error(run_trine(NULL, "plan", temp_path("field.json")), 3, "\"intermediate_size\"");
    write_config("type.json", "{\"hidden_size\":64}");
    assert_error(run_trine(NULL, "plan", temp_path("type.json")), 3, "\"model_type\"");
    write_config("other.json", "{\"model_type\":\"mamba\"}");
    assert_error(run_trine(NULL, "plan", temp_path("other.json")), 3, "mamba");
    write_config("shape.json", "{\"model_type\":\"bert\",\"hidden_size\":100,\"num_attention_heads\":12}");
    assert_error(run_trine(NULL, "plan", temp_path("shape.json")), 3, "do not divide");
    write_config("text.json", "{\"model_type\":");
    assert_error(run_trine(NULL, "plan", temp_path("text.json")), 3, "text.json");
    write_config("layers.json", "{\"model_type\":\"gpt2\",\"n_layer\":1000000000}");
    assert_error(run_trine(NULL, "plan", temp_path("layers.json")), 3, "\"n_layer\"");
    write_config("wide.json",
                 "{\"model_type\":\"llama\",\"num_hidden_layers\":65536,\"hidden_size\":16777216,\"intermediate_size\":16777216,"
                 "\"num_attention_heads\":1024,\"vocab_size\":2000000000}");
    assert_error(run_trine(NULL, "plan", temp_path("wide.json")), 3, "more than there can be");
    write_config("cut.gguf", "GGUF\3");
    assert_error(run_trine(NULL, "plan", temp_path("cut.gguf")), 3, "cut");
    write_config("plain.txt", "a text");
    assert_error(run_trine(NULL, "plan", temp_path("plain.txt")), 3, "is no model");
    assert_int_equal(mkdir(temp_path("empty"), 0777), 0);
    assert_error(run_trine(NULL, "plan", temp_path("empty")), 3, "config.json");
}

/* The plan is there before the model runs, so Control-C then takes nothing away. */
static void control_c_ends_a_verification(void **state)
{
    const process_options options = { .interrupt_at = "longest context" };
    (void)state;
    process_result r = run_trine(&options, "plan", LLAMA, "--verify", "-c", "4000000", "--memory", "1TiB");
    assert_true(r.status == 130 || r.status == 4); /* 4: no room for such a cache here */
    assert_contains(r.out, "4,000,000");
    process_result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_numbers_are_given),       cmocka_unit_test(what_fits_is_the_most_that_does),
        cmocka_unit_test(rates_are_bound_by_what_is_read),   cmocka_unit_test(a_plan_fits_a_terminal),
        cmocka_unit_test(what_makes_it_fit_is_said),         cmocka_unit_test(training_is_planned),
        cmocka_unit_test(a_model_is_run_beside_its_plan),    cmocka_unit_test(the_largest_is_planned_in_little_memory),
        cmocka_unit_test(what_cannot_be_planned_is_refused), cmocka_unit_test(control_c_ends_a_verification),
    };
    return cmocka_run_group_tests(tests, temp_set_up, temp_tear_down);
}
