/* template_lex.c - a template as tokens: text between tags, and inside {{ }} and {% %} names, literals and operators.
 *
 * White space follows jinja2's lexer with trim_blocks and lstrip_blocks: "-" eats all white space on its side, "+" keeps it,
 * a newline right after %} or #} goes, and so do blanks between the start of a line and {% or {#. Comments leave no token. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/utf8.h"
#include "tasks/template.h"

typedef struct lexer {
    tpl *t;
    const char *s;
    size_t n, pos;
    size_t cap;
    bool line_start; /* the last piece ended with a newline (or nothing came yet): blanks before a tag may go */
} lexer;

static void add(lexer *x, tpl_token_kind kind, tpl_string text)
{
    tpl *t = x->t;
    if (t->failed) return;
    if (t->n_tokens == x->cap) {
        const size_t cap = x->cap ? 2 * x->cap : 64;
        tpl_token *more = trine_tpl_alloc(t, cap * sizeof *more);
        if (!more) return;
        if (t->n_tokens) memcpy(more, t->tokens, t->n_tokens * sizeof *more);
        t->tokens = more;
        x->cap = cap;
    }
    t->tokens[t->n_tokens++] = (tpl_token) { .kind = kind, .line = t->line, .text = text };
}

static bool ahead(const lexer *x, size_t at, const char *text)
{
    const size_t n = strlen(text);
    return x->n - at >= n && memcmp(x->s + at, text, n) == 0;
}

/* Moves to `to`, counting lines. */
static void move(lexer *x, size_t to)
{
    for (; x->pos < to; x->pos++) x->t->line += x->s[x->pos] == '\n';
}

static size_t skip_space(const lexer *x, size_t at)
{
    size_t taken;
    while (at < x->n && trine_tpl_is_space(trine_utf8_next(&taken, x->s + at, x->n - at))) at += taken;
    return at;
}

/* If a tag's end stands at `at` ("-%}", "+%}", "%}" and likewise), returns where the template goes on; else 0. */
static size_t tag_end(const lexer *x, size_t at, const char *end, bool trims_newline)
{
    if (ahead(x, at, "-") && ahead(x, at + 1, end)) return skip_space(x, at + 1 + strlen(end));
    if (trims_newline && ahead(x, at, "+") && ahead(x, at + 1, end)) return at + 1 + strlen(end);
    if (!ahead(x, at, end)) return 0;
    at += strlen(end);
    return trims_newline && ahead(x, at, "\n") ? at + 1 : at;
}

/* Adds the text [from, to) before a tag that begins with `sign`. */
static void add_text(lexer *x, size_t from, size_t to, char sign, bool is_print)
{
    tpl_string text = { x->s + from, to - from };
    if (sign == '-') {
        text = trine_tpl_strip(text, NULL, false, true);
    } else if (sign != '+' && !is_print) {
        size_t line = text.n;
        while (line > 0 && text.s[line - 1] != '\n') line--;
        const tpl_string rest = { text.s + line, text.n - line };
        if ((line > 0 || x->line_start) && trine_tpl_strip(rest, NULL, true, true).n == 0) text.n = line;
    }
    if (text.n) add(x, TOK_TEXT, text);
}

/* ------------------------------------------------------------------------------------------------- inside a tag */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
/* Any byte of a character outside ASCII counts as a letter. */
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80; }

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads up to `n` hexadecimal digits at `at`; returns false unless there are all of them. */
static bool hex(uint32_t *out, const lexer *x, size_t at, size_t n)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (at + i >= x->n || hex_digit(x->s[at + i]) < 0) return false;
        *out = *out * 16 + (uint32_t)hex_digit(x->s[at + i]);
    }
    return *out <= 0x10FFFF;
}

/* A quoted string with Python's escapes. */
static void string_token(lexer *x)
{
    const char quote = x->s[x->pos];
    trine_buffer b = { 0 };
    size_t at = x->pos + 1;
    while (at < x->n && x->s[at] != quote) {
        if (x->s[at] != '\\' || at + 1 >= x->n) {
            trine_buffer_putc(&b, x->s[at++]);
            continue;
        }
        const char c = x->s[at + 1];
        static const char names[] = "n\nt\tr\rb\bf\fv\va\a\\\\'\'\"\"";
        const char *plain = NULL;
        for (const char *p = names; *p; p += 2)
            if (*p == c) plain = p + 1;
        uint32_t code = 0;
        at += 2;
        if (plain) {
            trine_buffer_putc(&b, *plain);
        } else if (c == '\n') {
            continue;
        } else if (c == 'x' || c == 'u' || c == 'U') {
            const size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
            if (!hex(&code, x, at, n) || (code >= 0xD800 && code < 0xE000)) {
                trine_tpl_fail(x->t, TRINE_ERROR_FORMAT, "\\%c in a string needs %zu hexadecimal digits of a character", c, n);
                break;
            }
            trine_buffer_put_utf8(&b, code);
            at += n;
        } else if (c >= '0' && c <= '7') {
            at--;
            for (int i = 0; i < 3 && at < x->n && x->s[at] >= '0' && x->s[at] <= '7'; i++)
                code = code * 8 + (uint32_t)(x->s[at++] - '0');
            trine_buffer_put_utf8(&b, code);
        } else if (c == 'N') {
            trine_tpl_fail(x->t, TRINE_ERROR_UNSUPPORTED, "\\N{...} in a string is not supported: write the character itself");
            break;
        } else { /* Python keeps the backslash of an escape it does not know. */
            trine_buffer_putc(&b, '\\');
            trine_buffer_putc(&b, c);
        }
    }
    if (!x->t->failed && at >= x->n) trine_tpl_fail(x->t, TRINE_ERROR_FORMAT, "a string that begins here has no end");
    const tpl_value v = trine_tpl_take(x->t, &b);
    if (x->t->failed) return;
    add(x, TOK_STRING, v.as.string);
    move(x, at + 1);
}

static void number_token(lexer *x)
{
    char digits[64];
    size_t n = 0, at = x->pos;
    bool is_float = false;
    const bool after_dot = at > 0 && x->s[at - 1] == '.'; /* list.1.0 is two indices */
    int base = 10;
    if (x->s[at] == '0' && at + 1 < x->n && strchr("xXoObB", x->s[at + 1])) {
        base = strchr("xX", x->s[at + 1]) ? 16 : strchr("oO", x->s[at + 1]) ? 8 : 2;
        at += 2;
    }
    for (; at < x->n; at++) {
        const char c = x->s[at];
        const bool more = base == 16 ? hex_digit(c) >= 0 : is_digit(c);
        if (c == '_') continue;
        if (base == 10 && !is_float && !after_dot && c == '.' && at + 1 < x->n && is_digit(x->s[at + 1])) {
            is_float = true;
        } else if (base == 10 && (c == 'e' || c == 'E') && at + 1 < x->n && !memchr(digits, 'e', n) &&
                   (is_digit(x->s[at + 1]) || (at + 2 < x->n && strchr("+-", x->s[at + 1]) && is_digit(x->s[at + 2])))) {
            is_float = true;
            if (n < sizeof digits - 2) digits[n++] = 'e';
            if (!is_digit(x->s[at + 1]) && n < sizeof digits - 1) digits[n++] = x->s[++at];
            continue;
        } else if (!more) {
            break;
        }
        if (n == sizeof digits - 1) {
            trine_tpl_fail(x->t, TRINE_ERROR_UNSUPPORTED, "a number of more than %zu digits is not supported", sizeof digits - 1);
            return;
        }
        digits[n++] = c;
    }
    digits[n] = 0;
    errno = 0;
    char *end = digits;
    const int64_t integer = is_float ? 0 : strtoll(digits, &end, base);
    const double real = is_float ? trine_to_double(digits, &end) : 0;
    if (!n || *end) {
        trine_tpl_fail(x->t, TRINE_ERROR_FORMAT, "'%s' is not a number", digits);
        return;
    }
    if (!is_float && errno == ERANGE) {
        trine_tpl_fail(x->t, TRINE_ERROR_UNSUPPORTED, "the number %s does not fit in 64 bits", digits);
        return;
    }
    add(x, is_float ? TOK_FLOAT : TOK_INT, (tpl_string) { x->s + x->pos, at - x->pos });
    if (x->t->failed) return;
    x->t->tokens[x->t->n_tokens - 1].integer = integer;
    x->t->tokens[x->t->n_tokens - 1].real = real;
    move(x, at);
}

/* Tokens up to the tag's end, which is an operator like others while a bracket is open: {{ {"a": {}} }}. */
static void tag_tokens(lexer *x, bool is_print)
{
    tpl *t = x->t;
    char open[TPL_DEPTH_MAX + 1];
    int depth = 0;
    const int first_line = t->line;
    while (!t->failed) {
        move(x, skip_space(x, x->pos));
        if (x->pos >= x->n) {
            t->line = first_line;
            trine_tpl_fail(t, TRINE_ERROR_FORMAT, "the tag that begins here has no %s", is_print ? "}}" : "%}");
            return;
        }
        const size_t end = depth ? 0 : tag_end(x, x->pos, is_print ? "}}" : "%}", !is_print);
        if (end) {
            add(x, is_print ? TOK_PRINT_END : TOK_BLOCK_END, (tpl_string) { is_print ? "}}" : "%}", 2 });
            move(x, end);
            x->line_start = x->s[end - 1] == '\n';
            return;
        }
        const char c = x->s[x->pos];
        if (is_letter(c)) {
            size_t at = x->pos;
            while (at < x->n && (is_letter(x->s[at]) || is_digit(x->s[at]))) at++;
            add(x, TOK_NAME, (tpl_string) { x->s + x->pos, at - x->pos });
            move(x, at);
        } else if (is_digit(c)) {
            number_token(x);
        } else if (c == '"' || c == '\'') {
            string_token(x);
        } else {
            static const char *const operators[] = { "//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(",
                                                     ")",  "[",  "]",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";" };
            const char *op = NULL;
            for (size_t i = 0; i < sizeof operators / sizeof *operators && !op; i++)
                if (ahead(x, x->pos, operators[i])) op = operators[i];
            if (!op) {
                trine_tpl_fail(t, TRINE_ERROR_FORMAT, "unexpected character '%c' in a tag", c);
                return;
            }
            if (strchr("([{", *op)) {
                if (depth == TPL_DEPTH_MAX) {
                    trine_tpl_fail(t, TRINE_ERROR_TOO_LONG, "brackets nest deeper than %d levels", TPL_DEPTH_MAX);
                    return;
                }
                open[depth++] = *op == '(' ? ')' : *op == '[' ? ']' : '}';
            } else if (strchr(")]}", *op) && (!depth || open[--depth] != *op)) {
                trine_tpl_fail(t, TRINE_ERROR_FORMAT, "unexpected '%s'", op);
                return;
            }
            add(x, TOK_OPERATOR, (tpl_string) { x->s + x->pos, strlen(op) });
            move(x, x->pos + strlen(op));
        }
    }
}

/* --------------------------------------------------------------------------------------------------- between tags */

/* Where "{% raw %}" or "{% endraw %}" at `at` ends, its white space control applied; 0 when it is something else. */
static size_t word_tag(const lexer *x, size_t at, const char *word, bool trims_newline)
{
    if (!ahead(x, at, "{%")) return 0;
    at += 2;
    if (ahead(x, at, "-") || ahead(x, at, "+")) at++;
    at = skip_space(x, at);
    if (!ahead(x, at, word)) return 0;
    at = skip_space(x, at + strlen(word));
    return tag_end(x, at, "%}", trims_newline);
}

static char sign_at(const lexer *x, size_t at) { return at < x->n && (x->s[at] == '-' || x->s[at] == '+') ? x->s[at] : 0; }

/* {% raw %} ... {% endraw %}: text as it is. `after` is where it begins. */
static void raw(lexer *x, size_t after)
{
    const int first_line = x->t->line;
    move(x, after);
    for (size_t at = x->pos; at < x->n; at++) {
        const size_t end = word_tag(x, at, "endraw", true);
        if (!end) continue;
        add_text(x, x->pos, at, sign_at(x, at + 2), false);
        move(x, end);
        x->line_start = x->s[end - 1] == '\n';
        return;
    }
    x->t->line = first_line;
    trine_tpl_fail(x->t, TRINE_ERROR_FORMAT, "{%% raw %%} has no {%% endraw %%}");
}

static void comment(lexer *x, size_t at)
{
    const int first_line = x->t->line;
    for (; at < x->n; at++) {
        const size_t end = tag_end(x, at, "#}", true);
        if (!end) continue;
        move(x, end);
        x->line_start = x->s[end - 1] == '\n';
        return;
    }
    x->t->line = first_line;
    trine_tpl_fail(x->t, TRINE_ERROR_FORMAT, "the comment that begins here has no #}");
}

/* Line ends become "\n" and one at the very end goes, as jinja2 reads a source. */
static void normalise(tpl *t, const char *source, size_t n)
{
    trine_buffer b = { 0 };
    for (size_t i = 0, taken; i < n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, source + i, n - i);
        if (c == '\r') {
            trine_buffer_putc(&b, '\n');
            if (i + 1 < n && source[i + 1] == '\n') taken = 2;
        } else {
            trine_buffer_put_utf8(&b, c);
        }
    }
    if (b.n && b.data[b.n - 1] == '\n') b.n--;
    const tpl_value v = trine_tpl_take(t, &b);
    t->source = t->failed ? "" : v.as.string.s;
    t->n_source = t->failed ? 0 : v.as.string.n;
}

void trine_tpl_lex(tpl *t, const char *source, size_t n)
{
    normalise(t, source, n);
    lexer x = { .t = t, .s = t->source, .n = t->n_source, .line_start = true };
    t->line = 1;
    while (!t->failed && x.pos < x.n) {
        size_t at = x.pos;
        while (at < x.n && !(x.s[at] == '{' && at + 1 < x.n && strchr("{%#", x.s[at + 1]) && x.s[at + 1])) at++;
        if (at >= x.n) {
            add(&x, TOK_TEXT, (tpl_string) { x.s + x.pos, x.n - x.pos });
            break;
        }
        const char kind = x.s[at + 1], sign = sign_at(&x, at + 2);
        add_text(&x, x.pos, at, sign, kind == '{');
        move(&x, at);
        const size_t after_raw = kind == '%' ? word_tag(&x, at, "raw", false) : 0;
        const size_t body = at + 2 + (sign != 0);
        /* Inside and after a tag a blank is only stripped when the tag's end ate a newline. */
        x.line_start = false;
        if (after_raw) {
            x.line_start = x.s[after_raw - 1] == '\n';
            raw(&x, after_raw);
        } else if (kind == '#') {
            comment(&x, body);
        } else {
            add(&x, kind == '{' ? TOK_PRINT_BEGIN : TOK_BLOCK_BEGIN, (tpl_string) { x.s + at, 2 });
            move(&x, body);
            tag_tokens(&x, kind == '{');
        }
    }
    add(&x, TOK_END, (tpl_string) { "", 0 });
    t->line = 1;
}
