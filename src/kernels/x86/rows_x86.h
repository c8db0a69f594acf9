/* rows_x86.h - template: what is done to one row, by vectors. Include it after a vector_*.h.
 *
 * Functions of one variable are within a few units in the last place: exp by Cody-Waite reduction and the polynomial of Cephes'
 * expf, tanh by Cephes' tanhf, erf by two polynomials (N. Juffa), cos and sin in double. Tails go through the same
 * instructions with the missing lanes zero, so an element's value does not depend on where it lies. */
#ifndef TRINE_KERNELS_ROWS_X86_H
#define TRINE_KERNELS_ROWS_X86_H

#include <math.h>

#include "kernels/kernels.h"
#include "kernels/x86/unrolled.h"

enum { EXP_MANY = 4 }; /* vectors at once: by measurement on Zen 3 */

/* exp of `many` (a constant) vectors; 0 below -86.6, where the result would soon be denormal: its users add it to 1 or to a sum that holds
 * exp(0). Step by step for all of them: one waits for each of its steps, and the scheduler has room for few that wait. */
#define EACH TRINE_UNROLL for (int i = 0; i < many; i++)
TRINE_INLINE void exp_vfs(vf *x, int many)
{
    vf n[EXP_MANY], r[EXP_MANY], p[EXP_MANY];
    vm tiny[EXP_MANY];
    EACH tiny[i] = vf_less(x[i], vf_set(-86.6f));
    EACH x[i] = vf_min(vf_set(89.0f), x[i]);
    EACH n[i] = vf_round(vf_mul(x[i], vf_set(1.44269504088896341f)));
    EACH r[i] = vf_fnma(n[i], vf_set(0.693359375f), x[i]); /* ln 2 in two parts: n times the first is exact */
    EACH r[i] = vf_fnma(n[i], vf_set(-2.12194440e-4f), r[i]);
    EACH p[i] = vf_fma(vf_set(1.9875691500e-4f), r[i], vf_set(1.3981999507e-3f));
    EACH p[i] = vf_fma(p[i], r[i], vf_set(8.3334519073e-3f));
    EACH p[i] = vf_fma(p[i], r[i], vf_set(4.1665795894e-2f));
    EACH p[i] = vf_fma(p[i], r[i], vf_set(1.6666665459e-1f));
    EACH p[i] = vf_fma(p[i], r[i], vf_set(5.0000001201e-1f));
    EACH p[i] = vf_add(vf_fma(p[i], vf_mul(r[i], r[i]), r[i]), vf_set(1.0f));
    /* 2^n in two factors, because 2^128 is not a float and exp(88.7) is. */
    EACH p[i] = vf_mul(vf_add(p[i], p[i]), vf_exp2_whole(vf_sub(n[i], vf_set(1.0f))));
    EACH x[i] = vf_choose(tiny[i], vf_zero(), p[i]);
}
#undef EACH

static inline vf exp_vf(vf x)
{
    exp_vfs(&x, 1);
    return x;
}

static inline vf tanh_vf(vf x)
{
    const vf size = vf_abs(x), z = vf_mul(x, x);
    vf small = vf_set(-5.70498872745e-3f);
    small = vf_fma(small, z, vf_set(2.06390887954e-2f));
    small = vf_fma(small, z, vf_set(-5.37397155531e-2f));
    small = vf_fma(small, z, vf_set(1.33314422036e-1f));
    small = vf_fma(small, z, vf_set(-3.33332819422e-1f));
    small = vf_fma(vf_mul(small, z), x, x);
    const vf large = vf_sub(vf_set(1.0f), vf_div(vf_set(2.0f), vf_add(exp_vf(vf_add(size, size)), vf_set(1.0f))));
    return vf_choose(vf_less(size, vf_set(0.625f)), small, vf_with_sign(large, x));
}

static inline vf erf_vf(vf x)
{
    const vf t = vf_abs(x), s = vf_mul(x, x);
    vf r = vf_fma(vf_set(-1.72853470e-5f), t, vf_set(3.83197126e-4f));
    const vf u = vf_fma(vf_set(-3.88396438e-3f), t, vf_set(2.42546219e-2f));
    r = vf_fma(r, s, u);
    r = vf_fma(r, t, vf_set(-1.06777877e-1f));
    r = vf_fma(r, t, vf_set(-6.34846687e-1f));
    r = vf_fma(r, t, vf_set(-1.28717512e-1f));
    r = vf_fma(r, t, vf_sub(vf_zero(), t));
    const vf large = vf_with_sign(vf_sub(vf_set(1.0f), exp_vf(r)), x);
    vf p = vf_set(-5.96761703e-4f);
    p = vf_fma(p, s, vf_set(4.99119423e-3f));
    p = vf_fma(p, s, vf_set(-2.67681349e-2f));
    p = vf_fma(p, s, vf_set(1.12819925e-1f));
    p = vf_fma(p, s, vf_set(-3.76125336e-1f));
    p = vf_fma(p, s, vf_set(1.28379166e-1f));
    p = vf_fma(p, x, x);
    return vf_choose(vf_less(t, vf_set(0.927734375f)), p, large);
}

static inline vf relu_vf(vf x) { return vf_max(vf_zero(), x); } /* in this order what is not a number stays */
static inline vf gelu_vf(vf x)
{
    return vf_mul(vf_mul(vf_set(0.5f), x), vf_add(vf_set(1.0f), erf_vf(vf_mul(x, vf_set(0.70710678118654752f)))));
}
static inline vf gelu_tanh_vf(vf x)
{
    const vf cubic = vf_fma(vf_mul(vf_set(0.044715f), vf_mul(x, x)), x, x);
    return vf_mul(vf_mul(vf_set(0.5f), x), vf_add(vf_set(1.0f), tanh_vf(vf_mul(vf_set(0.79788456080286536f), cubic))));
}
static inline vf silu_vf(vf x) { return vf_div(x, vf_add(vf_set(1.0f), exp_vf(vf_sub(vf_zero(), x)))); }
static inline vf gelu_quick_vf(vf x) { return vf_div(x, vf_add(vf_set(1.0f), exp_vf(vf_mul(vf_set(-1.702f), x)))); }

#define TRINE_MAP(name)                                                                                                            \
    static void TRINE_NAME(name)(float *x, size_t n)                                                                               \
    {                                                                                                                              \
        size_t i = 0;                                                                                                              \
        for (; i + LANES <= n; i += LANES) vf_store(x + i, name##_vf(vf_load(x + i)));                                             \
        if (i < n) vf_store_n(x + i, name##_vf(vf_load_n(x + i, n - i)), n - i);                                                   \
    }
TRINE_MAP(relu)
TRINE_MAP(gelu)
TRINE_MAP(gelu_tanh)
TRINE_MAP(gelu_quick)
TRINE_MAP(silu)
TRINE_MAP(tanh)
#undef TRINE_MAP

static void TRINE_NAME(add)(float *x, const float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(x + i, vf_add(vf_load(x + i), vf_load(y + i)));
    if (i < n) vf_store_n(x + i, vf_add(vf_load_n(x + i, n - i), vf_load_n(y + i, n - i)), n - i);
}

static void TRINE_NAME(multiply)(float *x, const float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(x + i, vf_mul(vf_load(x + i), vf_load(y + i)));
    if (i < n) vf_store_n(x + i, vf_mul(vf_load_n(x + i, n - i), vf_load_n(y + i, n - i)), n - i);
}

static void TRINE_NAME(scale)(float *x, float factor, size_t n)
{
    const vf f = vf_set(factor);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(x + i, vf_mul(vf_load(x + i), f));
    if (i < n) vf_store_n(x + i, vf_mul(vf_load_n(x + i, n - i), f), n - i);
}

static float TRINE_NAME(max)(const float *x, size_t n)
{
    float max = -INFINITY;
    size_t i = 0;
    if (n >= LANES) {
        vf most = vf_set(-INFINITY);
        for (; i + LANES <= n; i += LANES)
            most = vf_max(vf_load(x + i), most); /* in this order what is not a number is passed over */
        max = vf_most(most);
    }
    for (; i < n; i++) max = x[i] > max ? x[i] : max;
    return max;
}

static float TRINE_NAME(exp_sum)(float *x, float max, size_t n)
{
    const vf m = vf_set(max);
    vf sum = vf_zero();
    size_t i = 0;
    for (; i + EXP_MANY * LANES <= n; i += EXP_MANY * LANES) {
        vf e[EXP_MANY];
        TRINE_UNROLL for (int v = 0; v < EXP_MANY; v++) e[v] = vf_sub(vf_load(x + i + v * LANES), m);
        exp_vfs(e, EXP_MANY);
        TRINE_UNROLL for (int v = 0; v < EXP_MANY; v++)
        {
            vf_store(x + i + v * LANES, e[v]);
            sum = vf_add(sum, e[v]);
        }
    }
    for (; i + LANES <= n; i += LANES) {
        const vf e = exp_vf(vf_sub(vf_load(x + i), m));
        vf_store(x + i, e);
        sum = vf_add(sum, e);
    }
    if (i < n) {
        vf_store_n(x + i, exp_vf(vf_sub(vf_load_n(x + i, n - i), m)), n - i);
        sum = vf_add(sum, vf_load_n(x + i, n - i)); /* the missing lanes are 0 here, and were exp(-max) above */
    }
    return vf_sum(sum);
}

/* ---- norms ---- */

static inline double sum_of(const float *x, size_t n)
{
    vd low = vd_set(0), high = vd_set(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = vf_load(x + i);
        low = vd_add(low, vd_low(v));
        high = vd_add(high, vd_high(v));
    }
    double sum = vd_sum(vd_add(low, high));
    for (; i < n; i++) sum += (double)x[i];
    return sum;
}

/* of (x - mean)^2 */
static inline double squares_of(const float *x, double mean, size_t n)
{
    const vd m = vd_set(mean);
    vd low = vd_set(0), high = vd_set(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf v = vf_load(x + i);
        const vd a = vd_sub(vd_low(v), m), b = vd_sub(vd_high(v), m);
        low = vd_fma(a, a, low);
        high = vd_fma(b, b, high);
    }
    double sum = vd_sum(vd_add(low, high));
    for (; i < n; i++) sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sum;
}

static void TRINE_NAME(layer_norm)(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps)
{
    const double mean = sum_of(x, n) / (double)n, factor = 1.0 / sqrt(squares_of(x, mean, n) / (double)n + (double)eps);
    const vd m = vd_set(mean), f = vd_set(factor);
    size_t i = 0;
    /* The difference is taken in double: where the mean is large, f32 would have rounded it away. */
    for (; i + LANES <= n; i += LANES) {
        const vf v = vf_load(x + i);
        const vf normal = vf_from_vd(vd_mul(vd_sub(vd_low(v), m), f), vd_mul(vd_sub(vd_high(v), m), f));
        vf_store(out + i, vf_fma(normal, vf_load(weight + i), bias ? vf_load(bias + i) : vf_zero()));
    }
    for (; i < n; i++) out[i] = fmaf((float)(((double)x[i] - mean) * factor), weight[i], bias ? bias[i] : 0.0f);
}

static void TRINE_NAME(rms_norm)(float *out, const float *x, const float *weight, size_t n, float eps)
{
    const float factor = (float)(1.0 / sqrt(squares_of(x, 0, n) / (double)n + (double)eps));
    const vf f = vf_set(factor);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(out + i, vf_mul(vf_mul(vf_load(x + i), f), vf_load(weight + i)));
    for (; i < n; i++) out[i] = x[i] * factor * weight[i];
}

/* ---- rotary positions ---- */

/* HALF_LANES angles: reduced by multiples of pi / 2 in double, then Taylor's series up to where the rest is below f32. */
static inline void turn_of(float *cosine, float *sine, const float *angle, double scale)
{
    const vd a = vd_load_f32(angle), n = vd_round(vd_mul(a, vd_set(0.63661977236758134308)));
    vd r = vd_fma(n, vd_set(-1.57079632679489655800), a);
    r = vd_fma(n, vd_set(-6.12323399573676603587e-17), r);
    const vd z = vd_mul(r, r);
    vd s = vd_set(-1.0 / 39916800), c = vd_set(1.0 / 479001600);
    s = vd_fma(s, z, vd_set(1.0 / 362880));
    s = vd_fma(s, z, vd_set(-1.0 / 5040));
    s = vd_fma(s, z, vd_set(1.0 / 120));
    s = vd_fma(s, z, vd_set(-1.0 / 6));
    s = vd_fma(vd_mul(s, z), r, r);
    c = vd_fma(c, z, vd_set(-1.0 / 3628800));
    c = vd_fma(c, z, vd_set(1.0 / 40320));
    c = vd_fma(c, z, vd_set(-1.0 / 720));
    c = vd_fma(c, z, vd_set(1.0 / 24));
    c = vd_fma(c, z, vd_set(-0.5));
    c = vd_fma(c, z, vd_set(1.0));
    const vd quarter = vd_sub(n, vd_mul(vd_set(4.0), vd_floor(vd_mul(n, vd_set(0.25)))));
    const vd plus = vd_set(scale), minus = vd_set(-scale), one = vd_set(1.0), two = vd_set(2.0), three = vd_set(3.0);
    const vd sin_part = vd_choose_equal(quarter, one, c, vd_choose_equal(quarter, three, c, s));
    const vd cos_part = vd_choose_equal(quarter, one, s, vd_choose_equal(quarter, three, s, c));
    const vd sin_sign = vd_choose_equal(quarter, two, minus, vd_choose_equal(quarter, three, minus, plus));
    const vd cos_sign = vd_choose_equal(quarter, one, minus, vd_choose_equal(quarter, two, minus, plus));
    vd_store_f32(sine, vd_mul(sin_part, sin_sign));
    vd_store_f32(cosine, vd_mul(cos_part, cos_sign));
}

static void TRINE_NAME(rope_angles)(float *cosine, float *sine, const float *inv_freq, float pos, float scale, size_t n)
{
    float angle[HALF_LANES];
    for (size_t i = 0; i < n; i += HALF_LANES) {
        const size_t take = n - i < HALF_LANES ? n - i : HALF_LANES;
        for (size_t j = 0; j < HALF_LANES; j++) angle[j] = j < take ? pos * inv_freq[i + j] : 0.0f;
        if (take == HALF_LANES) {
            turn_of(cosine + i, sine + i, angle, (double)scale);
        } else {
            float c[HALF_LANES], s[HALF_LANES];
            turn_of(c, s, angle, (double)scale);
            memcpy(cosine + i, c, take * sizeof *c);
            memcpy(sine + i, s, take * sizeof *s);
        }
    }
}

static void TRINE_NAME(rope_half)(float *x, const float *cosine, const float *sine, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf a = vf_load(x + i), b = vf_load(x + n + i), c = vf_load(cosine + i), s = vf_load(sine + i);
        vf_store(x + i, vf_fnma(b, s, vf_mul(a, c)));
        vf_store(x + n + i, vf_fma(a, s, vf_mul(b, c)));
    }
    for (; i < n; i++) {
        const float a = x[i], b = x[n + i];
        x[i] = fmaf(-b, sine[i], a * cosine[i]);
        x[n + i] = fmaf(a, sine[i], b * cosine[i]);
    }
}

#endif
