/* fuzz_safetensors.c - one .safetensors file of any bytes: what is accepted must be readable to its last byte. */
#include <stdlib.h>

#include "checkpoint/checkpoint_build.h"
#include "fuzz/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const int fd = fuzz_file(path, data, size);
    trine_checkpoint *c = calloc(1, sizeof *c);
    if (fd >= 0 && c && !trine_safetensors_read(c, path, NULL) && !trine_checkpoint_index(c, path, NULL)) {
        volatile unsigned char sum = 0;
        for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
            const trine_tensor *t = trine_checkpoint_tensor(c, i);
            if (trine_checkpoint_find(c, t->name) != t) abort();
            for (size_t k = 0; k < t->bytes; k++) sum ^= ((const unsigned char *)t->data)[k];
            trine_checkpoint_forget(c, t);
        }
    }
    trine_checkpoint_close(c);
    if (fd >= 0) close(fd);
    return 0;
}
