/* http_client.c - see http_client.h: HTTP/1.1 with "Connection: close", so that the end of an answer is the end of the connection. */
#include "support/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 60000 };

http_server http_start(const char *const *argv)
{
    int out[2];
    char line[200];
    size_t n = 0;
    assert_int_equal(pipe(out), 0);
    const pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* A test that fails stops nothing: the server goes with the program, or it would hold the pipe that ctest reads. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(127);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(out[1]);
    struct pollfd p = { .fd = out[0], .events = POLLIN };
    while (n < sizeof line - 1 && (!n || line[n - 1] != '\n')) {
        if (poll(&p, 1, LIMIT_MS) != 1 || read(out[0], line + n, 1) != 1) break;
        n++;
    }
    line[n] = 0;
    close(out[0]);
    const char *colon = strrchr(line, ':');
    if (!colon || strncmp(line, "http://", 7) != 0) fail_msg("the server said '%s'", line);
    return (http_server) { pid, atoi(colon + 1) };
}

int http_stop(http_server *s, int signal_number)
{
    int status = 0;
    if (signal_number) kill(s->pid, signal_number);
    for (int waited = 0; waitpid(s->pid, &status, WNOHANG) == 0; waited += 10) {
        if (waited > LIMIT_MS) {
            kill(s->pid, SIGKILL);
            waitpid(s->pid, &status, 0);
            fail_msg("the server did not end");
        }
        poll(NULL, 0, 10);
    }
    s->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int http_connect(const http_server *s, int receive_bytes)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (receive_bytes) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail_msg("no connection: %s", strerror(errno));
    return fd;
}

void http_send(int fd, const char *bytes, size_t n)
{
    while (n) {
        const ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) return; /* the server has said enough; what it said is read next */
        bytes += sent;
        n -= (size_t)sent;
    }
}

static int ask(const http_server *s, const char *method, const char *path, const char *headers, const char *body, int receive_bytes)
{
    char head[2000];
    const int fd = http_connect(s, receive_bytes);
    const size_t n_body = body ? strlen(body) : 0;
    const int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\n%sConnection: close\r\n%s", method, path,
                           headers && strcasestr(headers, "host:") ? "" : "Host: localhost\r\n", headers ? headers : "");
    http_send(fd, head, (size_t)n);
    if (body) {
        const int m = snprintf(head, sizeof head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", n_body);
        http_send(fd, head, (size_t)m);
    }
    http_send(fd, "\r\n", 2);
    http_send(fd, body ? body : "", n_body);
    return fd;
}

int http_begin(const http_server *s, const char *path, const char *body, int receive_bytes)
{
    return ask(s, "POST", path, NULL, body, receive_bytes);
}

/* Chunks joined, in place; returns the length. */
static size_t join_chunks(char *body, size_t n)
{
    size_t from = 0, to = 0;
    while (from < n) {
        char *end;
        const size_t size = strtoul(body + from, &end, 16);
        from = (size_t)(end - body) + 2;
        if (!size || from + size > n) break;
        memmove(body + to, body + from, size);
        to += size;
        from += size + 2;
    }
    body[to] = 0;
    return to;
}

http_reply http_finish(int fd)
{
    http_reply r = { 0 };
    size_t n = 0, cap = 1 << 16;
    char *all = malloc(cap + 1);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    for (ssize_t got; all && poll(&p, 1, LIMIT_MS) == 1 && (got = recv(fd, all + n, cap - n, 0)) > 0;) {
        n += (size_t)got;
        if (n == cap) all = realloc(all, (cap *= 2) + 1);
    }
    close(fd);
    if (!all) fail_msg("no memory");
    all[n] = 0;
    char *body = strstr(all, "\r\n\r\n");
    if (!body) {
        free(all);
        return r;
    }
    body[2] = 0;
    body += 4;
    r.head = strdup(all);
    r.n_body = n - (size_t)(body - all);
    r.body = malloc(r.n_body + 1);
    memcpy(r.body, body, r.n_body + 1);
    free(all);
    sscanf(r.head, "HTTP/1.1 %d", &r.status);
    if (strcasestr(r.head, "transfer-encoding: chunked")) r.n_body = join_chunks(r.body, r.n_body);
    return r;
}

http_reply http_ask(const http_server *s, const char *method, const char *path, const char *headers, const char *body)
{
    return http_finish(ask(s, method, path, headers, body, 0));
}

void http_reply_clear(http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (http_reply) { 0 };
}
