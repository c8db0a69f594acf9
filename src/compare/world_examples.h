/* world_examples.h - texts of the world as what a model learns from: the same texts for each paradigm, asked in its own way.
 *
 * A decoder learns every next token of every text. An encoder-decoder turns what stands before "=>" into what stands after it; of a text
 * without "=>" the beginning is one time in two turned into the rest, and else spans of it are restored (15% of the tokens, spans of 3,
 * on average: number, lengths and places are drawn). An encoder fills masks: 15% of the tokens of a text without "=>" (80% [MASK], 10%
 * another word, 10% as they are); of an answer, and one time in two of what follows a beginning, a number drawn evenly, so that it can
 * be filled step by step from nothing (Ghazvininejad et al. 2019). An answer has as many places as its question may need, and the end
 * token fills what is left of them: so its length is not given away. A continuation has those of the text. */
#ifndef TRINE_COMPARE_WORLD_EXAMPLES_H
#define TRINE_COMPARE_WORLD_EXAMPLES_H

#include "compare/model_size.h"
#include "compare/world.h"
#include "train/examples.h"

/* Texts drawn once, for all that learn from them or are measured on them. */
typedef struct trine_world_set {
    const trine_grammar *world; /* NULL: the reader's own texts (own_texts.h), none of which asks anything */
    int vocab;                  /* words are TRINE_WORLD_WORD .. vocab - 1 */
    int64_t n;                  /* texts */
    size_t *starts;             /* [n + 1] text i is ids[starts[i] .. starts[i + 1]) */
    int *splits;                /* [n] tokens up to "=>" and with it; 0: there is none */
    int *rules;                 /* [n] what it is: the rule of its first word */
    int32_t *ids;
    int64_t n_tokens; /* with one for the end of each text */
    size_t ids_cap;
    int64_t texts_cap;
} trine_world_set;
/* Texts first, first + 1... of a rule under `seed`: `n` of them, or with n 0 until there are `n_tokens`. */
trine_status trine_world_set_open(trine_world_set *out, const trine_grammar *world, const char *rule, uint64_t seed, int64_t first,
                                  int64_t n, int64_t n_tokens, trine_error *err);
/* Text number `i` of a rule under `seed` behind those that are there; `scale`: as trine_grammar_write has it. */
trine_status trine_world_set_add(trine_world_set *set, const char *rule, uint64_t seed, uint64_t i, int scale, trine_error *err);
void trine_world_set_close(trine_world_set *set);

/* The set's texts as examples for a paradigm; the set outlives them. */
trine_status trine_world_examples(trine_examples **out, const trine_world_set *set, trine_paradigm paradigm, uint64_t seed,
                                  trine_error *err);
/* Places that an encoder's answer to text i has. */
int trine_world_blanks(const trine_world_set *set, int64_t i);
/* What all of the examples cost in their first epoch. */
void trine_world_work(trine_work *out, const trine_world_set *set, const trine_examples *examples);
/* The longest input, with special tokens, that a model of this world must take. */
int trine_world_max_tokens(const trine_grammar *world);

#endif
