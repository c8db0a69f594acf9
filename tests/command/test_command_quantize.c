/* test_command_quantize.c - trine quantize: its document, its table, what it refuses, and that the other commands run its files. */
#include "run_trine.h"

typedef struct folder {
    char path[64], file[128], other[128];
} folder;

static int set_up(void **state)
{
    static folder f;
    f = (folder) { .path = "/tmp/trine_quantize_XXXXXX" };
    if (!mkdtemp(f.path)) return -1;
    snprintf(f.file, sizeof f.file, "%s/q.gguf", f.path);
    snprintf(f.other, sizeof f.other, "%s/other", f.path);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    const folder *f = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", f->path);
    return system(command);
}

static const json_t *share_of(const json_t *doc, const char *type)
{
    const json_t *types = array_of(doc, "types");
    for (size_t i = 0; i < json_array_size(types); i++)
        if (!strcmp(text_of(json_array_get(types, i), "type"), type)) return json_array_get(types, i);
    fail_msg("no '%s' among the types", type);
    return NULL;
}

static void the_document_adds_up(void **state)
{
    const folder *f = *state;
    json_t *doc = only_document(
        run_trine(NULL, "quantize", "-m", LLAMA, "-o", f->file, "--type", "q4_0", "--tensor", "ffn_down=q8_0", "--json"));
    assert_string_equal(text_of(doc, "out"), f->file);
    assert_int_equal((int)number_of(doc, "files"), 1);
    double tensors = 0, values = 0, before = 0, after = 0;
    for (size_t i = 0; i < json_array_size(array_of(doc, "types")); i++) {
        const json_t *share = json_array_get(array_of(doc, "types"), i);
        tensors += number_of(share, "tensors");
        values += number_of(share, "parameters");
        before += number_of(share, "bytes_before");
        after += number_of(share, "bytes_after");
    }
    assert_true(tensors == number_of(doc, "tensors") && values == number_of(doc, "parameters"));
    assert_true(before == number_of(doc, "bytes_before") && after == number_of(doc, "bytes_after"));
    assert_true(before == 4 * values && number_of(doc, "bytes") > after);
    assert_float_equal((float)number_of(doc, "bits_per_weight"), (float)(8 * after / values), 1e-3f);
    assert_true(json_is_false(json_object_get(doc, "from_quantized")));
    /* Rows of 32 take blocks of 32, those of 16 none: f16. */
    assert_int_equal((int)number_of(share_of(doc, "q8_0"), "bytes_after"),
                     (int)number_of(share_of(doc, "q8_0"), "parameters") / 32 * 34);
    assert_true(number_of(doc, "replaced") == number_of(share_of(doc, "f16"), "tensors"));
    json_decref(doc);
    doc = only_document(run_trine(NULL, "inspect", f->file, "--json"));
    assert_string_equal(text_of(doc, "family"), "llama");
    json_decref(doc);
    doc = only_document(run_trine(NULL, "quantize", f->file, f->other, "--type", "f16", "--json"));
    assert_true(json_is_true(json_object_get(doc, "from_quantized")));
    json_decref(doc);
    doc = only_document(run_trine(NULL, "generate", "-m", f->other, "--json", "--temp", "0", "-n", "4", "A cat"));
    json_decref(doc);
}

static void the_table_and_notes(void **state)
{
    const folder *f = *state;
    process_result r = run_trine(NULL, "quantize", T5, f->file, "--type", "q4_k_m");
    assert_status(&r, 0);
    assert_contains(r.out, "type   tensors");
    assert_contains(r.out, "bf16");
    assert_contains(r.out, "all");
    assert_contains(r.err, "f16 in place of q4_k");
    assert_contains(r.err, "second matrices");
    process_result_clear(&r);
    r = run_trine(NULL, "quantize", "-q", "--overwrite", T5, f->file, "--type", "Q8_0", "-t", "2");
    assert_status(&r, 0);
    assert_string_equal(r.err, "");
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "translate", "-m", f->file, "--json", "--to", "de", "-n", "4", "a cat"));
    json_decref(doc);
    r = run_trine(NULL, "quantize", "-q", "--overwrite", MLM, f->file, "--type", "q5_1");
    assert_status(&r, 0);
    process_result_clear(&r);
    doc = only_document(run_trine(NULL, "fill", "-m", f->file, "--json", "a [MASK]"));
    json_decref(doc);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void what_it_costs_is_measured(void **state)
{
    const folder *f = *state;
    static const struct {
        const char *model, *text, *task, *figure, *extra[4];
    } cases[] = {
        { LLAMA, "A cat, a dog. A cat sat on the mat.", "lm", "perplexity", { "-c", "16" } },
        { MLM, "a cat sat on the mat\na dog sat", "mlm", "accuracy", { "--seed", "1" } },
        { T5, "a cat\tthe cat\na dog\tthe dog\n", "translate", "bleu", { "--task", "translate", "--to", "de" } },
        { T5, "a cat\tthe cat\na dog\tthe dog\n", "translate", "chrf", { "--to", "de" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(f->other, cases[i].text);
        const char *const *e = cases[i].extra;
        json_t *doc =
            only_document(run_trine(NULL, "quantize", cases[i].model, f->file, "--overwrite", "--type", "q8_0", "--json",
                                    "--measure", f->other, "-n", "6", e[0], e[1], e[2] ? e[2] : "-q", e[3] ? e[3] : "-q"));
        const json_t *m = json_object_get(doc, "measure");
        assert_string_equal(text_of(m, "task"), cases[i].task);
        number_of(json_object_get(m, "original"), cases[i].figure);
        number_of(json_object_get(m, "quantized"), cases[i].figure);
        assert_true(number_of(m, "kl") > 0 && number_of(m, "kl") < 0.1);
        assert_true(number_of(m, "same_top") > 0 && number_of(m, "same_top") <= 1);
        assert_true(number_of(m, "tokens") >= 1);
        json_decref(doc);
    }
    process_result r = run_trine(NULL, "quantize", "-q", LLAMA, f->file, "--overwrite", "--type", "bf16", "--measure", f->other);
    assert_status(&r, 0);
    assert_contains(r.out, "perplexity");
    assert_contains(r.out, "KL divergence");
    assert_contains(r.out, "same top token");
    process_result_clear(&r);
    remove(f->file);
    assert_error(run_trine(NULL, "quantize", "-q", LABELS, f->file, "--type", "q8_0", "--measure", f->other), 3, "trine eval");
    assert_error(run_trine(NULL, "quantize", "-q", LLAMA, f->file, "--type", "q8_0", "--measure", "/nonexistent"), 3,
                 "/nonexistent");
    assert_error(run_trine(NULL, "quantize", "-q", T5, f->file, "--type", "q8_0", "--measure", f->other), 2, "no task");
    assert_error(
        run_trine(NULL, "quantize", "-q", TRINE_FIXTURES "/models/bert-plain", f->file, "--type", "q8_0", "--measure", f->other), 3,
        "is a bert encoder without a head; --measure needs a head");
    assert_true(access(f->file, F_OK) != 0); /* refused before anything was written */
}

static void wrong_usage_is_refused(void **state)
{
    const folder *f = *state;
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file), 2, "expected --type");
    assert_error(run_trine(NULL, "quantize", LLAMA, "--type", "q8_0"), 2, "no model");
    assert_error(run_trine(NULL, "quantize", "-m", LLAMA, "--type", "q8_0"), 2, "-o OUT");
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file, "--type", "q3_k"), 2, "one of f32|f16");
    assert_error(run_trine(NULL, "quantize", LLAMA, f->other, "--type", "q4_0"), 2, "safetensors has no quantised types");
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file, "--type", "q4_0", "--tensor", "attn_v"), 2, "NAME=TYPE");
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file, "--type", "q4_0", "--tensor", "=q8_0"), 2, "NAME=TYPE");
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file, "--type", "q4_0", "--tensor", "attn_v=q4_k_m"), 2, "one of f32|");
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file, "--type", "q4_0", "--tensor", "nothing=q8_0"), 2, "nothing");
    assert_error(run_trine(NULL, "quantize", "/nonexistent/model", f->file, "--type", "q4_0"), 3, "/nonexistent/model");
    assert_error(run_trine(NULL, "quantize", LLAMA, "/nonexistent/q.gguf", "--type", "q4_0"), 1, "/nonexistent");
    process_options low = { .file_size = 512 };
    assert_error(run_trine(&low, "quantize", "-q", LLAMA, f->file, "--type", "f32"), 1, "File too large");
    assert_true(access(f->file, F_OK) != 0);
    process_result r = run_trine(NULL, "quantize", "-q", LLAMA, f->file, "--type", "q8_0");
    assert_status(&r, 0);
    process_result_clear(&r);
    assert_error(run_trine(NULL, "quantize", LLAMA, f->file, "--type", "q8_0"), 1, "--overwrite");
    assert_error(run_trine(NULL, "quantize", f->file, f->file, "--type", "q8_0", "--overwrite"), 2, "the input itself");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = { TEST(the_document_adds_up), TEST(the_table_and_notes), TEST(what_it_costs_is_measured),
                                        TEST(wrong_usage_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
