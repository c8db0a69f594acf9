/* text_to_text_command.c - trine translate and trine summarize: one text in, another out. */
#include "run.h"

static trine_text_options text_options(const run *r)
{
    return (trine_text_options) {
        .prefix = r->args.prefix,
        .from = source_language(r),
        .to = r->args.to,
        .whole = r->args.whole,
        .generate = generate_options(r, greedy_by_default(r)),
    };
}

static int write_one(run *r, const input *in, void *user)
{
    (void)user;
    trine_error err = { 0 };
    trine_generation g = { 0 };
    trine_text_options options = text_options(r);
    writing w;
    stream_to_output(&options.generate, &w, r);
    options.generate.ids = in->ids;
    options.generate.n_ids = in->n_ids;
    trine_status status = r->command->id == CMD_TRANSLATE ? trine_translate(&g, r->session, in->text, &options, &err)
                                                          : trine_summarize(&g, r->session, in->text, &options, &err);
    int code = status ? generation_failed(r, &w, status, &err) : finish_generation(r, &w, &g, &options.generate, true);
    trine_generation_clear(&g);
    return code;
}

static trine_status put_one(run *r, trine_generator *generator, int64_t id, const input *in, trine_generate_options *options,
                            void *user, trine_error *err)
{
    const trine_text_options text = text_options(r);
    (void)user;
    *options = text.generate;
    return trine_generator_translate(generator, id, in->text, &text, err);
}

static int text_to_text(run *r)
{
    int n_sequences, code = check_parallel(r, &n_sequences);
    if (!code) code = open_model(r);
    if (!code) code = open_session(r, (trine_session_options) { .n_sequences = n_sequences });
    if (code) return code;
    return r->args.parallel > 1 ? for_each_in_parallel(r, put_one, NULL, true) : for_each_input(r, write_one, NULL);
}

int translate_main(run *r) { return text_to_text(r); }
int summarize_main(run *r) { return text_to_text(r); }
