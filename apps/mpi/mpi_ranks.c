/* mpi_ranks.c - trine_mpi.so: the communicator of trine/ranks.h over MPI. The only file that knows MPI; the command loads it when it
 * finds itself started by mpirun or srun.
 *
 * One thread makes every call of MPI. It sleeps while nothing is asked for, and moves what is under way while the others compute, so an
 * exchange goes on during the backward whoever looks. Sums go by direct exchange: each rank gets its slice of the bucket from
 * everybody, adds in the order of ranks, and sends the result to everybody, or to the one rank that wants it; so each rank sends what a
 * ring would, and the order of a sum depends on nothing.
 *
 * Every rank tells the next one that it lives. Who has not been heard of for TRINE_RANKS_TIMEOUT seconds (30) is lost: then what waits
 * fails, everywhere. */
#include <mpi.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trine/ranks.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#endif

enum { MOST_ACTIVE = 8, TAG_ALIVE = 1, TAG_LOST, TAG_MAIL, TAG_SUMS = 16, TAGS = 8192, UNIT = 16 };

typedef enum job_kind { JOB_SUM, JOB_NUMBERS, JOB_GATHER, JOB_BROADCAST, JOB_SEND, JOB_RECEIVE, JOB_ABORT, JOB_LEAVE } job_kind;

/* Something asked for. */
typedef struct job {
    job_kind kind;
    void *data;
    size_t n;
    int peer;           /* who gets (-1: all), gives, or the exit status */
    const size_t *ends; /* JOB_GATHER */
    struct job *next;
    /* While it is under way: */
    int phase;
    unsigned number;
    float *others; /* JOB_SUM: [size] slices, as each rank has this one's; then the first is their sum */
    double *numbers;
    int *counts; /* JOB_GATHER: counts, then places */
    MPI_Request *requests;
    int n_requests;
    bool owned; /* freed when done: nobody waits for this one alone */
    bool done;
} job;

typedef struct mpi_self {
    trine_ranks ranks;
    MPI_Comm comm, watch; /* of what is asked for; of signs of life */
    MPI_Datatype unit;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked, done;
    job *first, *last;        /* asked for, not begun */
    job *active[MOST_ACTIVE]; /* under way, in the order they began */
    int n_active, n_begun;    /* n_begun: sums that `wait` waits for */
    unsigned number;
    bool opened, failed, left;
    char why[400];
    double timeout, heard, told; /* seconds; of the last sign from the one before, and to the next */
    char sign_in, sign_out;
    int lost_in, lost_out;
    MPI_Request alive_in, alive_out, lost;
} mpi_self;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nap(long nanoseconds)
{
    const struct timespec t = { 0, nanoseconds };
    nanosleep(&t, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- failures */

static void set_failed(mpi_self *s, const char *why)
{
    pthread_mutex_lock(&s->lock);
    if (!s->failed) snprintf(s->why, sizeof s->why, "%s", why);
    s->failed = true;
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
}

static bool fine(mpi_self *s, int code, const char *what)
{
    if (code == MPI_SUCCESS) return true;
    char text[MPI_MAX_ERROR_STRING], why[400];
    int n;
    MPI_Error_string(code, text, &n);
    snprintf(why, sizeof why, "MPI could not %s: %.300s", what, text);
    set_failed(s, why);
    return false;
}

/* Tells everybody, so that nobody waits for a rank that is gone. */
static void set_lost(mpi_self *s, int rank)
{
    char why[400];
    snprintf(why, sizeof why,
             "rank %d is lost: nothing has been heard of it for %.0f seconds (its process ended, or its machine or the network is "
             "gone). "
             "The last checkpoint is whole: the same command with --resume goes on",
             rank, s->timeout);
    s->lost_out = rank;
    MPI_Request requests[64];
    int n = 0;
    for (int i = 0; i < s->ranks.size; i++) {
        if (i == s->ranks.rank || i == rank) continue;
        if (n < 64 && MPI_Isend(&s->lost_out, 1, MPI_INT, i, TAG_LOST, s->watch, &requests[n]) == MPI_SUCCESS) n++;
    }
    for (int tries = 0, all = 0; !all && tries < 500; tries++) {
        if (MPI_Testall(n, requests, &all, MPI_STATUSES_IGNORE) != MPI_SUCCESS) break;
        nap(1000000);
    }
    set_failed(s, why);
}

/* Signs of life, of this rank and of the one before. */
static void watch_over(mpi_self *s)
{
    const int size = s->ranks.size, next = (s->ranks.rank + 1) % size, before = (s->ranks.rank + size - 1) % size;
    const double t = now();
    int flag = 0;
    if (size == 1 || s->failed) return;
    if (t - s->told > s->timeout / 8) {
        if (s->alive_out != MPI_REQUEST_NULL) MPI_Test(&s->alive_out, &flag, MPI_STATUS_IGNORE);
        if (s->alive_out == MPI_REQUEST_NULL) {
            MPI_Isend(&s->sign_out, 1, MPI_CHAR, next, TAG_ALIVE, s->watch, &s->alive_out);
            s->told = t;
        }
    }
    if (MPI_Test(&s->alive_in, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS && flag) {
        s->heard = t;
        MPI_Irecv(&s->sign_in, 1, MPI_CHAR, before, TAG_ALIVE, s->watch, &s->alive_in);
    }
    flag = 0;
    if (MPI_Test(&s->lost, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS && flag) {
        char why[400];
        snprintf(why, sizeof why,
                 "rank %d is lost, as another rank has found. The last checkpoint is whole: the same command with --resume goes on",
                 s->lost_in);
        set_failed(s, why);
    } else if (t - s->heard > s->timeout) {
        set_lost(s, before);
    }
}

/* ------------------------------------------------------------------------------------------------------------ the sums */

static size_t slice_at(const mpi_self *s, const job *j, int rank) { return j->n * (size_t)rank / (size_t)s->ranks.size; }

static int slice_n(const mpi_self *s, const job *j, int rank) { return (int)(slice_at(s, j, rank + 1) - slice_at(s, j, rank)); }

/* Everybody's part of this rank's slice comes in, and goes out of theirs. */
static bool scatter(mpi_self *s, job *j)
{
    float *x = j->data;
    const int size = s->ranks.size, rank = s->ranks.rank, own = slice_n(s, j, rank), tag = TAG_SUMS + (int)(j->number % TAGS) * 2;
    j->others = malloc(((size_t)own * (size_t)size + 1) * sizeof *j->others);
    if (!j->others) {
        set_failed(s, "no memory for a sum over ranks");
        return false;
    }
    for (int i = 0; i < size; i++) {
        if (i == rank) continue;
        if (!fine(s, MPI_Irecv(j->others + (size_t)i * (size_t)own, own, MPI_FLOAT, i, tag, s->comm, &j->requests[j->n_requests++]),
                  "receive"))
            return false;
        if (!fine(s, MPI_Isend(x + slice_at(s, j, i), slice_n(s, j, i), MPI_FLOAT, i, tag, s->comm, &j->requests[j->n_requests++]),
                  "send"))
            return false;
    }
    return true;
}

/* The order of the sum is that of ranks. */
static void add_slices(const mpi_self *s, job *j)
{
    const int own = slice_n(s, j, s->ranks.rank);
    float *x = (float *)j->data + slice_at(s, j, s->ranks.rank), *sum = j->others;
    memcpy(j->others + (size_t)s->ranks.rank * (size_t)own, x, (size_t)own * sizeof *x);
    for (int k = 1; k < s->ranks.size; k++) {
        const float *other = j->others + (size_t)k * (size_t)own;
        for (int i = 0; i < own; i++) sum[i] += other[i];
    }
    if (j->peer < 0 || j->peer == s->ranks.rank) memcpy(x, sum, (size_t)own * sizeof *x);
}

/* Sums of slices go to whom they are for. */
static bool spread(mpi_self *s, job *j)
{
    float *x = j->data;
    const int size = s->ranks.size, rank = s->ranks.rank, tag = TAG_SUMS + (int)(j->number % TAGS) * 2 + 1;
    const bool gets = j->peer < 0 || j->peer == rank;
    j->n_requests = 0;
    for (int i = 0; i < size; i++) {
        if (i == rank) continue;
        if (gets &&
            !fine(s, MPI_Irecv(x + slice_at(s, j, i), slice_n(s, j, i), MPI_FLOAT, i, tag, s->comm, &j->requests[j->n_requests++]),
                  "receive"))
            return false;
        if (j->peer >= 0 && j->peer != i) continue;
        if (!fine(s, MPI_Isend(j->others, slice_n(s, j, rank), MPI_FLOAT, i, tag, s->comm, &j->requests[j->n_requests++]), "send"))
            return false;
    }
    return true;
}

/* --------------------------------------------------------------------------------------------------------------- jobs */

static bool begin_gather(mpi_self *s, job *j)
{
    const int size = s->ranks.size;
    j->counts = malloc(2 * (size_t)size * sizeof *j->counts);
    if (!j->counts) {
        set_failed(s, "no memory to gather what ranks have");
        return false;
    }
    for (int i = 0; i < size; i++) {
        const size_t first = i ? j->ends[i - 1] : 0;
        j->counts[i] = (int)((j->ends[i] - first) / UNIT);
        j->counts[size + i] = (int)(first / UNIT);
    }
    j->n_requests = 1;
    return fine(s, MPI_Iallgatherv(MPI_IN_PLACE, 0, s->unit, j->data, j->counts, j->counts + size, s->unit, s->comm, j->requests),
                "gather");
}

static bool begin(mpi_self *s, job *j)
{
    const int size = s->ranks.size;
    j->requests = calloc(2 * (size_t)size + 1, sizeof *j->requests);
    j->numbers = j->kind == JOB_NUMBERS ? calloc(j->n * (size_t)size, sizeof *j->numbers) : NULL;
    if (!j->requests || (j->kind == JOB_NUMBERS && !j->numbers)) {
        set_failed(s, "no memory to speak with other ranks");
        return false;
    }
    if (j->kind == JOB_SUM) j->number = s->number++; /* all ranks count these alike */
    switch (j->kind) {
    case JOB_SUM: return scatter(s, j);
    case JOB_GATHER: return begin_gather(s, j);
    default: j->n_requests = 1; break;
    }
    switch (j->kind) {
    case JOB_NUMBERS:
        return fine(s, MPI_Iallgather(j->data, (int)j->n, MPI_DOUBLE, j->numbers, (int)j->n, MPI_DOUBLE, s->comm, j->requests),
                    "gather numbers");
    case JOB_BROADCAST: return fine(s, MPI_Ibcast(j->data, (int)j->n, MPI_BYTE, j->peer, s->comm, j->requests), "broadcast");
    case JOB_SEND: return fine(s, MPI_Isend(j->data, (int)j->n, MPI_BYTE, 0, TAG_MAIL, s->comm, j->requests), "send");
    case JOB_RECEIVE: return fine(s, MPI_Irecv(j->data, (int)j->n, MPI_BYTE, j->peer, TAG_MAIL, s->comm, j->requests), "receive");
    default: return fine(s, MPI_Ibarrier(s->comm, j->requests), "leave");
    }
}

static void end(mpi_self *s, job *j)
{
    if (j->kind == JOB_NUMBERS) {
        double *x = j->data;
        memcpy(x, j->numbers, j->n * sizeof *x);
        for (int k = 1; k < s->ranks.size; k++)
            for (size_t i = 0; i < j->n; i++) x[i] += j->numbers[(size_t)k * j->n + i];
    }
    free(j->requests);
    free(j->numbers);
    free(j->counts);
    free(j->others);
    pthread_mutex_lock(&s->lock);
    j->done = true;
    if (j->owned) {
        s->n_begun--;
        free(j);
    }
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
}

/* Moves what is under way; whether anything of it came to its end. */
static bool move_on(mpi_self *s)
{
    bool any = false;
    for (int i = 0; i < s->n_active && !s->failed; i++) {
        job *j = s->active[i];
        int all = 0;
        if (!fine(s, MPI_Testall(j->n_requests, j->requests, &all, MPI_STATUSES_IGNORE), "go on")) return false;
        if (!all) continue;
        any = true;
        if (j->kind == JOB_SUM && j->phase++ == 0) {
            add_slices(s, j);
            if (!spread(s, j)) return false;
            continue;
        }
        s->left |= j->kind == JOB_LEAVE;
        memmove(&s->active[i], &s->active[i + 1], (size_t)(--s->n_active - i) * sizeof *s->active);
        i--;
        end(s, j);
    }
    return any;
}

/* The next job asked for, when there is room for it. */
static job *take(mpi_self *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->first && !s->n_active) { /* a while, for signs of life go on */
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 50000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->asked, &s->lock, &until);
    }
    const bool aborts = s->first && s->first->kind == JOB_ABORT;
    job *j = aborts || (s->n_active < MOST_ACTIVE && !s->failed) ? s->first : NULL;
    if (j && !(s->first = j->next)) s->last = NULL;
    pthread_mutex_unlock(&s->lock);
    return j;
}

static bool join(mpi_self *s)
{
    int given;
    const int before_init = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given);
    if (before_init != MPI_SUCCESS) return false;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &s->ranks.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &s->ranks.size);
    if (!fine(s, MPI_Comm_dup(MPI_COMM_WORLD, &s->comm), "begin") || !fine(s, MPI_Comm_dup(MPI_COMM_WORLD, &s->watch), "begin"))
        return false;
    MPI_Comm_set_errhandler(s->comm, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(s->watch, MPI_ERRORS_RETURN);
    MPI_Type_contiguous(UNIT, MPI_FLOAT, &s->unit);
    MPI_Type_commit(&s->unit);
    s->heard = s->told = now();
    s->alive_in = s->alive_out = s->lost = MPI_REQUEST_NULL;
    if (s->ranks.size > 1) {
        const int before = (s->ranks.rank + s->ranks.size - 1) % s->ranks.size;
        MPI_Irecv(&s->sign_in, 1, MPI_CHAR, before, TAG_ALIVE, s->watch, &s->alive_in);
        MPI_Irecv(&s->lost_in, 1, MPI_INT, MPI_ANY_SOURCE, TAG_LOST, s->watch, &s->lost);
    }
    return true;
}

static void leave(mpi_self *s)
{
    MPI_Request *const pending[] = { &s->alive_in, &s->lost };
    for (int i = 0; i < 2; i++) {
        if (*pending[i] == MPI_REQUEST_NULL) continue;
        MPI_Cancel(pending[i]);
        MPI_Request_free(pending[i]);
    }
    if (s->alive_out != MPI_REQUEST_NULL) MPI_Request_free(&s->alive_out);
    MPI_Type_free(&s->unit);
    MPI_Comm_free(&s->comm);
    MPI_Comm_free(&s->watch);
    MPI_Finalize();
}

static void *serve(void *user)
{
    mpi_self *s = user;
    const bool joined = join(s);
    pthread_mutex_lock(&s->lock);
    s->opened = true;
    s->failed |= !joined;
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
    if (!joined) return NULL;
    int idle = 0;
    while (!s->left) {
        job *j = take(s);
        if (j && j->kind == JOB_ABORT) MPI_Abort(s->comm, j->peer);
        if (j) {
            s->active[s->n_active++] = j;
            if (begin(s, j)) idle = 0;
        }
        if (move_on(s)) idle = 0;
        watch_over(s);
        /* Spinning would take a core from those who compute. */
        if (s->n_active && idle++ > 50) nap(20000);
        if (s->failed) nap(1000000);
    }
    leave(s);
    return NULL;
}

/* -------------------------------------------------------------------------------------------------- what ranks.h promises */

static trine_status fail(trine_error *err, const char *text)
{
    if (err) {
        err->code = TRINE_ERROR_IO;
        snprintf(err->text, sizeof err->text, "%s", text);
    }
    return TRINE_ERROR_IO;
}

static void ask(mpi_self *s, job *j)
{
    if (s->last)
        s->last->next = j;
    else
        s->first = j;
    s->last = j;
    pthread_cond_signal(&s->asked);
}

static trine_status ask_and_wait(mpi_self *s, job *j, trine_error *err)
{
    pthread_mutex_lock(&s->lock);
    ask(s, j);
    while (!j->done && !s->failed) pthread_cond_wait(&s->done, &s->lock);
    const bool failed = !j->done;
    if (failed) s->first = s->last = NULL; /* it is the caller's, and may not have been taken yet; nothing else will be either */
    pthread_mutex_unlock(&s->lock);
    return failed ? fail(err, s->why) : TRINE_OK;
}

static trine_status sum_begin(void *self, float *x, size_t n, int to, trine_error *err)
{
    mpi_self *s = self;
    job *j = calloc(1, sizeof *j);
    if (!j) return fail(err, "no memory for a sum over ranks");
    *j = (job) { .kind = JOB_SUM, .data = x, .n = n, .peer = to < 0 ? -1 : to, .owned = true };
    pthread_mutex_lock(&s->lock);
    const bool failed = s->failed;
    if (!failed) ask(s, j);
    if (!failed) s->n_begun++;
    pthread_mutex_unlock(&s->lock);
    if (!failed) return TRINE_OK;
    free(j);
    return fail(err, s->why);
}

static trine_status wait_all(void *self, trine_error *err)
{
    mpi_self *s = self;
    pthread_mutex_lock(&s->lock);
    while (s->n_begun && !s->failed) pthread_cond_wait(&s->done, &s->lock);
    const bool failed = s->n_begun > 0;
    pthread_mutex_unlock(&s->lock);
    return failed ? fail(err, s->why) : TRINE_OK;
}

static trine_status sum(void *self, double *x, int n, trine_error *err)
{
    job j = { .kind = JOB_NUMBERS, .data = x, .n = (size_t)n };
    return ask_and_wait(self, &j, err);
}

static trine_status gather(void *self, float *x, const size_t *ends, trine_error *err)
{
    job j = { .kind = JOB_GATHER, .data = x, .ends = ends };
    return ask_and_wait(self, &j, err);
}

/* In pieces that MPI can count. */
static trine_status in_pieces(mpi_self *s, job_kind kind, void *bytes, size_t n, int peer, trine_error *err)
{
    const size_t most = (size_t)1 << 30;
    trine_status status = TRINE_OK;
    for (size_t at = 0; at < n && !status; at += most) {
        job j = { .kind = kind, .data = (char *)bytes + at, .n = n - at < most ? n - at : most, .peer = peer };
        status = ask_and_wait(s, &j, err);
    }
    return status;
}

static trine_status broadcast(void *self, void *bytes, size_t n, int from, trine_error *err)
{
    return in_pieces(self, JOB_BROADCAST, bytes, n, from, err);
}

static trine_status send_bytes(void *self, const void *bytes, size_t n, trine_error *err)
{
    return in_pieces(self, JOB_SEND, (void *)(uintptr_t)bytes, n, 0, err);
}

static trine_status receive_bytes(void *self, void *bytes, size_t n, int from, trine_error *err)
{
    return in_pieces(self, JOB_RECEIVE, bytes, n, from, err);
}

static void abort_all(void *self, int code)
{
    mpi_self *s = self;
    job j = { .kind = JOB_ABORT, .peer = code };
    pthread_mutex_lock(&s->lock);
    j.next = s->first; /* before all else */
    s->first = &j;
    if (!s->last) s->last = &j;
    pthread_cond_signal(&s->asked);
    pthread_mutex_unlock(&s->lock);
    sleep(5); /* the thread ends the process */
    _exit(code);
}

static void close_ranks(trine_ranks *ranks)
{
    if (!ranks) return;
    mpi_self *s = ranks->self;
    trine_error err;
    job j = { .kind = JOB_LEAVE };
    if (ask_and_wait(s, &j, &err)) abort_all(s, 1);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->asked);
    pthread_cond_destroy(&s->done);
    free(s);
}

EXPORT trine_status trine_mpi_open(trine_ranks **out, trine_error *err);

/* Joins the ranks that this process was started with. ERROR_IO when MPI cannot begin. */
trine_status trine_mpi_open(trine_ranks **out, trine_error *err)
{
    mpi_self *s = calloc(1, sizeof *s);
    const char *timeout = getenv("TRINE_RANKS_TIMEOUT");
    sigset_t all, before;
    *out = NULL;
    if (!s) return fail(err, "no memory to speak with other ranks");
    s->timeout = timeout && atof(timeout) > 0 ? atof(timeout) : 30;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->asked, NULL);
    pthread_cond_init(&s->done, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the thread that computes, not for this one and MPI's own */
    const int began = pthread_create(&s->thread, NULL, serve, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&s->lock);
    while (!began && !s->opened) pthread_cond_wait(&s->done, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (began || s->failed) {
        fail(err, began ? "no thread to speak with other ranks" : *s->why ? s->why : "MPI could not begin");
        if (!began) pthread_join(s->thread, NULL);
        free(s);
        return TRINE_ERROR_IO;
    }
    s->ranks.self = s;
    s->ranks.sum_begin = sum_begin;
    s->ranks.wait = wait_all;
    s->ranks.sum = sum;
    s->ranks.gather = gather;
    s->ranks.broadcast = broadcast;
    s->ranks.send = send_bytes;
    s->ranks.receive = receive_bytes;
    s->ranks.abort = abort_all;
    s->ranks.close = close_ranks;
    *out = &s->ranks;
    return TRINE_OK;
}
