/* engine.h - the one thread that runs models, and the work that other threads put before it.
 *
 * A request's work is an *order* of one or several *jobs*. Its owner, a connection's thread, makes it, puts it into the queue, waits
 * or reads what is written so far, and closes it. Once put a job belongs to the engine until it is over: its owner may only look at
 * it through the functions here. */
#ifndef TRINE_SERVER_ENGINE_H
#define TRINE_SERVER_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "server.h"

typedef struct engine engine;
typedef struct order order;
typedef struct job job;

/* What can be asked of a model. */
typedef enum task {
    TASK_CHAT = 1 << 0,
    TASK_WRITE = 1 << 1,
    TASK_EMBED = 1 << 2,
    TASK_FILL = 1 << 3,
    TASK_CLASSIFY = 1 << 4,
    TASK_TAG = 1 << 5,
    TASK_TRANSLATE = 1 << 6,
    TASK_SUMMARIZE = 1 << 7,
    TASK_TRACE = 1 << 8,
    TASK_TOKENIZE = 1 << 9
} task;

/* Jobs of one kind wait in one line: texts to write for a place in the batch, texts to read for the next pass, calls for their
 * turn. */
typedef enum lane { LANE_WRITE, LANE_READ, LANE_CALL, N_LANES } lane;

/* A model and its session. All but the lines is constant once the engine runs; session and generator are the engine thread's. */
typedef struct served {
    const char *name;
    trine_model *model;
    const trine_model_info *info;
    const trine_tokenizer *tokenizer; /* or NULL */
    trine_memory memory;
    unsigned tasks; /* set of task */
    time_t opened;
    trine_session *session;
    trine_generator *generator; /* NULL: it writes no text */
    struct {
        job *first, *last;
    } lines[N_LANES];
    job **running; /* [parallel] */
    int n_running;
} served;

typedef enum job_kind {
    JOB_WRITE,     /* text or ids continued, or mapped */
    JOB_TRANSLATE, /* text, by `text_options` */
    JOB_SUMMARIZE,
    JOB_EMBED, /* several ids, one vector each */
    JOB_FILL,  /* several texts */
    JOB_CLASSIFY,
    JOB_TAG,
    JOB_CALL /* a function, in the engine's thread */
} job_kind;

/* What is known of a token that was written. */
typedef struct written_token {
    int32_t id;
    float log_prob;
    int first_top; /* of job.tops */
} written_token;

struct job {
    order *order;
    served *on;
    job *next;
    job_kind kind;
    atomic_bool cancelled;
    bool over; /* under the engine's lock, as is what follows until `status` */

    /* Written so far and not yet taken by the owner. */
    bool streamed, wants_tokens; /* set before it is put */
    char *news;
    size_t n_news, news_cap;
    written_token *tokens;
    int n_tokens, tokens_cap;
    trine_token_chance *tops; /* [n_tokens, n_top] */
    int tops_cap;
    bool held; /* the owner is too far behind */

    /* How it went: for the owner once `over`. */
    trine_status status;
    trine_error error;
    trine_generation written;

    /* What is asked: the owner's memory, unchanged until it is over. */
    const char *text;
    trine_text_options text_options; /* .generate for all that write */
    int n;                           /* JOB_EMBED ... JOB_TAG: texts */
    const char *const *texts, *const *pairs;
    int32_t *const *ids;
    const int *n_ids;
    trine_task_options reading;
    union { /* results of n texts, made by the owner */
        void *any;
        float *vectors;
        trine_labels *labels;
        trine_entities *entities;
        trine_fill_result *fills;
    } results;
    trine_status (*call)(void *what, served *on, trine_error *err);
    void *what;

    /* The engine's own. */
    int64_t id;
    int n_done;
    bool held_back;
};

struct order {
    engine *engine;
    pthread_cond_t changed;
    job *jobs; /* [n] */
    int n, n_over;
    int n_told; /* of n_over: by order_wait_news */
    bool put;
    double deadline; /* on engine_clock */
};

struct engine {
    pthread_mutex_t lock;
    pthread_cond_t work; /* something to do */
    pthread_t thread;
    bool started, woken;
    atomic_bool stopping;
    served *models;
    int n_models;
    int parallel, queue;
    int n_waiting, n_running; /* jobs */
    double limit_s;
    int64_t next_id;
};

/* Fills an error and returns its code. */
trine_status say(trine_error *err, trine_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Opens a session for each model of the options, and the thread. */
trine_status engine_open(engine **out, const server_options *options, trine_error *err);
/* Within a call, between two of its passes: one pass of all that is no call. False when it should end: its owner has left, or the server
 * stops. */
bool engine_goes_on(job *j);
/* Ends every job with ERROR_CANCELLED and takes no more. */
void engine_stop(engine *e);
void engine_close(engine *e);
/* The models; *n of them. */
served *engine_models(engine *e, int *n);
/* Jobs in work, and waiting. */
void engine_load(engine *e, int *n_running, int *n_waiting);
/* Seconds, only forward. */
double engine_clock(void);

/* False when there is no memory. */
bool order_open(order *o, engine *e, int n_jobs);
/* Hands all jobs over, or none: what only waits for the thread counts as waiting, so that an idle queue takes any order. */
typedef enum order_put_result { ORDER_PUT, ORDER_FULL, ORDER_STOPPING } order_put_result;
order_put_result order_put(order *o);
typedef bool order_gone_fn(void *user); /* whether the one who asked has left */
typedef enum order_news {
    ORDER_NEWS,  /* something was written, or a job is over */
    ORDER_QUIET, /* nothing for `quiet_s` */
    ORDER_LATE,  /* the deadline has passed; the jobs are cancelled */
    ORDER_GONE   /* likewise: nobody waits for them */
} order_news;
/* Waits until all jobs are over: NEWS, LATE or GONE. */
order_news order_wait(order *o, order_gone_fn *gone, void *user);
/* Waits for something new: for streams. */
order_news order_wait_news(order *o, double quiet_s, order_gone_fn *gone, void *user);
/* Takes what a job has written since the last time; *text (free it) is NULL when that is nothing. */
typedef struct job_news {
    char *text;
    size_t n_text;
    written_token *tokens;
    trine_token_chance *tops;
    int n_tokens;
    bool over; /* and there will be no more */
} job_news;
void job_take_news(job_news *out, job *j);
void job_news_clear(job_news *news);
/* Cancels what still runs, waits until the engine has let go of it, and releases results. A zeroed order is fine. */
void order_close(order *o);

#endif
