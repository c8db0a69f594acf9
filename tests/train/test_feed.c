/* test_feed.c - micro-batches: each epoch has every example once, limits hold, mixtures keep their weights, and a feed goes on from any
 * place. Documents and corpora: what becomes of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/random.h"
#include "support/temp.h"
#include "train/feed.h"

/* n examples of 1 to 20 rows, each row an id of its own: first + i. */
static trine_examples *numbered(int first, int n)
{
    trine_stored *s;
    assert_int_equal(trine_stored_open(&s, NULL), TRINE_OK);
    random_state r = { 3 };
    for (int i = 0; i < n; i++) {
        int32_t ids[20];
        const int rows = random_int(&r, 1, 20);
        for (int k = 0; k < rows; k++) ids[k] = first + i;
        trine_batch_add_text(&s->all, ids, NULL, rows, 0);
        trine_batch_add_out(&s->all, rows - 1, first + i, 1);
    }
    return &s->base;
}

static trine_feed *feed_of(const trine_feed_part *parts, int n, trine_feed_options o)
{
    trine_feed *f;
    trine_error err = { 0 };
    if (trine_feed_open(&f, parts, n, &o, &err)) fail_msg("%s", err.text);
    return f;
}

static trine_train_batch next_of(trine_batch_room *room, trine_feed *f)
{
    trine_train_batch b;
    assert_int_equal(trine_feed_next(room, f, NULL), TRINE_OK);
    assert_int_equal(trine_batch_end(&b, room, NULL), TRINE_OK);
    for (int i = 0; i < b.n_texts; i++) { /* rows are whose the segments say, and labels are those of their rows */
        const trine_segment *s = &b.segments[i];
        for (int k = 0; k < s->n_rows; k++) assert_int_equal(b.ids[s->first_row + k], b.labels[i]);
        assert_int_equal(b.out_rows[i], s->first_row + s->n_rows - 1);
    }
    return b;
}

static void an_epoch_has_every_example_once(void **state)
{
    (void)state;
    enum { N = 500 };
    const trine_feed_part part = { numbered(0, N), 1 };
    trine_feed *f = feed_of(&part, 1, (trine_feed_options) { .batch_tokens = 64, .batch_texts = 9, .shuffle = true, .seed = 5 });
    trine_batch_room room = { 0 };
    int order[2][N];
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[N] = { 0 }, n = 0;
        do {
            const trine_train_batch b = next_of(&room, f);
            assert_true(b.n_texts <= 9 && b.n_rows <= 64);
            for (int i = 0; i < b.n_texts; i++) {
                seen[b.labels[i]]++;
                order[epoch][n++] = b.labels[i];
            }
        } while (!trine_feed_at_end(f));
        assert_int_equal(n, N);
        for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
        assert_true(fabs(trine_feed_epochs(f) - (epoch + 1)) < 1e-9);
    }
    assert_int_not_equal(memcmp(order[0], order[1], sizeof order[0]), 0);
    trine_batch_clear(&room);
    trine_feed_close(f);
}

static void a_feed_goes_on_from_any_place(void **state)
{
    (void)state;
    const trine_feed_options o = { .batch_tokens = 50, .shuffle = true, .seed = 6 };
    const trine_feed_part parts[] = { { numbered(0, 40), 1 }, { numbered(1000, 70), 3 } };
    const trine_feed_part again[] = { { numbered(0, 40), 1 }, { numbered(1000, 70), 3 } };
    trine_feed *a = feed_of(parts, 2, o), *b = feed_of(again, 2, o);
    trine_batch_room room = { 0 }, other = { 0 };
    for (int i = 0; i < 200; i++) {
        trine_feed_place place;
        trine_feed_tell(&place, a);
        assert_int_equal(trine_feed_seek(b, &place, NULL), TRINE_OK);
        const trine_train_batch x = next_of(&room, a), y = next_of(&other, b);
        assert_int_equal(x.n_rows, y.n_rows);
        assert_memory_equal(x.ids, y.ids, (size_t)x.n_rows * sizeof *x.ids);
    }
    trine_batch_clear(&room);
    trine_batch_clear(&other);
    trine_feed_close(a);
    trine_feed_close(b);
}

static void a_mixture_keeps_its_weights(void **state)
{
    (void)state;
    const trine_feed_part parts[] = { { numbered(0, 40), 1 }, { numbered(1000, 70), 3 } };
    trine_feed *f = feed_of(parts, 2, (trine_feed_options) { .batch_texts = 10, .shuffle = true, .seed = 7 });
    trine_batch_room room = { 0 };
    int first = 0, all = 0;
    for (int i = 0; i < 1000; i++) {
        const trine_train_batch b = next_of(&room, f);
        for (int k = 0; k < b.n_texts; k++) first += b.labels[k] < 1000;
        all += b.n_texts;
    }
    assert_int_equal(all, 10000);
    assert_true(fabs(first / 1e4 - 0.25) < 5 * sqrt(0.1875 / 1e4));
    trine_batch_clear(&room);
    trine_feed_close(f);
}

static void a_survey_says_what_comes(void **state)
{
    (void)state;
    const trine_feed_part part = { numbered(0, 300), 1 };
    trine_feed *f = feed_of(&part, 1, (trine_feed_options) { .batch_tokens = 30, .shuffle = true, .seed = 8 });
    trine_feed_most most, real = { 0 };
    int64_t n;
    assert_int_equal(trine_feed_survey(&n, &most, f, 2, NULL), TRINE_OK);
    trine_batch_room room = { 0 };
    int64_t counted = 0;
    for (int ends = 0; ends < 2; counted++) {
        const trine_train_batch b = next_of(&room, f);
        if (b.n_rows > real.rows) real.rows = b.n_rows;
        if (b.n_texts > real.texts) real.texts = b.n_texts;
        ends += trine_feed_at_end(f);
    }
    assert_int_equal(n, counted);
    assert_int_equal(most.rows, real.rows);
    assert_int_equal(most.texts, real.texts);
    trine_batch_clear(&room);
    trine_feed_close(f);
}

static void a_share_is_held_out(void **state)
{
    (void)state;
    trine_stored *all = (trine_stored *)numbered(0, 200), *held;
    assert_int_equal(trine_stored_hold_out(&held, all, 0.1, 9, NULL), TRINE_OK);
    assert_int_equal(held->all.n_texts, 20);
    assert_int_equal(all->all.n_texts, 180);
    int seen[200] = { 0 };
    for (int i = 0; i < 180; i++) seen[all->all.labels[i]]++;
    for (int i = 0; i < 20; i++) seen[held->all.labels[i]]++;
    for (int i = 0; i < 200; i++) assert_int_equal(seen[i], 1);
    trine_examples_close(&held->base);
    assert_int_equal(trine_stored_hold_out(&held, all, 0.0001, 9, NULL), TRINE_ERROR_ARGUMENT);
    trine_examples_close(&all->base);
}

/* ------------------------------------------------------------------------------------------------------------- files */

static trine_status collect(void *user, const char *text, size_t n, trine_error *err)
{
    (void)err;
    char *out = user;
    const size_t at = strlen(out);
    snprintf(out + at, 1000 - at, "[%.*s]", (int)n, text);
    return TRINE_OK;
}

static void expect_documents(const char *name, const char *content, const char *split, const char *documents)
{
    char out[1000] = "";
    trine_error err = { 0 };
    const trine_documents_options o = { .split = split };
    if (trine_documents_read(temp_write(name, content, strlen(content)), &o, collect, out, &err)) fail_msg("%s", err.text);
    assert_string_equal(out, documents);
}

static void files_have_documents(void **state)
{
    (void)state;
    temp_make();
    expect_documents("a.txt", "one\ntwo\n\nthree\n", NULL, "[one\ntwo\n\nthree\n]");
    expect_documents("a.txt", "one\ntwo\n\nthree\n", "lines", "[one][two][three]");
    expect_documents("a.txt", "one\r\ntwo\r\n\r\n\nthree", "blank", "[one\r\ntwo][three]");
    expect_documents("a.txt", "one<|endoftext|>two\n<|endoftext|>", NULL, "[one][two\n]");
    expect_documents("a.txt", "one##two## ##", "##", "[one][two]");
    expect_documents("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"t\\nwo\"}\n", NULL, "[one][t\nwo]");
    expect_documents("a.tsv", "label\tsentence\n1\tone\n0\ttwo\n", NULL, "[one][two]");
    expect_documents("a.csv", "text,n\n\"one, two\",1\nthree,2\n", NULL, "[one, two][three]");
    trine_error err = { 0 };
    char out[1000] = "";
    assert_int_equal(trine_documents_read(temp_write("b.jsonl", "{\"body\":\"x\"}\n", 13), NULL, collect, out, &err),
                     TRINE_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "body")); /* says which columns there are */
    assert_int_equal(trine_documents_read(temp_write("e.txt", "", 0), NULL, collect, out, &err), TRINE_ERROR_FORMAT);
    temp_remove();
}

static void folders_are_read_in_order(void **state)
{
    (void)state;
    temp_make();
    assert_int_equal(mkdir(temp_path("d"), 0777), 0);
    assert_int_equal(mkdir(temp_path("d/z"), 0777), 0);
    assert_int_equal(mkdir(temp_path("empty"), 0777), 0);
    temp_write("d/b.txt", "b", 1);
    temp_write("d/a.txt", "a", 1);
    temp_write("d/.hidden", "h", 1);
    temp_write("d/z/c.txt", "c", 1);
    trine_names files;
    const char *path = temp_path("d");
    assert_int_equal(trine_files_list(&files, &path, 1, NULL), TRINE_OK);
    assert_int_equal(files.n, 3);
    assert_non_null(strstr(files.items[0], "d/a.txt"));
    assert_non_null(strstr(files.items[2], "d/z/c.txt"));
    trine_names_clear(&files);
    path = temp_path("empty");
    assert_int_equal(trine_files_list(&files, &path, 1, NULL), TRINE_ERROR_FORMAT);
    path = temp_path("none");
    assert_int_equal(trine_files_list(&files, &path, 1, NULL), TRINE_ERROR_NOT_FOUND);
    temp_remove();
}

static void a_corpus_is_the_same_on_any_threads(void **state)
{
    (void)state;
    temp_make();
    trine_tokenizer *t;
    assert_int_equal(trine_tokenizer_open(&t, TRINE_FIXTURES "/command/bert-mlm", NULL), TRINE_OK);
    char text[6000] = "";
    for (int i = 0; i < 100; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "the cat number %d sat\n", i);
    const char *path = temp_write("a.txt", text, strlen(text));
    trine_corpus one, two;
    trine_team *team;
    const trine_corpus_options o = { .documents.split = "lines", .before = 7, .after = 8 };
    assert_int_equal(trine_corpus_open(&one, &path, 1, t, &o, NULL, NULL), TRINE_OK);
    assert_int_equal(trine_team_open(&team, 2, NULL), TRINE_OK);
    assert_int_equal(trine_corpus_open(&two, &path, 1, t, &o, team, NULL), TRINE_OK);
    assert_int_equal(one.n_documents, 100);
    assert_int_equal(one.n, two.n);
    assert_memory_equal(one.ids, two.ids, one.n * sizeof *one.ids);
    assert_int_equal(one.ids[0], 7);
    assert_int_equal(one.ids[one.ends[41] - 1], 8);
    trine_corpus_close(&one);
    trine_corpus_close(&two);
    trine_team_close(team);
    trine_tokenizer_close(t);
    temp_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_has_every_example_once),
        cmocka_unit_test(a_feed_goes_on_from_any_place),
        cmocka_unit_test(a_mixture_keeps_its_weights),
        cmocka_unit_test(a_survey_says_what_comes),
        cmocka_unit_test(a_share_is_held_out),
        cmocka_unit_test(files_have_documents),
        cmocka_unit_test(folders_are_read_in_order),
        cmocka_unit_test(a_corpus_is_the_same_on_any_threads),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
