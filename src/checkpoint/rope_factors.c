/* rope_factors.c - Llama 3.1's rotary scaling ("llama3") and its stored form.
 *
 * Wavelengths longer than original / low_freq_factor are slowed down by `factor`, those shorter than original /
 * high_freq_factor stay, those between are mixed. GGUF stores what each frequency is divided by. */
#include <math.h>
#include <string.h>

#include "checkpoint/gguf_architecture.h"

const json_t *trine_rope_llama3(const json_t *config)
{
    static const char *const keys[] = { "rope_parameters", "rope_scaling" }; /* transformers 5, and before */
    for (int i = 0; i < 2; i++) {
        const json_t *scaling = json_object_get(config, keys[i]);
        const char *type = json_string_value(json_object_get(scaling, "rope_type"));
        if (!type) type = json_string_value(json_object_get(scaling, "type"));
        if (type && !strcmp(type, "llama3")) return scaling;
    }
    return NULL;
}

static void make(float *factors, int n, double theta, double factor, double low, double high, double original)
{
    for (int i = 0; i < n; i++) {
        const double wavelength = 2 * 3.14159265358979323846 * pow(theta, (double)i / n);
        if (wavelength < original / high)
            factors[i] = 1;
        else if (wavelength > original / low)
            factors[i] = (float)factor;
        else {
            const double smooth = (original / wavelength - low) / (high - low);
            factors[i] = (float)(1 / ((1 - smooth) / factor + smooth));
        }
    }
}

bool trine_rope_factors_make(float *factors, int n, double theta, const json_t *scaling)
{
    const json_t *factor = json_object_get(scaling, "factor"), *low = json_object_get(scaling, "low_freq_factor");
    const json_t *high = json_object_get(scaling, "high_freq_factor"),
                 *original = json_object_get(scaling, "original_max_position_embeddings");
    if (!json_is_number(factor) || !json_is_number(low) || !json_is_number(high) || !json_is_number(original)) return false;
    make(factors, n, theta, json_number_value(factor), json_number_value(low), json_number_value(high),
         json_number_value(original));
    return true;
}

bool trine_rope_factors_explain(double *factor, int *original, const float *factors, int n, double theta)
{
    enum { MOST = 1024 };
    float made[MOST];
    if (n < 1 || n > MOST) return false;
    /* The longest wavelength has the whole factor; published models mix between 1 and 4 and differ in the original context. */
    *factor = (double)factors[n - 1];
    if (!(*factor >= 1) || !isfinite(*factor)) return false;
    for (int k = 0; k < 17; k++) {
        *original = k ? 8 << k : 8192; /* the published one first, then 16 to 2^19 */
        make(made, n, theta, *factor, 1, 4, *original);
        bool same = true;
        for (int i = 0; i < n && same; i++) same = fabsf(made[i] - factors[i]) <= 1e-4f * made[i];
        if (same) return true;
    }
    return false;
}
