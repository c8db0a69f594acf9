/* Readers of example files: every form, and what they say of files that are not what they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "tasks/data.h"

static char path[64];

/* Writes a file for one test; `suffix` is its extension. */
static const char *file_of(const char *suffix, const char *content, size_t n)
{
    snprintf(path, sizeof path, "test_data_%ld%s", (long)getpid(), suffix);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static const char *const label_names[] = { "label", NULL }, *const text_names[] = { "text", "sentence", "content", NULL };
static const trine_column columns[] = { { "label", "--label", NULL, label_names, false },
                                        { "text", "--text", NULL, text_names, false },
                                        { "note", "--note", NULL, (const char *const[]) { "note", NULL }, true } };

/* The rows of a file as "label|text|line;"; the error's text when there is one. */
static trine_status read_all(char *out, size_t cap, const char *suffix, const char *content, bool may_lack_header)
{
    trine_rows *rows;
    trine_error err;
    size_t n = 0;
    out[0] = 0;
    trine_status status =
        trine_rows_open(&rows, file_of(suffix, content, strlen(content)), columns, may_lack_header ? 2 : 3, may_lack_header, &err);
    for (bool more = !status; !status && more;) {
        status = trine_rows_next(&more, rows, &err);
        if (status || !more) break;
        const trine_field *label = trine_rows_field(rows, 0), *text = trine_rows_field(rows, 1);
        n += (size_t)snprintf(out + n, cap - n, "%s|", label->items[0]);
        for (int i = 0; i < text->n; i++) n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? "+" : "", text->items[i]);
        const trine_field *note = may_lack_header ? NULL : trine_rows_field(rows, 2);
        if (note && note->n) n += (size_t)snprintf(out + n, cap - n, "(%s)", note->items[0]);
        n += (size_t)snprintf(out + n, cap - n, "|%d;", trine_rows_line(rows));
    }
    if (status) snprintf(out, cap, "%s", err.text);
    trine_rows_close(rows);
    unlink(path);
    return status;
}

static void tables(void **state)
{
    (void)state;
    static const struct {
        const char *suffix, *content, *rows;
        bool may_lack_header;
    } cases[] = {
        { ".tsv", "label\tsentence\n0\tit 's \"good\" .\n\n1\tbad\n", "0|it 's \"good\" .|2;1|bad|4;", false },
        { ".tsv", "\xef\xbb\xbfsentence\tlabel\r\nx y\t1\r\nz\t0", "1|x y|2;0|z|3;", false },
        { ".csv", "label,text\n1,\"a, \"\"b\"\"\nc\"\n\"2\",d\n3,\"\"\n", "1|a, \"b\"\nc|2;2|d|4;3||5;", false },
        { ".csv", "text,label,extra\r\n\"q\",1,\r\n", "1|q|2;", false },
        { ".txt", "label,content\n5,x\n", "5|x|2;", false },
        { ".jsonl", "{\"label\": 1, \"text\": \"a\\nb\"}\n\n{\"text\": [\"c\", \"d\"], \"label\": \"neg\"}", "1|a\nb|1;neg|c+d|3;",
          false },
        { ".jsonl",
          "{\"label\": 1, \"text\": \"a\"}\n{\"label\": 2, \"text\": \"b\", \"note\": \"n\"}\n{\"label\": 3, \"text\": \"c\"}\n",
          "1|a|1;2|b(n)|2;3|c|3;", false }, /* what is optional may come later, and be missing again */
        { ".json", "{\"translation\": {\"label\": \"x\", \"text\": \"y\"}}\n", "x|y|1;", false },
        { ".tsv", "Hi.\tHallo!\nRun!\tLauf!\tmore\n", "Hi.|Hallo!|1;Run!|Lauf!|2;", true },
        { ".tsv", "label\ttext\nHi.\tHallo!\n", "Hi.|Hallo!|2;", true },
        { ".tsv", "a\t\n", "a||1;", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[512];
        read_all(got, sizeof got, cases[i].suffix, cases[i].content, cases[i].may_lack_header);
        assert_string_equal(got, cases[i].rows);
    }
}

static void bad_tables(void **state)
{
    (void)state;
    static const struct {
        const char *suffix, *content, *says;
    } cases[] = {
        { ".tsv", "", "empty" },
        { ".tsv", " \n\n", "the file is empty" },
        { ".tsv", "label\tbody\n1\tx\n",
          "no column for the text (text, sentence, content); there are: label, body. Name one (--text)" },
        { ".tsv", "label\ttext\n1\tx\n2\n", "line 3: 1 column, and the header has 2" },
        { ".tsv", "label\ttext\n1\tx\ty\n", "line 2: 3 columns, and the header has 2" },
        { ".csv", "label,text\n1,\"open\n\n", "line 2: a quote that opens in this row is not closed" },
        { ".csv", "label,text\n1,\"a\"b\n", "line 2: 'b' after a closing quote" },
        { ".jsonl", "{\"label\": 1, \"text\": \"a\"}\n{\"label\": 1, \"text\": \n", "line 2: not a JSON object on one line" },
        { ".jsonl", "{\"label\": 1, \"text\": \"a\"}\n[1]\n", "line 2: not a JSON object" },
        { ".jsonl", "{\"label\": 1, \"text\": \"a\"}\n{\"label\": 1}\n", "line 2: there is no \"text\"" },
        { ".jsonl", "{\"label\": 1, \"text\": {}}\n", "line 1: \"text\" is not a text" },
        { ".jsonl", "{\"label\": 1, \"text\": []}\n", "line 1: \"text\" is an empty list" },
        { ".jsonl", "{\"label\": 1, \"text\": [1]}\n", "item 1 of \"text\" is not a text" },
        { ".jsonl", "{\"a\": 1}\n", "there are: a" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[512];
        const trine_status status = read_all(got, sizeof got, cases[i].suffix, cases[i].content, false);
        assert_int_equal(status, TRINE_ERROR_FORMAT);
        if (!strstr(got, cases[i].says)) fail_msg("expected ... %s ...\ngot %s", cases[i].says, got);
    }
    char got[512];
    assert_int_equal(read_all(got, sizeof got, ".tsv", "only one column\n", true), TRINE_ERROR_FORMAT);
    assert_non_null(strstr(got, "line 1: 1 column, expected label and text"));
    trine_rows *rows;
    trine_error err;
    assert_int_equal(trine_rows_open(&rows, file_of(".tsv", "label\ttext\n1\t\0x\n", 15), columns, 2, false, &err),
                     TRINE_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "line 2: a zero byte"));
    assert_null(rows);
    unlink(path);
    assert_int_equal(trine_rows_open(&rows, "no such file", columns, 2, false, &err), TRINE_ERROR_NOT_FOUND);
}

static void a_named_column(void **state)
{
    (void)state;
    const trine_column named[] = { { "label", "--label", "y", label_names, false }, { "text", "--text", "x", text_names, false } };
    trine_rows *rows;
    trine_error err;
    bool more;
    assert_int_equal(trine_rows_open(&rows, file_of(".tsv", "x\ty\ttext\na\tb\tc\n", 15), named, 2, false, &err), TRINE_OK);
    assert_int_equal(trine_rows_next(&more, rows, &err), TRINE_OK);
    assert_string_equal(trine_rows_field(rows, 0)->items[0], "b");
    assert_string_equal(trine_rows_field(rows, 1)->items[0], "a");
    trine_rows_close(rows);
    const trine_column wrong[] = { { "label", "--label", "nope", label_names, false } };
    assert_int_equal(trine_rows_open(&rows, path, wrong, 1, true, &err), TRINE_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "no column 'nope' for the label; there are: x, y, text"));
    unlink(path);
}

static trine_status read_conll(char *out, size_t cap, const char *content)
{
    trine_conll *c;
    trine_error err;
    size_t n = 0;
    out[0] = 0;
    trine_status status = trine_conll_open(&c, file_of(".conll", content, strlen(content)), &err);
    for (bool more = !status; !status && more;) {
        trine_tagged s;
        status = trine_conll_next(&more, &s, c, &err);
        for (int i = 0; i < s.n && !status; i++) n += (size_t)snprintf(out + n, cap - n, "%s/%s ", s.words[i], s.tags[i]);
        if (!status && more) n += (size_t)snprintf(out + n, cap - n, "@%d\n", s.line);
    }
    if (status) snprintf(out, cap, "%s", err.text);
    trine_conll_close(c);
    unlink(path);
    return status;
}

static void conll(void **state)
{
    (void)state;
    char got[512];
    assert_int_equal(
        read_conll(got, sizeof got, "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\r\n\n\n\nPeter\tB-PER\n"),
        TRINE_OK);
    assert_string_equal(got, "EU/B-ORG rejects/O @3\nPeter/B-PER @8\n");
    /* comments stand before a sentence and have a sign of equality; a word may be a hash */
    assert_int_equal(read_conll(got, sizeof got, "# id 3 domain=en\na O\n# B-X\n\n# O\nb O\n"), TRINE_OK);
    assert_string_equal(got, "a/O #/B-X @2\n#/O b/O @5\n");
    assert_int_equal(read_conll(got, sizeof got, "a\tO\nlonely\n"), TRINE_ERROR_FORMAT);
    assert_non_null(strstr(got, "line 2: expected a word and its tag"));
    assert_int_equal(read_conll(got, sizeof got, "\n\n"), TRINE_ERROR_FORMAT);
}

static void memory_fails_at_each_call(void **state)
{
    (void)state;
    static const char *const contents[] = { "label\ttext\n1\ta\n", "{\"label\": 1, \"text\": [\"a\", \"b\"]}\n", "a O\nb O\n" };
    for (int i = 0; i < 3; i++) {
        for (long k = 1;; k++) {
            file_of(i == 1 ? ".jsonl" : ".tsv", contents[i], strlen(contents[i]));
            trine_rows *rows = NULL;
            trine_conll *c = NULL;
            trine_tagged s;
            bool more;
            alloc_fail_at(k);
            trine_status status = i == 2 ? trine_conll_open(&c, path, NULL) : trine_rows_open(&rows, path, columns, 3, false, NULL);
            if (!status) status = i == 2 ? trine_conll_next(&more, &s, c, NULL) : trine_rows_next(&more, rows, NULL);
            alloc_fail_at(0);
            trine_rows_close(rows);
            trine_conll_close(c);
            if (status == TRINE_OK) break;
            assert_int_equal(status, TRINE_ERROR_MEMORY);
        }
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(bad_tables),
        cmocka_unit_test(a_named_column),
        cmocka_unit_test(conll),
        cmocka_unit_test(memory_fails_at_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
