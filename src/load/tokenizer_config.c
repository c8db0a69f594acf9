/* tokenizer_config.c - see tokenizer_config.h. */
#include "load/tokenizer_config.h"

#include <string.h>

static void put_token(trine_json_builder *b, const char *key, const trine_tokenizer *tokenizer, trine_special which)
{
    const char *text = trine_tokenizer_token(tokenizer, trine_tokenizer_special(tokenizer, which));
    if (text) trine_json_put(b, key, json_string(text));
}

bool trine_tokenizer_is_bytes(const trine_tokenizer *tokenizer) { return !strcmp(trine_tokenizer_algorithm(tokenizer), "bytes"); }

trine_json_builder trine_tokenizer_config_make(const trine_tokenizer *tokenizer, int64_t n_positions)
{
    trine_json_builder b = { .object = json_object() };
    const bool bytes = trine_tokenizer_is_bytes(tokenizer);
    trine_json_put(&b, "tokenizer_class", json_string(bytes ? "ByT5Tokenizer" : "PreTrainedTokenizerFast"));
    if (bytes) trine_json_put(&b, "extra_ids", json_integer(trine_tokenizer_vocab_size(tokenizer) - 256 - 3));
    trine_json_put(&b, "clean_up_tokenization_spaces", json_false());
    put_token(&b, "bos_token", tokenizer, TRINE_TOKEN_BOS);
    put_token(&b, "eos_token", tokenizer, TRINE_TOKEN_EOS);
    put_token(&b, "pad_token", tokenizer, TRINE_TOKEN_PAD);
    put_token(&b, "unk_token", tokenizer, TRINE_TOKEN_UNK);
    put_token(&b, "cls_token", tokenizer, TRINE_TOKEN_CLS);
    put_token(&b, "sep_token", tokenizer, TRINE_TOKEN_SEP);
    put_token(&b, "mask_token", tokenizer, TRINE_TOKEN_MASK);
    if (n_positions > 0) trine_json_put(&b, "model_max_length", json_integer(n_positions));
    const char *chat = trine_tokenizer_chat_template(tokenizer);
    if (chat) trine_json_put(&b, "chat_template", json_string(chat));
    return b;
}
