/* started_runs.c - POST /runs starts `trine compare`, POST /runs/ID tells what it wrote so far, POST /runs/ID/stop ends it as Control-C
 * would, GET /runs lists. What it found is in the record (past_runs.c), by a number that its state tells.
 *
 * A request chooses among the experiments of a table, and numbers of theirs within bounds: no text, no path and no shell comes from
 * outside. The process sees a terminal of 80 x 24, so that a page shows what a terminal would. Its text is kept whole, to a limit, so
 * that a reader who comes late, or comes back, reads it from the beginning. */
#define _XOPEN_SOURCE 700
#include "started_runs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "past_runs.h"
#include "routes.h"

enum { MAX_RUNS = 32, MAX_TEXT = 1 << 20, COLUMNS = 80, ROWS = 24, WAIT_MS = 1000 };

/* Numbers that a request may set, in place of those that --quick sets. */
static const struct {
    const char *name, *option;
    int most; /* numbers of a list */
    int64_t low, high;
} settings[] = {
    { "lengths", "--lengths", 6, 60, 200000 },
    { "train_tokens", "--train-tokens", 1, 10000, 100000000 },
    { "sizes", "--sizes", 8, 2000, 1000000 },
    { "budgets", "--budgets", 8, 2000, 10000000 },
    { "recall_tokens", "--recall-tokens", 1, 0, 20000000 },
};
enum { N_SETTINGS = sizeof settings / sizeof *settings, SETTING_TEXT = 96 };
enum { LENGTHS = 1 << 0, TRAIN_TOKENS = 1 << 1, SIZES = 1 << 2, BUDGETS = 1 << 3, RECALL_TOKENS = 1 << 4 };

typedef struct experiment {
    const char *name;
    unsigned settings;        /* those that are its own */
    const char *arguments[4]; /* after "trine" */
} experiment;

static const experiment experiments[] = {
    { "quick", 0, { "compare", "paradigms", "--quick" } },
    { "standard", 0, { "compare", "paradigms" } },
    { "masks", 0, { "compare", "masks", "--quick" } },
    { "scaling", SIZES | BUDGETS | RECALL_TOKENS, { "compare", "scaling", "--quick" } },
    { "long-document", LENGTHS | TRAIN_TOKENS, { "compare", "long-document", "--quick" } },
};
enum { N_EXPERIMENTS = sizeof experiments / sizeof *experiments };

typedef struct one_run {
    const experiment *what;
    char set[N_SETTINGS][SETTING_TEXT]; /* "150,4000"; "" for what was not set */
    pid_t process;
    int terminal; /* our side; -1 once it is over */
    pthread_t reader;
    bool has_reader, over, stopped;
    int exit_status;
    int64_t report; /* of the record; 0: none */
    double began, ended;
    bytes text;
} one_run;

struct runs {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const char *program;
    one_run items[MAX_RUNS];
    int n;
};

typedef struct reading {
    runs *all;
    one_run *run;
} reading;

/* A thread for each run: copies what it writes, and waits for its end. */
static void *read_run(void *memory)
{
    reading *read_from = memory;
    runs *all = read_from->all;
    one_run *one = read_from->run;
    free(read_from);
    char part[4096];
    for (;;) {
        const ssize_t n = read(one->terminal, part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break; /* EIO: the last of its side is closed */
        pthread_mutex_lock(&all->lock);
        if (one->text.n + (size_t)n <= MAX_TEXT) bytes_put(&one->text, part, (size_t)n);
        pthread_cond_broadcast(&all->changed);
        pthread_mutex_unlock(&all->lock);
    }
    int status = 0;
    while (waitpid(one->process, &status, 0) < 0 && errno == EINTR) {}
    const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    /* Only what went well keeps a report, as the last that it does. */
    const int64_t report = exit_status ? 0 : newest_past_run(one->what->arguments[1]);
    pthread_mutex_lock(&all->lock);
    close(one->terminal);
    one->terminal = -1;
    one->over = true;
    one->ended = engine_clock();
    one->exit_status = exit_status;
    one->report = report;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* Our side of a new terminal, and the name of the other; -1 when there is none. */
static int open_terminal(char *name, size_t size)
{
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    const struct winsize window = { .ws_row = ROWS, .ws_col = COLUMNS };
    const char *other;
    if (fd < 0) return -1;
    if (grantpt(fd) || unlockpt(fd) || !(other = ptsname(fd)) || strlen(other) >= size || ioctl(fd, TIOCSWINSZ, &window)) {
        close(fd);
        return -1;
    }
    strcpy(name, other);
    return fd;
}

/* Starts the process with the terminal as its streams, in a group of its own. */
static int start_process(one_run *one, const runs *r, const char *terminal)
{
    const char *arguments[6 + 2 * N_SETTINGS] = { "trine" };
    int n = 1;
    for (int i = 0; i < 4 && one->what->arguments[i]; i++) arguments[n++] = one->what->arguments[i];
    for (int i = 0; i < N_SETTINGS; i++) {
        if (!one->set[i][0]) continue;
        arguments[n++] = settings[i].option;
        arguments[n++] = one->set[i];
    }
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGPIPE);
    if (posix_spawn_file_actions_init(&files)) return ENOMEM;
    if (posix_spawnattr_init(&how)) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, terminal, O_RDWR | O_NOCTTY, 0);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none); /* the command that serves has blocked those that end it */
    posix_spawnattr_setsigdefault(&how, &defaults);
    static char term[] = "TERM=xterm-256color", lang[] = "LANG=C.UTF-8";
    char home[512], path[512], data[512];
    snprintf(data, sizeof data, "XDG_DATA_HOME=%s", getenv("XDG_DATA_HOME") ? getenv("XDG_DATA_HOME") : ""); /* of the record */
    snprintf(home, sizeof home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    snprintf(path, sizeof path, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    char *const environment[] = { term, lang, home, path, data, NULL };
    const int failed = posix_spawn(&one->process, r->program, &files, &how, (char *const *)arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return failed;
}

/* Under the lock. Returns the number of the new run, or -1 when it could not be started. */
static int start_run(runs *r, const one_run *asked)
{
    one_run *one = &r->items[r->n];
    char terminal[64];
    reading *read_from = malloc(sizeof *read_from);
    *one = *asked;
    one->terminal = read_from ? open_terminal(terminal, sizeof terminal) : -1;
    one->began = engine_clock();
    if (one->terminal < 0) {
        free(read_from);
        return -1;
    }
    /* Held open until the process has it: a terminal whose other side is closed reads as ended. */
    const int other = open(terminal, O_RDWR | O_NOCTTY | O_CLOEXEC);
    const int failed = start_process(one, r, terminal);
    if (!failed) {
        setpriority(PRIO_PROCESS, (id_t)one->process, 5); /* requests go before */
        *read_from = (reading) { r, one };
        one->has_reader = pthread_create(&one->reader, NULL, read_run, read_from) == 0;
    }
    if (other >= 0) close(other);
    if (one->has_reader) return r->n++;
    if (!failed) {
        kill(-one->process, SIGKILL);
        waitpid(one->process, NULL, 0);
    }
    free(read_from);
    close(one->terminal);
    return -1;
}

trine_status runs_open(runs **out, const char *program, trine_error *err)
{
    runs *r = *out = calloc(1, sizeof *r);
    if (!r) return say(err, TRINE_ERROR_MEMORY, "no memory for the list of experiments");
    r->program = program;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    return TRINE_OK;
}

void runs_close(runs *r)
{
    if (!r) return;
    for (int i = 0; i < r->n; i++) {
        one_run *one = &r->items[i];
        pthread_mutex_lock(&r->lock);
        if (!one->over) kill(-one->process, SIGKILL);
        pthread_mutex_unlock(&r->lock);
        pthread_join(one->reader, NULL);
        free(one->text.data);
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -------------------------------------------------------------------------------------------------------------- routes */

static bool is_running(const runs *r) { return r->n && !r->items[r->n - 1].over; }

static void write_state(json_writer *j, const runs *r, const one_run *one)
{
    jw_set_int(j, "id", one - r->items);
    jw_set_text(j, "experiment", one->what->name);
    jw_set_text(j, "status", !one->over ? "running" : one->stopped ? "stopped" : "over");
    if (one->over) jw_set_int(j, "exit", one->exit_status);
    jw_set_float(j, "seconds", (float)((one->over ? one->ended : engine_clock()) - one->began));
    if (one->report) jw_set_int(j, "report", one->report);
}

void answer_runs(exchange *x)
{
    runs *r = server_runs(x);
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_key(&j, "experiments");
    jw_open(&j, '[');
    for (int i = 0; r && i < N_EXPERIMENTS; i++) jw_text(&j, experiments[i].name);
    jw_close(&j, ']');
    jw_key(&j, "runs");
    jw_open(&j, '[');
    if (r) pthread_mutex_lock(&r->lock);
    for (int i = 0; r && i < r->n; i++) {
        jw_open(&j, '{');
        write_state(&j, r, &r->items[i]);
        jw_close(&j, '}');
    }
    if (r) pthread_mutex_unlock(&r->lock);
    jw_close(&j, ']');
    if (r) {
        jw_key(&j, "record");
        write_past_runs(&j);
    }
    jw_close(&j, '}');
}

/* The numbers that a request sets, as the command takes them. */
static void read_settings(exchange *x, one_run *asked)
{
    const json_t *all = get_object(x, x->in, "settings"), *value;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)all, name, value)
    {
        int i = 0;
        while (i < N_SETTINGS && strcmp(settings[i].name, name) != 0) i++;
        if (i == N_SETTINGS || !(asked->what->settings & 1u << i)) {
            fail_request(x, 400, "settings", NULL, "'%s' has no setting '%.40s'", asked->what->name, name);
            return;
        }
        const int n = json_is_array(value) ? (int)json_array_size(value) : 1;
        size_t at = 0;
        for (int k = 0; k < n && n <= settings[i].most; k++) {
            const json_t *number = json_is_array(value) ? json_array_get(value, (size_t)k) : value;
            const int64_t v = json_integer_value(number);
            if (!json_is_integer(number) || v < settings[i].low || v > settings[i].high) at = SETTING_TEXT;
            if (at < SETTING_TEXT)
                at += (size_t)snprintf(&asked->set[i][at], SETTING_TEXT - at, "%s%lld", k ? "," : "", (long long)v);
        }
        if (!at || at >= SETTING_TEXT)
            fail_request(x, 400, "settings", NULL, "'%s' must be at most %d whole numbers from %lld to %lld", name,
                         settings[i].most, (long long)settings[i].low, (long long)settings[i].high);
    }
}

void answer_start_run(exchange *x)
{
    runs *r = server_runs(x);
    const char *name = get_text(x, x->in, "experiment", experiments[0].name);
    one_run asked = { 0 };
    for (int i = 0; name && i < N_EXPERIMENTS; i++)
        if (strcmp(experiments[i].name, name) == 0) asked.what = &experiments[i];
    if (x->failed) return;
    if (!r) {
        fail_request(x, 503, NULL, "no_runs", "this server starts no experiments");
        return;
    }
    if (!asked.what) {
        fail_request(x, 400, "experiment", NULL, "'experiment' must be one of those that GET /runs lists");
        return;
    }
    read_settings(x, &asked);
    if (x->failed) return;
    pthread_mutex_lock(&r->lock);
    const bool busy = is_running(r), full = r->n == MAX_RUNS;
    const int id = busy || full ? -1 : start_run(r, &asked);
    pthread_mutex_unlock(&r->lock);
    if (busy) {
        fail_request(x, 409, NULL, "run_in_progress", "an experiment is running: stop it, or wait for its end");
    } else if (full) {
        fail_request(x, 429, NULL, "too_many_runs", "%d experiments were run since the server began; start it again for more",
                     MAX_RUNS);
    } else if (id < 0) {
        fail_request(x, 500, NULL, NULL, "the experiment could not be started: %s", strerror(errno));
    } else {
        json_writer j = answer_begin(x);
        jw_open(&j, '{');
        jw_set_int(&j, "id", id);
        jw_close(&j, '}');
    }
}

/* What was written from byte `from` on; waits a moment for more when there is none yet. */
static void tell_run(exchange *x, runs *r, one_run *one)
{
    const size_t from = (size_t)get_int(x, x->in, "from", 0, MAX_TEXT, 0);
    if (x->failed) return;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&r->lock);
    while (!one->over && one->text.n <= from && pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0) {}
    /* No character is cut: a part ends before the first byte of one that is not whole yet. */
    size_t end = one->text.n;
    if (!one->over)
        for (size_t k = 0; k < 4 && end > from; k++) {
            const unsigned char c = (unsigned char)one->text.data[end - 1];
            if (c < 0x80) break;
            end--;
            if (c >= 0xc0) break;
        }
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    write_state(&j, r, one);
    jw_key(&j, "text");
    jw_text_n(&j, from < end ? one->text.data + from : "", from < end ? end - from : 0);
    jw_set_int(&j, "next", (int64_t)(end > from ? end : from));
    jw_close(&j, '}');
    pthread_mutex_unlock(&r->lock);
}

void answer_run(exchange *x)
{
    runs *r = server_runs(x);
    char *end = x->rest;
    const long id = strtol(x->rest, &end, 10);
    pthread_mutex_t *lock = r ? &r->lock : NULL;
    one_run *one = NULL;
    if (lock) {
        pthread_mutex_lock(lock);
        if (end != x->rest && id >= 0 && id < r->n) one = &r->items[id];
        pthread_mutex_unlock(lock);
    }
    if (!one) {
        fail_request(x, 404, NULL, "run_not_found", "there is no run '%.20s' here", x->rest);
    } else if (strcmp(end, "/stop") == 0) {
        pthread_mutex_lock(lock);
        if (!one->over) {
            one->stopped = true;
            kill(-one->process, SIGINT);
        }
        pthread_mutex_unlock(lock);
        tell_run(x, r, one);
    } else if (*end == 0) {
        tell_run(x, r, one);
    } else {
        fail_request(x, 404, NULL, "route_not_found", "a run has /stop, not '%.20s'", end);
    }
}
