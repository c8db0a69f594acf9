/* test_command_tokenizer.c - trine tokenizer: its document, its lines, that tokenize runs what it wrote, what it refuses. */
#include "run_trine.h"

#define TEXT TRINE_FIXTURES "/tokenizer_train/text.txt"

typedef struct folder {
    char path[64], out[128], other[128];
} folder;

static int set_up(void **state)
{
    static folder f;
    f = (folder) { .path = "/tmp/trine_tokenizer_XXXXXX" };
    if (!mkdtemp(f.path)) return -1;
    snprintf(f.out, sizeof f.out, "%s/out", f.path);
    snprintf(f.other, sizeof f.other, "%s/empty.txt", f.path);
    fclose(fopen(f.other, "wb"));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    const folder *f = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", f->path);
    return system(command);
}

static void the_document_adds_up(void **state)
{
    const folder *f = *state;
    static const char *const types[] = { "bert", "gpt2", "llama", "t5" }, *const algorithms[] = { "wordpiece", "bpe", "bpe",
                                                                                                  "unigram" };
    for (int i = 0; i < 4; i++) {
        json_t *doc = only_document(run_trine(NULL, "tokenizer", "--type", types[i], "--vocab", "600", "-o", f->out, "--overwrite",
                                              "--held-out", TEXT, "--json", TEXT));
        assert_string_equal(text_of(doc, "out"), f->out);
        assert_string_equal(text_of(doc, "algorithm"), algorithms[i]);
        assert_int_equal((int)number_of(doc, "vocab"), 600);
        assert_true(number_of(doc, "bytes") > 20000 && number_of(doc, "seconds") > 0);
        assert_true(number_of(doc, "tokens_per_byte") == number_of(doc, "tokens") / number_of(doc, "bytes"));
        assert_true(number_of(json_object_get(doc, "held_out"), "tokens") == number_of(doc, "tokens"));
        json_decref(doc);
        doc = only_document(run_trine(NULL, "tokenize", "-m", f->out, "--json", "Walking home"));
        assert_true(json_array_size(array_of(doc, "ids")) > 2);
        json_decref(doc);
    }
}

static void lines_for_people(void **state)
{
    const folder *f = *state;
    process_result r = run_trine(NULL, "tokenizer", "--vocab", "30000", "-o", f->out, "--special", "unk=<?>", "--special", "=",
                                 "--add-token", "Haus", "--held-out", TEXT, TEXT);
    assert_status(&r, 0);
    assert_contains(r.out, "wordpiece");
    assert_contains(r.out, "bytes a token");
    assert_contains(r.out, "held out");
    assert_contains(r.err, "not 30000");
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "tokenize", "-m", f->out, "--json", "="));
    assert_int_equal((int)json_integer_value(json_array_get(array_of(doc, "ids"), 0)), 1);
    json_decref(doc);
}

static void what_cannot_be_done_is_refused(void **state)
{
    const folder *f = *state;
    assert_error(run_trine(NULL, "tokenizer", TEXT), 2, "-o DIRECTORY");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out), 2, "FILE");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out, "--type", "elmo", TEXT), 2, "bert|gpt2|llama|t5");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out, "--special", "mask=", TEXT), 2, "ROLE=TOKEN");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out, "--vocab", "20", TEXT), 2, "do not fit a vocabulary of 20");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out, "/nonexistent/text"), 3, "/nonexistent/text");
    assert_error(run_trine(NULL, "tokenizer", "-o", "/nonexistent/out", TEXT), 1, "/nonexistent");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out, f->other), 1, "no text");
    assert_error(run_trine(NULL, "tokenizer", "-o", f->other, TEXT), 1, "no directory");
    process_options low = { .file_size = 512 };
    assert_error(run_trine(&low, "tokenizer", "-o", f->out, "--vocab", "400", TEXT), 1, "File too large");
    process_result r = run_trine(NULL, "tokenizer", "-q", "-o", f->out, "--vocab", "400", "--overwrite", TEXT);
    assert_status(&r, 0);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "tokenizer", "-o", f->out, TEXT), 1, "--overwrite");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = { TEST(the_document_adds_up), TEST(lines_for_people), TEST(what_cannot_be_done_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
