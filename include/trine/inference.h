/* inference.h - what runs: a model is weights, a session one worker, a sequence one text in it. */
#ifndef TRINE_INFERENCE_H
#define TRINE_INFERENCE_H

#include "trine/basics.h"
#include "trine/tokenizers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------------------------------------------------- model */

typedef struct trine_model trine_model;

typedef struct trine_model_options {
    const char *cpu;   /* kernel level to use: NULL or "auto" for the best, or a name of trine_cpu_level */
    trine_log_fn *log; /* NULL: silent */
    void *log_user;
} trine_model_options;

/* Opens a directory in the Hugging Face layout or a .gguf file. Weights stay in the mapped file; those of an encoder in f32 are laid out
 * anew in the second pass over more than some tokens, and the file's pages leave memory. */
TRINE_API trine_status trine_model_open(trine_model **out, const char *path, const trine_model_options *options, trine_error *err);

/* Rotary positions stretched, in place of the model's own scaling, to read texts longer than it was trained on. */
typedef struct trine_rope_scaling {
    const char *kind; /* "linear" (Chen et al. 2023) or "yarn" (Peng et al. 2023) */
    float scale;      /* 1 or more: info.max_tokens becomes this times the trained context */
} trine_rope_scaling;
/* trine_model_open with `rope` for a model of rotary positions; NULL: as the model says. */
TRINE_API trine_status trine_model_open_scaled(trine_model **out, const char *path, const trine_model_options *options,
                                               const trine_rope_scaling *rope, trine_error *err);
/* trine_model_open_scaled with a low-rank adapter (Hu et al. 2022) beside the weights: a directory in PEFT's layout, adapter_config.json
 * with adapter_model.safetensors. `adapter` NULL: none. ERROR_FORMAT when it is of another model. */
TRINE_API trine_status trine_model_open_adapted(trine_model **out, const char *path, const char *adapter,
                                                const trine_model_options *options, const trine_rope_scaling *rope,
                                                trine_error *err);
/* Closes the model; its sessions must be closed before. */
TRINE_API void trine_model_close(trine_model *model);

typedef struct trine_model_info {
    const char *family;       /* "bert", "roberta", "distilbert", "gpt2", "llama", "mistral", "qwen2", "qwen3", "t5" */
    const char *architecture; /* the class named by the file, "BertForMaskedLM", or "" */
    const char *container;    /* "safetensors" or "gguf" */
    const char *path;         /* as opened */
    trine_paradigm paradigm;
    trine_head head;
    int64_t n_parameters;     /* as the checkpoint holds them, shared ones once */
    size_t weights_bytes;     /* of weights: mapped, and the few that had to be copied */
    size_t copied_bytes;      /* of these, the copied ones */
    trine_dtype weights_type; /* of the most bytes */
    int n_layers;             /* of the encoder, or of the decoder when there is no encoder */
    int n_decoder_layers;     /* encoder-decoder: of the decoder; else 0 */
    int d_model, d_ff, n_heads, n_kv_heads, d_head;
    int vocab;                            /* rows of the embedding */
    int max_tokens;                       /* positions the model was trained for; 0: no limit of its own (T5) */
    int window;                           /* sliding window of attention, in tokens; 0: none */
    int n_labels;                         /* HEAD_LABELS, HEAD_TAGS; else 0 */
    int d_embedding;                      /* length of a vector of trine_embed */
    int embed_tokens;                     /* longest text whose vector means something, as declared; 0: as max_tokens */
    trine_pooling pooling;                /* as declared by modules.json, or the family's custom */
    bool normalize;                       /* vectors are scaled to length 1 */
    int32_t bos, eos, pad, decoder_start; /* -1 where the model names none */
    const char *activation;               /* "gelu", "gelu_new", "relu", "silu" */
    const char *norm;                     /* "layer norm" or "rms norm" */
    const char *positions;                /* "learned", "rotary", "relative" */
    bool gated, tied;                     /* feed-forward is gated; output layer is the embedding */
} trine_model_info;

/* Facts about the model; borrowed, lives as long as the model. */
TRINE_API const trine_model_info *trine_model_get_info(const trine_model *model);
/* A checksum of the names, shapes and contents of all weights and of an adapter beside them, of long ones by samples: processes that are
 * to run one model see whether they do. It is of the file's bytes: the same model in another type has another. */
TRINE_API uint64_t trine_model_checksum(const trine_model *model);
/* The model's tokenizer, or NULL when none lies beside it; borrowed. */
TRINE_API const trine_tokenizer *trine_model_get_tokenizer(const trine_model *model);
/* Name of label `i`, or NULL; borrowed. */
TRINE_API const char *trine_model_label(const trine_model *model, int i);

typedef struct trine_tensor_info {
    const char *name; /* as in the file */
    trine_dtype type;
    int n_dims;
    int64_t shape[4]; /* outermost first, as Python shows it */
    size_t bytes;
} trine_tensor_info;
/* Number of tensors in the checkpoint. */
TRINE_API int trine_model_n_tensors(const trine_model *model);
/* Facts about tensor `i`, in the order of the file; returns false past the last. */
TRINE_API bool trine_model_tensor(trine_tensor_info *out, const trine_model *model, int i);

/* --------------------------------------------------------------------------------------------------------- session */

/* What one worker needs to run a model: the arena of its passes and the pages of its key-value cache, both allocated
 * when the session opens. Nothing is allocated when a token is decoded. */
typedef struct trine_session trine_session;

typedef struct trine_session_options {
    int n_threads;          /* 0: one a core */
    int ctx;                /* tokens a sequence may hold; 0: the model's own limit, or what free memory allows. Beyond the limit
                             * rotary positions make noise unless stretched (trine_model_open_scaled); learned ones end there */
    int source_ctx;         /* encoder-decoder: source tokens; 0: as ctx */
    int n_sequences;        /* sequences that can be open at a time (beams count); 0: 1 */
    trine_dtype cache_type; /* f32, f16, bf16, q8_0, q4_0; 0: f16 for large models, f32 where that costs little */
    int batch_tokens;       /* most tokens computed in one pass; longer input goes in parts; 0: 512 (decoders) */
    int logit_rows;         /* most rows of logits one pass returns; 0: n_sequences (masked language models: batch_tokens / 6) */
    size_t memory;          /* bytes this session may take; 0: what is free now */
    trine_mask mask;        /* what a mask does: override it */
    int prefix;             /* TRINE_MASK_PREFIX: tokens seen by all */
    int window;             /* TRINE_MASK_WINDOW: keys that a query sees, its own the last */
    bool whole_texts;       /* for embed with a decoder: one pass takes a text as long as the context (batch_tokens 0: ctx), and
                             * ctx 0 is at most 2048, for such a pass needs memory in proportion */
} trine_session_options;

/* ERROR_MEMORY, with the longest context that would fit, when it would not fit. */
TRINE_API trine_status trine_session_open(trine_session **out, trine_model *model, const trine_session_options *options,
                                          trine_error *err);
/* Before the model. Sequences that are still open can be closed afterwards, no more; the caches go with the last of them. */
TRINE_API void trine_session_close(trine_session *session);

typedef struct trine_memory {
    size_t weights_bytes; /* of the model, mapped or copied */
    size_t cache_bytes;   /* self and cross cache of the session */
    size_t arena_bytes;   /* temporaries of a pass */
    size_t arena_peak;    /* of these, the most that was in use so far */
    int ctx;              /* tokens a sequence may hold */
    trine_dtype cache_type;
    int n_threads;
    int text_tokens; /* longest text that one pass reads: embed, fill, classify, tag */
} trine_memory;
/* What the session holds. */
TRINE_API void trine_session_memory(trine_memory *out, const trine_session *session);

/* -------------------------------------------------------------------------------------------------------- sequence */

/* One text in a session: the tokens so far, as keys and values in the cache. Decoders and encoder-decoders. */
typedef struct trine_sequence trine_sequence;

/* An empty sequence; fails when as many as the session was opened for (n_sequences) are open already. */
TRINE_API trine_status trine_sequence_open(trine_sequence **out, trine_session *session, trine_error *err);
/* A second sequence that continues from the same past; pages are shared until one of them writes. */
TRINE_API trine_status trine_sequence_fork(trine_sequence **out, const trine_sequence *parent, trine_error *err);
TRINE_API void trine_sequence_close(trine_sequence *sequence);
/* Encoder-decoder: reads the source and starts anew; call it before the first feed. When its pass fails there is no source. */
TRINE_API trine_status trine_sequence_source(trine_sequence *sequence, const int32_t *ids, int n, trine_error *err);
/* Appends `n` tokens and computes them. On failure the sequence is as it was. */
TRINE_API trine_status trine_sequence_feed(trine_sequence *sequence, const int32_t *ids, int n, trine_error *err);
/* The same for several sequences of one session in one pass: sequence i takes n[i] tokens from ids[i]. */
TRINE_API trine_status trine_sequences_feed(trine_sequence *const *sequences, const int32_t *const *ids, const int *n,
                                            int n_sequences, trine_error *err);
/* Logits after the last token fed, [vocab]; borrowed, valid until the session's next pass, NULL after it and before the first feed. */
TRINE_API const float *trine_sequence_logits(const trine_sequence *sequence);
/* Tokens fed so far. */
TRINE_API int trine_sequence_length(const trine_sequence *sequence);
/* Forgets all but the first `n` tokens. */
TRINE_API trine_status trine_sequence_truncate(trine_sequence *sequence, int n, trine_error *err);

#ifdef __cplusplus
}
#endif
#endif
