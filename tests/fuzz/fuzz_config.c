/* fuzz_config.c - configurations of any bytes over fixed tiny weights of four families: config.json, and after zero bytes
 * modules.json, 1_Pooling/config.json and generation_config.json. The model is opened and described, never run. */
#include "checkpoint/checkpoint.h"
#include "fuzz/fuzz_folder.h"
#include "trine/inference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Shapes of models of width 4, one layer, 2 heads, 8 tokens, 6 positions. */
static const struct {
    const char *name;
    int rows, cols;
} tensors[] = {
    { "bert.embeddings.word_embeddings.weight", 8, 4 },
    { "bert.embeddings.position_embeddings.weight", 6, 4 },
    { "bert.embeddings.token_type_embeddings.weight", 2, 4 },
    { "bert.embeddings.LayerNorm.weight", 4, 0 },
    { "bert.embeddings.LayerNorm.bias", 4, 0 },
    { "bert.encoder.layer.0.attention.self.query.weight", 4, 4 },
    { "bert.encoder.layer.0.attention.self.query.bias", 4, 0 },
    { "bert.encoder.layer.0.attention.self.key.weight", 4, 4 },
    { "bert.encoder.layer.0.attention.self.key.bias", 4, 0 },
    { "bert.encoder.layer.0.attention.self.value.weight", 4, 4 },
    { "bert.encoder.layer.0.attention.self.value.bias", 4, 0 },
    { "bert.encoder.layer.0.attention.output.dense.weight", 4, 4 },
    { "bert.encoder.layer.0.attention.output.dense.bias", 4, 0 },
    { "bert.encoder.layer.0.attention.output.LayerNorm.weight", 4, 0 },
    { "bert.encoder.layer.0.attention.output.LayerNorm.bias", 4, 0 },
    { "bert.encoder.layer.0.intermediate.dense.weight", 8, 4 },
    { "bert.encoder.layer.0.intermediate.dense.bias", 8, 0 },
    { "bert.encoder.layer.0.output.dense.weight", 4, 8 },
    { "bert.encoder.layer.0.output.dense.bias", 4, 0 },
    { "bert.encoder.layer.0.output.LayerNorm.weight", 4, 0 },
    { "bert.encoder.layer.0.output.LayerNorm.bias", 4, 0 },
    { "bert.pooler.dense.weight", 4, 4 },
    { "bert.pooler.dense.bias", 4, 0 },
    { "classifier.weight", 3, 4 },
    { "classifier.bias", 3, 0 },
    { "model.embed_tokens.weight", 8, 4 },
    { "model.norm.weight", 4, 0 },
    { "model.layers.0.input_layernorm.weight", 4, 0 },
    { "model.layers.0.post_attention_layernorm.weight", 4, 0 },
    { "model.layers.0.self_attn.q_proj.weight", 4, 4 },
    { "model.layers.0.self_attn.k_proj.weight", 4, 4 },
    { "model.layers.0.self_attn.v_proj.weight", 4, 4 },
    { "model.layers.0.self_attn.o_proj.weight", 4, 4 },
    { "model.layers.0.mlp.gate_proj.weight", 8, 4 },
    { "model.layers.0.mlp.up_proj.weight", 8, 4 },
    { "model.layers.0.mlp.down_proj.weight", 4, 8 },
    { "transformer.wte.weight", 8, 4 },
    { "transformer.wpe.weight", 6, 4 },
    { "transformer.ln_f.weight", 4, 0 },
    { "transformer.ln_f.bias", 4, 0 },
    { "transformer.h.0.ln_1.weight", 4, 0 },
    { "transformer.h.0.ln_1.bias", 4, 0 },
    { "transformer.h.0.ln_2.weight", 4, 0 },
    { "transformer.h.0.ln_2.bias", 4, 0 },
    { "transformer.h.0.attn.c_attn.weight", 4, 12 },
    { "transformer.h.0.attn.c_attn.bias", 12, 0 },
    { "transformer.h.0.attn.c_proj.weight", 4, 4 },
    { "transformer.h.0.attn.c_proj.bias", 4, 0 },
    { "transformer.h.0.mlp.c_fc.weight", 4, 16 },
    { "transformer.h.0.mlp.c_fc.bias", 16, 0 },
    { "transformer.h.0.mlp.c_proj.weight", 16, 4 },
    { "transformer.h.0.mlp.c_proj.bias", 4, 0 },
    { "shared.weight", 8, 4 },
    { "encoder.final_layer_norm.weight", 4, 0 },
    { "decoder.final_layer_norm.weight", 4, 0 },
    { "encoder.block.0.layer.0.SelfAttention.q.weight", 4, 4 },
    { "encoder.block.0.layer.0.SelfAttention.k.weight", 4, 4 },
    { "encoder.block.0.layer.0.SelfAttention.v.weight", 4, 4 },
    { "encoder.block.0.layer.0.SelfAttention.o.weight", 4, 4 },
    { "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 8, 2 },
    { "encoder.block.0.layer.0.layer_norm.weight", 4, 0 },
    { "encoder.block.0.layer.1.layer_norm.weight", 4, 0 },
    { "encoder.block.0.layer.1.DenseReluDense.wi.weight", 8, 4 },
    { "encoder.block.0.layer.1.DenseReluDense.wo.weight", 4, 8 },
    { "decoder.block.0.layer.0.SelfAttention.q.weight", 4, 4 },
    { "decoder.block.0.layer.0.SelfAttention.k.weight", 4, 4 },
    { "decoder.block.0.layer.0.SelfAttention.v.weight", 4, 4 },
    { "decoder.block.0.layer.0.SelfAttention.o.weight", 4, 4 },
    { "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 8, 2 },
    { "decoder.block.0.layer.0.layer_norm.weight", 4, 0 },
    { "decoder.block.0.layer.1.layer_norm.weight", 4, 0 },
    { "decoder.block.0.layer.1.EncDecAttention.q.weight", 4, 4 },
    { "decoder.block.0.layer.1.EncDecAttention.k.weight", 4, 4 },
    { "decoder.block.0.layer.1.EncDecAttention.v.weight", 4, 4 },
    { "decoder.block.0.layer.1.EncDecAttention.o.weight", 4, 4 },
    { "decoder.block.0.layer.2.layer_norm.weight", 4, 0 },
    { "decoder.block.0.layer.2.DenseReluDense.wi.weight", 8, 4 },
    { "decoder.block.0.layer.2.DenseReluDense.wo.weight", 4, 8 },
};
enum { N_TENSORS = sizeof tensors / sizeof *tensors };

static void make_folder(void)
{
    static float zeros[64];
    static trine_tensor list[N_TENSORS];
    for (int i = 0; i < N_TENSORS; i++) {
        const int cols = tensors[i].cols ? tensors[i].cols : 1;
        list[i] = (trine_tensor) { .name = tensors[i].name,
                                   .type = TRINE_F32,
                                   .n_dims = tensors[i].cols ? 2 : 1,
                                   .data = zeros,
                                   .shape = { tensors[i].rows, cols, 1, 1 },
                                   .bytes = (size_t)(tensors[i].rows * cols) * sizeof(float) };
    }
    char path[512];
    fuzz_folder_make();
    snprintf(path, sizeof path, "%s/model.safetensors", fuzz_folder);
    if (trine_safetensors_write(path, list, N_TENSORS, NULL, true, NULL)) exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "config.json", "modules.json", "1_Pooling/config.json", "generation_config.json" };
    if (!*fuzz_folder) make_folder();
    for (int i = 0; i < 4; i++) {
        const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
        const size_t n = i == 3 || !zero ? size : (size_t)(zero - data);
        char path[512];
        snprintf(path, sizeof path, "%s/%s", fuzz_folder, names[i]);
        if (n || i == 0)
            fuzz_folder_write(names[i], data, n);
        else
            unlink(path);
        data += n;
        size -= n;
        if (size) data++, size--;
    }
    trine_model *model;
    if (!trine_model_open(&model, fuzz_folder, NULL, NULL)) {
        const trine_model_info *info = trine_model_get_info(model);
        for (int i = 0; i < info->n_labels; i++) {
            if (!trine_model_label(model, i)) abort();
        }
        if (info->d_model < 1 || info->n_heads < 1 || info->vocab < 1 || !info->family || !info->activation) abort();
        trine_model_close(model);
    }
    return 0;
}
