/* scaling_read.c - runs for a fit, from a table with a header. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/numbers.h"
#include "base/status.h"
#include "tasks/data.h"
#include "trine/scaling.h"

enum { COLUMNS = 4 };

static const char *const parameters[] = { "parameters", "N", "n", "n_parameters", "params", "Model Size", NULL };
static const char *const tokens[] = { "tokens", "D", "d", "n_tokens", "Training Tokens", NULL };
static const char *const losses[] = { "loss", "L", "valid_loss", "Loss", NULL };
static const char *const flops[] = { "flops", "C", "compute", "FLOPs", "Training FLOP", NULL };
static const trine_column columns[COLUMNS] = { { "number of parameters", "rename the column", NULL, parameters, false },
                                               { "number of tokens", "rename the column", NULL, tokens, false },
                                               { "loss", "rename the column", NULL, losses, false },
                                               { "flops", "rename the column", NULL, flops, true } };

/* A number of a row into *out; a column of flops that is not there, or empty in this row, is 0. */
static trine_status read_number(double *out, const trine_rows *rows, int column, const char *path, trine_error *err)
{
    const trine_field *f = trine_rows_field(rows, column);
    *out = 0;
    const char *text = f->n ? f->items[0] : "";
    if (columns[column].optional && !*text) return TRINE_OK;
    char *end;
    errno = 0;
    *out = trine_to_double(text, &end);
    while (*end == ' ') end++;
    if (f->n == 1 && end != text && !*end && !errno && isfinite(*out) && *out > 0) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: the %s is '%.40s', expected a finite number above 0", path,
                      trine_rows_line(rows), columns[column].what, text);
}

trine_status trine_scaling_read(trine_scaling_run **out, int *n, const char *path, trine_error *err)
{
    trine_rows *rows;
    trine_scaling_run *runs = NULL;
    int used = 0, cap = 0;
    bool more = true;
    *out = NULL;
    *n = 0;
    trine_status status = trine_rows_open(&rows, path, columns, COLUMNS, false, err);
    if (status) return status;
    while (!(status = trine_rows_next(&more, rows, err)) && more) {
        double v[COLUMNS];
        for (int i = 0; i < COLUMNS && !status; i++) status = read_number(&v[i], rows, i, path, err);
        if (status) break;
        if (used == cap) {
            cap = cap ? 2 * cap : 64;
            trine_scaling_run *grown = realloc(runs, (size_t)cap * sizeof *runs);
            if (!grown) {
                status = trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for %d runs", path, cap);
                break;
            }
            runs = grown;
        }
        runs[used++] = (trine_scaling_run) { v[0], v[1], v[2], v[3] };
    }
    trine_rows_close(rows);
    if (!status && !used) status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: a header and no run below it", path);
    if (status) {
        free(runs);
        return status;
    }
    *out = runs;
    *n = used;
    return TRINE_OK;
}
