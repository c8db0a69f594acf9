/* load_weights.c - tensors by name, as the blocks want them. A matrix stays where the file is mapped; what cannot stay (a
 * transposed matrix, a vector that is not f32, data at an address its type cannot be read at) is copied once and its pages are
 * given back. Everything a load takes is in m->copies, so there is one thing to free. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/blank_checkpoint.h"
#include "checkpoint/hollow_checkpoint.h"
#include "models/model.h"

void trine_load_fail(trine_loader *l, trine_status code, const char *format, ...)
{
    if (l->status) return;
    char text[400];
    va_list args;
    va_start(args, format);
    trine_vprint(text, sizeof text, format, args);
    va_end(args);
    l->status = trine_fail(l->err, code, "%s: %s", l->m->family->name, text);
}

/* ------------------------------------------------------------------------------------------------------------ memory */

/* Memory of the model's lifetime, aligned for any kernel. */
static void *take(trine_loader *l, size_t bytes)
{
    if (l->status) return NULL;
    trine_model *m = l->m;
    /* The list doubles when its length is a power of two, so its capacity needs no field. */
    if ((m->n_copies & (m->n_copies - 1)) == 0) {
        void **grown = realloc(m->copies, (size_t)(m->n_copies ? 2 * m->n_copies : 1) * sizeof *grown);
        if (grown)
            m->copies = grown;
        else
            trine_load_fail(l, TRINE_ERROR_MEMORY, "no memory for the list of weights");
    }
    void *memory = NULL;
    if (!l->status && posix_memalign(&memory, 64, trine_round_up(bytes ? bytes : 1, 64))) {
        memory = NULL;
        trine_load_fail(l, TRINE_ERROR_MEMORY, "no memory for %zu bytes of weights", bytes);
    }
    if (memory) m->copies[m->n_copies++] = memory;
    return memory;
}

void *trine_load_alloc(trine_loader *l, size_t n, size_t size)
{
    size_t bytes;
    if (!trine_mul_size(&bytes, n, size) || bytes > PTRDIFF_MAX - 64) {
        trine_load_fail(l, TRINE_ERROR_MEMORY, "%zu x %zu bytes are more than there can be", n, size);
        return NULL;
    }
    void *memory = take(l, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void trine_model_free_copies(trine_model *m)
{
    if (m->packing) trine_packing_free(m->packing);
    m->packing = NULL;
    for (int i = 0; i < m->n_copies; i++) free(m->copies[i]);
    free(m->copies);
    m->copies = NULL;
    m->n_copies = 0;
    m->labels = NULL;
    m->weights = NULL;
}

/* ----------------------------------------------------------------------------------------------------------- finding */

static void count(trine_loader *l, const trine_tensor *t, size_t copied_bytes);

enum { NAME_BYTES = 192 }; /* the longest name of a known family has 80 */

bool trine_load_blank(const trine_loader *l) { return trine_checkpoint_is_blank(l->m->checkpoint); }

bool trine_load_hollow(const trine_loader *l) { return trine_checkpoint_is_hollow(l->m->checkpoint); }

/* The checkpoint's tensor, or the one that an adapter has in its place. */
static const trine_tensor *look_up(const trine_loader *l, const char *name)
{
    const trine_tensor *t = l->m->adapter ? trine_adapter_tensor(l->m->adapter, name) : NULL;
    return t ? t : trine_checkpoint_find(l->m->checkpoint, name);
}

static bool has(const trine_loader *l, const char *format, va_list args)
{
    char name[NAME_BYTES];
    if (l->status) return false;
    vsnprintf(name, NAME_BYTES, format, args);
    return look_up(l, name) != NULL;
}

bool trine_load_has(const trine_loader *l, const char *format, ...)
{
    if (trine_load_blank(l)) return false;
    va_list args;
    va_start(args, format);
    const bool there = has(l, format, args);
    va_end(args);
    return there;
}

bool trine_load_wants(const trine_loader *l, bool written, const char *format, ...)
{
    if (trine_load_blank(l)) return written && !l->status;
    va_list args;
    va_start(args, format);
    const bool there = has(l, format, args);
    va_end(args);
    return there;
}

/* The tensor called `name`, or NULL where the checkpoint has none. A blank one has what is asked for: it is declared, as it would be
 * stored. Sizes below 1 (`any` in a file) must have come from the configuration by then. */
static const trine_tensor *find(trine_loader *l, const char *name, const trine_declaration *d)
{
    if (l->status) return NULL;
    if (!trine_load_blank(l)) return look_up(l, name);
    if (d->shape[0] < 1 || (d->n_dims > 1 && d->shape[1] < 1)) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json does not say how large tensor '%s' is", name);
        return NULL;
    }
    trine_error inner;
    const trine_tensor *t = trine_blank_declare(l->m->checkpoint, name, d, &inner);
    if (!t) trine_load_fail(l, inner.code, "%s", inner.text);
    return t;
}

void trine_load_unused(trine_loader *l, int rows, int cols, const char *format, ...)
{
    if (!trine_load_blank(l)) return;
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const trine_tensor *t = find(l, name, &(trine_declaration) { .n_dims = cols ? 2 : 1, .shape = { rows, cols }, .unused = true });
    if (t) count(l, t, 0);
}

static void shape_text(char out[64], const trine_tensor *t)
{
    size_t n = (size_t)snprintf(out, 64, "[");
    for (int i = 0; i < t->n_dims && n < 60; i++) n += (size_t)snprintf(out + n, 64 - n, "%s%" PRId64, i ? "," : "", t->shape[i]);
    if (n < 62) snprintf(out + n, 64 - n, "]");
}

/* Whether the tensor is [rows, cols] and can be computed with; a negative size takes what is there. */
static bool fits(trine_loader *l, const trine_tensor *t, const char *name, int64_t rows, int64_t cols)
{
    if (l->status) return false;
    if (!t) {
        trine_load_fail(l, TRINE_ERROR_NOT_FOUND, "tensor '%s' is missing from the checkpoint", name);
        return false;
    }
    const bool vector = cols == 1 && t->n_dims == 1;
    if ((t->n_dims != 2 && !vector) || (rows >= 0 && t->shape[0] != rows) || (cols >= 0 && !vector && t->shape[1] != cols) ||
        t->shape[0] < 1 || t->shape[1] < 1 || t->shape[0] > INT_MAX || t->shape[1] > INT_MAX) {
        char have[64], want_rows[24] = "any", want_cols[24] = "any";
        shape_text(have, t);
        if (rows >= 0) snprintf(want_rows, sizeof want_rows, "%" PRId64, rows);
        if (cols >= 0) snprintf(want_cols, sizeof want_cols, "%" PRId64, cols);
        if (cols == 1)
            trine_load_fail(l, TRINE_ERROR_FORMAT, "tensor '%s' has shape %s, expected [%s]", name, have, want_rows);
        else
            trine_load_fail(l, TRINE_ERROR_FORMAT, "tensor '%s' has shape %s, expected [%s,%s]", name, have, want_rows, want_cols);
        return false;
    }
    const trine_dtype_info *type = trine_dtype_get(t->type);
    if (!type || !type->computes || !type->unpack) {
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                        "tensor '%s' has type %s; supported: f32, f16, bf16 and the block types of GGUF", name,
                        type ? type->name : "unknown");
        return false;
    }
    size_t bytes;
    if (t->shape[1] % type->block && !vector) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "tensor '%s' has rows of %" PRId64 " values, which blocks of %d do not divide", name,
                        t->shape[1], type->block);
        return false;
    }
    if (!trine_dtype_bytes(&bytes, t->type, (size_t)t->shape[0] * (size_t)t->shape[1]) || bytes > t->bytes) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "tensor '%s' holds %zu bytes, fewer than its shape takes", name, t->bytes);
        return false;
    }
    return true;
}

/* A tensor that the model uses: its sums. */
static void count(trine_loader *l, const trine_tensor *t, size_t copied_bytes)
{
    l->bytes_of_type[t->type] += t->bytes;
    int64_t *sum = &l->m->info.n_parameters;
    if (__builtin_add_overflow(*sum, t->shape[0] * t->shape[1], sum))
        trine_load_fail(l, TRINE_ERROR_FORMAT, "the parameters of all layers are more than there can be");
    l->m->info.weights_bytes += copied_bytes ? copied_bytes : t->bytes;
    l->m->info.copied_bytes += copied_bytes;
    if (copied_bytes) trine_checkpoint_forget(l->m->checkpoint, t);
}

/* Bytes a pointer to this type must be aligned to: blocks begin with a 16-bit float. */
static size_t alignment(trine_dtype type) { return type == TRINE_F32 ? 4 : 2; }

/* The tensor's data where it lies, or copied when its address does not suit its type. */
static const void *in_place(trine_loader *l, const trine_tensor *t)
{
    if ((uintptr_t)t->data % alignment(t->type) == 0) {
        count(l, t, 0);
        return t->data;
    }
    if (trine_load_hollow(l)) {
        count(l, t, t->bytes);
        return t->data;
    }
    void *copy = take(l, t->bytes);
    if (!copy) return NULL;
    memcpy(copy, t->data, t->bytes);
    count(l, t, t->bytes);
    return copy;
}

/* The tensor's values as f32. */
static const float *as_f32(trine_loader *l, const trine_tensor *t, const char *name)
{
    if (!t) return NULL; /* the loader has failed: fits() said so */
    if (t->type == TRINE_F32) return in_place(l, t);
    const trine_dtype_info *type = trine_dtype_get(t->type);
    const size_t n = (size_t)t->shape[0] * (size_t)t->shape[1];
    if (n % (size_t)type->block) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "tensor '%s' has %zu values, which blocks of %d do not divide", name, n,
                        type->block);
        return NULL;
    }
    if (trine_load_hollow(l)) {
        count(l, t, n * sizeof(float));
        return t->data;
    }
    float *copy = trine_load_alloc(l, n, sizeof *copy);
    if (!copy) return NULL;
    /* unpack reads aligned elements; the file may have them anywhere. */
    if ((uintptr_t)t->data % alignment(t->type) == 0) {
        type->unpack(copy, t->data, n);
    } else {
        void *aligned = malloc(t->bytes);
        if (!aligned) {
            trine_load_fail(l, TRINE_ERROR_MEMORY, "no memory for tensor '%s'", name);
            return NULL;
        }
        memcpy(aligned, t->data, t->bytes);
        type->unpack(copy, aligned, n);
        free(aligned);
    }
    count(l, t, n * sizeof *copy);
    return copy;
}

/* ---------------------------------------------------------------------------------------------------------- by shape */

/* The adapter of a matrix, where there is one. Rows in another order than transformers' would need B's in that order. */
static void adapt(trine_loader *l, trine_weight *w, const char *name)
{
    trine_adapter_module *m = l->m->adapter ? trine_adapter_find(l->m->adapter, name) : NULL;
    if (!m || l->status) return;
    const bool paired =
        trine_read_bool(l, "trine_rope_interleaved", false) && (strstr(name, ".q_proj.") || strstr(name, ".k_proj."));
    if (m->lora.a.cols != w->cols || m->lora.b.rows != w->rows)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "the adapter of '%s' is for [%d,%d], but the model's weight is [%d,%d]", name,
                        m->lora.b.rows, m->lora.a.cols, w->rows, w->cols);
    else if (paired)
        trine_load_fail(
            l, TRINE_ERROR_UNSUPPORTED,
            "the adapter of '%s' is for rows in transformers' order, and this GGUF file has them in pairs: convert it to "
            "a directory first",
            name);
    m->used = true;
    w->lora = &m->lora;
}

static trine_weight matrix(trine_loader *l, int rows, int cols, const char *name)
{
    const trine_tensor *t = find(l, name, &(trine_declaration) { .n_dims = 2, .shape = { rows, cols } });
    if (!fits(l, t, name, rows, cols)) return (trine_weight) { 0 };
    trine_weight w = { .data = in_place(l, t), .type = t->type, .rows = (int)t->shape[0], .cols = (int)t->shape[1] };
    adapt(l, &w, name);
    return w;
}

trine_weight trine_load_matrix(trine_loader *l, int rows, int cols, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return matrix(l, rows, cols, name);
}

static trine_weight turned(trine_loader *l, const void *data, trine_dtype type, int rows, int cols, const char *name)
{
    trine_weight w = { .data = data, .type = type, .rows = rows, .cols = cols };
    adapt(l, &w, name);
    return w;
}

trine_weight trine_load_transposed(trine_loader *l, int rows, int cols, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const trine_tensor *t = find(l, name, &(trine_declaration) { .n_dims = 2, .shape = { cols, rows }, .turned = true });
    if (!fits(l, t, name, cols, rows)) return (trine_weight) { 0 };
    if (trine_load_blank(l)) { /* its data lies turned already */
        count(l, t, 0);
        return turned(l, t->data, t->type, rows, cols, name);
    }
    const trine_dtype_info *type = trine_dtype_get(t->type);
    if (type->block != 1) {
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED, "tensor '%s' is stored transposed as %s; only f32, f16 and bf16 can be turned",
                        name, type->name);
        return (trine_weight) { 0 };
    }
    if (trine_load_hollow(l)) {
        count(l, t, t->bytes);
        return turned(l, t->data, t->type, rows, cols, name);
    }
    const size_t size = (size_t)type->block_bytes;
    unsigned char *copy = take(l, t->bytes);
    if (!copy) return (trine_weight) { 0 };
    const unsigned char *in = t->data;
    for (size_t r = 0; r < (size_t)rows; r++)
        for (size_t c = 0; c < (size_t)cols; c++)
            memcpy(copy + (r * (size_t)cols + c) * size, in + (c * (size_t)rows + r) * size, size);
    count(l, t, t->bytes);
    return turned(l, copy, t->type, rows, cols, name);
}

static const float *vector(trine_loader *l, int n, const char *name)
{
    const trine_tensor *t = find(l, name, &(trine_declaration) { .n_dims = 1, .shape = { n } });
    return fits(l, t, name, n, 1) ? as_f32(l, t, name) : NULL;
}

const float *trine_load_vector(trine_loader *l, int n, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return vector(l, n, name);
}

const float *trine_load_table(trine_loader *l, int rows, int cols, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const trine_tensor *t = find(l, name, &(trine_declaration) { .n_dims = 2, .shape = { rows, cols } });
    return fits(l, t, name, rows, cols) ? as_f32(l, t, name) : NULL;
}

trine_weight trine_load_linear(trine_loader *l, int rows, int cols, trine_bias bias, const char *format, ...)
{
    char base[NAME_BYTES], name[NAME_BYTES + 8];
    va_list args;
    va_start(args, format);
    vsnprintf(base, sizeof base, format, args);
    va_end(args);
    snprintf(name, sizeof name, "%s.weight", base);
    trine_weight w = matrix(l, rows, cols, name);
    if (bias == TRINE_BIAS_NONE || l->status) return w;
    snprintf(name, sizeof name, "%s.bias", base);
    if (bias == TRINE_BIAS_REQUIRED || trine_load_has(l, "%s", name)) w.bias = vector(l, w.rows, name);
    return w;
}

/* An output layer is computed with the loss, by the weight alone. */
static trine_weight unadapted(trine_loader *l, const trine_weight *embedding, const char *name)
{
    const trine_weight w = matrix(l, embedding->rows, embedding->cols, name);
    if (w.lora)
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED, "the adapter has '%s'; supported: linear layers of attention and feed-forward",
                        name);
    return w;
}

trine_weight trine_load_labels(trine_loader *l, trine_bias bias, const char *name)
{
    const trine_weight w = trine_load_linear(l, trine_read_n_labels(l), l->m->info.d_model, bias, "%s", name);
    trine_read_labels(l, w.rows);
    return w;
}

trine_weight trine_load_output(trine_loader *l, const trine_weight *embedding, bool tied_when_silent, const char *name)
{
    if (l->status) return (trine_weight) { 0 };
    if (trine_load_blank(l)) {
        l->m->info.tied = trine_read_bool(l, "tie_word_embeddings", tied_when_silent);
        return l->m->info.tied ? *embedding : unadapted(l, embedding, name);
    }
    const trine_tensor *t = look_up(l, name);
    size_t bytes = 0;
    trine_dtype_bytes(&bytes, embedding->type, (size_t)embedding->rows * (size_t)embedding->cols);
    l->m->info.tied = !t || t->data == embedding->data ||
                      (trine_read_bool(l, "tie_word_embeddings", false) && t->type == embedding->type && t->bytes == bytes &&
                       trine_checkpoint_same(l->m->checkpoint, t->data, embedding->data, bytes));
    return l->m->info.tied ? *embedding : unadapted(l, embedding, name);
}

trine_weight trine_weight_rows(const trine_weight *w, int first, int n)
{
    size_t skip = 0;
    if (w->data) trine_dtype_bytes(&skip, w->type, (size_t)first * (size_t)w->cols);
    return (trine_weight) { .data = w->data ? (const unsigned char *)w->data + skip : NULL,
                            .type = w->type,
                            .rows = n,
                            .cols = w->cols,
                            .bias = w->bias ? w->bias + first : NULL,
                            .lora = w->lora,
                            .lora_first = w->lora_first + first };
}

void trine_load_packs(trine_loader *l, trine_weight *w)
{
    trine_packed place = { .data = w->data, .rows = w->rows, .cols = w->cols };
    if (!w->data || w->type != TRINE_F32 || trine_load_blank(l)) return;
    /* What was copied, or is an adapter's, would be in memory twice. */
    const bool lies = trine_load_hollow(l) ? (uintptr_t)w->data % alignment(TRINE_F32) == 0
                                           : trine_checkpoint_place(l->m->checkpoint, w->data, &place.file, &place.offset);
    if (!lies) return;
    if (!l->m->packing) l->m->packing = trine_load_alloc(l, 1, sizeof *l->m->packing);
    trine_packed *packed = trine_load_alloc(l, 1, sizeof *packed);
    if (!packed) return;
    place.next = l->m->packing->first;
    *packed = place;
    l->m->packing->first = packed;
    w->packed = packed;
}

/* ------------------------------------------------------------------------------------------------------ begin and end */

trine_loader trine_load_begin(trine_model *m, trine_error *err)
{
    m->info.family = m->family->name;
    m->info.paradigm = m->family->paradigm;
    m->info.container = trine_checkpoint_container(m->checkpoint);
    m->info.bos = m->info.eos = m->info.pad = m->info.decoder_start = -1;
    trine_loader l = { .m = m, .config = trine_checkpoint_config(m->checkpoint), .err = err };
    trine_refuse_config(&l);
    return l;
}

trine_status trine_load_end(trine_loader *l)
{
    if (l->status) {
        if (l->m->family->unload) l->m->family->unload(l->m);
        return l->status;
    }
    trine_dtype most = TRINE_F32;
    for (int type = 0; type < TRINE_DTYPE_COUNT; type++)
        if (l->bytes_of_type[type] > l->bytes_of_type[most]) most = (trine_dtype)type;
    l->m->info.weights_type = most;
    if (!l->m->info.d_embedding) l->m->info.d_embedding = l->m->info.d_model;
    return TRINE_OK;
}
