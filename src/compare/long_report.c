/* long_report.c - long documents told: tables, curves, and a verdict that is made of the numbers. */
#include "base/numbers.h"
#include "compare/compare_long.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compare/paradigm_words.h"
#include "compare/report.h"

static const char *name_of(int which) { return trine_words_of(trine_long_paradigms[which])->name; }
static const char *text_of(int which) { return trine_words_of(trine_long_paradigms[which])->text; }

#define NEAR 1.1 /* times and bytes nearer than this are called equal */

static const char *bytes_text(char buffer[32], double bytes)
{
    if (bytes < 1 << 20) {
        trine_print(buffer, 32, "%.0f KiB", bytes / (1 << 10));
    } else if (bytes < 1 << 30) {
        trine_print(buffer, 32, "%.*f MiB", bytes < 100 << 20 ? 1 : 0, bytes / (1 << 20));
    } else {
        trine_print(buffer, 32, "%.1f GiB", bytes / (1 << 30));
    }
    return buffer;
}

static double all_bytes(const trine_long_cost *c) { return c->self_bytes + c->cross_bytes + c->arena_bytes; }

static double mean_recall(const trine_long_cost *c)
{
    double sum = 0;
    for (int f = 0; f < TRINE_LONG_FACTS; f++) sum += c->recall[f] / TRINE_LONG_FACTS;
    return sum;
}

/* ---------------------------------------------------------------------------------------------------------------- verdict */

typedef double read_fn(const trine_long_cost *cost);
static double read_first(const trine_long_cost *c) { return c->first_ms; }
static double read_token(const trine_long_cost *c) { return c->token_ms; }
static double read_more(const trine_long_cost *c) { return c->more_ms; }

/* Who needs less of something at the longest document, by how much, and from which length on. */
static void judge(trine_report *r, const trine_long_documents *l, const char *what, read_fn *read, json_t *verdict, const char *key)
{
    const trine_long_cost *const *c = (const trine_long_cost *const *)l->costs;
    const int last = l->n - 1;
    const double a = read(&c[0][last]), b = read(&c[1][last]), ratio = a > b ? a / b : b / a;
    const int less = a <= b ? 0 : 1;
    char from[64] = "";
    int since = last; /* the shortest length from which on the same one needs less */
    while (since > 0 && (read(&c[0][since - 1]) <= read(&c[1][since - 1])) == (less == 0)) since--;
    json_t *o = json_object();
    json_object_set_new(o, "less", json_string(ratio < NEAR ? "equal" : name_of(less)));
    trine_report_set_number(o, "ratio", ratio);
    json_object_set_new(verdict, key, o);
    if (ratio < NEAR) {
        trine_report_text(r, "%s: about equal at %.0f tokens.", what, c[0][last].n_tokens);
        return;
    }
    if (since > 0) snprintf(from, sizeof from, "; below %.0f tokens it is the other way round", c[0][since].n_tokens);
    trine_report_text(r, "%s: the %s model needs less, by a factor of %.1f at %.0f tokens%s.", what, text_of(less), ratio,
                      c[0][last].n_tokens, from);
}

static void tell_verdict(trine_report *r, const trine_long_documents *l, json_t *object)
{
    const trine_long_cost *const *c = (const trine_long_cost *const *)l->costs;
    const int last = l->n - 1;
    json_t *verdict = json_object();
    trine_report_heading(r, "Verdict, from these numbers");
    judge(r, l, "Time to the first token", read_first, verdict, "first_token");
    judge(r, l, "Time a token after it", read_token, verdict, "per_token");
    judge(r, l, "Memory (caches and temporaries)", all_bytes, verdict, "memory");
    judge(r, l, "Answering again when 256 tokens more have arrived", read_more, verdict, "arriving");
    for (int p = 0; p < 2; p++)
        trine_report_text(r, "Recall, %s: %.0f%% of the facts' words at %.0f tokens, %.0f%% at %.0f.", text_of(p),
                          100 * mean_recall(&c[p][0]), c[p][0].n_tokens, 100 * mean_recall(&c[p][last]), c[p][last].n_tokens);
    double worst = 0;
    for (int p = 0; p < 2; p++) worst = fmax(worst, mean_recall(&c[p][0]) - mean_recall(&c[p][last]));
    if (worst > 0.1)
        trine_report_text(r,
                          "Documents in training had %d tokens at most: what is lost beyond is a matter of training, not of cost.",
                          l->longest_trained);
    json_object_set_new(object, "verdict", verdict);
}

/* ----------------------------------------------------------------------------------------------------------------- tables */

static void tell_costs(trine_report *r, const trine_long_documents *l)
{
    trine_report_table(r, "What a document costs (cache in f32)", "|tokens|first, ms|token, ms|256 more, ms|begin|middle|end");
    for (int k = 0; k < l->n; k++)
        for (int p = 0; p < 2; p++) {
            const trine_long_cost *c = &l->costs[p][k];
            trine_report_row(r, "%s|%.0f|%.1f|%.2f|%.1f|%.0f%%|%.0f%%|%.0f%%", name_of(p), c->n_tokens, c->first_ms, c->token_ms,
                             c->more_ms, 100 * c->recall[0], 100 * c->recall[1], 100 * c->recall[2]);
        }
    trine_report_text(r, "begin, middle, end: share of the words of the fact planted there that the summary has right.");
    trine_report_table(r, "Memory by part (cache in f32)", "|tokens|self cache|cross cache|temporaries|in all");
    for (int k = 0; k < l->n; k++)
        for (int p = 0; p < 2; p++) {
            const trine_long_cost *c = &l->costs[p][k];
            char self[32], cross[32], arena[32], all[32];
            trine_report_row(r, "%s|%.0f|%s|%s|%s|%s", name_of(p), c->n_tokens, bytes_text(self, c->self_bytes),
                             bytes_text(cross, c->cross_bytes), bytes_text(arena, c->arena_bytes), bytes_text(all, all_bytes(c)));
        }
}

/* Three words of a summary; what is no word of the world stands as "-". */
static const char *fact_text(char buffer[96], const trine_grammar *world, const double ids[3])
{
    const char *words[3];
    for (int k = 0; k < 3; k++) {
        const int i = (int)ids[k] - world->first_id;
        words[k] = i >= 0 && i < world->n_ids ? world->words[i] : "-";
    }
    snprintf(buffer, 96, "%.30s %.30s %.30s", words[0], words[1], words[2]);
    return buffer;
}

static const char *const places[TRINE_LONG_FACTS] = { "beginning", "middle", "end" };

/* What was planted in the first of the longest documents, and what either model answered. */
static void tell_facts(trine_report *r, const trine_long_documents *l, const trine_grammar *world)
{
    const trine_long_cost *a = &l->costs[0][l->n - 1], *b = &l->costs[1][l->n - 1];
    char title[96], planted[96], one[96], other[96];
    trine_print(title, sizeof title, "The facts planted in a document of about %.0f tokens, and the answers", a->n_tokens);
    trine_report_table(r, title, "|planted|decoder|encoder-decoder");
    for (int f = 0; f < TRINE_LONG_FACTS; f++)
        trine_report_row(r, "%s|%s|%s|%s", places[f], fact_text(planted, world, &a->planted[3 * f]),
                         fact_text(one, world, &a->said[3 * f]), fact_text(other, world, &b->said[3 * f]));
}

static void tell_types(trine_report *r, const trine_long_documents *l)
{
    char title[96];
    trine_print(title, sizeof title, "Types of cache, at %.0f tokens", l->by_type[0][0].n_tokens);
    trine_report_table(r, title, "|cache|self and cross|first, ms|token, ms|recall");
    for (int t = 0; t < TRINE_LONG_TYPES; t++)
        for (int p = 0; p < 2; p++) {
            const trine_long_cost *c = &l->by_type[p][t];
            char bytes[32];
            trine_report_row(r, "%s|%s|%s|%.1f|%.2f|%.0f%%", name_of(p), trine_dtype_name(l->types[t]),
                             bytes_text(bytes, c->self_bytes + c->cross_bytes), c->first_ms, c->token_ms, 100 * mean_recall(c));
        }
}

static void tell_plain(trine_report *r, const trine_long_documents *l)
{
    char bytes[32], tiled[32];
    const double longest = l->costs[0][l->n - 1].n_tokens;
    trine_report_table(r, "Attention of one layer, in tiles and plain", "tokens|tiles, ms|plain, ms|tiles, memory|plain, memory");
    for (int i = 0; i < TRINE_LONG_PLAIN; i++) {
        const trine_attention_cost *c = &l->plain[i];
        trine_report_row(r, "%d|%.2f|%.2f|%s|%s", l->plain_tokens[i], c->tiled_ms, c->plain_ms, bytes_text(tiled, c->tiled_bytes),
                         bytes_text(bytes, c->plain_bytes));
    }
    trine_report_text(
        r,
        "Plain attention stores the scores of a head, tokens x tokens floats: %s at %.0f tokens. Both give the same result "
        "(largest difference %.1g).",
        bytes_text(bytes, 4 * longest * longest), longest, l->plain[TRINE_LONG_PLAIN - 1].largest_difference);
}

/* ----------------------------------------------------------------------------------------------------------------- curves */

static void add_curve(trine_report *r, const trine_long_documents *l, int p, read_fn *read, double *x)
{
    double *y = x + l->n;
    for (int k = 0; k < l->n; k++) {
        x[k] = l->costs[p][k].n_tokens;
        y[k] = read(&l->costs[p][k]);
    }
    trine_report_series(r, text_of(p), TRINE_MARK_BOTH, l->n, x, y, NULL, NULL);
}

static void tell_curves(trine_report *r, const trine_long_documents *l)
{
    static const struct {
        const char *title, *label;
        read_fn *read;
        bool detail, log_y;
    } plots[] = { { "Time to the first token", "time to the first token, ms", read_first, false, true },
                  { "Time a token after the first", "time a token, ms", read_token, false, true },
                  { "Memory: caches and temporaries", "memory, bytes", all_bytes, true, true },
                  { "Answering again when 256 tokens have arrived", "time, ms", read_more, true, true },
                  { "Recall of planted facts", "share of words that are right", mean_recall, true, false } };
    double *x = calloc(2 * (size_t)l->n, sizeof *x);
    if (!x) {
        trine_report_set_failed(r);
        return;
    }
    for (size_t i = 0; i < sizeof plots / sizeof *plots; i++) {
        trine_report_set_detail(r, plots[i].detail);
        trine_report_plot(r, plots[i].title, "length of the document, tokens", plots[i].label, true, plots[i].log_y);
        for (int p = 0; p < 2; p++) add_curve(r, l, p, plots[i].read, x);
    }
    trine_report_set_detail(r, false);
    free(x);
}

static json_t *cost_to_json(const trine_long_cost *c, const trine_grammar *world)
{
    json_t *o = json_object(), *recall = json_object(), *facts = json_object();
    trine_report_set_number(o, "tokens", c->n_tokens);
    trine_report_set_number(o, "first_token_ms", c->first_ms);
    trine_report_set_number(o, "token_ms", c->token_ms);
    trine_report_set_number(o, "arriving_ms", c->more_ms);
    trine_report_set_number(o, "self_cache_bytes", c->self_bytes);
    trine_report_set_number(o, "cross_cache_bytes", c->cross_bytes);
    trine_report_set_number(o, "activation_bytes", c->arena_bytes);
    for (int f = 0; f < TRINE_LONG_FACTS; f++) trine_report_set_number(recall, places[f], c->recall[f]);
    json_object_set_new(o, "recall", recall);
    for (int f = 0; f < TRINE_LONG_FACTS; f++) {
        char planted[96], said[96];
        json_object_set_new(facts, places[f],
                            json_pack("{s:s,s:s}", "planted", fact_text(planted, world, &c->planted[3 * f]), "said",
                                      fact_text(said, world, &c->said[3 * f])));
    }
    json_object_set_new(o, "first_document", facts);
    return o;
}

static void fill_object(json_t *o, const trine_long_documents *l, const trine_grammar *world)
{
    json_object_set_new(o, "experiment", json_string("long-document"));
    json_object_set_new(o, "quick", json_boolean(l->options.quick));
    json_object_set_new(o, "seed", json_integer((json_int_t)l->options.seed));
    json_object_set_new(o, "run", l->run ? json_integer(l->run) : json_null());
    json_object_set_new(o, "train_tokens", json_integer((json_int_t)l->options.train_tokens));
    json_t *asked = json_array();
    for (int k = 0; k < l->n; k++) json_array_append_new(asked, json_integer((json_int_t)l->options.lengths[k]));
    json_object_set_new(o, "lengths", asked);
    for (int p = 0; p < 2; p++) {
        json_t *model = json_object(), *lengths = json_array(), *types = json_object();
        json_object_set_new(model, "parameters", json_integer(l->n_parameters[p]));
        trine_report_set_number(model, "train_seconds", l->train_seconds[p]);
        for (int k = 0; k < l->n; k++) json_array_append_new(lengths, cost_to_json(&l->costs[p][k], world));
        for (int t = 0; t < TRINE_LONG_TYPES; t++)
            json_object_set_new(types, trine_dtype_name(l->types[t]), cost_to_json(&l->by_type[p][t], world));
        json_object_set_new(model, "lengths", lengths);
        json_object_set_new(model, "cache_types", types);
        json_object_set_new(o, name_of(p), model);
    }
    json_t *plain = json_array();
    for (int i = 0; i < TRINE_LONG_PLAIN; i++) {
        json_t *k = json_object();
        json_object_set_new(k, "tokens", json_integer(l->plain_tokens[i]));
        trine_report_set_number(k, "tiled_ms", l->plain[i].tiled_ms);
        trine_report_set_number(k, "plain_ms", l->plain[i].plain_ms);
        trine_report_set_number(k, "tiled_bytes", l->plain[i].tiled_bytes);
        trine_report_set_number(k, "plain_bytes", l->plain[i].plain_bytes);
        json_array_append_new(plain, k);
    }
    json_object_set_new(o, "attention", plain);
}

trine_status trine_long_tell(trine_report **out, const trine_long_documents *l, const trine_grammar *world, trine_error *err)
{
    const trine_status status = trine_report_open(out, "Long documents: decoder-only and encoder-decoder", err);
    if (status) return status;
    trine_report *r = *out;
    trine_report_text(
        r,
        "A decoder of %lld parameters and an encoder-decoder of %lld learnt to summarise documents of up to %d tokens to the "
        "three facts planted in them (%lld tokens each, the summary alone scored, %.0f and %.0f s), then read longer "
        "ones.",
        (long long)l->n_parameters[0], (long long)l->n_parameters[1], l->longest_trained, (long long)l->options.train_tokens,
        l->train_seconds[0], l->train_seconds[1]);
    json_t *o = trine_report_object(r);
    tell_verdict(r, l, o);
    trine_report_heading(r, "The numbers");
    tell_costs(r, l);
    tell_facts(r, l, world);
    tell_curves(r, l);
    tell_types(r, l);
    tell_plain(r, l);
    fill_object(o, l, world);
    return trine_report_end(out, err);
}
