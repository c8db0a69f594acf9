/* model.h - what a family must supply, and the open model. A new family is one file here and one line in families.c. */
#ifndef TRINE_MODELS_MODEL_H
#define TRINE_MODELS_MODEL_H

#include <limits.h>

#include "blocks/blocks.h"
#include "blocks/kv_cache.h"
#include "blocks/packed.h"
#include "checkpoint/checkpoint.h"
#include "models/adapter.h"

/* The papers' parts as functions over a pass. Each returns early when the pass has failed; all work while measuring. */
typedef struct trine_family {
    const char *name;
    trine_paradigm paradigm;
    const char *const *model_types; /* config.json "model_type" values, NULL-ended */
    /* Reads configuration and weights: fills m->info, m->weights, m->self_shape. On failure frees what it took. */
    trine_status (*load)(trine_model *m, trine_error *err);
    void (*unload)(trine_model *m); /* frees what load took, m->copies included; fine twice */
    /* Encoder and encoder-decoder: last hidden states [n_rows, d_model] of the batch. */
    trine_mat (*encode)(const trine_model *m, trine_pass *p);
    /* Decoder and encoder-decoder: last hidden states after the final norm; keys go to the segments' caches. */
    trine_mat (*decode)(const trine_model *m, trine_pass *p);
    /* Encoder-decoder: keys and values of the encoder's states into the segments' cross caches. */
    void (*cross)(const trine_model *m, trine_pass *p, trine_mat states);
    /* States to what the head gives: logits [n_out, vocab], labels [n_segments, n_labels], tags [n_rows, n_labels]; with no head
     * the states themselves. Applies batch->out_rows. The tracer's "lens" calls it for each layer's state. */
    trine_mat (*head)(const trine_model *m, trine_pass *p, trine_mat states);
} trine_family;

struct trine_model {
    const trine_family *family;
    trine_model_info info;
    trine_checkpoint *checkpoint; /* owned */
    trine_tokenizer *tokenizer;   /* owned, or NULL */
    trine_adapter *adapter;       /* owned, or NULL: beside the weights that it names */
    trine_kernels kernels;        /* of the chosen CPU level */
    void *weights;                /* the family's own struct */
    trine_kv_shape self_shape;    /* of the decoder's cache (type is the session's choice); n_layers 0: no cache */
    int n_types;                  /* types that the tokens of a text may have, 0 to n_types - 1; 0: this model knows none */
    char **labels;                /* [info.n_labels]; lives in copies, as the weights' struct does */
    void **copies;
    int n_copies;           /* memory that a load took; freed by unload */
    trine_packing *packing; /* of the weights whose panels are kept, or NULL; lives in copies */
    trine_log_fn *log;
    void *log_user;
    const trine_rope_scaling *rope_scaling; /* the caller's, while it is loaded; or NULL */
};

/* Whether texts are read whole, and nothing of them is kept for tokens to come: encoders, and decoders that give labels. */
static inline bool trine_model_reads_whole(const trine_model *m) { return !m->self_shape.n_layers; }

/* Heads of labels: one a text, or one a token. */
static inline bool trine_gives_labels(trine_head head) { return head == TRINE_HEAD_LABELS || head == TRINE_HEAD_TAGS; }

/* What a decoder of its own begins with; -1 where neither token is named. */
static inline int32_t trine_start_token(const trine_model_info *info)
{
    return info->decoder_start >= 0 ? info->decoder_start : info->pad;
}

/* Loading is sticky, like a pass: a family reads its fields and tensors one after another, each reader returns at once (0, NULL)
 * after the first failure, and the end asks l->status. So load functions are tables without error branches, and every
 * message names the field or tensor, what was found and what was expected. */
typedef struct trine_loader {
    trine_model *m;
    const json_t *config;                    /* the object that fields are read from: config.json, or one inside it */
    size_t bytes_of_type[TRINE_DTYPE_COUNT]; /* of the tensors loaded so far: for info.weights_type */
    trine_status status;
    trine_error *err;
} trine_loader;

/* Marks the loader failed (the first failure stays); the family's name goes before the text. */
void trine_load_fail(trine_loader *l, trine_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* config.c: fields of config.json. `fallback` when absent or null; a field of another kind or outside [low, high] fails. */
#define TRINE_REQUIRED INT_MIN /* as the fallback of an integer: a field that must be there */
#define TRINE_MAX_WIDTH (1 << 24)
int trine_read_int(trine_loader *l, const char *key, int fallback, int low, int high);
float trine_read_float(trine_loader *l, const char *key, float fallback, double low, double high);
bool trine_read_bool(trine_loader *l, const char *key, bool fallback);
const char *trine_read_string(trine_loader *l, const char *key, const char *fallback); /* borrowed from the configuration */
bool trine_config_has(const trine_loader *l, const char *key);                         /* there and not null */
/* A token id: null is -1, a list gives its first. */
int32_t trine_read_token(trine_loader *l, const char *key, int32_t absent);
/* A size that a file's tensors show (-1: as they do); without a file it is the configuration's, or transformers' default. */
int trine_read_size(trine_loader *l, const char *key, int when_blank);
/* The rows of a classifier: -1 where the file shows them, else what id2label or num_labels say, 2 when silent. */
int trine_read_n_labels(trine_loader *l);
/* Layers: 1 or more, and no more than the file has tensors. */
int trine_read_layers(trine_loader *l, const char *key, int fallback);
/* An activation by its field; its name goes into info.activation. */
trine_activation trine_read_activation(trine_loader *l, const char *key, const char *fallback);
/* bos, eos and pad; fallbacks are the family's own where the file says nothing. */
void trine_read_tokens(trine_loader *l, int32_t bos, int32_t eos, int32_t pad);
/* info.n_labels and the labels' names from id2label ("LABEL_0"... where it does not name them). */
void trine_read_labels(trine_loader *l, int n_labels);
/* What sits on top, by the first of "architectures" and the ends of class names that this family knows. Without architectures: the
 * last entry's head. A class that is not listed fails, and the text lists those that are. */
typedef struct trine_architecture {
    const char *suffix;
    trine_head head;
} trine_architecture;
trine_head trine_read_head(trine_loader *l, const trine_architecture *known, trine_head unnamed);
/* Fails when a field says the weights are of a kind no family here reads: quantization_config, experts. */
void trine_refuse_config(trine_loader *l);

/* load_weights.c: tensors by name (a printf format). Each is counted in info.n_parameters, weights_bytes and weights_type: load a
 * shared one once. */
bool trine_load_has(const trine_loader *l, const char *name, ...) __attribute__((format(printf, 2, 3)));
/* A blank checkpoint (checkpoint/blank_checkpoint.h) has nothing, and takes what is asked for: trine_load_has is false on it. Where
 * a file decides by what it holds, `written` says whether transformers would have written it for this configuration. */
bool trine_load_blank(const trine_loader *l);
bool trine_load_wants(const trine_loader *l, bool written, const char *name, ...) __attribute__((format(printf, 3, 4)));
/* A hollow checkpoint (checkpoint/hollow_checkpoint.h) has every tensor and no data: what a load would copy is counted and not read. */
bool trine_load_hollow(const trine_loader *l);
/* On a blank checkpoint: declares a tensor that transformers' class has and nothing here reads; cols 0: a vector. */
void trine_load_unused(trine_loader *l, int rows, int cols, const char *name, ...) __attribute__((format(printf, 4, 5)));
/* A matrix [rows, cols] as it lies in the file. rows or cols < 0: whatever is there. */
trine_weight trine_load_matrix(trine_loader *l, int rows, int cols, const char *name, ...) __attribute__((format(printf, 4, 5)));
/* The same stored transposed, [cols, rows] (GPT-2's Conv1D): copied once. */
trine_weight trine_load_transposed(trine_loader *l, int rows, int cols, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
/* A vector of n as f32: borrowed from the file when it is aligned f32 there, else copied. */
const float *trine_load_vector(trine_loader *l, int n, const char *name, ...) __attribute__((format(printf, 3, 4)));
/* A small matrix as f32, rows contiguous. */
const float *trine_load_table(trine_loader *l, int rows, int cols, const char *name, ...) __attribute__((format(printf, 4, 5)));
/* NAME.weight with NAME.bias: there must be one, there may be one, or it is not looked for. */
typedef enum trine_bias { TRINE_BIAS_NONE, TRINE_BIAS_OPTIONAL, TRINE_BIAS_REQUIRED } trine_bias;
trine_weight trine_load_linear(trine_loader *l, int rows, int cols, trine_bias bias, const char *name, ...)
    __attribute__((format(printf, 5, 6)));
/* A linear layer to labels, [n_labels, d_model], with their number and names in info. */
trine_weight trine_load_labels(trine_loader *l, trine_bias bias, const char *name);
/* The output layer: the tensor `name` where the file has one of its own, else the embedding (info.tied says which). A copy of the
 * embedding under both names counts as tied. A blank checkpoint does as "tie_word_embeddings" says, or the family when silent. */
trine_weight trine_load_output(trine_loader *l, const trine_weight *embedding, bool tied_when_silent, const char *name);
/* Rows [first, first + n) of a matrix: a view (fused projections). */
trine_weight trine_weight_rows(const trine_weight *w, int first, int n);
/* w is multiplied by many rows in every pass, as those of an encoder's layers are: once laid out, its panels are kept (packed.h). Nothing
 * where that brings nothing: w is not f32, or learns. */
void trine_load_packs(trine_loader *l, trine_weight *w);
/* Zeroed memory for n things that lives as long as the model; fails the loader when there is none. */
void *trine_load_alloc(trine_loader *l, size_t n, size_t size);

/* Begins and ends a family's load. Ending fills the sums of m->info; after a failure it frees m->copies and m->weights is NULL. */
trine_loader trine_load_begin(trine_model *m, trine_error *err);
trine_status trine_load_end(trine_loader *l);
/* Frees all of m->copies (weights, labels, copied tensors) and forgets them: the unload of most families. */
void trine_model_free_copies(trine_model *m);

/* decoder/decoder_head.c: `out` over the states of a decoder alone: words or tags of the rows that are asked for, or a label a text, where it
 * has been seen whole. With no head the states. */
trine_mat trine_decoder_head(const trine_model *m, trine_pass *p, trine_mat states, const trine_weight *out);

/* look.c: what a tracer is shown after layer `layer` (0: the embedding): "hidden.L", the state, and "lens.L", what the head gives
 * for `normed` (the state through the final norm, where the family has one). */
void trine_model_look(const trine_model *m, trine_pass *p, int layer, trine_mat state, trine_mat normed);

/* end_ids.c: the tokens that end a text, from generation_config.json, config.json or the family's custom. */
#define TRINE_MAX_END_IDS 16
trine_status trine_model_end_ids(int32_t ids[TRINE_MAX_END_IDS], int *n, const trine_model *m, trine_error *err);

/* families.c: the family of a configuration (by model_type, then architectures), or NULL with what is supported in err. */
const trine_family *trine_family_find(const json_t *config, trine_error *err);

/* What a model of `config` would be, and (in a blank checkpoint) hold: loads its family over `c` and lets go again. The texts of
 * `info` are borrowed from c. */
trine_status trine_family_declare(trine_model_info *info, trine_checkpoint *c, trine_error *err);
/* The class that transformers has for a family's model_type and a head, "BertForMaskedLM"; false when it has none. */
bool trine_family_class(char out[64], const char *model_type, trine_head head);

extern const trine_family trine_family_bert, trine_family_roberta, trine_family_distilbert, trine_family_gpt2, trine_family_llama,
    trine_family_t5;

#endif
