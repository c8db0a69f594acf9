/* fill_command.c - trine fill: the tokens a masked language model would put in each mask. */
#include "json_writer.h"
#include "restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_json(run *r, const trine_fill_result *f)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "text", f->text);
    jw_key(&j, "masks");
    jw_open(&j, '[');
    for (int mask = 0; mask < f->n_masks; mask++) {
        jw_open(&j, '[');
        for (int i = 0; i < f->n_choices; i++) {
            const trine_fill_choice *c = &f->choices[mask * f->n_choices + i];
            jw_open(&j, '{');
            jw_set_text(&j, "token", c->token);
            jw_set_int(&j, "id", c->id);
            jw_set_float(&j, "score", c->score);
            jw_set_text(&j, "text", c->text);
            jw_close(&j, '}');
        }
        jw_close(&j, ']');
    }
    jw_close(&j, ']');
    jw_close(&j, '}');
    jw_end(&j);
}

static void draw(run *r, const trine_fill_result *f)
{
    if (f->text) {
        char *text = text_shown(r, f->text, strlen(f->text), 0);
        print_style(r, STYLE_BOLD);
        print(r, "%s\n", text ? text : "");
        print_style(r, STYLE_NONE);
        free(text);
    }
    for (int mask = 0; mask < f->n_masks; mask++) {
        if (f->n_masks > 1) print(r, "  mask %d\n", mask + 1);
        for (int i = 0; i < f->n_choices; i++) {
            const trine_fill_choice *c = &f->choices[mask * f->n_choices + i];
            char id[24];
            snprintf(id, sizeof id, "%d", (int)c->id);
            const char *token = c->token ? c->token : id;
            puts_out(r, "  ");
            print_fitted(r, token, strlen(token), 24, 26);
            print_style(r, STYLE_CYAN);
            print_bar(r, c->score, 32);
            print_style(r, STYLE_NONE);
            print(r, " %6.4f\n", (double)c->score);
        }
    }
    flush_output(r);
}

static int fill_one(run *r, const input *in, void *user)
{
    (void)user;
    trine_error err = { 0 };
    trine_task_options options = task_options(r, in);
    trine_fill_result result = { 0 };
    trine_status status = trine_fill(&result, r->session, in->text, &options, &err);
    if (status) return fail_status(r, status, &err);
    if (r->args.json)
        write_json(r, &result);
    else
        draw(r, &result);
    trine_fill_result_clear(&result);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

int fill_main(run *r)
{
    int code = open_model(r);
    if (!code) code = open_session(r, (trine_session_options) { 0 });
    return code ? code : for_each_input(r, r->info->paradigm == TRINE_ENCODER_DECODER ? restore_one : fill_one, NULL);
}
