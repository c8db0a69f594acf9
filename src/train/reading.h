/* reading.h - files of examples for a task, read into stored examples. Every error names the file and the line. */
#ifndef TRINE_TRAIN_READING_H
#define TRINE_TRAIN_READING_H

#include "models/model.h"
#include "train/examples.h"

typedef struct trine_reading {
    const trine_tokenizer *tokenizer;
    const trine_model_info *info; /* of the model that learns */
    int seq_len, target_len;      /* most tokens; what is longer is cut, and counted */
    int64_t n_read, n_cut;        /* of texts, and of sources */
    int64_t n_targets, n_cut_targets;
} trine_reading;

/* A label for a text or a pair, from tables or JSON lines: columns "label", "text" (sentence, content, sentence1, premise, question1)
 * and, for pairs, "text2" (sentence2, hypothesis, question2) where there is one. Part columns override: target_column the label,
 * source_column the second text. */
trine_status trine_read_label_names(trine_names *out, const trine_train_part *part, trine_error *err);
trine_status trine_read_labelled(trine_stored *out, trine_reading *r, const trine_train_part *part, const trine_names *labels,
                                 trine_error *err);
/* Words with tags, in any of IOB1, BIO, IOBES or plain types; labels are BIO: "O", then "B-X" and "I-X" of each type, sorted. A word's
 * label stands at its first piece, the others are not scored (Devlin et al. 2019, sec. 5.3). */
trine_status trine_read_tag_names(trine_names *out, const trine_train_part *part, trine_error *err);
trine_status trine_read_tagged(trine_stored *out, trine_reading *r, const trine_train_part *part, const trine_names *labels,
                               trine_error *err);
/* Source and target, for encoder-decoders; for decoders one text after the other, the target alone scored. */
trine_status trine_read_pairs(trine_stored *out, trine_reading *r, const trine_train_part *part, trine_error *err);
/* Each row of files of pairs: a source and its targets, one or more. */
typedef trine_status trine_pair_row_fn(void *user, const char *source, const char *const *targets, int n_targets, trine_error *err);
trine_status trine_each_pair(const trine_train_part *part, trine_pair_row_fn *each, void *user, trine_error *err);
/* A source as the model reads it: the part's prefix before it, a decoder's with its end of line, cut to seq_len. */
trine_status trine_reading_source(trine_encoding *out, trine_reading *r, const trine_train_part *part, const char *source,
                                  trine_error *err);
/* JSON lines for decoders: {"messages": [{"role", "content"}...]} through a chat template (the part's, else the tokenizer's, else a plain
 * one), what the assistant says is scored;
 * {"prompt", "completion"}, the completion is scored; {"text"}, all is scored. */
trine_status trine_read_chats(trine_stored *out, trine_reading *r, const trine_train_part *part, trine_error *err);
/* Pairs of texts that belong together, as two texts one after another each: for contrastive learning. */
trine_status trine_read_matches(trine_stored *out, trine_reading *r, const trine_train_part *part, trine_error *err);

/* One text as tokens with the special tokens that the model expects, cut to `most`. */
trine_status trine_reading_encode(trine_encoding *out, trine_reading *r, const char *text, const char *pair, int most,
                                  trine_error *err);
/* Room for a name more, sorted and each once. */
trine_status trine_reading_add_name(trine_names *names, const char *name, trine_error *err);
int trine_reading_find(const trine_names *names, const char *name);

#endif
