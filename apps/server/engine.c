/* engine.c - the thread that owns every session.
 *
 * A turn of its loop is, for each model that has work: one step of the batch that is being written (texts that have come join it
 * first), one pass of texts that are only read, from as many requests as fit, and one call. A call that takes many passes gives way
 * between them (engine_goes_on). So batches and readings wait for no end, only for one pass of other work; calls wait for each other.
 * Passes use all cores, and so models take turns rather than run side by side. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_PARALLEL = 8,
    DEFAULT_QUEUE = 64,
    DEFAULT_CTX = 4096,
    DEFAULT_LIMIT_S = 600,
    READ_TOKENS = 2048, /* in a pass of texts that are only read */
    READ_TEXTS = 64,    /* likewise */
    READ_LOGITS = 128,  /* rows of logits a pass of a masked language model */
    BEHIND = 256        /* tokens written that the reader has not taken: the text waits for him */
};

trine_status say(trine_error *err, trine_status code, const char *format, ...)
{
    va_list list;
    if (!err) return code;
    va_start(list, format);
    vsnprintf(err->text, sizeof err->text, format, list);
    va_end(list);
    err->code = code;
    return code;
}

/* ------------------------------------------------------------------------------------------------------- a job is over */

/* With the lock; job.error says why it failed. */
static void end_job(engine *e, job *j, trine_status status)
{
    j->status = status;
    j->over = true;
    j->order->n_over++;
    e->n_running--;
    pthread_cond_broadcast(&j->order->changed);
}

static void finish(engine *e, job *j, trine_status status, const trine_error *err)
{
    pthread_mutex_lock(&e->lock);
    if (err) j->error = *err;
    end_job(e, j, status);
    pthread_mutex_unlock(&e->lock);
}

static void finish_cancelled(engine *e, job *j)
{
    trine_error err;
    say(&err, TRINE_ERROR_CANCELLED, "stopped before it was done");
    finish(e, j, err.code, &err);
}

static bool is_cancelled(const engine *e, const job *j) { return atomic_load(&j->cancelled) || atomic_load(&e->stopping); }

/* ------------------------------------------------------------------------------------------------------------- the lines */

/* The first of a line, or NULL. With the lock. */
static job *step_up(engine *e, served *s, lane l)
{
    job *j = s->lines[l].first;
    if (!j) return NULL;
    s->lines[l].first = j->next;
    j->next = NULL;
    e->n_waiting--;
    e->n_running++;
    return j;
}

static job *step_up_locked(engine *e, served *s, lane l)
{
    pthread_mutex_lock(&e->lock);
    job *j = step_up(e, s, l);
    pthread_mutex_unlock(&e->lock);
    return j;
}

/* Those whose owners have left before their turn, or all. With the lock. */
static void drop_waiting(engine *e, served *s, lane l, bool all)
{
    job **to = &s->lines[l].first;
    s->lines[l].last = NULL;
    for (job *j = *to; j; j = *to) {
        if (all || atomic_load(&j->cancelled)) {
            *to = j->next;
            e->n_waiting--;
            e->n_running++;
            say(&j->error, TRINE_ERROR_CANCELLED, "stopped before it was begun");
            end_job(e, j, TRINE_ERROR_CANCELLED);
        } else {
            s->lines[l].last = j;
            to = &j->next;
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------- writing */

static void *grown(void *old, int *cap, int need, size_t bytes)
{
    int wanted = *cap ? *cap : 64;
    while (wanted < need) wanted *= 2;
    void *larger = realloc(old, (size_t)wanted * bytes);
    if (larger) *cap = wanted;
    return larger;
}

static bool add_text(job *j, const char *text, size_t bytes)
{
    if (j->news_cap - j->n_news < bytes) {
        const size_t wanted = 2 * (j->n_news + bytes) + 64;
        char *news = realloc(j->news, wanted);
        if (!news) return false;
        j->news = news;
        j->news_cap = wanted;
    }
    memcpy(j->news + j->n_news, text, bytes);
    j->n_news += bytes;
    return true;
}

static bool on_text(void *user, const char *text, size_t bytes)
{
    job *j = user;
    engine *e = j->order->engine;
    pthread_mutex_lock(&e->lock);
    const bool there = add_text(j, text, bytes);
    pthread_cond_broadcast(&j->order->changed);
    pthread_mutex_unlock(&e->lock);
    return there && !atomic_load(&j->cancelled);
}

static bool add_token(job *j, const trine_chosen_token *token)
{
    if (j->n_tokens == j->tokens_cap) {
        written_token *tokens = grown(j->tokens, &j->tokens_cap, j->n_tokens + 1, sizeof *tokens);
        if (!tokens) return false;
        j->tokens = tokens;
    }
    const int first = j->n_tokens * token->n_top;
    if (first + token->n_top > j->tops_cap) {
        trine_token_chance *tops = grown(j->tops, &j->tops_cap, first + token->n_top, sizeof *tops);
        if (!tops) return false;
        j->tops = tops;
    }
    if (token->n_top) memcpy(j->tops + first, token->top, (size_t)token->n_top * sizeof *token->top);
    j->tokens[j->n_tokens++] = (written_token) { token->id, token->log_prob, first };
    return true;
}

/* Keeps what is known of a token, and counts how many the reader of a stream has not taken. */
static void on_token(void *user, const trine_chosen_token *token)
{
    job *j = user;
    engine *e = j->order->engine;
    pthread_mutex_lock(&e->lock);
    if (!add_token(j, token)) atomic_store(&j->cancelled, true);
    if (j->streamed && j->n_tokens >= BEHIND) {
        j->held = true;
        pthread_cond_broadcast(&j->order->changed); /* there may be tokens without any text */
    }
    pthread_mutex_unlock(&e->lock);
}

static trine_status add_to_batch(served *s, job *j, trine_error *err)
{
    trine_text_options o = j->text_options;
    if (j->streamed) o.generate.on_text = on_text;
    if (j->streamed || j->wants_tokens) o.generate.on_token = on_token;
    o.generate.user = j;
    switch (j->kind) {
    case JOB_TRANSLATE: return trine_generator_translate(s->generator, j->id, j->text, &o, err);
    case JOB_SUMMARIZE: return trine_generator_summarize(s->generator, j->id, j->text, &o, err);
    default: return trine_generator_add(s->generator, j->id, j->text, &o.generate, err);
    }
}

/* Texts that have come join while there is room. */
static void join_batch(engine *e, served *s)
{
    for (job *j; s->n_running < e->parallel && (j = step_up_locked(e, s, LANE_WRITE));) {
        trine_error err = { 0 };
        j->id = e->next_id++;
        if (is_cancelled(e, j))
            finish_cancelled(e, j);
        else if (add_to_batch(s, j, &err))
            finish(e, j, err.code, &err);
        else
            s->running[s->n_running++] = j;
    }
}

static job *leave_batch(served *s, int64_t id)
{
    for (int i = 0; i < s->n_running; i++) {
        job *j = s->running[i];
        if (j->id != id) continue;
        s->running[i] = s->running[--s->n_running];
        return j;
    }
    return NULL;
}

static void take_finished(engine *e, served *s)
{
    for (;;) {
        trine_generation g;
        trine_error err = { 0 };
        int64_t id;
        const trine_status status = trine_generator_take(&g, &id, s->generator, &err);
        if (id < 0) return;
        job *j = leave_batch(s, id);
        if (!j) {
            trine_generation_clear(&g); /* of a pass that failed */
        } else if (status) {
            finish(e, j, status, &err);
        } else {
            j->written = g;
            if (g.finish == TRINE_FINISH_CANCELLED)
                finish_cancelled(e, j);
            else
                finish(e, j, TRINE_OK, NULL);
        }
    }
}

/* Those whose readers have left end; those whose readers are slow are held back. Returns how many go on. */
static int look_at_readers(engine *e, served *s)
{
    int n_active = 0;
    for (int i = 0; i < s->n_running; i++) {
        job *j = s->running[i];
        if (is_cancelled(e, j)) {
            trine_generator_cancel(s->generator, j->id);
            continue;
        }
        pthread_mutex_lock(&e->lock);
        const bool held = j->held;
        pthread_mutex_unlock(&e->lock);
        if (held != j->held_back) trine_generator_hold(s->generator, j->id, held);
        j->held_back = held;
        n_active += !held;
    }
    return n_active;
}

/* The next token of each text; returns whether any is to go on. */
static bool write_on(engine *e, served *s)
{
    trine_error err = { 0 };
    if (!s->generator) return false;
    join_batch(e, s);
    const int n_active = look_at_readers(e, s);
    if (n_active && trine_generator_step(s->generator, &err)) {
        /* The pass failed, and so would the next: its texts end, and say why. */
        for (int i = s->n_running; i-- > 0;) {
            job *j = s->running[i];
            if (j->held_back) continue;
            trine_generator_cancel(s->generator, j->id);
            s->running[i] = s->running[--s->n_running];
            finish(e, j, err.code, &err);
        }
    }
    take_finished(e, s);
    return n_active > 0;
}

/* ------------------------------------------------------------------------------------------------------------- reading */

/* Texts of one or several jobs that are read together. */
typedef struct reading {
    int n;
    job *jobs[READ_TEXTS];
    int index[READ_TEXTS]; /* in the job */
} reading;

static bool read_alike(const job *a, const job *b)
{
    return a->kind == b->kind && a->reading.too_long == b->reading.too_long && a->reading.top_k == b->reading.top_k &&
           a->reading.no_normalize == b->reading.no_normalize && a->reading.pooling == b->reading.pooling;
}

/* From the head of the line, texts that are read alike. With the lock. */
static void gather(reading *r, const served *s)
{
    size_t n_tokens = 0;
    r->n = 0;
    for (job *j = s->lines[LANE_READ].first; j && read_alike(j, s->lines[LANE_READ].first); j = j->next)
        for (int i = j->n_done; i < j->n; i++) {
            /* Tokens of a text are known when it is read; until then its bytes say enough. */
            n_tokens += j->ids ? (size_t)j->n_ids[i] : 8 + strlen(j->texts[i]) / 4;
            if (r->n == READ_TEXTS || (r->n && n_tokens > READ_TOKENS)) return;
            r->jobs[r->n] = j;
            r->index[r->n++] = i;
        }
}

/* The vectors of texts. The passes of a model that writes are short, for the sake of its temporaries: texts longer than one, yet no
 * longer than its context, have a session of their own for as long as they are read. */
static trine_status embed_all(float *out, served *s, const int32_t *const *ids, const int *n_ids, int n,
                              const trine_task_options *o, trine_error *err)
{
    int longest = 0;
    for (int i = 0; i < n; i++) longest = n_ids[i] > longest ? n_ids[i] : longest;
    if (longest <= s->memory.text_tokens || longest > s->memory.ctx) return trine_embed_ids(out, s->session, ids, n_ids, n, o, err);
    const trine_session_options so = {
        .n_threads = s->memory.n_threads, .ctx = longest, .cache_type = s->memory.cache_type, .whole_texts = true
    };
    trine_session *own;
    trine_status status = trine_session_open(&own, s->model, &so, err);
    if (status) return status;
    status = trine_embed_ids(out, own, ids, n_ids, n, o, err);
    trine_session_close(own);
    return status;
}

static trine_status read_vectors(served *s, const reading *r, int first, int n, trine_error *err)
{
    const size_t d = (size_t)s->info->d_embedding;
    const int32_t *ids[READ_TEXTS] = { NULL };
    int n_ids[READ_TEXTS] = { 0 };
    float *vectors = malloc((size_t)n * d * sizeof *vectors);
    if (!vectors) return say(err, TRINE_ERROR_MEMORY, "no memory for the vectors");
    for (int i = 0; i < n; i++) {
        const job *j = r->jobs[first + i];
        ids[i] = j->ids[r->index[first + i]];
        n_ids[i] = j->n_ids[r->index[first + i]];
    }
    const trine_status status = embed_all(vectors, s, ids, n_ids, n, &r->jobs[first]->reading, err);
    for (int i = 0; i < n && !status; i++)
        memcpy(r->jobs[first + i]->results.vectors + (size_t)r->index[first + i] * d, vectors + (size_t)i * d, d * sizeof *vectors);
    free(vectors);
    return status;
}

static trine_status read_heads(served *s, const reading *r, int first, int n, trine_error *err)
{
    const char *texts[READ_TEXTS], *pairs[READ_TEXTS];
    trine_labels labels[READ_TEXTS];
    trine_entities entities[READ_TEXTS];
    trine_fill_result fills[READ_TEXTS];
    const job_kind kind = r->jobs[first]->kind;
    const trine_task_options *o = &r->jobs[first]->reading;
    for (int i = 0; i < n; i++) {
        const job *j = r->jobs[first + i];
        texts[i] = j->texts[r->index[first + i]];
        pairs[i] = j->pairs ? j->pairs[r->index[first + i]] : NULL;
    }
    const trine_status status = kind == JOB_FILL       ? trine_fill_batch(fills, s->session, texts, n, o, err)
                                : kind == JOB_CLASSIFY ? trine_classify_batch(labels, s->session, texts, pairs, n, o, err)
                                                       : trine_tag_batch(entities, s->session, texts, n, o, err);
    for (int i = 0; i < n && !status; i++) {
        job *j = r->jobs[first + i];
        const int at = r->index[first + i];
        if (kind == JOB_FILL) j->results.fills[at] = fills[i];
        if (kind == JOB_CLASSIFY) j->results.labels[at] = labels[i];
        if (kind == JOB_TAG) j->results.entities[at] = entities[i];
    }
    return status;
}

static trine_status read_some(served *s, const reading *r, int first, int n, trine_error *err)
{
    return r->jobs[first]->kind == JOB_EMBED ? read_vectors(s, r, first, n, err) : read_heads(s, r, first, n, err);
}

/* One pass over texts that wait; what fails together is read one by one, so that a bad text fails its own request alone. */
static void read_on(engine *e, served *s)
{
    reading r;
    trine_error err = { 0 };
    pthread_mutex_lock(&e->lock);
    gather(&r, s);
    pthread_mutex_unlock(&e->lock);
    if (!r.n) return;
    const bool together = !read_some(s, &r, 0, r.n, &err);
    for (int i = 0; i < r.n; i++) {
        job *j = r.jobs[i];
        if (j->status) continue; /* an earlier text of this job has failed */
        if (together || !(j->status = read_some(s, &r, i, 1, &j->error))) j->n_done++;
    }
    /* They are the first of their line, in its order. */
    pthread_mutex_lock(&e->lock);
    for (job *j; (j = s->lines[LANE_READ].first) && (j->status || j->n_done == j->n);) {
        step_up(e, s, LANE_READ);
        end_job(e, j, j->status);
    }
    pthread_mutex_unlock(&e->lock);
}

static void call_one(engine *e, served *s)
{
    job *j = step_up_locked(e, s, LANE_CALL);
    if (!j) return;
    if (is_cancelled(e, j)) {
        finish_cancelled(e, j);
        return;
    }
    trine_error err = { 0 };
    const trine_status status = j->call(j->what, s, &err);
    finish(e, j, status, &err);
}

/* ------------------------------------------------------------------------------------------------------------- the loop */

static bool anybody_waits(const engine *e)
{
    for (int i = 0; i < e->n_models; i++)
        for (int l = 0; l < N_LANES; l++)
            if (e->models[i].lines[l].first && (l != LANE_WRITE || e->models[i].n_running < e->parallel)) return true;
    return false;
}

/* Those who wait and are not wanted any more leave; all do when the engine stops, which is returned. With the lock. */
static bool look_at_lines(engine *e)
{
    const bool stopping = atomic_load(&e->stopping);
    for (int i = 0; i < e->n_models && (stopping || e->woken); i++)
        for (int l = 0; l < N_LANES; l++) drop_waiting(e, &e->models[i], (lane)l, stopping);
    e->woken = false;
    return stopping;
}

/* A pass of each kind for each model; returns whether any text is to go on. */
static bool pass_on(engine *e)
{
    bool writing = false;
    for (int i = 0; i < e->n_models; i++) {
        writing |= write_on(e, &e->models[i]);
        read_on(e, &e->models[i]);
    }
    return writing;
}

bool engine_goes_on(job *j)
{
    engine *e = j->order->engine;
    if (is_cancelled(e, j)) return false;
    pthread_mutex_lock(&e->lock);
    look_at_lines(e);
    pthread_mutex_unlock(&e->lock);
    pass_on(e);
    return true;
}

static void *run(void *user)
{
    engine *e = user;
    bool writing = false, stopping = false;
    while (!stopping) {
        pthread_mutex_lock(&e->lock);
        while (!writing && !atomic_load(&e->stopping) && !e->woken && !anybody_waits(e)) pthread_cond_wait(&e->work, &e->lock);
        stopping = look_at_lines(e);
        pthread_mutex_unlock(&e->lock);
        /* A call passes on too (engine_goes_on) and may leave texts in the batch: what is being written is asked after it. */
        for (int i = 0; i < e->n_models; i++) call_one(e, &e->models[i]);
        writing = pass_on(e);
    }
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------------- open, close */

static unsigned tasks_of(const served *s)
{
    const trine_model_info *info = s->info;
    unsigned tasks = TASK_TRACE | TASK_EMBED;
    if (s->tokenizer) tasks |= TASK_TOKENIZE;
    if (info->head == TRINE_HEAD_MLM) tasks |= TASK_FILL;
    if (info->head == TRINE_HEAD_LABELS) tasks |= TASK_CLASSIFY;
    if (info->head == TRINE_HEAD_TAGS) tasks |= TASK_TAG;
    if (info->head != TRINE_HEAD_LM || info->paradigm == TRINE_ENCODER) return tasks;
    tasks |= TASK_WRITE;
    if (!s->tokenizer) return tasks;
    tasks |= TASK_TRANSLATE | TASK_SUMMARIZE;
    return info->paradigm == TRINE_DECODER ? tasks | TASK_CHAT : tasks;
}

/* A session for all that is asked of a model: a batch of texts to write, or passes of texts to read. */
static trine_status open_served(served *s, const server_options *o, int parallel, trine_error *err)
{
    s->info = trine_model_get_info(s->model);
    s->tokenizer = trine_model_get_tokenizer(s->model);
    s->tasks = tasks_of(s);
    s->opened = time(NULL);
    const int most = s->info->max_tokens;
    const bool writes = s->tasks & TASK_WRITE;
    trine_session_options so = { .n_threads = o->n_threads, .ctx = o->ctx, .cache_type = o->cache_type };
    if (most && so.ctx > most) so.ctx = most;
    if (writes) {
        so.n_sequences = parallel;
        if (!so.ctx && (!most || most > DEFAULT_CTX)) so.ctx = DEFAULT_CTX;
    } else {
        const int longest = so.ctx ? so.ctx : most;
        if (longest) so.batch_tokens = longest > READ_TOKENS ? longest : READ_TOKENS;
        if (s->info->head == TRINE_HEAD_MLM) so.logit_rows = READ_LOGITS;
    }
    trine_status status = trine_session_open(&s->session, s->model, &so, err);
    if (status == TRINE_ERROR_MEMORY && writes && !o->ctx) { /* then what fits */
        so.ctx = 0;
        status = trine_session_open(&s->session, s->model, &so, err);
    }
    if (!status && writes) status = trine_generator_open(&s->generator, s->session, err);
    if (status) return status;
    trine_session_memory(&s->memory, s->session);
    s->running = calloc((size_t)parallel, sizeof *s->running);
    return s->running ? TRINE_OK : say(err, TRINE_ERROR_MEMORY, "no memory for the batch");
}

trine_status engine_open(engine **out, const server_options *o, trine_error *err)
{
    *out = NULL;
    engine *e = calloc(1, sizeof *e);
    if (!e) return say(err, TRINE_ERROR_MEMORY, "no memory for the engine");
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    e->parallel = o->parallel ? o->parallel : DEFAULT_PARALLEL;
    e->queue = o->queue ? o->queue : DEFAULT_QUEUE;
    e->limit_s = o->limit_s ? o->limit_s : DEFAULT_LIMIT_S;
    trine_status status = TRINE_OK;
    e->models = calloc((size_t)o->n_models + 1, sizeof *e->models); /* a lesson may be served without any */
    if (!e->models) status = say(err, TRINE_ERROR_MEMORY, "no memory for the models");
    for (int i = 0; e->models && i < o->n_models && !status; i++) {
        served *s = &e->models[e->n_models++];
        s->name = o->models[i].name;
        s->model = o->models[i].model;
        status = open_served(s, o, e->parallel, err);
    }
    if (!status) {
        e->started = pthread_create(&e->thread, NULL, run, e) == 0;
        if (!e->started) status = say(err, TRINE_ERROR_MEMORY, "the engine's thread could not be started");
    }
    if (status)
        engine_close(e);
    else
        *out = e;
    return status;
}

void engine_stop(engine *e)
{
    if (!e->started) return;
    pthread_mutex_lock(&e->lock);
    atomic_store(&e->stopping, true);
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    e->started = false;
}

void engine_close(engine *e)
{
    if (!e) return;
    engine_stop(e);
    for (int i = 0; e->models && i < e->n_models; i++) {
        trine_generator_close(e->models[i].generator);
        trine_session_close(e->models[i].session);
        free(e->models[i].running);
    }
    free(e->models);
    pthread_cond_destroy(&e->work);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

served *engine_models(engine *e, int *n)
{
    *n = e->n_models;
    return e->models;
}

void engine_load(engine *e, int *n_running, int *n_waiting)
{
    pthread_mutex_lock(&e->lock);
    *n_running = e->n_running;
    *n_waiting = e->n_waiting;
    pthread_mutex_unlock(&e->lock);
}
