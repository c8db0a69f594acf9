/* fuzz_index.c - model.safetensors.index.json of any bytes, beside one sound shard. */
#include "checkpoint/checkpoint.h"
#include "fuzz/fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_folder(void)
{
    static const float values[2] = { 1, 2 };
    const trine_tensor tensors[2] = {
        { .name = "a", .type = TRINE_F32, .n_dims = 1, .shape = { 2, 1, 1, 1 }, .data = values, .bytes = 8 },
        { .name = "b", .type = TRINE_F32, .n_dims = 0, .shape = { 1, 1, 1, 1 }, .data = values, .bytes = 4 }
    };
    char path[512];
    fuzz_folder_make();
    snprintf(path, sizeof path, "%s/one.safetensors", fuzz_folder);
    if (trine_safetensors_write(path, tensors, 2, NULL, true, NULL)) exit(2);
    fuzz_folder_write("config.json", "{}", 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    trine_checkpoint *c;
    if (!*fuzz_folder) make_folder();
    fuzz_folder_write("model.safetensors.index.json", data, size);
    if (!trine_checkpoint_open(&c, fuzz_folder, NULL)) {
        if (trine_checkpoint_n_tensors(c) != 2 || !trine_checkpoint_find(c, "a")) abort();
        trine_checkpoint_close(c);
    }
    return 0;
}
