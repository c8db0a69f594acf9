#include "support/written_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/open_fixture.h"
#include "support/temp.h"

void written_add(written_model *m, int rows, int cols, const char *name, ...)
{
    const size_t count = (size_t)rows * (size_t)(cols ? cols : 1);
    float *data = malloc(count * sizeof *data);
    uint32_t state = (uint32_t)m->n + 1;
    va_list args;
    assert_non_null(data);
    assert_true(m->n < WRITTEN_TENSORS);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = cols ? (float)(state >> 8) * 0x1p-24f * 0.1f - 0.05f : 1;
    }
    va_start(args, name);
    vsnprintf(m->names[m->n], WRITTEN_NAME, name, args);
    va_end(args);
    m->tensors[m->n] = (trine_tensor) { .name = m->names[m->n],
                                        .file_name = m->names[m->n],
                                        .type = TRINE_F32,
                                        .n_dims = cols ? 2 : 1,
                                        .shape = { rows, cols ? cols : 1, 1, 1 },
                                        .data = data,
                                        .bytes = count * sizeof *data };
    m->n++;
}

void written_end(written_model *m, const char *config, ...)
{
    char text[600];
    trine_error err;
    va_list args;
    check_ok(trine_safetensors_write(temp_path("model.safetensors"), m->tensors, m->n, NULL, true, &err), &err);
    for (int i = 0; i < m->n; i++) free((void *)m->tensors[i].data);
    va_start(args, config);
    const int bytes = vsnprintf(text, sizeof text, config, args);
    va_end(args);
    temp_write("config.json", text, (size_t)bytes);
}
