/* comparing.h - architectures compared by experiment, and the corpus they are compared on. */
#ifndef TRINE_COMPARING_H
#define TRINE_COMPARING_H

#include "trine/reports.h"
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

/* -------------------------------------------------------------------------------------------------------- experiments */

/* How far a long experiment is: what it is at, and `done` of `total` in shares of its time. Return false to stop. */
typedef bool trine_experiment_fn(void *user, const char *what, int done, int total);

/* Values of 0 are the defaults. */
typedef struct trine_comparison_options {
    bool quick;           /* a minute on two cores; else ten */
    bool equal_compute;   /* sizes are such that trainings cost the same; else they are the same */
    const char *data;     /* the reader's own text, a file or a folder, in place of the built-in corpus; or NULL */
    int64_t n_parameters; /* of each, or with equal_compute of the decoder; 0: 300,000, quick 150,000 */
    int64_t n_tokens;     /* of the texts that each learns from; 0: 5,000,000, quick 1,800,000 */
    int n_seeds;          /* 0: 3, quick 1 */
    int n_texts;          /* that each ability is measured on; 0: 300, quick 100 */
    uint64_t seed;
    int n_threads;   /* 0: one a core */
    const char *cpu; /* kernel level, as in trine_model_options */
    trine_record
        *record; /* each model is kept there when it is finished, and taken from there when the same is asked for; or NULL */
    bool anew;   /* nothing is taken from the record */
    trine_experiment_fn *on_progress;
    void *user;
} trine_comparison_options;
/* Trains an encoder-only, a decoder-only and an encoder-decoder model from nothing on the same texts and measures what each can do and
 * what it costs. ERROR_CANCELLED when on_progress stopped it: models that were finished are in the record, and the same call goes on. */
TRINE_API trine_status trine_compare_paradigms(trine_report **out, const trine_comparison_options *options, trine_error *err);
/* What a mask does: one decoder trained under the causal mask, and one under none, measured under causal, bidirectional, prefix and window
 * masks, and as they write; of the options those that make sense (no data, one seed). */
TRINE_API trine_status trine_compare_masks(trine_report **out, const trine_comparison_options *options, trine_error *err);

#ifdef __cplusplus
}
#endif
#endif
