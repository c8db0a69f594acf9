/* embed.c - encoder-only: sentences become vectors, and their cosine says how alike they are (Reimers & Gurevych 2019).
 *
 *     cc embed.c $(pkg-config --cflags --libs libtrine) -lm -o embed
 *     embed MODEL SENTENCE SENTENCE [...]
 *
 * MODEL is a directory in the Hugging Face layout or a .gguf file, such as all-MiniLM-L6-v2. Prints the likeness of the
 * first sentence to each of the others. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <trine.h>

/* The cosine of the angle between two vectors: many models scale theirs to length 1, others do not. */
static double cosine(const float *a, const float *b, int n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL SENTENCE SENTENCE [...]\n", argv[0]);
        return 2;
    }
    trine_model *model = NULL;
    trine_session *session = NULL;
    trine_error err;
    float *vectors = NULL;
    int status = 1, n = argc - 2;
    const char *const *sentences = (const char *const *)argv + 2;

    /* A model is weights: read-only, shared by threads. A session is one worker's memory. */
    if (trine_model_open(&model, argv[1], NULL, &err)) goto fail;
    if (trine_session_open(&session, model, NULL, &err)) goto fail;

    /* All sentences in as few passes as the session's memory allows; row i is the vector of sentence i. */
    int width = trine_model_get_info(model)->d_embedding;
    vectors = calloc((size_t)n, (size_t)width * sizeof *vectors);
    if (!vectors) goto close;
    if (trine_embed_batch(vectors, session, sentences, n, NULL, &err)) goto fail;

    for (int i = 1; i < n; i++) printf("%7.4f  %s\n", cosine(vectors, vectors + (size_t)i * (size_t)width, width), sentences[i]);
    status = 0;
    goto close;

fail:
    fprintf(stderr, "embed: %s\n", err.text);
close:
    free(vectors);
    trine_session_close(session);
    trine_model_close(model);
    return status;
}
