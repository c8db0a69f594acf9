/* presets.c - see presets.h. Sizes are those of the config.json in each repository, and `type` is that of its model.safetensors; the
 * class is the one whose parameters the published number counts (BERT with its pooler and no head). */
#include "plan/presets.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

typedef struct preset {
    const char *name, *model_type, *class;
    int layers, decoder_layers; /* decoder_layers 0: as many */
    int width, ff, heads, kv_heads, head;
    int vocab, positions;
    bool tied;
    const char *type, *more; /* more: further fields, as JSON without its braces */
} preset;

#define BERT(name, layers, width, heads, vocab)                                                                                    \
    {                                                                                                                              \
        name, "bert", "BertModel", layers, 0, width, 4 * (width), heads, 0, 0, vocab, 512, true, "float32", NULL                   \
    }
#define ROBERTA(name, type, class, layers, width, heads, vocab)                                                                    \
    {                                                                                                                              \
        name, type, class, layers, 0, width, 4 * (width), heads, 0, 0, vocab, 514, true, "float32",                                \
            "\"type_vocab_size\":1,\"pad_token_id\":1"                                                                             \
    }
#define GPT2(name, layers, width, heads)                                                                                           \
    {                                                                                                                              \
        name, "gpt2", "GPT2LMHeadModel", layers, 0, width, 4 * (width), heads, 0, 0, 50257, 1024, true, "float32", NULL            \
    }
#define T5(name, type, layers, decoder_layers, width, ff, heads, head, vocab, tied, proj)                                          \
    {                                                                                                                              \
        name, type, "T5ForConditionalGeneration", layers, decoder_layers, width, ff, heads, 0, head, vocab, 512, tied, "float32",  \
            "\"feed_forward_proj\":\"" proj "\""                                                                                   \
    }
#define LLAMA(name, layers, width, ff, heads, kv_heads, vocab, positions, tied, type, more)                                        \
    {                                                                                                                              \
        name, "llama", "LlamaForCausalLM", layers, 0, width, ff, heads, kv_heads, 0, vocab, positions, tied, type, more            \
    }
#define QWEN2(name, layers, width, ff, heads, kv_heads, vocab, positions, tied)                                                    \
    {                                                                                                                              \
        name, "qwen2", "Qwen2ForCausalLM", layers, 0, width, ff, heads, kv_heads, 0, vocab, positions, tied, "bfloat16",           \
            "\"rope_theta\":1e6"                                                                                                   \
    }
#define QWEN3(name, layers, width, ff, heads, tied)                                                                                \
    {                                                                                                                              \
        name, "qwen3", "Qwen3ForCausalLM", layers, 0, width, ff, heads, 8, 128, 151936, 40960, tied, "bfloat16",                   \
            "\"rope_theta\":1e6"                                                                                                   \
    }
#define MISTRAL(name, vocab, window)                                                                                               \
    {                                                                                                                              \
        name, "mistral", "MistralForCausalLM", 32, 0, 4096, 14336, 32, 8, 0, vocab, 32768, false, "bfloat16",                      \
            "\"sliding_window\":" window                                                                                           \
    }
#define THETA3 "\"rope_theta\":5e5"
#define ROPE3(factor)                                                                                                              \
    THETA3 ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":" factor                                                        \
           ",\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":8192}"

/* clang-format off */
static const preset presets[] = {
    BERT("bert-tiny", 2, 128, 2, 30522),
    BERT("all-minilm-l6-v2", 6, 384, 12, 30522),
    BERT("all-minilm-l12-v2", 12, 384, 12, 30522),
    BERT("bge-small-en-v1.5", 12, 384, 12, 30522),
    BERT("bge-base-en-v1.5", 12, 768, 12, 30522),
    BERT("bge-large-en-v1.5", 24, 1024, 16, 30522),
    BERT("bert-base-uncased", 12, 768, 12, 30522),
    BERT("bert-base-cased", 12, 768, 12, 28996),
    BERT("bert-base-chinese", 12, 768, 12, 21128),
    BERT("bert-base-multilingual-cased", 12, 768, 12, 119547),
    BERT("bert-base-multilingual-uncased", 12, 768, 12, 105879),
    BERT("bert-large-uncased", 24, 1024, 16, 30522),
    BERT("bert-large-cased", 24, 1024, 16, 28996),
    { "distilbert-base-uncased", "distilbert", "DistilBertModel", 6, 0, 768, 3072, 12, 0, 0, 30522, 512, true, "float32", NULL },
    { "distilbert-base-cased", "distilbert", "DistilBertModel", 6, 0, 768, 3072, 12, 0, 0, 28996, 512, true, "float32", NULL },
    ROBERTA("roberta-base", "roberta", "RobertaModel", 12, 768, 12, 50265),
    ROBERTA("roberta-large", "roberta", "RobertaModel", 24, 1024, 16, 50265),
    ROBERTA("xlm-roberta-base", "xlm-roberta", "XLMRobertaModel", 12, 768, 12, 250002),
    ROBERTA("xlm-roberta-large", "xlm-roberta", "XLMRobertaModel", 24, 1024, 16, 250002),

    GPT2("distilgpt2", 6, 768, 12),
    GPT2("gpt2", 12, 768, 12),
    GPT2("gpt2-medium", 24, 1024, 16),
    GPT2("gpt2-large", 36, 1280, 20),
    GPT2("gpt2-xl", 48, 1600, 25),

    T5("t5-small", "t5", 6, 0, 512, 2048, 8, 64, 32128, true, "relu"),
    T5("t5-base", "t5", 12, 0, 768, 3072, 12, 64, 32128, true, "relu"),
    T5("t5-large", "t5", 24, 0, 1024, 4096, 16, 64, 32128, true, "relu"),
    T5("t5-3b", "t5", 24, 0, 1024, 16384, 32, 128, 32128, true, "relu"),
    T5("t5-11b", "t5", 24, 0, 1024, 65536, 128, 128, 32128, true, "relu"),
    T5("t5-v1.1-small", "t5", 8, 0, 512, 1024, 6, 64, 32128, false, "gated-gelu"),
    T5("t5-v1.1-base", "t5", 12, 0, 768, 2048, 12, 64, 32128, false, "gated-gelu"),
    T5("t5-v1.1-large", "t5", 24, 0, 1024, 2816, 16, 64, 32128, false, "gated-gelu"),
    T5("t5-v1.1-xl", "t5", 24, 0, 2048, 5120, 32, 64, 32128, false, "gated-gelu"),
    T5("t5-v1.1-xxl", "t5", 24, 0, 4096, 10240, 64, 64, 32128, false, "gated-gelu"),
    T5("flan-t5-small", "t5", 8, 0, 512, 1024, 6, 64, 32128, false, "gated-gelu"),
    T5("flan-t5-base", "t5", 12, 0, 768, 2048, 12, 64, 32128, false, "gated-gelu"),
    T5("flan-t5-large", "t5", 24, 0, 1024, 2816, 16, 64, 32128, false, "gated-gelu"),
    T5("flan-t5-xl", "t5", 24, 0, 2048, 5120, 32, 64, 32128, false, "gated-gelu"),
    T5("flan-t5-xxl", "t5", 24, 0, 4096, 10240, 64, 64, 32128, false, "gated-gelu"),
    T5("mt5-small", "mt5", 8, 0, 512, 1024, 6, 64, 250112, false, "gated-gelu"),
    T5("mt5-base", "mt5", 12, 0, 768, 2048, 12, 64, 250112, false, "gated-gelu"),
    T5("mt5-large", "mt5", 24, 0, 1024, 2816, 16, 64, 250112, false, "gated-gelu"),
    T5("mt5-xl", "mt5", 24, 0, 2048, 5120, 32, 64, 250112, false, "gated-gelu"),
    T5("mt5-xxl", "mt5", 24, 0, 4096, 10240, 64, 64, 250112, false, "gated-gelu"),
    T5("byt5-small", "t5", 12, 4, 1472, 3584, 6, 64, 384, false, "gated-gelu"),
    T5("byt5-base", "t5", 18, 6, 1536, 3968, 12, 64, 384, false, "gated-gelu"),

    LLAMA("tinyllama-1.1b", 22, 2048, 5632, 32, 4, 32000, 2048, false, "bfloat16", NULL),
    LLAMA("llama-2-7b", 32, 4096, 11008, 32, 32, 32000, 4096, false, "float16", NULL),
    LLAMA("llama-2-13b", 40, 5120, 13824, 40, 40, 32000, 4096, false, "float16", NULL),
    LLAMA("llama-2-70b", 80, 8192, 28672, 64, 8, 32000, 4096, false, "float16", NULL),
    LLAMA("llama-3-8b", 32, 4096, 14336, 32, 8, 128256, 8192, false, "bfloat16", THETA3),
    LLAMA("llama-3-70b", 80, 8192, 28672, 64, 8, 128256, 8192, false, "bfloat16", THETA3),
    LLAMA("llama-3.1-8b", 32, 4096, 14336, 32, 8, 128256, 131072, false, "bfloat16", ROPE3("8")),
    LLAMA("llama-3.1-70b", 80, 8192, 28672, 64, 8, 128256, 131072, false, "bfloat16", ROPE3("8")),
    LLAMA("llama-3.1-405b", 126, 16384, 53248, 128, 8, 128256, 131072, false, "bfloat16", ROPE3("8")),
    LLAMA("llama-3.2-1b", 16, 2048, 8192, 32, 8, 128256, 131072, true, "bfloat16", ROPE3("32")),
    LLAMA("llama-3.2-3b", 28, 3072, 8192, 24, 8, 128256, 131072, true, "bfloat16", ROPE3("32")),
    LLAMA("llama-3.3-70b", 80, 8192, 28672, 64, 8, 128256, 131072, false, "bfloat16", ROPE3("8")),
    LLAMA("smollm2-135m", 30, 576, 1536, 9, 3, 49152, 8192, true, "bfloat16", "\"rope_theta\":1e5"),
    LLAMA("smollm2-360m", 32, 960, 2560, 15, 5, 49152, 8192, true, "bfloat16", "\"rope_theta\":1e5"),
    LLAMA("smollm2-1.7b", 24, 2048, 8192, 32, 32, 49152, 8192, true, "bfloat16", "\"rope_theta\":1.3e5"),
    MISTRAL("mistral-7b-v0.1", 32000, "4096"),
    MISTRAL("mistral-7b-v0.3", 32768, "null"),

    QWEN2("qwen2-0.5b", 24, 896, 4864, 14, 2, 151936, 131072, true),
    QWEN2("qwen2-1.5b", 28, 1536, 8960, 12, 2, 151936, 131072, true),
    QWEN2("qwen2-7b", 28, 3584, 18944, 28, 4, 152064, 131072, false),
    QWEN2("qwen2-72b", 80, 8192, 29568, 64, 8, 152064, 131072, false),
    QWEN2("qwen2.5-0.5b", 24, 896, 4864, 14, 2, 151936, 32768, true),
    QWEN2("qwen2.5-1.5b", 28, 1536, 8960, 12, 2, 151936, 131072, true),
    QWEN2("qwen2.5-3b", 36, 2048, 11008, 16, 2, 151936, 32768, true),
    QWEN2("qwen2.5-7b", 28, 3584, 18944, 28, 4, 152064, 131072, false),
    QWEN2("qwen2.5-14b", 48, 5120, 13824, 40, 8, 152064, 131072, false),
    QWEN2("qwen2.5-32b", 64, 5120, 27648, 40, 8, 152064, 131072, false),
    QWEN2("qwen2.5-72b", 80, 8192, 29568, 64, 8, 152064, 131072, false),
    QWEN3("qwen3-0.6b", 28, 1024, 3072, 16, true),
    QWEN3("qwen3-1.7b", 28, 2048, 6144, 16, true),
    QWEN3("qwen3-4b", 36, 2560, 9728, 32, true),
    QWEN3("qwen3-8b", 36, 4096, 12288, 32, false),
    QWEN3("qwen3-14b", 40, 5120, 17408, 40, false),
    QWEN3("qwen3-32b", 64, 5120, 25600, 64, false),
};
/* clang-format on */
enum { N_PRESETS = sizeof presets / sizeof *presets, MOST_NAME = 128 };

const char *trine_preset_name(int i) { return i >= 0 && i < N_PRESETS ? presets[i].name : NULL; }

/* ---------------------------------------------------------------------------------------------------------- by name */

/* Without the owner, in small letters, without what only separates. False for what is longer than any name. */
static bool spell(char out[MOST_NAME], const char *name)
{
    const char *slash = strrchr(name, '/');
    size_t n = 0;
    for (name = slash ? slash + 1 : name; *name; name++) {
        if (*name == '-' || *name == '_' || *name == '.') continue;
        if (n + 1 >= MOST_NAME) return false;
        out[n++] = (char)tolower((unsigned char)*name);
    }
    out[n] = 0;
    return n > 0;
}

static int find_spelt(const char *name)
{
    for (int i = 0; i < N_PRESETS; i++) {
        char known[MOST_NAME];
        spell(known, presets[i].name);
        if (!strcmp(known, name)) return i;
    }
    return -1;
}

int trine_preset_find(const char *name)
{
    /* What is put behind a size and does not change it, and before a name. */
    static const char *const ends[] = { "hf", "instruct", "chat", "it", "base", "model", "v01", "v02", "v10", "en" };
    char spelt[MOST_NAME];
    if (!spell(spelt, name)) return -1;
    const char *start = !strncmp(spelt, "metallama", 9) ? spelt + 4 : spelt;
    int found = find_spelt(start);
    for (bool cut = true; found < 0 && cut;) {
        cut = false;
        for (size_t i = 0; i < sizeof ends / sizeof *ends && !cut; i++) {
            const size_t n = strlen(start), m = strlen(ends[i]);
            if (n <= m || strcmp(start + n - m, ends[i]) != 0) continue;
            spelt[start - spelt + (ptrdiff_t)(n - m)] = 0;
            cut = true;
        }
        found = find_spelt(start);
    }
    return found;
}

/* Levenshtein's distance. */
static int distance(const char *a, const char *b)
{
    int row[MOST_NAME + 1];
    const int n = (int)strlen(b);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int above = row[j], same = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = trine_min_int(same, trine_min_int(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[n];
}

const char *trine_preset_near(const char *name)
{
    char spelt[MOST_NAME], known[MOST_NAME];
    int best = MOST_NAME, at = -1;
    if (!spell(spelt, name)) return NULL;
    for (int i = 0; i < N_PRESETS; i++) {
        spell(known, presets[i].name);
        const int d = distance(spelt, known);
        if (d >= best) continue;
        best = d;
        at = i;
    }
    return at >= 0 && best <= 1 + (int)strlen(spelt) / 4 ? presets[at].name : NULL;
}

/* ---------------------------------------------------------------------------------------------------- configuration */

/* The words of each family for the same sizes. */
static const char *const *words_of(const preset *p)
{
    static const char *const gpt2[] = { "n_layer", "n_embd", "n_inner", "n_head", "n_positions" };
    static const char *const t5[] = { "num_layers", "d_model", "d_ff", "num_heads", "n_positions" };
    static const char *const distilbert[] = { "n_layers", "dim", "hidden_dim", "n_heads", "max_position_embeddings" };
    static const char *const others[] = { "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads",
                                          "max_position_embeddings" };
    if (strstr(p->model_type, "t5")) return t5;
    return !strcmp(p->model_type, "gpt2") ? gpt2 : !strcmp(p->model_type, "distilbert") ? distilbert : others;
}

json_t *trine_preset_config(int i)
{
    const preset *p = &presets[i];
    const char *const *words = words_of(p);
    const int sizes[] = { p->layers, p->width, p->ff, p->heads, p->positions };
    const bool t5 = strstr(p->model_type, "t5") != NULL;
    char more[512] = "{}";
    if (p->more) snprintf(more, sizeof more, "{%s}", p->more);
    json_t *config = json_loads(more, 0, NULL), *class = json_pack("[s]", p->class);
    int failed = json_object_set_new(config, "architectures", class);
    failed |= json_object_set_new(config, "model_type", json_string(p->model_type));
    failed |= json_object_set_new(config, "torch_dtype", json_string(p->type));
    failed |= json_object_set_new(config, "vocab_size", json_integer(p->vocab));
    failed |= json_object_set_new(config, "tie_word_embeddings", json_boolean(p->tied));
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        failed |= json_object_set_new(config, words[k], json_integer(sizes[k]));
    if (p->decoder_layers) failed |= json_object_set_new(config, "num_decoder_layers", json_integer(p->decoder_layers));
    if (p->kv_heads) failed |= json_object_set_new(config, "num_key_value_heads", json_integer(p->kv_heads));
    if (p->head) failed |= json_object_set_new(config, t5 ? "d_kv" : "head_dim", json_integer(p->head));
    if (!failed) return config;
    json_decref(config);
    return NULL;
}
