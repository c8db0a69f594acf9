/* generate_command.c - trine generate: continues a prompt (decoders), or maps a source to its target (encoder-decoders). */
#include "run.h"

#include <stdlib.h>

/* The prompt as the model's chat template wants it, when --chat asks; else NULL. */
static int chat_prompt(run *r, const input *in, const char *template, char **prompt)
{
    trine_message messages[2];
    int n = 0;
    if (r->args.system) messages[n++] = (trine_message) { "system", r->args.system };
    messages[n++] = (trine_message) { "user", in->text };
    trine_error err = { 0 };
    trine_status status = trine_chat_render(prompt, r->tokenizer, template, messages, n, true, &err);
    return status ? fail_status(r, status, &err) : 0;
}

static int generate_one(run *r, const input *in, void *user)
{
    const char *template = user;
    trine_error err = { 0 };
    trine_generation g = { 0 };
    trine_generate_options options = generate_options(r, greedy_by_default(r));
    writing w;
    stream_to_output(&options, &w, r);
    options.ids = in->ids;
    options.n_ids = in->n_ids;
    char *prompt = NULL;
    if (r->args.use_chat) {
        int code = chat_prompt(r, in, template, &prompt);
        if (code) return code;
        options.no_special = true; /* the template holds them */
    }
    trine_status status = trine_generate(&g, r->session, prompt ? prompt : in->text, &options, &err);
    trine_free(prompt);
    int code = status ? generation_failed(r, &w, status, &err) : finish_generation(r, &w, &g, &options, false);
    trine_generation_clear(&g);
    return code;
}

int generate_main(run *r)
{
    char *template = NULL;
    int code = open_model(r);
    if (!code && r->args.system && !r->args.use_chat) code = fail_usage(r, "--system is part of a conversation; add --chat");
    if (!code && r->args.use_chat && r->args.tokens.n) code = fail_usage(r, "--chat takes text, not --tokens");
    if (!code && r->args.use_chat) code = chat_template(r, &template);
    if (!code) code = open_session(r, (trine_session_options) { .n_sequences = r->args.beam });
    if (!code) code = for_each_input(r, generate_one, template);
    free(template);
    return code;
}
