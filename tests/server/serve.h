/* serve.h - what the tests of the server share. */
#ifndef TRINE_TESTS_SERVE_H
#define TRINE_TESTS_SERVE_H

#include "command/run_trine.h"
#include "support/http_client.h"

#include <signal.h>

/* trine serve of the fixtures' models, with the arguments that follow. */
#define start_server(...)                                                                                                          \
    http_start((const char *const[]) { TRINE_COMMAND, "serve", "--port", "0", "-t", "2", "-m", "chat=" LLAMA, "-m", T5, "-m", MLM, \
                                       "-m", LABELS, "-m", TAGS, __VA_ARGS__, NULL })

/* POSTs JSON; fails unless the status is the expected one; the answer as JSON. */
static inline json_t *post(const http_server *s, const char *path, const char *body, int status)
{
    http_reply r = http_ask(s, "POST", path, NULL, body);
    json_error_t err;
    if (r.status != status)
        fail_msg("%s %.300s: status %d, expected %d: %.600s", path, body, r.status, status, r.body ? r.body : "");
    json_t *doc = json_loads(r.body, JSON_REJECT_DUPLICATES, &err);
    if (!doc) fail_msg("%s: not JSON: %s: %.600s", path, err.text, r.body);
    http_reply_clear(&r);
    return doc;
}

static inline json_t *fetch(const http_server *s, const char *path)
{
    http_reply r = http_ask(s, "GET", path, NULL, NULL);
    assert_int_equal(r.status, 200);
    json_t *doc = json_loads(r.body, JSON_REJECT_DUPLICATES, NULL);
    if (!doc) fail_msg("%s: not JSON: %.600s", path, r.body);
    http_reply_clear(&r);
    return doc;
}

/* A request that must be refused so, with this parameter ("" for none) and these words. */
static inline void refused(const http_server *s, const char *path, const char *body, int status, const char *param,
                           const char *says)
{
    json_t *doc = post(s, path, body, status);
    const json_t *error = json_object_get(doc, "error"), *named = json_object_get(error, "param");
    if (*param)
        assert_string_equal(json_string_value(named), param);
    else
        assert_true(json_is_null(named));
    assert_contains(text_of(error, "message"), says);
    assert_string_equal(text_of(error, "type"), status == 404   ? "not_found_error"
                                                : status == 429 ? "rate_limit_error"
                                                : status >= 500 ? "server_error"
                                                                : "invalid_request_error");
    json_decref(doc);
}

static inline const json_t *first_of(const json_t *doc, const char *key) { return json_array_get(json_object_get(doc, key), 0); }

/* Waits until /health says that so many jobs are in work and waiting. */
static inline void wait_load(const http_server *s, int running, int queued)
{
    for (int i = 0; i < 1500; i++) {
        json_t *health = fetch(s, "/health");
        const bool so = number_of(health, "running") == running && number_of(health, "queued") == queued;
        json_decref(health);
        if (so) return;
        usleep(10000);
    }
    fail_msg("the load did not become %d running and %d queued", running, queued);
}

/* A stream's events: every one is JSON (so whole characters), the texts are joined. */
typedef struct events {
    char *text, *finish; /* owned */
    int n;
    bool done;       /* [DONE] came last */
    json_t *usage;   /* of the last chunk that has one, or NULL */
    char error[300]; /* of an error event */
} events;

static inline events read_events(const http_reply *r)
{
    events e = { .text = strdup("") };
    for (const char *line = r->body; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const size_t n = strcspn(line, "\n");
        if (n < 6 || strncmp(line, "data: ", 6) != 0) continue;
        e.done = strncmp(line + 6, "[DONE]", 6) == 0;
        if (e.done) continue;
        json_error_t err;
        json_t *doc = json_loadb(line + 6, n - 6, 0, &err);
        if (!doc) fail_msg("an event is not JSON: %s: %.*s", err.text, (int)n, line);
        const json_t *choice = first_of(doc, "choices"), *text = json_object_get(choice, "text");
        if (!text) text = json_object_get(json_object_get(choice, "delta"), "content");
        if (text) {
            char *more = malloc(strlen(e.text) + json_string_length(text) + 1);
            strcpy(more, e.text);
            strcat(more, json_string_value(text));
            free(e.text);
            e.text = more;
        }
        const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
        if (finish) {
            free(e.finish);
            e.finish = strdup(finish);
        }
        if (json_is_object(json_object_get(doc, "usage"))) e.usage = json_incref(json_object_get(doc, "usage"));
        const char *message = json_string_value(json_object_get(json_object_get(doc, "error"), "message"));
        if (message) snprintf(e.error, sizeof e.error, "%s", message);
        json_decref(doc);
        e.n++;
    }
    return e;
}

static inline void events_clear(events *e)
{
    free(e->text);
    free(e->finish);
    json_decref(e->usage);
    *e = (events) { 0 };
}

#endif
