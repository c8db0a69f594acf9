/* safetensors.c - reading one .safetensors file.
 *
 *     u64 n | n bytes of JSON {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {..}} | data
 *
 * Offsets count from the start of the data. The format's rules are enforced: every byte of the data belongs to exactly one
 * tensor, so a file that passes can hide nothing and be read nowhere outside itself. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/json_file.h"
#include "quant/quant.h"

enum { MOST_HEADER_BYTES = 100000000 }; /* the limit of the reference implementation */

typedef struct entry {
    trine_tensor tensor;
    uint64_t begin, end;
} entry;

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static trine_status read_shape(trine_tensor *t, size_t *n, const json_t *shape, const char *path, trine_error *err)
{
    if (!json_is_array(shape)) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': tensor '%s' has no shape", path, t->name);
    if (json_array_size(shape) > 4)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': tensor '%s' has %zu dimensions, supported are up to 4", path,
                          t->name, json_array_size(shape));
    t->n_dims = (int)json_array_size(shape);
    *n = 1;
    for (int d = 0; d < 4; d++) {
        t->shape[d] = 1;
        if (d >= t->n_dims) continue;
        const json_t *value = json_array_get(shape, (size_t)d);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': dimension %d of tensor '%s' is not a count", path, d, t->name);
        t->shape[d] = json_integer_value(value);
        if (!trine_mul_size(n, *n, (size_t)t->shape[d]))
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the shape of tensor '%s' is larger than any file", path, t->name);
    }
    return TRINE_OK;
}

/* `hollow`: the data need not be in the file. */
static trine_status read_entry(entry *out, const char *name, const json_t *json, const trine_mapping *file, size_t data_start,
                               bool hollow, const char *path, trine_error *err)
{
    trine_tensor *t = &out->tensor;
    *out = (entry) { .tensor.name = name };
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    if (!dtype) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': tensor '%s' has no dtype", path, name);
    t->type = trine_dtype_from_safetensors(dtype);
    if (!t->type)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "'%s': tensor '%s' has type %s, supported are F32, F16, BF16 (and I8 to I64, U8, F64, BOOL)", path, name,
                          dtype);
    size_t n = 0;
    const trine_status status = read_shape(t, &n, json_object_get(json, "shape"), path, err);
    if (status) return status;

    const json_t *offsets = json_object_get(json, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': tensor '%s' has no pair of data_offsets", path, name);
    const json_int_t b = json_integer_value(begin), e = json_integer_value(end);
    const size_t data_bytes = file->size - data_start;
    if (b < 0 || e < b || (!hollow && (uint64_t)e > data_bytes))
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s': tensor '%s' lies at %" PRId64 " to %" PRId64
                          ", outside the %zu bytes of data: the file is cut or damaged",
                          path, name, (int64_t)b, (int64_t)e, data_bytes);
    if (!trine_dtype_bytes(&t->bytes, t->type, n) || t->bytes != (uint64_t)(e - b))
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s': tensor '%s' has %" PRId64 " bytes, its type %s and shape (%zu values) need another number", path,
                          name, (int64_t)(e - b), dtype, n);
    out->begin = (uint64_t)b;
    out->end = (uint64_t)e;
    if (hollow && (uint64_t)e > data_bytes)
        t->data = (const void *)(uintptr_t)((data_start + (size_t)b) % 64); /* what it would be aligned to */
    else
        t->data = file->data + data_start + b;
    return TRINE_OK;
}

/* Reads the header at data + 8 .. data_start. */
static trine_status read_header(json_t **out, const trine_mapping *file, size_t *data_start, const char *path, trine_error *err)
{
    uint64_t n = 0;
    if (file->size < 8)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' has %zu bytes, too few for a safetensors file", path, file->size);
    for (int i = 7; i >= 0; i--) n = n << 8 | file->data[i];
    if (n > MOST_HEADER_BYTES || n > file->size - 8)
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s': a header of %" PRIu64 " bytes does not fit a file of %zu: it is cut, or not safetensors", path, n,
                          file->size);
    json_error_t why;
    *out = json_loadb((const char *)file->data + 8, (size_t)n, JSON_REJECT_DUPLICATES, &why);
    if (!*out) {
        if (trine_json_no_memory(&why)) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read the header of '%s'", path);
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the header is not valid JSON: %s", path, why.text);
    }
    if (!json_is_object(*out)) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the header is not a JSON object", path);
    *data_start = 8 + (size_t)n;
    return TRINE_OK;
}

/* No holes and no overlaps: each tensor starts where the one before it ended, and the last ends with the file, or with what of it
 * is there. */
static trine_status check_places(const entry *entries, size_t n, size_t data_bytes, bool hollow, const char *path, trine_error *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].begin < at)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': tensor '%s' overlaps tensor '%s'", path, entries[i].tensor.name,
                              entries[i - 1].tensor.name);
        if (entries[i].begin > at)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': %" PRIu64 " bytes before tensor '%s' belong to no tensor", path,
                              entries[i].begin - at, entries[i].tensor.name);
        at = entries[i].end;
    }
    if (hollow ? at < data_bytes : at != data_bytes)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': its tensors end at byte %" PRIu64 " of %zu bytes of data", path, at,
                          data_bytes);
    return TRINE_OK;
}

trine_status trine_safetensors_read(trine_checkpoint *c, const char *path, trine_error *err)
{
    trine_mapping *files = realloc(c->files, ((size_t)c->n_files + 1) * sizeof *files);
    if (!files) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    c->files = files;
    trine_mapping *file = &files[c->n_files];
    trine_status status = trine_mapping_open(file, path, err);
    if (status) return status;
    c->n_files++; /* closed with the checkpoint from here on */

    json_t *header = NULL;
    entry *entries = NULL;
    size_t data_start = 0, n = 0;
    status = read_header(&header, file, &data_start, path, err);
    if (!status && json_object_size(header)) {
        entries = calloc(json_object_size(header), sizeof *entries);
        if (!entries)
            status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the %zu tensors of '%s'", json_object_size(header), path);
    }
    if (!status && entries) {
        const char *name;
        json_t *value;
        json_object_foreach(header, name, value)
        {
            if (!strcmp(name, "__metadata__")) continue;
            status = read_entry(&entries[n++], name, value, file, data_start, c->hollow, path, err);
            if (status) break;
        }
    }
    if (!status && n) qsort(entries, n, sizeof *entries, by_place);
    if (!status) status = check_places(entries, n, file->size - data_start, c->hollow, path, err);
    for (size_t i = 0; !status && i < n; i++) status = trine_checkpoint_add(c, &entries[i].tensor, err);
    free(entries);
    json_decref(header);
    return status;
}
