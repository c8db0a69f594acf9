/* fuzz_sentencepiece.c - a sentencepiece model of any bytes; the first byte chooses the class that reads it. */
#include "fuzz/fuzz_folder.h"
#include "fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const configs[] = { "{}", "{\"tokenizer_class\":\"T5Tokenizer\",\"extra_ids\":3}",
                                           "{\"tokenizer_class\":\"LlamaTokenizer\",\"legacy\":false,\"add_eos_token\":true}" };
    trine_tokenizer *t;
    trine_error err = { 0 };
    if (!size) return 0;
    if (!*fuzz_folder) fuzz_folder_make();
    const char *config = configs[data[0] % 3];
    fuzz_folder_write("tokenizer_config.json", config, strlen(config));
    fuzz_folder_write("spiece.model", data + 1, size - 1);
    if (!trine_tokenizer_open(&t, fuzz_folder, &err))
        fuzz_tokenizer(t);
    else if (t || !err.text[0])
        abort();
    trine_tokenizer_close(t);
    return 0;
}
