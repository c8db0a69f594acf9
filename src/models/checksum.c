/* checksum.c - whether two models are the same, told by a number. */
#include "base/checksum.h"

#include "models/model.h"

enum { SAMPLES = 32, SAMPLE = 512 };

/* Of a long tensor, samples spread over it: learning changes every matrix nearly everywhere, and a model should open at once. */
static uint64_t add_tensor(uint64_t h, const trine_tensor *t)
{
    h = trine_checksum(h, t->name, strlen(t->name));
    h = trine_checksum(h, t->shape, sizeof t->shape);
    h = trine_checksum(h, &t->bytes, sizeof t->bytes);
    if (t->bytes <= (size_t)SAMPLES * SAMPLE) return trine_checksum(h, t->data, t->bytes);
    const unsigned char *data = t->data;
    for (size_t i = 0; i < SAMPLES; i++) h = trine_checksum(h, data + (t->bytes - SAMPLE) / (SAMPLES - 1) * i, SAMPLE);
    return h;
}

static uint64_t add_file(uint64_t h, const trine_checkpoint *c)
{
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) h = add_tensor(h, trine_checkpoint_tensor(c, i));
    return h;
}

uint64_t trine_model_checksum(const trine_model *m)
{
    uint64_t h = add_file(0, m->checkpoint);
    const trine_adapter *a = m->adapter;
    for (int i = 0; a && i < a->n_modules; i++) {
        const trine_lora *l = &a->modules[i].lora;
        h = trine_checksum(h, a->modules[i].name, strlen(a->modules[i].name));
        h = trine_checksum(h, l->a.data, (size_t)l->a.rows * (size_t)l->a.cols * sizeof(float));
        h = trine_checksum(h, l->b.data, (size_t)l->b.rows * (size_t)l->b.cols * sizeof(float));
        h = trine_checksum(h, &l->scale, sizeof l->scale);
    }
    return a && a->file ? add_file(h, a->file) : h;
}
