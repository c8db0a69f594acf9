/* bench_work.c - the least that a run must read and compute, so that its speed can be held against the machine's limits.
 *
 * A decoded token reads every matrix once, whatever the batch, and the keys and values of its past; of an embedding only its
 * own row. A product costs 2 operations a weight and token; attention 4 a key, query and element of a head. What is small
 * beside these (norms, softmax, activations, positions) is left out: the share of the limit that is printed is not flattered. */
#include <string.h>

#include "bench.h"

typedef enum part { PART_TABLE, PART_ENCODER, PART_DECODER, PART_CROSS_INPUT, PART_HEAD, PART_COUNT } part;

typedef struct amounts {
    double parameters[PART_COUNT], bytes[PART_COUNT];
} amounts;

static bool has(const char *name, const char *piece) { return strstr(name, piece) != NULL; }

/* What a matrix is, by its name in the file (Hugging Face's and GGUF's words). */
static part part_of(const char *name, const trine_model_info *m)
{
    if (has(name, "lm_head") || strcmp(name, "output.weight") == 0) return PART_HEAD;
    if (has(name, "embed_tokens") || has(name, "token_embd") || has(name, "wte.") || has(name, "word_embeddings") ||
        has(name, "shared.weight"))
        return m->tied && m->paradigm != TRINE_ENCODER ? PART_HEAD : PART_TABLE;
    if (has(name, "position_embeddings") || has(name, "position_embd") || has(name, "wpe.") || has(name, "token_type") ||
        has(name, "relative_attention_bias") || has(name, "attn_rel_b") || has(name, "pooler"))
        return PART_TABLE;
    if (m->paradigm == TRINE_ENCODER) return has(name, "cls.") ? PART_TABLE : PART_ENCODER;
    if (m->paradigm == TRINE_DECODER) return PART_DECODER;
    /* Keys and values of the source are computed once, by as many rows as the source has. */
    if (has(name, "EncDecAttention.k") || has(name, "EncDecAttention.v") || has(name, "cross_attn_k") || has(name, "cross_attn_v"))
        return PART_CROSS_INPUT;
    return strncmp(name, "enc", 3) == 0 ? PART_ENCODER : PART_DECODER;
}

static amounts count(const run *r)
{
    amounts all = { 0 };
    trine_tensor_info t;
    for (int i = 0; trine_model_tensor(&t, r->model, i); i++) {
        if (t.n_dims < 2) continue;
        const part p = part_of(t.name, r->info);
        double n = 1;
        for (int d = 0; d < t.n_dims; d++) n *= (double)t.shape[d];
        all.parameters[p] += n;
        all.bytes[p] += (double)t.bytes;
    }
    return all;
}

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

bench_shares bench_share(const bench_result *b, const run *r, const trine_limits *limits)
{
    const double second = b->best_ms / 1000, read = b->bytes / second, work = b->flops / second;
    bench_shares s = { .read = read / limits->read_bytes };
    double vector = limits->int8_ops, tiles = limits->tile_int8_ops;
    s.name = "int8";
    switch (r->info->weights_type) {
    case TRINE_F32:
    case TRINE_F16: /* there is no dot product of f16: they are multiplied as f32 */
        s.name = "f32";
        vector = limits->f32_ops;
        tiles = 0;
        break;
    case TRINE_BF16: /* the faster way of the vector units: on some processors the dot product of bf16 is the slower */
        s.name = "bf16";
        vector = limits->bf16_ops > limits->f32_ops ? limits->bf16_ops : limits->f32_ops;
        tiles = limits->tile_bf16_ops;
        break;
    default: break;
    }
    s.vector = vector > 0 ? work / vector : 0;
    s.tiles = tiles > 0 ? work / tiles : 0;
    return s;
}

void bench_count_work(bench_result *b, const run *r)
{
    const trine_model_info *m = r->info;
    const amounts a = count(r);
    const double n = b->tokens, batch = b->batch, depth = b->depth;
    const double matrices = a.parameters[PART_DECODER] + a.parameters[PART_HEAD];
    switch (b->kind) {
    case BENCH_PREFILL: {
        const double pairs = causal_pairs(m, depth, n);
        b->bytes = a.bytes[PART_DECODER] + a.bytes[PART_HEAD] + depth * cache_bytes(m, b->cache_type);
        b->flops = 2 * (a.parameters[PART_DECODER] * n + a.parameters[PART_HEAD]) + attention_flops(m, m->n_layers, pairs);
        return;
    }
    case BENCH_DECODE: {
        const double pairs = causal_pairs(m, depth, n);
        b->bytes = n * (a.bytes[PART_DECODER] + a.bytes[PART_HEAD]) + batch * pairs * cache_bytes(m, b->cache_type);
        b->flops = batch * (2 * matrices * n + attention_flops(m, m->n_layers, pairs));
        return;
    }
    case BENCH_ENCODE: {
        const bool decoder = m->paradigm == TRINE_DECODER;
        const double pairs = decoder ? causal_pairs(m, 0, n) : n * n;
        b->bytes = a.bytes[decoder ? PART_DECODER : PART_ENCODER];
        b->flops = batch * (2 * n * a.parameters[decoder ? PART_DECODER : PART_ENCODER] + attention_flops(m, m->n_layers, pairs));
        return;
    }
    case BENCH_TRANSLATE: {
        const double s = b->source, beam = b->beam, cache = cache_bytes(m, b->cache_type), pairs = n * (n + 1) / 2;
        b->bytes = a.bytes[PART_ENCODER] + a.bytes[PART_CROSS_INPUT] + n * (a.bytes[PART_DECODER] + a.bytes[PART_HEAD]) +
                   cache * (n * s + beam * pairs);
        b->flops = 2 * s * (a.parameters[PART_ENCODER] + a.parameters[PART_CROSS_INPUT]) + 2 * beam * n * matrices +
                   attention_flops(m, m->n_layers, s * s) + attention_flops(m, m->n_decoder_layers, beam * (n * s + pairs));
        return;
    }
    }
}
