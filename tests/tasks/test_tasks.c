/* Tasks on tiny models against transformers' pipelines and sentence-transformers (tools/make_task_fixtures.py), and their failures.
 * Tolerance of a probability: both sum in single precision over a few hundred terms, 5e-5; of a vector's number, 5e-5. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "trine.h"

static json_t *expected;

typedef struct opened {
    trine_model *model;
    trine_session *session;
} opened;

static opened open_model(const char *name, const trine_session_options *options)
{
    char path[512];
    opened o;
    trine_error err;
    snprintf(path, sizeof path, "%s/tasks/models/%s", TRINE_FIXTURES, name);
    if (trine_model_open(&o.model, path, NULL, &err) || trine_session_open(&o.session, o.model, options, &err))
        fail_msg("%s: %s", name, err.text);
    return o;
}

static void close_model(opened o)
{
    trine_session_close(o.session);
    trine_model_close(o.model);
}

static void assert_near(double got, double wanted, const char *what)
{
    if (!(fabs(got - wanted) <= 5e-5 * fmax(1, fabs(wanted)))) fail_msg("%s: got %.7f, expected %.7f", what, got, wanted);
}

static const char *text_of(const json_t *c, const char *key) { return json_string_value(json_object_get(c, key)); }

static void fills(void **state)
{
    (void)state;
    size_t i, m, k;
    json_t *c, *mask, *choice;
    json_array_foreach(json_object_get(expected, "fill"), i, c)
    {
        opened o = open_model(text_of(c, "model"), NULL);
        trine_fill_result r;
        trine_error err;
        const trine_task_options options = { .top_k = 4 };
        if (trine_fill(&r, o.session, text_of(c, "text"), &options, &err)) fail_msg("%s", err.text);
        assert_int_equal(r.n_masks, json_array_size(json_object_get(c, "masks")));
        assert_int_equal(r.n_choices, 4);
        json_array_foreach(json_object_get(c, "masks"), m, mask) json_array_foreach(mask, k, choice)
        {
            const trine_fill_choice *got = &r.choices[m * 4 + k];
            assert_int_equal(got->id, json_integer_value(json_object_get(choice, "id")));
            assert_near(got->score, json_number_value(json_object_get(choice, "score")), text_of(c, "text"));
            assert_null(strstr(got->text, "[MASK]"));
            assert_null(strstr(got->text, "<mask>"));
            assert_null(strstr(got->token, "##"));
            assert_non_null(strstr(got->text, got->token));
        }
        trine_fill_result_clear(&r);
        close_model(o);
    }
}

static void filled_texts_keep_what_was_written(void **state)
{
    (void)state;
    opened o = open_model("bert-mlm", NULL);
    trine_fill_result r;
    const trine_task_options all = { .top_k = 260 };
    int n_joined = 0, n_apart = 0;
    assert_int_equal(trine_fill(&r, o.session, "The  Dog [MASK], Zürich!", &all, NULL), TRINE_OK);
    for (int i = 0; i < r.n_choices; i++) {
        const trine_fill_choice *c = &r.choices[i];
        char apart[256], joined[256];
        snprintf(apart, sizeof apart, "The  Dog %s, Zürich!", c->token);
        snprintf(joined, sizeof joined, "The  Dog%s, Zürich!", c->token);
        const bool continues = !strncmp(trine_tokenizer_token(trine_model_get_tokenizer(o.model), c->id), "##", 2);
        assert_string_equal(c->text, continues ? joined : apart);
        *(continues ? &n_joined : &n_apart) += 1;
    }
    assert_true(n_joined > 20 && n_apart > 20);
    trine_fill_result_clear(&r);
    /* raw ids give the same choices as the text they are of */
    trine_encoding e;
    trine_fill_result raw;
    assert_int_equal(trine_fill(&r, o.session, "A [MASK] sat", NULL, NULL), TRINE_OK);
    assert_int_equal(trine_tokenizer_encode(&e, trine_model_get_tokenizer(o.model), "A [MASK] sat", 0, NULL, NULL), TRINE_OK);
    const trine_task_options ids = { .ids = e.ids, .n_ids = e.n };
    assert_int_equal(trine_fill(&raw, o.session, NULL, &ids, NULL), TRINE_OK);
    assert_int_equal(raw.n_choices, 5);
    for (int i = 0; i < 5; i++) assert_int_equal(raw.choices[i].id, r.choices[i].id);
    trine_encoding_clear(&e);
    trine_fill_result_clear(&raw);
    trine_fill_result_clear(&r);
    close_model(o);
}

static void classifies(void **state)
{
    (void)state;
    size_t i, k;
    json_t *c, *label;
    json_array_foreach(json_object_get(expected, "classify"), i, c)
    {
        opened o = open_model(text_of(c, "model"), NULL);
        trine_labels r;
        trine_error err;
        const trine_task_options options = { .pair = text_of(c, "pair") };
        if (trine_classify(&r, o.session, text_of(c, "text"), &options, &err)) fail_msg("%s", err.text);
        assert_int_equal(r.n, json_array_size(json_object_get(c, "labels")));
        json_array_foreach(json_object_get(c, "labels"), k, label)
        {
            assert_string_equal(r.items[k].label, json_string_value(json_array_get(label, 0)));
            assert_near(r.items[k].score, json_number_value(json_array_get(label, 1)), text_of(c, "text"));
        }
        trine_labels_clear(&r);
        close_model(o);
    }
}

static void tags(void **state)
{
    (void)state;
    size_t i, k, n_entities = 0;
    json_t *c, *entity;
    json_array_foreach(json_object_get(expected, "tag"), i, c)
    {
        opened o = open_model(text_of(c, "model"), NULL);
        trine_entities r;
        trine_error err;
        const char *text = text_of(c, "text");
        if (trine_tag(&r, o.session, text, NULL, &err)) fail_msg("%s", err.text);
        assert_int_equal(r.n, json_array_size(json_object_get(c, "entities")));
        json_array_foreach(json_object_get(c, "entities"), k, entity)
        {
            const trine_entity *e = &r.items[k];
            assert_string_equal(e->group, json_string_value(json_array_get(entity, 0)));
            assert_int_equal(e->char_start, json_integer_value(json_array_get(entity, 1)));
            assert_int_equal(e->char_end, json_integer_value(json_array_get(entity, 2)));
            assert_near(e->score, json_number_value(json_array_get(entity, 3)), text);
            assert_memory_equal(e->text, text + e->span.start, e->span.end - e->span.start);
            assert_int_equal(strlen(e->text), e->span.end - e->span.start);
            n_entities++;
        }
        trine_entities_clear(&r);
        close_model(o);
    }
    assert_true(n_entities > 50);
}

static void embeds(void **state)
{
    (void)state;
    static const char *const names[] = { "", "mean", "cls", "max" };
    const trine_session_options small = { .ctx = 32 };
    opened o = open_model("bert-embed", &small);
    size_t i, k;
    json_t *c, *x;
    json_array_foreach(json_object_get(expected, "embed"), i, c)
    {
        float v[24];
        trine_error err;
        trine_task_options options = { .too_long = TRINE_LONG_TRUNCATE };
        while (strcmp(names[options.pooling], text_of(c, "pooling"))) options.pooling++;
        if (trine_embed(v, 24, o.session, text_of(c, "text"), &options, &err)) fail_msg("%s", err.text);
        json_array_foreach(json_object_get(c, "vector"), k, x) assert_near(v[k], json_number_value(x), text_of(c, "text"));
    }
    close_model(o);
}

static void a_batch_is_its_texts(void **state)
{
    (void)state;
    static const char *const texts[] = { "Oslo", "A cat sat on the mat.", "The old dog", "x y z",
                                         "They won't play football today because it rains" };
    const trine_session_options few = { .ctx = 40, .batch_tokens = 40 };
    opened o = open_model("bert-embed", &few);
    float batch[5][24], one[24];
    const trine_task_options mean = { .pooling = TRINE_POOL_MEAN };
    assert_int_equal(trine_embed_batch(batch[0], o.session, texts, 5, &mean, NULL), TRINE_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(trine_embed(one, 24, o.session, texts[i], &mean, NULL), TRINE_OK);
        for (int j = 0; j < 24; j++) assert_near(batch[i][j], one[j], texts[i]);
    }
    /* Ids in place of texts are what the tokenizer makes of them. */
    trine_encoding e[5];
    const int32_t *ids[5];
    int n_ids[5];
    float by_ids[5][24];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(trine_tokenizer_encode(&e[i], trine_model_get_tokenizer(o.model), texts[i], 0, NULL, NULL), TRINE_OK);
        ids[i] = e[i].ids;
        n_ids[i] = e[i].n;
    }
    assert_int_equal(trine_embed_ids(by_ids[0], o.session, ids, n_ids, 5, &mean, NULL), TRINE_OK);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 24; j++) assert_near(by_ids[i][j], batch[i][j], texts[i]);
    }
    trine_error err;
    n_ids[3] = 0;
    assert_int_equal(trine_embed_ids(by_ids[0], o.session, ids, n_ids, 5, &mean, &err), TRINE_ERROR_EMPTY);
    assert_non_null(strstr(err.text, "text 4 of 5"));
    ids[1] = NULL;
    assert_int_equal(trine_embed_ids(by_ids[0], o.session, ids, n_ids, 5, &mean, &err), TRINE_ERROR_ARGUMENT);
    for (int i = 0; i < 5; i++) trine_encoding_clear(&e[i]);
    close_model(o);
}

/* In parts: the mean of what the parts give, weighted by their tokens. */
static void long_texts(void **state)
{
    (void)state;
    const trine_session_options small = { .ctx = 12 };
    opened o = open_model("bert-embed", &small);
    const trine_tokenizer *t = trine_model_get_tokenizer(o.model);
    static const char text[] = "A cat sat on the mat while the old dog slept near the door";
    float whole[24], part[24];
    double sum[24] = { 0 };
    trine_error err;
    const trine_task_options chunk = { .too_long = TRINE_LONG_CHUNK, .pooling = TRINE_POOL_CLS };
    assert_int_equal(trine_embed(whole, 24, o.session, text, NULL, &err), TRINE_ERROR_TOO_LONG);
    trine_encoding e;
    assert_int_equal(trine_tokenizer_encode(&e, t, text, 0, &(trine_encode_options) { .no_special = true }, NULL), TRINE_OK);
    char says[64];
    snprintf(says, sizeof says, "has %d tokens, special ones included", e.n + 2);
    assert_non_null(strstr(err.text, says));
    assert_non_null(strstr(err.text, "takes 12"));
    assert_non_null(strstr(err.text, "--truncate"));
    assert_int_equal(trine_embed(whole, 24, o.session, text, &chunk, NULL), TRINE_OK);
    for (int from = 0; from < e.n; from += 10) {
        int32_t ids[12];
        const int n = e.n - from < 10 ? e.n - from : 10;
        ids[0] = trine_tokenizer_special(t, TRINE_TOKEN_CLS);
        memcpy(ids + 1, e.ids + from, (size_t)n * sizeof *ids);
        ids[n + 1] = trine_tokenizer_special(t, TRINE_TOKEN_SEP);
        const trine_task_options raw = { .ids = ids, .n_ids = n + 2, .pooling = TRINE_POOL_CLS };
        assert_int_equal(trine_embed(part, 24, o.session, NULL, &raw, NULL), TRINE_OK);
        for (int j = 0; j < 24; j++) sum[j] += (double)part[j] * n / e.n;
    }
    for (int j = 0; j < 24; j++) assert_near(whole[j], sum[j], "a chunked vector");
    trine_encoding_clear(&e);
    close_model(o);
}

/* Raw ids are refused, cut and taken in parts as texts are; nothing is put around them. */
static void long_ids(void **state)
{
    (void)state;
    const trine_session_options small = { .ctx = 12 };
    opened o = open_model("bert-embed", &small);
    int32_t ids[20];
    float whole[24], first[24], second[24];
    trine_error err;
    for (int i = 0; i < 20; i++) ids[i] = 5 + i;
    trine_task_options raw = { .ids = ids, .n_ids = 20, .pooling = TRINE_POOL_CLS };
    assert_int_equal(trine_embed(whole, 24, o.session, NULL, &raw, &err), TRINE_ERROR_TOO_LONG);
    assert_non_null(strstr(err.text, "there are 20 ids"));
    assert_non_null(strstr(err.text, "takes 12 in this session"));
    raw.too_long = TRINE_LONG_ALLOW;
    assert_int_equal(trine_embed(whole, 24, o.session, NULL, &raw, &err), TRINE_ERROR_TOO_LONG);
    const trine_task_options begin = { .ids = ids, .n_ids = 12, .pooling = TRINE_POOL_CLS };
    const trine_task_options rest = { .ids = ids + 12, .n_ids = 8, .pooling = TRINE_POOL_CLS };
    assert_int_equal(trine_embed(first, 24, o.session, NULL, &begin, NULL), TRINE_OK);
    assert_int_equal(trine_embed(second, 24, o.session, NULL, &rest, NULL), TRINE_OK);
    raw.too_long = TRINE_LONG_TRUNCATE;
    assert_int_equal(trine_embed(whole, 24, o.session, NULL, &raw, NULL), TRINE_OK);
    for (int j = 0; j < 24; j++) assert_near(whole[j], first[j], "a vector of ids that were cut");
    raw.too_long = TRINE_LONG_CHUNK;
    assert_int_equal(trine_embed(whole, 24, o.session, NULL, &raw, NULL), TRINE_OK);
    for (int j = 0; j < 24; j++) assert_near(whole[j], (first[j] * 12.0 + second[j] * 8.0) / 20, "a vector of ids in parts");
    const int32_t *const all[] = { ids };
    const int n_ids[] = { 20 };
    const trine_task_options chunk = { .too_long = TRINE_LONG_CHUNK, .pooling = TRINE_POOL_CLS };
    assert_int_equal(trine_embed_ids(second, o.session, all, n_ids, 1, &chunk, NULL), TRINE_OK);
    for (int j = 0; j < 24; j++) assert_near(second[j], whole[j], "a vector of several ids in parts");
    close_model(o);
}

/* The filled text is of all ids, whatever part a gap is in. */
static void gaps_of_long_ids(void **state)
{
    (void)state;
    const trine_session_options small = { .ctx = 12 };
    opened o = open_model("bert-mlm", &small);
    trine_encoding e;
    trine_fill_result r;
    const trine_tokenizer *t = trine_model_get_tokenizer(o.model);
    static const char text[] = "A [MASK] sat on the mat while the old dog slept near the [MASK] and the door";
    assert_int_equal(trine_tokenizer_encode(&e, t, text, 0, NULL, NULL), TRINE_OK);
    assert_true(e.n > 12);
    const trine_task_options chunk = { .ids = e.ids, .n_ids = e.n, .too_long = TRINE_LONG_CHUNK, .top_k = 1 };
    assert_int_equal(trine_fill(&r, o.session, NULL, &chunk, NULL), TRINE_OK);
    assert_int_equal(r.n_masks, 2);
    int32_t *ids = malloc((size_t)e.n * sizeof *ids);
    assert_non_null(ids);
    for (int i = 0, gap = 0; i < e.n; i++)
        ids[i] = e.ids[i] == trine_tokenizer_special(t, TRINE_TOKEN_MASK) ? r.choices[gap++].id : e.ids[i];
    char *filled;
    assert_int_equal(trine_tokenizer_decode(&filled, t, ids, e.n, true, NULL), TRINE_OK);
    assert_string_equal(r.text, filled);
    free(filled);
    free(ids);
    trine_encoding_clear(&e);
    trine_fill_result_clear(&r);
    close_model(o);
}

/* A pass of a decoder is short by default; a session for whole texts has one as long as its context. */
static void a_decoder_reads_its_context(void **state)
{
    (void)state;
    enum { N = 700 };
    const trine_session_options plain = { .ctx = 1024 }, whole = { .ctx = 1024, .whole_texts = true };
    static int32_t ids[N];
    trine_memory memory;
    trine_error err;
    for (int i = 0; i < N; i++) ids[i] = 5 + i % 40;
    const trine_task_options raw = { .ids = ids, .n_ids = N };
    opened o = open_model("llama-chat", &plain);
    const int d = trine_model_get_info(o.model)->d_embedding;
    float *v = malloc((size_t)d * sizeof *v);
    assert_non_null(v);
    trine_session_memory(&memory, o.session);
    assert_int_equal(memory.text_tokens, 512);
    assert_int_equal(trine_embed(v, d, o.session, NULL, &raw, &err), TRINE_ERROR_TOO_LONG);
    assert_non_null(strstr(err.text, "takes 512 in this session"));
    close_model(o);
    o = open_model("llama-chat", &whole);
    trine_session_memory(&memory, o.session);
    assert_int_equal(memory.text_tokens, 1024);
    assert_int_equal(trine_embed(v, d, o.session, NULL, &raw, &err), TRINE_OK);
    close_model(o);
    free(v);
}

static void writes_text(void **state)
{
    (void)state;
    static const char *const names[] = { "llama-chat", "t5-text" };
    char document[3000] = "";
    for (int i = 0; i < 12; i++)
        strcat(document, "A cat sat on the mat. The old dog slept near the door!\n\nParis is the capital of France? ");
    for (int m = 0; m < 2; m++) {
        const trine_session_options options = { .ctx = 96, .source_ctx = m ? 96 : 0 };
        opened o = open_model(names[m], &options);
        trine_generation g;
        trine_error err;
        const trine_text_options translate = { .from = "en", .to = "de", .generate = { .max_tokens = 6, .ignore_eos = true } };
        if (trine_translate(&g, o.session, "Oslo", &translate, &err)) fail_msg("%s", err.text);
        assert_int_equal(g.n_tokens, 6);
        assert_int_equal(g.n_parts, 1);
        trine_generation_clear(&g);
        /* what was asked is what a prompt written out asks */
        trine_generation by_hand;
        char *prompt;
        const trine_message message = {
            "user", "Translate the following text from English to German. Reply with the translation only.\n\nOslo"
        };
        trine_generate_options generate = translate.generate;
        assert_int_equal(trine_translate(&g, o.session, "Oslo", &translate, NULL), TRINE_OK);
        if (m) {
            assert_int_equal(trine_generate(&by_hand, o.session, "translate English to German: Oslo", &generate, NULL), TRINE_OK);
        } else {
            generate.no_special = true;
            assert_int_equal(trine_chat_render(&prompt, trine_model_get_tokenizer(o.model), NULL, &message, 1, true, NULL),
                             TRINE_OK);
            assert_int_equal(trine_generate(&by_hand, o.session, prompt, &generate, NULL), TRINE_OK);
            trine_free(prompt);
        }
        assert_int_equal(g.n_prompt, by_hand.n_prompt);
        assert_memory_equal(g.tokens, by_hand.tokens, 6 * sizeof *g.tokens);
        trine_generation_clear(&g);
        trine_generation_clear(&by_hand);

        const trine_text_options summarize = { .generate = { .max_tokens = 8 } };
        if (trine_summarize(&g, o.session, document, &summarize, &err)) fail_msg("%s", err.text);
        assert_true(g.n_parts > 3);
        assert_non_null(g.text);
        trine_generation_clear(&g);
        assert_int_equal(trine_summarize(&g, o.session, "Paris.", &summarize, NULL), TRINE_OK);
        assert_int_equal(g.n_parts, 1);
        trine_generation_clear(&g);
        /* as one of the texts of a generator it is the same, while it fits */
        trine_generator *generator;
        trine_generation alone;
        int64_t id;
        assert_int_equal(trine_summarize(&alone, o.session, "Paris is the capital.", &summarize, NULL), TRINE_OK);
        assert_int_equal(trine_generator_open(&generator, o.session, NULL), TRINE_OK);
        assert_int_equal(trine_generator_summarize(generator, 1, document, &summarize, &err), TRINE_ERROR_TOO_LONG);
        assert_int_equal(trine_generator_summarize(generator, 1, " \n", &summarize, &err), TRINE_ERROR_EMPTY);
        assert_int_equal(trine_generator_summarize(generator, 1, "Paris is the capital.", &summarize, NULL), TRINE_OK);
        do {
            assert_int_equal(trine_generator_step(generator, NULL), TRINE_OK);
            assert_int_equal(trine_generator_take(&g, &id, generator, NULL), TRINE_OK);
        } while (id < 0);
        assert_string_equal(g.text, alone.text);
        assert_int_equal(g.n_prompt, alone.n_prompt);
        trine_generator_close(generator);
        trine_generation_clear(&g);
        trine_generation_clear(&alone);
        const trine_text_options whole = { .whole = true, .generate = { .max_tokens = 8 } };
        assert_int_equal(trine_summarize(&g, o.session, document, &whole, &err), TRINE_ERROR_TOO_LONG);
        assert_null(g.text);
        assert_int_equal(trine_summarize(&g, o.session, " \n", &summarize, &err), TRINE_ERROR_EMPTY);
        const trine_text_options nowhere = { 0 }, same = { .from = "en" }, odd = { .to = "xx" };
        assert_int_equal(trine_translate(&g, o.session, "Oslo", &nowhere, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_translate(&g, o.session, "Oslo", &same, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_translate(&g, o.session, "Oslo", &odd, &err), TRINE_ERROR_ARGUMENT);
        close_model(o);
    }
}

static void config_names_the_prefix(void **state)
{
    (void)state;
    opened o = open_model("t5-text", NULL);
    trine_generation own, by_hand;
    const trine_text_options french = { .from = "en", .to = "fr", .generate = { .max_tokens = 5, .ignore_eos = true } };
    assert_int_equal(trine_translate(&own, o.session, "Oslo", &french, NULL), TRINE_OK);
    assert_int_equal(trine_generate(&by_hand, o.session, "into French: Oslo", &french.generate, NULL), TRINE_OK);
    assert_int_equal(own.n_prompt, by_hand.n_prompt);
    assert_memory_equal(own.tokens, by_hand.tokens, 5 * sizeof *own.tokens);
    trine_generation_clear(&own);
    trine_generation_clear(&by_hand);
    close_model(o);
}

static void wrong_uses(void **state)
{
    (void)state;
    trine_error err;
    trine_fill_result fill;
    trine_labels labels;
    trine_entities entities;
    trine_generation g;
    float v[24];
    opened mlm = open_model("bert-mlm", NULL), tagger = open_model("bert-tags", NULL);
    assert_int_equal(trine_fill(&fill, mlm.session, "no gap here", NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "[MASK]"));
    assert_int_equal(trine_fill(&fill, mlm.session, "", NULL, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_fill(&fill, tagger.session, "a [MASK]", NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no masked-token head"));
    assert_int_equal(trine_classify(&labels, mlm.session, "a", NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no label head"));
    assert_int_equal(trine_tag(&entities, mlm.session, "a", NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no tag head"));
    assert_int_equal(trine_tag(&entities, tagger.session, "   ", NULL, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_embed(v, 23, mlm.session, "a", NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_embed(v, 24, mlm.session, "", NULL, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_embed_batch(v, mlm.session, (const char *const[]) { "a", "" }, 2, NULL, &err), TRINE_ERROR_EMPTY);
    assert_non_null(strstr(err.text, "text 2 of 2"));
    const trine_task_options paired = { .pair = "b" };
    assert_int_equal(trine_embed_batch(v, mlm.session, (const char *const[]) { "a" }, 1, &paired, &err), TRINE_ERROR_ARGUMENT);
    const int32_t high[] = { 1, 100000 };
    const trine_task_options ids = { .ids = high, .n_ids = 2 };
    assert_int_equal(trine_embed(v, 24, mlm.session, NULL, &ids, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_summarize(&g, mlm.session, "a", NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "writes no text"));
    close_model(mlm);
    close_model(tagger);
}

static void memory_fails_at_each_call(void **state)
{
    (void)state;
    opened mlm = open_model("bert-mlm", NULL), tagger = open_model("bert-tags", NULL), chat = open_model("llama-chat", NULL);
    opened topics = open_model("bert-classify", NULL);
    for (int task = 0; task < 5; task++) {
        for (long k = 1;; k++) {
            float v[48];
            trine_fill_result fill = { 0 };
            trine_entities entities = { 0 };
            trine_generation g = { 0 };
            trine_labels labels = { 0 };
            const trine_text_options text = { .from = "de", .to = "en", .generate = { .max_tokens = 2 } };
            trine_status status = TRINE_OK;
            alloc_fail_at(k);
            if (task == 0) status = trine_embed_batch(v, mlm.session, (const char *const[]) { "Oslo", "A cat" }, 2, NULL, NULL);
            if (task == 1) status = trine_fill(&fill, mlm.session, "A [MASK] sat", &(trine_task_options) { .top_k = 2 }, NULL);
            if (task == 2) status = trine_tag(&entities, tagger.session, "Anna went to Oslo and Paris", NULL, NULL);
            if (task == 3) status = trine_translate(&g, chat.session, "Oslo", &text, NULL);
            if (task == 4) status = trine_classify(&labels, topics.session, "Oslo", NULL, NULL);
            alloc_fail_at(0);
            trine_fill_result_clear(&fill);
            trine_entities_clear(&entities);
            trine_generation_clear(&g);
            trine_labels_clear(&labels);
            if (status == TRINE_OK) break;
            assert_int_equal(status, TRINE_ERROR_MEMORY);
        }
    }
    close_model(mlm);
    close_model(tagger);
    close_model(chat);
    close_model(topics);
}

static int open_expected(void **state)
{
    (void)state;
    expected = json_load_file(TRINE_FIXTURES "/tasks/tasks.json", 0, NULL);
    return expected ? 0 : -1;
}

static int close_expected(void **state)
{
    (void)state;
    json_decref(expected);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills),
        cmocka_unit_test(filled_texts_keep_what_was_written),
        cmocka_unit_test(classifies),
        cmocka_unit_test(tags),
        cmocka_unit_test(embeds),
        cmocka_unit_test(a_batch_is_its_texts),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(long_ids),
        cmocka_unit_test(gaps_of_long_ids),
        cmocka_unit_test(a_decoder_reads_its_context),
        cmocka_unit_test(writes_text),
        cmocka_unit_test(config_names_the_prefix),
        cmocka_unit_test(wrong_uses),
        cmocka_unit_test(memory_fails_at_each_call),
    };
    return cmocka_run_group_tests(tests, open_expected, close_expected);
}
