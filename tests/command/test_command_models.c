/* test_command_models.c - the models that ship, by name and without one: of a folder of tiny ones, and what ships in the tree. */
#include <sys/stat.h>

#include "command/run_trine.h"
#include "support/temp.h"

/* A folder with a list, its models links to the fixtures. */
static process_options with_tiny_models(void)
{
    static char place[600];
    static const struct {
        const char *name, *model;
    } links[] = { { "mlm", MLM }, { "labels", LABELS }, { "tags", TAGS }, { "llama", LLAMA }, { "t5", T5 } };
    char list[2000] = "{\"models\":[";
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        static const char *const tasks[] = { "\"fill\",\"embed\"", "\"classify\"", "\"tag\"", "\"generate\"", "\"translate\"" };
        assert_int_equal(symlink(links[i].model, temp_path(links[i].name)), 0);
        snprintf(list + strlen(list), sizeof list - strlen(list),
                 "%s{\"name\":\"tiny-%s\",\"model\":\"%s\",\"about\":\"a tiny one\",\"licence\":\"MIT\",\"tasks\":[%s]}",
                 i ? "," : "", links[i].name, links[i].name, tasks[i]);
    }
    strcat(list, "]}");
    temp_write("models.json", list, strlen(list));
    snprintf(place, sizeof place, "TRINE_MODELS=%s", temp_folder());
    return (process_options) { .environment = { place } };
}

static void the_list_tells_each_model(void **state)
{
    (void)state;
    const process_options o = with_tiny_models();
    process_result r = run_trine(&o, "models");
    assert_status(&r, 0);
    assert_contains(r.out, "tiny-mlm");
    assert_contains(r.out, "without -m: fill, embed");
    assert_contains(r.out, temp_folder());
    assert_true(longest_line(r.out) <= 80 || strlen(temp_folder()) > 70);
    process_result_clear(&r);
    r = run_trine(&o, "models", "--json");
    json_t *doc = document(&r, 3);
    assert_string_equal(text_of(doc, "name"), "tiny-llama");
    assert_string_equal(text_of(doc, "family"), "llama");
    assert_string_equal(text_of(doc, "licence"), "MIT");
    assert_true(number_of(doc, "parameters") > 0 && number_of(doc, "bytes") > 0);
    assert_string_equal(json_string_value(json_array_get(array_of(doc, "tasks"), 0)), "generate");
    json_decref(doc);
    process_result_clear(&r);
}

/* What a command says with a model's path, by its name, and with nothing. */
static void same_three_ways(const process_options *o, const char *command, const char *name, const char *path, const char *text)
{
    process_result by_path = run_trine(o, command, "-q", "-m", path, "--json", text);
    process_result by_name = run_trine(o, command, "-q", "-m", name, "--json", text);
    process_result by_itself = run_trine(o, command, "-q", "--json", text);
    assert_status(&by_path, 0);
    assert_status(&by_name, 0);
    assert_status(&by_itself, 0);
    assert_string_equal(by_name.out, by_path.out);
    assert_string_equal(by_itself.out, by_path.out);
    process_result_clear(&by_path);
    process_result_clear(&by_name);
    process_result_clear(&by_itself);
}

static void a_name_and_no_name_are_the_model(void **state)
{
    (void)state;
    const process_options o = with_tiny_models();
    same_three_ways(&o, "fill", "tiny-mlm", MLM, "the [MASK] sat");
    same_three_ways(&o, "embed", "tiny-mlm", MLM, "the cat sat");
    same_three_ways(&o, "classify", "tiny-labels", LABELS, "the cat sat");
    same_three_ways(&o, "tag", "tiny-tags", TAGS, "the cat sat");
    process_result r = run_trine(&o, "fill", "the [MASK] sat");
    assert_status(&r, 0);
    assert_contains(r.err, "model: tiny-mlm, which ships with trine");
    process_result_clear(&r);
    r = run_trine(&o, "generate", "-q", "--temp", "0", "-n", "3", "the cat");
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_trine(&o, "translate", "-q", "--to", "de", "-n", "3", "the cat");
    assert_status(&r, 0);
    process_result_clear(&r);
    /* every command that takes -m */
    r = run_trine(&o, "inspect", "-q", "tiny-t5");
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_trine(&o, "tokenize", "-q", "-m", "tiny-llama", "the cat");
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_trine(&o, "plan", "-q", "tiny-llama", "-c", "64");
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_trine(&o, "convert", "-q", "tiny-llama", temp_path("out.gguf"));
    assert_status(&r, 0);
    process_result_clear(&r);
}

static void what_the_directory_has_goes_before(void **state)
{
    (void)state;
    process_options o = with_tiny_models();
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(mkdir(temp_path("work"), 0700), 0);
    assert_int_equal(chdir(temp_path("work")), 0);
    assert_int_equal(symlink(LABELS, "tiny-mlm"), 0);
    process_result r = run_trine(&o, "classify", "-m", "tiny-mlm", "the cat sat");
    assert_int_equal(chdir(temp_folder()), 0);
    assert_int_equal(rename("mlm", "tiny-mlm.of"), 0);
    /* in the folder of the models a name is the model */
    process_result own = run_trine(&o, "classify", "-q", "-m", "tiny-labels", "the cat sat");
    assert_int_equal(chdir(here), 0);
    assert_status(&r, 0);
    assert_contains(r.err, "tiny-mlm is taken from this directory");
    assert_status(&own, 0);
    process_result_clear(&r);
    process_result_clear(&own);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    process_options o = with_tiny_models();
    assert_error(run_trine(&o, "fill", "-q", "-m", "another", "x"), 3, "nor is it the name of a model that ships (tiny-mlm, ");
    assert_error(run_trine(&o, "fill", "-q", "-m", "tiny-mml", "x"), 3, "did you mean tiny-mlm, which ships with trine?");
    assert_error(run_trine(&o, "fill", "-q", "-m", "TINY-MLM", "x"), 3, "did you mean tiny-mlm, which ships with trine?");
    assert_error(run_trine(&o, "summarize", "-q", "x"), 2, "a name of `trine models`");
    assert_error(run_trine(&o, "fill", "-q", "-m", "tiny-llama", "x"), 3, "fill needs");
    o.environment[0] = "TRINE_MODELS=/nowhere/at/all";
    assert_error(run_trine(&o, "models"), 3, "make install");
    assert_error(run_trine(&o, "fill", "-q", "x"), 2, "none of these is installed");
    assert_error(run_trine(&o, "fill", "-q", "-m", "encoder", "x"), 3, "no models that ship were found");
    temp_write("models.json", "{", 1);
    o = (process_options) { .environment = { o.environment[0] } };
    char place[600];
    snprintf(place, sizeof place, "TRINE_MODELS=%s", temp_folder());
    o.environment[0] = place;
    assert_error(run_trine(&o, "models"), 3, "models.json");
    assert_error(run_trine(&o, "fill", "-q", "x"), 3, "models.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_list_tells_each_model, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_name_and_no_name_are_the_model, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_the_directory_has_goes_before, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_is_said, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
