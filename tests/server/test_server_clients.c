/* test_server_clients.c - many clients, slow ones, ones that leave, ones that send too much, and a server that is stopped. */
#include "serve.h"

#include <pthread.h>
#include <sys/socket.h>

enum { N_CLIENTS = 8 };

/* A text that is long enough to be in the middle of. What nobody reads fills what lies between, and then it is held back: every token
 * comes with twenty others, so that it is more than any buffer however many of them an event holds. */
static const char endless[] = "{\"model\":\"t5\",\"prompt\":\"hello\",\"max_tokens\":2000,\"ignore_eos\":true,\"stream\":true,"
                              "\"seed\":1,\"temperature\":1,\"logprobs\":20}";
static const char unread[] =
    "{\"model\":\"t5\",\"prompt\":\"hello\",\"max_tokens\":2000,\"ignore_eos\":true,\"temperature\":1,\"seed\":1}";
static const char quick[] = "{\"model\":\"t5\",\"prompt\":\"hello\",\"max_tokens\":3,\"ignore_eos\":true}";

typedef struct client {
    pthread_t thread;
    const http_server *server;
    char body[300];
    char *alone, *together;
} client;

static char *text_for(const http_server *s, const char *body)
{
    http_reply r = http_ask(s, "POST", "/v1/completions", NULL, body);
    char *text = NULL;
    if (r.status == 200 && strstr(body, "\"stream\":true")) {
        events e = read_events(&r);
        text = strdup(e.done ? e.text : "(not done)");
        events_clear(&e);
    } else if (r.status == 200) {
        json_t *doc = json_loads(r.body, 0, NULL);
        text = strdup(text_of(first_of(doc, "choices"), "text"));
        json_decref(doc);
    }
    http_reply_clear(&r);
    return text;
}

static void *run_client(void *user)
{
    client *c = user;
    c->together = text_for(c->server, c->body);
    return NULL;
}

/* Eight at once, of two models, whole and streamed, beside texts that are only read: each gets what it gets alone. */
static void together_as_alone(void **state)
{
    (void)state;
    static const char *const prompts[] = { "hello", "a cat", "the old dog", "hello hello" };
    http_server s = start_server("-q", "--parallel", "4");
    client clients[N_CLIENTS];
    for (int i = 0; i < N_CLIENTS; i++) {
        client *c = &clients[i];
        c->server = &s;
        snprintf(c->body, sizeof c->body,
                 "{\"model\":\"%s\",\"prompt\":\"%s\",\"max_tokens\":%d,\"temperature\":0,\"ignore_eos\":true%s}",
                 i % 2 ? "t5" : "chat", prompts[i / 2], 10 + i, i % 3 ? ",\"stream\":true" : "");
        c->alone = text_for(&s, c->body);
        assert_non_null(c->alone);
    }
    for (int i = 0; i < N_CLIENTS; i++) assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    for (int i = 0; i < 5; i++)
        json_decref(post(&s, "/v1/embeddings", "{\"model\":\"bert-mlm\",\"input\":[\"a\",\"a cat\"]}", 200));
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_non_null(clients[i].together);
        assert_string_equal(clients[i].together, clients[i].alone);
        free(clients[i].alone);
        free(clients[i].together);
    }
    wait_load(&s, 0, 0);
    assert_int_equal(http_stop(&s, SIGINT), 0);
}

/* A reader who takes nothing holds up himself alone; when he reads on he gets the whole. One who leaves frees his place. */
static void slow_readers_and_leavers(void **state)
{
    (void)state;
    char byte;
    http_server s = start_server("-q", "--parallel", "1", "--queue", "1");
    char *whole = text_for(&s, unread);
    assert_non_null(whole);
    int slow = http_begin(&s, "/v1/completions", endless, 4096);
    wait_load(&s, 1, 0);
    json_decref(post(&s, "/v1/embeddings", "{\"model\":\"bert-mlm\",\"input\":\"a\"}", 200)); /* others are served */
    usleep(300000);
    wait_load(&s, 1, 0);
    http_reply r = http_finish(slow);
    events e = read_events(&r);
    assert_true(e.done);
    assert_string_equal(e.text, whole);
    assert_string_equal(e.finish, "length");
    events_clear(&e);
    http_reply_clear(&r);
    free(whole);

    slow = http_begin(&s, "/v1/completions", endless, 4096);
    assert_int_equal(read(slow, &byte, 1), 1);
    wait_load(&s, 1, 0);
    /* the place is taken; one may wait, the next may not */
    const int waiting = http_begin(&s, "/v1/completions", quick, 0);
    wait_load(&s, 1, 1);
    r = http_ask(&s, "POST", "/v1/completions", NULL, quick);
    assert_int_equal(r.status, 429);
    assert_contains(r.head, "Retry-After: 1");
    assert_contains(r.body, "queue_full");
    http_reply_clear(&r);
    close(slow);
    r = http_finish(waiting);
    assert_int_equal(r.status, 200);
    http_reply_clear(&r);
    wait_load(&s, 0, 0);

    /* one who waits for a whole answer and leaves is noticed too, in his place or before it */
    slow = http_begin(&s, "/v1/completions", endless, 4096);
    wait_load(&s, 1, 0);
    const int leaver = http_begin(&s, "/v1/completions", quick, 0);
    wait_load(&s, 1, 1);
    close(leaver);
    wait_load(&s, 1, 0);
    close(slow);
    wait_load(&s, 0, 0);
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

/* A search by beams takes long; texts of others are written and read between its steps, and it ends when nobody waits for it. */
static void beams_give_way(void **state)
{
    (void)state;
    http_server s = start_server("-q");
    static const char long_search[] = "{\"model\":\"t5\",\"inputs\":\"hello\",\"parameters\":{\"num_beams\":16,"
                                      "\"max_new_tokens\":4000,\"ignore_eos\":true}}";
    const int searching = http_begin(&s, "/tasks/text2text-generation", long_search, 0);
    wait_load(&s, 1, 0);
    json_decref(post(&s, "/v1/completions", quick, 200));
    json_decref(post(&s, "/v1/embeddings", "{\"model\":\"bert-mlm\",\"input\":\"a\"}", 200));
    wait_load(&s, 1, 0); /* it is still at it */
    close(searching);
    wait_load(&s, 0, 0);
    /* A text that was taken in between its steps goes on when the search is over. */
    const int ending = http_begin(&s, "/tasks/text2text-generation",
                                  "{\"model\":\"t5\",\"inputs\":\"hello\",\"parameters\":{\"num_beams\":16,"
                                  "\"max_new_tokens\":200,\"ignore_eos\":true}}",
                                  0);
    wait_load(&s, 1, 0);
    json_decref(post(&s, "/v1/completions", unread, 200));
    http_reply ended = http_finish(ending);
    assert_int_equal(ended.status, 200);
    http_reply_clear(&ended);
    wait_load(&s, 0, 0);
    const int stopped = http_begin(&s, "/tasks/text2text-generation", long_search, 0);
    wait_load(&s, 1, 0);
    assert_int_equal(http_stop(&s, SIGTERM), 0);
    http_reply r = http_finish(stopped);
    assert_int_equal(r.status, 503);
    assert_contains(r.body, "stopping");
    http_reply_clear(&r);
}

static void time_is_limited(void **state)
{
    (void)state;
    http_server s = start_server("-q", "--time-limit", "1", "--idle-time", "1");
    int slow = http_begin(&s, "/v1/completions", endless, 4096);
    wait_load(&s, 1, 0);
    wait_load(&s, 0, 0); /* nothing moves: closed */
    close(slow);
    /* a head that drips: bytes move, and yet it is not waited for */
    const int dripping = http_connect(&s, 0);
    int sent = 0;
    while (sent < 600 && send(dripping, sent ? "x" : "GET /", sent ? 1 : 5, MSG_NOSIGNAL) > 0) {
        usleep(100000);
        sent++;
    }
    assert_true(sent < 600);
    close(dripping);
    const int silent = http_connect(&s, 0); /* one who asks nothing is not waited for */
    http_reply r = http_finish(silent);
    assert_int_equal(r.status, 0);
    http_reply_clear(&r);
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

/* Until connections of before are counted as closed. */
static void wait_alone(const http_server *s)
{
    for (int i = 0; i < 1500; i++) {
        http_reply r = http_ask(s, "GET", "/health", NULL, NULL);
        const bool alone = r.status == 200 && strstr(r.body, "\"connections\":1,");
        http_reply_clear(&r);
        if (alone) return;
        usleep(10000);
    }
    fail_msg("connections that were closed are still counted");
}

static void too_much_is_refused(void **state)
{
    (void)state;
    http_server s = start_server("-q", "--max-body", "2000", "--connections", "2");
    char body[70000];
    for (size_t n = 4000; n < sizeof body; n += 60000) { /* read away, and not even that */
        memset(body, ' ', n);
        body[n] = 0;
        http_reply r = http_ask(&s, "POST", "/v1/completions", NULL, body);
        assert_int_equal(r.status, 413);
        assert_contains(r.body, "body_too_large");
        http_reply_clear(&r);
        wait_alone(&s);
    }
    static const char chunked[] =
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    int fd = http_connect(&s, 0);
    http_send(fd, chunked, sizeof chunked - 1);
    for (int i = 0; i < 4; i++) {
        http_send(fd, "3e8\r\n", 5);
        http_send(fd, body, 1000);
        http_send(fd, "\r\n", 2);
    }
    http_send(fd, "0\r\n\r\n", 5);
    http_reply r = http_finish(fd);
    assert_int_equal(r.status, 413);
    http_reply_clear(&r);

    wait_alone(&s);
    const int first = http_connect(&s, 0), second = http_connect(&s, 0);
    usleep(100000);
    r = http_ask(&s, "GET", "/health", NULL, NULL);
    assert_int_equal(r.status, 503);
    assert_contains(r.head, "Retry-After");
    assert_contains(r.body, "too_many_connections");
    http_reply_clear(&r);
    close(first);
    close(second);
    wait_alone(&s);

    fd = http_connect(&s, 0); /* what is no HTTP */
    http_send(fd, "hello\r\n\r\n", 9);
    r = http_finish(fd);
    assert_true(r.status == 0 || r.status == 400);
    http_reply_clear(&r);
    json_decref(fetch(&s, "/health"));
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

static void only_whom_it_concerns(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *headers, *body;
        int status;
        const char *head, *says;
    } asked[] = {
        { "GET", "/", NULL, NULL, 200, "text/plain", "/v1/models" },
        { "HEAD", "/", NULL, NULL, 200, "ETag", "" },
        { "GET", "/", "If-None-Match: \"serve-1\"\r\n", NULL, 304, "ETag", "" },
        { "GET", "/etc/passwd", NULL, NULL, 404, "", "route_not_found" },
        { "GET", "/../etc/passwd", NULL, NULL, 404, "", "route_not_found" },
        { "GET", "/v1/models/..%2F..%2Fetc%2Fpasswd", NULL, NULL, 404, "", "model_not_found" },
        { "GET", "/v1/completions", NULL, NULL, 405, "Allow: POST\r\n", "method_not_allowed" },
        { "DELETE", "/v1/models", NULL, NULL, 405, "Allow", "method_not_allowed" },
        { "GET", "/health", "Host: evil.example\r\n", NULL, 403, "", "host_refused" },
        { "GET", "/health", "Host: 127.evil.example\r\nOrigin: http://127.evil.example\r\n", NULL, 403, "", "host_refused" },
        { "GET", "/health", "Host: 127.0.0.1.evil.example:80\r\n", NULL, 403, "", "host_refused" },
        { "GET", "/health", "Host: 127.1.2.3\r\n", NULL, 200, "", "ok" },
        { "GET", "/health", "Host: 127.0.0.1:80\r\n", NULL, 200, "", "ok" },
        { "GET", "/health", "Host: [::1]:80\r\n", NULL, 200, "", "ok" },
        { "GET", "/health", "Origin: http://localhost\r\n", NULL, 200, "", "ok" },
        { "GET", "/health", "Origin: http://evil.example\r\n", NULL, 403, "", "origin_refused" },
        { "OPTIONS", "/v1/completions", "Origin: http://evil.example\r\n", NULL, 403, "", "origin_refused" },
        { "OPTIONS", "/v1/completions", "Origin: http://page.example\r\n", NULL, 204, "Access-Control-Allow-Headers", "" },
        { "OPTIONS", "/v1/completions",
          "Origin: http://page.example\r\nAccess-Control-Request-Headers: content-type,x-stainless-os\r\n", NULL, 204,
          "Access-Control-Allow-Headers: content-type,x-stainless-os", "" },
        { "GET", "/health", "Origin: http://page.example\r\n", NULL, 200, "Access-Control-Allow-Origin: http://page.example",
          "ok" },
    };
    http_server s = start_server("-q", "--cors", "http://page.example");
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        http_reply r = http_ask(&s, asked[i].method, asked[i].path, asked[i].headers, asked[i].body);
        if (r.status != asked[i].status) fail_msg("%s %s: %d: %s", asked[i].method, asked[i].path, r.status, r.body);
        assert_contains(r.head, asked[i].head);
        assert_contains(r.body, asked[i].says);
        if (asked[i].status == 403) assert_lacks(r.head, "Access-Control");
        http_reply_clear(&r);
    }
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

/* A stream ends with an error event, who waits is told, and the status is 0. */
static void stopped_in_the_middle(void **state)
{
    (void)state;
    http_server s = start_server("-q", "--parallel", "1");
    const int stream = http_begin(&s, "/v1/completions", endless, 4096);
    wait_load(&s, 1, 0);
    const int waiting = http_begin(&s, "/v1/completions", quick, 0);
    wait_load(&s, 1, 1);
    kill(s.pid, SIGTERM);
    usleep(50000);
    http_reply r = http_finish(waiting), streamed = http_finish(stream);
    assert_int_equal(r.status, 503);
    assert_contains(r.body, "stopping");
    events e = read_events(&streamed);
    assert_false(e.done);
    assert_contains(e.error, "stopping");
    events_clear(&e);
    http_reply_clear(&r);
    http_reply_clear(&streamed);
    assert_int_equal(http_stop(&s, 0), 0);
}

static void wrong_use(void **state)
{
    (void)state;
    char port[8];
    const process_options without = { .environment = { "TRINE_MODELS=/nowhere/at/all" } };
    assert_error(run_trine(&without, "serve"), 2, "no model");
    assert_error(run_trine(NULL, "serve", "-q", "-m", T5, "-m", T5), 2, "two models");
    assert_error(run_trine(NULL, "serve", "-q", "-m", "/nowhere/at/all"), 3, "/nowhere/at/all");
    assert_error(run_trine(NULL, "serve", "-q", "--host", "203.0.113.7", "-m", T5), 1, "cannot listen");
    http_server s = start_server("-q");
    snprintf(port, sizeof port, "%d", s.port);
    assert_error(run_trine(NULL, "serve", "-q", "--port", port, "-m", T5), 1, "cannot listen");
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_as_alone),     cmocka_unit_test(slow_readers_and_leavers),
        cmocka_unit_test(time_is_limited),       cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(only_whom_it_concerns), cmocka_unit_test(stopped_in_the_middle),
        cmocka_unit_test(beams_give_way),        cmocka_unit_test(wrong_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
