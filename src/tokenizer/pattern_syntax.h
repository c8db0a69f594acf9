/* pattern_syntax.h - a regular expression as Hugging Face's `tokenizers` reads it, which is Oniguruma's Ruby, said for PCRE2. */
#ifndef TRINE_TOKENIZER_PATTERN_SYNTAX_H
#define TRINE_TOKENIZER_PATTERN_SYNTAX_H

#include "base/buffer.h"

/* Appends what PCRE2 (UTF, UCP, MULTILINE) matches alike. False when a construct has no equal: *why says which. What neither reads is copied, for
 * PCRE2 to refuse. */
bool trine_pattern_translate(trine_buffer *out, const char *pattern, size_t n, const char **why);

#endif
