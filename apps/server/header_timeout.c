/* header_timeout.c - see header_timeout.h. A socket is shut under the lock under which it is forgotten before it is closed, so its number
 * is never another's. */
#include "header_timeout.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "engine.h"

struct waiting_connection {
    waiting_connection *before, *after;
    int fd;
    bool has_request;
    double since; /* it waits */
};

struct header_timeout {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t watcher;
    waiting_connection *first;
    int seconds;
    bool ending;
};

static void *watch(void *memory)
{
    header_timeout *t = memory;
    pthread_mutex_lock(&t->lock);
    while (!t->ending) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&t->wake, &t->lock, &until);
        const double now = engine_clock();
        for (waiting_connection *c = t->first; c; c = c->after)
            if (!c->has_request && now - c->since > t->seconds) shutdown(c->fd, SHUT_RDWR); /* its own thread then closes it */
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

trine_status header_timeout_open(header_timeout **out, int seconds, trine_error *err)
{
    header_timeout *t = *out = calloc(1, sizeof *t);
    if (t) {
        t->seconds = seconds;
        pthread_mutex_init(&t->lock, NULL);
        pthread_cond_init(&t->wake, NULL);
        if (!pthread_create(&t->watcher, NULL, watch, t)) return TRINE_OK;
        pthread_cond_destroy(&t->wake);
        pthread_mutex_destroy(&t->lock);
        free(t);
        *out = NULL;
    }
    return say(err, TRINE_ERROR_MEMORY, "no memory, or no thread, to watch connections");
}

void header_timeout_close(header_timeout *t)
{
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->ending = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->watcher, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

waiting_connection *header_timeout_add(header_timeout *t, int fd)
{
    waiting_connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->fd = fd;
    c->since = engine_clock();
    pthread_mutex_lock(&t->lock);
    c->after = t->first;
    if (t->first) t->first->before = c;
    t->first = c;
    pthread_mutex_unlock(&t->lock);
    return c;
}

void header_timeout_remove(header_timeout *t, waiting_connection *c)
{
    if (!c) return;
    pthread_mutex_lock(&t->lock);
    if (c->before)
        c->before->after = c->after;
    else
        t->first = c->after;
    if (c->after) c->after->before = c->before;
    pthread_mutex_unlock(&t->lock);
    free(c);
}

void header_timeout_set(header_timeout *t, waiting_connection *c, bool has_request)
{
    if (!c) return;
    pthread_mutex_lock(&t->lock);
    c->has_request = has_request;
    c->since = engine_clock();
    pthread_mutex_unlock(&t->lock);
}
