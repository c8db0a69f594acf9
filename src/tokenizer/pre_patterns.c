/* pre_patterns.c - the table of byte-level BPE pre-tokenizers by GGUF's names. Patterns are those of the published tokenizer.json. */
#include "tokenizer/pre_patterns.h"

#include <string.h>

#define WORDS_AND_SPACES "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3_PATTERN "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| " WORDS_AND_SPACES
#define QWEN2_PATTERN "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| " WORDS_AND_SPACES

static const trine_pre_pattern patterns[] = {
    { .name = "gpt-2" },
    { .name = "llama-bpe", .pattern = LLAMA3_PATTERN, .ignore_merges = true, .add_bos = true },
    { .name = "qwen2", .pattern = QWEN2_PATTERN, .nfc = true },
    { .name = "deepseek-r1-qwen", .pattern = QWEN2_PATTERN },
    { .name = "smollm", .digits = true },
};

/* Names that stand for one of the above. */
static const char *const same[][2] = {
    { "gpt2", "gpt-2" },       { "default", "gpt-2" },      { "roberta-bpe", "gpt-2" }, { "phi-2", "gpt-2" },
    { "llama3", "llama-bpe" }, { "llama-v3", "llama-bpe" }, { "starcoder", "smollm" },
};

static const trine_pre_pattern *by_name(const char *name)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (!strcmp(patterns[i].name, name)) return &patterns[i];
    return NULL;
}

const trine_pre_pattern *trine_pre_pattern_find(const char *name)
{
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!strcmp(same[i][0], name)) return by_name(same[i][1]);
    return by_name(name);
}

const trine_pre_pattern *trine_pre_pattern_match(const char *pattern, bool digits, bool nfc)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const trine_pre_pattern *p = &patterns[i];
        if (p->digits == digits && p->nfc == nfc && !p->pattern == !pattern && (!pattern || !strcmp(p->pattern, pattern))) return p;
    }
    return NULL;
}

const char *trine_pre_pattern_names(void)
{
    return "gpt-2, llama-bpe, qwen2, deepseek-r1-qwen, smollm, and names that mean the same";
}

static const char *const schemes[][2] = { { "metaspace-always", "always" },
                                          { "metaspace-first", "first" },
                                          { "metaspace-never", "never" } };

const char *trine_pre_scheme(const char *name)
{
    for (size_t i = 0; name && i < sizeof schemes / sizeof *schemes; i++)
        if (!strcmp(schemes[i][0], name)) return schemes[i][1];
    return NULL;
}

const char *trine_pre_scheme_name(const char *scheme)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (!strcmp(schemes[i][1], scheme)) return schemes[i][0];
    return NULL;
}

json_t *trine_pre_pattern_describe(const trine_pre_pattern *pre, bool add_prefix_space)
{
    const bool own = !pre->pattern; /* ByteLevel splits by its own pattern */
    json_t *steps = json_array();
    bool fine = steps != NULL;
    if (pre->digits)
        fine = fine && !json_array_append_new(steps, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", true));
    if (pre->pattern)
        fine = fine && !json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                                               pre->pattern, "behavior", "Isolated", "invert", false));
    fine = fine && !json_array_append_new(steps, json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                                                           add_prefix_space, "trim_offsets", true, "use_regex", own));
    json_t *root =
        fine ? json_pack("{s:s, s:{s:s, s:O}, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:b}}", "version", "1.0", "pre_tokenizer", "type",
                         "Sequence", "pretokenizers", steps, "decoder", "type", "ByteLevel", "add_prefix_space", true,
                         "trim_offsets", true, "use_regex", true, "model", "type", "BPE", "ignore_merges", pre->ignore_merges)
             : NULL;
    json_decref(steps);
    if (root && pre->nfc && json_object_set_new(root, "normalizer", json_pack("{s:s}", "type", "NFC"))) {
        json_decref(root);
        return NULL;
    }
    return root;
}
