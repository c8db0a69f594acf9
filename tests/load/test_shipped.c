/* test_shipped.c - the list of models that ship: read, found, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/temp.h"
#include "trine/shipped.h"

static void write_list(const char *text) { temp_write("models.json", text, strlen(text)); }

static const char two[] =
    "{\"models\": ["
    "{\"name\": \"a\", \"model\": \"a.gguf\", \"about\": \"one\", \"licence\": \"MIT\", \"tasks\": [\"fill\", \"embed\"]},"
    "{\"name\": \"gone\", \"model\": \"gone.gguf\", \"about\": \"x\", \"licence\": \"MIT\", \"tasks\": [\"tag\"]},"
    "{\"name\": \"b\", \"model\": \"a.gguf\", \"adapter\": \"b\", \"about\": \"two\", \"licence\": \"MIT\","
    " \"tasks\": [\"embed\", \"tag\"]}]}";

static void models_have_names_tasks_and_paths(void **state)
{
    (void)state;
    trine_shipped s;
    write_list(two);
    temp_write("a.gguf", "x", 1);
    mkdir(temp_path("b"), 0700);
    assert_int_equal(trine_shipped_open(&s, temp_folder(), NULL), TRINE_OK);
    assert_int_equal(s.n, 2); /* one has no file */
    assert_string_equal(s.place, temp_folder());
    const trine_shipped_model *a = trine_shipped_named(&s, "a"), *b = trine_shipped_named(&s, "b");
    assert_non_null(a);
    assert_string_equal(a->path, temp_path("a.gguf"));
    assert_null(a->adapter);
    assert_string_equal(a->licence, "MIT");
    assert_string_equal(b->adapter, temp_path("b"));
    assert_ptr_equal(trine_shipped_for(&s, "embed"), a); /* the first in the list */
    assert_ptr_equal(trine_shipped_for(&s, "tag"), b);
    assert_null(trine_shipped_for(&s, "generate"));
    assert_null(trine_shipped_named(&s, "gone"));
    assert_null(trine_shipped_named(&s, NULL));
    trine_shipped_clear(&s);
    trine_shipped_clear(&s);
    trine_shipped_clear(NULL);
}

static void expect(const char *list, trine_status status, const char *says)
{
    trine_shipped s;
    trine_error err = { 0 };
    write_list(list);
    assert_int_equal(trine_shipped_open(&s, temp_folder(), &err), status);
    if (!strstr(err.text, says)) fail_msg("'%s' is not in '%s'", says, err.text);
    assert_int_equal(s.n, 0);
    assert_null(s.items);
}

static void wrong_lists_are_refused(void **state)
{
    (void)state;
    temp_write("a.gguf", "x", 1);
    expect("[]", TRINE_ERROR_FORMAT, "models.json");
    expect("{}", TRINE_ERROR_FORMAT, "a list of \"models\"");
    expect("{\"models\": [3]}", TRINE_ERROR_FORMAT, "\"name\" is no text");
    expect("{\"models\": [{\"name\": \"a\", \"model\": 1}]}", TRINE_ERROR_FORMAT, "\"model\" is no text");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"a.gguf\", \"about\": \"x\"}]}", TRINE_ERROR_FORMAT,
           "\"licence\" is no text");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"../a.gguf\", \"about\": \"x\", \"licence\": \"x\"}]}", TRINE_ERROR_FORMAT,
           "a path inside");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"/a.gguf\", \"about\": \"x\", \"licence\": \"x\"}]}", TRINE_ERROR_FORMAT,
           "a path inside");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"x/../../a.gguf\", \"about\": \"x\", \"licence\": \"x\"}]}",
           TRINE_ERROR_FORMAT, "a path inside");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"a.gguf\", \"about\": \"x\", \"licence\": \"x\", \"tasks\": 1}]}",
           TRINE_ERROR_FORMAT, "\"tasks\" is no list");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"a.gguf\", \"about\": \"x\", \"licence\": \"x\", \"tasks\": [1]}]}",
           TRINE_ERROR_FORMAT, "a task is no text");
    expect("{\"models\": [{\"name\": \"a\", \"model\": \"a.gguf\", \"about\": \"x\", \"licence\": \"x\"},"
           "{\"name\": \"a\", \"model\": \"a.gguf\", \"about\": \"x\", \"licence\": \"x\"}]}",
           TRINE_ERROR_FORMAT, "two models are called 'a'");
    unlink(temp_path("models.json"));
    trine_shipped s;
    assert_int_equal(trine_shipped_open(&s, temp_folder(), NULL), TRINE_ERROR_NOT_FOUND);
}

/* The build tree is laid out like an installation, and this program lies in it. */
static void they_are_found_from_where_the_program_is(void **state)
{
    (void)state;
    trine_shipped s;
    trine_error err = { 0 };
    const trine_status status = trine_shipped_open(&s, NULL, &err);
    if (status) fail_msg("%s", err.text);
    assert_true(s.n > 0);
    assert_non_null(trine_shipped_for(&s, "translate"));
    trine_shipped_clear(&s);
}

static void failed_allocations_leave_nothing(void **state)
{
    (void)state;
    trine_shipped s;
    write_list(two);
    temp_write("a.gguf", "x", 1);
    mkdir(temp_path("b"), 0700);
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_shipped_open(&s, temp_folder(), NULL);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(s.items);
        assert_null(s.place);
    }
    trine_shipped_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(models_have_names_tasks_and_paths, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(wrong_lists_are_refused, temp_set_up, temp_tear_down),
        cmocka_unit_test(they_are_found_from_where_the_program_is),
        cmocka_unit_test_setup_teardown(failed_allocations_leave_nothing, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
