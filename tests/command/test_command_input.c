/* test_command_input.c - what comes in: texts that are empty, too long or no UTF-8, files that are missing or damaged. */
#include "run_trine.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

static void text_comes_the_same_from_everywhere(void **state)
{
    (void)state;
    char path[] = "/tmp/trine_text_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "a cat\n", 6), 6);
    close(fd);
    process_options input = { .input = "a cat\n" };
    process_result r[5] = { run_trine(NULL, "embed", "-q", "-m", MLM, "--json", "a cat"),
                            run_trine(NULL, "embed", "-q", "-m", MLM, "--json", "-p", "a cat"),
                            run_trine(NULL, "embed", "-q", "-m", MLM, "--json", "-f", path),
                            run_trine(&input, "embed", "-q", "-m", MLM, "--json"),
                            run_trine(&input, "embed", "-q", "-m", MLM, "--json", "--lines", "-f", "-") };
    for (int i = 0; i < 5; i++) {
        assert_status(&r[i], 0);
        assert_string_equal(r[i].out, r[0].out);
    }
    for (int i = 0; i < 5; i++) process_result_clear(&r[i]);
    process_result named = run_trine(NULL, "embed", "-m", MLM, "--json", path);
    assert_status(&named, 0);
    assert_contains(named.err, "is taken as the text itself; -f reads the file");
    process_result_clear(&named);
    remove(path);
}

static void empty_text_is_an_error(void **state)
{
    (void)state;
    static const char *const runs[][3] = {
        { "fill", MLM }, { "classify", LABELS }, { "tag", TAGS }, { "embed", MLM }, { "summarize", T5 }
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        assert_error(run_trine(NULL, runs[i][0], "-q", "-m", runs[i][1], ""), 1, "empty");
        assert_error(run_trine(NULL, runs[i][0], "-q", "-m", runs[i][1]), 1, "empty"); /* standard input is /dev/null */
    }
    assert_error(run_trine(NULL, "translate", "-q", "-m", T5, "--to", "de", ""), 1, "empty");
    json_t *doc = only_document(run_trine(NULL, "tokenize", "-m", MLM, "--json", ""));
    assert_int_equal(json_array_size(array_of(doc, "ids")), 2); /* [CLS] [SEP] */
    json_decref(doc);
}

static void text_without_a_mask_is_an_error(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "fill", "-q", "-m", MLM, "a cat"), 2, "no mask to fill: write [MASK] or <mask>");
    assert_error(run_trine(NULL, "fill", "-q", "-m", MLM, "a [MASK"), 2, "write [MASK] or <mask>");
    assert_error(run_trine(NULL, "fill", "-q", "-m", MLM, "--tokens", "2,5,3"), 2, "the ids have no mask (4) to fill");
}

static const char long_text[] =
    "the cat sits on the mat and the dog runs in the park and the king lived in the house and the cat sits on the mat "
    "and the dog runs in the park and the king lived in the house";

static void long_text_is_cut_only_when_asked(void **state)
{
    (void)state;
    static const char *const runs[][2] = { { "classify", LABELS }, { "tag", TAGS }, { "embed", MLM } };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        process_result r = run_trine(NULL, runs[i][0], "-q", "-m", runs[i][1], long_text);
        assert_contains(r.err, "32"); /* the limit */
        assert_contains(r.err, "--truncate");
        assert_error(r, 1, "--chunk");
        json_decref(only_document(run_trine(NULL, runs[i][0], "-q", "-m", runs[i][1], "--json", "--truncate", long_text)));
        json_decref(only_document(run_trine(NULL, runs[i][0], "-q", "-m", runs[i][1], "--json", "--chunk", long_text)));
    }
    process_result r = run_trine(NULL, "trace", "-q", "-m", MLM, "-o", "/tmp/trine_never_written.safetensors", long_text);
    assert_error(r, 1, "32");
    assert_int_not_equal(access("/tmp/trine_never_written.safetensors", F_OK), 0);
}

/* The vector of n ids, 5 all but the first. */
static json_t *vector_of(const char *model, int first, int n, const char *long_ones)
{
    json_t *doc = only_document(run_trine(NULL, "embed", "-q", "-m", model, "--json", "--tokens", many_ids(first, n), long_ones));
    json_t *vector = json_deep_copy(array_of(doc, "embedding"));
    json_decref(doc);
    return vector;
}

static void ids_are_as_long_as_texts(void **state)
{
    (void)state;
    const char *model = changed_model("short", MLM, "echo '{\"max_seq_length\":16}' > sentence_bert_config.json");
    assert_error(run_trine(NULL, "embed", "-q", "-m", model, "--tokens", many_ids(7, 20)), 1,
                 "takes 16 (the longest it was trained on)");
    json_t *cut = vector_of(model, 7, 20, "--truncate"), *first = vector_of(model, 7, 16, NULL);
    json_t *parts = vector_of(model, 7, 20, "--chunk"), *second = vector_of(model, 5, 4, NULL);
    assert_true(json_equal(cut, first));
    for (size_t i = 0; i < json_array_size(first); i++) {
        const double mean =
            (16 * json_number_value(json_array_get(first, i)) + 4 * json_number_value(json_array_get(second, i))) / 20;
        assert_true(fabs(json_number_value(json_array_get(parts, i)) - mean) < 1e-4);
    }
    json_decref(cut);
    json_decref(first);
    json_decref(parts);
    json_decref(second);
    /* bench measures as long as it is asked to */
    json_decref(
        only_document(run_trine(NULL, "bench", "-q", "-m", model, "--json", "--encode", "20", "--batch", "1", "--repeat", "1")));
}

static void a_decoder_embeds_its_whole_context(void **state)
{
    (void)state;
    const char *model = long_decoder();
    process_result r = run_trine(NULL, "embed", "-m", model, "--tokens", many_ids(5, 1500));
    assert_status(&r, 0);
    assert_contains(r.err, "context: 2048 tokens");
    assert_contains(r.err, "(of the model's 4096)");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "embed", "-q", "-m", model, "--tokens", many_ids(5, 2500)), 1, "takes 2048 in this session");
    assert_error(run_trine(NULL, "embed", "-q", "-m", model, "--tokens", many_ids(5, 2500)), 1, "-c N takes longer ones");
    r = run_trine(NULL, "embed", "-q", "-m", model, "-c", "3000", "--tokens", many_ids(5, 2500));
    assert_status(&r, 0);
    process_result_clear(&r);
}

/* An encoder-decoder has room for 2048 tokens unless it is given more. */
static void a_source_longer_than_its_room_says_how_to_give_more(void **state)
{
    (void)state;
    static const char *const commands[] = { "translate", "summarize", "generate" };
    for (int i = 0; i < 3; i++) {
        char says[200];
        snprintf(
            says, sizeof says,
            "trine %s: the source has 2500 tokens, and the session was opened for 2048: shorten it, or open a larger one (-c N)\n",
            commands[i]);
        assert_error(run_trine(NULL, commands[i], "-q", "-m", T5, "--tokens", many_ids(5, 2500)), 1, says);
    }
    assert_error(run_trine(NULL, "translate", "-q", "-m", T5, "-c", "100", "--tokens", many_ids(5, 200)), 1, "larger one (-c N)");
    process_result r = run_trine(NULL, "translate", "-q", "-m", T5, "-c", "2500", "-n", "2", "--tokens", many_ids(5, 2500));
    assert_status(&r, 0);
    process_result_clear(&r);
}

static void a_missing_tokenizer_is_told_of_one_line(void **state)
{
    (void)state;
    const char *model = changed_model("bare", MLM, "rm tokenizer*");
    char path[400], says[900];
    snprintf(path, sizeof path, "%s", temp_write("lines.txt", "one\ntwo\nthree\n", 14));
    snprintf(says, sizeof says, "trine embed: line 1: there is no tokenizer beside %s: give ids in place of text\n", model);
    assert_error(run_trine(NULL, "embed", "-q", "-m", model, "--lines", "-f", path), 3, says);
}

static void bad_utf8_becomes_a_replacement(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "tokenize", "-m", LLAMA, "--json", "a \xff\xfe cat \xe2\x82"));
    assert_true(json_array_size(array_of(doc, "ids")) > 4);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "fill", "-q", "-m", MLM, "--json", "a \xff [MASK] \xc3"));
    json_decref(doc);
    doc = only_document(run_trine(NULL, "tag", "-q", "-m", TAGS, "--json", "\xff Ada \x80 London \xf0\x9f"));
    json_decref(doc);
    /* Half a character from the model. */
    doc = only_document(run_trine(NULL, "detokenize", "-m", LLAMA, "--json", "--tokens", "102"));
    text_of(doc, "text");
    json_decref(doc);
}

static void zero_bytes_are_refused(void **state)
{
    (void)state;
    process_options options = { .input = "a\0cat\n", .input_bytes = 6 };
    assert_error(run_trine(&options, "embed", "-q", "-m", MLM), 3, "zero byte at byte 1");
    assert_error(run_trine(&options, "embed", "-q", "-m", MLM, "--lines"), 3, "zero byte");
}

static void a_line_that_fails_does_not_stop_the_others(void **state)
{
    (void)state;
    char input[1000];
    snprintf(input, sizeof input, "a cat\n\n%s\na dog\n", long_text);
    process_options options = { .input = input };
    process_result r = run_trine(&options, "embed", "-m", MLM, "--json", "--lines");
    assert_status(&r, 1);
    assert_contains(r.err, "line 3: ");
    assert_contains(r.err, "1 blank line skipped");
    json_t *first = document(&r, 0), *failed = document(&r, 1), *last = document(&r, 2);
    assert_non_null(json_object_get(first, "embedding"));
    assert_int_equal((int)number_of(json_object_get(failed, "error"), "line"), 3);
    assert_string_equal(text_of(json_object_get(failed, "error"), "code"), "TRINE_ERROR_TOO_LONG");
    assert_non_null(json_object_get(last, "embedding"));
    json_decref(first);
    json_decref(failed);
    json_decref(last);
    process_result_clear(&r);
    /* The same from a file, whose lines are taken in batches. */
    char path[] = "/tmp/trine_lines_XXXXXX";
    int fd = mkstemp(path);
    for (int i = 0; i < 70; i++) dprintf(fd, "%s\n", i == 40 ? long_text : i % 2 ? "a cat" : "the dog runs in the park");
    close(fd);
    r = run_trine(NULL, "embed", "-q", "-m", MLM, "--json", "--lines", "-f", path);
    assert_status(&r, 1);
    assert_contains(r.err, "line 41: ");
    for (int i = 0; i < 70; i++) {
        json_t *doc = document(&r, i);
        assert_non_null(json_object_get(doc, i == 40 ? "error" : "embedding"));
        json_decref(doc);
    }
    process_result_clear(&r);
    remove(path);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "embed", "-m", "/nonexistent/model", "a"), 3, "/nonexistent/model");
    assert_error(run_trine(NULL, "tokenize", "-m", "/nonexistent/model", "a"), 3, "/nonexistent/model");
    assert_error(run_trine(NULL, "embed", "-q", "-m", MLM, "-f", "/nonexistent/text"), 3, "/nonexistent/text");
    assert_error(run_trine(NULL, "embed", "-q", "-m", MLM, "-f", "/tmp"), 3, "is a directory");
    assert_error(run_trine(NULL, "eval", "-q", "-m", LABELS, "/nonexistent/data"), 3, "/nonexistent/data");
    assert_error(run_trine(NULL, "convert", "/nonexistent/model", "/tmp/trine_never.gguf"), 3, "/nonexistent/model");
    assert_error(run_trine(NULL, "inspect", "/tmp"), 3, "/tmp");
    assert_error(run_trine(NULL, "chat", "-m", LLAMA, "--template", "/nonexistent/t.jinja"), 3, "/nonexistent/t.jinja");
}

static void copy_file(const char *to, const char *from, size_t most)
{
    static char bytes[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    ssize_t n = read(in, bytes, sizeof bytes);
    assert_true(n > 0);
    if ((size_t)n > most) n = (ssize_t)most;
    assert_int_equal(write(out, bytes, (size_t)n), n);
    close(in);
    close(out);
}

static void damaged_models_are_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/trine_damaged_XXXXXX", path[160], command[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/config.json", folder);
    copy_file(path, MLM "/config.json", SIZE_MAX);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    copy_file(path, MLM "/tokenizer.json", SIZE_MAX);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    static const size_t sizes[] = { 1, 7, 8, 100, 5000, 20000, 36000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        copy_file(path, MLM "/model.safetensors", sizes[i]);
        process_result r = run_trine(NULL, "embed", "-q", "-m", folder, "a cat");
        assert_status(&r, 3);
        assert_contains(r.err, "model.safetensors");
        process_result_clear(&r);
    }
    copy_file(path, MLM "/model.safetensors", SIZE_MAX);
    snprintf(path, sizeof path, "%s/config.json", folder);
    copy_file(path, MLM "/config.json", 200);
    assert_error(run_trine(NULL, "embed", "-q", "-m", folder, "a cat"), 3, "config.json");
    snprintf(path, sizeof path, "%s/m.gguf", folder);
    copy_file(path, MLM "/model.safetensors", 3000);
    assert_error(run_trine(NULL, "embed", "-q", "-m", path, "a cat"), 3, "m.gguf");
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_the_same_from_everywhere),
        cmocka_unit_test(empty_text_is_an_error),
        cmocka_unit_test(text_without_a_mask_is_an_error),
        cmocka_unit_test(long_text_is_cut_only_when_asked),
        cmocka_unit_test_setup_teardown(ids_are_as_long_as_texts, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_decoder_embeds_its_whole_context, temp_set_up, temp_tear_down),
        cmocka_unit_test(a_source_longer_than_its_room_says_how_to_give_more),
        cmocka_unit_test_setup_teardown(a_missing_tokenizer_is_told_of_one_line, temp_set_up, temp_tear_down),
        cmocka_unit_test(bad_utf8_becomes_a_replacement),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(a_line_that_fails_does_not_stop_the_others),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(damaged_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
