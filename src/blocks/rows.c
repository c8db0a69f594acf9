/* rows.c - rows shared out among the threads, some at a time. */
#include "blocks/rows.h"

#include "base/size.h"
#include "blocks/tape.h"

enum { PIECES = 4 }; /* for each thread: one that is interrupted does not make the others wait */

typedef struct cut {
    trine_rows_fn *run;
    const void *job;
    int n_rows, size;
} cut;

static void run_piece(void *user, int piece, int thread)
{
    const cut *c = user;
    const int first = piece * c->size;
    c->run(c->job, first, trine_min_int(c->size, c->n_rows - first), thread);
}

trine_mat trine_consumed(trine_pass *p, trine_mat x)
{
    return trine_pass_notes(p) ? trine_mat_new(p, x.rows, x.cols) : (trine_mat) { .data = x.data, .rows = x.rows, .cols = x.cols };
}

void trine_for_rows(trine_pass *p, int n_rows, double cost, trine_rows_fn *run, const void *job)
{
    if (n_rows < 1) return;
    const bool large = p->team && n_rows > 1 && n_rows * cost > TRINE_ROWS_SMALL;
    const int n_pieces = large ? trine_min_int(n_rows, PIECES * p->n_threads) : 1;
    cut c = { run, job, n_rows, (n_rows + n_pieces - 1) / n_pieces };
    trine_team_run(large ? p->team : NULL, (n_rows + c.size - 1) / c.size, run_piece, &c);
}
