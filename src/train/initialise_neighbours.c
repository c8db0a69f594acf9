/* initialise_neighbours.c - an encoder whose heads look at the words beside from the beginning.
 *
 * A masked place says nothing of itself, so a new encoder must first find out that the words beside it matter, through attention that is
 * even at first: for long it learns how frequent words are, and no more. What d'Ascoli et al. (2021, "ConViT", sec. 3) do to attention
 * over pictures shortens that: positions are sinusoids (Vaswani et al. 2017, sec. 3.5), of which a matrix makes those some places on, and
 * the first heads of the first layers are such matrices, for one place back, one on, two back, two on. All of it learns afterwards. */
#include <math.h>
#include <string.h>

#include "train/params.h"

enum { LAYERS = 2, SHIFTS = 4 };
static const int shifts[SHIFTS] = { -1, 1, -2, 2 };

/* The frequency of pair i of the places' `width` sinusoids, in radians a place. */
static double frequency(int i, int width) { return pow(10000, -2.0 * i / width); }

/* Row by row sin and cos in turn, as large as `scale`. */
static void sinusoids(float *values, int n_places, int width, double scale)
{
    for (int place = 0; place < n_places; place++)
        for (int i = 0; i < width; i++) {
            const double angle = place * frequency(i / 2, width);
            values[(size_t)place * (size_t)width + (size_t)i] = (float)(scale * (i % 2 ? cos(angle) : sin(angle)));
        }
}

/* A head takes every so many-th pair of sinusoids, from the quickest on: keys as they are, queries as they are `shift` places on. */
static void look(float *head, int width, int size, int stride, int shift)
{
    memset(head, 0, (size_t)size * (size_t)width * sizeof *head);
    for (int j = 0; j < size / 2; j++) {
        const int pair = j * stride;
        const double angle = frequency(pair, width) * shift;
        float *sine = head + (size_t)(2 * j) * (size_t)width + 2 * pair, *cosine = sine + width;
        sine[0] = cosine[1] = (float)cos(angle);
        sine[1] = (float)sin(angle);
        cosine[0] = -sine[1];
    }
}

/* The layer that `name` is of, where it is one of the first; -1. */
static int first_layer(const char *name)
{
    const char *at = strstr(name, "encoder.layer.");
    if (!at) return -1;
    at += strlen("encoder.layer.");
    return at[0] >= '0' && at[0] < '0' + LAYERS && at[1] == '.' ? at[0] - '0' : -1;
}

void trine_initialise_neighbours(float *values, const trine_param *t, const json_t *config)
{
    const int width = (int)t->shape[1], n_heads = (int)json_integer_value(json_object_get(config, "num_attention_heads"));
    const double range = json_number_value(json_object_get(config, "initializer_range"));
    const bool query = strstr(t->name, "self.query.weight"), key = strstr(t->name, "self.key.weight");
    if (strstr(t->name, "token_type_embeddings")) memset(values, 0, t->n * sizeof *values);
    /* Twice as large as words: places are then two thirds of what a head reads, and words a third. */
    if (strstr(t->name, "position_embeddings")) sinusoids(values, (int)t->shape[0], width, 2 * (range > 0 ? range : 0.02));
    if ((!query && !key) || first_layer(t->name) < 0 || n_heads < 1) return;
    const int size = width / n_heads, stride = n_heads > 2 ? n_heads / 2 : 1;
    for (int head = 0; head < n_heads && head < SHIFTS; head++)
        look(values + (size_t)head * (size_t)size * (size_t)width, width, size, stride, query ? shifts[head] : 0);
}
