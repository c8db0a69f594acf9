/* compare_scaling_command.c - trine compare scaling: the ladder that the options ask for. */
#include <stdlib.h>

#include "compare.h"

static bool on_progress(void *user, const char *what, int done, int total)
{
    return progress_share(user, what, total ? (double)done / total : 1);
}

static int64_t *widen(const id_list *list)
{
    int64_t *out = calloc((size_t)list->n + 1, sizeof *out);
    for (int i = 0; out && i < list->n; i++) out[i] = list->items[i];
    return out;
}

trine_status compare_scaling(trine_report **report, run *r, trine_record *record, trine_error *err)
{
    const arguments *a = &r->args;
    int64_t *sizes = widen(&a->sizes), *budgets = widen(&a->budgets);
    const trine_ladder_options options = { .quick = a->quick,
                                           .sizes = sizes,
                                           .n_sizes = a->sizes.n,
                                           .budgets = budgets,
                                           .n_budgets = a->budgets.n,
                                           .recall_tokens = GIVEN(a, recall_tokens) && !a->recall_tokens ? -1 : a->recall_tokens,
                                           .seed = a->seed,
                                           .n_threads = a->threads,
                                           .cpu = a->cpu,
                                           .record = record,
                                           .on_progress = on_progress,
                                           .user = r };
    const trine_status status = sizes && budgets ? trine_compare_scaling(report, &options, err) : TRINE_ERROR_MEMORY;
    free(sizes);
    free(budgets);
    return status;
}
