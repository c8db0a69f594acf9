/* test_server_api.c - what clients of OpenAI's API get: chat, completions, embeddings, models; whole and streamed; and what is wrong
 * is told with its parameter. The texts are those of the command. */
#include "serve.h"

#include <ctype.h>
#include <math.h>

#include "support/temp.h"

static http_server server;

static int start(void **state)
{
    (void)state;
    server = start_server("-q");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assert_int_equal(http_stop(&server, SIGINT), 0); /* Control-C ends it, and that is no failure */
    return 0;
}

static void models_are_listed(void **state)
{
    (void)state;
    json_t *list = fetch(&server, "/v1/models"), *one = fetch(&server, "/v1/models/chat"), *health = fetch(&server, "/health");
    assert_int_equal(json_array_size(json_object_get(list, "data")), 5);
    assert_string_equal(text_of(list, "object"), "list");
    assert_string_equal(text_of(first_of(list, "data"), "id"), "chat");
    assert_string_equal(text_of(one, "object"), "model");
    assert_string_equal(text_of(one, "paradigm"), "decoder");
    assert_true(number_of(one, "created") > 1e9 && number_of(one, "context") > 0);
    assert_string_equal(text_of(health, "status"), "ok");
    json_decref(list);
    json_decref(one);
    json_decref(health);
    http_reply r = http_ask(&server, "GET", "/v1/models/nobody", NULL, NULL);
    assert_int_equal(r.status, 404);
    assert_contains(r.body, "model_not_found");
    http_reply_clear(&r);
}

static void chat_says_what_the_command_says(void **state)
{
    (void)state;
    process_result said = run_trine(NULL, "generate", "-q", "-m", LLAMA, "--chat", "--temp", "0", "-n", "12", "hello");
    assert_status(&said, 0);
    said.out[strlen(said.out) - 1] = 0;
    json_t *doc =
        post(&server, "/v1/chat/completions",
             "{\"model\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"temperature\":0,\"max_tokens\":12,"
             "\"store\":true}",
             200);
    const json_t *choice = first_of(doc, "choices"), *usage = json_object_get(doc, "usage");
    assert_string_equal(text_of(json_object_get(choice, "message"), "content"), said.out);
    assert_string_equal(text_of(json_object_get(choice, "message"), "role"), "assistant");
    assert_true(json_is_null(json_object_get(choice, "logprobs")));
    assert_string_equal(text_of(doc, "object"), "chat.completion");
    assert_string_equal(text_of(doc, "model"), "chat");
    assert_int_equal(strncmp(text_of(doc, "id"), "chatcmpl-", 9), 0);
    assert_true(number_of(usage, "total_tokens") == number_of(usage, "prompt_tokens") + number_of(usage, "completion_tokens"));
    assert_true(number_of(usage, "completion_tokens") > 0);
    /* parts, and no model named: the same */
    json_t *parts = post(&server, "/v1/chat/completions",
                         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hel\"},{\"type\":\"text\","
                         "\"text\":\"lo\"}]}],"
                         "\"temperature\":0,\"max_completion_tokens\":12}",
                         200);
    assert_string_equal(text_of(json_object_get(first_of(parts, "choices"), "message"), "content"), said.out);
    json_decref(parts);
    json_decref(doc);
    process_result_clear(&said);
}

static void streams_are_the_whole_in_pieces(void **state)
{
    (void)state;
    static const char *const paths[] = { "/v1/chat/completions", "/v1/completions", "/v1/completions" };
    static const char *const asked[] = { "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"max_tokens\":30",
                                         "\"model\":\"chat\",\"prompt\":\"hello\",\"max_tokens\":30,\"echo\":true",
                                         "\"model\":\"t5\",\"prompt\":\"hello\",\"max_tokens\":200,\"ignore_eos\":true" };
    for (int i = 0; i < 3; i++) {
        char body[400];
        snprintf(body, sizeof body, "{%s,\"temperature\":0.7,\"seed\":5}", asked[i]);
        json_t *doc = post(&server, paths[i], body, 200);
        const json_t *choice = first_of(doc, "choices"), *message = json_object_get(choice, "message");
        const char *whole = message ? text_of(message, "content") : text_of(choice, "text");
        snprintf(body, sizeof body,
                 "{%s,\"temperature\":0.7,\"seed\":5,\"stream\":true,\"stream_options\":{\"include_usage\":true}}", asked[i]);
        http_reply r = http_ask(&server, "POST", paths[i], NULL, body);
        assert_int_equal(r.status, 200);
        assert_contains(r.head, "text/event-stream");
        events e = read_events(&r);
        assert_string_equal(e.text, whole);
        assert_string_equal(e.finish, text_of(choice, "finish_reason"));
        assert_true(e.done && e.n >= 3);
        assert_true(json_equal(e.usage, json_object_get(doc, "usage")));
        if (i == 1) assert_int_equal(strncmp(whole, "hello", 5), 0);
        events_clear(&e);
        http_reply_clear(&r);
        json_decref(doc);
    }
}

static void choices_stops_and_tokens(void **state)
{
    (void)state;
    json_t *two =
        post(&server, "/v1/completions",
             "{\"model\":\"chat\",\"prompt\":[\"hello\",\"a cat\"],\"n\":2,\"max_tokens\":8,\"seed\":3,\"temperature\":0.9}", 200);
    json_t *again = post(&server, "/v1/completions",
                         "{\"model\":\"chat\",\"prompt\":\"a cat\",\"n\":2,\"max_tokens\":8,\"seed\":3,\"temperature\":0.9}", 200);
    const json_t *four = json_object_get(two, "choices");
    assert_int_equal(json_array_size(four), 4);
    for (int i = 0; i < 4; i++) assert_int_equal(number_of(json_array_get(four, (size_t)i), "index"), i);
    for (int i = 0; i < 2; i++)
        assert_string_equal(text_of(json_array_get(four, (size_t)i + 2), "text"),
                            text_of(json_array_get(json_object_get(again, "choices"), (size_t)i), "text"));
    json_decref(two);
    json_decref(again);

    json_t *whole =
        post(&server, "/v1/completions", "{\"model\":\"chat\",\"prompt\":\"hello\",\"temperature\":0,\"max_tokens\":20}", 200);
    const char *text = text_of(first_of(whole, "choices"), "text");
    char body[600], word[16] = "";
    for (size_t i = 1; text[0] && text[i] && !word[0]; i++) /* a piece from the middle of it is to stop it */
        if (isalpha((unsigned char)text[i]) && isalpha((unsigned char)text[i + 1])) snprintf(word, sizeof word, "%.2s", text + i);
    assert_true(word[0]);
    snprintf(body, sizeof body,
             "{\"model\":\"chat\",\"prompt\":\"hello\",\"temperature\":0,\"max_tokens\":20,\"stop\":[\"never\",\"%s\"]}", word);
    json_t *stopped = post(&server, "/v1/completions", body, 200);
    const char *part = text_of(first_of(stopped, "choices"), "text");
    assert_lacks(part, word);
    assert_int_equal(strncmp(part, text, strlen(part)), 0);
    assert_string_equal(text_of(first_of(stopped, "choices"), "finish_reason"), "stop");
    json_decref(stopped);

    json_t *tokens = post(&server, "/tokenize", "{\"model\":\"chat\",\"text\":\"hello\"}", 200);
    char ids[200] = "";
    size_t i;
    json_t *token;
    json_array_foreach(json_object_get(tokens, "tokens"), i, token)
    {
        const size_t n = strlen(ids);
        snprintf(ids + n, sizeof ids - n, "%s%d", n ? "," : "", (int)number_of(token, "id"));
    }
    snprintf(body, sizeof body, "{\"model\":\"chat\",\"prompt\":[%s],\"temperature\":0,\"max_tokens\":20}", ids);
    json_t *by_ids = post(&server, "/v1/completions", body, 200);
    assert_string_equal(text_of(first_of(by_ids, "choices"), "text"), text);
    json_decref(by_ids);
    json_decref(tokens);
    json_decref(whole);
}

/* The tokens' texts are the text, and the best of each is the one chosen. */
static void log_probabilities(void **state)
{
    (void)state;
    json_t *doc =
        post(&server, "/v1/chat/completions",
             "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"temperature\":0,\"max_tokens\":9,\"logprobs\":true,"
             "\"top_logprobs\":3}",
             200);
    const json_t *choice = first_of(doc, "choices"), *content = json_object_get(json_object_get(choice, "logprobs"), "content");
    size_t i;
    json_t *token;
    assert_true(json_array_size(content) > 1);
    json_array_foreach(content, i, token)
    {
        const json_t *top = json_object_get(token, "top_logprobs");
        assert_int_equal(json_array_size(top), 3);
        assert_string_equal(text_of(json_array_get(top, 0), "token"), text_of(token, "token"));
        assert_true(number_of(token, "logprob") <= 0);
        assert_true(number_of(json_array_get(top, 0), "logprob") >= number_of(json_array_get(top, 2), "logprob"));
    }
    json_t *old = post(&server, "/v1/completions",
                       "{\"model\":\"chat\",\"prompt\":\"hello\",\"temperature\":0,\"max_tokens\":9,\"logprobs\":2}", 200);
    const json_t *probs = json_object_get(first_of(old, "choices"), "logprobs");
    const size_t n = json_array_size(json_object_get(probs, "tokens"));
    assert_true(n > 1 && n == json_array_size(json_object_get(probs, "token_logprobs")));
    assert_int_equal(json_array_size(json_object_get(probs, "top_logprobs")), n);
    assert_int_equal(json_array_size(json_object_get(probs, "text_offset")), n);
    json_decref(old);
    json_decref(doc);
}

static double decode_base64(const char *text, size_t k)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char four[4];
    for (size_t b = 0; b < 4; b++) { /* byte 4k + b, of six bits a letter */
        const size_t bit = (4 * k + b) * 8;
        const unsigned hi = (unsigned)(strchr(letters, text[bit / 6]) - letters),
                       lo = (unsigned)(strchr(letters, text[bit / 6 + 1]) - letters);
        four[b] = (unsigned char)(((hi << 6 | lo) >> (4 - bit % 6)) & 255);
    }
    float value;
    memcpy(&value, four, 4);
    return (double)value;
}

static void embeddings(void **state)
{
    (void)state;
    json_t *command = only_document(run_trine(NULL, "embed", "-q", "--json", "-m", MLM, "a cat sat"));
    json_t *doc = post(&server, "/v1/embeddings", "{\"model\":\"bert-mlm\",\"input\":[\"a dog\",\"a cat sat\"]}", 200);
    json_t *base64 = post(&server, "/v1/embeddings",
                          "{\"model\":\"bert-mlm\",\"input\":\"a cat sat\",\"encoding_format\":\"base64\",\"user\":\"me\"}", 200);
    const json_t *v = json_object_get(command, "embedding"), *second = json_array_get(json_object_get(doc, "data"), 1);
    const json_t *w = json_object_get(second, "embedding");
    const char *packed = text_of(first_of(base64, "data"), "embedding");
    assert_int_equal(json_array_size(v), json_array_size(w));
    assert_int_equal(number_of(second, "index"), 1);
    assert_int_equal(strlen(packed), (json_array_size(v) * 4 + 2) / 3 * 4);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const double a = json_number_value(json_array_get(v, i));
        assert_true(fabs(a - json_number_value(json_array_get(w, i))) < 1e-5);
        assert_true(fabs(a - decode_base64(packed, i)) < 1e-5);
    }
    assert_true(number_of(json_object_get(doc, "usage"), "total_tokens") > 5);
    json_t *ids = post(&server, "/v1/embeddings", "{\"model\":\"bert-mlm\",\"input\":[[2,5,3],[2,6,7,3]]}", 200);
    assert_int_equal(json_array_size(json_object_get(ids, "data")), 2);
    json_decref(ids);
    json_decref(doc);
    json_decref(base64);
    json_decref(command);
}

/* Texts longer than a pass of the model that writes: the context is what is said of it. */
static void a_decoder_embeds_its_whole_context(void **state)
{
    (void)state;
    const char *model = long_decoder();
    char body[30000];
    http_server s = http_start((const char *const[]) { TRINE_COMMAND, "serve", "-q", "--port", "0", "-t", "2", "-m", model, NULL });
    json_t *command = only_document(run_trine(NULL, "embed", "-q", "--json", "-m", model, "--tokens", many_ids(7, 700)));
    snprintf(body, sizeof body, "{\"input\":[[7,5],[%s]]}", many_ids(7, 700));
    json_t *doc = post(&s, "/v1/embeddings", body, 200), *models = fetch(&s, "/v1/models");
    const json_t *v = json_object_get(command, "embedding");
    const json_t *w = json_object_get(json_array_get(json_object_get(doc, "data"), 1), "embedding");
    assert_int_equal(json_array_size(v), json_array_size(w));
    for (size_t i = 0; i < json_array_size(v); i++)
        assert_true(fabs(json_number_value(json_array_get(v, i)) - json_number_value(json_array_get(w, i))) < 1e-5);
    assert_int_equal(number_of(first_of(models, "data"), "context"), 4096);
    json_decref(command);
    json_decref(doc);
    json_decref(models);
    snprintf(body, sizeof body, "{\"input\":[%s]}", many_ids(7, 4097));
    refused(&s, "/v1/embeddings", body, 400, "input", "takes 4096");
    snprintf(body, sizeof body, "{\"inputs\":[[%s]],\"parameters\":{\"truncation\":true}}", many_ids(7, 4097));
    json_decref(post(&s, "/tasks/feature-extraction", body, 200));
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char chat[] = "/v1/chat/completions", write[] = "/v1/completions", embed[] = "/v1/embeddings";
    refused(&server, chat, "{\"messages\":", 400, "", "not JSON: line 1");
    refused(&server, chat, "[1]", 400, "", "JSON object");
    refused(&server, chat, "", 400, "", "not JSON");
    refused(&server, chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", 400, "", "not JSON");
    refused(&server, chat, "{\"n\":1,\"n\":2}", 400, "", "not JSON");
    refused(&server, chat, "{}", 400, "messages", "one at least");
    refused(&server, chat, "{\"messages\":\"hello\"}", 400, "messages", "list");
    refused(&server, chat, "{\"messages\":[{\"role\":\"king\",\"content\":\"a\"}]}", 400, "messages", "king");
    refused(&server, chat, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", 400, "messages",
            "image_url");
    refused(&server, chat, "{\"model\":\"nobody\",\"messages\":[]}", 404, "model", "does not exist");
    refused(&server, chat, "{\"model\":\"bert-mlm\",\"messages\":[]}", 400, "model", "cannot chat");
    refused(&server, write, "{\"model\":\"chat\"}", 400, "prompt", "'prompt'");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"\"}", 400, "prompt", "empty");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":7}", 400, "prompt", "'prompt'");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":[1,\"a\"]}", 400, "prompt", "token 1");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":[99999999]}", 400, "", "99999999");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"max_tokens\":0}", 400, "max_tokens", "from 1");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"max_tokens\":\"5\"}", 400, "max_tokens", "whole number");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"temperature\":-1}", 400, "temperature", "from 0");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"top_p\":1.5}", 400, "top_p", "from 0 to 1");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"stream\":1}", 400, "stream", "true or false");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"stop\":[\"\"]}", 400, "stop", "empty");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"n\":65}", 400, "n", "from 1 to 64");
    refused(&server, write, "{\"model\":\"chat\",\"prompt\":\"a\",\"suffix\":\"b\"}", 400, "suffix", "not supported");
    refused(&server, chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{}]}", 400, "tools", "not supported");
    refused(&server, chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"response_format\":{\"type\":\"json_object\"}}",
            400, "response_format", "not supported");
    refused(&server, embed, "{\"input\":\"\"}", 400, "input", "empty");
    refused(&server, embed, "{\"model\":\"bert-mlm\",\"input\":[\"a\",\" \\n\"]}", 400, "input",
            "text 1 is empty: it has no tokens");
    refused(&server, embed, "{}", 400, "input", "'input'");
    refused(&server, embed, "{\"input\":\"a\",\"dimensions\":3}", 400, "dimensions", "not cut");
    refused(&server, embed, "{\"input\":\"a\",\"encoding_format\":\"int8\"}", 400, "encoding_format", "base64");
    refused(&server, embed, "{\"model\":7,\"input\":\"a\"}", 400, "model", "text");

    char *long_text = malloc(200000), *body = malloc(300000);
    assert_true(long_text && body);
    for (size_t i = 0; i < 199999; i++) long_text[i] = i % 2 ? ' ' : 'a';
    long_text[199999] = 0;
    snprintf(body, 300000, "{\"model\":\"chat\",\"prompt\":\"%s\"}", long_text);
    json_t *doc = post(&server, write, body, 400);
    assert_string_equal(text_of(json_object_get(doc, "error"), "code"), "context_length_exceeded");
    json_decref(doc);
    snprintf(body, 300000, "{\"model\":\"bert-mlm\",\"input\":[\"a\",\"%s\"]}", long_text);
    doc = post(&server, embed, body, 400);
    assert_string_equal(text_of(json_object_get(doc, "error"), "code"), "context_length_exceeded");
    assert_contains(text_of(json_object_get(doc, "error"), "message"), "text 1");
    json_decref(doc);
    snprintf(body, 300000, "{\"model\":\"bert-mlm\",\"input\":[[5],[%s]]}", many_ids(2, 40));
    refused(&server, embed, body, 400, "input", "text 1 has 40 tokens, and the model 'bert-mlm' takes 32");
    free(long_text);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(chat_says_what_the_command_says),
        cmocka_unit_test(streams_are_the_whole_in_pieces),
        cmocka_unit_test(choices_stops_and_tokens),
        cmocka_unit_test(log_probabilities),
        cmocka_unit_test(embeddings),
        cmocka_unit_test_setup_teardown(a_decoder_embeds_its_whole_context, temp_set_up, temp_tear_down),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
