/* test_command_ranks.c - trine under mpirun: two processes train what one does with twice the batches, one that is killed ends the others
 * with a reason, and --resume goes on bit for bit. Skipped where Open MPI is not installed. */
#include "run_trine.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temp.h"

#ifdef TRINE_MPIRUN

static char text_path[400];

static int set_up(void **state)
{
    (void)state;
    char b[8000];
    size_t n = 0;
    temp_make();
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(b + n, sizeof b - n, "the cat sat on the mat and the dog ran %d times\n\n", i % 7);
    snprintf(text_path, sizeof text_path, "%s", temp_write("text.txt", b, n));
    return 0;
}

/* As root, with more processes than cores, in a container that lets no process read another's memory, and without what MPI leaves of
 * its own memory being told. */
static const process_options mpi = {
    .environment = { "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_rmaps_base_oversubscribe=1",
                     "OMPI_MCA_btl_vader_single_copy_mechanism=none", "ASAN_OPTIONS=detect_leaks=0", "TRINE_RANKS_TIMEOUT=5", NULL }
};

#define MPIRUN(n) TRINE_MPIRUN, "-n", n, TRINE_COMMAND
#define run_ranks(n, ...) process_run((const char *const[]) { MPIRUN(n), __VA_ARGS__, NULL }, &mpi)
#define GPT                                                                                                                        \
    "train", "--arch", "gpt2", "--tokenizer", LLAMA, text_path, "--layers", "2", "--width", "16", "--heads", "2", "--seq-len",     \
        "16", "--batch", "4", "--no-record", "--json", "-t", "1", "--hold-out", "0.2", "--dropout", "0.1", "--lr", "0.01"

static char *weights_of(const char *out, size_t *n)
{
    char path[500];
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: %s", path, strerror(errno));
    char *bytes = malloc(1 << 22);
    *n = fread(bytes, 1, 1 << 22, f);
    fclose(f);
    return bytes;
}

static void expect_same_weights(const char *a, const char *b)
{
    size_t n, m;
    char *x = weights_of(a, &n), *y = weights_of(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

static void two_processes_learn_what_one_does_with_twice_the_batches(void **state)
{
    (void)state;
    process_result one = run_trine(NULL, GPT, "--steps", "8", "--accumulate", "2", "-o", temp_path("one"));
    process_result two = run_ranks("2", GPT, "--steps", "8", "-o", temp_path("two"));
    process_result shared = run_ranks("2", GPT, "--steps", "8", "--shard-optimizer", "-o", temp_path("shared"));
    assert_status(&one, 0);
    assert_status(&two, 0);
    assert_status(&shared, 0);
    for (int i = 0; i < 8; i++) {
        json_t *a = document(&one, i), *b = document(&two, i), *c = document(&shared, i);
        /* sums of floats in another order */
        assert_true(fabs(number_of(a, "loss") - number_of(b, "loss")) < 1e-4 * number_of(a, "loss"));
        assert_true(fabs(number_of(b, "loss") - number_of(c, "loss")) < 1e-4 * number_of(a, "loss"));
        json_decref(a);
        json_decref(b);
        json_decref(c);
    }
    expect_same_weights(temp_path("two"), temp_path("shared"));
    process_result_clear(&one);
    process_result_clear(&two);
    process_result_clear(&shared);
}

/* Sums run in the order of ranks, whoever gets them. */
static void moments_that_are_shared_out_change_nothing(void **state)
{
    (void)state;
    process_result four = run_ranks("4", GPT, "--steps", "6", "-o", temp_path("four"));
    process_result shared = run_ranks("4", GPT, "--steps", "6", "--shard-optimizer", "-o", temp_path("shared4"));
    assert_status(&four, 0);
    assert_status(&shared, 0);
    expect_same_weights(temp_path("four"), temp_path("shared4"));
    process_result_clear(&four);
    process_result_clear(&shared);
}

/* Each rank in a folder of its own, `stem`0 and `stem`1: the same names there may be other files. */
#define run_apart(stem, ...)                                                                                                       \
    process_run((const char *const[]) { TRINE_MPIRUN, "-n", "2", "sh", "-c", "cd \"$0$OMPI_COMM_WORLD_RANK\" && exec \"$@\"",      \
                                        stem, TRINE_COMMAND, __VA_ARGS__, NULL },                                                  \
                &mpi)

static void write_apart(const char *name, int rank, const char *text, int n)
{
    char path[64], all[20000];
    size_t at = 0;
    snprintf(path, sizeof path, "apart%d", rank);
    mkdir(temp_path(path), 0777);
    snprintf(path, sizeof path, "apart%d/%s", rank, name);
    for (int i = 0; i < n; i++) at += (size_t)snprintf(all + at, sizeof all - at, "%s %d\n", text, i % 7);
    temp_write(path, all, at);
}

/* Models of other weights under one name. */
static void make_models_apart(void)
{
    process_result r = run_trine(NULL, GPT, "--steps", "2", "-o", temp_path("apart0/model"));
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_trine(NULL, GPT, "--steps", "2", "--seed", "5", "-o", temp_path("apart1/model"));
    assert_status(&r, 0);
    process_result_clear(&r);
}

static void ranks_that_see_other_files_are_named(void **state)
{
    (void)state;
    char stem[400];
    snprintf(stem, sizeof stem, "%s", temp_path("apart"));
    for (int i = 0; i < 2; i++) {
        write_apart("text.txt", i, i ? "the dog sat on the mat" : "the cat sat on the mat", 60);
        write_apart("same.txt", i, "the cat sat on the mat", 60);
        write_apart("short.txt", i, "the cat sat on the mat", i ? 128 : 500); /* a round of two ranks is 128 lines */
        write_apart("lines.txt", i, i ? "the dog" : "the cat", 60);
    }
    make_models_apart();
#define TRAIN_APART(file) "train", "-m", "model", file, "--seq-len", "16", "--batch", "4", "--no-record", "-t", "1", "--steps", "2"
    process_result r = run_apart(stem, TRAIN_APART("same.txt"), "-o", temp_path("x"));
    assert_int_equal(r.status, 2);
    assert_contains(r.err, "rank 1: the first weights' checksum = ");
    process_result_clear(&r);
    r = run_apart(stem, TRAIN_APART("text.txt"), "-o", temp_path("y"));
    assert_int_equal(r.status, 2);
    assert_contains(r.err, "rank 1: the data's checksum = ");
    process_result_clear(&r);
    r = run_apart(stem, "embed", "-q", "-m", "model", "--lines", "-f", "same.txt", "-t", "1");
    assert_int_equal(r.status, 3);
    assert_contains(r.err, "model: rank 1 has other weights under this name than rank 0");
    process_result_clear(&r);
    r = run_apart(stem, "eval", "-q", "--task", "lm", "-m", "model", "same.txt", "-t", "1");
    assert_int_equal(r.status, 3);
    assert_contains(r.err, "model: rank 1 has other weights under this name than rank 0");
    process_result_clear(&r);
    r = run_apart(stem, "eval", "-q", "--task", "lm", "-m", LLAMA, "text.txt", "-t", "1");
    assert_int_equal(r.status, 2);
    assert_contains(r.err, "rank 1: text.txt is not what rank 0 has");
    process_result_clear(&r);
    r = run_apart(stem, "classify", "-q", "-m", LABELS, "--lines", "-f", "short.txt", "-t", "1");
    assert_int_equal(r.status, 3);
    assert_contains(r.err, "rank 1 has read 128 lines where rank 0 has read 256");
    process_result_clear(&r);
    r = run_apart(stem, "classify", "-q", "-m", LABELS, "--lines", "-f", "lines.txt", "-t", "1");
    assert_int_equal(r.status, 3);
    assert_contains(r.err, "rank 1 sees another text in the first 60 lines");
    process_result_clear(&r);
}

static void assert_told_once(process_result *r, int status, const char *text)
{
    assert_int_equal(r->status, status);
    const char *first = strstr(r->err, text);
    if (!first || strstr(first + 1, text)) fail_msg("'%s' is not told once in:\n%s", text, r->err);
    process_result_clear(r);
}

static void a_failure_is_told_once(void **state)
{
    (void)state;
    process_result r =
        run_ranks("2", "train", "--arch", "gpt2", "--tokenizer", LLAMA, temp_path("none.txt"), "--no-record", "-o", temp_path("x"));
    assert_told_once(&r, 3, "there is no such file");
    r = run_ranks("2", "train", "--arch", "gpt2", text_path);
    assert_told_once(&r, 2, "expected -o OUT");
#define CLASSIFY "classify", "-q", "--lines", "-t", "1"
    r = run_ranks("2", CLASSIFY, "-m", LABELS, "-f", temp_path("none.txt"));
    assert_told_once(&r, 3, "none.txt: cannot be read");
    r = run_ranks("2", CLASSIFY, "-m", temp_path("nosuch"), "-f", text_path);
    assert_told_once(&r, 3, "nosuch");
    r = run_ranks("2", CLASSIFY, "-m", LABELS, "-f", text_path, "--nonsense");
    assert_told_once(&r, 2, "--nonsense");
    r = run_ranks("2", CLASSIFY, "-m", LABELS, "-f", temp_write("zero.txt", "one\ntwo\0\n", 9));
    assert_told_once(&r, 3, "holds a zero byte");
    /* After a round that went well. */
    char lines[2 * 128 + 3];
    for (int i = 0; i < 128; i++) memcpy(lines + 2 * i, "a\n", 2);
    memcpy(lines + 2 * 128, "b\0\n", 3);
    r = run_ranks("2", CLASSIFY, "-m", LABELS, "-f", temp_write("late.txt", lines, sizeof lines), "--json");
    json_decref(document(&r, 127)); /* all of the round is there */
    assert_told_once(&r, 3, "line 129: ");
}

/* mpirun starts another command for each rank where it is asked to. */
static void other_arguments_are_refused(void **state)
{
    (void)state;
#define ONE(...) "-n", "1", TRINE_COMMAND, CLASSIFY, "-m", LABELS, "-f", text_path, __VA_ARGS__
    process_result r = process_run((const char *const[]) { TRINE_MPIRUN, ONE("--json"), ":", ONE("--top", "2"), NULL }, &mpi);
    assert_told_once(&r, 2, "rank 1 has other arguments than rank 0");
    r = process_run((const char *const[]) { TRINE_MPIRUN, ONE("--json"), ":", ONE("--json", "-t", "2"), NULL }, &mpi);
    assert_status(&r, 0);
    process_result_clear(&r);
}

/* The process of rank 1 of a run into `out`: by its environment, as the system shows it. */
static pid_t find_rank(const char *out, const char *rank)
{
    DIR *proc = opendir("/proc");
    char want[64], path[300], text[65536];
    snprintf(want, sizeof want, "OMPI_COMM_WORLD_RANK=%s", rank);
    pid_t found = 0;
    for (struct dirent *e; !found && (e = readdir(proc));) {
        const long id = strtol(e->d_name, NULL, 10);
        bool fits = id > 0;
        for (int i = 0; fits && i < 2; i++) {
            snprintf(path, sizeof path, "/proc/%ld/%s", id, i ? "environ" : "cmdline");
            FILE *f = fopen(path, "rb");
            const size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
            if (f) fclose(f);
            const char *part = i ? want : out;
            fits = n > 0 && memmem(text, n, part, strlen(part)) != NULL;
        }
        if (fits) found = (pid_t)id;
    }
    closedir(proc);
    return found;
}

#define SAVING "--save-every", "20", "--eval-every", "100000"

/* Starts mpirun in the background. */
static pid_t start(const char *const *argv, const char *err_path)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child) return child;
    for (int i = 0; mpi.environment[i]; i++) putenv((char *)(uintptr_t)mpi.environment[i]);
    if (!freopen("/dev/null", "w", stdout) || !freopen(err_path, "w", stderr)) _exit(99);
    execv(TRINE_MPIRUN, (char *const *)(uintptr_t)argv);
    _exit(98);
}

/* Waits for its end, and reads what it said. */
static int end_of(pid_t child, const char *err_path, char err_text[4096])
{
    int status = 0, waited = 0;
    for (; waited < 600 && waitpid(child, &status, WNOHANG) != child; waited++) usleep(100000);
    if (waited == 600) {
        kill(child, SIGKILL);
        fail_msg("it was still there after a minute");
    }
    FILE *f = fopen(err_path, "r");
    assert_non_null(f);
    err_text[fread(err_text, 1, 4095, f)] = 0;
    fclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Starts a long run in the background, kills rank 1 of it when it has a checkpoint, and gives its end. */
static int killed_run(const char *out, const char *how, const char *steps, char err_text[4096])
{
    char err_path[400], checkpoints[500];
    snprintf(err_path, sizeof err_path, "%s", temp_path("err.txt"));
    snprintf(checkpoints, sizeof checkpoints, "%s/training/checkpoints", out);
    const char *const argv[] = { TRINE_MPIRUN, how, "-n", "2", TRINE_COMMAND, GPT, "--steps", steps, SAVING, "-o", out, NULL };
    const pid_t child = start(argv, err_path);
    for (int i = 0; i < 600 && temp_count(checkpoints) < 2; i++) usleep(50000);
    assert_true(temp_count(checkpoints) >= 2);
    const pid_t rank = find_rank(out, "1");
    if (rank > 0) kill(rank, SIGKILL); /* else it has ended */
    return end_of(child, err_path, err_text);
}

static void killed_ranks_end_the_others(void **state)
{
    (void)state;
    char text[4096];
    /* What srun does unless told otherwise: nobody ends the others, they find out. */
    (void)killed_run(temp_path("alone"), "--enable-recovery", "1000000", text); /* where mpirun forgives, it ends with 0 */
    if (!strstr(text, "rank 1 is lost")) fail_msg("not told that rank 1 is lost:\n%s", text);
    assert_non_null(strstr(text, "--resume"));
}

/* What mpirun hands on, and Slurm sends where it is asked to. */
static void signalled_ranks_save_before_they_end(void **state)
{
    (void)state;
    char out[400], err_path[400], checkpoints[500], text[4096];
    snprintf(out, sizeof out, "%s", temp_path("signalled"));
    snprintf(err_path, sizeof err_path, "%s", temp_path("err.txt"));
    snprintf(checkpoints, sizeof checkpoints, "%s/training/checkpoints", out);
    const char *const argv[] = { MPIRUN("2"), GPT, "--steps", "1000000", SAVING, "-o", out, NULL };
    const pid_t child = start(argv, err_path);
    for (int i = 0; i < 600 && temp_count(checkpoints) < 1; i++) usleep(50000);
    kill(child, SIGUSR1);
    assert_int_equal(end_of(child, err_path, text), 130);
    assert_contains(text, "stopped after step ");
    assert_contains(text, "--resume");
}

static void killed_and_resumed_it_is_the_same_run(void **state)
{
    (void)state;
    char text[4096];
    /* mpirun ends the others by itself. */
    (void)killed_run(temp_path("part"), "--quiet", "200", text);
    process_result r = run_ranks("2", GPT, "--steps", "200", SAVING, "-o", temp_path("part"));
    assert_int_equal(r.status, 1);
    assert_contains(r.err, "--resume");
    process_result_clear(&r);
    r = run_ranks("2", GPT, "--steps", "200", SAVING, "-o", temp_path("part"), "--resume");
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_ranks("2", GPT, "--steps", "200", SAVING, "-o", temp_path("whole"));
    assert_status(&r, 0);
    process_result_clear(&r);
    expect_same_weights(temp_path("part"), temp_path("whole"));
}

/* 1 process and 2 write the same. */
#define expect_same_output(...)                                                                                                    \
    do {                                                                                                                           \
        process_result a = run_trine(NULL, __VA_ARGS__), b = run_ranks("2", __VA_ARGS__);                                          \
        assert_status(&a, 0);                                                                                                      \
        assert_status(&b, 0);                                                                                                      \
        assert_true(a.out_bytes > 0);                                                                                              \
        assert_string_equal(a.out, b.out);                                                                                         \
        process_result_clear(&a);                                                                                                  \
        process_result_clear(&b);                                                                                                  \
    } while (0)

/* Many short lines, with a blank one, and one of them too long for any model. */
static const char *lines_file(const char *name, int n, int long_one)
{
    static char text[100000];
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", i == 3 ? "\n" : "");
        for (int k = 0; k < (i == long_one ? 2000 : 1 + i % 5); k++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s ", (i + k) % 3 ? "cat" : "dog");
        at += (size_t)snprintf(text + at, sizeof text - at, "\n");
    }
    return temp_write(name, text, at);
}

static void lines_are_shared_out_and_written_in_order(void **state)
{
    (void)state;
    char lines[400];
    snprintf(lines, sizeof lines, "%s", lines_file("lines.txt", 300, -1));
    expect_same_output("classify", "-q", "-m", LABELS, "--lines", "-f", lines, "--json", "-t", "1");
    expect_same_output("embed", "-q", "-m", MLM, "--lines", "-f", lines, "--json", "-t", "1");
    expect_same_output("translate", "-q", "-m", T5, "--lines", "-f", lines, "-n", "3", "--prefix", "", "--ignore-eos", "-t", "1");
    expect_same_output("translate", "-q", "-m", T5, "--lines", "-f", lines, "-n", "3", "--prefix", "", "--parallel", "4", "-t",
                       "1");
}

static void a_line_that_fails_is_told_and_the_others_are_answered(void **state)
{
    (void)state;
    char lines[400];
    snprintf(lines, sizeof lines, "%s", lines_file("long.txt", 150, 70)); /* of the second process */
    process_result a = run_trine(NULL, "classify", "-q", "-m", LABELS, "--lines", "-f", lines, "--json", "-t", "1");
    process_result b = run_ranks("2", "classify", "-q", "-m", LABELS, "--lines", "-f", lines, "--json", "-t", "1");
    assert_int_equal(a.status, b.status);
    assert_int_not_equal(a.status, 0);
    assert_string_equal(a.out, b.out);
    assert_contains(b.err, "line 72: ");
    process_result_clear(&a);
    process_result_clear(&b);
    b = run_ranks("2", "classify", "-q", "-m", LABELS, "the cat");
    assert_int_equal(b.status, 2);
    assert_contains(b.err, "expected -f FILE with --lines");
    process_result_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_shared_out_and_written_in_order, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_fails_is_told_and_the_others_are_answered, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(two_processes_learn_what_one_does_with_twice_the_batches, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(moments_that_are_shared_out_change_nothing, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(ranks_that_see_other_files_are_named, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_told_once, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(other_arguments_are_refused, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(killed_ranks_end_the_others, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(signalled_ranks_save_before_they_end, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(killed_and_resumed_it_is_the_same_run, set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("command_ranks", tests, NULL, NULL);
}

#else

int main(void)
{
    printf("skipped: this build has no Open MPI (Debian: libopenmpi-dev, openmpi-bin)\n");
    return 0;
}

#endif
