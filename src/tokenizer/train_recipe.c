/* train_recipe.c - the conventions that a new tokenizer follows: its special tokens and what they are for, its normalizer,
 * pre-tokenizer, decoder and template, as tokenizer.json and its neighbours say them.
 *
 *     bert    WordPiece; lower case without accents, words and signs; [CLS] text [SEP]         (Devlin et al. 2019)
 *     gpt2    BPE over bytes, GPT-2's pattern; nothing is added                                 (Radford et al. 2019)
 *     llama   BPE over bytes, Llama 3's pattern; <|begin_of_text|> before the text              (Llama team 2024)
 *     t5      unigram; NFKC, spaces as U+2581; </s> behind the text; 100 sentinels              (Raffel et al. 2020)
 *
 * Each part can be chosen otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/pre_patterns.h"
#include "tokenizer/train.h"

typedef struct convention {
    const char *name, *algorithm, *normalization, *single, *pair, *pre;
    bool lowercase;
    int n_sentinels;
    trine_special_token specials[6];
} convention;

static const convention conventions[] = {
    { "bert",
      "wordpiece",
      "none",
      "[CLS] $A [SEP]",
      "[CLS] $A [SEP] $B:1 [SEP]:1",
      NULL,
      true,
      0,
      { { "[PAD]", "pad" }, { "[UNK]", "unk" }, { "[CLS]", "cls" }, { "[SEP]", "sep" }, { "[MASK]", "mask" } } },
    { "gpt2", "bpe", "none", NULL, NULL, NULL, false, 0, { { "<|endoftext|>", "bos" }, { "<|endoftext|>", "eos" } } },
    { "llama",
      "bpe",
      "none",
      "<|begin_of_text|> $A",
      "<|begin_of_text|> $A <|begin_of_text|> $B",
      "llama-bpe",
      false,
      0,
      { { "<|begin_of_text|>", "bos" }, { "<|end_of_text|>", "eos" } } },
    { "t5",
      "unigram",
      "nfkc",
      "$A </s>",
      "$A </s> $B </s>",
      NULL,
      false,
      100,
      { { "<pad>", "pad" }, { "</s>", "eos" }, { "<unk>", "unk" } } },
};

static const char *const roles[] = { "bos", "eos", "pad", "unk", "cls", "sep", "mask" };

/* The place of `name` in a list, or -1. */
static int find_name(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return (int)i;
    return -1;
}

static trine_status check_specials(const trine_recipe *r, trine_error *err)
{
    for (int i = 0; i < r->n_specials; i++) {
        const trine_special_token *s = &r->specials[i];
        if (!s->text || !*s->text) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: special token %d is empty", i);
        if (!trine_utf8_valid(s->text, strlen(s->text)))
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: special token %d is no UTF-8 text", i);
        if (s->role && find_name(roles, sizeof roles / sizeof *roles, s->role) < 0)
            return trine_fail(err, TRINE_ERROR_ARGUMENT,
                              "tokenizer: '%s' is no role of a special token; expected bos, eos, pad, unk, cls, sep or mask",
                              s->role);
    }
    for (int i = 0; i < r->n_words; i++)
        if (!r->words[i] || !*r->words[i] || !trine_utf8_valid(r->words[i], strlen(r->words[i])))
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: added token %d is empty or no UTF-8 text", i);
    if ((r->single && !strstr(r->single, "$A")) || (r->pair && !(strstr(r->pair, "$A") && strstr(r->pair, "$B"))))
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "tokenizer: a template has no place for the text: expected $A, for pairs $A and $B");
    if (strcmp(r->algorithm, "bpe") && !trine_recipe_token(r, "unk"))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: %s needs a special token for what is unknown (unk)", r->algorithm);
    return TRINE_OK;
}

trine_status trine_recipe_open(trine_recipe *out, const trine_tokenizer_train_options *o, trine_error *err)
{
    static const char *const algorithms[] = { "wordpiece", "bpe", "unigram" }, *const forms[] = { "none", "nfc", "nfkc" };
    *out = (trine_recipe) { 0 };
    const char *type = o->type ? o->type : "bert";
    const convention *c = NULL;
    for (size_t i = 0; i < sizeof conventions / sizeof *conventions; i++)
        if (!strcmp(conventions[i].name, type)) c = &conventions[i];
    if (!c) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no type '%s'; expected bert, gpt2, llama or t5", type);
    const char *algorithm = o->algorithm ? o->algorithm : c->algorithm,
               *form = o->normalization ? o->normalization : c->normalization;
    if (find_name(algorithms, 3, algorithm) < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no algorithm '%s'; expected wordpiece, bpe or unigram", algorithm);
    if (find_name(forms, 3, form) < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no normalisation '%s'; expected none, nfc or nfkc", form);
    int n_own = 0;
    while (n_own < 6 && c->specials[n_own].text) n_own++;
    const bool chosen = o->n_specials > 0;
    const trine_pre_pattern *pre = c->pre ? trine_pre_pattern_find(c->pre) : NULL;
    const bool bytes = !strcmp(algorithm, "bpe");
    *out = (trine_recipe) {
        .algorithm = algorithm,
        .n_specials = chosen ? o->n_specials : n_own,
        .n_sentinels = o->n_sentinels > 0   ? o->n_sentinels
                       : o->n_sentinels < 0 ? 0
                                            : c->n_sentinels,
        .single = o->single ? o->single
                  : chosen  ? NULL
                            : c->single,
        .pair = o->pair               ? o->pair
                : chosen || o->single ? NULL
                                      : c->pair,
        .normalization = form,
        .lowercase = o->lowercase ? o->lowercase > 0 : c->lowercase,
        .digits = o->digits,
        .byte_fallback = !strcmp(algorithm, "unigram") && o->byte_fallback,
        .words = o->words,
        .n_words = o->n_words,
        .pattern = bytes && pre && !o->digits ? pre->pattern : NULL,
        .ignore_merges = bytes && pre && !o->digits && pre->ignore_merges,
    };
    out->specials = malloc(((size_t)out->n_specials + 1) * sizeof *out->specials);
    if (!out->specials) return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for special tokens");
    memcpy(out->specials, chosen ? o->specials : c->specials, (size_t)out->n_specials * sizeof *out->specials);
    const trine_status status = check_specials(out, err);
    if (status) trine_recipe_close(out);
    return status;
}

void trine_recipe_close(trine_recipe *recipe)
{
    free(recipe->specials);
    *recipe = (trine_recipe) { 0 };
}

const char *trine_recipe_token(const trine_recipe *r, const char *role)
{
    for (int i = 0; i < r->n_specials; i++)
        if (r->specials[i].role && !strcmp(r->specials[i].role, role)) return r->specials[i].text;
    return NULL;
}

void trine_recipe_sentinel(char out[TRINE_SENTINEL_BYTES], int i) { snprintf(out, TRINE_SENTINEL_BYTES, "<extra_id_%d>", i); }

/* -- the parts of tokenizer.json; each may be NULL, for no memory, which the next that takes it in tells */

static bool add(json_t *list, json_t *item) { return !json_array_append_new(list, item); }

/* A component, or several as a sequence under `key`; null when there is none. Takes the list. */
static json_t *sequence(json_t *list, bool fine, const char *key)
{
    json_t *out = NULL;
    if (fine && json_array_size(list) == 0) out = json_null();
    if (fine && json_array_size(list) == 1) out = json_incref(json_array_get(list, 0));
    if (fine && json_array_size(list) > 1) out = json_pack("{s:s, s:O}", "type", "Sequence", key, list);
    json_decref(list);
    return out;
}

static bool is_unigram(const trine_recipe *r) { return !strcmp(r->algorithm, "unigram"); }
static bool is_wordpiece(const trine_recipe *r) { return !strcmp(r->algorithm, "wordpiece"); }
/* Normalised as sentencepiece does: spaces at the end and spaces in a row are lost, so every text may begin with one. */
static bool is_lossy(const trine_recipe *r) { return !strcmp(r->normalization, "nfkc"); }

static json_t *normalizer(const trine_recipe *r)
{
    json_t *list = json_array();
    bool fine = list != NULL;
    const bool compat = is_lossy(r);
    if (compat && is_unigram(r)) fine = fine && add(list, json_pack("{s:s}", "type", "Nmt"));
    if (strcmp(r->normalization, "none")) fine = fine && add(list, json_pack("{s:s}", "type", compat ? "NFKC" : "NFC"));
    if (is_wordpiece(r))
        fine = fine && add(list, json_pack("{s:s, s:b, s:b, s:n, s:b}", "type", "BertNormalizer", "clean_text", true,
                                           "handle_chinese_chars", true, "strip_accents", "lowercase", r->lowercase));
    else if (r->lowercase)
        fine = fine && add(list, json_pack("{s:s}", "type", "Lowercase"));
    if (compat && is_unigram(r))
        fine = fine && add(list, json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", false, "strip_right", true)) &&
               add(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex", " {2,}", "content", " "));
    return sequence(list, fine, "normalizers");
}

static json_t *pretokenizer(const trine_recipe *r)
{
    json_t *list = json_array();
    bool fine = list != NULL;
    if (is_wordpiece(r)) fine = fine && add(list, json_pack("{s:s}", "type", "BertPreTokenizer"));
    if (is_unigram(r))
        fine = fine && add(list, json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", "\xE2\x96\x81",
                                           "prepend_scheme", is_lossy(r) ? "always" : "first", "split", true));
    if (r->digits) fine = fine && add(list, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", true));
    if (!is_wordpiece(r) && !is_unigram(r)) {
        if (r->pattern)
            fine = fine && add(list, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", r->pattern,
                                               "behavior", "Isolated", "invert", false));
        fine = fine && add(list, json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", false, "trim_offsets",
                                           true, "use_regex", r->pattern == NULL));
    }
    return sequence(list, fine, "pretokenizers");
}

static json_t *decoder(const trine_recipe *r)
{
    json_t *list = json_array();
    bool fine = list != NULL;
    if (is_wordpiece(r))
        fine = fine && add(list, json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", true));
    else if (!is_unigram(r))
        fine = fine && add(list, json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", true, "trim_offsets",
                                           true, "use_regex", true));
    if (r->byte_fallback) fine = fine && add(list, json_pack("{s:s}", "type", "ByteFallback"));
    if (is_unigram(r))
        fine = fine && add(list, json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", "\xE2\x96\x81",
                                           "prepend_scheme", is_lossy(r) ? "always" : "first", "split", true));
    return sequence(list, fine, "decoders");
}

static json_t *model(const trine_recipe *r)
{
    const char *unk = trine_recipe_token(r, "unk");
    if (is_wordpiece(r))
        return json_pack("{s:s, s:s, s:s, s:i}", "type", "WordPiece", "unk_token", unk, "continuing_subword_prefix", "##",
                         "max_input_chars_per_word", 100);
    if (is_unigram(r)) return json_pack("{s:s, s:n, s:b}", "type", "Unigram", "unk_id", "byte_fallback", r->byte_fallback);
    return json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b}", "type", "BPE", "dropout", "unk_token", "continuing_subword_prefix",
                     "end_of_word_suffix", "fuse_unk", false, "byte_fallback", false, "ignore_merges", r->ignore_merges);
}

static bool add_token(json_t *list, const char *text, bool special, bool lstrip)
{
    return add(list, json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", text, "single_word", false, "lstrip", lstrip, "rstrip",
                               false, "normalized", false, "special", special));
}

/* Where a word's first piece holds the space before it, the mask stands for both, as in RoBERTa and XLM-R: learnt as the token after a
 * word, it must be that in "her <mask> in" too. So must the sentinel of a gap. */
static bool holds_space(const trine_recipe *r) { return !is_wordpiece(r); }
static bool is_mask(const trine_recipe *r, int i)
{
    const char *mask = trine_recipe_token(r, "mask");
    return mask && !strcmp(r->specials[i].text, mask);
}

/* Whether special token i has been there before, in another role. */
static bool is_repeated(const trine_recipe *r, int i)
{
    for (int k = 0; k < i; k++)
        if (!strcmp(r->specials[k].text, r->specials[i].text)) return true;
    return false;
}

static json_t *added_tokens(const trine_recipe *r)
{
    json_t *list = json_array();
    bool fine = list != NULL;
    for (int i = 0; i < r->n_specials && fine; i++)
        fine = is_repeated(r, i) || add_token(list, r->specials[i].text, true, is_mask(r, i) && holds_space(r));
    for (int i = 0; i < r->n_words && fine; i++) fine = add_token(list, r->words[i], false, false);
    for (int i = r->n_sentinels; i-- > 0 && fine;) { /* T5's order: the first has the highest id */
        char text[TRINE_SENTINEL_BYTES];
        trine_recipe_sentinel(text, i);
        fine = add_token(list, text, true, holds_space(r));
    }
    if (fine) return list;
    json_decref(list);
    return NULL;
}

json_t *trine_recipe_describe(const trine_recipe *r)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:n, s:o}", "version", "1.0", "added_tokens", added_tokens(r), "normalizer",
                     normalizer(r), "pre_tokenizer", pretokenizer(r), "decoder", decoder(r), "post_processor", "model", model(r));
}

/* -- its neighbours */

/* "bos_token": "<s>" and so on, and what has no role; false when memory ran out. */
static bool put_roles(json_t *root, const trine_recipe *r)
{
    json_t *others = json_array();
    bool fine = others != NULL;
    for (size_t i = 0; i < sizeof roles / sizeof *roles && fine; i++) {
        const char *text = trine_recipe_token(r, roles[i]);
        char key[16];
        snprintf(key, sizeof key, "%s_token", roles[i]);
        if (text) fine = !json_object_set_new(root, key, json_string(text));
    }
    for (int i = 0; i < r->n_specials && fine; i++)
        if (!r->specials[i].role && !is_repeated(r, i)) fine = add(others, json_string(r->specials[i].text));
    for (int i = 0; i < r->n_sentinels && fine; i++) {
        char text[TRINE_SENTINEL_BYTES];
        trine_recipe_sentinel(text, i);
        fine = add(others, json_string(text));
    }
    if (fine && json_array_size(others)) fine = !json_object_set(root, "additional_special_tokens", others);
    json_decref(others);
    return fine;
}

json_t *trine_recipe_map(const trine_recipe *r)
{
    json_t *root = json_object();
    if (root && put_roles(root, r)) return root;
    json_decref(root);
    return NULL;
}

json_t *trine_recipe_config(const trine_recipe *r)
{
    json_t *root =
        json_pack("{s:s, s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "clean_up_tokenization_spaces", is_wordpiece(r));
    if (root && put_roles(root, r)) return root;
    json_decref(root);
    return NULL;
}
