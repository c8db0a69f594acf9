/* routes.c - the table of routes. */
#include "routes.h"

const route server_routes[] = {
    { "POST", "/v1/chat/completions", answer_chat },
    { "POST", "/v1/completions", answer_completions },
    { "POST", "/v1/embeddings", answer_embeddings },
    { "GET", "/v1/models", answer_models },
    { "GET", "/v1/models/", answer_model },
    { "POST", "/models/", answer_hub_model },
    { "POST", "/tasks/", answer_hub_task },
    { "POST", "/trace", answer_trace },
    { "POST", "/tokenize", answer_tokenize },
    { "POST", "/detokenize", answer_detokenize },
    { "GET", "/plan", answer_plans },
    { "POST", "/plan", answer_plan },
    { "POST", "/fit", answer_fit },
    { "GET", "/runs", answer_runs },
    { "POST", "/runs", answer_start_run },
    { "POST", "/runs/", answer_run },
    { "GET", "/runs/record/", answer_past_run },
    { "GET", "/health", answer_health },
};
const int server_n_routes = (int)(sizeof server_routes / sizeof server_routes[0]);
