/* restore.c - trine fill with an encoder-decoder: gaps of any length, restored. */
#include "restore.h"

#include <stdlib.h>
#include <string.h>

#include "json_writer.h"

static void write_json(run *r, const trine_restored *f)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "text", f->text);
    jw_key(&j, "spans");
    jw_open(&j, '[');
    for (int i = 0; i < f->n_spans; i++) jw_text(&j, f->spans[i]);
    jw_close(&j, ']');
    jw_set_text(&j, "target", f->target);
    jw_set_real(&j, "score", f->score);
    jw_close(&j, '}');
    jw_end(&j);
}

static void put_line(run *r, const char *text)
{
    char *shown = text_shown(r, text, strlen(text), 0);
    print(r, "%s\n", shown ? shown : "");
    free(shown);
}

int restore_one(run *r, const input *in, void *user)
{
    (void)user;
    trine_error err = { 0 };
    trine_restored f = { 0 };
    if (!in->text) return fail_usage(r, "an encoder-decoder fills gaps in text, not in ids");
    const trine_status status = trine_restore(&f, r->session, in->text, NULL, &err);
    if (status) return fail_status(r, status, &err);
    if (r->args.json) {
        write_json(r, &f);
    } else {
        print_style(r, STYLE_BOLD);
        put_line(r, f.text);
        print_style(r, STYLE_NONE);
        for (int i = 0; i < f.n_spans; i++) {
            print(r, "  gap %-3d ", i + 1);
            print_style(r, STYLE_CYAN);
            put_line(r, f.spans[i]);
            print_style(r, STYLE_NONE);
        }
        flush_output(r);
    }
    trine_restored_clear(&f);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}
