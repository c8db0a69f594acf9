/* test_team.c - a team does every piece once, stages in order, whoever comes late, and after a fork alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/team.h"
#include "support/alloc.h"

enum { MOST = 500, THREADS = 7 };

typedef struct job {
    _Atomic int done[3][MOST], finished[3], in[THREADS];
    int n[3];
    _Atomic int wrong;
} job;

static void piece(job *j, int stage, int i, int thread)
{
    if (thread < 0 || thread >= THREADS || atomic_fetch_add(&j->in[thread], 1)) j->wrong++; /* an index is one thread's */
    for (int s = 0; s < stage; s++)
        if (j->finished[s] != j->n[s]) j->wrong++;
    j->done[stage][i]++;
    j->finished[stage]++;
    atomic_fetch_sub(&j->in[thread], 1);
}

static void first(void *user, int i, int thread) { piece(user, 0, i, thread); }
static void second(void *user, int i, int thread) { piece(user, 1, i, thread); }
static void third(void *user, int i, int thread) { piece(user, 2, i, thread); }

static void check(trine_team *team, job *j, int a, int b, int c)
{
    memset(j, 0, sizeof *j);
    j->n[0] = a, j->n[1] = b, j->n[2] = c;
    const trine_stage stages[] = { { a, first }, { b, second }, { c, third } };
    trine_team_run_stages(team, stages, 3, j);
    assert_int_equal(j->wrong, 0);
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < MOST; i++) assert_int_equal(j->done[s][i], i < j->n[s]);
}

static void test_every_piece_once(void **state)
{
    static job j;
    trine_error err = { 0 };
    (void)state;
    for (int n_threads = 1; n_threads <= THREADS; n_threads++) {
        trine_team *team;
        assert_int_equal(trine_team_open(&team, n_threads, &err), TRINE_OK);
        assert_int_equal(team == NULL, n_threads == 1);
        for (int round = 0; round < 200; round++) check(team, &j, round % 9, 1 + round * 7 % MOST, round % 2 ? 0 : MOST - round);
        trine_team_close(team);
    }
}

/* Members that have gone to sleep are woken, and so are those that begin to sleep just then. */
static void test_sleepers_wake(void **state)
{
    static job j;
    trine_team *team;
    trine_error err = { 0 };
    (void)state;
    assert_int_equal(trine_team_open(&team, THREADS, &err), TRINE_OK);
    for (int us = 0; us < 400; us += 5) {
        nanosleep(&(struct timespec) { .tv_nsec = us * 1000 }, NULL);
        check(team, &j, 3, MOST, 2);
    }
    trine_team_close(team);
}

static void slow(void *user, int i, int thread)
{
    if (i == 0) nanosleep(&(struct timespec) { .tv_nsec = 3000000 }, NULL);
    first(user, i, thread);
}

/* The owner waits for a piece in another's hands, and stages wait for it too. */
static void test_slow_piece(void **state)
{
    static job j;
    trine_team *team;
    trine_error err = { 0 };
    (void)state;
    assert_int_equal(trine_team_open(&team, 3, &err), TRINE_OK);
    for (int round = 0; round < 20; round++) {
        memset(&j, 0, sizeof j);
        j.n[0] = 4, j.n[1] = 9;
        trine_team_run_stages(team, (trine_stage[]) { { 4, slow }, { 9, second } }, 2, &j);
        assert_int_equal(j.wrong, 0);
        assert_int_equal(j.finished[1], 9);
        memset(&j, 0, sizeof j);
        trine_team_run(team, 50, slow, &j);
        assert_int_equal(j.finished[0], 50);
    }
    trine_team_close(team);
}

static void test_after_fork(void **state)
{
    static job j;
    trine_team *team;
    trine_error err = { 0 };
    (void)state;
    assert_int_equal(trine_team_open(&team, 4, &err), TRINE_OK);
    check(team, &j, 5, 5, 5);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        memset(&j, 0, sizeof j);
        trine_team_run(team, MOST, first, &j);
        _exit(j.finished[0] == MOST ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check(team, &j, 5, 5, 5);
    trine_team_close(team);
}

static void test_no_memory(void **state)
{
    trine_team *team;
    trine_error err = { 0 };
    (void)state;
    for (long k = 1; k <= 2; k++) {
        alloc_fail_at(k);
        assert_int_equal(trine_team_open(&team, 3, &err), TRINE_ERROR_MEMORY);
        alloc_fail_at(0);
        assert_null(team);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_piece_once), cmocka_unit_test(test_sleepers_wake), cmocka_unit_test(test_slow_piece),
        cmocka_unit_test(test_after_fork),       cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
