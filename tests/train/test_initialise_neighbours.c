/* test_initialise_neighbours.c - an encoder that begins with heads that look at the words beside: which place a head's query meets best,
 * what is as in any other new model, and that its attention does look there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/open_params.h"

static trine_params *make(trine_model **model, int width, int n_heads, bool neighbours)
{
    json_t *config = json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:f,s:f}", "architectures", "BertForMaskedLM",
                               "model_type", "bert", "vocab_size", 50, "hidden_size", width, "num_hidden_layers", 3,
                               "num_attention_heads", n_heads, "intermediate_size", 64, "max_position_embeddings", 40,
                               "type_vocab_size", 2, "hidden_act", "gelu", "layer_norm_eps", 1e-12, "initializer_range", 0.03);
    if (neighbours) json_object_set_new(config, "initializer", json_string("neighbours"));
    trine_params *p = open_params(model, &(trine_params_options) { .config = config, .seed = 3 });
    json_decref(config);
    return p;
}

static const float *tensor(const trine_params *p, const char *name)
{
    const trine_param *t = trine_params_find(p, name);
    assert_non_null(t);
    return p->values + t->offset;
}

/* W x, rows [first, first + n). */
static void rows_times(float *out, const float *w, const float *x, int first, int n, int width)
{
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < width; k++) sum += (double)w[(first + i) * width + k] * (double)x[k];
        out[i] = (float)sum;
    }
}

static void heads_look_at_their_places(void **state)
{
    (void)state;
    static const int shifts[] = { -1, 1, -2, 2 };
    static const struct {
        int width, heads;
    } sizes[] = { { 320, 5 }, { 64, 1 }, { 128, 2 }, { 96, 8 } };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int width = sizes[s].width, n_heads = sizes[s].heads, size = width / n_heads;
        trine_model *model;
        trine_params *p = make(&model, width, n_heads, true);
        const float *places = tensor(p, "bert.embeddings.position_embeddings.weight");
        for (int layer = 0; layer < 2; layer++) {
            char name[80];
            snprintf(name, sizeof name, "bert.encoder.layer.%d.attention.self.query.weight", layer);
            const float *query = tensor(p, name);
            snprintf(name, sizeof name, "bert.encoder.layer.%d.attention.self.key.weight", layer);
            const float *key = tensor(p, name);
            for (int head = 0; head < n_heads && head < 4; head++)
                for (int at = 2; at < 38; at++) {
                    float q[320], k[320];
                    double best = -1e9;
                    int where = -1;
                    rows_times(q, query, places + at * width, head * size, size, width);
                    for (int to = 0; to < 40; to++) {
                        double score = 0;
                        rows_times(k, key, places + to * width, head * size, size, width);
                        for (int i = 0; i < size; i++) score += (double)q[i] * (double)k[i];
                        if (score > best) best = score, where = to;
                    }
                    if (where != at + shifts[head]) fail_msg("width %d, head %d looks from %d at %d", width, head, at, where);
                }
        }
        trine_model_close(model);
        trine_params_close(p);
    }
}

/* All other tensors, and the heads that are left, begin as in any new model. */
static void the_rest_is_as_ever(void **state)
{
    (void)state;
    trine_model *model[2];
    trine_params *a = make(&model[0], 80, 5, false), *b = make(&model[1], 80, 5, true);
    for (int i = 0; i < a->n_tensors; i++) {
        const trine_param *t = &a->tensors[i];
        const bool same = !memcmp(a->values + t->offset, b->values + t->offset, t->n * sizeof(float));
        const bool looks = (strstr(t->name, "layer.0.") || strstr(t->name, "layer.1.")) &&
                           (strstr(t->name, "query.weight") || strstr(t->name, "key.weight"));
        const bool other = looks || strstr(t->name, "position_embeddings") || strstr(t->name, "token_type_embeddings");
        if (same == other) fail_msg("%s is %s", t->name, same ? "the same" : "another");
        if (looks) assert_memory_equal(a->values + t->offset + 64 * 80, b->values + t->offset + 64 * 80, 16 * 80 * sizeof(float));
    }
    for (int i = 0; i < 2; i++) trine_model_close(model[i]);
    trine_params_close(a);
    trine_params_close(b);
}

/* The word in a configuration of another family, or one that leaves its heads to the default, is no harm. */
static void other_configurations_are_left_alone(void **state)
{
    (void)state;
    json_t *gpt2 =
        json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:s}", "architectures", "GPT2LMHeadModel", "model_type", "gpt2", "vocab_size", 50,
                  "n_embd", 32, "n_layer", 2, "n_head", 2, "n_positions", 40, "initializer", "neighbours");
    json_t *bert = json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:s}", "architectures", "BertForMaskedLM", "model_type", "bert",
                             "vocab_size", 50, "hidden_size", 48, "num_hidden_layers", 1, "intermediate_size", 64,
                             "max_position_embeddings", 40, "initializer", "neighbours");
    json_t *const configs[] = { gpt2, bert };
    for (int i = 0; i < 2; i++) {
        trine_model *model;
        trine_params *p = open_params(&model, &(trine_params_options) { .config = configs[i], .seed = 3 });
        trine_model_close(model);
        trine_params_close(p);
        json_decref(configs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_look_at_their_places),
        cmocka_unit_test(the_rest_is_as_ever),
        cmocka_unit_test(other_configurations_are_left_alone),
    };
    return cmocka_run_group_tests_name("initialise_neighbours", tests, NULL, NULL);
}
