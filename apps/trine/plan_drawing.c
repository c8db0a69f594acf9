/* plan_drawing.c - a plan in 80 columns: bars of what takes the memory, what fits, what would make the rest fit, rates. */
#include <stdio.h>
#include <string.h>

#include "chart.h"
#include "model_words.h"
#include "plan.h"

enum { BAR = 20 };

/* What is drawn in a bar, by a glyph and a color. */
typedef struct part {
    const char *name, *glyph, *plain;
    style color;
} part;
static const part parts[] = {
    { "weights", "\u2588", "#", STYLE_CYAN },
    { "cache", "\u2593", "=", STYLE_YELLOW },
    { "temporaries", "\u2592", "-", STYLE_MAGENTA },
};
enum { N_PARTS = sizeof parts / sizeof *parts };

static const char *show_rate(char out[32], double rate)
{
    if (rate >= 1e5) return show_count(out, rate);
    snprintf(out, 32, "%.*f", rate < 10 ? 2 : rate < 100 ? 1 : 0, rate);
    return out;
}

/* The parts side by side, `scale` bytes a column, and where the machine's memory ends, when that is within. */
static void draw_bar(run *r, const trine_session_bytes *b, double scale, size_t memory)
{
    const size_t sizes[N_PARTS] = { b->weights_bytes, b->cache_bytes, b->arena_bytes + b->batch_bytes };
    const double limit = (double)memory / scale;
    double end = 0;
    int column = 0;
    for (int i = 0; i < N_PARTS; i++) {
        const int first = column;
        end += (double)sizes[i];
        const int last = (int)(end / scale + 0.5);
        print_style(r, parts[i].color);
        for (; column < last && column < BAR; column++)
            puts_out(r, limit < BAR && column == (int)limit ? "|" : r->utf8 ? parts[i].glyph : parts[i].plain);
        if (sizes[i] && column == first && column < BAR) { /* something is there, however little */
            puts_out(r, r->utf8 ? parts[i].glyph : parts[i].plain);
            column++;
        }
        print_style(r, STYLE_NONE);
    }
    for (; limit < BAR && column < BAR; column++) puts_out(r, column == (int)limit ? "|" : " ");
}

static size_t largest_total(const plan_report *p)
{
    size_t most = 1;
    for (int i = 0; i < p->n_contexts; i++)
        if (p->contexts[i].bytes.total_bytes > most) most = p->contexts[i].bytes.total_bytes;
    return most;
}

static void head(run *r, const char *text)
{
    print_style(r, STYLE_BOLD);
    puts_out(r, text);
    print_style(r, STYLE_NONE);
}

/* ------------------------------------------------------------------------------------------------------- the model */

static void draw_model(run *r, const plan_report *p)
{
    const trine_model_info *m = p->info;
    char number[32], size[32], token[32];
    print_style(r, STYLE_BOLD);
    print(r, "%s", p->name);
    print_style(r, STYLE_NONE);
    print(r, ": %s (%s), %s parameters, %s in %s\n", m->family, paradigm_name(m->paradigm), show_number(number, m->n_parameters),
          show_size(size, m->weights_bytes), p->weights);
    if (m->n_decoder_layers)
        print(r, "%d + %d layers", m->n_layers, m->n_decoder_layers);
    else
        print(r, "%d layers", m->n_layers);
    print(r, ", %d wide, %d heads of %d", m->d_model, m->n_heads, m->d_head);
    if (m->n_kv_heads != m->n_heads) print(r, " (%d of keys and values)", m->n_kv_heads);
    if (m->window) print(r, ", window %d", m->window);
    const trine_session_bytes *b = &p->contexts[0].bytes;
    const int n = p->options.n_sequences > 1 ? p->options.n_sequences : 1;
    puts_out(r, "\n");
    if (m->max_tokens) print(r, "made for %s tokens; ", show_number(number, m->max_tokens));
    print(r, "%d %s%s, passes of %s tokens\n", n, m->paradigm == TRINE_ENCODER ? "text" : "sequence", n == 1 ? "" : "s",
          show_number(number, b->options.batch_tokens));
    if (b->kv_bytes_per_token)
        print(r, "cache in %s: %s a token%s\n", trine_dtype_name(b->options.cache_type), show_size(token, b->kv_bytes_per_token),
              m->paradigm == TRINE_ENCODER_DECODER ? ", and as much a source token" : "");
    puts_out(r, "\n");
}

/* ------------------------------------------------------------------------------------------------------- contexts */

static void draw_contexts(run *r, const plan_report *p)
{
    char a[4][32], memory[32], line[96];
    const size_t most = largest_total(p);
    /* The end of the memory is drawn where it is near. */
    const double scale = (double)(most < p->machine.memory && p->machine.memory / 2 < most ? p->machine.memory : most) / (BAR - 1);
    show_size(memory, p->machine.memory);
    snprintf(line, sizeof line, "%11s %9s %9s %11s %9s  of %s%s\n", "context", "weights", "cache", "temporaries", "total", memory,
             r->args.memory || r->args.device ? "" : " free");
    head(r, line);
    for (int i = 0; i < p->n_contexts; i++) {
        const trine_session_bytes *b = &p->contexts[i].bytes;
        const double share = 100 * (double)b->total_bytes / (double)p->machine.memory;
        print(r, "%11s %9s %9s %11s %9s %4.*f%% ", show_number(memory, b->options.ctx), show_size(a[0], b->weights_bytes),
              b->cache_bytes ? show_size(a[1], b->cache_bytes) : "-", show_size(a[2], b->arena_bytes + b->batch_bytes),
              show_size(a[3], b->total_bytes), share < 9.95 ? 1 : 0, share < 9999 ? share : 9999);
        draw_bar(r, b, scale, p->machine.memory);
        puts_out(r, "\n");
    }
    print(r, "%47s", "");
    for (int i = 0; i < N_PARTS; i++) {
        print_style(r, parts[i].color);
        puts_out(r, r->utf8 ? parts[i].glyph : parts[i].plain);
        print_style(r, STYLE_NONE);
        print(r, " %s%s", parts[i].name, i + 1 < N_PARTS ? "  " : "\n\n");
    }
}

/* What fits, what would make the rest fit, and how far it goes. */
static void draw_fits(run *r, const plan_report *p)
{
    char ctx[32], size[32], cache[32], over[32];
    const bool encoder = p->info->paradigm == TRINE_ENCODER;
    for (int i = 0; i < p->n_contexts; i++) {
        const plan_context *c = &p->contexts[i];
        const plan_remedy *m = &p->remedies[i];
        show_number(ctx, c->bytes.options.ctx);
        if (c->fits) {
            print_style(r, STYLE_GREEN);
            print(r, "%11s fits", ctx);
            print_style(r, STYLE_NONE);
            print(r, ": %s stay free", show_size(size, p->machine.memory - c->bytes.total_bytes));
            if (c->largest_batch > 1)
                print(r, "; at %s %s %s at a time\n", c->largest_batch < TRINE_PLAN_MOST_SEQUENCES ? "most" : "least",
                      show_number(over, c->largest_batch), encoder ? "texts" : "sequences");
            else
                puts_out(r, "\n");
            continue;
        }
        print_style(r, STYLE_RED);
        print(r, "%11s does not fit", ctx);
        print_style(r, STYLE_NONE);
        print(r, ", by %s: ", show_size(over, c->bytes.total_bytes - p->machine.memory));
        if (!m->found)
            puts_out(r, "in no type that there is\n");
        else if (!m->weights)
            print(r, "it needs a %s cache (%s)\n", trine_dtype_name(m->cache_type), show_size(cache, m->bytes.cache_bytes));
        else if (m->bytes.kv_bytes_per_token && m->cache_type != p->options.cache_type)
            print(r, "%s weights, %s cache do (%s)\n", m->weights, trine_dtype_name(m->cache_type),
                  show_size(size, m->bytes.total_bytes));
        else
            print(r, "%s weights do (%s)\n", m->weights, show_size(size, m->bytes.total_bytes));
    }
    const bool beyond = p->info->max_tokens && p->longest > p->info->max_tokens;
    const bool looked =
        p->longest == TRINE_PLAN_MOST_CTX || (p->longest == TRINE_PLAN_MOST_SOURCE && p->info->paradigm == TRINE_ENCODER_DECODER);
    if (!p->longest)
        puts_out(r, "longest context that fits: none\n");
    else
        print(r, "longest context that fits: %s%s tokens%s\n", looked ? "at least " : "", show_number(ctx, p->longest),
              beyond ? ", beyond what it knows" : "");
}

/* --------------------------------------------------------------------------------------------------------- types */

static const plan_type *find_type(const plan_report *p, const char *name)
{
    for (int i = 0; i < p->n_weight_types; i++)
        if (!strcmp(p->weight_types[i].name, name)) return &p->weight_types[i];
    return NULL;
}

/* Types of weights with this cache, beside types of the cache with these weights; a star where the longest context asked for fits. */
static void draw_types(run *r, const plan_report *p)
{
    static const char *const shown[] = { "f32", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0" };
    enum { N_SHOWN = sizeof shown / sizeof *shown };
    char a[4][32], line[96];
    const trine_session_bytes *b = p->n_cache_types ? &p->cache_types[0].bytes : &p->weight_types[0].bytes;
    snprintf(line, sizeof line, "%7s %9s %9s %10s%s", "weights", "", "total", "longest", p->n_cache_types ? "" : "\n");
    head(r, line);
    if (p->n_cache_types) {
        snprintf(line, sizeof line, "    %5s %9s %9s %10s\n", "cache", "a token", "total", "longest");
        head(r, line);
    }
    for (int k = 0; k < N_SHOWN; k++) {
        const plan_type *t = find_type(p, shown[k]);
        if (t)
            print(r, "%7s %9s %9s %10s%s", t->name, show_size(a[0], t->bytes.weights_bytes), show_size(a[1], t->bytes.total_bytes),
                  t->longest ? show_number(a[2], t->longest) : "none", t->fits ? " *" : "  ");
        else
            print(r, "%40s", "");
        if (k < p->n_cache_types) {
            t = &p->cache_types[k];
            print(r, "  %5s %9s %9s %10s%s", t->name, show_size(a[0], t->bytes.kv_bytes_per_token),
                  show_size(a[1], t->bytes.total_bytes), t->longest ? show_number(a[2], t->longest) : "none", t->fits ? " *" : "");
        }
        puts_out(r, "\n");
    }
    print(r, "(total at %s tokens, * fits; longest context that fits)\n\n", show_number(a[0], b->options.ctx));
}

/* --------------------------------------------------------------------------------------------------------- curve */

enum { N_POINTS = 48, N_CURVES = 3 };

/* Memory against context for some types of the cache, and the machine's as a line, up to where the largest passes it. */
static int draw_curve(run *r, const plan_report *p)
{
    static double x[N_POINTS], y[N_CURVES][N_POINTS];
    char names[N_CURVES + 1][64], size[32];
    const char *endings[N_CURVES + 1];
    trine_plot_series series[N_CURVES + 1];
    static const char *const labels[] = { "memory, KiB", "memory, MiB", "memory, GiB" };
    const size_t total = largest_total(p);
    const int unit = total >> 30 ? 2 : total >> 20 ? 1 : 0;
    const double scale = (double)((size_t)1 << (10 * (unit + 1)));
    double rule_x = 0, rule_y = (double)p->machine.memory / scale;
    int n = 0, most = p->longest;
    for (int i = 0; i < p->n_contexts; i++)
        if (p->contexts[i].bytes.options.ctx > most) most = p->contexts[i].bytes.options.ctx;
    if (most > (1 << 24) / 4 * 3) most = (1 << 24) / 4 * 3;
    const bool ends = p->info->paradigm == TRINE_ENCODER || p->info->positions[0] == 'l';
    most = ends && p->info->max_tokens && most + most / 4 > p->info->max_tokens ? p->info->max_tokens : most + most / 4;
    for (int i = 0; i < p->n_cache_types || (!p->n_cache_types && i < 1); i++) {
        const trine_dtype type = p->n_cache_types ? p->cache_types[i].cache_type : TRINE_F16;
        if (type == TRINE_F32) continue;
        trine_session_options o = p->options;
        o.cache_type = type;
        int points = 0;
        for (int k = 0; k < N_POINTS && n < N_CURVES; k++) {
            trine_session_bytes b;
            o.ctx = (int)((double)most * (k + 1) / N_POINTS);
            if (o.ctx < 1 || trine_planner_session(&b, p->planner, &o, NULL)) continue;
            x[points] = o.ctx;
            y[n][points++] = (double)b.total_bytes / scale;
        }
        if (!points) continue;
        if (p->n_cache_types)
            snprintf(names[n], sizeof names[n], "%s cache", trine_dtype_name(type));
        else
            snprintf(names[n], sizeof names[n], "%s weights", p->weights);
        series[n] = (trine_plot_series) { .name = names[n], .mark = TRINE_MARK_LINE, .n = points, .x = x, .y = y[n] };
        endings[n++] = "";
    }
    if (!n) return 0;
    snprintf(names[n], sizeof names[n], "%s: %s",
             r->args.memory   ? "--memory"
             : r->args.device ? p->machine.name
                              : "free here",
             show_size(size, p->machine.memory));
    series[n] = (trine_plot_series) { .name = names[n], .mark = TRINE_MARK_RULE, .n = 1, .x = &rule_x, .y = &rule_y };
    endings[n++] = "";
    /* A machine far above everything would press the curves flat. */
    if (rule_y > 4 * y[0][series[0].n - 1]) n--;
    const trine_plot plot = { .x_label = "context, tokens", .y_label = labels[unit], .n_series = n, .series = series };
    return draw_chart(r, &plot, endings);
}

/* --------------------------------------------------------------------------------------------------------- rates */

static void draw_rates(run *r, const plan_report *p)
{
    char a[3][32];
    const plan_machine *m = &p->machine;
    if (!(m->bandwidth > 0) && !(m->ops > 0)) return;
    print_style(r, STYLE_BOLD);
    puts_out(r, "at most");
    print_style(r, STYLE_NONE);
    puts_out(r, ", at");
    if (m->bandwidth > 0) print(r, " %.1f GB/s", m->bandwidth / 1e9);
    if (m->ops > 0) print(r, "%s %.2f TFLOP/s of %s", m->bandwidth > 0 ? " and" : "", m->ops / 1e12, m->arithmetic);
    print(r, " (%s)\n", m->name);
    for (int i = 0; i < p->n_contexts; i++) {
        const plan_context *c = &p->contexts[i];
        print(r, "%11s ", show_number(a[0], c->bytes.options.ctx));
        if (c->step_rate > 0)
            print(r, "%s tokens/s at its end (%s each), ", show_rate(a[1], c->step_rate), show_size(a[2], (size_t)c->step_bytes));
        if (c->read_rate > 0)
            print(r, "%s %s", show_rate(a[1], c->read_rate),
                  p->info->paradigm == TRINE_ENCODER   ? "texts/s"
                  : p->info->paradigm == TRINE_DECODER ? "tokens/s read"
                                                       : "tokens/s written, from a source as long");
        puts_out(r, "\n");
    }
}

/* What is not stored, for the longest context asked for. */
static void draw_plain_attention(run *r, const plan_report *p)
{
    char n[32], size[32];
    const plan_context *most = &p->contexts[0];
    for (int i = 1; i < p->n_contexts; i++)
        if (p->contexts[i].bytes.options.ctx > most->bytes.options.ctx) most = &p->contexts[i];
    show_number(n, most->bytes.options.ctx);
    print(r, "plain attention: %d x %s x %s scores a layer, %s in f16\n", p->info->n_heads, n, n,
          show_size(size, most->bytes.plain_attention_bytes));
}

int plan_draw(run *r, const plan_report *p)
{
    draw_model(r, p);
    draw_contexts(r, p);
    draw_fits(r, p);
    draw_rates(r, p);
    draw_plain_attention(r, p);
    if (!r->args.details) {
        print_style(r, STYLE_DIM);
        puts_out(r, "--details: every type of weights and of the cache, and memory against context\n");
        print_style(r, STYLE_NONE);
        return 0;
    }
    puts_out(r, "\n");
    draw_types(r, p);
    return draw_curve(r, p);
}
