/* plan.h - what `trine plan` finds out, before it is drawn or written. */
#ifndef TRINE_APP_PLAN_H
#define TRINE_APP_PLAN_H

#include "json_writer.h"
#include "run.h"

/* A device's memory and what it can do in a second; 0: not known. */
typedef struct plan_machine {
    const char *name; /* "this machine", a device's, or "as given" */
    size_t memory;
    double bandwidth, ops;
    const char *arithmetic; /* what `ops` are of: "bf16" */
} plan_machine;

/* A row of contexts. */
typedef struct plan_context {
    trine_session_bytes bytes;
    bool fits;
    int largest_batch;
    double step_rate, read_rate; /* tokens a second at most, of all sequences; encoders: texts, in read_rate. 0: not known */
    double step_bytes;           /* read for a token more of each */
    bool is_verified;
    trine_verification verified;
} plan_context;

/* A type of weights or of the cache, at the longest context asked for. */
typedef struct plan_type {
    const char *name;
    trine_dtype cache_type; /* of the cache; DEFAULT in a row of weights */
    trine_session_bytes bytes;
    bool fits;
    int longest;
} plan_type;

/* The least that must be given up for a context to fit. */
typedef struct plan_remedy {
    bool found;
    const char *weights; /* NULL: as they are */
    trine_dtype cache_type;
    trine_session_bytes bytes;
} plan_remedy;

enum { PLAN_CONTEXTS = 32, PLAN_TYPES = 16 };

typedef struct plan_report {
    const char *name;
    const char *weights; /* the type asked for, or that of most bytes */
    trine_planner *planner;
    const trine_model_info *info;
    plan_machine machine;
    trine_session_options options;
    int n_contexts, n_cache_types, n_weight_types;
    plan_context contexts[PLAN_CONTEXTS];
    plan_remedy remedies[PLAN_CONTEXTS]; /* of those that do not fit */
    plan_type cache_types[PLAN_TYPES], weight_types[PLAN_TYPES];
    int longest; /* context that fits */
} plan_report;

/* plan_machine.c: the device of the command line, or this machine; returns an exit status. */
int plan_machine_of(plan_machine *m, run *r, trine_dtype weights_type);
/* plan_verified.c: --verify. Runs every context that was planned; returns an exit status. */
int plan_verify(run *r, plan_report *p);
void plan_write_verification(json_writer *j, const trine_verification *v);
void plan_draw_verification(run *r, const trine_verification *v, const char *what);
/* plan_train.c: --train, all of it. */
int plan_train(run *r, const trine_planner *planner);
/* plan_drawing.c, plan_json.c */
int plan_draw(run *r, const plan_report *p);
void plan_write_json(run *r, const plan_report *p);

#endif
