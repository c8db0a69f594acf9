/* blank_checkpoint.c - see blank_checkpoint.h. */
#include "checkpoint/blank_checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/json_file.h"
#include "quant/quant.h"

trine_status trine_checkpoint_blank(trine_checkpoint **out, const json_t *config, const char *directory, trine_error *err)
{
    *out = NULL;
    if (!json_is_object(config)) return trine_fail(err, TRINE_ERROR_FORMAT, "a model's configuration is not a JSON object");
    trine_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model of a configuration");
    c->container = "blank";
    c->blank = true;
    c->config = trine_json_copy(config);
    c->directory = directory ? strdup(directory) : NULL;
    trine_status status = TRINE_OK;
    if (!c->config || (directory && !c->directory))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model of a configuration");
    if (!status) status = trine_checkpoint_index(c, "config.json", err);
    if (status) {
        trine_checkpoint_close(c);
        return status;
    }
    *out = c;
    return TRINE_OK;
}

bool trine_checkpoint_is_blank(const trine_checkpoint *c) { return c->blank; }

/* Whether a tensor that is there was declared like this; tied weights are asked for once, so all that can differ is the shape. */
static bool is_same(const trine_tensor *t, const trine_declaration *d)
{
    return t->n_dims == d->n_dims && t->shape[0] == d->shape[0] && (d->n_dims < 2 || t->shape[1] == d->shape[1]);
}

const trine_tensor *trine_blank_declare(trine_checkpoint *c, const char *name, const trine_declaration *d, trine_error *err)
{
    const trine_tensor *there = trine_checkpoint_find(c, name);
    if (there) {
        if (is_same(there, d)) return there;
        trine_fail(err, TRINE_ERROR_INTERNAL, "tensor '%s' is declared twice, in different shapes", name);
        return NULL;
    }
    trine_tensor t = { .name = name, .type = TRINE_F32, .n_dims = d->n_dims, .shape = { d->shape[0], 1, 1, 1 } };
    if (d->n_dims > 1) t.shape[1] = d->shape[1];
    size_t n;
    if (!trine_mul_size(&n, (size_t)t.shape[0], (size_t)t.shape[1]) || !trine_mul_size(&t.bytes, n, sizeof(float)) ||
        t.bytes > PTRDIFF_MAX) {
        trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' would have [%" PRId64 ",%" PRId64 "] values, more than there can be", name,
                   t.shape[0], t.shape[1]);
        return NULL;
    }
    const int i = c->n_tensors;
    unsigned char *flags = realloc(c->declared, (size_t)i + 1);
    if (!flags) {
        trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a table of %d tensors", i + 1);
        return NULL;
    }
    c->declared = flags;
    flags[i] = (unsigned char)((d->turned ? TRINE_DECLARED_TURNED : 0) | (d->unused ? TRINE_DECLARED_UNUSED : 0));
    if (trine_checkpoint_add(c, &t, err) || trine_checkpoint_index_last(c, err)) return NULL;
    return &c->tensors[i];
}

trine_declaration trine_blank_declaration(const trine_checkpoint *c, int i)
{
    const trine_tensor *t = &c->tensors[i];
    return (trine_declaration) { .n_dims = t->n_dims,
                                 .shape = { t->shape[0], t->shape[1] },
                                 .turned = c->declared[i] & TRINE_DECLARED_TURNED,
                                 .unused = c->declared[i] & TRINE_DECLARED_UNUSED };
}

trine_status trine_blank_place(trine_checkpoint *c, int i, trine_dtype type, const void *data, trine_error *err)
{
    trine_tensor *t = &c->tensors[i];
    if (!trine_dtype_bytes(&t->bytes, type, (size_t)t->shape[0] * (size_t)t->shape[1]))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' cannot be %s", t->name, trine_dtype_name(type));
    t->type = type;
    t->data = data;
    return TRINE_OK;
}
