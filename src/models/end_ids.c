/* end_ids.c - the tokens that end a text: chat models have several (Llama 3: end of text, end of turn).
 *
 * As transformers does: generation_config.json beside the weights decides where it names any, else config.json. A GGUF file has
 * neither: it names one end token, and at most one for the end of a turn under a key of its own. Many name only the end of
 * text, so there, as in llama.cpp, a special token spelt like the end of a turn is one. */
#include "checkpoint/gguf.h"
#include "checkpoint/json_file.h"
#include "models/model.h"

/* Ids that no token of the model has are left out. */
static void append_id(int32_t *ids, int *n, int64_t id, int vocab)
{
    if (id < 0 || id >= vocab || *n == TRINE_MAX_END_IDS) return;
    for (int i = 0; i < *n; i++)
        if (ids[i] == id) return;
    ids[(*n)++] = (int32_t)id;
}

/* An id, or each of a list. */
static void append(int32_t *ids, int *n, const json_t *value, int vocab)
{
    if (json_is_integer(value)) append_id(ids, n, json_integer_value(value), vocab);
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
        if (json_is_integer(json_array_get(value, i))) append_id(ids, n, json_integer_value(json_array_get(value, i)), vocab);
}

static void append_turn_ends(int32_t *ids, int *n, const trine_model *m, const trine_gguf *g)
{
    static const char *const keys[] = { "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
    static const char *const names[] = { "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>" };
    int64_t id;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (trine_gguf_get_int(&id, g, keys[i])) append_id(ids, n, id, m->info.vocab);
    for (size_t i = 0; m->tokenizer && i < sizeof names / sizeof *names; i++) {
        id = trine_tokenizer_id(m->tokenizer, names[i]);
        if (id >= 0 && trine_tokenizer_is_special(m->tokenizer, (int32_t)id)) append_id(ids, n, id, m->info.vocab);
    }
}

trine_status trine_model_end_ids(int32_t ids[TRINE_MAX_END_IDS], int *n, const trine_model *m, trine_error *err)
{
    const char *dir = trine_checkpoint_directory(m->checkpoint);
    json_t *generation = NULL;
    *n = 0;
    const trine_status status = dir ? trine_json_file_read_optional(&generation, dir, "generation_config.json", err) : TRINE_OK;
    if (status) return status;
    append(ids, n, json_object_get(generation, "eos_token_id"), m->info.vocab);
    json_decref(generation);
    if (!*n) append(ids, n, json_object_get(trine_checkpoint_config(m->checkpoint), "eos_token_id"), m->info.vocab);
    if (!*n) append_id(ids, n, m->info.eos, m->info.vocab);
    if (trine_checkpoint_gguf(m->checkpoint)) append_turn_ends(ids, n, m, trine_checkpoint_gguf(m->checkpoint));
    return TRINE_OK;
}
