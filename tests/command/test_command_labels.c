/* test_command_labels.c - labels on decoders and encoder-decoders: trine finetune classify and tag teach them, whole or by adapters, and the
 * result runs as an encoder's does. */
#include "run_trine.h"

#include "small_texts.h"

static const char *const models[] = { LLAMA, T5 };
static char labelled[400], tagged[400];

static int set_up(void **state)
{
    (void)state;
    temp_make();
    write_labelled(labelled, 40);
    write_tagged(tagged, 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

#define TUNE "--steps", "40", "--lr", "0.01", "--batch", "8", "--no-record", "-q", "-t", "1", "--overwrite"

static void done(process_result r)
{
    assert_status(&r, 0);
    process_result_clear(&r);
}

static void expect_yes(process_result r)
{
    json_t *d = only_document(r);
    const json_t *best = json_array_get(array_of(d, "labels"), 0);
    assert_string_equal(text_of(best, "label"), "yes");
    assert_true(number_of(best, "score") > 0.6);
    json_decref(d);
}

static void texts_are_labelled(void **state)
{
    (void)state;
    const char *whole = temp_path("whole");
    for (int i = 0; i < 2; i++) {
        done(run_trine(NULL, "finetune", "classify", "-m", models[i], labelled, "--valid", labelled, TUNE, "-o", whole));
        expect_yes(run_trine(NULL, "classify", "-m", whole, "--json", "-q", "the cat sat"));
        json_t *d = only_document(run_trine(NULL, "eval", "-m", whole, "--json", "-q", labelled));
        assert_true(number_of(d, "accuracy") == 1);
        json_decref(d);
        done(run_trine(NULL, "embed", "-m", whole, "-q", "the cat"));
        process_result r = run_trine(NULL, "generate", "-m", whole, "the cat");
        assert_status(&r, 3);
        assert_contains(r.err, "a head for one label a text");
        process_result_clear(&r);
    }
}

static void by_adapters_too(void **state)
{
    (void)state;
    const char *adapter = temp_path("adapter");
    for (int i = 0; i < 2; i++) {
        done(run_trine(NULL, "finetune", "classify", "-m", models[i], labelled, "--lora", "4", TUNE, "-o", adapter));
        expect_yes(run_trine(NULL, "classify", "-m", models[i], "--adapter", adapter, "--json", "-q", "the cat sat"));
    }
}

static void tokens_are_labelled(void **state)
{
    (void)state;
    const char *tags = temp_path("tags");
    for (int i = 0; i < 2; i++) {
        done(run_trine(NULL, "finetune", "tag", "-m", models[i], tagged, TUNE, "-o", tags));
        json_t *d = only_document(run_trine(NULL, "tag", "-m", tags, "--json", "-q", "the cat sat"));
        const json_t *first = json_array_get(array_of(d, "entities"), 0);
        assert_string_equal(text_of(first, "group"), "PER");
        assert_string_equal(text_of(first, "text"), "cat");
        json_decref(d);
    }
}

static void encoding_is_measured(const char *model)
{
    json_t *d =
        only_document(run_trine(NULL, "bench", "-m", model, "--encode", "8", "--batch", "1", "--repeat", "1", "-q", "--json"));
    assert_string_equal(text_of(json_array_get(array_of(d, "results"), 0), "what"), "encode");
    json_decref(d);
    assert_error(run_trine(NULL, "bench", "-m", model, "--decode", "8"), 2, "reads texts and writes none");
}

/* A decoder's head goes through GGUF; a T5's has no form there. */
static void other_containers_are_written_or_refused(void **state)
{
    (void)state;
    const char *whole = temp_path("whole"), *file = temp_path("file.gguf");
    done(run_trine(NULL, "finetune", "classify", "-m", LLAMA, labelled, TUNE, "-o", whole));
    done(run_trine(NULL, "quantize", whole, file, "--type", "f16", "-q"));
    expect_yes(run_trine(NULL, "classify", "-m", file, "--json", "-q", "the cat sat"));
    encoding_is_measured(whole);
    done(run_trine(NULL, "finetune", "classify", "-m", T5, labelled, "--valid", labelled, TUNE, "-o", whole));
    encoding_is_measured(whole);
    assert_error(run_trine(NULL, "convert", "-q", "-m", whole, "-o", temp_path("t5.gguf")), 3, "a T5 with labels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_labelled),
        cmocka_unit_test(by_adapters_too),
        cmocka_unit_test(tokens_are_labelled),
        cmocka_unit_test(other_containers_are_written_or_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
