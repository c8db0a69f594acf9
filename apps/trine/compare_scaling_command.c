/* compare_scaling_command.c - trine compare scaling: the ladder that the options ask for. */
#include <stdlib.h>

#include "compare.h"

trine_status compare_scaling(trine_report **report, run *r, trine_record *record, trine_error *err)
{
    const arguments *a = &r->args;
    int64_t *sizes = compare_numbers(&a->sizes), *budgets = compare_numbers(&a->budgets);
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
                                           .on_progress = compare_progress,
                                           .user = r };
    const trine_status status = sizes && budgets ? trine_compare_scaling(report, &options, err) : TRINE_ERROR_MEMORY;
    free(sizes);
    free(budgets);
    return status;
}
