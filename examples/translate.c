/* translate.c - encoder-decoder: a source is read whole, and the target is written by the likeliest of four beams
 * (Raffel et al. 2020: the task is named in the text itself, "translate English to German: ...").
 *
 *     translate MODEL FROM TO TEXT [...]            translate models/translator/translator.gguf en de "The weather is nice today."
 */
#include <stdio.h>

#include <trine.h>

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s MODEL FROM TO TEXT [...]\n", argv[0]);
        return 2;
    }
    trine_model *model = NULL;
    trine_session *session = NULL;
    trine_error err;
    int status = 1;

    /* Every beam is a sequence of its own in the cache; what they have in common is stored once. */
    const trine_session_options memory = { .ctx = 128, .source_ctx = 128, .n_sequences = 4 };
    if (trine_model_open(&model, argv[1], NULL, &err)) goto fail;
    if (trine_session_open(&session, model, &memory, &err)) goto fail;

    const trine_text_options options = { .from = argv[2], .to = argv[3], .generate = { .beam = 4, .max_tokens = 100 } };
    for (int i = 4; i < argc; i++) {
        trine_generation result;
        if (trine_translate(&result, session, argv[i], &options, &err)) goto fail;
        printf("%s\n", result.text);
        trine_generation_clear(&result);
    }
    status = 0;
    goto close;

fail:
    fprintf(stderr, "translate: %s\n", err.text);
close:
    trine_session_close(session);
    trine_model_close(model);
    return status;
}
