/* pattern.c - regular expressions, matched with limits. */
#include "tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tokenizer/pattern_scan.h"
#include "tokenizer/pattern_syntax.h"
#include "tokenizer/unicode.h"

struct trine_pattern {
    pcre2_code *code; /* NULL for a literal text of a byte or more */
    char *literal;
    size_t n_literal;
    trine_scan *scan; /* by hand, where the pattern is known and the text is ASCII; or NULL */
};

trine_status trine_pattern_open(trine_pattern **out, const char *text, size_t n, bool literal, trine_error *err)
{
    *out = NULL;
    trine_buffer buffer = { 0 };
    const char *why = "";
    if (literal)
        trine_buffer_append(&buffer, text, n);
    else if (!trine_pattern_translate(&buffer, text, n, &why) && !buffer.failed) {
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
