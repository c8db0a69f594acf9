/* training.h - models trained from nothing, and trained on for a task. */
#ifndef TRINE_TRAINING_H
#define TRINE_TRAINING_H

#include "trine/ranks.h"
#include "trine/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------------- training */

/* What a model is asked while it learns. docs/TRAINING.md has each with its source. */
typedef enum trine_objective {
    TRINE_OBJECTIVE_DEFAULT, /* by the model: masked (encoders), causal (decoders), span (encoder-decoders) */
    TRINE_OBJECTIVE_MASKED,  /* what stood at 15% of the places */
    TRINE_OBJECTIVE_CAUSAL,  /* the next token */
    TRINE_OBJECTIVE_PREFIX,  /* the rest of a text, after a beginning that is seen whole */
    TRINE_OBJECTIVE_SPAN,    /* the spans that sentinels stand for */
    TRINE_OBJECTIVE_SEQ2SEQ  /* a target from a source: rows with two columns */
} trine_objective;

typedef enum trine_decay {
    TRINE_DECAY_DEFAULT, /* train: cosine, finetune: linear */
    TRINE_DECAY_COSINE,
    TRINE_DECAY_LINEAR,
    TRINE_DECAY_INVERSE_ROOT,
    TRINE_DECAY_CONSTANT
} trine_decay;

/* Muon (Jordan et al. 2024; Liu et al. 2025) steps matrices of layers along their orthogonalised momentum, and AdamW all else: it needs
 * fewer tokens than AdamW alone. */
typedef enum trine_optimizer {
    TRINE_OPTIMIZER_ADAMW, /* two moments a parameter, in f32 */
    TRINE_OPTIMIZER_MUON,  /* the same, and a few matrices to compute with */
    TRINE_OPTIMIZER_SGD    /* no moments: for a plan */
} trine_optimizer;

/* A new model, by a few numbers or a config.json; or one that is there. */
typedef struct trine_new_model {
    const char *from;   /* a model (directory or .gguf) whose pretraining goes on: the rest is its own; NULL: */
    const char *config; /* a config.json, or a directory with one; NULL: */
    const char *arch; /* "bert", "gpt2", "llama" or "t5", of this size (0: 4 layers, 256 wide, heads of 64, ff 4 times the width) */
    int n_layers, d_model, n_heads, n_kv_heads, d_ff;
    const char *
        tokenizer; /* a directory with a tokenizer, or one of its files; NULL: trained on the texts, with `vocab` tokens (0: 8,000) */
    int vocab;
    bool neighbours; /* bert: the first heads look at the words beside from the beginning, so that masks are filled far sooner */
} trine_new_model;

/* One source of a mixture. */
typedef struct trine_train_part {
    const char *const *paths; /* files and directories: text, JSON lines, tables; packed or not */
    int n_paths;
    trine_objective objective;
    double weight;                                           /* of its examples; 0: 1 */
    const char *prefix;                                      /* put before each source: T5's "translate English to German: " */
    const char *text_column, *source_column, *target_column; /* NULL: found by the header */
    /* lm: Jinja for "messages", which the result gets; NULL: the model's own, or a plain one where it has none. */
    const char *chat_template;
} trine_train_part;

/* How training is going, after a step. */
typedef struct trine_train_event {
    int64_t step, n_steps;  /* done, of all */
    double epoch, n_epochs; /* done, of all */
    double loss;            /* mean of this step's scored tokens, in nats */
    double learning_rate, gradient_norm;
    double tokens_per_second, seconds, seconds_left;
    int64_t n_tokens; /* so far */
    bool validated;   /* the next four are of this step */
    double valid_loss;
    const char *metric; /* the task's own: "accuracy", "f1"...; NULL: it has none */
    double valid_metric;
    bool best;  /* the best so far, and saved */
    bool saved; /* a checkpoint was written after this step */
} trine_train_event;
/* Return false to stop: a checkpoint is written, and training can be resumed. */
typedef bool trine_train_fn(void *user, const trine_train_event *event);

/* What train and finetune share. Values of 0 are the defaults, which docs/TRAINING.md lists by task. */
typedef struct trine_train_options {
    const char *out; /* directory of the result; its folder "training" holds checkpoints, metrics and the lock */
    bool resume;     /* go on from the last checkpoint there; all else must be as it was */
    bool overwrite;  /* begin anew where something is */

    const trine_train_part *parts; /* what is learnt from */
    int n_parts;
    const trine_train_part *valid; /* what is measured on; n_paths 0: hold_out */
    double hold_out;               /* share of the training examples held out for it; 0: none */
    const char *split;             /* plain text: "file", "lines", "blank" or the mark between documents; NULL: <|endoftext|> */
    bool separate;                 /* a sequence holds text of one document alone */
    bool whole_word;               /* masked: all pieces of a word or none */

    int64_t steps;    /* or: */
    double epochs;    /* of all examples */
    int batch_texts;  /* most texts of a micro-batch; 0: no limit */
    int batch_tokens; /* most tokens of a micro-batch; 0 with batch_texts 0: 4096 */
    int accumulate;   /* micro-batches a step; 0: 1 */
    int seq_len;      /* most tokens of a text; 0: the model's, 512 at most */
    int target_len;   /* seq2seq: most tokens of a target; 0: seq_len */

    trine_optimizer optimizer;
    float learning_rate, min_rate; /* min_rate: where cosine and linear end */
    int64_t warmup;                /* steps; -1: none */
    trine_decay decay;
    float weight_decay; /* decoupled; of matrices alone; -1: none */
    float beta1, beta2, epsilon;
    float clip;    /* largest norm of the gradient; -1: no limit */
    float dropout; /* -1: none */
    float noise;   /* masked, span: share of the tokens that are asked for; 0: 0.15 */
    float label_smoothing;
    float ema; /* decay of the average of weights that is measured and saved, 0.999; 0: none */
    bool bf16; /* products in bf16; in f32, with a line in the log, where the processor multiplies it no faster */
    bool recompute;
    uint64_t seed;
    int n_threads;
    const char *cpu;

    trine_ranks
        *ranks; /* processes that train one model together, each on every `size`th micro-batch; NULL: this one alone. All call
                           * with the same options; rank 0 alone writes and records, and any rank's on_step stops all */
    bool shard_optimizer; /* each rank keeps and steps its share of the moments alone */

    int64_t eval_every, save_every; /* steps; 0: a tenth of all; -1: at the end alone */
    int keep;                       /* checkpoints; 0: 2 */
    int patience;                   /* stop after so many measurements without a better one; 0: never */

    const char *
        metric; /* seq2seq: "bleu" or "rouge" of what the model writes for the sources of `valid`, which then decides what is best */
    int metric_limit; /* of so many rows; 0: all */

    int lora_rank; /* finetune: train adapters of this rank in place of the weights; 0: the weights */
    float lora_alpha;

    const char *metrics;  /* file for metrics as JSON lines; NULL: OUT/training/metrics.jsonl */
    trine_record *record; /* or NULL */
    trine_train_fn *on_step;
    trine_progress_fn *on_read; /* files read of all */
    void *user;
    trine_log_fn *log;
    void *log_user;
} trine_train_options;

typedef struct trine_train_result {
    int64_t steps, n_tokens, n_parameters, n_trained, best_step;
    double loss;       /* of the last step */
    bool measured;     /* the next three are there */
    double valid_loss; /* of the best */
    char metric[32];   /* the task's own, or "" */
    double valid_metric;
    double seconds;
    bool early; /* stopped by patience */
} trine_train_result;

/* Trains a new model from nothing, or one that is there on other text. ERROR_CANCELLED when on_step stopped it: a checkpoint is there to
 * resume. ERROR_NUMERIC when the loss is not finite: the text names the step, the batch and the last good checkpoint. */
TRINE_API trine_status trine_train(trine_train_result *out, const trine_new_model *model, const trine_train_options *options,
                                   trine_error *err);

typedef enum trine_finetune_task {
    TRINE_FINETUNE_CLASSIFY, /* a label for a text, or for a pair */
    TRINE_FINETUNE_TAG,      /* CoNLL columns: a tag for a word */
    TRINE_FINETUNE_SEQ2SEQ,  /* source and target */
    TRINE_FINETUNE_LM,       /* conversations ("messages"), "prompt" and "completion", or "text": the answers alone are learnt */
    TRINE_FINETUNE_EMBED     /* pairs of texts that belong together, against the others of the batch */
} trine_finetune_task;
/* Trains the model at `model` on for a task; parts[0] alone is read. The rest as trine_train. */
TRINE_API trine_status trine_finetune(trine_train_result *out, trine_finetune_task task, const char *model,
                                      const trine_train_options *options, trine_error *err);

#ifdef __cplusplus
}
#endif
#endif
