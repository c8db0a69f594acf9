/* read_chats.c - conversations, prompts with completions, and plain texts, as JSON lines: one text a line, of which what the model is to
 * say is scored. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/data.h"
#include "train/reading.h"
#include "trine/generation.h"

enum { MESSAGES_MAX = 1024 };

/* For models that come with no template: what the command asks them by (plain_chat.h), and the end token after each answer, so that the
 * model learns to end one. The line end stands behind an expression, for transformers drops one behind a statement. */
static const char plain_template[] =
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' and eos_token is defined else '' }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

/* A text and the parts of it that are scored. */
typedef struct scored {
    trine_buffer text;
    trine_span *spans;
    int n, cap;
    bool no_special; /* the template has written the special tokens */
} scored;

static trine_status add_span(scored *s, size_t start, size_t end, trine_error *err)
{
    if (s->n == s->cap) {
        const int cap = s->cap ? 2 * s->cap : 8;
        trine_span *spans = realloc(s->spans, (size_t)cap * sizeof *spans);
        if (!spans) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory");
        s->spans = spans;
        s->cap = cap;
    }
    s->spans[s->n++] = (trine_span) { start, end };
    return TRINE_OK;
}

static void clear_scored(scored *s)
{
    trine_buffer_clear(&s->text);
    free(s->spans);
    *s = (scored) { 0 };
}

/* Rows are scored whose next token begins in one of the spans. The text's end is one of its tokens. */
static trine_status add_scored(trine_stored *out, trine_reading *r, const scored *s, trine_error *err)
{
    trine_encoding e;
    const trine_encode_options o = { .no_special = s->no_special };
    trine_status status = trine_tokenizer_encode(&e, r->tokenizer, s->text.data, s->text.n, &o, err);
    if (status) return status;
    r->n_read++;
    const size_t end = s->text.n;
    const bool ends =
        !s->no_special && s->n && s->spans[s->n - 1].end == end && r->info->eos >= 0 && (!e.n || e.ids[e.n - 1] != r->info->eos);
    int n = e.n + ends; /* tokens; all but the last are rows */
    if (n > r->seq_len + 1) {
        n = r->seq_len + 1;
        r->n_cut++;
    }
    if (n >= 2) trine_batch_add_text(&out->all, e.ids, NULL, n - 1, 0);
    int span = 0, n_out = 0;
    for (int i = 1; i < n; i++) {
        const bool last = i == e.n;                                 /* the end token that was put after it */
        const bool special = !last && e.special[i] && i == e.n - 1; /* one that the tokenizer put there */
        const size_t at = last || special ? end - 1 : e.spans[i].start;
        while (span < s->n && s->spans[span].end <= at) span++;
        if (span < s->n && at >= s->spans[span].start && (last || special || !e.special[i])) {
            trine_batch_add_out(&out->all, i - 1, last ? r->info->eos : e.ids[i], 1);
            n_out++;
        }
    }
    trine_encoding_clear(&e);
    if (out->all.failed) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the examples");
    if (n >= 2 && n_out) return TRINE_OK;
    return trine_fail(err, n > r->seq_len ? TRINE_ERROR_TOO_LONG : TRINE_ERROR_FORMAT,
                      n > r->seq_len ? "the answer lies beyond the first %d tokens: take a longer --seq-len"
                                     : "there is no answer to learn",
                      r->seq_len);
}

/* What the template makes of the messages before an answer, and with it: the difference is the answer, its end included. */
static trine_status render_chat(scored *s, trine_reading *r, const char *jinja, const json_t *messages, trine_error *err)
{
    trine_message list[MESSAGES_MAX];
    const size_t n = json_array_size(messages);
    if (n < 1 || n > MESSAGES_MAX)
        return trine_fail(err, TRINE_ERROR_FORMAT, "\"messages\" has %zu entries, expected 1 to %d", n, MESSAGES_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(messages, i);
        list[i] =
            (trine_message) { json_string_value(json_object_get(m, "role")), json_string_value(json_object_get(m, "content")) };
        if (!list[i].role || !list[i].content)
            return trine_fail(err, TRINE_ERROR_FORMAT, "message %zu has no \"%s\"", i + 1, list[i].role ? "content" : "role");
    }
    char *whole, *before, *after;
    trine_status status = trine_chat_render(&whole, r->tokenizer, jinja, list, (int)n, false, err);
    if (status) return status;
    trine_buffer_puts(&s->text, whole);
    free(whole);
    s->no_special = true;
    for (size_t i = 0; i < n && !status; i++) {
        if (strcmp(list[i].role, "assistant")) continue;
        status = trine_chat_render(&before, r->tokenizer, jinja, list, (int)i, true, err);
        if (status) break;
        status = trine_chat_render(&after, r->tokenizer, jinja, list, (int)i + 1, false, err);
        if (!status) {
            const size_t start = strlen(before);
            size_t end = strlen(after);
            if (s->text.failed)
                status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory");
            else if (start > end || end > s->text.n || strncmp(s->text.data, before, start) || strncmp(s->text.data, after, end))
                status = trine_fail(
                    err, TRINE_ERROR_UNSUPPORTED,
                    "the chat template writes a message otherwise when others follow it, so its answers cannot be found");
            while (end > start && strchr(" \n", after[end - 1])) end--; /* after the end mark: not the model's */
            if (!status) status = add_span(s, start, end, err);
            free(after);
        }
        free(before);
    }
    return status;
}

static trine_status read_line(trine_stored *out, trine_reading *r, const char *jinja, const json_t *line, trine_error *err)
{
    scored s = { 0 };
    trine_status status = TRINE_OK;
    const json_t *messages = json_object_get(line, "messages");
    const char *prompt = json_string_value(json_object_get(line, "prompt")),
               *text = json_string_value(json_object_get(line, "text"));
    const char *completion = json_string_value(json_object_get(line, "completion"));
    if (json_is_array(messages)) {
        status = render_chat(&s, r, jinja, messages, err);
        out->base.chat_template = jinja;
    } else if (prompt && completion) {
        trine_buffer_puts(&s.text, prompt);
        const size_t start = s.text.n;
        trine_buffer_puts(&s.text, completion);
        status = add_span(&s, start, s.text.n, err);
    } else if (text) {
        trine_buffer_puts(&s.text, text);
        status = add_span(&s, 0, s.text.n, err);
    } else {
        status =
            trine_fail(err, TRINE_ERROR_FORMAT, "expected \"messages\" (a list), or \"prompt\" and \"completion\", or \"text\"");
    }
    if (!status && s.text.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory");
    if (!status) status = s.text.n ? add_scored(out, r, &s, err) : trine_fail(err, TRINE_ERROR_FORMAT, "the text is empty");
    clear_scored(&s);
    return status;
}

static trine_status read_file(trine_stored *out, trine_reading *r, const char *jinja, const char *path, trine_error *err)
{
    char *data, *text;
    size_t n;
    trine_status status = trine_text_read(&data, &text, &n, path, err);
    if (status) return status;
    const char *end = text + n;
    int64_t n_lines = 0;
    for (int number = 1; text < end && !status; number++) {
        char *stop = memchr(text, '\n', (size_t)(end - text));
        const size_t length = (size_t)((stop ? stop : end) - text);
        if (strspn(text, " \t\r") < length) {
            json_error_t error;
            json_t *line = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
            status = json_is_object(line) ? read_line(out, r, jinja, line, err)
                                          : trine_fail(err, TRINE_ERROR_FORMAT, "not a JSON object on one line (%.100s)",
                                                       line ? "a value of another kind" : error.text);
            if (status) trine_fail_in(err, status, "%s, line %d", path, number);
            json_decref(line);
            n_lines++;
        }
        text += length + 1;
    }
    free(data);
    if (!status && !n_lines) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there are no examples", path);
    return status;
}

trine_status trine_read_chats(trine_stored *out, trine_reading *r, const trine_train_part *part, trine_error *err)
{
    trine_names files;
    const char *jinja = part->chat_template;
    if (!jinja && !trine_tokenizer_chat_template(r->tokenizer)) jinja = plain_template;
    trine_status status = trine_files_list(&files, part->paths, part->n_paths, err);
    for (int i = 0; i < files.n && !status; i++) status = read_file(out, r, jinja, files.items[i], err);
    trine_names_clear(&files);
    return status;
}
