/* team.c - how works are announced, joined, shared out and ended.
 *
 * `state` is the whole protocol in one word: the number of the work, whether it is open, and how many threads are in it.
 *
 *     63            32 31    30                  0
 *     | number of work | open | threads in it     |
 *
 * The owner writes the work and then opens a new number. A thread that sees an open number it has not seen joins by adding 1 in
 * the same compare-and-swap, so it cannot join a work that was closed meanwhile. The owner takes pieces until there are none,
 * closes the work (nobody joins any more) and waits until those in it have left. Only then may it write the next work.
 *
 * Who has spun for SPIN_US without news sleeps on the half of `state` that will change (a futex); who changes it wakes the
 * sleepers if there are any. Both sides write before they read (sequentially consistent), so one of them sees the other. */
#include "base/team.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/size.h"
#include "base/status.h"

enum {
    SPIN_US = 20,     /* longer than what lies between two works of a token; on a core somebody else wants, more is lost */
    CLOCK_EVERY = 64, /* looks at `state` between two at the clock */
    MAX_STAGES = 4,
};

#define OPEN ((uint64_t)1 << 31)
#define IN_IT (OPEN - 1)
#define NUMBER(state) ((uint32_t)((state) >> 32))

typedef struct work {
    void *job;
    trine_stage stages[MAX_STAGES];
    int n_stages;
} work;

typedef struct member {
    trine_team *team;
    pthread_t thread;
    int index;
} member;

struct trine_team {
    _Alignas(64) _Atomic uint64_t state;
    _Alignas(64) _Atomic int taken[MAX_STAGES]; /* pieces that somebody has begun */
    _Alignas(64) _Atomic int done[MAX_STAGES];  /* pieces that are finished */
    _Alignas(64) work work;
    _Atomic int n_asleep; /* members waiting for a work */
    _Atomic int n_owners_asleep;
    _Atomic bool closing;
    int n_members; /* threads besides the owner */
    member *members;
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One half of `state` as the kernel watches it. */
static uint32_t *half(trine_team *t, bool number)
{
    return (uint32_t *)(void *)&t->state + (number == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__));
}

static void sleep_while(trine_team *t, bool number, uint32_t value, _Atomic int *n_asleep)
{
    atomic_fetch_add(n_asleep, 1);
    syscall(SYS_futex, half(t, number), FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0); /* returns at once when it has changed */
    atomic_fetch_sub(n_asleep, 1);
}

static void wake(trine_team *t, bool number, _Atomic int *n_asleep)
{
    if (atomic_load(n_asleep)) syscall(SYS_futex, half(t, number), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Once a turn of a loop that waits: false when it has gone on for SPIN_US. */
static bool spin(unsigned *turn, int64_t *start)
{
    relax();
    if (++*turn % CLOCK_EVERY) return true;
    const int64_t now = now_us();
    if (!*start) *start = now;
    return now - *start < SPIN_US;
}

/* A state with an open work that is not number `seen`; or any once the team is closing. */
static uint64_t wait_for_work(trine_team *t, uint32_t seen)
{
    unsigned turn = 0;
    int64_t start = 0;
    for (;;) {
        const uint64_t state = atomic_load(&t->state);
        if (((state & OPEN) && NUMBER(state) != seen) || atomic_load_explicit(&t->closing, memory_order_relaxed)) return state;
        if (!spin(&turn, &start)) sleep_while(t, true, NUMBER(state), &t->n_asleep);
    }
}

static void wait_till_left(trine_team *t)
{
    unsigned turn = 0;
    int64_t start = 0;
    uint64_t state;
    while ((state = atomic_load(&t->state)) & IN_IT)
        if (!spin(&turn, &start)) sleep_while(t, false, (uint32_t)state, &t->n_owners_asleep);
}

/* The pieces of a stage are in the hands of running threads, so this is short, unless one of them lost its core. */
static void wait_for_stage(trine_team *t, int stage, int n)
{
    for (unsigned i = 1; atomic_load_explicit(&t->done[stage], memory_order_acquire) < n; i++) {
        relax();
        if (i % (1 << 14) == 0) nanosleep(&(struct timespec) { .tv_nsec = 1000 }, NULL); /* let it have this one */
    }
}

static void take_pieces(trine_team *t, int thread)
{
    const work *w = &t->work;
    for (int s = 0; s < w->n_stages; s++) {
        const int n = w->stages[s].n;
        int piece, finished = 0;
        if (s > 0) wait_for_stage(t, s - 1, w->stages[s - 1].n);
        while ((piece = atomic_fetch_add_explicit(&t->taken[s], 1, memory_order_relaxed)) < n) {
            w->stages[s].run(w->job, piece, thread);
            finished++;
        }
        if (finished && s + 1 < w->n_stages) atomic_fetch_add_explicit(&t->done[s], finished, memory_order_release);
    }
}

static void *member_main(void *user)
{
    const member *m = user;
    trine_team *t = m->team;
    uint32_t seen = 0;
    for (;;) {
        uint64_t state = wait_for_work(t, seen);
        if (atomic_load(&t->closing)) return NULL;
        if (!atomic_compare_exchange_strong(&t->state, &state, state + 1)) continue;
        seen = NUMBER(state);
        take_pieces(t, m->index);
        if (!((atomic_fetch_sub(&t->state, 1) - 1) & (OPEN | IN_IT))) wake(t, false, &t->n_owners_asleep);
    }
}

void trine_team_run_stages(trine_team *t, const trine_stage *stages, int n_stages, void *job)
{
    int most = 0;
    for (int s = 0; s < n_stages; s++) most = stages[s].n > most ? stages[s].n : most;
    if (!t || n_stages > MAX_STAGES || most < 2) {
        for (int s = 0; s < n_stages; s++)
            for (int i = 0; i < stages[s].n; i++) stages[s].run(job, i, 0);
        return;
    }
    t->work.job = job;
    t->work.n_stages = n_stages;
    for (int s = 0; s < n_stages; s++) {
        t->work.stages[s] = stages[s];
        atomic_store_explicit(&t->taken[s], 0, memory_order_relaxed);
        atomic_store_explicit(&t->done[s], 0, memory_order_relaxed);
    }
    /* Nobody is in the last work, and its number is closed: nobody else writes `state` now. */
    const uint32_t number = NUMBER(atomic_load_explicit(&t->state, memory_order_relaxed)) + 1;
    atomic_store(&t->state, (uint64_t)number << 32 | OPEN);
    wake(t, true, &t->n_asleep);
    take_pieces(t, 0);
    if (atomic_fetch_and(&t->state, ~OPEN) & IN_IT) wait_till_left(t);
}

void trine_team_run(trine_team *t, int n, trine_piece_fn *run, void *job)
{
    const trine_stage stage = { n, run };
    trine_team_run_stages(t, &stage, 1, job);
}

trine_status trine_team_size(int *n_threads, trine_error *err)
{
    if (*n_threads < 0 || *n_threads > TRINE_TEAM_MOST)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "n_threads is %d, expected 0 (one a core) to %d", *n_threads, TRINE_TEAM_MOST);
    if (!*n_threads) *n_threads = trine_min_int(trine_max_int(trine_cpu_cores(), 1), TRINE_TEAM_MOST);
    return TRINE_OK;
}

trine_status trine_team_open(trine_team **out, int n_threads, trine_error *err)
{
    *out = NULL;
    if (n_threads <= 1) return TRINE_OK;
    trine_team *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    member *members = calloc((size_t)n_threads - 1, sizeof *members);
    if (!t || !members) {
        free(t);
        free(members);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for %d threads", n_threads);
    }
    *t = (trine_team) { .members = members };
    /* Signals are the business of the program's own threads: a read that one of them interrupts must return there. */
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    int failed = pthread_attr_setstacksize(&attributes, TRINE_TEAM_STACK);
    for (int i = 0; i < n_threads - 1 && !failed; i++) {
        members[i] = (member) { .team = t, .index = i + 1 };
        failed = pthread_create(&members[i].thread, &attributes, member_main, &members[i]);
        if (!failed) t->n_members++;
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        const int made = t->n_members + 1;
        trine_team_close(t);
        return trine_fail(err, TRINE_ERROR_MEMORY, "only %d of %d threads could be started: ask for fewer", made, n_threads);
    }
    *out = t;
    return TRINE_OK;
}

void trine_team_close(trine_team *t)
{
    if (!t) return;
    atomic_store(&t->closing, true);
    atomic_fetch_add(&t->state, (uint64_t)1 << 32); /* a new number, not open: news for those who sleep */
    wake(t, true, &t->n_asleep);
    for (int i = 0; i < t->n_members; i++) pthread_join(t->members[i].thread, NULL);
    free(t->members);
    free(t);
}
