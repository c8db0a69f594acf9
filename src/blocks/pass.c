/* pass.c - one forward: its memory and how it fails. */
#include "blocks/pass.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/numbers.h"
#include "base/size.h"
#include "base/status.h"
#include "blocks/tape.h"

void *trine_pass_alloc(trine_pass *p, size_t n, size_t size)
{
    size_t bytes;
    if (p->failed) return NULL;
    if (!trine_mul_size(&bytes, n, size) || bytes > SIZE_MAX / 2) {
        trine_pass_fail(p, TRINE_ERROR_MEMORY, "pass: %zu elements of %zu bytes are more than this machine can address", n, size);
        return NULL;
    }
    void *memory = trine_arena_alloc(p->arena, bytes);
    if (!memory && !p->arena->measuring)
        trine_pass_fail(p, TRINE_ERROR_MEMORY,
                        "pass: %zu bytes more do not fit the arena of %zu bytes (%zu in use); feed fewer tokens at a time", bytes,
                        p->arena->size, p->arena->used);
    return memory;
}

trine_mat trine_mat_new(trine_pass *p, int rows, int cols)
{
    trine_mat m = { .rows = rows, .cols = cols };
    if (rows < 0 || cols < 0) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "pass: a matrix of %d x %d", rows, cols);
        return m;
    }
    m.data = trine_pass_alloc(p, (size_t)rows * (size_t)cols, sizeof(float));
    return m;
}

size_t trine_pass_mark(const trine_pass *p) { return trine_arena_mark(p->arena); }

void trine_pass_release(trine_pass *p, size_t mark)
{
    if (!trine_pass_notes(p)) trine_arena_release(p->arena, mark);
}

void trine_pass_fail(trine_pass *p, trine_status code, const char *format, ...)
{
    if (p->failed) return;
    p->failed = code;
    p->error.code = code;
    va_list arguments;
    va_start(arguments, format);
    trine_vprint(p->error.text, sizeof p->error.text, format, arguments);
    va_end(arguments);
}

trine_status trine_pass_status(const trine_pass *p, trine_error *err)
{
    if (p->failed) {
        if (err) *err = p->error;
        return p->failed;
    }
    if (p->arena->full) return trine_fail(err, TRINE_ERROR_MEMORY, "pass: the arena of %zu bytes is full", p->arena->size);
    return TRINE_OK;
}

void trine_pass_trace(trine_pass *p, const char *name, int index, trine_mat x)
{
    const int64_t shape[2] = { x.rows, x.cols };
    trine_pass_put(p, name, index, x.data, 2, shape);
}

void trine_pass_put(trine_pass *p, const char *name, int index, const float *data, int n_dims, const int64_t *shape)
{
    if (!p->tracer || !trine_pass_computes(p)) return;
    char full[96];
    if (index < 0)
        snprintf(full, sizeof full, "%s%s", p->tracer->prefix, name);
    else
        snprintf(full, sizeof full, "%s%s.%d", p->tracer->prefix, name, index);
    const trine_status status = p->tracer->put(p->tracer->user, full, data, n_dims, shape);
    if (status) trine_pass_fail(p, status, "trace: '%s' could not be written: %s", full, trine_status_text(status));
}
