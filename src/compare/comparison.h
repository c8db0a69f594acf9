/* comparison.h - the standard comparison, between those who run it and those who tell it. */
#ifndef TRINE_COMPARE_COMPARISON_H
#define TRINE_COMPARE_COMPARISON_H

#include "compare/abilities.h"
#include "compare/contender.h"
#include "compare/findings.h"
#include "compare/paradigm_words.h"
#include "compare/report.h"

enum { TRINE_PARADIGMS = 3, TRINE_MOST_SEEDS = 16, TRINE_COST_LENGTHS = 6 };

typedef struct trine_comparison {
    trine_comparison_options options; /* with every default filled in */
    trine_grammar *world;             /* NULL: the reader's own texts */
    trine_world_set own, held;        /* these */
    trine_exam exam;
    json_t *best; /* the best that anybody can have, by measure */
    trine_size sizes[TRINE_PARADIGMS];
    trine_work work[TRINE_PARADIGMS]; /* of the first seed's texts */
    double flops[TRINE_PARADIGMS];    /* of a training */
    int64_t n_tokens, n_texts;        /* of the first seed's texts */
    double epochs;
    json_t *found[TRINE_PARADIGMS][TRINE_MOST_SEEDS];
    int n_finished;     /* models that have been measured, */
    int n_recalled;     /* of these, taken from the record */
    double done, total; /* work, in FLOPs, for the progress */
} trine_comparison;

/* comparison.c: sizes, texts; then each model trained and measured. */
trine_status trine_comparison_open(trine_comparison *out, const trine_comparison_options *options, trine_error *err);
void trine_comparison_close(trine_comparison *c);
/* What its model `which` is called, "encoder-only"; the sizes are settled. */
static inline const char *trine_comparison_text(const trine_comparison *c, int which)
{
    return trine_words_of(c->sizes[which].paradigm)->text;
}
trine_status trine_comparison_run(trine_comparison *c, trine_error *err);
/* comparison_tell.c */
trine_status trine_comparison_tell(trine_report **out, const trine_comparison *c, trine_error *err);

#endif
