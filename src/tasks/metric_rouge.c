/* metric_rouge.c - ROUGE-1, ROUGE-2 and ROUGE-L. Words are runs of a-z and 0-9 after lowering; nothing else counts, as in Lin's
 * own script, so text in other alphabets scores 0. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tasks/metrics.h"

/* The lower form of a code point if that is an ASCII letter or digit, else 0. Two letters outside ASCII are lowered into it:
 * the Kelvin sign and the dotted capital I. */
static char word_character(uint32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return (char)c;
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return c == 0x212A ? 'k' : c == 0x130 ? 'i' : 0;
}

/* Lowered words into `lowered` (as long as the text at most, ended by blanks), and their numbers. */
static trine_status words_of(trine_words *words, trine_word_table *table, char **lowered, const char *text, trine_error *err)
{
    const size_t n = strlen(text);
    char *out = *lowered = malloc(n + 2);
    size_t at = 0, from = 0;
    if (!out) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a text of %zu bytes", n);
    trine_status status = TRINE_OK;
    for (size_t i = 0, taken; i < n && !status; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, text + i, n - i);
        const char w = word_character(c);
        if (w) out[at++] = w;
        if (w && c != 0x130) continue; /* what follows the lowered i of that letter is a combining dot: the word ends */
        if (at > from) status = trine_words_add(words, table, out + from, at - from, err);
        from = at;
    }
    if (!status && at > from) status = trine_words_add(words, table, out + from, at - from, err);
    return status;
}

static double f_measure(double matched, double prediction, double reference)
{
    if (matched == 0) return 0;
    const double p = matched / prediction, r = matched / reference;
    return 2 * p * r / (p + r);
}

/* Length of the longest common subsequence, one row of the table at a time; -1 when memory ran out. */
static int64_t common(const trine_words *a, const trine_words *b)
{
    int32_t *row = calloc(b->n + 1, sizeof *row);
    if (!row) return -1;
    for (size_t i = 0; i < a->n; i++) {
        int32_t diagonal = 0;
        for (size_t j = 0; j < b->n; j++) {
            const int32_t above = row[j + 1];
            row[j + 1] = a->ids[i] == b->ids[j] ? diagonal + 1 : above > row[j] ? above : row[j];
            diagonal = above;
        }
    }
    const int64_t length = row[b->n];
    free(row);
    return length;
}

static trine_status score_one(trine_rouge *out, const char *prediction, const char *reference, trine_error *err)
{
    trine_words words[2] = { 0 };
    trine_word_table table = { 0 };
    char *lowered[2] = { NULL, NULL };
    trine_ngram_counts counts;
    *out = (trine_rouge) { 0 };
    trine_status status = words_of(&words[0], &table, &lowered[0], prediction, err);
    if (!status) status = words_of(&words[1], &table, &lowered[1], reference, err);
    for (int order = 1; order <= 2 && !status; order++) {
        status = trine_ngrams_match(&counts, words[0].ids, words[0].n, words[1].ids, words[1].n, order, err);
        if (status) break;
        const double f = f_measure((double)counts.matched, (double)counts.hypothesis, (double)counts.reference);
        *(order == 1 ? &out->rouge1 : &out->rouge2) = f;
    }
    const int64_t longest = status ? 0 : common(&words[0], &words[1]);
    if (longest < 0)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to compare %zu words", words[1].n);
    else
        out->rougeL = f_measure((double)longest, (double)words[0].n, (double)words[1].n);
    for (int i = 0; i < 2; i++) {
        trine_words_clear(&words[i]);
        free(lowered[i]);
    }
    trine_word_table_clear(&table);
    return status;
}

trine_status trine_rouge_score(trine_rouge *out, const char *prediction, const char *const *references, int n_references,
                               trine_error *err)
{
    *out = (trine_rouge) { 0 };
    for (int i = 0; i < n_references; i++) {
        trine_rouge one;
        const trine_status status = score_one(&one, prediction, references[i], err);
        if (status) return status;
        if (one.rouge1 > out->rouge1) out->rouge1 = one.rouge1;
        if (one.rouge2 > out->rouge2) out->rouge2 = one.rouge2;
        if (one.rougeL > out->rougeL) out->rougeL = one.rougeL;
    }
    return TRINE_OK;
}
