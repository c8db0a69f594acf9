/* template_eval.c - running statements: scopes, loops, set, macros. Expressions are in template_expr.c. */
#include <string.h>

#include "tasks/template.h"

/* -------------------------------------------------------------------------------------------------------------- scopes */

/* An `if` makes no scope; a loop's pass, a macro's call and {% generation %} do, so what they set ends with them. */
static tpl_scope *open_scope(tpl *t, tpl_scope *parent)
{
    tpl_scope *scope = trine_tpl_alloc(t, sizeof *scope);
    if (!scope) return NULL;
    scope->parent = parent;
    return scope;
}

void trine_tpl_define(tpl *t, tpl_scope *scope, tpl_string name, tpl_value value)
{
    if (t->failed) return;
    for (tpl_binding *b = scope->bindings; b; b = b->next)
        if (b->name.n == name.n && memcmp(b->name.s, name.s, name.n) == 0) {
            b->value = value;
            return;
        }
    tpl_binding *b = trine_tpl_alloc(t, sizeof *b);
    if (!b) return;
    *b = (tpl_binding) { .name = name, .value = value, .next = scope->bindings };
    scope->bindings = b;
}

tpl_value trine_tpl_lookup(tpl *t, tpl_string name)
{
    for (const tpl_scope *scope = t->scope; scope; scope = scope->parent)
        for (const tpl_binding *b = scope->bindings; b; b = b->next)
            if (b->name.n == name.n && memcmp(b->name.s, name.s, name.n) == 0) return b->value;
    if (trine_tpl_is(name, "varargs") || trine_tpl_is(name, "kwargs") || trine_tpl_is(name, "caller"))
        return trine_tpl_fail(t, TRINE_ERROR_UNSUPPORTED, "'%.*s' in a macro is not supported", (int)name.n, name.s);
    return (tpl_value) { .kind = TPL_UNDEFINED, .as.string = name };
}

/* Stores to a name, to an attribute of a namespace, or item by item to a tuple of these. */
static void assign(tpl *t, const tpl_node *target, tpl_value value)
{
    if (t->failed) return;
    if (target->kind == NODE_NAME) {
        trine_tpl_define(t, t->scope, target->name, value);
    } else if (target->kind == NODE_ATTRIBUTE) {
        const tpl_value object = trine_tpl_eval(t, target->a);
        if (t->failed) return;
        if (object.kind != TPL_DICT || !object.as.dict->is_namespace)
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "only attributes of a namespace() can be set, and '%.*s' is %s",
                           (int)target->a->name.n, target->a->name.s, trine_tpl_kind_name(object));
        else
            trine_tpl_put(t, object, trine_tpl_borrow(target->name.s, target->name.n), value);
    } else {
        const tpl_value items = trine_tpl_iterate(t, value);
        if (t->failed) return;
        size_t n = 0;
        for (const tpl_node *item = target->first; item; item = item->next) n++;
        if (n != items.as.list->n) {
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "%zu names to set, but %zu values", n, items.as.list->n);
            return;
        }
        size_t i = 0;
        for (const tpl_node *item = target->first; item; item = item->next) assign(t, item, items.as.list->items[i++]);
    }
}

/* ---------------------------------------------------------------------------------------------------------- statements */

static void put(tpl *t, tpl_string s)
{
    trine_buffer_append(t->out, s.s, s.n);
    if (t->out->failed)
        trine_tpl_fail(t, TRINE_ERROR_MEMORY, "memory ran out");
    else if (t->out->n > TPL_MEMORY_MAX)
        trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "it writes more than %zu MiB", TPL_MEMORY_MAX >> 20);
}

/* Runs statements into a text of their own. */
static tpl_value capture(tpl *t, const tpl_node *statements)
{
    trine_buffer text = { 0 }, *outer = t->out;
    t->out = &text;
    trine_tpl_exec(t, statements);
    t->out = outer;
    return trine_tpl_take(t, &text);
}

static void run_for(tpl *t, const tpl_node *n)
{
    tpl_scope *outer = t->scope;
    tpl_value items = trine_tpl_iterate(t, trine_tpl_eval(t, n->b));
    if (t->failed) return;
    if (n->c) { /* the filter sees the loop's variables; loop.length counts what is left */
        const tpl_value kept = trine_tpl_list(t, items.as.list->n);
        for (size_t i = 0; i < items.as.list->n && !t->failed; i++) {
            if (!(t->scope = open_scope(t, outer))) break;
            assign(t, n->a, items.as.list->items[i]);
            if (trine_tpl_truth(trine_tpl_eval(t, n->c))) trine_tpl_push(t, kept, items.as.list->items[i]);
        }
        t->scope = outer;
        items = kept;
    }
    tpl_loop *loop = trine_tpl_alloc(t, sizeof *loop);
    if (t->failed || !loop) return;
    loop->items = items.as.list;
    for (; loop->index < items.as.list->n && !t->failed; loop->index++) {
        if (!(t->scope = open_scope(t, outer))) break;
        assign(t, n->a, items.as.list->items[loop->index]);
        trine_tpl_define(t, t->scope, (tpl_string) { "loop", 4 }, (tpl_value) { .kind = TPL_LOOP, .as.loop = loop });
        trine_tpl_exec(t, n->first);
        const bool stop = t->flow == TPL_BREAKING;
        t->flow = TPL_RUN;
        if (stop) break;
    }
    t->scope = outer;
    if (!items.as.list->n && n->second && (t->scope = open_scope(t, outer))) trine_tpl_exec(t, n->second);
    t->scope = outer;
}

tpl_value trine_tpl_call_macro(tpl *t, const tpl_node *macro, const tpl_value *args, int n_args, const tpl_dict *named)
{
    if (!trine_tpl_enter(t)) return trine_tpl_undefined(NULL);
    tpl_scope *caller = t->scope, *scope = open_scope(t, t->globals);
    int i = 0;
    size_t n_named = 0;
    if (scope) {
        for (const tpl_node *p = macro->second; p; p = p->next, i++) {
            const tpl_value *given = trine_tpl_get(named, p->name.s, p->name.n);
            n_named += given != NULL;
            t->scope = scope; /* a default may name the parameters before it */
            const tpl_value fallback =
                i >= n_args && !given && p->a ? trine_tpl_eval(t, p->a) : (tpl_value) { .as.string = p->name };
            trine_tpl_define(t, scope, p->name, i < n_args ? args[i] : given ? *given : fallback);
        }
        if (n_args > i || (named && n_named < named->n))
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "macro '%.*s' takes no more than %d arguments, of its own names",
                           (int)macro->name.n, macro->name.s, i);
    }
    t->scope = scope ? scope : caller;
    const tpl_value text = capture(t, macro->first);
    t->scope = caller;
    trine_tpl_leave(t);
    return text;
}

static void run_scope(tpl *t, const tpl_node *n)
{
    tpl_scope *outer = t->scope;
    if ((t->scope = open_scope(t, outer))) trine_tpl_exec(t, n->first);
    t->scope = outer;
}

static void run(tpl *t, const tpl_node *n)
{
    t->line = n->line;
    switch (n->kind) {
    case NODE_TEXT: put(t, n->value.as.string); break;
    case NODE_PRINT: {
        const tpl_value v = trine_tpl_eval(t, n->a);
        if (t->failed) break;
        if (v.kind == TPL_STRING) {
            put(t, v.as.string);
        } else {
            trine_buffer text = { 0 };
            trine_tpl_str(t, &text, v);
            const tpl_value s = trine_tpl_take(t, &text);
            if (!t->failed) put(t, s.as.string);
        }
        break;
    }
    case NODE_FOR: run_for(t, n); break;
    case NODE_IF: trine_tpl_exec(t, trine_tpl_truth(trine_tpl_eval(t, n->a)) ? n->first : n->second); break;
    case NODE_SET: assign(t, n->a, trine_tpl_eval(t, n->b)); break;
    case NODE_SET_BLOCK: {
        tpl_scope *outer = t->scope;
        tpl_value text = trine_tpl_undefined(NULL);
        if ((t->scope = open_scope(t, outer))) text = capture(t, n->first);
        t->scope = outer;
        assign(t, n->a, trine_tpl_apply_filters(t, n->b, text));
        break;
    }
    case NODE_MACRO: trine_tpl_define(t, t->scope, n->name, (tpl_value) { .kind = TPL_MACRO, .as.macro = n }); break;
    case NODE_BREAK: t->flow = TPL_BREAKING; break;
    case NODE_CONTINUE: t->flow = TPL_CONTINUING; break;
    case NODE_SCOPE: run_scope(t, n); break;
    case NODE_FILTER_BLOCK: {
        tpl_scope *outer = t->scope;
        tpl_value text = trine_tpl_undefined(NULL);
        if ((t->scope = open_scope(t, outer))) text = capture(t, n->first);
        t->scope = outer;
        const tpl_value v = trine_tpl_apply_filters(t, n->b, text);
        trine_buffer b = { 0 };
        if (!t->failed) trine_tpl_str(t, &b, v);
        const tpl_value s = trine_tpl_take(t, &b);
        if (!t->failed) put(t, s.as.string);
        break;
    }
    default: trine_tpl_fail(t, TRINE_ERROR_INTERNAL, "a node of kind %d is no statement", (int)n->kind);
    }
}

void trine_tpl_exec(tpl *t, const tpl_node *n)
{
    if (!n || !trine_tpl_enter(t)) return;
    for (; n && !t->failed && t->flow == TPL_RUN; n = n->next) {
        if (++t->steps > TPL_STEPS_MAX)
            trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "it takes more than %d steps", TPL_STEPS_MAX);
        else
            run(t, n);
    }
    trine_tpl_leave(t);
}

void trine_tpl_run(tpl *t, const tpl_node *statements, trine_buffer *out)
{
    static const struct {
        const char *name;
        tpl_function function;
    } functions[] = {
        { "range", TPL_RANGE },           { "dict", TPL_DICT_NEW },         { "namespace", TPL_NAMESPACE_NEW },
        { "raise_exception", TPL_RAISE }, { "strftime_now", TPL_STRFTIME },
    };
    if (t->failed || !t->globals) return;
    tpl_scope *builtins = open_scope(t, NULL);
    if (!builtins) return;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        trine_tpl_define(t, builtins, (tpl_string) { functions[i].name, strlen(functions[i].name) },
                         (tpl_value) { .kind = TPL_FUNCTION, .as.function = functions[i].function });
    t->globals->parent = builtins;
    t->scope = t->globals;
    t->out = out;
    t->flow = TPL_RUN;
    trine_tpl_exec(t, statements);
}
