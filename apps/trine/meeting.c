/* meeting.c - where the ranks of a command tell each other how they stand: before they share out work, and at the end of each round of it.
 * A rank that cannot go on comes to the meeting that the others wait at, so that all end with its reason, told once. */
#include "run.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t add_to_sum(uint64_t h, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001B3u; /* FNV-1a's */
    return (h ^ '\n') * 0x100000001B3u;
}

void note_options(run *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "-t") == 0 || strcmp(a, "--threads") == 0)
            i++; /* machines may have other numbers of cores */
        else if (strncmp(a, "--threads=", 10) && !(strncmp(a, "-t", 2) == 0 && isdigit((unsigned char)a[2])) && strcmp(a, "-q") &&
                 strcmp(a, "--quiet"))
            r->options_sum = add_to_sum(r->options_sum, a, strlen(a));
    }
}

/* ---- what is told once ---- */

void withhold(run *r, const char *line)
{
    const size_t used = r->withheld ? strlen(r->withheld) : 0, n = strlen(line);
    char *grown = realloc(r->withheld, used + n + 1);
    if (!grown) {
        fputs(line, stderr);
        return;
    }
    memcpy(grown + used, line, n + 1);
    r->withheld = grown;
    r->last_withheld = used;
}

void say_withheld(run *r, bool but_last)
{
    if (!r->withheld) return;
    if (but_last) r->withheld[r->last_withheld] = 0;
    fflush(stdout);
    fputs(r->withheld, stderr);
    free(r->withheld);
    r->withheld = NULL;
    r->last_withheld = 0;
}

/* ---- meeting ---- */

enum { MOST = 3, TOLD = 1 + 2 * MOST };

/* A number as two that doubles hold. */
static uint64_t number_at(const double *told, int i) { return (uint64_t)told[1 + 2 * i] << 32 | (uint64_t)told[2 + 2 * i]; }

/* The first rank that has failed; -1: none. */
static int find_failed(const double *told, int size)
{
    for (int i = 0; i < size; i++)
        if (told[i * TOLD] > 0) return i;
    return -1;
}

static void find_other(meeting *m, const double *told, int size, int n)
{
    for (int i = 1; i < size && !m->other; i++)
        for (int k = 0; k < n && !m->other; k++)
            if (number_at(told + i * TOLD, k) != number_at(told, k))
                *m = (meeting) { .other = i, .what = k, .here = number_at(told, k), .there = number_at(told + i * TOLD, k) };
}

int meet(meeting *m, run *r, int code, const uint64_t *numbers, int n)
{
    trine_ranks *ranks = r->ranks;
    trine_error err = { 0 };
    *m = (meeting) { 0 };
    double *told = calloc((size_t)ranks->size * TOLD, sizeof *told);
    if (!told) return fail_memory(r);
    double *own = told + ranks->rank * TOLD;
    own[0] = code;
    for (int i = 0; i < n; i++) {
        own[1 + 2 * i] = (double)(numbers[i] >> 32);
        own[2 + 2 * i] = (double)(numbers[i] & 0xffffffffu);
    }
    const trine_status status = ranks->sum(ranks->self, told, ranks->size * TOLD, &err);
    const int failed = status ? -1 : find_failed(told, ranks->size);
    if (failed >= 0)
        m->code = (int)told[failed * TOLD];
    else if (!status)
        find_other(m, told, ranks->size, n);
    free(told);
    if (status) return fail_status(r, status, &err);
    say_withheld(r, code && failed != ranks->rank);
    return 0;
}

/* Training and fine-tuning meet in the library, which compares more and knows what. */
static bool meets_here(const run *r) { return r->ranks && !r->ranks->over && !(r->command->id & (CMD_TRAIN | CMD_FINETUNE)); }

int meet_first(run *r, int code)
{
    if (!meets_here(r) || r->met) return code;
    r->met = true;
    meeting m;
    const int lost = meet(&m, r, code, (uint64_t[]) { r->options_sum, code ? 0 : trine_model_checksum(r->model) }, 2);
    if (lost) return lost;
    if (!m.code && !m.other) return code;
    r->ranks->over = true; /* all know */
    if (m.code) return code ? code : m.code;
    if (m.what)
        return fail(r, EXIT_DATA, "%s: rank %d has other weights under this name than rank 0: all ranks must see the same model",
                    r->args.model, m.other);
    return fail(r, EXIT_USAGE, "rank %d has other arguments than rank 0: but for -t and -q all must have the same", m.other);
}
