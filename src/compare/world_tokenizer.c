/* world_tokenizer.c - the world's words as a tokenizer of whole words, in the form that Hugging Face's tokenizers has for it. */
#include <jansson.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/status.h"
#include "compare/world.h"

static trine_status write_json(const char *dir, const char *name, json_t *value, bool overwrite, trine_error *err)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    json_decref(value);
    const trine_status status = trine_text_write(dir, name, text, overwrite, err);
    free(text);
    return status;
}

static json_t *tokenizer_json(const trine_grammar *world)
{
    json_t *added = json_array(), *vocab = json_object();
    char special[24];
    for (int id = 0; id < trine_world_vocab(world); id++) {
        const char *word = trine_world_spell(special, world, id);
        json_object_set_new(vocab, word, json_integer(id));
        if (id < TRINE_WORLD_WORD)
            json_array_append_new(added, json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id", id, "content", word, "single_word", 0,
                                                   "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
    }
    return json_pack("{s:s,s:n,s:n,s:o,s:n,s:{s:s},s:n,s:n,s:{s:s,s:o,s:s}}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added, "normalizer", "pre_tokenizer", "type", "WhitespaceSplit", "post_processor", "decoder",
                     "model", "type", "WordLevel", "vocab", vocab, "unk_token", "[UNK]");
}

trine_status trine_world_save_tokenizer(const trine_grammar *world, const char *dir, bool overwrite, trine_error *err)
{
    static const char *const roles[] = {
        "pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token"
    };
    char special[24];
    trine_status status = trine_directory_make(dir, err);
    if (status) return status;
    json_t *config = json_pack("{s:s,s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "clean_up_tokenization_spaces", 0);
    for (int i = 0; i <= TRINE_WORLD_EOS; i++)
        json_object_set_new(config, roles[i], json_string(trine_world_spell(special, world, i)));
    status = write_json(dir, "tokenizer_config.json", config, overwrite, err);
    return status ? status : write_json(dir, "tokenizer.json", tokenizer_json(world), overwrite, err);
}
