/* mixture.h - which type each matrix of a model gets when it is quantised: the mixtures that users of GGUF know. */
#ifndef TRINE_LOAD_MIXTURE_H
#define TRINE_LOAD_MIXTURE_H

#include "trine/basics.h"

typedef struct trine_mixture {
    const char *name;   /* "q4_k_m" */
    trine_dtype base;   /* of most matrices */
    trine_dtype more;   /* of those that cost most when they are wrong; 0: as the others */
    trine_dtype qkv;    /* of a fused projection, a third of which is values; 0: as the others */
    bool spread;        /* `more` goes to a third of the layers; else to the first ones */
    uint32_t file_type; /* llama.cpp's number for a file of it */
} trine_mixture;

/* What a matrix is to its model, read from its name in GGUF. */
typedef enum trine_role {
    TRINE_ROLE_OTHER,
    TRINE_ROLE_OUTPUT,    /* gives the logits */
    TRINE_ROLE_EMBEDDING, /* and gives the logits too, where there is no output */
    TRINE_ROLE_TABLE,     /* positions, token types, relative biases: small, and added to states */
    TRINE_ROLE_LABELS,    /* the last matrix of a classifier: small */
    TRINE_ROLE_VALUE,     /* of attention */
    TRINE_ROLE_QKV,
    TRINE_ROLE_DOWN /* the second matrix of a feed-forward */
} trine_role;

/* A matrix's place in its model. */
typedef struct trine_place {
    trine_role role;
    int layer;     /* of its stack; -1: in none */
    char stack[8]; /* "enc.", "dec." or "" */
} trine_place;

/* The mixture called `name` (letter case ignored), or NULL. */
const trine_mixture *trine_mixture_find(const char *name);
/* The name of mixture i, or NULL past the last. */
const char *trine_mixture_name(int i);
trine_place trine_place_of(const char *gguf_name);
/* The type that mixture m gives a matrix of a stack of n_layers. `has_output`: the model has an output of its own. DEFAULT: leave it
 * as exact as it is. */
trine_dtype trine_mixture_type(const trine_mixture *m, const trine_place *place, int n_layers, bool has_output);
/* The type for a row that blocks of `type` do not divide: the next larger with smaller blocks, else f16. */
trine_dtype trine_type_for_row(trine_dtype type, int64_t n);

#endif
