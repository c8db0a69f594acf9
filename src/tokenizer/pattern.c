/* pattern.c - translation of Oniguruma's classes, and matching with limits. */
#include "tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tokenizer/pattern_scan.h"
#include "tokenizer/unicode.h"
#include "tokenizer/unicode_tables.h"

struct trine_pattern {
    pcre2_code *code; /* NULL for a literal text of a byte or more */
    char *literal;
    size_t n_literal;
    trine_scan *scan; /* by hand, where the pattern is known and the text is ASCII; or NULL */
};

/* White_Space, without U+180E which PCRE2's \s still counts. */
#define SPACES "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define WORDS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

static const char *addition(const char *name, size_t n)
{
    for (const trine_class_addition *a = trine_class_additions; a->name; a++)
        if (strlen(a->name) == n && !memcmp(a->name, name, n)) return a->text;
    return "";
}

/* Appends a class: members as they are inside of [..], in brackets outside. */
static bool put_class(trine_buffer *out, const char *members, const char *more, bool negated, bool inside)
{
    if (inside && negated) return false;
    if (!inside) trine_buffer_puts(out, negated ? "[^" : "[");
    trine_buffer_puts(out, members);
    trine_buffer_puts(out, more);
    if (!inside) trine_buffer_putc(out, ']');
    return true;
}

/* \p{..} at s[0..n): how many bytes it takes, or 0 when it is not a property in braces. */
static size_t put_property(trine_buffer *out, const char *s, size_t n, bool inside, bool *supported)
{
    if (n < 4 || s[2] != '{') return 0;
    const char *close = memchr(s + 3, '}', n - 3);
    if (!close) return 0;
    const char *name = s + 3;
    bool negated = s[1] == 'P';
    if (*name == '^') {
        negated = !negated;
        name++;
    }
    const size_t length = (size_t)(close - name);
    const char *more = addition(name, length);
    char members[64];
    if (length + 8 > sizeof members) return 0;
    strcpy(members, "\\p{");
    memcpy(members + 3, name, length);
    strcpy(members + 3 + length, "}");
    if (length == 3 && !memcmp(name, "Han", 3)) /* the script itself; PCRE2 would take its extensions too */
        strcpy(members, "\\p{sc:Han}");
    if (negated && inside) { /* of the code points that differ none can be taken out of a class; they are newer than PCRE2 */
        trine_buffer_append(out, "\\P", 2);
        trine_buffer_puts(out, members + 2);
    } else {
        *supported = *supported && put_class(out, members, more, negated, inside);
    }
    return (size_t)(close - s) + 1;
}

/* Rewrites an Oniguruma pattern for PCRE2; false when a construct has no equal. */
static bool translate(trine_buffer *out, const char *s, size_t n, const char **why)
{
    int depth = 0; /* of brackets */
    bool supported = true;
    for (size_t i = 0; i < n && supported;) {
        if (s[i] == '\\' && i + 1 < n) {
            const char c = s[i + 1];
            const bool inside = depth > 0;
            size_t taken = 0;
            *why = "a negated class inside of a class";
            switch (c) {
            case 'p':
            case 'P': taken = put_property(out, s + i, n - i, inside, &supported); break;
            case 's': taken = put_class(out, SPACES, "", false, inside) ? 2 : 0; break;
            case 'S':
                if (inside)
                    trine_buffer_puts(out, "\\S\\x{180E}");
                else
                    put_class(out, SPACES, "", true, false);
                taken = 2;
                break;
            case 'd': taken = put_class(out, "\\p{Nd}", addition("Nd", 2), false, inside) ? 2 : 0; break;
            case 'D':
                if (inside)
                    trine_buffer_puts(out, "\\P{Nd}");
                else
                    put_class(out, "\\p{Nd}", addition("Nd", 2), true, false);
                taken = 2;
                break;
            case 'w': taken = put_class(out, WORDS, addition("w", 1), false, inside) ? 2 : 0; break;
            case 'W':
                supported = put_class(out, WORDS, addition("w", 1), true, inside);
                taken = 2;
                break;
            case 'h': /* Oniguruma: a hexadecimal digit */ taken = put_class(out, "0-9A-Fa-f", "", false, inside) ? 2 : 0; break;
            default: break;
            }
            if (!taken) {
                taken = 1 + trine_utf8_length((unsigned char)s[i + 1]);
                if (taken > n - i) taken = n - i;
                trine_buffer_append(out, s + i, taken);
            }
            i += taken;
            continue;
        }
        if (depth && s[i] == '&' && i + 1 < n && s[i + 1] == '&') {
            *why = "an intersection of classes (&&)";
            return false;
        }
        if (s[i] == '[') {
            if (depth && !(i + 1 < n && s[i + 1] == ':')) {
                *why = "a class inside of a class";
                return false;
            }
            if (depth) { /* [:alpha:] */
                const char *close = memchr(s + i + 1, ']', n - i - 1);
                const size_t taken = close ? (size_t)(close - (s + i)) + 1 : n - i;
                trine_buffer_append(out, s + i, taken);
                i += taken;
                continue;
            }
            depth++;
            trine_buffer_putc(out, s[i++]);
            if (i < n && s[i] == '^') trine_buffer_putc(out, s[i++]);
            if (i < n && s[i] == ']') trine_buffer_putc(out, s[i++]);
            continue;
        }
        if (s[i] == ']' && depth) depth--;
        trine_buffer_putc(out, s[i++]);
    }
    return supported;
}

trine_status trine_pattern_open(trine_pattern **out, const char *text, size_t n, bool literal, trine_error *err)
{
    *out = NULL;
    trine_buffer buffer = { 0 };
    const char *why = "";
    if (literal)
        trine_buffer_append(&buffer, text, n);
    else if (!translate(&buffer, text, n, &why) && !buffer.failed) {
        trine_buffer_clear(&buffer);
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "regular expression '%.80s' has %s, which is not supported", text, why);
    }
    trine_pattern *pattern = buffer.failed ? NULL : calloc(1, sizeof *pattern);
    if (!pattern) {
        trine_buffer_clear(&buffer);
        return trine_fail(err, TRINE_ERROR_MEMORY, "regular expression: no memory");
    }
    if (literal && n) {
        pattern->n_literal = n;
        pattern->literal = trine_buffer_take(&buffer);
        *out = pattern->literal ? pattern : NULL;
        if (*out) return TRINE_OK;
        free(pattern);
        return trine_fail(err, TRINE_ERROR_MEMORY, "regular expression: no memory");
    }
    int code = 0;
    PCRE2_SIZE at = 0;
    const uint32_t how = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE);
    pattern->code = pcre2_compile((PCRE2_SPTR)(buffer.data ? buffer.data : ""), buffer.n, how, &code, &at, NULL);
    trine_buffer_clear(&buffer);
    if (!pattern->code) {
        free(pattern);
        if (code == PCRE2_ERROR_NOMEMORY || code == 121)
            return trine_fail(err, TRINE_ERROR_MEMORY, "regular expression: no memory");
        PCRE2_UCHAR message[120] = "";
        pcre2_get_error_message(code, message, sizeof message);
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "regular expression '%.80s' cannot be used: %s", text,
                          (const char *)message);
    }
    pattern->scan = literal ? NULL : trine_scan_find(text, n);
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE); /* where that fails matching interprets */
    *out = pattern;
    return TRINE_OK;
}

void trine_pattern_close(trine_pattern *pattern)
{
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    free(pattern->literal);
    free(pattern);
}

void trine_matches_open(trine_matches *m, const trine_pattern *pattern) { *m = (trine_matches) { .pattern = pattern }; }

/* What PCRE2 needs to match, made when it first has to. */
static trine_status prepare(trine_matches *m, trine_error *err)
{
    if (!m->data) m->data = pcre2_match_data_create(1, NULL);
    if (!m->context) m->context = pcre2_match_context_create(NULL);
    if (!m->data || !m->context) return trine_fail(err, TRINE_ERROR_MEMORY, "regular expression: no memory to match");
    pcre2_set_heap_limit(m->context, 64 * 1024); /* KiB */
    /* An honest pattern goes back a few times a character at most. */
    const size_t limit = 100000 + 16 * (m->n < UINT32_MAX / 32 ? m->n : UINT32_MAX / 32);
    pcre2_set_match_limit(m->context, (uint32_t)limit);
    m->prepared = true;
    return TRINE_OK;
}

void trine_matches_close(trine_matches *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    *m = (trine_matches) { 0 };
}

void trine_matches_begin(trine_matches *m, const char *text, size_t n)
{
    m->text = text;
    m->n = n;
    m->at = 0;
    m->last_end = 0;
    m->matched = false;
    m->prepared = false;
}

int trine_matches_next(trine_span *match, trine_matches *m, trine_error *err)
{
    const trine_pattern *pattern = m->pattern;
    if (pattern->literal) {
        const char *place = m->text ? memmem(m->text + m->at, m->n - m->at, pattern->literal, pattern->n_literal) : NULL;
        const size_t start = place ? (size_t)(place - m->text) : m->n;
        m->at = place ? start + pattern->n_literal : m->n;
        *match = (trine_span) { start, m->at };
        return place != NULL;
    }
    const size_t length = pattern->scan && m->at < m->n ? pattern->scan(m->text, m->n, m->at) : 0;
    if (length) {
        *match = (trine_span) { m->at, m->at + length };
        m->at = m->last_end = match->end;
        m->matched = true;
        return 1;
    }
    if (pattern->scan && m->at >= m->n) return 0; /* such a pattern has no empty match */
    if (!m->prepared) {
        const trine_status status = prepare(m, err);
        if (status) return status;
    }
    while (m->at <= m->n) {
        PCRE2_SPTR subject = (PCRE2_SPTR)(m->text ? m->text : "");
        int rc = pcre2_match(pattern->code, subject, m->n, m->at, PCRE2_NO_UTF_CHECK, m->data, m->context);
        if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter takes its stack from the heap */
            rc = pcre2_match(pattern->code, subject, m->n, m->at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->data, m->context);
        if (rc == PCRE2_ERROR_NOMATCH) return 0;
        if (rc == PCRE2_ERROR_NOMEMORY) return trine_fail(err, TRINE_ERROR_MEMORY, "regular expression: no memory to match");
        if (rc < 0) {
            PCRE2_UCHAR message[120] = "";
            pcre2_get_error_message(rc, message, sizeof message);
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "the tokenizer's regular expression takes too long on this text: %s",
                              (const char *)message);
        }
        const PCRE2_SIZE *range = pcre2_get_ovector_pointer(m->data);
        const size_t start = range[0], end = range[1];
        if (start > end || end > m->n || end < m->at) /* \K in a lookahead can do this */
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "the tokenizer's regular expression matches backwards");
        if (start == end && m->matched && m->last_end == end) {
            m->at = end < m->n ? end + trine_utf8_length(subject[end]) : m->n + 1;
            continue;
        }
        m->at = m->last_end = end;
        m->matched = true;
        *match = (trine_span) { start, end };
        return 1;
    }
    return 0;
}
