/* test_command_results.c - the document of every command, with tiny models: its keys, its types, what must hold between them. */
#include "run_trine.h"
#include "trine.h"

#include <math.h>

static void inspect_describes_a_model(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "inspect", "-m", MLM, "--json"));
    assert_string_equal(text_of(doc, "family"), "bert");
    assert_string_equal(text_of(doc, "paradigm"), "encoder");
    assert_int_equal((int)number_of(doc, "layers"), 2);
    assert_int_equal((int)number_of(doc, "d_model"), 16);
    assert_true(number_of(doc, "parameters") > 1000);
    assert_null(json_object_get(doc, "tensors"));
    json_decref(doc);
    doc = only_document(run_trine(NULL, "inspect", TAGS, "--json", "--tensors"));
    assert_int_equal(json_array_size(array_of(doc, "labels")), 5);
    const json_t *tensors = array_of(doc, "tensors");
    double bytes = 0;
    for (size_t i = 0; i < json_array_size(tensors); i++) bytes += number_of(json_array_get(tensors, i), "bytes");
    double kinds = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(doc, "bytes"), key, value) kinds += json_number_value(value);
    assert_true(bytes > 0 && bytes == kinds);
    json_decref(doc);
    process_result r = run_trine(NULL, "inspect", T5);
    assert_status(&r, 0);
    assert_contains(r.out, "cross-attention");
    assert_contains(r.out, "by kind");
    assert_string_equal(r.err, "");
    process_result_clear(&r);
}

static void tokenize_and_detokenize_are_inverse(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "tokenize", "-m", LLAMA, "--json", "A cat, a dog."));
    const json_t *ids = array_of(doc, "ids");
    assert_int_equal(json_array_size(ids), json_array_size(array_of(doc, "tokens")));
    assert_true(json_array_size(ids) > 3);
    json_decref(doc);
    process_result r = run_trine(NULL, "tokenize", "-m", LLAMA "/tokenizer.json", "--ids", "A cat, a dog.");
    assert_status(&r, 0);
    r.out[strcspn(r.out, "\n")] = 0;
    doc = only_document(run_trine(NULL, "detokenize", "-m", LLAMA, "--json", "--tokens", r.out));
    assert_string_equal(text_of(doc, "text"), "A cat, a dog.");
    json_decref(doc);
    process_options options = { .input = r.out };
    process_result back = run_trine(&options, "detokenize", "-m", LLAMA);
    assert_status(&back, 0);
    assert_string_equal(back.out, "A cat, a dog.\n");
    process_result_clear(&back);
    process_result_clear(&r);
    /* Special tokens around the text, and without them. */
    doc = only_document(run_trine(NULL, "tokenize", "-m", MLM, "--json", "a cat"));
    json_t *bare = only_document(run_trine(NULL, "tokenize", "-m", MLM, "--json", "--no-special", "a cat"));
    assert_int_equal(json_array_size(array_of(doc, "ids")), json_array_size(array_of(bare, "ids")) + 2);
    json_decref(doc);
    json_decref(bare);
    r = run_trine(NULL, "detokenize", "-m", MLM, "--no-special", "2", "4,3");
    assert_status(&r, 0);
    assert_string_equal(r.out, "\n");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "detokenize", "-m", MLM, "2,cat"), 2, "'cat' is no id");
    process_result big = run_trine(NULL, "detokenize", "-m", MLM, "--tokens", "99999");
    assert_error(big, 2, "99999");
}

/* Speed is no matter of a test: that every combination is measured, counted and told is. */
static void bench_measures_what_is_asked(void **state)
{
    (void)state;
    json_t *doc =
        only_document(run_trine(NULL, "bench", "--no-record", "-m", LLAMA, "--json", "--prefill", "8", "--decode", "2,4", "--depth",
                                "0,16", "--batch", "1,3", "--cache-type", "f32,f16", "--repeat", "2", "-t", "1"));
    const json_t *results = array_of(doc, "results");
    assert_int_equal(json_array_size(results), 2 * 2 * (1 + 2 * 2)); /* types, depths; one prefill, lengths by batches */
    assert_int_equal((int)number_of(doc, "threads"), 1);
    double shallow = 0;
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *one = json_array_get(results, i);
        const bool prefill = strcmp(text_of(one, "what"), "prefill") == 0;
        const double made = number_of(one, "tokens") * number_of(one, "batch");
        assert_true(prefill || strcmp(text_of(one, "what"), "decode") == 0);
        assert_true(number_of(one, "best_ms") > 0 && number_of(one, "best_ms") <= number_of(one, "median_ms"));
        assert_true(fabs(number_of(one, "per_second") * number_of(one, "best_ms") / 1000 - made) < 1e-6 * made);
        assert_true(number_of(one, "bytes") > 0 && number_of(one, "flops") > 0);
        if (prefill && number_of(one, "depth") == 0) shallow = number_of(one, "flops");
        if (prefill && number_of(one, "depth") > 0) assert_true(number_of(one, "flops") > shallow);
    }
    json_decref(doc);
    doc = only_document(run_trine(NULL, "bench", "--no-record", MLM, "--json", "--batch", "1,5", "--repeat", "1"));
    assert_int_equal(json_array_size(array_of(doc, "results")), 2);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "bench", "--no-record", T5, "--json", "--encode", "9", "--decode", "3", "--repeat", "1"));
    assert_int_equal(json_array_size(array_of(doc, "results")), 2); /* greedy, 4 beams */
    json_decref(doc);
    doc = only_document(run_trine(NULL, "bench", "--no-record", T5, "--json", "--encode", "9", "--decode", "3", "--batch", "1,5",
                                  "-t", "1,2", "--repeat", "1"));
    results = array_of(doc, "results");
    assert_int_equal(json_array_size(results), 2 * 2); /* threads, batches */
    for (size_t i = 0; i < 4; i++) {
        const json_t *one = json_array_get(results, i);
        const double batch = number_of(one, "batch");
        assert_true(number_of(one, "threads") == (i < 2 ? 1 : 2) && batch == (i % 2 ? 5 : 1) && number_of(one, "beam") == 1);
        assert_true(fabs(number_of(one, "per_second") * number_of(one, "best_ms") / 1000 - 3 * batch) < 1e-6 * batch);
    }
    json_decref(doc);
    assert_error(run_trine(NULL, "bench", "--no-record", T5, "--batch", "2", "--beam", "4"), 2, "expected one of them");
    process_result r = run_trine(NULL, "bench", "--no-record", LLAMA, "--repeat", "1");
    assert_status(&r, 0);
    assert_contains(r.out, "prefill");
    assert_contains(r.out, "decode");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "bench", "--no-record", MLM, "--prefill", "8"), 2, "reads texts and writes none");
    assert_error(run_trine(NULL, "bench", "--no-record", T5, "--depth", "8"), 2, "is an encoder-decoder");
    assert_error(run_trine(NULL, "bench", "--no-record", LLAMA, "--beam", "2"), 2, "--beam");
    assert_error(run_trine(NULL, "bench", "--no-record", LLAMA, "--batch", "1,x"), 2, "whole numbers");
    assert_error(run_trine(NULL, "bench", "--no-record", LLAMA, "--cache-type", "f16,f17"), 2, "f32|f16|bf16|q8_0|q4_0");
    assert_error(run_trine(NULL, "bench", "--no-record", "-m", LLAMA, MLM), 2, "given twice");
}

static void bench_holds_figures_against_limits(void **state)
{
    (void)state;
    static const char *const always[] = { "read_bytes", "f32_ops" };
    json_t *two = only_document(run_trine(NULL, "bench", "--limits", "--json", "-t", "1,2", "--cpu", "scalar"));
    assert_int_equal((int)number_of(json_array_get(array_of(two, "limits"), 1), "threads"), 2);
    json_decref(two);
    process_result r = run_trine(NULL, "bench", "--limits", "-t", "1", "--cpu", "scalar");
    assert_status(&r, 0);
    assert_contains(r.out, "limits of this machine: 1 thread");
    assert_contains(r.out, "memory, read");
    assert_lacks(r.out, "of limit");
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "bench", "--no-record", "-m", LLAMA, "--limits", "--json", "--prefill", "8",
                                          "--decode", "2", "--repeat", "1"));
    const json_t *limits = json_object_get(doc, "limits");
    for (int i = 0; i < 2; i++) assert_true(number_of(limits, always[i]) > 0);
    const json_t *results = array_of(doc, "results");
    assert_int_equal(json_array_size(results), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *one = json_array_get(results, i);
        const double second = number_of(one, "best_ms") / 1000;
        const double read = number_of(one, "bytes") / second / number_of(limits, "read_bytes");
        const double work = number_of(one, "flops") / second / number_of(limits, "f32_ops");
        assert_string_equal(text_of(one, "peak"), "f32");
        assert_true(fabs(number_of(one, "share_read") - read) <= 1e-6 * read);
        assert_true(fabs(number_of(one, "share_vector") - work) <= 1e-6 * work);
    }
    json_decref(doc);
}

static void fill_gives_choices_for_every_mask(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "fill", "-m", MLM, "--json", "--top", "3", "A [MASK] sits on the [MASK]."));
    text_of(doc, "text");
    const json_t *masks = array_of(doc, "masks");
    assert_int_equal(json_array_size(masks), 2);
    for (int m = 0; m < 2; m++) {
        const json_t *choices = json_array_get(masks, (size_t)m);
        assert_int_equal(json_array_size(choices), 3);
        double last = 1;
        for (int i = 0; i < 3; i++) {
            const json_t *c = json_array_get(choices, (size_t)i);
            text_of(c, "token");
            text_of(c, "text");
            assert_true(number_of(c, "id") >= 0);
            assert_true(number_of(c, "score") <= last && number_of(c, "score") > 0);
            last = number_of(c, "score");
        }
    }
    assert_string_equal(text_of(doc, "text"), text_of(json_array_get(json_array_get(masks, 0), 0), "text"));
    json_decref(doc);
    process_result r = run_trine(NULL, "fill", "-q", "-m", MLM, "A [MASK].");
    assert_status(&r, 0);
    assert_string_equal(r.err, "");
    assert_true(r.out_bytes > 0);
    process_result_clear(&r);
}

static void classify_gives_probabilities(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "classify", "-m", LABELS, "--json", "--pair", "the dog runs", "That is good."));
    const json_t *labels = array_of(doc, "labels");
    assert_int_equal(json_array_size(labels), 3);
    double sum = 0, last = 1;
    for (size_t i = 0; i < 3; i++) {
        text_of(json_array_get(labels, i), "label");
        double score = number_of(json_array_get(labels, i), "score");
        assert_true(score <= last);
        sum += last = score;
    }
    assert_true(fabs(sum - 1) < 1e-5); /* three floats, rounded */
    json_decref(doc);
    doc = only_document(run_trine(NULL, "classify", "-m", LABELS, "--json", "--top", "1", "That is good."));
    assert_int_equal(json_array_size(array_of(doc, "labels")), 1);
    json_decref(doc);
}

static void tag_gives_places_in_characters(void **state)
{
    (void)state;
    /* U+00E9 is two bytes and one character. */
    static const char text[] = "caf\u00E9: Ada Lovelace lived in London";
    json_t *doc = only_document(run_trine(NULL, "tag", "-m", TAGS, "--json", text));
    const json_t *entities = array_of(doc, "entities");
    for (size_t i = 0; i < json_array_size(entities); i++) {
        const json_t *e = json_array_get(entities, i);
        const char *part = text_of(e, "text");
        text_of(e, "group");
        assert_true(number_of(e, "score") > 0);
        const char *at = strstr(text, part);
        assert_non_null(at);
        size_t characters = 0;
        for (const char *p = text; p < at; p++) characters += (*p & 0xC0) != 0x80;
        if (strstr(at + 1, part)) continue; /* more than one place: nothing to check against */
        assert_int_equal((size_t)number_of(e, "start"), characters);
    }
    json_decref(doc);
    process_result r = run_trine(NULL, "tag", "-m", TAGS, text);
    assert_status(&r, 0);
    process_result_clear(&r);
}

/* Every number, read back, is the library's own, bit by bit, and none has more than the 9 digits that takes. */
static void embed_writes_floats_exactly(void **state)
{
    (void)state;
    char lines[4000] = "";
    static const char *const words[] = { "a", "cat", "dog", "sat", "the", "mat." };
    for (int i = 0; i < 40; i++)
        snprintf(lines + strlen(lines), 64, "%s %s %s %s\n", words[i % 6], words[i / 6 % 6], words[i % 5], words[i * 5 % 6]);
    const process_options options = { .input = lines };
    process_result r = run_trine(&options, "embed", "-q", "-m", MLM, "--json", "--lines", "--no-normalize");
    assert_status(&r, 0);
    trine_model *m;
    trine_session *s;
    trine_error err;
    assert_int_equal(trine_model_open(&m, MLM, NULL, &err), TRINE_OK);
    assert_int_equal(trine_session_open(&s, m, NULL, &err), TRINE_OK);
    const trine_task_options as = { .no_normalize = true };
    const char *texts[40];
    float v[40][16];
    char *at = lines;
    for (int i = 0; i < 40; i++) {
        texts[i] = at;
        at = strchr(at, '\n');
        *at++ = 0;
    }
    /* One by one, as the command takes what a pipe brings: how many rows a pass has decides how sums are rounded. */
    for (int i = 0; i < 40; i++) assert_int_equal(trine_embed_batch(v[i], s, &texts[i], 1, &as, &err), TRINE_OK);
    for (int i = 0; i < 40; i++) {
        json_t *doc = document(&r, i);
        for (size_t k = 0; k < 16; k++)
            assert_true((float)json_number_value(json_array_get(array_of(doc, "embedding"), k)) == v[i][k]);
        json_decref(doc);
    }
    int digits = 0;
    for (const char *c = r.out; *c; c++) {
        if (*c >= '0' && *c <= '9')
            digits++;
        else if (*c != '.')
            digits = 0;
        assert_true(digits <= 9 + 5); /* and the zeros before them, down to 0.0001 */
    }
    trine_session_close(s);
    trine_model_close(m);
    process_result_clear(&r);
}

static void embed_gives_vectors_and_their_cosines(void **state)
{
    (void)state;
    json_t *doc = only_document(run_trine(NULL, "embed", "-m", MLM, "--json", "A cat sits."));
    assert_int_equal(json_array_size(array_of(doc, "embedding")), 16);
    json_decref(doc);
    process_result r = run_trine(NULL, "embed", "-m", MLM, "--json", "a cat", "a dog", "a cat");
    assert_status(&r, 0);
    json_t *a = document(&r, 0), *b = document(&r, 1), *c = document(&r, 2);
    assert_true(json_equal(a, c));
    assert_false(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    json_decref(c);
    process_result_clear(&r);
    doc = only_document(run_trine(NULL, "embed", "-m", MLM, "--json", "--similarity", "a cat", "a dog", "a cat"));
    const json_t *rows = array_of(doc, "similarity");
    assert_int_equal(json_array_size(rows), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(json_array_size(json_array_get(rows, i)), 3);
        assert_true(fabs(json_number_value(json_array_get(json_array_get(rows, i), i)) - 1) < 1e-6); /* a float's rounding */
    }
    json_decref(doc);
    /* Decoders and encoder-decoders embed too. */
    doc = only_document(run_trine(NULL, "embed", "-m", LLAMA, "--json", "--pooling", "last", "a cat"));
    assert_int_equal(json_array_size(array_of(doc, "embedding")), 16);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "embed", "-m", T5, "--json", "--no-normalize", "--tokens", "5,6,1"));
    assert_int_equal(json_array_size(array_of(doc, "embedding")), 16);
    json_decref(doc);
}

static void check_generation(const json_t *doc, size_t n_tokens)
{
    assert_int_equal(json_array_size(array_of(doc, "tokens")), n_tokens);
    text_of(doc, "finish_reason");
    const json_t *usage = json_object_get(doc, "usage");
    assert_int_equal((size_t)number_of(usage, "completion_tokens"), n_tokens);
    assert_int_equal((int)number_of(usage, "total_tokens"),
                     (int)(number_of(usage, "prompt_tokens") + number_of(usage, "completion_tokens")));
    const json_t *timings = json_object_get(doc, "timings");
    number_of(timings, "prompt_ms");
    number_of(timings, "first_ms");
    number_of(timings, "decode_ms");
}

static void generate_continues(void **state)
{
    (void)state;
    json_t *doc =
        only_document(run_trine(NULL, "generate", "-m", LLAMA, "--json", "--temp", "0", "--ignore-eos", "-n", "7", "A cat"));
    check_generation(doc, 7);
    assert_string_equal(text_of(doc, "finish_reason"), "length");
    process_result r = run_trine(NULL, "generate", "-m", LLAMA, "--temp", "0", "--ignore-eos", "-n", "7", "A cat");
    assert_status(&r, 0);
    assert_int_equal(r.out[r.out_bytes - 1], '\n');
    /* The stream is the document's text and a newline (where it does not end in one). */
    assert_int_equal(strncmp(r.out, text_of(doc, "text"), strlen(text_of(doc, "text"))), 0);
    process_result_clear(&r);
    json_decref(doc);
    /* The seed is told, and gives the same text again. */
    doc = only_document(run_trine(NULL, "generate", "-m", LLAMA, "--json", "--ignore-eos", "-n", "9", "A cat"));
    char seed[32];
    snprintf(seed, sizeof seed, "%.0f", number_of(doc, "seed"));
    json_t *again = only_document(
        run_trine(NULL, "generate", "-m", LLAMA, "--json", "--ignore-eos", "-n", "9", "-t", "2", "--seed", seed, "A cat"));
    assert_true(json_equal(json_object_get(doc, "tokens"), json_object_get(again, "tokens")));
    json_decref(doc);
    json_decref(again);
    doc = only_document(
        run_trine(NULL, "generate", "-m", LLAMA, "--json", "--beam", "3", "--ignore-eos", "-n", "4", "--tokens", "5,6"));
    check_generation(doc, 4);
    number_of(doc, "score");
    json_decref(doc);
    doc = only_document(
        run_trine(NULL, "generate", "-m", T5, "--json", "--ignore-eos", "-n", "4", "--decoder-tokens", "0,5", "a cat"));
    check_generation(doc, 4);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "generate", "-m", LLAMA, "--json", "--chat", "--system", "Be brief.", "-n", "3",
                                  "--ignore-eos", "What is good?"));
    check_generation(doc, 3);
    json_decref(doc);
}

static void generate_needs_no_tokenizer_for_ids(void **state)
{
    (void)state;
    char folder[] = "/tmp/trine_bare_XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    static const char *const files[] = { "config.json", "model.safetensors" };
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        char target[512];
        snprintf(target, sizeof target, LLAMA "/%s", files[i]);
        assert_int_equal(symlink(target, path), 0);
    }
    json_t *doc = only_document(
        run_trine(NULL, "generate", "-m", folder, "--tokens", "5,6,7", "-n", "3", "--temp", "0", "--ignore-eos", "--json"));
    check_generation(doc, 3);
    assert_true(json_is_null(json_object_get(doc, "text")));
    json_decref(doc);
    process_result r = run_trine(NULL, "generate", "-m", folder, "--tokens", "5,6,7", "-n", "3", "--temp", "0", "--ignore-eos");
    assert_status(&r, 0);
    assert_int_equal(strspn(r.out, "0123456789,"), strlen(r.out) - 1);
    process_result_clear(&r);
    assert_error(run_trine(NULL, "generate", "-q", "-m", folder, "a cat"), 3, "tokenizer");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        remove(path);
    }
    rmdir(folder);
}

static void translate_and_summarize_write(void **state)
{
    (void)state;
    json_t *doc = only_document(
        run_trine(NULL, "translate", "-m", T5, "--json", "--from", "en", "--to", "de", "-n", "5", "--ignore-eos", "That is good."));
    check_generation(doc, 5);
    number_of(doc, "score");
    text_of(doc, "text");
    json_decref(doc);
    doc = only_document(
        run_trine(NULL, "translate", "-m", T5, "--json", "--beam", "1", "-n", "5", "--ignore-eos", "--tokens", "5,6,1"));
    check_generation(doc, 5);
    json_decref(doc);
    doc = only_document(
        run_trine(NULL, "summarize", "-m", T5, "--json", "--beam", "2", "-n", "5", "--ignore-eos", "The house is wonderful."));
    check_generation(doc, 5);
    assert_int_equal((int)number_of(doc, "parts"), 1);
    json_decref(doc);
}

static void trace_writes_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/trine_trace_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    json_t *doc = only_document(run_trine(NULL, "trace", "-m", LLAMA, "--json", "-o", path, "--tokens", "5,6,7"));
    assert_string_equal(text_of(doc, "out"), path);
    assert_int_equal((int)number_of(doc, "tensors"), 1);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "trace", "-m", LLAMA, "--json", "-o", path, "--hidden", "--attention", "--lens", "--mask",
                                  "bidirectional", "A cat"));
    assert_true(number_of(doc, "tensors") >= 1 + 3 + 2 + 2);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "trace", "-m", T5, "--json", "-o", path, "--attention", "--tokens", "5,6,7,1",
                                  "--decoder-tokens", "0,5,6,7,8,9"));
    assert_true(number_of(doc, "tensors") >= 1 + 2 + 2 + 2);
    json_decref(doc);
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "-o", "/nonexistent/t.safetensors", "A cat"), 1, "/nonexistent");
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "-o", "/tmp", "A cat"), 1, "is a directory");
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "-o", path, "--tokens", "5", "--decoder-tokens", "6"), 2, "llama");
    assert_error(run_trine(NULL, "trace", "-q", "-m", MLM, "-o", path, "--tokens", "5", "--decoder-tokens", "6"), 2, "bert");
    /* Never over the model's own files. */
    assert_error(run_trine(NULL, "trace", "-q", "-m", LLAMA, "-o", LLAMA "/model.safetensors", "A cat"), 2, "choose another name");
    remove(path);
}

static void eval_measures(void **state)
{
    (void)state;
    char path[] = "/tmp/trine_eval_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "label\ttext\npositive\tThat is good.\nnegative\tThe dog runs.\nneutral\tA cat\n");
    close(fd);
    json_t *doc = only_document(run_trine(NULL, "eval", "-m", LABELS, "--json", "--task", "classify", path));
    assert_int_equal((int)number_of(doc, "examples"), 3);
    assert_true(number_of(doc, "accuracy") >= 0 && number_of(doc, "accuracy") <= 1);
    number_of(doc, "f1");
    number_of(doc, "seconds");
    json_decref(doc);
    doc = only_document(run_trine(NULL, "eval", "-m", LABELS, "--json", "--limit", "2", path));
    assert_int_equal((int)number_of(doc, "examples"), 2);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "eval", "-m", LLAMA, "--json", "-c", "32", path));
    assert_true(number_of(doc, "perplexity") > 1 && number_of(doc, "bits_per_byte") > 0 && number_of(doc, "tokens") > 0);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "eval", "-m", MLM, "--json", path));
    assert_true(number_of(doc, "loss") > 0 && number_of(doc, "accuracy") >= 0);
    json_decref(doc);
    process_result r = run_trine(NULL, "eval", "-q", "-m", LABELS, path);
    assert_status(&r, 0);
    assert_contains(r.out, "accuracy");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "eval", "-q", "-m", LABELS, "--task", "tag", path), 3, "does not suit this model");
    assert_error(run_trine(NULL, "eval", "-q", "-m", T5, path), 2, "--task translate");
    remove(path);
    char pairs[] = "/tmp/trine_pairs_XXXXXX";
    fd = mkstemp(pairs);
    dprintf(fd, "That is good.\tDas ist gut.\nA cat\tDas\n");
    close(fd);
    doc = only_document(
        run_trine(NULL, "eval", "-m", T5, "--json", "--task", "translate", "--from", "en", "--to", "de", "-n", "8", pairs));
    assert_true(number_of(doc, "bleu") >= 0 && number_of(doc, "chrf") >= 0);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "eval", "-m", T5, "--json", "--task", "summarize", "-n", "8", pairs));
    assert_true(number_of(doc, "rouge1") >= 0 && number_of(doc, "rouge2") >= 0 && number_of(doc, "rougeL") >= 0);
    json_decref(doc);
    remove(pairs);
    char tags[] = "/tmp/trine_tags_XXXXXX";
    fd = mkstemp(tags);
    dprintf(fd, "Ada B-PER\nLovelace I-PER\nlived O\nin O\nLondon B-LOC\n\nA O\ncat O\n");
    close(fd);
    doc = only_document(run_trine(NULL, "eval", "-m", TAGS, "--json", tags));
    assert_true(number_of(doc, "f1") >= 0 && number_of(doc, "precision") >= 0 && number_of(doc, "recall") >= 0);
    assert_int_equal((int)number_of(doc, "examples"), 2);
    json_decref(doc);
    remove(tags);
}

static void convert_writes_what_can_be_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/trine_convert_XXXXXX", gguf[128], tensors[128], command[200];
    assert_non_null(mkdtemp(folder));
    snprintf(gguf, sizeof gguf, "%s/m.gguf", folder);
    snprintf(tensors, sizeof tensors, "%s/back", folder);
    json_t *doc = only_document(run_trine(NULL, "convert", "-m", LLAMA, "-o", gguf, "--type", "f32", "--json"));
    assert_string_equal(text_of(doc, "out"), gguf);
    assert_true(number_of(doc, "bytes") > 10000);
    json_decref(doc);
    assert_error(run_trine(NULL, "convert", "-m", LLAMA, "-o", gguf), 1, "--overwrite");
    process_result r = run_trine(NULL, "convert", "--overwrite", LLAMA, gguf);
    assert_status(&r, 0);
    process_result_clear(&r);
    r = run_trine(NULL, "convert", gguf, tensors);
    assert_status(&r, 0);
    process_result_clear(&r);
    json_t *first =
        only_document(run_trine(NULL, "generate", "-m", LLAMA, "--json", "--temp", "0", "--ignore-eos", "-n", "5", "A cat"));
    json_t *last =
        only_document(run_trine(NULL, "generate", "-m", tensors, "--json", "--temp", "0", "--ignore-eos", "-n", "5", "A cat"));
    assert_true(json_equal(json_object_get(first, "tokens"), json_object_get(last, "tokens")));
    json_decref(first);
    json_decref(last);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_model_that_cannot_do_it_says_what_it_can(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "fill", "-m", LLAMA, "a [MASK]"), 3, "generate, chat");
    assert_error(run_trine(NULL, "classify", "-m", MLM, "a"), 3, "fill");
    assert_error(run_trine(NULL, "tag", "-m", T5, "a"), 3, "translate");
    assert_error(run_trine(NULL, "generate", "-m", TAGS, "a"), 3, "tag");
    assert_error(run_trine(NULL, "chat", "-m", T5, "a"), 3, "needs a decoder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_describes_a_model),
        cmocka_unit_test(tokenize_and_detokenize_are_inverse),
        cmocka_unit_test(bench_measures_what_is_asked),
        cmocka_unit_test(bench_holds_figures_against_limits),
        cmocka_unit_test(fill_gives_choices_for_every_mask),
        cmocka_unit_test(classify_gives_probabilities),
        cmocka_unit_test(tag_gives_places_in_characters),
        cmocka_unit_test(embed_writes_floats_exactly),
        cmocka_unit_test(embed_gives_vectors_and_their_cosines),
        cmocka_unit_test(generate_continues),
        cmocka_unit_test(generate_needs_no_tokenizer_for_ids),
        cmocka_unit_test(translate_and_summarize_write),
        cmocka_unit_test(trace_writes_a_file),
        cmocka_unit_test(eval_measures),
        cmocka_unit_test(convert_writes_what_can_be_read),
        cmocka_unit_test(a_model_that_cannot_do_it_says_what_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
