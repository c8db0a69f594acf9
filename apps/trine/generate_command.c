/* generate_command.c - trine generate: continues a prompt (decoders), or maps a source to its target (encoder-decoders). */
#include "run.h"

#include <stdlib.h>

/* The prompt as the model's chat template wants it, when --chat asks; else NULL. */
static trine_status chat_prompt(const run *r, const input *in, const char *template, char **prompt, trine_error *err)
{
    trine_message messages[2];
    int n = 0;
    if (r->args.system) messages[n++] = (trine_message) { "system", r->args.system };
    messages[n++] = (trine_message) { "user", in->text };
    return trine_chat_render(prompt, r->tokenizer, template, messages, n, true, err);
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
        const trine_status rendered = chat_prompt(r, in, template, &prompt, &err);
        if (rendered) return fail_status(r, rendered, &err);
        options.no_special = true; /* the template holds them */
    }
    trine_status status = trine_generate(&g, r->session, prompt ? prompt : in->text, &options, &err);
    trine_free(prompt);
    int code = status ? generation_failed(r, &w, status, &err) : finish_generation(r, &w, &g, &options, false);
    trine_generation_clear(&g);
    free(w.steps);
    return code;
}

static trine_status put_one(run *r, trine_generator *generator, int64_t id, const input *in, trine_generate_options *options,
                            void *user, trine_error *err)
{
    char *prompt = NULL;
    trine_status status = TRINE_OK;
    *options = generate_options(r, greedy_by_default(r));
    if (r->args.use_chat) status = chat_prompt(r, in, user, &prompt, err);
    options->no_special |= r->args.use_chat;
    if (!status) status = trine_generator_add(generator, id, prompt ? prompt : in->text, options, err);
    trine_free(prompt);
    return status;
}

int generate_main(run *r)
{
    char *template = NULL;
    int n_sequences, code = check_parallel(r, &n_sequences);
    if (!code && r->args.choices && (r->args.beam > 1 || r->args.parallel > 1))
        code = fail_usage(r, "--choices shows the steps of one text: not with --beam or --parallel");
    if (!code) code = open_model(r);
    if (!code && r->args.choices && !r->tokenizer)
        code = fail(r, EXIT_DATA, "%s: holds no tokenizer; --choices shows pieces", r->args.model);
    if (!code && r->args.system && !r->args.use_chat) code = fail_usage(r, "--system is part of a conversation; add --chat");
    if (!code && r->args.template_file && !r->args.use_chat) code = fail_usage(r, "--template is of a conversation; add --chat");
    if (!code && r->args.use_chat && r->args.tokens.n) code = fail_usage(r, "--chat takes text, not --tokens");
    if (!code && r->args.use_chat) code = chat_template(r, &template);
    if (!code) code = open_session(r, (trine_session_options) { .n_sequences = n_sequences });
    if (!code)
        code = r->args.parallel > 1 ? for_each_in_parallel(r, put_one, template, false) : for_each_input(r, generate_one, template);
    free(template);
    return code;
}
