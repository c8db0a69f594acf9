/* rows_ref.c - what is done to one row: norms, activations, softmax, rotary positions. Scalar, in double where rounding shows. */
#include "kernels/ref/ref.h"

#include <math.h>

void trine_layer_norm_ref(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps)
{
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) mean += (double)x[i];
    mean /= (double)n;
    /* Two passes: E[x^2] - E[x]^2 would cancel where the mean is large. */
    for (size_t i = 0; i < n; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean);
    const double factor = 1.0 / sqrt(variance / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(((double)x[i] - mean) * factor * (double)weight[i] + (bias ? (double)bias[i] : 0.0));
}

void trine_rms_norm_ref(float *out, const float *x, const float *weight, size_t n, float eps)
{
    double square = 0;
    for (size_t i = 0; i < n; i++) square += (double)x[i] * (double)x[i];
    const double factor = 1.0 / sqrt(square / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++) out[i] = (float)((double)x[i] * factor * (double)weight[i]);
}

void trine_relu_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = x[i] < 0.0f ? 0.0f : x[i]; /* so that NaN stays */
}

/* Hendrycks & Gimpel 2016: x times the normal distribution function, exactly ... */
void trine_gelu_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(0.5 * (double)x[i] * (1.0 + erf((double)x[i] * M_SQRT1_2)));
}

/* ... by tanh (GPT-2's gelu_new) ... */
void trine_gelu_tanh_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        x[i] = (float)(0.5 * v * (1.0 + tanh(sqrt(2.0 / M_PI) * (v + 0.044715 * v * v * v))));
    }
}

/* ... and by a sigmoid. */
void trine_gelu_quick_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)x[i] / (1.0 + exp(-1.702 * (double)x[i])));
}

void trine_silu_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)x[i] / (1.0 + exp(-(double)x[i])));
}

void trine_tanh_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)tanh((double)x[i]);
}

void trine_add_ref(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

void trine_multiply_ref(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] *= y[i];
}

void trine_scale_ref(float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

float trine_max_ref(const float *x, size_t n)
{
    float max = -INFINITY;
    for (size_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;
    return max;
}

float trine_exp_sum_ref(float *x, float max, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)exp((double)x[i] - (double)max);
        sum += (double)x[i];
    }
    return (float)sum;
}

void trine_rope_angles_ref(float *cosine, float *sine, const float *inv_freq, float pos, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float angle = pos * inv_freq[i];
        cosine[i] = (float)(cos((double)angle) * (double)scale);
        sine[i] = (float)(sin((double)angle) * (double)scale);
    }
}

void trine_rope_half_ref(float *x, const float *cosine, const float *sine, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float a = x[i], b = x[n + i];
        x[i] = a * cosine[i] - b * sine[i];
        x[n + i] = b * cosine[i] + a * sine[i];
    }
}

void trine_rope_interleaved_ref(float *x, const float *cosine, const float *sine, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosine[i] - b * sine[i];
        x[2 * i + 1] = b * cosine[i] + a * sine[i];
    }
}
