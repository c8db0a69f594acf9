/* train_seeds.c - the pieces that unigram training begins with: all strings that stand in the words at least twice and end where
 * what follows them differs, by a suffix array (Kudo 2018, section 3.2; the array is Manber and Myers 1990).
 *
 * Words are laid one behind the other as numbered characters, each ended by 0. No piece is longer than TRINE_PIECE_MAX characters, so
 * suffixes are compared so far and no further. In the sorted array the suffixes that begin with one string lie side by side: the
 * strings are the nodes of a tree over the array, found by one walk with a stack. A second walk knows, at each suffix, the pieces
 * that it begins with: they are written down at its place, so that training never looks anything up again. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/train.h"

typedef struct seed {
    uint32_t left, right; /* in the suffix array */
    int64_t count;
    uint8_t length;
} seed;

typedef struct builder {
    trine_lattices *to;
    const trine_training *training;
    uint32_t *suffixes; /* sorted */
    uint32_t n_suffixes;
    uint32_t *segment_of; /* [n_places] */
    uint32_t *firsts;     /* [n_characters + 2] where the suffixes of each character begin */
    uint8_t *scripts;     /* [n_characters + 1] */
    int max_piece;
    seed *seeds;
    size_t n_seeds, cap_seeds;
} builder;

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory to train"); }

/* -- which characters may stand in one piece
 *
 * As sentencepiece: characters of one script. Digits, signs and symbols are a script of their own, marks belong to any, and the sign
 * for a space (U+2581) stands only at the head of a piece. Ranges by blocks: of the scripts that are written together with others
 * in real texts. */
enum { SCRIPT_ANY, SCRIPT_SIGNS, SCRIPT_SPACE, SCRIPT_OTHER, SCRIPT_FIRST };

static uint8_t script_of(uint32_t c)
{
    static const uint32_t begins[] = {
        0x41,   /* Latin */
        0x370,  /* Greek */
        0x400,  /* Cyrillic */
        0x530,  /* Armenian */
        0x590,  /* Hebrew */
        0x600,  /* Arabic */
        0x700,  /* Syriac and its neighbours */
        0x900,  /* Devanagari */
        0x980,  /* Bengali */
        0xA00,  /* Gurmukhi */
        0xA80,  /* Gujarati */
        0xB00,  /* Oriya */
        0xB80,  /* Tamil */
        0xC00,  /* Telugu */
        0xC80,  /* Kannada */
        0xD00,  /* Malayalam */
        0xD80,  /* Sinhala */
        0xE00,  /* Thai */
        0xE80,  /* Lao */
        0xF00,  /* Tibetan */
        0x1000, /* Myanmar */
        0x10A0, /* Georgian */
        0x1100, /* Hangul */
        0x1200, /* Ethiopic */
        0x1D00, /* others */
    };
    if (c == 0x2581) return SCRIPT_SPACE;
    if (trine_is_nonspacing(c) || trine_is_mark(c)) return SCRIPT_ANY;
    if (!trine_is_word(c) || trine_is_numeric(c) || c == '_') return SCRIPT_SIGNS;
    if ((c >= 0x1E00 && c < 0x1F00) || (c >= 0xFB00 && c < 0xFB07) || (c >= 0xFF21 && c < 0xFF5B)) return SCRIPT_FIRST;
    if (c >= 0x1F00 && c < 0x2000) return SCRIPT_FIRST + 1;
    if (trine_is_cjk(c) || (c >= 0x3040 && c < 0x3100) || (c >= 0xFF66 && c < 0xFFA0) || c == 0x3005) return SCRIPT_OTHER;
    if (c >= 0xAC00 && c < 0xD7B0) return SCRIPT_FIRST + 22; /* Hangul again */
    uint8_t script = SCRIPT_OTHER;
    for (size_t i = 0; i < sizeof begins / sizeof *begins && c >= begins[i]; i++) script = (uint8_t)(SCRIPT_FIRST + i);
    return script;
}

static bool may_be_piece(const builder *b, uint32_t place, int length)
{
    const uint16_t *codes = b->to->codes + place;
    uint8_t script = SCRIPT_ANY;
    for (int i = 0; i < length; i++) {
        const uint8_t s = b->scripts[codes[i]];
        if (s == SCRIPT_SPACE && i) return false;
        if (s == SCRIPT_SPACE || s == SCRIPT_ANY) continue;
        if (script != SCRIPT_ANY && s != script) return false;
        script = s;
    }
    return true;
}

/* -- words as numbers */

static trine_status number_characters(trine_lattices *l, trine_string_table *numbers, const trine_training *training,
                                      trine_error *err)
{
    trine_string_table alphabet;
    trine_status status = trine_train_alphabet(&alphabet, training->words, training->coverage, err);
    if (status) return status;
    bool fine = true;
    for (int i = 0; i < alphabet.n && fine; i++) fine = trine_table_put(numbers, alphabet.items[i].text, alphabet.items[i].n) >= 0;
    trine_table_clear(&alphabet);
    /* A character without a piece is dearer than any token, so a text that spells a reserved token must have no such character. */
    for (int i = 0; i < training->n_first; i++)
        for (const char *c = training->first[i]; *c && fine; c += trine_utf8_length((unsigned char)*c))
            fine = trine_table_put(numbers, c, trine_utf8_length((unsigned char)*c)) >= 0;
    if (!fine) return no_memory(err);
    const int n = numbers->n, n_needed = training->n_first + n;
    if (n_needed > training->vocab || n > UINT16_MAX - 1) return trine_training_too_small(n_needed, training, err);
    l->n_characters = n;
    l->characters = calloc((size_t)n + 1, sizeof *l->characters);
    char *spelling = malloc(4 * ((size_t)n + 1));
    if (!l->characters || !spelling) {
        free(spelling);
        return no_memory(err);
    }
    l->characters[0] = spelling; /* the one block that holds them all */
    for (int i = 0; i < n; i++) {
        memcpy(spelling + 4 * (i + 1), numbers->items[i].text, numbers->items[i].n);
        l->characters[i + 1] = spelling + 4 * (i + 1);
    }
    return TRINE_OK;
}

/* Words cut at characters without a number, and where they go on for too long; ends of 0 between. Returns the number of segments. */
static int lay_out(builder *b, const trine_string_table *numbers, bool writing)
{
    trine_lattices *l = b->to;
    const trine_string_table *words = &b->training->words->table;
    size_t at = 0, begin = 0;
    int n = 0;
    for (int i = 0; i < words->n; i++) {
        const trine_counted *word = &words->items[i];
        for (size_t k = 0, size; k <= word->n; k += size) {
            int32_t code = -1;
            size = k < word->n ? trine_utf8_length((unsigned char)word->text[k]) : 1;
            if (k < word->n) code = trine_table_find(numbers, word->text + k, size);
            if (code >= 0) {
                if (writing) l->codes[at] = (uint16_t)(code + 1);
                at++;
            }
            if (at == begin || (code >= 0 && at - begin < TRINE_SEGMENT_MAX && k + size < word->n)) continue;
            if (writing) {
                l->codes[at] = 0;
                l->segments[n] = (uint32_t)begin;
                l->counts[n] = word->count;
                for (size_t j = begin; j <= at; j++) b->segment_of[j] = (uint32_t)n;
            }
            n++;
            begin = ++at;
        }
    }
    l->n_places = at;
    return n;
}

static trine_status number_words(builder *b, const trine_string_table *numbers, trine_error *err)
{
    trine_lattices *l = b->to;
    l->n_segments = lay_out(b, numbers, false);
    if (l->n_places > UINT32_MAX / 2)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: %zu characters of different words, at most %u can be trained on",
                          l->n_places, UINT32_MAX / 2);
    l->codes = malloc((l->n_places + 1) * sizeof *l->codes);
    l->segments = malloc(((size_t)l->n_segments + 1) * sizeof *l->segments);
    l->counts = malloc(((size_t)l->n_segments + 1) * sizeof *l->counts);
    b->segment_of = malloc((l->n_places + 1) * sizeof *b->segment_of);
    if (!l->codes || !l->segments || !l->counts || !b->segment_of) return no_memory(err);
    lay_out(b, numbers, true);
    return TRINE_OK;
}

/* -- the suffix array */

/* Sorts suffixes that agree in their first `depth` characters: quicksort by one character, in three parts (Bentley and Sedgewick
 * 1997). What has ended, or is as long as a piece may be, is equal. */
static void sort(uint32_t *s, size_t n, const uint16_t *codes, int depth, int max)
{
    while (n > 1 && depth < max) {
        if (n < 12) {
            for (size_t i = 1; i < n; i++) {
                const uint32_t x = s[i];
                size_t k = i;
                for (; k; k--) {
                    const uint16_t *a = codes + s[k - 1], *b = codes + x;
                    int d = depth;
                    while (d < max && a[d] && a[d] == b[d]) d++;
                    if (d == max || a[d] <= b[d]) break;
                    s[k] = s[k - 1];
                }
                s[k] = x;
            }
            return;
        }
        const uint16_t x = codes[s[0] + depth], y = codes[s[n / 2] + depth], z = codes[s[n - 1] + depth];
        const uint16_t pivot = x < y ? (y < z ? y : x < z ? z : x) : (x < z ? x : y < z ? z : y);
        size_t low = 0, at = 0, high = n;
        while (at < high) {
            const uint32_t v = s[at];
            const uint16_t c = codes[v + depth];
            if (c < pivot) {
                s[at++] = s[low];
                s[low++] = v;
            } else if (c > pivot) {
                s[at] = s[--high];
                s[high] = v;
            } else {
                at++;
            }
        }
        sort(s, low, codes, depth, max);
        sort(s + high, n - high, codes, depth, max);
        if (!pivot) return; /* all of the middle have ended */
        s += low;
        n = high - low;
        depth++;
    }
}

static void sort_one(void *job, int i, int thread)
{
    (void)thread;
    builder *b = job;
    sort(b->suffixes + b->firsts[i + 1], b->firsts[i + 2] - b->firsts[i + 1], b->to->codes, 1, b->max_piece);
}

static trine_status sort_suffixes(builder *b, trine_error *err)
{
    const trine_lattices *l = b->to;
    b->firsts = calloc((size_t)l->n_characters + 3, sizeof *b->firsts);
    b->suffixes = malloc((l->n_places + 1) * sizeof *b->suffixes);
    if (!b->firsts || !b->suffixes) return no_memory(err);
    for (size_t i = 0; i < l->n_places; i++)
        if (l->codes[i]) b->firsts[l->codes[i] + 1]++;
    for (int c = 1; c <= l->n_characters + 1; c++) b->firsts[c] += b->firsts[c - 1];
    b->n_suffixes = b->firsts[l->n_characters + 1];
    for (size_t i = 0; i < l->n_places; i++)
        if (l->codes[i]) b->suffixes[b->firsts[l->codes[i]]++] = (uint32_t)i;
    for (int c = l->n_characters + 1; c > 0; c--) b->firsts[c] = b->firsts[c - 1]; /* each had moved to where the next begins */
    b->firsts[0] = 0;
    trine_team_run(b->training->team, l->n_characters, sort_one, b);
    return TRINE_OK;
}

/* -- the tree */

static int common(const builder *b, uint32_t i, uint32_t k)
{
    const uint16_t *x = b->to->codes + b->suffixes[i], *y = b->to->codes + b->suffixes[k];
    int d = 0;
    while (d < b->max_piece && x[d] && x[d] == y[d]) d++;
    return d;
}

static int length_at(const builder *b, uint32_t i)
{
    const uint16_t *x = b->to->codes + b->suffixes[i];
    int d = 0;
    while (d < b->max_piece && x[d]) d++;
    return d;
}

static bool put_seed(builder *b, seed s)
{
    if (s.length < 2 || s.count < 2 || !may_be_piece(b, b->suffixes[s.left], s.length)) return true;
    if (b->n_seeds == b->cap_seeds) {
        const size_t cap = b->cap_seeds ? 2 * b->cap_seeds : 4096;
        seed *seeds = realloc(b->seeds, cap * sizeof *seeds);
        if (!seeds) return false;
        b->seeds = seeds;
        b->cap_seeds = cap;
    }
    b->seeds[b->n_seeds++] = s;
    return true;
}

/* All strings that end where what follows differs, by where their suffixes lie. Those that begin at one suffix come longest first. */
static trine_status find_seeds(builder *b, trine_error *err)
{
    seed stack[TRINE_PIECE_MAX + 2] = { { 0 } };
    int top = 0; /* stack[0] is the root */
    for (uint32_t i = 0; i <= b->n_suffixes; i++) {
        const int shared = i && i < b->n_suffixes ? common(b, i - 1, i) : 0;
        while (stack[top].length > shared) {
            seed s = stack[top--];
            s.right = i;
            if (!put_seed(b, s)) return no_memory(err);
            if (stack[top].length >= shared) {
                stack[top].count += s.count;
            } else {
                s.length = (uint8_t)shared;
                stack[++top] = s;
            }
        }
        if (i == b->n_suffixes) break;
        const int length = length_at(b, i);
        const int64_t count = b->to->counts[b->segment_of[b->suffixes[i]]];
        if (stack[top].length == length)
            stack[top].count += count;
        else
            stack[++top] = (seed) { .left = i, .count = count, .length = (uint8_t)length };
    }
    return TRINE_OK;
}

static int64_t worth(const seed *s) { return s->count * s->length; } /* characters that the piece covers */

static int by_worth(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Keeps those that are worth the most; of equals the first. */
static trine_status choose_seeds(builder *b, trine_error *err)
{
    const size_t most = (size_t)b->training->max_seeds;
    if (b->n_seeds <= most) return TRINE_OK;
    int64_t *worths = malloc(b->n_seeds * sizeof *worths);
    if (!worths) return no_memory(err);
    for (size_t i = 0; i < b->n_seeds; i++) worths[i] = worth(&b->seeds[i]);
    qsort(worths, b->n_seeds, sizeof *worths, by_worth);
    const int64_t least = worths[most - 1];
    size_t equals = most, n = 0;
    for (size_t i = 0; i < most && worths[i] > least; i++) equals--;
    free(worths);
    for (size_t i = 0; i < b->n_seeds; i++) {
        const int64_t w = worth(&b->seeds[i]);
        if (w < least || (w == least && !equals)) continue;
        equals -= w == least;
        b->seeds[n++] = b->seeds[i];
    }
    b->n_seeds = n;
    return TRINE_OK;
}

static int by_place(const void *a, const void *b)
{
    const seed *x = a, *y = b;
    if (x->left != y->left) return x->left < y->left ? -1 : 1;
    return (x->length > y->length) - (x->length < y->length);
}

/* Walks over the suffixes with the pieces that each begins with: first to count them, then to write them down. */
static void walk(const builder *b, bool writing)
{
    trine_lattices *l = b->to;
    size_t open[TRINE_PIECE_MAX + 1], next = 0; /* seeds */
    int n_open = 0;
    for (uint32_t i = 0; i < b->n_suffixes; i++) {
        while (n_open && b->seeds[open[n_open - 1]].right <= i) n_open--;
        while (next < b->n_seeds && b->seeds[next].left == i) open[n_open++] = next++;
        const uint32_t place = b->suffixes[i];
        if (!writing) {
            l->begins[place + 1] = (size_t)n_open + 1;
            continue;
        }
        uint32_t *to = l->entries + l->begins[place];
        *to++ = (uint32_t)(l->codes[place] - 1) << TRINE_PIECE_BITS | 1;
        for (int k = 0; k < n_open; k++)
            to[k] = (uint32_t)(open[k] + (size_t)l->n_characters) << TRINE_PIECE_BITS | b->seeds[open[k]].length;
    }
}

static trine_status list_pieces(builder *b, trine_error *err)
{
    trine_lattices *l = b->to;
    const size_t n_pieces = b->n_seeds + (size_t)l->n_characters;
    l->n_pieces = (int)n_pieces;
    l->places = malloc((n_pieces + 1) * sizeof *l->places);
    l->lengths = malloc((n_pieces + 1) * sizeof *l->lengths);
    l->seen = malloc((n_pieces + 1) * sizeof *l->seen);
    l->begins = calloc(l->n_places + 2, sizeof *l->begins);
    if (!l->places || !l->lengths || !l->seen || !l->begins) return no_memory(err);
    if (b->n_seeds) qsort(b->seeds, b->n_seeds, sizeof *b->seeds, by_place);
    for (int c = 0; c < l->n_characters; c++) {
        l->places[c] = b->firsts[c + 1] < b->firsts[c + 2] ? b->suffixes[b->firsts[c + 1]] : 0; /* a token's, not in the texts */
        l->lengths[c] = 1;
        l->seen[c] = 0;
    }
    for (size_t i = 0; i < l->n_places; i++)
        if (l->codes[i]) l->seen[l->codes[i] - 1] += l->counts[b->segment_of[i]];
    for (size_t i = 0; i < b->n_seeds; i++) {
        const size_t piece = i + (size_t)l->n_characters;
        l->places[piece] = b->suffixes[b->seeds[i].left];
        l->lengths[piece] = b->seeds[i].length;
        l->seen[piece] = b->seeds[i].count;
    }
    walk(b, false);
    for (size_t i = 0; i < l->n_places; i++) l->begins[i + 1] += l->begins[i];
    l->entries = malloc((l->begins[l->n_places] + 1) * sizeof *l->entries);
    if (!l->entries) return no_memory(err);
    walk(b, true);
    return TRINE_OK;
}

trine_status trine_lattices_open(trine_lattices *out, const trine_training *training, trine_error *err)
{
    *out = (trine_lattices) { 0 };
    builder b = { .to = out, .training = training, .max_piece = training->max_piece };
    trine_string_table numbers = { 0 };
    trine_status status = number_characters(out, &numbers, training, err);
    if (!status) status = number_words(&b, &numbers, err);
    if (!status && !(b.scripts = malloc((size_t)out->n_characters + 1))) status = no_memory(err);
    for (int i = 0; i < out->n_characters && !status; i++) b.scripts[i + 1] = script_of(trine_utf8_at(out->characters[i + 1]));
    if (!status) status = sort_suffixes(&b, err);
    if (!status) status = find_seeds(&b, err);
    if (!status) status = choose_seeds(&b, err);
    if (!status) status = list_pieces(&b, err);
    trine_table_clear(&numbers);
    free(b.suffixes);
    free(b.segment_of);
    free(b.firsts);
    free(b.scripts);
    free(b.seeds);
    if (status) trine_lattices_close(out);
    return status;
}

void trine_lattices_close(trine_lattices *l)
{
    if (l->characters) free((char *)(uintptr_t)l->characters[0]);
    free(l->characters);
    free(l->codes);
    free(l->segments);
    free(l->counts);
    free(l->begins);
    free(l->entries);
    free(l->places);
    free(l->lengths);
    free(l->seen);
    *l = (trine_lattices) { 0 };
}

void trine_lattices_prune(trine_lattices *l, const bool *kept)
{
    /* Old numbers to new ones lie where the counts of the seeds were: nothing asks for those any more. */
    int64_t *numbers = l->seen;
    int n = 0;
    for (int i = 0; i < l->n_pieces; i++) {
        numbers[i] = kept[i] ? n : -1;
        if (!kept[i]) continue;
        l->places[n] = l->places[i];
        l->lengths[n++] = l->lengths[i];
    }
    size_t to = 0, from = 0;
    for (size_t place = 0; place < l->n_places; place++) {
        const size_t end = l->begins[place + 1];
        for (; from < end; from++) {
            const int64_t number = numbers[l->entries[from] >> TRINE_PIECE_BITS];
            if (number >= 0)
                l->entries[to++] = (uint32_t)number << TRINE_PIECE_BITS | (l->entries[from] & (uint32_t)TRINE_PIECE_MAX);
        }
        l->begins[place + 1] = to;
    }
    l->n_pieces = n;
}
