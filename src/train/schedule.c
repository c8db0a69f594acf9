/* schedule.c - see schedule.h. */
#include "train/schedule.h"

#include <math.h>

double trine_schedule_rate(const trine_schedule *s, int64_t step)
{
    if (step < s->warmup) return s->rate * (double)(step + 1) / (double)(s->warmup + 1);
    if (s->decay == TRINE_DECAY_CONSTANT) return s->rate;
    if (s->decay == TRINE_DECAY_INVERSE_ROOT) {
        const double from = s->warmup > 0 ? (double)s->warmup : 1, at = (double)step + (s->warmup > 0 ? 0 : 1);
        return s->rate * sqrt(from / at);
    }
    const double left = (double)(s->steps - s->warmup);
    double t = left > 0 ? (double)(step - s->warmup) / left : 1;
    if (t > 1) t = 1;
    const double share = s->decay == TRINE_DECAY_LINEAR ? 1 - t : 0.5 * (1 + cos(3.14159265358979323846 * t));
    return s->floor + share * (s->rate - s->floor);
}
