/* attention_drawing.c - trace --draw LAYER[,HEAD]: what each token looks at, as shades in the terminal.
 *
 * A row is a query, a column a key; a row's weights add up to 1. What the mask hides has no weight at all and stays empty, so that the
 * paradigms show: a full square, a triangle, and the target's rows over the source's columns. */
#include "attention_drawing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 12, MOST_ROWS = 40, TARGET_TOKENS = 24 };

/* The tokens along one side. */
typedef struct side {
    int32_t *ids;
    int n;
} side;

typedef struct drawn {
    run *r;
    side source, target; /* target: what an encoder-decoder reads of its own output */
    int layer, head;     /* head -1: the mean of all */
    bool labels;         /* nothing is written: the target is the source, shifted */
} drawn;

static const trine_traced *find(const trine_trace_result *t, const char *prefix, int layer)
{
    char name[64];
    snprintf(name, sizeof name, "%s%d", prefix, layer);
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->items[i].name, name)) return &t->items[i];
    return NULL;
}

/* The piece of an id in `columns`, its word's beginning as a blank's mark. */
static void put_piece(run *r, int32_t id, int columns)
{
    char number[24];
    const char *piece = r->tokenizer ? trine_tokenizer_token(r->tokenizer, id) : NULL;
    snprintf(number, sizeof number, "%d", (int)id);
    if (!piece) piece = number;
    print_fitted(r, piece, strlen(piece), columns, columns);
}

/* The first two letters of a piece, over its column. */
static void put_head(run *r, int32_t id)
{
    const char *piece = r->tokenizer ? trine_tokenizer_token(r->tokenizer, id) : NULL;
    if (piece && (!strncmp(piece, "\xe2\x96\x81", 3) && piece[3])) piece += 3; /* the mark of a blank */
    if (piece && (!strncmp(piece, "\xc4\xa0", 2) && piece[2])) piece += 2;
    size_t n = 0;
    for (int letters = 0; piece && piece[n]; n++)
        if (((unsigned char)piece[n] & 0xC0) != 0x80 && ++letters > 2) break;
    print_fitted(r, piece ? piece : "", n, 2, 3);
}

static void put_shade(run *r, double w, int columns)
{
    static const char *const utf8[] = { " ", "\u00B7", "\u2591", "\u2592", "\u2593", "\u2588" };
    static const char *const ascii[] = { " ", ".", ":", "+", "*", "#" };
    const int level = !(w > 0) ? 0 : w < 0.02 ? 1 : w < 0.1 ? 2 : w < 0.25 ? 3 : w < 0.5 ? 4 : 5;
    for (int i = 0; i < columns; i++) puts_out(r, (r->utf8 ? utf8 : ascii)[level]);
}

static double weight(const drawn *d, const trine_traced *t, int64_t row, int64_t column)
{
    const int64_t heads = t->shape[0], rows = t->shape[1], columns = t->shape[2];
    double sum = 0;
    for (int64_t h = d->head < 0 ? 0 : d->head; h < (d->head < 0 ? heads : d->head + 1); h++)
        sum += (double)t->data[(h * rows + row) * columns + column];
    return sum / (double)(d->head < 0 ? heads : 1);
}

static void draw_square(const drawn *d, const trine_traced *t, const side *rows, const side *columns, const char *what)
{
    run *r = d->r;
    const bool wide = columns->n * 3 <= r->width - LABEL - 1;
    const int room = wide ? columns->n : r->width - LABEL - 1, n_columns = columns->n < room ? columns->n : room;
    const int n_rows = rows->n < MOST_ROWS ? rows->n : MOST_ROWS;
    char head[32] = "the mean of all heads";
    if (d->head >= 0) snprintf(head, sizeof head, "head %d of %d", d->head, (int)t->shape[0]);
    print_style(r, STYLE_BOLD);
    print(r, "%s, layer %d, %s", what, d->layer, head);
    print_style(r, STYLE_NONE);
    if (n_rows < rows->n || n_columns < columns->n) print(r, " (the first %d rows, %d columns)", n_rows, n_columns);
    puts_out(r, "\n");
    if (wide) {
        print_padded(r, "", LABEL + 1);
        for (int c = 0; c < n_columns; c++) put_head(r, columns->ids[c]);
        puts_out(r, "\n");
    }
    for (int q = 0; q < n_rows; q++) {
        put_piece(r, rows->ids[q], LABEL);
        puts_out(r, " ");
        print_style(r, STYLE_CYAN);
        for (int c = 0; c < n_columns; c++) {
            put_shade(r, weight(d, t, q, c), wide ? 2 : 1);
            if (wide) puts_out(r, " ");
        }
        print_style(r, STYLE_NONE);
        puts_out(r, "\n");
    }
    flush_output(r);
}

/* What the model writes for the source, behind its start token: the rows of an encoder-decoder's other squares. */
static int write_target(drawn *d, const input *in)
{
    run *r = d->r;
    const arguments *a = &r->args;
    trine_error err = { 0 };
    trine_generation g = { 0 };
    const trine_generate_options options = { .max_tokens = TARGET_TOKENS, .ids = in->ids, .n_ids = in->n_ids };
    if (!a->decoder_tokens.n) {
        const trine_status status = trine_generate(&g, r->session, in->text, &options, &err);
        if (status) return fail_status(r, status, &err);
    }
    const int n = a->decoder_tokens.n ? a->decoder_tokens.n : g.n_tokens + 1;
    d->target.ids = malloc((size_t)n * sizeof *d->target.ids);
    d->target.n = n;
    if (d->target.ids && a->decoder_tokens.n) {
        memcpy(d->target.ids, a->decoder_tokens.items, (size_t)n * sizeof *d->target.ids);
    } else if (d->target.ids) {
        d->target.ids[0] = r->info->decoder_start;
        memcpy(d->target.ids + 1, g.tokens, (size_t)g.n_tokens * sizeof *d->target.ids);
    }
    trine_generation_clear(&g);
    return d->target.ids ? 0 : fail_memory(r);
}

/* Labels follow from the source read once more, shifted by one behind the start token. */
static int shift_source(drawn *d)
{
    const trine_model_info *info = d->r->info;
    d->target.ids = malloc(((size_t)d->source.n + 1) * sizeof *d->target.ids);
    d->target.n = d->source.n;
    if (!d->target.ids) return fail_memory(d->r);
    d->target.ids[0] = info->decoder_start >= 0 ? info->decoder_start : info->pad;
    if (d->source.n) memcpy(d->target.ids + 1, d->source.ids, (size_t)d->source.n * sizeof *d->target.ids);
    return 0;
}

static int read_source(drawn *d, const input *in)
{
    run *r = d->r;
    trine_error err = { 0 };
    trine_encoding e = { 0 };
    if (in->text) {
        const trine_status status = trine_tokenizer_encode(&e, r->tokenizer, in->text, in->bytes, NULL, &err);
        if (status) return fail_status(r, status, &err);
    }
    const int n = in->text ? e.n : in->n_ids;
    d->source.ids = malloc(((size_t)n + 1) * sizeof *d->source.ids);
    d->source.n = n;
    if (d->source.ids && n) memcpy(d->source.ids, in->text ? e.ids : in->ids, (size_t)n * sizeof *d->source.ids);
    trine_encoding_clear(&e);
    return d->source.ids ? 0 : fail_memory(r);
}

static int draw_squares(drawn *d, const trine_trace_result *t)
{
    run *r = d->r;
    const bool two = r->info->paradigm == TRINE_ENCODER_DECODER;
    const trine_traced *own = find(t, "attention.", d->layer), *encoder = find(t, "encoder.attention.", d->layer),
                       *cross = find(t, "cross.", d->layer);
    const trine_traced *any = own ? own : encoder;
    const int layers = two && r->info->n_decoder_layers > r->info->n_layers ? r->info->n_decoder_layers : r->info->n_layers;
    if (!any) return fail_usage(r, "--draw %d: this model has layers 0 to %d", d->layer, layers - 1);
    if (d->head >= any->shape[0])
        return fail_usage(r, "--draw %d,%d: this model has heads 0 to %d", d->layer, d->head, (int)any->shape[0] - 1);
    if (encoder) draw_square(d, encoder, &d->source, &d->source, "the source looks at itself");
    const bool back = r->info->paradigm == TRINE_DECODER && !GIVEN(&r->args, mask);
    if (own)
        draw_square(d, own, two ? &d->target : &d->source, two ? &d->target : &d->source,
                    two ? d->labels ? "the text, read once more, looks at what came before" : "the target looks at what is written"
                    : back ? "the text looks at what came before"
                           : "the text looks at itself");
    if (cross) draw_square(d, cross, &d->target, &d->source, "the target looks at the source");
    return 0;
}

int draw_attention(run *r, const input *in)
{
    const id_list *place = &r->args.draw;
    drawn d = { .r = r, .layer = place->items[0], .head = place->n > 1 ? place->items[1] : -1 };
    trine_error err = { 0 };
    trine_trace_result t = { 0 };
    int code = read_source(&d, in);
    d.labels = r->info->head == TRINE_HEAD_LABELS && !r->args.decoder_tokens.n;
    if (!code && r->info->paradigm == TRINE_ENCODER_DECODER) code = d.labels ? shift_source(&d) : write_target(&d, in);
    if (!code) {
        const trine_trace_options options = { .ids = d.source.ids,
                                              .n_ids = d.source.n,
                                              .types = r->args.token_types.n ? r->args.token_types.items : NULL,
                                              .decoder_ids = d.labels ? NULL : d.target.ids,
                                              .n_decoder_ids = d.labels ? 0 : d.target.n,
                                              .attention = true };
        const trine_status status = trine_trace_keep(&t, r->session, &options, &err);
        code = status ? fail_status(r, status, &err) : draw_squares(&d, &t);
    }
    trine_trace_result_clear(&t);
    free(d.source.ids);
    free(d.target.ids);
    return code ? code : interrupted() ? EXIT_INTERRUPTED : 0;
}
