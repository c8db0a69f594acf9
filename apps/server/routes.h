/* routes.h - what the routes share: options of writing, ids of texts, tokens as text. */
#ifndef TRINE_SERVER_ROUTES_H
#define TRINE_SERVER_ROUTES_H

#include "exchange.h"

/* openai_writing.c, openai.c, hugging_face.c, inspecting.c, planning.c, started_runs.c: see server_routes. */
route_fn answer_chat, answer_completions, answer_embeddings, answer_models, answer_model, answer_hub_model, answer_hub_task;
route_fn answer_health, answer_tokenize, answer_detokenize, answer_trace, answer_plans, answer_plan;
route_fn answer_fit, answer_past_run, answer_runs, answer_start_run, answer_run;

/* writing_options.c: how a text is written, from the members of `o` that OpenAI and trine name (temperature, top_p, top_k, ...,
 * seed, stop), the model's defaults for the rest. max_tokens is the caller's. */
trine_generate_options read_writing(exchange *x, const json_t *o, const served *s);
/* A prompt as ids, with the special tokens around it unless no_special; fails when it is empty, or longer than the context. */
const int32_t *read_prompt(exchange *x, const served *s, const char *text, bool no_special, const char *param, int *n);
/* What a token says, as text (free), which of a part of a character is U+FFFD; NULL when memory ran out. */
char *token_text(const trine_tokenizer *t, int32_t id);
/* The bytes that a token stands for, those of a part of a character too: *n of them, and a zero (free); NULL likewise. */
char *token_bytes(size_t *n, const trine_tokenizer *t, int32_t id);
/* "cmpl-0123..." and the like. */
void new_id(char out[40], const char *kind);

/* openai.c: the texts or ids of a request as ids of a text each, with its special tokens: fills job ids. */
bool read_inputs(exchange *x, job *j, const json_t *input, const char *param, bool truncate);

#endif
