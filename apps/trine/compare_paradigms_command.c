/* compare_paradigms_command.c - trine compare and trine compare masks: the options as the library's. */
#include "compare.h"

static trine_comparison_options comparison_options(run *r, trine_record *record)
{
    const arguments *a = &r->args;
    return (trine_comparison_options) { .quick = a->quick,
                                        .equal_compute = a->equal == 1,
                                        .data = a->data.n ? a->data.items[0] : NULL,
                                        .n_parameters = a->params,
                                        .n_tokens = a->train_tokens,
                                        .n_seeds = a->seeds,
                                        .n_texts = a->texts,
                                        .seed = a->seed,
                                        .n_threads = a->threads,
                                        .cpu = a->cpu,
                                        .record = record,
                                        .anew = a->anew,
                                        .on_progress = compare_progress,
                                        .user = r };
}

trine_status compare_paradigms(trine_report **report, run *r, trine_record *record, trine_error *err)
{
    const trine_comparison_options options = comparison_options(r, record);
    return trine_compare_paradigms(report, &options, err);
}

trine_status compare_masks(trine_report **report, run *r, trine_record *record, trine_error *err)
{
    const trine_comparison_options options = comparison_options(r, record);
    return trine_compare_masks(report, &options, err);
}
