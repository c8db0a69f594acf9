/* writing_options.c - how a text is to be written, and what of it is told. */
#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { MAX_STOPS = 16 };

static uint64_t random_bits(void)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) bits = (uint64_t)(engine_clock() * 1e9);
    return bits;
}

void new_id(char out[40], const char *kind)
{
    snprintf(out, 40, "%s-%016llx%08x", kind, (unsigned long long)random_bits(), (unsigned)random_bits());
}

static void read_stops(exchange *x, const json_t *o, trine_generate_options *g)
{
    const json_t *stop = get(o, "stop");
    if (!stop || x->failed) return;
    const size_t n = json_is_array(stop) ? json_array_size(stop) : 1;
    const char **stops = n <= MAX_STOPS ? keep_memory(x, (n + 1) * sizeof *stops) : NULL;
    for (size_t i = 0; i < n && stops && !x->failed; i++) {
        const json_t *one = json_is_array(stop) ? json_array_get(stop, i) : stop;
        if (json_is_string(one) && json_string_length(one))
            stops[i] = json_string_value(one);
        else
            fail_request(x, 400, "stop", NULL, "'stop' must be a text or texts, none of them empty");
    }
    if (!stops) fail_request(x, 400, "stop", NULL, "'stop' holds %zu texts, and %d are taken", n, MAX_STOPS);
    g->stop = stops;
    g->n_stop = (int)n;
}

trine_generate_options read_writing(exchange *x, const json_t *o, const served *s)
{
    const bool greedy = s->info->paradigm == TRINE_ENCODER_DECODER && !get_bool(x, o, "do_sample", false);
    const double top_p = get_real(x, o, "top_p", 0, 1, 0.95);
    trine_generate_options g = {
        .temperature = (float)get_real(x, o, "temperature", 0, 10, greedy ? 0 : 0.8),
        .top_k = (int)get_int(x, o, "top_k", 0, 1 << 24, 40),
        .top_p = top_p > 0 ? (float)top_p : 1e-6f, /* the library reads 0 as off */
        .min_p = (float)get_real(x, o, "min_p", 0, 1, 0.05),
        .repeat_penalty = (float)get_real(x, o, get(o, "repeat_penalty") ? "repeat_penalty" : "repetition_penalty", 0.01, 100, 1),
        .presence_penalty = (float)get_real(x, o, "presence_penalty", -2, 2, 0),
        .frequency_penalty = (float)get_real(x, o, "frequency_penalty", -2, 2, 0),
        .ignore_eos = get_bool(x, o, "ignore_eos", false),
        .seed = get(o, "seed") ? (uint64_t)get_int(x, o, "seed", INT64_MIN, INT64_MAX, 0) : random_bits(),
    };
    read_stops(x, o, &g);
    return g;
}

const int32_t *read_prompt(exchange *x, const served *s, const char *text, bool no_special, const char *param, int *n)
{
    trine_encoding e;
    trine_error err = { 0 };
    const trine_encode_options options = { .no_special = no_special };
    *n = 0;
    if (!s->tokenizer) {
        fail_request(x, 400, param, NULL, "the model has no tokenizer: give tokens in place of text");
        return NULL;
    }
    const trine_status status = trine_tokenizer_encode(&e, s->tokenizer, text, 0, &options, &err);
    if (status) {
        fail_job(x, status, &err);
        return NULL;
    }
    int32_t *ids = NULL;
    if (!*text || !e.n)
        fail_request(x, 400, param, "empty", "'%s' is empty", param);
    else if (e.n > s->memory.ctx)
        fail_request(x, 400, param, "context_length_exceeded", "'%s' has %d tokens, and the context holds %d", param, e.n,
                     s->memory.ctx);
    else
        ids = keep_memory(x, (size_t)e.n * sizeof *ids);
    if (ids) {
        memcpy(ids, e.ids, (size_t)e.n * sizeof *ids);
        *n = e.n;
    }
    trine_encoding_clear(&e);
    return ids;
}

char *token_text(const trine_tokenizer *t, int32_t id)
{
    static const char blank[] = "\xe2\x96\x81"; /* how SentencePiece spells a space; alone it would be decoded away */
    const char *spelt = trine_tokenizer_token(t, id);
    char *text;
    if (!spelt) return strdup("");
    if (trine_tokenizer_decode(&text, t, &id, 1, false, NULL)) return NULL;
    if (strncmp(spelt, blank, strlen(blank)) != 0 || text[0] == ' ') return text;
    char *with = malloc(strlen(text) + 2);
    if (with) {
        with[0] = ' ';
        strcpy(with + 1, text);
    }
    free(text);
    return with;
}

char *token_bytes(size_t *n, const trine_tokenizer *t, int32_t id)
{
    char *text = token_text(t, id);
    *n = text ? strlen(text) : 0;
    if (!text || !strstr(text, "\xEF\xBF\xBD")) return text;
    size_t n_bytes;
    char *spelt = trine_tokenizer_token_bytes(&n_bytes, t, id);
    if (!spelt) return text; /* that is what it says */
    free(text);
    *n = n_bytes;
    return spelt;
}
