/* Chat templates against what jinja2 made of the same ones (tools/make_template_fixtures.py), and their failures. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "trine.h"

enum { MESSAGES_MAX = 16 };

static int read_messages(trine_message *out, const json_t *list)
{
    const int n = (int)json_array_size(list);
    assert_true(n <= MESSAGES_MAX);
    for (int i = 0; i < n; i++) {
        out[i].role = json_string_value(json_object_get(json_array_get(list, (size_t)i), "role"));
        out[i].content = json_string_value(json_object_get(json_array_get(list, (size_t)i), "content"));
    }
    return n;
}

static void same_as_jinja2(void **state)
{
    (void)state;
    json_error_t error;
    json_t *root = json_load_file(TRINE_FIXTURES "/tasks/templates.json", JSON_ALLOW_NUL, &error);
    assert_non_null(root);
    const json_t *templates = json_object_get(root, "templates"), *cases = json_object_get(root, "cases"), *c;
    size_t i, n_wrong = 0;
    assert_true(json_array_size(cases) > 500);
    json_array_foreach(cases, i, c)
    {
        trine_message messages[MESSAGES_MAX];
        const int n = read_messages(messages, json_object_get(c, "messages"));
        const char *template =
            json_string_value(json_array_get(templates, (size_t)json_integer_value(json_object_get(c, "template"))));
        const char *expected = json_string_value(json_object_get(c, "text")); /* NULL: jinja2 fails too */
        char *text;
        trine_error err;
        const trine_status status =
            trine_chat_render(&text, NULL, template, messages, n, json_is_true(json_object_get(c, "prompt")), &err);
        const bool same = expected ? status == TRINE_OK && !strcmp(text, expected) : status != TRINE_OK;
        if (!same) {
            print_message("%s\n  template  %s\n  expected  %s\n  got       %s\n", json_string_value(json_object_get(c, "name")),
                          template, expected ? expected : "a failure", status ? err.text : text);
            n_wrong++;
        }
        trine_free(text);
    }
    json_decref(root);
    assert_int_equal(n_wrong, 0);
}

static const trine_message hello[] = { { "user", "Hi" } };

static trine_status render(const char *template, char *said)
{
    char *text;
    trine_error err;
    const trine_status status = trine_chat_render(&text, NULL, template, hello, 1, false, &err);
    strcpy(said, status ? err.text : "");
    if (!status && strlen(text) < 400) strcpy(said, text);
    if (status) assert_null(text);
    trine_free(text);
    return status;
}

static void failures_name_construct_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        trine_status status;
        const char *says;
    } cases[] = {
        { "a\nb{% include 'x' %}", TRINE_ERROR_UNSUPPORTED, "line 2: {% include %} is not supported" },
        { "{% for x in [] recursive %}{% endfor %}", TRINE_ERROR_UNSUPPORTED, "'recursive'" },
        { "\n\n{{ 'x'|frobnicate }}", TRINE_ERROR_UNSUPPORTED, "line 3: the filter 'frobnicate'" },
        { "{{ 1 is frobnicated }}", TRINE_ERROR_UNSUPPORTED, "the test 'is frobnicated'" },
        { "{{ 'x'.frobnicate() }}", TRINE_ERROR_UNSUPPORTED, "the method 'frobnicate' of a str" },
        { "{{ frobnicate(1) }}", TRINE_ERROR_UNSUPPORTED, "no function 'frobnicate'" },
        { "{{ '%s' % 1 }}", TRINE_ERROR_UNSUPPORTED, "formatting" },
        { "{% if x %}", TRINE_ERROR_FORMAT, "ends without {% endif %}" },
        { "{% for x in [] %}{% endif %}", TRINE_ERROR_FORMAT, "'endif'" },
        { "{{ 1 + }}", TRINE_ERROR_FORMAT, "found '}}' where an expression was expected" },
        { "x {{ 'abc }}", TRINE_ERROR_FORMAT, "has no end" },
        { "{# ", TRINE_ERROR_FORMAT, "no #}" },
        { "{% raw %}", TRINE_ERROR_FORMAT, "endraw" },
        { "{{ nope.x }}", TRINE_ERROR_FORMAT, "'nope' is undefined" },
        { "{{ 'a' + 1 }}", TRINE_ERROR_FORMAT, "cannot join a str and a int" },
        { "{{ 1 // 0 }}", TRINE_ERROR_FORMAT, "division by zero" },
        { "{% break %}", TRINE_ERROR_FORMAT, "outside a loop" },
        { "{{ raise_exception('only ' ~ 2 ~ ' turns') }}", TRINE_ERROR_ARGUMENT, "line 1: only 2 turns" },
        { "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", TRINE_ERROR_TOO_LONG, "nests deeper" },
        { "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", TRINE_ERROR_TOO_LONG, "more than" },
        { "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
          TRINE_ERROR_TOO_LONG, "MiB" },
        { "{{ 'x' * 9999999999 }}", TRINE_ERROR_TOO_LONG, "too large" },
        { "{{ range(1000000)|length }}", TRINE_ERROR_TOO_LONG, "range()" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[512];
        const trine_status status = render(cases[i].template, said);
        if (status != cases[i].status || !strstr(said, cases[i].says))
            fail_msg("%s\n  expected %s ... %s\n  got %s %s", cases[i].template, trine_status_name(cases[i].status), cases[i].says,
                     trine_status_name(status), said);
    }
}

static void deep_templates_end(void **state)
{
    (void)state;
    static const char *const pieces[] = { "(", "[", "-", "not ", "{'a':", "x.y(", "1 if ", "x[" };
    char said[512];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const size_t n = 100000, step = strlen(pieces[i]);
        char *text = malloc(n * step + 16);
        assert_non_null(text);
        strcpy(text, "{{ ");
        for (size_t k = 0; k < n; k++) memcpy(text + 3 + k * step, pieces[i], step);
        strcpy(text + 3 + n * step, " }}");
        assert_int_not_equal(render(text, said), TRINE_OK);
        free(text);
    }
}

static void arguments_are_checked(void **state)
{
    (void)state;
    trine_error err;
    char *text;
    const trine_message no_role = { NULL, "x" }, no_content = { "user", NULL };
    assert_int_equal(trine_chat_render(&text, NULL, NULL, hello, 1, true, &err), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_chat_render(&text, NULL, "x", &no_role, 1, true, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_chat_render(&text, NULL, "x", &no_content, 1, true, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_chat_render(&text, NULL, "x", NULL, -1, true, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_chat_render(&text, NULL, "", NULL, 0, true, &err), TRINE_OK);
    assert_string_equal(text, "");
    trine_free(text);
}

static void invalid_utf8_is_replaced(void **state)
{
    (void)state;
    const trine_message message = { "user", "a\xff\xe2\x82z" };
    char *text;
    assert_int_equal(
        trine_chat_render(&text, NULL, "{{ messages[0].content }}|{{ messages[0].content|length }}", &message, 1, true, NULL),
        TRINE_OK);
    assert_string_equal(text, "a\xef\xbf\xbd\xef\xbf\xbdz|4");
    trine_free(text);
}

static void today_is_told(void **state)
{
    (void)state;
    char said[512];
    assert_int_equal(render("{{ strftime_now('%Y-%m-%d')|length }}", said), TRINE_OK);
    assert_string_equal(said, "10");
}

static void memory_fails_at_each_call(void **state)
{
    (void)state;
    static const char template[] = "{% macro m(a) %}<{{ a|upper }}>{% endmacro %}{% set x %}b{{ messages|tojson }}{% endset %}"
                                   "{% for m2 in messages if m2.role is string %}{{ m(m2.role) }}{{ m2.content.split('i') }}{{ "
                                   "'a'.replace('a', 'b') }}{% endfor %}{{ x }}";
    for (long k = 1;; k++) {
        char *text;
        trine_error err;
        alloc_fail_at(k);
        const trine_status status = trine_chat_render(&text, NULL, template, hello, 1, true, &err);
        alloc_fail_at(0);
        if (status == TRINE_OK) {
            assert_true(k > 3);
            assert_string_equal(text, "<USER>['H', '']bb[{\"role\": \"user\", \"content\": \"Hi\"}]");
            trine_free(text);
            break;
        }
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_jinja2),
        cmocka_unit_test(failures_name_construct_and_line),
        cmocka_unit_test(deep_templates_end),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(today_is_told),
        cmocka_unit_test(memory_fails_at_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
