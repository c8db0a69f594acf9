/* params.c - see params.h: the flat arrays, and the model that points into them. */
#include "train/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buffer.h"
#include "base/ends.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/blank_checkpoint.h"
#include "checkpoint/hollow_checkpoint.h"
#include "checkpoint/json_file.h"
#include "load/model_open.h"
#include "train/params_lora.h"
#include "train/params_take.h"

enum { TENSOR_FLOATS = 16, HUGE_PAGE = 2 << 20 };

/* Zeroed memory of one flat array, counted in *sum. Large ones ask for large pages: the optimiser streams through all of them every
 * step. */
static void *take_array(trine_params *p, size_t *sum, size_t n, size_t size, trine_error *err)
{
    size_t bytes;
    void *memory = NULL;
    const bool fits = trine_mul_size(&bytes, n ? n : TENSOR_FLOATS, size) && bytes <= (PTRDIFF_MAX - HUGE_PAGE) / 16;
    if (fits) *sum += bytes;
    if (fits && p->hollow) {
        const trine_params_bytes *b = &p->bytes;
        return trine_hollow_address(trine_round_up(b->values + b->grads + b->moments + b->bf16 - bytes, HUGE_PAGE) + HUGE_PAGE);
    }
    if (fits && !posix_memalign(&memory, bytes >= HUGE_PAGE ? HUGE_PAGE : 64, bytes)) {
        if (bytes >= HUGE_PAGE) madvise(memory, bytes, MADV_HUGEPAGE);
        return memset(memory, 0, bytes);
    }
    trine_fail(err, TRINE_ERROR_MEMORY, "no memory to train %zu parameters: an array of %zu bytes each was not to be had", n, size);
    return NULL;
}

static trine_status take_arrays(trine_params *p, const trine_params_options *o, trine_error *err)
{
    trine_params_bytes *b = &p->bytes;
    p->hollow = o->hollow;
    if (!(p->values = take_array(p, &b->values, p->n, sizeof(float), err))) return TRINE_ERROR_MEMORY;
    if (o->grads && !(p->grads = take_array(p, &b->grads, p->n, sizeof(float), err))) return TRINE_ERROR_MEMORY;
    p->state_first = o->n_ranks > 1 && o->rank ? trine_params_share(p, o->rank - 1, o->n_ranks) : 0;
    p->state_n = (o->n_ranks > 1 ? trine_params_share(p, o->rank, o->n_ranks) : p->n) - p->state_first;
    if (o->adam && !(p->m = take_array(p, &b->moments, p->state_n, sizeof(float), err))) return TRINE_ERROR_MEMORY;
    if (o->adam && !(p->v = take_array(p, &b->moments, p->state_n, sizeof(float), err))) return TRINE_ERROR_MEMORY;
    if (o->bf16 && !(p->bf16 = take_array(p, &b->bf16, p->n, sizeof(uint16_t), err))) return TRINE_ERROR_MEMORY;
    return TRINE_OK;
}

/* Biases are those by name too: T5's table of relative positions is added to scores. */
static bool decays(const char *name, const trine_declaration *d) { return d->n_dims > 1 && !d->unused && !strstr(name, "bias"); }

/* One tensor of the table. */
static trine_status add(trine_params *p, const char *end, const char *name, const trine_declaration *d, trine_error *err)
{
    trine_param *t = &p->tensors[p->n_tensors++];
    *t = (trine_param) { .n_dims = d->n_dims,
                         .shape = { d->shape[0], d->n_dims > 1 ? d->shape[1] : 1 },
                         .turned = d->turned,
                         .offset = p->n,
                         .n = (size_t)d->shape[0] * (size_t)(d->n_dims > 1 ? d->shape[1] : 1) };
    if (*end) {
        trine_buffer whole = { 0 };
        trine_buffer_printf(&whole, "%s%.*s%s", TRINE_ADAPTER_PREFIX, (int)(strlen(name) - strlen(".weight")), name, end);
        t->name = trine_buffer_take(&whole);
    } else {
        t->name = strdup(name);
    }
    if (!t->name) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a table of %d tensors", p->n_tensors);
    t->decays = decays(t->name, d);
    if (trine_add_size(&p->n, p->n, trine_round_up(t->n, TENSOR_FLOATS))) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_MEMORY, "the model's parameters are more than memory can hold");
}

/* The pair of an adapted weight. */
static trine_status add_pair(trine_params *p, const char *name, const trine_declaration *d, trine_error *err)
{
    const int64_t out = d->shape[d->turned], in = d->shape[!d->turned];
    const trine_declaration a = { .n_dims = 2, .shape = { p->lora_rank, in } }, b = { .n_dims = 2, .shape = { out, p->lora_rank } };
    const trine_status status = add(p, ".lora_A.weight", name, &a, err);
    return status ? status : add(p, ".lora_B.weight", name, &b, err);
}

/* T5 does not scale its scores: its queries' weights hold the factor 1 / sqrt(d_head) from the beginning (Raffel et al. 2020; Adafactor, by
 * which it learnt, steps in proportion to the weights). Steps of one size for all matrices would make its scores that much too large
 * within some dozens of them, and attention learn little from then on. */
static float step_of(const trine_model_info *info, const char *name)
{
    return !strcmp(info->family, "t5") && trine_ends_with(name, ".q.weight") ? (float)(1 / sqrt(info->d_head)) : 1;
}

/* The table, from what the family declared; names are the checkpoint's. */
static trine_status lay_out(trine_params *p, const trine_checkpoint *c, const trine_source *s, const trine_model_info *info,
                            trine_error *err)
{
    const int n = trine_checkpoint_n_tensors(c);
    p->tensors = calloc(2 * (size_t)n + 1, sizeof *p->tensors);
    if (!p->tensors) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a table of %d tensors", n);
    trine_status status = TRINE_OK;
    for (int i = 0; !status && i < n; i++) {
        const char *name = trine_checkpoint_tensor(c, i)->name;
        const trine_declaration d = trine_blank_declaration(c, i);
        const trine_role role =
            p->lora_rank ? trine_lora_role(p, name, &d, trine_source_find(s, name), info->head) : TRINE_ROLE_LEARNS;
        if (role == TRINE_ROLE_LEARNS) {
            status = add(p, "", name, &d, err);
            trine_param *t = &p->tensors[p->n_tensors - 1];
            t->hidden = d.n_dims == 2 && !d.unused && trine_params_is_linear(info->family, name);
            t->step = step_of(info, name);
        }
        if (role == TRINE_ROLE_ADAPTED) status = add_pair(p, name, &d, err);
    }
    return status;
}

static trine_status place(trine_params *p, trine_checkpoint *c, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; !status && i < p->n_tensors; i++)
        status = trine_blank_place(c, i, TRINE_F32, p->values + p->tensors[i].offset, err);
    return status;
}

typedef struct filling {
    trine_params *p;
    uint64_t seed;
} filling;

static void fill_piece(void *job, int i, int thread)
{
    (void)thread;
    filling *f = job;
    trine_param *t = &f->p->tensors[i];
    if (t->is_new) trine_initialise(f->p->values + t->offset, t, f->p->config, f->seed);
}

/* Initialises what is new. */
static trine_status fill(trine_params *p, const trine_params_options *o, trine_error *err)
{
    trine_team *team = NULL;
    const trine_status status = trine_team_open(&team, o->n_threads > 0 ? o->n_threads : 1, err);
    if (status) return status;
    filling f = { p, o->seed };
    trine_team_run(team, p->n_tensors, fill_piece, &f);
    trine_team_close(team);
    return TRINE_OK;
}

static trine_status open_parts(trine_params *p, trine_model **model, const trine_params_options *o, trine_error *err)
{
    trine_source source = { 0 };
    trine_checkpoint *blank = NULL;
    trine_adapter *adapter = NULL;
    trine_model_info info;
    const char *const path = o->checkpoint ? o->checkpoint : "config.json";
    trine_status status = trine_source_open(&source, o, err);
    if (!status) status = trine_source_config(&p->config, &source, o, err);
    const char *directory = o->tokenizer ? o->tokenizer : source.checkpoint ? trine_checkpoint_directory(source.checkpoint) : NULL;
    if (!status) status = trine_checkpoint_blank(&blank, p->config, directory, err);
    if (!status) status = trine_family_declare(&info, blank, err);
    if (!status && o->lora_rank) status = trine_lora_settle(p, o, &info, err);
    if (!status) status = lay_out(p, blank, &source, &info, err);
    if (!status) status = take_arrays(p, o, err);
    if (p->hollow && p->lora_rank) trine_checkpoint_set_hollow(blank);
    if (!status && p->lora_rank) status = trine_lora_place(&adapter, p, blank, &source, info.head, path, err);
    if (!status && !p->lora_rank) status = place(p, blank, err);
    if (!status && !o->hollow) status = trine_source_take(p, &source, blank, &info, o, err);
    if (!status && !o->hollow) status = fill(p, o, err);
    if (!status) {
        const trine_model_options options = { .cpu = o->cpu, .log = o->log, .log_user = o->log_user };
        status = trine_model_open_checkpoint(model, blank, adapter, path, &options, err);
        blank = NULL; /* the model's, as the adapter is */
        adapter = NULL;
    }
    if (p->lora_rank && !source.borrowed) {
        p->source = source.checkpoint;
        source.checkpoint = NULL;
    }
    trine_adapter_close(adapter);
    trine_checkpoint_close(blank);
    trine_source_close(&source);
    return status;
}

trine_status trine_params_open(trine_params **out, trine_model **model, const trine_params_options *options, trine_error *err)
{
    *out = NULL;
    *model = NULL;
    trine_params *p = calloc(1, sizeof *p);
    if (!p) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model's parameters");
    const trine_status status = open_parts(p, model, options, err);
    if (status) {
        trine_params_close(p);
        return status;
    }
    if (p->bf16 && !p->hollow) trine_params_round(p, NULL); /* the first step computes with the first weights */
    *out = p;
    return TRINE_OK;
}

trine_status trine_params_count(int64_t *out, const json_t *config, trine_error *err)
{
    trine_checkpoint *blank = NULL;
    trine_model_info info = { 0 };
    trine_status status = trine_checkpoint_blank(&blank, config, NULL, err);
    if (!status) status = trine_family_declare(&info, blank, err);
    *out = info.n_parameters;
    trine_checkpoint_close(blank);
    return status;
}

void trine_params_close(trine_params *p)
{
    if (!p) return;
    for (int i = 0; i < p->n_tensors && p->tensors; i++) free((void *)(uintptr_t)p->tensors[i].name);
    free(p->tensors);
    if (!p->hollow) {
        free(p->values);
        free(p->grads);
        free(p->m);
        free(p->v);
        free(p->bf16);
    }
    for (int i = 0; i < p->n_frozen; i++) free(p->frozen[i]);
    free(p->frozen);
    free(p->base);
    json_decref(p->lora_targets);
    trine_checkpoint_close(p->source);
    json_decref(p->config);
    free(p);
}

size_t trine_params_share(const trine_params *p, int rank, int n_ranks)
{
    return p->n / TENSOR_FLOATS * ((size_t)rank + 1) / (size_t)n_ranks * TENSOR_FLOATS;
}

int trine_params_at(const trine_params *p, size_t at)
{
    int low = 0, high = p->n_tensors - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (p->tensors[middle].offset <= at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

const trine_param *trine_params_find(const trine_params *p, const char *name)
{
    for (int i = 0; i < p->n_tensors; i++)
        if (!strcmp(p->tensors[i].name, name)) return &p->tensors[i];
    return NULL;
}

typedef struct rounding {
    trine_params *p;
    size_t chunk;
} rounding;

static void round_piece(void *job, int piece, int thread)
{
    (void)thread;
    const rounding *r = job;
    const size_t at = (size_t)piece * r->chunk, n = r->p->n - at < r->chunk ? r->p->n - at : r->chunk;
    trine_dtype_get(TRINE_BF16)->pack(r->p->bf16 + at, r->p->values + at, n);
}

void trine_params_round(trine_params *p, trine_team *team)
{
    rounding r = { p, (size_t)1 << 18 };
    if (p->bf16) trine_team_run(team, (int)((p->n + r.chunk - 1) / r.chunk), round_piece, &r);
}
