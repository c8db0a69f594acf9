/* hollow_checkpoint.c - see hollow_checkpoint.h. */
#include "checkpoint/hollow_checkpoint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/json_file.h"
#include "quant/quant.h"

enum { ALIGNMENT = 64 };

bool trine_checkpoint_is_hollow(const trine_checkpoint *c) { return c->hollow; }
void trine_checkpoint_set_hollow(trine_checkpoint *c) { c->hollow = true; }

void *trine_hollow_address(size_t at)
{
    /* A quarter of all addresses: neither a program's nor the system's half of today's 64-bit processors. */
    return (void *)(UINTPTR_MAX / 4 + 1 + (uintptr_t)at);
}

static trine_status too_large(const trine_tensor *t, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' would hold %lld x %lld values, more than there can be", t->name,
                      (long long)t->shape[0], (long long)t->shape[1]);
}

/* The next address, with the low bits of that in the file: what is not aligned for its type is copied by a load. The sum of all must
 * leave room in an address. */
static trine_status give_address(trine_checkpoint *c, trine_tensor *t, trine_error *err)
{
    const size_t low = (uintptr_t)t->data % ALIGNMENT;
    if (t->bytes > SIZE_MAX / 8 || c->hollow_bytes > SIZE_MAX / 8) return too_large(t, err);
    t->data = trine_hollow_address(c->hollow_bytes + low);
    c->hollow_bytes += c->packed ? t->bytes + low : trine_round_up(t->bytes + low, ALIGNMENT);
    return TRINE_OK;
}

/* Its bytes by its type and shape, and an address. */
static trine_status place(trine_checkpoint *c, trine_tensor *t, trine_error *err)
{
    size_t n = 1;
    for (int d = 0; d < t->n_dims; d++)
        if (t->shape[d] < 1 || !trine_mul_size(&n, n, (size_t)t->shape[d])) return too_large(t, err);
    if (!trine_dtype_bytes(&t->bytes, t->type, n))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' has %zu values, which blocks of %s do not divide", t->name, n,
                          trine_dtype_name(t->type));
    return give_address(c, t, err);
}

trine_status trine_checkpoint_hollow(trine_checkpoint *c, trine_dtype type, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < c->n_tensors && !status; i++) {
        c->tensors[i].type = type;
        status = place(c, &c->tensors[i], err);
    }
    c->blank = false;
    c->hollow = true;
    return status;
}

trine_status trine_checkpoint_hollow_open(trine_checkpoint **out, const char *container, const json_t *config, trine_error *err)
{
    *out = NULL;
    trine_checkpoint *c = calloc(1, sizeof *c);
    json_t *copy = trine_json_copy(config);
    if (!c || !copy) {
        free(c);
        json_decref(copy);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model of a configuration");
    }
    c->container = container;
    c->config = copy;
    c->hollow = true;
    c->packed = !strcmp(container, "safetensors"); /* one tensor after another, however they are aligned then */
    const trine_status status = trine_checkpoint_index(c, "config.json", err);
    if (status) {
        trine_checkpoint_close(c);
        return status;
    }
    *out = c;
    return TRINE_OK;
}

trine_status trine_hollow_add(trine_checkpoint *c, const trine_tensor *tensor, trine_error *err)
{
    trine_tensor t = *tensor;
    if (trine_checkpoint_find(c, t.name)) return trine_fail(err, TRINE_ERROR_FORMAT, "there are two tensors '%s'", t.name);
    trine_status status = place(c, &t, err);
    if (!status) status = trine_checkpoint_add(c, &t, err);
    return status ? status : trine_checkpoint_index_last(c, err);
}

trine_status trine_checkpoint_empty(trine_checkpoint *c, trine_error *err)
{
    trine_status status = TRINE_OK;
    c->lies = calloc((size_t)c->n_tensors + 1, sizeof *c->lies);
    if (!c->lies) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a table of %d tensors", c->n_tensors);
    for (int i = 0; i < c->n_tensors && !status; i++) {
        const void *data = c->tensors[i].data;
        c->lies[i] = (uintptr_t)data < ALIGNMENT ? NULL : data;
        status = give_address(c, &c->tensors[i], err);
    }
    return status;
}

/* Where the data of the tensor with this address lies, or NULL. */
static const void *lies_at(const trine_checkpoint *c, const void *address)
{
    for (int i = 0; i < c->n_tensors && c->lies; i++)
        if (c->tensors[i].data == address) return c->lies[i];
    return NULL;
}

bool trine_hollow_same(const trine_checkpoint *c, const void *a, const void *b, size_t n)
{
    if (!c->lies) return false; /* of no file: what is the same is there once */
    const void *x = lies_at(c, a), *y = lies_at(c, b);
    return !x || !y || !memcmp(x, y, n);
}
