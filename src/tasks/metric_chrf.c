/* metric_chrf.c - chrF2: character n-grams, averaged precision and recall, recall weighing twice. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tasks/metrics.h"
#include "tasks/template.h" /* Python's white space */

/* Code points without white space; NULL when memory ran out. */
static int32_t *characters(size_t *n, const char *text)
{
    const size_t bytes = strlen(text);
    size_t size;
    *n = 0;
    if (!trine_mul_size(&size, bytes + 1, sizeof(int32_t))) return NULL;
    int32_t *out = malloc(size);
    for (size_t i = 0, taken; out && i < bytes; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, text + i, bytes - i);
        if (!trine_tpl_is_space(c)) out[(*n)++] = (int32_t)c;
    }
    return out;
}

trine_status trine_chrf_add(trine_chrf *chrf, const char *hypothesis, const char *reference, trine_error *err)
{
    size_t n_h, n_r = 0;
    int32_t *h = characters(&n_h, hypothesis), *r = h ? characters(&n_r, reference) : NULL;
    trine_status status = r ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the characters of a text");
    trine_chrf sum = *chrf;
    for (int order = 1; order <= 6 && !status; order++) {
        trine_ngram_counts counts;
        status = trine_ngrams_match(&counts, h, n_h, r, n_r, order, err);
        trine_ngram_counts *o = &sum.orders[order - 1];
        o->hypothesis += counts.reference ? counts.hypothesis : 0; /* a reference too short for the order does not count */
        o->reference += counts.reference;
        o->matched += counts.matched;
    }
    if (!status) *chrf = sum;
    free(h);
    free(r);
    return status;
}

double trine_chrf_score(const trine_chrf *chrf)
{
    double precision = 0, recall = 0;
    int n = 0;
    for (int i = 0; i < 6; i++) {
        const trine_ngram_counts *o = &chrf->orders[i];
        if (!o->hypothesis || !o->reference) continue;
        precision += (double)o->matched / (double)o->hypothesis;
        recall += (double)o->matched / (double)o->reference;
        n++;
    }
    if (!n || precision + recall == 0) return 0;
    precision /= n;
    recall /= n;
    const double beta2 = 4;
    return 100 * (1 + beta2) * precision * recall / (beta2 * precision + recall);
}
