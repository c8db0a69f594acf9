/* tag_command.c - trine tag: the named entities of a text, with their places in characters. */
#include "json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_json(run *r, const trine_entities *found)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_key(&j, "entities");
    jw_open(&j, '[');
    for (int i = 0; i < found->n; i++) {
        const trine_entity *e = &found->items[i];
        jw_open(&j, '{');
        jw_set_text(&j, "group", e->group);
        jw_set_text(&j, "text", e->text);
        jw_set_int(&j, "start", (int64_t)e->char_start);
        jw_set_int(&j, "end", (int64_t)e->char_end);
        jw_set_float(&j, "score", e->score);
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    jw_close(&j, '}');
    jw_end(&j);
}

/* The text with its entities in brackets: color alone would be lost in a pipe. */
static void draw_text(run *r, const input *in, const trine_entities *found)
{
    size_t at = 0;
    for (int i = 0; i <= found->n; i++) {
        const trine_entity *e = i < found->n ? &found->items[i] : NULL;
        size_t until = e ? e->span.start : in->bytes;
        if (until > in->bytes || until < at) continue;
        char *before = text_shown(r, in->text + at, until - at, 0);
        puts_out(r, before ? before : "");
        free(before);
        if (!e || e->span.end > in->bytes) break;
        char *inside = text_shown(r, in->text + e->span.start, e->span.end - e->span.start, 0);
        print_style(r, STYLE_BOLD);
        print(r, "[%s", inside ? inside : "");
        print_style(r, STYLE_NONE);
        print_style(r, STYLE_CYAN);
        print(r, " %s", e->group);
        print_style(r, STYLE_NONE);
        puts_out(r, "]");
        free(inside);
        at = e->span.end;
    }
    puts_out(r, "\n");
}

static void draw(run *r, const input *in, const trine_entities *found)
{
    if (in->text) draw_text(r, in, found);
    if (found->n == 0) puts_out(r, "  no entities\n");
    for (int i = 0; i < found->n; i++) {
        const trine_entity *e = &found->items[i];
        const char *text = e->text ? e->text : "";
        char place[64];
        snprintf(place, sizeof place, "%zu-%zu", e->char_start, e->char_end);
        print(r, "  %-8s ", e->group);
        print_fitted(r, text, strlen(text), 40, 42);
        print(r, "%-12s %6.4f\n", place, (double)e->score);
    }
    flush_output(r);
}

static int tag_one(run *r, const input *in, void *user)
{
    (void)user;
    trine_error err = { 0 };
    trine_task_options options = task_options(r, in);
    trine_entities found = { 0 };
    trine_status status = trine_tag(&found, r->session, in->text, &options, &err);
    if (status) return fail_status(r, status, &err);
    if (r->args.json)
        write_json(r, &found);
    else
        draw(r, in, &found);
    trine_entities_clear(&found);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

int tag_main(run *r)
{
    int code = open_model(r);
    if (!code) code = open_session(r, (trine_session_options) { 0 });
    return code ? code : for_each_input(r, tag_one, NULL);
}
