/* feed.h - examples as a sequence of micro-batches: shuffled by the seed in each epoch, packed one after another, several sources mixed
 * by weight. Where it stands is a few numbers; a feed that is set to them goes on as if it had never stopped. */
#ifndef TRINE_TRAIN_FEED_H
#define TRINE_TRAIN_FEED_H

#include "train/examples.h"

enum { TRINE_FEED_PARTS = 32 };

typedef struct trine_feed_part {
    trine_examples *examples; /* owned by the feed */
    double weight;            /* of its examples in the mixture; not looked at when there is one part */
} trine_feed_part;

typedef struct trine_feed_options {
    int batch_texts;  /* most texts of a micro-batch; 0: no limit */
    int batch_tokens; /* most tokens, of inputs and targets; 0: no limit. A longer example goes alone */
    bool shuffle;
    uint64_t seed;
} trine_feed_options;

/* Where a feed stands. */
typedef struct trine_feed_place {
    uint64_t drawn; /* examples so far, of all parts */
    struct {
        uint64_t epoch, at; /* of this part: its epoch, and the examples of it that are done */
    } parts[TRINE_FEED_PARTS];
} trine_feed_place;

/* The most of each that a micro-batch holds. */
typedef struct trine_feed_most {
    int texts, rows, targets, outs;
} trine_feed_most;

typedef struct trine_feed trine_feed;
/* Takes the examples over, also when it fails. */
trine_status trine_feed_open(trine_feed **out, const trine_feed_part *parts, int n_parts, const trine_feed_options *options,
                             trine_error *err);
void trine_feed_close(trine_feed *feed);
/* The next micro-batch; made in `room` (NULL: passed over, as one of another rank). With one part it holds examples of one epoch. */
trine_status trine_feed_next(trine_batch_room *room, trine_feed *feed, trine_error *err);
/* Whether one part's epoch ended with the last micro-batch: for files that are read once. */
bool trine_feed_at_end(const trine_feed *feed);
void trine_feed_tell(trine_feed_place *place, const trine_feed *feed);
trine_status trine_feed_seek(trine_feed *feed, const trine_feed_place *place, trine_error *err);
/* Of the examples of all parts. */
uint64_t trine_feed_checksum(const trine_feed *feed);
/* The chat template of the first of its examples that have one; or NULL. */
const char *trine_feed_chat_template(const trine_feed *feed);
/* Epochs done: of the part, or of the mixture: as many examples as all parts have. */
double trine_feed_epochs(const trine_feed *feed);
/* Packs without making: the micro-batches of `epochs` from the beginning (0: until `n_batches`), and the most they hold. The feed is
 * then at its beginning. */
trine_status trine_feed_survey(int64_t *n_batches, trine_feed_most *most, trine_feed *feed, double epochs, trine_error *err);

#endif
