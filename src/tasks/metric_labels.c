/* metric_labels.c - what counts as an entity, and scores of labels. The two rules below are conlleval's startOfChunk and
 * endOfChunk: they read IOB1, IOB2 and IOBES alike, so nothing need be told about the scheme. */
#include <string.h>

#include "tasks/metrics.h"

char trine_tag_split(const char **type, const char *tag)
{
    *type = "";
    if (!strcmp(tag, "O")) return 'O';
    if (tag[0] && tag[1] == '-' && strchr("BIESLUO", tag[0])) {
        *type = tag + 2;
        return tag[0] == 'L' ? 'E' : tag[0] == 'U' ? 'S' : tag[0]; /* BILOU has other letters for the same */
    }
    *type = tag;
    return 'I';
}

bool trine_tag_begins(char before, const char *type_before, char now, const char *type_now)
{
    if (now == 'B' || now == 'S') return true;
    if ((before == 'E' || before == 'S' || before == 'O') && (now == 'E' || now == 'I')) return true;
    return now != 'O' && strcmp(type_before, type_now) != 0;
}

bool trine_tag_ended(char before, const char *type_before, char now, const char *type_now)
{
    if (before == 'E' || before == 'S') return true;
    if ((before == 'B' || before == 'I') && (now == 'B' || now == 'S' || now == 'O')) return true;
    return before != 'O' && strcmp(type_before, type_now) != 0;
}

void trine_entity_counts_add(trine_entity_counts *counts, const char *const *guessed, const char *const *gold, int n_words)
{
    char before_a = 'O', before_b = 'O';
    const char *type_a = "", *type_b = "";
    bool open = false; /* inside two entities that began together and have the same type */
    for (int i = 0; i <= n_words; i++) {
        const char *next_a = "", *next_b = "";
        const char a = i < n_words ? trine_tag_split(&next_a, guessed[i]) : 'O',
                   b = i < n_words ? trine_tag_split(&next_b, gold[i]) : 'O';
        const bool end_a = trine_tag_ended(before_a, type_a, a, next_a), end_b = trine_tag_ended(before_b, type_b, b, next_b);
        const bool begin_a = trine_tag_begins(before_a, type_a, a, next_a), begin_b = trine_tag_begins(before_b, type_b, b, next_b);
        if (open && (end_a || end_b)) {
            counts->right += end_a && end_b;
            open = false;
        }
        if (begin_a && begin_b && !strcmp(next_a, next_b)) open = true;
        counts->guessed += begin_a;
        counts->gold += begin_b;
        before_a = a, type_a = next_a;
        before_b = b, type_b = next_b;
    }
}

void trine_entity_counts_score(const trine_entity_counts *c, double *precision, double *recall, double *f1)
{
    *precision = c->guessed ? (double)c->right / (double)c->guessed : 0;
    *recall = c->gold ? (double)c->right / (double)c->gold : 0;
    *f1 = c->right ? 2 * *precision * *recall / (*precision + *recall) : 0;
}

void trine_label_scores(double *accuracy, double *macro_f1, const int64_t *counts, int n)
{
    int64_t total = 0, right = 0;
    double sum = 0;
    int n_seen = 0;
    for (int i = 0; i < n; i++) {
        int64_t gold = 0, guessed = 0;
        for (int j = 0; j < n; j++) {
            gold += counts[i * n + j];
            guessed += counts[j * n + i];
        }
        total += gold;
        right += counts[i * n + i];
        n_seen += gold || guessed;
        if (gold || guessed) sum += 2 * (double)counts[i * n + i] / (double)(gold + guessed);
    }
    *accuracy = total ? (double)right / (double)total : 0;
    *macro_f1 = n_seen ? sum / n_seen : 0;
}
