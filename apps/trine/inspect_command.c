/* inspect_command.c - trine inspect: a model as a diagram of its blocks, its parameters and bytes by kind. */
#include "json_writer.h"
#include "model_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a tensor is for, by its name in the file (Hugging Face's and GGUF's words). */
typedef enum kind { KIND_EMBEDDING, KIND_ATTENTION, KIND_CROSS, KIND_FEED_FORWARD, KIND_NORM, KIND_HEAD, KIND_COUNT } kind;
static const char *const kind_names[KIND_COUNT] = { "embedding",    "attention", "cross-attention",
                                                    "feed-forward", "norm",      "head and other" };

static kind kind_of(const char *name)
{
    static const struct {
        const char *part;
        kind kind;
    } rules[] = {
        /* The first that fits decides: a norm inside attention is a norm, attention.output.dense is attention. */
        { "LayerNorm", KIND_NORM },
        { "layer_norm", KIND_NORM },
        { "norm", KIND_NORM },
        { "ln_", KIND_NORM },
        { "EncDecAttention", KIND_CROSS },
        { "cross_attn", KIND_CROSS },
        { "attn", KIND_ATTENTION },
        { "attention", KIND_ATTENTION },
        { "SelfAttention", KIND_ATTENTION },
        { "embed", KIND_EMBEDDING },
        { "embd", KIND_EMBEDDING },
        { "wte", KIND_EMBEDDING },
        { "wpe", KIND_EMBEDDING },
        { "shared.weight", KIND_EMBEDDING },
        { "token_types", KIND_EMBEDDING },
        { "ffn", KIND_FEED_FORWARD },
        { "mlp", KIND_FEED_FORWARD },
        { "DenseReluDense", KIND_FEED_FORWARD },
        { "intermediate", KIND_FEED_FORWARD },
        { "layer.", KIND_FEED_FORWARD }, /* what is left of a BERT layer: output.dense */
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strstr(name, rules[i].part)) return rules[i].kind;
    return KIND_HEAD;
}

typedef struct tally {
    int64_t parameters;
    size_t bytes;
    int n;
} tally;

static int64_t n_elements(const trine_tensor_info *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->n_dims; d++) n *= t->shape[d];
    return n;
}

static void count_kinds(tally by_kind[KIND_COUNT], tally by_type[TRINE_DTYPE_COUNT], const trine_model *model)
{
    trine_tensor_info t;
    for (int i = 0; trine_model_tensor(&t, model, i); i++) {
        tally *both[2] = { &by_kind[kind_of(t.name)], (unsigned)t.type < TRINE_DTYPE_COUNT ? &by_type[t.type] : NULL };
        for (int k = 0; k < 2; k++) {
            if (!both[k]) continue;
            both[k]->parameters += n_elements(&t);
            both[k]->bytes += t.bytes;
            both[k]->n++;
        }
    }
}

/* ---------------------------------------------------------------------------------------------------------------- JSON */

static void write_special(json_writer *j, const char *key, int32_t id)
{
    jw_key(j, key);
    if (id >= 0)
        jw_int(j, id);
    else
        jw_null(j);
}

static void write_tensors(json_writer *j, const trine_model *model)
{
    trine_tensor_info t;
    jw_key(j, "tensors");
    jw_open(j, '[');
    for (int i = 0; trine_model_tensor(&t, model, i); i++) {
        jw_open(j, '{');
        jw_set_text(j, "name", t.name);
        jw_set_text(j, "type", trine_dtype_name(t.type));
        jw_key(j, "shape");
        jw_open(j, '[');
        for (int d = 0; d < t.n_dims; d++) jw_int(j, t.shape[d]);
        jw_close(j, ']');
        jw_set_int(j, "bytes", (int64_t)t.bytes);
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

static void write_json(run *r)
{
    const trine_model_info *m = r->info;
    tally by_kind[KIND_COUNT] = { 0 }, by_type[TRINE_DTYPE_COUNT] = { 0 };
    count_kinds(by_kind, by_type, r->model);
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "family", m->family);
    jw_set_text(&j, "architecture", m->architecture);
    jw_set_text(&j, "paradigm", paradigm_name(m->paradigm));
    jw_set_text(&j, "head", head_name(m->head));
    jw_set_text(&j, "container", m->container);
    jw_set_text(&j, "path", m->path);
    jw_set_text(&j, "adapter", r->args.adapter);
    jw_set_int(&j, "parameters", m->n_parameters);
    jw_set_int(&j, "weights_bytes", (int64_t)m->weights_bytes);
    jw_set_text(&j, "weights_type", trine_dtype_name(m->weights_type));
    jw_set_int(&j, "layers", m->n_layers);
    jw_set_int(&j, "decoder_layers", m->n_decoder_layers);
    jw_set_int(&j, "d_model", m->d_model);
    jw_set_int(&j, "d_ff", m->d_ff);
    jw_set_int(&j, "heads", m->n_heads);
    jw_set_int(&j, "kv_heads", m->n_kv_heads);
    jw_set_int(&j, "d_head", m->d_head);
    jw_set_int(&j, "vocab", m->vocab);
    jw_set_int(&j, "max_tokens", m->max_tokens);
    jw_set_int(&j, "window", m->window);
    jw_set_text(&j, "activation", m->activation);
    jw_set_text(&j, "norm", m->norm);
    jw_set_text(&j, "positions", m->positions);
    jw_set_bool(&j, "gated", m->gated);
    jw_set_bool(&j, "tied", m->tied);
    jw_set_int(&j, "embedding", m->d_embedding);
    jw_set_text(&j, "pooling", pooling_name(m->pooling));
    jw_set_bool(&j, "normalize", m->normalize);
    jw_key(&j, "labels");
    jw_open(&j, '[');
    for (int i = 0; i < m->n_labels; i++) jw_text(&j, trine_model_label(r->model, i));
    jw_close(&j, ']');
    write_special(&j, "bos", m->bos);
    write_special(&j, "eos", m->eos);
    write_special(&j, "pad", m->pad);
    write_special(&j, "decoder_start", m->decoder_start);
    jw_key(&j, "tokenizer");
    if (r->tokenizer) {
        jw_open(&j, '{');
        jw_set_text(&j, "algorithm", trine_tokenizer_algorithm(r->tokenizer));
        jw_set_int(&j, "vocab", trine_tokenizer_vocab_size(r->tokenizer));
        jw_set_bool(&j, "chat_template", trine_tokenizer_chat_template(r->tokenizer) != NULL);
        jw_close(&j, '}');
    } else {
        jw_null(&j);
    }
    jw_key(&j, "bytes");
    jw_open(&j, '{');
    for (int k = 0; k < KIND_COUNT; k++)
        if (by_kind[k].n) jw_set_int(&j, kind_names[k], (int64_t)by_kind[k].bytes);
    jw_close(&j, '}');
    if (r->args.tensors) write_tensors(&j, r->model);
    jw_close(&j, '}');
    jw_end(&j);
}

/* ------------------------------------------------------------------------------------------------------------- diagram */

enum { MAX_LINES = 24, BOX = 37, LINE_BYTES = 256 };

/* A column of the diagram: lines, some of them inside the box that is repeated for each layer. */
typedef struct column {
    char line[MAX_LINES][LINE_BYTES];
    char where[MAX_LINES]; /* ' ' outside, '[' top of the box, '|' inside, ']' bottom */
    int n;
} column;

static void add(column *c, char where, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(column *c, char where, const char *format, ...)
{
    va_list list;
    if (c->n == MAX_LINES) return;
    va_start(list, format);
    vsnprintf(c->line[c->n], LINE_BYTES, format, list);
    va_end(list);
    c->where[c->n++] = where;
}

static void add_attention(column *c, const trine_model_info *m, const char *what)
{
    if (m->n_kv_heads && m->n_kv_heads != m->n_heads)
        add(c, '|', "%s, %d x %d, %d kv", what, m->n_heads, m->d_head, m->n_kv_heads);
    else
        add(c, '|', "%s, %d x %d", what, m->n_heads, m->d_head);
}

/* Where the norm stands: BERT's kin norm after the sum, all others before the block (Xiong et al. 2020). */
static void add_layer(column *c, const trine_model_info *m, bool decoder, int n_layers)
{
    bool post = m->paradigm == TRINE_ENCODER;
    const char *norm = m->norm ? m->norm : "norm";
    add(c, '[', "x %d", n_layers);
    if (!post) add(c, '|', "%s", norm);
    add_attention(c, m, decoder ? "causal attention" : "self-attention");
    add(c, '|', post ? "+ residual, %s" : "+ residual", norm);
    if (decoder && m->paradigm == TRINE_ENCODER_DECODER) {
        if (!post) add(c, '|', "%s", norm);
        add_attention(c, m, "cross-attention");
        add(c, '|', "+ residual");
    }
    if (!post) add(c, '|', "%s", norm);
    add(c, '|', "feed-forward %d-%d-%d", m->d_model, m->d_ff, m->d_model);
    add(c, '|', "  %s%s", m->gated ? "gated " : "", m->activation ? m->activation : "");
    add(c, '|', post ? "+ residual, %s" : "+ residual", norm);
    add(c, ']', "%s", "");
    if (!post) add(c, ' ', "%s", norm);
}

static void add_embedding(column *c, const trine_model_info *m)
{
    add(c, ' ', "embedding [%d, %d]", m->vocab, m->d_model);
    if (m->max_tokens)
        add(c, ' ', "positions: %s, up to %d", m->positions, m->max_tokens);
    else
        add(c, ' ', "positions: %s, no limit", m->positions);
}

static void add_head(column *c, const trine_model_info *m)
{
    switch (m->head) {
    case TRINE_HEAD_LM: add(c, ' ', "next token [%d]%s", m->vocab, m->tied ? ", tied" : ""); break;
    case TRINE_HEAD_MLM: add(c, ' ', "masked token [%d]%s", m->vocab, m->tied ? ", tied" : ""); break;
    case TRINE_HEAD_LABELS: add(c, ' ', "label of the text [%d]", m->n_labels); break;
    case TRINE_HEAD_TAGS: add(c, ' ', "label of each token [%d]", m->n_labels); break;
    case TRINE_HEAD_NONE:
        add(c, ' ', "%s pooling%s [%d]", pooling_name(m->pooling), m->normalize ? ", length 1" : "", m->d_embedding);
        break;
    }
}

/* One line of a column, in BOX + 2 columns when something stands to the right of it. */
static void draw_line(run *r, const column *c, int i, bool padded)
{
    const char *side = r->utf8 ? "\u2502" : "|", *dash = r->utf8 ? "\u2500" : "-";
    const char *text = i < c->n ? c->line[i] : "";
    char where = i < c->n ? c->where[i] : ' ';
    if (where == ' ') {
        puts_out(r, "  ");
        print_padded(r, text, padded ? BOX : 0);
    } else if (where == '|') {
        print(r, "%s ", side);
        print_padded(r, text, BOX - 1);
        puts_out(r, side);
    } else {
        puts_out(r, !r->utf8 ? "+" : where == '[' ? "\u250C" : "\u2514");
        int used = 0;
        if (text[0]) {
            print(r, "%s ", dash);
            print_style(r, STYLE_BOLD);
            puts_out(r, text);
            print_style(r, STYLE_NONE);
            puts_out(r, " ");
            used = text_columns(text) + 3;
        }
        for (int k = used; k < BOX; k++) puts_out(r, dash);
        puts_out(r, !r->utf8 ? "+" : where == '[' ? "\u2510" : "\u2518");
    }
}

static int line_of(const column *c, const char *beginning)
{
    for (int i = 0; i < c->n; i++)
        if (strncmp(c->line[i], beginning, strlen(beginning)) == 0) return i;
    return -1;
}

static void draw_diagram(run *r)
{
    const trine_model_info *m = r->info;
    column left = { .n = 0 }, right = { .n = 0 };
    add_embedding(&left, m);
    add_layer(&left, m, m->paradigm == TRINE_DECODER, m->n_layers);
    bool two = m->paradigm == TRINE_ENCODER_DECODER;
    if (two) {
        add_embedding(&right, m);
        add_layer(&right, m, true, m->n_decoder_layers);
    }
    add_head(two ? &right : &left, m);
    /* The encoder's states meet the decoder in its cross-attention: the arrow stands on that line. */
    int meet = two ? line_of(&right, "cross-attention") : -1;
    if (two) {
        print_style(r, STYLE_BOLD);
        print(r, "  %-*s   %s\n", BOX + 1, "source", "target");
        print_style(r, STYLE_NONE);
    }
    for (int i = 0; i < (two ? right.n : left.n); i++) {
        draw_line(r, &left, i, two);
        if (two) {
            puts_out(r, i == meet ? (r->utf8 ? "\u2500\u25B6" : "->") : "  ");
            draw_line(r, &right, i, false);
        }
        puts_out(r, "\n");
    }
}

static void draw_tallies(run *r, const char *what, const tally *t, int n, const char *(*name)(int))
{
    size_t all = 0;
    char parameters[32], bytes[32];
    for (int i = 0; i < n; i++) all += t[i].bytes;
    print_style(r, STYLE_BOLD);
    print(r, "\n%-18s %8s %12s %12s\n", what, "tensors", "parameters", "bytes");
    print_style(r, STYLE_NONE);
    for (int i = 0; i < n; i++) {
        if (!t[i].n) continue;
        print(r, "%-18s %8d %12s %12s  ", name(i), t[i].n, show_count(parameters, (double)t[i].parameters),
              show_bytes(bytes, (double)t[i].bytes));
        print_style(r, STYLE_CYAN);
        print_bar(r, all ? (double)t[i].bytes / (double)all : 0, 20);
        print_style(r, STYLE_NONE);
        print(r, " %3.0f%%\n", all ? 100.0 * (double)t[i].bytes / (double)all : 0);
    }
}

static const char *kind_name(int i) { return kind_names[i]; }
static const char *type_name(int i) { return trine_dtype_name((trine_dtype)i); }

static void draw_tensors(run *r)
{
    trine_tensor_info t;
    print_style(r, STYLE_BOLD);
    print(r, "\n%-6s %-20s %10s  %s\n", "type", "shape", "bytes", "tensor");
    print_style(r, STYLE_NONE);
    for (int i = 0; trine_model_tensor(&t, r->model, i) && !output_failed(r); i++) {
        char shape[96] = "[", bytes[32];
        size_t used = 1;
        for (int d = 0; d < t.n_dims; d++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", d ? ", " : "", (long long)t.shape[d]);
        snprintf(shape + used, sizeof shape - used, "]");
        char *name = text_shown(r, t.name, strlen(t.name), 0);
        print(r, "%-6s %-20s %10s  %s\n", trine_dtype_name(t.type), shape, show_bytes(bytes, (double)t.bytes), name ? name : "");
        free(name);
    }
}

static void draw_path(run *r, const char *before, const char *path)
{
    char *shown = text_shown(r, path, strlen(path), 0);
    puts_out(r, before);
    print_style(r, STYLE_BOLD);
    print(r, "%s\n", shown ? shown : "");
    print_style(r, STYLE_NONE);
    free(shown);
}

static void draw(run *r)
{
    const trine_model_info *m = r->info;
    char parameters[32], bytes[32];
    tally by_kind[KIND_COUNT] = { 0 }, by_type[TRINE_DTYPE_COUNT] = { 0 };
    count_kinds(by_kind, by_type, r->model);
    draw_path(r, "", r->args.model);
    if (r->args.adapter) draw_path(r, "with the adapter ", r->args.adapter);
    print(r, "%s%s%s%s, %s\n", m->family, m->architecture[0] ? " (" : "", m->architecture, m->architecture[0] ? ")" : "",
          paradigm_name(m->paradigm));
    print(r, "%s parameters, %s, %s\n", show_count(parameters, (double)m->n_parameters),
          show_bytes(bytes, (double)m->weights_bytes), m->container);
    if (r->tokenizer)
        print(r, "tokenizer: %s, %d tokens%s\n", trine_tokenizer_algorithm(r->tokenizer), trine_tokenizer_vocab_size(r->tokenizer),
              trine_tokenizer_chat_template(r->tokenizer) ? ", with a chat template" : "");
    else
        puts_out(r, "tokenizer: none beside the model\n");
    if (m->window) print(r, "attention window: %d tokens\n", m->window);
    if (m->n_labels) {
        puts_out(r, "labels:");
        for (int i = 0; i < m->n_labels && i < 12; i++) print(r, "%s %s", i ? "," : "", trine_model_label(r->model, i));
        puts_out(r, m->n_labels > 12 ? ", ...\n" : "\n");
    }
    puts_out(r, "\n");
    draw_diagram(r);
    draw_tallies(r, "by kind", by_kind, KIND_COUNT, kind_name);
    draw_tallies(r, "by type", by_type, TRINE_DTYPE_COUNT, type_name);
    if (r->args.tensors) draw_tensors(r);
}

int inspect_main(run *r)
{
    if (r->args.rest.n) {
        if (GIVEN(&r->args, model))
            return fail_usage(r, "the model is given twice: '%s' and '%s'", r->args.model, r->args.rest.items[0]);
        r->args.model = r->args.rest.items[0];
    }
    int code = open_model(r);
    if (code) return code;
    if (r->args.json)
        write_json(r);
    else
        draw(r);
    return EXIT_DONE;
}
