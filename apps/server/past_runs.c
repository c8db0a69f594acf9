/* past_runs.c - GET /runs lists the reports of the record, GET /runs/record/ID opens one. The record is opened for each request: the
 * command writes to it meanwhile, and nothing of it is held. */
#include "past_runs.h"

#include <stdlib.h>
#include <string.h>

#include "routes.h"

static void write_about(json_writer *j, const trine_kept_report *r)
{
    jw_set_int(j, "id", r->id);
    jw_set_text(j, "experiment", r->experiment);
    jw_set_text(j, "title", r->title);
    jw_set_text(j, "ended", r->ended);
    jw_set_real(j, "seconds", r->seconds);
    jw_set_text(j, "version", r->version);
    jw_set_text(j, "machine", r->machine);
}

static trine_kept_reports read_list(void)
{
    trine_record *record;
    trine_kept_reports list = { 0 };
    if (!trine_record_open(&record, NULL, true, NULL)) trine_record_list_reports(&list, record, NULL);
    trine_record_close(record);
    return list;
}

void write_past_runs(json_writer *j)
{
    trine_kept_reports list = read_list();
    jw_open(j, '[');
    for (int i = 0; i < list.n; i++) {
        jw_open(j, '{');
        write_about(j, &list.items[i]);
        jw_close(j, '}');
    }
    jw_close(j, ']');
    trine_kept_reports_clear(&list);
}

int64_t newest_past_run(const char *experiment)
{
    trine_kept_reports list = read_list();
    int64_t id = 0;
    for (int i = 0; i < list.n && !id; i++)
        if (strcmp(list.items[i].experiment, experiment) == 0) id = list.items[i].id;
    trine_kept_reports_clear(&list);
    return id;
}

void answer_past_run(exchange *x)
{
    trine_record *record = NULL;
    trine_kept_reports one = { 0 };
    trine_error err = { 0 };
    char *end = x->rest;
    const long long id = strtoll(x->rest, &end, 10);
    trine_status status = TRINE_ERROR_NOT_FOUND;
    if (!server_runs(x)) {
        fail_request(x, 404, NULL, "no_runs", "this server shows no record of experiments");
        return;
    }
    if (end != x->rest && !*end) {
        status = trine_record_open(&record, NULL, true, &err);
        if (!status) status = trine_record_get_report(&one, record, id, &err);
    }
    if (status == TRINE_ERROR_NOT_FOUND) {
        fail_request(x, 404, NULL, "run_not_found", "the record holds no report '%.20s'", x->rest);
    } else if (status) {
        fail_job(x, status, &err);
    } else {
        json_writer j = answer_begin(x);
        jw_open(&j, '{');
        write_about(&j, &one.items[0]);
        jw_set_text(&j, "html", one.items[0].page);
        jw_close(&j, '}');
    }
    trine_kept_reports_clear(&one);
    trine_record_close(record);
}
