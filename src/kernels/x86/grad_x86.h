/* grad_x86.h - template: derivatives of what is done to one row, by vectors. Include it after rows_x86.h, whose functions it uses. */
#ifndef TRINE_KERNELS_GRAD_X86_H
#define TRINE_KERNELS_GRAD_X86_H

/* f'(x), and f(x) into *y. */
static inline vf relu_slope_vf(vf x, vf *y)
{
    *y = relu_vf(x);
    return vf_choose(vf_less(vf_zero(), x), vf_set(1.0f), vf_max(vf_zero(), vf_min(vf_zero(), x))); /* what is no number stays */
}
static inline vf gelu_slope_vf(vf x, vf *y)
{
    const vf normal = vf_mul(vf_set(0.5f), vf_add(vf_set(1.0f), erf_vf(vf_mul(x, vf_set(0.70710678118654752f)))));
    const vf density = vf_mul(vf_set(0.39894228040143268f), exp_vf(vf_mul(vf_set(-0.5f), vf_mul(x, x))));
    *y = vf_mul(x, normal);
    return vf_fma(x, density, normal);
}
static inline vf gelu_tanh_slope_vf(vf x, vf *y)
{
    const vf k = vf_set(0.79788456080286536f), square = vf_mul(x, x);
    const vf t = tanh_vf(vf_mul(k, vf_fma(vf_mul(vf_set(0.044715f), square), x, x)));
    const vf half = vf_mul(vf_set(0.5f), vf_add(vf_set(1.0f), t));
    /* Where the square is large 1 - t^2 is 0; it must not meet an infinity. */
    const vf inner = vf_mul(k, vf_fma(vf_set(3 * 0.044715f), vf_min(square, vf_set(1e4f)), vf_set(1.0f)));
    const vf rest = vf_mul(vf_mul(vf_set(0.5f), x), vf_mul(vf_fnma(t, t, vf_set(1.0f)), inner));
    *y = vf_mul(x, half);
    return vf_add(half, rest);
}
static inline vf sigmoid_times_slope_vf(vf x, float factor, vf *y)
{
    const vf e = exp_vf(vf_mul(vf_set(-factor), x)), s = vf_div(vf_set(1.0f), vf_add(vf_set(1.0f), e));
    /* 1 - s, where s is near 1 without a difference. */
    const vf rest = vf_choose(vf_less(x, vf_zero()), vf_sub(vf_set(1.0f), s), vf_mul(e, s));
    *y = vf_mul(x, s);
    return vf_fma(vf_mul(vf_set(factor), *y), rest, s);
}
static inline vf silu_slope_vf(vf x, vf *y) { return sigmoid_times_slope_vf(x, 1.0f, y); }
static inline vf gelu_quick_slope_vf(vf x, vf *y) { return sigmoid_times_slope_vf(x, 1.702f, y); }
static inline vf tanh_slope_vf(vf x, vf *y)
{
    *y = tanh_vf(x);
    return vf_fnma(*y, *y, vf_set(1.0f));
}

#define TRINE_SLOPES(name)                                                                                                         \
    static void TRINE_NAME(name##_slope)(float *dx, const float *x, const float *dy, size_t n)                                     \
    {                                                                                                                              \
        size_t i = 0;                                                                                                              \
        vf y;                                                                                                                      \
        for (; i + LANES <= n; i += LANES) vf_store(dx + i, vf_mul(vf_load(dy + i), name##_slope_vf(vf_load(x + i), &y)));         \
        if (i < n) vf_store_n(dx + i, vf_mul(vf_load_n(dy + i, n - i), name##_slope_vf(vf_load_n(x + i, n - i), &y)), n - i);      \
    }                                                                                                                              \
    static void TRINE_NAME(name##_gate)(float *out, const float *gate, const float *up, size_t n)                                  \
    {                                                                                                                              \
        size_t i = 0;                                                                                                              \
        for (; i + LANES <= n; i += LANES) vf_store(out + i, vf_mul(name##_vf(vf_load(gate + i)), vf_load(up + i)));               \
        if (i < n) vf_store_n(out + i, vf_mul(name##_vf(vf_load_n(gate + i, n - i)), vf_load_n(up + i, n - i)), n - i);            \
    }                                                                                                                              \
    static void TRINE_NAME(name##_gate_slope)(float *gate, float *up, const float *dy, size_t n)                                   \
    {                                                                                                                              \
        size_t i = 0;                                                                                                              \
        vf y;                                                                                                                      \
        for (; i + LANES <= n; i += LANES) {                                                                                       \
            const vf d = vf_load(dy + i), slope = name##_slope_vf(vf_load(gate + i), &y);                                          \
            vf_store(gate + i, vf_mul(vf_mul(d, vf_load(up + i)), slope));                                                         \
            vf_store(up + i, vf_mul(d, y));                                                                                        \
        }                                                                                                                          \
        if (i < n) {                                                                                                               \
            const vf d = vf_load_n(dy + i, n - i), slope = name##_slope_vf(vf_load_n(gate + i, n - i), &y);                        \
            vf_store_n(gate + i, vf_mul(vf_mul(d, vf_load_n(up + i, n - i)), slope), n - i);                                       \
            vf_store_n(up + i, vf_mul(d, y), n - i);                                                                               \
        }                                                                                                                          \
    }
TRINE_SLOPES(relu)
TRINE_SLOPES(gelu)
TRINE_SLOPES(gelu_tanh)
TRINE_SLOPES(silu)
TRINE_SLOPES(tanh)
TRINE_SLOPES(gelu_quick)
#undef TRINE_SLOPES

/* ---- norms ---- */

/* The n floats of a row from i on, at most LANES of them: the tail goes through the same instructions. */
static inline vf row_at(const float *p, size_t i, size_t n) { return n - i >= LANES ? vf_load(p + i) : vf_load_n(p + i, n - i); }
static inline void row_put(float *p, size_t i, size_t n, vf v)
{
    if (n - i >= LANES)
        vf_store(p + i, v);
    else
        vf_store_n(p + i, v, n - i);
}

static inline void norm_slope(const trine_norm_slope *row, size_t n, bool center)
{
    if (!n) return;
    const double mean = center ? sum_of(row->x, n) / (double)n : 0;
    const double exact = 1.0 / sqrt(squares_of(row->x, mean, n) / (double)n + (double)row->eps);
    const vd m = vd_set(mean), f = vd_set(exact);
    const vf factor = vf_set((float)exact);
    vf sum = vf_zero(), product = vf_zero();
    for (size_t i = 0; i < n; i += LANES) {
        const vf x = row_at(row->x, i, n), dy = row_at(row->dy, i, n), g = vf_mul(dy, row_at(row->weight, i, n));
        const vf z = center ? vf_from_vd(vd_mul(vd_sub(vd_low(x), m), f), vd_mul(vd_sub(vd_high(x), m), f)) : vf_mul(x, factor);
        sum = vf_add(sum, g);
        product = vf_fma(g, z, product); /* g is 0 past the end */
    }
    const vf mean_g = vf_set(center ? vf_sum(sum) / (float)n : 0.0f), mean_gz = vf_set(vf_sum(product) / (float)n);
    for (size_t i = 0; i < n; i += LANES) {
        const vf x = row_at(row->x, i, n), dy = row_at(row->dy, i, n), g = vf_mul(dy, row_at(row->weight, i, n));
        const vf z = center ? vf_from_vd(vd_mul(vd_sub(vd_low(x), m), f), vd_mul(vd_sub(vd_high(x), m), f)) : vf_mul(x, factor);
        if (row->dw) row_put(row->dw, i, n, vf_fma(dy, z, row_at(row->dw, i, n)));
        if (row->db) row_put(row->db, i, n, vf_add(row_at(row->db, i, n), dy));
        const vf slope = vf_fnma(z, mean_gz, vf_sub(g, mean_g));
        row_put(row->dx, i, n, vf_fma(factor, slope, row->add ? row_at(row->dx, i, n) : vf_zero()));
    }
}
static void TRINE_NAME(layer_norm_slope)(const trine_norm_slope *row, size_t n) { norm_slope(row, n, true); }
static void TRINE_NAME(rms_norm_slope)(const trine_norm_slope *row, size_t n) { norm_slope(row, n, false); }

/* ---- random numbers ---- */

/* The upper 24 bits of LANES numbers, as floats: exact. */
static inline vf draws_vf(vi i, vi low, vi high)
{
    vi x = vi_add(vi_mul(i, vi_set((int)0x9E3779B9u)), low);
    x = vi_mul(vi_flip(x, vi_shift_right(x, 17)), vi_set((int)0xED5AD4BBu));
    x = vi_mul(vi_flip(vi_flip(x, vi_shift_right(x, 11)), high), vi_set((int)0xAC4C1B51u));
    x = vi_mul(vi_flip(x, vi_shift_right(x, 15)), vi_set((int)0x31848BABu));
    return vf_from_vi(vi_shift_right(vi_flip(x, vi_shift_right(x, 14)), 8));
}

static void TRINE_NAME(drop)(float *x, size_t n, uint64_t key, uint32_t first, int32_t below, float factor)
{
    const vi low = vi_set((int)(uint32_t)key), high = vi_set((int)(uint32_t)(key >> 32)), step = vi_set(LANES);
    const vf limit = vf_set((float)below), f = vf_set(factor);
    vi at = vi_add(vi_set((int)first), vi_count());
    for (size_t i = 0; i < n; i += LANES, at = vi_add(at, step))
        row_put(x, i, n, vf_choose(vf_less(draws_vf(at, low, high), limit), vf_zero(), vf_mul(row_at(x, i, n), f)));
}

#endif
