/* measuring.h - what happens inside a model, how good it is on a file, and what the machine can do at most. */
#ifndef TRINE_MEASURING_H
#define TRINE_MEASURING_H

#include "trine/generation.h"
#include "trine/ranks.h"
#include "trine/understanding.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------------------------------- looking inside */

typedef struct trine_trace_options {
    const char *text; /* tokenised with special tokens; or: */
    const int32_t *ids;
    int n_ids;
    const int32_t *types; /* with ids; or NULL */
    const int32_t *decoder_ids;
    int n_decoder_ids;            /* encoder-decoder; none: the start token alone */
    bool hidden, attention, lens; /* beside the logits, which are always written */
    bool parts;                   /* what attention is made of */
    bool unscaled;                /* softmax(QK^T + bias) V, to see what the scale is for: the model's results then are others */
} trine_trace_options;

/* Runs one text and writes what happened inside as F32 safetensors, whole or not at all: "logits" [n, vocab] (a classifier:
 * [labels], a tagger: [n, labels], no head: [n, d_model]), "hidden.L" [n, d_model] with L = 0 the embedding, "attention.L"
 * [heads, n, n], and for encoder-decoders the same with "encoder." before and "cross.L" [heads, n, n_source]; "lens.L"
 * [n, vocab]: the logits that layer would give (nostalgebraist 2020). Parts are "query.L" [heads, n, d_head], "key.L" and
 * "value.L" [kv heads, n, d_head], as they meet (positions turned in); "scores.L" [heads, n, n], scaled and with their bias, before
 * the mask; "mixed.L" [heads, n, d_head], what softmax(scores) V gives; of cross attention "cross.query.L" and so on. All is
 * computed in floats, also where other calls round what meets quantised or bf16 weights. The session needs batch_tokens >= n,
 * logit_rows >= n. */
TRINE_API trine_status trine_trace(int *n_tensors, trine_session *session, const char *out_path, const trine_trace_options *options,
                                   trine_error *err);

/* The same tensors in memory, in the order of the pass. */
typedef struct trine_traced {
    char *name;
    int n_dims;
    int64_t shape[4]; /* outermost first */
    float *data;
} trine_traced;
typedef struct trine_trace_result {
    int n;
    trine_traced *items;
} trine_trace_result;
/* trine_trace, kept instead of written. */
TRINE_API trine_status trine_trace_keep(trine_trace_result *out, trine_session *session, const trine_trace_options *options,
                                        trine_error *err);
TRINE_API void trine_trace_result_clear(trine_trace_result *result);

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
    /* lm: texts of a plain file, each measured for itself: "file" (one), "lines", "blank" (parted by blank lines), or the mark between
     * them; NULL: <|endoftext|> where the file has it, else one. */
    const char *split;
    const char *text_column, *label_column, *pair_column; /* classify, translate, summarize; NULL: found by the header */
    const char *prefix, *from, *to;
    bool reverse;  /* source and target change places */
    int limit;     /* examples at most; 0: all */
    uint64_t seed; /* mlm: which tokens are masked */
    trine_long too_long;
    trine_ranks *ranks;              /* processes that each measure a part of the file; all get the whole result; NULL: alone */
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

#ifdef __cplusplus
}
#endif
#endif
