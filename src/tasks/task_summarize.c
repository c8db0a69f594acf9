/* task_summarize.c - a text in few words: "summarize: " for T5 (Raffel et al. 2020, sec. 2.4), a prompt for decoders.
 *
 * A document longer than the context is read in parts: cut at paragraphs or sentences, each part summarised, then the summaries
 * together, which may again be too long. A part's summary is held to a quarter of the room, so that every round is shorter. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "base/status.h"
#include "generate/clock.h"
#include "tasks/text_to_text.h"

enum { ROUNDS_MAX = 12 };

static const trine_request standard = { .prefix = "summarize: ",
                                        .instruction = "Summarize the following text in a few sentences.\n\n",
                                        .before = "",
                                        .after = "\n\nTL;DR:",
                                        .stop = "\n\n" };

/* What is the same for all parts of a document. */
typedef struct job {
    trine_session *s;
    trine_request request;
    const trine_generate_options *o;
    int room;               /* tokens of document one prompt may hold */
    int answer;             /* tokens kept for the answer */
    trine_generation total; /* times so far */
} job;

static trine_status count_tokens(int *out, const trine_session *s, const trine_request *r, const char *text, trine_error *err)
{
    char *prompt;
    bool no_special;
    trine_encoding e;
    trine_status status = trine_request_render(&prompt, &no_special, s, r, text, err);
    if (status) return status;
    status = trine_tokenizer_encode(&e, s->model->tokenizer, prompt, 0, &(trine_encode_options) { .no_special = no_special }, err);
    free(prompt);
    if (status) return status;
    *out = e.n;
    trine_encoding_clear(&e);
    return TRINE_OK;
}

/* How many tokens of document fit beside the instruction and the answer. */
static trine_status plan(job *j, trine_error *err)
{
    const trine_session *s = j->s;
    const bool pair = s->model->info.paradigm == TRINE_ENCODER_DECODER;
    const int ctx = pair ? s->options.source_ctx : s->options.ctx;
    int overhead;
    const trine_status status = count_tokens(&overhead, s, &j->request, "x", err);
    if (status) return status;
    const int wish = j->o->max_tokens ? j->o->max_tokens : 256;
    j->answer = pair ? trine_min_int(wish, s->options.ctx) : trine_min_int(wish, ctx / 4);
    j->room = ctx - overhead - (pair ? 0 : j->answer);
    if (j->room < 16)
        return trine_fail(err, TRINE_ERROR_TOO_LONG,
                          "summarize: a context of %d tokens leaves %d for the text beside the instruction (%d) and the answer "
                          "(%d): open a larger one",
                          ctx, trine_max_int(j->room, 0), overhead, pair ? 0 : j->answer);
    return TRINE_OK;
}

static trine_status run(trine_generation *out, job *j, const char *text, const trine_generate_options *o, trine_error *err)
{
    const trine_status status = trine_request_run(out, j->s, &j->request, text, o, err);
    j->total.prompt_ms += out->prompt_ms;
    j->total.decode_ms += out->decode_ms;
    return status;
}

/* Bytes from `at` on that a part may have, by its tokens from `first` on. Tokens that stand for bytes of what the vocabulary does not know
 * have one span, of the whole run: inside it no token is longer than a byte. */
static size_t most_bytes(const job *j, const trine_encoding *e, size_t at, size_t n, int first)
{
    const size_t end = j->room < e->n - first ? e->spans[first + j->room].start : n, room = (size_t)j->room;
    return end > at ? end - at : room < n - at ? room : n - at;
}

/* One part: as much of text as fits, its length in *used; its summary goes to `summaries`. */
static trine_status summarize_part(size_t *used, trine_buffer *summaries, bool *stopped, job *j, const char *text,
                                   const trine_encoding *e, size_t at, int first, trine_error *err)
{
    const size_t n = strlen(text);
    size_t limit = most_bytes(j, e, at, n, first);
    char *piece = NULL;
    for (;;) { /* tokens of a piece alone may be a few more than its share of the whole text's */
        *used = trine_cut_text(text + at, n - at, limit);
        free(piece);
        piece = strndup(text + at, *used);
        int count;
        if (!piece) return trine_fail(err, TRINE_ERROR_MEMORY, "summarize: no memory for a part");
        const trine_status status = count_tokens(&count, j->s, &j->request, piece, err);
        if (status) {
            free(piece);
            return status;
        }
        const int ctx =
            j->s->model->info.paradigm == TRINE_ENCODER_DECODER ? j->s->options.source_ctx : j->s->options.ctx - j->answer;
        if (count <= ctx || limit <= 1) break;
        const size_t share = *used * (size_t)ctx / (size_t)count, less = share - share / 32;
        limit = less < 1 ? 1 : less < limit ? less : limit - 1;
    }
    trine_generation g = { 0 };
    trine_generate_options o = *j->o;
    o.on_text = NULL;
    o.sequence = NULL;
    o.max_tokens = trine_max_int(1, trine_min_int(j->answer, j->room / 4));
    trine_status status = TRINE_OK;
    if (strspn(piece, " \t\r\n") < *used) status = run(&g, j, piece, &o, err);
    if (!status && g.text) {
        if (summaries->n) trine_buffer_puts(summaries, "\n");
        trine_buffer_puts(summaries, g.text);
        if (summaries->failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "summarize: no memory for the summaries");
    }
    *stopped = g.finish == TRINE_FINISH_CANCELLED;
    trine_generation_clear(&g);
    free(piece);
    return status;
}

/* All parts of a text that has e->n tokens. */
static trine_status summarize_parts(char **out, int *n_parts, bool *stopped, job *j, const char *text, const trine_encoding *e,
                                    trine_error *err)
{
    trine_buffer summaries = { 0 };
    trine_status status = TRINE_OK;
    const size_t n = strlen(text);
    int first = 0;
    *n_parts = 0;
    for (size_t at = 0, used; at < n && !status && !*stopped; at += used) {
        while (first < e->n && (e->special[first] || e->spans[first].end <= at)) first++;
        status = summarize_part(&used, &summaries, stopped, j, text, e, at, first, err);
        ++*n_parts;
    }
    if (!status && !*stopped && !summaries.n)
        status = trine_fail(err, TRINE_ERROR_EMPTY, "summarize: the model had nothing to say about any of %d parts", *n_parts);
    if (status || *stopped) {
        trine_buffer_clear(&summaries);
        return status;
    }
    *out = trine_buffer_take(&summaries);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "summarize: no memory for the summaries");
}

static trine_status summarize(trine_generation *out, job *j, const char *text, bool whole, trine_error *err)
{
    char *own = NULL;
    bool stopped = false;
    int n_parts = 1;
    trine_status status = TRINE_OK;
    for (int round = 0; !status; round++) {
        trine_encoding e;
        status = trine_tokenizer_encode(&e, j->s->model->tokenizer, text, 0, &(trine_encode_options) { .no_special = true }, err);
        if (status) break;
        if (e.n <= j->room) {
            trine_encoding_clear(&e);
            status = run(out, j, text, j->o, err);
            break;
        }
        char *shorter = NULL;
        int n = 0;
        if (whole)
            status = trine_fail(err, TRINE_ERROR_TOO_LONG,
                                "summarize: the text has %d tokens, and %d fit beside the instruction and the answer: leave out "
                                "--whole to read it in parts",
                                e.n, j->room);
        else if (round == ROUNDS_MAX)
            status = trine_fail(err, TRINE_ERROR_TOO_LONG, "summarize: after %d rounds the summaries are still too long", round);
        else
            status = summarize_parts(&shorter, &n, &stopped, j, text, &e, err);
        trine_encoding_clear(&e);
        if (round == 0) n_parts = n;
        free(own);
        text = own = shorter;
        if (stopped) break;
    }
    free(own);
    out->n_parts = n_parts;
    if (stopped) {
        out->finish = TRINE_FINISH_CANCELLED;
        if (!status && !(out->text = calloc(1, 1))) status = trine_fail(err, TRINE_ERROR_MEMORY, "summarize: no memory");
    }
    return status;
}

/* How this model is asked for a summary. */
static trine_status make_request(trine_request *out, const trine_session *s, const trine_text_options *o, trine_error *err)
{
    *out = standard;
    const char *own = trine_config_prefix(s, "summarization");
    if (own) out->prefix = own;
    if (o->prefix) *out = (trine_request) { .prefix = o->prefix, .instruction = o->prefix, .before = o->prefix, .after = "\n" };
    return trine_request_check(s, "summarize", err);
}

static trine_status check_text(const trine_session *s, const char *text, trine_error *err)
{
    if (!text || !text[strspn(text, " \t\r\n")]) return trine_fail(err, TRINE_ERROR_EMPTY, "summarize: the text is empty");
    if (!s->model->tokenizer)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "summarize: there is no tokenizer beside %s: give ids in place of text",
                          s->model->info.path);
    return TRINE_OK;
}

trine_status trine_summarize(trine_generation *out, trine_session *s, const char *text, const trine_text_options *options,
                             trine_error *err)
{
    static const trine_text_options defaults = { 0 };
    const trine_text_options *o = options ? options : &defaults;
    if (out) *out = (trine_generation) { 0 };
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "summarize: no %s", s ? "result" : "session");
    job j = { .s = s, .o = &o->generate };
    trine_status status = make_request(&j.request, s, o, err);
    if (status) return status;
    if (o->generate.ids) {
        status = trine_request_run(out, s, &j.request, NULL, &o->generate, err);
        out->n_parts = status ? 0 : 1;
        return status;
    }
    if ((status = check_text(s, text, err))) return status;
    const double start = trine_clock_ms();
    status = plan(&j, err);
    if (!status) status = summarize(out, &j, text, o->whole, err);
    if (status) {
        trine_generation_clear(out);
        return status;
    }
    if (out->n_parts > 1) { /* times are of all parts; the first token of the answer came after them */
        const double last_first = out->first_ms, last_decode = out->decode_ms;
        out->prompt_ms = j.total.prompt_ms;
        out->decode_ms = j.total.decode_ms;
        out->first_ms = last_first > 0 ? trine_clock_ms() - start - last_decode : 0;
    }
    return TRINE_OK;
}

trine_status trine_generator_summarize(trine_generator *generator, int64_t id, const char *text, const trine_text_options *options,
                                       trine_error *err)
{
    static const trine_text_options defaults = { 0 };
    const trine_text_options *o = options ? options : &defaults;
    job j = { .s = trine_generator_session(generator), .o = &o->generate };
    trine_status status = make_request(&j.request, j.s, o, err);
    if (status || o->generate.ids) return status ? status : trine_request_put(generator, id, &j.request, NULL, j.o, err);
    int n = 0;
    status = check_text(j.s, text, err);
    if (!status) status = plan(&j, err);
    if (!status) status = count_tokens(&n, j.s, &j.request, text, err);
    const trine_session_options *s = &j.s->options;
    const int most = j.s->model->info.paradigm == TRINE_ENCODER_DECODER ? s->source_ctx : s->ctx - j.answer;
    if (!status && n > most)
        status =
            trine_fail(err, TRINE_ERROR_TOO_LONG,
                       "summarize: the text has %d tokens with its instruction, and %d fit beside the answer: it must be read in "
                       "parts",
                       n, most);
    return status ? status : trine_request_put(generator, id, &j.request, text, j.o, err);
}
