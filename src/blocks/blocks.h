/* blocks.h - the boxes of the papers. A model file is written with these and nothing else.
 *
 * x [n_rows, width] throughout. A result is a new matrix of the pass's arena unless the name ends in _in_place.
 * Temporaries of a layer are given back with trine_arena_mark / trine_arena_release around it; what lives on (the residual
 * stream) is allocated before the mark and updated in place. */
#ifndef TRINE_BLOCKS_BLOCKS_H
#define TRINE_BLOCKS_BLOCKS_H

#include "blocks/pass.h"

/* y = W x + b. Data lies in the file's own layout, [rows = d_out, cols = d_in], each row contiguous (blocks of a quantised
 * type run along a row); kernels read it in place for few rows of x, and pack panels of it on the fly for many. */
typedef struct trine_weight {
    const void *data;
    trine_dtype type;
    int rows, cols;
    const float *bias; /* [rows] or NULL */
} trine_weight;

/* Vaswani et al. 2017: x W^T + b. */
trine_mat trine_linear(trine_pass *p, trine_mat x, const trine_weight *w);
/* y[i] = W_i x for n <= TRINE_LINEARS products of one x (queries, keys and values; gate and up): the threads meet once for all. */
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
void trine_activate_in_place(trine_pass *p, trine_mat x, trine_activation kind);
/* The kind called `name` in a config.json ("gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "swish", "relu", "tanh"); false when unknown. */
bool trine_activation_from_name(trine_activation *out, const char *name);

/* Position-wise feed-forward: down(act(up x)), or gated (Shazeer 2020): down(act(gate x) * up x) when gate.data is set. */
typedef struct trine_feed_forward_weights {
    trine_weight up, gate, down;
    trine_activation activation;
} trine_feed_forward_weights;
trine_mat trine_feed_forward(trine_pass *p, trine_mat x, const trine_feed_forward_weights *w);

/* Rows of the embedding table by id (ids outside it fail the pass). Any type; `ids` NULL takes the batch's. */
trine_mat trine_embedding(trine_pass *p, const trine_weight *table, const int32_t *ids);
/* x += table[pos + offset] for each row's position in its segment: learned positions (offset 2 in RoBERTa: pad + 1). */
void trine_add_positions_in_place(trine_pass *p, trine_mat x, const trine_weight *table, int offset);

/* Layer norm (Ba et al. 2016) and RMS norm (Zhang & Sennrich 2019), statistics in double or compensated. bias may be NULL. */
trine_mat trine_layer_norm(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps);
trine_mat trine_rms_norm(trine_pass *p, trine_mat x, const float *weight, float eps);
/* The same where x itself becomes the norm: the post-norm residual stream of BERT outlives its layer's temporaries. */
void trine_layer_norm_in_place(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps);
/* RMS norm of each head's d_head values on their own (Qwen 3). */
void trine_rms_norm_heads_in_place(trine_pass *p, trine_mat x, const float *weight, int d_head, float eps);

void trine_add_in_place(trine_pass *p, trine_mat x, trine_mat y); /* x += y */
void trine_scale_in_place(trine_pass *p, trine_mat x, float factor);
/* Rows of x by index: out[i] = x[rows[i]]; rows NULL: a borrowed x. */
trine_mat trine_take_rows(trine_pass *p, trine_mat x, const int32_t *rows, int n);

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
/* Turns each head of x [n_rows, n_heads * d_head] by its row's position. */
void trine_rope_in_place(trine_pass *p, trine_mat x, int d_head, const trine_rope *rope);

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
} trine_attention_spec;
/* q [n_rows, n_heads * d_head], k and v [n_rows, n_kv_heads * d_head] of the same segments; returns q's shape. Segments with a
 * self cache append k and v to it and attend to all it holds; others attend within the pass. */
trine_mat trine_self_attention(trine_pass *p, trine_mat q, trine_mat k, trine_mat v, const trine_attention_spec *spec);
/* Keys and values are those of each segment's cross cache; no mask. */
trine_mat trine_cross_attention(trine_pass *p, trine_mat q, const trine_attention_spec *spec);
/* Writes the source's keys and values of one decoder layer into each segment's cross cache (segments of the encoder's pass). */
void trine_cross_append(trine_pass *p, int layer, trine_mat k, trine_mat v);

#endif
