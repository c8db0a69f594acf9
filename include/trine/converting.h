/* converting.h - models written in other containers and in smaller types. */
#ifndef TRINE_CONVERTING_H
#define TRINE_CONVERTING_H

#include "trine/basics.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* Writes the model at `in`, a directory, with the adapter of directory `adapter` added into its weights: a directory, or a GGUF file, that
 * needs it no more. options->type f32, f16 or bf16; 0: that of most of the model's weights, where it is one of these. */
TRINE_API trine_status trine_merge_adapter(trine_convert_result *result, const char *out, const char *in, const char *adapter,
                                           const trine_convert_options *options, trine_error *err);

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

#ifdef __cplusplus
}
#endif
#endif
