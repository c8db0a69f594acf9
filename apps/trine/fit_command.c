/* fit_command.c - trine fit: a scaling law through any runs. */
#include "show_report.h"

int fit_main(run *r)
{
    const arguments *a = &r->args;
    const char *path = a->rest.items[0];
    trine_error err = { 0 };
    trine_scaling_run *runs = NULL;
    trine_report *report = NULL;
    int n = 0, code = check_report(r);
    if (code) return code;
    const trine_scaling_options options = { .n_bootstrap = GIVEN(a, bootstrap) && a->bootstrap == 0 ? -1 : a->bootstrap,
                                            .seed = a->seed,
                                            .huber = a->huber,
                                            .n_threads = a->threads,
                                            .on_progress = progress_step,
                                            .user = r };
    trine_status status = trine_scaling_read(&runs, &n, path, &err);
    progress_begin(r, "resampling");
    if (!status) status = trine_scaling_tell(&report, base_name(path), runs, n, &options, &err);
    progress_end(r);
    code = status ? fail_status(r, status, &err) : show_report(r, report);
    trine_report_close(report);
    trine_free(runs);
    return code;
}
