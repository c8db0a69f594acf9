/* run_trine.h - the command as the tests of it run it. */
#ifndef TRINE_TESTS_RUN_TRINE_H
#define TRINE_TESTS_RUN_TRINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/process.h"
#include "support/temp.h"

#define MODELS TRINE_FIXTURES "/command/"
#define MLM MODELS "bert-mlm"
#define LABELS MODELS "bert-labels"
#define TAGS MODELS "bert-tags"
#define LLAMA MODELS "llama-chat"
#define T5 MODELS "t5"

/* trine with the arguments that follow: run_trine(&options, "fill", "-m", MLM, "text"). */
#define run_trine(options, ...) process_run((const char *const[]) { TRINE_COMMAND, __VA_ARGS__, NULL }, options)

/* A fixture's model, copied to temp_path(name) and changed there by a line of shell. */
static inline const char *changed_model(const char *name, const char *fixture, const char *change)
{
    char command[1000];
    const char *path = temp_path(name);
    snprintf(command, sizeof command, "cp -r '%s' '%s' && cd '%s' && %s", fixture, path, path, change);
    if (system(command)) fail_msg("%s", command);
    return path;
}

/* The fixture that writes, with positions for 4096 tokens: more than a pass of a decoder takes by default. */
static inline const char *long_decoder(void)
{
    return changed_model("long", LLAMA,
                         "sed -i 's/\"max_position_embeddings\": 256/\"max_position_embeddings\": 4096/' config.json");
}

/* "first,5,...,5" of n tokens. */
static inline const char *many_ids(int first, int n)
{
    static char ids[20000];
    size_t used = (size_t)snprintf(ids, sizeof ids, "%d", first);
    for (int i = 1; i < n; i++) used += (size_t)snprintf(ids + used, sizeof ids - used, ",5");
    return ids;
}

/* Ends the test with what the program said when its status is not the expected one. */
static inline void assert_status(const process_result *r, int status)
{
    if (r->status != status)
        fail_msg("exit status %d, expected %d\n--- stdout\n%.2000s\n--- stderr\n%.2000s", r->status, status, r->out, r->err);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' is not in:\n%.3000s", part, text);
}

/* Characters of the longest line; none may be wider than a terminal. */
static inline int longest_line(const char *text)
{
    int longest = 0, n = 0;
    for (; *text; text++) {
        if (*text == '\n')
            n = 0;
        else if (((unsigned char)*text & 0xC0) != 0x80)
            n++;
        if (n > longest) longest = n;
    }
    return longest;
}

static inline void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part)) fail_msg("'%s' is in:\n%.3000s", part, text);
}

/* An error must be one line (two with the hint) that begins with the program's name, and nothing may be on standard output. */
static inline void assert_error(process_result r, int status, const char *says)
{
    assert_status(&r, status);
    assert_int_equal(strncmp(r.err, "trine", 5), 0);
    assert_contains(r.err, says);
    assert_string_equal(r.out, "");
    process_result_clear(&r);
}

/* The document on line `i` (from 0) of standard output; the test fails when it is not JSON. */
static inline json_t *document(const process_result *r, int i)
{
    const char *line = r->out;
    for (; i > 0 && line; i--) {
        line = strchr(line, '\n');
        if (line) line++;
    }
    if (!line || !*line) fail_msg("no such line in:\n%.2000s", r->out ? r->out : "");
    json_error_t err;
    json_t *doc = json_loadb(line, strcspn(line, "\n"), JSON_REJECT_DUPLICATES, &err);
    if (!doc) fail_msg("not JSON: %s\n%.2000s", err.text, line);
    return doc;
}

/* Runs a command that must succeed and gives its first document. */
static inline json_t *only_document(process_result r)
{
    assert_status(&r, 0);
    json_t *doc = document(&r, 0);
    assert_int_equal(strlen(r.out), strcspn(r.out, "\n") + 1); /* one line */
    process_result_clear(&r);
    return doc;
}

static inline double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("'%s' is no number", key);
    return json_number_value(value);
}

static inline const char *text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) fail_msg("'%s' is no text", key);
    return json_string_value(value);
}

static inline const json_t *array_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_array(value)) fail_msg("'%s' is no array", key);
    return value;
}

#endif
