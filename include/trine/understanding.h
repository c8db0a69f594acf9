/* understanding.h - the tasks of encoders: vectors, masks filled, labels, entities. */
#ifndef TRINE_UNDERSTANDING_H
#define TRINE_UNDERSTANDING_H

#include "trine/inference.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ encoder-only tasks */

typedef enum trine_long {
    TRINE_LONG_REFUSE,
    TRINE_LONG_TRUNCATE,
    TRINE_LONG_CHUNK,
    TRINE_LONG_ALLOW /* embed: also past the length it was trained on (info.embed_tokens); refused where no pass takes it */
} trine_long;

typedef struct trine_task_options {
    const char *pair;     /* second text of a pair (classify), or NULL */
    const int32_t *ids;   /* raw ids in place of text; no special tokens are added */
    const int32_t *types; /* with ids: token types, or NULL for all 0 */
    int n_ids;
    trine_long too_long;   /* a text (or ids) longer than the model: refuse (default), cut its end, or go in parts */
    int top_k;             /* fill, classify: most results; 0: 5 for fill, all for classify */
    trine_pooling pooling; /* embed: 0: as the model declares */
    bool no_normalize;     /* embed: leave the vector's length as it is */
} trine_task_options;

/* The vector of a text into out[out_cap], out_cap >= info.d_embedding. Any family: a decoder's is pooled from its last
 * layer, an encoder-decoder's from its encoder. CHUNK: the mean of the parts' vectors, weighted by their tokens. */
TRINE_API trine_status trine_embed(float *out, int out_cap, trine_session *session, const char *text,
                                   const trine_task_options *options, trine_error *err);
/* The same for `n` texts in few passes; row i of out [n, info.d_embedding] is the vector of texts[i]. */
TRINE_API trine_status trine_embed_batch(float *out, trine_session *session, const char *const *texts, int n,
                                         const trine_task_options *options, trine_error *err);
/* The same for texts that are ids already: n_ids[i] of them at ids[i]; no special tokens are added. */
TRINE_API trine_status trine_embed_ids(float *out, trine_session *session, const int32_t *const *ids, const int *n_ids, int n,
                                       const trine_task_options *options, trine_error *err);

typedef struct trine_fill_choice {
    int32_t id;
    float score; /* probability */
    char *token; /* as text, without the marks of the vocabulary */
    char *text;  /* the whole text with this mask filled by this token, the others by their best */
} trine_fill_choice;
typedef struct trine_fill_result {
    char *text; /* all masks filled by their best */
    int n_masks, n_choices;
    trine_fill_choice *choices; /* [n_masks, n_choices], best first */
} trine_fill_result;
/* Fills every mask token ([MASK], <mask>) of a text. ERROR_ARGUMENT when the text has none. */
TRINE_API trine_status trine_fill(trine_fill_result *out, trine_session *session, const char *text,
                                  const trine_task_options *options, trine_error *err);
/* The same for `n` texts in few passes: out[i] is of texts[i]. When one fails there are no results. */
TRINE_API trine_status trine_fill_batch(trine_fill_result *out, trine_session *session, const char *const *texts, int n,
                                        const trine_task_options *options, trine_error *err);
TRINE_API void trine_fill_result_clear(trine_fill_result *result);

typedef struct trine_label_score {
    const char *label;
    float score;
    int index;
} trine_label_score; /* label: the model's */
typedef struct trine_labels {
    int n;
    trine_label_score *items;
} trine_labels;
/* Labels of a text, or of a text and options->pair, best first. CHUNK: the mean of the parts' probabilities. */
TRINE_API trine_status trine_classify(trine_labels *out, trine_session *session, const char *text,
                                      const trine_task_options *options, trine_error *err);
/* The same for `n` texts in few passes: out[i] is of texts[i], and of pairs[i] where `pairs` and that are not NULL. When one fails
 * there are no results. */
TRINE_API trine_status trine_classify_batch(trine_labels *out, trine_session *session, const char *const *texts,
                                            const char *const *pairs, int n, const trine_task_options *options, trine_error *err);
TRINE_API void trine_labels_clear(trine_labels *labels);

typedef struct trine_entity {
    char *group;                 /* "PER": the label without B- or I- */
    char *text;                  /* the part of the text, verbatim */
    trine_span span;             /* in bytes */
    size_t char_start, char_end; /* in Unicode code points */
    float score;                 /* mean probability over its words' first tokens */
} trine_entity;
typedef struct trine_entities {
    int n;
    trine_entity *items;
} trine_entities;
/* Named entities of a text: labels are read at the first token of each word and B-/I- (or IO) tags are joined. */
TRINE_API trine_status trine_tag(trine_entities *out, trine_session *session, const char *text, const trine_task_options *options,
                                 trine_error *err);
/* The same for `n` texts in few passes: out[i] is of texts[i]. When one fails there are no results. */
TRINE_API trine_status trine_tag_batch(trine_entities *out, trine_session *session, const char *const *texts, int n,
                                       const trine_task_options *options, trine_error *err);
TRINE_API void trine_entities_clear(trine_entities *entities);

#ifdef __cplusplus
}
#endif
#endif
