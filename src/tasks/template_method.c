/* template_method.c - methods of strings, dicts and lists, as Python's. Nothing here changes its object: like jinja2's
 * immutable sandbox, which refuses append() and update(). */
#include <string.h>

#include "base/utf8.h"
#include "tasks/template_text.h"

static const char *const string_methods[] = { "strip",        "lstrip",     "rstrip", "split",  "rsplit",  "splitlines",
                                              "startswith",   "endswith",   "upper",  "lower",  "title",   "replace",
                                              "find",         "rfind",      "count",  "join",   "isdigit", "isspace",
                                              "isalpha",      "capitalize", "index",  "rindex", "isupper", "removeprefix",
                                              "removesuffix", "islower",    NULL };
static const char *const dict_methods[] = { "items", "keys", "values", "get", NULL };
static const char *const list_methods[] = { "index", "count", NULL };

bool trine_tpl_has_method(tpl_value v, tpl_string name)
{
    const char *const *list = v.kind == TPL_STRING                             ? string_methods
                              : v.kind == TPL_LIST                             ? list_methods
                              : v.kind == TPL_DICT && !v.as.dict->is_namespace ? dict_methods
                                                                               : NULL;
    for (; list && *list; list++)
        if (trine_tpl_is(name, *list)) return true;
    return false;
}

static tpl_string text_arg(tpl *t, const tpl_args *args, int i, const char *name, const char *method)
{
    const tpl_value v = trine_tpl_arg(args, i, name, trine_tpl_none());
    if (v.kind == TPL_STRING) return v.as.string;
    trine_tpl_fail(t, TRINE_ERROR_FORMAT, "argument %d of %s() must be a string, not a %s", i + 1, method, trine_tpl_kind_name(v));
    return (tpl_string) { "", 0 };
}

/* Where `part` stands in s at or after `from`; s.n + 1 when it does not. */
size_t trine_tpl_text_find(tpl_string s, tpl_string part, size_t from)
{
    if (from > s.n) return s.n + 1;
    if (!part.n) return from;
    const char *p = s.n > from ? memmem(s.s + from, s.n - from, part.s, part.n) : NULL;
    return p ? (size_t)(p - s.s) : s.n + 1;
}

static size_t find_last(tpl_string s, tpl_string part)
{
    for (size_t at = s.n + 1; at-- > 0;)
        if (s.n - at >= part.n && (!part.n || memcmp(s.s + at, part.s, part.n) == 0)) return at;
    return s.n + 1;
}

/* -1 or a count: the limit of split and replace. */
static int64_t limit_arg(const tpl_args *args, int i, const char *name)
{
    const tpl_value v = trine_tpl_arg(args, i, name, trine_tpl_int(-1));
    return v.kind == TPL_INT ? v.as.integer : -1;
}

static tpl_value split_at_spaces(tpl *t, tpl_string s, int64_t limit)
{
    const tpl_value out = trine_tpl_list(t, 0);
    for (;;) {
        s = trine_tpl_strip(s, NULL, true, false);
        if (!s.n || t->failed) return out;
        size_t at = 0, taken;
        while (at < s.n && !trine_tpl_is_space(trine_utf8_next(&taken, s.s + at, s.n - at))) at += taken;
        if (limit >= 0 && (int64_t)out.as.list->n == limit) at = s.n;
        trine_tpl_push(t, out, trine_tpl_borrow(s.s, at));
        s = (tpl_string) { s.s + at, s.n - at };
    }
}

static tpl_value split(tpl *t, tpl_string s, const tpl_args *args)
{
    const tpl_value by = trine_tpl_arg(args, 0, "sep", trine_tpl_none());
    const int64_t limit = limit_arg(args, 1, "maxsplit");
    if (by.kind == TPL_NONE) return split_at_spaces(t, s, limit);
    const tpl_string separator = text_arg(t, args, 0, "sep", "split");
    if (!t->failed && !separator.n) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "split() by an empty text");
    const tpl_value out = trine_tpl_list(t, 0);
    size_t from = 0;
    while (!t->failed) {
        size_t at = limit >= 0 && (int64_t)out.as.list->n == limit ? s.n : trine_tpl_text_find(s, separator, from);
        if (at > s.n) at = s.n;
        trine_tpl_push(t, out, trine_tpl_borrow(s.s + from, at - from));
        if (at == s.n) break;
        from = at + separator.n;
        if (from == s.n) { /* the text ends with a separator */
            trine_tpl_push(t, out, trine_tpl_borrow(s.s + from, 0));
            break;
        }
    }
    return out;
}

static tpl_value rsplit(tpl *t, tpl_string s, const tpl_args *args)
{
    const int64_t limit = limit_arg(args, 1, "maxsplit");
    if (limit < 0) return split(t, s, args);
    const tpl_string separator = text_arg(t, args, 0, "sep", "rsplit");
    if (!t->failed && !separator.n) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "rsplit() by an empty text");
    const tpl_value parts = trine_tpl_list(t, 0), out = trine_tpl_list(t, 0);
    tpl_string rest = s;
    while (!t->failed && (int64_t)parts.as.list->n < limit) {
        const size_t at = find_last(rest, separator);
        if (at > rest.n) break;
        trine_tpl_push(t, parts, trine_tpl_borrow(rest.s + at + separator.n, rest.n - at - separator.n));
        rest.n = at;
    }
    trine_tpl_push(t, parts, trine_tpl_borrow(rest.s, rest.n));
    for (size_t i = t->failed ? 0 : parts.as.list->n; i-- > 0;) trine_tpl_push(t, out, parts.as.list->items[i]);
    return out;
}

tpl_value trine_tpl_split_lines(tpl *t, tpl_string s, bool keep_ends)
{
    const tpl_value out = trine_tpl_list(t, 0);
    size_t from = 0;
    for (size_t i = 0, taken; i < s.n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, s.s + i, s.n - i);
        if (!((c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029)) continue;
        if (c == '\r' && i + 1 < s.n && s.s[i + 1] == '\n') taken = 2;
        trine_tpl_push(t, out, trine_tpl_borrow(s.s + from, i - from + (keep_ends ? taken : 0)));
        from = i + taken;
    }
    if (from < s.n) trine_tpl_push(t, out, trine_tpl_borrow(s.s + from, s.n - from));
    return out;
}

tpl_value trine_tpl_replace(tpl *t, tpl_string s, tpl_string old, tpl_string new, int64_t limit)
{
    trine_buffer b = { 0 };
    size_t from = 0;
    for (int64_t n = 0; limit < 0 || n < limit; n++) {
        const size_t at = trine_tpl_text_find(s, old, from);
        if (at > s.n) break;
        trine_buffer_append(&b, s.s + from, at - from);
        trine_buffer_append(&b, new.s, new.n);
        from = at;
        if (b.n > TPL_MEMORY_MAX || b.failed) break;
        if (old.n) {
            from += old.n;
        } else { /* an empty text stands before every character and at the end */
            if (at == s.n) break;
            const tpl_string rest = { s.s + at, s.n - at };
            const size_t one = trine_tpl_char_offset(rest, 1);
            trine_buffer_append(&b, rest.s, one);
            from += one;
        }
    }
    if (from < s.n) trine_buffer_append(&b, s.s + from, s.n - from);
    return trine_tpl_take(t, &b);
}

/* startswith and endswith take one text or a tuple of them. */
static bool has_edge(tpl *t, tpl_string s, const tpl_args *args, bool start)
{
    const tpl_value v = trine_tpl_arg(args, 0, NULL, trine_tpl_none());
    const size_t n = v.kind == TPL_LIST ? v.as.list->n : 1;
    for (size_t i = 0; i < n && !t->failed; i++) {
        const tpl_value one = v.kind == TPL_LIST ? v.as.list->items[i] : v;
        if (one.kind != TPL_STRING) {
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "%s() takes a string, not a %s", start ? "startswith" : "endswith",
                           trine_tpl_kind_name(one));
            break;
        }
        const tpl_string edge = one.as.string;
        if (edge.n <= s.n && (!edge.n || memcmp(start ? s.s : s.s + s.n - edge.n, edge.s, edge.n) == 0)) return true;
    }
    return false;
}

/* One character in another case. Python's full mapping differs from the simple one where one letter becomes two;
 * of these only the sharp s is a letter that is met in texts. */
static void put_cased(trine_buffer *b, uint32_t c, bool upper)
{
    if (upper && c == 0xDF)
        trine_buffer_puts(b, "SS");
    else
        trine_buffer_put_utf8(b, upper ? trine_tpl_upper(c) : trine_tpl_lower(c));
}

static bool is_cased(uint32_t c) { return trine_tpl_character(c) & (TPL_UPPER | TPL_LOWER | TPL_TITLE); }

tpl_value trine_tpl_cased(tpl *t, tpl_string s, trine_tpl_case kind)
{
    trine_buffer b = { 0 };
    bool inside = false; /* the character before belongs to the same word */
    for (size_t i = 0, taken; i < s.n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, s.s + i, s.n - i);
        const bool first = kind == TPL_CASE_CAPITAL ? i == 0 : !inside;
        put_cased(&b, c, kind == TPL_CASE_UPPER || (kind != TPL_CASE_LOWER && first));
        if (kind == TPL_CASE_TITLE)
            inside = is_cased(c);
        else if (kind == TPL_CASE_WORDS)
            inside = !(trine_tpl_is_space(c) || (c < 0x80 && c && strchr("-({[<", (int)c)));
    }
    return trine_tpl_take(t, &b);
}

/* isdigit, isspace, isalpha, isupper, islower: not empty, and every character is one. */
static bool all_are(tpl_string s, tpl_string what)
{
    bool cased = false;
    for (size_t i = 0, taken; i < s.n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, s.s + i, s.n - i);
        const unsigned kind = trine_tpl_character(c);
        if (trine_tpl_is(what, "isdigit") && !(kind & TPL_DIGIT)) return false;
        if (trine_tpl_is(what, "isspace") && !trine_tpl_is_space(c)) return false;
        if (trine_tpl_is(what, "isalpha") && !(kind & TPL_LETTER)) return false;
        if (trine_tpl_is(what, "isupper") && (kind & (TPL_LOWER | TPL_TITLE))) return false;
        if (trine_tpl_is(what, "islower") && (kind & (TPL_UPPER | TPL_TITLE))) return false;
        cased |= is_cased(c);
    }
    return s.n && (cased || !(trine_tpl_is(what, "isupper") || trine_tpl_is(what, "islower")));
}

static tpl_value join(tpl *t, tpl_string separator, const tpl_args *args)
{
    const tpl_value items = trine_tpl_iterate(t, trine_tpl_arg(args, 0, NULL, trine_tpl_none()));
    trine_buffer b = { 0 };
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++) {
        const tpl_value v = items.as.list->items[i];
        if (v.kind != TPL_STRING)
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "join() of a %s: only strings can be joined", trine_tpl_kind_name(v));
        if (i) trine_buffer_append(&b, separator.s, separator.n);
        if (v.kind == TPL_STRING) trine_buffer_append(&b, v.as.string.s, v.as.string.n);
        if (b.n > TPL_MEMORY_MAX) trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "join() makes more than %zu MiB", TPL_MEMORY_MAX >> 20);
    }
    return trine_tpl_take(t, &b);
}

static tpl_value position(tpl *t, tpl_string s, tpl_string name, const tpl_args *args)
{
    const tpl_string part = text_arg(t, args, 0, NULL, name.s[0] == 'r' ? "rfind" : "find");
    if (t->failed) return trine_tpl_undefined(NULL);
    if (args->n > 1)
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "%.*s() of a part of a text is not supported", (int)name.n, name.s);
    const size_t at = name.s[0] == 'r' ? find_last(s, part) : trine_tpl_text_find(s, part, 0);
    if (at <= s.n) return trine_tpl_int((int64_t)trine_tpl_n_chars((tpl_string) { s.s, at }));
    if (trine_tpl_is(name, "find") || trine_tpl_is(name, "rfind")) return trine_tpl_int(-1);
    return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "%.*s(): the text is not there", (int)name.n, name.s);
}

static tpl_value count(tpl *t, tpl_string s, tpl_string part)
{
    if (t->failed || !part.n) return trine_tpl_int((int64_t)trine_tpl_n_chars(s) + 1);
    int64_t n = 0;
    for (size_t at = trine_tpl_text_find(s, part, 0); at <= s.n; at = trine_tpl_text_find(s, part, at + part.n)) n++;
    return trine_tpl_int(n);
}

static tpl_value string_method(tpl *t, tpl_string s, tpl_string name, const tpl_args *args)
{
#define IS(text) trine_tpl_is(name, text)
    if (IS("strip") || IS("lstrip") || IS("rstrip")) {
        const tpl_value chars = trine_tpl_arg(args, 0, "chars", trine_tpl_none());
        const tpl_string cut = trine_tpl_strip(s, chars.kind == TPL_STRING ? &chars.as.string : NULL, !IS("rstrip"), !IS("lstrip"));
        return trine_tpl_borrow(cut.s, cut.n);
    }
    if (IS("split")) return split(t, s, args);
    if (IS("rsplit")) return rsplit(t, s, args);
    if (IS("splitlines")) return trine_tpl_split_lines(t, s, trine_tpl_truth(trine_tpl_arg(args, 0, "keepends", trine_tpl_none())));
    if (IS("startswith") || IS("endswith")) return trine_tpl_bool(has_edge(t, s, args, IS("startswith")));
    if (IS("upper")) return trine_tpl_cased(t, s, TPL_CASE_UPPER);
    if (IS("lower")) return trine_tpl_cased(t, s, TPL_CASE_LOWER);
    if (IS("title")) return trine_tpl_cased(t, s, TPL_CASE_TITLE);
    if (IS("capitalize")) return trine_tpl_cased(t, s, TPL_CASE_CAPITAL);
    if (IS("replace")) {
        const tpl_string old = text_arg(t, args, 0, "old", "replace"), new = text_arg(t, args, 1, "new", "replace");
        return t->failed ? trine_tpl_undefined(NULL) : trine_tpl_replace(t, s, old, new, limit_arg(args, 2, "count"));
    }
    if (IS("find") || IS("rfind") || IS("index") || IS("rindex")) return position(t, s, name, args);
    if (IS("count")) return count(t, s, text_arg(t, args, 0, NULL, "count"));
    if (IS("join")) return join(t, s, args);
    if (IS("removeprefix") || IS("removesuffix")) {
        const tpl_string edge = text_arg(t, args, 0, NULL, IS("removeprefix") ? "removeprefix" : "removesuffix");
        if (t->failed || !has_edge(t, s, args, IS("removeprefix"))) return trine_tpl_borrow(s.s, s.n);
        return trine_tpl_borrow(s.s + (IS("removeprefix") ? edge.n : 0), s.n - edge.n);
    }
    return trine_tpl_bool(all_are(s, name));
#undef IS
}

static tpl_value dict_method(tpl *t, const tpl_dict *d, tpl_string name, const tpl_args *args)
{
    if (trine_tpl_is(name, "get")) {
        const tpl_value *v = args->n ? trine_tpl_find(d, args->at[0]) : NULL;
        return v ? *v : trine_tpl_arg(args, 1, "default", trine_tpl_none());
    }
    const tpl_value out = trine_tpl_list(t, d->n);
    for (size_t i = 0; i < d->n && !t->failed; i++) {
        if (trine_tpl_is(name, "items")) {
            tpl_value pair = trine_tpl_list(t, 2);
            pair.is_tuple = true;
            trine_tpl_push(t, pair, d->keys[i]);
            trine_tpl_push(t, pair, d->values[i]);
            trine_tpl_push(t, out, pair);
        } else {
            trine_tpl_push(t, out, trine_tpl_is(name, "keys") ? d->keys[i] : d->values[i]);
        }
    }
    return out;
}

static tpl_value list_method(tpl *t, const tpl_list *list, tpl_string name, const tpl_args *args)
{
    const tpl_value wanted = trine_tpl_arg(args, 0, NULL, trine_tpl_none());
    int64_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (!trine_tpl_equal(list->items[i], wanted)) continue;
        if (trine_tpl_is(name, "index")) return trine_tpl_int((int64_t)i);
        n++;
    }
    return trine_tpl_is(name, "count") ? trine_tpl_int(n)
                                       : trine_tpl_fail(t, TRINE_ERROR_FORMAT, "index(): the value is not in the list");
}

tpl_value trine_tpl_method(tpl *t, tpl_value v, tpl_string name, const tpl_args *args)
{
    if (t->failed) return v;
    if (v.kind == TPL_STRING) return string_method(t, v.as.string, name, args);
    if (v.kind == TPL_DICT) return dict_method(t, v.as.dict, name, args);
    return list_method(t, v.as.list, name, args);
}
