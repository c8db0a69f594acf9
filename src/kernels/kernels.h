/* kernels.h - the numeric loops, by pointer: the table starts complete with the scalar references and better entries
 * overwrite it in rising order of the CPU's level. Kernels never allocate and know no matrix, model or thread. */
#ifndef TRINE_KERNELS_KERNELS_H
#define TRINE_KERNELS_KERNELS_H

#include "base/cpu.h"
#include "quant/quant.h"

typedef struct trine_kernels { trine_cpu level; } trine_kernels;

/* Fills the table for a level that this machine runs. */
void trine_kernels_init(trine_kernels *k, trine_cpu level);

#endif
