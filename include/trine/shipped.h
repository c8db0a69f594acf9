/* shipped.h - the models that come with trine: trained by it, called by one word, found where it is installed. */
#ifndef TRINE_SHIPPED_H
#define TRINE_SHIPPED_H

#include "trine/basics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trine_shipped_model {
    char *name;    /* "decoder" */
    char *path;    /* what trine_model_open takes */
    char *adapter; /* directory for trine_model_open_adapted, or NULL: the path holds the whole model */
    char *about;   /* a sentence */
    char *licence; /* of the weights, an SPDX name where there is one */
    char **tasks;  /* [n_tasks] the commands that take it when no model is named: "fill", "translate" */
    int n_tasks;
} trine_shipped_model;

typedef struct trine_shipped {
    char *place;                /* the folder they lie in; NULL: none was found */
    trine_shipped_model *items; /* [n] the first that has a task is its default */
    int n;
} trine_shipped;

/* What ships: the list models.json of a folder and the models it names whose files are there. `place` is that folder; NULL: the
 * folder share/trine/models near the library or the program that runs (one, or its parent, or that one's: the build tree, an
 * installation wherever it was moved), else where `make install` was told to put it. ERROR_NOT_FOUND when `place` has no list, or
 * none of the folders has (the text says which were looked at); ERROR_FORMAT when a list is not what it should be. */
TRINE_API trine_status trine_shipped_open(trine_shipped *out, const char *place, trine_error *err);
TRINE_API void trine_shipped_clear(trine_shipped *shipped);
/* The model called `name`, or NULL; borrowed. */
TRINE_API const trine_shipped_model *trine_shipped_named(const trine_shipped *shipped, const char *name);
/* The default for a task, or NULL; borrowed. */
TRINE_API const trine_shipped_model *trine_shipped_for(const trine_shipped *shipped, const char *task);

#ifdef __cplusplus
}
#endif
#endif
