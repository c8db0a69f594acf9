/* tokenizer_command.c - trine tokenizer: a vocabulary trained on text, and how well it packs. */
#include "json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "mask=<mask>" of --special, or a token alone. The roles are static, the tokens those of the command line; *out is new memory. */
static int read_specials(run *r, trine_special_token **out)
{
    static const char *const roles[] = { "bos", "eos", "pad", "unk", "cls", "sep", "mask" };
    const text_list *list = &r->args.specials;
    trine_special_token *all = *out = calloc((size_t)list->n + 1, sizeof *all);
    if (!all) return fail_memory(r);
    for (int i = 0; i < list->n; i++) {
        all[i].text = list->items[i];
        for (size_t k = 0; k < sizeof roles / sizeof *roles; k++) {
            const size_t n = strlen(roles[k]);
            if (!strncmp(list->items[i], roles[k], n) && list->items[i][n] == '=')
                all[i] = (trine_special_token) { list->items[i] + n + 1, roles[k] };
        }
        if (!*all[i].text) return fail_usage(r, "--special takes ROLE=TOKEN, such as mask=<mask>, not '%s'", list->items[i]);
    }
    return 0;
}

static double share(int64_t tokens, int64_t bytes) { return bytes ? (double)tokens / (double)bytes : 0; }

static void write_json(run *r, const trine_tokenizer_train_result *t)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "out", r->args.out);
    jw_set_text(&j, "algorithm", t->algorithm);
    jw_set_int(&j, "vocab", t->vocab);
    jw_set_int(&j, "files", t->n_files);
    jw_set_int(&j, "bytes", t->n_bytes);
    jw_set_int(&j, "words", t->n_words);
    jw_set_int(&j, "different_words", t->n_different_words);
    jw_set_int(&j, "tokens", t->n_tokens);
    jw_set_real(&j, "tokens_per_byte", share(t->n_tokens, t->n_bytes));
    if (r->args.held_out.n) {
        jw_key(&j, "held_out");
        jw_open(&j, '{');
        jw_set_int(&j, "bytes", t->held_out_bytes);
        jw_set_int(&j, "tokens", t->held_out_tokens);
        jw_set_real(&j, "tokens_per_byte", share(t->held_out_tokens, t->held_out_bytes));
        jw_close(&j, '}');
    }
    jw_set_real(&j, "seconds", t->seconds);
    jw_close(&j, '}');
    jw_end(&j);
}

static void print_packing(run *r, const char *what, int64_t bytes, int64_t tokens)
{
    char size[32];
    print(r, "%-9s %9s in %lld tokens, %.3f bytes a token\n", what, show_bytes(size, (double)bytes), (long long)tokens,
          tokens ? (double)bytes / (double)tokens : 0);
}

static int train(run *r, trine_tokenizer_train_result *result, const trine_special_token *specials)
{
    static const char *const types[] = { "bert", "gpt2", "llama", "t5" }, *const algorithms[] = { "wordpiece", "bpe", "unigram" };
    static const char *const forms[] = { "none", "nfc", "nfkc" };
    const arguments *a = &r->args;
    const trine_tokenizer_train_options options = {
        .type = types[a->tokenizer_type],
        .algorithm = GIVEN(a, algorithm) ? algorithms[a->algorithm] : NULL,
        .vocab = a->vocab,
        .specials = specials,
        .n_specials = a->specials.n,
        .n_sentinels = !GIVEN(a, sentinels) ? 0
                       : a->sentinels       ? a->sentinels
                                            : -1,
        .words = a->added.items,
        .n_words = a->added.n,
        .single = a->single,
        .pair = a->pair_template,
        .normalization = GIVEN(a, normalization) ? forms[a->normalization] : NULL,
        .lowercase = !GIVEN(a, letter_case) ? 0
                     : a->letter_case       ? 1
                                            : -1,
        .digits = a->digits,
        .byte_fallback = a->byte_fallback,
        .coverage = a->coverage,
        .min_count = a->min_count,
        .max_piece = a->max_piece,
        .max_seeds = a->seed_pieces,
        .column = a->column,
        .lines = a->lines,
        .held_out = a->held_out.items,
        .n_held_out = a->held_out.n,
        .overwrite = a->overwrite,
        .n_threads = a->threads,
        .on_progress = progress_step,
        .user = r,
    };
    trine_error err = { 0 };
    progress_begin(r, "training");
    const trine_status status = trine_tokenizer_train(result, a->out, a->rest.items, a->rest.n, &options, &err);
    progress_end(r);
    return status ? fail_status(r, status, &err) : 0;
}

/* There must be a place for the output, and nothing in it: before the work. */
static int check_output(run *r)
{
    const arguments *a = &r->args;
    if (!a->out) return fail_usage(r, "no output: expected -o DIRECTORY");
    const int code = check_folder_of(r, a->out);
    if (code || a->overwrite) return code;
    const size_t size = strlen(a->out) + sizeof "/tokenizer.json";
    char *path = malloc(size);
    if (!path) return fail_memory(r);
    snprintf(path, size, "%s/tokenizer.json", a->out);
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there ? fail(r, EXIT_FAILED, "%s: has a tokenizer already; --overwrite replaces it", a->out) : 0;
}

int tokenizer_main(run *r)
{
    trine_tokenizer_train_result result = { 0 };
    trine_special_token *specials = NULL;
    int code = check_output(r);
    if (!code) code = read_specials(r, &specials);
    if (!code) code = train(r, &result, specials);
    free(specials);
    if (code) return code;
    if (result.vocab < r->args.vocab)
        note(r, "only %d tokens, not %d: the texts have no more pieces that repeat", result.vocab, r->args.vocab);
    if (r->args.json) {
        write_json(r, &result);
        return EXIT_DONE;
    }
    print(r, "%s: %s, %d tokens, from %lld words (%lld different) in %.1f s\n", r->args.out, result.algorithm, result.vocab,
          (long long)result.n_words, (long long)result.n_different_words, result.seconds);
    print_packing(r, "trained", result.n_bytes, result.n_tokens);
    if (r->args.held_out.n) print_packing(r, "held out", result.held_out_bytes, result.held_out_tokens);
    return EXIT_DONE;
}
