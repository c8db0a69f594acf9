/* long_texts.h - the decoder and the encoder-decoder before documents that grow. */
#ifndef TRINE_LONG_TEXTS_H
#define TRINE_LONG_TEXTS_H

#include "trine/scaling.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trine_long_options {
    bool quick;                   /* documents to 16,000 tokens; else to 100,000 */
    const int64_t *lengths;       /* [n_lengths] tokens of the documents, in place of these, rising */
    int n_lengths;                /* 0: as quick says */
    int64_t train_tokens;         /* of each model; 0: as quick says */
    uint64_t seed;                /* of weights and texts */
    int n_threads;                /* 0: one a core */
    const char *cpu;              /* kernel level, as in trine_model_options */
    trine_record *record;         /* every finished measurement is kept there, and what was stopped goes on; NULL: not */
    trine_ladder_fn *on_progress; /* or NULL */
    void *user;
} trine_long_options;
/* Trains a decoder and an encoder-decoder of one size to summarise documents to three planted facts, then measures both at each
 * length: time to the first token and for each after it, memory by part, recall of the facts of the beginning, the middle and the end,
 * each type of cache, attention in tiles beside plain attention, and what it costs when text keeps arriving. The verdict is made of
 * the numbers. ERROR_CANCELLED when on_progress stopped it. */
TRINE_API trine_status trine_compare_long(trine_report **out, const trine_long_options *options, trine_error *err);

#ifdef __cplusplus
}
#endif
#endif
