/* fuzz_tokenizer_json.c - tokenizer.json of any bytes. */
#include "fuzz/fuzz_folder.h"
#include "fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    trine_tokenizer *t;
    trine_error err = { 0 };
    if (!*fuzz_folder) fuzz_folder_make();
    fuzz_folder_write("tokenizer.json", data, size);
    if (!trine_tokenizer_open(&t, fuzz_folder, &err))
        fuzz_tokenizer(t);
    else if (t || !err.text[0])
        abort();
    trine_tokenizer_close(t);
    return 0;
}
