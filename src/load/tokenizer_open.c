/* tokenizer_open.c - a path becomes a tokenizer: files of Hugging Face and SentencePiece go to the tokenizer room as they are, a
 * .gguf file's vocabulary as plain values. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "load/gguf_vocabulary.h"

static bool is_gguf(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && !strcmp(path + n - 5, ".gguf");
}

trine_status trine_tokenizer_open(trine_tokenizer **out, const char *path, trine_error *err)
{
    *out = NULL;
    if (!path || !*path) return trine_fail(err, TRINE_ERROR_ARGUMENT, "no path of a tokenizer was given");
    if (trine_is_directory(path) || !is_gguf(path)) return trine_tokenizer_open_path(out, path, err);
    trine_gguf *g;
    trine_status status = trine_gguf_open(&g, path, err);
    if (status) return status;
    status = trine_tokenizer_open_gguf(out, g, path, err);
    if (!status && !*out) status = trine_fail(err, TRINE_ERROR_NOT_FOUND, "'%s' holds no tokenizer (tokenizer.ggml.model)", path);
    trine_gguf_close(g);
    return status;
}
