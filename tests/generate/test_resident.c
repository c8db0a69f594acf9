/* test_resident.c - what a process really takes against what the session says: a Llama of 30 MiB made here reads a text to the end
 * of its context, in a process of its own, and its peak of resident memory is compared with weights + cache + arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/apart.h"
#include "support/open_fixture.h"
#include "support/temp.h"

enum { D = 320, D_FF = 960, LAYERS = 5, VOCAB = 4000, HEADS = 5, CTX = 1280, MAX_TENSORS = 2 + 9 * LAYERS };

static void add(trine_tensor *tensors, int *n, int rows, int cols, const char *name, int layer)
{
    static char names[MAX_TENSORS][96];
    const size_t count = (size_t)rows * (size_t)(cols ? cols : 1);
    float *data = malloc(count * sizeof *data);
    uint32_t state = (uint32_t)*n + 1;
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = cols ? (float)(state >> 8) * 0x1p-24f * 0.1f - 0.05f : 1;
    }
    snprintf(names[*n], sizeof names[0], "model.");
    if (layer >= 0) snprintf(names[*n] + 6, sizeof names[0] - 6, "layers.%d.", layer);
    strncat(names[*n], name, sizeof names[0] - strlen(names[*n]) - 1);
    tensors[*n] = (trine_tensor) { .name = names[*n],
                                   .file_name = names[*n],
                                   .type = TRINE_F32,
                                   .n_dims = cols ? 2 : 1,
                                   .shape = { rows, cols ? cols : 1, 1, 1 },
                                   .data = data,
                                   .bytes = count * sizeof *data };
    (*n)++;
}

static void write_model(void)
{
    trine_tensor tensors[MAX_TENSORS];
    char config[400];
    trine_error err;
    int n = 0;
    add(tensors, &n, VOCAB, D, "embed_tokens.weight", -1);
    add(tensors, &n, D, 0, "norm.weight", -1);
    for (int l = 0; l < LAYERS; l++) {
        add(tensors, &n, D, D, "self_attn.q_proj.weight", l);
        add(tensors, &n, D, D, "self_attn.k_proj.weight", l);
        add(tensors, &n, D, D, "self_attn.v_proj.weight", l);
        add(tensors, &n, D, D, "self_attn.o_proj.weight", l);
        add(tensors, &n, D_FF, D, "mlp.gate_proj.weight", l);
        add(tensors, &n, D_FF, D, "mlp.up_proj.weight", l);
        add(tensors, &n, D, D_FF, "mlp.down_proj.weight", l);
        add(tensors, &n, D, 0, "input_layernorm.weight", l);
        add(tensors, &n, D, 0, "post_attention_layernorm.weight", l);
    }
    check_ok(trine_safetensors_write(temp_path("model.safetensors"), tensors, n, NULL, true, &err), &err);
    for (int i = 0; i < n; i++) free((void *)tensors[i].data);
    const int bytes =
        snprintf(config, sizeof config,
                 "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%d,\"intermediate_size\":%d,"
                 "\"num_hidden_layers\":%d,\"num_attention_heads\":%d,\"num_key_value_heads\":%d,\"vocab_size\":%d,"
                 "\"max_position_embeddings\":%d,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":true,\"hidden_act\":\"silu\"}",
                 D, D_FF, LAYERS, HEADS, HEADS, VOCAB, CTX);
    temp_write("config.json", config, (size_t)bytes);
}

/* Bytes of a line of /proc/self/status, "VmHWM:    1234 kB". */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) kib = strtoul(line + strlen(key), NULL, 10);
    if (f) fclose(f);
    return kib << 10;
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
    (void)state;
    temp_make();
    write_model();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_peak), cmocka_unit_test(test_short) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
