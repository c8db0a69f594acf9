/* cpu.h - what the processor has and the operating system saves (cpuid, then xgetbv): asked before trusting wide registers. */
#ifndef TRINE_BASE_CPU_H
#define TRINE_BASE_CPU_H

#include "trine.h"

/* Levels in rising order; each includes those below it. AVX-VNNI (256-bit VNNI without AVX-512) stands beside the line. */
typedef enum trine_cpu {
    TRINE_CPU_SCALAR = 0,
    TRINE_CPU_AVX2,   /* AVX2, FMA, F16C */
    TRINE_CPU_AVX512, /* F, BW, DQ, VL */
    TRINE_CPU_AVX512_VNNI,
    TRINE_CPU_AVX512_BF16,
    TRINE_CPU_COUNT
} trine_cpu;

trine_cpu trine_cpu_detect(void);
/* The level called `name`; NULL or "auto": the best. ERROR_ARGUMENT when unknown or not on this machine; the text lists
 * those that are. */
trine_status trine_cpu_choose(trine_cpu *out, const char *name, trine_error *err);
const char *trine_cpu_name(trine_cpu level);
/* Cores this process may run on. */
int trine_cpu_cores(void);
/* Bytes of memory that are free for this process now: MemAvailable, its cgroup's and RLIMIT_AS limits, the smallest. */
size_t trine_memory_free(void);
/* The same, with /proc and /sys looked for under `root`: for tests. */
size_t trine_memory_free_under(const char *root);

#endif
