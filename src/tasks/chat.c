/* chat.c - a conversation as the text a model was trained on: the variables a chat template sees, and running it. */
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tasks/template.h"
#include "trine/generation.h"

static void define(tpl *t, const char *name, tpl_value v)
{
    trine_tpl_define(t, t->globals, (tpl_string) { name, strlen(name) }, v);
}

/* Text from outside, made valid UTF-8. */
static tpl_value text_value(tpl *t, const char *text)
{
    const size_t n = strlen(text);
    if (trine_utf8_valid(text, n)) return trine_tpl_borrow(text, n);
    trine_buffer b = { 0 };
    for (size_t i = 0, taken; i < n; i += taken) trine_buffer_put_utf8(&b, trine_utf8_next(&taken, text + i, n - i));
    return trine_tpl_take(t, &b);
}

/* What transformers' apply_chat_template defines: messages, tools, documents, add_generation_prompt and the special tokens. */
static void define_variables(tpl *t, const trine_tokenizer *tokenizer, const trine_message *messages, int n_messages,
                             bool add_generation_prompt)
{
    static const struct {
        const char *name;
        trine_special which;
    } special[] = {
        { "bos_token", TRINE_TOKEN_BOS },   { "eos_token", TRINE_TOKEN_EOS }, { "unk_token", TRINE_TOKEN_UNK },
        { "pad_token", TRINE_TOKEN_PAD },   { "sep_token", TRINE_TOKEN_SEP }, { "cls_token", TRINE_TOKEN_CLS },
        { "mask_token", TRINE_TOKEN_MASK },
    };
    if (!(t->globals = trine_tpl_alloc(t, sizeof *t->globals))) return;
    const tpl_value list = trine_tpl_list(t, (size_t)n_messages);
    for (int i = 0; i < n_messages && !t->failed; i++) {
        const tpl_value message = trine_tpl_dict(t, 2);
        trine_tpl_put(t, message, trine_tpl_text("role"), text_value(t, messages[i].role));
        trine_tpl_put(t, message, trine_tpl_text("content"), text_value(t, messages[i].content));
        trine_tpl_push(t, list, message);
    }
    define(t, "messages", list);
    define(t, "tools", trine_tpl_none());
    define(t, "documents", trine_tpl_none());
    define(t, "add_generation_prompt", trine_tpl_bool(add_generation_prompt));
    for (size_t i = 0; tokenizer && i < sizeof special / sizeof *special; i++) {
        const int32_t id = trine_tokenizer_special(tokenizer, special[i].which);
        const char *token = id < 0 ? NULL : trine_tokenizer_token(tokenizer, id);
        if (token) define(t, special[i].name, text_value(t, token));
    }
}

trine_status trine_chat_render(char **out, const trine_tokenizer *tokenizer, const char *jinja, const trine_message *messages,
                               int n_messages, bool add_generation_prompt, trine_error *err)
{
    *out = NULL;
    if (!jinja && tokenizer) jinja = trine_tokenizer_chat_template(tokenizer);
    if (!jinja)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND,
                          "chat: this tokenizer comes with no chat template: give one, or use the text as it is");
    if (n_messages < 0 || (n_messages && !messages)) return trine_fail(err, TRINE_ERROR_ARGUMENT, "chat: %d messages", n_messages);
    for (int i = 0; i < n_messages; i++)
        if (!messages[i].role || !messages[i].content)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "chat: message %d of %d has no %s", i + 1, n_messages,
                              messages[i].role ? "content" : "role");
    tpl t;
    trine_buffer text = { 0 };
    trine_tpl_open(&t);
    define_variables(&t, tokenizer, messages, n_messages, add_generation_prompt);
    trine_tpl_lex(&t, jinja, strlen(jinja));
    const tpl_node *statements = trine_tpl_parse(&t);
    trine_tpl_run(&t, statements, &text);
    if (!t.failed) trine_buffer_append(&text, "", 0); /* an empty result is a text too */
    if (!t.failed && !(*out = trine_buffer_take(&text))) trine_tpl_fail(&t, TRINE_ERROR_MEMORY, "memory ran out");
    const trine_status status = t.failed;
    if (status && err) *err = t.error;
    trine_buffer_clear(&text);
    trine_tpl_close(&t);
    return status;
}
