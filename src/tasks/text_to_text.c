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

static void strip(char *s)
{
    size_t from = strspn(s, " \t\r\n"), n = strlen(s);
    while (n > from && strchr(" \t\r\n", s[n - 1])) n--;
    memmove(s, s + from, n - from);
    s[n - from] = 0;
}

trine_status trine_request_run(trine_generation *out, trine_session *s, const trine_request *r, const char *text,
                               const trine_generate_options *o, trine_error *err)
{
    *out = (trine_generation) { 0 };
    trine_generate_options options = *o;
    const bool decoder = s->model->info.paradigm == TRINE_DECODER;
    char *prompt = NULL;
    const char **stops = NULL;
    trine_status status = TRINE_OK;
    if (!o->ids) {
        if (!text || !*text) return trine_fail(err, TRINE_ERROR_EMPTY, "the text is empty");
        bool no_special;
        status = trine_request_render(&prompt, &no_special, s, r, text, err);
        options.no_special |= no_special;
        if (!status && decoder && !no_special && r->stop) {
            if ((stops = malloc(((size_t)o->n_stop + 1) * sizeof *stops))) {
                for (int i = 0; i < o->n_stop; i++) stops[i] = o->stop[i];
                stops[options.n_stop++] = r->stop;
                options.stop = stops;
            } else {
                status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the prompt");
            }
        }
    }
    if (!status) status = trine_generate(out, s, prompt, &options, err);
    if (!status && decoder && out->text && !o->ids) strip(out->text);
    free(prompt);
    free(stops);
    return status;
}
