/* text_to_text.c - one request in the three ways models take it (see text_to_text.h), and running it. */
#include "tasks/text_to_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

trine_status trine_request_check(const trine_session *s, const char *task, trine_error *err)
{
    if (s->model->info.head == TRINE_HEAD_LM && s->model->info.paradigm != TRINE_ENCODER) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT,
                      "%s: this model (%s) writes no text: a decoder or an encoder-decoder with a language-model head does", task,
                      s->model->info.family);
}

const char *trine_config_prefix(const trine_session *s, const char *task)
{
    const json_t *tasks = json_object_get(trine_checkpoint_config(s->model->checkpoint), "task_specific_params");
    return json_string_value(json_object_get(json_object_get(tasks, task), "prefix"));
}

static trine_status take(char **out, trine_buffer *b, trine_error *err)
{
    *out = trine_buffer_take(b);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the prompt");
}

trine_status trine_request_render(char **out, bool *no_special, const trine_session *s, const trine_request *r, const char *text,
                                  trine_error *err)
{
    const trine_tokenizer *tokenizer = s->model->tokenizer;
    trine_buffer b = { 0 };
    *out = NULL;
    *no_special = false;
    if (s->model->info.paradigm == TRINE_ENCODER_DECODER) {
        trine_buffer_puts(&b, r->prefix);
        trine_buffer_puts(&b, text);
        return take(out, &b, err);
    }
    if (!tokenizer || !trine_tokenizer_chat_template(tokenizer)) {
        trine_buffer_puts(&b, r->before);
        trine_buffer_puts(&b, text);
        trine_buffer_puts(&b, r->after);
        return take(out, &b, err);
    }
    char *content;
    trine_buffer_puts(&b, r->instruction);
    trine_buffer_puts(&b, text);
    trine_status status = take(&content, &b, err);
    if (status) return status;
    const trine_message message = { "user", content };
    *no_special = true; /* the template writes them */
    status = trine_chat_render(out, tokenizer, NULL, &message, 1, true, err);
    free(content);
    return status;
}

/* A request as a generation: the prompt, and the options with its stop text. */
typedef struct ready {
    char *prompt;
    const char **stops;
    trine_generate_options options;
    bool strip; /* a decoder's answer loses the blanks around it */
} ready;

static trine_status make_ready(ready *out, const trine_session *s, const trine_request *r, const char *text,
                               const trine_generate_options *o, trine_error *err)
{
    const bool decoder = s->model->info.paradigm == TRINE_DECODER;
    bool no_special;
    *out = (ready) { .options = *o, .strip = decoder && !o->ids };
    if (o->ids) return TRINE_OK;
    if (!text || !*text) return trine_fail(err, TRINE_ERROR_EMPTY, "the text is empty");
    const trine_status status = trine_request_render(&out->prompt, &no_special, s, r, text, err);
    out->options.no_special |= no_special;
    if (status || !decoder || no_special || !r->stop) return status;
    out->stops = malloc(((size_t)o->n_stop + 1) * sizeof *out->stops);
    if (!out->stops) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the prompt");
    for (int i = 0; i < o->n_stop; i++) out->stops[i] = o->stop[i];
    out->stops[out->options.n_stop++] = r->stop;
    out->options.stop = out->stops;
    return TRINE_OK;
}

static void clear_ready(ready *r)
{
    free(r->prompt);
    free(r->stops);
}

trine_status trine_request_run(trine_generation *out, trine_session *s, const trine_request *r, const char *text,
                               const trine_generate_options *o, trine_error *err)
{
    ready g;
    *out = (trine_generation) { 0 };
    trine_status status = make_ready(&g, s, r, text, o, err);
    if (!status) status = trine_generate(out, s, g.prompt, &g.options, err);
    if (!status && g.strip && out->text) trine_strip_blanks(out->text);
    clear_ready(&g);
    return status;
}

trine_status trine_request_put(trine_generator *generator, int64_t id, const trine_request *r, const char *text,
                               const trine_generate_options *o, trine_error *err)
{
    ready g;
    trine_status status = make_ready(&g, trine_generator_session(generator), r, text, o, err);
    if (!status) status = trine_generator_put(generator, id, g.prompt, &g.options, g.strip, err);
    clear_ready(&g);
    return status;
}
