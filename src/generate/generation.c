/* generation.c - from a prompt to a text: reads the prompt, chooses token after token (or searches with beams), and tells the
 * text as it appears. A decoder continues its prompt; an encoder-decoder reads it as its source and begins with a start token. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/beam.h"
#include "generate/clock.h"
#include "generate/sampler.h"
#include "generate/stream.h"

typedef struct run {
    trine_session *session;
    const trine_generate_options *o;
    trine_generation *out;
    trine_sequence *sequence;
    trine_encoding encoding; /* of a prompt given as text */
    const int32_t *prompt;   /* [out->n_prompt] */
    const int32_t *begin;    /* [n_begin] what the decoder begins with: the prompt, or start tokens */
    int n_begin;
    int32_t start; /* an encoder-decoder's start token */
    int n_ends;    /* of the session's end tokens, those that count: all or none */
    int max_new;
    trine_stream stream;
    double started;
} run;

const char *trine_finish_name(trine_finish finish)
{
    static const char *const names[] = { "eos", "stop", "length", "cancelled" };
    return (unsigned)finish < sizeof names / sizeof *names ? names[finish] : "unknown";
}

void trine_generation_clear(trine_generation *g)
{
    if (!g) return;
    free(g->text);
    free(g->tokens);
    *g = (trine_generation) { 0 };
}

static trine_status check_options(const run *r, trine_error *err)
{
    const trine_generate_options *o = r->o;
    const trine_session *s = r->session;
    const trine_model_info *info = &s->model->info;
    if (info->paradigm == TRINE_ENCODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generate: %s is an encoder: it reads text (embed, fill, classify, tag) and writes none", info->family);
    if (info->head != TRINE_HEAD_LM)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: this %s has no output layer (%s)", info->family,
                          info->architecture);
    if (o->max_tokens < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: max_tokens is %d, expected 0 (no limit) or more", o->max_tokens);
    if (o->beam < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: beam is %d, expected 0 or more", o->beam);
    if (o->n_ids < 0 || o->n_decoder_ids < 0 || (o->n_ids && !o->ids) || (o->n_decoder_ids && !o->decoder_ids))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: n_ids is %d and n_decoder_ids %d, expected as many as there are",
                          o->n_ids, o->n_decoder_ids);
    if (o->n_decoder_ids && info->paradigm == TRINE_DECODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: decoder_ids are for encoder-decoders; %s begins with its prompt",
                          info->family);
    if (o->sequence && (o->beam > 1 || info->paradigm != TRINE_DECODER || o->sequence->session != s))
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generate: a sequence to go on in is for decoders without beams, and must be of this session");
    if (o->beam > 1 && o->beam > s->options.n_sequences - s->n_open)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generate: %d beams need as many sequences; the session was opened for %d (n_sequences), and %d are open",
                          o->beam, s->options.n_sequences, s->n_open);
    return TRINE_OK;
}

/* The prompt's ids, and those the decoder begins with. */
static trine_status read_prompt(run *r, const char *text, trine_error *err)
{
    const trine_generate_options *o = r->o;
    const trine_model *m = r->session->model;
    if (o->ids) {
        r->prompt = o->ids;
        r->out->n_prompt = o->n_ids;
    } else {
        if (!text || !text[0]) return trine_fail(err, TRINE_ERROR_EMPTY, "generate: the prompt is empty");
        if (!m->tokenizer)
            return trine_fail(err, TRINE_ERROR_NOT_FOUND, "generate: there is no tokenizer beside %s: give ids in place of text",
                              m->info.path);
        const trine_encode_options encode = { .no_special = o->no_special };
        const trine_status status = trine_tokenizer_encode(&r->encoding, m->tokenizer, text, 0, &encode, err);
        if (status) return status;
        r->prompt = r->encoding.ids;
        r->out->n_prompt = r->encoding.n;
    }
    if (!r->out->n_prompt) return trine_fail(err, TRINE_ERROR_EMPTY, "generate: the prompt has no tokens");
    r->begin = r->prompt;
    r->n_begin = r->out->n_prompt;
    if (m->info.paradigm == TRINE_DECODER) return TRINE_OK;
    r->begin = o->decoder_ids;
    r->n_begin = o->n_decoder_ids;
    if (r->n_begin) return TRINE_OK;
    r->start = m->info.decoder_start >= 0 ? m->info.decoder_start : m->info.pad;
    if (r->start < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generate: this %s names no token to begin with (decoder_start_token_id): give decoder_ids",
                          m->info.family);
    r->begin = &r->start;
    r->n_begin = 1;
    return TRINE_OK;
}

static trine_status too_long(const char *what, int n, int limit, const char *option, const trine_model *m, trine_error *err)
{
    if (limit == m->info.max_tokens)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "generate: the %s has %d tokens, and %s takes at most %d: shorten it", what, n,
                          m->info.family, limit);
    return trine_fail(err, TRINE_ERROR_TOO_LONG,
                      "generate: the %s has %d tokens, and the session was opened for %d (%s): shorten it, or open a larger one",
                      what, n, limit, option);
}

/* How long the text may become. The last token need not be fed, so it may lie beyond the context. */
static trine_status plan_length(run *r, trine_error *err)
{
    const trine_session_options *s = &r->session->options;
    const trine_model *m = r->session->model;
    if (m->info.paradigm == TRINE_ENCODER_DECODER && r->out->n_prompt > s->source_ctx)
        return too_long("source", r->out->n_prompt, s->source_ctx, "source_ctx", m, err);
    if (r->n_begin > s->ctx)
        return too_long(m->info.paradigm == TRINE_DECODER ? "prompt" : "beginning of the target", r->n_begin, s->ctx, "ctx", m,
                        err);
    r->max_new = s->ctx - r->n_begin + 1;
    if (r->o->max_tokens) r->max_new = trine_min_int(r->max_new, r->o->max_tokens);
    r->out->tokens = malloc((size_t)r->max_new * sizeof *r->out->tokens);
    if (!r->out->tokens) return trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for %d tokens", r->max_new);
    return TRINE_OK;
}

/* Tokens at the beginning of the prompt that the caller's sequence holds already. The last one is fed again unless its logits
 * are still there. */
static int held_already(const run *r)
{
    const int length = trine_sequence_length(r->sequence), most = trine_min_int(length, r->n_begin);
    const int32_t *held = trine_sequence_ids(r->sequence);
    int n = 0;
    while (n < most && held[n] == r->begin[n]) n++;
    if (n == r->n_begin && (length != n || !trine_sequence_logits(r->sequence))) n--;
    return n;
}

/* Reads the prompt: logits of what comes next are there afterwards. *go_on: on_progress did not stop. */
static trine_status prefill(run *r, bool *go_on, trine_error *err)
{
    const trine_session_options *s = &r->session->options;
    trine_status status = TRINE_OK;
    int done = 0;
    *go_on = true;
    if (r->o->sequence) {
        r->sequence = r->o->sequence;
        done = held_already(r);
        status = trine_sequence_truncate(r->sequence, done, err);
    } else {
        status = trine_sequence_open(&r->sequence, r->session, err);
    }
    if (!status && r->sequence->cross) status = trine_sequence_source(r->sequence, r->prompt, r->out->n_prompt, err);
    /* In parts of a pass each, to tell how far it is; but not where tokens of different parts would see each other. */
    const bool parts = r->o->on_progress && (s->mask == TRINE_MASK_DEFAULT || s->mask == TRINE_MASK_CAUSAL);
    while (!status && *go_on && done < r->n_begin) {
        const int n = parts ? trine_min_int(r->n_begin - done, s->batch_tokens) : r->n_begin - done;
        status = trine_sequence_feed(r->sequence, r->begin + done, n, err);
        done += n;
        if (!status && r->o->on_progress) *go_on = r->o->on_progress(r->o->user, done, r->n_begin);
    }
    return status;
}

static bool is_end(const run *r, int32_t id)
{
    for (int i = 0; i < r->n_ends; i++)
        if (r->session->ends[i] == id) return true;
    return false;
}

/* Token after token. */
static trine_status decode(run *r, trine_sampler *sampler, trine_error *err)
{
    trine_generation *out = r->out;
    double first = r->started;
    trine_status status = TRINE_OK;
    for (int i = 0; i < r->n_begin; i++) trine_sampler_accept(sampler, r->begin[i]);
    out->finish = TRINE_FINISH_LENGTH;
    while (!status) {
        trine_choice choice;
        if ((status = trine_sampler_pick(&choice, sampler, trine_sequence_logits(r->sequence), err))) break;
        if (!out->n_tokens) first = trine_clock_ms();
        out->score += choice.log_prob;
        if (is_end(r, choice.id)) {
            out->finish = TRINE_FINISH_EOS;
            break;
        }
        out->tokens[out->n_tokens++] = choice.id;
        trine_sampler_accept(sampler, choice.id);
        if ((status = trine_stream_push(&r->stream, choice.id, err))) break;
        if (r->stream.stopped) out->finish = TRINE_FINISH_STOP;
        /* Without text nobody is asked otherwise whether to go on. */
        if (r->stream.cancelled ||
            (!r->stream.tokenizer && r->o->on_progress && !r->o->on_progress(r->o->user, r->n_begin, r->n_begin)))
            out->finish = TRINE_FINISH_CANCELLED;
        if (out->n_tokens == r->max_new || out->finish != TRINE_FINISH_LENGTH) break;
        status = trine_sequence_feed(r->sequence, &choice.id, 1, err);
    }
    out->first_ms = first - r->started;
    out->decode_ms = trine_clock_ms() - first;
    /* A sequence of the caller's holds all of the text, as far as the context goes. */
    const int n = out->n_tokens;
    if (!status && r->o->sequence && n && trine_sequence_length(r->sequence) == r->n_begin + n - 1 &&
        r->n_begin + n <= r->session->options.ctx)
        status = trine_sequence_feed(r->sequence, &out->tokens[n - 1], 1, err);
    return status;
}

static trine_status search(run *r, trine_error *err)
{
    trine_generation *out = r->out;
    const trine_beam_options options = { .n_beams = r->o->beam,
                                         .max_new = r->max_new,
                                         .length_penalty = r->o->length_penalty != 0 ? r->o->length_penalty : 1,
                                         .end = r->session->ends,
                                         .n_end = r->n_ends,
                                         .on_step = r->o->on_progress,
                                         .user = r->o->user,
                                         .prompt = r->n_begin };
    trine_beam_result found = { .tokens = out->tokens };
    trine_status status = trine_beam_search(&found, r->sequence, &options, err);
    if (status) return status;
    out->n_tokens = found.n;
    out->score = found.score;
    out->finish = found.cancelled ? TRINE_FINISH_CANCELLED : found.ended ? TRINE_FINISH_EOS : TRINE_FINISH_LENGTH;
    out->first_ms = found.first_ms - r->started;
    out->decode_ms = trine_clock_ms() - found.first_ms;
    for (int i = 0; i < found.n && !status && !r->stream.stopped && !r->stream.cancelled; i++)
        status = trine_stream_push(&r->stream, found.tokens[i], err);
    if (r->stream.stopped) out->finish = TRINE_FINISH_STOP;
    return status;
}

static trine_status run_all(run *r, const char *prompt, trine_error *err)
{
    trine_sampler *sampler = NULL;
    bool go_on;
    trine_status status;
    if ((status = check_options(r, err)) || (status = read_prompt(r, prompt, err)) || (status = plan_length(r, err))) return status;
    if ((status = trine_stream_open(&r->stream, r->session->model->tokenizer, r->o, err))) return status;
    if ((status = trine_sampler_open(&sampler, r->o, r->session->model->info.vocab, r->session->options.ctx, err))) return status;
    status = prefill(r, &go_on, err);
    r->out->prompt_ms = trine_clock_ms() - r->started;
    if (!status && !go_on)
        r->out->finish = TRINE_FINISH_CANCELLED;
    else if (!status)
        status = r->o->beam > 1 ? search(r, err) : decode(r, sampler, err);
    trine_sampler_close(sampler);
    if (status) return status;
    if ((status = trine_stream_end(&r->stream, err))) return status;
    if (r->stream.stopped && r->out->finish != TRINE_FINISH_CANCELLED) r->out->finish = TRINE_FINISH_STOP;
    if (!r->stream.tokenizer) return TRINE_OK;
    r->out->text = trine_stream_take(&r->stream);
    return r->out->text ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for the text");
}

trine_status trine_generate(trine_generation *out, trine_session *session, const char *prompt,
                            const trine_generate_options *options, trine_error *err)
{
    static const trine_generate_options defaults = { 0 };
    *out = (trine_generation) { .n_parts = 1 };
    if (!session) return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: no session");
    run r = { .session = session, .o = options ? options : &defaults, .out = out, .started = trine_clock_ms() };
    r.n_ends = r.o->ignore_eos ? 0 : session->n_ends;
    const trine_status status = run_all(&r, prompt, err);
    if (!r.o->sequence) trine_sequence_close(r.sequence);
    trine_stream_close(&r.stream);
    trine_encoding_clear(&r.encoding);
    if (status) trine_generation_clear(out);
    return status;
}
