/* sentencepiece.c - sentencepiece models. */
#include "base/status.h"
#include "tokenizer/tokenizer_files.h"

trine_status trine_tokenizer_from_sentencepiece(trine_tokenizer *t, const char *path, const trine_neighbors *n, trine_error *err)
{
    (void)t;
    (void)n;
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "%s: sentencepiece models are not read yet", path);
}
