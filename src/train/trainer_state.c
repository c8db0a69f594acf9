/* trainer_state.c - where a run stands, as JSON beside a checkpoint's arrays. */
#include <math.h>
#include <stdlib.h>

#include "base/ends.h"
#include "base/status.h"
#include "train/trainer.h"

trine_status trine_trainer_state_write(json_t **out, const trine_trainer_state *s, const json_t *configuration, trine_error *err)
{
    json_t *parts = json_array();
    bool fine = parts != NULL;
    for (int i = 0; i < TRINE_FEED_PARTS && fine; i++)
        fine = !json_array_append_new(parts,
                                      json_pack("[I,I]", (json_int_t)s->place.parts[i].epoch, (json_int_t)s->place.parts[i].at));
    json_t *root =
        fine ? json_pack("{s:I,s:I,s:I,s:f,s:f,s:b,s:f,s:f,s:I,s:i,s:I,s:I,s:o,s:O}", "step", (json_int_t)s->step, "tokens",
                         (json_int_t)s->n_tokens, "batches", (json_int_t)s->n_batches, "seconds", s->seconds, "loss",
                         isfinite(s->loss) ? s->loss : 0, "has_best", (int)s->has_best, "best", s->best, "best_loss", s->best_loss,
                         "best_step", (json_int_t)s->best_step, "worse", s->n_worse, "record_run", (json_int_t)s->record_run,
                         "drawn", (json_int_t)s->place.drawn, "parts", parts, "configuration", configuration)
             : NULL;
    if (!root) json_decref(parts);
    *out = root;
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for a checkpoint");
}

/* A checksum that b lacks says nothing: earlier versions did not keep it. */
static bool differs(const char *key, const json_t *value, const json_t *b)
{
    const json_t *other = json_object_get(b, key);
    return other ? !json_equal(value, other) : !trine_ends_with(key, "checksum");
}

const char *trine_trainer_differs(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value) if (differs(key, value, b)) return key;
    json_object_foreach((json_t *)(uintptr_t)b, key, value) if (!json_object_get(a, key)) return key;
    return NULL;
}

const char *trine_trainer_difference(char **a_text, char **b_text, const json_t *a, const json_t *b)
{
    const char *key = trine_trainer_differs(a, b);
    *a_text = key ? json_dumps(json_object_get(a, key), JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    *b_text = key ? json_dumps(json_object_get(b, key), JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    return key;
}

static trine_status check_configuration(const json_t *now, const json_t *then, const char *path, trine_error *err)
{
    char *a, *b;
    const char *key = trine_trainer_difference(&a, &b, now, then);
    const trine_status status =
        key ? trine_fail(err, TRINE_ERROR_ARGUMENT,
                         "%s: the run had %s = %.80s, and now it is %.80s: resume with what it had, or begin anew", path, key,
                         b ? b : "nothing", a ? a : "nothing")
            : TRINE_OK;
    free(a);
    free(b);
    return status;
}

trine_status trine_trainer_state_read(trine_trainer_state *s, const json_t *root, const json_t *configuration, const char *path,
                                      trine_error *err)
{
    *s = (trine_trainer_state) { 0 };
    json_error_t error;
    json_int_t step, tokens, batches, best_step, run, drawn;
    json_t *parts, *then;
    int has_best, worse;
    trine_status status = TRINE_OK;
    if (json_unpack_ex((json_t *)(uintptr_t)root, &error, 0, "{s:I,s:I,s:I,s:F,s:F,s:b,s:F,s:F,s:I,s:i,s:I,s:I,s:o,s:o}", "step",
                       &step, "tokens", &tokens, "batches", &batches, "seconds", &s->seconds, "loss", &s->loss, "has_best",
                       &has_best, "best", &s->best, "best_loss", &s->best_loss, "best_step", &best_step, "worse", &worse,
                       "record_run", &run, "drawn", &drawn, "parts", &parts, "configuration", &then))
        status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: its description of the run is damaged (%.100s)", path, error.text);
    if (!status) status = check_configuration(configuration, then, path, err);
    if (!status) {
        s->step = step;
        s->n_tokens = tokens;
        s->n_batches = batches;
        s->has_best = has_best;
        s->best_step = best_step;
        s->n_worse = worse;
        s->record_run = run;
        s->place.drawn = (uint64_t)drawn;
    }
    for (int i = 0; i < TRINE_FEED_PARTS && !status; i++) {
        const json_t *p = json_array_get(parts, (size_t)i);
        s->place.parts[i].epoch = (uint64_t)json_integer_value(json_array_get(p, 0));
        s->place.parts[i].at = (uint64_t)json_integer_value(json_array_get(p, 1));
    }
    return status;
}
