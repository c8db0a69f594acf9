/* basics.h - status and errors, element types, and the other plain values that all of trine.h shares. */
#ifndef TRINE_BASICS_H
#define TRINE_BASICS_H

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
/* The commit it was built from, as `git describe --always --dirty --tags` says it; "" when that was no git tree. Static. */
TRINE_API const char *trine_commit(void);
/* Both, "0.1.0+4228255", or the version alone: what the record of experiments keeps of a run. Static. */
TRINE_API const char *trine_build(void);
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
typedef enum trine_mask {
    TRINE_MASK_DEFAULT,
    TRINE_MASK_BIDIRECTIONAL,
    TRINE_MASK_CAUSAL,
    TRINE_MASK_PREFIX, /* causal, and the first tokens are seen by all */
    TRINE_MASK_WINDOW  /* causal, and only the last tokens are seen */
} trine_mask;

/* A part of a text, in bytes: [start, end). */
typedef struct trine_span {
    size_t start, end;
} trine_span;

/* A line of progress or a warning from the library; `text` has no newline and lives for the call only. */
typedef void trine_log_fn(void *user, const char *text);

/* How far a long call is: `done` of `total`, 0 where that is not known; return false to stop. Each option says what it counts. */
typedef bool trine_progress_fn(void *user, int done, int total);

/* The best kernel level that this processor and operating system run: "scalar", "avx2", "avx-vnni", "avx512", "avx512-vnni",
 * "avx512-bf16" or "amx"; static. Where the processor has AMX, asking asks the operating system for its use as well. */
TRINE_API const char *trine_cpu_best(void);
/* The name of level `i`, from "scalar" upwards, or NULL past the last this machine runs; static. */
TRINE_API const char *trine_cpu_level(int i);

#ifdef __cplusplus
}
#endif
#endif
