/* plan_train.c - trine plan --train: what a step of training takes, by part, and what makes it fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "json_writer.h"
#include "model_words.h"
#include "plan.h"

typedef struct training {
    trine_training_bytes bytes;
    plan_machine machine;
    bool fits;
    int largest_batch;
    /* What makes it fit where it does not: the first that does, else 0. */
    const char *remedy;
    trine_training_bytes remedied;
    double step_ops; /* of the products of a step, forward and backward */
} training;

static trine_training_options options_of(const arguments *a)
{
    return (trine_training_options) { .n_texts = GIVEN(a, n_sequences) ? a->n_sequences : 0,
                                      .seq_len = a->seq_len,
                                      .optimizer = (trine_optimizer)a->optimizer, /* in the order of the choices */
                                      .bf16 = a->bf16,
                                      .recompute = a->recompute,
                                      .dropout = GIVEN(a, dropout) ? (a->dropout > 0 ? a->dropout : -1) : 0,
                                      .average = a->ema > 0,
                                      .n_ranks = a->n_ranks,
                                      .shard_optimizer = a->shard_optimizer,
                                      .lora_rank = a->lora,
                                      .n_threads = a->threads,
                                      .cpu = a->cpu };
}

static bool batch_fits(const trine_planner *p, trine_training_options o, int n_texts, size_t memory)
{
    trine_training_bytes b;
    o.n_texts = n_texts;
    return !trine_planner_training(&b, p, &o, NULL) && b.total_bytes <= memory;
}

enum { MOST_TEXTS = 1 << 14 };
/* The most texts of a micro-batch that fit, MOST_TEXTS at most; 0: none. */
static int largest_batch(const trine_planner *p, const trine_training_options *o, size_t memory)
{
    if (!batch_fits(p, *o, 1, memory)) return 0;
    int low = 1, high = 2;
    while (high <= MOST_TEXTS && batch_fits(p, *o, high, memory)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1 && high <= MOST_TEXTS) {
        const int middle = low + (high - low) / 2;
        if (batch_fits(p, *o, middle, memory))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Recomputing costs time alone; then a smaller micro-batch, with --accumulate; then both; then adapters; then no moments. */
static void find_remedy(training *t, const trine_planner *p)
{
    const trine_training_options asked = t->bytes.options;
    trine_training_options o[] = { asked, asked, asked, asked, asked };
    enum { N = sizeof o / sizeof *o };
    static const char *const names[N] = { "--recompute does", "a batch of one text does, with --accumulate",
                                          "--recompute and a batch of one text do", "adapters do (--lora 16)",
                                          "without moments it does (--optimizer sgd)" };
    for (int i = 0; i < N; i++) {
        o[i].recompute |= i != 1;
        if (i > 0) o[i].n_texts = 1;
    }
    if (!asked.lora_rank) o[3].lora_rank = 16;
    o[4].optimizer = TRINE_OPTIMIZER_SGD;
    for (int i = 0; i < N; i++) {
        if (trine_planner_training(&t->remedied, p, &o[i], NULL) || t->remedied.total_bytes > t->machine.memory) continue;
        t->remedy = names[i];
        return;
    }
}

/* A backward multiplies twice what its forward did: for the gradients of what comes in, and of weights, where these learn. */
static double ops_of(const trine_training_bytes *b, const trine_planner *p)
{
    trine_weight_uses uses;
    const trine_model_info *info = trine_planner_info(p);
    trine_planner_weight_uses(&uses, p);
    bench_result read = { .kind = info->paradigm == TRINE_ENCODER_DECODER ? BENCH_TRANSLATE : BENCH_ENCODE,
                          .tokens = b->options.seq_len,
                          .batch = b->options.n_texts,
                          .beam = 1 };
    if (info->paradigm == TRINE_ENCODER_DECODER) {
        read.source = b->n_rows / b->options.n_texts;
        read.tokens = b->n_target_rows / b->options.n_texts;
        read.batch = 1;
    }
    bench_count_work(&read, info, &uses);
    const double texts = info->paradigm == TRINE_ENCODER_DECODER ? b->options.n_texts : 1;
    const double head = info->paradigm == TRINE_ENCODER_DECODER ? 0 : 2 * uses.parameters[TRINE_USE_HEAD] * b->n_scored;
    return (b->options.lora_rank ? 2 : 3) * (texts * read.flops + head) + (b->options.recompute ? texts * read.flops : 0);
}

/* -------------------------------------------------------------------------------------------------------- drawing */

static void draw_part(run *r, const char *name, const char *what, size_t bytes, size_t total)
{
    char size[32];
    if (!bytes) return;
    print(r, "  %-26s %9s  ", name, show_size(size, bytes));
    print_style(r, STYLE_CYAN);
    print_bar(r, (double)bytes / (double)total, 20);
    print_style(r, STYLE_NONE);
    print(r, "  %s\n", what);
}

static void draw(run *r, const training *t, const trine_planner *p)
{
    char a[4][32], what[64];
    const trine_training_bytes *b = &t->bytes;
    const trine_training_options *o = &b->options;
    print_style(r, STYLE_BOLD);
    print(r, "%s", base_name(r->args.model));
    print_style(r, STYLE_NONE);
    print(r, ": %s (%s), %s parameters to train\n", trine_planner_info(p)->family, paradigm_name(trine_planner_info(p)->paradigm),
          show_number(a[0], b->n_parameters));
    print(r, "a step of %d text%s of %d tokens", o->n_texts, o->n_texts == 1 ? "" : "s", o->seq_len);
    if (b->n_target_rows) print(r, " (targets of %d)", b->n_target_rows / o->n_texts);
    print(r, "%s%s", o->bf16 ? ", bf16" : "", o->recompute ? ", recomputed" : "");
    if (o->n_ranks > 1) print(r, ", on each of %d ranks%s", o->n_ranks, o->shard_optimizer ? ", moments shared out" : "");
    puts_out(r, "\n\n");
    draw_part(r, "frozen weights", "beside adapters", b->frozen_bytes, b->total_bytes);
    snprintf(what, sizeof what, o->lora_rank ? "f32, of rank %d" : "f32", o->lora_rank);
    draw_part(r, o->lora_rank ? "adapters" : "weights", what, b->weights_bytes, b->total_bytes);
    draw_part(r, "gradients", "f32", b->gradient_bytes, b->total_bytes);
    snprintf(what, sizeof what, o->shard_optimizer && o->n_ranks > 1 ? "AdamW's two, 1 share of %d" : "AdamW's two, f32",
             o->n_ranks);
    draw_part(r, "moments", what, b->moment_bytes, b->total_bytes);
    draw_part(r, "matrices", "that Muon computes with", b->muon_bytes, b->total_bytes);
    draw_part(r, "weights for products", "bf16", b->bf16_bytes, b->total_bytes);
    draw_part(r, "average of weights", "f32", b->average_bytes, b->total_bytes);
    draw_part(r, "activations", "and temporaries", b->arena_bytes, b->total_bytes);
    draw_part(r, "gradients of activations", "", b->pool_bytes, b->total_bytes);
    print_style(r, STYLE_BOLD);
    print(r, "  %-26s %9s", "in all", show_size(a[0], b->total_bytes));
    print_style(r, STYLE_NONE);
    print(r, "  of %s%s: ", show_size(a[1], t->machine.memory), r->args.memory || r->args.device ? "" : " free");
    print_style(r, t->fits ? STYLE_GREEN : STYLE_RED);
    puts_out(r, t->fits ? "fits" : "does not fit");
    print_style(r, STYLE_NONE);
    if (!t->fits && t->remedy) print(r, "; %s (%s)", t->remedy, show_size(a[2], t->remedied.total_bytes));
    puts_out(r, "\n");
    if (t->largest_batch)
        print(r, "  at %s %s texts of %d tokens in a micro-batch\n", t->largest_batch < MOST_TEXTS ? "most" : "least",
              show_number(a[0], t->largest_batch), o->seq_len);
    print(r, "  %s operations a step", show_count(a[0], t->step_ops));
    if (t->machine.ops > 0)
        print(r, ": at most %s tokens/s at %.2f TFLOP/s",
              show_count(a[1], (double)(b->n_rows + b->n_target_rows) * t->machine.ops / t->step_ops), t->machine.ops / 1e12);
    puts_out(r, "\n");
}

static void write_json(run *r, const training *t, const trine_planner *p, const trine_verification *v)
{
    const trine_training_bytes *b = &t->bytes;
    const trine_training_options *o = &b->options;
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "model", r->args.model);
    jw_set_text(&j, "family", trine_planner_info(p)->family);
    jw_set_text(&j, "paradigm", paradigm_name(trine_planner_info(p)->paradigm));
    jw_set_int(&j, "parameters", b->n_parameters);
    static const char *const optimizers[] = { "adamw", "muon", "sgd" };
    jw_set_text(&j, "optimizer", optimizers[o->optimizer]);
    jw_set_text(&j, "precision", o->bf16 ? "bf16" : "f32");
    jw_set_bool(&j, "recompute", o->recompute);
    jw_set_int(&j, "batch", o->n_texts);
    jw_set_int(&j, "seq_len", o->seq_len);
    jw_set_int(&j, "ranks", o->n_ranks);
    jw_set_bool(&j, "shard_optimizer", o->shard_optimizer);
    jw_set_int(&j, "threads", o->n_threads);
    jw_set_int(&j, "rows", b->n_rows);
    jw_set_int(&j, "target_rows", b->n_target_rows);
    jw_set_int(&j, "scored_rows", b->n_scored);
    jw_set_int(&j, "lora_rank", o->lora_rank);
    jw_set_int(&j, "frozen_bytes", (int64_t)b->frozen_bytes);
    jw_set_int(&j, "weights_bytes", (int64_t)b->weights_bytes);
    jw_set_int(&j, "gradient_bytes", (int64_t)b->gradient_bytes);
    jw_set_int(&j, "optimizer_bytes", (int64_t)b->moment_bytes);
    jw_set_int(&j, "muon_bytes", (int64_t)b->muon_bytes);
    jw_set_int(&j, "bf16_bytes", (int64_t)b->bf16_bytes);
    jw_set_int(&j, "average_bytes", (int64_t)b->average_bytes);
    jw_set_int(&j, "activation_bytes", (int64_t)b->arena_bytes);
    jw_set_int(&j, "activation_gradient_bytes", (int64_t)b->pool_bytes);
    jw_set_int(&j, "total_bytes", (int64_t)b->total_bytes);
    jw_set_int(&j, "memory_bytes", (int64_t)t->machine.memory);
    jw_set_bool(&j, "fits", t->fits);
    jw_set_int(&j, "largest_batch", t->largest_batch);
    jw_set_real(&j, "step_ops", t->step_ops);
    if (!t->fits) {
        jw_set_text(&j, "fits_with", t->remedy);
        if (t->remedy) jw_set_int(&j, "fits_with_bytes", (int64_t)t->remedied.total_bytes);
    }
    if (v) plan_write_verification(&j, v);
    jw_close(&j, '}');
    jw_end(&j);
}

/* ------------------------------------------------------------------------------------------------------------- all */

int plan_train(run *r, const trine_planner *p)
{
    training t = { 0 };
    trine_verification v;
    trine_error err;
    const arguments *a = &r->args;
    const trine_training_options o = options_of(a);
    int code = plan_machine_of(&t.machine, r, a->bf16 ? TRINE_BF16 : TRINE_F32);
    if (code) return code;
    trine_status status = trine_planner_training(&t.bytes, p, &o, &err);
    if (status) return fail_status(r, status, &err);
    t.fits = t.bytes.total_bytes <= t.machine.memory;
    t.largest_batch = largest_batch(p, &t.bytes.options, t.machine.memory);
    t.step_ops = ops_of(&t.bytes, p);
    if (!t.fits) find_remedy(&t, p);
    if (interrupted()) return EXIT_INTERRUPTED;
    if (!a->json) draw(r, &t, p);
    if (a->verify) {
        status = trine_verify_training(&v, a->model, &o, &(trine_verify_options) { .cpu = a->cpu }, &err);
        if (status) return fail_status(r, status, &err);
        if (!a->json) plan_draw_verification(r, &v, "a step");
    }
    if (a->json) write_json(r, &t, p, a->verify ? &v : NULL);
    return 0;
}
