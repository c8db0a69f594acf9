/* template_filter.c - filters: value|name(arguments), as jinja2's built-in ones. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "tasks/template.h"
#include "tasks/template_text.h"

static bool is_whole(tpl_value v) { return v.kind == TPL_INT || v.kind == TPL_BOOL; }
static int64_t whole(tpl_value v) { return v.kind == TPL_BOOL ? v.as.boolean : v.kind == TPL_INT ? v.as.integer : 0; }

/* str(v) as a value. */
static tpl_value text_of(tpl *t, tpl_value v)
{
    if (v.kind == TPL_STRING) return v;
    trine_buffer b = { 0 };
    trine_tpl_str(t, &b, v);
    return trine_tpl_take(t, &b);
}

static tpl_value length(tpl *t, tpl_value v)
{
    if (v.kind == TPL_STRING) return trine_tpl_int((int64_t)trine_tpl_n_chars(v.as.string));
    const tpl_value items = trine_tpl_iterate(t, v);
    return t->failed ? items : trine_tpl_int((int64_t)items.as.list->n);
}

/* "a.b.0" of an item: names and positions between dots. */
static tpl_value by_path(tpl *t, tpl_value v, tpl_value path)
{
    if (path.kind != TPL_STRING) return trine_tpl_item(t, v, path);
    const tpl_string s = path.as.string;
    for (size_t from = 0; from <= s.n && !t->failed;) {
        size_t to = from;
        bool digits = true;
        for (; to < s.n && s.s[to] != '.'; to++) digits &= isdigit((unsigned char)s.s[to]) != 0;
        tpl_value key = trine_tpl_borrow(s.s + from, to - from);
        if (digits && to > from && to - from < 10) {
            int64_t i = 0;
            for (size_t at = from; at < to; at++) i = i * 10 + (s.s[at] - '0');
            key = trine_tpl_int(i);
        }
        if (v.kind == TPL_UNDEFINED && from > 0) return v;
        v = trine_tpl_item(t, v, key);
        from = to + 1;
    }
    return v;
}

static tpl_args rest_of(const tpl_args *args, int from)
{
    return (tpl_args) { args->at + (from < args->n ? from : args->n), args->n > from ? args->n - from : 0, NULL };
}

/* map(attribute="name") or map("filter", arguments...). */
static tpl_value map(tpl *t, tpl_value v, const tpl_args *args)
{
    const tpl_value items = trine_tpl_iterate(t, v), out = trine_tpl_list(t, 0);
    const tpl_value attribute = trine_tpl_arg(args, 1 << 20, "attribute", trine_tpl_none());
    const tpl_value fallback = trine_tpl_arg(args, 1 << 20, "default", trine_tpl_undefined("default"));
    if (!t->failed && attribute.kind == TPL_NONE && (!args->n || args->at[0].kind != TPL_STRING))
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "map() needs the name of a filter, or attribute=");
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++) {
        const tpl_args rest = rest_of(args, 1);
        tpl_value item = items.as.list->items[i];
        if (attribute.kind == TPL_NONE) {
            item = trine_tpl_filter(t, args->at[0].as.string, item, &rest);
        } else {
            item = by_path(t, item, attribute);
            if (item.kind == TPL_UNDEFINED && fallback.kind != TPL_UNDEFINED) item = fallback;
        }
        trine_tpl_push(t, out, item);
    }
    return out;
}

/* select, reject, selectattr, rejectattr: items for which a test holds (or not); without a test, truth. */
static tpl_value choose(tpl *t, tpl_value v, const tpl_args *args, bool by_attribute, bool keep)
{
    const tpl_value items = trine_tpl_iterate(t, v), out = trine_tpl_list(t, 0);
    const int test_at = by_attribute ? 1 : 0;
    if (!t->failed && by_attribute && !args->n)
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "selectattr() and rejectattr() need the name of an attribute");
    if (!t->failed && args->n > test_at && args->at[test_at].kind != TPL_STRING)
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "the name of a test must be a string, not a %s",
                              trine_tpl_kind_name(args->at[test_at]));
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++) {
        const tpl_value item = items.as.list->items[i], subject = by_attribute ? by_path(t, item, args->at[0]) : item;
        const tpl_args rest = rest_of(args, test_at + 1);
        const bool holds =
            args->n > test_at ? trine_tpl_test(t, args->at[test_at].as.string, subject, &rest) : trine_tpl_truth(subject);
        if (holds == keep) trine_tpl_push(t, out, item);
    }
    return out;
}

static tpl_value join(tpl *t, tpl_value v, const tpl_args *args)
{
    const tpl_value items = trine_tpl_iterate(t, v), separator = text_of(t, trine_tpl_arg(args, 0, "d", trine_tpl_text("")));
    const tpl_value attribute = trine_tpl_arg(args, 1, "attribute", trine_tpl_none());
    trine_buffer b = { 0 };
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++) {
        if (i) trine_tpl_str(t, &b, separator);
        const tpl_value item = items.as.list->items[i];
        trine_tpl_str(t, &b, attribute.kind == TPL_NONE ? item : by_path(t, item, attribute));
        if (b.n > TPL_MEMORY_MAX) trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "join makes more than %zu MiB", TPL_MEMORY_MAX >> 20);
    }
    return trine_tpl_take(t, &b);
}

static tpl_value tojson(tpl *t, tpl_value v, const tpl_args *args)
{
    const tpl_value indent = trine_tpl_arg(args, 1, "indent", trine_tpl_none());
    const tpl_value separators = trine_tpl_arg(args, 2, "separators", trine_tpl_none());
    char blanks[64] = "";
    tpl_json_style style = { .ascii = trine_tpl_truth(trine_tpl_arg(args, 0, "ensure_ascii", trine_tpl_bool(false))),
                             .sort_keys = trine_tpl_truth(trine_tpl_arg(args, 3, "sort_keys", trine_tpl_bool(false))),
                             .indent = -1,
                             .item_separator = { ", ", 2 },
                             .key_separator = { ": ", 2 } };
    if (is_whole(indent)) {
        style.indent = (int)(whole(indent) < 0 ? 0 : whole(indent) > 64 ? 64 : whole(indent));
    } else if (indent.kind == TPL_STRING) {
        if (indent.as.string.n >= sizeof blanks)
            return trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "tojson: the indent is longer than 63 bytes");
        memcpy(blanks, indent.as.string.s, indent.as.string.n);
        style.indent = 0;
        style.indent_text = blanks;
    }
    if (style.indent >= 0) style.item_separator = (tpl_string) { ",", 1 };
    if (separators.kind == TPL_LIST && separators.as.list->n == 2 && separators.as.list->items[0].kind == TPL_STRING &&
        separators.as.list->items[1].kind == TPL_STRING) {
        style.item_separator = separators.as.list->items[0].as.string;
        style.key_separator = separators.as.list->items[1].as.string;
    }
    trine_buffer b = { 0 };
    trine_tpl_json(t, &b, v, &style);
    return trine_tpl_take(t, &b);
}

static tpl_value to_number(tpl *t, tpl_value v, const tpl_args *args, bool is_int)
{
    const tpl_value fallback = trine_tpl_arg(args, 0, "default", is_int ? trine_tpl_int(0) : trine_tpl_real(0));
    if (is_whole(v)) return is_int ? trine_tpl_int(whole(v)) : trine_tpl_real((double)whole(v));
    if (v.kind == TPL_FLOAT) {
        if (!is_int) return v;
        return v.as.real > -9.2e18 && v.as.real < 9.2e18 ? trine_tpl_int((int64_t)v.as.real) : fallback;
    }
    if (v.kind != TPL_STRING) return fallback;
    const tpl_string s = trine_tpl_strip(v.as.string, NULL, true, true);
    char digits[64];
    if (!s.n || s.n >= sizeof digits || strspn(s.s, "+-0123456789.eE") < s.n) return fallback;
    memcpy(digits, s.s, s.n);
    digits[s.n] = 0;
    char *end;
    errno = 0;
    const int64_t i = strtoll(digits, &end, 10);
    if (is_int && !*end && !errno) return trine_tpl_int(i);
    const double d = trine_to_double(digits, &end);
    if (*end) return fallback;
    return is_int ? to_number(t, trine_tpl_real(d), args, true) : trine_tpl_real(d);
}

static tpl_value lowered(tpl *t, tpl_value v) { return v.kind == TPL_STRING ? trine_tpl_cased(t, v.as.string, TPL_CASE_LOWER) : v; }

/* Insertion sort by keys: stable, and lists in templates are short (a limit keeps it so). */
static tpl_value sort(tpl *t, tpl_value v, tpl_value attribute, bool case_sensitive, bool reverse)
{
    const tpl_value items = trine_tpl_iterate(t, v);
    if (t->failed) return items;
    const size_t n = items.as.list->n;
    if (n > 10000) return trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "sorting more than 10000 values is not supported");
    const tpl_value out = trine_tpl_list(t, n), keys = trine_tpl_list(t, n);
    for (size_t i = 0; i < n && !t->failed; i++) {
        tpl_value item = items.as.list->items[i], key = attribute.kind == TPL_NONE ? item : by_path(t, item, attribute);
        if (!case_sensitive) key = lowered(t, key);
        trine_tpl_push(t, out, item);
        trine_tpl_push(t, keys, key);
        for (size_t j = i; j > 0 && !t->failed; j--) {
            tpl_value *at = out.as.list->items, *by = keys.as.list->items;
            const int order = trine_tpl_compare(t, by[j - 1], by[j]);
            if (reverse ? order >= 0 : order <= 0) break;
            const tpl_value swap = at[j], swap_key = by[j];
            at[j] = at[j - 1], by[j] = by[j - 1];
            at[j - 1] = swap, by[j - 1] = swap_key;
        }
    }
    return out;
}

static tpl_value reversed(tpl *t, tpl_value v)
{
    const tpl_value items = trine_tpl_iterate(t, v);
    if (t->failed) return items;
    const tpl_value out = trine_tpl_list(t, items.as.list->n);
    for (size_t i = items.as.list->n; i-- > 0;) trine_tpl_push(t, out, items.as.list->items[i]);
    if (v.kind != TPL_STRING) return out;
    const tpl_args none = { NULL, 0, NULL };
    return join(t, out, &none);
}

static tpl_value unique(tpl *t, tpl_value v)
{
    const tpl_value items = trine_tpl_iterate(t, v), out = trine_tpl_list(t, 0), seen = trine_tpl_list(t, 0);
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++) {
        const tpl_value key = lowered(t, items.as.list->items[i]);
        if (trine_tpl_contains(t, seen, key)) continue;
        trine_tpl_push(t, seen, key);
        trine_tpl_push(t, out, items.as.list->items[i]);
    }
    return out;
}

static tpl_value extreme(tpl *t, tpl_value v, const tpl_args *args, bool largest)
{
    const bool cased = trine_tpl_truth(trine_tpl_arg(args, 0, "case_sensitive", trine_tpl_bool(false)));
    const tpl_value sorted = sort(t, v, trine_tpl_arg(args, 1, "attribute", trine_tpl_none()), cased, largest);
    if (t->failed || !sorted.as.list->n) return trine_tpl_undefined("an item of an empty list");
    return sorted.as.list->items[0];
}

static tpl_value total(tpl *t, tpl_value v, const tpl_args *args)
{
    const tpl_value attribute = trine_tpl_arg(args, 0, "attribute", trine_tpl_none()), items = trine_tpl_iterate(t, v);
    double real = 0;
    int64_t sum = whole(trine_tpl_arg(args, 1, "start", trine_tpl_int(0)));
    bool is_real = false;
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++) {
        const tpl_value item =
            attribute.kind == TPL_NONE ? items.as.list->items[i] : by_path(t, items.as.list->items[i], attribute);
        if (item.kind == TPL_FLOAT)
            is_real = true, real += item.as.real;
        else if (!is_whole(item))
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "sum of a %s", trine_tpl_kind_name(item));
        else if (__builtin_add_overflow(sum, whole(item), &sum))
            trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "a whole number outgrows 64 bits");
    }
    return is_real ? trine_tpl_real(real + (double)sum) : trine_tpl_int(sum);
}

static tpl_value indent(tpl *t, tpl_value v, const tpl_args *args)
{
    const tpl_value width = trine_tpl_arg(args, 0, "width", trine_tpl_int(4)), text = text_of(t, v);
    const bool first = trine_tpl_truth(trine_tpl_arg(args, 1, "first", trine_tpl_none()));
    const bool blank = trine_tpl_truth(trine_tpl_arg(args, 2, "blank", trine_tpl_none()));
    const int n_blanks = width.kind == TPL_STRING ? 0 : (int)(whole(width) < 0 ? 0 : whole(width) > 1000 ? 1000 : whole(width));
    if (t->failed) return text;
    const tpl_value lines = trine_tpl_split_lines(t, text.as.string, false);
    const bool ends = text.as.string.n && lines.kind == TPL_LIST && strchr("\n\r\v\f", text.as.string.s[text.as.string.n - 1]);
    trine_buffer b = { 0 };
    for (size_t i = 0; !t->failed && i < lines.as.list->n + ends; i++) {
        const tpl_string line = i < lines.as.list->n ? lines.as.list->items[i].as.string : (tpl_string) { "", 0 };
        if (i) trine_buffer_putc(&b, '\n');
        if (i ? blank || line.n : first) {
            if (width.kind == TPL_STRING)
                trine_tpl_str(t, &b, width);
            else
                trine_buffer_printf(&b, "%*s", n_blanks, "");
        }
        trine_buffer_append(&b, line.s, line.n);
    }
    return trine_tpl_take(t, &b);
}

static tpl_value rounded(tpl *t, tpl_value v, const tpl_args *args)
{
    const int64_t digits = whole(trine_tpl_arg(args, 0, "precision", trine_tpl_int(0)));
    const tpl_value method = trine_tpl_arg(args, 1, "method", trine_tpl_text("common"));
    if (!is_whole(v) && v.kind != TPL_FLOAT) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "round of a %s", trine_tpl_kind_name(v));
    const double d = v.kind == TPL_FLOAT ? v.as.real : (double)whole(v), scale = pow(10, (double)digits);
    const bool up = method.kind == TPL_STRING && trine_tpl_is(method.as.string, "ceil");
    const bool down = method.kind == TPL_STRING && trine_tpl_is(method.as.string, "floor");
    if (is_whole(v) && !up && !down && digits >= 0) return v; /* Python rounds a whole number to a whole number */
    return trine_tpl_real((up ? ceil(d * scale) : down ? floor(d * scale) : nearbyint(d * scale)) / scale);
}

static tpl_value first_or_last(tpl *t, tpl_value v, bool last)
{
    const tpl_value items = trine_tpl_iterate(t, v);
    if (t->failed || !items.as.list->n) return trine_tpl_undefined("an item of an empty list");
    return items.as.list->items[last ? items.as.list->n - 1 : 0];
}

static tpl_value dict_items(tpl *t, tpl_value v, bool sorted)
{
    const tpl_args none = { NULL, 0, NULL };
    if (v.kind == TPL_UNDEFINED && !sorted) return trine_tpl_list(t, 0);
    if (v.kind != TPL_DICT || v.as.dict->is_namespace)
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "only a dict has items, not a %s", trine_tpl_kind_name(v));
    const tpl_value items = trine_tpl_method(t, v, (tpl_string) { "items", 5 }, &none);
    return sorted ? sort(t, items, trine_tpl_int(0), false, false) : items;
}

static tpl_value text_filter(tpl *t, tpl_string name, tpl_string s, const tpl_args *args)
{
    if (trine_tpl_is(name, "upper")) return trine_tpl_cased(t, s, TPL_CASE_UPPER);
    if (trine_tpl_is(name, "lower")) return trine_tpl_cased(t, s, TPL_CASE_LOWER);
    if (trine_tpl_is(name, "capitalize")) return trine_tpl_cased(t, s, TPL_CASE_CAPITAL);
    if (trine_tpl_is(name, "title")) return trine_tpl_cased(t, s, TPL_CASE_WORDS);
    if (trine_tpl_is(name, "trim")) {
        const tpl_value chars = trine_tpl_arg(args, 0, "chars", trine_tpl_none());
        const tpl_string cut = trine_tpl_strip(s, chars.kind == TPL_STRING ? &chars.as.string : NULL, true, true);
        return trine_tpl_borrow(cut.s, cut.n);
    }
    const tpl_value old = text_of(t, trine_tpl_arg(args, 0, "old", trine_tpl_undefined("old")));
    const tpl_value new = text_of(t, trine_tpl_arg(args, 1, "new", trine_tpl_undefined("new")));
    const tpl_value limit = trine_tpl_arg(args, 2, "count", trine_tpl_int(-1));
    return t->failed ? old : trine_tpl_replace(t, s, old.as.string, new.as.string, limit.kind == TPL_INT ? limit.as.integer : -1);
}

static tpl_value filter(tpl *t, tpl_string name, tpl_value v, const tpl_args *args)
{
#define IS(text) trine_tpl_is(name, text)
    if (IS("trim") || IS("upper") || IS("lower") || IS("capitalize") || IS("title") || IS("replace")) {
        const tpl_value text = text_of(t, v);
        return t->failed ? text : text_filter(t, name, text.as.string, args);
    }
    if (IS("string")) return text_of(t, v);
    if (IS("safe")) return v;
    if (IS("length") || IS("count")) return length(t, v);
    if (IS("default") || IS("d")) {
        const bool also_false = trine_tpl_truth(trine_tpl_arg(args, 1, "boolean", trine_tpl_bool(false)));
        const bool use = v.kind == TPL_UNDEFINED || (also_false && !trine_tpl_truth(v));
        return use ? trine_tpl_arg(args, 0, "default_value", trine_tpl_text("")) : v;
    }
    if (IS("tojson")) return tojson(t, v, args);
    if (IS("join")) return join(t, v, args);
    if (IS("first") || IS("last")) return first_or_last(t, v, IS("last"));
    if (IS("list")) {
        tpl_value out = trine_tpl_iterate(t, v);
        out.is_tuple = false;
        return out;
    }
    if (IS("int") || IS("float")) return to_number(t, v, args, IS("int"));
    if (IS("items")) return dict_items(t, v, false);
    if (IS("dictsort") && !args->n && !args->named) return dict_items(t, v, true);
    if (IS("map")) return map(t, v, args);
    if (IS("select") || IS("reject")) return choose(t, v, args, false, IS("select"));
    if (IS("selectattr") || IS("rejectattr")) return choose(t, v, args, true, IS("selectattr"));
    if (IS("reverse")) return reversed(t, v);
    if (IS("sort"))
        return sort(t, v, trine_tpl_arg(args, 2, "attribute", trine_tpl_none()),
                    trine_tpl_truth(trine_tpl_arg(args, 1, "case_sensitive", trine_tpl_none())),
                    trine_tpl_truth(trine_tpl_arg(args, 0, "reverse", trine_tpl_none())));
    if (IS("unique") && !args->n && !args->named) return unique(t, v);
    if (IS("min") || IS("max")) return extreme(t, v, args, IS("max"));
    if (IS("sum")) return total(t, v, args);
    if (IS("indent")) return indent(t, v, args);
    if (IS("round")) return rounded(t, v, args);
    if (IS("abs")) {
        if (v.kind == TPL_FLOAT) return trine_tpl_real(fabs(v.as.real));
        if (is_whole(v) && whole(v) != INT64_MIN) return trine_tpl_int(whole(v) < 0 ? -whole(v) : whole(v));
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "abs of a %s", trine_tpl_kind_name(v));
    }
#undef IS
    return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "the filter '%.*s' is not supported in this form",
                          (int)(name.n > 60 ? 60 : name.n), name.s);
}

tpl_value trine_tpl_filter(tpl *t, tpl_string name, tpl_value v, const tpl_args *args)
{
    if (!trine_tpl_enter(t)) return trine_tpl_undefined(NULL); /* map("map", ...) */
    if (++t->steps > TPL_STEPS_MAX) trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "it takes more than %d steps", TPL_STEPS_MAX);
    const tpl_value out = t->failed ? v : filter(t, name, v, args);
    trine_tpl_leave(t);
    return out;
}
