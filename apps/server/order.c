/* order.c - what a connection's thread does with its work: put it into the queue, wait, take what is written, let go. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "engine.h"

double engine_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool order_open(order *o, engine *e, int n_jobs)
{
    *o = (order) { .engine = e, .jobs = calloc((size_t)n_jobs, sizeof *o->jobs), .deadline = engine_clock() + e->limit_s };
    if (!o->jobs) return false;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &clock);
    pthread_condattr_destroy(&clock);
    o->n = n_jobs;
    for (int i = 0; i < n_jobs; i++) o->jobs[i].order = o;
    return true;
}

static lane lane_of(job_kind kind) { return kind <= JOB_SUMMARIZE ? LANE_WRITE : kind == JOB_CALL ? LANE_CALL : LANE_READ; }

static void line_up(job *j)
{
    served *s = j->on;
    const lane l = lane_of(j->kind);
    if (s->lines[l].first)
        s->lines[l].last->next = j;
    else
        s->lines[l].first = j;
    s->lines[l].last = j;
}

order_put_result order_put(order *o)
{
    engine *e = o->engine;
    order_put_result result = ORDER_PUT;
    pthread_mutex_lock(&e->lock);
    if (atomic_load(&e->stopping))
        result = ORDER_STOPPING;
    else if (e->n_waiting && e->n_waiting + o->n > e->queue)
        result = ORDER_FULL;
    for (int i = 0; i < o->n && result == ORDER_PUT; i++) line_up(&o->jobs[i]);
    if (result == ORDER_PUT) {
        e->n_waiting += o->n;
        o->put = true;
        pthread_cond_signal(&e->work);
    }
    pthread_mutex_unlock(&e->lock);
    return result;
}

/* With the lock. */
static void cancel(order *o)
{
    for (int i = 0; i < o->n; i++) atomic_store(&o->jobs[i].cancelled, true);
    o->engine->woken = true;
    pthread_cond_signal(&o->engine->work);
}

static bool has_news(const order *o)
{
    for (int i = 0; i < o->n; i++)
        if (o->jobs[i].n_news || o->jobs[i].held || (o->jobs[i].wants_tokens && o->jobs[i].n_tokens)) return true;
    return o->n_over > o->n_told;
}

/* Sleeps until something changes or `until`, looking now and then whether somebody still waits. With the lock. */
static order_news sleep_on(order *o, double until, order_gone_fn *gone, void *user)
{
    enum { LOOK_MS = 100 };
    engine *e = o->engine;
    const double look = engine_clock() + LOOK_MS / 1000.0, wake = look < until ? look : until;
    const struct timespec t = { .tv_sec = (time_t)wake, .tv_nsec = (long)((wake - (double)(time_t)wake) * 1e9) };
    const bool changed = pthread_cond_timedwait(&o->changed, &e->lock, &t) != ETIMEDOUT;
    if (engine_clock() >= o->deadline) {
        cancel(o);
        return ORDER_LATE;
    }
    if (changed) return ORDER_NEWS;
    pthread_mutex_unlock(&e->lock);
    const bool left = gone && gone(user);
    pthread_mutex_lock(&e->lock);
    if (!left) return ORDER_QUIET;
    cancel(o);
    return ORDER_GONE;
}

order_news order_wait(order *o, order_gone_fn *gone, void *user)
{
    order_news news = ORDER_NEWS;
    pthread_mutex_lock(&o->engine->lock);
    while (o->n_over < o->n && news != ORDER_LATE && news != ORDER_GONE) news = sleep_on(o, o->deadline, gone, user);
    pthread_mutex_unlock(&o->engine->lock);
    return news == ORDER_LATE || news == ORDER_GONE ? news : ORDER_NEWS;
}

order_news order_wait_news(order *o, double quiet_s, order_gone_fn *gone, void *user)
{
    const double until = engine_clock() + quiet_s;
    order_news news = ORDER_NEWS;
    pthread_mutex_lock(&o->engine->lock);
    while (!has_news(o) && news != ORDER_LATE && news != ORDER_GONE) {
        news = sleep_on(o, until, gone, user);
        if (news == ORDER_QUIET && engine_clock() >= until) break;
    }
    if (news != ORDER_LATE && news != ORDER_GONE && has_news(o)) news = ORDER_NEWS;
    o->n_told = o->n_over;
    pthread_mutex_unlock(&o->engine->lock);
    return news;
}

void job_take_news(job_news *out, job *j)
{
    engine *e = j->order->engine;
    pthread_mutex_lock(&e->lock);
    *out = (job_news) { j->news, j->n_news, j->tokens, j->tops, j->n_tokens, j->over };
    j->news = NULL;
    j->tokens = NULL;
    j->tops = NULL;
    j->n_news = j->news_cap = 0;
    j->n_tokens = j->tokens_cap = j->tops_cap = 0;
    if (j->held) {
        j->held = false;
        e->woken = true;
        pthread_cond_signal(&e->work);
    }
    pthread_mutex_unlock(&e->lock);
}

void job_news_clear(job_news *news)
{
    free(news->text);
    free(news->tokens);
    free(news->tops);
    *news = (job_news) { 0 };
}

static void clear_results(job *j)
{
    for (int i = 0; i < j->n; i++) {
        if (j->kind == JOB_FILL && j->results.fills) trine_fill_result_clear(&j->results.fills[i]);
        if (j->kind == JOB_CLASSIFY && j->results.labels) trine_labels_clear(&j->results.labels[i]);
        if (j->kind == JOB_TAG && j->results.entities) trine_entities_clear(&j->results.entities[i]);
    }
    free(j->results.any);
}

void order_close(order *o)
{
    if (!o->jobs) return;
    engine *e = o->engine;
    pthread_mutex_lock(&e->lock);
    if (o->put && o->n_over < o->n) cancel(o);
    while (o->put && o->n_over < o->n) pthread_cond_wait(&o->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
    for (int i = 0; i < o->n; i++) {
        job *j = &o->jobs[i];
        trine_generation_clear(&j->written);
        free(j->news);
        free(j->tokens);
        free(j->tops);
        clear_results(j);
    }
    pthread_cond_destroy(&o->changed);
    free(o->jobs);
    *o = (order) { 0 };
}
