/* pattern_syntax.c - what the two read differently: classes (their sets are other ones, and of another Unicode), scripts (PCRE2 takes their
 * extensions), word borders, intervals that are followed by a sign, and letters behind a backslash. */
#include "tokenizer/pattern_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "tokenizer/unicode.h"
#include "tokenizer/unicode_tables.h"

/* White_Space, without U+180E which PCRE2's \s still counts. */
#define SPACES "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
/* With letters above others, which are alphabetic since Unicode 15.1. */
#define ALPHABETIC "\\p{Alphabetic}\\x{363}-\\x{36F}"
#define WORDS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
/* Superscripts and fractions of Latin-1 are of a word, but not of a word's class inside of brackets. */
#define OUTSIDE "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

enum { GROUPS = 200 };

typedef struct translation {
    trine_buffer *out;
    const char *s;
    size_t n, i;
    size_t atom;           /* where in out the last of what a quantifier may follow begins */
    size_t groups[GROUPS]; /* where open groups begin */
    int n_groups;
    bool inside; /* brackets */
    const char *why;
} translation;

static const char *addition(const char *name, size_t n)
{
    for (const trine_class_addition *a = trine_class_additions; a->name; a++)
        if (strlen(a->name) == n && !memcmp(a->name, name, n)) return a->text;
    return "";
}

static bool refuse(translation *t, const char *why)
{
    t->why = why;
    return false;
}

/* Appends a class: members as they are inside of [..], in brackets outside. */
static bool put_class(translation *t, const char *members, const char *more, bool negated)
{
    if (t->inside && negated) return refuse(t, "a negated class inside of a class");
    if (!t->inside) trine_buffer_puts(t->out, negated ? "[^" : "[");
    trine_buffer_puts(t->out, members);
    trine_buffer_puts(t->out, more);
    if (!t->inside) trine_buffer_putc(t->out, ']');
    return true;
}

/* Whether PCRE2 knows \p{sc:NAME}. */
static bool is_script(const char *name, size_t n)
{
    char pattern[80];
    int code;
    PCRE2_SIZE at;
    if (n < 3 || n + 8 > sizeof pattern) return false;
    memcpy(pattern, "\\p{sc:", 6);
    memcpy(pattern + 6, name, n);
    pattern[6 + n] = '}';
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, n + 7, PCRE2_UTF, &code, &at, NULL);
    pcre2_code_free(compiled);
    return compiled != NULL;
}

/* A general category by its long name; blanks, signs and case do not count. NULL: none. */
static const char *category(const char *name, size_t n)
{
    static const struct {
        const char *longer, *shorter;
    } names[] = { { "letter", "L" },
                  { "uppercaseletter", "Lu" },
                  { "lowercaseletter", "Ll" },
                  { "titlecaseletter", "Lt" },
                  { "modifierletter", "Lm" },
                  { "otherletter", "Lo" },
                  { "mark", "M" },
                  { "nonspacingmark", "Mn" },
                  { "spacingmark", "Mc" },
                  { "enclosingmark", "Me" },
                  { "number", "N" },
                  { "decimalnumber", "Nd" },
                  { "letternumber", "Nl" },
                  { "othernumber", "No" },
                  { "punctuation", "P" },
                  { "connectorpunctuation", "Pc" },
                  { "dashpunctuation", "Pd" },
                  { "openpunctuation", "Ps" },
                  { "closepunctuation", "Pe" },
                  { "initialpunctuation", "Pi" },
                  { "finalpunctuation", "Pf" },
                  { "otherpunctuation", "Po" },
                  { "symbol", "S" },
                  { "mathsymbol", "Sm" },
                  { "currencysymbol", "Sc" },
                  { "modifiersymbol", "Sk" },
                  { "othersymbol", "So" },
                  { "separator", "Z" },
                  { "spaceseparator", "Zs" },
                  { "control", "Cc" },
                  { "format", "Cf" } };
    char plain[32];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (strchr(" _-", name[i])) continue;
        if (k + 1 == sizeof plain) return NULL;
        plain[k++] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    }
    plain[k] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(plain, names[i].longer)) return names[i].shorter;
    return NULL;
}

/* \p{..}, \P{..}, \p{^..}; false as refused, *taken 0 when it is not in braces. */
static bool put_property(translation *t, size_t *taken)
{
    const char *s = t->s + t->i, *close = t->n - t->i > 3 && s[2] == '{' ? memchr(s + 3, '}', t->n - t->i - 3) : NULL;
    *taken = 0;
    if (!close) return true;
    const char *name = s + 3;
    bool negated = s[1] == 'P';
    if (*name == '^') {
        negated = !negated;
        name++;
    }
    size_t length = (size_t)(close - name);
    const char *shorter = category(name, length);
    if (shorter) {
        name = shorter;
        length = strlen(shorter);
    }
    char members[80];
    if (length + 8 > sizeof members) return true;
    /* Of a script itself: PCRE2 would take what other scripts share with it too. */
    const char *prefix = is_script(name, length) ? "\\p{sc:" : "\\p{";
    strcpy(members, prefix);
    memcpy(members + strlen(prefix), name, length);
    strcpy(members + strlen(prefix) + length, "}");
    *taken = (size_t)(close - s) + 1;
    if (!negated || !t->inside) return put_class(t, members, addition(name, length), negated);
    /* Of the code points that differ none can be taken out of a class; they are newer than PCRE2. */
    trine_buffer_puts(t->out, "\\P");
    trine_buffer_puts(t->out, members + 2);
    return true;
}

/* Half of a word's border: what is before a place and what behind it, between the given brackets. */
static void put_sides(translation *t, const char *before, const char *behind)
{
    for (int side = 0; side < 2; side++) {
        trine_buffer_puts(t->out, side ? behind : before);
        trine_buffer_puts(t->out, WORDS OUTSIDE);
        trine_buffer_puts(t->out, addition("w", 1));
    }
}

/* A backslash and what follows it. */
static bool put_escape(translation *t)
{
    const char c = t->s[t->i + 1];
    size_t taken = 2;
    bool fine = true;
    switch (c) {
    case 'p':
    case 'P':
        fine = put_property(t, &taken);
        if (fine && !taken) { /* without braces it is the letter */
            taken = 2;
            trine_buffer_putc(t->out, c);
        }
        break;
    case 's': put_class(t, SPACES, "", false); break;
    case 'S':
        if (t->inside)
            trine_buffer_puts(t->out, "\\S\\x{180E}");
        else
            put_class(t, SPACES, "", true);
        break;
    case 'd': put_class(t, "\\p{Nd}", addition("Nd", 2), false); break;
    case 'D':
        if (t->inside)
            trine_buffer_puts(t->out, "\\P{Nd}");
        else
            put_class(t, "\\p{Nd}", addition("Nd", 2), true);
        break;
    case 'w': put_class(t, t->inside ? WORDS : WORDS OUTSIDE, addition("w", 1), false); break;
    case 'W': fine = put_class(t, WORDS OUTSIDE, addition("w", 1), true); break;
    case 'b':
    case 'B':
        if (t->inside) { /* a backspace */
            trine_buffer_puts(t->out, c == 'b' ? "\\x08" : "B");
            break;
        }
        /* A word before and none behind, or the other way; both or neither. */
        put_sides(t, "(?:(?<=[", c == 'b' ? "])(?![" : "])(?=[");
        put_sides(t, "])|(?<![", c == 'b' ? "])(?=[" : "])(?![");
        trine_buffer_puts(t->out, "]))");
        break;
    case 'h': /* a hexadecimal digit */ put_class(t, "0-9A-Fa-f", "", false); break;
    case 'H': put_class(t, "\\x{0}-/:-@G-`g-\\x{10FFFF}", "", false); break;
    case 'v': trine_buffer_puts(t->out, "\\x0B"); break;
    case 'u': /* four hexadecimal digits */
        taken = t->n - t->i < 6 ? t->n - t->i : 6;
        trine_buffer_printf(t->out, "\\x{%.*s}", (int)(taken - 2), t->s + t->i + 2);
        break;
    default:
        taken = 1 + trine_utf8_length((unsigned char)c);
        if (taken > t->n - t->i) taken = t->n - t->i;
        trine_buffer_append(t->out, t->s + t->i, taken);
        break;
    }
    t->i += taken;
    return fine;
}

/* [:alpha:] within brackets. */
static bool put_posix(translation *t)
{
    static const struct {
        const char *name, *members, *more; /* more: whose additions */
    } classes[] = {
        { "alpha", ALPHABETIC, "L" },        { "alnum", ALPHABETIC "\\p{Nd}", "L" },
        { "punct", "\\p{P}\\p{S}", "S" },    { "upper", "\\p{Uppercase}", "Lu" },
        { "lower", "\\p{Lowercase}", "Ll" }, { "space", SPACES, "" },
        { "blank", "\\p{Zs}\\t", "" },       { "word", WORDS, "w" },
        { "digit", "\\p{Nd}", "Nd" },        { "xdigit", "0-9A-Fa-f", "" },
        { "cntrl", "\\p{Cc}", "" },          { "ascii", "\\x{0}-\\x{7F}", "" },
    };
    const char *s = t->s + t->i + 2, *end = t->s + t->n;
    const bool negated = s < end && *s == '^';
    s += negated;
    for (size_t k = 0; k < sizeof classes / sizeof *classes; k++) {
        const size_t n = strlen(classes[k].name);
        if ((size_t)(end - s) < n + 2 || memcmp(s, classes[k].name, n) != 0 || s[n] != ':' || s[n + 1] != ']') continue;
        t->i += 2 + (size_t)negated + n + 2;
        /* What a class of one member leaves out its complement takes in. */
        const bool alone = t->i < t->n && t->s[t->i] == ']' && t->out->n && t->out->data[t->out->n - 1] == '[';
        if (negated && alone) trine_buffer_putc(t->out, '^');
        return put_class(t, classes[k].members, addition(classes[k].more, strlen(classes[k].more)), negated && !alone);
    }
    return refuse(t, "a class of POSIX that is read as another set");
}

/* The bytes of {n}, {n,}, {,m} or {n,m}, or 0. *exact: of the first. */
static size_t interval(const translation *t, bool *exact)
{
    const char *s = t->s + t->i, *end = t->s + t->n, *p = s + 1;
    size_t digits = 0;
    *exact = true;
    for (; p < end && *p >= '0' && *p <= '9'; p++) digits++;
    if (p < end && *p == ',') {
        *exact = false;
        for (p++; p < end && *p >= '0' && *p <= '9'; p++) digits++;
    }
    return digits && p < end && *p == '}' ? (size_t)(p - s) + 1 : 0;
}

/* X{2,3}+ is (?:X{2,3})+, and X{2}? is (?:X{2})?: a sign behind an interval is one of its own, but for ? behind two numbers. */
static void put_interval(translation *t, size_t n, bool exact)
{
    trine_buffer *out = t->out;
    const char sign = t->i + n < t->n ? t->s[t->i + n] : 0;
    const bool apart = sign == '+' || (sign == '?' && exact);
    if (apart) {
        trine_buffer_puts(out, "(?:");
        if (out->failed) return;
        memmove(out->data + t->atom + 3, out->data + t->atom, out->n - 3 - t->atom);
        memcpy(out->data + t->atom, "(?:", 3);
    }
    trine_buffer_putc(out, '{');
    if (t->s[t->i + 1] == ',') trine_buffer_putc(out, '0');
    trine_buffer_append(out, t->s + t->i + 1, n - 1);
    if (apart) trine_buffer_putc(out, ')');
    t->i += n;
}

/* A group's begin; among its options m lets the dot match line ends, which is PCRE2's s. */
static bool put_group(translation *t)
{
    static const char options[] = "imx-";
    if (t->n_groups == GROUPS) return refuse(t, "more groups within each other than are followed");
    t->groups[t->n_groups++] = t->out->n;
    trine_buffer_putc(t->out, t->s[t->i++]);
    if (t->i + 1 >= t->n || t->s[t->i] != '?' || !t->s[t->i + 1] || !strchr(options, t->s[t->i + 1])) return true;
    trine_buffer_putc(t->out, t->s[t->i++]);
    for (; t->i < t->n && t->s[t->i] && strchr(options, t->s[t->i]); t->i++)
        trine_buffer_putc(t->out, t->s[t->i] == 'm' ? 's' : t->s[t->i]);
    return true;
}

static void put_bracket(translation *t)
{
    t->atom = t->out->n;
    t->inside = true;
    trine_buffer_putc(t->out, t->s[t->i++]);
    if (t->i < t->n && t->s[t->i] == '^') trine_buffer_putc(t->out, t->s[t->i++]);
    if (t->i < t->n && t->s[t->i] == ']') trine_buffer_putc(t->out, t->s[t->i++]);
}

/* One step within brackets. */
static bool put_member(translation *t)
{
    const char *s = t->s + t->i;
    const bool more = t->i + 1 < t->n;
    if (*s == '&' && more && s[1] == '&') return refuse(t, "an intersection of classes (&&)");
    if (*s == '[') return more && s[1] == ':' ? put_posix(t) : refuse(t, "a class inside of a class");
    if (*s == ']') t->inside = false;
    trine_buffer_putc(t->out, t->s[t->i++]);
    return true;
}

/* One step outside of them. */
static bool put_next(translation *t)
{
    bool exact;
    size_t n;
    const char c = t->s[t->i];
    switch (c) {
    case '[': put_bracket(t); return true;
    case '(': return put_group(t);
    case ')':
        if (t->n_groups) t->atom = t->groups[--t->n_groups];
        trine_buffer_putc(t->out, t->s[t->i++]);
        return true;
    case '*':
    case '+':
    case '?': trine_buffer_putc(t->out, t->s[t->i++]); return true;
    case '{':
        if (!(n = interval(t, &exact))) break;
        put_interval(t, n, exact);
        return true;
    default: break;
    }
    n = trine_utf8_length((unsigned char)c);
    if (n > t->n - t->i) n = t->n - t->i;
    t->atom = t->out->n;
    if (c == '{') trine_buffer_putc(t->out, '\\');
    trine_buffer_append(t->out, t->s + t->i, n);
    t->i += n;
    return true;
}

bool trine_pattern_translate(trine_buffer *out, const char *pattern, size_t n, const char **why)
{
    translation t = { .out = out, .s = pattern, .n = n, .why = "" };
    bool fine = true;
    while (t.i < n && fine && !out->failed) {
        const bool escape = pattern[t.i] == '\\' && t.i + 1 < n;
        if (escape && !t.inside) t.atom = out->n;
        fine = escape ? put_escape(&t) : t.inside ? put_member(&t) : put_next(&t);
    }
    *why = t.why;
    return fine;
}
