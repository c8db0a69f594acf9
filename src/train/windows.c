/* windows.c - sequences of a corpus for the objectives over running text. */
#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"
#include "train/draw.h"
#include "train/examples.h"

/* Documents apart: each is cut from its own beginning. */
static trine_status cut_documents(trine_windows *w, trine_error *err)
{
    const trine_corpus *c = w->corpus;
    for (int fill = 0; fill < 2; fill++) {
        int64_t n = 0;
        size_t start = 0;
        for (size_t d = 0; d < c->n_documents; start = c->ends[d++])
            for (size_t at = start; at + (size_t)w->overlap < c->ends[d]; at += (size_t)w->length, n++) {
                if (!fill) continue;
                const size_t left = c->ends[d] - at, most = (size_t)w->length + (size_t)w->overlap;
                w->starts[n] = at;
                w->lengths[n] = (int)(left < most ? left : most);
            }
        if (fill) break;
        if (!n) return trine_fail(err, TRINE_ERROR_EMPTY, "train: no document has %d tokens or more", w->overlap + 1);
        w->n = n;
        w->starts = malloc((size_t)n * sizeof *w->starts);
        w->lengths = malloc((size_t)n * sizeof *w->lengths);
        if (!w->starts || !w->lengths)
            return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for %lld sequences", (long long)n);
    }
    return TRINE_OK;
}

trine_status trine_windows_open(trine_windows *w, const trine_corpus *corpus, int length, int overlap, bool separate, uint64_t seed,
                                trine_error *err)
{
    *w = (trine_windows) { .corpus = corpus, .length = length, .overlap = overlap, .seed = seed };
    if (corpus->n <= (size_t)overlap)
        return trine_fail(err, TRINE_ERROR_EMPTY, "train: the text has %zu token%s, which is nothing to learn from", corpus->n,
                          corpus->n == 1 ? "" : "s");
    const trine_status status = separate ? cut_documents(w, err) : TRINE_OK;
    if (status) trine_windows_close(w);
    return status;
}

void trine_windows_close(trine_windows *w)
{
    free(w->starts);
    free(w->lengths);
    *w = (trine_windows) { 0 };
}

/* The first cut of an epoch: 0 in the first. */
static size_t shift_of(const trine_windows *w, uint64_t epoch)
{
    if (!epoch) return 0;
    trine_draws d = trine_draws_for(w->seed, TRINE_DRAW_SHIFT, epoch, 0);
    return (size_t)trine_draw_below(&d, (uint64_t)w->length);
}

int64_t trine_windows_count(const trine_windows *w, uint64_t epoch)
{
    if (w->starts) return w->n;
    const size_t n = w->corpus->n - (size_t)w->overlap, length = (size_t)w->length;
    const size_t shift = shift_of(w, epoch);
    if (shift >= n) return 1;
    return (int64_t)((n - shift + length - 1) / length + (shift > 0));
}

int trine_windows_get(size_t *start, const trine_windows *w, uint64_t epoch, int64_t i)
{
    if (w->starts) {
        *start = w->starts[i];
        return w->lengths[i];
    }
    const size_t n = w->corpus->n - (size_t)w->overlap, shift = shift_of(w, epoch);
    const size_t from = !shift ? (size_t)i * (size_t)w->length : i ? shift + (size_t)(i - 1) * (size_t)w->length : 0;
    size_t to = shift && !i ? shift : from + (size_t)w->length;
    if (to > n) to = n;
    *start = from;
    return (int)(to - from) + w->overlap;
}
