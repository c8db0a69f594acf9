/* metric_bleu.c - corpus BLEU with mteval-v13a's tokens. The tokeniser is four substitutions over the text, one after another;
 * all of their characters are ASCII, so they may run on bytes. */
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tasks/metrics.h"
#include "tasks/template.h" /* Python's white space */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* {-~ [-` space-& (-+ :-@ / : ASCII punctuation but ' , - . */
static bool is_symbol(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
           (c >= ':' && c <= '@') || c == '/';
}

/* s.replace(from, to) into out. */
static void replace(trine_buffer *out, const trine_buffer *in, const char *from, const char *to)
{
    const size_t n = strlen(from);
    for (size_t i = 0; i < in->n;) {
        if (in->n - i >= n && !memcmp(in->data + i, from, n)) {
            trine_buffer_puts(out, to);
            i += n;
        } else {
            trine_buffer_putc(out, in->data[i++]);
        }
    }
}

static void put_spaced(trine_buffer *out, bool before, char c, bool after)
{
    if (before) trine_buffer_putc(out, ' ');
    trine_buffer_putc(out, c);
    if (after) trine_buffer_putc(out, ' ');
}

static void substitute(trine_buffer *out, const trine_buffer *in, int step)
{
    const char *s = in->data;
    for (size_t i = 0; i < in->n; i++) {
        const char c = s[i], next = i + 1 < in->n ? s[i + 1] : 0;
        const bool has_next = i + 1 < in->n;
        switch (step) {
        case 0: put_spaced(out, is_symbol(c), c, is_symbol(c)); break;
        case 1: /* a period or comma not after a digit */
            trine_buffer_putc(out, c);
            if (!is_digit(c) && has_next && (next == '.' || next == ',')) put_spaced(out, true, s[++i], true);
            break;
        case 2: /* a period or comma not before a digit */
            if ((c == '.' || c == ',') && has_next && !is_digit(next)) {
                put_spaced(out, true, c, true);
                trine_buffer_putc(out, s[++i]);
            } else {
                trine_buffer_putc(out, c);
            }
            break;
        default: /* a dash after a digit */
            trine_buffer_putc(out, c);
            if (is_digit(c) && next == '-') put_spaced(out, true, s[++i], true);
        }
    }
}

/* The text with a blank between its 13a tokens. */
static void tokenize(trine_buffer *out, const char *text)
{
    static const char *const replaced[][2] = { { "<skipped>", "" }, { "-\n", "" },   { "\n", " " },  { "&quot;", "\"" },
                                               { "&amp;", "&" },    { "&lt;", "<" }, { "&gt;", ">" } };
    trine_buffer a = { 0 }, b = { 0 };
    size_t n = strlen(text), taken;
    const tpl_string whole = trine_tpl_strip((tpl_string) { text, n }, NULL, false, true);
    for (size_t i = 0; i < whole.n; i += taken) trine_buffer_put_utf8(&a, trine_utf8_next(&taken, whole.s + i, whole.n - i));
    for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++) {
        replace(&b, &a, replaced[i][0], replaced[i][1]);
        b.failed |= a.failed;
        trine_buffer_clear(&a);
        a = b;
        b = (trine_buffer) { 0 };
    }
    trine_buffer_putc(&b, ' ');
    if (a.n) trine_buffer_append(&b, a.data, a.n);
    trine_buffer_putc(&b, ' ');
    for (int step = 0; step < 4; step++) {
        b.failed |= a.failed;
        trine_buffer_clear(&a);
        a = b;
        b = (trine_buffer) { 0 };
        substitute(&b, &a, step);
    }
    b.failed |= a.failed;
    trine_buffer_clear(&a);
    *out = b;
}

static trine_status split(trine_words *words, trine_word_table *table, const trine_buffer *text, trine_error *err)
{
    if (text->failed) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to split a text into words");
    trine_status status = TRINE_OK;
    for (size_t i = 0, from = 0, taken; i <= text->n && !status; i += taken) {
        const bool space = i == text->n || trine_tpl_is_space(trine_utf8_next(&taken, text->data + i, text->n - i));
        if (i == text->n) taken = 1;
        if (!space) continue;
        if (i > from) status = trine_words_add(words, table, text->data + from, i - from, err);
        from = i + taken;
    }
    return status;
}

trine_status trine_bleu_add(trine_bleu *bleu, const char *hypothesis, const char *reference, trine_error *err)
{
    trine_buffer h, r;
    trine_words words[2] = { 0 };
    trine_word_table table = { 0 };
    trine_bleu sum = *bleu;
    tokenize(&h, hypothesis);
    tokenize(&r, reference);
    trine_status status = split(&words[0], &table, &h, err);
    if (!status) status = split(&words[1], &table, &r, err);
    for (int order = 1; order <= 4 && !status; order++) {
        trine_ngram_counts counts;
        status = trine_ngrams_match(&counts, words[0].ids, words[0].n, words[1].ids, words[1].n, order, err);
        sum.matched[order - 1] += counts.matched;
        sum.total[order - 1] += counts.hypothesis;
    }
    sum.n_hypothesis += (int64_t)words[0].n;
    sum.n_reference += (int64_t)words[1].n;
    if (!status) *bleu = sum;
    trine_words_clear(&words[0]);
    trine_words_clear(&words[1]);
    trine_word_table_clear(&table);
    trine_buffer_clear(&h);
    trine_buffer_clear(&r);
    return status;
}

double trine_bleu_score(const trine_bleu *b)
{
    double sum = 0, smooth = 1;
    if (!b->matched[0] && !b->matched[1] && !b->matched[2] && !b->matched[3]) return 0;
    for (int i = 0; i < 4; i++) {
        if (!b->total[i]) return 0;
        /* NIST's smoothing (Chen & Cherry 2014, method 3): the k-th order without a match counts 1 / 2^k matches */
        if (!b->matched[i]) smooth *= 2;
        const double matched = b->matched[i] ? (double)b->matched[i] : 1 / smooth;
        sum += log(100 * matched / (double)b->total[i]);
    }
    const double brevity = b->n_hypothesis < b->n_reference ? exp(1 - (double)b->n_reference / (double)b->n_hypothesis) : 1;
    return brevity * exp(sum / 4);
}
