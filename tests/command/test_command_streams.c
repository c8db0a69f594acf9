/* test_command_streams.c - the three streams: what goes where, and what happens when one of them goes away. */
#include "run_trine.h"

#include <sys/stat.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1 /* it reserves terabytes of addresses: no limit can be set */
#else
#define ADDRESS_SANITIZER 0
#endif

static void results_and_notes_are_apart(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "generate", "-m", LLAMA, "-n", "3", "--json", "A cat");
    assert_status(&r, 0);
    json_decref(document(&r, 0));
    assert_contains(r.err, "context: ");
    assert_contains(r.err, "memory: ");
    assert_contains(r.err, "seed");
    process_result_clear(&r);
    r = run_trine(NULL, "generate", "-q", "-m", LLAMA, "-n", "3", "A cat");
    assert_status(&r, 0);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    process_options options = { .output = "/dev/full" };
    static const char *const runs[][8] = {
        { "inspect", "-m", MLM },
        { "help", "all" },
        { "embed", "-q", "-m", MLM, "a" },
        { "generate", "-q", "-m", LLAMA, "--ignore-eos", "-n9", "A cat" },
        { "fill", "-q", "-m", MLM, "--json", "[MASK]" },
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const char *argv[10] = { TRINE_COMMAND };
        for (int k = 0; k < 8; k++) argv[k + 1] = runs[i][k];
        process_result r = process_run(argv, &options);
        assert_status(&r, 1);
        assert_contains(r.err, "write error on standard output: No space left on device");
        process_result_clear(&r);
    }
}

static void a_file_too_large_leaves_nothing(void **state)
{
    (void)state;
    char folder[] = "/tmp/trine_limit_XXXXXX", path[64], directory[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.gguf", folder);
    snprintf(directory, sizeof directory, "%s/m", folder);
    process_options options = { .file_size = 512 };
    assert_error(run_trine(&options, "convert", "-q", "-m", MLM, "-o", path), 1, "File too large");
    assert_error(run_trine(&options, "convert", "-q", "-m", MLM, "-o", directory), 1, "File too large");
    assert_error(run_trine(&options, "trace", "-q", "-m", MLM, "--tokens", "5,6,7,8", "-o", path), 1, "File too large");
    assert_int_equal(rmdir(folder), 0); /* it is empty */
}

static void a_closed_pipe_ends_quietly(void **state)
{
    (void)state;
    process_options options = { .close_output = true };
    process_result r = run_trine(&options, "generate", "-q", "-m", LLAMA, "--ignore-eos", "-n", "200", "A cat");
    assert_status(&r, 1);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
    /* A long stream of lines stops at the first that cannot be written. */
    char *lines = malloc(60001);
    assert_non_null(lines);
    for (int i = 0; i < 10000; i++) memcpy(lines + i * 6, "a cat\n", 7);
    options.input = lines;
    r = run_trine(&options, "embed", "-q", "-m", MLM, "--lines", "--json");
    assert_status(&r, 1);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
    free(lines);
}

static void lines_are_answered_as_they_come(void **state)
{
    (void)state;
    /* Standard input stays open until the answer has come: a program that waits for its end would never give one. */
    process_options options = { .input = "a cat\na dog\n", .keep_input = true, .input_until = "}\n{" };
    process_result r = run_trine(&options, "embed", "-q", "-m", MLM, "--lines", "--json");
    assert_status(&r, 0);
    json_decref(document(&r, 0));
    json_decref(document(&r, 1));
    process_result_clear(&r);
}

static void control_c_keeps_what_was_written(void **state)
{
    (void)state;
    process_options options = { .interrupt_at = "" };
    process_result r = run_trine(&options, "generate", "-q", "-m", LLAMA, "--ignore-eos", "-n", "0", "-c", "200000", "--rope-scale",
                                 "1000", "--mask", "causal", "A cat");
    assert_status(&r, 130);
    assert_true(r.out_bytes > 1);
    assert_int_equal(r.out[r.out_bytes - 1], '\n');
    process_result_clear(&r);
    /* Between two lines of a pipe. */
    process_options lines = { .input = "a cat\n", .keep_input = true, .interrupt_at = "}" };
    r = run_trine(&lines, "embed", "-q", "-m", MLM, "--lines", "--json");
    assert_status(&r, 130);
    json_decref(document(&r, 0));
    process_result_clear(&r);
}

static void too_little_memory_is_status_4(void **state)
{
    (void)state;
    if (ADDRESS_SANITIZER) skip();
    /* A context that asks for far more than the limit. */
    process_options options = { .memory = (size_t)400 << 20 };
    process_result r = run_trine(&options, "generate", "-m", LLAMA, "-t", "1", "-c", "16000000", "--rope-scale", "100000",
                                 "--cache-type", "f32", "A cat");
    assert_error(r, 4, "trine generate: ");
    /* At any limit: a clear end, never a crash. Below the size of the program itself (3 MiB) the system ends it. */
    for (size_t mib = 8; mib <= 40; mib += 2) {
        options.memory = mib << 20;
        r = run_trine(&options, "embed", "-q", "-m", MLM, "-t", "1", "--json", "a cat");
        if (r.status == 4 && strstr(r.err, "no memory")) assert_contains(r.err, "take a smaller model");
        if (r.status != 0 && r.status != 4 && r.status != 127 && r.status != 126)
            fail_msg("%zu MiB: status %d\n%s", mib, r.status, r.err);
        process_result_clear(&r);
    }
}

static void colors_are_for_terminals(void **state)
{
    (void)state;
    process_options terminal = { .terminal = true };
    process_result r = run_trine(&terminal, "fill", "-m", MLM, "A [MASK].");
    assert_status(&r, 0);
    assert_contains(r.out, "\033[");
    process_result_clear(&r);
    process_options plain = { .terminal = true, .environment = { "NO_COLOR=1" } };
    r = run_trine(&plain, "fill", "-m", MLM, "A [MASK].");
    assert_status(&r, 0);
    assert_lacks(r.out, "\033[3");
    assert_lacks(r.out, "\033[1m");
    process_result_clear(&r);
    r = run_trine(NULL, "fill", "-m", MLM, "A [MASK].");
    assert_status(&r, 0);
    assert_lacks(r.out, "\033");
    assert_lacks(r.err, "\033");
    process_result_clear(&r);
}

static void bars_suit_the_locale(void **state)
{
    (void)state;
    process_options utf8 = { .environment = { "LC_ALL=C.UTF-8" } }, ascii = { .environment = { "LC_ALL=C" } };
    process_result r = run_trine(&utf8, "classify", "-q", "-m", LABELS, "good");
    assert_contains(r.out, "\u2588");
    process_result_clear(&r);
    r = run_trine(&ascii, "classify", "-q", "-m", LABELS, "good");
    assert_contains(r.out, "#");
    for (const char *p = r.out; *p; p++) assert_true((unsigned char)*p < 0x80);
    process_result_clear(&r);
}

static void chat_answers_each_line_of_a_pipe(void **state)
{
    (void)state;
    process_options options = { .input = "What is good?\n\nWhat is the capital of France?\n" };
    process_result r = run_trine(&options, "chat", "-q", "-m", LLAMA, "-n", "4", "--seed", "1", "--json");
    assert_status(&r, 0);
    json_t *first = document(&r, 0), *second = document(&r, 1);
    assert_true(number_of(json_object_get(second, "usage"), "prompt_tokens") >
                number_of(json_object_get(first, "usage"), "prompt_tokens"));
    json_decref(first);
    json_decref(second);
    process_result_clear(&r);
    /* A message that does not fit is refused, and the conversation can go on after /clear. */
    char *long_text = malloc(2000);
    assert_non_null(long_text);
    memset(long_text, 'x', 1500);
    strcpy(long_text + 1500, "\n/clear\nhello\n");
    options.input = long_text;
    r = run_trine(&options, "chat", "-q", "-m", LLAMA, "-n", "4", "--seed", "1", "--json");
    assert_int_not_equal(r.status, 0);
    assert_contains(r.err, "/clear");
    json_decref(document(&r, 0));
    process_result_clear(&r);
    free(long_text);
}

static void chat_keeps_what_it_has_read(void **state)
{
    (void)state;
    /* The same conversation, with the past kept and read anew (one process a turn), gives the same greedy answers. */
    process_options options = { .input = "one\ntwo\nthree\n" };
    process_result kept = run_trine(&options, "chat", "-q", "-m", LLAMA, "-n", "5", "--temp", "0", "--json", "--cache-type", "f32");
    assert_status(&kept, 0);
    json_t *first = document(&kept, 0), *second = document(&kept, 1);
    char prompt[2000];
    snprintf(prompt, sizeof prompt,
             "<|im_start|>user\none<|im_end|>\n<|im_start|>assistant\n%s<|im_end|>\n<|im_start|>user\ntwo<|im_end|>\n<|im_start|>"
             "assistant\n",
             text_of(first, "text"));
    json_t *anew = only_document(
        run_trine(NULL, "generate", "-q", "-m", LLAMA, "-n", "5", "--temp", "0", "--json", "--cache-type", "f32", prompt));
    assert_true(json_equal(json_object_get(second, "tokens"), json_object_get(anew, "tokens")));
    assert_true(json_equal(json_object_get(second, "usage"), json_object_get(anew, "usage")));
    json_decref(first);
    json_decref(second);
    json_decref(anew);
    process_result_clear(&kept);
}

static void chat_in_a_terminal(void **state)
{
    (void)state;
    char folder[] = "/tmp/trine_state_XXXXXX", variable[80], command[64], saved[80], typed[400];
    assert_non_null(mkdtemp(folder));
    snprintf(variable, sizeof variable, "XDG_STATE_HOME=%s", folder);
    snprintf(saved, sizeof saved, "%s/talk.json", folder);
    snprintf(typed, sizeof typed, "/help\rhello\r/nonsense\r/save %s\r/clear\r/quit\r", saved);
    process_options options = { .terminal = true, .input = typed, .environment = { variable, "LC_ALL=C.UTF-8" } };
    process_result r = run_trine(&options, "chat", "-m", LLAMA, "-n", "4", "--seed", "3", "--system", "Be brief.");
    assert_status(&r, 0);
    assert_contains(r.out, "/save FILE");
    assert_contains(r.out, "unknown command /nonsense");
    assert_contains(r.out, "saved 3 messages");
    assert_contains(r.out, "a new conversation");
    process_result_clear(&r);
    json_error_t err;
    json_t *talk = json_load_file(saved, 0, &err);
    assert_int_equal(json_array_size(talk), 3);
    assert_string_equal(text_of(json_array_get(talk, 0), "role"), "system");
    assert_string_equal(text_of(json_array_get(talk, 1), "content"), "hello");
    json_decref(talk);
    /* The history is the user's own. */
    char history[120];
    struct stat info;
    snprintf(history, sizeof history, "%s/trine/chat_history", folder);
    assert_int_equal(stat(history, &info), 0);
    assert_int_equal(info.st_mode & 077, 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_notes_are_apart),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(a_file_too_large_leaves_nothing),
        cmocka_unit_test(a_closed_pipe_ends_quietly),
        cmocka_unit_test(lines_are_answered_as_they_come),
        cmocka_unit_test(control_c_keeps_what_was_written),
        cmocka_unit_test(too_little_memory_is_status_4),
        cmocka_unit_test(colors_are_for_terminals),
        cmocka_unit_test(bars_suit_the_locale),
        cmocka_unit_test(chat_answers_each_line_of_a_pipe),
        cmocka_unit_test(chat_keeps_what_it_has_read),
        cmocka_unit_test(chat_in_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
