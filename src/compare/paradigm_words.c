/* paradigm_words.c - see paradigm_words.h. */
#include "compare/paradigm_words.h"

const trine_paradigm_words *trine_words_of(trine_paradigm paradigm)
{
    static const trine_paradigm_words words[] = {
        [TRINE_ENCODER] = { "encoder", "encoder-only", "Encoder-only", "bert" },
        [TRINE_DECODER] = { "decoder", "decoder-only", "Decoder-only", "llama" },
        [TRINE_ENCODER_DECODER] = { "encoder-decoder", "encoder-decoder", "Encoder-decoder", "t5" },
    };
    return &words[paradigm];
}
