/* comparing.h - architectures compared by experiment, and the corpus they are compared on. */
#ifndef TRINE_COMPARING_H
#define TRINE_COMPARING_H

#include "trine/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ the built-in corpus */

/* Texts of a small world, drawn by a seeded probabilistic grammar whose entropy is known exactly: no model can predict them better
 * than that, and how near one comes can be read from its loss. docs/COMPARE.md has the kinds. */
typedef struct trine_corpus_text_options {
    /* "text" (stories; or NULL), "pairs" (source TAB target: translations, reversals, summaries), "labelled" (label TAB review),
     * "documents" (a document with three facts in it TAB the facts), "recall" (pairs and a question TAB the answer), "translate" and
     * "reverse" alone, or "world": all of these as one running text, as models are compared on it */
    const char *kind;
    uint64_t seed;
    int64_t first, count; /* texts first .. first + count - 1 of this seed */
    int filler;           /* documents: sentences between two facts, which a document's length is made of; 0: 1 to 3 */
} trine_corpus_text_options;
/* One text, without a newline; it lives for the call only. Return false to stop. */
typedef bool trine_document_text_fn(void *user, const char *text, size_t n);
/* Calls `each` for every text, a function of kind, seed and number alone. ERROR_ARGUMENT for a kind that is not there. */
TRINE_API trine_status trine_corpus_write(const trine_corpus_text_options *options, trine_document_text_fn *each, void *user,
                                          trine_error *err);

typedef struct trine_corpus_text_facts {
    int vocab;             /* ids of its tokenizer */
    double nats, tokens;   /* of a text: its entropy, and how many tokens it has on average, with one for its end */
    double nats_per_token; /* the lowest loss that a model which reads texts from their beginnings can have */
    double perplexity;     /* of a token: e to that */
    int most_tokens;       /* of any text */
} trine_corpus_text_facts;
/* What is known exactly of a kind of texts (documents: with the default filler). */
TRINE_API trine_status trine_corpus_facts(trine_corpus_text_facts *out, const char *kind, trine_error *err);
/* Writes the corpus's own tokenizer, of one token a word, into the directory `dir`, which is made. ERROR_IO. */
TRINE_API trine_status trine_corpus_save_tokenizer(const char *dir, bool overwrite, trine_error *err);
/* The grammar as it is read; static. */
TRINE_API const char *trine_corpus_grammar(void);

#ifdef __cplusplus
}
#endif
#endif
