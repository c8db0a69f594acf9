/* test_command_parallel.c - --parallel: the results of one at a time, in the same order, errors among them. */
#include "run_trine.h"

/* Texts of one document each, in order; a line that failed is its error's code. */
static char *texts_of(const process_result *r)
{
    char *all = calloc(1, strlen(r->out) + 1);
    assert_non_null(all);
    for (int i = 0; i < 8; i++) {
        json_t *doc = document(r, i);
        const json_t *error = json_object_get(doc, "error");
        strcat(all, json_string_value(json_object_get(error ? error : doc, error ? "code" : "text")));
        strcat(all, "|");
        json_decref(doc);
    }
    return all;
}

static void results_are_those_of_one_at_a_time(void **state)
{
    (void)state;
    char lines[6000] = "A cat\nThe dog sat.\n";
    for (int i = 0; i < 900; i++) strcat(lines, "cat "); /* longer than the context */
    strcat(lines, "\na\nA cat sat on the mat and\n\nThe\ncat\nThe dog sat on a cat\n");
    const process_options options = { .input = lines };
    process_result one = run_trine(&options, "generate", "-q", "-m", LLAMA, "--lines", "--json", "--temp", "0", "-n", "9");
    assert_status(&one, 1);
    char *want = texts_of(&one);
    assert_contains(want, "|TRINE_ERROR_TOO_LONG|");
    static const char *const numbers[] = { "2", "3", "20" };
    for (int i = 0; i < 3; i++) {
        process_result many = run_trine(&options, "generate", "-q", "-m", LLAMA, "--lines", "--json", "--temp", "0", "-n", "9",
                                        "--parallel", numbers[i]);
        assert_status(&many, 1);
        assert_string_equal(many.err, one.err);
        char *got = texts_of(&many);
        assert_string_equal(got, want);
        free(got);
        process_result_clear(&many);
    }
    free(want);
    process_result_clear(&one);
}

static void texts_and_seeds(void **state)
{
    (void)state;
    const process_options options = { .input = "a cat\nThe dog.\nThat is good.\na\n" };
    process_result one =
        run_trine(&options, "generate", "-q", "-m", LLAMA, "--lines", "--seed", "5", "--stop", "t", "--ignore-eos", "-n", "12");
    process_result many = run_trine(&options, "generate", "-q", "-m", LLAMA, "--lines", "--seed", "5", "--stop", "t",
                                    "--ignore-eos", "-n", "12", "--parallel", "3");
    assert_status(&many, 0);
    assert_string_equal(many.out, one.out);
    process_result_clear(&one);
    process_result_clear(&many);
    one = run_trine(NULL, "translate", "-q", "-m", T5, "--to", "de", "-n", "8", "a cat", "That is good.", "a", "The dog.");
    many = run_trine(NULL, "translate", "-q", "-m", T5, "--to", "de", "-n", "8", "--parallel", "2", "a cat", "That is good.", "a",
                     "The dog.");
    assert_status(&many, 0);
    assert_string_equal(many.out, one.out);
    process_result_clear(&one);
    process_result_clear(&many);
    one = run_trine(NULL, "generate", "-q", "-m", LLAMA, "--chat", "--temp", "0", "-n", "8", "a cat", "That is good.");
    many = run_trine(NULL, "generate", "-q", "-m", LLAMA, "--chat", "--temp", "0", "-n", "8", "--parallel", "2", "a cat",
                     "That is good.");
    assert_status(&many, 0);
    assert_string_equal(many.out, one.out);
    process_result_clear(&one);
    process_result_clear(&many);
}

static void what_excludes_it(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--parallel", "2", "--beam", "2", "a"), 2, "exclude each other");
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--parallel", "2", "--tokens", "5,6"), 2, "--tokens");
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--parallel", "0", "a"), 2, "from 1 to");
    process_options options = { .close_output = true };
    process_result r = run_trine(&options, "generate", "-q", "-m", LLAMA, "--ignore-eos", "-n", "200", "--parallel", "2", "A cat",
                                 "a", "The", "cat");
    assert_status(&r, 1);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_one_at_a_time),
        cmocka_unit_test(texts_and_seeds),
        cmocka_unit_test(what_excludes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
