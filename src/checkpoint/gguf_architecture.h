/* gguf_architecture.h - how GGUF says what Hugging Face says: one table of tensor names and one of configuration keys an
 * architecture, read in both directions: gguf_checkpoint.c reads with them, load/convert writes with them. */
#ifndef TRINE_CHECKPOINT_GGUF_ARCHITECTURE_H
#define TRINE_CHECKPOINT_GGUF_ARCHITECTURE_H

#include <jansson.h>

#include "base/buffer.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_write.h"
#include "checkpoint/json_file.h"

/* A tensor without its ".weight" or ".bias"; '*' stands for the layer's number, the same on both sides. T5 has two names for the
 * feed-forward's input, by whether there is a gate beside it. */
typedef enum trine_gguf_when { TRINE_ALWAYS, TRINE_WITH_GATE, TRINE_WITHOUT_GATE } trine_gguf_when;
typedef struct trine_gguf_name {
    const char *gguf, *hf;
    trine_gguf_when when;
} trine_gguf_name;

typedef enum trine_gguf_field_kind { TRINE_FIELD_INT, TRINE_FIELD_FLOAT, TRINE_FIELD_BOOL } trine_gguf_field_kind;
/* A metadata key (a leading '.' stands for the architecture's name) and the key of config.json. */
typedef struct trine_gguf_field {
    const char *gguf, *hf;
    trine_gguf_field_kind kind;
    bool required; /* a GGUF file without it is refused */
} trine_gguf_field;

typedef struct trine_gguf_architecture {
    const char *gguf;               /* general.architecture */
    const char *model_type;         /* of config.json; the first entry with a `gguf` name is what a file means that does not say */
    const char *class_name;         /* "architectures" of a file that does not say */
    const char *prefix;             /* what Hugging Face names may lack: "bert." */
    const trine_gguf_name *names;   /* ended by NULL */
    const trine_gguf_field *fields; /* ended by NULL */
    bool rope_interleaved;          /* q and k rows are stored in pairs */
    bool conv1d_transposed;         /* Conv1D weights are stored [out, in] */
    bool positions_cut;             /* learned positions are stored from the first that a text uses (RoBERTa: pad + 1) */
    /* What the tables cannot say, in each direction. */
    trine_status (*to_config)(trine_json_builder *config, const trine_gguf *g, trine_error *err);
    void (*to_gguf)(trine_gguf_head *h, const json_t *config);
} trine_gguf_architecture;

/* One entry a model_type, NULL-ended. */
extern const trine_gguf_architecture *const trine_gguf_architectures[];
extern const trine_gguf_architecture trine_gguf_llama, trine_gguf_mistral, trine_gguf_qwen2, trine_gguf_qwen3; /* gguf_llama.c */
extern const trine_gguf_architecture trine_gguf_gpt2;                                                          /* gguf_gpt2.c */
extern const trine_gguf_architecture trine_gguf_bert, trine_gguf_roberta, trine_gguf_xlm_roberta, trine_gguf_camembert,
    trine_gguf_distilbert;                                                                                  /* gguf_bert.c */
extern const trine_gguf_architecture trine_gguf_t5, trine_gguf_mt5, trine_gguf_umt5, trine_gguf_t5_encoder; /* gguf_t5.c */

/* By general.architecture and, when not NULL, the model_type the file was made from. NULL when there is none. */
const trine_gguf_architecture *trine_gguf_architecture_find(const char *gguf, const char *model_type);
/* By config.json's model_type (and, for T5, its class). */
const trine_gguf_architecture *trine_gguf_architecture_of(const json_t *config);

/* The other side's name of a tensor, appended to `out`; a name that no table knows is appended as it is. `gated`: whether the file
 * has gates. */
void trine_gguf_name_to_hf(trine_buffer *out, const trine_gguf_architecture *a, const char *name, bool gated);
void trine_gguf_name_from_hf(trine_buffer *out, const trine_gguf_architecture *a, const char *name);

/* For to_config: a whole number, or the shortest decimal of a float; `key` as in the fields. */
bool trine_gguf_field_int(int64_t *out, const trine_gguf *g, const char *architecture, const char *key);
bool trine_gguf_field_float(double *out, const trine_gguf *g, const char *architecture, const char *key);
bool trine_gguf_has_tensor(const trine_gguf *g, const char *name);
/* config[key], or config[outer][key] when outer is not NULL; NULL for JSON's null. */
const json_t *trine_config_value(const json_t *config, const char *outer, const char *key);
int64_t trine_config_whole(const json_t *config, const char *key, int64_t fallback);

/* rope_factors.c: Llama 3's scaling as GGUF stores it, a divisor for each frequency (tensor rope_freqs.weight). */
/* The scaling object of a configuration ("rope_parameters" or "rope_scaling") when its type is llama3, else NULL. */
const json_t *trine_rope_llama3(const json_t *config);
/* n = d_head / 2 factors of it; false when a field is missing. */
bool trine_rope_factors_make(float *factors, int n, double theta, const json_t *scaling);
/* The numbers of the scaling whose factors these are, with low_freq_factor 1 and high_freq_factor 4; false when there is none. */
bool trine_rope_factors_explain(double *factor, int *original, const float *factors, int n, double theta);

#endif
