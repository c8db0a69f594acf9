/* kernels.c - fills the table of kernels, from the references upwards. */
#include "kernels/kernels.h"

void trine_kernels_init(trine_kernels *k, trine_cpu level)
{
    *k = (trine_kernels) { .level = level };
    trine_kernels_ref(k);
    trine_kv_kernels_init(k->kv, level);
    trine_level_kernels_init(&k->levels, level);
    trine_pair_kernels_init(&k->pair, level);
#if defined(__x86_64__)
    if (level < TRINE_CPU_AVX2) return;
    trine_kernels_avx2(k);
    /* A level's own step stands here in rising order. AVX_VNNI lies beside the line: its step is for that level alone. */
    if (level == TRINE_CPU_AVX_VNNI) trine_kernels_avx_vnni(k);
    if (level < TRINE_CPU_AVX512) return;
    trine_kernels_avx512(k);
    if (level < TRINE_CPU_AVX512_VNNI) return;
    trine_kernels_avx512_vnni(k);
    if (level < TRINE_CPU_AVX512_BF16) return;
    if (trine_cpu_bf16_is_fast()) trine_kernels_avx512_bf16(k);
    if (level < TRINE_CPU_AMX) return;
    trine_kernels_amx(k);
#endif
}

void trine_kernels_exact(trine_kernels *k)
{
    for (int type = 0; type < TRINE_DTYPE_COUNT; type++) {
        k->dot_x8[type] = NULL;
        k->pack_panel[type] = NULL;
    }
    k->bf16_round = NULL;
    k->bf16_gemm = NULL;
    k->levels = (trine_level_kernels) { .gemm = NULL };
    k->pair = (trine_pair_kernels) { .gemm = NULL };
}
