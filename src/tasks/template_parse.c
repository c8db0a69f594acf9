/* template_parse.c - statements: text, {{ }}, and the {% %} tags that chat templates use. */
#include <string.h>

#include "tasks/template.h"

static tpl_node *statements(tpl *t, const char *const *until);

static void end_of_tag(tpl *t) { trine_tpl_expect(t, "%}"); }

/* A place to store to: a name, ns.name, or with commas a tuple of names. `in` ends it, so no expression will do. */
static tpl_node *target(tpl *t, bool with_attribute)
{
    tpl_node *first = NULL, **tail = &first;
    bool is_tuple = false;
    const bool bracket = trine_tpl_skip(t, "(");
    do {
        if (first && trine_tpl_look(t, 0)->kind != TOK_NAME) break; /* a comma may end it */
        tpl_node *n = trine_tpl_node(t, NODE_NAME);
        const tpl_string name = trine_tpl_expect_name(t);
        if (t->failed) return n;
        n->name = name;
        if (with_attribute && trine_tpl_skip(t, ".")) {
            tpl_node *attribute = trine_tpl_node(t, NODE_ATTRIBUTE);
            const tpl_string field = trine_tpl_expect_name(t);
            if (t->failed) return n;
            attribute->a = n;
            attribute->name = field;
            n = attribute;
        }
        *tail = n;
        tail = &n->next;
        is_tuple |= trine_tpl_at(t, ",");
    } while (trine_tpl_skip(t, ","));
    if (bracket) trine_tpl_expect(t, ")");
    if (!is_tuple) return first;
    tpl_node *tuple = trine_tpl_node(t, NODE_TUPLE);
    if (!t->failed) tuple->first = first;
    return tuple;
}

static tpl_node *parse_for(tpl *t)
{
    tpl_node *n = trine_tpl_node(t, NODE_FOR), *a = target(t, false);
    trine_tpl_expect(t, "in");
    tpl_node *b = trine_tpl_parse_tuple(t, false);
    tpl_node *c = trine_tpl_skip(t, "if") ? trine_tpl_parse_expression(t, true) : NULL;
    if (trine_tpl_at(t, "recursive")) trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "'recursive' loops are not supported");
    end_of_tag(t);
    tpl_node *first = statements(t, (const char *const[]) { "endfor", "else", NULL }), *second = NULL;
    if (trine_tpl_skip(t, "else")) {
        end_of_tag(t);
        second = statements(t, (const char *const[]) { "endfor", NULL });
    }
    trine_tpl_expect(t, "endfor");
    end_of_tag(t);
    if (t->failed) return n;
    n->a = a;
    n->b = b;
    n->c = c;
    n->first = first;
    n->second = second;
    return n;
}

/* After "if" or "elif", through its endif. An elif is an if alone in the else branch. */
static tpl_node *parse_if(tpl *t)
{
    if (!trine_tpl_enter(t)) return trine_tpl_node(t, NODE_IF);
    tpl_node *n = trine_tpl_node(t, NODE_IF), *a = trine_tpl_parse_tuple(t, true);
    end_of_tag(t);
    tpl_node *first = statements(t, (const char *const[]) { "endif", "elif", "else", NULL }), *second = NULL;
    if (trine_tpl_skip(t, "elif")) {
        second = parse_if(t);
    } else {
        if (trine_tpl_skip(t, "else")) {
            end_of_tag(t);
            second = statements(t, (const char *const[]) { "endif", NULL });
        }
        trine_tpl_expect(t, "endif");
        end_of_tag(t);
    }
    trine_tpl_leave(t);
    if (t->failed) return n;
    n->a = a;
    n->first = first;
    n->second = second;
    return n;
}

static tpl_node *parse_set(tpl *t)
{
    tpl_node *a = target(t, true), *n;
    if (trine_tpl_skip(t, "=")) {
        n = trine_tpl_node(t, NODE_SET);
        tpl_node *b = trine_tpl_parse_tuple(t, true);
        end_of_tag(t);
        if (t->failed) return n;
        n->a = a;
        n->b = b;
        return n;
    }
    n = trine_tpl_node(t, NODE_SET_BLOCK);
    tpl_node *filters = trine_tpl_parse_filters(t, NULL, false);
    end_of_tag(t);
    tpl_node *first = statements(t, (const char *const[]) { "endset", NULL });
    trine_tpl_expect(t, "endset");
    end_of_tag(t);
    if (t->failed) return n;
    n->a = a;
    n->b = filters;
    n->first = first;
    return n;
}

static tpl_node *parse_macro(tpl *t)
{
    tpl_node *n = trine_tpl_node(t, NODE_MACRO), *parameters = NULL, **tail = &parameters;
    const tpl_string name = trine_tpl_expect_name(t);
    trine_tpl_expect(t, "(");
    while (!t->failed && !trine_tpl_skip(t, ")")) {
        if (parameters) trine_tpl_expect(t, ",");
        tpl_node *p = trine_tpl_node(t, NODE_ARGUMENT);
        const tpl_string p_name = trine_tpl_expect_name(t);
        tpl_node *fallback = trine_tpl_skip(t, "=") ? trine_tpl_parse_expression(t, true) : NULL;
        if (t->failed) break;
        p->name = p_name;
        p->a = fallback;
        *tail = p;
        tail = &p->next;
    }
    end_of_tag(t);
    tpl_node *first = statements(t, (const char *const[]) { "endmacro", NULL });
    trine_tpl_expect(t, "endmacro");
    if (trine_tpl_look(t, 0)->kind == TOK_NAME) trine_tpl_expect_name(t);
    end_of_tag(t);
    if (t->failed) return n;
    n->name = name;
    n->first = first;
    n->second = parameters;
    return n;
}

/* {% generation %} marks the assistant's words for training; when rendering it is a scope. */
static tpl_node *parse_scope(tpl *t, const char *end)
{
    tpl_node *n = trine_tpl_node(t, NODE_SCOPE);
    end_of_tag(t);
    tpl_node *first = statements(t, (const char *const[]) { end, NULL });
    trine_tpl_expect(t, end);
    end_of_tag(t);
    if (!t->failed) n->first = first;
    return n;
}

static tpl_node *parse_filter_block(tpl *t)
{
    tpl_node *n = trine_tpl_node(t, NODE_FILTER_BLOCK), *filters = trine_tpl_parse_filters(t, NULL, true);
    end_of_tag(t);
    tpl_node *first = statements(t, (const char *const[]) { "endfilter", NULL });
    trine_tpl_expect(t, "endfilter");
    end_of_tag(t);
    if (t->failed) return n;
    n->b = filters;
    n->first = first;
    return n;
}

/* One {% tag %}, its name next. */
static tpl_node *tag(tpl *t)
{
    const tpl_string name = trine_tpl_expect_name(t);
    if (t->failed) return trine_tpl_node(t, NODE_TEXT);
    if (trine_tpl_is(name, "for")) return parse_for(t);
    if (trine_tpl_is(name, "if")) return parse_if(t);
    if (trine_tpl_is(name, "set")) return parse_set(t);
    if (trine_tpl_is(name, "macro")) return parse_macro(t);
    if (trine_tpl_is(name, "generation")) return parse_scope(t, "endgeneration");
    if (trine_tpl_is(name, "filter")) return parse_filter_block(t);
    if (trine_tpl_is(name, "break") || trine_tpl_is(name, "continue")) {
        tpl_node *n = trine_tpl_node(t, trine_tpl_is(name, "break") ? NODE_BREAK : NODE_CONTINUE);
        if (!t->loop_depth) trine_tpl_fail(t, TRINE_ERROR_FORMAT, "{%% %.*s %%} outside a loop", (int)name.n, name.s);
        end_of_tag(t);
        return n;
    }
    static const char *const known[] = { "call", "with",       "block", "extends", "include", "import",
                                         "from", "autoescape", "do",    "trans",   "debug" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (trine_tpl_is(name, known[i]))
            trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED,
                           "{%% %s %%} is not supported (supported: for, if, set, macro, filter, "
                           "generation, raw, break, continue)",
                           known[i]);
    trine_tpl_fail(t, TRINE_ERROR_FORMAT, "there is no tag '%.*s' to begin here", (int)(name.n > 40 ? 40 : name.n), name.s);
    return trine_tpl_node(t, NODE_TEXT);
}

/* Statements up to a tag named in `until` (its first is what ends the statement; NULL: the end of the template), whose name is
 * then the next token. */
static tpl_node *statements(tpl *t, const char *const *until)
{
    tpl_node *first = NULL, **tail = &first;
    if (!trine_tpl_enter(t)) return NULL;
    const bool is_loop = until && !strcmp(until[0], "endfor"), is_macro = until && !strcmp(until[0], "endmacro");
    const int loop_depth = t->loop_depth;
    t->loop_depth = is_macro ? 0 : loop_depth + is_loop;
    while (!t->failed) {
        const tpl_token *k = trine_tpl_look(t, 0);
        t->line = k->line;
        tpl_node *n = NULL;
        if (k->kind == TOK_END) {
            if (until) trine_tpl_fail(t, TRINE_ERROR_FORMAT, "the template ends without {%% %s %%}", until[0]);
            break;
        }
        t->pos++;
        if (k->kind == TOK_TEXT) {
            n = trine_tpl_node(t, NODE_TEXT);
            if (!t->failed) n->value = trine_tpl_borrow(k->text.s, k->text.n);
        } else if (k->kind == TOK_PRINT_BEGIN) {
            n = trine_tpl_node(t, NODE_PRINT);
            tpl_node *a = trine_tpl_parse_tuple(t, true);
            trine_tpl_expect(t, "}}");
            if (!t->failed) n->a = a;
        } else {
            bool stop = false;
            for (const char *const *word = until; word && *word && !stop; word++) stop = trine_tpl_at(t, *word);
            if (stop) break;
            n = tag(t);
        }
        if (t->failed) break;
        *tail = n;
        tail = &n->next;
    }
    t->loop_depth = loop_depth;
    trine_tpl_leave(t);
    return first;
}

tpl_node *trine_tpl_parse(tpl *t)
{
    t->pos = 0;
    t->loop_depth = 0;
    tpl_node *n = statements(t, NULL);
    return t->failed ? NULL : n;
}
