/* many_ranks.c - see many_ranks.h. */
#include "base/many_ranks.h"

#include <stdio.h>

#include "base/status.h"

static trine_status ended(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_CANCELLED, "the ranks have stopped: one of them failed");
}

trine_status trine_ranks_sum(trine_ranks *r, double *x, int n, trine_error *err)
{
    if (trine_n_ranks(r) == 1) return TRINE_OK;
    return r->over ? ended(err) : r->sum(r->self, x, n, err);
}

trine_status trine_ranks_count(trine_ranks *r, int64_t *x, int n, trine_error *err)
{
    double part[16];
    trine_status status = TRINE_OK;
    for (int at = 0; at < n && !status && trine_n_ranks(r) > 1; at += 16) {
        const int some = n - at < 16 ? n - at : 16;
        for (int i = 0; i < some; i++) part[i] = (double)x[at + i];
        status = trine_ranks_sum(r, part, some, err);
        for (int i = 0; i < some && !status; i++) x[at + i] = (int64_t)part[i];
    }
    return status;
}

trine_status trine_ranks_same(trine_ranks *r, uint64_t checksum, const char *what, trine_error *err)
{
    if (trine_n_ranks(r) == 1) return TRINE_OK;
    if (r->over) return ended(err);
    uint64_t first = checksum;
    trine_status status = r->broadcast(r->self, &first, sizeof first, 0, err);
    if (status) return status; /* a rank is lost */
    if (first != checksum)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "%s is not what rank 0 has: all ranks must see the same files", what);
    return trine_ranks_agree(r, status, err);
}

trine_status trine_ranks_agree(trine_ranks *r, trine_status status, trine_error *err)
{
    if (trine_n_ranks(r) == 1) return status;
    if (r->over) return status ? status : ended(err);
    /* The failed ranks, each as a digit of its own, tell which is the first: 50 ranks a number. */
    enum { DIGITS = 50 };
    int first = -1;
    for (int at = 0; at < r->size && first < 0; at += DIGITS) {
        double failed = status && r->rank >= at && r->rank < at + DIGITS ? (double)((uint64_t)1 << (r->rank - at)) : 0;
        const trine_status met = r->sum(r->self, &failed, 1, err);
        if (met) {
            r->over = true;
            return met;
        }
        for (int i = 0; i < DIGITS && first < 0; i++)
            if ((uint64_t)failed >> i & 1) first = at + i;
    }
    if (first < 0) return TRINE_OK;
    struct {
        int32_t code;
        char text[sizeof err->text];
    } told = { .code = status };
    trine_error own = { .code = status };
    if (r->rank == first) snprintf(told.text, sizeof told.text, "%s", err && *err->text ? err->text : trine_status_text(status));
    const trine_status met = r->broadcast(r->self, &told, sizeof told, first, &own);
    r->over = true;
    if (met) {
        if (err) *err = own;
        return met;
    }
    told.text[sizeof told.text - 1] = 0;
    return first ? trine_fail(err, (trine_status)told.code, "rank %d: %.490s", first, told.text)
                 : trine_fail(err, (trine_status)told.code, "%s", told.text);
}
