/* eval on tiny models: perplexity against transformers (tools/make_task_fixtures.py), the other measures against what the tasks
 * themselves answer, and files that cannot be measured. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "tasks/metrics.h"
#include "trine.h"

typedef struct opened {
    trine_model *model;
    trine_session *session;
} opened;

static char path[64];

static const char *file_of(const char *suffix, const char *content)
{
    snprintf(path, sizeof path, "test_eval_%ld%s", (long)getpid(), suffix);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static opened open_model(const char *name, const trine_session_options *options)
{
    char folder[512];
    opened o;
    trine_error err;
    snprintf(folder, sizeof folder, "%s/tasks/models/%s", TRINE_FIXTURES, name);
    if (trine_model_open(&o.model, folder, NULL, &err) || trine_session_open(&o.session, o.model, options, &err))
        fail_msg("%s: %s", name, err.text);
    return o;
}

static void close_model(opened o)
{
    trine_session_close(o.session);
    trine_model_close(o.model);
    unlink(path);
}

static void assert_near(double got, double wanted, double relative, const char *what)
{
    if (!(fabs(got - wanted) <= relative * fabs(wanted))) fail_msg("%s: got %.9f, expected %.9f", what, got, wanted);
}

/* Tolerance: logits of two implementations in single precision, a mean of hundreds of losses: 2e-5. */
static void perplexity(void **state)
{
    (void)state;
    json_t *root = json_load_file(TRINE_FIXTURES "/tasks/tasks.json", 0, NULL), *c;
    const json_t *lm = json_object_get(root, "lm");
    const char *text = json_string_value(json_object_get(lm, "text"));
    const double tokens = (double)json_integer_value(json_object_get(lm, "tokens"));
    size_t i;
    assert_non_null(text);
    for (int rows = 1; rows <= 24; rows += 23) { /* one row of logits a pass, and many */
        const trine_session_options options = { .ctx = 96, .batch_tokens = 40, .logit_rows = rows, .cache_type = TRINE_F32 };
        opened o = open_model("llama-chat", &options);
        file_of(".txt", text);
        json_array_foreach(json_object_get(lm, "cases"), i, c)
        {
            trine_eval_result r;
            trine_error err;
            const trine_eval_options eval = { .window = (int)json_integer_value(json_object_get(c, "window")),
                                              .stride = (int)json_integer_value(json_object_get(c, "stride")) };
            if (trine_eval(&r, o.session, TRINE_EVAL_LM, path, &eval, &err)) fail_msg("%s", err.text);
            assert_int_equal(r.n_tokens, json_integer_value(json_object_get(c, "scored")));
            assert_near(r.perplexity, json_number_value(json_object_get(c, "perplexity")), 2e-5, "perplexity");
            assert_near(r.bits_per_byte, log2(r.perplexity) * (tokens - 1) / (double)strlen(text), 1e-9, "bits a byte");
        }
        close_model(o);
    }
    json_decref(root);
}

/* Texts of one file are as if each had a file of its own, but for their end, which is scored when there are several. */
static void texts_apart(void **state)
{
    (void)state;
    const trine_session_options options = { .ctx = 64, .cache_type = TRINE_F32 };
    opened o = open_model("llama-chat", &options);
    trine_eval_result both, one, whole;
    trine_error err;
    file_of(".txt", "the cat sat<|endoftext|>the cat sat<|endoftext|>\n");
    assert_int_equal(trine_eval(&both, o.session, TRINE_EVAL_LM, path, NULL, &err), TRINE_OK);
    assert_int_equal(trine_eval(&whole, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .split = "file" }, &err), TRINE_OK);
    file_of(".txt", "the cat sat");
    assert_int_equal(trine_eval(&one, o.session, TRINE_EVAL_LM, path, NULL, &err), TRINE_OK);
    assert_int_equal(both.n_examples, 2);
    assert_int_equal(both.n_tokens, 2 * one.n_tokens + 2);
    const double end = (both.loss * (double)both.n_tokens - 2 * one.loss * (double)one.n_tokens) / 2; /* -ln p(end | text) */
    assert_true(end > 0 && end < 50);
    assert_true(whole.n_examples == 1 && whole.n_tokens > both.n_tokens);
    assert_near(both.bits_per_byte, both.loss * (double)both.n_tokens / (log(2) * 22), 1e-9, "bits a byte");
    file_of(".txt", "the cat sat\nthe cat sat\n");
    assert_int_equal(trine_eval(&one, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .split = "lines" }, &err), TRINE_OK);
    assert_near(one.loss, both.loss, 1e-9, "lines");
    assert_int_equal(trine_eval(&one, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .split = "" }, &err),
                     TRINE_ERROR_ARGUMENT);
    close_model(o);
}

static bool stop_at_two(void *user, int done, int total)
{
    *(int *)user = total;
    return done < 2;
}

static void lm_limits(void **state)
{
    (void)state;
    const trine_session_options options = { .ctx = 32 };
    opened o = open_model("llama-chat", &options);
    trine_eval_result r;
    trine_error err;
    char text[2000] = "";
    int total = 0;
    for (int i = 0; i < 30; i++) strcat(text, "A cat sat on the mat. ");
    file_of(".txt", text);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .limit = 2 }, &err), TRINE_OK);
    assert_int_equal(r.n_examples, 2);
    assert_int_equal(r.n_tokens, 62);
    assert_int_equal(
        trine_eval(&r, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .on_progress = stop_at_two, .user = &total }, &err),
        TRINE_ERROR_CANCELLED);
    assert_true(total > 2);
    assert_true(r.perplexity == 0);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .window = 33 }, &err),
                     TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .window = 16, .stride = 17 }, &err),
                     TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_LM, file_of(".txt", "ab"), &(trine_eval_options) { .stride = -1 }, &err),
                     TRINE_ERROR_EMPTY);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_LM, file_of(".txt", ""), NULL, &err), TRINE_ERROR_FORMAT);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_LM, "no such file", NULL, &err), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_MLM, path, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no masked-token head"));
    close_model(o);
}

static void masked(void **state)
{
    (void)state;
    static const char text[] =
        "A cat sat on the mat.\n\nParis is the capital of France\nThe old dog slept near the door, and nobody went out.\nOslo\n";
    double loss[2] = { 0 };
    int64_t n[2] = { 0 };
    for (int round = 0; round < 2; round++) { /* the same seed masks the same, however many rows a pass gives */
        const trine_session_options options = { .ctx = 20, .batch_tokens = 40, .logit_rows = round ? 1 : 20 };
        opened o = open_model("bert-mlm", &options);
        trine_eval_result r, other;
        trine_error err;
        if (trine_eval(&r, o.session, TRINE_EVAL_MLM, file_of(".txt", text), &(trine_eval_options) { .seed = 5 }, &err))
            fail_msg("%s", err.text);
        assert_int_equal(r.n_examples, 4);
        assert_true(r.n_tokens >= 4 && r.loss > 0 && r.accuracy >= 0 && r.accuracy <= 1);
        assert_int_equal(trine_eval(&other, o.session, TRINE_EVAL_MLM, path, &(trine_eval_options) { .seed = 6 }, &err), TRINE_OK);
        assert_true(other.loss != r.loss);
        loss[round] = r.loss;
        n[round] = r.n_tokens;
        close_model(o);
    }
    assert_int_equal(n[0], n[1]);
    assert_near(loss[1], loss[0], 1e-5, "loss");
}

static const char *const sentences[] = { "Paris is the capital of France", "The weather was cold", "A cat sat on the mat",
                                         "They play football", "Oslo" };
enum { N_SENTENCES = 5 };

/* A table whose labels are what the model says, but for the last row. */
static void classified(void **state)
{
    (void)state;
    opened o = open_model("bert-classify", NULL);
    char table[1000] = "label\tsentence\n";
    double loss = 0;
    for (int i = 0; i < N_SENTENCES; i++) {
        trine_labels l;
        assert_int_equal(trine_classify(&l, o.session, sentences[i], NULL, NULL), TRINE_OK);
        const bool last = i == N_SENTENCES - 1;
        const trine_label_score said = l.items[last];
        loss -= log(said.score) / N_SENTENCES;
        /* by name, or by number */
        char number[16];
        snprintf(number, sizeof number, "%d", said.index);
        snprintf(table + strlen(table), sizeof table - strlen(table), "%s\t%s\n", i % 2 ? number : said.label, sentences[i]);
        trine_labels_clear(&l);
    }
    trine_eval_result r;
    trine_error err;
    if (trine_eval(&r, o.session, TRINE_EVAL_CLASSIFY, file_of(".tsv", table), NULL, &err)) fail_msg("%s\n%s", err.text, table);
    assert_int_equal(r.n_examples, N_SENTENCES);
    assert_near(r.accuracy, 0.8, 1e-9, "accuracy");
    assert_near(r.loss, loss, 1e-4, "loss");
    assert_true(r.f1 > 0 && r.f1 < 1);
    static const struct {
        const char *table, *says;
    } bad[] = {
        { "label\tsentence\nsport\ta\nmusic\tb\n",
          "line 3: the label 'music' is none of the model's: sport, city, weather, or 0 to 2" },
        { "label\tsentence\n3\ta\n", "line 2: the label '3'" },
        { "sentence\nx\n", "no column for the label" },
        { "label\tsentence\n", "no row under the header" },
        { "label\tsentence\nsport\t\n", "line 2: eval: the text is empty" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(trine_eval(&r, o.session, TRINE_EVAL_CLASSIFY, file_of(".tsv", bad[i].table), NULL, &err), TRINE_OK);
        if (!strstr(err.text, bad[i].says)) fail_msg("expected ... %s ...\ngot %s", bad[i].says, err.text);
    }
    close_model(o);
    o = open_model("bert-single", NULL);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_CLASSIFY, file_of(".tsv", table), NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no classes"));
    close_model(o);
}

static void tagged(void **state)
{
    (void)state;
    opened o = open_model("bert-tags", NULL);
    trine_entities e;
    trine_eval_result r;
    trine_error err;
    /* The gold tags are the model's own entities, but for those of the second sentence, which gold does not have. */
    static const char *const words[2][6] = { { "Anna", "went", "to", "Oslo", "today", "." },
                                             { "Zürich", "and", "Paris", "are", "far", "!" } };
    char file[1000] = "-DOCSTART-\tO\n\n";
    int n_right = 0, n_guessed = 0;
    for (int s = 0; s < 2; s++) {
        char text[200] = "";
        for (int w = 0; w < 6; w++) snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", w ? " " : "", words[s][w]);
        assert_int_equal(trine_tag(&e, o.session, text, NULL, NULL), TRINE_OK);
        size_t start = 0;
        for (int w = 0; w < 6; w++) {
            char tag[32] = "O";
            for (int k = 0; k < e.n && s == 0; k++)
                if (start >= e.items[k].span.start && start < e.items[k].span.end)
                    snprintf(tag, sizeof tag, "%s-%s", start == e.items[k].span.start ? "B" : "I", e.items[k].group);
            snprintf(file + strlen(file), sizeof file - strlen(file), "%s\t%s\n", words[s][w], tag);
            start += strlen(words[s][w]) + 1;
        }
        strcat(file, "\n");
        n_guessed += e.n;
        if (s == 0) n_right = e.n;
        trine_entities_clear(&e);
    }
    assert_true(n_right > 0);
    if (trine_eval(&r, o.session, TRINE_EVAL_TAG, file_of(".conll", file), NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(r.n_examples, 2);
    assert_int_equal(r.n_tokens, 12);
    assert_near(r.recall, 1, 1e-9, "recall");
    assert_near(r.precision, (double)n_right / n_guessed, 1e-9, "precision");
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_TAG, file_of(".conll", "a B-animal\nb I-animal\n"), NULL, &err),
                     TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "none of the model's"));
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_TAG, file_of(".conll", "a O\nlonely\n"), NULL, &err), TRINE_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "line 2"));
    close_model(o);
}

static void translated_and_summarized(void **state)
{
    (void)state;
    const trine_session_options options = { .ctx = 64, .source_ctx = 64 };
    opened o = open_model("t5-text", &options);
    const trine_text_options text = { .from = "en", .to = "de", .generate = { .max_tokens = 8 } };
    trine_generation g;
    trine_eval_result r;
    trine_error err;
    trine_bleu bleu = { 0 };
    trine_chrf chrf = { 0 };
    char table[2000] = "", lines[2000] = "";
    trine_rouge sum = { 0 };
    for (int i = 0; i < 3; i++) {
        char reference[300];
        assert_int_equal(trine_translate(&g, o.session, sentences[i], &text, NULL), TRINE_OK);
        snprintf(reference, sizeof reference, "%s und %s", g.text, sentences[i]);
        for (char *p = reference; *p; p++) *p = *p == '\t' || *p == '\n' || *p == '"' ? ' ' : *p;
        snprintf(table + strlen(table), sizeof table - strlen(table), "%s\t%s\n", reference, sentences[i]); /* target first */
        assert_int_equal(trine_bleu_add(&bleu, g.text, reference, NULL), TRINE_OK);
        assert_int_equal(trine_chrf_add(&chrf, g.text, reference, NULL), TRINE_OK);
        trine_generation_clear(&g);
        assert_int_equal(trine_summarize(&g, o.session, sentences[i], &text, NULL), TRINE_OK);
        const char *references[] = { sentences[i], "A B A B" };
        trine_rouge one;
        assert_int_equal(trine_rouge_score(&one, g.text, references, 2, NULL), TRINE_OK);
        sum.rouge1 += one.rouge1 / 3;
        sum.rougeL += one.rougeL / 3;
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
                 "{\"id\": %d, \"dialogue\": \"%s\", \"summary\": [\"%s\", \"A B A B\"]}\n", i, sentences[i], sentences[i]);
        trine_generation_clear(&g);
    }
    const trine_eval_options eval = { .from = "en", .to = "de", .reverse = true, .generate = { .max_tokens = 8 } };
    if (trine_eval(&r, o.session, TRINE_EVAL_TRANSLATE, file_of(".tsv", table), &eval, &err)) fail_msg("%s\n%s", err.text, table);
    assert_int_equal(r.n_examples, 3);
    assert_near(r.bleu, trine_bleu_score(&bleu), 1e-9, "BLEU");
    assert_near(r.chrf, trine_chrf_score(&chrf), 1e-9, "chrF");
    assert_true(r.chrf > 0);
    const trine_eval_options summaries = { .generate = { .max_tokens = 8 } };
    if (trine_eval(&r, o.session, TRINE_EVAL_SUMMARIZE, file_of(".jsonl", lines), &summaries, &err)) fail_msg("%s", err.text);
    assert_int_equal(r.n_examples, 3);
    assert_true(fabs(r.rouge1 - sum.rouge1) < 1e-9 && fabs(r.rougeL - sum.rougeL) < 1e-9);
    assert_int_equal(trine_eval(&r, o.session, TRINE_EVAL_TRANSLATE, path, &summaries, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "from which language"));
    close_model(o);
}

static void memory_fails_at_each_call(void **state)
{
    (void)state;
    const trine_session_options options = { .ctx = 48 };
    opened o = open_model("bert-classify", &options);
    file_of(".tsv", "label\ttext\ncity\tOslo\n1\tParis\n");
    for (long k = 1;; k++) {
        trine_eval_result r;
        alloc_fail_at(k);
        const trine_status status = trine_eval(&r, o.session, TRINE_EVAL_CLASSIFY, path, NULL, NULL);
        alloc_fail_at(0);
        if (status == TRINE_OK) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    close_model(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perplexity),
        cmocka_unit_test(texts_apart),
        cmocka_unit_test(lm_limits),
        cmocka_unit_test(masked),
        cmocka_unit_test(classified),
        cmocka_unit_test(tagged),
        cmocka_unit_test(translated_and_summarized),
        cmocka_unit_test(memory_fails_at_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
