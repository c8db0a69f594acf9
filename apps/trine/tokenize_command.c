/* tokenize_command.c - trine tokenize and trine detokenize: a text as tokens, and back. A tokenizer alone is enough. */
#include "json_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_tokenizer(run *r, trine_tokenizer **tokenizer)
{
    if (!r->args.model) return fail_usage(r, "no tokenizer: expected -m MODEL, a model, or a tokenizer's directory or file");
    int code = take_shipped_model(r);
    if (!code) code = check_sources(r);
    if (code) return code;
    trine_error err = { 0 };
    trine_status status = trine_tokenizer_open(tokenizer, r->args.model, &err);
    return status ? fail_status(r, status, &err) : 0;
}

static void write_json(run *r, const trine_tokenizer *tokenizer, const trine_encoding *e)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_key(&j, "ids");
    jw_open(&j, '[');
    for (int i = 0; i < e->n; i++) jw_int(&j, e->ids[i]);
    jw_close(&j, ']');
    jw_key(&j, "tokens");
    jw_open(&j, '[');
    for (int i = 0; i < e->n; i++) jw_text(&j, trine_tokenizer_token(tokenizer, e->ids[i]));
    jw_close(&j, ']');
    jw_close(&j, '}');
    jw_end(&j);
}

static void draw_ids(run *r, const trine_encoding *e)
{
    for (int i = 0; i < e->n; i++) print(r, "%s%d", i ? "," : "", (int)e->ids[i]);
    puts_out(r, "\n");
    flush_output(r);
}

static void draw(run *r, const trine_tokenizer *tokenizer, const input *in, const trine_encoding *e)
{
    int added = 0;
    for (int i = 0; i < e->n; i++) {
        const char *piece = trine_tokenizer_token(tokenizer, e->ids[i]);
        const char *source = e->sequence[i] == 1 ? r->args.pair : in->text;
        trine_span span = e->spans[i];
        char *from = e->special[i] ? NULL : text_shown(r, source + span.start, span.end - span.start, 24);
        char place[48];
        print(r, "%8d  ", (int)e->ids[i]);
        print_style(r, e->special[i] ? STYLE_DIM : STYLE_BOLD);
        print_fitted(r, piece ? piece : "", piece ? strlen(piece) : 0, 28, 30);
        print_style(r, STYLE_NONE);
        if (e->special[i]) {
            puts_out(r, "added\n");
            added++;
        } else {
            snprintf(place, sizeof place, "%s%zu-%zu", e->sequence[i] == 1 ? "pair " : "", span.start, span.end);
            print(r, "%-14s %s\n", place, from ? from : "");
        }
        free(from);
    }
    print(r, "%d token%s%s", e->n, e->n == 1 ? "" : "s", added ? ", " : "\n");
    if (added) print(r, "%d of them added around the text\n", added);
    flush_output(r);
}

static int tokenize_one(run *r, const input *in, void *user)
{
    const trine_tokenizer *tokenizer = user;
    trine_error err = { 0 };
    trine_encode_options options = { .pair = r->args.pair, .no_special = r->args.no_special };
    trine_encoding e = { 0 };
    trine_status status = trine_tokenizer_encode(&e, tokenizer, in->text, in->bytes, &options, &err);
    if (status) return fail_status(r, status, &err);
    if (r->args.json)
        write_json(r, tokenizer, &e);
    else if (r->args.ids)
        draw_ids(r, &e);
    else
        draw(r, tokenizer, in, &e);
    trine_encoding_clear(&e);
    return interrupted() ? EXIT_INTERRUPTED : output_failed(r) ? EXIT_FAILED : 0;
}

int tokenize_main(run *r)
{
    trine_tokenizer *tokenizer = NULL;
    if (r->args.json && r->args.ids) return fail_usage(r, "--json and --ids exclude each other; the document holds the ids");
    int code = open_tokenizer(r, &tokenizer);
    if (!code) code = for_each_input(r, tokenize_one, tokenizer);
    trine_tokenizer_close(tokenizer);
    return code;
}

/* ---------------------------------------------------------------------------------------------------------- detokenize */

/* Ids with commas or spaces between, brackets allowed: what tokenize prints, in either form. */
static int parse_ids(run *r, const char *text, int32_t **ids, int *n)
{
    *n = 0;
    *ids = malloc((strlen(text) / 2 + 1) * sizeof **ids);
    if (!*ids) return fail_memory(r);
    for (const char *p = text; *p;) {
        if (strchr(" ,\t\r\n[]", *p)) {
            p++;
            continue;
        }
        char *end;
        errno = 0;
        long long id = strtoll(p, &end, 10);
        if (end == p || errno || id < 0 || id > INT32_MAX || (*end && !strchr(" ,\t\r\n[]", *end))) {
            int code =
                fail(r, r->line ? EXIT_DATA : EXIT_USAGE, "'%.*s' is no id; expected whole numbers with commas or spaces between",
                     (int)strcspn(p, " ,\t\r\n[]"), p);
            r->last_status = TRINE_ERROR_ARGUMENT;
            free(*ids);
            *ids = NULL;
            return code;
        }
        (*ids)[(*n)++] = (int32_t)id;
        p = end;
    }
    return 0;
}

static int detokenize_one(run *r, const input *in, void *user)
{
    const trine_tokenizer *tokenizer = user;
    trine_error err = { 0 };
    int32_t *parsed = NULL;
    const int32_t *ids = in->ids;
    int n = in->n_ids, code = 0;
    if (in->text && (code = parse_ids(r, in->text, &parsed, &n))) return code;
    if (in->text) ids = parsed;
    char *text = NULL;
    trine_status status = trine_tokenizer_decode(&text, tokenizer, ids, n, r->args.no_special, &err);
    free(parsed);
    if (status) return fail_status(r, status, &err);
    if (r->args.json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_set_text(&j, "text", text);
        jw_close(&j, '}');
        jw_end(&j);
    } else {
        print(r, "%s\n", text);
        flush_output(r);
    }
    trine_free(text);
    return interrupted() ? EXIT_INTERRUPTED : output_failed(r) ? EXIT_FAILED : 0;
}

int detokenize_main(run *r)
{
    trine_tokenizer *tokenizer = NULL;
    int code = open_tokenizer(r, &tokenizer);
    if (code) return code;
    /* `trine detokenize 15496 995` is one list of ids, not two texts. */
    size_t bytes = 1;
    for (int i = 0; i < r->args.rest.n; i++) bytes += strlen(r->args.rest.items[i]) + 1;
    char *joined = r->args.rest.n ? calloc(bytes, 1) : NULL;
    if (r->args.rest.n && !joined) code = fail_memory(r);
    for (int i = 0; joined && i < r->args.rest.n; i++) {
        strcat(joined, r->args.rest.items[i]);
        strcat(joined, " ");
    }
    if (joined) {
        r->args.rest.items[0] = joined;
        r->args.rest.n = 1;
    }
    if (!code) code = for_each_input(r, detokenize_one, tokenizer);
    free(joined);
    trine_tokenizer_close(tokenizer);
    return code;
}
