/* kernels_ref.c - the whole table in references. */
#include "kernels/ref/ref.h"

void trine_kernels_ref(trine_kernels *k)
{
#define ENTRY(name, type) k->dot_tile[type] = trine_dot_tile_##name##_ref;
    TRINE_REF_PLAIN(ENTRY)
#undef ENTRY
#define ENTRY(name, type, block, bytes) k->dot_x8[type] = trine_dot_x8_##name##_ref;
    TRINE_QUANTISED_TYPES(ENTRY)
#undef ENTRY
    k->pack_x8 = trine_pack_x8_ref;
    for (int type = 0; type < TRINE_DTYPE_COUNT; type++) {
        const trine_dtype_info *info = trine_dtype_get((trine_dtype)type);
        if (!info || !info->computes) continue;
        k->unpack[type] = info->unpack;
        k->pack[type] = info->pack;
    }
    k->gemm_panel = trine_gemm_panel_ref;
    k->panel_cols = TRINE_PANEL_REF;
    k->gemm_group = trine_gemm_group_ref;
    k->group_cols = TRINE_PANEL_REF;
    k->gemm_strip = trine_gemm_strip_ref;
    k->strip_cols = TRINE_PANEL_REF;
    k->dot_rows = 28;
    k->transpose = trine_transpose_ref;
#define ENTRY(name, type, block, bytes) k->pack_panel[type] = trine_pack_panel_##name##_ref;
    TRINE_QUANTISED_TYPES(ENTRY)
#undef ENTRY
    k->quantize_row = trine_quantize_row_ref;
    k->gemm_int8 = trine_gemm_int8_ref;
    k->int8_cols = TRINE_INT8_COLS_REF;
    k->layer_norm = trine_layer_norm_ref;
    k->rms_norm = trine_rms_norm_ref;
    k->map[TRINE_MAP_RELU] = trine_relu_ref;
    k->map[TRINE_MAP_GELU] = trine_gelu_ref;
    k->map[TRINE_MAP_GELU_TANH] = trine_gelu_tanh_ref;
    k->map[TRINE_MAP_SILU] = trine_silu_ref;
    k->map[TRINE_MAP_TANH] = trine_tanh_ref;
    k->map[TRINE_MAP_GELU_QUICK] = trine_gelu_quick_ref;
    k->add = trine_add_ref;
    k->multiply = trine_multiply_ref;
    k->scale = trine_scale_ref;
    k->max = trine_max_ref;
    k->exp_sum = trine_exp_sum_ref;
    k->rope_angles = trine_rope_angles_ref;
    k->rope_half = trine_rope_half_ref;
    k->rope_interleaved = trine_rope_interleaved_ref;
#define TRINE_SLOPES(name, map)                                                                                                    \
    k->grad.slope[map] = trine_##name##_slope_ref;                                                                                 \
    k->grad.gate[map] = trine_##name##_gate_ref;                                                                                   \
    k->grad.gate_slope[map] = trine_##name##_gate_slope_ref;
    TRINE_SLOPES(relu, TRINE_MAP_RELU)
    TRINE_SLOPES(gelu, TRINE_MAP_GELU)
    TRINE_SLOPES(gelu_tanh, TRINE_MAP_GELU_TANH)
    TRINE_SLOPES(silu, TRINE_MAP_SILU)
    TRINE_SLOPES(tanh, TRINE_MAP_TANH)
    TRINE_SLOPES(gelu_quick, TRINE_MAP_GELU_QUICK)
#undef TRINE_SLOPES
    k->grad.layer_norm = trine_layer_norm_slope_ref;
    k->grad.rms_norm = trine_rms_norm_slope_ref;
    k->grad.drop = trine_drop_ref;
}
