/* test_server_tasks.c - Hugging Face's tasks, tokens and traces over HTTP are what the command says of the same model and text. */
#include "serve.h"

#include <math.h>

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
    assert_int_equal(http_stop(&server, SIGTERM), 0);
    return 0;
}

static void assert_near(const json_t *a, const char *key_a, const json_t *b, const char *key_b)
{
    assert_true(fabs(number_of(a, key_a) - number_of(b, key_b)) < 1e-5);
}

static void masks_are_filled(void **state)
{
    (void)state;
    json_t *said = only_document(run_trine(NULL, "fill", "-q", "--json", "-m", MLM, "--top", "3", "a [MASK] sat"));
    json_t *doc = post(&server, "/tasks/fill-mask", "{\"inputs\":\"a [MASK] sat\",\"parameters\":{\"top_k\":3}}", 200);
    json_t *list =
        post(&server, "/models/bert-mlm", "{\"inputs\":[\"a [MASK] sat\",\"[MASK] [MASK]\"],\"parameters\":{\"topK\":3}}", 200);
    const json_t *choices = json_array_get(json_object_get(said, "masks"), 0);
    assert_int_equal(json_array_size(doc), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *a = json_array_get(doc, i), *b = json_array_get(choices, i);
        assert_int_equal(number_of(a, "token"), number_of(b, "id"));
        assert_string_equal(text_of(a, "token_str"), text_of(b, "token"));
        assert_string_equal(text_of(a, "sequence"), text_of(b, "text"));
        assert_near(a, "score", b, "score");
        assert_near(json_array_get(json_array_get(list, 0), i), "score", b, "score");
    }
    assert_int_equal(json_array_size(json_array_get(list, 1)), 2);                    /* two masks: */
    assert_int_equal(json_array_size(json_array_get(json_array_get(list, 1), 0)), 3); /* a list for each */
    json_decref(list);
    json_decref(doc);
    json_decref(said);
}

static void texts_are_labelled(void **state)
{
    (void)state;
    json_t *said = only_document(run_trine(NULL, "classify", "-q", "--json", "-m", LABELS, "--pair", "a dog", "a cat sat"));
    json_t *doc =
        post(&server, "/tasks/text-classification", "{\"inputs\":[{\"text\":\"a cat sat\",\"text_pair\":\"a dog\"},\"a\"]}", 200);
    json_t *one = post(&server, "/models/bert-labels", "{\"inputs\":\"a cat sat\",\"parameters\":{\"top_k\":1}}", 200);
    const json_t *labels = json_object_get(said, "labels");
    assert_int_equal(json_array_size(json_array_get(doc, 0)), json_array_size(labels));
    for (size_t i = 0; i < json_array_size(labels); i++) {
        const json_t *a = json_array_get(json_array_get(doc, 0), i), *b = json_array_get(labels, i);
        assert_string_equal(text_of(a, "label"), text_of(b, "label"));
        assert_near(a, "score", b, "score");
    }
    assert_int_equal(json_array_size(one), 1);
    json_decref(one);
    json_decref(doc);
    json_decref(said);
}

static void entities_are_found(void **state)
{
    (void)state;
    json_t *said = only_document(run_trine(NULL, "tag", "-q", "--json", "-m", TAGS, "Anna went to Oslo and Paris."));
    json_t *doc = post(&server, "/tasks/token-classification", "{\"inputs\":\"Anna went to Oslo and Paris.\"}", 200);
    const json_t *entities = json_object_get(said, "entities");
    assert_int_equal(json_array_size(doc), json_array_size(entities));
    for (size_t i = 0; i < json_array_size(entities); i++) {
        const json_t *a = json_array_get(doc, i), *b = json_array_get(entities, i);
        assert_string_equal(text_of(a, "entity_group"), text_of(b, "group"));
        assert_string_equal(text_of(a, "word"), text_of(b, "text"));
        assert_true(number_of(a, "start") == number_of(b, "start") && number_of(a, "end") == number_of(b, "end"));
        assert_near(a, "score", b, "score");
    }
    json_decref(doc);
    json_decref(said);
}

static void texts_are_turned_into_others(void **state)
{
    (void)state;
    static const char *const beams[] = { "1", "3" };
    for (int i = 0; i < 2; i++) {
        json_t *said = only_document(run_trine(NULL, "translate", "-q", "--json", "-m", T5, "--from", "en", "--to", "de", "-n", "7",
                                               "--beam", beams[i], "a cat sat"));
        char body[200];
        snprintf(body, sizeof body,
                 "{\"inputs\":\"a cat sat\",\"parameters\":{\"src_lang\":\"en\",\"tgt_lang\":\"de\",\"generate_parameters\":"
                 "{\"maxNewTokens\":7,\"num_beams\":%s}}}",
                 beams[i]);
        json_t *doc = post(&server, "/tasks/translation", body, 200);
        assert_string_equal(text_of(json_array_get(doc, 0), "translation_text"), text_of(said, "text"));
        json_decref(doc);
        json_decref(said);
    }
    /* a document that fits is one of the batch, a longer one is read in parts */
    char *document = calloc(1, 40000), *body = malloc(41000);
    assert_true(document && body);
    for (int long_one = 0; long_one < 2; long_one++) {
        for (int i = 0; i < (long_one ? 900 : 2); i++) strcat(document, "A cat sat on the mat. ");
        snprintf(body, 41000,
                 "{\"inputs\":\"%s\",\"parameters\":{\"max_new_tokens\":6,\"ignore_eos\":true,\"temperature\":2,\"seed\":3}}",
                 document);
        json_t *doc = post(&server, "/tasks/summarization", body, 200);
        assert_true(json_is_string(json_object_get(json_array_get(doc, 0), "summary_text")));
        json_decref(doc);
    }
    free(document);
    free(body);
    json_t *full = post(&server, "/models/chat", "{\"inputs\":\"hello\",\"parameters\":{\"max_new_tokens\":5}}", 200);
    json_t *new = post(&server, "/tasks/text-generation",
                       "{\"inputs\":[\"hello\"],\"parameters\":{\"max_new_tokens\":5,\"return_full_text\":false}}", 200);
    const char *whole = text_of(json_array_get(full, 0), "generated_text");
    assert_int_equal(strncmp(whole, "hello", 5), 0);
    assert_string_equal(whole + 5, text_of(json_array_get(new, 0), "generated_text"));
    json_decref(full);
    json_decref(new);
    json_t *vectors = post(&server, "/tasks/feature-extraction", "{\"inputs\":[\"a\",\"a cat\"]}", 200);
    assert_int_equal(json_array_size(vectors), 2);
    assert_true(json_array_size(json_array_get(vectors, 1)) > 4);
    json_t *alike = post(&server, "/tasks/feature-extraction", "{\"input\":[\"a\",\"a cat\"]}", 200);
    assert_true(json_equal(vectors, alike));
    json_decref(alike);
    json_decref(vectors);
}

static void parameters_do_what_they_say(void **state)
{
    (void)state;
    /* normalize: length 1 whatever the model declares */
    json_t *vectors = post(&server, "/tasks/feature-extraction", "{\"inputs\":\"a cat\",\"parameters\":{\"normalize\":true}}", 200);
    double squares = 0;
    size_t i;
    const json_t *one;
    json_array_foreach(json_array_get(vectors, 0), i, one) squares += json_number_value(one) * json_number_value(one);
    assert_true(fabs(squares - 1) < 1e-5);
    json_decref(vectors);
    /* do_sample: an encoder-decoder samples too */
    char *first = NULL;
    bool apart = false;
    for (int seed = 1; seed < 9; seed++) {
        char body[200];
        snprintf(body, sizeof body,
                 "{\"model\":\"t5\",\"inputs\":\"a cat sat\",\"parameters\":{\"do_sample\":true,\"top_k\":0,\"max_new_tokens\":9,"
                 "\"seed\":%d}}",
                 seed);
        json_t *doc = post(&server, "/tasks/text2text-generation", body, 200);
        const char *text = text_of(json_array_get(doc, 0), "generated_text");
        if (!first)
            first = strdup(text);
        else
            apart |= strcmp(first, text) != 0;
        json_decref(doc);
    }
    free(first);
    assert_true(apart);
    /* max_length counts a decoder's prompt */
    json_t *tokens = post(&server, "/tokenize", "{\"model\":\"chat\",\"text\":\"hello\"}", 200);
    char body[200];
    snprintf(body, sizeof body, "{\"inputs\":\"hello\",\"parameters\":{\"max_length\":%d}}", (int)number_of(tokens, "n") + 3);
    json_t *by_length = post(&server, "/models/chat", body, 200);
    json_t *by_new = post(&server, "/models/chat", "{\"inputs\":\"hello\",\"parameters\":{\"max_new_tokens\":3}}", 200);
    assert_true(json_equal(by_length, by_new));
    json_decref(by_length);
    json_decref(by_new);
    json_decref(tokens);
    refused(&server, "/models/chat", "{\"inputs\":\"hello\",\"parameters\":{\"max_length\":1}}", 400, "max_length",
            "max_new_tokens");
    static const struct {
        const char *path, *parameters, *param;
    } others[] = { { "/tasks/text-generation", "\"num_return_sequences\":3", "num_return_sequences" },
                   { "/tasks/text-generation", "\"no_repeat_ngram_size\":2", "no_repeat_ngram_size" },
                   { "/tasks/text-generation", "\"details\":true", "details" },
                   { "/tasks/text-generation", "\"num_beams\":2,\"do_sample\":true", "do_sample" },
                   { "/tasks/text-generation", "\"max_new_tokens\":0", "max_new_tokens" },
                   { "/tasks/fill-mask", "\"targets\":[\"dog\"]", "targets" },
                   { "/tasks/text-classification", "\"function_to_apply\":\"none\"", "function_to_apply" },
                   { "/tasks/translation", "\"src_lang\":1", "src_lang" },
                   { "/tasks/feature-extraction", "\"normalize\":7", "normalize" } };
    for (i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(body, sizeof body, "{\"inputs\":\"a [MASK]\",\"parameters\":{%s}}", others[i].parameters);
        refused(&server, others[i].path, body, 400, others[i].param, "");
    }
    /* what asks for nothing is no reason to refuse */
    json_decref(post(&server, "/tasks/text-generation",
                     "{\"inputs\":\"hello\",\"stream\":false,\"parameters\":{\"max_new_tokens\":2,\"num_return_sequences\":1,"
                     "\"details\":false,\"watermark\":false,\"best_of\":null}}",
                     200));
}

static void tokens_go_there_and_back(void **state)
{
    (void)state;
    json_t *said = only_document(run_trine(NULL, "tokenize", "-q", "--json", "-m", MLM, "a cat sat"));
    json_t *doc = post(&server, "/tokenize", "{\"model\":\"bert-mlm\",\"text\":\"a cat sat\"}", 200);
    const json_t *tokens = json_object_get(doc, "tokens"), *ids = json_object_get(said, "ids");
    assert_int_equal(json_array_size(tokens), json_array_size(ids));
    json_t *back = json_object();
    json_object_set_new(back, "model", json_string("bert-mlm"));
    json_object_set(back, "tokens", (json_t *)(uintptr_t)ids);
    for (size_t i = 0; i < json_array_size(ids); i++)
        assert_int_equal(number_of(json_array_get(tokens, i), "id"), json_integer_value(json_array_get(ids, i)));
    assert_true(json_is_true(json_object_get(json_array_get(tokens, 0), "special")));
    assert_int_equal(number_of(json_array_get(tokens, 1), "end"), 1);
    char *body = json_dumps(back, 0);
    json_t *text = post(&server, "/detokenize", body, 200);
    assert_string_equal(text_of(text, "text"), "a cat sat");
    json_t *bare = post(&server, "/tokenize", "{\"model\":\"bert-mlm\",\"text\":\"a cat sat\",\"add_special\":false}", 200);
    assert_int_equal(number_of(bare, "n"), json_array_size(ids) - 2);
    free(body);
    json_decref(bare);
    json_decref(text);
    json_decref(back);
    json_decref(doc);
    json_decref(said);
}

static double sum_of(const json_t *row)
{
    double sum = 0;
    for (size_t i = 0; i < json_array_size(row); i++) sum += json_number_value(json_array_get(row, i));
    return sum;
}

static void traces_show_the_inside(void **state)
{
    (void)state;
    json_t *doc =
        post(&server, "/trace",
             "{\"model\":\"chat\",\"text\":\"hello a cat\",\"attention\":true,\"hidden\":true,\"lens\":true,\"top\":4}", 200);
    const json_t *tokens = json_object_get(doc, "tokens"), *first = first_of(doc, "attention");
    const size_t n = json_array_size(tokens);
    const json_t *head = json_array_get(json_object_get(first, "weights"), 0);
    assert_true(n > 2 && json_array_size(head) == n);
    assert_true(json_number_value(json_array_get(json_array_get(head, 0), n - 1)) == 0); /* the past only */
    for (size_t i = 0; i < n; i++) assert_true(fabs(sum_of(json_array_get(head, i)) - 1) < 1e-4);
    assert_int_equal(json_array_size(json_object_get(doc, "attention")), number_of(doc, "n_layers"));
    assert_int_equal(json_array_size(json_object_get(doc, "hidden")), number_of(doc, "n_layers") + 1);
    assert_int_equal(json_array_size(json_array_get(json_object_get(first_of(doc, "hidden"), "states"), 0)),
                     number_of(doc, "d_model"));
    assert_int_equal(json_array_size(json_object_get(doc, "logits")), n);
    assert_int_equal(json_array_size(json_array_get(json_object_get(doc, "logits"), 0)), 4);
    assert_true(json_array_size(json_object_get(doc, "lens")) > 0);
    /* another mask on the same weights: every token sees all */
    json_t *both = post(
        &server, "/trace",
        "{\"model\":\"chat\",\"text\":\"hello a cat\",\"attention\":true,\"mask\":\"bidirectional\",\"layers\":[0],\"heads\":[0]}",
        200);
    const json_t *seen = json_array_get(json_object_get(first_of(both, "attention"), "weights"), 0);
    assert_int_equal(json_array_size(json_object_get(both, "attention")), 1);
    assert_int_equal(json_array_size(json_object_get(first_of(both, "attention"), "weights")), 1);
    assert_true(json_number_value(json_array_get(json_array_get(seen, 0), n - 1)) > 0);
    json_decref(both);
    json_decref(doc);
    doc = post(&server, "/trace",
               "{\"model\":\"chat\",\"text\":\"hello a "
               "cat\",\"parts\":true,\"unscaled\":true,\"layers\":[0],\"heads\":[1],\"mask\":\"window:2\"}",
               200);
    const json_t *parts = json_object_get(doc, "parts");
    assert_int_equal(json_array_size(parts), 5); /* query, key, value, scores, mixed */
    assert_string_equal(text_of(json_array_get(parts, 0), "part"), "query");
    assert_int_equal(json_array_size(json_object_get(json_array_get(parts, 1), "values")), 1);
    assert_int_equal(json_array_size(json_array_get(json_object_get(json_array_get(parts, 3), "values"), 0)), n);
    json_decref(doc);

    doc = post(&server, "/trace", "{\"model\":\"t5\",\"text\":\"a cat sat\",\"decoder_text\":\"a\",\"attention\":true}", 200);
    size_t i, n_cross = 0, n_encoder = 0;
    json_t *one;
    json_array_foreach(json_object_get(doc, "attention"), i, one)
    {
        n_cross += strcmp(text_of(one, "kind"), "cross") == 0;
        n_encoder += strcmp(text_of(one, "kind"), "encoder") == 0;
    }
    assert_true(n_cross > 0 && n_encoder > 0);
    assert_int_equal(json_array_size(json_object_get(doc, "logits")), json_array_size(json_object_get(doc, "decoder_tokens")));
    json_decref(doc);
    doc = post(&server, "/trace", "{\"model\":\"bert-labels\",\"text\":\"a cat\"}", 200);
    assert_true(json_array_size(json_object_get(doc, "labels")) > 1);
    json_decref(doc);
}

/* All logits of the last position, largest first: softmax over them gives the probability that the trace tells of the likeliest. */
static void the_last_position_is_told_whole(void **state)
{
    (void)state;
    json_t *doc = post(&server, "/trace", "{\"model\":\"chat\",\"text\":\"hello a cat\",\"spread\":true,\"top\":3}", 200);
    const json_t *spread = json_object_get(doc, "spread"), *rows = json_object_get(doc, "logits");
    const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
    const size_t n = json_array_size(spread);
    assert_true(n > 3);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double z = json_number_value(json_array_get(spread, i)), best = json_number_value(json_array_get(spread, 0));
        assert_true(i == 0 || z <= json_number_value(json_array_get(spread, i - 1)));
        sum += exp(z - best);
    }
    for (size_t i = 0; i < 3; i++) {
        const json_t *told = json_array_get(last, i);
        assert_true(number_of(told, "logit") == json_number_value(json_array_get(spread, i)));
        const double share = exp(number_of(told, "logit") - json_number_value(json_array_get(spread, 0))) / sum;
        assert_true(fabs(number_of(told, "probability") - share) < 1e-5);
    }
    json_decref(doc);
    doc = post(&server, "/trace", "{\"model\":\"bert-labels\",\"text\":\"a cat\",\"spread\":true}", 200);
    assert_null(json_object_get(doc, "spread")); /* labels are no vocabulary */
    json_decref(doc);
}

static void laws_are_fitted(void **state)
{
    (void)state;
    /* L = 1.5 + 400 / N^0.35 + 900 / D^0.4, exactly */
    static const double sizes[] = { 1e5, 1e6, 1e7 }, tokens[] = { 1e6, 1e7, 1e8 };
    char body[2000] = "{\"parameters\":1e8,\"tokens\":1e9,\"runs\":[";
    for (int i = 0; i < 9; i++) {
        const double n = sizes[i / 3], d = tokens[i % 3], loss = 1.5 + 400 / pow(n, 0.35) + 900 / pow(d, 0.4);
        snprintf(body + strlen(body), sizeof body - strlen(body), "%s{\"parameters\":%g,\"tokens\":%g,\"loss\":%.12g}",
                 i ? "," : "", n, d, loss);
    }
    strcat(body, "]}");
    json_t *law = post(&server, "/fit", body, 200);
    assert_int_equal(number_of(law, "runs"), 9);
    assert_float_equal(number_of(law, "alpha"), 0.35, 0.01);
    assert_float_equal(number_of(law, "predicted"), 1.5 + 400 / pow(1e8, 0.35) + 900 / pow(1e9, 0.4), 0.02);
    json_decref(law);
    refused(&server, "/fit", "{}", 400, "runs", "list of 1 to 500");
    refused(&server, "/fit", "{\"runs\":[{\"parameters\":5,\"tokens\":5}]}", 400, "runs", "run 1 of 'runs' lacks");
    refused(&server, "/fit", "{\"runs\":[{\"parameters\":5,\"tokens\":5,\"loss\":-1}]}", 400, "loss", "loss");
    refused(&server, "/fit", "{\"runs\":[7]}", 400, "runs", "objects");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refused(&server, "/tasks/dance", "{\"inputs\":\"a\"}", 404, "", "no task 'dance'");
    refused(&server, "/models/nobody", "{\"inputs\":\"a\"}", 404, "model", "does not exist");
    refused(&server, "/tasks/fill-mask", "{\"inputs\":\"no mask\"}", 400, "", "[MASK]");
    refused(&server, "/tasks/fill-mask", "{\"model\":\"t5\",\"inputs\":\"a [MASK]\"}", 400, "model", "cannot fill");
    refused(&server, "/tasks/fill-mask", "{}", 400, "inputs", "'inputs'");
    refused(&server, "/tasks/fill-mask", "{\"inputs\":[\"a [MASK]\",7]}", 400, "inputs", "1 must be");
    refused(&server, "/tasks/fill-mask", "{\"inputs\":\"a [MASK]\",\"parameters\":{\"top_k\":0}}", 400, "top_k", "from 1");
    refused(&server, "/tasks/fill-mask", "{\"inputs\":\"a [MASK]\",\"parameters\":7}", 400, "parameters", "object");
    refused(&server, "/tasks/token-classification", "{\"inputs\":\"a\",\"parameters\":{\"aggregation_strategy\":\"none\"}}", 400,
            "aggregation_strategy", "not supported");
    refused(&server, "/tasks/translation", "{\"inputs\":\"a\"}", 400, "parameters", "src_lang");
    refused(&server, "/tasks/translation", "{\"inputs\":\"a\",\"parameters\":{\"tgt_lang\":\"xx\"}}", 400, "", "'xx'");
    refused(&server, "/tokenize", "{\"text\":7}", 400, "text", "text");
    refused(&server, "/detokenize", "{\"tokens\":[]}", 400, "tokens", "numbers");
    refused(&server, "/trace", "{}", 400, "text", "what to trace");
    refused(&server, "/trace", "{\"text\":\"a\",\"mask\":\"odd\"}", 400, "mask", "bidirectional");
    refused(&server, "/trace", "{\"text\":\"a\",\"layers\":[99]}", 400, "layers", "from 0");
    refused(&server, "/trace", "{\"text\":\"a\",\"decoder_text\":\"b\"}", 400, "decoder_text", "no decoder");
}

/* Tokens are cut where a text is. */
static void tokens_are_cut_when_asked(void **state)
{
    (void)state;
    char body[30000];
    snprintf(body, sizeof body, "{\"model\":\"bert-mlm\",\"inputs\":[[%s]],\"truncate\":true}", many_ids(2, 40));
    json_t *cut = post(&server, "/tasks/feature-extraction", body, 200);
    snprintf(body, sizeof body, "{\"model\":\"bert-mlm\",\"inputs\":[[%s]]}", many_ids(2, 32));
    json_t *first = post(&server, "/tasks/feature-extraction", body, 200);
    assert_true(json_equal(cut, first));
    json_decref(cut);
    json_decref(first);
}

/* Its decoder reads the text once more: the session of a trace has room for that. */
static void labels_of_an_encoder_decoder_are_traced(void **state)
{
    (void)state;
    http_server s = start_server("-q", "-m", TRINE_FIXTURES "/models/t5-classify");
    json_t *d = post(&s, "/trace", "{\"model\":\"t5-classify\",\"tokens\":[5,6,7,8,1],\"top\":3}", 200);
    assert_int_equal(json_array_size(array_of(d, "labels")), 3);
    json_decref(d);
    assert_int_equal(http_stop(&s, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_of_an_encoder_decoder_are_traced),
        cmocka_unit_test(masks_are_filled),
        cmocka_unit_test(texts_are_labelled),
        cmocka_unit_test(entities_are_found),
        cmocka_unit_test(texts_are_turned_into_others),
        cmocka_unit_test(parameters_do_what_they_say),
        cmocka_unit_test(tokens_go_there_and_back),
        cmocka_unit_test(traces_show_the_inside),
        cmocka_unit_test(the_last_position_is_told_whole),
        cmocka_unit_test(tokens_are_cut_when_asked),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(laws_are_fitted),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
