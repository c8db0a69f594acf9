/* choices.c - generate --choices: at each step what was chosen, how likely it was, and what else could have been. */
#include "choices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A piece as the vocabulary spells it, in a cell of `columns`. */
static void put_piece(run *r, int32_t id, int columns)
{
    const char *piece = trine_tokenizer_token(r->tokenizer, id);
    if (!piece) piece = "?";
    print_fitted(r, piece, strlen(piece), columns, columns);
}

static void draw_step(run *r, const trine_chosen_token *t)
{
    enum { PIECE = 12, BAR = 12, OTHERS = 3 };
    const double p = exp((double)t->log_prob);
    print_style(r, STYLE_BOLD);
    puts_out(r, "  ");
    put_piece(r, t->id, PIECE);
    print_style(r, STYLE_NONE);
    print_style(r, STYLE_CYAN);
    puts_out(r, " ");
    print_bar(r, p, BAR);
    print_style(r, STYLE_NONE);
    print(r, " %5.3f  ", p);
    print_style(r, STYLE_DIM);
    for (int i = 0, shown = 0; i < t->n_top && shown < OTHERS; i++) {
        if (t->top[i].id == t->id) continue;
        put_piece(r, t->top[i].id, 8);
        print(r, " %4.2f ", exp((double)t->top[i].log_prob));
        shown++;
    }
    print_style(r, STYLE_NONE);
    puts_out(r, "\n");
    flush_output(r);
}

/* Keeps a step for the JSON document. */
static void keep_step(writing *w, const trine_chosen_token *t)
{
    const int n = w->run->args.choices;
    const size_t width = 1 + (size_t)n;
    trine_token_chance *grown = realloc(w->steps, ((size_t)w->n_steps + 1) * width * sizeof *grown);
    if (!grown) {
        w->no_memory = true;
        return;
    }
    w->steps = grown;
    trine_token_chance *step = grown + (size_t)w->n_steps++ * width;
    step[0] = (trine_token_chance) { t->id, t->log_prob };
    for (int i = 0; i < n; i++) step[1 + i] = i < t->n_top ? t->top[i] : (trine_token_chance) { -1, 0 };
}

void on_choice(void *user, const trine_chosen_token *token)
{
    writing *w = user;
    progress_end(w->run);
    if (w->run->args.json)
        keep_step(w, token);
    else
        draw_step(w->run, token);
}

static void put_chance(json_writer *j, const run *r, const trine_token_chance *c)
{
    jw_set_int(j, "id", c->id);
    jw_set_text(j, "token", trine_tokenizer_token(r->tokenizer, c->id));
    jw_set_real(j, "probability", exp((double)c->log_prob));
}

void write_choices(json_writer *j, const writing *w)
{
    const int n = w->run->args.choices;
    jw_key(j, "choices");
    jw_open(j, '[');
    for (int i = 0; i < w->n_steps; i++) {
        const trine_token_chance *step = w->steps + (size_t)i * (1 + (size_t)n);
        jw_open(j, '{');
        put_chance(j, w->run, step);
        jw_key(j, "top");
        jw_open(j, '[');
        for (int k = 1; k <= n && step[k].id >= 0; k++) {
            jw_open(j, '{');
            put_chance(j, w->run, &step[k]);
            jw_close(j, '}');
        }
        jw_close(j, ']');
        jw_close(j, '}');
    }
    jw_close(j, ']');
}
