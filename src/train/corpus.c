/* corpus.c - see corpus.h. Documents are gathered until there is work for all threads, tokenised side by side, and appended in
 * order. A long document is taken in parts that end at a line, so that one of a gigabyte takes no more memory than many. */
#include "train/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "base/status.h"

#define GATHER_BYTES ((size_t)8 << 20) /* of text before it is tokenised */
#define PART_BYTES ((size_t)4 << 20)   /* of a long document */

typedef struct part {
    size_t at, n;
    bool begins, ends; /* of a document */
    trine_encoding encoding;
    trine_status status;
    trine_error error;
} part;

typedef struct gathering {
    trine_corpus *corpus;
    const trine_tokenizer *tokenizer;
    const trine_corpus_options *options;
    trine_team *team;
    const char *path; /* of the file being read */
    trine_buffer text;
    part *parts;
    int n, cap;
} gathering;

static void encode_part(void *job, int piece, int thread)
{
    (void)thread;
    gathering *g = job;
    part *p = &g->parts[piece];
    const trine_encode_options o = { .no_special = true, .no_parse_special = true };
    p->status = trine_tokenizer_encode(&p->encoding, g->tokenizer, g->text.data + p->at, p->n, &o, &p->error);
}

static bool reserve(trine_corpus *c, size_t more)
{
    if (more <= c->cap - c->n) return true;
    size_t cap = c->cap ? c->cap : 65536, bytes;
    while (cap - c->n < more)
        if (!trine_mul_size(&cap, cap, 2)) return false;
    int32_t *ids = trine_mul_size(&bytes, cap, sizeof *ids) ? realloc(c->ids, bytes) : NULL;
    if (!ids) return false;
    c->ids = ids;
    c->cap = cap;
    return true;
}

static bool end_document(trine_corpus *c)
{
    if (c->n_documents == c->documents_cap) {
        const size_t cap = c->documents_cap ? 2 * c->documents_cap : 256;
        size_t *ends = realloc(c->ends, cap * sizeof *ends);
        if (!ends) return false;
        c->ends = ends;
        c->documents_cap = cap;
    }
    c->ends[c->n_documents++] = c->n;
    return true;
}

static trine_status append(gathering *g, part *p, trine_error *err)
{
    trine_corpus *c = g->corpus;
    const trine_corpus_options *o = g->options;
    if (p->status) {
        if (err) *err = p->error;
        return trine_fail_in(err, p->status, "%s", g->path);
    }
    if (!reserve(c, (size_t)p->encoding.n + 2)) return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for its tokens", g->path);
    if (p->begins && o->before >= 0) c->ids[c->n++] = o->before;
    if (p->encoding.n) memcpy(c->ids + c->n, p->encoding.ids, (size_t)p->encoding.n * sizeof *c->ids);
    c->n += (size_t)p->encoding.n;
    if (p->ends && o->after >= 0) c->ids[c->n++] = o->after;
    return p->ends && !end_document(c) ? trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for its documents", g->path) : TRINE_OK;
}

static trine_status flush(gathering *g, trine_error *err)
{
    trine_status status = TRINE_OK;
    trine_team_run(g->team, g->n, encode_part, g);
    for (int i = 0; i < g->n; i++) {
        if (!status) status = append(g, &g->parts[i], err);
        trine_encoding_clear(&g->parts[i].encoding);
    }
    g->n = 0;
    g->text.n = 0;
    return status;
}

static trine_status add_part(gathering *g, const char *text, size_t n, bool begins, bool ends, trine_error *err)
{
    if (g->n == g->cap) {
        const int cap = g->cap ? 2 * g->cap : 256;
        part *parts = realloc(g->parts, (size_t)cap * sizeof *parts);
        if (!parts) return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", g->path);
        g->parts = parts;
        g->cap = cap;
    }
    g->parts[g->n++] = (part) { .at = g->text.n, .n = n, .begins = begins, .ends = ends };
    trine_buffer_append(&g->text, text, n);
    if (g->text.failed) return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for its text", g->path);
    return g->text.n >= GATHER_BYTES ? flush(g, err) : TRINE_OK;
}

static trine_status add_document(void *user, const char *text, size_t n, trine_error *err)
{
    gathering *g = user;
    trine_status status = TRINE_OK;
    g->corpus->n_bytes += n;
    for (bool begins = true; n && !status; begins = false) {
        size_t take = n;
        if (n > PART_BYTES) {
            const char *line = memrchr(text, '\n', PART_BYTES);
            take = line ? (size_t)(line - text) + 1 : PART_BYTES;
            while (!line && take < n && ((unsigned char)text[take] & 0xC0) == 0x80) take++; /* not within a character */
        }
        status = add_part(g, text, take, begins, take == n, err);
        text += take;
        n -= take;
    }
    return status;
}

trine_status trine_corpus_open(trine_corpus *out, const char *const *paths, int n_paths, const trine_tokenizer *tokenizer,
                               const trine_corpus_options *options, trine_team *team, trine_error *err)
{
    *out = (trine_corpus) { 0 };
    trine_names files;
    gathering g = { .corpus = out, .tokenizer = tokenizer, .options = options, .team = team };
    trine_status status = trine_files_list(&files, paths, n_paths, err);
    for (int i = 0; i < files.n && !status; i++) {
        g.path = files.items[i];
        status = trine_documents_read(g.path, &options->documents, add_document, &g, err);
        if (!status) status = flush(&g, err);
        if (!status && options->on_progress && !options->on_progress(options->user, i + 1, files.n))
            status = trine_fail(err, TRINE_ERROR_CANCELLED, "stopped while reading");
    }
    for (int i = 0; i < g.n; i++) trine_encoding_clear(&g.parts[i].encoding);
    if (!status && !out->n)
        status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: there is no text in it", files.n ? files.items[0] : "");
    trine_names_clear(&files);
    trine_buffer_clear(&g.text);
    free(g.parts);
    if (status) trine_corpus_close(out);
    return status;
}

void trine_corpus_close(trine_corpus *c)
{
    free(c->ids);
    free(c->ends);
    *c = (trine_corpus) { 0 };
}
