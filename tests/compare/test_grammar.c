/* test_grammar.c - the grammar's entropy is that of its texts: against long samples, against counts, and against all texts of a small
 * one; texts score what they were drawn with; a wrong notation is told by its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/world.h"
#include "support/alloc.h"

enum { SAMPLES = 20000 };

static trine_grammar *open_world(void)
{
    trine_grammar *g;
    trine_error err;
    if (trine_world_open(&g, &err)) fail_msg("%s", err.text);
    return g;
}

/* The mean of what SAMPLES texts cost is within 4.5 standard errors of the entropy: a chance of one in 100,000 for a seed, and the
 * seed is fixed. */
static void entropies_are_those_of_long_samples(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    for (int rule = 0; rule < g->n_rules; rule++) {
        const char *name = g->rules[rule].name;
        if (!strcmp(name, "event") || !strcmp(name, "question") || !strncmp(name, "back", 4)) continue; /* parts with open slots */
        const trine_grammar_facts *f = &g->rules[rule].facts;
        double nats = 0, squares = 0, tokens = 0, token_squares = 0;
        trine_grammar_text t = { 0 };
        for (int i = 0; i < SAMPLES; i++) {
            t.n = 0;
            t.nats = 0;
            trine_grammar_write(&t, g, rule, 7, (uint64_t)i, 0);
            assert_true(t.n <= f->most_tokens);
            nats += t.nats;
            squares += t.nats * t.nats;
            tokens += t.n;
            token_squares += (double)t.n * t.n;
        }
        trine_grammar_text_clear(&t);
        nats /= SAMPLES;
        tokens /= SAMPLES;
        const double error = sqrt((squares / SAMPLES - nats * nats) / SAMPLES), off = fabs(nats - f->nats);
        const double token_error = sqrt(fmax(0, token_squares / SAMPLES - tokens * tokens) / SAMPLES);
        if (off > 4.5 * error + 1e-9) fail_msg("%s: %.4f nats in the mean, entropy %.4f, error %.4f", name, nats, f->nats, error);
        if (fabs(tokens - f->tokens) > 4.5 * token_error + 1e-9)
            fail_msg("%s: %.4f tokens in the mean, expected %.4f", name, tokens, f->tokens);
    }
    trine_grammar_close(g);
}

/* So the map from choices to texts is one to one: reading finds the choices again. */
static void texts_score_what_they_were_drawn_with(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    const int rule = trine_grammar_find(g, "world");
    trine_grammar_text t = { 0 };
    double *nats = malloc(((size_t)g->rules[rule].facts.most_tokens + 1) * sizeof *nats);
    for (int i = 0; i < SAMPLES / 4; i++) {
        bool whole;
        t.n = 0;
        t.nats = 0;
        trine_grammar_write(&t, g, rule, 3, (uint64_t)i, 0);
        assert_int_equal(trine_grammar_score(nats, &whole, g, rule, t.ids, t.n, NULL), 0);
        assert_true(whole);
        double sum = 0;
        for (int k = 0; k <= t.n; k++) {
            assert_true(nats[k] > -1e-9);
            sum += nats[k];
        }
        if (fabs(sum - t.nats) > 1e-8) fail_msg("text %d: %.9f nats, drawn with %.9f", i, sum, t.nats);
    }
    trine_grammar_text_clear(&t);
    free(nats);
    trine_grammar_close(g);
}

/* At every place of a text, the probabilities of all words that could follow, and of the end, sum to 1. */
static void what_may_follow_sums_to_one(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    const int rule = trine_grammar_find(g, "world");
    trine_grammar_text t = { 0 };
    double *nats = malloc(((size_t)g->rules[rule].facts.most_tokens + 2) * sizeof *nats);
    for (int i = 0; i < 12; i++) {
        bool whole;
        t.n = 0;
        trine_grammar_write(&t, g, rule, 11, (uint64_t)i, 0);
        for (int at = 0; at <= t.n; at++) {
            assert_int_equal(trine_grammar_score(nats, &whole, g, rule, t.ids, at, NULL), 0);
            double sum = exp(-nats[at]); /* the end */
            const int32_t was = at < t.n ? t.ids[at] : 0;
            for (int32_t id = g->first_id; at < t.n && id < g->first_id + g->n_ids; id++) {
                t.ids[at] = id;
                assert_int_equal(trine_grammar_score(nats, &whole, g, rule, t.ids, at + 1, NULL), 0);
                sum += exp(-nats[at]);
            }
            if (at < t.n) t.ids[at] = was;
            if (at < t.n && fabs(sum - 1) > 1e-9) fail_msg("text %d, place %d: the probabilities sum to %.12f", i, at, sum);
        }
    }
    trine_grammar_text_clear(&t);
    free(nats);
    trine_grammar_close(g);
}

/* Counts of whole texts: the entropy of what came, with Miller's (1955) correction for texts seen seldom, is the grammar's. */
static void entropy_of_a_small_grammar_is_that_of_counts(void **state)
{
    (void)state;
    static const char notation[] = "class happy = up*3, down\nclass grim = up, down*3\n"
                                   "class mood say = glad happy, low grim\n"
                                   "class pet sound = cat mews, dog barks, owl hoots\nclass size = -*2, big, small\n"
                                   "slot pet = P Q\nslot mood = M\n"
                                   "rule more = and @pet=Q/P $Q.sound\n"
                                   "rule text = 2 ?mood=M all @$M.say and @$M.say : $M | @size @pet=P $P.sound <more>*0-2\n";
    enum { N = 400000, TEXTS = 4096 };
    static char seen[TEXTS][96];
    static int counts[TEXTS];
    trine_grammar *g;
    trine_error err;
    if (trine_grammar_open(&g, notation, 0, &err)) fail_msg("%s", err.text);
    const int rule = trine_grammar_find(g, "text");
    trine_grammar_text t = { 0 };
    for (int i = 0; i < N; i++) {
        uint64_t hash = 1469598103934665603u; /* FNV-1a */
        t.n = 0;
        trine_grammar_write(&t, g, rule, 5, (uint64_t)i, 0);
        for (int k = 0; k < t.n; k++) hash = (hash ^ (uint64_t)t.ids[k]) * 1099511628211u;
        char key[96];
        snprintf(key, sizeof key, "%d %llx", t.n, (unsigned long long)hash);
        int at = (int)(hash % TEXTS);
        while (counts[at] && strcmp(seen[at], key)) at = (at + 1) % TEXTS;
        strcpy(seen[at], key);
        counts[at]++;
    }
    double entropy = 0;
    int n_texts = 0;
    for (int i = 0; i < TEXTS; i++) {
        if (!counts[i]) continue;
        const double p = (double)counts[i] / N;
        entropy -= p * log(p);
        n_texts++;
    }
    entropy += (n_texts - 1) / (2.0 * N);
    /* The standard error of such an estimate is sqrt(var(log p) / N), here some 0.0015. */
    if (fabs(entropy - g->rules[rule].facts.nats) > 0.006)
        fail_msg("%d different texts, %.5f nats by counts, %.5f by the rules", n_texts, entropy, g->rules[rule].facts.nats);
    trine_grammar_text_clear(&t);
    trine_grammar_close(g);
}

static void what_no_rule_makes_costs_infinity(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    const int rule = trine_grammar_find(g, "recall");
    trine_grammar_text t = { 0 };
    double nats[64];
    bool whole;
    trine_grammar_write(&t, g, rule, 1, 0, 0);
    assert_int_equal(trine_grammar_score(nats, &whole, g, rule, t.ids, t.n - 1, NULL), 0);
    assert_false(whole); /* it had not ended */
    const int32_t answer = t.ids[t.n - 1];
    t.ids[t.n - 1] = answer == trine_grammar_id(g, "mill") ? trine_grammar_id(g, "river") : trine_grammar_id(g, "mill");
    assert_int_equal(trine_grammar_score(nats, &whole, g, rule, t.ids, t.n, NULL), 0);
    assert_false(whole);
    assert_true(isinf(nats[t.n - 1]));
    assert_false(isinf(nats[t.n - 2]));
    trine_grammar_text_clear(&t);
    trine_grammar_close(g);
}

static void texts_are_functions_of_seed_and_number(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    const int rule = trine_grammar_find(g, "summarise");
    trine_grammar_text a = { 0 }, b = { 0 };
    trine_grammar_write(&a, g, rule, 1, 9, 0);
    trine_grammar_write(&b, g, rule, 1, 9, 0);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.ids, b.ids, (size_t)a.n * sizeof *a.ids);
    b.n = 0;
    trine_grammar_write(&b, g, rule, 1, 9, 50); /* as many sentences as are asked for */
    assert_true(b.n > 2 * 50 * 5);
    trine_grammar_text_clear(&a);
    trine_grammar_text_clear(&b);
    trine_grammar_close(g);
}

static void notation_that_is_wrong_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        { "", "no rule" },
        { "klass a = b\n", "expected class, slot or rule" },
        { "class a =\nrule r = b\n", "expected class" },
        { "class a x = b c d\nrule r = @a\n", "too many columns" },
        { "class a x = b\nrule r = @a\n", "too few columns" },
        { "class a = b, b\nrule r = @a\n", "twice the word" },
        { "class a = b*0\nrule r = @a\n", "weight above 0" },
        { "rule r = @a\n", "no class" },
        { "class a = b, c\nrule r = @a=S\n", "no slot" },
        { "class a = b, c\nclass d = e\nslot d = S\nrule r = @a=S\n", "another class" },
        { "class a = b*2, c\nslot a = S T\nrule r = @a=S @a=T/S\n", "even class" },
        { "class a = b\nslot a = S T\nrule r = @a=S @a=T/S\n", "no word is left" },
        { "class a = b, c\nslot a = S\nrule r = @a=S $S.x\n", "no column" },
        { "class a x = b c\nslot a = S\nrule r = @a=S @$S.x\n", "a column of classes" },
        { "rule r = <s>\n", "no rule before" },
        { "rule r = <r>\n", "no rule before" },
        { "rule s = b\nrule r = <s>*3-2\n", "expected a count" },
        { "rule s = b\nrule r = <s>*x\n", "expected a count" },
        { "rule r = 0 b\n", "weight above 0" },
        { "rule r = 2 | b\n", "weight above 0" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        trine_grammar *g;
        trine_error err = { 0 };
        assert_int_equal(trine_grammar_open(&g, wrong[i].text, 0, &err), TRINE_ERROR_FORMAT);
        assert_null(g);
        if (!strstr(err.text, wrong[i].says)) fail_msg("%zu: '%s', expected '%s'", i, err.text, wrong[i].says);
    }
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (long k = 1;; k += k / 8 + 1) {
        trine_grammar *g;
        alloc_fail_at(k);
        const trine_status status = trine_world_open(&g, NULL);
        alloc_fail_at(0);
        trine_grammar_close(g);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropies_are_those_of_long_samples), cmocka_unit_test(texts_score_what_they_were_drawn_with),
        cmocka_unit_test(what_may_follow_sums_to_one),         cmocka_unit_test(entropy_of_a_small_grammar_is_that_of_counts),
        cmocka_unit_test(what_no_rule_makes_costs_infinity),   cmocka_unit_test(texts_are_functions_of_seed_and_number),
        cmocka_unit_test(notation_that_is_wrong_is_told),      cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
