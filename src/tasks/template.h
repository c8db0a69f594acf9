/* template.h - a small interpreter for the part of Jinja that chat templates are written in.
 *
 * A template is untrusted code from a model file, so it runs in a box: every value lives in one pool that is freed at the
 * end and has a limit, steps and nesting are counted, and there is nothing to call but string, list and dict functions.
 * Semantics are those of jinja2 3.1 as transformers sets it up: trim_blocks, lstrip_blocks, loop controls, the
 * {% generation %} tag, tojson without HTML escapes, raise_exception and strftime_now.
 *
 *     lexer (template_lex.c) -> parser (template_parse.c, template_parse_expr.c) -> tree of nodes
 *     tree + variables -> evaluator (template_eval.c statements, template_expr.c expressions) -> text
 *     values (template_value.c), their text (template_repr.c), filters, tests and methods (template_{filter,test,method}.c)
 *
 * The first failure sticks in tpl.failed; after it every function returns at once with an undefined value. */
#ifndef TRINE_TASKS_TEMPLATE_H
#define TRINE_TASKS_TEMPLATE_H

#include "base/buffer.h"
#include "trine/basics.h"

typedef struct tpl tpl;
typedef struct tpl_node tpl_node;
typedef struct tpl_value tpl_value;

/* ------------------------------------------------------------------------------------------------------------ values */

typedef enum tpl_kind {
    TPL_UNDEFINED,
    TPL_NONE,
    TPL_BOOL,
    TPL_INT,
    TPL_FLOAT,
    TPL_STRING,
    TPL_LIST,
    TPL_DICT,
    TPL_MACRO,
    TPL_LOOP,
    TPL_FUNCTION
} tpl_kind;

typedef struct tpl_string {
    const char *s;
    size_t n;
} tpl_string; /* valid UTF-8, immutable */
typedef struct tpl_list {
    tpl_value *items;
    size_t n, cap;
} tpl_list;
/* In order of insertion. A namespace() is a dict that `set ns.x` may change and that has attributes only. */
typedef struct tpl_dict {
    tpl_value *keys, *values;
    size_t n, cap;
    bool is_namespace;
} tpl_dict;
typedef struct tpl_loop {
    const tpl_list *items;
    size_t index;
} tpl_loop;
typedef enum tpl_function { TPL_RANGE, TPL_DICT_NEW, TPL_NAMESPACE_NEW, TPL_RAISE, TPL_STRFTIME } tpl_function;

struct tpl_value {
    tpl_kind kind;
    bool is_tuple; /* of a list: how it prints */
    union {
        bool boolean;
        int64_t integer;
        double real;
        tpl_string string; /* of an undefined value: the name that was not found */
        tpl_list *list;
        tpl_dict *dict;
        const tpl_node *macro;
        const tpl_loop *loop;
        tpl_function function;
    } as;
};

/* ------------------------------------------------------------------------------------------------------------- tokens */

typedef enum tpl_token_kind {
    TOK_END,
    TOK_TEXT,
    TOK_PRINT_BEGIN,
    TOK_PRINT_END,
    TOK_BLOCK_BEGIN,
    TOK_BLOCK_END,
    TOK_NAME,
    TOK_STRING,
    TOK_INT,
    TOK_FLOAT,
    TOK_OPERATOR
} tpl_token_kind;

typedef struct tpl_token {
    tpl_token_kind kind;
    int line;
    tpl_string text; /* name, operator, or the value of a string or text */
    int64_t integer;
    double real;
} tpl_token;

/* -------------------------------------------------------------------------------------------------------------- nodes */

typedef enum tpl_node_kind {
    /* expressions: operands in a, b, c; members in first */
    NODE_CONST,
    NODE_NAME,
    NODE_LIST,
    NODE_TUPLE,
    NODE_DICT /* NODE_PAIR a: b */,
    NODE_PAIR,
    NODE_ATTRIBUTE /* a.name */,
    NODE_ITEM /* a[b] */,
    NODE_SLICE /* [a:b:c] */,
    NODE_CALL /* a(first...) */,
    NODE_ARGUMENT /* name = a */,
    NODE_FILTER /* a|name(first...) */,
    NODE_TEST /* a is name(first...) */,
    NODE_NOT,
    NODE_NEGATE,
    NODE_PLUS,
    NODE_AND,
    NODE_OR,
    NODE_CHOICE /* a if b else c */,
    NODE_BINARY /* a name b */,
    NODE_COMPARE /* a, then first: NODE_BINARY without a */,
    /* statements: bodies in first, second */
    NODE_TEXT,
    NODE_PRINT /* a */,
    NODE_FOR /* a in b if c: first else second */,
    NODE_IF /* a: first else second */,
    NODE_SET /* a = b */,
    NODE_SET_BLOCK /* a = first through filters b */,
    NODE_MACRO /* name(second): first */,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_SCOPE /* first in a scope of its own */,
    NODE_FILTER_BLOCK /* first through filters b */
} tpl_node_kind;

struct tpl_node {
    tpl_node_kind kind;
    int line;
    tpl_string name; /* NODE_NAME, attributes, filters, tests, operators */
    tpl_value value; /* NODE_CONST, NODE_TEXT */
    tpl_node *a, *b, *c;
    tpl_node *first, *second; /* lists, linked by next */
    tpl_node *next;
};

/* ----------------------------------------------------------------------------------------------------- the interpreter */

enum {
    TPL_DEPTH_MAX = 200,          /* nested expressions, statements and macro calls */
    TPL_STEPS_MAX = 20 * 1000000, /* nodes evaluated */
    TPL_RANGE_MAX = 100000        /* as jinja2's sandbox */
};
#define TPL_MEMORY_MAX ((size_t)512 << 20) /* of everything a render makes */

typedef struct tpl_binding {
    tpl_string name;
    tpl_value value;
    struct tpl_binding *next;
} tpl_binding;
typedef struct tpl_scope {
    tpl_binding *bindings;
    struct tpl_scope *parent;
} tpl_scope;

struct tpl {
    struct tpl_block *blocks; /* the pool, newest first */
    size_t used;              /* bytes taken, all blocks */
    trine_status failed;
    trine_error error;
    int line; /* of what is being parsed or evaluated */
    int depth;
    int64_t steps;
    /* lexer and parser */
    const char *source;
    size_t n_source;
    tpl_token *tokens;
    size_t n_tokens, pos;
    /* evaluator */
    tpl_scope *scope, *globals;
    trine_buffer *out;
    enum { TPL_RUN, TPL_BREAKING, TPL_CONTINUING } flow;
    int loop_depth; /* while parsing: whether break and continue may stand here */
};

void trine_tpl_open(tpl *t);
void trine_tpl_close(tpl *t);
/* Records the first failure, with the line; returns an undefined value. */
tpl_value trine_tpl_fail(tpl *t, trine_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* From the pool, cleared; NULL once failed. */
void *trine_tpl_alloc(tpl *t, size_t bytes);
/* Counts nesting against TPL_DEPTH_MAX; each true enter needs a leave. */
bool trine_tpl_enter(tpl *t);
void trine_tpl_leave(tpl *t);

/* Splits `source` into t->tokens; parses them into a list of statements; runs those into `out`. */
void trine_tpl_lex(tpl *t, const char *source, size_t n);
tpl_node *trine_tpl_parse(tpl *t);
void trine_tpl_run(tpl *t, const tpl_node *statements, trine_buffer *out);

/* parser: shared by its two files */
tpl_node *trine_tpl_node(tpl *t, tpl_node_kind kind);
const tpl_token *trine_tpl_look(const tpl *t, size_t ahead);
bool trine_tpl_at(const tpl *t, const char *text); /* the next token is this operator or name */
bool trine_tpl_skip(tpl *t, const char *text);
void trine_tpl_expect(tpl *t, const char *text);
tpl_string trine_tpl_expect_name(tpl *t);
tpl_node *trine_tpl_parse_expression(tpl *t, bool with_choice);
/* One expression or, with commas, a tuple of them. */
tpl_node *trine_tpl_parse_tuple(tpl *t, bool with_choice);
tpl_node *trine_tpl_parse_filters(tpl *t, tpl_node *input, bool first_without_bar);
tpl_node *trine_tpl_parse_arguments(tpl *t); /* after "(", through ")" */

/* evaluator: shared by its files */
tpl_value trine_tpl_eval(tpl *t, const tpl_node *n);
void trine_tpl_exec(tpl *t, const tpl_node *statements);
tpl_value trine_tpl_call_macro(tpl *t, const tpl_node *macro, const tpl_value *args, int n_args, const tpl_dict *named);
tpl_value trine_tpl_lookup(tpl *t, tpl_string name);
void trine_tpl_define(tpl *t, tpl_scope *scope, tpl_string name, tpl_value value);
tpl_value trine_tpl_apply_filters(tpl *t, const tpl_node *filters, tpl_value input);
tpl_value trine_tpl_attribute(tpl *t, tpl_value object, tpl_string name);
tpl_value trine_tpl_item(tpl *t, tpl_value object, tpl_value key);
bool trine_tpl_contains(tpl *t, tpl_value container, tpl_value value);

/* Arguments of a filter, test or method: positional ones, then named ones. */
typedef struct tpl_args {
    const tpl_value *at;
    int n;
    const tpl_dict *named;
} tpl_args;
/* Argument `i`, also called `name`; `fallback` when it is not given. */
tpl_value trine_tpl_arg(const tpl_args *args, int i, const char *name, tpl_value fallback);
tpl_value trine_tpl_filter(tpl *t, tpl_string name, tpl_value input, const tpl_args *args);
bool trine_tpl_test(tpl *t, tpl_string name, tpl_value input, const tpl_args *args);
tpl_value trine_tpl_method(tpl *t, tpl_value object, tpl_string name, const tpl_args *args);
/* Whether values of this kind have a method called so: then an attribute of that name is not an item. */
bool trine_tpl_has_method(tpl_value object, tpl_string name);

/* values */
tpl_value trine_tpl_undefined(const char *name);
tpl_value trine_tpl_none(void);
tpl_value trine_tpl_bool(bool b);
tpl_value trine_tpl_int(int64_t i);
tpl_value trine_tpl_real(double d);
tpl_value trine_tpl_borrow(const char *s, size_t n); /* a string that lives long enough */
tpl_value trine_tpl_text(const char *zero_terminated);
tpl_value trine_tpl_copy(tpl *t, const char *s, size_t n);
tpl_value trine_tpl_take(tpl *t, trine_buffer *b); /* the buffer's content as a string; clears the buffer */
tpl_value trine_tpl_list(tpl *t, size_t cap);
tpl_value trine_tpl_dict(tpl *t, size_t cap);
void trine_tpl_push(tpl *t, tpl_value list, tpl_value item);
void trine_tpl_put(tpl *t, tpl_value dict, tpl_value key, tpl_value value);
const tpl_value *trine_tpl_get(const tpl_dict *dict, const char *key, size_t n); /* by a string key, or NULL */
const tpl_value *trine_tpl_find(const tpl_dict *dict, tpl_value key);
bool trine_tpl_is(tpl_string s, const char *text);
bool trine_tpl_truth(tpl_value v);
bool trine_tpl_equal(tpl_value a, tpl_value b);
/* <0, 0, >0; fails for values that have no order. */
int trine_tpl_compare(tpl *t, tpl_value a, tpl_value b);
/* What a `for` sees: a list's items, a dict's keys, a string's characters; fails for what is not iterable. */
tpl_value trine_tpl_iterate(tpl *t, tpl_value v);
/* Characters (code points) of a string. */
size_t trine_tpl_n_chars(tpl_string s);
/* Byte offset of character i (or the length). */
size_t trine_tpl_char_offset(tpl_string s, size_t i);
/* Python's str.isspace for a code point. */
bool trine_tpl_is_space(uint32_t c);
/* Python's strip: white space, or with `chars` those characters; from the left, the right. */
tpl_string trine_tpl_strip(tpl_string s, const tpl_string *chars, bool left, bool right);
const char *trine_tpl_kind_name(tpl_value v); /* as Python calls the type */

/* template_repr.c: text of values as Python's str() and repr() give it, and as json.dumps does. */
void trine_tpl_str(tpl *t, trine_buffer *out, tpl_value v);
void trine_tpl_repr(tpl *t, trine_buffer *out, tpl_value v);
typedef struct tpl_json_style {
    bool ascii, sort_keys;
    int indent; /* -1: one line */
    const char *indent_text;
    tpl_string item_separator, key_separator;
} tpl_json_style;
void trine_tpl_json(tpl *t, trine_buffer *out, tpl_value v, const tpl_json_style *style);
void trine_tpl_real_text(char out[40], double d);

#endif
