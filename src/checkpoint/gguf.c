/* gguf.c - reading the GGUF container, little-endian, versions 2 and 3.
 *
 *     "GGUF" u32 version u64 n_tensors u64 n_pairs | pairs: string key, u32 kind, value
 *     | tensors: string name, u32 n_dims, u64 dims (innermost first), u32 type, u64 offset | padding | data
 *
 * A string is u64 length and bytes; an array is u32 kind, u64 length and elements. Nothing is believed: each count is compared
 * with what the rest of the file could hold before memory is taken for it. */
#include "checkpoint/gguf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "quant/quant.h"

typedef enum value_kind { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, N_KINDS } value_kind;
static const unsigned char kind_bytes[N_KINDS] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

typedef struct pair {
    trine_gguf_string key;
    value_kind kind; /* of the value, or of an array's elements */
    bool is_array;
    size_t n;       /* elements; 1 for a plain value */
    size_t at;      /* where the value, or the first element, lies in the file */
    size_t end;     /* where the pair ends */
    size_t *starts; /* [n] of a string array: where each lies; owned */
} pair;

struct trine_gguf {
    trine_mapping file;
    pair *pairs; /* sorted by key */
    size_t n_pairs;
    trine_gguf_tensor *tensors; /* names owned */
    size_t n_tensors;
};

/* ------------------------------------------------------------------------------------------------------------ reading */

typedef struct cursor {
    const unsigned char *data;
    size_t size, at;
} cursor;

static uint64_t load(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    if (n == 8) return load(p, 4) | load(p + 4, 4) << 32; /* lengths: the compiler makes one load of each half */
    if (n == 4) return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
    while (n) v = v << 8 | p[--n];
    return v;
}

static bool take(uint64_t *out, cursor *c, size_t n)
{
    if (c->size - c->at < n) return false;
    *out = load(c->data + c->at, n);
    c->at += n;
    return true;
}

static bool take_string(trine_gguf_string *out, cursor *c)
{
    uint64_t n;
    if (!take(&n, c, 8) || n > c->size - c->at) return false;
    *out = (trine_gguf_string) { (const char *)c->data + c->at, (size_t)n };
    c->at += (size_t)n;
    return true;
}

static trine_status is_cut(trine_error *err, const char *path, const char *where)
{
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' ends, or lies about a length, in %s: it is cut or damaged", path, where);
}

static int printed(const trine_gguf_string *s) { return s->n > 80 ? 80 : (int)s->n; }

/* The value after a key and its kind: its place is noted, its content stays where it is. */
static trine_status read_value(pair *p, cursor *c, uint64_t kind, const char *path, trine_error *err)
{
    uint64_t n = 1;
    if (kind == ARRAY) {
        p->is_array = true;
        if (!take(&kind, c, 4) || !take(&n, c, 8)) return is_cut(err, path, "its metadata");
        if (kind == ARRAY)
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': '%.*s' is an array of arrays, which is not supported", path,
                              printed(&p->key), p->key.data);
    }
    if (kind >= N_KINDS)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%.*s' has value kind %" PRIu64 ", expected 0 to 12", path,
                          printed(&p->key), p->key.data, kind);
    p->kind = (value_kind)kind;
    const size_t left = c->size - c->at, each = kind == STRING ? 8 : kind_bytes[kind];
    if (n > left / each)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%.*s' has %" PRIu64 " elements, more than the file holds", path,
                          printed(&p->key), p->key.data, n);
    p->n = (size_t)n;
    p->at = c->at;
    if (kind != STRING) {
        c->at += p->n * each;
        return TRINE_OK;
    }
    if (p->is_array && p->n && !(p->starts = malloc(p->n * sizeof *p->starts)))
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for an index of %zu strings of '%s'", p->n, path);
    for (size_t i = 0; i < p->n; i++) {
        trine_gguf_string s;
        if (p->starts) p->starts[i] = c->at;
        if (!take_string(&s, c)) return is_cut(err, path, "a string of its metadata");
    }
    return TRINE_OK;
}

static int compare_keys(const trine_gguf_string *a, const trine_gguf_string *b)
{
    const int order = memcmp(a->data, b->data, a->n < b->n ? a->n : b->n);
    return order ? order : a->n < b->n ? -1 : a->n > b->n;
}
static int by_key(const void *a, const void *b) { return compare_keys(&((const pair *)a)->key, &((const pair *)b)->key); }

static trine_status read_pairs(trine_gguf *g, cursor *c, uint64_t n, const char *path, trine_error *err)
{
    enum { LEAST_BYTES = 8 + 4 + 1 };
    if (n > (c->size - c->at) / LEAST_BYTES)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' claims %" PRIu64 " metadata entries, more than the file holds", path, n);
    if (n && !(g->pairs = calloc((size_t)n, sizeof *g->pairs)))
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the %" PRIu64 " metadata entries of '%s'", n, path);
    while (g->n_pairs < n) {
        pair *p = &g->pairs[g->n_pairs++];
        uint64_t kind;
        if (!take_string(&p->key, c) || !take(&kind, c, 4)) return is_cut(err, path, "its metadata");
        const trine_status status = read_value(p, c, kind, path, err);
        if (status) return status;
        p->end = c->at;
    }
    if (n) qsort(g->pairs, (size_t)n, sizeof *g->pairs, by_key);
    for (size_t i = 1; i < n; i++) {
        const trine_gguf_string *key = &g->pairs[i].key;
        if (!compare_keys(&g->pairs[i - 1].key, key))
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' holds the metadata key '%.*s' twice", path, printed(key), key->data);
    }
    return TRINE_OK;
}

/* Names of types that are not supported, for the message only. */
static const char *type_name(uint64_t number)
{
    static const char *const names[] = {
        [9] = "Q8_1",     [10] = "Q2_K",  [11] = "Q3_K",   [15] = "Q8_K",  [16] = "IQ2_XXS", [17] = "IQ2_XS",
        [18] = "IQ3_XXS", [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S", [22] = "IQ2_S",   [23] = "IQ4_XS",
        [29] = "IQ1_M",   [34] = "TQ1_0", [35] = "TQ2_0",  [39] = "MXFP4", [40] = "NVFP4"
    };
    return number < sizeof names / sizeof *names && names[number] ? names[number] : "unknown";
}

/* One tensor's entry; `offset` is returned apart, as the data's start is not known yet. */
static trine_status read_tensor(trine_gguf_tensor *t, uint64_t *offset, cursor *c, const char *path, trine_error *err)
{
    enum { LONGEST_NAME = 1024 };
    trine_gguf_string name;
    uint64_t n_dims, type, dims[4];
    if (!take_string(&name, c)) return is_cut(err, path, "its tensor table");
    if (!name.n || name.n > LONGEST_NAME || memchr(name.data, 0, name.n))
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s' has a tensor whose name is %zu bytes long or holds a zero, expected 1 to %d", path, name.n,
                          LONGEST_NAME);
    t->name = strndup(name.data, name.n);
    if (!t->name) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a tensor's name");
    if (!take(&n_dims, c, 4)) return is_cut(err, path, "its tensor table");
    if (n_dims > 4)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': tensor '%s' has %" PRIu64 " dimensions, supported are up to 4", path,
                          t->name, n_dims);
    t->n_dims = (int)n_dims;
    size_t n = 1;
    for (int d = 0; d < t->n_dims; d++) {
        if (!take(&dims[d], c, 8)) return is_cut(err, path, "its tensor table");
        if (!dims[d] || dims[d] > INT64_MAX || !trine_mul_size(&n, n, (size_t)dims[d]))
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': dimension %d of tensor '%s' is %" PRIu64 ", which no file can hold",
                              path, d, t->name, dims[d]);
    }
    for (int d = 0; d < 4; d++) t->shape[d] = d < t->n_dims ? (int64_t)dims[t->n_dims - 1 - d] : 1;
    if (!take(&type, c, 4) || !take(offset, c, 8)) return is_cut(err, path, "its tensor table");
    t->type = type <= INT32_MAX ? trine_dtype_from_gguf((int)type) : TRINE_DTYPE_DEFAULT;
    if (!t->type)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "'%s': tensor '%s' has type %s (%" PRIu64
                          "); supported are F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K",
                          path, t->name, type_name(type), type);
    const int block = trine_dtype_get(t->type)->block;
    if ((t->n_dims ? dims[0] : 1) % (uint64_t)block || !trine_dtype_bytes(&t->bytes, t->type, n))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': rows of tensor '%s' are %" PRIu64 " long, but %s comes in blocks of %d",
                          path, t->name, t->n_dims ? dims[0] : 1, trine_dtype_name(t->type), block);
    return TRINE_OK;
}

typedef struct place {
    uint64_t offset, bytes;
    const char *name;
} place;

static int by_offset(const void *a, const void *b)
{
    const uint64_t x = ((const place *)a)->offset, y = ((const place *)b)->offset;
    return x < y ? -1 : x > y;
}

/* Padding between tensors is fine, sharing of bytes is not. */
static trine_status check_places(place *places, size_t n, const char *path, trine_error *err)
{
    if (n) qsort(places, n, sizeof *places, by_offset);
    for (size_t i = 1; i < n; i++) {
        if (places[i - 1].bytes > places[i].offset - places[i - 1].offset)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': tensor '%s' overlaps tensor '%s'", path, places[i].name,
                              places[i - 1].name);
    }
    return TRINE_OK;
}

static trine_status read_tensors(trine_gguf *g, cursor *c, uint64_t n, bool head, const char *path, trine_error *err)
{
    enum { LEAST_BYTES = 8 + 4 + 4 + 8, MOST_ALIGNMENT = 1 << 20 };
    if (n > (c->size - c->at) / LEAST_BYTES || n > INT32_MAX)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' claims %" PRIu64 " tensors, more than the file holds", path, n);
    int64_t alignment = 32;
    if (trine_gguf_get_int(&alignment, g, "general.alignment") &&
        (alignment < 1 || alignment > MOST_ALIGNMENT || (alignment & (alignment - 1))))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': general.alignment is %" PRId64 ", expected a power of two up to %d", path,
                          alignment, MOST_ALIGNMENT);
    if (!n) return TRINE_OK; /* a vocabulary alone */
    place *places = calloc((size_t)n, sizeof *places);
    g->tensors = calloc((size_t)n, sizeof *g->tensors);
    trine_status status = TRINE_OK;
    if (!places || !g->tensors)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the %" PRIu64 " tensors of '%s'", n, path);
    while (!status && g->n_tensors < n) {
        const size_t i = g->n_tensors++;
        status = read_tensor(&g->tensors[i], &places[i].offset, c, path, err);
        places[i].bytes = g->tensors[i].bytes;
        places[i].name = g->tensors[i].name;
    }
    const size_t start = trine_round_up(c->at, (size_t)alignment), room = start < c->size ? c->size - start : 0;
    for (size_t i = 0; !status && i < n; i++) {
        trine_gguf_tensor *t = &g->tensors[i];
        if (places[i].offset % (uint64_t)alignment)
            status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s': tensor '%s' is not aligned to %" PRId64 " bytes", path, t->name,
                                alignment);
        else if (places[i].offset <= room && t->bytes <= room - places[i].offset)
            t->data = g->file.data + start + places[i].offset;
        else if (head)
            t->data = (const void *)(uintptr_t)((start + (size_t)places[i].offset) % 64); /* what it would be aligned to */
        else
            status = trine_fail(err, TRINE_ERROR_FORMAT,
                                "'%s': tensor '%s' needs %zu bytes at %" PRIu64
                                " of the data, which has %zu: the file is cut or damaged",
                                path, t->name, t->bytes, places[i].offset, room);
    }
    if (!status) status = check_places(places, (size_t)n, path, err);
    free(places);
    return status;
}

static trine_status read_file(trine_gguf *g, bool head, const char *path, trine_error *err)
{
    cursor c = { g->file.data, g->file.size, 4 };
    uint64_t version, n_tensors, n_pairs;
    if (g->file.size < 4 || memcmp(g->file.data, "GGUF", 4))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is no GGUF file: it does not start with \"GGUF\"", path);
    if (!take(&version, &c, 4)) return is_cut(err, path, "its header");
    if (version && !(version & 0xFFFF))
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' is a big-endian GGUF file; only little-endian ones are supported",
                          path);
    if (version != 2 && version != 3)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' has GGUF version %" PRIu64 ", supported are 2 and 3", path, version);
    if (!take(&n_tensors, &c, 8) || !take(&n_pairs, &c, 8)) return is_cut(err, path, "its header");
    const trine_status status = read_pairs(g, &c, n_pairs, path, err);
    return status ? status : read_tensors(g, &c, n_tensors, head, path, err);
}

static trine_status open_file(trine_gguf **out, const char *path, bool head, trine_error *err)
{
    *out = NULL;
    trine_gguf *g = calloc(1, sizeof *g);
    if (!g) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    trine_status status = trine_mapping_open(&g->file, path, err);
    if (!status) status = read_file(g, head, path, err);
    if (status) {
        trine_gguf_close(g);
        return status;
    }
    *out = g;
    return TRINE_OK;
}

trine_status trine_gguf_open(trine_gguf **out, const char *path, trine_error *err) { return open_file(out, path, false, err); }

trine_status trine_gguf_open_head(trine_gguf **out, const char *path, trine_error *err) { return open_file(out, path, true, err); }

void trine_gguf_close(trine_gguf *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->n_pairs; i++) free(g->pairs[i].starts);
    for (size_t i = 0; i < g->n_tensors; i++) free((void *)(uintptr_t)g->tensors[i].name);
    free(g->pairs);
    free(g->tensors);
    trine_mapping_close(&g->file);
    free(g);
}

/* ----------------------------------------------------------------------------------------------------------- metadata */

static const pair *find(const trine_gguf *g, const char *key)
{
    const pair wanted = { .key = { key, strlen(key) } };
    return g->n_pairs ? bsearch(&wanted, g->pairs, g->n_pairs, sizeof wanted, by_key) : NULL;
}

static const pair *find_plain(const trine_gguf *g, const char *key)
{
    const pair *p = find(g, key);
    return p && !p->is_array ? p : NULL;
}

static const pair *find_element(const trine_gguf *g, const char *key, size_t i)
{
    const pair *p = find(g, key);
    return p && p->is_array && i < p->n ? p : NULL;
}

static bool int_at(int64_t *out, const trine_gguf *g, const pair *p, size_t i)
{
    const size_t n = kind_bytes[p->kind];
    if (!n || p->kind == F32 || p->kind == F64) return false;
    const uint64_t v = load(g->file.data + p->at + i * n, n);
    switch (p->kind) {
    case I8: *out = (int8_t)v; break;
    case I16: *out = (int16_t)v; break;
    case I32: *out = (int32_t)v; break;
    case BOOL: *out = v != 0; break;
    case U64:
        if (v > INT64_MAX) return false;
        *out = (int64_t)v;
        break;
    default: *out = (int64_t)v;
    }
    return true;
}

static bool float_at(double *out, const trine_gguf *g, const pair *p, size_t i)
{
    const unsigned char *at = g->file.data + p->at + i * kind_bytes[p->kind];
    if (p->kind == F32) {
        float f;
        memcpy(&f, at, sizeof f);
        *out = (double)f;
    } else if (p->kind == F64)
        memcpy(out, at, sizeof *out);
    else
        return false;
    return true;
}

static bool string_at(trine_gguf_string *out, const trine_gguf *g, const pair *p, size_t i)
{
    if (p->kind != STRING) return false;
    cursor c = { g->file.data, g->file.size, p->starts ? p->starts[i] : p->at };
    return take_string(out, &c);
}

bool trine_gguf_get_string(trine_gguf_string *out, const trine_gguf *g, const char *key)
{
    const pair *p = find_plain(g, key);
    return p && string_at(out, g, p, 0);
}

bool trine_gguf_get_int(int64_t *out, const trine_gguf *g, const char *key)
{
    const pair *p = find_plain(g, key);
    return p && int_at(out, g, p, 0);
}

bool trine_gguf_get_float(double *out, const trine_gguf *g, const char *key)
{
    const pair *p = find_plain(g, key);
    return p && float_at(out, g, p, 0);
}

bool trine_gguf_get_array(size_t *n, const trine_gguf *g, const char *key)
{
    const pair *p = find(g, key);
    if (!p || !p->is_array) return false;
    *n = p->n;
    return true;
}

bool trine_gguf_array_string(trine_gguf_string *out, const trine_gguf *g, const char *key, size_t i)
{
    const pair *p = find_element(g, key, i);
    return p && string_at(out, g, p, i);
}

bool trine_gguf_array_int(int64_t *out, const trine_gguf *g, const char *key, size_t i)
{
    const pair *p = find_element(g, key, i);
    return p && int_at(out, g, p, i);
}

bool trine_gguf_array_float(double *out, const trine_gguf *g, const char *key, size_t i)
{
    const pair *p = find_element(g, key, i);
    return p && float_at(out, g, p, i);
}

#define ALL_ELEMENTS(name, type, element_at)                                                                                       \
    bool name(type *out, const trine_gguf *g, const char *key)                                                                     \
    {                                                                                                                              \
        const pair *p = find_element(g, key, 0);                                                                                   \
        for (size_t i = 0; p && i < p->n; i++)                                                                                     \
            if (!element_at(&out[i], g, p, i)) return false;                                                                       \
        return p != NULL;                                                                                                          \
    }
ALL_ELEMENTS(trine_gguf_all_strings, trine_gguf_string, string_at)
ALL_ELEMENTS(trine_gguf_all_ints, int64_t, int_at)
ALL_ELEMENTS(trine_gguf_all_floats, double, float_at)

bool trine_gguf_pair_at(trine_gguf_string *key, trine_gguf_string *bytes, const trine_gguf *g, size_t i)
{
    if (i >= g->n_pairs) return false;
    *key = g->pairs[i].key;
    const char *start = key->data - 8; /* the key's length comes first */
    *bytes = (trine_gguf_string) { start, (size_t)((const char *)g->file.data + g->pairs[i].end - start) };
    return true;
}

int trine_gguf_n_tensors(const trine_gguf *g) { return (int)g->n_tensors; }
const trine_gguf_tensor *trine_gguf_tensor_at(const trine_gguf *g, int i)
{
    return i >= 0 && (size_t)i < g->n_tensors ? &g->tensors[i] : NULL;
}
const trine_mapping *trine_gguf_mapping(const trine_gguf *g) { return &g->file; }
