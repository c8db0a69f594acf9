/* packed.c - see packed.h: when weights are laid out, and by whom. */
#include "blocks/packed.h"

#include <stdlib.h>

#include "base/cpu.h"
#include "base/size.h"
#include "blocks/linear.h"

typedef struct work {
    trine_linear_job job;
    float *panels;
} work;

static void lay_out_piece(void *user, int piece, int thread)
{
    const work *all = user;
    (void)thread;
    trine_linear_lay_out(all->panels, &all->job, piece);
}

static bool lay_out(trine_packed *packed, const trine_kernels *kernels, trine_team *team)
{
    const trine_weight w = { .data = packed->data, .type = TRINE_F32, .rows = packed->rows, .cols = packed->cols };
    work all = { .job = { .w = &w, .kernels = kernels, .row_bytes = (size_t)w.cols * sizeof(float) } };
    const size_t rows = trine_linear_panel_rows(&all.job);
    size_t bytes;
    void *memory;
    if (!trine_mul_size(&bytes, rows, all.job.row_bytes) || posix_memalign(&memory, 64, bytes)) return false;
    all.panels = memory;
    trine_team_run(team, (int)(rows / (size_t)kernels->group_cols), lay_out_piece, &all);
    atomic_store_explicit(&packed->panels, all.panels, memory_order_release);
    trine_mapping_forget(&packed->file, packed->offset, (size_t)w.rows * all.job.row_bytes);
    return true;
}

/* Pages of a file can leave memory when others want it, panels cannot: where there is not plenty, W stays as it lies. */
static bool is_room(const trine_packing *all)
{
    size_t bytes = 0;
    for (const trine_packed *it = all->first; it; it = it->next)
        bytes += (size_t)it->rows * (size_t)it->cols * sizeof(float); /* as much as lies in a file */
    return bytes <= trine_memory_free() / 2;
}

void trine_packing_pass(trine_packing *all, const trine_kernels *kernels, trine_team *team, int n_rows)
{
    if (n_rows <= kernels->dot_rows || atomic_load_explicit(&all->passes, memory_order_relaxed) > 1) return;
    if (atomic_fetch_add(&all->passes, 1) != 1 || !is_room(all)) return;
    for (trine_packed *it = all->first; it; it = it->next)
        if (!lay_out(it, kernels, team)) return;
}

void trine_packing_free(trine_packing *all)
{
    for (trine_packed *it = all->first; it; it = it->next) free(atomic_load(&it->panels));
    all->first = NULL;
}
