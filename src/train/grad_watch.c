/* grad_watch.c - see grad_watch.h. */
#include "train/grad_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static void touched(void *user, size_t at)
{
    trine_grad_watch *w = user;
    const int t = trine_params_at(w->params, at);
    if (w->measuring)
        w->last[t] = w->now;
    else
        w->late |= t >= w->next;
}

static void walked(void *user)
{
    trine_grad_watch *w = user;
    w->now++;
    if (w->measuring) return;
    const int before = w->next;
    while (w->next > 0 && w->last[w->next - 1] < w->now) w->next--;
    if (w->next < before) w->tell(w->user, w->next ? w->params->tensors[w->next].offset : 0);
}

trine_status trine_grad_watch_open(trine_grad_watch *w, const trine_params *params, trine_error *err)
{
    *w = (trine_grad_watch) { .tape = { w, touched, walked }, .params = params };
    w->last = calloc((size_t)params->n_tensors + 1, sizeof *w->last);
    return w->last ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
}

void trine_grad_watch_close(trine_grad_watch *w)
{
    free(w->last);
    *w = (trine_grad_watch) { 0 };
}

void trine_grad_watch_measure(trine_grad_watch *w)
{
    w->measuring = true;
    w->now = 0;
    memset(w->last, 0, ((size_t)w->params->n_tensors + 1) * sizeof *w->last);
}

void trine_grad_watch_begin(trine_grad_watch *w)
{
    w->measuring = w->late = false;
    w->now = 0;
    w->next = w->params->n_tensors;
    for (int t = w->params->n_tensors - 2; t >= 0; t--)
        if (w->last[t + 1] > w->last[t]) w->last[t] = w->last[t + 1];
}
