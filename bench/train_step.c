/* train_step.c - our side of bench/train.py: each line of standard input is answered with the seconds of one training step (forward,
 * loss, backward, clipping, AdamW) over a batch of random ids.
 *
 *     train_step CONFIG.json TEXTS TOKENS [bf16] [recompute] [dropout] [threads=N] [lora=RANK]
 *
 * With lora CONFIG.json is a model's directory, whose weights stay as they are.
 * The first line that it writes says what it took: parameters and bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "checkpoint/json_file.h"
#include "train/adamw.h"
#include "train/step.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const trine_error *err)
{
    fprintf(stderr, "train_step: %s\n", err->text);
    return 1;
}

/* As many texts of as many tokens; every row is scored, as in PyTorch's labels = ids. */
static void fill(trine_train_batch *b, int n_texts, int n_tokens, const trine_model_info *info)
{
    const int n = n_texts * n_tokens;
    int32_t *ids = malloc((size_t)n * sizeof *ids), *rows = malloc((size_t)n * sizeof *rows);
    trine_segment *segments = calloc((size_t)n_texts, sizeof *segments);
    if (!ids || !rows || !segments) exit(1);
    for (int i = 0; i < n; i++) ids[i] = 3 + (int)((unsigned)i * 2654435761u % (unsigned)(info->vocab - 3)), rows[i] = i;
    for (int i = 0; i < n_texts; i++) segments[i] = (trine_segment) { .first_row = i * n_tokens, .n_rows = n_tokens };
    *b = (trine_train_batch) {
        .n_texts = n_texts, .n_rows = n, .ids = ids, .segments = segments, .n_out = n, .out_rows = rows, .labels = ids
    };
    if (info->paradigm != TRINE_ENCODER_DECODER) return;
    b->n_target_rows = n;
    b->target_ids = ids;
    b->target_segments = segments;
}

int main(int argc, char **argv)
{
    trine_error err = { 0 };
    trine_params *params;
    trine_model *model;
    trine_step *step;
    trine_team *team;
    trine_optimiser_kernels kernels;
    json_t *config = NULL;
    trine_train_batch batch;
    trine_step_options options = { .n_threads = 2 };
    int lora = 0;
    if (argc < 4)
        return fprintf(stderr, "usage: train_step CONFIG.json TEXTS TOKENS [bf16] [recompute] [dropout] [threads=N] "
                               "[lora=RANK]\n"),
               2;
    for (int i = 4; i < argc; i++) {
        if (!strcmp(argv[i], "bf16")) options.bf16 = true;
        if (!strcmp(argv[i], "recompute")) options.recompute = true;
        if (!strcmp(argv[i], "dropout")) options.dropout = 0.1f;
        if (!strncmp(argv[i], "threads=", 8)) options.n_threads = atoi(argv[i] + 8);
        if (!strncmp(argv[i], "lora=", 5)) lora = atoi(argv[i] + 5);
    }
    json_error_t at;
    if (!lora && !(config = json_load_file(argv[1], 0, &at))) return fprintf(stderr, "train_step: %s: %s\n", argv[1], at.text), 1;
    const trine_params_options of = { .config = config,
                                      .checkpoint = lora ? argv[1] : NULL,
                                      .lora_rank = lora,
                                      .seed = 1,
                                      .grads = true,
                                      .adam = true,
                                      .bf16 = options.bf16 };
    if (trine_params_open(&params, &model, &of, &err)) return fail(&err);
    if (trine_team_open(&team, options.n_threads, &err)) return fail(&err);
    if (options.bf16) trine_params_round(params, team);
    if (trine_step_open(&step, model, params, &options, &err)) return fail(&err);
    trine_optimiser_kernels_init(&kernels, model->kernels.level);
    fill(&batch, atoi(argv[2]), atoi(argv[3]), &model->info);

    char line[64];
    for (uint64_t n = 1; n == 1 || fgets(line, sizeof line, stdin); n++) {
        double loss, weight, squares;
        const double begin = now();
        trine_step_set_step(step, n, 0);
        if (trine_step_run(&loss, &weight, step, &batch, 1.0f / (float)batch.n_out, &err)) return fail(&err);
        const double computed = now();
        if (trine_grad_squares(&squares, params, 0, params->n, &kernels, team, &err)) return fail(&err);
        trine_adamw_run(params, 0, params->n, &(trine_adamw_options) { .rate = 1e-4, .decay = 0.01, .step = n, .clear = true },
                        &kernels, team);
        const double end = now();
        struct rusage used;
        getrusage(RUSAGE_SELF, &used);
        if (n == 1)
            printf("{\"parameters\": %zu, \"step_bytes\": %zu}\n", params->n, trine_step_bytes(step));
        else
            printf("{\"seconds\": %.6f, \"optimiser\": %.6f, \"loss\": %.6f, \"resident\": %ld}\n", end - begin, end - computed,
                   loss / weight, used.ru_maxrss * 1024);
        fflush(stdout);
    }
    trine_step_close(step);
    trine_model_close(model);
    trine_params_close(params);
    trine_team_close(team);
    json_decref(config);
    return 0;
}
