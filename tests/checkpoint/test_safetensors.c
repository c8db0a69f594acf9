/* test_safetensors.c - files and directories of safetensors: those that are sound, and every way of lying we could think of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "support/alloc.h"
#include "support/temp.h"

static int set_up(void **state)
{
    *state = (void *)(uintptr_t)temp_make();
    temp_write("config.json", "{\"model_type\":\"bert\"}", 21);
    return 0;
}

/* A file with this header and n_data bytes 0, 1, 2... after it. */
static void write_file(const char *name, const char *header, size_t n_data)
{
    const size_t n = strlen(header);
    unsigned char *bytes = malloc(8 + n + n_data);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < n_data; i++) bytes[8 + n + i] = (unsigned char)i;
    temp_write(name, bytes, 8 + n + n_data);
    free(bytes);
}

#define TENSOR(name, dtype, shape, from, to)                                                                                       \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static void test_sound(void **state)
{
    const char *dir = *state;
    trine_checkpoint *c;
    trine_error err;
    /* Listed in another order than they lie; a scalar, an empty tensor, every type, spaces after the header. */
    write_file(
        "model.safetensors",
        "{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("b", "F16", "[2,3]", 8, 20) "," TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR(
            "none", "F32", "[3,0]", 20, 20) "," TENSOR("scalar", "I64", "[]", 20, 28) "," TENSOR("q", "BF16", "[1,1,1,1]", 28,
                                                                                                 30) "}     ",
        30);
    if (trine_checkpoint_open(&c, dir, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_checkpoint_n_tensors(c), 5);
    assert_string_equal(trine_checkpoint_container(c), "safetensors");
    assert_string_equal(trine_checkpoint_directory(c), dir);
    assert_null(trine_checkpoint_gguf(c));
    assert_string_equal(json_string_value(json_object_get(trine_checkpoint_config(c), "model_type")), "bert");
    const trine_tensor *b = trine_checkpoint_find(c, "b");
    assert_non_null(b);
    assert_int_equal(b->type, TRINE_F16);
    assert_int_equal(b->n_dims, 2);
    assert_int_equal(b->shape[0], 2);
    assert_int_equal(b->shape[1], 3);
    assert_int_equal(b->shape[2], 1);
    assert_int_equal(b->bytes, 12);
    assert_int_equal(*(const unsigned char *)b->data, 8);
    assert_string_equal(trine_checkpoint_tensor(c, 0)->name, "a");
    assert_ptr_equal(trine_checkpoint_tensor(c, 1), b);
    assert_int_equal(trine_checkpoint_find(c, "scalar")->n_dims, 0);
    assert_int_equal(trine_checkpoint_find(c, "none")->bytes, 0);
    assert_null(trine_checkpoint_find(c, "c"));
    assert_null(trine_checkpoint_find(c, "__metadata__"));
    assert_null(trine_checkpoint_tensor(c, 5));
    assert_null(trine_checkpoint_tensor(c, -1));
    trine_checkpoint_forget(c, b);
    assert_int_equal(*(const unsigned char *)b->data, 8);
    trine_checkpoint_close(c);

    /* The file alone, with its configuration beside. */
    assert_int_equal(trine_checkpoint_open(&c, temp_path("model.safetensors"), &err), TRINE_OK);
    assert_int_equal(trine_checkpoint_n_tensors(c), 5);
    trine_checkpoint_close(c);
    trine_checkpoint_close(NULL);
}

static void test_lies(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        trine_status status;
        const char *says;
    } cases[] = {
        { "{" TENSOR("a", "F32", "[2]", 0, 8) "}", 7, TRINE_ERROR_FORMAT, "outside the 7 bytes" },
        { "{" TENSOR("a", "F32", "[2]", 0, 8) "}", 9, TRINE_ERROR_FORMAT, "end at byte 8 of 9" },
        { "{" TENSOR("a", "F32", "[3]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "need another number" },
        { "{" TENSOR("a", "F16", "[2]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "need another number" },
        { "{" TENSOR("a", "F32", "[2]", 1, 9) "}", 9, TRINE_ERROR_FORMAT, "belong to no tensor" },
        { "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[2]", 4, 12) "}", 12, TRINE_ERROR_FORMAT, "overlaps" },
        { "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[2]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "overlaps" },
        { "{" TENSOR("a", "F32", "[2]", 8, 0) "}", 8, TRINE_ERROR_FORMAT, "outside" },
        { "{" TENSOR("a", "F32", "[2]", -8, 0) "}", 8, TRINE_ERROR_FORMAT, "outside" },
        { "{" TENSOR("a", "F32", "[2]", 0, 8.5) "}", 8, TRINE_ERROR_FORMAT, "data_offsets" },
        { "{" TENSOR("a", "F32", "[-2]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "not a count" },
        { "{" TENSOR("a", "F32", "[\"2\"]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "not a count" },
        { "{" TENSOR("a", "F32", "2", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "no shape" },
        { "{" TENSOR("a", "F32", "[4294967296,4294967296]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "larger than any file" },
        { "{" TENSOR("a", "F32", "[4611686018427387904,1]", 0, 0) "}", 0, TRINE_ERROR_FORMAT, "need another number" },
        { "{" TENSOR("a", "F32", "[9223372036854775808]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "not valid JSON" },
        { "{" TENSOR("a", "F32", "[1,1,1,1,2]", 0, 8) "}", 8, TRINE_ERROR_UNSUPPORTED, "5 dimensions" },
        { "{" TENSOR("a", "F8_E4M3", "[8]", 0, 8) "}", 8, TRINE_ERROR_UNSUPPORTED, "F8_E4M3" },
        { "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("a", "F32", "[2]", 0, 8) "}", 8, TRINE_ERROR_FORMAT, "not valid JSON" },
        { "{\"a\":1}", 0, TRINE_ERROR_FORMAT, "no dtype" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, TRINE_ERROR_FORMAT, "data_offsets" },
        { "[1]", 0, TRINE_ERROR_FORMAT, "not a JSON object" },
        { "{\"a\":", 0, TRINE_ERROR_FORMAT, "not valid JSON" },
        { "{} x", 0, TRINE_ERROR_FORMAT, "not valid JSON" },
        { "{\"\xff\":{}}", 0, TRINE_ERROR_FORMAT, "not valid JSON" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trine_checkpoint *c = (trine_checkpoint *)1;
        trine_error err = { 0 };
        write_file("model.safetensors", cases[i].header, cases[i].n_data);
        assert_int_equal(trine_checkpoint_open(&c, *state, &err), cases[i].status);
        assert_null(c);
        assert_int_equal(err.code, cases[i].status);
        if (!strstr(err.text, cases[i].says)) fail_msg("case %zu says '%s', expected '%s'", i, err.text, cases[i].says);
    }
}

/* Header sizes that lie, files too short, nesting without end. */
static void test_headers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        { "", 0 },
        { "\x02\0\0\0\0\0\0", 7 },
        { "\x03\0\0\0\0\0\0\0{}", 10 },
        { "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10 },
        { "\0\0\0\0\0\0\0\0", 8 },
        { "\x01\0\0\0\0\0\0\0{", 9 },
    };
    trine_checkpoint *c;
    trine_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        temp_write("model.safetensors", cases[i].bytes, cases[i].n);
        assert_int_equal(trine_checkpoint_open(&c, *state, &err), TRINE_ERROR_FORMAT);
    }
    char *deep = calloc(1, 100001);
    memset(deep, '[', 100000);
    write_file("model.safetensors", deep, 0);
    free(deep);
    assert_int_equal(trine_checkpoint_open(&c, *state, &err), TRINE_ERROR_FORMAT);
    write_file("model.safetensors", "{}", 0); /* no tensors is sound */
    assert_int_equal(trine_checkpoint_open(&c, *state, &err), TRINE_OK);
    trine_checkpoint_close(c);
}

/* --------------------------------------------------------------------------------------------------------- directories */

static void expect(const char *path, trine_status status, const char *says)
{
    trine_checkpoint *c;
    trine_error err = { 0 };
    assert_int_equal(trine_checkpoint_open(&c, path, &err), status);
    if (status && !strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
    trine_checkpoint_close(c);
    assert_int_equal(trine_checkpoint_open(&c, path, NULL), status); /* err may be NULL */
    trine_checkpoint_close(c);
}

static void write_text(const char *name, const char *text) { temp_write(name, text, strlen(text)); }

static void test_directories(void **state)
{
    const char *dir = *state;
    expect(dir, TRINE_ERROR_NOT_FOUND, "model.safetensors.index.json");
    write_text("pytorch_model.bin", "x");
    expect(dir, TRINE_ERROR_NOT_FOUND, "pytorch_model.bin");
    expect(temp_path("none"), TRINE_ERROR_NOT_FOUND, "none");
    expect(temp_path("pytorch_model.bin"), TRINE_ERROR_FORMAT, "is no model");
    expect("", TRINE_ERROR_ARGUMENT, "no path");
    write_file("model.safetensors", "{" TENSOR("a", "F32", "[2]", 0, 8) "}", 8);
    expect(dir, TRINE_OK, "");
    write_text("config.json", "{\"model_type\": }");
    expect(dir, TRINE_ERROR_FORMAT, "line 1");
    write_text("config.json", "[]");
    expect(dir, TRINE_ERROR_FORMAT, "JSON object");
    remove(temp_path("config.json"));
    expect(dir, TRINE_ERROR_NOT_FOUND, "config.json");
    expect(temp_path("model.safetensors"), TRINE_ERROR_NOT_FOUND, "config.json");
}

static void test_shards(void **state)
{
    const char *dir = *state, *index = "model.safetensors.index.json";
    write_file("one.safetensors", "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[1]", 8, 12) "}", 12);
    write_file("two.safetensors", "{" TENSOR("c", "F32", "[2]", 0, 8) "}", 8);
    write_text(index, "{\"metadata\":{\"total_size\":20},\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\",\"c\":"
                      "\"two.safetensors\"}}");
    trine_checkpoint *c;
    assert_int_equal(trine_checkpoint_open(&c, dir, NULL), TRINE_OK);
    assert_int_equal(trine_checkpoint_n_tensors(c), 3);
    assert_int_equal(*(const unsigned char *)trine_checkpoint_find(c, "b")->data, 8);
    assert_int_equal(*(const unsigned char *)trine_checkpoint_find(c, "c")->data, 0);
    trine_checkpoint_forget(c, trine_checkpoint_find(c, "c"));
    trine_checkpoint_close(c);

    /* An index that names some of a shard's tensors: the others are there as well. */
    write_text(index, "{\"weight_map\":{\"b\":\"one.safetensors\"}}");
    assert_int_equal(trine_checkpoint_open(&c, dir, NULL), TRINE_OK);
    assert_int_equal(trine_checkpoint_n_tensors(c), 2);
    assert_non_null(trine_checkpoint_find(c, "a"));
    assert_null(trine_checkpoint_find(c, "c")); /* of a shard that is not named */
    trine_checkpoint_close(c);

    static const struct {
        const char *map;
        trine_status status;
        const char *says;
    } cases[] = {
        { "{\"weight_map\":{\"c\":\"one.safetensors\"}}", TRINE_ERROR_FORMAT, "but it is not" },
        { "{\"weight_map\":{\"d\":\"two.safetensors\"}}", TRINE_ERROR_FORMAT, "but it is not" },
        { "{\"weight_map\":{\"a\":\"three.safetensors\"}}", TRINE_ERROR_NOT_FOUND, "three.safetensors' is missing" },
        { "{\"weight_map\":{\"a\":\"../one.safetensors\"}}", TRINE_ERROR_FORMAT, "without a path" },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", TRINE_ERROR_FORMAT, "without a path" },
        { "{\"weight_map\":{\"a\":\"..\"}}", TRINE_ERROR_FORMAT, "without a path" },
        { "{\"weight_map\":{\"a\":\"\"}}", TRINE_ERROR_FORMAT, "without a path" },
        { "{\"weight_map\":{\"a\":7}}", TRINE_ERROR_FORMAT, "no text" },
        { "{\"weight_map\":{}}", TRINE_ERROR_FORMAT, "weight_map" },
        { "{\"weight_map\":[]}", TRINE_ERROR_FORMAT, "weight_map" },
        { "{}", TRINE_ERROR_FORMAT, "weight_map" },
        { "{\"weight_map\":", TRINE_ERROR_FORMAT, "not valid JSON" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(index, cases[i].map);
        expect(dir, cases[i].status, cases[i].says);
    }
    /* One tensor in two shards. */
    write_file("two.safetensors", "{" TENSOR("a", "F32", "[2]", 0, 8) "}", 8);
    write_text(index, "{\"weight_map\":{\"b\":\"one.safetensors\",\"a\":\"two.safetensors\"}}");
    expect(dir, TRINE_ERROR_FORMAT, "twice");
}

/* ------------------------------------------------------------------------------------------------------------- writing */

static void test_write(void **state)
{
    const char *dir = *state;
    const float a[6] = { 1, 2, 3, 4, 5, 6 };
    const uint16_t b[3] = { 7, 8, 9 };
    trine_tensor tensors[3] = {
        { .name = "plain", .type = TRINE_F32, .n_dims = 2, .shape = { 2, 3, 1, 1 }, .data = a, .bytes = sizeof a },
        { .name = "quote \" and \xC3\xA9", .type = TRINE_BF16, .n_dims = 1, .shape = { 3, 1, 1, 1 }, .data = b, .bytes = sizeof b },
        { .name = "scalar", .type = TRINE_F32, .n_dims = 0, .shape = { 1, 1, 1, 1 }, .data = a, .bytes = 4 }
    };
    trine_error err;
    const char *path = temp_path("model.safetensors");
    assert_int_equal(trine_safetensors_write(path, tensors, 3, "{\"format\":\"pt\"}", false, &err), TRINE_OK);
    trine_checkpoint *c;
    if (trine_checkpoint_open(&c, dir, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) {
        const trine_tensor *t = trine_checkpoint_find(c, tensors[i].name);
        assert_non_null(t);
        assert_int_equal(t->type, tensors[i].type);
        assert_int_equal(t->n_dims, tensors[i].n_dims);
        assert_memory_equal(t->shape, tensors[i].shape, sizeof t->shape);
        assert_memory_equal(t->data, tensors[i].data, t->bytes);
    }
    assert_int_equal((uintptr_t)trine_checkpoint_find(c, "plain")->data % 8, 0);
    trine_checkpoint_close(c);

    assert_int_equal(trine_safetensors_write(path, tensors, 3, NULL, false, &err), TRINE_ERROR_IO);
    assert_int_equal(trine_safetensors_write(path, tensors, 0, NULL, true, &err), TRINE_OK);
    assert_int_equal(trine_safetensors_write(path, NULL, 0, "{\"a\":\"b\"}", true, &err), TRINE_OK);
    assert_int_equal(trine_checkpoint_open(&c, dir, &err), TRINE_OK);
    trine_checkpoint_close(c);
    tensors[0].bytes--;
    assert_int_equal(trine_safetensors_write(path, tensors, 3, NULL, true, &err), TRINE_ERROR_ARGUMENT);
    tensors[0] = (trine_tensor) { .name = "q", .type = TRINE_Q8_0, .n_dims = 1, .shape = { 32, 1, 1, 1 }, .data = a, .bytes = 34 };
    assert_int_equal(trine_safetensors_write(path, tensors, 1, NULL, true, &err), TRINE_ERROR_UNSUPPORTED);
    assert_int_equal(temp_count(dir), 2);
}

/* ------------------------------------------------------------------------------------------------- allocation failures */

static void test_no_memory(void **state)
{
    const char *dir = *state;
    write_file("one.safetensors", "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[1]", 8, 12) "}", 12);
    write_text("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}");
    json_set_alloc_funcs(malloc, free); /* so that jansson fails too */
    trine_status status;
    long k = 0;
    do {
        trine_checkpoint *c;
        trine_error err = { 0 };
        alloc_fail_at(++k);
        status = trine_checkpoint_open(&c, dir, &err);
        alloc_fail_at(0);
        if (status != TRINE_OK && status != TRINE_ERROR_MEMORY) fail_msg("allocation %ld: %s", k, err.text);
        assert_true(!status == (c != NULL));
        trine_checkpoint_close(c);
    } while (status && k < 1000);
    assert_int_equal(status, TRINE_OK);
    assert_in_range(k, 20, 999);

    const float a[2] = { 1, 2 };
    const trine_tensor t = { .name = "a", .type = TRINE_F32, .n_dims = 1, .shape = { 2, 1, 1, 1 }, .data = a, .bytes = 8 };
    k = 0;
    do {
        alloc_fail_at(++k);
        status = trine_safetensors_write(temp_path("out"), &t, 1, NULL, false, NULL);
        alloc_fail_at(0);
        assert_true(status == TRINE_OK || status == TRINE_ERROR_MEMORY);
    } while (status && k < 1000);
    assert_int_equal(status, TRINE_OK);
    assert_in_range(k, 4, 999);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temp_tear_down)
    const struct CMUnitTest tests[] = { TEST(test_sound),  TEST(test_lies),  TEST(test_headers),  TEST(test_directories),
                                        TEST(test_shards), TEST(test_write), TEST(test_no_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
