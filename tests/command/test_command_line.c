/* test_command_line.c - arguments, help, manual pages and completions: what is described exists, and what exists is described. */
#include "run_trine.h"

#include <ctype.h>

#include "support/temp.h"

static const char *const commands[] = { "inspect", "trace",     "tokenize", "detokenize", "fill",      "classify",
                                        "tag",     "embed",     "generate", "chat",       "translate", "summarize",
                                        "eval",    "bench",     "convert",  "quantize",   "train",     "finetune",
                                        "runs",    "tokenizer", "fit",      "corpus",     "plan",      "help",
                                        "version", "compare",   "serve",    "lab",        "models" };
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void overview_lists_every_command_and_none_else(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "help");
    assert_status(&r, 0);
    int listed = 0;
    for (const char *line = r.out; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (line[0] != ' ' || line[1] != ' ' || !islower((unsigned char)line[2]) || strncmp(line, "  trine", 7) == 0) continue;
        bool known = false;
        for (int i = 0; i < N_COMMANDS; i++) known |= strncmp(line + 2, commands[i], strcspn(line + 2, " ")) == 0;
        assert_true(known);
        listed++;
    }
    assert_int_equal(listed, N_COMMANDS);
    /* A heading stands once: after an empty line, and not again. */
    for (char *line = strstr(r.out, "\n\n"); line; line = strstr(line, "\n\n")) {
        line += 2;
        const size_t n = strcspn(line, "\n");
        if (line[0] == ' ' || strncmp(line + n, "\n  ", 3)) continue;
        char title[100];
        snprintf(title, sizeof title, "\n%.*s\n", (int)n, line);
        assert_null(strstr(line, title));
    }
    process_result_clear(&r);
    r = run_trine(NULL, "--help");
    assert_status(&r, 0);
    process_result_clear(&r);
}

/* Calls `each` for every long option that `trine COMMAND --help` shows. */
static void for_each_option(const char *command,
                            void (*each)(const char *command, const char *option, const char *value, const char *help, void *user),
                            void *user)
{
    process_result r = run_trine(NULL, command, "--help");
    assert_status(&r, 0);
    int n = 0;
    for (const char *line = r.out; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "  -", 3) != 0 && strncmp(line, "      --", 8) != 0) continue;
        char option[64], value[32] = "";
        const char *name = strstr(line, "--");
        size_t length = strcspn(name, " \n");
        snprintf(option, sizeof option, "%.*s", (int)length, name);
        if (name[length] == ' ' && isupper((unsigned char)name[length + 1]))
            snprintf(value, sizeof value, "%.*s", (int)strcspn(name + length + 1, " \n"), name + length + 1);
        each(command, option, value, line, user);
        n++;
    }
    assert_true(n > 0);
    process_result_clear(&r);
}

typedef struct pages {
    process_result man, bash, zsh, fish;
} pages;

static void option_is_everywhere(const char *command, const char *option, const char *value, const char *help, void *user)
{
    pages *p = user;
    (void)help;
    char roff[80], zsh[80], fish[80];
    size_t n = 0;
    for (const char *c = option; *c && n < sizeof roff - 2; c++) {
        if (*c == '-') roff[n++] = '\\';
        roff[n++] = *c;
    }
    roff[n] = 0;
    snprintf(zsh, sizeof zsh, "%s[", option);
    snprintf(fish, sizeof fish, " -l %s ", option + 2);
    assert_contains(p->man.out, roff);
    assert_contains(p->bash.out, option);
    assert_contains(p->zsh.out, zsh);
    assert_contains(p->fish.out, fish);
    if (!value[0]) return;
    /* It needs its value, and does not take the next option for it. */
    assert_error(run_trine(NULL, command, option), 2, "needs a value");
    assert_error(run_trine(NULL, command, option, "--help"), 2, "needs a value");
}

static void every_option_is_in_the_manual_and_the_completions(void **state)
{
    (void)state;
    pages p = { .bash = run_trine(NULL, "help", "--completion", "bash"),
                .zsh = run_trine(NULL, "help", "--completion", "zsh"),
                .fish = run_trine(NULL, "help", "--completion", "fish") };
    assert_status(&p.bash, 0);
    assert_status(&p.zsh, 0);
    assert_status(&p.fish, 0);
    for (int i = 0; i < N_COMMANDS; i++) {
        p.man = run_trine(NULL, "help", "--man", commands[i]);
        assert_status(&p.man, 0);
        assert_contains(p.man.out, ".SH NAME");
        assert_contains(p.man.out, ".SH EXIT STATUS");
        assert_contains(p.man.out, ".SH EXAMPLES");
        for_each_option(commands[i], option_is_everywhere, &p);
        process_result_clear(&p.man);
        assert_contains(p.bash.out, commands[i]);
        assert_contains(p.zsh.out, commands[i]);
        assert_contains(p.fish.out, commands[i]);
    }
    process_result_clear(&p.bash);
    process_result_clear(&p.zsh);
    process_result_clear(&p.fish);
}

/* What help says is 80 columns wide at most. */
static void assert_narrow(process_result r)
{
    assert_status(&r, 0);
    for (const char *line = r.out; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 80) fail_msg("wider than 80 columns: %.*s", (int)strcspn(line, "\n"), line);
    process_result_clear(&r);
}

static void help_fits_the_terminal(void **state)
{
    (void)state;
    assert_narrow(run_trine(NULL, "help", "all"));
    for (int i = 0; i < N_COMMANDS; i++) assert_narrow(run_trine(NULL, commands[i], "-h"));
}

static void help_of_a_command_says_more(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "help", "fill");
    assert_status(&r, 0);
    assert_contains(r.out, "Exit status");
    assert_contains(r.out, "Blank lines are");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "help", "nonsense"), 2, "no command is called 'nonsense'");
    assert_error(run_trine(NULL, "help", "genrate"), 2, "no command is called 'genrate'; did you mean generate?");
    assert_error(run_trine(NULL, "help", "--man", "all"), 2, "no command is called 'all'");
}

static void run_if_there(const char *program, const char *flag, const char *file)
{
    if (access(program, X_OK) != 0) return;
    process_result r = process_run((const char *const[]) { program, flag, file, NULL }, NULL);
    assert_status(&r, 0);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
}

static void completions_are_valid_scripts(void **state)
{
    (void)state;
    static const char *const shells[] = { "bash", "zsh", "fish" };
    for (int i = 0; i < 3; i++) {
        char path[] = "/tmp/trine_completion_XXXXXX", program[32];
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        process_result r = run_trine(NULL, "help", "--completion", shells[i]);
        assert_status(&r, 0);
        assert_int_equal(write(fd, r.out, r.out_bytes), r.out_bytes);
        close(fd);
        process_result_clear(&r);
        snprintf(program, sizeof program, "/usr/bin/%s", shells[i]);
        run_if_there(program, "-n", path);
        remove(path);
    }
}

static void bash_completes_commands_options_and_words(void **state)
{
    (void)state;
    if (access("/bin/bash", X_OK) != 0) skip();
    static const char script[] = "eval \"$(\"$0\" help --completion bash)\"\n"
                                 "COMP_WORDS=(trine gen); COMP_CWORD=1; _trine; echo \"${COMPREPLY[*]}\"\n"
                                 "COMP_WORDS=(trine generate --top); COMP_CWORD=2; _trine; echo \"${COMPREPLY[*]}\"\n"
                                 "COMP_WORDS=(trine convert --type b); COMP_CWORD=3; _trine; echo \"${COMPREPLY[*]}\"\n"
                                 "COMP_WORDS=(trine finetune -m x ''); COMP_CWORD=4; _trine; echo \"${COMPREPLY[*]}\"\n"
                                 "COMP_WORDS=(trine finetune tag /et); COMP_CWORD=3; _trine; echo \"${COMPREPLY[*]}\"\n"
                                 "COMP_WORDS=(trine compare l); COMP_CWORD=2; _trine; echo \"${COMPREPLY[*]}\"\n"
                                 "COMP_WORDS=(trine help ve); COMP_CWORD=2; _trine; echo \"${COMPREPLY[*]}\"\n";
    process_result r = process_run((const char *const[]) { "/bin/bash", "-c", script, TRINE_COMMAND, NULL }, NULL);
    assert_status(&r, 0);
    assert_string_equal(r.out, "generate\n--top-k --top-p\nbf16\nclassify tag seq2seq lm embed\n/etc\nlong-document\nversion\n");
    process_result_clear(&r);
}

static void manual_pages_are_clean(void **state)
{
    (void)state;
    if (access("/usr/bin/man", X_OK) != 0) skip();
    for (int i = 0; i < N_COMMANDS; i++) {
        char path[] = "/tmp/trine_manual_XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        process_result r = run_trine(NULL, "help", "--man", commands[i]);
        assert_int_equal(write(fd, r.out, r.out_bytes), r.out_bytes);
        close(fd);
        process_result_clear(&r);
        process_options options = { .environment = { "LC_ALL=C.UTF-8", "MANWIDTH=80" } };
        r = process_run((const char *const[]) { "/usr/bin/man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", path, NULL },
                        &options);
        assert_status(&r, 0);
        assert_string_equal(r.err, "");
        assert_contains(r.out, commands[i]);
        process_result_clear(&r);
        remove(path);
    }
}

static void version_tells_the_build(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "--version");
    assert_status(&r, 0);
    assert_contains(r.out, "trine 0.");
    assert_contains(r.out, "scalar");
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "version", "--json"));
    assert_true(json_array_size(array_of(doc, "cpu")) >= 1);
    /* Of the tree as it is built: the commit that the record has, none where there is no git tree. */
    const json_t *commit = json_object_get(doc, "commit");
    assert_true(json_is_null(commit) || strlen(json_string_value(commit)) >= 7);
    json_decref(doc);
}

static void wrong_options_are_explained(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "inspect");
    assert_error(r, 2, "no model: expected -m MODEL");
    assert_error(run_trine(NULL, "embedd"), 2, "did you mean embed?");
    assert_error(run_trine(NULL, "qqqqq"), 2, "unknown command 'qqqqq'");
    assert_error(run_trine(NULL, "--versoin"), 2, "unknown option '--versoin'; did you mean --version?");
    assert_error(run_trine(NULL, "--verson"), 2, "did you mean --version?");
    assert_error(run_trine(NULL, "--Help"), 2, "did you mean --help?");
    assert_error(run_trine(NULL, "-help"), 2, "did you mean --help?");
    assert_error(run_trine(NULL, "--embed"), 2, "did you mean embed?");
    assert_error(run_trine(NULL, "-x"), 2, "unknown option '-x'; `trine help` lists the commands");
    assert_error(run_trine(NULL, "embed", "--poolin=mean"), 2, "did you mean --pooling?");
    assert_error(run_trine(NULL, "generate", "--top_k", "3"), 2, "did you mean --top-k?");
    assert_error(run_trine(NULL, "generate", "-temp", "3"), 2, "did you mean --temp?");
    assert_error(run_trine(NULL, "embed", "--beam", "3"), 2,
                 "--beam is an option of generate, translate, summarize, eval, bench, quantize, not of embed");
    /* several options of one name, and more commands than a line has room for */
    assert_error(
        run_trine(NULL, "eval", "--lines", "x"), 2,
        "--lines is an option of trace, tokenize, detokenize, fill, classify, tag and others (`trine help all`), not of eval\n");
    assert_error(run_trine(NULL, "inspect", "-n", "3"), 2,
                 "-n is an option of generate, chat, translate, summarize, eval, quantize, not of inspect");
    assert_error(
        run_trine(NULL, "help", "--json"), 2,
        "--json is an option of inspect, trace, models, tokenize, detokenize, fill and others (`trine help all`), not of help\n");
    assert_error(run_trine(NULL, "generate", "-n", "many"), 2, "-n takes a whole number from 0 to 16777216, not 'many'");
    assert_error(run_trine(NULL, "generate", "-n"), 2, "-n needs a value: N");
    assert_error(run_trine(NULL, "generate", "--temp", "-1"), 2, "--temp takes a number from 0 to 100, not '-1'");
    assert_error(run_trine(NULL, "generate", "--temp", "nan"), 2, "--temp takes a number");
    assert_error(run_trine(NULL, "generate", "--top-p=2"), 2, "from 0 to 1, not '2'");
    assert_error(run_trine(NULL, "generate", "--seed", "-4"), 2, "--seed takes a whole number");
    assert_error(run_trine(NULL, "generate", "-t", "99999999999999999999"), 2, "-t takes a whole number");
    assert_error(run_trine(NULL, "generate", "--json=yes"), 2, "--json takes no value");
    assert_error(run_trine(NULL, "fill", "--cpu", "abacus"), 2, "scalar");
    assert_error(run_trine(NULL, "fill", "--mask", "prefix:"), 2, "bidirectional|causal|prefix:N|window:N");
    assert_error(run_trine(NULL, "fill", "--tokens", "1,x"), 2, "not 'x'");
    assert_error(run_trine(NULL, "fill", "--tokens", ","), 2, "one id or more");
    assert_error(run_trine(NULL, "convert", "--type", "f17"), 2, "one of f32|f16|bf16");
    assert_error(run_trine(NULL, "convert", "--shard-size", "2XB"), 2, "such as 500MB");
    assert_error(run_trine(NULL, "generate", "--cache-type", "q9"), 2, "q8_0");
    assert_error(run_trine(NULL, "version", "now"), 2, "one argument too many");
    assert_error(run_trine(NULL, "eval", "-m", MLM), 2, "FILE is missing");
    process_options environment = { .environment = { "TRINE_THREADS=lots" } };
    assert_error(run_trine(&environment, "fill"), 2, "TRINE_THREADS takes a whole number");
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    temp_make();
    assert_error(run_trine(NULL, "fill", "-m", MLM, "-p", "a", "b"), 2, "text is given twice");
    assert_error(run_trine(NULL, "fill", "-m", MLM, "--lines", "b"), 2, "--lines reads a file or standard input");
    assert_error(run_trine(NULL, "fill", "-m", MLM, "--truncate", "--chunk", "b"), 2, "exclude each other");
    assert_error(run_trine(NULL, "fill", "-m", MLM, "--tokens", "2,4,3", "--token-types", "0"), 2, "as many as --tokens");
    assert_error(run_trine(NULL, "embed", "-m", MLM, "--tokens", "2,4", "--token-types", "0,9"), 2,
                 "token 1 has type 9; this model knows the types 0 to 1");
    assert_error(
        run_trine(NULL, "trace", "-m", LLAMA, "--tokens", "2,4", "--token-types", "0,1", "--out", temp_path("x.safetensors")), 2,
        "token 1 has type 1, but tokens of llama have no types");
    assert_error(
        run_trine(NULL, "trace", "-m", LLAMA, "--tokens", "2,4", "--mask", "prefix:9", "--out", temp_path("x.safetensors")), 2,
        "longer than a whole text, of 2 tokens");
    assert_error(run_trine(NULL, "trace", "-m", MLM, "a"), 2, "--out FILE");
    assert_error(run_trine(NULL, "trace", "-m", MLM, "-o", "-", "a"), 2, "a file, not a stream");
    assert_error(run_trine(NULL, "convert", "-m", MLM), 2, "-o OUT");
    assert_error(run_trine(NULL, "tokenize", "-m", MLM, "--ids", "--json", "a"), 2, "exclude each other");
    assert_error(run_trine(NULL, "inspect", "-m", MLM, LABELS), 2, "given twice");
    assert_error(run_trine(NULL, "generate", "-m", LLAMA, "--system", "x", "a"), 2, "add --chat");
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "-c", "1000", "a"), 2, "--rope-scale 4 stretches");
    assert_error(run_trine(NULL, "generate", "-q", "-m", LLAMA, "--rope-scaling", "linear", "a"), 2, "by how much");
    assert_error(run_trine(NULL, "embed", "-q", "-m", MLM, "--rope-scale", "2", "a"), 2, "rotary");
    assert_error(run_trine(NULL, "embed", "-m", MLM, "--similarity", "one"), 2, "two texts or more");
    temp_remove();
}

static void forms_of_an_option_mean_the_same(void **state)
{
    (void)state;
    static const char *const forms[][4] = {
        { "-n", "2", "-q" }, { "-n2", "-q" }, { "-qn2" }, { "--max-tokens=2", "-q" }, { "--predict", "2", "--quiet" }
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *argv[16] = {
            TRINE_COMMAND, "generate", "-m", LLAMA, "--ignore-eos", "--temp", "0", "--json", "--tokens", "5,6"
        };
        int n = 10;
        for (int k = 0; k < 4 && forms[i][k]; k++) argv[n++] = forms[i][k];
        process_result r = process_run(argv, NULL);
        assert_status(&r, 0);
        assert_string_equal(r.err, "");
        json_t *doc = document(&r, 0);
        assert_int_equal(json_array_size(array_of(doc, "tokens")), 2);
        json_decref(doc);
        process_result_clear(&r);
    }
    /* After "--" a text may begin with a dash. */
    process_result r = run_trine(NULL, "tokenize", "-m", MLM, "--json", "--", "--a");
    assert_status(&r, 0);
    process_result_clear(&r);
    /* The environment stands for options. */
    process_options environment = { .environment = { "TRINE_MODEL=" MLM, "TRINE_CPU=scalar", "TRINE_THREADS=1" } };
    r = run_trine(&environment, "embed", "--json", "a cat");
    assert_status(&r, 0);
    assert_contains(r.err, "1 thread, scalar");
    process_result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overview_lists_every_command_and_none_else),
        cmocka_unit_test(every_option_is_in_the_manual_and_the_completions),
        cmocka_unit_test(help_fits_the_terminal),
        cmocka_unit_test(help_of_a_command_says_more),
        cmocka_unit_test(completions_are_valid_scripts),
        cmocka_unit_test(bash_completes_commands_options_and_words),
        cmocka_unit_test(manual_pages_are_clean),
        cmocka_unit_test(version_tells_the_build),
        cmocka_unit_test(wrong_options_are_explained),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(forms_of_an_option_mean_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
