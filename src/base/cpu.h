/* cpu.h - what the processor has and the operating system saves (cpuid, then xgetbv): asked before trusting wide registers. */
#ifndef TRINE_BASE_CPU_H
#define TRINE_BASE_CPU_H

#include "trine/basics.h"

/* Kernel levels in rising order. One line: each includes those below it, but for AVX_VNNI, which stands beside the line
 * between its neighbours: processors with AVX-512 may lack it, so a higher level never runs its kernels. A machine
 * therefore runs some of these levels, not all up to its best. */
typedef enum trine_cpu {
    TRINE_CPU_SCALAR = 0,
    TRINE_CPU_AVX2,     /* AVX2, FMA, F16C */
    TRINE_CPU_AVX_VNNI, /* and AVX-VNNI: the integer dot products of 256 bits */
    TRINE_CPU_AVX512,   /* F, BW, DQ, VL */
    TRINE_CPU_AVX512_VNNI,
    TRINE_CPU_AVX512_BF16,
    TRINE_CPU_AMX, /* tiles, of int8 and of bf16; the kernel's permission to use them, which asking for levels takes */
    TRINE_CPU_COUNT
} trine_cpu;

/* The best level of this machine. */
trine_cpu trine_cpu_detect(void);
/* Whether this machine runs `level`. */
bool trine_cpu_has(int level);
/* The next level above `level` that this machine runs, or COUNT: to go over them all from SCALAR upwards. */
int trine_cpu_next(int level);
/* Whether the bf16 dot product of AVX512_BF16 does more work in a second than FMA in f32: Zen 4 and later do it at full
 * rate, twice the f32 rate; Intel's processors to date at a quarter, half the f32 rate (they have AMX for it). Known by
 * the vendor, never by timing: a machine's results do not change from run to run. */
bool trine_cpu_bf16_is_fast(void);
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
