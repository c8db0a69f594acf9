/* pattern.h - the regular expressions of tokenizer.json, run by PCRE2.
 *
 * They are written for Oniguruma with Ruby's syntax; those in real tokenizers are also PCRE2's, once \s, \w and \p{..} are spelt so
 * that they mean the same code points. Matching is bounded: a pattern that explodes on some text ends with an error. */
#ifndef TRINE_TOKENIZER_PATTERN_H
#define TRINE_TOKENIZER_PATTERN_H

#include "trine/basics.h"

typedef struct trine_pattern trine_pattern;

/* `literal`: the text itself, with no sign special. ERROR_UNSUPPORTED for syntax that PCRE2 cannot run. */
trine_status trine_pattern_open(trine_pattern **out, const char *text, size_t n, bool literal, trine_error *err);
void trine_pattern_close(trine_pattern *pattern);

/* One walk over a text: next() gives match after match, as Oniguruma's find_iter does (an empty match right after another is
 * passed over). Each walk has its own working memory, so that threads share a pattern. */
typedef struct trine_matches {
    const trine_pattern *pattern;
    void *data, *context;
    const char *text;
    size_t n, at, last_end;
    bool matched, prepared;
} trine_matches;
void trine_matches_open(trine_matches *m, const trine_pattern *pattern);
void trine_matches_begin(trine_matches *m, const char *text, size_t n); /* starts over, on another text */
/* 1: a match, in [start, end); 0: no more; negative: a trine_status. */
int trine_matches_next(trine_span *match, trine_matches *m, trine_error *err);
void trine_matches_close(trine_matches *m);

#endif
