/* corpus_command.c - trine corpus: texts of the built-in world, its tokenizer, its grammar, and what is known of it exactly. */
#include "json_writer.h"

#include <string.h>

/* What a line with a tab in it holds, by kind. */
static void name_halves(const char **first, const char **second, const char *kind)
{
    const bool labelled = !strcmp(kind, "labelled");
    *first = labelled ? "label" : "source";
    *second = labelled ? "text" : "target";
}

static bool write_text(void *user, const char *text, size_t n)
{
    run *r = user;
    const char *tab = memchr(text, '\t', n);
    if (!r->args.json) {
        put(r, text, n);
        put(r, "\n", 1);
        return !output_failed(r) && !interrupted();
    }
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    if (tab) {
        const char *first, *second;
        char kind[32] = "";
        choice_name(kind, sizeof kind, CORPUS_KINDS, r->args.corpus_kind);
        name_halves(&first, &second, kind);
        jw_key(&j, first);
        jw_text_n(&j, text, (size_t)(tab - text));
        jw_key(&j, second);
        jw_text_n(&j, tab + 1, n - (size_t)(tab + 1 - text));
    } else {
        jw_key(&j, "text");
        jw_text_n(&j, text, n);
    }
    jw_close(&j, '}');
    jw_end(&j);
    return !output_failed(r) && !interrupted();
}

static int tell_facts(run *r, const char *kind)
{
    trine_corpus_text_facts f;
    trine_error err = { 0 };
    const trine_status status = trine_corpus_facts(&f, kind, &err);
    if (status) return fail_status(r, status, &err);
    if (r->args.json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_set_text(&j, "kind", kind);
        jw_set_int(&j, "vocab", f.vocab);
        jw_set_real(&j, "nats", f.nats);
        jw_set_real(&j, "tokens", f.tokens);
        jw_set_real(&j, "nats_per_token", f.nats_per_token);
        jw_set_real(&j, "perplexity", f.perplexity);
        jw_set_int(&j, "most_tokens", f.most_tokens);
        jw_close(&j, '}');
        jw_end(&j);
        return EXIT_DONE;
    }
    print(r, "kind            %s\nvocabulary      %d ids, a word each\n", kind, f.vocab);
    print(r, "a text          %.2f tokens in the mean, its end among them; %d at most\n", f.tokens, f.most_tokens);
    print(r, "entropy         %.4f nats a text, %.4f nats a token\n", f.nats, f.nats_per_token);
    print(r, "perplexity      %.4f a token, and no model that reads from the beginning has less\n", f.perplexity);
    return EXIT_DONE;
}

int corpus_main(run *r)
{
    const arguments *a = &r->args;
    char kind[32] = "";
    trine_error err = { 0 };
    trine_status status = TRINE_OK;
    choice_name(kind, sizeof kind, CORPUS_KINDS, a->corpus_kind);
    if (a->grammar && (a->json || a->facts))
        return fail_usage(r, "--grammar prints the grammar's own text: not with %s", a->json ? "--json" : "--facts");
    if (a->grammar) {
        puts_out(r, trine_corpus_grammar());
        return EXIT_DONE;
    }
    if (a->facts) return tell_facts(r, kind);
    if (a->save_tokenizer) {
        if ((status = trine_corpus_save_tokenizer(a->save_tokenizer, a->overwrite, &err))) return fail_status(r, status, &err);
        note(r, "the tokenizer of these texts is in %s", a->save_tokenizer);
        if (!GIVEN(a, count)) return EXIT_DONE;
    }
    const trine_corpus_text_options options = {
        .kind = kind, .seed = a->seed, .first = a->first, .count = a->count, .filler = a->filler
    };
    status = trine_corpus_write(&options, write_text, r, &err);
    if (status && output_failed(r)) return EXIT_FAILED; /* console_close says why */
    return status ? fail_status(r, status, &err) : EXIT_DONE;
}
