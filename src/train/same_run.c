/* same_run.c - what a run is made of, as checksums beside its settings; and whether all ranks have the same of it. A rank that was started
 * with other options, or finds other files under the same names, would add its gradients to those of another run, or wait for ever. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/status.h"
#include "train/trainer.h"

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the configuration");
}

static bool put_checksum(json_t *o, const char *key, uint64_t sum)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, sum);
    return !json_object_set_new(o, key, json_string(text));
}

/* Weights that adapters stand beside, as their file has them. */
static uint64_t frozen_checksum(const trine_checkpoint *c)
{
    uint64_t h = 0;
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
        const trine_tensor *t = trine_checkpoint_tensor(c, i);
        h = trine_checksum(h, t->name, strlen(t->name));
        h = trine_checksum(h, t->shape, sizeof t->shape);
        h = trine_checksum(h, t->data, t->bytes);
    }
    return h;
}

trine_status trine_trainer_add_checksums(trine_trainer *t, trine_error *err)
{
    bool fine = true;
    if (t->valid) fine = put_checksum(t->configuration, "the validation data's checksum", trine_feed_checksum(t->valid));
    if (fine && t->params->source)
        fine = put_checksum(t->configuration, "the frozen weights' checksum", frozen_checksum(t->params->source));
    return fine ? TRINE_OK : no_memory(err);
}

/* What ranks must have alike: beside all that decides the result, what decides when they meet, and the weights they begin with. */
static json_t *alike(const trine_trainer *t)
{
    const trine_train_options *o = t->options;
    json_t *own = json_copy(t->configuration);
    const bool fine = own && !json_object_set_new(own, "shard_optimizer", json_boolean(o->shard_optimizer)) &&
                      !json_object_set_new(own, "save_every", json_integer((json_int_t)o->save_every)) &&
                      !json_object_set_new(own, "resume", json_boolean(o->resume)) &&
                      put_checksum(own, "the first weights' checksum",
                                   trine_checksum(0, t->params->values, t->params->n * sizeof *t->params->values));
    if (fine) return own;
    json_decref(own);
    return NULL;
}

/* The text of rank 0, in new memory. */
static trine_status text_of_first(char **out, const char *own, trine_ranks *r, trine_error *err)
{
    uint64_t n = own ? strlen(own) : 0;
    *out = NULL;
    trine_status status = r->broadcast(r->self, &n, sizeof n, 0, err);
    if (status) return status;
    char *text = calloc(n + 1, 1);
    status = trine_ranks_agree(r, text ? TRINE_OK : no_memory(err), err);
    if (!status && text && own && trine_is_first(r)) memcpy(text, own, n);
    if (!status) status = r->broadcast(r->self, text, n, 0, err);
    if (status)
        free(text);
    else
        *out = text;
    return status;
}

static trine_status compare(const json_t *own, const char *first, trine_error *err)
{
    char *a, *b;
    json_t *other = json_loads(first, 0, NULL);
    if (!other) return no_memory(err);
    const char *key = trine_trainer_difference(&a, &b, own, other);
    trine_status status = TRINE_OK;
    if (key)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT,
                            "%s = %.80s here, and %.80s at rank 0: all ranks must have the same options, and see the same data and "
                            "model",
                            key, a ? a : "nothing", b ? b : "nothing");
    free(a);
    free(b);
    json_decref(other);
    return status;
}

trine_status trine_trainer_same_at_all(const trine_trainer *t, trine_error *err)
{
    trine_ranks *r = t->options->ranks;
    if (trine_n_ranks(r) == 1) return TRINE_OK;
    char *first = NULL;
    json_t *own = alike(t);
    char *text = own ? json_dumps(own, JSON_COMPACT) : NULL;
    trine_status status = trine_ranks_agree(r, text ? TRINE_OK : no_memory(err), err);
    if (!status) status = text_of_first(&first, text, r, err);
    if (!status) status = trine_ranks_agree(r, compare(own, first, err), err);
    free(first);
    free(text);
    json_decref(own);
    return status;
}
