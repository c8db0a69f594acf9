/* classify_command.c - trine classify: the labels of a text or a pair, best first. */
#include "json_writer.h"

#include <stdlib.h>
#include <string.h>

static void write_json(run *r, const trine_labels *labels)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_key(&j, "labels");
    jw_open(&j, '[');
    for (int i = 0; i < labels->n; i++) {
        jw_open(&j, '{');
        jw_set_text(&j, "label", labels->items[i].label);
        jw_set_float(&j, "score", labels->items[i].score);
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    jw_close(&j, '}');
    jw_end(&j);
}

static void draw(run *r, const input *in, const trine_labels *labels)
{
    if (in->text) {
        char *text = text_shown(r, in->text, in->bytes, r->width);
        print(r, "%s\n", text ? text : "");
        free(text);
    }
    for (int i = 0; i < labels->n; i++) {
        const char *label = labels->items[i].label;
        if (i == 0) print_style(r, STYLE_BOLD);
        puts_out(r, "  ");
        print_fitted(r, label, strlen(label), 24, 26);
        print_style(r, STYLE_NONE);
        print_style(r, STYLE_CYAN);
        print_bar(r, labels->items[i].score, 32);
        print_style(r, STYLE_NONE);
        print(r, " %6.4f\n", (double)labels->items[i].score);
    }
    flush_output(r);
}

static int classify_one(run *r, const input *in, void *user)
{
    (void)user;
    trine_error err = { 0 };
    trine_task_options options = task_options(r, in);
    trine_labels labels = { 0 };
    trine_status status = trine_classify(&labels, r->session, in->text, &options, &err);
    if (status) return fail_status(r, status, &err);
    if (r->args.json)
        write_json(r, &labels);
    else
        draw(r, in, &labels);
    trine_labels_clear(&labels);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

int classify_main(run *r)
{
    int code = open_model(r);
    if (!code) code = open_session(r, (trine_session_options) { 0 });
    return code ? code : for_each_input(r, classify_one, NULL);
}
