/* test_objectives.c - what the objectives ask: rates, lengths, and that input and target together say the text again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/alloc.h"
#include "support/random.h"
#include "train/examples.h"

enum { VOCAB = 1000, CLS = 1, SEP = 2, MASK = 3, EOS = 4, START = 0, FIRST = 10, SENTINELS = 100 };

/* Documents of the given lengths; ids between FIRST and VOCAB - SENTINELS. */
static trine_corpus corpus_of(const int *lengths, int n)
{
    trine_corpus c = { .n_documents = (size_t)n };
    random_state r = { 7 };
    c.ends = malloc((size_t)n * sizeof *c.ends);
    for (int i = 0; i < n; i++) {
        c.n += (size_t)lengths[i];
        c.ends[i] = c.n;
    }
    c.ids = malloc(c.n * sizeof *c.ids);
    for (size_t i = 0; i < c.n; i++) c.ids[i] = random_int(&r, FIRST, VOCAB - SENTINELS - 1);
    return c;
}

static trine_corpus one_document(int n) { return corpus_of(&n, 1); }

static int32_t sentinels[SENTINELS];
static uint8_t continues[VOCAB];

static trine_objective_options options_of(trine_objective kind)
{
    for (int i = 0; i < SENTINELS; i++) sentinels[i] = VOCAB - 1 - i;
    return (trine_objective_options) {
        .kind = kind,
        .seq_len = 128,
        .seed = 11,
        .has_encoder = kind == TRINE_OBJECTIVE_MASKED || kind == TRINE_OBJECTIVE_SPAN,
        .has_decoder = kind != TRINE_OBJECTIVE_MASKED,
        .tokens = { .cls = CLS,
                    .sep = SEP,
                    .mask = MASK,
                    .eos = EOS,
                    .decoder_start = START,
                    .vocab = VOCAB,
                    .sentinels = sentinels,
                    .n_sentinels = SENTINELS },
    };
}

static trine_examples *opened(trine_corpus c, const trine_objective_options *o)
{
    trine_examples *e;
    trine_error err = { 0 };
    if (trine_objective_open(&e, &c, o, &err)) fail_msg("%s", err.text);
    return e;
}

/* Example i alone in a batch; its size must be what was said. */
static trine_train_batch make(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    trine_train_batch b;
    trine_batch_begin(room);
    room->label_a_text = e->label_a_text;
    room->prefix = e->prefix;
    e->make(room, e, epoch, i);
    assert_int_equal(trine_batch_end(&b, room, NULL), TRINE_OK);
    const trine_example_size size = e->size(e, epoch, i);
    assert_int_equal(b.n_rows, size.rows);
    assert_int_equal(b.n_target_rows, size.targets);
    assert_true(b.n_out <= size.outs);
    return b;
}

static void masked_rates_are_those_of_the_paper(void **state)
{
    (void)state;
    enum { N = 40000 };
    trine_corpus c = one_document(N);
    int32_t *ids = malloc(N * sizeof *ids);
    memcpy(ids, c.ids, N * sizeof *ids);
    trine_objective_options o = options_of(TRINE_OBJECTIVE_MASKED);
    trine_examples *e = opened(c, &o);
    trine_batch_room room = { 0 };
    int chosen = 0, masked = 0, kept = 0, seen = 0;
    for (int64_t i = 0; i < e->count(e, 0); i++) {
        const trine_train_batch b = make(&room, e, 0, i);
        assert_true(b.n_rows <= 128 && b.ids[0] == CLS && b.ids[b.n_rows - 1] == SEP);
        const int n = b.n_rows - 2;
        assert_int_equal(b.n_out, lround(0.15 * n) < 1 ? 1 : lround(0.15 * n));
        uint8_t scored[128] = { 0 };
        for (int k = 0; k < b.n_out; k++) {
            const int row = b.out_rows[k];
            assert_true(row > 0 && row < b.n_rows - 1 && !scored[row]);
            scored[row] = 1;
            assert_int_equal(b.labels[k], ids[seen + row - 1]);
            chosen++;
            masked += b.ids[row] == MASK;
            kept += b.ids[row] == b.labels[k];
        }
        for (int row = 1; row < b.n_rows - 1; row++)
            if (!scored[row]) assert_int_equal(b.ids[row], ids[seen + row - 1]);
        seen += n;
    }
    assert_int_equal(seen, N); /* every token is in one sequence */
    /* Five standard deviations of 6,000 draws. */
    assert_true(fabs((double)chosen / N - 0.15) < 0.002);
    assert_true(fabs((double)masked / chosen - 0.8) < 5 * sqrt(0.16 / chosen));
    assert_true(fabs((double)kept / chosen - 0.1) < 5 * sqrt(0.09 / chosen));
    trine_batch_clear(&room);
    trine_examples_close(e);
    free(ids);
}

/* Another share of the tokens, masked or taken out in spans, when it is asked for. */
static void more_may_be_asked(void **state)
{
    (void)state;
    enum { N = 40000 };
    static const trine_objective kinds[] = { TRINE_OBJECTIVE_MASKED, TRINE_OBJECTIVE_SPAN };
    for (int k = 0; k < 2; k++) {
        trine_corpus c = one_document(N);
        trine_objective_options o = options_of(kinds[k]);
        o.share = 0.4;
        trine_examples *e = opened(c, &o);
        trine_batch_room room = { 0 };
        int asked = 0;
        for (int64_t i = 0; i < e->count(e, 0); i++) {
            const trine_train_batch b = make(&room, e, 0, i);
            for (int j = 0; j < b.n_out; j++) asked += b.labels[j] >= FIRST && b.labels[j] < VOCAB - SENTINELS;
        }
        assert_true(fabs((double)asked / N - 0.4) < 0.01);
        trine_batch_clear(&room);
        trine_examples_close(e);
    }
}

static void another_epoch_is_masked_elsewhere(void **state)
{
    (void)state;
    trine_objective_options o = options_of(TRINE_OBJECTIVE_MASKED);
    o.separate = true;
    trine_examples *e = opened(one_document(126), &o);
    trine_batch_room a = { 0 }, b = { 0 }, c = { 0 };
    const trine_train_batch first = make(&a, e, 0, 0), again = make(&b, e, 0, 0), next = make(&c, e, 1, 0);
    assert_memory_equal(first.ids, again.ids, (size_t)first.n_rows * sizeof(int32_t));
    assert_memory_equal(first.out_rows, again.out_rows, (size_t)first.n_out * sizeof(int32_t));
    assert_int_not_equal(memcmp(first.out_rows, next.out_rows, (size_t)first.n_out * sizeof(int32_t)), 0);
    trine_batch_clear(&a);
    trine_batch_clear(&b);
    trine_batch_clear(&c);
    trine_examples_close(e);
}

static void whole_words_are_masked_whole(void **state)
{
    (void)state;
    trine_objective_options o = options_of(TRINE_OBJECTIVE_MASKED);
    for (int i = 0; i < VOCAB; i++) continues[i] = i % 2; /* odd ids go on a word */
    o.tokens.continues = continues;
    o.whole_word = true;
    trine_corpus c = one_document(20000);
    int32_t *ids = malloc(c.n * sizeof *ids);
    memcpy(ids, c.ids, c.n * sizeof *ids);
    trine_examples *e = opened(c, &o);
    trine_batch_room room = { 0 };
    int chosen = 0, at = 0, broken = 0;
    for (int64_t i = 0; i < e->count(e, 0); i++) {
        const trine_train_batch b = make(&room, e, 0, i);
        uint8_t scored[130] = { 0 };
        for (int k = 0; k < b.n_out; k++) scored[b.out_rows[k]] = 1;
        for (int row = 2; row < b.n_rows - 1; row++)
            if (ids[at + row - 1] % 2) broken += scored[row] != scored[row - 1];
        chosen += b.n_out;
        at += b.n_rows - 2;
    }
    assert_int_equal(broken, 0);
    assert_true(chosen > 0.14 * 20000 && chosen <= 0.151 * 20000);
    trine_batch_clear(&room);
    trine_examples_close(e);
    free(ids);
}

static void causal_predicts_every_token_but_the_first(void **state)
{
    (void)state;
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        trine_objective_options o = options_of(TRINE_OBJECTIVE_CAUSAL);
        trine_corpus c = one_document(1000);
        int32_t ids[1000];
        memcpy(ids, c.ids, sizeof ids);
        trine_examples *e = opened(c, &o);
        trine_batch_room room = { 0 };
        int at = 0;
        for (int64_t i = 0; i < e->count(e, epoch); i++) {
            const trine_train_batch b = make(&room, e, epoch, i);
            assert_true(b.n_rows <= 128 && b.n_out == b.n_rows);
            assert_memory_equal(b.ids, ids + at, (size_t)b.n_rows * sizeof *ids);
            assert_memory_equal(b.labels, ids + at + 1, (size_t)b.n_rows * sizeof *ids);
            at += b.n_rows;
        }
        assert_int_equal(at, 999);
        trine_batch_clear(&room);
        trine_examples_close(e);
    }
}

static void separate_documents_do_not_meet(void **state)
{
    (void)state;
    const int lengths[] = { 5, 1, 300, 2, 129 };
    trine_objective_options o = options_of(TRINE_OBJECTIVE_CAUSAL);
    o.separate = true;
    trine_examples *e = opened(corpus_of(lengths, 5), &o);
    const int rows[] = { 4, 128, 128, 43, 1, 128 };
    assert_int_equal(e->count(e, 0), 6);
    for (int i = 0; i < 6; i++) assert_int_equal(e->size(e, 0, i).rows, rows[i]);
    trine_examples_close(e);
}

static void prefixes_are_drawn_evenly(void **state)
{
    (void)state;
    for (int encoder = 0; encoder < 2; encoder++) {
        trine_objective_options o = options_of(TRINE_OBJECTIVE_PREFIX);
        o.has_encoder = encoder;
        o.seq_len = 16;
        trine_corpus c = one_document(16 * 2000 + 1);
        int32_t *ids = malloc(c.n * sizeof *ids);
        memcpy(ids, c.ids, c.n * sizeof *ids);
        trine_examples *e = opened(c, &o);
        trine_batch_room room = { 0 };
        double sum = 0;
        assert_int_equal(e->count(e, 0), 2000);
        for (int64_t i = 0; i < 2000; i++) {
            const trine_train_batch b = make(&room, e, 0, i);
            const int prefix = encoder ? b.n_rows : b.segments[0].prefix;
            assert_true(prefix >= 1 && prefix <= 16 && b.n_out == 17 - prefix);
            assert_int_equal(b.mask, encoder ? TRINE_MASK_DEFAULT : TRINE_MASK_PREFIX);
            assert_memory_equal(b.labels, ids + i * 16 + prefix, (size_t)b.n_out * sizeof *ids);
            if (encoder)
                assert_int_equal(b.target_ids[0], START);
            else
                assert_int_equal(b.out_rows[0], prefix - 1);
            sum += prefix;
        }
        assert_true(fabs(sum / 2000 - 8.5) < 5 * 4.61 / sqrt(2000));
        trine_batch_clear(&room);
        trine_examples_close(e);
        free(ids);
    }
}

/* The text again, from the input and what the sentinels in it stand for. */
static int reassemble(int32_t *out, const trine_train_batch *b)
{
    int n = 0;
    for (int i = 0; i < b->n_rows - 1; i++) {
        if (b->ids[i] < VOCAB - SENTINELS) {
            out[n++] = b->ids[i];
            continue;
        }
        int k = 0;
        while (b->labels[k] != b->ids[i]) k++;
        for (k++; b->labels[k] < VOCAB - SENTINELS && b->labels[k] != EOS; k++) out[n++] = b->labels[k];
    }
    return n;
}

static void spans_are_those_of_t5(void **state)
{
    (void)state;
    /* What T5's random_spans_helper gives: inputs of 512 from sequences of 568, with targets of 114. */
    int noise, spans, inputs, targets;
    assert_int_equal(trine_span_length(512, 0.15, 3), 568);
    trine_span_plan(&noise, &spans, &inputs, &targets, 568, 0.15, 3);
    assert_int_equal(inputs, 512);
    assert_int_equal(targets, 114);

    trine_objective_options o = options_of(TRINE_OBJECTIVE_SPAN);
    trine_corpus c = one_document(60000);
    int32_t *ids = malloc(c.n * sizeof *ids), text[400];
    memcpy(ids, c.ids, c.n * sizeof *ids);
    trine_examples *e = opened(c, &o);
    trine_batch_room room = { 0 };
    int at = 0, n_noise = 0, n_spans = 0, ones = 0;
    for (int64_t i = 0; i < e->count(e, 0); i++) {
        const trine_train_batch b = make(&room, e, 0, i);
        assert_true(b.n_rows <= 128 && b.n_out == b.n_target_rows);
        assert_int_equal(b.ids[b.n_rows - 1], EOS);
        assert_int_equal(b.labels[b.n_out - 1], EOS);
        assert_int_equal(b.target_ids[0], START);
        assert_memory_equal(b.target_ids + 1, b.labels, (size_t)(b.n_out - 1) * sizeof *b.labels);
        const int n = reassemble(text, &b);
        assert_memory_equal(text, ids + at, (size_t)n * sizeof *text);
        at += n;
        int length = 0, sentinel = 0;
        for (int k = 0; k < b.n_out; k++) {
            const bool is_sentinel = b.labels[k] >= VOCAB - SENTINELS;
            if (is_sentinel) assert_int_equal(b.labels[k], VOCAB - 1 - sentinel++); /* <extra_id_0> first, downwards */
            if (is_sentinel || b.labels[k] == EOS) {
                ones += length == 1;
                n_spans += length > 0;
                length = 0;
            } else {
                n_noise++;
                length++;
            }
        }
    }
    assert_int_equal(at, 60000);
    assert_true(fabs(n_noise / 60000.0 - 0.15) < 0.002);
    assert_true(fabs((double)n_noise / n_spans - 3) < 0.1);
    /* A composition of 21 into 7 parts begins with 1 in (C(19, 5) / C(20, 6)) = 0.3 of all. */
    assert_true(fabs((double)ones / n_spans - 0.3) < 0.05);
    trine_batch_clear(&room);
    trine_examples_close(e);
    free(ids);
}

static void short_texts_are_spans_too(void **state)
{
    (void)state;
    trine_objective_options o = options_of(TRINE_OBJECTIVE_SPAN);
    o.separate = true;
    const int lengths[] = { 1, 2, 3, 7 };
    trine_examples *e = opened(corpus_of(lengths, 4), &o);
    trine_batch_room room = { 0 };
    for (int i = 0; i < 4; i++) {
        const trine_train_batch b = make(&room, e, 0, i);
        int32_t text[16];
        assert_int_equal(reassemble(text, &b), lengths[i]);
    }
    trine_batch_clear(&room);
    trine_examples_close(e);
}

/* A sentence has one span: it is missing anywhere, as often here as there, and its length does not follow from the sentence's. */
static void a_short_text_misses_any_part(void **state)
{
    (void)state;
    enum { TEXTS = 4000, LENGTH = 12 };
    trine_objective_options o = options_of(TRINE_OBJECTIVE_SPAN);
    o.separate = true;
    int *lengths = malloc(TEXTS * sizeof *lengths), hidden[LENGTH] = { 0 }, of_length[4] = { 0 };
    for (int i = 0; i < TEXTS; i++) lengths[i] = LENGTH;
    trine_examples *e = opened(corpus_of(lengths, TEXTS), &o);
    trine_batch_room room = { 0 };
    for (int64_t i = 0; i < TEXTS; i++) {
        const trine_train_batch b = make(&room, e, 0, i);
        int32_t text[LENGTH];
        assert_int_equal(reassemble(text, &b), LENGTH);
        const int n = b.n_out - 2; /* but the sentinel and the end */
        int at = 0;
        while (b.ids[at] < VOCAB - SENTINELS) at++;
        assert_true(n >= 1 && n <= 3);
        of_length[n]++;
        for (int k = 0; k < n; k++) hidden[at + k]++;
    }
    for (int n = 1; n <= 3; n++) assert_true(fabs(of_length[n] / (double)TEXTS - 1 / 3.0) < 0.04); /* five standard deviations */
    /* Two of twelve on average; at the edges a span of two or three has fewer places. */
    for (int k = 0; k < LENGTH; k++) assert_in_range(hidden[k], TEXTS / 15, TEXTS / 4);
    for (int k = 2; k < LENGTH - 2; k++) assert_true(fabs(hidden[k] / (double)TEXTS - 0.19) < 0.04);
    trine_batch_clear(&room);
    trine_examples_close(e);
    free(lengths);
}

static void objectives_need_their_kind_of_model(void **state)
{
    (void)state;
    const trine_objective kinds[] = { TRINE_OBJECTIVE_MASKED, TRINE_OBJECTIVE_CAUSAL, TRINE_OBJECTIVE_SPAN,
                                      TRINE_OBJECTIVE_SEQ2SEQ };
    for (int i = 0; i < 4; i++) {
        trine_objective_options o = options_of(kinds[i]);
        if (i == 1)
            o.has_encoder = true;
        else
            o.has_encoder = !(o.has_decoder = true);
        trine_corpus c = one_document(100);
        trine_examples *e;
        assert_int_equal(trine_objective_open(&e, &c, &o, NULL), TRINE_ERROR_ARGUMENT);
        assert_null(e);
    }
    trine_objective_options o = options_of(TRINE_OBJECTIVE_SPAN);
    o.tokens.n_sentinels = 0;
    trine_corpus c = one_document(100);
    trine_examples *e;
    assert_int_equal(trine_objective_open(&e, &c, &o, NULL), TRINE_ERROR_ARGUMENT);
    o = options_of(TRINE_OBJECTIVE_CAUSAL);
    c = one_document(1);
    assert_int_equal(trine_objective_open(&e, &c, &o, NULL), TRINE_ERROR_EMPTY);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    const trine_objective kinds[] = { TRINE_OBJECTIVE_MASKED, TRINE_OBJECTIVE_SPAN };
    for (int i = 0; i < 2; i++)
        for (long k = 1;; k++) {
            trine_objective_options o = options_of(kinds[i]);
            trine_corpus c = one_document(300);
            trine_examples *e;
            trine_batch_room room = { 0 };
            trine_train_batch b;
            alloc_fail_at(k);
            trine_status status = trine_objective_open(&e, &c, &o, NULL);
            if (!status) {
                e->make(&room, e, 0, 1);
                status = trine_batch_end(&b, &room, NULL);
            }
            alloc_fail_at(0);
            trine_examples_close(e);
            trine_batch_clear(&room);
            if (!status) break;
            assert_int_equal(status, TRINE_ERROR_MEMORY);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_rates_are_those_of_the_paper),
        cmocka_unit_test(more_may_be_asked),
        cmocka_unit_test(another_epoch_is_masked_elsewhere),
        cmocka_unit_test(whole_words_are_masked_whole),
        cmocka_unit_test(causal_predicts_every_token_but_the_first),
        cmocka_unit_test(separate_documents_do_not_meet),
        cmocka_unit_test(prefixes_are_drawn_evenly),
        cmocka_unit_test(spans_are_those_of_t5),
        cmocka_unit_test(short_texts_are_spans_too),
        cmocka_unit_test(a_short_text_misses_any_part),
        cmocka_unit_test(objectives_need_their_kind_of_model),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("objectives", tests, NULL, NULL);
}
