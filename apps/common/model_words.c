/* model_words.c - see model_words.h. */
#include "model_words.h"

const char *paradigm_name(trine_paradigm p)
{
    return p == TRINE_ENCODER           ? "encoder"
           : p == TRINE_DECODER         ? "decoder"
           : p == TRINE_ENCODER_DECODER ? "encoder-decoder"
                                        : "unknown";
}

void jw_set_session_bytes(json_writer *j, const trine_session_bytes *b)
{
    jw_set_int(j, "weights_bytes", (int64_t)b->weights_bytes);
    jw_set_int(j, "kv_bytes_per_token", (int64_t)b->kv_bytes_per_token);
    jw_set_int(j, "kv_bytes", (int64_t)b->kv_bytes);
    jw_set_int(j, "cross_kv_bytes", (int64_t)b->cross_kv_bytes);
    jw_set_int(j, "cache_bytes", (int64_t)b->cache_bytes);
    jw_set_int(j, "activation_bytes", (int64_t)b->arena_bytes);
    jw_set_int(j, "batch_bytes", (int64_t)b->batch_bytes);
    jw_set_int(j, "total_bytes", (int64_t)b->total_bytes);
}
