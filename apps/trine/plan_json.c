/* plan_json.c - a plan as one JSON document. The first context's figures stand at its top too. */
#include "model_words.h"
#include "plan.h"

static void write_bytes(json_writer *j, const trine_session_bytes *b)
{
    jw_set_int(j, "context", b->options.ctx);
    if (b->options.source_ctx) jw_set_int(j, "source", b->options.source_ctx);
    jw_set_text(j, "cache_type", b->kv_bytes_per_token ? trine_dtype_name(b->options.cache_type) : NULL);
    jw_set_session_bytes(j, b);
}

static void set_rate(json_writer *j, const char *key, double rate)
{
    jw_key(j, key);
    if (rate > 0)
        jw_real(j, rate);
    else
        jw_null(j);
}

static void write_context(json_writer *j, const plan_report *p, int i)
{
    const plan_context *c = &p->contexts[i];
    const plan_remedy *m = &p->remedies[i];
    write_bytes(j, &c->bytes);
    jw_set_bool(j, "fits", c->fits);
    jw_set_int(j, "largest_batch", c->largest_batch);
    jw_set_int(j, "plain_attention_bytes", (int64_t)c->bytes.plain_attention_bytes);
    if (p->info->paradigm == TRINE_DECODER) {
        set_rate(j, "decode_tokens_per_second", c->step_rate);
        jw_set_real(j, "decode_bytes_per_token", c->step_bytes);
    }
    set_rate(j,
             p->info->paradigm == TRINE_ENCODER   ? "encode_texts_per_second"
             : p->info->paradigm == TRINE_DECODER ? "prefill_tokens_per_second"
                                                  : "translate_tokens_per_second",
             c->read_rate);
    if (c->is_verified) plan_write_verification(j, &c->verified);
    if (c->fits) return;
    jw_key(j, "fits_with");
    if (!m->found) {
        jw_null(j);
        return;
    }
    jw_open(j, '{');
    jw_set_text(j, "weights", m->weights ? m->weights : p->weights);
    write_bytes(j, &m->bytes);
    jw_close(j, '}');
}

static void write_types(json_writer *j, const char *key, const plan_type *types, int n)
{
    jw_key(j, key);
    jw_open(j, '[');
    for (int i = 0; i < n; i++) {
        jw_open(j, '{');
        jw_set_text(j, "type", types[i].name);
        write_bytes(j, &types[i].bytes);
        jw_set_bool(j, "fits", types[i].fits);
        jw_set_int(j, "longest_context", types[i].longest);
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

void plan_write_json(run *r, const plan_report *p)
{
    const trine_model_info *m = p->info;
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "model", r->args.model);
    jw_set_text(&j, "source_of_facts", trine_planner_source(p->planner));
    jw_set_text(&j, "family", m->family);
    jw_set_text(&j, "paradigm", paradigm_name(m->paradigm));
    jw_set_int(&j, "parameters", m->n_parameters);
    jw_set_text(&j, "weights", p->weights);
    jw_set_int(&j, "copied_bytes", (int64_t)m->copied_bytes);
    jw_set_int(&j, "layers", m->n_layers);
    jw_set_int(&j, "decoder_layers", m->n_decoder_layers);
    jw_set_int(&j, "d_model", m->d_model);
    jw_set_int(&j, "heads", m->n_heads);
    jw_set_int(&j, "kv_heads", m->n_kv_heads);
    jw_set_int(&j, "d_head", m->d_head);
    jw_set_int(&j, "window", m->window);
    jw_set_int(&j, "max_tokens", m->max_tokens);
    jw_set_int(&j, "batch", p->options.n_sequences > 1 ? p->options.n_sequences : 1);
    jw_set_int(&j, "threads", p->contexts[0].bytes.options.n_threads);
    jw_set_int(&j, "batch_tokens", p->contexts[0].bytes.options.batch_tokens);
    jw_set_int(&j, "memory_bytes", (int64_t)p->machine.memory);
    write_context(&j, p, 0);
    jw_set_int(&j, "longest_context", p->longest);
    jw_key(&j, "machine");
    jw_open(&j, '{');
    jw_set_text(&j, "name", p->machine.name);
    set_rate(&j, "bandwidth", p->machine.bandwidth);
    set_rate(&j, "ops", p->machine.ops);
    jw_close(&j, '}');
    jw_key(&j, "contexts");
    jw_open(&j, '[');
    for (int i = 0; i < p->n_contexts; i++) {
        jw_open(&j, '{');
        write_context(&j, p, i);
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    write_types(&j, "cache_types", p->cache_types, p->n_cache_types);
    write_types(&j, "weight_types", p->weight_types, p->n_weight_types);
    jw_close(&j, '}');
    jw_end(&j);
}
