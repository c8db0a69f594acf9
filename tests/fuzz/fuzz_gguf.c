/* fuzz_gguf.c - a GGUF file of any bytes: container, names, configuration and vocabulary. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "fuzz/fuzz_file.h"
#include "load/gguf_vocabulary.h"
#include "trine/planning.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tensors(const trine_checkpoint *c)
{
    volatile unsigned char sum = 0;
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
        const trine_tensor *t = trine_checkpoint_tensor(c, i);
        if (trine_checkpoint_find(c, t->name) != t) abort();
        for (size_t k = 0; k < t->bytes; k++) sum ^= ((const unsigned char *)t->data)[k];
    }
}

static void read_tokenizer(const char *path)
{
    trine_gguf *g;
    trine_tokenizer *tokenizer = NULL;
    if (trine_gguf_open(&g, path, NULL)) return;
    trine_gguf_string key, bytes;
    for (size_t i = 0; trine_gguf_pair_at(&key, &bytes, g, i); i++) {
        if (bytes.n < key.n + 8) abort();
    }
    if (!trine_tokenizer_open_gguf(&tokenizer, g, path, NULL) && tokenizer) {
        trine_encoding encoding;
        if (!trine_tokenizer_encode(&encoding, tokenizer, "Hello w\xC3\xB6rld </s>", 0, NULL, NULL))
            trine_encoding_clear(&encoding);
    }
    trine_tokenizer_close(tokenizer);
    trine_gguf_close(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    trine_checkpoint *c;
    const int fd = fuzz_file(path, data, size);
    if (fd < 0) return 0;
    if (!trine_checkpoint_open(&c, path, NULL)) {
        read_tensors(c);
        trine_checkpoint_close(c);
    }
    read_tokenizer(path);
    /* The head alone, of a file whose data may be missing: what is accepted can be planned, and nothing is read. */
    trine_planner *planner;
    trine_session_bytes bytes;
    if (!trine_planner_open(&planner, path, NULL, NULL)) {
        trine_planner_session(&bytes, planner, &(trine_session_options) { .ctx = 64, .n_threads = 1 }, NULL);
        trine_planner_close(planner);
    }
    close(fd);
    return 0;
}
