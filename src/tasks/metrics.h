/* metrics.h - how good an answer is: BLEU, chrF, ROUGE, entity F1, classification F1. Plain values in, plain values out; no
 * model is known here. Each metric is one file and is held to the Python package that defines it by fixtures
 * (tools/make_metric_fixtures.py). Text is valid UTF-8 or read as base/utf8.h says. */
#ifndef TRINE_TASKS_METRICS_H
#define TRINE_TASKS_METRICS_H

#include "trine/measuring.h"

/* ------------------------------------------------------------------------------------------------------------ n-grams */

/* How many n-grams the two have, and how many of the hypothesis are in the reference, each at most as often as there. */
typedef struct trine_ngram_counts {
    int64_t hypothesis, reference, matched;
} trine_ngram_counts;
trine_status trine_ngrams_match(trine_ngram_counts *out, const int32_t *hypothesis, size_t n_hypothesis, const int32_t *reference,
                                size_t n_reference, int order, trine_error *err);

/* Words of two texts as numbers: equal words, equal numbers. */
typedef struct trine_words {
    int32_t *ids; /* owned */
    size_t n, cap;
} trine_words;
typedef struct trine_word_table {
    struct trine_word_slot *slots; /* open addressing; words are borrowed from texts that outlive the table */
    size_t n, cap;
} trine_word_table;
/* Appends the number of word [s, s + n). */
trine_status trine_words_add(trine_words *words, trine_word_table *table, const char *s, size_t n, trine_error *err);
void trine_words_clear(trine_words *words);
void trine_word_table_clear(trine_word_table *table);

/* ---------------------------------------------------------------------------------------------- translation, 0 to 100 */

/* Papineni et al. 2002, as sacrebleu's default (Post 2018): corpus level, 13a tokens, exponential smoothing, mixed case. */
typedef struct trine_bleu {
    int64_t matched[4], total[4];
    int64_t n_hypothesis, n_reference; /* words */
} trine_bleu;
trine_status trine_bleu_add(trine_bleu *bleu, const char *hypothesis, const char *reference, trine_error *err);
double trine_bleu_score(const trine_bleu *bleu);

/* Popovic 2015, chrF2 as sacrebleu's default: character n-grams of 1 to 6 without white space, beta 2. */
typedef struct trine_chrf {
    trine_ngram_counts orders[6];
} trine_chrf;
trine_status trine_chrf_add(trine_chrf *chrf, const char *hypothesis, const char *reference, trine_error *err);
double trine_chrf_score(const trine_chrf *chrf);

/* -------------------------------------------------------------------------------------------------- summaries, 0 to 1 */

/* Lin 2004, F-measures of one summary, as Google's rouge_score with use_stemmer=False. Of several references the best
 * counts, for each measure on its own (its score_multi). A corpus is the mean of its summaries. */
typedef struct trine_rouge {
    double rouge1, rouge2, rougeL;
} trine_rouge;
trine_status trine_rouge_score(trine_rouge *out, const char *prediction, const char *const *references, int n_references,
                               trine_error *err);

/* ------------------------------------------------------------------------------------------------------------- labels */

/* Entities of tagged sentences, as conlleval counts (Tjong Kim Sang & De Meulder 2003): one is right when its words and its
 * type are. Tags are "O", "B-X", "I-X" (IOB1, IOB2), "E-X", "S-X", or a plain "X" read as "I-X". */
typedef struct trine_entity_counts {
    int64_t right, guessed, gold;
} trine_entity_counts;
void trine_entity_counts_add(trine_entity_counts *counts, const char *const *guessed, const char *const *gold, int n_words);
/* Precision, recall and F1; 0 where undefined. */
void trine_entity_counts_score(const trine_entity_counts *counts, double *precision, double *recall, double *f1);
/* A tag's parts: the letter before "-" ('O' outside, 'I' for a plain type) and the type. */
char trine_tag_split(const char **type, const char *tag);
/* Whether an entity begins at a word, or ended before it, given the tag before (conlleval's rules). */
bool trine_tag_begins(char before, const char *type_before, char now, const char *type_now);
bool trine_tag_ended(char before, const char *type_before, char now, const char *type_now);

/* counts [n_labels, n_labels]: row = gold, column = guessed. Macro F1: the mean over the labels that occur in either. */
void trine_label_scores(double *accuracy, double *macro_f1, const int64_t *counts, int n_labels);

#endif
