/* test_command_corpus.c - trine corpus: kinds, seeds and numbers, the tokenizer of one token a word, the facts, what is refused. */
#include "run_trine.h"

static int lines_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

static void texts_are_functions_of_seed_and_number(void **state)
{
    (void)state;
    process_result a = run_trine(NULL, "corpus", "--count", "6", "--seed", "5"),
                   b = run_trine(NULL, "corpus", "--count", "4", "--first", "2", "--seed", "5"),
                   c = run_trine(NULL, "corpus", "--count", "6", "--seed", "6");
    assert_status(&a, 0);
    assert_int_equal(lines_of(a.out), 6);
    const char *third = strchr(strchr(a.out, '\n') + 1, '\n') + 1;
    assert_string_equal(third, b.out);
    assert_string_not_equal(a.out, c.out);
    assert_int_equal(strncmp(a.out, "story : ", 8), 0);
    process_result_clear(&a);
    process_result_clear(&b);
    process_result_clear(&c);
}

static void every_kind_has_its_halves(void **state)
{
    (void)state;
    static const char *const kinds[][3] = { { "text", "text", NULL },          { "pairs", "source", "target" },
                                            { "labelled", "label", "text" },   { "documents", "source", "target" },
                                            { "recall", "source", "target" },  { "translate", "source", "target" },
                                            { "reverse", "source", "target" }, { "world", "text", NULL } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *doc = only_document(run_trine(NULL, "corpus", "--kind", kinds[i][0], "--count", "1", "--json"));
        assert_true(strlen(text_of(doc, kinds[i][1])) > 0);
        if (kinds[i][2]) assert_true(strlen(text_of(doc, kinds[i][2])) > 0);
        assert_int_equal(json_object_size(doc), kinds[i][2] ? 2 : 1);
        json_decref(doc);
        doc = only_document(run_trine(NULL, "corpus", "--kind", kinds[i][0], "--facts", "--json"));
        assert_true(number_of(doc, "nats_per_token") > 0.3 && number_of(doc, "nats_per_token") < 2);
        json_decref(doc);
    }
    process_result r = run_trine(NULL, "corpus", "--kind", "documents", "--filler", "200", "--count", "1");
    assert_status(&r, 0);
    assert_true(strlen(r.out) > 400 * 20);
    process_result_clear(&r);
}

static void its_tokenizer_has_a_token_a_word(void **state)
{
    (void)state;
    char dir[] = "/tmp/trine_corpus_XXXXXX", command[64], out[64];
    assert_non_null(mkdtemp(dir));
    snprintf(out, sizeof out, "%s/tok", dir);
    process_result r = run_trine(NULL, "corpus", "--save-tokenizer", out, "--kind", "world", "--count", "1");
    assert_status(&r, 0);
    int words = 1;
    for (const char *p = r.out; *p; p++) words += *p == ' ';
    r.out[strcspn(r.out, "\n")] = 0;
    json_t *doc = only_document(run_trine(NULL, "tokenize", "-m", out, "--json", r.out));
    assert_int_equal((int)json_array_size(array_of(doc, "ids")), words);
    char ids[4096] = "";
    for (size_t i = 0; i < json_array_size(array_of(doc, "ids")); i++) {
        const int id = (int)json_integer_value(json_array_get(array_of(doc, "ids"), i));
        assert_true(id > 6); /* known, and no special token */
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%d", i ? "," : "", id);
    }
    json_decref(doc);
    doc = only_document(run_trine(NULL, "detokenize", "-m", out, "--json", ids));
    assert_string_equal(text_of(doc, "text"), r.out);
    json_decref(doc);
    process_result_clear(&r);
    assert_error(run_trine(NULL, "corpus", "--save-tokenizer", out), 1, "tok");
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void what_cannot_be_done_is_refused(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "corpus", "--kind", "novels"), 2, "novels");
    assert_error(run_trine(NULL, "corpus", "--count", "-1"), 2, "-1");
    assert_error(run_trine(NULL, "corpus", "more"), 2, "more");
    assert_error(run_trine(NULL, "corpus", "--save-tokenizer", "/nowhere/at/all"), 1, "/nowhere");
    process_result r = run_trine(NULL, "corpus", "--grammar");
    assert_status(&r, 0);
    assert_contains(r.out, "rule world");
    process_result_clear(&r);
    r = run_trine(NULL, "corpus", "--facts");
    assert_status(&r, 0);
    assert_contains(r.out, "nats a token");
    process_result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_functions_of_seed_and_number),
        cmocka_unit_test(every_kind_has_its_halves),
        cmocka_unit_test(its_tokenizer_has_a_token_a_word),
        cmocka_unit_test(what_cannot_be_done_is_refused),
    };
    return cmocka_run_group_tests_name("corpus command", tests, NULL, NULL);
}
