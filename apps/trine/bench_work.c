/* bench_work.c - the least that a run must read and compute, so that its speed can be held against the machine's limits.
 *
 * A decoded token reads every matrix once, whatever the batch, and the keys and values of its past; of an embedding only its
 * own row. A product costs 2 operations a weight and token; attention 4 a key, query and element of a head. What is small
 * beside these (norms, softmax, activations, positions) is left out: the share of the limit that is printed is not flattered. */
#include "bench.h"

static double element_bytes(trine_dtype type)
{
    switch (type) {
    case TRINE_F16:
    case TRINE_BF16: return 2;
    case TRINE_Q8_0: return 34.0 / 32;
    case TRINE_Q4_0: return 18.0 / 32;
    default: return 4;
    }
}

/* Keys and values of one token in all layers of a decoder. */
static double cache_bytes(const trine_model_info *m, trine_dtype type)
{
    const int layers = m->n_decoder_layers ? m->n_decoder_layers : m->n_layers;
    return 2.0 * layers * m->n_kv_heads * m->d_head * element_bytes(type);
}

/* Operations of attention over `pairs` pairs of a query and a key. */
static double attention_flops(const trine_model_info *m, int layers, double pairs)
{
    return 4.0 * layers * m->n_heads * m->d_head * pairs;
}

/* Keys that n queries see, the first of them at `pos`, under a causal mask and a window. */
static double causal_pairs(const trine_model_info *m, double pos, double n)
{
    if (!m->window || pos + n <= m->window) return n * pos + n * (n + 1) / 2;
    /* Query i sees i + 1 keys until the window is full. */
    const double filling = pos < m->window ? m->window - pos : 0;
    return filling * pos + filling * (filling + 1) / 2 + (n - filling) * m->window;
}

bench_peaks bench_peak(trine_dtype type, const trine_limits *l)
{
    switch (type) {
    case TRINE_F32:
    case TRINE_F16: /* there is no dot product of f16: they are multiplied as f32 */
        return (bench_peaks) { .name = "f32", .vector = l->f32_ops };
    case TRINE_BF16: /* the faster way of the vector units: on some processors the dot product of bf16 is the slower */
        return (bench_peaks) { .name = "bf16",
                               .vector = l->bf16_ops > l->f32_ops ? l->bf16_ops : l->f32_ops,
                               .tiles = l->tile_bf16_ops };
    default: return (bench_peaks) { .name = "int8", .vector = l->int8_ops, .tiles = l->tile_int8_ops };
    }
}

bench_shares bench_share(const bench_result *b, const run *r, const trine_limits *limits)
{
    const double second = b->best_ms / 1000, read = b->bytes / second, work = b->flops / second;
    const bench_peaks peaks = bench_peak(r->info->weights_type, limits);
    return (bench_shares) { .name = peaks.name,
                            .read = read / limits->read_bytes,
                            .vector = peaks.vector > 0 ? work / peaks.vector : 0,
                            .tiles = peaks.tiles > 0 ? work / peaks.tiles : 0 };
}

void bench_count_work(bench_result *b, const trine_model_info *m, const trine_weight_uses *a)
{
    const double n = b->tokens, batch = b->batch, depth = b->depth;
    const double matrices = a->parameters[TRINE_USE_DECODER] + a->parameters[TRINE_USE_HEAD];
    switch (b->kind) {
    case BENCH_PREFILL: {
        const double pairs = causal_pairs(m, depth, n);
        b->bytes = a->bytes[TRINE_USE_DECODER] + a->bytes[TRINE_USE_HEAD] + depth * cache_bytes(m, b->cache_type);
        b->flops =
            2 * (a->parameters[TRINE_USE_DECODER] * n + a->parameters[TRINE_USE_HEAD]) + attention_flops(m, m->n_layers, pairs);
        return;
    }
    case BENCH_DECODE: {
        const double pairs = causal_pairs(m, depth, n);
        b->bytes = n * (a->bytes[TRINE_USE_DECODER] + a->bytes[TRINE_USE_HEAD]) + batch * pairs * cache_bytes(m, b->cache_type);
        b->flops = batch * (2 * matrices * n + attention_flops(m, m->n_layers, pairs));
        return;
    }
    case BENCH_ENCODE: {
        const bool decoder = m->paradigm == TRINE_DECODER;
        const double pairs = decoder ? causal_pairs(m, 0, n) : n * n;
        b->bytes = a->bytes[decoder ? TRINE_USE_DECODER : TRINE_USE_ENCODER];
        b->flops = batch * (2 * n * a->parameters[decoder ? TRINE_USE_DECODER : TRINE_USE_ENCODER] +
                            attention_flops(m, m->n_layers, pairs));
        return;
    }
    case BENCH_TRANSLATE: { /* of a batch one has beams, and each a source */
        const double s = b->source, beam = batch * b->beam, cache = cache_bytes(m, b->cache_type), pairs = n * (n + 1) / 2;
        b->bytes = a->bytes[TRINE_USE_ENCODER] + a->bytes[TRINE_USE_CROSS_INPUT] +
                   n * (a->bytes[TRINE_USE_DECODER] + a->bytes[TRINE_USE_HEAD]) + cache * (batch * n * s + beam * pairs);
        b->flops = batch * 2 * s * (a->parameters[TRINE_USE_ENCODER] + a->parameters[TRINE_USE_CROSS_INPUT]) +
                   2 * beam * n * matrices + attention_flops(m, m->n_layers, batch * s * s) +
                   attention_flops(m, m->n_decoder_layers, beam * (n * s + pairs));
        return;
    }
    }
}
