/* sequence.h - the inside of a sequence: what generation and beam search work with. */
#ifndef TRINE_GENERATE_SEQUENCE_H
#define TRINE_GENERATE_SEQUENCE_H

#include "generate/session.h"

struct trine_sequence {
    trine_session *session;
    trine_kv *self, *cross; /* cross: NULL unless encoder-decoder */
    int32_t *ids;           /* [ctx] the tokens fed so far */
    int n_source;           /* tokens of the source; 0: none was read */
    const float *logits;    /* of the last token, in the session's arena */
    uint64_t logits_pass;   /* the pass that made them; any later one has overwritten them */
    int planned, taken;     /* within a feed: tokens to take in all, and so far */
};

/* trine_sequence_source for several sequences of one session in one pass, which takes rows_cap tokens in all. */
trine_status trine_sequences_source(trine_sequence *const *sequences, const int32_t *const *ids, const int *n, int n_sequences,
                                    trine_error *err);
/* The tokens fed so far, [trine_sequence_length]; borrowed until the next feed. */
const int32_t *trine_sequence_ids(const trine_sequence *sequence);

#endif
