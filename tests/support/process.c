/* process.c - runs a program as a shell would: see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

typedef struct stream {
    int fd;
    char *text;
    size_t n;
} stream;

static void die(const char *what)
{
    perror(what);
    abort();
}

static void make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) die("pipe");
}

/* Reads what is there; closes the stream at its end. */
static void pump(stream *s)
{
    char *grown = realloc(s->text, s->n + 65536 + 1);
    if (!grown) die("realloc");
    s->text = grown;
    ssize_t got = read(s->fd, s->text + s->n, 65536);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        got = 0;
    else if (got <= 0) { /* a terminal whose other side is closed gives EIO */
        close(s->fd);
        s->fd = -1;
        got = 0;
    }
    s->n += (size_t)got;
    s->text[s->n] = 0;
}

static void start_child(const char *const *argv, const process_options *o, int in, int out, int err)
{
    struct rlimit limit = { o->memory, o->memory }, size = { o->file_size, o->file_size };
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    unsetenv("NO_COLOR");
    unsetenv("TRINE_MODEL");
    unsetenv("TRINE_CPU");
    setenv("TERM", "xterm", 1);
    for (int i = 0; i < 8 && o->environment[i]; i++) putenv((char *)o->environment[i]);
    if (o->memory && setrlimit(RLIMIT_AS, &limit) != 0) _exit(126);
    if (o->file_size && setrlimit(RLIMIT_FSIZE, &size) != 0) _exit(126);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

process_result process_run(const char *const *argv, const process_options *options)
{
    static const process_options none = { 0 };
    const process_options *o = options ? options : &none;
    int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
    if (o->terminal) {
        int master, slave;
        struct winsize size = { .ws_row = 24, .ws_col = 80 };
        if (openpty(&master, &slave, NULL, NULL, &size) != 0) die("openpty");
        fcntl(master, F_SETFD, FD_CLOEXEC);
        in[0] = out[1] = err[1] = slave;
        in[1] = out[0] = master;
    } else {
        if (o->input)
            make_pipe(in);
        else
            in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (o->output)
            out[1] = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        else
            make_pipe(out);
        make_pipe(err);
    }
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
        if (o->terminal) {
            login_tty(in[0]);
            start_child(argv, o, 0, 1, 2);
        }
        start_child(argv, o, in[0], out[1], err[1]);
    }
    close(in[0]);
    if (out[1] != in[0]) close(out[1]);
    if (err[1] != in[0]) close(err[1]);
    if (o->close_output) {
        close(out[0]);
        out[0] = -1;
    }
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    stream streams[2] = { { .fd = out[0] }, { .fd = err[0] } };
    const char *input = o->input ? o->input : "";
    size_t left = o->input_bytes ? o->input_bytes : strlen(input);
    bool interrupted = false;
    double start = now();
    if (in[1] >= 0) fcntl(in[1], F_SETFL, O_NONBLOCK);
    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        bool writes = in[1] >= 0 && (left || !o->keep_input) && !(o->terminal && !left);
        struct pollfd polls[3] = { { streams[0].fd, POLLIN, 0 },
                                   { streams[1].fd, POLLIN, 0 },
                                   { writes ? in[1] : -1, POLLOUT, 0 } };
        poll(polls, 3, 1000);
        for (int i = 0; i < 2; i++)
            if (streams[i].fd >= 0 && polls[i].revents) pump(&streams[i]);
        if (streams[0].fd < 0 && o->terminal) in[1] = -1; /* one descriptor for both */
        if (in[1] >= 0 && polls[2].revents) {
            ssize_t put = left ? write(in[1], input, left) : 0;
            if (put > 0) {
                input += put;
                left -= (size_t)put;
            } else if (put < 0 && errno != EAGAIN) {
                left = 0;
            }
            if (!left && !o->keep_input && !o->terminal) {
                close(in[1]);
                in[1] = -1;
            }
        }
        const char *seen = streams[0].text ? streams[0].text : "";
        if (o->keep_input && in[1] >= 0 && o->input_until && strstr(seen, o->input_until)) {
            close(in[1]);
            in[1] = -1;
        }
        if (o->interrupt_at && !interrupted && streams[0].n && strstr(seen, o->interrupt_at)) {
            kill(pid, o->terminate ? SIGTERM : SIGINT);
            interrupted = true;
        }
        if (now() - start > 120) {
            kill(pid, SIGKILL);
            break;
        }
    }
    if (in[1] >= 0 && !o->terminal) close(in[1]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    signal(SIGPIPE, old);
    for (int i = 0; i < 2; i++) {
        if (streams[i].fd >= 0) close(streams[i].fd);
        if (!streams[i].text && !(streams[i].text = calloc(1, 1))) die("calloc");
    }
    return (process_result) {
        .status = WIFEXITED(status)     ? WEXITSTATUS(status)
                  : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                        : -1,
        .out = streams[0].text,
        .out_bytes = streams[0].n,
        .err = streams[1].text,
        .err_bytes = streams[1].n,
    };
}

void process_result_clear(process_result *result)
{
    free(result->out);
    free(result->err);
    *result = (process_result) { 0 };
}
