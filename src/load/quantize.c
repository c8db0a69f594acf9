/* quantize.c - a model in smaller types: a conversion whose plan gets its types from a mixture, the user's own choices and two
 * rules, and whose matrices are packed by search.
 *
 * T5's rule: the second matrix of its feed-forwards stays in bf16. The states before it reach thousands in trained models (that is
 * why its half-precision runs overflow, and why its reference keeps this matrix in float32), so that an error of a few thousandths in
 * its weights is a large one in the result. */
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/size.h"
#include "base/status.h"
#include "base/team.h"
#include "load/convert_plan.h"
#include "load/mixture.h"
#include "quant/quant.h"

typedef struct work {
    trine_convert_plan plan;
    const trine_quantize_options *options;
    const trine_mixture *mixture;
    bool t5, has_output;
    int n_bf16;                                         /* kept by T5's rule */
    int replaced[TRINE_DTYPE_COUNT][TRINE_DTYPE_COUNT]; /* tensors whose rows blocks do not divide: wanted, given */
    int64_t row[TRINE_DTYPE_COUNT][TRINE_DTYPE_COUNT];  /* values of such a row */
} work;

static void say(const work *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const work *w, const char *format, ...)
{
    if (!w->options->log) return;
    char text[400];
    va_list list;
    va_start(list, format);
    trine_vprint(text, sizeof text, format, list);
    va_end(list);
    w->options->log(w->options->log_user, text);
}

/* The name that a tensor has in GGUF, wherever it is written. NULL when memory ran out. */
static char *gguf_name(const trine_convert_plan *plan, const char *name)
{
    trine_buffer b = { 0 };
    if (plan->to_gguf || !plan->architecture)
        trine_buffer_puts(&b, name);
    else
        trine_gguf_name_from_hf(&b, plan->architecture, name);
    return trine_buffer_take(&b);
}

/* "attn_v" is anywhere in the name; with *, ? or [ the pattern is the whole of it. */
static bool matches(const char *pattern, const char *name)
{
    return strpbrk(pattern, "*?[") ? !fnmatch(pattern, name, 0) : strstr(name, pattern) != NULL;
}

static bool is_plain(trine_dtype type) { return trine_dtype_get(type)->block == 1; }

/* The last of the user's choices that names the tensor, here or in its source; 0: none does. */
static trine_dtype chosen(const work *w, const trine_planned_tensor *t, const char *name, bool *used)
{
    trine_dtype type = TRINE_DTYPE_DEFAULT;
    for (int i = 0; i < w->options->n_tensor_types; i++) {
        const trine_tensor_type *c = &w->options->tensor_types[i];
        if (!matches(c->pattern, name) && !matches(c->pattern, t->to.name) && !matches(c->pattern, t->from->name)) continue;
        type = c->type;
        used[i] = true;
    }
    return type;
}

static int layers_of(const trine_place *places, int n, const trine_place *place)
{
    int most = 0;
    for (int i = 0; i < n; i++)
        if (!strcmp(places[i].stack, place->stack)) most = trine_max_int(most, places[i].layer + 1);
    return most;
}

/* The type of a matrix that no table is and no vector. */
static trine_dtype type_of(work *w, const trine_planned_tensor *t, const trine_place *place, int n_layers)
{
    const trine_dtype from = t->from->type, type = trine_mixture_type(w->mixture, place, n_layers, w->has_output);
    if (!w->t5 || place->role != TRINE_ROLE_DOWN || type == TRINE_F32 || type == TRINE_BF16) return type;
    w->n_bf16++;
    return is_plain(from) ? TRINE_BF16 : from; /* what is quantised already does not get better */
}

static trine_status set_type(work *w, trine_planned_tensor *t, const char *name, const trine_place *places, int i, bool *used,
                             trine_error *err)
{
    const trine_place *place = &places[i];
    const trine_dtype_info *from = trine_dtype_get(t->from ? t->from->type : TRINE_F32);
    if (!t->from || !from->computes || t->to.n_dims < 2) return TRINE_OK;
    if (place->role == TRINE_ROLE_TABLE || place->role == TRINE_ROLE_LABELS) {
        if (!w->plan.to_gguf) return TRINE_OK;
        return trine_convert_plan_set_type(&w->plan, t, TRINE_F32, err);
    }
    trine_dtype type = chosen(w, t, name, used);
    if (!type) type = type_of(w, t, place, layers_of(places, w->plan.n_tensors, place));
    const int64_t n = t->to.shape[t->to.n_dims - 1];
    const trine_dtype given = trine_type_for_row(type, n);
    if (given != type) {
        w->replaced[type][given]++;
        w->row[type][given] = n;
    }
    return trine_convert_plan_set_type(&w->plan, t, given, err);
}

static trine_status no_memory(const work *w, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to quantize '%s'", w->plan.in);
}

static trine_status set_types(work *w, trine_error *err)
{
    const trine_quantize_options *o = w->options;
    const int n = w->plan.n_tensors;
    trine_place *places = calloc((size_t)n, sizeof *places);
    char **names = calloc((size_t)n, sizeof *names);
    bool *used = calloc((size_t)o->n_tensor_types + 1, sizeof *used);
    trine_status status = places && names && used ? TRINE_OK : no_memory(w, err);
    for (int i = 0; !status && i < n; i++) {
        names[i] = gguf_name(&w->plan, w->plan.tensors[i].to.name);
        if (!names[i]) status = no_memory(w, err);
        if (status) break;
        places[i] = trine_place_of(names[i]);
        w->has_output |= places[i].role == TRINE_ROLE_OUTPUT;
    }
    for (int i = 0; !status && i < n; i++) status = set_type(w, &w->plan.tensors[i], names[i], places, i, used, err);
    for (int i = 0; !status && i < o->n_tensor_types; i++) {
        if (used[i]) continue;
        status =
            trine_fail(err, TRINE_ERROR_ARGUMENT,
                       "quantize: no matrix of '%s' has a name with '%s' (vectors and small tables stay f32; inspect --tensors "
                       "lists all names)",
                       w->plan.in, o->tensor_types[i].pattern);
    }
    for (int i = 0; names && i < n; i++) free(names[i]);
    free(names);
    free(places);
    free(used);
    return status;
}

static bool is_t5(const trine_convert_plan *plan) { return plan->architecture && !strncmp(plan->architecture->gguf, "t5", 2); }

trine_status trine_quantize_types(trine_convert_plan *plan, const trine_mixture *mixture, trine_error *err)
{
    const trine_quantize_options none = { 0 };
    work w = { .plan = *plan, .options = &none, .mixture = mixture, .t5 = is_t5(plan) };
    return set_types(&w, err);
}

/* ---------------------------------------------------------------------------------------------------------- what is said */

/* The quantised type that most bytes of the source have, or 0. */
static trine_dtype source_type(const trine_convert_plan *plan)
{
    size_t bytes[TRINE_DTYPE_COUNT] = { 0 };
    trine_dtype most = TRINE_DTYPE_DEFAULT;
    for (int i = 0; i < plan->n_tensors; i++) {
        const trine_tensor *t = plan->tensors[i].from;
        if (!t || is_plain(t->type)) continue;
        bytes[t->type] += t->bytes;
        if (!most || bytes[t->type] > bytes[most]) most = t->type;
    }
    return most;
}

static void announce(const work *w, const trine_quantize_result *r)
{
    if (r->from_quantised)
        say(w, "'%s' is quantised already (%s): errors of both add up; quantize from f32, f16 or bf16 where there is one",
            w->plan.in, trine_dtype_name(source_type(&w->plan)));
    for (int i = 0; i < TRINE_DTYPE_COUNT; i++) {
        for (int k = 0; k < TRINE_DTYPE_COUNT; k++) {
            if (!w->replaced[i][k]) continue;
            say(w, "%d tensor%s with rows of %lld values, which blocks of %d do not divide: %s in place of %s", w->replaced[i][k],
                w->replaced[i][k] == 1 ? "" : "s", (long long)w->row[i][k], trine_dtype_get((trine_dtype)i)->block,
                trine_dtype_name((trine_dtype)k), trine_dtype_name((trine_dtype)i));
        }
    }
    if (w->n_bf16)
        say(w, "T5: the second matrices of its %d feed-forwards are not quantised, for the states before them are large",
            w->n_bf16);
}

static void count(const work *w, trine_quantize_result *r)
{
    for (int i = 0; i < w->plan.n_tensors; i++) {
        const trine_planned_tensor *t = &w->plan.tensors[i];
        trine_type_share *share = &r->types[t->to.type];
        int64_t n = 1;
        for (int d = 0; d < t->to.n_dims; d++) n *= t->to.shape[d];
        const int64_t before = t->from ? (int64_t)t->from->bytes : (int64_t)t->to.bytes;
        share->n_tensors++;
        share->n_values += n;
        share->bytes_before += before;
        share->bytes += (int64_t)t->to.bytes;
        r->n_values += n;
        r->bytes_before += before;
        r->tensor_bytes += (int64_t)t->to.bytes;
    }
    r->from_quantised = source_type(&w->plan) != TRINE_DTYPE_DEFAULT;
    for (int i = 0; i < TRINE_DTYPE_COUNT; i++)
        for (int k = 0; k < TRINE_DTYPE_COUNT; k++) r->n_replaced += w->replaced[i][k];
}

/* ---------------------------------------------------------------------------------------------------------------- checks */

static trine_status check(work *w, bool to_gguf, trine_error *err)
{
    const trine_quantize_options *o = w->options;
    w->mixture = trine_mixture_find(o->type);
    if (!w->mixture) {
        char list[160] = "";
        for (int i = 0; trine_mixture_name(i); i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", trine_mixture_name(i));
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "quantize: there is no type '%.40s', expected one of %s",
                          o->type ? o->type : "(none)", list);
    }
    if (o->n_tensor_types < 0 || (o->n_tensor_types && !o->tensor_types))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "quantize: n_tensor_types is %d, expected as many as there are",
                          o->n_tensor_types);
    trine_dtype unheld = is_plain(w->mixture->base) ? TRINE_DTYPE_DEFAULT : w->mixture->base;
    for (int i = 0; i < o->n_tensor_types; i++) {
        const trine_tensor_type *c = &o->tensor_types[i];
        const trine_dtype_info *info = trine_dtype_get(c->type);
        if (!c->pattern || !*c->pattern || !info || !info->fit)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "quantize: tensor_types[%d] is '%s' as %s, expected a name and a type", i,
                              c->pattern ? c->pattern : "(none)", info ? info->name : "unknown");
        if (!is_plain(c->type)) unheld = c->type;
    }
    if (unheld && !to_gguf)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "quantize: safetensors has no quantised types such as %s: write a .gguf file, or choose f32, f16 or bf16",
                          trine_dtype_name(unheld));
    return TRINE_OK;
}

trine_status trine_quantize(trine_quantize_result *result, const char *out, const char *in, const trine_quantize_options *options,
                            trine_error *err)
{
    const trine_quantize_options none = { 0 };
    trine_quantize_result unused;
    work w = { .options = options ? options : &none };
    const trine_convert_options convert = { .container = w.options->container,
                                            .shard_bytes = w.options->shard_bytes,
                                            .overwrite = w.options->overwrite,
                                            .on_progress = w.options->on_progress,
                                            .user = w.options->user };
    bool to_gguf = false;
    if (!result) result = &unused;
    *result = (trine_quantize_result) { 0 };
    trine_status status = trine_convert_check(&to_gguf, "quantize", out, in, &convert, err);
    if (!status) status = check(&w, to_gguf, err);
    if (!status) status = trine_convert_plan_make(&w.plan, in, to_gguf, TRINE_DTYPE_DEFAULT, err);
    if (status) return status;
    w.plan.task = "quantize";
    w.plan.by_search = true;
    w.plan.file_type = (int)w.mixture->file_type;
    w.t5 = is_t5(&w.plan);
    w.plan.n_threads = w.options->n_threads;
    status = trine_team_size(&w.plan.n_threads, err);
    if (!status) status = set_types(&w, err);
    if (!status) status = trine_team_open(&w.plan.team, w.plan.n_threads, err);
    trine_quantize_result r = { 0 };
    trine_convert_result written;
    if (!status) {
        count(&w, &r);
        announce(&w, &r);
        status = to_gguf ? trine_convert_to_gguf(&written, out, &w.plan, &convert, err)
                         : trine_convert_to_directory(&written, out, &w.plan, &convert, err);
    }
    if (!status) {
        r.bytes = written.bytes;
        r.n_tensors = written.n_tensors;
        r.n_files = written.n_files;
        *result = r;
    }
    trine_team_close(w.plan.team);
    trine_convert_plan_clear(&w.plan);
    return status;
}

const char *trine_quantize_type(int i) { return trine_mixture_name(i); }
