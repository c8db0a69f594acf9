/* convert_plan.h - what a conversion will write, decided before anything is written: each tensor's name, type, shape, and how its
 * content changes on the way. */
#ifndef TRINE_LOAD_CONVERT_PLAN_H
#define TRINE_LOAD_CONVERT_PLAN_H

#include "base/file.h"
#include "base/team.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_architecture.h"
#include "load/mixture.h"
#include "trine/converting.h"

/* What differs between the containers, beside names and types. */
typedef enum trine_change {
    TRINE_CHANGE_NONE,
    TRINE_CHANGE_TO_PAIRS,   /* rows of each head: (i, i + d/2) become (2i, 2i + 1), Llama's q and k in GGUF */
    TRINE_CHANGE_FROM_PAIRS, /* and back */
    TRINE_CHANGE_TRANSPOSE,  /* GPT-2's Conv1D */
    TRINE_CHANGE_CUT_ROWS,   /* RoBERTa's positions start at row 0 (reading a GGUF file gives them whole again) */
} trine_change;

typedef struct trine_planned_tensor {
    trine_tensor to;          /* name owned; data unset */
    const trine_tensor *from; /* NULL: `made` holds the values */
    float *made;              /* owned */
    trine_change change;
    int n; /* heads, or rows cut */
} trine_planned_tensor;

typedef struct trine_convert_plan {
    const char *in; /* path, for messages */
    trine_checkpoint *checkpoint;
    json_t *config;                              /* as config.json says it, without what GGUF changes: owned */
    const trine_gguf_architecture *architecture; /* NULL when the model is none that GGUF has */
    bool to_gguf;
    trine_dtype type; /* of matrices; 0: as they are */
    const char *task; /* "convert": begins error texts */
    bool by_search;   /* matrices are packed by search */
    trine_team *team; /* that packs, of n_threads; borrowed, NULL: one */
    int n_threads;
    int file_type; /* llama.cpp's number for the file, or -1: by the type of most bytes */
    trine_planned_tensor *tensors;
    int n_tensors, tensors_cap;
} trine_convert_plan;

/* Plans the model at `in` for a container. ERROR_UNSUPPORTED when the container cannot say it. */
trine_status trine_convert_plan_make(trine_convert_plan *plan, const char *in, bool to_gguf, trine_dtype type, trine_error *err);
/* The same for a checkpoint that is open (of which a hollow one is enough), the plan's from here on, and closed on failure too. `in` is what
 * messages call it. */
trine_status trine_convert_plan_over(trine_convert_plan *plan, trine_checkpoint *c, const char *in, bool to_gguf, trine_dtype type,
                                     trine_error *err);
void trine_convert_plan_clear(trine_convert_plan *plan);
/* Gives a planned tensor another type, which divides its rows. */
trine_status trine_convert_plan_set_type(const trine_convert_plan *plan, trine_planned_tensor *t, trine_dtype type,
                                         trine_error *err);
/* The type that most bytes of matrices will have. */
trine_dtype trine_convert_plan_type(const trine_convert_plan *plan);

/* quantize.c: gives each matrix the type that quantising to `mixture` gives it. */
trine_status trine_quantize_types(trine_convert_plan *plan, const trine_mixture *mixture, trine_error *err);

/* convert_tensor.c: writes one tensor's bytes. A value that the type cannot hold is ERROR_NUMERIC. */
trine_status trine_convert_tensor(trine_writer *w, const trine_convert_plan *plan, const trine_planned_tensor *t, trine_error *err);

/* convert_gguf.c, convert_directory.c: the whole file or directory. */
trine_status trine_convert_to_gguf(trine_convert_result *result, const char *out, trine_convert_plan *plan,
                                   const trine_convert_options *options, trine_error *err);
trine_status trine_convert_to_directory(trine_convert_result *result, const char *out, trine_convert_plan *plan,
                                        const trine_convert_options *options, trine_error *err);
/* Tells the caller about tensor `done`; ERROR_CANCELLED when it wants to stop. */
trine_status trine_convert_progress(const trine_convert_plan *plan, const trine_convert_options *options, int done,
                                    trine_error *err);
/* What can be checked before anything is opened: the paths and the container; `task` begins error texts. */
trine_status trine_convert_check(bool *to_gguf, const char *task, const char *out, const char *in,
                                 const trine_convert_options *options, trine_error *err);

#endif
