/* fuzz_vocab_files.c - vocab.txt, or vocab.json with merges.txt, and tokenizer_config.json beside them, of any bytes. The first byte
 * chooses the kind; parts are divided by the byte 0xFF. */
#include "fuzz/fuzz_folder.h"
#include "fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[2][3] = { { "vocab.txt", "tokenizer_config.json", NULL },
                                             { "vocab.json", "merges.txt", "tokenizer_config.json" } };
    if (!size) return 0;
    if (!*fuzz_folder) fuzz_folder_make();
    const char *const *name = names[data[0] & 1];
    char path[512];
    const uint8_t *at = data + 1, *end = data + size;
    for (int i = 0; i < 3 && name[i]; i++) {
        const uint8_t *stop = at < end ? memchr(at, 0xFF, (size_t)(end - at)) : NULL;
        if (!stop) stop = end;
        snprintf(path, sizeof path, "%s/%s", fuzz_folder, name[i]);
        unlink(path);
        if (i == 0 || stop > at) fuzz_folder_write(name[i], at, (size_t)(stop - at));
        at = stop < end ? stop + 1 : end;
    }
    trine_tokenizer *t;
    trine_error err = { 0 };
    snprintf(path, sizeof path, "%s/%s", fuzz_folder, name[0]);
    if (!trine_tokenizer_open(&t, path, &err))
        fuzz_tokenizer(t);
    else if (t || !err.text[0])
        abort();
    trine_tokenizer_close(t);
    return 0;
}
