/* limit_kernels.h - loops that do nothing useful as fast as a core can: what every other kernel is held against.
 *
 * A peak loop keeps its operands in registers and has more sums going on than the instruction is long, so that nothing but
 * the arithmetic units limits it. The reading loop touches every byte once. By level, as kernels.h; an entry whose
 * instruction the level lacks is empty. */
#ifndef TRINE_KERNELS_LIMIT_KERNELS_H
#define TRINE_KERNELS_LIMIT_KERNELS_H

#include "base/cpu.h"

/* Before a loop over sums: they stay in registers only when it is unrolled whole. */
#define UNROLL _Pragma("GCC unroll 32")
/* The compiler must not know that two sums are equal, or it computes one of them. */
#define APART(vector) __asm__ volatile("" : "+x"(vector))

/* Runs n rounds; the value means nothing and keeps the compiler from leaving the work out. */
typedef float trine_peak_fn(size_t n_rounds);

typedef struct trine_peak {
    trine_peak_fn *run;
    double ops; /* a round does: an addition and a multiplication are two */
} trine_peak;

/* Reads n bytes, n a multiple of 4096, at an address that is one of 64; the value as above. */
typedef uint64_t trine_read_fn(const void *data, size_t n);

enum { TRINE_READS = 3 };

typedef struct trine_limit_kernels {
    trine_peak f32, bf16, int8;      /* vectors */
    trine_peak tile_bf16, tile_int8; /* AMX */
    /* Leaving it to the processor what to fetch ahead; asking for it; asking for it in several streams. NULL: there is no such; which is
     * fastest differs. */
    trine_read_fn *read[TRINE_READS];
} trine_limit_kernels;

void trine_limit_kernels_init(trine_limit_kernels *k, trine_cpu level);

/* The steps of init. */
void trine_limits_avx2(trine_limit_kernels *k);
void trine_limits_avx_vnni(trine_limit_kernels *k);
void trine_limits_avx512(trine_limit_kernels *k);
void trine_limits_avx512_vnni(trine_limit_kernels *k);
void trine_limits_avx512_bf16(trine_limit_kernels *k);
void trine_limits_amx(trine_limit_kernels *k);

#endif
