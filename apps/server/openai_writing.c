/* openai_writing.c - POST /v1/chat/completions and /v1/completions: the same work in two shapes, whole or as a stream.
 *
 * Every prompt has n choices, and every choice is a text in the engine's batch. A stream sends what a text has become since the
 * last event; a slow reader therefore gets fewer and larger events, never an older text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plain_chat.h"
#include "routes.h"

enum { MAX_CHOICES = 64, MAX_TOP = 20, DEFAULT_COMPLETION = 16 };

typedef struct writing {
    bool chat, logprobs, usage, echo;
    int n_choices, n, n_top; /* choices of all prompts, and of each */
    char id[40];
    int64_t created;
    bool began[MAX_CHOICES], ended[MAX_CHOICES];
    int n_ended;
    const char *echoed[MAX_CHOICES]; /* the prompt to put before a text, or NULL */
    size_t offset[MAX_CHOICES];      /* completions' logprobs: characters told so far */
} writing;

static const char *finish_name(trine_finish finish) { return finish == TRINE_FINISH_LENGTH ? "length" : "stop"; }

/* ------------------------------------------------------------------------------------------------------------ log probs */

/* The bytes of a token, of a part of a character too: a client puts characters together by them. */
static void write_bytes(json_writer *j, const served *s, int32_t id)
{
    size_t n;
    char *own = token_bytes(&n, s->tokenizer, id);
    jw_key(j, "bytes");
    jw_open(j, '[');
    for (size_t i = 0; i < n; i++) jw_int(j, (unsigned char)own[i]);
    jw_close(j, ']');
    free(own);
}

static void write_chance(json_writer *j, const served *s, int32_t id, float log_prob)
{
    char *text = token_text(s->tokenizer, id);
    jw_set_text(j, "token", text ? text : "");
    jw_set_float(j, "logprob", log_prob);
    write_bytes(j, s, id);
    free(text);
}

static void write_chat_logprobs(json_writer *j, const served *s, const job_news *news, int n_top)
{
    jw_open(j, '{');
    jw_key(j, "content");
    jw_open(j, '[');
    for (int i = 0; i < news->n_tokens; i++) {
        const written_token *t = &news->tokens[i];
        jw_open(j, '{');
        write_chance(j, s, t->id, t->log_prob);
        jw_key(j, "top_logprobs");
        jw_open(j, '[');
        for (int k = 0; k < n_top; k++) {
            const trine_token_chance *c = &news->tops[t->first_top + k];
            jw_open(j, '{');
            write_chance(j, s, c->id, c->log_prob);
            jw_close(j, '}');
        }
        jw_close(j, ']');
        jw_close(j, '}');
    }
    jw_close(j, ']');
    jw_close(j, '}');
}

/* A token by its text, or where that is none, or a part of a character, as the vocabulary spells it, or by its number: so no two are the
 * same. */
static void write_token(json_writer *j, const served *s, int32_t id, bool as_key)
{
    char *text = token_text(s->tokenizer, id);
    const char *spelt = trine_tokenizer_token(s->tokenizer, id),
               *shown = text && *text && !strstr(text, "\xEF\xBF\xBD") ? text : spelt;
    char number[32];
    snprintf(number, sizeof number, "token_id:%d", (int)id);
    if (!shown) shown = number;
    if (as_key)
        jw_key(j, shown);
    else
        jw_text(j, shown);
    free(text);
}

static void write_completion_logprobs(json_writer *j, const served *s, const job_news *news, int n_top, size_t *offset)
{
    size_t at = *offset;
    jw_open(j, '{');
    jw_key(j, "tokens");
    jw_open(j, '[');
    for (int i = 0; i < news->n_tokens; i++) write_token(j, s, news->tokens[i].id, false);
    jw_close(j, ']');
    jw_key(j, "token_logprobs");
    jw_open(j, '[');
    for (int i = 0; i < news->n_tokens; i++) jw_float(j, news->tokens[i].log_prob);
    jw_close(j, ']');
    jw_key(j, "top_logprobs");
    jw_open(j, '[');
    for (int i = 0; i < news->n_tokens; i++) {
        jw_open(j, '{');
        for (int k = 0; k < n_top; k++) {
            const trine_token_chance *c = &news->tops[news->tokens[i].first_top + k];
            write_token(j, s, c->id, true);
            jw_float(j, c->log_prob);
        }
        jw_close(j, '}');
    }
    jw_close(j, ']');
    jw_key(j, "text_offset");
    jw_open(j, '[');
    for (int i = 0; i < news->n_tokens; i++) {
        size_t n;
        char *own = token_bytes(&n, s->tokenizer, news->tokens[i].id);
        jw_int(j, (int64_t)at);
        for (size_t k = 0; k < n; k++) at += ((unsigned char)own[k] & 0xC0) != 0x80; /* a character's first byte */
        free(own);
    }
    jw_close(j, ']');
    jw_close(j, '}');
    *offset = at;
}

static void write_logprobs(json_writer *j, exchange *x, writing *w, int choice, const job_news *news)
{
    jw_key(j, "logprobs");
    if (!w->logprobs)
        jw_null(j);
    else if (w->chat)
        write_chat_logprobs(j, x->on, news, w->n_top);
    else
        write_completion_logprobs(j, x->on, news, w->n_top, &w->offset[choice]);
}

/* --------------------------------------------------------------------------------------------------------------- shapes */

static void write_head(json_writer *j, const exchange *x, const writing *w, bool chunk)
{
    jw_open(j, '{');
    jw_set_text(j, "id", w->id);
    jw_set_text(j, "object", !w->chat ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion");
    jw_set_int(j, "created", w->created);
    jw_set_text(j, "model", x->on->name);
    jw_set_text(j, "system_fingerprint", "trine");
    jw_key(j, "choices");
    jw_open(j, '[');
}

static void write_usage(json_writer *j, const exchange *x, const writing *w)
{
    int64_t n_prompt = 0, n_written = 0;
    for (int i = 0; i < w->n_choices; i++) {
        n_written += x->order.jobs[i].written.n_tokens;
        if (i % w->n == 0) n_prompt += x->order.jobs[i].written.n_prompt; /* a prompt counts once, whatever its choices */
    }
    jw_key(j, "usage");
    jw_open(j, '{');
    jw_set_int(j, "prompt_tokens", n_prompt);
    jw_set_int(j, "completion_tokens", n_written);
    jw_set_int(j, "total_tokens", n_prompt + n_written);
    jw_close(j, '}');
}

static void write_finish(json_writer *j, const char *finish)
{
    jw_set_text(j, "finish_reason", finish);
    jw_close(j, '}');
}

/* ---------------------------------------------------------------------------------------------------------------- whole */

static void write_whole(exchange *x)
{
    writing *w = x->state;
    json_writer writer = answer_begin(x), *j = &writer;
    write_head(j, x, w, false);
    for (int i = 0; i < w->n_choices; i++) {
        job *one = &x->order.jobs[i];
        const char *text = one->written.text ? one->written.text : "";
        job_news news;
        job_take_news(&news, one);
        jw_open(j, '{');
        jw_set_int(j, "index", i);
        if (w->chat) {
            jw_key(j, "message");
            jw_open(j, '{');
            jw_set_text(j, "role", "assistant");
            jw_set_text(j, "content", text);
            jw_close(j, '}');
        } else if (w->echoed[i]) {
            bytes both = { 0 };
            bytes_put(&both, w->echoed[i], strlen(w->echoed[i]));
            bytes_put(&both, text, strlen(text));
            jw_key(j, "text");
            jw_text_n(j, both.data ? both.data : "", both.n);
            x->out.failed |= both.failed;
            free(both.data);
        } else {
            jw_set_text(j, "text", text);
        }
        write_logprobs(j, x, w, i, &news);
        write_finish(j, finish_name(one->written.finish));
        job_news_clear(&news);
    }
    jw_close(j, ']');
    write_usage(j, x, w);
    jw_close(j, '}');
}

/* --------------------------------------------------------------------------------------------------------------- stream */

static void begin_chunk(json_writer *j, const exchange *x, const writing *w, int choice)
{
    write_head(j, x, w, true);
    jw_open(j, '{');
    jw_set_int(j, "index", choice);
}

static void end_chunk(exchange *x, json_writer *j, const writing *w)
{
    jw_close(j, ']');
    if (w->usage) {
        jw_key(j, "usage");
        jw_null(j);
    }
    jw_close(j, '}');
    event_end(x);
}

static void send_role(exchange *x, writing *w, int choice)
{
    json_writer j = event_begin(x);
    begin_chunk(&j, x, w, choice);
    if (w->chat) {
        jw_key(&j, "delta");
        jw_open(&j, '{');
        jw_set_text(&j, "role", "assistant");
        jw_set_text(&j, "content", "");
        jw_close(&j, '}');
    } else {
        jw_set_text(&j, "text", w->echoed[choice]);
    }
    jw_key(&j, "logprobs");
    jw_null(&j);
    write_finish(&j, NULL);
    end_chunk(x, &j, w);
}

static void send_text(exchange *x, writing *w, int choice, const job_news *news)
{
    json_writer j = event_begin(x);
    begin_chunk(&j, x, w, choice);
    if (w->chat) {
        jw_key(&j, "delta");
        jw_open(&j, '{');
        jw_key(&j, "content");
        jw_text_n(&j, news->text ? news->text : "", news->n_text);
        jw_close(&j, '}');
    } else {
        jw_key(&j, "text");
        jw_text_n(&j, news->text ? news->text : "", news->n_text);
    }
    write_logprobs(&j, x, w, choice, news);
    write_finish(&j, NULL);
    end_chunk(x, &j, w);
}

static void send_finish(exchange *x, writing *w, int choice)
{
    json_writer j = event_begin(x);
    begin_chunk(&j, x, w, choice);
    if (w->chat) {
        jw_key(&j, "delta");
        jw_open(&j, '{');
        jw_close(&j, '}');
    } else {
        jw_set_text(&j, "text", "");
    }
    jw_key(&j, "logprobs");
    jw_null(&j);
    write_finish(&j, finish_name(x->order.jobs[choice].written.finish));
    end_chunk(x, &j, w);
}

/* A stream_fn. */
static bool write_events(exchange *x)
{
    writing *w = x->state;
    if (!stream_news(x)) return false;
    for (int i = 0; i < w->n_choices; i++) {
        job_news news;
        if (w->ended[i]) continue;
        job_take_news(&news, &x->order.jobs[i]);
        const bool told = news.n_text || (w->logprobs && news.n_tokens);
        if (!w->began[i] && (told || news.over) && (w->chat || w->echoed[i])) send_role(x, w, i);
        w->began[i] |= told || news.over;
        if (told) send_text(x, w, i, &news);
        w->ended[i] = news.over;
        w->n_ended += news.over;
        job_news_clear(&news);
        if (!w->ended[i]) continue;
        if (x->order.jobs[i].status) {
            fail_job(x, x->order.jobs[i].status, &x->order.jobs[i].error);
            return false;
        }
        send_finish(x, w, i);
    }
    if (w->n_ended < w->n_choices) return true;
    if (w->usage) {
        json_writer j = event_begin(x);
        write_head(&j, x, w, true);
        jw_close(&j, ']');
        write_usage(&j, x, w);
        jw_close(&j, '}');
        event_end(x);
    }
    event_done(x);
    return false;
}

/* -------------------------------------------------------------------------------------------------------------- requests */

/* What is not done here must not be overlooked: the answer would not be what was asked. */
static void refuse_unsupported(exchange *x)
{
    static const char *const others[] = { "tools",          "functions",   "logit_bias",   "grammar",
                                          "json_schema",    "guided_json", "guided_regex", "guided_choice",
                                          "guided_grammar", "audio",       "min_tokens" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const json_t *value = get(x->in, others[i]);
        if (json_array_size(value) || json_object_size(value) || json_string_length(value) || json_number_value(value) != 0)
            fail_request(x, 400, others[i], "unsupported", "'%s' is not supported by this server", others[i]);
    }
    const json_t *modalities = get(x->in, "modalities"), *modality;
    size_t k;
    json_array_foreach(modalities, k, modality)
    {
        if (!json_is_string(modality) || strcmp(json_string_value(modality), "text") != 0)
            fail_request(x, 400, "modalities", "unsupported", "'modalities' other than text are not supported by this server");
    }
    const json_t *format = get(x->in, "response_format");
    const char *type = json_string_value(json_object_get(format, "type"));
    if (format && (!type || strcmp(type, "text") != 0))
        fail_request(x, 400, "response_format", "unsupported", "'response_format' other than text is not supported by this server");
    if (get(x->in, "suffix") && *get_text(x, x->in, "suffix", ""))
        fail_request(x, 400, "suffix", "unsupported", "'suffix' is not supported by this server");
    if (get_int(x, x->in, "best_of", 1, 1000, 1) > get_int(x, x->in, "n", 1, MAX_CHOICES, 1))
        fail_request(x, 400, "best_of", "unsupported", "'best_of' larger than 'n' is not supported by this server");
}

static void read_shape(exchange *x, writing *w)
{
    const json_t *stream_options = get_object(x, x->in, "stream_options");
    w->usage = get_bool(x, stream_options, "include_usage", false);
    w->n = (int)get_int(x, x->in, "n", 1, MAX_CHOICES, 1);
    w->created = (int64_t)time(NULL);
    new_id(w->id, w->chat ? "chatcmpl" : "cmpl");
    if (w->chat) {
        w->logprobs = get_bool(x, x->in, "logprobs", false);
        w->n_top = (int)get_int(x, x->in, "top_logprobs", 0, MAX_TOP, 0);
        if (w->n_top && !w->logprobs) fail_request(x, 400, "top_logprobs", NULL, "'top_logprobs' needs 'logprobs': true");
    } else {
        w->logprobs = get(x->in, "logprobs") != NULL;
        w->n_top = (int)get_int(x, x->in, "logprobs", 0, MAX_TOP, 0);
        w->echo = get_bool(x, x->in, "echo", false);
        if (w->echo && w->logprobs)
            fail_request(x, 400, "echo", "unsupported", "'echo' with 'logprobs' (of the prompt) is not supported by this server");
    }
    refuse_unsupported(x);
}

/* The jobs of all prompts: ids[i] of n_ids[i] tokens, and the answer at once or as a stream. */
static void write_prompts(exchange *x, writing *w, const int32_t *const *ids, const int *n_ids, int n_prompts,
                          const trine_generate_options *options)
{
    const bool stream = get_bool(x, x->in, "stream", false);
    const int most_top = x->on->info->vocab < w->n_top ? x->on->info->vocab : w->n_top;
    if (x->failed) return;
    w->n_choices = w->n * n_prompts;
    w->n_top = most_top;
    if (!order_open(&x->order, x->engine, w->n_choices)) {
        fail_no_memory(x);
        return;
    }
    for (int i = 0; i < w->n_choices; i++) {
        job *j = &x->order.jobs[i];
        j->on = x->on;
        j->kind = JOB_WRITE;
        j->streamed = stream;
        j->wants_tokens = w->logprobs;
        j->text_options.generate = *options;
        j->text_options.generate.seed += (uint64_t)(i % w->n);
        j->text_options.generate.ids = ids[i / w->n];
        j->text_options.generate.n_ids = n_ids[i / w->n];
        j->text_options.generate.n_top = w->logprobs ? w->n_top : 0;
    }
    if (!run_order(x, !stream)) return;
    if (stream)
        x->stream = write_events;
    else
        write_whole(x);
}

/* A message's text: a string, or parts that are text. */
static const char *read_content(exchange *x, const json_t *message)
{
    const json_t *content = get(message, "content"), *part;
    size_t i, n = 0;
    if (json_is_string(content)) return json_string_value(content);
    if (!json_array_size(content)) {
        fail_request(x, 400, "messages", NULL, "a message's 'content' must be a text, or parts of type text");
        return "";
    }
    json_array_foreach(content, i, part) n += json_string_length(json_object_get(part, "text")) + 1;
    char *all = keep_memory(x, n + 1);
    if (!all) return "";
    json_array_foreach(content, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type")),
                   *text = json_string_value(json_object_get(part, "text"));
        if (!type || strcmp(type, "text") != 0 || !text)
            fail_request(x, 400, "messages", "unsupported", "a message has a part of type '%.40s': this server takes text",
                         type ? type : "");
        else
            strcat(all, text);
    }
    return all;
}

/* The conversation through the model's template; the prompt's ids. */
static const int32_t *read_messages(exchange *x, int *n_ids, trine_generate_options *g)
{
    const json_t *messages = get(x->in, "messages");
    const size_t n = json_array_size(messages);
    trine_message *all = n ? keep_memory(x, n * sizeof *all) : NULL;
    if (!n) fail_request(x, 400, "messages", NULL, "'messages' must be a list of messages, one at least");
    for (size_t i = 0; i < n && !x->failed; i++) {
        const json_t *m = json_array_get(messages, i);
        const char *role = json_string_value(json_object_get(m, "role"));
        if (!role || (strcmp(role, "system") && strcmp(role, "developer") && strcmp(role, "user") && strcmp(role, "assistant")))
            fail_request(x, 400, "messages", NULL, "message %zu has the role '%.40s': expected system, user or assistant", i,
                         role ? role : "");
        else
            all[i] = (trine_message) { strcmp(role, "developer") == 0 ? "system" : role, read_content(x, m) };
    }
    if (x->failed) return NULL;
    const bool plain = !trine_tokenizer_chat_template(x->on->tokenizer);
    char *prompt;
    trine_error err = { 0 };
    const trine_status status =
        trine_chat_render(&prompt, x->on->tokenizer, plain ? plain_chat_template : NULL, all, (int)n, true, &err);
    if (status) {
        fail_job(x, status, &err);
        return NULL;
    }
    if (plain) {
        const char **stops = keep_memory(x, ((size_t)g->n_stop + 1) * sizeof *stops);
        if (stops && g->n_stop) memcpy(stops, g->stop, (size_t)g->n_stop * sizeof *stops);
        if (stops) stops[g->n_stop++] = plain_chat_stop;
        g->stop = stops;
    }
    const int32_t *ids = x->failed ? NULL : read_prompt(x, x->on, prompt, !plain, "messages", n_ids);
    trine_free(prompt);
    return ids;
}

void answer_chat(exchange *x)
{
    writing *w = keep_memory(x, sizeof *w);
    if (!w || !(x->on = get_model(x, TASK_CHAT))) return;
    x->state = w;
    w->chat = true;
    read_shape(x, w);
    trine_generate_options g = read_writing(x, x->in, x->on);
    g.max_tokens = (int)get_int(x, x->in, "max_tokens", 1, 1 << 24, 0);
    g.max_tokens = (int)get_int(x, x->in, "max_completion_tokens", 1, 1 << 24, g.max_tokens);
    g.no_special = true;
    int n;
    const int32_t *ids = x->failed ? NULL : read_messages(x, &n, &g);
    if (ids) write_prompts(x, w, &ids, &n, 1, &g);
}

void answer_completions(exchange *x)
{
    writing *w = keep_memory(x, sizeof *w);
    const int32_t *ids[MAX_CHOICES] = { NULL };
    int n_ids[MAX_CHOICES] = { 0 };
    if (!w || !(x->on = get_model(x, TASK_WRITE))) return;
    x->state = w;
    read_shape(x, w);
    trine_generate_options g = read_writing(x, x->in, x->on);
    g.max_tokens = (int)get_int(x, x->in, "max_tokens", 1, 1 << 24, DEFAULT_COMPLETION);
    g.continues = true;
    const json_t *prompt = get(x->in, "prompt"), *first = json_array_get(prompt, 0);
    const bool several = json_is_string(first) || json_is_array(first);
    const size_t n = several ? json_array_size(prompt) : 1;
    if (x->failed) return;
    if (!prompt || (!json_is_string(prompt) && !json_is_array(prompt)))
        fail_request(x, 400, "prompt", NULL, "'prompt' must be a text, texts, tokens, or lists of tokens");
    else if (n * (size_t)w->n > MAX_CHOICES)
        fail_request(x, 400, "prompt", NULL, "%zu prompts with n = %d are more than %d choices", n, w->n, (int)MAX_CHOICES);
    for (size_t i = 0; i < n && !x->failed; i++) {
        const json_t *one = several ? json_array_get(prompt, i) : prompt;
        if (json_is_string(one))
            ids[i] = read_prompt(x, x->on, json_string_value(one), false, "prompt", &n_ids[i]);
        else if (json_is_array(one))
            ids[i] = get_ids(x, one, "prompt", &n_ids[i]);
        else
            fail_request(x, 400, "prompt", NULL, "'prompt' holds something that is neither a text nor tokens");
        for (int k = 0; k < w->n && w->echo && !x->failed; k++) {
            if (!json_is_string(one))
                fail_request(x, 400, "echo", "unsupported", "'echo' is for prompts that are text");
            else
                w->echoed[(int)i * w->n + k] = json_string_value(one);
        }
    }
    if (!x->failed) write_prompts(x, w, ids, n_ids, (int)n, &g);
}
