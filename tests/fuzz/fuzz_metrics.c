/* Text into every metric: the input is two texts, parted by a zero byte. Equal texts must score as equal. */
#include <stdlib.h>
#include <string.h>

#include "tasks/metrics.h"
#include "tasks/text_to_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *both = calloc(1, size + 2);
    if (!both) return 0;
    memcpy(both, data, size);
    const char *a = both, *b = strlen(a) < size ? a + strlen(a) + 1 : a;
    trine_bleu bleu = { 0 };
    trine_chrf chrf = { 0 }, same = { 0 };
    trine_rouge rouge;
    if (trine_bleu_add(&bleu, a, b, NULL) || trine_chrf_add(&chrf, a, b, NULL) || trine_chrf_add(&same, a, a, NULL) ||
        trine_rouge_score(&rouge, a, &b, 1, NULL))
        abort();
    const double scores[] = { trine_bleu_score(&bleu), trine_chrf_score(&chrf), 100 * rouge.rouge1, 100 * rouge.rouge2,
                              100 * rouge.rougeL };
    for (int i = 0; i < 5; i++)
        if (!(scores[i] >= 0 && scores[i] <= 100.0001)) abort();
    if (same.orders[0].hypothesis && !(trine_chrf_score(&same) > 99.999)) abort();
    /* a text is cut into pieces that end, and that are the text again */
    const size_t n = strlen(a), limit = strlen(b) % 40 + 1;
    for (size_t at = 0, used; at < n; at += used)
        if ((used = trine_cut_text(a + at, n - at, limit)) == 0 || used > n - at) abort();
    free(both);
    return 0;
}
