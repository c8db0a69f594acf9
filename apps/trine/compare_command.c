/* compare_command.c - trine compare: finds the experiment, opens the record for it, shows its report. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "show_report.h"

/* In the order of EXPERIMENTS. */
static experiment_fn *const experiments[] = { compare_paradigms, compare_masks, compare_scaling, compare_long_document };
enum { N_EXPERIMENTS = sizeof experiments / sizeof *experiments };

bool compare_progress(void *user, const char *what, int done, int total)
{
    return progress_share(user, what, total ? (double)done / total : 1);
}

int64_t *compare_numbers(const id_list *list)
{
    int64_t *out = calloc((size_t)list->n + 1, sizeof *out);
    for (int i = 0; out && i < list->n; i++) out[i] = list->items[i];
    return out;
}

/* What was found, whole, in the record: `trine lab` opens it again. */
static trine_status keep_report(trine_record *record, const trine_report *report, const char *name, double seconds,
                                trine_error *err)
{
    char *page;
    int64_t id;
    trine_status status = trine_report_page(&page, report, err);
    if (!status) status = trine_record_keep_report(&id, record, name, trine_report_title(report), seconds, page, err);
    trine_free(page);
    return status;
}

/* Options that are of other experiments. */
static int check_options(run *r, const char *name)
{
    const arguments *a = &r->args;
    const struct {
        const char *option, *of;
        bool given;
    } options[] = {
        { "--equal", "paradigms", GIVEN(a, equal) },
        { "--params", "paradigms masks", GIVEN(a, params) },
        { "--seeds", "paradigms", GIVEN(a, seeds) },
        { "--texts", "paradigms masks", GIVEN(a, texts) },
        { "--anew", "paradigms masks", a->anew },
        { "--sizes", "scaling", GIVEN(a, sizes) },
        { "--budgets", "scaling", GIVEN(a, budgets) },
        { "--recall-tokens", "scaling", GIVEN(a, recall_tokens) },
        { "--lengths", "long-document", GIVEN(a, lengths) },
        { "--train-tokens", "paradigms masks long-document", GIVEN(a, train_tokens) },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given && !strstr(options[i].of, name))
            return fail_usage(r, "%s is not of '%s': it is of %s", options[i].option, name, options[i].of);
    return 0;
}

int compare_main(run *r)
{
    const arguments *a = &r->args;
    const char *name = a->rest.n ? a->rest.items[0] : "paradigms";
    char word[32];
    int which = 0;
    while (choice_name(word, sizeof word, EXPERIMENTS, which) && strcmp(word, name)) which++;
    if (which == N_EXPERIMENTS) return fail_usage(r, "no experiment is called '%s'; expected one of %s", name, EXPERIMENTS);
    int code = check_options(r, name);
    if (code) return code;
    trine_record *record = NULL;
    trine_report *report = NULL;
    trine_error err = { 0 };
    code = check_report(r);
    const double began = seconds_now();
    trine_status status = TRINE_OK;
    if (code) return code;
    interrupt_catch_end();
    if (!a->no_record) status = trine_record_open(&record, a->record, false, &err);
    if (!status) status = experiments[which](&report, r, record, &err);
    progress_end(r);
    if (!status && record) status = keep_report(record, report, name, seconds_now() - began, &err);
    trine_record_close(record);
    code = status ? fail_status(r, status, &err) : show_report(r, report);
    trine_report_close(report);
    return code;
}
