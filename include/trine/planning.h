/* planning.h - the memory and the rates of a model before anything of it is loaded.
 *
 * A planner knows a model by its head alone: a configuration, the head of a file, or the name of a published model. What it says
 * is counted by the functions that allocate, run over weights that have no data; so a session or a training step takes
 * what was planned. */
#ifndef TRINE_PLANNING_H
#define TRINE_PLANNING_H

#include "trine/inference.h"
#include "trine/training.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trine_planner trine_planner;

typedef struct trine_planner_options {
    const char *weights; /* type of the weights, one of trine_quantize_type: what that would make of the model; NULL: as they are */
    const char *cpu;     /* kernel level, as in trine_model_options: it decides the temporaries */
} trine_planner_options;

/* `model`: a directory, with weights or a config.json alone; a config.json; a .gguf or .safetensors file, of which the head is enough
 * (the config.json lies beside a .safetensors file); or the name of a published model (trine_preset), with its owner or without.
 * A text that names no file is taken for such a name. ERROR_NOT_FOUND when it is neither; else what is missing or wrong is named. */
TRINE_API trine_status trine_planner_open(trine_planner **out, const char *model, const trine_planner_options *options,
                                          trine_error *err);
TRINE_API void trine_planner_close(trine_planner *planner);
/* Facts about the model, weights_bytes in the planned type among them; borrowed, lives as long as the planner. */
TRINE_API const trine_model_info *trine_planner_info(const trine_planner *planner);
/* Whether the facts are those of a file's tensors ("file"), of a configuration ("config") or of a preset ("preset"); static. */
TRINE_API const char *trine_planner_source(const trine_planner *planner);
/* The name of published model `i`, or NULL past the last; static. */
TRINE_API const char *trine_preset(int i);
/* Bytes of memory that are free for this process now, as a session looks at them. */
TRINE_API size_t trine_memory_available(void);

/* The memory of a session, by part. */
typedef struct trine_session_bytes {
    trine_session_options options;   /* with every default filled in */
    size_t weights_bytes;            /* mapped, and copied */
    size_t kv_bytes_per_token;       /* keys and values of a token in all layers: 2 layers n_kv_heads d_head bytes of a value */
    size_t kv_bytes, cross_kv_bytes; /* of all tokens of all sequences; of all sources (encoder-decoders) */
    size_t cache_bytes;              /* what the pools of both take: whole pages, their tables */
    size_t arena_bytes;              /* temporaries of the largest pass */
    size_t batch_bytes;              /* what a batch is laid out in */
    size_t total_bytes;              /* weights, cache, arena, batch */
    size_t plain_attention_bytes;    /* n x n scores of one layer in f16, all heads and sequences: what is not needed here */
} trine_session_bytes;
/* How far the two searches below look: what they find is the limit of memory, or this. */
enum { TRINE_PLAN_MOST_CTX = 1 << 24, TRINE_PLAN_MOST_SOURCE = 1 << 18, TRINE_PLAN_MOST_SEQUENCES = 1 << 16 };
/* What trine_session_open would take for `options`, whatever is free here. options->ctx 0: the model's limit, or 2,048 where it has
 * none; cache_type 0: f16; memory is not looked at. For encoders n_sequences is the texts of a pass. ERROR_ARGUMENT as a
 * session's, ERROR_MEMORY when sizes are more than an address holds. */
TRINE_API trine_status trine_planner_session(trine_session_bytes *out, const trine_planner *planner,
                                             const trine_session_options *options, trine_error *err);
/* The longest context whose total_bytes are at most `memory`; 0: none fits. Learned positions end a context; rotary ones may go on past
 * what was trained. TRINE_PLAN_MOST_CTX tokens at most, TRINE_PLAN_MOST_SOURCE where a source is as long. */
TRINE_API trine_status trine_planner_longest(int *ctx, const trine_planner *planner, const trine_session_options *options,
                                             size_t memory, trine_error *err);
/* The most sequences (encoders: texts of a pass) that fit, at the context of `options`; 0: not even one. TRINE_PLAN_MOST_SEQUENCES
 * at most. */
TRINE_API trine_status trine_planner_largest_batch(int *n_sequences, const trine_planner *planner,
                                                   const trine_session_options *options, size_t memory, trine_error *err);

/* ---------------------------------------------------------------------------------------------------------- training */

typedef struct trine_training_options {
    int n_texts, seq_len; /* of a micro-batch; seq_len 0: the model's, 512 at most; n_texts 0: about 4,096 tokens */
    trine_optimizer optimizer;
    bool bf16, recompute; /* as in trine_train_options, and the next two */
    float dropout;        /* -1: none; 0: the configuration's own */
    bool average;         /* a moving average of the weights is kept */
    int n_ranks;          /* processes that train one model; 0: 1. The bytes are of one of them */
    bool shard_optimizer; /* each keeps its share of the moments */
    int lora_rank;        /* adapters of this rank learn in place of the weights, as finetune has them; 0: the weights learn */
    int n_threads;        /* 0: one a core */
    const char *cpu;      /* kernel level; NULL: the best */
} trine_training_options;

typedef struct trine_training_bytes {
    trine_training_options options;       /* with every default filled in */
    int64_t n_parameters;                 /* that learn, those of the head among them */
    size_t weights_bytes, gradient_bytes; /* of what learns: f32 */
    size_t frozen_bytes;                  /* weights that adapters stand beside, as they are stored */
    size_t moment_bytes;                  /* of this rank's share */
    size_t muon_bytes;                    /* matrices that Muon computes with */
    size_t bf16_bytes, average_bytes;     /* weights rounded; their average */
    size_t arena_bytes;                   /* activations kept for the backward, and temporaries */
    size_t pool_bytes;                    /* gradients of activations */
    size_t total_bytes;                   /* all of these; the texts that are learnt from come on top */
    int n_rows, n_target_rows, n_scored;  /* of the micro-batch, as the model's objective makes it */
} trine_training_bytes;
/* What a step of training takes in one process. A model without a head gets that of its objective: masked tokens (encoders), the next
 * token (decoders), spans (encoder-decoders). All parameters learn, or the adapters. */
TRINE_API trine_status trine_planner_training(trine_training_bytes *out, const trine_planner *planner,
                                              const trine_training_options *options, trine_error *err);

/* --------------------------------------------------------------------------------------------------------- verifying */

typedef struct trine_verify_options {
    const char *cpu;
    trine_progress_fn *on_progress; /* tokens read of all */
    void *user;
} trine_verify_options;
/* A plan beside what was taken. */
typedef struct trine_verification {
    size_t planned_bytes;   /* total_bytes of the plan */
    size_t allocated_bytes; /* that the allocators hold */
    size_t resident_bytes;  /* by which this process's resident memory grew */
    size_t arena_peak;      /* bytes of temporaries that were in use at a time, at most */
} trine_verification;
/* Opens the model, fills a session of `options` to the end of its context, and looks. ERROR_CANCELLED when on_progress stops it. */
TRINE_API trine_status trine_verify_session(trine_verification *out, const char *model, const trine_session_options *options,
                                            const trine_verify_options *verify, trine_error *err);
/* Makes one training step of the model's weights, and looks; the weights on disk stay as they are. */
TRINE_API trine_status trine_verify_training(trine_verification *out, const char *model, const trine_training_options *options,
                                             const trine_verify_options *verify, trine_error *err);

/* ------------------------------------------------------------------------------------------------------------- rates */

/* A model's matrices by when they are read: what a rate is bound by. Vectors are left out. */
typedef enum trine_weight_use {
    TRINE_USE_TABLE,       /* rows are looked up: embeddings, positions; what is for other tasks */
    TRINE_USE_ENCODER,     /* by every pass over a text, or over a source */
    TRINE_USE_DECODER,     /* by every pass of a decoder */
    TRINE_USE_CROSS_INPUT, /* once a source: its keys and values */
    TRINE_USE_HEAD,        /* for the tokens whose logits are asked */
    TRINE_USE_COUNT
} trine_weight_use;
typedef struct trine_weight_uses {
    double parameters[TRINE_USE_COUNT], bytes[TRINE_USE_COUNT];
} trine_weight_uses;
/* The parts of an open model. */
TRINE_API void trine_model_weight_uses(trine_weight_uses *out, const trine_model *model);
/* The parts of a planned one. */
TRINE_API void trine_planner_weight_uses(trine_weight_uses *out, const trine_planner *planner);

#ifdef __cplusplus
}
#endif
#endif
