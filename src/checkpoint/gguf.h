/* gguf.h - the GGUF container itself (versions 2 and 3): key-value metadata and tensors, mapped, with every size checked.
 * The tokenizer's loader reads a GGUF's vocabulary through this too; it knows nothing of models. */
#ifndef TRINE_CHECKPOINT_GGUF_H
#define TRINE_CHECKPOINT_GGUF_H

#include "base/file.h"
#include "trine/basics.h"

typedef struct trine_gguf trine_gguf;

trine_status trine_gguf_open(trine_gguf **out, const char *path, trine_error *err);
/* The same by its head alone: data may be missing from the file; its address is then below 64, and says how it would be aligned. */
trine_status trine_gguf_open_head(trine_gguf **out, const char *path, trine_error *err);
void trine_gguf_close(trine_gguf *g);

/* Metadata by key. Each returns false when the key is absent or of another kind. Strings are borrowed, not terminated. */
typedef struct trine_gguf_string {
    const char *data;
    size_t n;
} trine_gguf_string;
bool trine_gguf_get_string(trine_gguf_string *out, const trine_gguf *g, const char *key);
bool trine_gguf_get_int(int64_t *out, const trine_gguf *g, const char *key);  /* any integer type or bool */
bool trine_gguf_get_float(double *out, const trine_gguf *g, const char *key); /* f32 or f64 */
/* Arrays: length, then elements. Elements of string arrays are found in constant time (indexed at open). */
bool trine_gguf_get_array(size_t *n, const trine_gguf *g, const char *key);
bool trine_gguf_array_string(trine_gguf_string *out, const trine_gguf *g, const char *key, size_t i);
bool trine_gguf_array_int(int64_t *out, const trine_gguf *g, const char *key, size_t i);
bool trine_gguf_array_float(double *out, const trine_gguf *g, const char *key, size_t i);
/* All elements at once, which for a vocabulary saves a search for the key at each: false when they are not of that kind. */
bool trine_gguf_all_strings(trine_gguf_string *out, const trine_gguf *g, const char *key);
bool trine_gguf_all_ints(int64_t *out, const trine_gguf *g, const char *key);
bool trine_gguf_all_floats(double *out, const trine_gguf *g, const char *key);

/* Pair `i` as it lies in the file, its key first; false past the last. For a writer that passes metadata on. */
bool trine_gguf_pair_at(trine_gguf_string *key, trine_gguf_string *bytes, const trine_gguf *g, size_t i);

/* Tensors, in file order. Names are borrowed and terminated; shapes are outermost first. */
typedef struct trine_gguf_tensor {
    const char *name;
    trine_dtype type;
    int n_dims;
    int64_t shape[4];
    const void *data;
    size_t bytes;
} trine_gguf_tensor;
int trine_gguf_n_tensors(const trine_gguf *g);
const trine_gguf_tensor *trine_gguf_tensor_at(const trine_gguf *g, int i); /* NULL past the last */
const trine_mapping *trine_gguf_mapping(const trine_gguf *g);

#endif
