/* blocks.h - the boxes of the papers. A model file is written with these and nothing else.
 *
 * x [n_rows, width] throughout. A result is a new matrix of the pass's arena, except that of a block that is said to consume x: there
 * it is x's own memory, unless a tape still needs what was in it. So a consumed x (and the y of trine_add) is not used again:
 *
 *     x = trine_add(p, x, trine_linear(p, h, &w));
 *
 * Temporaries of a layer are given back with trine_pass_mark / trine_pass_release around it; what lives on (the residual stream) is
 * allocated before the mark and consumed from block to block. */
#ifndef TRINE_BLOCKS_BLOCKS_H
#define TRINE_BLOCKS_BLOCKS_H

#include "blocks/pass.h"

/* y = W x + b. Data lies in the file's own layout, [rows = d_out, cols = d_in], each row contiguous (blocks of a quantised
 * type run along a row); kernels read it in place for few rows of x, and pack panels of it on the fly for many. */
typedef struct trine_weight {
    const void *data;
    trine_dtype type;
    int rows, cols;
    const float *bias;                 /* [rows] or NULL */
    const struct trine_lora *lora;     /* an adapter beside it, or NULL */
    int lora_first;                    /* its row that belongs to row 0: W may be some rows of what was adapted */
    const struct trine_packed *packed; /* its panels, where they are kept from pass to pass (packed.h); or NULL */
} trine_weight;

/* A low-rank adapter (Hu et al. 2022): W x becomes W x + scale B A x. a [rank, cols], b [all rows, rank]. */
typedef struct trine_lora {
    trine_weight a, b;
    float scale;
} trine_lora;

/* Vaswani et al. 2017: x W^T + b. */
trine_mat trine_linear(trine_pass *p, trine_mat x, const trine_weight *w);
/* The last product of a head, (W x + b) scale: the logits. A tape keeps x, w and scale instead and the result has no data: the loss
 * (trine_softmax_loss) computes logits of some rows at a time, and they are never there as a whole. */
trine_mat trine_logits(trine_pass *p, trine_mat x, const trine_weight *w, float scale);
/* softmax and cross-entropy over the logits that trine_logits left to it, in nats:
 *
 *     *loss = sum over rows i with a label of  weights[i] (logsumexp(z_i) - (1 - smoothing) z_i[label] - smoothing mean(z_i))
 *
 * (smoothing: Szegedy et al. 2016, sec. 7). Its gradient times `scale` is added to those of x, W and b at once. labels [rows], below 0
 * where a row is not scored; weights [rows], or NULL: all 1. */
void trine_softmax_loss(trine_pass *p, double *loss, const int32_t *labels, const float *weights, float smoothing, float scale);
/* y[i] = W_i x for n <= TRINE_LINEARS products of one x (queries, keys and values; gate and up): the threads meet once for all.
 * No two are the same weights. */
#define TRINE_LINEARS 4
void trine_linears(trine_pass *p, trine_mat *y, trine_mat x, const trine_weight *const *w, int n);

typedef enum trine_activation {
    TRINE_RELU,
    TRINE_GELU,
    TRINE_GELU_TANH,
    TRINE_SILU,
    TRINE_TANH,
    TRINE_GELU_QUICK
} trine_activation;
trine_mat trine_activate(trine_pass *p, trine_mat x, trine_activation kind); /* consumes x */
/* The kind called `name` in a config.json ("gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "swish", "relu", "tanh"); false when unknown. */
bool trine_activation_from_name(trine_activation *out, const char *name);

/* Position-wise feed-forward: down(act(up x)), or gated (Shazeer 2020): down(act(gate x) * up x) when gate.data is set. */
typedef struct trine_feed_forward_weights {
    trine_weight up, gate, down;
    trine_activation activation;
    bool drops; /* training drops elements of what `down` takes (T5) */
} trine_feed_forward_weights;
trine_mat trine_feed_forward(trine_pass *p, trine_mat x, const trine_feed_forward_weights *w);

/* Rows of the embedding table by id (ids outside it fail the pass). Any type; `ids` NULL takes the batch's. */
trine_mat trine_embedding(trine_pass *p, const trine_weight *table, const int32_t *ids);
/* x + table[pos + offset] for each row's position in its segment: learned positions. Consumes x. */
trine_mat trine_add_positions(trine_pass *p, trine_mat x, const trine_weight *table, int offset);

/* Layer norm (Ba et al. 2016) and RMS norm (Zhang & Sennrich 2019), statistics in double or compensated. bias may be NULL. */
trine_mat trine_layer_norm(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps);
trine_mat trine_rms_norm(trine_pass *p, trine_mat x, const float *weight, float eps);
/* The same, and x is consumed: the post-norm residual stream of BERT outlives its layer's temporaries. */
trine_mat trine_layer_norm_over(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps);
/* RMS norm of each head's d_head values on their own (Qwen 3). Consumes x. */
trine_mat trine_rms_norm_heads(trine_pass *p, trine_mat x, const float *weight, int d_head, float eps);

/* x + y. Consumes both: without a tape the sum is in x's memory, with one in y's, as x is then what other blocks were given. */
trine_mat trine_add(trine_pass *p, trine_mat x, trine_mat y);
/* Training drops elements of x here, with the tape's probability; else x. Consumes x. */
trine_mat trine_dropout(trine_pass *p, trine_mat x);
/* Rows of x by index: out[i] = x[rows[i]]; rows NULL: a borrowed x. */
trine_mat trine_take_rows(trine_pass *p, trine_mat x, const int32_t *rows, int n);
/* The first row of each segment: [n_segments, x.cols]. */
trine_mat trine_first_rows(trine_pass *p, trine_mat x);
/* The last row of each segment whose token is not `pad`, else its first, likewise: where a causal text has been seen whole. */
trine_mat trine_last_rows(trine_pass *p, trine_mat x, int32_t pad);

/* Rotary positions (Su et al. 2021). inv_freq [n_rotated / 2] is made once at load by trine_rope_make. */
typedef enum trine_rope_kind { TRINE_ROPE_PLAIN, TRINE_ROPE_LINEAR, TRINE_ROPE_LLAMA3, TRINE_ROPE_YARN } trine_rope_kind;
typedef struct trine_rope_config {
    trine_rope_kind kind;
    float theta;
    int d_head, n_rotated;                   /* n_rotated <= d_head: partial rotary */
    float factor;                            /* linear, llama3, yarn */
    float low_freq_factor, high_freq_factor; /* llama3 */
    int original_ctx;                        /* llama3, yarn */
    float beta_fast, beta_slow;              /* yarn; 0: 32 and 1 */
    bool no_truncate;                        /* yarn: the ramp's ends are not rounded to whole dimensions ("truncate": false) */
    float attention_factor;                  /* yarn; 0: 0.1 ln(factor) + 1 */
    bool interleaved;                        /* pairs (2i, 2i+1), as GGUF stores Llama; else (i, i + n/2) */
    const float *freq_factors;               /* GGUF's rope_freqs.weight [n_rotated / 2]: divides inv_freq; or NULL */
} trine_rope_config;
typedef struct trine_rope {
    float *inv_freq;
    int n_rotated;
    float scale;
    bool interleaved;
} trine_rope;
trine_status trine_rope_make(trine_rope *out, const trine_rope_config *config, trine_error *err);
void trine_rope_clear(trine_rope *rope);
/* Turns each head of x [n_rows, n_heads * d_head] by its row's position. Consumes x. */
trine_mat trine_rope_turn(trine_pass *p, trine_mat x, int d_head, const trine_rope *rope);

/* T5's relative position bias (Raffel et al. 2020, sec. 2.1): table [n_buckets, n_heads], computed from its buckets on the
 * fly, never n x n. */
typedef struct trine_relative_bias {
    const float *table;
    int n_buckets, max_distance, n_heads;
    bool bidirectional;
} trine_relative_bias;

/* softmax(Q K^T scale + bias, masked) V, tiled with a running softmax (Milakov & Gimelshein 2018; Dao et al. 2022). */
typedef struct trine_attention_spec {
    int layer; /* index in the cache, and of the traced weights */
    int n_heads, n_kv_heads, d_head;
    float scale;                     /* 1 / sqrt(d_head), or 1 in T5 */
    bool causal;                     /* the model's own mask; the batch may override it */
    int window;                      /* causal: a query sees its own and the window - 1 keys before; 0: all */
    const trine_relative_bias *bias; /* or NULL */
    bool rounds; /* the products around round to bf16 or bytes: so may this one, whatever the type of the cache */
} trine_attention_spec;
/* Whether products with w round x, where the processor is faster so; and whether they round it to bytes. */
static inline bool trine_weight_rounds(const trine_weight *w) { return w->type != TRINE_F32 && w->type != TRINE_F16; }
static inline bool trine_weight_in_blocks(const trine_weight *w) { return trine_dtype_get(w->type)->block > 1; }
/* q [n_rows, n_heads * d_head], k and v [n_rows, n_kv_heads * d_head] of the same segments; returns q's shape. Segments with a
 * self cache append k and v to it and attend to all it holds; others attend within the pass. */
trine_mat trine_self_attention(trine_pass *p, trine_mat q, trine_mat k, trine_mat v, const trine_attention_spec *spec);
/* Keys and values are those of each segment's cross cache; no mask. */
trine_mat trine_cross_attention(trine_pass *p, trine_mat q, const trine_attention_spec *spec);
/* Writes the source's keys and values of one decoder layer into each segment's cross cache (segments of the encoder's pass). A tape
 * keeps the matrices themselves, and segments of the decoder's pass say which rows are theirs. */
void trine_cross_append(trine_pass *p, int layer, trine_mat k, trine_mat v);

/* A layer of a model, x [n_rows, d_model] to the next x, which may be x's own memory when nothing is noted. */
typedef trine_mat trine_layer_fn(trine_pass *p, const void *weights, int n, trine_mat x);
/* Layer n by its function. A tape that recomputes (tape.h) keeps its input alone, and calls it again on the way back (Chen et al.
 * 2016, sec. 3.1). */
trine_mat trine_layer(trine_pass *p, trine_layer_fn *layer, const void *weights, int n, trine_mat x);

#endif
