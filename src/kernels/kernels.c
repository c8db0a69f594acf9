/* kernels.c - fills the table of kernels, from the references upwards. */
#include "kernels/kernels.h"

void trine_kernels_init(trine_kernels *k, trine_cpu level)
{
    *k = (trine_kernels) { .level = level };
    trine_kernels_ref(k);
}
