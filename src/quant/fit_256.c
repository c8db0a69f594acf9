/* fit_256.c - weights into the formats of block_256.c. Each part is fitted alone; the scales found are rounded to whole multiples
 * of one f16 scale a block. Then two steps take turns: for each part the multiples that cost least, among the neighbours of those
 * it has; for the block the f16 scales that suit the levels and multiples of all parts. The best seen is kept. */
#include <math.h>
#include <string.h>

#include "quant/block_formats.h"
#include "quant/fit.h"
#include "quant/quant.h"

enum { BLOCK = 256, ROUNDS = 2 };

/* A block under work. part[j] is about scale multiple[j].scale q - min multiple[j].min, all over `unit`. */
typedef struct block {
    float unit; /* the largest magnitude */
    int n_parts;
    trine_fit_part parts[16];
    struct multiple {
        int scale, min;
    } multiple[16];
    float scale, min; /* as stored, over unit */
    double cost;
} block;

static float unit_of(const float *in)
{
    float most = 0;
    for (int i = 0; i < BLOCK; i++) most = fmaxf(most, fabsf(in[i]));
    return most > 0x1p-32f ? most : 1; /* below, no f16 scale shows any of it */
}

static int clamp(double x, int low, int high) { return x > low ? x < high ? (int)lrint(x) : high : low; }

/* What an f16 would store of v, over the unit. */
static float stored(const block *b, double v)
{
    const float over = trine_fit_half((float)(v * (double)b->unit)) / b->unit;
    return isfinite(over) ? over : 0;
}

static trine_line line_of(const block *b, struct multiple m)
{
    return (trine_line) { b->scale * (float)m.scale, -b->min * (float)m.min };
}

/* For every part the best among the neighbours of its multiples. */
static void choose_multiples(block *b, int low, int high, bool with_min)
{
    b->cost = 0;
    for (int j = 0; j < b->n_parts; j++) {
        const struct multiple from = b->multiple[j];
        double best = INFINITY;
        for (int ds = -1; ds <= 1; ds++) {
            for (int dm = with_min ? -1 : 0; dm <= (with_min ? 1 : 0); dm++) {
                const struct multiple m = { from.scale + ds, from.min + dm };
                if (m.scale < low || m.scale > high || m.min < 0 || m.min > 63) continue;
                const double cost = trine_fit_cost(&b->parts[j], line_of(b, m));
                if (cost < best) {
                    best = cost;
                    b->multiple[j] = m;
                }
            }
        }
        b->cost += best;
    }
}

/* The least-squares scale and min of the block for the levels and multiples that it has. */
static void solve_block(block *b, bool with_min)
{
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0; /* x is about scale A - min B, A = multiple q, B = multiple */
    for (int j = 0; j < b->n_parts; j++) {
        trine_fit_sums s;
        const double scale = b->multiple[j].scale, min = b->multiple[j].min;
        trine_fit_sum(&s, &b->parts[j], line_of(b, b->multiple[j]));
        aa += scale * scale * s.qq;
        ab += scale * min * s.q;
        bb += min * min * s.w;
        ax += scale * s.qx;
        bx += min * s.x;
    }
    const double determinant = aa * bb - ab * ab;
    if (with_min && determinant > 1e-9 * aa * bb) {
        b->scale = stored(b, (bb * ax - ab * bx) / determinant);
        b->min = stored(b, (ab * ax - aa * bx) / determinant);
    } else if (aa > 0) {
        b->scale = stored(b, (ax + ab * (double)b->min) / aa);
    }
}

static void fit_block(block *b, int low, int high, bool with_min)
{
    choose_multiples(b, low, high, with_min);
    for (int round = 0; round < ROUNDS; round++) {
        block next = *b;
        solve_block(&next, with_min);
        choose_multiples(&next, low, high, with_min);
        if (!(next.cost < b->cost)) return;
        *b = next;
    }
}

/* ------------------------------------------------------------------------------------------------------- q4_k and q5_k */

static void begin_lines(block *b, const float *in, int top, trine_fit_range range)
{
    trine_line lines[8];
    float scale = 0, min = 0;
    *b = (block) { .unit = unit_of(in), .n_parts = 8 };
    for (int j = 0; j < 8; j++) {
        trine_fit_part_set(&b->parts[j], in + 32 * j, 32, b->unit, 0, top);
        lines[j] = trine_fit_line(&b->parts[j], range, true);
        scale = fmaxf(scale, lines[j].scale);
        min = fmaxf(min, -lines[j].base);
    }
    b->scale = stored(b, (double)scale / 63);
    b->min = stored(b, (double)min / 63);
    for (int j = 0; j < 8; j++) {
        if (b->scale > 0) b->multiple[j].scale = clamp((double)(lines[j].scale / b->scale), 0, 63);
        if (b->min > 0) b->multiple[j].min = clamp((double)(-lines[j].base / b->min), 0, 63);
    }
    fit_block(b, 0, 63, true);
}

static void put_f16(unsigned char *p, float f)
{
    const uint16_t h = trine_f32_to_f16(f);
    memcpy(p, &h, sizeof h);
}

/* The 12 bytes that get_scale_min of block_256.c reads. */
static void put_multiples(unsigned char *s, const block *b)
{
    memset(s, 0, 12);
    for (int j = 0; j < 8; j++) {
        const unsigned scale = (unsigned)b->multiple[j].scale, min = (unsigned)b->multiple[j].min;
        if (j < 4) {
            s[j] |= (unsigned char)scale;
            s[j + 4] |= (unsigned char)min;
        } else {
            s[j + 4] = (unsigned char)((scale & 0xF) | (min & 0xF) << 4);
            s[j - 4] |= (unsigned char)(scale >> 4 << 6);
            s[j] |= (unsigned char)(min >> 4 << 6);
        }
    }
}

static void pack_lines(unsigned char *out, const float *in, size_t n, bool fifth)
{
    const int top = fifth ? 31 : 15;
    const trine_fit_range range = fifth ? (trine_fit_range) { 28, 32.5f, 0.25f } : (trine_fit_range) { 12, 16.5f, 0.25f };
    for (size_t i = 0; i < n; i += BLOCK, out += fifth ? 176 : 144) {
        block b;
        begin_lines(&b, in + i, top, range);
        put_f16(out, b.scale * b.unit);
        put_f16(out + 2, b.min * b.unit);
        put_multiples(out + 4, &b);
        unsigned char *high = out + 16, *nibbles = fifth ? out + 48 : out + 16;
        if (fifth) memset(high, 0, 32);
        for (int j = 0; j < 8; j++) {
            uint8_t levels[32];
            trine_fit_levels(levels, &b.parts[j], line_of(&b, b.multiple[j]));
            for (int l = 0; l < 32; l++) {
                unsigned char *q = &nibbles[32 * (j / 2) + l];
                *q = j & 1 ? (unsigned char)(*q | (levels[l] & 0xF) << 4) : levels[l] & 0xF;
                if (fifth) high[l] |= (unsigned char)(levels[l] >> 4 << j);
            }
        }
    }
}

void trine_pack_q4_k(void *out, const float *in, size_t n) { pack_lines(out, in, n, false); }
void trine_pack_q5_k(void *out, const float *in, size_t n) { pack_lines(out, in, n, true); }

/* ---------------------------------------------------------------------------------------------------------------- q6_k */

static void begin_scales(block *b, const float *in)
{
    float scales[16], most = 0;
    *b = (block) { .unit = unit_of(in), .n_parts = 16 };
    for (int j = 0; j < 16; j++) {
        trine_fit_part_set(&b->parts[j], in + 16 * j, 16, b->unit, -32, 31);
        scales[j] = trine_fit_scale(&b->parts[j], (trine_fit_range) { 30, 33, 0.25f }).scale;
        if (fabsf(scales[j]) > fabsf(most)) most = scales[j];
    }
    b->scale = stored(b, (double)most / -128); /* multiples go down to -128 */
    for (int j = 0; j < 16; j++) {
        if (b->scale != 0) b->multiple[j].scale = clamp((double)(scales[j] / b->scale), -128, 127);
    }
    fit_block(b, -128, 127, false);
}

void trine_pack_q6_k(void *out, const float *in, size_t n)
{
    unsigned char *o = out;
    for (size_t i = 0; i < n; i += BLOCK, o += 210) {
        block b;
        uint8_t levels[BLOCK];
        begin_scales(&b, in + i);
        for (int j = 0; j < 16; j++) {
            trine_fit_levels(levels + 16 * j, &b.parts[j], line_of(&b, b.multiple[j]));
            o[192 + j] = (unsigned char)(int8_t)b.multiple[j].scale;
        }
        put_f16(o + 208, b.scale * b.unit);
        memset(o, 0, 192);
        for (int e = 0; e < BLOCK; e++) { /* the places that trine_unpack_q6_k reads */
            const int half = e / 128, r = e % 128;
            o[64 * half + r % 64] |= (unsigned char)((levels[e] & 0xF) << 4 * (r / 64));
            o[128 + 32 * half + r % 32] |= (unsigned char)(levels[e] >> 4 << 2 * (r / 32));
        }
    }
}
