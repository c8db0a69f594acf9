/* http_client.h - `trine serve` as a child process, and requests to it: for tests of the server. Everything has a time limit, and a
 * failure of the machinery fails the test. */
#ifndef TRINE_TESTS_HTTP_CLIENT_H
#define TRINE_TESTS_HTTP_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

typedef struct http_server {
    pid_t pid;
    int port;
} http_server;

/* Starts argv (program first, NULL last), which prints its address as its first line. */
http_server http_start(const char *const *argv);
/* Sends the signal and returns the exit status, 128 + the signal when one killed it. */
int http_stop(http_server *s, int signal_number);

typedef struct http_reply {
    int status; /* 0: none came */
    char *head, *body;
    size_t n_body;
} http_reply;

/* One request on a connection of its own; `headers` are lines that end with \r\n, or NULL. */
http_reply http_ask(const http_server *s, const char *method, const char *path, const char *headers, const char *body);
void http_reply_clear(http_reply *reply);

/* The parts of it, for requests that are odd. */
int http_connect(const http_server *s, int receive_bytes); /* 0: as the system likes */
void http_send(int fd, const char *bytes, size_t n);
/* POST with this body, unread. */
int http_begin(const http_server *s, const char *path, const char *body, int receive_bytes);
/* All that comes until the other side closes. */
http_reply http_finish(int fd);

#endif
