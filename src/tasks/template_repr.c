/* template_repr.c - values as text: Python's str() and repr() for {{ }}, json.dumps for the tojson filter. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/utf8.h"
#include "tasks/template_text.h"

/* Python's repr of a float: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16. */
void trine_tpl_real_text(char out[40], double d)
{
    if (isnan(d) || isinf(d)) {
        snprintf(out, 40, "%s", isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
        return;
    }
    int digits = 1;
    for (; digits < 17; digits++) {
        trine_print(out, 40, "%.*e", digits - 1, d);
        if (trine_to_double(out, NULL) == d) break;
    }
    trine_print(out, 40, "%.*e", digits - 1, d);
    const int exponent = atoi(strchr(out, 'e') + 1);
    if (exponent < -4 || exponent >= 16) return; /* "1e+16", "1.5e-05": C writes the exponent as Python does */
    trine_print(out, 40, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 1, d);
}

static void repr_string(trine_buffer *out, tpl_string s)
{
    const bool has_single = s.n && memchr(s.s, '\'', s.n), has_double = s.n && memchr(s.s, '"', s.n);
    const char quote = has_single && !has_double ? '"' : '\'';
    trine_buffer_putc(out, quote);
    for (size_t i = 0, taken; i < s.n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, s.s + i, s.n - i);
        if (c == (uint32_t)quote || c == '\\')
            trine_buffer_printf(out, "\\%c", (char)c);
        else if (c == '\n')
            trine_buffer_puts(out, "\\n");
        else if (c == '\r')
            trine_buffer_puts(out, "\\r");
        else if (c == '\t')
            trine_buffer_puts(out, "\\t");
        else if (trine_tpl_character(c) & TPL_PRINTABLE)
            trine_buffer_append(out, s.s + i, taken);
        else
            trine_buffer_printf(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
    }
    trine_buffer_putc(out, quote);
}

void trine_tpl_repr(tpl *t, trine_buffer *out, tpl_value v)
{
    if (!trine_tpl_enter(t)) return;
    char number[40];
    switch (v.kind) {
    case TPL_UNDEFINED: trine_buffer_puts(out, "Undefined"); break;
    case TPL_NONE: trine_buffer_puts(out, "None"); break;
    case TPL_BOOL: trine_buffer_puts(out, v.as.boolean ? "True" : "False"); break;
    case TPL_INT: trine_buffer_printf(out, "%lld", (long long)v.as.integer); break;
    case TPL_FLOAT:
        trine_tpl_real_text(number, v.as.real);
        trine_buffer_puts(out, number);
        break;
    case TPL_STRING: repr_string(out, v.as.string); break;
    case TPL_LIST:
        trine_buffer_putc(out, v.is_tuple ? '(' : '[');
        for (size_t i = 0; i < v.as.list->n && !t->failed; i++) {
            if (i) trine_buffer_puts(out, ", ");
            trine_tpl_repr(t, out, v.as.list->items[i]);
        }
        if (v.is_tuple && v.as.list->n == 1) trine_buffer_putc(out, ',');
        trine_buffer_putc(out, v.is_tuple ? ')' : ']');
        break;
    case TPL_DICT:
        trine_buffer_puts(out, v.as.dict->is_namespace ? "<Namespace {" : "{");
        for (size_t i = 0; i < v.as.dict->n && !t->failed; i++) {
            if (i) trine_buffer_puts(out, ", ");
            trine_tpl_repr(t, out, v.as.dict->keys[i]);
            trine_buffer_puts(out, ": ");
            trine_tpl_repr(t, out, v.as.dict->values[i]);
        }
        trine_buffer_puts(out, v.as.dict->is_namespace ? "}>" : "}");
        break;
    default: trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "printing a %s is not supported", trine_tpl_kind_name(v));
    }
    if (out->n > TPL_MEMORY_MAX)
        trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "a value prints as more than %zu MiB", TPL_MEMORY_MAX >> 20);
    trine_tpl_leave(t);
}

void trine_tpl_str(tpl *t, trine_buffer *out, tpl_value v)
{
    if (t->failed || v.kind == TPL_UNDEFINED) return;
    if (v.kind == TPL_STRING)
        trine_buffer_append(out, v.as.string.s, v.as.string.n);
    else
        trine_tpl_repr(t, out, v);
}

/* ---------------------------------------------------------------------------------------------------------------- JSON */

static void json_string(trine_buffer *out, tpl_string s, bool ascii)
{
    static const char names[] = "\"\"\\\\\nn\rr\tt\ff\bb";
    trine_buffer_putc(out, '"');
    for (size_t i = 0, taken; i < s.n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, s.s + i, s.n - i);
        const char *name = NULL;
        for (const char *p = names; *p; p += 2)
            if ((uint32_t)(unsigned char)*p == c) name = p + 1;
        if (name) {
            trine_buffer_printf(out, "\\%c", *name);
        } else if (c < 0x20 || (ascii && c > 0x7e)) {
            if (c >= 0x10000)
                trine_buffer_printf(out, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                                    (unsigned)(0xDC00 + (c & 0x3FF)));
            else
                trine_buffer_printf(out, "\\u%04x", (unsigned)c);
        } else {
            trine_buffer_append(out, s.s + i, taken);
        }
    }
    trine_buffer_putc(out, '"');
}

static void new_line(trine_buffer *out, const tpl_json_style *style, int depth)
{
    if (style->indent < 0) return;
    trine_buffer_putc(out, '\n');
    for (int i = 0; i < depth; i++) {
        if (style->indent_text)
            trine_buffer_puts(out, style->indent_text);
        else
            trine_buffer_printf(out, "%*s", style->indent, "");
    }
}

static void json(tpl *t, trine_buffer *out, tpl_value v, const tpl_json_style *style, int depth);

static void json_dict(tpl *t, trine_buffer *out, const tpl_dict *dict, const tpl_json_style *style, int depth)
{
    const tpl_value order = trine_tpl_list(t, dict->n);
    for (size_t i = 0; i < dict->n && !t->failed; i++) {
        trine_tpl_push(t, order, trine_tpl_int((int64_t)i));
        /* sort_keys: by insertion, dicts in templates are small */
        for (size_t j = i; style->sort_keys && j > 0; j--) {
            tpl_value *at = order.as.list->items;
            if (trine_tpl_compare(t, dict->keys[at[j - 1].as.integer], dict->keys[at[j].as.integer]) <= 0) break;
            const tpl_value swap = at[j];
            at[j] = at[j - 1];
            at[j - 1] = swap;
        }
    }
    trine_buffer_putc(out, '{');
    for (size_t i = 0; i < dict->n && !t->failed; i++) {
        const tpl_value key = dict->keys[order.as.list->items[i].as.integer];
        if (i) trine_buffer_append(out, style->item_separator.s, style->item_separator.n);
        new_line(out, style, depth + 1);
        if (key.kind == TPL_STRING) {
            json_string(out, key.as.string, style->ascii);
        } else {
            trine_buffer_putc(out, '"');
            json(t, out, key, style, depth);
            trine_buffer_putc(out, '"');
        }
        trine_buffer_append(out, style->key_separator.s, style->key_separator.n);
        json(t, out, dict->values[order.as.list->items[i].as.integer], style, depth + 1);
    }
    if (dict->n) new_line(out, style, depth);
    trine_buffer_putc(out, '}');
}

static void json(tpl *t, trine_buffer *out, tpl_value v, const tpl_json_style *style, int depth)
{
    if (!trine_tpl_enter(t)) return;
    switch (v.kind) {
    case TPL_NONE: trine_buffer_puts(out, "null"); break;
    case TPL_BOOL: trine_buffer_puts(out, v.as.boolean ? "true" : "false"); break;
    case TPL_FLOAT:
        if (isnan(v.as.real))
            trine_buffer_puts(out, "NaN");
        else if (isinf(v.as.real))
            trine_buffer_puts(out, v.as.real < 0 ? "-Infinity" : "Infinity");
        else
            trine_tpl_repr(t, out, v);
        break;
    case TPL_INT: trine_tpl_repr(t, out, v); break;
    case TPL_STRING: json_string(out, v.as.string, style->ascii); break;
    case TPL_LIST:
        trine_buffer_putc(out, '[');
        for (size_t i = 0; i < v.as.list->n && !t->failed; i++) {
            if (i) trine_buffer_append(out, style->item_separator.s, style->item_separator.n);
            new_line(out, style, depth + 1);
            json(t, out, v.as.list->items[i], style, depth + 1);
        }
        if (v.as.list->n) new_line(out, style, depth);
        trine_buffer_putc(out, ']');
        break;
    case TPL_DICT:
        if (!v.as.dict->is_namespace) {
            json_dict(t, out, v.as.dict, style, depth);
            break;
        } /* fall through */
    default: trine_tpl_fail(t, TRINE_ERROR_FORMAT, "tojson: a %s has no form in JSON", trine_tpl_kind_name(v));
    }
    if (out->n > TPL_MEMORY_MAX) trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "tojson writes more than %zu MiB", TPL_MEMORY_MAX >> 20);
    trine_tpl_leave(t);
}

void trine_tpl_json(tpl *t, trine_buffer *out, tpl_value v, const tpl_json_style *style) { json(t, out, v, style, 0); }
