/* abilities.h - what a trained model of the world can do, measured text by text: fill a blank, continue, translate, reverse, summarise,
 * classify, recall from the context. Each by its paradigm's own method, and where a paradigm is not made for it by the one that people
 * use; docs/COMPARE.md has the list. */
#ifndef TRINE_COMPARE_ABILITIES_H
#define TRINE_COMPARE_ABILITIES_H

#include <jansson.h>

#include "compare/asking.h"

/* Texts that all models are measured on. */
typedef struct trine_exam {
    const trine_grammar *world; /* NULL: the reader's own texts, of which `story` alone is there */
    trine_world_set story, translate, reverse, summarise, review, recall;
    uint64_t seed;
} trine_exam;
trine_status trine_exam_open(trine_exam *out, const trine_grammar *world, uint64_t seed, int n, trine_error *err);
void trine_exam_close(trine_exam *exam);

/* A list of numbers for each measure, one a text: "fill.right" and "fill.nats" of the token in one blank; "fill.rescored" (decoder and
 * encoder-decoder: the eight likeliest, compared by the likelihood of all that follows); "continue.nats" of a token of a text's second
 * half given those before it; "continue.valid", whether the half that the model draws itself breaks no rule; "translate.exact" and so on
 * for reverse and summarise; "translate.words" places that are right; "summarise.facts"; "classify.right"; "recall.right".
 * New memory (json_decref). */
trine_status trine_exam_take(json_t **out, const trine_exam *exam, trine_model *model, int n_threads, trine_error *err);
/* The best that anybody can have, under the same names: exact, by the grammar. */
trine_status trine_exam_best(json_t **out, const trine_exam *exam, trine_error *err);

#endif
