/* test_shipped_models.c - what the model cards (docs/models/shipped.md) claim, one example each: cheap, greedy, the same everywhere. */
#include "command/run_trine.h"

/* Each model of the list opens, and is as small as it must be. */
static void every_model_is_whole_and_small(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "models", "--json");
    assert_status(&r, 0);
    double all = 0;
    int n = 0;
    for (const char *line = r.out; *line; line = strchr(line, '\n') + 1, n++) {
        json_t *doc = document(&r, n);
        assert_true(number_of(doc, "bytes") <= 12.0 * 1024 * 1024);
        assert_true(strlen(text_of(doc, "licence")) > 0);
        if (!json_object_get(doc, "adapter")) all += number_of(doc, "bytes"); /* an adapter's figure has its trunk's in it */
        json_decref(doc);
    }
    assert_true(n >= 5 && all <= 45.0 * 1024 * 1024);
    process_result_clear(&r);
}

static void expect_said(process_result r, const char *said)
{
    assert_status(&r, 0);
    assert_contains(r.out, said);
    process_result_clear(&r);
}

static void the_encoder_fills_judges_and_finds(void **state)
{
    (void)state;
    expect_said(run_trine(NULL, "fill", "-q", "--top", "3", "Mary was happy to see her [MASK] in London."), "friends");
    expect_said(run_trine(NULL, "fill", "-q", "--top", "2", "I have never <mask> such a beautiful girl."), "seen");
    expect_said(run_trine(NULL, "classify", "-q", "--top", "1", "The film was a waste of time."), "negative");
    expect_said(run_trine(NULL, "classify", "-q", "--top", "1", "A warm and funny story, beautifully told."), "positive");
    expect_said(run_trine(NULL, "tag", "-q", "Mary was happy to see her friends in London."), "[London LOC]");
}

static void entities_are_an_adapter_beside_the_encoder(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "inspect", "-m", "entities");
    assert_status(&r, 0);
    assert_contains(r.out, "encoder.gguf\nwith the adapter ");
    assert_contains(r.out, "/entities\n");
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "inspect", "-m", "entities", "--json"));
    assert_contains(text_of(doc, "adapter"), "/entities");
    json_decref(doc);
    doc = only_document(run_trine(NULL, "inspect", "-m", "encoder", "--json"));
    assert_true(json_is_null(json_object_get(doc, "adapter")));
    json_decref(doc);
}

/* But for the path of the file, which is as long as it is. */
static void a_diagram_fits_a_terminal(void **state)
{
    (void)state;
    static const char *const names[] = { "encoder", "sentiment", "embedder", "decoder", "translator" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        process_result r = run_trine(NULL, "inspect", "-m", names[i]);
        assert_status(&r, 0);
        if (longest_line(strchr(r.out, '\n') + 1) > 80) fail_msg("wider than 80 columns:\n%s", r.out);
        process_result_clear(&r);
    }
}

static void the_decoder_tells_stories(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "generate", "-q", "--temp", "0", "-n", "16", "Once upon a time, there was a little");
    assert_status(&r, 0);
    assert_contains(r.out, "named");
    process_result_clear(&r);
}

static void the_embedder_brings_translations_together(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "embed", "-q", "--similarity", "--json", "The weather is nice today.",
                                 "Il fait beau aujourd'hui.", "Das Wetter ist heute schön.", "I have lost my key.");
    json_t *doc = only_document(r);
    const json_t *first = json_array_get(array_of(doc, "similarity"), 0);
    const double other = json_number_value(json_array_get(first, 3));
    for (size_t i = 1; i <= 2; i++) assert_true(json_number_value(json_array_get(first, i)) > other + 0.3);
    json_decref(doc);
}

/* A run of what the vocabulary does not know is one word of thousands of tokens, each a byte: it is read in parts like any text. */
static void unknown_writing_is_summarized_in_parts(void **state)
{
    (void)state;
    enum { SIGNS = 1000 };
    static const char begin[] = "The cat sat on the mat. ", sign[] = "猫", end[] = " The dog ran away.";
    char text[sizeof begin + SIGNS * sizeof sign + sizeof end] = "";
    strcat(text, begin);
    for (int i = 0; i < SIGNS; i++) strcat(text + strlen(begin) + (size_t)i * strlen(sign), sign);
    strcat(text, end);
    json_t *doc = only_document(run_trine(NULL, "summarize", "-q", "--json", "-n", "4", text));
    assert_true(number_of(doc, "parts") > 1);
    json_decref(doc);
}

static void the_translator_turns_text_into_text(void **state)
{
    (void)state;
#define TRANSLATE(from, to) "translate", "-q", "--from", from, "--to", to, "--beam", "4"
    expect_said(run_trine(NULL, TRANSLATE("de", "en"), "Ich habe heute keine Zeit."), "time");
    expect_said(run_trine(NULL, TRANSLATE("en", "de"), "I have no time today."), "Zeit");
    expect_said(run_trine(NULL, TRANSLATE("fr", "en"), "Où est la gare ?"), "station");
    expect_said(run_trine(NULL, TRANSLATE("en", "fr"), "Where is the station?"), "gare");
    expect_said(
        run_trine(NULL, "generate", "-q", "-m", "translator", "--temp", "0", "sst2 sentence: The film was a waste of time."),
        "negative");
    expect_said(
        run_trine(NULL, "summarize", "-q",
                  "it is a rainy day . note mara hid the hat in the market . the singer sees the candle . mara paints a horse . "
                  "note oskar hid the drum in the river . the teacher likes the apple ."),
        "mara hat market ; oskar drum river");
    expect_said(run_trine(NULL, "fill", "-q", "-m", "translator", "He drank a cup of [MASK]."), "coffee");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entities_are_an_adapter_beside_the_encoder),
        cmocka_unit_test(a_diagram_fits_a_terminal),
        cmocka_unit_test(every_model_is_whole_and_small),
        cmocka_unit_test(the_encoder_fills_judges_and_finds),
        cmocka_unit_test(the_decoder_tells_stories),
        cmocka_unit_test(the_embedder_brings_translations_together),
        cmocka_unit_test(the_translator_turns_text_into_text),
        cmocka_unit_test(unknown_writing_is_summarized_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
