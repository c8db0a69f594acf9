/* examples.h - what is learnt from: examples by number, each put into a batch when its turn comes. An objective is one of these.
 *
 * An example is a function of the seed, the epoch and its number: masks and spans are chosen anew each epoch, and a run that is taken
 * up again sees what it would have seen. Its size is known without making it, so batches are packed before they are made. */
#ifndef TRINE_TRAIN_EXAMPLES_H
#define TRINE_TRAIN_EXAMPLES_H

#include "train/batch_room.h"
#include "train/corpus.h"
#include "trine/training.h"

typedef struct trine_example_size {
    int rows, targets, outs; /* rows of the input and of the target; scored rows */
} trine_example_size;

typedef struct trine_examples trine_examples;
struct trine_examples {
    int64_t (*count)(const trine_examples *e, uint64_t epoch);
    trine_example_size (*size)(const trine_examples *e, uint64_t epoch, int64_t i);
    void (*make)(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i);
    uint64_t (*checksum)(const trine_examples *e); /* of what they are made of: a run that is resumed must have the same */
    void (*close)(trine_examples *e);
    uint64_t seed;
    bool label_a_text, prefix; /* as in the room that they are made in */
    /* By which conversations among them were written, where it is not the model's own; else NULL. Borrowed. */
    const char *chat_template;
};
void trine_examples_close(trine_examples *e); /* NULL is fine */

/* ------------------------------------------------------------------------------------------- objectives over running text */

/* Special tokens and the model's needs. Ids that are not there are -1. */
typedef struct trine_objective_tokens {
    int32_t cls, sep, mask;     /* masked */
    int32_t eos, decoder_start; /* span, prefix */
    int vocab;                  /* ids that a masked token may be replaced by: 0 .. vocab - 1 */
    const int32_t *sentinels;   /* span: [n_sentinels], in the order they are used; copied */
    int n_sentinels;
    const uint8_t *continues; /* whole words: [vocab], 1 where the piece goes on a word; copied */
    const uint8_t *special;   /* [vocab], 1 where a token is never masked; copied; or NULL */
} trine_objective_tokens;

typedef struct trine_objective_options {
    trine_objective kind;
    trine_objective_tokens tokens;
    int seq_len;     /* most rows of an example's input */
    bool separate;   /* documents are not joined: a sequence holds text of one alone */
    bool whole_word; /* masked */
    double share;    /* masked, span: of the tokens; 0: 0.15 */
    double span;     /* span: mean length; 0: 3 */
    bool has_encoder, has_decoder;
    uint64_t seed;
} trine_objective_options;

/* Takes the corpus over, also when it fails. ERROR_ARGUMENT for an objective that this kind of model cannot have. */
trine_status trine_objective_open(trine_examples **out, trine_corpus *corpus, const trine_objective_options *options,
                                  trine_error *err);

/* Sequences of a corpus: of `length` tokens, each sharing its last `overlap` with the next (the tokens that are predicted alone). Joined
 * documents are cut elsewhere in each epoch: a shift drawn from the seed. */
typedef struct trine_windows {
    const trine_corpus *corpus;
    int length, overlap;
    uint64_t seed;
    size_t *starts; /* separate documents: [n]; else NULL */
    int *lengths;
    int64_t n;
} trine_windows;
trine_status trine_windows_open(trine_windows *out, const trine_corpus *corpus, int length, int overlap, bool separate,
                                uint64_t seed, trine_error *err);
void trine_windows_close(trine_windows *w);
int64_t trine_windows_count(const trine_windows *w, uint64_t epoch);
/* Tokens of window i, those of the overlap included; *start is its place in the corpus. */
int trine_windows_get(size_t *start, const trine_windows *w, uint64_t epoch, int64_t i);

/* How many tokens of a sequence of n are noise, in how many spans (Raffel et al. 2020, sec. 3.1.4, as in the T5 code), and the
 * rows of input and target that this makes, the end token of each included. */
void trine_span_plan(int *n_noise, int *n_spans, int *inputs, int *targets, int n, double share, double mean);
/* The longest sequence whose input has no more than `seq_len` rows. */
int trine_span_length(int seq_len, double share, double mean);

/* ------------------------------------------------------------------------------------------------- examples made before */

/* Examples that are the same in each epoch, all kept in one room: fill `all`, then open. */
typedef struct trine_stored {
    trine_examples base;
    trine_batch_room all;
    bool pairs; /* an example is two texts, one after the other */
} trine_stored;
/* New examples, none yet. */
trine_status trine_stored_open(trine_stored **out, trine_error *err);
/* A share of `from`, drawn by the seed, leaves it for new examples: held out for validation. */
trine_status trine_stored_hold_out(trine_stored **out, trine_stored *from, double share, uint64_t seed, trine_error *err);

#endif
