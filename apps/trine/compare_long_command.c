/* compare_long_command.c - trine compare long-document: the lengths that the options ask for. */
#include <stdlib.h>

#include "compare.h"

trine_status compare_long_document(trine_report **report, run *r, trine_record *record, trine_error *err)
{
    const arguments *a = &r->args;
    int64_t *lengths = compare_numbers(&a->lengths);
    const trine_long_options options = { .quick = a->quick,
                                         .lengths = lengths,
                                         .n_lengths = a->lengths.n,
                                         .train_tokens = a->train_tokens,
                                         .seed = a->seed,
                                         .n_threads = a->threads,
                                         .cpu = a->cpu,
                                         .record = record,
                                         .on_progress = compare_progress,
                                         .user = r };
    const trine_status status = lengths ? trine_compare_long(report, &options, err) : TRINE_ERROR_MEMORY;
    free(lengths);
    return status;
}
