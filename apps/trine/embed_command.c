/* embed_command.c - trine embed: vectors of texts, or the cosine of every two of them. */
#include "json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256 }; /* lines of a file at a time: passes are full, whatever their lengths */

/* --similarity keeps every vector until the end. */
typedef struct collection {
    float *vectors; /* [n, d] */
    char **names;
    int n, cap;
} collection;

static void write_json(run *r, const float *v, int d)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_key(&j, "embedding");
    jw_open(&j, '[');
    for (int i = 0; i < d; i++) jw_float(&j, v[i]);
    jw_close(&j, ']');
    jw_close(&j, '}');
    jw_end(&j);
}

static void draw(run *r, const input *in, const float *v, int d)
{
    double length = 0;
    for (int i = 0; i < d; i++) length += (double)v[i] * v[i];
    if (in->text) {
        char *text = text_shown(r, in->text, in->bytes, r->width);
        print_style(r, STYLE_BOLD);
        print(r, "%s\n", text ? text : "");
        print_style(r, STYLE_NONE);
        free(text);
    }
    print(r, "  %d numbers, length %.4f:", d, sqrt(length));
    for (int i = 0; i < 5 && i < d; i++) print(r, " %.4f", (double)v[i]);
    puts_out(r, d > 5 ? " ... (all: --json)\n" : "\n");
    flush_output(r);
}

static int collect(run *r, collection *all, const input *in, const float *v, int d)
{
    if (all->n == all->cap) {
        int cap = all->cap ? all->cap * 2 : 16;
        float *vectors = realloc(all->vectors, (size_t)cap * (size_t)d * sizeof *vectors);
        if (vectors) all->vectors = vectors;
        char **names = realloc(all->names, (size_t)cap * sizeof *names);
        if (names) all->names = names;
        if (!vectors || !names) return fail_memory(r);
        all->cap = cap;
    }
    all->names[all->n] = in->text ? text_shown(r, in->text, in->bytes, 24) : strdup("(ids)");
    if (!all->names[all->n]) return fail_memory(r);
    memcpy(all->vectors + (size_t)all->n * (size_t)d, v, (size_t)d * sizeof *v);
    all->n++;
    return 0;
}

static int give(run *r, const input *in, const float *v, int d, void *user)
{
    if (user) return collect(r, user, in, v, d);
    if (r->args.json)
        write_json(r, v, d);
    else
        draw(r, in, v, d);
    return 0;
}

static int embed_single(run *r, const input *in, float *v, int d, void *user)
{
    trine_error err = { 0 };
    trine_task_options options = task_options(r, in);
    trine_status status = trine_embed(v, d, r->session, in->text, &options, &err);
    return status ? fail_status(r, status, &err) : give(r, in, v, d, user);
}

static int embed_some(run *r, const input *in, int n, void *user)
{
    int d = r->info->d_embedding, code = 0;
    trine_error err = { 0 };
    const char *texts[BATCH];
    float *vectors = malloc((size_t)n * (size_t)d * sizeof *vectors);
    if (!vectors) return fail_memory(r);
    trine_task_options options = task_options(r, in);
    trine_status status = TRINE_OK;
    for (int i = 0; i < n; i++) texts[i] = in[i].text;
    if (n > 1) status = trine_embed_batch(vectors, r->session, texts, n, &options, &err);
    if (n == 1 || status) {
        /* One by one: a failure is told of its own line, and where it is the line's alone the others are answered. */
        trine_status last = TRINE_OK;
        for (int i = 0; i < n && !interrupted() && !output_failed(r); i++) {
            r->line = in[i].line;
            int failed = embed_single(r, &in[i], vectors, d, user);
            if (!failed) continue;
            code = code ? code : failed;
            last = r->last_status;
            if (!is_input_failure(last)) break;
        }
        r->last_status = last;
    } else {
        for (int i = 0; i < n && !code; i++) code = give(r, &in[i], vectors + (size_t)i * (size_t)d, d, user);
    }
    free(vectors);
    return interrupted() ? EXIT_INTERRUPTED : code;
}

static float cosine(const float *a, const float *b, int d)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < d; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? (float)(ab / sqrt(aa * bb)) : 0.0f;
}

static void compare(run *r, const collection *all, int d)
{
    json_writer j = jw_begin(r);
    if (r->args.json) {
        jw_open(&j, '{');
        jw_key(&j, "similarity");
        jw_open(&j, '[');
    } else {
        print(r, "%30s", "");
        for (int i = 0; i < all->n; i++) print(r, "%8d", i + 1);
        puts_out(r, "\n");
    }
    for (int i = 0; i < all->n; i++) {
        if (r->args.json) {
            jw_open(&j, '[');
        } else {
            print(r, "%4d  ", i + 1);
            print_padded(r, all->names[i], 24);
        }
        for (int k = 0; k < all->n; k++) {
            float c = cosine(all->vectors + (size_t)i * (size_t)d, all->vectors + (size_t)k * (size_t)d, d);
            if (r->args.json) {
                jw_float(&j, c);
                continue;
            }
            if (i != k && c >= 0.5f) print_style(r, STYLE_BOLD);
            if (i == k) print_style(r, STYLE_DIM);
            print(r, "%8.3f", (double)c);
            print_style(r, STYLE_NONE);
        }
        if (r->args.json)
            jw_close(&j, ']');
        else
            puts_out(r, "\n");
    }
    if (r->args.json) {
        jw_close(&j, ']');
        jw_close(&j, '}');
        jw_end(&j);
    }
    flush_output(r);
}

int embed_main(run *r)
{
    collection all = { 0 };
    if (r->ranks && r->args.similarity) return fail_usage(r, "--similarity compares few texts: expected one process");
    int code = open_model(r);
    if (!code) code = open_session(r, (trine_session_options) { .whole_texts = true });
    if (code) return code;
    if (!r->args.similarity) return for_each_batch(r, BATCH, embed_some, NULL);
    code = for_each_batch(r, BATCH, embed_some, &all);
    if (!code && all.n < 2) code = fail_usage(r, "--similarity compares two texts or more; got %d", all.n);
    if (!code) compare(r, &all, r->info->d_embedding);
    for (int i = 0; i < all.n; i++) free(all.names[i]);
    free(all.names);
    free(all.vectors);
    return code;
}
