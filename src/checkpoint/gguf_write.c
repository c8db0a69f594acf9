/* gguf_write.c - see gguf_write.h; the layout is drawn in gguf.c. */
#include "checkpoint/gguf_write.h"

#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "quant/quant.h"

enum { KIND_U8 = 0, KIND_U32 = 4, KIND_I32 = 5, KIND_F32 = 6, KIND_BOOL = 7, KIND_STRING = 8, KIND_ARRAY = 9 };

static void put(trine_buffer *b, uint64_t value, int n)
{
    for (; n; n--, value >>= 8) trine_buffer_putc(b, (char)value);
}

static void put_text(trine_buffer *b, const char *text)
{
    put(b, strlen(text), 8);
    trine_buffer_puts(b, text);
}

static void put_key(trine_gguf_head *h, const char *key, int kind)
{
    const char *prefix = *key == '.' ? h->architecture : "";
    put(&h->pairs, strlen(prefix) + strlen(key), 8);
    trine_buffer_puts(&h->pairs, prefix);
    trine_buffer_puts(&h->pairs, key);
    put(&h->pairs, (uint64_t)kind, 4);
    h->n_pairs++;
}

static void put_array(trine_gguf_head *h, const char *key, int kind, size_t n)
{
    put_key(h, key, KIND_ARRAY);
    put(&h->pairs, (uint64_t)kind, 4);
    put(&h->pairs, n, 8);
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

void trine_gguf_put_string(trine_gguf_head *h, const char *key, const char *text)
{
    put_key(h, key, KIND_STRING);
    put_text(&h->pairs, text);
}

void trine_gguf_put_u32(trine_gguf_head *h, const char *key, uint32_t value)
{
    put_key(h, key, KIND_U32);
    put(&h->pairs, value, 4);
}

void trine_gguf_put_f32(trine_gguf_head *h, const char *key, float value)
{
    put_key(h, key, KIND_F32);
    put(&h->pairs, bits_of(value), 4);
}

void trine_gguf_put_bool(trine_gguf_head *h, const char *key, bool value)
{
    put_key(h, key, KIND_BOOL);
    put(&h->pairs, value, 1);
}

void trine_gguf_put_strings(trine_gguf_head *h, const char *key, const char *const *texts, size_t n)
{
    put_array(h, key, KIND_STRING, n);
    for (size_t i = 0; i < n; i++) put_text(&h->pairs, texts[i]);
}

void trine_gguf_put_i32s(trine_gguf_head *h, const char *key, const int32_t *values, size_t n)
{
    put_array(h, key, KIND_I32, n);
    for (size_t i = 0; i < n; i++) put(&h->pairs, (uint32_t)values[i], 4);
}

void trine_gguf_put_f32s(trine_gguf_head *h, const char *key, const float *values, size_t n)
{
    put_array(h, key, KIND_F32, n);
    for (size_t i = 0; i < n; i++) put(&h->pairs, bits_of(values[i]), 4);
}

void trine_gguf_put_bytes(trine_gguf_head *h, const char *key, const void *bytes, size_t n)
{
    put_array(h, key, KIND_U8, n);
    trine_buffer_append(&h->pairs, bytes, n);
}

void trine_gguf_put_tensor(trine_gguf_head *h, const char *name, trine_dtype type, int n_dims, const int64_t *shape, size_t bytes)
{
    put_text(&h->tensors, name);
    put(&h->tensors, (uint64_t)n_dims, 4);
    for (int d = n_dims - 1; d >= 0; d--) put(&h->tensors, (uint64_t)shape[d], 8);
    put(&h->tensors, (uint64_t)trine_dtype_get(type)->gguf, 4);
    put(&h->tensors, h->data_bytes, 8);
    h->data_bytes += trine_round_up(bytes, TRINE_GGUF_ALIGNMENT);
    h->n_tensors++;
}

trine_status trine_gguf_head_write(trine_writer *w, const trine_gguf_head *h, trine_error *err)
{
    trine_buffer b = { 0 };
    trine_buffer_puts(&b, "GGUF");
    put(&b, 3, 4);
    put(&b, h->n_tensors, 8);
    put(&b, h->n_pairs, 8);
    if (b.failed || h->pairs.failed || h->tensors.failed) {
        trine_buffer_clear(&b);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the head of '%s'", w->path);
    }
    trine_writer_write(w, b.data, b.n);
    trine_buffer_clear(&b);
    if (h->pairs.n) trine_writer_write(w, h->pairs.data, h->pairs.n);
    if (h->tensors.n) trine_writer_write(w, h->tensors.data, h->tensors.n);
    static const char zeros[TRINE_GGUF_ALIGNMENT];
    trine_writer_write(w, zeros, trine_round_up((size_t)w->written, TRINE_GGUF_ALIGNMENT) - (size_t)w->written);
    return TRINE_OK;
}

void trine_gguf_head_clear(trine_gguf_head *h)
{
    trine_buffer_clear(&h->pairs);
    trine_buffer_clear(&h->tensors);
}
