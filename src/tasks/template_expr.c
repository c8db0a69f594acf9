/* template_expr.c - evaluating expressions, with Python's meaning of +, %, //, slices, and/or, and jinja2's of attributes:
 * x.name is a method or an item, and what is not there is undefined, which prints as nothing but has no attributes. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "tasks/template.h"

static bool is_whole(tpl_value v) { return v.kind == TPL_INT || v.kind == TPL_BOOL; }
static bool is_number(tpl_value v) { return is_whole(v) || v.kind == TPL_FLOAT; }
static int64_t whole(tpl_value v) { return v.kind == TPL_BOOL ? v.as.boolean : v.as.integer; }
static double real(tpl_value v) { return v.kind == TPL_FLOAT ? v.as.real : (double)whole(v); }

static tpl_value no_such_name(tpl *t, tpl_value v)
{
    const tpl_string name = v.as.string;
    return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "'%.*s' is undefined", (int)(name.n > 60 ? 60 : name.n), name.n ? name.s : "");
}

/* ---------------------------------------------------------------------------------------------------------- arithmetic */

static tpl_value repeat(tpl *t, tpl_value v, int64_t times)
{
    const size_t n = times > 0 ? (size_t)times : 0;
    const size_t unit = v.kind == TPL_STRING ? v.as.string.n : v.as.list->n * sizeof(tpl_value);
    if (unit && n > TPL_MEMORY_MAX / unit)
        return trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "a value repeated %zu times is too large", n);
    if (v.kind == TPL_LIST) {
        tpl_value out = trine_tpl_list(t, unit ? n * v.as.list->n : 0);
        out.is_tuple = v.is_tuple;
        for (size_t i = 0; i < n && unit && !t->failed; i++)
            for (size_t j = 0; j < v.as.list->n; j++) trine_tpl_push(t, out, v.as.list->items[j]);
        return out;
    }
    trine_buffer b = { 0 };
    for (size_t i = 0; i < n && unit; i++) trine_buffer_append(&b, v.as.string.s, v.as.string.n);
    return trine_tpl_take(t, &b);
}

static tpl_value joined(tpl *t, tpl_value a, tpl_value b)
{
    trine_buffer text = { 0 };
    trine_tpl_str(t, &text, a);
    trine_tpl_str(t, &text, b);
    return trine_tpl_take(t, &text);
}

static tpl_value overflow(tpl *t) { return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "a whole number outgrows 64 bits"); }

static tpl_value power(tpl *t, int64_t base, int64_t exponent)
{
    if (exponent < 0) return trine_tpl_real(pow((double)base, (double)exponent));
    int64_t out = 1;
    for (; exponent; exponent--) {
        if (__builtin_mul_overflow(out, base, &out)) return overflow(t);
        if (out == 0 || (out == 1 && base == 1)) break;
        if (base == -1) return trine_tpl_int(exponent % 2 ? -1 : 1);
    }
    return trine_tpl_int(out);
}

static tpl_value arithmetic_whole(tpl *t, char op, bool twice, int64_t a, int64_t b)
{
    int64_t out = 0;
    if ((op == '/' || op == '%') && b == 0) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "division by zero");
    if (op == '+') return __builtin_add_overflow(a, b, &out) ? overflow(t) : trine_tpl_int(out);
    if (op == '-') return __builtin_sub_overflow(a, b, &out) ? overflow(t) : trine_tpl_int(out);
    if (op == '*' && twice) return power(t, a, b);
    if (op == '*') return __builtin_mul_overflow(a, b, &out) ? overflow(t) : trine_tpl_int(out);
    if (op == '/' && !twice) return trine_tpl_real((double)a / (double)b);
    if (b == -1) return op == '%' ? trine_tpl_int(0) : a == INT64_MIN ? overflow(t) : trine_tpl_int(-a);
    const int64_t remainder = a % b, away = remainder && (remainder < 0) != (b < 0); /* Python rounds down */
    return trine_tpl_int(op == '%' ? remainder + (away ? b : 0) : a / b - away);
}

static tpl_value arithmetic_real(tpl *t, char op, bool twice, double a, double b)
{
    if ((op == '/' || op == '%') && b == 0) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "division by zero");
    switch (op) {
    case '+': return trine_tpl_real(a + b);
    case '-': return trine_tpl_real(a - b);
    case '*': return trine_tpl_real(twice ? pow(a, b) : a * b);
    case '/': return trine_tpl_real(twice ? floor(a / b) : a / b);
    default: {
        const double r = fmod(a, b);
        return trine_tpl_real(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    }
}

static tpl_value binary(tpl *t, const tpl_node *n)
{
    const tpl_value a = trine_tpl_eval(t, n->a), b = trine_tpl_eval(t, n->b);
    if (t->failed) return a;
    const char op = n->name.s[0];
    const bool twice = n->name.n == 2;
    if (op == '~') return joined(t, a, b);
    if (a.kind == TPL_UNDEFINED) return no_such_name(t, a);
    if (b.kind == TPL_UNDEFINED) return no_such_name(t, b);
    if (is_whole(a) && is_whole(b)) return arithmetic_whole(t, op, twice, whole(a), whole(b));
    if (is_number(a) && is_number(b)) return arithmetic_real(t, op, twice, real(a), real(b));
    if (op == '+' && a.kind == TPL_STRING && b.kind == TPL_STRING) return joined(t, a, b);
    if (op == '+' && a.kind == TPL_LIST && b.kind == TPL_LIST && a.is_tuple == b.is_tuple) {
        tpl_value out = trine_tpl_list(t, a.as.list->n + b.as.list->n);
        out.is_tuple = a.is_tuple;
        for (size_t i = 0; i < a.as.list->n; i++) trine_tpl_push(t, out, a.as.list->items[i]);
        for (size_t i = 0; i < b.as.list->n; i++) trine_tpl_push(t, out, b.as.list->items[i]);
        return out;
    }
    if (op == '*' && !twice && (a.kind == TPL_STRING || a.kind == TPL_LIST) && is_whole(b)) return repeat(t, a, whole(b));
    if (op == '*' && !twice && (b.kind == TPL_STRING || b.kind == TPL_LIST) && is_whole(a)) return repeat(t, b, whole(a));
    if (op == '%' && a.kind == TPL_STRING)
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "'%%' formatting of text is not supported");
    return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "'%.*s' cannot join a %s and a %s", (int)n->name.n, n->name.s,
                          trine_tpl_kind_name(a), trine_tpl_kind_name(b));
}

/* ---------------------------------------------------------------------------------------------------------- comparison */

bool trine_tpl_contains(tpl *t, tpl_value container, tpl_value value)
{
    if (t->failed) return false;
    if (container.kind == TPL_STRING) {
        if (value.kind != TPL_STRING) {
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "'in <string>' needs a string on its left, not a %s", trine_tpl_kind_name(value));
            return false;
        }
        return !value.as.string.n ||
               memmem(container.as.string.s, container.as.string.n, value.as.string.s, value.as.string.n) != NULL;
    }
    if (container.kind == TPL_DICT && !container.as.dict->is_namespace) return trine_tpl_find(container.as.dict, value) != NULL;
    const tpl_value items = trine_tpl_iterate(t, container);
    for (size_t i = 0; !t->failed && i < items.as.list->n; i++)
        if (trine_tpl_equal(items.as.list->items[i], value)) return true;
    return false;
}

/* a < b <= c compares neighbours, and stops at the first that does not hold. */
static tpl_value comparison(tpl *t, const tpl_node *n)
{
    tpl_value a = trine_tpl_eval(t, n->a);
    bool holds = true;
    for (const tpl_node *step = n->first; step && holds && !t->failed; step = step->next) {
        const tpl_value b = trine_tpl_eval(t, step->b);
        if (t->failed) break;
        const tpl_string op = step->name;
        if (trine_tpl_is(op, "==")) {
            holds = trine_tpl_equal(a, b);
        } else if (trine_tpl_is(op, "!=")) {
            holds = !trine_tpl_equal(a, b);
        } else if (trine_tpl_is(op, "in")) {
            holds = trine_tpl_contains(t, b, a);
        } else if (trine_tpl_is(op, "not in")) {
            holds = !trine_tpl_contains(t, b, a);
        } else {
            if (a.kind == TPL_UNDEFINED || b.kind == TPL_UNDEFINED) return no_such_name(t, a.kind == TPL_UNDEFINED ? a : b);
            const int order = trine_tpl_compare(t, a, b);
            holds = op.s[0] == '<' ? order < 0 || (op.n == 2 && order == 0) : order > 0 || (op.n == 2 && order == 0);
        }
        a = b;
    }
    return trine_tpl_bool(holds);
}

/* ---------------------------------------------------------------------------------------------------- items, attributes */

static tpl_value loop_attribute(tpl *t, const tpl_loop *loop, tpl_string name)
{
    const int64_t i = (int64_t)loop->index, n = (int64_t)loop->items->n;
    if (trine_tpl_is(name, "index")) return trine_tpl_int(i + 1);
    if (trine_tpl_is(name, "index0")) return trine_tpl_int(i);
    if (trine_tpl_is(name, "revindex")) return trine_tpl_int(n - i);
    if (trine_tpl_is(name, "revindex0")) return trine_tpl_int(n - i - 1);
    if (trine_tpl_is(name, "first")) return trine_tpl_bool(i == 0);
    if (trine_tpl_is(name, "last")) return trine_tpl_bool(i == n - 1);
    if (trine_tpl_is(name, "length")) return trine_tpl_int(n);
    if (trine_tpl_is(name, "depth")) return trine_tpl_int(1); /* counts recursive loops only */
    if (trine_tpl_is(name, "depth0")) return trine_tpl_int(0);
    if (trine_tpl_is(name, "previtem")) return i > 0 ? loop->items->items[i - 1] : trine_tpl_undefined("loop.previtem");
    if (trine_tpl_is(name, "nextitem")) return i + 1 < n ? loop->items->items[i + 1] : trine_tpl_undefined("loop.nextitem");
    return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "loop.%.*s is not supported", (int)name.n, name.s);
}

tpl_value trine_tpl_attribute(tpl *t, tpl_value object, tpl_string name)
{
    if (t->failed) return object;
    if (object.kind == TPL_UNDEFINED) return no_such_name(t, object);
    if (object.kind == TPL_LOOP) return loop_attribute(t, object.as.loop, name);
    if (trine_tpl_has_method(object, name))
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "the method '%.*s' without a call is not supported", (int)name.n, name.s);
    const tpl_value *v = object.kind == TPL_DICT ? trine_tpl_get(object.as.dict, name.s, name.n) : NULL;
    return v ? *v : (tpl_value) { .kind = TPL_UNDEFINED, .as.string = name };
}

tpl_value trine_tpl_item(tpl *t, tpl_value object, tpl_value key)
{
    if (t->failed) return object;
    if (object.kind == TPL_UNDEFINED) return no_such_name(t, object);
    if ((object.kind == TPL_LIST || object.kind == TPL_STRING) && is_whole(key)) {
        const size_t n = object.kind == TPL_LIST ? object.as.list->n : trine_tpl_n_chars(object.as.string);
        const int64_t at = whole(key) < 0 ? whole(key) + (int64_t)n : whole(key);
        if (at < 0 || at >= (int64_t)n) return trine_tpl_undefined("an item past the end");
        if (object.kind == TPL_LIST) return object.as.list->items[at];
        const tpl_string s = object.as.string;
        const size_t from = trine_tpl_char_offset(s, (size_t)at);
        const tpl_string rest = { s.s + from, s.n - from };
        return trine_tpl_borrow(rest.s, trine_tpl_char_offset(rest, 1));
    }
    if (object.kind == TPL_DICT && !object.as.dict->is_namespace) {
        const tpl_value *v = trine_tpl_find(object.as.dict, key);
        if (v) return *v;
    }
    if (key.kind != TPL_STRING) return trine_tpl_undefined("an item that is not there");
    if (object.kind == TPL_LOOP || (object.kind == TPL_DICT && object.as.dict->is_namespace))
        return trine_tpl_attribute(t, object, key.as.string);
    return (tpl_value) { .kind = TPL_UNDEFINED, .as.string = key.as.string };
}

/* A bound of a slice as Python reads it: negative counts from the end, and all is cut to [low, high]. */
static int64_t bound(tpl *t, const tpl_node *n, int64_t fallback, int64_t length, int64_t low, int64_t high)
{
    const tpl_value v = n ? trine_tpl_eval(t, n) : trine_tpl_none();
    if (t->failed || v.kind == TPL_NONE) return fallback;
    if (!is_whole(v)) {
        trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a slice bound is a %s, not a whole number", trine_tpl_kind_name(v));
        return fallback;
    }
    const int64_t i = whole(v) < 0 ? whole(v) + length : whole(v);
    return i < low ? low : i > high ? high : i;
}

static tpl_value slice(tpl *t, tpl_value object, const tpl_node *n)
{
    if (t->failed) return object;
    if (object.kind == TPL_UNDEFINED) return no_such_name(t, object);
    if (object.kind != TPL_LIST && object.kind != TPL_STRING)
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a %s cannot be sliced", trine_tpl_kind_name(object));
    const tpl_value items = trine_tpl_iterate(t, object);
    if (t->failed) return items;
    const int64_t length = (int64_t)items.as.list->n;
    const tpl_value step_value = n->c ? trine_tpl_eval(t, n->c) : trine_tpl_int(1);
    if (!t->failed && step_value.kind != TPL_NONE && (!is_whole(step_value) || whole(step_value) == 0))
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "the step of a slice must be a whole number other than 0");
    int64_t step = t->failed || step_value.kind == TPL_NONE ? 1 : whole(step_value);
    step = step > length + 1 ? length + 1 : step < -length - 1 ? -length - 1 : step;
    const bool back = step < 0;
    const int64_t from = bound(t, n->a, back ? length - 1 : 0, length, back ? -1 : 0, back ? length - 1 : length);
    const int64_t to = bound(t, n->b, back ? -1 : length, length, back ? -1 : 0, back ? length - 1 : length);
    tpl_value out = trine_tpl_list(t, 0);
    out.is_tuple = object.is_tuple;
    trine_buffer text = { 0 };
    for (int64_t i = from; !t->failed && (back ? i > to : i < to); i += step) {
        const tpl_value v = items.as.list->items[i];
        if (object.kind == TPL_LIST)
            trine_tpl_push(t, out, v);
        else
            trine_buffer_append(&text, v.as.string.s, v.as.string.n);
    }
    return object.kind == TPL_LIST ? out : trine_tpl_take(t, &text);
}

/* --------------------------------------------------------------------------------------------------------------- calls */

/* Evaluates arguments into `args`; named ones into a dict. */
static bool arguments(tpl *t, tpl_args *args, const tpl_node *first)
{
    const tpl_value list = trine_tpl_list(t, 0);
    tpl_value named = trine_tpl_undefined(NULL);
    for (const tpl_node *arg = first; arg && !t->failed; arg = arg->next) {
        const tpl_value v = trine_tpl_eval(t, arg->a);
        if (arg->name.n && named.kind != TPL_DICT) named = trine_tpl_dict(t, 4);
        if (arg->name.n)
            trine_tpl_put(t, named, trine_tpl_borrow(arg->name.s, arg->name.n), v);
        else
            trine_tpl_push(t, list, v);
    }
    if (t->failed) return false;
    *args = (tpl_args) { list.as.list->items, (int)list.as.list->n, named.kind == TPL_DICT ? named.as.dict : NULL };
    return true;
}

tpl_value trine_tpl_arg(const tpl_args *args, int i, const char *name, tpl_value fallback)
{
    if (i < args->n) return args->at[i];
    const tpl_value *v = name ? trine_tpl_get(args->named, name, strlen(name)) : NULL;
    return v ? *v : fallback;
}

static tpl_value range(tpl *t, const tpl_args *args)
{
    int64_t at[3] = { 0, 0, 1 };
    for (int i = 0; i < args->n && i < 3; i++) {
        if (!is_whole(args->at[i])) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "range() takes whole numbers");
        at[i] = whole(args->at[i]);
    }
    if (args->n == 1) at[1] = at[0], at[0] = 0;
    if (args->n < 1 || args->n > 3 || at[2] == 0)
        return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "range() takes 1 to 3 numbers, the step not 0");
    const tpl_value out = trine_tpl_list(t, 0);
    for (int64_t i = at[0]; at[2] > 0 ? i < at[1] : i > at[1];) {
        if (t->failed || out.as.list->n == TPL_RANGE_MAX)
            return trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "range() has more than %d numbers", TPL_RANGE_MAX);
        trine_tpl_push(t, out, trine_tpl_int(i));
        if (__builtin_add_overflow(i, at[2], &i)) break;
    }
    return out;
}

/* dict(...) and namespace(...): from another dict, then from named arguments. */
static tpl_value make_dict(tpl *t, const tpl_args *args, bool is_namespace)
{
    const tpl_value out = trine_tpl_dict(t, 4);
    if (args->n > 1 || (args->n == 1 && args->at[0].kind != TPL_DICT))
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "%s() of anything but a dict and named arguments is not supported",
                              is_namespace ? "namespace" : "dict");
    const tpl_dict *sources[2] = { args->n ? args->at[0].as.dict : NULL, args->named };
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; sources[s] && i < sources[s]->n; i++) trine_tpl_put(t, out, sources[s]->keys[i], sources[s]->values[i]);
    if (!t->failed) out.as.dict->is_namespace = is_namespace;
    return out;
}

static tpl_value strftime_now(tpl *t, const tpl_args *args)
{
    const tpl_value format = trine_tpl_arg(args, 0, "format", trine_tpl_none());
    if (format.kind != TPL_STRING) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "strftime_now() takes a format");
    char pattern[256], text[1024];
    if (format.as.string.n >= sizeof pattern)
        return trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "the format of strftime_now() is too long");
    memcpy(pattern, format.as.string.s, format.as.string.n);
    pattern[format.as.string.n] = 0;
    const time_t now = time(NULL);
    struct tm parts;
    if (!localtime_r(&now, &parts)) return trine_tpl_fail(t, TRINE_ERROR_INTERNAL, "the time of day cannot be read");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const size_t n = strftime(text, sizeof text, pattern, &parts);
#pragma GCC diagnostic pop
    return trine_tpl_copy(t, text, n);
}

static tpl_value call_function(tpl *t, tpl_function function, const tpl_args *args)
{
    switch (function) {
    case TPL_RANGE: return range(t, args);
    case TPL_DICT_NEW: return make_dict(t, args, false);
    case TPL_NAMESPACE_NEW: return make_dict(t, args, true);
    case TPL_STRFTIME: return strftime_now(t, args);
    case TPL_RAISE: {
        trine_buffer text = { 0 };
        trine_tpl_str(t, &text, trine_tpl_arg(args, 0, "message", trine_tpl_text("it refuses this conversation")));
        const tpl_value s = trine_tpl_take(t, &text);
        if (t->failed) return s;
        return trine_tpl_fail(t, TRINE_ERROR_ARGUMENT, "%.*s", (int)(s.as.string.n > 400 ? 400 : s.as.string.n), s.as.string.s);
    }
    }
    return trine_tpl_undefined(NULL);
}

static tpl_value call(tpl *t, const tpl_node *n)
{
    tpl_value callee, object = trine_tpl_undefined(NULL);
    const bool is_attribute = n->a->kind == NODE_ATTRIBUTE;
    if (is_attribute) object = trine_tpl_eval(t, n->a->a);
    tpl_args args;
    if (is_attribute && !t->failed && object.kind != TPL_UNDEFINED && trine_tpl_has_method(object, n->a->name)) {
        return arguments(t, &args, n->first) ? trine_tpl_method(t, object, n->a->name, &args) : trine_tpl_undefined(NULL);
    }
    if (is_attribute && object.kind == TPL_LOOP && trine_tpl_is(n->a->name, "cycle")) {
        if (!arguments(t, &args, n->first)) return trine_tpl_undefined(NULL);
        return args.n ? args.at[object.as.loop->index % (size_t)args.n]
                      : trine_tpl_fail(t, TRINE_ERROR_FORMAT, "loop.cycle() needs values");
    }
    callee = is_attribute ? trine_tpl_attribute(t, object, n->a->name) : trine_tpl_eval(t, n->a);
    if (t->failed || !arguments(t, &args, n->first)) return trine_tpl_undefined(NULL);
    if (callee.kind == TPL_MACRO) return trine_tpl_call_macro(t, callee.as.macro, args.at, args.n, args.named);
    if (callee.kind == TPL_FUNCTION) return call_function(t, callee.as.function, &args);
    const tpl_string name = n->a->name;
    if (is_attribute)
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "the method '%.*s' of a %s is not supported", (int)name.n, name.s,
                              trine_tpl_kind_name(object));
    if (callee.kind == TPL_UNDEFINED)
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED,
                              "there is no function '%.*s' here (range, dict, namespace, raise_exception, strftime_now "
                              "and the template's macros are supported)",
                              (int)name.n, name.n ? name.s : "");
    return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a %s cannot be called", trine_tpl_kind_name(callee));
}

/* ------------------------------------------------------------------------------------------------------------ all kinds */

tpl_value trine_tpl_apply_filters(tpl *t, const tpl_node *n, tpl_value input)
{
    if (!n || t->failed) return input;
    if (!trine_tpl_enter(t)) return input;
    const tpl_value v = n->a ? trine_tpl_apply_filters(t, n->a, input) : input;
    tpl_args args;
    const tpl_value out = arguments(t, &args, n->first) ? trine_tpl_filter(t, n->name, v, &args) : v;
    trine_tpl_leave(t);
    return out;
}

static tpl_value collect(tpl *t, const tpl_node *n)
{
    if (n->kind == NODE_DICT) {
        const tpl_value out = trine_tpl_dict(t, 4);
        for (const tpl_node *pair = n->first; pair && !t->failed; pair = pair->next) {
            const tpl_value key = trine_tpl_eval(t, pair->a), value = trine_tpl_eval(t, pair->b);
            trine_tpl_put(t, out, key, value);
        }
        return out;
    }
    tpl_value out = trine_tpl_list(t, 0);
    out.is_tuple = n->kind == NODE_TUPLE;
    for (const tpl_node *item = n->first; item && !t->failed; item = item->next) trine_tpl_push(t, out, trine_tpl_eval(t, item));
    return out;
}

static tpl_value evaluate(tpl *t, const tpl_node *n)
{
    tpl_args args;
    switch (n->kind) {
    case NODE_CONST: return n->value;
    case NODE_NAME: return trine_tpl_lookup(t, n->name);
    case NODE_LIST:
    case NODE_TUPLE:
    case NODE_DICT: return collect(t, n);
    case NODE_ATTRIBUTE: return trine_tpl_attribute(t, trine_tpl_eval(t, n->a), n->name);
    case NODE_ITEM: {
        const tpl_value object = trine_tpl_eval(t, n->a);
        return n->b->kind == NODE_SLICE ? slice(t, object, n->b) : trine_tpl_item(t, object, trine_tpl_eval(t, n->b));
    }
    case NODE_CALL: return call(t, n);
    case NODE_FILTER: {
        const tpl_value v = trine_tpl_eval(t, n->a);
        return arguments(t, &args, n->first) ? trine_tpl_filter(t, n->name, v, &args) : v;
    }
    case NODE_TEST: {
        const tpl_value v = trine_tpl_eval(t, n->a);
        return trine_tpl_bool(arguments(t, &args, n->first) && trine_tpl_test(t, n->name, v, &args));
    }
    case NODE_NOT: return trine_tpl_bool(!trine_tpl_truth(trine_tpl_eval(t, n->a)));
    case NODE_NEGATE:
    case NODE_PLUS: {
        const tpl_value v = trine_tpl_eval(t, n->a);
        if (t->failed) return v;
        if (!is_number(v)) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "a sign before a %s", trine_tpl_kind_name(v));
        if (v.kind == TPL_FLOAT) return trine_tpl_real(n->kind == NODE_PLUS ? v.as.real : -v.as.real);
        return n->kind == NODE_PLUS ? trine_tpl_int(whole(v)) : arithmetic_whole(t, '-', false, 0, whole(v));
    }
    case NODE_AND: {
        const tpl_value v = trine_tpl_eval(t, n->a);
        return trine_tpl_truth(v) ? trine_tpl_eval(t, n->b) : v;
    }
    case NODE_OR: {
        const tpl_value v = trine_tpl_eval(t, n->a);
        return trine_tpl_truth(v) ? v : trine_tpl_eval(t, n->b);
    }
    case NODE_CHOICE:
        if (trine_tpl_truth(trine_tpl_eval(t, n->b))) return trine_tpl_eval(t, n->a);
        return n->c ? trine_tpl_eval(t, n->c) : trine_tpl_undefined("the other side of an if without else");
    case NODE_BINARY: return binary(t, n);
    case NODE_COMPARE: return comparison(t, n);
    default: return trine_tpl_fail(t, TRINE_ERROR_INTERNAL, "a node of kind %d is no expression", (int)n->kind);
    }
}

tpl_value trine_tpl_eval(tpl *t, const tpl_node *n)
{
    if (!trine_tpl_enter(t)) return trine_tpl_undefined(NULL);
    t->line = n->line;
    if (++t->steps > TPL_STEPS_MAX) trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "it takes more than %d steps", TPL_STEPS_MAX);
    const tpl_value v = t->failed ? trine_tpl_undefined(NULL) : evaluate(t, n);
    trine_tpl_leave(t);
    return t->failed ? trine_tpl_undefined(NULL) : v;
}
