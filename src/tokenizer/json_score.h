/* json_score.h - numbers of tokenizer.json as the package `tokenizers` reads them, to the last bit.
 *
 * It reads a number of 16 or 17 digits not to the nearest double but often to the one beside it (serde_json's plain way: the digits as
 * one whole number, rounded, then divided by a power of ten, rounded again). In a unigram model two ways to cut a word often have the
 * same sum (I II, II I), and such a last bit then decides: equal ids need equal bits. */
#ifndef TRINE_TOKENIZER_JSON_SCORE_H
#define TRINE_TOKENIZER_JSON_SCORE_H

/* What `tokenizers` has for a number whose nearest double is x, in its shortest spelling. */
double trine_score_read(double x);
/* A number to be written with 17 digits in place of x, so that x is what `tokenizers` reads; where there is none, one beside it that
 * `tokenizers` and trine_score_read read alike. */
double trine_score_write(double x);

#endif
