/* open_fixture.h - models and sessions of the fixtures, for tests that are about something else: failing to open is a failure. */
#ifndef TRINE_TESTS_OPEN_FIXTURE_H
#define TRINE_TESTS_OPEN_FIXTURE_H

#include "generate/sequence.h"

/* "generate/t5": a path below tests/fixtures. */
trine_model *open_model(const char *fixture);
trine_session *open_session(trine_model *model, trine_session_options options);
trine_sequence *open_sequence(trine_session *session);
/* n ids below the model's vocabulary, the same for the same seed. */
void make_ids(int32_t *ids, int n, const trine_model *model, unsigned seed);
/* Fails the test with the error's text unless status is TRINE_OK. */
void check_ok(trine_status status, const trine_error *err);

#endif
