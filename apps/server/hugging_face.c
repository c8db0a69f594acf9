/* hugging_face.c - POST /tasks/TASK and /models/NAME: {"inputs", "parameters"} as Hugging Face's clients send it. Parameters go by
 * the names of transformers, in snake_case or camelCase, also inside "generate_parameters". */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"

enum { MAX_INPUTS = 256, MAX_BEAMS = 32, MAX_RESULTS = 1000 };

/* One request. */
typedef struct hub {
    const json_t *parameters; /* or NULL */
    json_t *own;              /* an object of plain names for read_writing */
    size_t n;
    bool list;      /* inputs came as a list: so do the results */
    int max_length; /* of prompt and text; 0: max_tokens says how long a text is */
    const char **texts, **pairs;
} hub;

/* ----------------------------------------------------------------------------------------------------------- parameters */

static const json_t *in_either_case(const json_t *o, const char *snake)
{
    char camel[64];
    size_t n = 0;
    const json_t *value = get(o, snake);
    if (value) return value;
    for (const char *p = snake; *p && n < sizeof camel - 1; p++) {
        if (*p == '_' && p[1])
            p++, camel[n++] = (char)toupper((unsigned char)*p);
        else
            camel[n++] = *p;
    }
    camel[n] = 0;
    return get(o, camel);
}

static const json_t *parameter(const hub *h, const char *name)
{
    const json_t *value = in_either_case(h->parameters, name);
    if (!value) value = in_either_case(in_either_case(h->parameters, "generate_parameters"), name);
    return value;
}

/* Brings parameters to the names of read_writing and get_int. */
static void rename_parameters(exchange *x, hub *h)
{
    static const struct {
        const char *theirs, *ours;
    } names[] = { { "max_length", "max_length" },
                  { "max_new_tokens", "max_new_tokens" },
                  { "temperature", "temperature" },
                  { "top_k", "top_k" },
                  { "top_p", "top_p" },
                  { "min_p", "min_p" },
                  { "repetition_penalty", "repetition_penalty" },
                  { "seed", "seed" },
                  { "stop", "stop" },
                  { "stop_sequences", "stop" },
                  { "num_beams", "num_beams" },
                  { "length_penalty", "length_penalty" },
                  { "do_sample", "do_sample" },
                  { "ignore_eos", "ignore_eos" },
                  { "return_full_text", "return_full_text" } };
    h->parameters = get_object(x, x->in, "parameters");
    h->own = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names && h->own; i++) {
        const json_t *value = parameter(h, names[i].theirs);
        if (value) json_object_set(h->own, names[i].ours, (json_t *)(uintptr_t)value);
    }
    if (!h->own)
        fail_no_memory(x);
    else /* lives as long as the request */
        json_object_set_new(x->in, "\x01parameters", h->own);
}

/* What is not done here must not be overlooked: the answer would not be what was asked. */
static void refuse_unsupported(exchange *x, const hub *h)
{
    static const struct {
        const char *name;
        double harmless; /* the number that asks for nothing */
    } numbers[] = { { "num_return_sequences", 1 }, { "no_repeat_ngram_size", 0 }, { "min_length", 0 }, { "min_new_tokens", 0 },
                    { "num_beam_groups", 1 },      { "penalty_alpha", 0 },        { "typical_p", 1 },  { "best_of", 1 } };
    static const char *const others[] = { "targets", "bad_words_ids", "forced_bos_token_id", "stream", "details", "grammar" };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const json_t *value = parameter(h, numbers[i].name);
        if (value && !(json_number_value(value) <= numbers[i].harmless))
            fail_request(x, 400, numbers[i].name, "unsupported", "'%s' is not supported by this server", numbers[i].name);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const json_t *value = parameter(h, others[i]);
        if (!value) value = get(x->in, others[i]);
        if (value && !json_is_false(value))
            fail_request(x, 400, others[i], "unsupported", "'%s' is not supported by this server", others[i]);
    }
    const json_t *apply = parameter(h, "function_to_apply");
    if (apply && (!json_is_string(apply) || strcmp(json_string_value(apply), "softmax") != 0))
        fail_request(x, 400, "function_to_apply", "unsupported", "'function_to_apply' other than softmax is not supported");
}

/* A parameter that is a text, or NULL. */
static const char *text_parameter(exchange *x, const hub *h, const char *name)
{
    const json_t *value = parameter(h, name);
    if (value && !json_is_string(value)) fail_request(x, 400, name, NULL, "'%s' must be a text", name);
    return json_string_value(value);
}

static int top_k(exchange *x, const hub *h, int fallback)
{
    return h->own ? (int)get_int(x, h->own, "top_k", 1, MAX_RESULTS, fallback) : fallback;
}

static trine_long too_long(exchange *x, const hub *h)
{
    const json_t *value = parameter(h, "truncation");
    if (!value) value = parameter(h, "truncate");
    if (!value) value = get(x->in, "truncate");
    if (json_is_true(value)) return TRINE_LONG_TRUNCATE;
    return json_is_string(value) && strcmp(json_string_value(value), "do_not_truncate") != 0 ? TRINE_LONG_TRUNCATE
                                                                                             : TRINE_LONG_REFUSE;
}

static const json_t *inputs_of(const exchange *x)
{
    const json_t *inputs = get(x->in, "inputs");
    return inputs ? inputs : get(x->in, "input");
}

/* "text", {"text", "text_pair"}, or a list of these. */
static bool read_texts(exchange *x, hub *h)
{
    const json_t *inputs = inputs_of(x);
    h->list = json_is_array(inputs);
    h->n = h->list ? json_array_size(inputs) : 1;
    if (!inputs || !h->n || h->n > MAX_INPUTS) {
        fail_request(x, 400, "inputs", NULL, "'inputs' must be a text, or up to %d texts", (int)MAX_INPUTS);
        return false;
    }
    h->texts = keep_memory(x, h->n * sizeof *h->texts);
    h->pairs = keep_memory(x, h->n * sizeof *h->pairs);
    for (size_t i = 0; i < h->n && !x->failed; i++) {
        const json_t *one = h->list ? json_array_get(inputs, i) : inputs, *pair = get(one, "text_pair");
        h->texts[i] = json_string_value(json_is_object(one) ? get(one, "text") : one);
        h->pairs[i] = json_string_value(pair);
        if (!h->texts[i] || (pair && !h->pairs[i]))
            fail_request(x, 400, "inputs", NULL, "'inputs': %zu must be a text, or an object with \"text\" and \"text_pair\"", i);
    }
    return !x->failed;
}

/* -------------------------------------------------------------------------------------------------------------- reading */

static void write_fill(json_writer *j, const trine_fill_result *r)
{
    const bool several = r->n_masks > 1;
    jw_open(j, '[');
    for (int m = 0; m < r->n_masks; m++) {
        if (several) jw_open(j, '[');
        for (int k = 0; k < r->n_choices; k++) {
            const trine_fill_choice *c = &r->choices[m * r->n_choices + k];
            jw_open(j, '{');
            jw_set_float(j, "score", c->score);
            jw_set_int(j, "token", c->id);
            jw_set_text(j, "token_str", c->token);
            jw_set_text(j, "sequence", c->text);
            jw_close(j, '}');
        }
        if (several) jw_close(j, ']');
    }
    jw_close(j, ']');
}

static void write_labels(json_writer *j, const trine_labels *r)
{
    jw_open(j, '[');
    for (int i = 0; i < r->n; i++) {
        jw_open(j, '{');
        jw_set_text(j, "label", r->items[i].label);
        jw_set_float(j, "score", r->items[i].score);
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

static void write_entities(json_writer *j, const trine_entities *r)
{
    jw_open(j, '[');
    for (int i = 0; i < r->n; i++) {
        const trine_entity *e = &r->items[i];
        jw_open(j, '{');
        jw_set_text(j, "entity_group", e->group);
        jw_set_float(j, "score", e->score);
        jw_set_text(j, "word", e->text);
        jw_set_int(j, "start", (int64_t)e->char_start);
        jw_set_int(j, "end", (int64_t)e->char_end);
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

/* fill-mask, text-classification, token-classification. */
static void read_heads(exchange *x, hub *h, job_kind kind)
{
    job *all = x->order.jobs;
    const size_t size = kind == JOB_FILL       ? sizeof(trine_fill_result)
                        : kind == JOB_CLASSIFY ? sizeof(trine_labels)
                                               : sizeof(trine_entities);
    const json_t *strategy = parameter(h, "aggregation_strategy");
    if (json_is_string(strategy) && strcmp(json_string_value(strategy), "none") == 0)
        fail_request(x, 400, "aggregation_strategy", "unsupported",
                     "'aggregation_strategy' none is not supported: words are joined into entities");
    all->kind = kind;
    all->on = x->on;
    all->n = (int)h->n;
    all->texts = h->texts;
    all->pairs = kind == JOB_CLASSIFY ? h->pairs : NULL;
    all->reading.too_long = too_long(x, h);
    all->reading.top_k = kind == JOB_TAG ? 0 : top_k(x, h, kind == JOB_FILL ? 5 : 0);
    if (x->failed) return;
    if (!(all->results.any = calloc(h->n, size))) fail_no_memory(x);
    if (x->failed || !run_order(x, true)) return;
    json_writer j = answer_begin(x);
    if (h->list) jw_open(&j, '[');
    for (size_t i = 0; i < h->n; i++) {
        if (kind == JOB_FILL) write_fill(&j, &all->results.fills[i]);
        if (kind == JOB_CLASSIFY) write_labels(&j, &all->results.labels[i]);
        if (kind == JOB_TAG) write_entities(&j, &all->results.entities[i]);
    }
    if (h->list) jw_close(&j, ']');
}

static void read_features(exchange *x, hub *h)
{
    job *all = x->order.jobs;
    const json_t *normalize = parameter(h, "normalize");
    const int d = x->on->info->d_embedding;
    const json_t *inputs = inputs_of(x);
    all->reading.no_normalize = json_is_false(normalize);
    if (normalize && !json_is_boolean(normalize)) fail_request(x, 400, "normalize", NULL, "'normalize' must be true or false");
    if (x->failed) return;
    if (!read_inputs(x, all, inputs, "inputs", too_long(x, h) == TRINE_LONG_TRUNCATE) || !run_order(x, true)) return;
    json_writer j = answer_begin(x);
    jw_open(&j, '[');
    for (int i = 0; i < all->n; i++) {
        const float *v = all->results.vectors + (size_t)i * (size_t)d;
        double squares = 0;
        for (int k = 0; k < d; k++) squares += (double)v[k] * (double)v[k];
        const double scale = json_is_true(normalize) && squares > 0 ? 1 / sqrt(squares) : 1; /* whatever the model declares */
        jw_open(&j, '[');
        for (int k = 0; k < d; k++) jw_float(&j, (float)(v[k] * scale));
        jw_close(&j, ']');
    }
    jw_close(&j, ']');
}

/* -------------------------------------------------------------------------------------------------------------- writing */

/* A text that cannot be one of the batch: beams follow several at once, and a document is read in parts. It has a session of its
 * own for as long as it takes. */
typedef struct alone {
    job *job;
    job_kind kind;
    const char *text;
    trine_text_options options;
    trine_generation written;
} alone;

/* Between two of its passes others have one. */
static bool goes_on(void *user, int done, int total)
{
    (void)done, (void)total;
    return engine_goes_on(user);
}

static void after_token(void *user, const trine_chosen_token *token)
{
    (void)token;
    engine_goes_on(user);
}

static trine_status write_alone(void *what, served *on, trine_error *err)
{
    alone *a = what;
    const trine_session_options so = { .n_threads = on->memory.n_threads,
                                       .ctx = on->memory.ctx,
                                       .cache_type = on->memory.cache_type,
                                       .n_sequences = a->options.generate.beam > 1 ? a->options.generate.beam : 1 };
    trine_session *s;
    trine_status status = trine_session_open(&s, on->model, &so, err);
    if (status) return status;
    a->options.generate.on_progress = goes_on;
    a->options.generate.on_token = after_token;
    a->options.generate.user = a->job;
    status = a->kind == JOB_TRANSLATE   ? trine_translate(&a->written, s, a->text, &a->options, err)
             : a->kind == JOB_SUMMARIZE ? trine_summarize(&a->written, s, a->text, &a->options, err)
                                        : trine_generate(&a->written, s, a->text, &a->options.generate, err);
    trine_session_close(s);
    if (status || a->written.finish != TRINE_FINISH_CANCELLED) return status;
    trine_generation_clear(&a->written);
    return say(err, TRINE_ERROR_CANCELLED, "stopped before it was done");
}

/* How text i is written: transformers' max_length counts a decoder's prompt. Where that leaves no room the request fails. */
static trine_text_options options_of(exchange *x, const hub *h, size_t i, const trine_text_options *o)
{
    trine_text_options own = *o;
    trine_encoding e;
    trine_error err = { 0 };
    if (!h->max_length || x->failed) return own;
    const trine_status status = trine_tokenizer_encode(&e, x->on->tokenizer, h->texts[i], 0, NULL, &err);
    if (status) {
        fail_job(x, status, &err);
        return own;
    }
    own.generate.max_tokens = h->max_length - e.n;
    if (own.generate.max_tokens < 1)
        fail_request(x, 400, "max_length", NULL, "'max_length' is %d, and the prompt alone has %d tokens: give max_new_tokens",
                     h->max_length, e.n);
    trine_encoding_clear(&e);
    return own;
}

static bool write_texts_alone(exchange *x, const hub *h, job_kind kind, const trine_text_options *o)
{
    order_close(&x->order);
    alone *all = keep_memory(x, h->n * sizeof *all);
    if (!all || !order_open(&x->order, x->engine, (int)h->n)) {
        fail_no_memory(x);
        return false;
    }
    for (size_t i = 0; i < h->n; i++) {
        job *j = &x->order.jobs[i];
        all[i] = (alone) { .job = j, .kind = kind, .text = h->texts[i], .options = options_of(x, h, i, o) };
        j->kind = JOB_CALL;
        j->on = x->on;
        j->call = write_alone;
        j->what = &all[i];
    }
    const bool done = !x->failed && run_order(x, true);
    if (!done) { /* what the engine still holds it lets go of before results are released */
        order_close(&x->order);
        for (size_t i = 0; i < h->n; i++) trine_generation_clear(&all[i].written);
        return false;
    }
    for (size_t i = 0; i < h->n; i++) x->order.jobs[i].written = all[i].written;
    return true;
}

static bool is_too_long(const exchange *x)
{
    for (int i = 0; i < x->order.n; i++)
        if (x->order.jobs[i].over && x->order.jobs[i].status == TRINE_ERROR_TOO_LONG) return true;
    return false;
}

static bool write_texts(exchange *x, const hub *h, job_kind kind, const trine_text_options *o)
{
    if (o->generate.beam > 1) return write_texts_alone(x, h, kind, o);
    order_close(&x->order);
    if (!order_open(&x->order, x->engine, (int)h->n)) {
        fail_no_memory(x);
        return false;
    }
    for (size_t i = 0; i < h->n; i++) {
        job *j = &x->order.jobs[i];
        j->kind = kind;
        j->on = x->on;
        j->text = h->texts[i];
        j->text_options = options_of(x, h, i, o);
    }
    if (x->failed) return false;
    if (run_order(x, true)) return true;
    if (kind != JOB_SUMMARIZE || !is_too_long(x)) return false;
    x->failed = false; /* it is not: it is read in parts */
    x->status = 0;
    return write_texts_alone(x, h, kind, o);
}

static void write_results(exchange *x, const hub *h, const char *name, bool full_text)
{
    json_writer j = answer_begin(x);
    jw_open(&j, '[');
    for (size_t i = 0; i < h->n; i++) {
        const char *text = x->order.jobs[i].written.text;
        bytes whole = { 0 };
        if (full_text) bytes_put(&whole, h->texts[i], strlen(h->texts[i]));
        bytes_put(&whole, text ? text : "", text ? strlen(text) : 0);
        jw_open(&j, '{');
        jw_key(&j, name);
        jw_text_n(&j, whole.data ? whole.data : "", whole.n);
        jw_close(&j, '}');
        x->out.failed |= whole.failed;
        free(whole.data);
    }
    jw_close(&j, ']');
}

static void write_hub(exchange *x, hub *h, job_kind kind, const char *name)
{
    const bool asked = get_bool(x, h->own, "do_sample", false), sampled = asked || get(h->own, "temperature"),
               decoder = x->on->info->paradigm == TRINE_DECODER;
    const int most = kind == JOB_SUMMARIZE ? 256 : 512, length = (int)get_int(x, h->own, "max_length", 1, 1 << 24, 0);
    trine_text_options o = { .from = text_parameter(x, h, "src_lang"),
                             .to = text_parameter(x, h, "tgt_lang"),
                             .prefix = text_parameter(x, h, "prefix") };
    o.generate = read_writing(x, h->own, x->on);
    o.generate.max_tokens = (int)get_int(x, h->own, "max_new_tokens", 1, 1 << 24, length && !decoder ? length : most);
    o.generate.continues = kind == JOB_WRITE;
    h->max_length = decoder && kind == JOB_WRITE && !get(h->own, "max_new_tokens") ? length : 0;
    o.generate.beam = (int)get_int(x, h->own, "num_beams", 1, MAX_BEAMS, 1);
    if (asked && o.generate.beam > 1)
        fail_request(x, 400, "do_sample", "unsupported", "'do_sample' with 'num_beams' is not supported: beams take the likeliest");
    o.generate.length_penalty = (float)get_real(x, h->own, "length_penalty", -100, 100, 1);
    if (o.generate.length_penalty == 0.0f) o.generate.length_penalty = 1e-30f; /* the library reads 0 as 1 */
    if (!sampled || json_is_false(get(h->own, "do_sample"))) o.generate.temperature = 0;
    const bool full = kind == JOB_WRITE && decoder && get_bool(x, h->own, "return_full_text", true);
    if (kind == JOB_TRANSLATE && !o.from && !o.to && !o.prefix)
        fail_request(x, 400, "parameters", NULL,
                     "translation needs parameters.src_lang and parameters.tgt_lang, as \"en\" and \"de\"");
    if (!x->failed && write_texts(x, h, kind, &o)) write_results(x, h, name, full);
}

/* -------------------------------------------------------------------------------------------------------------- requests */

static void answer_task(exchange *x, task what)
{
    hub h = { 0 };
    rename_parameters(x, &h);
    if (h.own) refuse_unsupported(x, &h);
    if (x->failed) return;
    if (!order_open(&x->order, x->engine, 1)) {
        fail_no_memory(x);
        return;
    }
    if (what == TASK_EMBED) {
        read_features(x, &h);
        return;
    }
    if (!read_texts(x, &h)) return;
    switch (what) {
    case TASK_FILL: read_heads(x, &h, JOB_FILL); return;
    case TASK_CLASSIFY: read_heads(x, &h, JOB_CLASSIFY); return;
    case TASK_TAG: read_heads(x, &h, JOB_TAG); return;
    case TASK_TRANSLATE: write_hub(x, &h, JOB_TRANSLATE, "translation_text"); return;
    case TASK_SUMMARIZE: write_hub(x, &h, JOB_SUMMARIZE, "summary_text"); return;
    default: write_hub(x, &h, JOB_WRITE, "generated_text"); return;
    }
}

void answer_hub_task(exchange *x)
{
    static const struct {
        const char *name;
        task what;
    } tasks[] = { { "fill-mask", TASK_FILL },
                  { "text-classification", TASK_CLASSIFY },
                  { "token-classification", TASK_TAG },
                  { "translation", TASK_TRANSLATE },
                  { "summarization", TASK_SUMMARIZE },
                  { "text-generation", TASK_WRITE },
                  { "text2text-generation", TASK_WRITE },
                  { "feature-extraction", TASK_EMBED } };
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        if (strcmp(tasks[i].name, x->rest) != 0) continue;
        if ((x->on = get_model(x, tasks[i].what))) answer_task(x, tasks[i].what);
        return;
    }
    fail_request(x, 404, NULL, "task_not_found",
                 "there is no task '%.60s': fill-mask, text-classification, token-classification, translation, summarization, "
                 "text-generation and feature-extraction are there",
                 x->rest);
}

/* The task is what the model's head is for. */
void answer_hub_model(exchange *x)
{
    const json_t *parameters = get(x->in, "parameters");
    if (!(x->on = find_model(x, x->rest, ~0u))) return;
    const bool languages = in_either_case(parameters, "src_lang") || in_either_case(parameters, "tgt_lang");
    switch (x->on->info->head) {
    case TRINE_HEAD_MLM: answer_task(x, TASK_FILL); return;
    case TRINE_HEAD_LABELS: answer_task(x, TASK_CLASSIFY); return;
    case TRINE_HEAD_TAGS: answer_task(x, TASK_TAG); return;
    case TRINE_HEAD_LM:
        if (x->on->tasks & TASK_WRITE)
            answer_task(x, languages ? TASK_TRANSLATE : TASK_WRITE);
        else
            answer_task(x, TASK_EMBED);
        return;
    case TRINE_HEAD_NONE: answer_task(x, TASK_EMBED); return;
    }
}
