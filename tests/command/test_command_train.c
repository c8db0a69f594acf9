/* test_command_train.c - trine train and trine finetune: every architecture and task learns and its result runs, an interrupted run goes on,
 * and what is wrong with data or options is told. */
#include "run_trine.h"

#include <sys/stat.h>

#include "small_texts.h"

static char text_path[400], labelled[400], tagged[400], pairs[400], chats[400];

/* Small files of each form; words are those of the fixtures' vocabularies, or are not: what is unknown is learnt too. */
static int set_up(void **state)
{
    (void)state;
    char b[8000];
    temp_make();
    size_t n = 0;
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(b + n, sizeof b - n, "the cat sat on the mat and the dog ran %d times\n\n", i % 7);
    snprintf(text_path, sizeof text_path, "%s", temp_write("text.txt", b, n));
    write_labelled(labelled, 60);
    write_tagged(tagged, 30);
    n = 0;
    for (int i = 0; i < 40; i++) n += (size_t)snprintf(b + n, sizeof b - n, "the cat\ta dog\nthe mat sat\tran\n");
    snprintf(pairs, sizeof pairs, "%s", temp_write("pairs.tsv", b, n));
    n = 0;
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(
            b + n, sizeof b - n,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"the cat\"},{\"role\":\"assistant\",\"content\":\"sat\"}]}\n"
            "{\"prompt\":\"a dog\",\"completion\":\" ran\"}\n");
    snprintf(chats, sizeof chats, "%s", temp_write("chats.jsonl", b, n));
    return 0;
}

/* The last document is the result; the loss of the last step must be below that of the first. */
static json_t *learnt(process_result r)
{
    assert_status(&r, 0);
    json_t *first = document(&r, 0);
    int n = 0;
    for (const char *p = r.out; (p = strchr(p, '\n')); p++) n++;
    json_t *last = document(&r, n - 1);
    if (!(number_of(last, "loss") < number_of(first, "loss"))) fail_msg("nothing was learnt:\n%.2000s", r.out);
    json_decref(first);
    process_result_clear(&r);
    return last;
}

#define TINY "--layers", "1", "--width", "16", "--heads", "2", "--seq-len", "16", "--batch", "8", "--no-record", "--json", "-t", "1"

static void every_architecture_learns(void **state)
{
    (void)state;
    static const struct {
        const char *arch, *tokenizer, *more;
    } archs[] = {
        { "bert", MLM, "--whole-word" }, { "gpt2", LLAMA, "--separate" }, { "llama", LLAMA, "--recompute" }, { "t5", T5, "--bf16" }
    };
    for (int i = 0; i < 4; i++) {
        const char *out = temp_path(archs[i].arch);
        json_t *r = learnt(run_trine(NULL, "train", "--arch", archs[i].arch, "--tokenizer", archs[i].tokenizer, archs[i].more,
                                     text_path, "--hold-out", "0.2", "--steps", "40", "--lr", "0.01", "--objective",
                                     i == 3 ? "prefix"
                                     : i    ? "causal"
                                            : "masked",
                                     TINY, "-o", out));
        assert_true(number_of(r, "steps") == 40 && number_of(r, "parameters") > 1000);
        json_decref(r);
        process_result p = run_trine(NULL, "inspect", "--json", out);
        assert_status(&p, 0);
        process_result_clear(&p);
    }
    process_result p = run_trine(NULL, "generate", "-m", temp_path("gpt2"), "-q", "-n", "3", "--temp", "0", "the cat");
    assert_status(&p, 0);
    process_result_clear(&p);
    json_decref(learnt(run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, "--neighbours", "--optimizer", "muon",
                                 text_path, "--hold-out", "0.2", "--steps", "20", TINY, "-o", temp_path("near"))));
    assert_error(run_trine(NULL, "train", "--arch", "gpt2", "--tokenizer", LLAMA, "--neighbours", text_path, TINY, "-o",
                           temp_path("near"), "--overwrite"),
                 2, "expected bert");
}

/* A tokenizer without BOS and EOS, as BERT's: the configuration says so, where left out they would have defaults; what needs an end token
 * is refused. */
static void a_tokenizer_may_have_no_end_token(void **state)
{
    (void)state;
    static const char *const archs[] = { "gpt2", "llama" };
    for (int i = 0; i < 2; i++) {
        const char *out = temp_path(archs[i]);
        process_result r = run_trine(NULL, "train", "--arch", archs[i], "--tokenizer", MLM, text_path, "--steps", "20", "--lr",
                                     "0.01", TINY, "-o", out);
        assert_contains(r.err, "no end token");
        json_decref(learnt(r));
        char path[600];
        snprintf(path, sizeof path, "%s/config.json", out);
        json_t *config = json_load_file(path, 0, NULL);
        assert_true(json_is_null(json_object_get(config, "eos_token_id")));
        assert_true(json_is_null(json_object_get(config, "bos_token_id")));
        json_decref(config);
        r = run_trine(NULL, "generate", "-m", out, "-n", "3", "--temp", "0", "the cat");
        assert_status(&r, 0);
        process_result_clear(&r);
        assert_error(run_trine(NULL, "finetune", "seq2seq", "-m", out, pairs, "-q", "--no-record", "-o", temp_path("pairs")), 2,
                     "has no end token");
    }
    assert_error(run_trine(NULL, "train", "--arch", "t5", "--tokenizer", MLM, "-q", pairs, "--objective", "seq2seq", TINY, "-o",
                           temp_path("t5")),
                 2, "this tokenizer has no end token");
}

static void pairs_are_learnt_and_mixed(void **state)
{
    (void)state;
    json_decref(learnt(run_trine(NULL, "train", "--arch", "t5", "--tokenizer", T5, pairs, "--objective", "seq2seq", "--steps", "30",
                                 "--lr", "0.01", "--label-smoothing", "0.1", "--ema", "0.9", TINY, "-o", temp_path("out"))));
    char recipe[1500];
    const int n = snprintf(recipe, sizeof recipe,
                           "[{\"data\":\"%s\",\"objective\":\"prefix\",\"weight\":3},{\"data\":[\"%s\"],\"objective\":\"seq2seq\","
                           "\"prefix\":\"x: \"}]",
                           text_path, pairs);
    const char *mix = temp_write("mix.json", recipe, (size_t)n);
    json_decref(learnt(run_trine(NULL, "train", "--arch", "t5", "--tokenizer", T5, "--mix", mix, "--steps", "30", "--lr", "0.01",
                                 "--dropout", "0.1", TINY, "-o", temp_path("mixed"))));
}

#define TUNE "--steps", "200", "--lr", "0.005", "--batch", "8", "--no-record", "--json", "-t", "1"

/* The first steps of a model that goes on are no worse than where it stopped, its tokenizer and sizes stay, and the run says what it took;
 * an encoder with another head gets one that fills masks. */
static void a_model_goes_on_with_other_text(void **state)
{
    (void)state;
    const char *first = temp_path("first"), *second = temp_path("second"), *bare = temp_path("bare");
    json_t *before = learnt(run_trine(NULL, "train", "--arch", "llama", "--tokenizer", LLAMA, text_path, "--steps", "40", "--lr",
                                      "0.01", "--seed", "1", TINY, "-o", first));
    process_result r = run_trine(NULL, "train", "-m", first, text_path, "--steps", "2", "--lr", "1e-4", "--seq-len", "16",
                                 "--batch", "8", "--no-record", "--json", "-t", "1", "--seed", "1", "-o", second);
    assert_status(&r, 0);
    json_t *step = document(&r, 0), *after = document(&r, 2);
    if (!(number_of(step, "loss") < number_of(before, "loss") + 0.3))
        fail_msg("it began at %g, and had stopped at %g", number_of(step, "loss"), number_of(before, "loss"));
    assert_true(number_of(after, "parameters") == number_of(before, "parameters"));
    json_decref(step);
    json_decref(after);
    json_decref(before);
    process_result_clear(&r);
    json_decref(learnt(run_trine(NULL, "train", "-m", LABELS, text_path, "--steps", "30", "--lr", "0.01", "--seq-len", "16",
                                 "--batch", "8", "--no-record", "--json", "-t", "1", "-o", bare)));
    r = run_trine(NULL, "inspect", "--json", bare);
    assert_status(&r, 0);
    assert_non_null(strstr(r.out, "\"head\":\"mlm\""));
    process_result_clear(&r);
    assert_error(run_trine(NULL, "train", "-m", first, "--layers", "2", text_path, "-o", bare), 2, "has its own");
    assert_error(run_trine(NULL, "train", "-m", first, "--arch", "llama", text_path, "-o", bare), 2, "more than one");
    assert_error(run_trine(NULL, "train", "-m", first, "--neighbours", text_path, "-o", bare), 2, "has its own");
    assert_error(run_trine(NULL, "train", "-m", "nowhere", text_path, "-o", bare), 3, "'nowhere': there is no such model");
}

/* A decoder that embeds says so, whole and as an adapter that is merged into one that writes; pairs are counted as pairs. */
static void vectors_say_how_they_were_made(void)
{
    static const char rows[] = "the cat\ta dog\nthe mat sat\tran\n";
    const char *two = temp_write("two.tsv", rows, sizeof rows - 1);
    char modules[400], text[1024];
    process_result p =
        run_trine(NULL, "finetune", "embed", "-m", LLAMA, two, "--steps", "2", "--no-record", "-t", "1", "-o", temp_path("ed"));
    assert_status(&p, 0);
    assert_contains(p.err, "2 pairs, ");
    process_result_clear(&p);
    snprintf(modules, sizeof modules, "%s/modules.json", temp_path("ed"));
    snprintf(text, sizeof text, "%s/1_Pooling/config.json", temp_path("ed"));
    assert_int_equal(access(modules, F_OK), 0);
    assert_int_equal(access(text, F_OK), 0);
    p = run_trine(NULL, "inspect", "--json", temp_path("ed"));
    assert_contains(p.out, "\"pooling\":\"last\"");
    process_result_clear(&p);
    p = run_trine(NULL, "finetune", "embed", "-m", LLAMA, two, "--steps", "2", "--lora", "2", "--no-record", "-t", "1", "-o",
                  temp_path("ea"));
    assert_status(&p, 0);
    process_result_clear(&p);
    p = run_trine(NULL, "convert", "-m", LLAMA, "--adapter", temp_path("ea"), "-o", temp_path("em"));
    assert_status(&p, 0);
    process_result_clear(&p);
    snprintf(modules, sizeof modules, "%s/modules.json", temp_path("em"));
    assert_int_equal(access(modules, F_OK), 0);
}

static void every_task_is_learnt(void **state)
{
    (void)state;
    json_t *r =
        learnt(run_trine(NULL, "finetune", "classify", "-m", MLM, labelled, "--valid", labelled, TUNE, "-o", temp_path("c")));
    assert_true(number_of(r, "accuracy") == 1);
    json_decref(r);
    r = only_document(run_trine(NULL, "classify", "-m", temp_path("c"), "--json", "-q", "the cat sat"));
    assert_string_equal(text_of(json_array_get(array_of(r, "labels"), 0), "label"), "yes");
    json_decref(r);
    r = learnt(run_trine(NULL, "finetune", "tag", "-m", MLM, tagged, "--valid", tagged, TUNE, "-o", temp_path("t")));
    assert_true(number_of(r, "f1") > 0.99);
    json_decref(r);
    json_decref(learnt(run_trine(NULL, "finetune", "seq2seq", "-m", T5, pairs, TUNE, "-o", temp_path("s"))));
    /* a source and a target that are longer than a decoder's positions together are cut, and counted */
    char row[9000] = "source\ttarget\n";
    for (int i = 0; i < 600; i++) strcat(row, "a cat ");
    strcat(row, "\t");
    for (int i = 0; i < 300; i++) strcat(row, "sat on ");
    strcat(row, "\n");
    process_result cut = run_trine(NULL, "finetune", "seq2seq", "-m", LLAMA, temp_write("long.tsv", row, strlen(row)), "--steps",
                                   "1", "--no-record", "-o", temp_path("cut"));
    assert_status(&cut, 0);
    assert_contains(cut.err, "1 of 1 sources are longer than 256 tokens");
    assert_contains(cut.err, "1 of 1 targets are longer than 256 tokens");
    process_result_clear(&cut);
    json_decref(learnt(run_trine(NULL, "finetune", "lm", "-m", LLAMA, chats, TUNE, "-o", temp_path("l"))));
    json_decref(learnt(run_trine(NULL, "finetune", "embed", "-m", MLM, pairs, TUNE, "-o", temp_path("e"))));
    vectors_say_how_they_were_made();
    r = learnt(run_trine(NULL, "finetune", "classify", "-m", MLM, labelled, "--valid", labelled, "--lora", "4", TUNE, "-o",
                         temp_path("a")));
    assert_true(number_of(r, "trained") < number_of(r, "parameters"));
    json_decref(r);
    /* The adapter, whose head is its own, beside the directory and beside a GGUF file of the same weights. */
    process_result p = run_trine(NULL, "convert", "-q", "-m", MLM, "-o", temp_path("base.gguf"));
    assert_status(&p, 0);
    process_result_clear(&p);
    const char *const bases[] = { MLM, temp_path("base.gguf") };
    for (int i = 0; i < 2; i++) {
        r = only_document(run_trine(NULL, "classify", "-m", bases[i], "--adapter", temp_path("a"), "--json", "-q", "the cat sat"));
        const json_t *best = json_array_get(array_of(r, "labels"), 0);
        assert_string_equal(text_of(best, "label"), "yes");
        assert_true(number_of(best, "score") > 0.9);
        json_decref(r);
    }
    /* Written over a whole model, it leaves no weights that would be taken for its own. */
    json_decref(learnt(
        run_trine(NULL, "finetune", "classify", "-m", MLM, labelled, "--lora", "4", TUNE, "--overwrite", "-o", temp_path("c"))));
    assert_error(run_trine(NULL, "classify", "-m", temp_path("c"), "the cat sat"), 3, "is an adapter");
    r = only_document(run_trine(NULL, "embed", "-m", temp_path("e"), "--json", "-q", "the cat"));
    assert_true(json_array_size(array_of(r, "embedding")) > 0);
    json_decref(r);
}

static void what_is_read_and_cut_is_told_apart(void **state)
{
    (void)state;
    const char lines[] = "the cat\tthe cat sat on the mat and the dog ran to the mat\nthe mat\ta\n";
    process_result r = run_trine(NULL, "finetune", "seq2seq", "-m", T5, temp_write("two.tsv", lines, strlen(lines)), "--valid",
                                 pairs, "--target-len", "6", "--steps", "1", "--no-record", "-o", temp_path("apart"));
    assert_status(&r, 0);
    assert_contains(r.err, "trine finetune: 2 examples, ");
    assert_contains(r.err, "trine finetune: 1 of 2 targets are longer than 6 tokens and were cut");
    assert_lacks(r.err, "sources are longer");
    assert_contains(r.err, "trine finetune: validation: 80 examples, ");
    process_result_clear(&r);
    r = run_trine(NULL, "train", "--arch", "gpt2", "--tokenizer", LLAMA, text_path, "--valid", text_path, "--steps", "1", TINY,
                  "-o", temp_path("valid"));
    assert_status(&r, 0);
    assert_contains(r.err, "trine train: validation: ");
    process_result_clear(&r);
}

static void products_in_bf16_that_are_not_are_told(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "train", "--arch", "gpt2", "--tokenizer", LLAMA, text_path, "--steps", "2", "--bf16",
                                 "--cpu", "scalar", TINY, "-o", temp_path("out"));
    assert_status(&r, 0);
    assert_contains(r.err, "not multiply bf16");
    assert_contains(r.err, "products are in f32");
    process_result_clear(&r);
}

/* The chat template in DIR/tokenizer_config.json, in new memory. */
static char *template_of(const char *dir)
{
    char path[600];
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    json_t *config = json_load_file(path, 0, NULL);
    char *jinja = strdup(text_of(config, "chat_template"));
    json_decref(config);
    return jinja;
}

/* A model without a chat template learns conversations by a plain one, or by one that is given, and has it then. */
static void conversations_bring_their_template(void **state)
{
    (void)state;
    const char *base = temp_path("base"), *out = temp_path("out"), *other = temp_path("other");
    json_decref(
        learnt(run_trine(NULL, "train", "--arch", "gpt2", "--vocab", "300", text_path, "--steps", "20", "--lr", "0.01", "--layers",
                         "1", "--width", "32", "--seq-len", "64", "--batch", "8", "--no-record", "--json", "-t", "1", "-o", base)));
    process_result r = run_trine(NULL, "finetune", "lm", "-m", base, chats, TUNE, "-o", out);
    assert_contains(r.err, "base has no chat template");
    json_decref(learnt(r));
    char *jinja = template_of(out);
    assert_contains(jinja, "assistant:");
    free(jinja);
    r = run_trine(NULL, "generate", "--chat", "-m", out, "-n", "30", "--temp", "0", "the cat");
    assert_status(&r, 0);
    assert_lacks(r.err, "no chat template");
    assert_string_equal(r.out, " sat\n");
    process_result_clear(&r);
    static const char given[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
                                "{% if add_generation_prompt %}<assistant>{% endif %}";
    r = run_trine(NULL, "finetune", "lm", "-m", base, chats, "--lora", "4", "--template",
                  temp_write("chat.jinja", given, sizeof given - 1), TUNE, "-o", other);
    assert_lacks(r.err, "no chat template");
    json_decref(learnt(r));
    jinja = template_of(other);
    assert_string_equal(jinja, given);
    free(jinja);
    r = run_trine(NULL, "generate", "--chat", "-m", base, "--adapter", other, "-n", "3", "the cat");
    assert_status(&r, 0);
    assert_lacks(r.err, "no chat template");
    process_result_clear(&r);
    r = run_trine(NULL, "convert", "-q", "-m", base, "--adapter", other, "-o", temp_path("merged"));
    assert_status(&r, 0);
    process_result_clear(&r);
    jinja = template_of(temp_path("merged"));
    assert_string_equal(jinja, given);
    free(jinja);
    assert_error(run_trine(NULL, "finetune", "seq2seq", "-m", base, pairs, "--template", temp_path("chat.jinja"), "-o", out), 2,
                 "--template is of conversations");
}

/* Pieces of a unigram vocabulary hold the space before their word: tags are those of the pieces, all the same. */
static void words_that_begin_with_their_space_are_tagged(void **state)
{
    (void)state;
    process_result p =
        run_trine(NULL, "tokenizer", "--type", "t5", "--vocab", "40", "--lines", "--sentinels", "0", "--special", "pad=<pad>",
                  "--special", "unk=<unk>", "--special", "cls=<s>", "--special", "sep=</s>", "--special", "mask=<mask>",
                  "--template", "<s> $A </s>", "-q", "-o", temp_path("pieces"), text_path);
    assert_status(&p, 0);
    process_result_clear(&p);
    json_decref(learnt(run_trine(NULL, "train", "--arch", "bert", "--tokenizer", temp_path("pieces"), text_path, "--steps", "20",
                                 TINY, "-o", temp_path("base"))));
    json_t *r = learnt(run_trine(NULL, "finetune", "tag", "-m", temp_path("base"), tagged, "--valid", tagged, TUNE, "--lr", "0.01",
                                 "-o", temp_path("t")));
    assert_true(number_of(r, "f1") > 0.99);
    json_decref(r);
    r = only_document(run_trine(NULL, "eval", "--task", "tag", "-m", temp_path("t"), "--json", "-q", tagged));
    assert_true(number_of(r, "f1") > 0.99);
    json_decref(r);
    r = only_document(run_trine(NULL, "tag", "-m", temp_path("t"), "--json", "-q", "a dog ran"));
    const json_t *entity = json_array_get(array_of(r, "entities"), 0);
    assert_string_equal(text_of(entity, "text"), "dog");
    json_decref(r);
}

/* What the model writes decides, and is measured on files alone. */
static void a_model_that_writes_is_measured_by_what_it_writes(void **state)
{
    (void)state;
    static const char *const cases[][3] = { { T5, "bleu", "bleu" }, { LLAMA, "rouge", "rougeL" } };
    char two[400];
    const char lines[] = "the cat sat on the mat\ta dog ran to the mat\nthe mat sat there then\tran far from a dog\n";
    snprintf(two, sizeof two, "%s", temp_write("two.tsv", lines, strlen(lines)));
    for (int i = 0; i < 2; i++) {
        json_t *r =
            learnt(run_trine(NULL, "finetune", "seq2seq", "-m", cases[i][0], two, "--valid", two, "--metric", cases[i][1],
                             "--seq-len", "40", "--target-len", "24", "--eval-every", "50", TUNE, "-o", temp_path(cases[i][1])));
        assert_true(number_of(r, cases[i][2]) > 0.99);
        json_decref(r);
    }
    assert_error(
        run_trine(NULL, "finetune", "seq2seq", "-m", T5, two, "--metric", "bleu", "-q", "--no-record", "-o", temp_path("m")), 2,
        "--valid");
    assert_error(run_trine(NULL, "finetune", "classify", "-m", MLM, labelled, "--valid", labelled, "--metric", "bleu", "-q",
                           "--no-record", "-o", temp_path("m")),
                 2, "expected bleu or rouge, of seq2seq");
}

/* The same losses, bit for bit, as from the directory that the file was made of: rows of rotary heads lie in another order there. */
static void a_gguf_file_is_learnt_from_as_its_directory(void **state)
{
    (void)state;
    const struct {
        const char *model, *task, *data;
    } cases[] = { { LLAMA, "seq2seq", pairs }, { T5, "seq2seq", pairs }, { MLM, "classify", labelled } };
    for (int i = 0; i < 3; i++) {
        char gguf[400], from_gguf[400], from_directory[400];
        snprintf(gguf, sizeof gguf, "%s", temp_path("m.gguf"));
        snprintf(from_gguf, sizeof from_gguf, "%s", temp_path("gguf"));
        snprintf(from_directory, sizeof from_directory, "%s", temp_path("directory"));
        process_result r = run_trine(NULL, "convert", "-q", "-m", cases[i].model, "-o", gguf, "--type", "f32", "--overwrite");
        assert_status(&r, 0);
        process_result_clear(&r);
#define FROM(model, out)                                                                                                           \
    run_trine(NULL, "finetune", cases[i].task, "-m", model, cases[i].data, "--steps", "6", "--batch", "8", "--no-record",          \
              "--json", "-t", "1", "--overwrite", "-o", out)
        process_result a = FROM(gguf, from_gguf), b = FROM(cases[i].model, from_directory);
        assert_status(&a, 0);
        assert_status(&b, 0);
        for (int step = 0; step < 6; step++) {
            json_t *x = document(&a, step), *y = document(&b, step);
            assert_true(number_of(x, "loss") == number_of(y, "loss"));
            json_decref(x);
            json_decref(y);
        }
        process_result_clear(&a);
        process_result_clear(&b);
        r = run_trine(NULL, i == 2 ? "classify" : "generate", "-q", "-m", from_gguf, "the cat");
        assert_status(&r, 0);
        process_result_clear(&r);
    }
}

static char *bytes_of(const char *path)
{
    char *text = calloc(1, 1 << 22);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_true(text && fread(text, 1, (1 << 22) - 1, f) > 100);
    fclose(f);
    return text;
}

static void interrupted_it_says_how_to_go_on(void **state)
{
    (void)state;
#define RUN "train", "--arch", "bert", "--tokenizer", MLM, text_path, "--steps", "400", "--dropout", "0.1", TINY
    process_result r = run_trine(NULL, RUN, "-o", temp_path("whole"));
    assert_status(&r, 0);
    process_result_clear(&r);
    const process_options interrupt = { .interrupt_at = "\"step\":3," };
    r = run_trine(&interrupt, RUN, "-o", temp_path("part"));
    assert_status(&r, 130);
    assert_contains(r.err, "--resume");
    process_result_clear(&r);
    assert_error(run_trine(NULL, RUN, "-q", "-o", temp_path("part")), 1, "--resume");
    r = run_trine(NULL, RUN, "-o", temp_path("part"), "--resume");
    assert_status(&r, 0);
    process_result_clear(&r);
    char *a = bytes_of(temp_path("whole/model.safetensors")), *b = bytes_of(temp_path("part/model.safetensors"));
    assert_memory_equal(a, b, 1 << 22);
    free(a);
    free(b);
    assert_error(run_trine(NULL, RUN, "-q", "-o", temp_path("part"), "--resume", "--lr", "0.5"), 2, "lr = ");
    /* nor with another text under the same name */
    FILE *f = fopen(text_path, "a");
    assert_true(f && fputs("a cat sat\n", f) >= 0);
    fclose(f);
    assert_error(run_trine(NULL, RUN, "-q", "-o", temp_path("part"), "--resume"), 2, "the data's checksum");
}

/* As a job scheduler ends it. */
static void terminated_it_saves(void **state)
{
    (void)state;
    const process_options terminate = { .interrupt_at = "\"step\":3,", .terminate = true };
    process_result r = run_trine(&terminate, "train", "--arch", "bert", "--tokenizer", MLM, text_path, "--steps", "1000000", "-o",
                                 temp_path("ended"), TINY);
    assert_status(&r, 130);
    assert_contains(r.err, "--resume");
    process_result_clear(&r);
    r = run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, text_path, "--steps", "1000001", "-o", temp_path("ended"),
                  TINY, "--resume");
    assert_error(r, 2, "steps = "); /* a checkpoint is there */
}

static const char *file_of(const char *name, const char *content) { return temp_write(name, content, strlen(content)); }

static void wrong_data_is_told(void **state)
{
    (void)state;
#define CLASSIFY "finetune", "classify", "-m", MLM, "-q", "--no-record", "-o", temp_path("o")
#define TAG "finetune", "tag", "-m", MLM, "-q", "--no-record", "-o", temp_path("o")
    assert_error(run_trine(NULL, CLASSIFY, file_of("a.tsv", "label\ttext\n\tone\nx\ttwo\n")), 3, "line 2: the label is missing");
    assert_error(run_trine(NULL, CLASSIFY, labelled, "--valid", file_of("b.tsv", "label\tsentence\nmaybe\tthe cat\n")), 3,
                 "line 2: the label 'maybe' is none of those learnt: no, yes");
    assert_error(run_trine(NULL, CLASSIFY, file_of("c.tsv", "a\tb\nx\ty\n")), 3,
                 "no column for the label (label); there are: a, b");
    assert_error(run_trine(NULL, CLASSIFY, labelled, "--text", "body"), 3, "no column 'body'");
    assert_error(run_trine(NULL, CLASSIFY, file_of("d.tsv", "")), 3, "the file is empty");
    assert_error(run_trine(NULL, CLASSIFY, file_of("e.tsv", "label\ttext\n")), 3, "no row under the header");
    assert_error(run_trine(NULL, "finetune", "seq2seq", "-m", T5, "-q", "--no-record", "-o", temp_path("o"),
                           file_of("k.tsv", "source\ttarget\n")),
                 3, "there are no examples");
    assert_error(run_trine(NULL, TAG, file_of("l.conll", "-DOCSTART- O\n\n")), 3, "there are no sentences");
    assert_error(
        run_trine(NULL, "finetune", "lm", "-m", LLAMA, "-q", "--no-record", "-o", temp_path("o"), file_of("m.jsonl", "\n")), 3,
        "the file is empty");
    assert_error(run_trine(NULL, CLASSIFY, file_of("f.tsv", "label\ttext\nx\tone\nx\ttwo\n")), 3,
                 "all examples have one label, 'x'");
    assert_error(run_trine(NULL, CLASSIFY, labelled, "--seq-len", "9999"), 2, "this model takes");
    assert_error(run_trine(NULL, CLASSIFY, temp_path("none.tsv")), 3, "there is no such file");
    assert_error(run_trine(NULL, TAG, file_of("g.conll", "the\tO\ncat\tO\n")), 3, "every word is tagged O");
    assert_error(run_trine(NULL, TAG, tagged, "--valid", file_of("h.conll", "the\tO\ncat\tB-ORG\n")), 3,
                 "line 2: the tag 'B-ORG' is of no kind that was learnt");
    assert_error(run_trine(NULL, TAG, file_of("i.conll", "the\n")), 3, "expected a word and its tag");
    assert_error(run_trine(NULL, "finetune", "lm", "-m", LLAMA, "-q", "--no-record", "-o", temp_path("o"),
                           file_of("j.jsonl", "{\"a\":1}\n")),
                 3, "line 1: expected \"messages\"");
    assert_error(run_trine(NULL, "finetune", "lm", "-m", MLM, "-q", "--no-record", "-o", temp_path("o"), chats), 2,
                 "is for models that write");
    assert_error(run_trine(NULL, "finetune", "classify", "-m", temp_path("none"), "-q", "-o", temp_path("o"), labelled), 3,
                 "no such model");
    assert_error(run_trine(NULL, "train", "--arch", "gpt2", "--tokenizer", LLAMA, "-q", "--no-record", "-o", temp_path("p"),
                           file_of("k.txt", " \n")),
                 3, "the file is empty");
    assert_error(
        run_trine(NULL, "train", "--arch", "bert", "--tokenizer", LLAMA, "-q", "--no-record", "-o", temp_path("p"), text_path), 2,
        "this tokenizer has no mask token");
    assert_error(run_trine(NULL, "train", "--arch", "gpt2", "--objective", "span", "--tokenizer", LLAMA, "-q", "--no-record", "-o",
                           temp_path("p"), text_path, "--overwrite"),
                 2, "span corruption is for encoder-decoders");
    assert_error(run_trine(NULL, "train", "--arch", "gpt2", "--tokenizer", LLAMA, "-q", "--no-record", "-o", temp_path("p"),
                           "--mix", file_of("m.json", "[{\"data\":\"x\",\"weigth\":2}]")),
                 3, "\"weigth\", which is unknown");
}

static void a_rate_that_diverges_stops(void **state)
{
    (void)state;
    process_result r =
        run_trine(NULL, "train", "--arch", "gpt2", "--tokenizer", LLAMA, text_path, "--steps", "3000", "--lr", "10", "--clip", "0",
                  "--decay", "constant", "--warmup", "0", "--beta2", "0.1", "--weight-decay", "10", TINY, "-o", temp_path("d"));
    assert_status(&r, 1);
    assert_contains(r.err, "is not finite. The last good checkpoint is ");
    assert_contains(r.err, "--lr");
    process_result_clear(&r);
}

/* The ends of what is allowed are allowed, however a float rounds them. */
static void rates_reach_their_bounds(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, text_path, "--steps", "1", "--lr", "1e-12",
                                 "--dropout", "0.99", "--label-smoothing", "0.99", TINY, "-o", temp_path("ends"));
    assert_status(&r, 0);
    process_result_clear(&r);
    assert_error(run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, text_path, "--lr", "9e-13", "-o", "x"), 2,
                 "--lr takes a number from 1e-12 to 10");
}

static void wrong_usage_is_told(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "train", "-o", "x", text_path), 2, "no model: expected --arch, --config or -m");
    assert_error(run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, text_path), 2, "expected -o OUT");
    assert_error(run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, "-o", "x"), 2, "nothing to learn from");
    assert_error(
        run_trine(NULL, "train", "--arch", "bert", "--tokenizer", MLM, "-o", "x", text_path, "--steps", "3", "--epochs", "2"), 2,
        "--steps and --epochs");
    assert_error(run_trine(NULL, "finetune", "juggle", "-m", MLM, "-o", "x", text_path), 2, "the task is one of");
    assert_error(run_trine(NULL, "finetune", "classify", "-m", MLM, "-o", "x", text_path, "--patience", "2"), 2,
                 "--valid or --hold-out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_architecture_learns, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_tokenizer_may_have_no_end_token, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(pairs_are_learnt_and_mixed, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_model_goes_on_with_other_text, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(every_task_is_learnt, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_is_read_and_cut_is_told_apart, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(products_in_bf16_that_are_not_are_told, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(conversations_bring_their_template, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(words_that_begin_with_their_space_are_tagged, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_model_that_writes_is_measured_by_what_it_writes, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_gguf_file_is_learnt_from_as_its_directory, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(interrupted_it_says_how_to_go_on, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(terminated_it_saves, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(wrong_data_is_told, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_rate_that_diverges_stops, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(rates_reach_their_bounds, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(wrong_usage_is_told, set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("command_train", tests, NULL, NULL);
}
