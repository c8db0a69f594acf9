#include "support/open_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void check_ok(trine_status status, const trine_error *err)
{
    if (status) fail_msg("%s: %s", trine_status_name(status), err->text);
}

trine_model *open_model(const char *fixture)
{
    char path[1024];
    trine_model *model;
    trine_error err;
    snprintf(path, sizeof path, "%s/%s", TRINE_FIXTURES, fixture);
    check_ok(trine_model_open(&model, path, NULL, &err), &err);
    return model;
}

trine_session *open_session(trine_model *model, trine_session_options options)
{
    trine_session *session;
    trine_error err;
    check_ok(trine_session_open(&session, model, &options, &err), &err);
    return session;
}

trine_sequence *open_sequence(trine_session *session)
{
    trine_sequence *sequence;
    trine_error err;
    check_ok(trine_sequence_open(&sequence, session, &err), &err);
    return sequence;
}

void make_ids(int32_t *ids, int n, const trine_model *model, unsigned seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (int i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        ids[i] = (int32_t)((state >> 8) % (uint32_t)model->info.vocab);
    }
}
