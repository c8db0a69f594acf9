/* spreading.c - the lines of a file shared out over ranks: each answers some lines of every round, and at its end the first rank writes
 * what all have answered, in the order of the lines. All read the whole file, and tell each other there what they have read: ranks that
 * see other lines would answer what nobody asked, and wait for a round that the others do not have. */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 64 }; /* of a rank in a round: enough that long and short ones even out */

/* As many as are read at a time, at least, so that passes are those of one process. */
static long lines_a_round(const run *r)
{
    const long least = r->args.parallel * 8 > r->batch_lines ? r->args.parallel * 8 : r->batch_lines;
    return least > LINES ? least : LINES;
}

bool is_own_line(const run *r, long i) { return !r->ranks || i / lines_a_round(r) % r->ranks->size == r->ranks->rank; }

bool ends_round(const run *r, long i) { return r->ranks && (i + 1) % (lines_a_round(r) * r->ranks->size) == 0; }

void note_line(run *r, const char *line, size_t n)
{
    if (!r->ranks) return;
    r->n_read++;
    r->read_sum = add_to_sum(r->read_sum, line, n);
}

void keep_output(run *r, const char *bytes, size_t n)
{
    if (r->kept_bytes + n > r->kept_size) {
        const size_t size = 2 * (r->kept_bytes + n) + 4096;
        char *grown = realloc(r->kept, size);
        if (!grown) {
            if (!r->output_errno) r->output_errno = ENOMEM;
            return;
        }
        r->kept = grown;
        r->kept_size = size;
    }
    memcpy(r->kept + r->kept_bytes, bytes, n);
    r->kept_bytes += n;
}

/* What rank `from` has kept, at the first rank. */
static trine_status write_from(run *r, int from, trine_error *err)
{
    trine_ranks *ranks = r->ranks;
    uint64_t n;
    trine_status status = ranks->receive(ranks->self, &n, sizeof n, from, err);
    if (status || !n) return status;
    char *bytes = malloc(n);
    if (!bytes) {
        if (err) *err = (trine_error) { .code = TRINE_ERROR_MEMORY, .text = "no memory for the answers of another rank" };
        return TRINE_ERROR_MEMORY;
    }
    status = ranks->receive(ranks->self, bytes, n, from, err);
    if (!status) put(r, bytes, n);
    free(bytes);
    return status;
}

/* Ranks that have read other lines than rank 0 end all. A rank that cannot go on has not come as far, and says why by itself. */
static int same_lines(meeting *m, run *r, int code)
{
    const int lost = meet(m, r, code, (uint64_t[]) { (uint64_t)r->n_read, r->read_sum }, 2);
    if (lost || !m->other) return lost;
    r->ranks->over = true; /* all know */
    r->line = 0;
    if (r->ranks->rank) return EXIT_DATA;
    if (m->what)
        return fail(r, EXIT_DATA, "rank %d sees another text in the first %ld lines than rank 0: all ranks must see the same file",
                    m->other, r->n_read);
    return fail(r, EXIT_DATA,
                "rank %d has read %" PRIu64 " lines where rank 0 has read %" PRIu64 ": all ranks must see the same file", m->other,
                m->there, m->here);
}

int end_round(run *r, int code)
{
    trine_ranks *ranks = r->ranks;
    if (!ranks) return code;
    trine_error err = { 0 };
    trine_status status = TRINE_OK;
    meeting m;
    const int differs = same_lines(&m, r, code);
    if (differs) return differs;
    if (!ranks->rank) {
        for (int i = 1; i < ranks->size && !status; i++) status = write_from(r, i, &err);
        flush_output(r);
    } else {
        const uint64_t n = r->kept_bytes;
        status = ranks->send(ranks->self, &n, sizeof n, &err);
        if (!status && n) status = ranks->send(ranks->self, r->kept, n, &err);
        r->kept_bytes = 0;
    }
    if (status) return fail_status(r, status, &err);
    if (!code && output_failed(r)) code = EXIT_FAILED;
    double failed = code != 0;
    if ((status = ranks->sum(ranks->self, &failed, 1, &err))) return fail_status(r, status, &err);
    if (!(failed > 0)) return 0;
    ranks->over = true; /* who failed has said why */
    return code ? code : m.code ? m.code : EXIT_FAILED;
}

int share_failure(run *r, int code)
{
    double told[EXIT_MEMORY + 1] = { 0 };
    trine_error err = { 0 };
    if (!r->ranks || r->ranks->over) return code;
    if (code > 0 && code <= EXIT_MEMORY) told[code] = 1;
    const trine_status status = r->ranks->sum(r->ranks->self, told, EXIT_MEMORY + 1, &err);
    if (status) return fail_status(r, status, &err);
    for (int i = EXIT_MEMORY; i > 0; i--)
        if (told[i] > 0) code = i;
    r->ranks->over = code != 0;
    return code;
}
