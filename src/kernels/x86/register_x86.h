/* register_x86.h - template: what a vector level puts into the table. Include it last. */
#ifndef TRINE_KERNELS_REGISTER_X86_H
#define TRINE_KERNELS_REGISTER_X86_H

#include "trine/basics.h"

static void register_all(trine_kernels *k)
{
    k->unpack[TRINE_F16] = TRINE_NAME(unpack_f16);
    k->unpack[TRINE_BF16] = TRINE_NAME(unpack_bf16);
    k->unpack[TRINE_Q8_0] = TRINE_NAME(unpack_q8_0);
    k->unpack[TRINE_Q4_0] = TRINE_NAME(unpack_q4_0);
    k->unpack[TRINE_Q4_1] = TRINE_NAME(unpack_q4_1);
    k->unpack[TRINE_Q5_0] = TRINE_NAME(unpack_q5_0);
    k->unpack[TRINE_Q5_1] = TRINE_NAME(unpack_q5_1);
    k->unpack[TRINE_Q4_K] = TRINE_NAME(unpack_q4_k);
    k->unpack[TRINE_Q5_K] = TRINE_NAME(unpack_q5_k);
    k->unpack[TRINE_Q6_K] = TRINE_NAME(unpack_q6_k);
    k->dot_tile_streams = DOT_W_ONE > 1;
    k->dot_tile[TRINE_F16] = TRINE_NAME(dot_tile_f16);
    k->dot_tile[TRINE_BF16] = TRINE_NAME(dot_tile_bf16);
    k->dot_tile[TRINE_F32] = TRINE_NAME(dot_tile_f32);
    k->pack[TRINE_F16] = TRINE_NAME(pack_f16);
    k->pack[TRINE_BF16] = TRINE_NAME(pack_bf16);
    k->gemm_panel = TRINE_NAME(gemm_panel);
    k->panel_cols = 4 * LANES;
    k->gemm_group = TRINE_NAME(gemm_group);
    k->group_cols = GROUP_COLS;
    k->gemm_strip = TRINE_NAME(gemm_strip);
    k->strip_cols = STRIP_COLS;
    k->dot_rows = LANES == 8 ? 8 : 28;
    k->layer_norm = TRINE_NAME(layer_norm);
    k->rms_norm = TRINE_NAME(rms_norm);
    k->map[TRINE_MAP_RELU] = TRINE_NAME(relu);
    k->map[TRINE_MAP_GELU] = TRINE_NAME(gelu);
    k->map[TRINE_MAP_GELU_TANH] = TRINE_NAME(gelu_tanh);
    k->map[TRINE_MAP_SILU] = TRINE_NAME(silu);
    k->map[TRINE_MAP_TANH] = TRINE_NAME(tanh);
    k->map[TRINE_MAP_GELU_QUICK] = TRINE_NAME(gelu_quick);
    k->add = TRINE_NAME(add);
    k->multiply = TRINE_NAME(multiply);
    k->scale = TRINE_NAME(scale);
    k->max = TRINE_NAME(max);
    k->exp_sum = TRINE_NAME(exp_sum);
    k->rope_angles = TRINE_NAME(rope_angles);
    k->rope_half = TRINE_NAME(rope_half);
#define TRINE_SLOPES(name, map)                                                                                                    \
    k->grad.slope[map] = TRINE_NAME(name##_slope);                                                                                 \
    k->grad.gate[map] = TRINE_NAME(name##_gate);                                                                                   \
    k->grad.gate_slope[map] = TRINE_NAME(name##_gate_slope);
    TRINE_SLOPES(relu, TRINE_MAP_RELU)
    TRINE_SLOPES(gelu, TRINE_MAP_GELU)
    TRINE_SLOPES(gelu_tanh, TRINE_MAP_GELU_TANH)
    TRINE_SLOPES(silu, TRINE_MAP_SILU)
    TRINE_SLOPES(tanh, TRINE_MAP_TANH)
    TRINE_SLOPES(gelu_quick, TRINE_MAP_GELU_QUICK)
#undef TRINE_SLOPES
    k->grad.layer_norm = TRINE_NAME(layer_norm_slope);
    k->grad.rms_norm = TRINE_NAME(rms_norm_slope);
    k->grad.drop = TRINE_NAME(drop);
}

#endif
