/* params.h - what is trained: all tensors of a model in one flat array of f32, and the model whose weights point into it.
 *
 * Each tensor begins at a multiple of 16 floats and what lies between is zero. The gradient, the moments and the bf16 copy of
 * the weight at values + i lie at grads + i, m + i, v + i and bf16 + i: views, tied embeddings and fused projections need nothing
 * more, and clipping, sums over ranks, sharding and checkpoints are slices of flat arrays. A weight whose data is outside
 * `values` is frozen.
 *
 * The names, shapes and the configuration are those that transformers writes for the model's class. They come from the family's own
 * load over a blank checkpoint (checkpoint/blank_checkpoint.h). */
#ifndef TRINE_TRAIN_PARAMS_H
#define TRINE_TRAIN_PARAMS_H

#include "checkpoint/checkpoint.h"
#include "models/model.h"

typedef struct trine_param {
    const char *name;
    int n_dims; /* 1 or 2, with the shape that a file has */
    int64_t shape[2];
    bool turned;      /* lies as [shape[1], shape[0]]: GPT-2's Conv1D */
    size_t offset, n; /* its floats in the flat arrays */
    bool decays;      /* by weight decay: matrices; not norms, biases, and what the model does not read */
    bool hidden;      /* a matrix of a layer's attention or feed-forward: what muon.h steps */
    float step;       /* and how far, of what its rate says: 1, or less */
    bool is_new;      /* initialised here, not taken from a checkpoint */
} trine_param;

typedef struct trine_params_bytes {
    size_t values, grads, moments, bf16;
    size_t frozen; /* weights that adapters stand beside, where they lie, or copied */
} trine_params_bytes;

typedef struct trine_params {
    size_t n;                    /* floats of each array, padding included: a multiple of 16 */
    float *values;               /* [n] */
    float *grads;                /* [n], or NULL when not asked for; zero at first, as the next two */
    float *m, *v;                /* AdamW's moments of elements [state_first, state_first + state_n), or NULL */
    size_t state_first, state_n; /* all elements, but where ranks share them out */
    uint16_t *bf16;              /* [n], or NULL: values rounded */
    int n_tensors;
    trine_param *tensors;     /* in rising order of offset, without holes but for padding */
    json_t *config;           /* config.json of the model as it is trained */
    int n_new;                /* tensors with is_new; 0 when nothing was to be taken */
    int n_unused;             /* tensors of the source that the model has no use for */
    trine_params_bytes bytes; /* of the arrays, as they were taken */
    bool hollow;              /* arrays are addresses at which nothing lies */
    /* Adapters in place of the weights; 0: the weights learn. The table then has base_model.model.MODULE.lora_A.weight and lora_B of
     * each adapted layer, and whatever learns whole (a new head). */
    int lora_rank;
    float lora_alpha;
    json_t *lora_targets;     /* names, as adapter_config.json has them */
    char *base;               /* path of the adapted model */
    trine_checkpoint *source; /* where frozen weights lie */
    float **frozen;           /* [n_frozen] those that could not stay there */
    int n_frozen;
} trine_params;

typedef struct trine_params_options {
    const json_t *config;     /* config.json of the model; NULL: the checkpoint's */
    const char *checkpoint;   /* a directory or .safetensors file to take values from; NULL: all are initialised */
    trine_checkpoint *stored; /* hollow: in place of `checkpoint`, a hollow one; borrowed */
    const char *tokenizer;    /* directory of the tokenizer; NULL: the checkpoint's, where there is one */
    /* Another head: `head` with its labels in place of the configuration's. A head of other labels is initialised anew. */
    bool change_head;
    trine_head head;
    const char *const *labels; /* [n_labels]; HEAD_LABELS, HEAD_TAGS */
    int n_labels;
    /* Low-rank adapters of linear layers in place of the weights, which stay in the file as they are. */
    int lora_rank;                   /* 0: none */
    float lora_alpha;                /* what they add is scaled by lora_alpha / lora_rank; 0: twice the rank */
    const char *const *lora_targets; /* [n_lora_targets] ends of modules' names, "query"; NULL: all of attention and feed-forward */
    int n_lora_targets;
    const char *adapter;    /* directory of an adapter that is added into the checkpoint's values first (merged), or NULL */
    uint64_t seed;          /* of what is initialised */
    bool grads, adam, bf16; /* which arrays to take beside the values */
    int rank, n_ranks;      /* adam: the moments of this rank's share alone (trine_params_share); 0: all */
    bool
        hollow; /* for a plan: arrays of addresses at which nothing lies (checkpoint/hollow_checkpoint.h); nothing is initialised */
    int n_threads;     /* that initialise; 0: one. The values do not depend on it */
    const char *cpu;   /* kernel level of the model; NULL: the best */
    trine_log_fn *log; /* says which tensors are new and which were not used */
    void *log_user;
} trine_params_options;

/* Opens parameters, and the model that computes with them. Close the model first, then the parameters. */
trine_status trine_params_open(trine_params **out, trine_model **model, const trine_params_options *options, trine_error *err);
void trine_params_close(trine_params *params);
/* How many parameters a model of `config` has, without taking memory for them. */
trine_status trine_params_count(int64_t *out, const json_t *config, trine_error *err);
/* Rounds all values into bf16 (AdamW keeps it up to date afterwards). */
void trine_params_round(trine_params *params, trine_team *team);
/* Where the share of `rank` of n_ranks ends, and the next one's begins: a multiple of 16. */
size_t trine_params_share(const trine_params *params, int rank, int n_ranks);
/* The number of the tensor that holds element `at`, or the padding behind it. */
int trine_params_at(const trine_params *params, size_t at);
/* The tensor called `name`, or NULL. */
const trine_param *trine_params_find(const trine_params *params, const char *name);

/* A copy of `config` for another head. ERROR_ARGUMENT when the family has no such class. In new
 * memory (json_decref). */
trine_status trine_params_config(json_t **out, const json_t *config, trine_head head, const char *const *labels, int n_labels,
                                 trine_error *err);

/* initialise.c: fills one tensor as transformers' _init_weights does for its family. `config` decides the rule. */
void trine_initialise(float *values, const trine_param *t, const json_t *config, uint64_t seed);
/* initialise_neighbours.c: then changes BERT's positions and first heads, where config's "initializer" is "neighbours". */
void trine_initialise_neighbours(float *values, const trine_param *t, const json_t *config);

#endif
