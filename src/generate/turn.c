/* turn.c - one text being written, but for the passes: what is asked is checked, a prompt becomes ids, logits become tokens, and
 * tokens text. A decoder continues its prompt; an encoder-decoder reads it as its source and begins with a start token. */
#include "generate/turn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/clock.h"

static trine_status check_options(const trine_turn *t, trine_error *err)
{
    const trine_generate_options *o = &t->o;
    const trine_session *s = t->session;
    const trine_model_info *info = &s->model->info;
    if (info->paradigm == TRINE_ENCODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generate: %s is an encoder: it reads text (embed, fill, classify, tag) and writes none", info->family);
    if (info->head != TRINE_HEAD_LM)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: this %s has no output layer (%s)", info->family,
                          info->architecture);
    if (o->max_tokens < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: max_tokens is %d, expected 0 (no limit) or more", o->max_tokens);
    if (o->n_top < 0 || o->n_top > info->vocab)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: n_top is %d, expected 0 to the vocabulary's %d", o->n_top,
                          info->vocab);
    if (isnan(o->length_penalty)) return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: length_penalty is not a number");
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
static trine_status read_prompt(trine_turn *t, const char *text, trine_error *err)
{
    const trine_generate_options *o = &t->o;
    const trine_model *m = t->session->model;
    if (o->ids) {
        t->prompt = o->ids;
        t->out.n_prompt = o->n_ids;
    } else {
        if (!text || !text[0]) return trine_fail(err, TRINE_ERROR_EMPTY, "generate: the prompt is empty");
        if (!m->tokenizer)
            return trine_fail(err, TRINE_ERROR_NOT_FOUND, "generate: there is no tokenizer beside %s: give ids in place of text",
                              m->info.path);
        const trine_encode_options encode = { .no_special = o->no_special };
        const trine_status status = trine_tokenizer_encode(&t->encoding, m->tokenizer, text, 0, &encode, err);
        if (status) return status;
        t->prompt = t->encoding.ids;
        t->out.n_prompt = t->encoding.n;
    }
    if (!t->out.n_prompt) return trine_fail(err, TRINE_ERROR_EMPTY, "generate: the prompt has no tokens");
    t->begin = t->prompt;
    t->n_begin = t->out.n_prompt;
    if (m->info.paradigm == TRINE_DECODER) return TRINE_OK;
    t->begin = o->decoder_ids;
    t->n_begin = o->n_decoder_ids;
    if (t->n_begin) return TRINE_OK;
    t->start = trine_start_token(&m->info);
    if (t->start < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generate: this %s names no token to begin with (decoder_start_token_id): give decoder_ids",
                          m->info.family);
    t->begin = &t->start;
    t->n_begin = 1;
    return TRINE_OK;
}

static trine_status too_long(const char *what, int n, int limit, const trine_model *m, trine_error *err)
{
    if (limit == m->info.max_tokens)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "generate: the %s has %d tokens, and %s takes at most %d: shorten it", what, n,
                          m->info.family, limit);
    return trine_fail(err, TRINE_ERROR_TOO_LONG,
                      "generate: the %s has %d tokens, and the session was opened for %d: shorten it, or open a larger one", what,
                      n, limit);
}

/* How long the text may become. The last token need not be fed, so it may lie beyond the context. */
static trine_status plan_length(trine_turn *t, trine_error *err)
{
    const trine_session_options *s = &t->session->options;
    const trine_model *m = t->session->model;
    if (m->info.paradigm == TRINE_ENCODER_DECODER && t->out.n_prompt > s->source_ctx)
        return too_long("source", t->out.n_prompt, s->source_ctx, m, err);
    if (t->n_begin > s->ctx)
        return too_long(m->info.paradigm == TRINE_DECODER ? "prompt" : "beginning of the target", t->n_begin, s->ctx, m, err);
    t->max_new = s->ctx - t->n_begin + 1;
    if (t->o.max_tokens) t->max_new = trine_min_int(t->max_new, t->o.max_tokens);
    t->out.tokens = malloc((size_t)t->max_new * sizeof *t->out.tokens);
    if (!t->out.tokens) return trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for %d tokens", t->max_new);
    return TRINE_OK;
}

trine_status trine_turn_open(trine_turn *t, trine_session *session, const char *prompt, const trine_generate_options *options,
                             trine_error *err)
{
    *t = (trine_turn) { .session = session, .o = *options, .out = { .n_parts = 1 }, .started = trine_clock_ms() };
    t->n_ends = t->o.ignore_eos ? 0 : session->n_ends;
    t->out.finish = TRINE_FINISH_LENGTH;
    trine_status status = check_options(t, err);
    if (!status) status = read_prompt(t, prompt, err);
    if (!status) status = plan_length(t, err);
    if (!status) status = trine_stream_open(&t->stream, session->model->tokenizer, &t->o, err);
    if (!status && t->o.continues && session->model->info.paradigm == TRINE_DECODER)
        status = trine_stream_follow(&t->stream, t->begin, t->n_begin, err);
    if (!status)
        status =
            trine_sampler_open(&t->sampler, &t->o, &session->model->kernels, session->model->info.vocab, session->options.ctx, err);
    if (!status && t->o.on_token && t->o.n_top && !(t->top = malloc((size_t)t->o.n_top * sizeof *t->top)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for the %d likeliest tokens", t->o.n_top);
    for (int i = 0; i < t->n_begin && !status; i++) trine_sampler_accept(t->sampler, t->begin[i]);
    return status;
}

static bool is_end(const trine_turn *t, int32_t id)
{
    for (int i = 0; i < t->n_ends; i++)
        if (t->session->ends[i] == id) return true;
    return false;
}

static void tell_token(const trine_turn *t, const trine_choice *choice, const float *logits)
{
    if (!t->o.on_token) return;
    const int n = t->top ? t->o.n_top : 0;
    trine_sampler_top(t->top, n, t->sampler, choice, logits);
    t->o.on_token(t->o.user, &(trine_chosen_token) { choice->id, (float)choice->log_prob, t->top, n });
}

trine_status trine_turn_take(bool *next, trine_turn *t, const float *logits, trine_error *err)
{
    trine_generation *out = &t->out;
    trine_choice choice;
    *next = false;
    trine_status status = trine_sampler_pick(&choice, t->sampler, logits, err);
    if (status) return status;
    if (!out->n_tokens) t->first = trine_clock_ms();
    out->score += choice.log_prob;
    if (is_end(t, choice.id)) {
        out->finish = TRINE_FINISH_EOS;
        return TRINE_OK;
    }
    out->tokens[out->n_tokens++] = choice.id;
    trine_sampler_accept(t->sampler, choice.id);
    tell_token(t, &choice, logits);
    if ((status = trine_stream_push(&t->stream, choice.id, err))) return status;
    if (t->stream.stopped) out->finish = TRINE_FINISH_STOP;
    /* Without text nobody is asked otherwise whether to go on. */
    if (t->stream.cancelled || (!t->stream.tokenizer && t->o.on_progress && !t->o.on_progress(t->o.user, t->n_begin, t->n_begin)))
        out->finish = TRINE_FINISH_CANCELLED;
    *next = out->n_tokens < t->max_new && out->finish == TRINE_FINISH_LENGTH;
    return TRINE_OK;
}

trine_status trine_turn_end(trine_turn *t, trine_error *err)
{
    trine_generation *out = &t->out;
    if (t->first > 0) {
        out->first_ms = t->first - t->started;
        out->decode_ms = trine_clock_ms() - t->first;
    }
    const trine_status status = trine_stream_end(&t->stream, err);
    if (status) return status;
    if (t->stream.stopped && out->finish != TRINE_FINISH_CANCELLED) out->finish = TRINE_FINISH_STOP;
    if (!t->stream.tokenizer) return TRINE_OK;
    out->text = trine_stream_take(&t->stream);
    return out->text ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for the text");
}

void trine_turn_close(trine_turn *t)
{
    if (!t->o.sequence) trine_sequence_close(t->sequence);
    trine_sampler_close(t->sampler);
    trine_stream_close(&t->stream);
    trine_encoding_clear(&t->encoding);
    free(t->top);
    t->sequence = NULL;
    t->sampler = NULL;
    t->top = NULL;
}
