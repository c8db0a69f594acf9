/* fuzz_tokenize.c - text of any bytes through a tokenizer of each kind (tests/fixtures/tokenizer). The first byte chooses which, the
 * second the options, the third how much of the text is its pair. */
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_KINDS = 10 };
static trine_tokenizer *kinds[N_KINDS];

static void open_kinds(void)
{
    static const char *const names[N_KINDS] = { "bert_uncased", "bert_cased", "gpt2",         "llama3", "qwen2",
                                                "roberta",      "llama2",     "llama2_first", "t5",     "byt5" };
    for (int i = 0; i < N_KINDS; i++) {
        char path[512];
        trine_error err;
        snprintf(path, sizeof path, "%s/tokenizer/%s", TRINE_FIXTURES, names[i]);
        if (!trine_tokenizer_open(&kinds[i], path, &err)) continue;
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
}

/* Bytes that are no UTF-8 must give the same ids as the U+FFFD that they stand for. */
static void check_repair(const trine_tokenizer *t, const char *text, size_t n)
{
    trine_buffer fixed = { 0 };
    for (size_t i = 0, taken; i < n; i += taken) {
        char c[4];
        const uint32_t code = trine_utf8_next(&taken, text + i, n - i);
        trine_buffer_append(&fixed, c, trine_utf8_put(c, code));
    }
    trine_encoding a, b;
    if (!fixed.failed && !trine_tokenizer_encode(&a, t, text, n, NULL, NULL)) {
        if (trine_tokenizer_encode(&b, t, fixed.data, fixed.n, NULL, NULL)) abort();
        if (a.n != b.n || memcmp(a.ids, b.ids, (size_t)a.n * sizeof *a.ids)) abort();
        trine_encoding_clear(&a);
        trine_encoding_clear(&b);
    }
    trine_buffer_clear(&fixed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!kinds[0]) open_kinds();
    if (size < 4) return 0;
    const trine_tokenizer *t = kinds[data[0] % N_KINDS];
    const char *text = (const char *)data + 3;
    const size_t n_all = size - 3, n_pair = n_all * data[2] / 512, n = n_all - n_pair;
    const trine_encode_options options = { .pair = n_pair ? text + n : NULL,
                                           .pair_bytes = n_pair,
                                           .no_special = data[1] & 1,
                                           .no_parse_special = data[1] >> 1 & 1,
                                           .max_tokens = data[1] >> 2 };
    fuzz_encode(t, text, n, &options);
    check_repair(t, text, n);
    return 0;
}
