/* trine.h - the public interface of libtrine, and the only promise it makes.
 *
 * One engine for the three transformer paradigms: encoder-only (BERT), decoder-only (GPT-2, Llama) and
 * encoder-decoder (T5). A program that embeds a sentence:
 *
 *     trine_model *model; trine_session *session; trine_error err; float v[384];
 *     if (trine_model_open(&model, "all-MiniLM-L6-v2", NULL, &err)) return fail(err.text);
 *     if (trine_session_open(&session, model, NULL, &err)) return fail(err.text);
 *     if (trine_embed(v, 384, session, "A cat sits.", NULL, &err)) return fail(err.text);
 *     trine_session_close(session); trine_model_close(model);
 *
 * Rules that hold for every function here:
 * - A function that can fail returns a trine_status: 0 (TRINE_OK) or a negative code. Details go into the caller's
 *   trine_error, which may be NULL. The library never exits, aborts or prints, and keeps no global state.
 * - Out parameters come first, the error last. On failure out parameters that are pointers are set to NULL.
 * - Who opens, closes: X_open pairs with X_close, and a result filled by the library is released by its X_clear.
 *   Close and clear accept NULL. A returned `const T *` is borrowed; its comment says until when.
 * - An options struct filled with zeros, or NULL in its place, means all defaults.
 * - A model and a tokenizer are read-only once open and may be shared by threads. A session, and every sequence in
 *   it, belongs to one thread at a time.
 * - Text is UTF-8. Bytes that are not valid UTF-8 are read as U+FFFD, one for each maximal invalid part (the practice
 *   of Unicode 15, section 3.9), and offsets still count bytes of the text as given.
 */
#ifndef TRINE_H
#define TRINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRINE_VERSION_MAJOR 0
#define TRINE_VERSION_MINOR 1
#define TRINE_VERSION_PATCH 0

#if defined(__GNUC__)
#define TRINE_API __attribute__((visibility("default")))
#else
#define TRINE_API
#endif

/* ---------------------------------------------------------------------------------------------- status and errors */

/* One list makes the enum, the names and the sentences. */
#define TRINE_STATUS_MAP(X)                                                                                                        \
    X(OK, 0, "success")                                                                                                            \
    X(ERROR_ARGUMENT, -1, "an argument is out of range or does not suit this model")                                               \
    X(ERROR_MEMORY, -2, "memory ran out or the request would not fit")                                                             \
    X(ERROR_IO, -3, "a file could not be read or written")                                                                         \
    X(ERROR_NOT_FOUND, -4, "a file, tensor or name does not exist")                                                                \
    X(ERROR_FORMAT, -5, "a file is damaged or is not what it claims to be")                                                        \
    X(ERROR_UNSUPPORTED, -6, "the model or file uses something this version does not support")                                     \
    X(ERROR_TOO_LONG, -7, "the text is longer than the model or the context takes")                                                \
    X(ERROR_EMPTY, -8, "the text is empty")                                                                                        \
    X(ERROR_CANCELLED, -9, "the caller asked to stop")                                                                             \
    X(ERROR_NUMERIC, -10, "a computed value is not finite")                                                                        \
    X(ERROR_INTERNAL, -11, "an invariant of the library does not hold: please report this")

typedef enum trine_status {
#define TRINE_STATUS_ENUM(name, value, text) TRINE_##name = value,
    TRINE_STATUS_MAP(TRINE_STATUS_ENUM)
#undef TRINE_STATUS_ENUM
} trine_status;

/* What went wrong: the code that was returned and one line of text, always terminated: what, where, what was expected. */
typedef struct trine_error {
    trine_status code;
    char text[508];
} trine_error;

/* The library's version, "MAJOR.MINOR.PATCH"; static. */
TRINE_API const char *trine_version(void);
/* "TRINE_ERROR_MEMORY" and the like; static; "unknown" for a number that is no status. */
TRINE_API const char *trine_status_name(trine_status status);
/* The status as a sentence; static. */
TRINE_API const char *trine_status_text(trine_status status);
/* Releases text or bytes that the library returned through a `char **`. NULL is fine. */
TRINE_API void trine_free(void *memory);

/* ---------------------------------------------------------------------------------------------------- plain values */

/* Element types of tensors and of the cache. The quantised ones are GGUF's block formats. */
typedef enum trine_dtype {
    TRINE_DTYPE_DEFAULT = 0, /* in options: let the library choose */
    TRINE_F32,
    TRINE_F16,
    TRINE_BF16,
    TRINE_Q8_0,
    TRINE_Q4_0,
    TRINE_Q4_1,
    TRINE_Q5_0,
    TRINE_Q5_1,
    TRINE_Q4_K,
    TRINE_Q5_K,
    TRINE_Q6_K,
    /* Seen in files, never computed with: */
    TRINE_I8,
    TRINE_U8,
    TRINE_I16,
    TRINE_I32,
    TRINE_I64,
    TRINE_F64,
    TRINE_BOOL,
    TRINE_DTYPE_COUNT
} trine_dtype;

/* "f32", "q4_k"...; static. NULL when `type` is none of the above. */
TRINE_API const char *trine_dtype_name(trine_dtype type);
/* The type called `name` (letter case ignored), or TRINE_DTYPE_DEFAULT when there is none. */
TRINE_API trine_dtype trine_dtype_from_name(const char *name);

typedef enum trine_paradigm { TRINE_ENCODER = 1, TRINE_DECODER, TRINE_ENCODER_DECODER } trine_paradigm;

/* What sits on top of the last layer. */
typedef enum trine_head {
    TRINE_HEAD_NONE,   /* hidden states: embeddings */
    TRINE_HEAD_LM,     /* next token (decoder, encoder-decoder) */
    TRINE_HEAD_MLM,    /* masked token */
    TRINE_HEAD_LABELS, /* one label a text */
    TRINE_HEAD_TAGS    /* one label a token */
} trine_head;

/* How one vector is made from the states of a text's tokens. */
typedef enum trine_pooling { TRINE_POOL_DEFAULT, TRINE_POOL_MEAN, TRINE_POOL_CLS, TRINE_POOL_MAX, TRINE_POOL_LAST } trine_pooling;

/* Which keys a query may see. DEFAULT is what the model was trained with. */
typedef enum trine_mask { TRINE_MASK_DEFAULT, TRINE_MASK_BIDIRECTIONAL, TRINE_MASK_CAUSAL, TRINE_MASK_PREFIX } trine_mask;

/* A part of a text, in bytes: [start, end). */
typedef struct trine_span {
    size_t start, end;
} trine_span;

/* A line of progress or a warning from the library; `text` has no newline and lives for the call only. */
typedef void trine_log_fn(void *user, const char *text);

/* The best kernel level that this processor and operating system run: "scalar", "avx2", "avx-vnni", "avx512", "avx512-vnni",
 * "avx512-bf16" or "amx"; static. Where the processor has AMX, asking asks the operating system for its use as well. */
TRINE_API const char *trine_cpu_best(void);
/* The name of level `i`, from "scalar" upwards, or NULL past the last this machine runs; static. */
TRINE_API const char *trine_cpu_level(int i);

/* ------------------------------------------------------------------------------------------------------- tokenizer */

typedef struct trine_tokenizer trine_tokenizer;

/* Opens the tokenizer of a directory (tokenizer.json, vocab.txt, vocab.json + merges.txt, spiece.model or
 * tokenizer.model, with tokenizer_config.json and its fellows beside), of one such file, or of a .gguf file. */
TRINE_API trine_status trine_tokenizer_open(trine_tokenizer **out, const char *path, trine_error *err);
TRINE_API void trine_tokenizer_close(trine_tokenizer *tokenizer);

typedef struct trine_encode_options {
    const char *pair;      /* a second text (sentence pair), or NULL */
    size_t pair_bytes;     /* its length; 0 with `pair` set: up to the terminating zero */
    bool no_special;       /* true: do not add the special tokens that the model expects around a text */
    bool no_parse_special; /* true: text that spells a special token, such as "</s>", is only text */
    int max_tokens;        /* 0: no limit; else cut (longest text first, its end) to this many, special tokens included */
} trine_encode_options;

/* A text as tokens. Arrays have `n` entries and belong to the encoding. */
typedef struct trine_encoding {
    int n;
    int32_t *ids;
    int32_t *types;    /* 0 for the first text, 1 for its pair, as the model's template says */
    trine_span *spans; /* bytes of the original text (of the pair where sequence is 1); empty for added tokens */
    uint8_t *special;  /* 1 where the token was added around the text and is not in it */
    int8_t *sequence;  /* 0: from the text, 1: from its pair, -1: added */
    int n_cut;         /* tokens that max_tokens cut off */
} trine_encoding;

/* Splits `text` (text_bytes long; 0: up to the terminating zero) into tokens. An empty text gives the special tokens alone.
 * Release `out` with trine_encoding_clear. */
TRINE_API trine_status trine_tokenizer_encode(trine_encoding *out, const trine_tokenizer *tokenizer, const char *text,
                                              size_t text_bytes, const trine_encode_options *options, trine_error *err);
TRINE_API void trine_encoding_clear(trine_encoding *encoding);

/* The text of `n` ids, terminated by zero (zero bytes in it are left out), to be released with trine_free. With `skip_special`
 * tokens such as [CLS] leave no trace. ERROR_ARGUMENT for an id outside the vocabulary. */
TRINE_API trine_status trine_tokenizer_decode(char **out, const trine_tokenizer *tokenizer, const int32_t *ids, int n,
                                              bool skip_special, trine_error *err);

/* Number of ids, added tokens included: ids are 0 .. vocab_size - 1. */
TRINE_API int trine_tokenizer_vocab_size(const trine_tokenizer *tokenizer);
/* How the vocabulary spells an id ("##ing", "Ġthe", "▁Haus"); borrowed from the tokenizer; NULL outside the vocabulary. */
TRINE_API const char *trine_tokenizer_token(const trine_tokenizer *tokenizer, int32_t id);
/* The id spelt `token`, or -1. */
TRINE_API int32_t trine_tokenizer_id(const trine_tokenizer *tokenizer, const char *token);

typedef enum trine_special {
    TRINE_TOKEN_BOS,
    TRINE_TOKEN_EOS,
    TRINE_TOKEN_PAD,
    TRINE_TOKEN_UNK,
    TRINE_TOKEN_CLS,
    TRINE_TOKEN_SEP,
    TRINE_TOKEN_MASK
} trine_special;
/* The id of a special token, or -1 when this tokenizer has none. */
TRINE_API int32_t trine_tokenizer_special(const trine_tokenizer *tokenizer, trine_special which);
/* Whether `id` is a special (control) token. */
TRINE_API bool trine_tokenizer_is_special(const trine_tokenizer *tokenizer, int32_t id);
/* "wordpiece", "bpe", "unigram" or "bytes"; static. */
TRINE_API const char *trine_tokenizer_algorithm(const trine_tokenizer *tokenizer);
/* The chat template (Jinja text) that came with the tokenizer, or NULL; borrowed. */
TRINE_API const char *trine_tokenizer_chat_template(const trine_tokenizer *tokenizer);

/* ----------------------------------------------------------------------------------------------------------- model */

typedef struct trine_model trine_model;

typedef struct trine_model_options {
    const char *cpu;   /* kernel level to use: NULL or "auto" for the best, or a name of trine_cpu_level */
    trine_log_fn *log; /* NULL: silent */
    void *log_user;
} trine_model_options;

/* Opens a directory in the Hugging Face layout or a .gguf file. Weights stay in the mapped file. */
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
} trine_session_options;

/* ERROR_MEMORY, with the longest context that would fit, when it would not fit. */
TRINE_API trine_status trine_session_open(trine_session **out, trine_model *model, const trine_session_options *options,
                                          trine_error *err);
TRINE_API void trine_session_close(trine_session *session);

typedef struct trine_memory {
    size_t weights_bytes; /* of the model, mapped or copied */
    size_t cache_bytes;   /* self and cross cache of the session */
    size_t arena_bytes;   /* temporaries of a pass */
    size_t arena_peak;    /* of these, the most that was in use so far */
    int ctx;              /* tokens a sequence may hold */
    trine_dtype cache_type;
    int n_threads;
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

/* ------------------------------------------------------------------------------------------------ encoder-only tasks */

typedef enum trine_long { TRINE_LONG_REFUSE, TRINE_LONG_TRUNCATE, TRINE_LONG_CHUNK } trine_long;

typedef struct trine_task_options {
    const char *pair;     /* second text of a pair (classify), or NULL */
    const int32_t *ids;   /* raw ids in place of text; no special tokens are added */
    const int32_t *types; /* with ids: token types, or NULL for all 0 */
    int n_ids;
    trine_long too_long;   /* a text longer than the model: refuse (default), cut its end, or go in parts */
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
TRINE_API void trine_entities_clear(trine_entities *entities);

/* ------------------------------------------------------------------------------------------------------- generation */

/* Text as it appears, whole characters only; return false to stop (finish is then TRINE_FINISH_CANCELLED). */
typedef bool trine_text_fn(void *user, const char *text, size_t bytes);
/* Progress of reading a prompt: tokens done of all; return false to stop (finish is then TRINE_FINISH_CANCELLED). Called again
 * with done = total between the steps of a beam search, and between tokens when there is no tokenizer: a place to stop. */
typedef bool trine_progress_fn(void *user, int done, int total);

typedef struct trine_generate_options {
    int max_tokens;          /* new tokens at most; 0: until the end token or the end of the context */
    float temperature;       /* 0: greedy */
    int top_k;               /* 0: off */
    float top_p;             /* 0 or 1: off */
    float min_p;             /* 0: off */
    float repeat_penalty;    /* 0 or 1: off; logits of seen tokens are divided (or multiplied) by it */
    int repeat_last_n;       /* how far back tokens count as seen; 0: 64; -1: all */
    float presence_penalty;  /* subtracted once from the logit of a seen token */
    float frequency_penalty; /* subtracted for each time it was seen */
    uint64_t seed;           /* the same seed gives the same text on any number of threads */
    const char *const *stop; /* texts that end the generation; not part of the result */
    int n_stop;
    int beam;             /* beams; 0 or 1: none. Beam search ignores the sampling fields */
    float length_penalty; /* exponent of the length a beam's score is divided by; 0: 1.0 */
    bool ignore_eos;      /* go on past the end token */
    const int32_t *ids;   /* raw ids in place of the prompt text (the source, for encoder-decoders) */
    int n_ids;
    const int32_t *decoder_ids; /* encoder-decoder: decoder tokens to begin with in place of the start token */
    int n_decoder_ids;
    bool no_special;          /* do not add the special tokens the tokenizer puts around a prompt (chat templates have them) */
    trine_sequence *sequence; /* decoders, no beams: work in this sequence of the session, kept by the caller. What it holds that
                               * the prompt begins with is not computed again; afterwards it holds the prompt and the answer
                               * (a chat reads each turn once). NULL: a sequence of its own */
    trine_text_fn *on_text;   /* not called under beam search until the end */
    trine_progress_fn *on_progress;
    void *user;
} trine_generate_options;

typedef enum trine_finish { TRINE_FINISH_EOS, TRINE_FINISH_STOP, TRINE_FINISH_LENGTH, TRINE_FINISH_CANCELLED } trine_finish;
/* "eos", "stop", "length", "cancelled"; static. */
TRINE_API const char *trine_finish_name(trine_finish finish);

typedef struct trine_generation {
    char *text;      /* NULL when the model has no tokenizer */
    int32_t *tokens; /* new tokens; the end token is not among them unless ignore_eos */
    int n_tokens;
    int n_prompt; /* tokens of the prompt or source */
    trine_finish finish;
    double score;     /* sum of the log probabilities; under beam search divided by length^length_penalty */
    double prompt_ms; /* reading the prompt */
    double first_ms;  /* from the start to the first token */
    double decode_ms; /* all tokens after the first */
    int n_parts;      /* summarize: parts the document was read in; else 1 */
} trine_generation;

/* Continues `prompt` (decoder) or maps it (encoder-decoder). */
TRINE_API trine_status trine_generate(trine_generation *out, trine_session *session, const char *prompt,
                                      const trine_generate_options *options, trine_error *err);
TRINE_API void trine_generation_clear(trine_generation *generation);

/* Many texts written as one batch. A step reads the weights once for all of them, so that eight texts take little longer than one;
 * when one is over the next takes its place. Each is what trine_generate would write (to the rounding of f32: the sums of a batch
 * may run in another order), whatever is written beside it.
 *
 *     while (more() || trine_generator_held(g)) {
 *         while (more() && trine_generator_room(g)) trine_generator_add(g, id++, next_prompt(), &options, &err);
 *         trine_generator_step(g, &err);
 *         for (int64_t done; trine_generator_take(&text, &done, g, &err), done >= 0; trine_generation_clear(&text)) use(done, &text);
 *     }
 *
 * A generator works in the session it was opened for, on the session's thread; it holds at most n_sequences texts. */
typedef struct trine_generator trine_generator;
/* A generator with room for the session's n_sequences texts. */
TRINE_API trine_status trine_generator_open(trine_generator **out, trine_session *session, trine_error *err);
/* Ends what it is writing; before the session is closed. */
TRINE_API void trine_generator_close(trine_generator *generator);
/* Adds a text; `id` (0 or more) is the caller's name for it. Its options are its own; no beams, no sequence. What they point to is
 * copied, but for `user`; the callbacks are called by step. */
TRINE_API trine_status trine_generator_add(trine_generator *generator, int64_t id, const char *prompt,
                                           const trine_generate_options *options, trine_error *err);
/* Texts that may be added now. */
TRINE_API int trine_generator_room(const trine_generator *generator);
/* Texts that are in it: being written, or over and not yet taken. */
TRINE_API int trine_generator_held(const trine_generator *generator);
/* One pass: the next token of every text, and up to batch_tokens in all of the prompts that are still to be read. When it fails,
 * no text has moved. */
TRINE_API trine_status trine_generator_step(trine_generator *generator, trine_error *err);
/* The text that was over first: *id is its name, or -1 when none is. Returns how it went: a text that failed (its logits not
 * finite, memory) ends alone. */
TRINE_API trine_status trine_generator_take(trine_generation *out, int64_t *id, trine_generator *generator, trine_error *err);
/* Ends a text as it is now (TRINE_FINISH_CANCELLED); it is then there to be taken. */
TRINE_API void trine_generator_cancel(trine_generator *generator, int64_t id);

typedef struct trine_message {
    const char *role, *content;
} trine_message;
/* The conversation as the text the model was trained on, through a chat template: `jinja`, or with NULL the tokenizer's
 * own. ERROR_UNSUPPORTED names the construct when a template needs more of Jinja than is implemented. */
TRINE_API trine_status trine_chat_render(char **out, const trine_tokenizer *tokenizer, const char *jinja,
                                         const trine_message *messages, int n_messages, bool add_generation_prompt,
                                         trine_error *err);

typedef struct trine_text_options {
    const char *prefix;    /* instruction put before the text; NULL: chosen from the task and languages */
    const char *from, *to; /* translate: "en", "de", "fr"... */
    bool whole;            /* summarize: refuse a document longer than the context instead of reading it in parts */
    trine_generate_options generate;
} trine_text_options;
/* Translates: "translate English to German: ..." for T5, a prompt through the chat template for decoders. */
TRINE_API trine_status trine_translate(trine_generation *out, trine_session *session, const char *text,
                                       const trine_text_options *options, trine_error *err);
/* The same as one of the texts of a generator. */
TRINE_API trine_status trine_generator_translate(trine_generator *generator, int64_t id, const char *text,
                                                 const trine_text_options *options, trine_error *err);
/* Summarises. A document longer than the context is summarised in parts, then the parts together: out->n_parts says so. */
TRINE_API trine_status trine_summarize(trine_generation *out, trine_session *session, const char *text,
                                       const trine_text_options *options, trine_error *err);

/* --------------------------------------------------------------------------------------------------- looking inside */

typedef struct trine_trace_options {
    const char *text; /* tokenised with special tokens; or: */
    const int32_t *ids;
    int n_ids;
    const int32_t *types; /* with ids; or NULL */
    const int32_t *decoder_ids;
    int n_decoder_ids;            /* encoder-decoder; none: the start token alone */
    bool hidden, attention, lens; /* beside the logits, which are always written */
} trine_trace_options;

/* Runs one text and writes what happened inside as F32 safetensors, whole or not at all: "logits" [n, vocab] (a classifier:
 * [labels], a tagger: [n, labels], no head: [n, d_model]), "hidden.L" [n, d_model] with L = 0 the embedding, "attention.L"
 * [heads, n, n], and for encoder-decoders the same with "encoder." before and "cross.L" [heads, n, n_source]; "lens.L"
 * [n, vocab]: the logits that layer would give (nostalgebraist 2020). All is computed in floats, also where other calls round
 * what meets quantised or bf16 weights. The session needs batch_tokens >= n, logit_rows >= n. */
TRINE_API trine_status trine_trace(int *n_tensors, trine_session *session, const char *out_path, const trine_trace_options *options,
                                   trine_error *err);

/* ------------------------------------------------------------------------------------------------ measuring a model */

typedef enum trine_eval_task {
    TRINE_EVAL_LM,
    TRINE_EVAL_MLM,
    TRINE_EVAL_CLASSIFY,
    TRINE_EVAL_TAG,
    TRINE_EVAL_TRANSLATE,
    TRINE_EVAL_SUMMARIZE
} trine_eval_task;

typedef struct trine_eval_options {
    int stride; /* lm: tokens a window moves by, and scores; 0: the window (no overlap); -1: the window, and only its
                                * second half is scored, as llama.cpp measures */
    int window; /* lm: tokens a window; 0: the session's context */
    const char *text_column, *label_column, *pair_column; /* classify, translate, summarize; NULL: found by the header */
    const char *prefix, *from, *to;
    bool reverse;  /* source and target change places */
    int limit;     /* examples at most; 0: all */
    uint64_t seed; /* mlm: which tokens are masked */
    trine_long too_long;
    trine_generate_options generate; /* translate, summarize */
    trine_progress_fn *on_progress;  /* done and total in examples or windows; total 0 when unknown */
    void *user;
} trine_eval_options;

typedef struct trine_eval_result {
    double perplexity, bits_per_byte; /* lm */
    double accuracy, loss;            /* mlm (loss in nats), classify */
    double precision, recall, f1;     /* tag: entities as conlleval counts; classify: macro F1 */
    double bleu, chrf;                /* translate, as sacrebleu's defaults */
    double rouge1, rouge2, rougeL;    /* summarize: F-measures, 0 to 1, as rouge_score without stemming */
    int64_t n_tokens;                 /* scored */
    int64_t n_examples;
    double seconds;
} trine_eval_result;

/* Measures a model on a file (plain, .gz, .xz or .zst); the task says its form: see the manual of `trine eval`. */
TRINE_API trine_status trine_eval(trine_eval_result *out, trine_session *session, trine_eval_task task, const char *path,
                                  const trine_eval_options *options, trine_error *err);

/* ------------------------------------------------------------------------------------------- the limits of a machine */

/* What this machine can do at most in a second, at a number of threads and a kernel level. An addition and a multiplication are
 * two operations. 0: the level has no such instruction. */
typedef struct trine_limits {
    const char *cpu; /* the level; static */
    int n_threads;
    double read_bytes;                   /* read from memory, out of a buffer of buffer_bytes */
    double f32_ops, bf16_ops, int8_ops;  /* of vector instructions: FMA, dot products */
    double tile_bf16_ops, tile_int8_ops; /* of products of tiles (AMX) */
    size_t buffer_bytes;
} trine_limits;
/* Measures them, in about two seconds. `cpu` as in trine_model_options; n_threads 0: one a core. */
TRINE_API trine_status trine_limits_measure(trine_limits *out, const char *cpu, int n_threads, trine_error *err);

typedef struct trine_compare_result {
    trine_eval_result original, other; /* as trine_eval's, the loss of each among them */
    double kl;                         /* mean over the tokens of KL(original || other), in nats; 0: the same distributions */
    double same_top;                   /* share of the tokens whose likeliest is the same, 0 to 1 */
    int64_t n_tokens;                  /* compared */
    double seconds;
} trine_compare_result;

/* Measures two models on the same tokens of a file, and how far their distributions are from each other: what quantising or
 * fine-tuning changed. Tasks: LM, MLM (the same tokens masked for both), and for encoder-decoders TRANSLATE and SUMMARIZE (each
 * reference is put into both decoders; the scores are of what each writes by itself). ERROR_ARGUMENT for models whose
 * vocabularies or heads differ. */
TRINE_API trine_status trine_compare(trine_compare_result *out, trine_session *original, trine_session *other, trine_eval_task task,
                                     const char *path, const trine_eval_options *options, trine_error *err);

/* -------------------------------------------------------------------------------------------------------- converting */

typedef struct trine_convert_options {
    const char *container;          /* "gguf" or "safetensors"; NULL: by the name of the output (.gguf, else a directory) */
    trine_dtype type;               /* f32, f16, bf16 for matrices; 0: as they are, where the container can hold them, else f16 */
    size_t shard_bytes;             /* safetensors: start a new shard past this; 0: one file */
    bool overwrite;                 /* replace what is there */
    trine_progress_fn *on_progress; /* tensors done of all */
    void *user;
} trine_convert_options;

typedef struct trine_convert_result {
    int64_t bytes;
    int n_tensors;
    int n_files;
} trine_convert_result;
/* Writes the model at `in` with its tokenizer and configuration to `out`; whole or not at all. */
TRINE_API trine_status trine_convert(trine_convert_result *result, const char *out, const char *in,
                                     const trine_convert_options *options, trine_error *err);

/* Writes the model at `in`, a directory, with the adapter of directory `adapter` added into its weights: a directory that needs it no
 * more. options->type f32, f16 or bf16; 0: that of most of the model's weights, where it is one of these. */
TRINE_API trine_status trine_merge_adapter(trine_convert_result *result, const char *out, const char *in, const char *adapter,
                                           const trine_convert_options *options, trine_error *err);

/* ------------------------------------------------------------------------------------------- training a tokenizer */

/* A token that texts are never cut into otherwise. One text may have several roles: it is named once for each. */
typedef struct trine_special_token {
    const char *text;
    const char *role; /* "bos", "eos", "pad", "unk", "cls", "sep" or "mask"; NULL: none of these */
} trine_special_token;

typedef struct trine_tokenizer_train_options {
    const char *type;                    /* whose conventions: "bert" (or NULL), "gpt2", "llama", "t5" */
    const char *algorithm;               /* "wordpiece", "bpe" (over bytes), "unigram"; NULL: the type's own */
    int vocab;                           /* tokens in all; 0: 8,000 */
    const trine_special_token *specials; /* in place of the type's own, and of its template; their ids are 0, 1, ... */
    int n_specials;
    int n_sentinels;          /* <extra_id_0> and so on, the highest ids; 0: the type's own (t5: 100); -1: none */
    const char *const *words; /* further tokens that stay whole, but are ordinary text: "\n" */
    int n_words;
    const char *single,
        *pair; /* templates: "[CLS] $A [SEP]", "$A </s> $B </s>"; NULL: the type's own; pair alone NULL: single for both */
    const char *normalization;   /* "none", "nfc" or "nfkc", of which the last loses spaces in a row; NULL: the type's own */
    int lowercase;               /* 1: yes, -1: no, 0: as the type (bert: yes) */
    bool digits;                 /* every digit is a token of its own */
    bool byte_fallback;          /* unigram: what has no piece is spelt in bytes, nothing is unknown */
    double coverage;             /* wordpiece, unigram: the share of all characters that get tokens; 0: 1, unigram 0.9995 */
    int64_t min_count;           /* wordpiece, bpe: a pair that stands less often is not merged; 0: 1 */
    int max_piece;               /* characters of a token, up to 31; 0: unigram 16, else any */
    int max_seeds;               /* unigram: pieces to begin with; 0: 1,000,000 */
    const char *column;          /* of .tsv files (name or number) and .jsonl files; NULL: all columns, all strings */
    bool lines;                  /* each line of other files is a text, not the file */
    const char *const *held_out; /* files that are not trained on, to measure; or NULL */
    int n_held_out;
    bool overwrite;
    int n_threads; /* 0: one a core. The result does not depend on it */
    trine_progress_fn *on_progress;
    void *user;
} trine_tokenizer_train_options;

typedef struct trine_tokenizer_train_result {
    const char *algorithm; /* static */
    int vocab;             /* less than asked for when the texts have no more */
    int n_files;
    int64_t n_bytes, n_words, n_different_words, n_tokens; /* of the texts */
    int64_t held_out_bytes, held_out_tokens;
    double seconds;
} trine_tokenizer_train_result;

/* Trains a vocabulary on files and folders of text (plain, .tsv, .jsonl; each may be .gz, .xz or .zst) and writes tokenizer.json,
 * tokenizer_config.json and special_tokens_map.json into the directory `out`, which is made. Special tokens in the texts are not
 * trained on. BPE (Sennrich et al. 2016) and WordPiece make the merges of Hugging Face's trainers, unigram (Kudo 2018) is trained
 * as sentencepiece does it; texts are cut into words as the new tokenizer will cut them. ERROR_EMPTY when there is no text,
 * ERROR_ARGUMENT when the alphabet does not fit the vocabulary. */
TRINE_API trine_status trine_tokenizer_train(trine_tokenizer_train_result *result, const char *out, const char *const *files,
                                             int n_files, const trine_tokenizer_train_options *options, trine_error *err);

/* -------------------------------------------------------------------------------------------------------- quantising */

/* A type for the matrices that `pattern` names: a part of the name ("ffn_down"), or with * ? [ a pattern of the whole of it, as in
 * a shell. Names are those of `trine inspect --tensors` or those in GGUF. */
typedef struct trine_tensor_type {
    const char *pattern;
    trine_dtype type; /* f32 to q6_k */
} trine_tensor_type;

typedef struct trine_quantize_options {
    const char *type;                      /* one of trine_quantize_type: "q8_0", "q4_k_m"... */
    const trine_tensor_type *tensor_types; /* where they go against `type`; the last that fits a name counts */
    int n_tensor_types;
    const char *container;          /* as trine_convert's; safetensors holds f32, f16 and bf16 only */
    size_t shard_bytes;             /* safetensors: start a new shard past this; 0: one file */
    bool overwrite;                 /* replace what is there */
    int n_threads;                  /* 0: one a core. The file does not depend on it */
    trine_progress_fn *on_progress; /* tensors done of all */
    void *user;
    trine_log_fn *log; /* told, before anything is written, what goes otherwise than asked; NULL: nobody */
    void *log_user;
} trine_quantize_options;

/* What the tensors of one type in the new file were and are. */
typedef struct trine_type_share {
    int n_tensors;
    int64_t n_values, bytes_before, bytes;
} trine_type_share;

typedef struct trine_quantize_result {
    int64_t bytes; /* of the files */
    int n_files, n_tensors;
    int64_t n_values, bytes_before, tensor_bytes; /* of all tensors: bits a weight are 8 tensor_bytes / n_values */
    trine_type_share types[TRINE_DTYPE_COUNT];    /* by new type */
    int n_replaced;                               /* tensors that got another type, for blocks do not divide their rows */
    bool from_quantised;                          /* the source was quantised already: its errors remain */
} trine_quantize_result;

/* Writes the model at `in` with smaller matrices to `out`, whole or not at all. Vectors, tables of positions, token types and relative
 * biases, and a classifier's last matrix stay as exact as they are. "q4_k_m" and the like mix types as llama.cpp does; a row that
 * blocks of 256 do not divide gets blocks of 32, one that these do not divide f16. T5's second feed-forward matrices are bf16 unless
 * tensor_types says otherwise. ERROR_NUMERIC names a tensor with values that the type cannot hold. */
TRINE_API trine_status trine_quantize(trine_quantize_result *result, const char *out, const char *in,
                                      const trine_quantize_options *options, trine_error *err);
/* The name of type or mixture `i`, or NULL past the last; static. */
TRINE_API const char *trine_quantize_type(int i);

/* ------------------------------------------------------------------------------------------ the record of experiments */

/* Every run of train, finetune, compare and bench, in one SQLite file that several processes may write to at a time. A file that
 * is no record, or is damaged, is refused and never touched. A record belongs to one thread at a time. */
typedef struct trine_record trine_record;
/* `path` NULL: $XDG_DATA_HOME/trine/record.db (~/.local/share/trine/record.db). Made when it is not there, unless read_only. */
TRINE_API trine_status trine_record_open(trine_record **out, const char *path, bool read_only, trine_error *err);
TRINE_API void trine_record_close(trine_record *record);
/* A new run, its status "running". `kind`: the command, "train"; `configuration`: a JSON object. The version, the machine and the
 * time are added. */
TRINE_API trine_status trine_record_begin(int64_t *run, trine_record *record, const char *kind, const char *configuration,
                                          uint64_t seed, trine_error *err);
/* Goes on with a run after `step`: what it has recorded beyond is forgotten. ERROR_NOT_FOUND when it is not there. */
TRINE_API trine_status trine_record_resume(trine_record *record, int64_t run, int64_t step, trine_error *err);
typedef struct trine_metric {
    const char *name; /* "loss", "valid_loss", "tokens_per_second"... */
    double value;
} trine_metric;
/* The metrics of one step, all or none of them. */
TRINE_API trine_status trine_record_metrics(trine_record *record, int64_t run, int64_t step, const trine_metric *metrics, int n,
                                            trine_error *err);
/* How a run ended: "done", "stopped", "failed". */
TRINE_API trine_status trine_record_end(trine_record *record, int64_t run, const char *status, trine_error *err);

typedef struct trine_run_info {
    int64_t id;
    char *kind, *configuration, *version, *machine;
    char *started, *ended; /* "2026-01-31T12:00:00Z"; ended "" while it runs */
    char *status;
    uint64_t seed;
    int64_t last_step;
} trine_run_info;
typedef struct trine_runs {
    int n;
    trine_run_info *items;
} trine_runs;
/* All runs, the newest first. */
TRINE_API trine_status trine_record_list(trine_runs *out, trine_record *record, trine_error *err);
TRINE_API void trine_runs_clear(trine_runs *runs);
typedef struct trine_names {
    int n;
    char **items;
} trine_names;
/* The names of a run's metrics, sorted. */
TRINE_API trine_status trine_record_metric_names(trine_names *out, trine_record *record, int64_t run, trine_error *err);
TRINE_API void trine_names_clear(trine_names *names);
typedef struct trine_series {
    int n;
    int64_t *steps;
    double *values;
} trine_series;
/* One metric of a run by step; values that were not finite are left out. */
TRINE_API trine_status trine_record_series(trine_series *out, trine_record *record, int64_t run, const char *name,
                                           trine_error *err);
TRINE_API void trine_series_clear(trine_series *series);

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

/* A new model, by a few numbers or a config.json. */
typedef struct trine_new_model {
    const char *config; /* a config.json, or a directory with one; NULL: */
    const char *arch; /* "bert", "gpt2", "llama" or "t5", of this size (0: 4 layers, 256 wide, heads of 64, ff 4 times the width) */
    int n_layers, d_model, n_heads, n_kv_heads, d_ff;
    const char *
        tokenizer; /* a directory with a tokenizer, or one of its files; NULL: trained on the texts, with `vocab` tokens (0: 8,000) */
    int vocab;
} trine_new_model;

/* One source of a mixture. */
typedef struct trine_train_part {
    const char *const *paths; /* files and directories: text, JSON lines, tables; packed or not */
    int n_paths;
    trine_objective objective;
    double weight;                                           /* of its examples; 0: 1 */
    const char *prefix;                                      /* put before each source: T5's "translate English to German: " */
    const char *text_column, *source_column, *target_column; /* NULL: found by the header */
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

    float learning_rate, min_rate; /* min_rate: where cosine and linear end */
    int64_t warmup;                /* steps; -1: none */
    trine_decay decay;
    float weight_decay; /* decoupled; of matrices alone; -1: none */
    float beta1, beta2, epsilon;
    float clip;    /* largest norm of the gradient; -1: no limit */
    float dropout; /* -1: none */
    float label_smoothing;
    float ema; /* decay of the average of weights that is measured and saved, 0.999; 0: none */
    bool bf16, recompute;
    uint64_t seed;
    int n_threads;
    const char *cpu;

    int64_t eval_every, save_every; /* steps; 0: a tenth of all; -1: at the end alone */
    int keep;                       /* checkpoints; 0: 2 */
    int patience;                   /* stop after so many measurements without a better one; 0: never */

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

/* Trains a new model from nothing. ERROR_CANCELLED when on_step stopped it: a checkpoint is there to resume. ERROR_NUMERIC when the
 * loss is not finite: the text names the step, the batch and the last good checkpoint. */
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
