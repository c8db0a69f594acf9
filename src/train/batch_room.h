/* batch_room.h - a micro-batch while it is put together: arrays that grow. Memory that ran out is told once, at the end. */
#ifndef TRINE_TRAIN_BATCH_ROOM_H
#define TRINE_TRAIN_BATCH_ROOM_H

#include "train/batch.h"

typedef struct trine_batch_room {
    int32_t *ids, *types, *target_ids, *out_rows, *labels;
    float *weights;
    trine_segment *segments, *target_segments;
    int *out_ends; /* [n_texts]: how many of the outs belong to this text and those before */
    int n_texts, n_rows, n_target_rows, n_out, n_targets;
    int texts_cap, rows_cap, target_rows_cap, out_cap, targets_cap, ends_cap;
    bool label_a_text; /* labels are of texts: no out_rows */
    bool prefix;       /* segments say which rows all may see */
    bool has_types, has_weights;
    bool failed;
} trine_batch_room;

/* Forgets what is in it; the memory stays. */
void trine_batch_begin(trine_batch_room *room);
void trine_batch_clear(trine_batch_room *room);
/* The next text. `types` NULL: all 0; `prefix`: rows at its start that all of it sees. */
void trine_batch_add_text(trine_batch_room *room, const int32_t *ids, const int32_t *types, int n, int prefix);
/* Rows of a text that is put together piece by piece: one more, after a trine_batch_add_text of none. */
void trine_batch_add_row(trine_batch_room *room, int32_t id);
/* What the decoder of the last text is to say, `ids` with its end: its input is `start` and all of them but the last; each is scored. */
void trine_batch_add_target(trine_batch_room *room, int32_t start, const int32_t *ids, int n);
/* What the decoder of the last text reads, `start` and all of `ids` but the last; none is scored. */
void trine_batch_add_shifted(trine_batch_room *room, int32_t start, const int32_t *ids, int n);
/* One scored row of the last text, counted from its first; or, label_a_text, its label. */
void trine_batch_add_out(trine_batch_room *room, int row, int32_t label, float weight);
/* The whole; borrowed from the room until the next begin. ERROR_MEMORY when some of it found no place. */
trine_status trine_batch_end(trine_train_batch *out, const trine_batch_room *room, trine_error *err);
/* Text i of `all` as the next text of `room`. */
void trine_batch_copy_text(trine_batch_room *room, const trine_batch_room *all, int64_t i);
/* Sum of the weights of the scored rows. */
double trine_batch_weight(const trine_train_batch *batch);

#endif
