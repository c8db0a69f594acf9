/* test_encoder_resident.c - an encoder that lays its weights out (src/blocks/packed.h): texts get the same vectors before and after, to the
 * bit, and the process holds no more than it did. A BERT of 30 MiB made here, in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/apart.h"
#include "support/open_fixture.h"
#include "support/resident.h"
#include "support/temp.h"
#include "support/written_model.h"
#include "trine/understanding.h"

enum { D = 384, D_FF = 1536, LAYERS = 4, VOCAB = 400, TOKENS = 128, TEXTS = 6 };

static void write_model(void)
{
    static const struct {
        const char *name;
        int rows, cols;
    } layer[] = {
        { "attention.self.query", D, D },       { "attention.self.key", D, D },    { "attention.self.value", D, D },
        { "attention.output.dense", D, D },     { "intermediate.dense", D_FF, D }, { "output.dense", D, D_FF },
        { "attention.output.LayerNorm", D, 0 }, { "output.LayerNorm", D, 0 },
    };
    written_model m = { 0 };
    written_add(&m, VOCAB, D, "embeddings.word_embeddings.weight");
    written_add(&m, TOKENS, D, "embeddings.position_embeddings.weight");
    written_add(&m, 2, D, "embeddings.token_type_embeddings.weight");
    written_add(&m, D, 0, "embeddings.LayerNorm.weight");
    written_add(&m, D, 0, "embeddings.LayerNorm.bias");
    for (int n = 0; n < LAYERS; n++)
        for (size_t i = 0; i < sizeof layer / sizeof *layer; i++) {
            written_add(&m, layer[i].rows, layer[i].cols, "encoder.layer.%d.%s.weight", n, layer[i].name);
            written_add(&m, layer[i].rows, 0, "encoder.layer.%d.%s.bias", n, layer[i].name);
        }
    written_end(&m,
                "{\"architectures\":[\"BertModel\"],\"model_type\":\"bert\",\"hidden_size\":%d,\"intermediate_size\":%d,"
                "\"num_hidden_layers\":%d,\"num_attention_heads\":6,\"vocab_size\":%d,\"max_position_embeddings\":%d}",
                D, D_FF, LAYERS, VOCAB, TOKENS);
}

typedef struct report {
    size_t peak[TEXTS]; /* after so many texts */
    size_t said;
    bool same;
} report;

static bool encode(void *result, void *user)
{
    report *out = result;
    trine_model *m;
    trine_session *s;
    trine_memory memory;
    static float vectors[TEXTS][D];
    int32_t ids[TOKENS];
    const int32_t *texts[] = { ids };
    const int n = TOKENS;
    (void)user;
    if (trine_model_open(&m, temp_path("."), NULL, NULL) ||
        trine_session_open(&s, m, &(trine_session_options) { .n_threads = 2 }, NULL))
        return false;
    make_ids(ids, TOKENS, m, 3);
    for (int i = 0; i < TEXTS; i++) {
        if (trine_embed_ids(vectors[i], s, texts, &n, 1, NULL, NULL)) return false;
        out->peak[i] = status_bytes("VmHWM:");
    }
    trine_session_memory(&memory, s);
    out->said = memory.weights_bytes + memory.arena_peak;
    out->same = true;
    for (int i = 1; i < TEXTS; i++) out->same &= !memcmp(vectors[0], vectors[i], sizeof vectors[0]);
    trine_session_close(s);
    trine_model_close(m);
    return true;
}

static void test_resident(void **unused)
{
    (void)unused;
    report r;
    apart(&r, sizeof r, encode, NULL);
    assert_true(r.same);
    for (int i = 0; i < TEXTS; i++) print_message("%d texts: peak %.1f MiB\n", i + 1, (double)r.peak[i] / 1048576);
    print_message("said %.1f MiB\n", (double)r.said / 1048576);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer's own memory is several times that of the program */
#endif
    /* The largest matrix is there twice for a moment; all of them twice would be as much again as the weights. */
    assert_true(r.peak[TEXTS - 1] <= r.peak[0] + 4 * D * D_FF + ((size_t)2 << 20));
    assert_true(r.peak[TEXTS - 1] <= r.said + r.said / 20 + ((size_t)16 << 20));
}

static int set_up(void **state)
{
    const int failed = temp_set_up(state);
    write_model();
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_resident) };
    return cmocka_run_group_tests(tests, set_up, temp_tear_down);
}
