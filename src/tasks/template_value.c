/* template_value.c - the pool of a render and the values in it: making, comparing, iterating. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/size.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tasks/template.h"

/* ------------------------------------------------------------------------------------------------------------ the pool */

struct tpl_block {
    struct tpl_block *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

enum { BLOCK_BYTES = 16 * 1024 };

void trine_tpl_open(tpl *t) { *t = (tpl) { .line = 1 }; }

void trine_tpl_close(tpl *t)
{
    while (t->blocks) {
        struct tpl_block *next = t->blocks->next;
        free(t->blocks);
        t->blocks = next;
    }
}

tpl_value trine_tpl_fail(tpl *t, trine_status code, const char *format, ...)
{
    if (t->failed) return trine_tpl_undefined(NULL);
    char text[sizeof t->error.text];
    va_list args;
    va_start(args, format);
    trine_vprint(text, sizeof text, format, args);
    va_end(args);
    t->failed = code;
    trine_fail(&t->error, code, "chat template, line %d: %s", t->line, text);
    return trine_tpl_undefined(NULL);
}

void *trine_tpl_alloc(tpl *t, size_t bytes)
{
    if (t->failed) return NULL;
    size_t need;
    if (!trine_add_size(&need, bytes, 15) || need > TPL_MEMORY_MAX || t->used + need > TPL_MEMORY_MAX) {
        trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "it makes more than %zu MiB of values", TPL_MEMORY_MAX >> 20);
        return NULL;
    }
    need = trine_round_up(bytes ? bytes : 1, 16);
    struct tpl_block *b = t->blocks;
    if (!b || b->size - b->used < need) {
        const size_t size = need > BLOCK_BYTES / 4 ? need : BLOCK_BYTES;
        struct tpl_block *fresh = malloc(sizeof *fresh + size);
        if (!fresh) {
            trine_tpl_fail(t, TRINE_ERROR_MEMORY, "memory ran out");
            return NULL;
        }
        *fresh = (struct tpl_block) { .size = size };
        /* A large value gets a block of its own behind the newest, so that the newest stays open for small ones. */
        if (b && size == need) {
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            t->blocks = fresh;
        }
        b = fresh;
    }
    void *p = b->data + b->used;
    b->used += need;
    t->used += need;
    return memset(p, 0, need);
}

bool trine_tpl_enter(tpl *t)
{
    if (t->failed) return false;
    if (t->depth >= TPL_DEPTH_MAX) {
        trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "it nests deeper than %d levels", TPL_DEPTH_MAX);
        return false;
    }
    t->depth++;
    return true;
}

void trine_tpl_leave(tpl *t) { t->depth--; }

/* -------------------------------------------------------------------------------------------------------- making values */

tpl_value trine_tpl_undefined(const char *name)
{
    return (tpl_value) { .kind = TPL_UNDEFINED, .as.string = { name ? name : "", name ? strlen(name) : 0 } };
}
tpl_value trine_tpl_none(void) { return (tpl_value) { .kind = TPL_NONE }; }
tpl_value trine_tpl_bool(bool b) { return (tpl_value) { .kind = TPL_BOOL, .as.boolean = b }; }
tpl_value trine_tpl_int(int64_t i) { return (tpl_value) { .kind = TPL_INT, .as.integer = i }; }
tpl_value trine_tpl_real(double d) { return (tpl_value) { .kind = TPL_FLOAT, .as.real = d }; }
tpl_value trine_tpl_borrow(const char *s, size_t n) { return (tpl_value) { .kind = TPL_STRING, .as.string = { s, n } }; }
tpl_value trine_tpl_text(const char *s) { return trine_tpl_borrow(s, strlen(s)); }

tpl_value trine_tpl_copy(tpl *t, const char *s, size_t n)
{
    char *copy = trine_tpl_alloc(t, n + 1);
    if (!copy) return trine_tpl_undefined(NULL);
    if (n) memcpy(copy, s, n);
    return trine_tpl_borrow(copy, n);
}

tpl_value trine_tpl_take(tpl *t, trine_buffer *b)
{
    if (b->failed) trine_tpl_fail(t, TRINE_ERROR_MEMORY, "memory ran out");
    const tpl_value v = trine_tpl_copy(t, b->data, b->n);
    trine_buffer_clear(b);
    return v;
}

tpl_value trine_tpl_list(tpl *t, size_t cap)
{
    tpl_list *list = trine_tpl_alloc(t, sizeof *list);
    if (!list) return trine_tpl_undefined(NULL);
    list->items = cap ? trine_tpl_alloc(t, cap * sizeof *list->items) : NULL;
    list->cap = list->items ? cap : 0;
    return (tpl_value) { .kind = TPL_LIST, .as.list = list };
}

tpl_value trine_tpl_dict(tpl *t, size_t cap)
{
    tpl_dict *dict = trine_tpl_alloc(t, sizeof *dict);
    if (!dict) return trine_tpl_undefined(NULL);
    if (cap) {
        dict->keys = trine_tpl_alloc(t, cap * sizeof *dict->keys);
        dict->values = trine_tpl_alloc(t, cap * sizeof *dict->values);
        dict->cap = dict->keys && dict->values ? cap : 0;
    }
    return (tpl_value) { .kind = TPL_DICT, .as.dict = dict };
}

/* Doubles `items` in the pool; the old ones stay until the render ends. */
static tpl_value *grow(tpl *t, tpl_value *items, size_t n, size_t cap)
{
    tpl_value *more = trine_tpl_alloc(t, cap * sizeof *more);
    if (more && n) memcpy(more, items, n * sizeof *more);
    return more;
}

void trine_tpl_push(tpl *t, tpl_value v, tpl_value item)
{
    if (t->failed || v.kind != TPL_LIST) return;
    tpl_list *list = v.as.list;
    if (list->n == list->cap) {
        const size_t cap = list->cap ? 2 * list->cap : 8;
        tpl_value *items = grow(t, list->items, list->n, cap);
        if (!items) return;
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = item;
}

void trine_tpl_put(tpl *t, tpl_value v, tpl_value key, tpl_value value)
{
    if (t->failed || v.kind != TPL_DICT) return;
    tpl_dict *dict = v.as.dict;
    if (key.kind == TPL_LIST || key.kind == TPL_DICT) {
        trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a %s cannot be the key of a dict", trine_tpl_kind_name(key));
        return;
    }
    const tpl_value *old = trine_tpl_find(dict, key);
    if (old) {
        dict->values[old - dict->values] = value;
        return;
    }
    if (dict->n == dict->cap) {
        const size_t cap = dict->cap ? 2 * dict->cap : 8;
        tpl_value *keys = grow(t, dict->keys, dict->n, cap), *values = grow(t, dict->values, dict->n, cap);
        if (!keys || !values) return;
        dict->keys = keys;
        dict->values = values;
        dict->cap = cap;
    }
    dict->keys[dict->n] = key;
    dict->values[dict->n++] = value;
}

const tpl_value *trine_tpl_find(const tpl_dict *dict, tpl_value key)
{
    for (size_t i = 0; i < dict->n; i++)
        if (trine_tpl_equal(dict->keys[i], key)) return &dict->values[i];
    return NULL;
}

const tpl_value *trine_tpl_get(const tpl_dict *dict, const char *key, size_t n)
{
    return dict ? trine_tpl_find(dict, trine_tpl_borrow(key, n)) : NULL;
}

/* ----------------------------------------------------------------------------------------------------------- properties */

const char *trine_tpl_kind_name(tpl_value v)
{
    switch (v.kind) {
    case TPL_UNDEFINED: return "Undefined";
    case TPL_NONE: return "NoneType";
    case TPL_BOOL: return "bool";
    case TPL_INT: return "int";
    case TPL_FLOAT: return "float";
    case TPL_STRING: return "str";
    case TPL_LIST: return v.is_tuple ? "tuple" : "list";
    case TPL_DICT: return v.as.dict->is_namespace ? "Namespace" : "dict";
    case TPL_MACRO: return "Macro";
    case TPL_LOOP: return "LoopContext";
    case TPL_FUNCTION: return "function";
    }
    return "object";
}

bool trine_tpl_is(tpl_string s, const char *text) { return s.n == strlen(text) && memcmp(s.s, text, s.n) == 0; }

bool trine_tpl_truth(tpl_value v)
{
    switch (v.kind) {
    case TPL_UNDEFINED:
    case TPL_NONE: return false;
    case TPL_BOOL: return v.as.boolean;
    case TPL_INT: return v.as.integer != 0;
    case TPL_FLOAT: return v.as.real != 0;
    case TPL_STRING: return v.as.string.n != 0;
    case TPL_LIST: return v.as.list->n != 0;
    case TPL_DICT: return v.as.dict->is_namespace || v.as.dict->n != 0;
    default: return true;
    }
}

static bool is_number(tpl_value v) { return v.kind == TPL_BOOL || v.kind == TPL_INT || v.kind == TPL_FLOAT; }
static int64_t whole(tpl_value v) { return v.kind == TPL_BOOL ? v.as.boolean : v.as.integer; }
static double real(tpl_value v) { return v.kind == TPL_FLOAT ? v.as.real : (double)whole(v); }

/* Values hold no cycles (nothing can change a list once it is made, and a namespace equals only itself), so this ends. */
bool trine_tpl_equal(tpl_value a, tpl_value b)
{
    if (is_number(a) && is_number(b)) return a.kind == TPL_FLOAT || b.kind == TPL_FLOAT ? real(a) == real(b) : whole(a) == whole(b);
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case TPL_UNDEFINED:
    case TPL_NONE: return true;
    case TPL_STRING:
        return a.as.string.n == b.as.string.n && (!a.as.string.n || memcmp(a.as.string.s, b.as.string.s, a.as.string.n) == 0);
    case TPL_LIST:
        if (a.as.list->n != b.as.list->n || a.is_tuple != b.is_tuple) return false;
        for (size_t i = 0; i < a.as.list->n; i++)
            if (!trine_tpl_equal(a.as.list->items[i], b.as.list->items[i])) return false;
        return true;
    case TPL_DICT:
        if (a.as.dict->is_namespace || b.as.dict->is_namespace) return a.as.dict == b.as.dict;
        if (a.as.dict->n != b.as.dict->n) return false;
        for (size_t i = 0; i < a.as.dict->n; i++) {
            const tpl_value *other = trine_tpl_find(b.as.dict, a.as.dict->keys[i]);
            if (!other || !trine_tpl_equal(a.as.dict->values[i], *other)) return false;
        }
        return true;
    case TPL_MACRO: return a.as.macro == b.as.macro;
    case TPL_LOOP: return a.as.loop == b.as.loop;
    case TPL_FUNCTION: return a.as.function == b.as.function;
    default: return false;
    }
}

int trine_tpl_compare(tpl *t, tpl_value a, tpl_value b)
{
    if (is_number(a) && is_number(b)) {
        if (a.kind == TPL_FLOAT || b.kind == TPL_FLOAT) return real(a) < real(b) ? -1 : real(a) > real(b);
        return whole(a) < whole(b) ? -1 : whole(a) > whole(b);
    }
    if (a.kind == TPL_STRING && b.kind == TPL_STRING) {
        /* Byte order of UTF-8 is code point order. */
        const tpl_string x = a.as.string, y = b.as.string;
        const size_t n = x.n < y.n ? x.n : y.n;
        const int order = n ? memcmp(x.s, y.s, n) : 0;
        return order ? order : x.n < y.n ? -1 : x.n > y.n;
    }
    if (a.kind == TPL_LIST && b.kind == TPL_LIST) {
        const tpl_list *x = a.as.list, *y = b.as.list;
        for (size_t i = 0; i < x->n && i < y->n; i++)
            if (!trine_tpl_equal(x->items[i], y->items[i])) return trine_tpl_compare(t, x->items[i], y->items[i]);
        return x->n < y->n ? -1 : x->n > y->n;
    }
    trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a %s and a %s have no order", trine_tpl_kind_name(a), trine_tpl_kind_name(b));
    return 0;
}

tpl_value trine_tpl_iterate(tpl *t, tpl_value v)
{
    switch (v.kind) {
    case TPL_LIST: return v;
    case TPL_UNDEFINED: return trine_tpl_list(t, 0);
    case TPL_DICT: {
        if (v.as.dict->is_namespace) break;
        const tpl_value out = trine_tpl_list(t, v.as.dict->n);
        for (size_t i = 0; i < v.as.dict->n; i++) trine_tpl_push(t, out, v.as.dict->keys[i]);
        return out;
    }
    case TPL_STRING: {
        const tpl_value out = trine_tpl_list(t, trine_tpl_n_chars(v.as.string));
        for (size_t i = 0, taken; i < v.as.string.n; i += taken) {
            trine_utf8_next(&taken, v.as.string.s + i, v.as.string.n - i);
            trine_tpl_push(t, out, trine_tpl_borrow(v.as.string.s + i, taken));
        }
        return out;
    }
    default: break;
    }
    return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a %s cannot be iterated over", trine_tpl_kind_name(v));
}

/* ----------------------------------------------------------------------------------------------------------- characters */

size_t trine_tpl_n_chars(tpl_string s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.s[i] & 0xC0) != 0x80; /* the text is valid UTF-8 */
    return n;
}

size_t trine_tpl_char_offset(tpl_string s, size_t i)
{
    size_t at = 0;
    while (i-- > 0 && at < s.n) {
        at++;
        while (at < s.n && ((unsigned char)s.s[at] & 0xC0) == 0x80) at++;
    }
    return at;
}

static bool stripped(uint32_t c, const tpl_string *chars)
{
    if (!chars) return trine_tpl_is_space(c);
    for (size_t i = 0, taken; i < chars->n; i += taken)
        if (trine_utf8_next(&taken, chars->s + i, chars->n - i) == c) return true;
    return false;
}

tpl_string trine_tpl_strip(tpl_string s, const tpl_string *chars, bool left, bool right)
{
    size_t taken;
    while (left && s.n && stripped(trine_utf8_next(&taken, s.s, s.n), chars)) {
        s.s += taken;
        s.n -= taken;
    }
    while (right && s.n) {
        size_t last = s.n - 1;
        while (last > 0 && ((unsigned char)s.s[last] & 0xC0) == 0x80) last--;
        if (!stripped(trine_utf8_next(&taken, s.s + last, s.n - last), chars)) break;
        s.n = last;
    }
    return s;
}
