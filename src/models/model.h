/* model.h - what a family must supply, and the open model. A new family is one file here and one line in families.c. */
#ifndef TRINE_MODELS_MODEL_H
#define TRINE_MODELS_MODEL_H

#include "blocks/blocks.h"
#include "blocks/kv_cache.h"
#include "checkpoint/checkpoint.h"

/* The papers' parts as functions over a pass. Each returns early when the pass has failed; all work while measuring. */
typedef struct trine_family {
    const char *name;
    trine_paradigm paradigm;
    const char *const *model_types; /* config.json "model_type" values, NULL-ended */
    /* Reads configuration and weights: fills m->info, m->weights, m->self_shape. On failure frees what it took. */
    trine_status (*load)(trine_model *m, trine_error *err);
    void (*unload)(trine_model *m);
    /* Encoder and encoder-decoder: last hidden states [n_rows, d_model] of the batch. */
    trine_mat (*encode)(const trine_model *m, trine_pass *p);
    /* Decoder and encoder-decoder: last hidden states after the final norm; keys go to the segments' caches. */
    trine_mat (*decode)(const trine_model *m, trine_pass *p);
    /* Encoder-decoder: keys and values of the encoder's states into the segments' cross caches. */
    void (*cross)(const trine_model *m, trine_pass *p, trine_mat states);
    /* States to what the head gives: logits [n_out, vocab], labels [n_segments, n_labels], tags [n_rows, n_labels]; with no head the
     * states themselves. Applies batch->out_rows. The tracer's "lens" calls it for each layer's state. */
    trine_mat (*head)(const trine_model *m, trine_pass *p, trine_mat states);
} trine_family;

struct trine_model {
    const trine_family *family;
    trine_model_info info;
    trine_checkpoint *checkpoint;  /* owned */
    trine_tokenizer *tokenizer;    /* owned, or NULL */
    trine_kernels kernels;         /* of the chosen CPU level */
    void *weights;                 /* the family's own struct */
    trine_kv_shape self_shape;     /* of the decoder's cache (type is the session's choice); n_layers 0: no cache */
    char **labels;                 /* [info.n_labels] */
    void **copies; int n_copies;   /* memory of weights that could not stay in the file */
    trine_log_fn *log; void *log_user;
};

/* load_weights.c: what families load with. All name the tensor and the shape they expected when they fail. */
/* A matrix [rows, cols] as it lies in the file. rows or cols < 0: whatever is there. */
trine_status trine_load_matrix(trine_weight *out, trine_model *m, const char *name, int rows, int cols, trine_error *err);
/* The same stored transposed ([cols, rows], GPT-2's Conv1D): copied once. */
trine_status trine_load_matrix_transposed(trine_weight *out, trine_model *m, const char *name, int rows, int cols, trine_error *err);
/* A vector of n as f32 (borrowed from the file when it is f32 and aligned, else copied). optional: *out NULL when absent. */
trine_status trine_load_vector(const float **out, trine_model *m, const char *name, int n, bool optional, trine_error *err);
/* Memory that lives as long as the model and counts in info.copied_bytes; NULL when there is none left. */
void *trine_model_alloc(trine_model *m, size_t bytes);
bool trine_model_has(const trine_model *m, const char *name);

/* config.c: fields of config.json. `fallback` when absent or null; a field of the wrong kind or out of [low, high] is an error that names it. */
trine_status trine_config_int(int *out, const trine_model *m, const char *key, int fallback, int low, int high, trine_error *err);
trine_status trine_config_float(float *out, const trine_model *m, const char *key, float fallback, trine_error *err);
trine_status trine_config_bool(bool *out, const trine_model *m, const char *key, bool fallback, trine_error *err);
trine_status trine_config_string(const char **out, const trine_model *m, const char *key, const char *fallback, trine_error *err);

/* families.c: the family of a configuration (by model_type, then architectures), or NULL with what is supported in err. */
const trine_family *trine_family_find(const json_t *config, trine_error *err);

extern const trine_family trine_family_bert, trine_family_roberta, trine_family_distilbert, trine_family_gpt2, trine_family_llama, trine_family_t5;

#endif
