/* test_resident.c - what a process really takes against what the session says: a Llama of 30 MiB made here reads a text to the end
 * of its context, in a process of its own, and its peak of resident memory is compared with weights + cache + arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/apart.h"
#include "support/open_fixture.h"
#include "support/resident.h"
#include "support/temp.h"
#include "support/written_model.h"

enum { D = 320, D_FF = 960, LAYERS = 5, VOCAB = 4000, HEADS = 5, CTX = 1280 };

static void write_model(void)
{
    written_model m = { 0 };
    written_add(&m, VOCAB, D, "model.embed_tokens.weight");
    written_add(&m, D, 0, "model.norm.weight");
    for (int n = 0; n < LAYERS; n++) {
        written_add(&m, D, D, "model.layers.%d.self_attn.q_proj.weight", n);
        written_add(&m, D, D, "model.layers.%d.self_attn.k_proj.weight", n);
        written_add(&m, D, D, "model.layers.%d.self_attn.v_proj.weight", n);
        written_add(&m, D, D, "model.layers.%d.self_attn.o_proj.weight", n);
        written_add(&m, D_FF, D, "model.layers.%d.mlp.gate_proj.weight", n);
        written_add(&m, D_FF, D, "model.layers.%d.mlp.up_proj.weight", n);
        written_add(&m, D, D_FF, "model.layers.%d.mlp.down_proj.weight", n);
        written_add(&m, D, 0, "model.layers.%d.input_layernorm.weight", n);
        written_add(&m, D, 0, "model.layers.%d.post_attention_layernorm.weight", n);
    }
    written_end(&m,
                "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%d,\"intermediate_size\":%d,"
                "\"num_hidden_layers\":%d,\"num_attention_heads\":%d,\"num_key_value_heads\":%d,\"vocab_size\":%d,"
                "\"max_position_embeddings\":%d,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":true,\"hidden_act\":\"silu\"}",
                D, D_FF, LAYERS, HEADS, HEADS, VOCAB, CTX);
}

/* In the process that is measured: its peak, and what the session says. */
typedef struct report {
    size_t peak, weights, cache, arena;
} report;

typedef struct reading {
    trine_session_options options;
    int n_tokens;
} reading;

static bool measure(void *result, void *user)
{
    const reading *w = user;
    report *out = result;
    trine_model *m;
    trine_session *s;
    trine_sequence *q;
    trine_memory memory;
    static int32_t ids[CTX];
    if (trine_model_open(&m, temp_path("."), NULL, NULL) || trine_session_open(&s, m, &w->options, NULL) ||
        trine_sequence_open(&q, s, NULL))
        return false;
    make_ids(ids, CTX, m, 3);
    if (trine_sequence_feed(q, ids, w->n_tokens, NULL)) return false;
    trine_session_memory(&memory, s);
    *out = (report) { status_bytes("VmHWM:"), memory.weights_bytes, memory.cache_bytes, memory.arena_peak };
    return memory.arena_peak <= memory.arena_bytes;
}

/* A session of `options` reads n_tokens in a process of its own. */
static report measured(trine_session_options options, int n_tokens)
{
    report r;
    apart(&r, sizeof r, measure, &(reading) { options, n_tokens });
    return r;
}

/* A text of one token does not bring the memory of hundreds with it: pages of the system are no larger there than tiles are apart. */
static void test_short(void **unused)
{
    (void)unused;
#if defined(__SANITIZE_ADDRESS__)
    skip();
#endif
    const report r = measured((trine_session_options) { .n_threads = 1, .cache_type = TRINE_F32 }, 1);
    assert_true(r.cache >= (size_t)15 << 20);
    print_message("one token: %.1f MiB\n", (double)r.peak / 1048576);
    assert_true(r.peak <= r.weights + r.arena + r.cache / 5 + ((size_t)5 << 20));
}

static void test_peak(void **unused)
{
    (void)unused;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* the sanitizer's own memory is several times that of the program */
#endif
    const trine_session_options options[] = {
        { .n_threads = 2 },
        { .n_threads = 2, .cache_type = TRINE_F16, .batch_tokens = 64 },
        { .n_threads = 1, .cache_type = TRINE_Q4_0, .batch_tokens = CTX },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const report r = measured(options[i], CTX);
        const size_t said = r.weights + r.cache + r.arena;
        print_message("peak %.1f MiB, said %.1f: weights %.1f, cache %.1f, arena %.1f\n", (double)r.peak / 1048576,
                      (double)said / 1048576, (double)r.weights / 1048576, (double)r.cache / 1048576, (double)r.arena / 1048576);
        assert_true(r.peak <= said + said / 20 + ((size_t)16 << 20));
        assert_true(r.peak >= said / 10 * 9); /* all of it was used: nothing was taken for show */
    }
}

static int set_up(void **state)
{
    const int failed = temp_set_up(state);
    write_model();
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_peak), cmocka_unit_test(test_short) };
    return cmocka_run_group_tests(tests, set_up, temp_tear_down);
}
