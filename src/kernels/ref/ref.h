/* ref.h - the scalar references, declared through the kernels' types. */
#ifndef TRINE_KERNELS_REF_H
#define TRINE_KERNELS_REF_H

#include "kernels/kernels.h"
#include "kernels/quantised_types.h"

#define TRINE_PANEL_REF 16 /* widest panel of the reference */

/* The plain types that are computed with. */
#define TRINE_REF_PLAIN(X)                                                                                                         \
    X(f32, TRINE_F32)                                                                                                              \
    X(f16, TRINE_F16)                                                                                                              \
    X(bf16, TRINE_BF16)
#define TRINE_REF_DECLARE(name, type) trine_dot_tile_fn trine_dot_tile_##name##_ref;
TRINE_REF_PLAIN(TRINE_REF_DECLARE)
#undef TRINE_REF_DECLARE
#define TRINE_REF_DECLARE(name, type, block, bytes) trine_dot_x8_fn trine_dot_x8_##name##_ref;
TRINE_QUANTISED_TYPES(TRINE_REF_DECLARE)
#undef TRINE_REF_DECLARE
trine_pack_fn trine_pack_x8_ref;
/* n <= TRINE_X8_BLOCK floats as levels, the rest 0; returns their scale. */
float trine_x8_block_ref(int8_t levels[TRINE_X8_BLOCK], const float *x, size_t n);
trine_gemm_panel_fn trine_gemm_panel_ref;
trine_gemm_group_fn trine_gemm_group_ref;
trine_gemm_strip_fn trine_gemm_strip_ref;
trine_transpose_fn trine_transpose_ref;

#define TRINE_INT8_COLS_REF 16 /* width of the reference's int8 panels */
#define TRINE_REF_DECLARE(name, type, block, bytes) trine_pack_panel_fn trine_pack_panel_##name##_ref;
TRINE_QUANTISED_TYPES(TRINE_REF_DECLARE)
#undef TRINE_REF_DECLARE
trine_quantize_row_fn trine_quantize_row_ref;
trine_gemm_int8_fn trine_gemm_int8_ref;

trine_layer_norm_fn trine_layer_norm_ref;
trine_rms_norm_fn trine_rms_norm_ref;
trine_map_fn trine_relu_ref, trine_gelu_ref, trine_gelu_tanh_ref, trine_silu_ref, trine_tanh_ref, trine_gelu_quick_ref;
trine_combine_fn trine_add_ref, trine_multiply_ref;
trine_scale_fn trine_scale_ref;
trine_max_fn trine_max_ref;
trine_exp_sum_fn trine_exp_sum_ref;
trine_rope_angles_fn trine_rope_angles_ref;
trine_rope_turn_fn trine_rope_half_ref, trine_rope_interleaved_ref;

trine_slope_fn trine_relu_slope_ref, trine_gelu_slope_ref, trine_gelu_tanh_slope_ref, trine_silu_slope_ref, trine_tanh_slope_ref,
    trine_gelu_quick_slope_ref;
trine_gate_fn trine_relu_gate_ref, trine_gelu_gate_ref, trine_gelu_tanh_gate_ref, trine_silu_gate_ref, trine_tanh_gate_ref,
    trine_gelu_quick_gate_ref;
trine_gate_slope_fn trine_relu_gate_slope_ref, trine_gelu_gate_slope_ref, trine_gelu_tanh_gate_slope_ref, trine_silu_gate_slope_ref,
    trine_tanh_gate_slope_ref, trine_gelu_quick_gate_slope_ref;
trine_norm_slope_fn trine_layer_norm_slope_ref, trine_rms_norm_slope_ref;
trine_drop_fn trine_drop_ref;

#endif
