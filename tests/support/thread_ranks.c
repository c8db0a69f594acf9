/* thread_ranks.c - see thread_ranks.h. Every function is a meeting: all ranks leave what they have, one sums in their order, all go on.
 * A sum that was begun is done when it is waited for, so what is touched in between is found out. */
#include "support/thread_ranks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8, MOST_SUMS = 4096 };

typedef struct begun {
    float *x;
    size_t n;
    int to;
    float *copy; /* as it was when the sum began: nobody may touch it afterwards */
} begun;

typedef struct shared {
    int size;
    pthread_barrier_t barrier;
    void *left[MOST]; /* what each rank left */
} shared;

typedef struct rank_self {
    shared *all;
    int rank, n_begun, n_sums;
    begun sums[MOST_SUMS];
    trine_ranks ranks;
    thread_rank_fn *each;
    void *user;
    pthread_mutex_t lock; /* of the mail to rank 0 */
    pthread_cond_t came;
    void *mail;
    size_t mail_bytes;
} rank_self;

static rank_self *peer(const rank_self *s, int rank) { return s->all->left[rank]; }

static void meet(rank_self *s) { pthread_barrier_wait(&s->all->barrier); }

static trine_status sum_begin(void *self, float *x, size_t n, int to, trine_error *err)
{
    (void)err;
    rank_self *s = self;
    if (s->n_sums == MOST_SUMS) return TRINE_ERROR_INTERNAL;
    s->sums[s->n_sums] = (begun) { x, n, to, malloc(n * sizeof *x) };
    memcpy(s->sums[s->n_sums++].copy, x, n * sizeof *x);
    s->n_begun++;
    return TRINE_OK;
}

static trine_status wait_all(void *self, trine_error *err)
{
    (void)err;
    rank_self *s = self;
    trine_status status = TRINE_OK;
    for (int i = 0; i < s->n_sums; i++)
        if (memcmp(s->sums[i].x, s->sums[i].copy, s->sums[i].n * sizeof(float)) != 0) status = TRINE_ERROR_INTERNAL;
    meet(s);
    for (int i = 0; i < s->n_sums; i++) {
        const begun *b = &s->sums[i];
        for (int k = 0; k < s->all->size; k++) {
            const begun *other = &peer(s, k)->sums[i];
            if (peer(s, k)->n_sums != s->n_sums || other->n != b->n || other->to != b->to) status = TRINE_ERROR_INTERNAL;
            if (status || (b->to >= 0 && b->to != s->rank)) continue;
            for (size_t j = 0; j < b->n; j++) b->x[j] = k ? b->x[j] + other->copy[j] : other->copy[j];
        }
    }
    meet(s);
    for (int i = 0; i < s->n_sums; i++) free(s->sums[i].copy);
    s->n_sums = 0;
    meet(s);
    return status;
}

/* All ranks see what each has left as `mail`. */
static void show(rank_self *s, void *bytes)
{
    s->mail = bytes;
    meet(s);
}

static trine_status sum(void *self, double *x, int n, trine_error *err)
{
    (void)err;
    rank_self *s = self;
    double *all = calloc((size_t)n + 1, sizeof *all);
    show(s, x);
    for (int k = 0; k < s->all->size; k++)
        for (int i = 0; i < n; i++) all[i] += ((double *)peer(s, k)->mail)[i];
    meet(s);
    if (n) memcpy(x, all, (size_t)n * sizeof *x);
    free(all);
    s->mail = NULL;
    meet(s);
    return TRINE_OK;
}

static trine_status gather(void *self, float *x, const size_t *ends, trine_error *err)
{
    (void)err;
    rank_self *s = self;
    show(s, x);
    for (int k = 0; k < s->all->size; k++) {
        const size_t first = k ? ends[k - 1] : 0;
        if (k != s->rank) memcpy(x + first, (float *)peer(s, k)->mail + first, (ends[k] - first) * sizeof *x);
    }
    meet(s);
    s->mail = NULL;
    meet(s);
    return TRINE_OK;
}

static trine_status broadcast(void *self, void *bytes, size_t n, int from, trine_error *err)
{
    (void)err;
    rank_self *s = self;
    show(s, bytes);
    if (from != s->rank) memcpy(bytes, peer(s, from)->mail, n);
    meet(s);
    s->mail = NULL;
    meet(s);
    return TRINE_OK;
}

static trine_status send_bytes(void *self, const void *bytes, size_t n, trine_error *err)
{
    (void)err;
    rank_self *s = self;
    pthread_mutex_lock(&s->lock);
    s->mail = (void *)(uintptr_t)bytes;
    s->mail_bytes = n;
    pthread_cond_broadcast(&s->came);
    while (s->mail) pthread_cond_wait(&s->came, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return TRINE_OK;
}

static trine_status receive_bytes(void *self, void *bytes, size_t n, int from, trine_error *err)
{
    (void)err;
    rank_self *s = peer(self, from);
    pthread_mutex_lock(&s->lock);
    while (!s->mail) pthread_cond_wait(&s->came, &s->lock);
    const bool same = s->mail_bytes == n;
    if (same) memcpy(bytes, s->mail, n);
    s->mail = NULL;
    pthread_cond_broadcast(&s->came);
    pthread_mutex_unlock(&s->lock);
    return same ? TRINE_OK : TRINE_ERROR_INTERNAL;
}

static void abort_all(void *self, int code)
{
    (void)self;
    exit(code);
}

static void close_ranks(trine_ranks *ranks) { (void)ranks; }

static void *run_rank(void *user)
{
    rank_self *s = user;
    meet(s);
    s->each(&s->ranks, s->user);
    return NULL;
}

void thread_ranks_run(int n, thread_rank_fn *each, void *user)
{
    shared all = { .size = n };
    pthread_t threads[MOST];
    rank_self *selves = calloc((size_t)n, sizeof *selves);
    pthread_barrier_init(&all.barrier, NULL, (unsigned)n);
    for (int i = 0; i < n; i++) {
        rank_self *s = all.left[i] = &selves[i];
        *s = (rank_self) { .all = &all,
                           .rank = i,
                           .each = each,
                           .user = user,
                           .ranks = { .rank = i,
                                      .size = n,
                                      .self = s,
                                      .sum_begin = sum_begin,
                                      .wait = wait_all,
                                      .sum = sum,
                                      .gather = gather,
                                      .broadcast = broadcast,
                                      .send = send_bytes,
                                      .receive = receive_bytes,
                                      .abort = abort_all,
                                      .close = close_ranks } };
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->came, NULL);
    }
    for (int i = 1; i < n; i++)
        if (pthread_create(&threads[i], NULL, run_rank, &selves[i])) exit(1);
    run_rank(&selves[0]);
    for (int i = 1; i < n; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&all.barrier);
    for (int i = 0; i < n; i++) {
        pthread_mutex_destroy(&selves[i].lock);
        pthread_cond_destroy(&selves[i].came);
    }
    free(selves);
}

int thread_ranks_begun(const trine_ranks *ranks) { return ((const rank_self *)ranks->self)->n_begun; }
