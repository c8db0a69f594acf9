/* data_parallel.c - see data_parallel.h. */
#include "train/data_parallel.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* A bucket is long enough that its exchange is bound by bandwidth, and one of 16 or more, so that most of them are on their way before
 * the backward ends. */
enum { BUCKET_FLOATS = 1 << 20, LEAST_BUCKET = 1 << 12, BUCKETS = 16 };

trine_status trine_data_parallel_open(trine_data_parallel *d, trine_ranks *ranks, trine_params *params, bool sharded,
                                      trine_error *err)
{
    const bool many = trine_n_ranks(ranks) > 1;
    *d = (trine_data_parallel) { .ranks = many ? ranks : NULL, .params = params, .sharded = many && sharded };
    if (!many) return TRINE_OK;
    d->bucket = params->n / BUCKETS < LEAST_BUCKET ? LEAST_BUCKET : params->n / BUCKETS;
    if (d->bucket > BUCKET_FLOATS) d->bucket = BUCKET_FLOATS;
    d->ends = malloc((size_t)ranks->size * sizeof *d->ends);
    if (!d->ends) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    for (int i = 0; i < ranks->size; i++) d->ends[i] = trine_params_share(params, i, ranks->size);
    return TRINE_OK;
}

void trine_data_parallel_close(trine_data_parallel *d)
{
    free(d->ends);
    *d = (trine_data_parallel) { 0 };
}

void trine_data_parallel_begin(trine_data_parallel *d)
{
    d->begun = d->params->n;
    d->status = TRINE_OK;
}

/* The bucket that ends at `end`: where it begins, and who gets its sum. */
static size_t bucket_before(int *to, const trine_data_parallel *d, size_t end)
{
    size_t first = (end - 1) / d->bucket * d->bucket;
    *to = -1;
    if (!d->sharded) return first;
    for (*to = 0; d->ends[*to] < end;) (*to)++;
    const size_t share = *to ? d->ends[*to - 1] : 0;
    return first > share ? first : share;
}

void trine_data_parallel_final(void *self, size_t from)
{
    trine_data_parallel *d = self;
    while (d->ranks && d->begun > from && !d->status) {
        int to;
        const size_t first = bucket_before(&to, d, d->begun);
        if (first < from) return;
        d->status = d->ranks->sum_begin(d->ranks->self, d->params->grads + first, d->begun - first, to, &d->error);
        d->begun = first;
    }
}

trine_status trine_data_parallel_end(trine_data_parallel *d, trine_error *err)
{
    if (!d->ranks) return TRINE_OK;
    trine_data_parallel_final(d, 0);
    if (d->status) {
        if (err) *err = d->error;
        return d->status;
    }
    const trine_status status = d->ranks->wait(d->ranks->self, err);
    if (status || !d->sharded) return status;
    size_t first, n;
    trine_data_parallel_share(&first, &n, d);
    memset(d->params->grads, 0, first * sizeof(float));
    memset(d->params->grads + first + n, 0, (d->params->n - first - n) * sizeof(float));
    return TRINE_OK;
}

void trine_data_parallel_share(size_t *first, size_t *n, const trine_data_parallel *d)
{
    *first = 0;
    *n = d->params->n;
    if (!d->sharded) return;
    *first = d->ranks->rank ? d->ends[d->ranks->rank - 1] : 0;
    *n = d->ends[d->ranks->rank] - *first;
}

trine_status trine_data_parallel_gather(trine_data_parallel *d, float *x, trine_error *err)
{
    return d->sharded ? d->ranks->gather(d->ranks->self, x, d->ends, err) : TRINE_OK;
}

trine_status trine_data_parallel_total(trine_data_parallel *d, double *sum, trine_error *err)
{
    return d->sharded ? trine_ranks_sum(d->ranks, sum, 1, err) : TRINE_OK;
}
