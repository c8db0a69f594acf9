/* template_parse_expr.c - expressions, by recursive descent in jinja2's order of precedence:
 * x if y else z, or, and, not, comparisons, + -, ~, * / // %, **, unary, then .attribute [item] (call) |filter and "is test". */
#include <string.h>

#include "tasks/template.h"

const tpl_token *trine_tpl_look(const tpl *t, size_t ahead)
{
    static const tpl_token end = { .kind = TOK_END, .line = 1, .text = { "", 0 } };
    return t->pos + ahead < t->n_tokens ? &t->tokens[t->pos + ahead] : t->n_tokens ? &t->tokens[t->n_tokens - 1] : &end;
}

static bool is_word(const tpl_token *k, const char *text)
{
    return (k->kind == TOK_NAME || k->kind == TOK_OPERATOR || k->kind == TOK_BLOCK_END || k->kind == TOK_PRINT_END) &&
           trine_tpl_is(k->text, text);
}

bool trine_tpl_at(const tpl *t, const char *text) { return is_word(trine_tpl_look(t, 0), text); }

static void advance(tpl *t)
{
    if (t->pos + 1 < t->n_tokens) t->pos++;
    t->line = trine_tpl_look(t, 0)->line;
}

bool trine_tpl_skip(tpl *t, const char *text)
{
    if (!trine_tpl_at(t, text)) return false;
    advance(t);
    return true;
}

static tpl_value unexpected(tpl *t, const char *wanted)
{
    const tpl_token *k = trine_tpl_look(t, 0);
    if (k->kind == TOK_END) return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "the template ends where %s was expected", wanted);
    return trine_tpl_fail(t, TRINE_ERROR_FORMAT, "found '%.*s' where %s was expected", (int)(k->text.n > 40 ? 40 : k->text.n),
                          k->text.s, wanted);
}

void trine_tpl_expect(tpl *t, const char *text)
{
    if (!t->failed && !trine_tpl_skip(t, text)) unexpected(t, text);
}

tpl_string trine_tpl_expect_name(tpl *t)
{
    const tpl_token *k = trine_tpl_look(t, 0);
    if (k->kind != TOK_NAME) {
        unexpected(t, "a name");
        return (tpl_string) { "", 0 };
    }
    advance(t);
    return k->text;
}

tpl_node *trine_tpl_node(tpl *t, tpl_node_kind kind)
{
    static tpl_node nothing; /* what parsing goes on with after a failure; never written, never evaluated */
    tpl_node *n = trine_tpl_alloc(t, sizeof *n);
    if (!n) return &nothing;
    n->kind = kind;
    n->line = t->line;
    return n;
}

static tpl_node *binary(tpl *t, tpl_node_kind kind, tpl_string op, tpl_node *a, tpl_node *b)
{
    tpl_node *n = trine_tpl_node(t, kind);
    if (t->failed) return n;
    n->name = op;
    n->a = a;
    n->b = b;
    return n;
}

static tpl_node *unary(tpl *t, tpl_node_kind kind, tpl_node *a) { return binary(t, kind, (tpl_string) { "", 0 }, a, NULL); }

static tpl_node *constant(tpl *t, tpl_value v)
{
    tpl_node *n = trine_tpl_node(t, NODE_CONST);
    if (!t->failed) n->value = v;
    return n;
}

/* A comma list of expressions up to `close`, which is eaten. */
static tpl_node *members(tpl *t, const char *close)
{
    tpl_node *first = NULL, **tail = &first;
    while (!t->failed && !trine_tpl_skip(t, close)) {
        if (first) {
            trine_tpl_expect(t, ",");
            if (trine_tpl_skip(t, close)) break;
        }
        tpl_node *item = trine_tpl_parse_expression(t, true);
        if (t->failed || !item) break;
        *tail = item;
        tail = &item->next;
    }
    return first;
}

tpl_node *trine_tpl_parse_arguments(tpl *t)
{
    tpl_node *first = NULL, **tail = &first;
    bool named = false;
    while (!t->failed && !trine_tpl_skip(t, ")")) {
        if (first) {
            trine_tpl_expect(t, ",");
            if (trine_tpl_skip(t, ")")) break;
        }
        if (trine_tpl_at(t, "*") || trine_tpl_at(t, "**")) {
            trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "'*' and '**' before arguments are not supported");
            break;
        }
        tpl_node *arg = trine_tpl_node(t, NODE_ARGUMENT);
        if (t->failed) break;
        if (trine_tpl_look(t, 0)->kind == TOK_NAME && is_word(trine_tpl_look(t, 1), "=")) {
            arg->name = trine_tpl_expect_name(t);
            trine_tpl_expect(t, "=");
            named = true;
        } else if (named) {
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "an argument without a name stands after one with a name");
            break;
        }
        arg->a = trine_tpl_parse_expression(t, true);
        *tail = arg;
        tail = &arg->next;
    }
    return first;
}

static tpl_node *dict(tpl *t)
{
    tpl_node *n = trine_tpl_node(t, NODE_DICT);
    tpl_node *first = NULL, **tail = &first;
    while (!t->failed && !trine_tpl_skip(t, "}")) {
        if (first) {
            trine_tpl_expect(t, ",");
            if (trine_tpl_skip(t, "}")) break;
        }
        tpl_node *key = trine_tpl_parse_expression(t, true);
        trine_tpl_expect(t, ":");
        tpl_node *pair = binary(t, NODE_PAIR, (tpl_string) { "", 0 }, key, trine_tpl_parse_expression(t, true));
        if (t->failed) break;
        *tail = pair;
        tail = &pair->next;
    }
    if (!t->failed) n->first = first;
    return n;
}

static tpl_node *primary(tpl *t)
{
    const tpl_token *k = trine_tpl_look(t, 0);
    if (k->kind == TOK_NAME) {
        advance(t);
        if (trine_tpl_is(k->text, "true") || trine_tpl_is(k->text, "True")) return constant(t, trine_tpl_bool(true));
        if (trine_tpl_is(k->text, "false") || trine_tpl_is(k->text, "False")) return constant(t, trine_tpl_bool(false));
        if (trine_tpl_is(k->text, "none") || trine_tpl_is(k->text, "None")) return constant(t, trine_tpl_none());
        tpl_node *n = trine_tpl_node(t, NODE_NAME);
        if (!t->failed) n->name = k->text;
        return n;
    }
    if (k->kind == TOK_INT || k->kind == TOK_FLOAT) {
        advance(t);
        return constant(t, k->kind == TOK_INT ? trine_tpl_int(k->integer) : trine_tpl_real(k->real));
    }
    if (k->kind == TOK_STRING) { /* neighbours join, as in Python */
        trine_buffer b = { 0 };
        for (; k->kind == TOK_STRING && !t->failed; k = trine_tpl_look(t, 0)) {
            trine_buffer_append(&b, k->text.s, k->text.n);
            advance(t);
        }
        return constant(t, trine_tpl_take(t, &b));
    }
    if (trine_tpl_skip(t, "(")) {
        if (trine_tpl_skip(t, ")")) return trine_tpl_node(t, NODE_TUPLE);
        tpl_node *n = trine_tpl_parse_tuple(t, true);
        trine_tpl_expect(t, ")");
        return n;
    }
    if (trine_tpl_skip(t, "[")) {
        tpl_node *n = trine_tpl_node(t, NODE_LIST), *first = members(t, "]");
        if (!t->failed) n->first = first;
        return n;
    }
    if (trine_tpl_skip(t, "{")) return dict(t);
    unexpected(t, "an expression");
    return trine_tpl_node(t, NODE_CONST);
}

/* What stands in [ ]: an index, or from:to:step with any part left out. */
static tpl_node *subscript(tpl *t)
{
    tpl_node *n = trine_tpl_node(t, NODE_SLICE), *part[3] = { NULL };
    int i = 0;
    if (!trine_tpl_at(t, ":")) {
        part[0] = trine_tpl_parse_expression(t, true);
        if (!trine_tpl_at(t, ":")) {
            if (trine_tpl_at(t, ",")) trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "an index of several values is not supported");
            trine_tpl_expect(t, "]");
            return part[0];
        }
    }
    while (!t->failed && i < 2 && trine_tpl_skip(t, ":")) {
        i++;
        if (!trine_tpl_at(t, ":") && !trine_tpl_at(t, "]")) part[i] = trine_tpl_parse_expression(t, true);
    }
    trine_tpl_expect(t, "]");
    if (t->failed) return n;
    n->a = part[0];
    n->b = part[1];
    n->c = part[2];
    return n;
}

static tpl_node *postfix(tpl *t, tpl_node *n)
{
    while (!t->failed) {
        if (trine_tpl_skip(t, ".")) {
            const tpl_token *k = trine_tpl_look(t, 0);
            if (k->kind == TOK_INT) {
                advance(t);
                n = binary(t, NODE_ITEM, (tpl_string) { "", 0 }, n, constant(t, trine_tpl_int(k->integer)));
            } else {
                n = binary(t, NODE_ATTRIBUTE, trine_tpl_expect_name(t), n, NULL);
            }
        } else if (trine_tpl_skip(t, "[")) {
            tpl_node *index = subscript(t);
            n = binary(t, NODE_ITEM, (tpl_string) { "", 0 }, n, index);
        } else if (trine_tpl_skip(t, "(")) {
            tpl_node *call = unary(t, NODE_CALL, n), *args = trine_tpl_parse_arguments(t);
            if (!t->failed) call->first = args;
            n = call;
        } else {
            break;
        }
    }
    return n;
}

/* "is" [not] name [argument]: the argument may stand without brackets, as in `x is divisibleby 3`. */
static tpl_node *test(tpl *t, tpl_node *input)
{
    const bool negated = trine_tpl_skip(t, "not");
    tpl_node *n = unary(t, NODE_TEST, input);
    const tpl_string name = trine_tpl_expect_name(t);
    if (t->failed) return n;
    n->name = name;
    const tpl_token *k = trine_tpl_look(t, 0);
    if (trine_tpl_skip(t, "(")) {
        tpl_node *args = trine_tpl_parse_arguments(t);
        if (!t->failed) n->first = args;
    } else if (k->kind == TOK_STRING || k->kind == TOK_INT || k->kind == TOK_FLOAT || is_word(k, "[") || is_word(k, "{") ||
               (k->kind == TOK_NAME && !is_word(k, "else") && !is_word(k, "or") && !is_word(k, "and") && !is_word(k, "if") &&
                !is_word(k, "is") && !is_word(k, "in") && !is_word(k, "not"))) {
        tpl_node *arg = trine_tpl_node(t, NODE_ARGUMENT), *value = postfix(t, primary(t));
        if (t->failed) return n;
        arg->a = value;
        n->first = arg;
    }
    return negated ? unary(t, NODE_NOT, n) : n;
}

tpl_node *trine_tpl_parse_filters(tpl *t, tpl_node *n, bool first_without_bar)
{
    while (!t->failed && (first_without_bar || trine_tpl_skip(t, "|"))) {
        first_without_bar = false;
        tpl_node *filter = unary(t, NODE_FILTER, n);
        const tpl_string name = trine_tpl_expect_name(t);
        tpl_node *args = trine_tpl_skip(t, "(") ? trine_tpl_parse_arguments(t) : NULL;
        if (t->failed) break;
        filter->name = name;
        filter->first = args;
        n = filter;
    }
    return n;
}

static tpl_node *parse_unary(tpl *t, bool with_filter)
{
    if (!trine_tpl_enter(t)) return trine_tpl_node(t, NODE_CONST);
    tpl_node *n;
    if (trine_tpl_skip(t, "-"))
        n = unary(t, NODE_NEGATE, parse_unary(t, false));
    else if (trine_tpl_skip(t, "+"))
        n = unary(t, NODE_PLUS, parse_unary(t, false));
    else
        n = primary(t);
    n = postfix(t, n);
    while (with_filter && !t->failed) {
        if (trine_tpl_at(t, "|"))
            n = trine_tpl_parse_filters(t, n, false);
        else if (trine_tpl_skip(t, "is"))
            n = test(t, n);
        else if (trine_tpl_at(t, "("))
            n = postfix(t, n);
        else
            break;
    }
    trine_tpl_leave(t);
    return n;
}

/* One level of operators that group to the left. */
static tpl_node *level(tpl *t, const char *const *operators, tpl_node *(*next)(tpl *))
{
    tpl_node *n = next(t);
    while (!t->failed) {
        const tpl_token *k = trine_tpl_look(t, 0);
        bool found = false;
        for (const char *const *op = operators; *op && !found; op++) found = k->kind == TOK_OPERATOR && is_word(k, *op);
        if (!found) break;
        advance(t);
        n = binary(t, NODE_BINARY, k->text, n, next(t));
    }
    return n;
}

static tpl_node *operand(tpl *t) { return parse_unary(t, true); }
static tpl_node *power(tpl *t) { return level(t, (const char *const[]) { "**", NULL }, operand); }
static tpl_node *product(tpl *t) { return level(t, (const char *const[]) { "*", "/", "//", "%", NULL }, power); }
static tpl_node *concat(tpl *t) { return level(t, (const char *const[]) { "~", NULL }, product); }
static tpl_node *sum(tpl *t) { return level(t, (const char *const[]) { "+", "-", NULL }, concat); }

static tpl_node *comparison(tpl *t)
{
    tpl_node *n = sum(t), *first = NULL, **tail = &first;
    while (!t->failed) {
        const tpl_token *k = trine_tpl_look(t, 0);
        tpl_string op = k->text;
        if (is_word(k, "==") || is_word(k, "!=") || is_word(k, "<") || is_word(k, "<=") || is_word(k, ">") || is_word(k, ">=") ||
            (k->kind == TOK_NAME && is_word(k, "in"))) {
            advance(t);
        } else if (k->kind == TOK_NAME && is_word(k, "not") && is_word(trine_tpl_look(t, 1), "in")) {
            advance(t);
            advance(t);
            op = (tpl_string) { "not in", 6 };
        } else {
            break;
        }
        tpl_node *step = binary(t, NODE_BINARY, op, NULL, sum(t));
        if (t->failed) break;
        *tail = step;
        tail = &step->next;
    }
    if (!first) return n;
    tpl_node *chain = unary(t, NODE_COMPARE, n);
    if (!t->failed) chain->first = first;
    return chain;
}

static tpl_node *negation(tpl *t)
{
    if (!trine_tpl_skip(t, "not")) return comparison(t);
    if (!trine_tpl_enter(t)) return trine_tpl_node(t, NODE_CONST);
    tpl_node *n = unary(t, NODE_NOT, negation(t));
    trine_tpl_leave(t);
    return n;
}

static tpl_node *conjunction(tpl *t)
{
    tpl_node *n = negation(t);
    while (!t->failed && trine_tpl_skip(t, "and")) n = binary(t, NODE_AND, (tpl_string) { "", 0 }, n, negation(t));
    return n;
}

static tpl_node *disjunction(tpl *t)
{
    tpl_node *n = conjunction(t);
    while (!t->failed && trine_tpl_skip(t, "or")) n = binary(t, NODE_OR, (tpl_string) { "", 0 }, n, conjunction(t));
    return n;
}

tpl_node *trine_tpl_parse_expression(tpl *t, bool with_choice)
{
    if (!trine_tpl_enter(t)) return trine_tpl_node(t, NODE_CONST);
    tpl_node *n = disjunction(t);
    while (with_choice && !t->failed && trine_tpl_skip(t, "if")) {
        tpl_node *condition = disjunction(t);
        tpl_node *otherwise = trine_tpl_skip(t, "else") ? trine_tpl_parse_expression(t, true) : NULL;
        n = binary(t, NODE_CHOICE, (tpl_string) { "", 0 }, n, condition);
        if (!t->failed) n->c = otherwise;
    }
    trine_tpl_leave(t);
    return n;
}

static bool ends_tuple(const tpl *t)
{
    const tpl_token *k = trine_tpl_look(t, 0);
    return k->kind == TOK_BLOCK_END || k->kind == TOK_PRINT_END || k->kind == TOK_END || is_word(k, ")") || is_word(k, "in") ||
           is_word(k, "=");
}

tpl_node *trine_tpl_parse_tuple(tpl *t, bool with_choice)
{
    tpl_node *n = trine_tpl_parse_expression(t, with_choice);
    if (t->failed || !trine_tpl_at(t, ",")) return n;
    tpl_node *tuple = trine_tpl_node(t, NODE_TUPLE), **tail = &n->next;
    while (!t->failed && trine_tpl_skip(t, ",") && !ends_tuple(t)) {
        tpl_node *item = trine_tpl_parse_expression(t, with_choice);
        if (t->failed) break;
        *tail = item;
        tail = &item->next;
    }
    if (!t->failed) tuple->first = n;
    return tuple;
}
