/* safetensors_write.c - writing one .safetensors file: the header is known before the data, so both are streamed. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/size.h"
#include "base/status.h"
#include "base/utf8.h"
#include "checkpoint/checkpoint.h"
#include "quant/quant.h"

/* A text as a JSON string. */
static void put_json_text(trine_buffer *b, const char *text)
{
    json_t *value = json_string(text);
    char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    if (dumped)
        trine_buffer_puts(b, dumped);
    else
        b->failed = true;
    free(dumped);
    json_decref(value);
}

trine_status trine_safetensors_header(char **out, size_t *n, const trine_tensor *tensors, int n_tensors, const char *metadata_json,
                                      trine_error *err)
{
    *out = NULL;
    trine_buffer b = { 0 };
    uint64_t at = 0;
    trine_buffer_append(&b, "\0\0\0\0\0\0\0\0{", 9);
    if (metadata_json) trine_buffer_printf(&b, "\"__metadata__\":%s%s", metadata_json, n_tensors ? "," : "");
    for (int i = 0; i < n_tensors; i++) {
        const trine_tensor *t = &tensors[i];
        const trine_dtype_info *info = trine_dtype_get(t->type);
        if (!info || !info->safetensors) {
            trine_buffer_clear(&b);
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "safetensors cannot hold tensor '%s' of type %s", t->name,
                              info ? info->name : "unknown");
        }
        if (i) trine_buffer_putc(&b, ',');
        if (!trine_utf8_valid(t->name, strlen(t->name))) {
            trine_buffer_clear(&b);
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "the name of tensor %d is not UTF-8", i);
        }
        put_json_text(&b, t->name);
        trine_buffer_printf(&b, ":{\"dtype\":\"%s\",\"shape\":[", info->safetensors);
        for (int d = 0; d < t->n_dims; d++) trine_buffer_printf(&b, "%s%lld", d ? "," : "", (long long)t->shape[d]);
        trine_buffer_printf(&b, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at, (unsigned long long)(at + t->bytes));
        at += t->bytes;
    }
    trine_buffer_putc(&b, '}');
    while (b.n % 8 && !b.failed) trine_buffer_putc(&b, ' '); /* data starts at a multiple of 8 */
    const size_t total = b.n;
    char *header = trine_buffer_take(&b);
    if (!header) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the header of %d tensors", n_tensors);
    for (int i = 0; i < 8; i++) header[i] = (char)((uint64_t)(total - 8) >> 8 * i);
    *out = header;
    *n = total;
    return TRINE_OK;
}

trine_status trine_safetensors_write(const char *path, const trine_tensor *tensors, int n_tensors, const char *metadata_json,
                                     bool overwrite, trine_error *err)
{
    for (int i = 0; i < n_tensors; i++) {
        size_t n = 1, bytes;
        for (int d = 0; d < tensors[i].n_dims; d++) {
            if (tensors[i].shape[d] < 0 || !trine_mul_size(&n, n, (size_t)tensors[i].shape[d])) n = SIZE_MAX;
        }
        if (!trine_dtype_bytes(&bytes, tensors[i].type, n) || bytes != tensors[i].bytes)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "tensor '%s' has %zu bytes, which is not what its type and shape need",
                              tensors[i].name, tensors[i].bytes);
    }
    char *header;
    size_t header_bytes;
    trine_status status = trine_safetensors_header(&header, &header_bytes, tensors, n_tensors, metadata_json, err);
    if (status) return status;
    trine_writer w;
    status = trine_writer_open(&w, path, overwrite, err);
    if (!status) {
        trine_writer_write(&w, header, header_bytes);
        for (int i = 0; i < n_tensors; i++) trine_writer_write(&w, tensors[i].data, tensors[i].bytes);
        status = trine_writer_commit(&w, err);
    }
    free(header);
    return status;
}
