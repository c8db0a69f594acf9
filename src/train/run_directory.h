/* run_directory.h - where a run writes: OUT is the model, a directory that every command and transformers read; OUT/training holds the
 * lock, the checkpoints, the metrics, and "last", the weights of the last step where those of OUT are better ones.
 *
 * One run a directory: the lock is flock's, so it ends with the process however that ends. Files appear under their names whole. */
#ifndef TRINE_TRAIN_RUN_DIRECTORY_H
#define TRINE_TRAIN_RUN_DIRECTORY_H

#include <stdio.h>

#include "train/params_save.h"
#include "trine/training.h"

typedef struct trine_run_directory {
    char *out, *training;
    char *checkpoints; /* OUT/training/checkpoints: of checkpoint_train.h alone */
    int lock;
    FILE *metrics; /* appended to, a line a step */
} trine_run_directory;

/* Makes the folders and takes the lock, at the first rank; the others wait, and see that they have the same directory before them. ERROR_IO when another run has it, or when something is there and neither resume nor overwrite
 * says what to do with it. */
trine_status trine_run_directory_open(trine_run_directory *d, const trine_train_options *o, trine_error *err);
void trine_run_directory_close(trine_run_directory *d);
/* Opens the file for metrics, `path` or OUT/training/metrics.jsonl; lines of steps after `step` are dropped from one that is there. ERROR_IO
 * when `path` holds anything else, or, for a run that begins `anew` and is not to overwrite, anything. */
trine_status trine_run_directory_metrics(trine_run_directory *d, const char *path, int64_t step, bool anew, trine_error *err);
/* Writes one line; failure of the disk is told. */
trine_status trine_run_directory_line(trine_run_directory *d, const char *line, trine_error *err);
/* The model into OUT, file by file, each whole; `last`: into OUT/training/last. */
trine_status trine_run_directory_save(trine_run_directory *d, bool last, const trine_params *params, const trine_model *model,
                                      const trine_save_options *options, trine_error *err);
#endif
