/* pattern_scan.h - the splitting patterns of GPT-2, Llama 3 and Qwen 2 by hand, for ASCII.
 *
 * At a place in a text the scanner says how long the pattern's match is, or that it does not know: what it must look at is not all
 * ASCII. Then PCRE2 matches there, with its tables of Unicode; so both always cut the same. */
#ifndef TRINE_TOKENIZER_PATTERN_SCAN_H
#define TRINE_TOKENIZER_PATTERN_SCAN_H

#include "trine/basics.h"

/* The length of the match at text[at], at < n; 0: not known. */
typedef size_t trine_scan(const char *text, size_t n, size_t at);

/* The scanner of a pattern, or NULL. */
trine_scan *trine_scan_find(const char *pattern, size_t n);

#endif
