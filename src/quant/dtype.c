/* dtype.c - the table of element types: one entry a type, and look-ups by each name it has. */
#include <string.h>
#include <strings.h>

#include "base/size.h"
#include "quant/block_formats.h"
#include "quant/quant.h"

/* clang-format off */
static const trine_dtype_info types[TRINE_DTYPE_COUNT] = {
    /*               name    safetensors GGUF block bytes computes unpack             pack              fit */
    [TRINE_F32]  = { "f32",  "F32",  0,    1,   4, true,  trine_unpack_f32,  trine_pack_f32,  trine_pack_f32 },
    [TRINE_F16]  = { "f16",  "F16",  1,    1,   2, true,  trine_unpack_f16,  trine_pack_f16,  trine_pack_f16 },
    [TRINE_BF16] = { "bf16", "BF16", 30,   1,   2, true,  trine_unpack_bf16, trine_pack_bf16, trine_pack_bf16 },
    [TRINE_Q8_0] = { "q8_0", NULL,   8,   32,  34, true,  trine_unpack_q8_0, trine_pack_q8_0, trine_fit_q8_0 },
    [TRINE_Q4_0] = { "q4_0", NULL,   2,   32,  18, true,  trine_unpack_q4_0, trine_pack_q4_0, trine_fit_q4_0 },
    [TRINE_Q4_1] = { "q4_1", NULL,   3,   32,  20, true,  trine_unpack_q4_1, trine_pack_q4_1, trine_fit_q4_1 },
    [TRINE_Q5_0] = { "q5_0", NULL,   6,   32,  22, true,  trine_unpack_q5_0, trine_pack_q5_0, trine_fit_q5_0 },
    [TRINE_Q5_1] = { "q5_1", NULL,   7,   32,  24, true,  trine_unpack_q5_1, trine_pack_q5_1, trine_fit_q5_1 },
    [TRINE_Q4_K] = { "q4_k", NULL,   12, 256, 144, true,  trine_unpack_q4_k, trine_pack_q4_k, trine_pack_q4_k },
    [TRINE_Q5_K] = { "q5_k", NULL,   13, 256, 176, true,  trine_unpack_q5_k, trine_pack_q5_k, trine_pack_q5_k },
    [TRINE_Q6_K] = { "q6_k", NULL,   14, 256, 210, true,  trine_unpack_q6_k, trine_pack_q6_k, trine_pack_q6_k },
    [TRINE_I8]   = { "i8",   "I8",   24,   1,   1, false, NULL, NULL, NULL },
    [TRINE_U8]   = { "u8",   "U8",   -1,   1,   1, false, NULL, NULL, NULL },
    [TRINE_I16]  = { "i16",  "I16",  25,   1,   2, false, NULL, NULL, NULL },
    [TRINE_I32]  = { "i32",  "I32",  26,   1,   4, false, NULL, NULL, NULL },
    [TRINE_I64]  = { "i64",  "I64",  27,   1,   8, false, NULL, NULL, NULL },
    [TRINE_F64]  = { "f64",  "F64",  28,   1,   8, false, NULL, NULL, NULL },
    [TRINE_BOOL] = { "bool", "BOOL", -1,   1,   1, false, NULL, NULL, NULL },
};
/* clang-format on */

const trine_dtype_info *trine_dtype_get(trine_dtype type)
{
    return (unsigned)type < TRINE_DTYPE_COUNT && types[type].name ? &types[type] : NULL;
}

const char *trine_dtype_name(trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    return info ? info->name : NULL;
}

trine_dtype trine_dtype_from_name(const char *name)
{
    for (int i = 0; name && i < TRINE_DTYPE_COUNT; i++) {
        if (types[i].name && !strcasecmp(types[i].name, name)) return (trine_dtype)i;
    }
    return TRINE_DTYPE_DEFAULT;
}

trine_dtype trine_dtype_from_safetensors(const char *name)
{
    for (int i = 0; name && i < TRINE_DTYPE_COUNT; i++) {
        if (types[i].safetensors && !strcmp(types[i].safetensors, name)) return (trine_dtype)i;
    }
    return TRINE_DTYPE_DEFAULT;
}

trine_dtype trine_dtype_from_gguf(int number)
{
    for (int i = 0; number >= 0 && i < TRINE_DTYPE_COUNT; i++) {
        if (types[i].name && types[i].gguf == number) return (trine_dtype)i;
    }
    return TRINE_DTYPE_DEFAULT;
}

bool trine_dtype_bytes(size_t *out, trine_dtype type, size_t n)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    return info && n % (size_t)info->block == 0 && trine_mul_size(out, n / (size_t)info->block, (size_t)info->block_bytes);
}
