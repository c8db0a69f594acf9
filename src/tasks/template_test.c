/* template_test.c - the tests behind "is": x is defined, x is string, n is divisibleby 3. */
#include <string.h>

#include "base/utf8.h"
#include "tasks/template_text.h"

static bool is_whole(tpl_value v) { return v.kind == TPL_INT || v.kind == TPL_BOOL; }
static int64_t whole(tpl_value v) { return v.kind == TPL_BOOL ? v.as.boolean : v.as.integer; }

/* Some letter has case, and none has the other one. */
static bool all_case(tpl_string s, bool upper)
{
    bool some = false;
    for (size_t i = 0, taken; i < s.n; i += taken) {
        const unsigned kind = trine_tpl_character(trine_utf8_next(&taken, s.s + i, s.n - i));
        const bool is_upper = kind & (TPL_UPPER | TPL_TITLE), is_lower = kind & TPL_LOWER;
        if (upper ? is_lower : is_upper) return false;
        some |= is_upper || is_lower;
    }
    return some;
}

static bool is_dict(tpl_value v) { return v.kind == TPL_DICT && !v.as.dict->is_namespace; }

static int64_t number(tpl *t, tpl_value v, const char *test)
{
    if (!t->failed && !is_whole(v))
        trine_tpl_fail(t, TRINE_ERROR_FORMAT, "'is %s' needs whole numbers, not a %s", test, trine_tpl_kind_name(v));
    return is_whole(v) ? whole(v) : 0;
}

bool trine_tpl_test(tpl *t, tpl_string name, tpl_value v, const tpl_args *args)
{
    if (t->failed) return false;
    const tpl_value other = trine_tpl_arg(args, 0, "other", trine_tpl_none());
    const bool is_iterable = v.kind == TPL_STRING || v.kind == TPL_LIST || is_dict(v) || v.kind == TPL_UNDEFINED;
#define IS(text) trine_tpl_is(name, text)
    if (IS("defined")) return v.kind != TPL_UNDEFINED;
    if (IS("undefined")) return v.kind == TPL_UNDEFINED;
    if (IS("none")) return v.kind == TPL_NONE;
    if (IS("true")) return v.kind == TPL_BOOL && v.as.boolean;
    if (IS("false")) return v.kind == TPL_BOOL && !v.as.boolean;
    if (IS("boolean")) return v.kind == TPL_BOOL;
    if (IS("integer")) return v.kind == TPL_INT;
    if (IS("float")) return v.kind == TPL_FLOAT;
    if (IS("number")) return is_whole(v) || v.kind == TPL_FLOAT;
    if (IS("string")) return v.kind == TPL_STRING;
    if (IS("mapping")) return is_dict(v);
    if (IS("iterable") || IS("sequence")) return is_iterable;
    if (IS("callable")) return v.kind == TPL_MACRO || v.kind == TPL_FUNCTION || v.kind == TPL_LOOP || v.kind == TPL_UNDEFINED;
    if (IS("odd")) return number(t, v, "odd") % 2 != 0;
    if (IS("even")) return number(t, v, "even") % 2 == 0;
    if (IS("divisibleby")) {
        const int64_t a = number(t, v, "divisibleby"),
                      b = number(t, trine_tpl_arg(args, 0, "num", trine_tpl_none()), "divisibleby");
        if (!t->failed && b == 0) trine_tpl_fail(t, TRINE_ERROR_FORMAT, "division by zero");
        return !t->failed && b != 0 && (b == -1 || a % b == 0);
    }
    if (IS("lower") || IS("upper")) return v.kind == TPL_STRING && all_case(v.as.string, IS("upper"));
    if (IS("eq") || IS("equalto") || IS("==")) return trine_tpl_equal(v, other);
    if (IS("ne") || IS("!=")) return !trine_tpl_equal(v, other);
    if (IS("sameas")) return v.kind == other.kind && trine_tpl_equal(v, other);
    if (IS("lt") || IS("lessthan") || IS("<")) return trine_tpl_compare(t, v, other) < 0;
    if (IS("le") || IS("<=")) return trine_tpl_compare(t, v, other) <= 0;
    if (IS("gt") || IS("greaterthan") || IS(">")) return trine_tpl_compare(t, v, other) > 0;
    if (IS("ge") || IS(">=")) return trine_tpl_compare(t, v, other) >= 0;
    if (IS("in")) return trine_tpl_contains(t, trine_tpl_arg(args, 0, "seq", trine_tpl_none()), v);
#undef IS
    trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "the test 'is %.*s' is not supported", (int)(name.n > 60 ? 60 : name.n), name.s);
    return false;
}
