/* generating.c - what generate, chat, translate and summarize share: the sampling options, the stream, the result. */
#include "choices.h"
#include "plain_chat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

bool greedy_by_default(const run *r)
{
    return r->info->paradigm == TRINE_ENCODER_DECODER || (r->command->id & (CMD_TRANSLATE | CMD_SUMMARIZE | CMD_EVAL));
}

const char *source_language(const run *r)
{
    const arguments *a = &r->args;
    return a->from ? a->from : a->to && strcmp(a->to, "en") != 0 ? "en" : NULL;
}

/* Short enough for a person to type again, and exact in every JSON reader. */
static uint64_t new_seed(void)
{
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) seed = (uint32_t)time(NULL) * 2654435761u;
    return seed;
}

/* Where the library reads 0 as "the default", what the user said is passed as the nearest number that means it. */
trine_generate_options generate_options(const run *r, bool greedy)
{
    const arguments *a = &r->args;
    trine_generate_options o = {
        .max_tokens = GIVEN(a, max_tokens)         ? a->max_tokens
                      : r->command->id == CMD_CHAT ? 0
                                                   : 512,
        .temperature = GIVEN(a, temperature) ? a->temperature
                       : greedy              ? 0.0f
                                             : 0.8f,
        .top_k = a->top_k,
        .top_p = a->top_p > 0 ? a->top_p : 1e-6f,
        .min_p = a->min_p,
        .repeat_penalty = a->repeat_penalty,
        .repeat_last_n = a->repeat_last_n,
        .presence_penalty = a->presence_penalty,
        .frequency_penalty = a->frequency_penalty,
        .stop = a->stop.items,
        .n_stop = a->stop.n,
        .beam = a->beam,
        .length_penalty = a->length_penalty != 0.0f ? a->length_penalty : 1e-30f,
        .ignore_eos = a->ignore_eos,
        .decoder_ids = a->decoder_tokens.items,
        .n_decoder_ids = a->decoder_tokens.n,
        .no_special = a->no_special,
    };
    if (a->repeat_last_n == 0) {
        o.repeat_penalty = 1.0f;
        o.presence_penalty = o.frequency_penalty = 0.0f;
    }
    bool samples = o.temperature > 0 && o.beam <= 1;
    o.seed = GIVEN(a, seed) ? a->seed : samples ? new_seed() : 0;
    return o;
}

/* A model may write anything; a terminal must not be steered by it. Pipes get the bytes as they are. */
static void put_text(run *r, const char *text, size_t bytes)
{
    if (!r->out_terminal) {
        put(r, text, bytes);
        return;
    }
    for (size_t i = 0, start = 0; i <= bytes; i++) {
        bool control = i < bytes && (((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f);
        if (i < bytes && !control) continue;
        put(r, text + start, i - start);
        if (control) put(r, "?", 1);
        start = i + 1;
    }
}

static bool on_text(void *user, const char *text, size_t bytes)
{
    writing *w = user;
    progress_end(w->run); /* the prompt is read */
    if (!w->collecting && bytes) {
        put_text(w->run, text, bytes);
        flush_output(w->run);
        w->streamed = true;
        w->last = text[bytes - 1];
    }
    return !interrupted() && !output_failed(w->run);
}

static bool on_progress(void *user, int done, int total)
{
    writing *w = user;
    if (done < total) return progress_step(w->run, done, total);
    progress_end(w->run);
    return !interrupted() && !output_failed(w->run);
}

void stream_to_output(trine_generate_options *options, writing *w, run *r)
{
    *w = (writing) { .run = r, .collecting = r->args.json || r->args.choices };
    if (r->args.choices) {
        options->on_token = on_choice;
        options->n_top = r->args.choices;
    }
    options->on_text = on_text;
    options->on_progress = on_progress;
    options->user = w;
    progress_begin(r, "reading");
}

/* Microseconds are enough. */
static void set_ms(json_writer *j, const char *key, double ms) { jw_set_real(j, key, round(ms * 1000) / 1000); }

static void write_json(run *r, const writing *w, const trine_generation *g, const trine_generate_options *options, bool with_score)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "text", g->text);
    jw_key(&j, "tokens");
    jw_open(&j, '[');
    for (int i = 0; i < g->n_tokens; i++) jw_int(&j, g->tokens[i]);
    jw_close(&j, ']');
    jw_set_text(&j, "finish_reason", trine_finish_name(g->finish));
    if (with_score || options->beam > 1) jw_set_real(&j, "score", g->score);
    if (with_score && r->command->id == CMD_SUMMARIZE) jw_set_int(&j, "parts", g->n_parts);
    if (options->temperature > 0 && options->beam <= 1) {
        jw_key(&j, "seed");
        jw_unsigned(&j, options->seed);
    }
    if (r->args.choices) write_choices(&j, w);
    jw_key(&j, "usage");
    jw_open(&j, '{');
    jw_set_int(&j, "prompt_tokens", g->n_prompt);
    jw_set_int(&j, "completion_tokens", g->n_tokens);
    jw_set_int(&j, "total_tokens", (int64_t)g->n_prompt + g->n_tokens);
    jw_close(&j, '}');
    jw_key(&j, "timings");
    jw_open(&j, '{');
    set_ms(&j, "prompt_ms", g->prompt_ms);
    set_ms(&j, "first_ms", g->first_ms);
    set_ms(&j, "decode_ms", g->decode_ms);
    set_ms(&j, "tokens_per_second", g->decode_ms > 0 && g->n_tokens > 1 ? (g->n_tokens - 1) * 1000.0 / g->decode_ms : 0);
    jw_close(&j, '}');
    jw_close(&j, '}');
    jw_end(&j);
}

static void tell_end(run *r, const trine_generation *g, const trine_generate_options *options)
{
    bool full = g->finish == TRINE_FINISH_LENGTH, by_n = options->max_tokens && g->n_tokens >= options->max_tokens;
    if (r->command->id == CMD_CHAT) { /* a conversation is not interrupted by figures; --json has them */
        if (full && by_n) note(r, "the answer was stopped after %d tokens (-n)", g->n_tokens);
        return;
    }
    char seed[48] = "", parts[64] = "";
    if (options->temperature > 0 && options->beam <= 1 && !GIVEN(&r->args, seed))
        snprintf(seed, sizeof seed, ", seed %llu", (unsigned long long)options->seed);
    if (g->n_parts > 1) snprintf(parts, sizeof parts, ", read in %d parts and then the parts together", g->n_parts);
    double rate = g->decode_ms > 0 && g->n_tokens > 1 ? (g->n_tokens - 1) * 1000.0 / g->decode_ms : 0;
    note(r, "%d tokens in%s, %d out; first after %.0f ms, then %.*f tokens/s%s%s", g->n_prompt, parts, g->n_tokens, g->first_ms,
         rate < 10 ? 1 : 0, rate, seed,
         !full  ? ""
         : by_n ? "; stopped by -n"
                : "; stopped: the context is full (-c)");
}

int finish_generation(run *r, writing *w, const trine_generation *g, const trine_generate_options *options, bool with_score)
{
    progress_end(r);
    if (w->no_memory) return fail_memory(r);
    if (r->args.json) {
        write_json(r, w, g, options, with_score);
    } else {
        if (!w->streamed && g->text) {
            put_text(r, g->text, strlen(g->text));
            w->last = g->text[0] ? g->text[strlen(g->text) - 1] : 0;
        } else if (!g->text) { /* no tokenizer: ids are all there is */
            for (int i = 0; i < g->n_tokens; i++) print(r, "%s%d", i ? "," : "", g->tokens[i]);
            w->last = 0;
        }
        if (w->last != '\n') put(r, "\n", 1);
        flush_output(r);
    }
    tell_end(r, g, options);
    return g->finish == TRINE_FINISH_CANCELLED && interrupted() ? EXIT_INTERRUPTED : 0;
}

int generation_failed(run *r, writing *w, trine_status status, const trine_error *err)
{
    progress_end(r);
    if (w->streamed && w->last != '\n') put(r, "\n", 1);
    flush_output(r);
    if (output_failed(r)) return EXIT_FAILED; /* console_close tells why */
    if (interrupted()) return EXIT_INTERRUPTED;
    return fail_status(r, status, err);
}

/* The chat template that an adapter has learnt by, in new memory; NULL: it comes with none. */
static char *adapter_template(const run *r)
{
    trine_tokenizer *tokenizer = NULL;
    char *jinja = NULL;
    if (!r->args.adapter || trine_tokenizer_open(&tokenizer, r->args.adapter, NULL)) return NULL;
    if (trine_tokenizer_chat_template(tokenizer)) jinja = strdup(trine_tokenizer_chat_template(tokenizer));
    trine_tokenizer_close(tokenizer);
    return jinja;
}

int chat_template(run *r, char **jinja)
{
    size_t bytes;
    *jinja = NULL;
    if (r->args.template_file) return read_file(r, jinja, &bytes, r->args.template_file);
    if (!r->tokenizer) return fail(r, EXIT_DATA, "%s: holds no tokenizer; a conversation needs one", r->args.model);
    if ((*jinja = adapter_template(r))) return 0;
    if (trine_tokenizer_chat_template(r->tokenizer)) return 0;
    note(r, "%s has no chat template: it was not trained for conversation. Using a plain one; --template gives another",
         base_name(r->args.model));
    *jinja = strdup(plain_chat_template);
    const char **stop = realloc(r->args.stop.items, (size_t)(r->args.stop.n + 1) * sizeof *stop);
    if (stop) r->args.stop.items = stop;
    if (!*jinja || !stop) {
        free(*jinja);
        *jinja = NULL;
        return fail_memory(r);
    }
    stop[r->args.stop.n++] = plain_chat_stop;
    return 0;
}
