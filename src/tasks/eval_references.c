/* eval_references.c - two encoder-decoders on the same references: each reads the source, then the reference is put into the decoder
 * (teacher forcing), so that both give a distribution for the same token after the same tokens. What they write themselves is
 * measured by eval_text.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "tasks/eval.h"
#include "tasks/text_to_text.h"

typedef struct measure {
    trine_eval_task task;
    trine_beside *beside;
    double loss;
    int64_t n;
} measure;

static trine_status make_prompt(char **out, const measure *m, const trine_session *s, const char *source,
                                const trine_eval_options *o, trine_error *err)
{
    const trine_text_options options = { .prefix = o->prefix, .from = o->from, .to = o->to };
    trine_request request = { .prefix = o->prefix };
    trine_translate_room room;
    bool no_special;
    trine_status status = TRINE_OK;
    if (m->task == TRINE_EVAL_TRANSLATE)
        status = trine_translate_request(&request, &room, s, &options, err);
    else if (!o->prefix) {
        const char *own = trine_config_prefix(s, "summarization");
        request.prefix = own ? own : "summarize: ";
    }
    return status ? status : trine_request_render(out, &no_special, s, &request, source, err);
}

/* A sequence that has read the source, of which it takes what fits. */
static trine_status begin(trine_sequence **out, trine_session *s, const trine_encoding *source, trine_error *err)
{
    const trine_status status = trine_sequence_open(out, s, err);
    return status ? status : trine_sequence_source(*out, source->ids, trine_min_int(source->n, s->options.source_ctx), err);
}

static int rows_of(const trine_session *s) { return trine_min_int(s->options.batch_tokens, s->options.logit_rows); }

/* target[0 .. n) are the tokens to be told; the decoder reads the start token and all of them but the last. */
static trine_status score(measure *m, trine_session *s, const trine_encoding *source, int32_t *input, const int32_t *target, int n,
                          trine_error *err)
{
    trine_beside *b = m->beside;
    const int vocab = s->model->info.vocab, most = trine_min_int(rows_of(s), rows_of(b->s));
    trine_sequence *first, *second = NULL;
    trine_status status = begin(&first, s, source, err);
    if (!status) status = begin(&second, b->s, source, err);
    for (int at = 0, rows; at < n && !status; at += rows) {
        trine_mat x, y;
        rows = trine_min_int(most, n - at);
        status = trine_sequence_feed_logits(&x, first, input + at, rows, err);
        if (!status) status = trine_sequence_feed_logits(&y, second, input + at, rows, err);
        for (int i = 0; i < rows && !status; i++) {
            const size_t row = (size_t)i * (size_t)vocab;
            double loss;
            status = trine_eval_loss(&loss, s, x.data + row, vocab, target[at + i], err);
            if (!status) status = trine_beside_add(b, x.data + row, y.data + row, vocab, target[at + i], err);
            m->loss += loss;
            m->n++;
        }
    }
    trine_sequence_close(first);
    trine_sequence_close(second);
    return status;
}

static trine_status score_pair(void *user, trine_session *s, const char *text, const trine_field *references,
                               const trine_eval_options *o, trine_error *err)
{
    measure *m = user;
    const trine_tokenizer *tokenizer = s->model->tokenizer;
    const int32_t start = trine_start_token(&s->model->info);
    trine_encoding source = { 0 }, target = { 0 };
    char *prompt = NULL;
    trine_status status = make_prompt(&prompt, m, s, text, o, err);
    if (!status) status = trine_tokenizer_encode(&source, tokenizer, prompt, 0, NULL, err);
    if (!status) status = trine_tokenizer_encode(&target, tokenizer, references->items[0], 0, NULL, err);
    const int n = trine_min_int(target.n, trine_min_int(s->options.ctx, m->beside->s->options.ctx));
    int32_t *input = status || !source.n || n < 1 ? NULL : malloc((size_t)n * sizeof *input);
    if (input) {
        input[0] = start;
        memcpy(input + 1, target.ids, ((size_t)n - 1) * sizeof *input);
        status = score(m, s, &source, input, target.ids, n, err);
    } else if (!status && source.n && n > 0) {
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for %d tokens", n);
    }
    free(input);
    free(prompt);
    trine_encoding_clear(&source);
    trine_encoding_clear(&target);
    return status;
}

trine_status trine_eval_references_beside(trine_eval_result *out, trine_session *s, trine_eval_task task, trine_beside *beside,
                                          const char *path, const trine_eval_options *o, trine_error *err)
{
    measure m = { .task = task, .beside = beside };
    if (s->model->info.paradigm != TRINE_ENCODER_DECODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "compare: distributions over references are an encoder-decoder's; compare %s by lm",
                          s->model->info.family);
    const trine_status status = trine_eval_pairs(out, s, task, path, score_pair, &m, o, err);
    if (status) return status;
    if (!m.n) return trine_fail(err, TRINE_ERROR_EMPTY, "%s: the references have no tokens", path);
    out->loss = m.loss / (double)m.n;
    out->perplexity = exp(out->loss);
    out->n_tokens = m.n;
    return TRINE_OK;
}
