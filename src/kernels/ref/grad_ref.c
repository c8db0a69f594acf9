/* grad_ref.c - derivatives of what is done to one row, and dropping elements. Scalar, in double where rounding shows. */
#include <math.h>

#include "kernels/ref/ref.h"

/* f(x) and f'(x). */
typedef struct pair {
    double y, slope;
} pair;

static pair relu(double x) { return (pair) { x < 0 ? 0 : x, x > 0 ? 1 : x <= 0 ? 0 : x }; /* what is no number stays */ }

static pair gelu(double x)
{
    const double normal = 0.5 * (1.0 + erf(x * M_SQRT1_2));
    return (pair) { x * normal, normal + x * exp(-0.5 * x * x) * 0.39894228040143267794 };
}

static pair gelu_tanh(double x)
{
    const double k = sqrt(2.0 / M_PI), t = tanh(k * (x + 0.044715 * x * x * x));
    return (pair) { 0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x) };
}

static pair sigmoid_times(double x, double factor)
{
    const double s = 1 / (1 + exp(-factor * x));
    return (pair) { x * s, s + factor * x * s * (1 - s) };
}
static pair silu(double x) { return sigmoid_times(x, 1); }
static pair gelu_quick(double x) { return sigmoid_times(x, 1.702); }

static pair tanh_pair(double x)
{
    const double t = tanh(x);
    return (pair) { t, 1 - t * t };
}

#define TRINE_SLOPES(name, f)                                                                                                      \
    void trine_##name##_slope_ref(float *dx, const float *x, const float *dy, size_t n)                                            \
    {                                                                                                                              \
        for (size_t i = 0; i < n; i++) dx[i] = (float)((double)dy[i] * f((double)x[i]).slope);                                     \
    }                                                                                                                              \
    void trine_##name##_gate_ref(float *out, const float *gate, const float *up, size_t n)                                         \
    {                                                                                                                              \
        for (size_t i = 0; i < n; i++) out[i] = (float)f((double)gate[i]).y * up[i];                                               \
    }                                                                                                                              \
    void trine_##name##_gate_slope_ref(float *gate, float *up, const float *dy, size_t n)                                          \
    {                                                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                                                           \
            const pair at = f((double)gate[i]);                                                                                    \
            gate[i] = (float)((double)dy[i] * (double)up[i] * at.slope);                                                           \
            up[i] = (float)((double)dy[i] * at.y);                                                                                 \
        }                                                                                                                          \
    }
TRINE_SLOPES(relu, relu)
TRINE_SLOPES(gelu, gelu)
TRINE_SLOPES(gelu_tanh, gelu_tanh)
TRINE_SLOPES(silu, silu)
TRINE_SLOPES(tanh, tanh_pair)
TRINE_SLOPES(gelu_quick, gelu_quick)

static void norm_slope(const trine_norm_slope *row, size_t n, bool center)
{
    double mean = 0, variance = 0, sum = 0, product = 0;
    for (size_t i = 0; i < n && center; i++) mean += (double)row->x[i] / (double)n;
    for (size_t i = 0; i < n; i++) variance += ((double)row->x[i] - mean) * ((double)row->x[i] - mean) / (double)n;
    const double factor = 1 / sqrt(variance + (double)row->eps);
    for (size_t i = 0; i < n; i++) {
        const double g = (double)row->dy[i] * (double)row->weight[i];
        sum += g / (double)n;
        product += g * ((double)row->x[i] - mean) * factor / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double z = ((double)row->x[i] - mean) * factor, dy = (double)row->dy[i];
        const double dx = factor * (dy * (double)row->weight[i] - (center ? sum : 0) - z * product);
        if (row->dw) row->dw[i] += (float)(dy * z);
        if (row->db) row->db[i] += row->dy[i];
        row->dx[i] = (float)((row->add ? (double)row->dx[i] : 0) + dx);
    }
}

void trine_layer_norm_slope_ref(const trine_norm_slope *row, size_t n) { norm_slope(row, n, true); }
void trine_rms_norm_slope_ref(const trine_norm_slope *row, size_t n) { norm_slope(row, n, false); }

void trine_drop_ref(float *x, size_t n, uint64_t key, uint32_t first, int32_t below, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (int32_t)(trine_drop_number(key, first + (uint32_t)i) >> 8) < below ? 0.0f : x[i] * factor;
}
