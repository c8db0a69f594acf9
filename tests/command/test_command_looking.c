/* test_command_looking.c - what a person sees of a model at work: choices at each step, attention drawn, gaps restored. */
#include <math.h>

#include "command/run_trine.h"
#include "support/temp.h"

static void choices_are_the_models_own_probabilities(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--temp", "0", "-n", "3", "--ignore-eos",
                                          "--choices", "4", "--json", "the cat"));
    const json_t *steps = array_of(doc, "choices");
    assert_int_equal(json_array_size(steps), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *step = json_array_get(steps, i), *top = array_of(step, "top");
        assert_int_equal(json_array_size(top), 4);
        /* greedy takes the likeliest, and they come in order */
        assert_true(number_of(step, "id") == number_of(json_array_get(top, 0), "id"));
        assert_true(number_of(step, "id") == json_number_value(json_array_get(array_of(doc, "tokens"), i)));
        double before = 1;
        for (size_t k = 0; k < 4; k++) {
            const double p = number_of(json_array_get(top, k), "probability");
            assert_true(p > 0 && p <= before);
            before = p;
        }
        assert_non_null(text_of(step, "token"));
    }
    json_decref(doc);
    process_result plain = run_trine(NULL, "generate", "-q", "-m", LLAMA, "--temp", "0", "-n", "3", "the cat");
    process_result shown = run_trine(NULL, "generate", "-q", "-m", LLAMA, "--temp", "0", "-n", "3", "--choices", "4", "the cat");
    assert_status(&shown, 0);
    assert_contains(shown.out, plain.out); /* the text comes after its steps */
    assert_true(longest_line(shown.out) <= 80);
    process_result_clear(&plain);
    process_result_clear(&shown);
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--choices", "3", "--beam", "2", "x"), 2, "not with --beam");
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--choices", "0", "x"), 2, "--choices takes");
}

/* Lines with a cell that has weight in `column` cells from the left (cells are three columns wide, after the labels). */
static int rows_with_weight(const char *text, int column)
{
    int n = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
        int at = 0;
        const char *p = line;
        for (; *p && *p != '\n' && at < 13 + 3 * column; p++) at += ((unsigned char)p[1] & 0xC0) != 0x80;
        n += at == 13 + 3 * column && *p && *p != '\n' && *p != ' ';
    }
    return n;
}

static void attention_is_drawn_under_its_mask(void **state)
{
    (void)state;
    const process_options plain = { .environment = { "LC_ALL=C" } };
    process_result causal = run_trine(&plain, "trace", "-q", "-m", LLAMA, "--draw", "0,1", "the cat sat");
    process_result open = run_trine(&plain, "trace", "-q", "-m", LLAMA, "--draw", "0,1", "--mask", "bidirectional", "the cat sat");
    assert_status(&causal, 0);
    assert_status(&open, 0);
    assert_contains(causal.out, "layer 0, head 1 of");
    assert_contains(causal.out, "what came before");
    assert_true(longest_line(causal.out) <= 80);
    /* the second column's head, and under the mask one row less */
    assert_true(rows_with_weight(open.out, 1) > rows_with_weight(causal.out, 1));
    process_result_clear(&causal);
    process_result_clear(&open);
    process_result three = run_trine(&plain, "trace", "-q", "-m", T5, "--draw", "0", "the cat sat");
    assert_status(&three, 0);
    assert_contains(three.out, "the source looks at itself, layer 0, the mean of all heads");
    assert_contains(three.out, "the target looks at what is written");
    assert_contains(three.out, "the target looks at the source");
    process_result_clear(&three);
    /* One that gives labels writes nothing: it reads the text once more. */
    process_result labels =
        run_trine(&plain, "trace", "-q", "-m", TRINE_FIXTURES "/models/t5-classify", "--draw", "0", "--tokens", "5,6,7,1");
    assert_status(&labels, 0);
    assert_contains(labels.out, "the text, read once more, looks at what came before");
    process_result_clear(&labels);
    process_result ids = run_trine(&plain, "trace", "-q", "-m", MLM, "--draw", "0,0", "--tokens", "2,5,6,3");
    assert_status(&ids, 0);
    process_result_clear(&ids);
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "--draw", "99", "x"), 2, "has layers 0 to");
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "--draw", "0,99", "x"), 2, "has heads 0 to");
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "--draw", "0,1,2", "x"), 2, "a layer and a head");
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "--draw", "0", "-o", "x", "x"), 2, "not with --out");
}

/* Each model's own word for a gap, and the others'. */
static void a_gap_may_be_marked_either_way(void **state)
{
    (void)state;
    process_result own = run_trine(NULL, "fill", "-q", "-m", MLM, "--json", "the [MASK] sat");
    process_result other = run_trine(NULL, "fill", "-q", "-m", MLM, "--json", "the <mask> sat");
    assert_status(&own, 0);
    assert_status(&other, 0);
    assert_string_equal(own.out, other.out);
    process_result_clear(&own);
    process_result_clear(&other);
}

static void an_encoder_decoder_restores_gaps(void **state)
{
    (void)state;
    char model[600], text[600];
    snprintf(text, sizeof text, "%s", temp_write("text.txt", "one two three four five six\nsix five four three two one\n", 56));
    snprintf(model, sizeof model, "%s", temp_path("t5"));
    process_result r = run_trine(NULL, "train", "-q", "--arch", "t5", "--layers", "1", "--width", "16", "--heads", "2", "--vocab",
                                 "160", "--steps", "2", "--no-record", text, "-o", model);
    assert_status(&r, 0);
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "fill", "-q", "-m", model, "--json", "one [MASK] three <mask> five"));
    assert_int_equal(json_array_size(array_of(doc, "spans")), 2);
    assert_int_equal(strncmp(text_of(doc, "text"), "one ", 4), 0);
    assert_contains(text_of(doc, "text"), "three");
    assert_lacks(text_of(doc, "text"), "[MASK]");
    assert_non_null(text_of(doc, "target"));
    json_decref(doc);
    r = run_trine(NULL, "fill", "-q", "-m", model, "one <extra_id_1> three <extra_id_0> five");
    assert_status(&r, 0);
    assert_contains(r.out, "gap 2");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "fill", "-q", "-m", model, "a cat"), 2, "write [MASK], <mask> or <extra_id_0>");
    assert_error(run_trine(NULL, "fill", "-q", "-m", model, "<extra_id_0> <extra_id_0>"), 2, "twice");
    assert_error(run_trine(NULL, "fill", "-q", "-m", model, "<extra_id_0> [MASK]"), 2, "both masks and sentinels");
    assert_error(run_trine(NULL, "fill", "-q", "-m", T5, "a [MASK]"), 2, "no <extra_id_0>");
    assert_error(run_trine(NULL, "fill", "-q", "-m", model, "--tokens", "5,6"), 2, "not in ids");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_the_models_own_probabilities),
        cmocka_unit_test(attention_is_drawn_under_its_mask),
        cmocka_unit_test(a_gap_may_be_marked_either_way),
        cmocka_unit_test_setup_teardown(an_encoder_decoder_restores_gaps, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
