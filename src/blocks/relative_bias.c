/* relative_bias.c - T5's buckets of relative positions (Raffel et al. 2020, sec. 2.1).
 *
 * Half of a side's buckets are for exact distances, the other half grow with the logarithm up to max_distance. In an encoder
 * keys after the query have buckets of their own; in a decoder there are none. */
#include <math.h>

#include "blocks/attention.h"

void trine_relative_buckets(uint16_t *bucket, const trine_relative_bias *bias)
{
    const int n = bias->bidirectional ? bias->n_buckets / 2 : bias->n_buckets, n_exact = n / 2;
    /* In f32 as the reference has it: at a boundary the rounding decides. */
    const float log_range = (float)log((double)bias->max_distance / (double)n_exact);
    for (int distance = 0; distance <= bias->max_distance; distance++) {
        int b = distance;
        if (distance >= n_exact) {
            b = n_exact + (int)((float)log((double)((float)distance / (float)n_exact)) / log_range * (float)(n - n_exact));
            if (b > n - 1) b = n - 1;
        }
        bucket[distance] = (uint16_t)b;
    }
}
