/* generate.c - decoder-only: a question goes through the model's chat template, and the answer is printed as it is made.
 *
 *     generate MODEL PROMPT
 *
 * MODEL is a directory in the Hugging Face layout or a .gguf file. A model without a chat template just goes on with the
 * prompt (Radford et al. 2019). */
#include <stdio.h>
#include <string.h>

#include <trine.h>

/* Called with whole characters only, as soon as they are certain. Returning false would stop the generation. */
static bool show(void *user, const char *text, size_t bytes)
{
    (void)user;
    fwrite(text, 1, bytes, stdout);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL PROMPT\n", argv[0]);
        return 2;
    }
    trine_model *model = NULL;
    trine_session *session = NULL;
    char *rendered = NULL;
    trine_generation result = { 0 };
    trine_error err;
    int status = 1;

    if (trine_model_open(&model, argv[1], NULL, &err)) goto fail;
    const trine_session_options memory = { .ctx = 512 }; /* the cache for 512 tokens is taken now, and nothing later */
    if (trine_session_open(&session, model, &memory, &err)) goto fail;

    const trine_tokenizer *tokenizer = trine_model_get_tokenizer(model);
    if (tokenizer && trine_tokenizer_chat_template(tokenizer)) {
        const trine_message question = { .role = "user", .content = argv[2] };
        if (trine_chat_render(&rendered, tokenizer, NULL, &question, 1, true, &err)) goto fail;
    }
    const trine_generate_options options = {
        .max_tokens = 64,
        .temperature = 0.0f,            /* greedy: the likeliest token each time */
        .no_special = rendered != NULL, /* a chat template has written them already */
        .on_text = show,
    };
    if (trine_generate(&result, session, rendered ? rendered : argv[2], &options, &err)) goto fail;

    printf("\n");
    fprintf(stderr, "%d tokens, ended by %s, %.0f ms to the first\n", result.n_tokens, trine_finish_name(result.finish),
            result.first_ms);
    status = 0;
    goto close;

fail:
    fprintf(stderr, "generate: %s\n", err.text);
close:
    trine_generation_clear(&result);
    trine_free(rendered);
    trine_session_close(session);
    trine_model_close(model);
    return status;
}
