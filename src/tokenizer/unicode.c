/* unicode.c - lookups in the tables by binary search, with ASCII decided at once. */
#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include "tokenizer/unicode_tables.h"

static bool in_ranges(const trine_code_range *ranges, int n, uint32_t c)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && c >= ranges[low].first;
}

bool trine_is_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

bool trine_is_control(uint32_t c)
{
    if (c < 0x7F) return c < 0x20 && c != '\t' && c != '\n' && c != '\r';
    return in_ranges(trine_controls, trine_n_controls, c);
}

bool trine_is_nonspacing(uint32_t c) { return c >= 0x300 && in_ranges(trine_nonspacing, trine_n_nonspacing, c); }
bool trine_is_mark(uint32_t c) { return c >= 0x300 && in_ranges(trine_marks, trine_n_marks, c); }

bool trine_is_punctuation(uint32_t c)
{
    if (c < 0x80) return c > 0x20 && c < 0x7F && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9');
    return in_ranges(trine_punctuation, trine_n_punctuation, c);
}

bool trine_is_numeric(uint32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    return in_ranges(trine_numerics, trine_n_numerics, c);
}

bool trine_is_word(uint32_t c)
{
    if (c < 0x80) return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '_';
    return in_ranges(trine_word_characters, trine_n_word_characters, c);
}

bool trine_is_cjk(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

int trine_lower(uint32_t out[2], uint32_t c)
{
    out[0] = c;
    if (c < 0x80) {
        if (c >= 'A' && c <= 'Z') out[0] = c + 32;
        return 1;
    }
    if (c == 0x130) { /* capital I with a dot: the dot stays, as a mark */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    int low = 0, high = trine_n_lower_runs;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (c > trine_lower_runs[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < trine_n_lower_runs) {
        const trine_case_run *run = &trine_lower_runs[low];
        if (c >= run->first && (c - run->first) % (uint32_t)run->step == 0) out[0] = (uint32_t)((int)c + run->delta);
    }
    return 1;
}

/* Hangul syllables are composed by arithmetic (Unicode 15, section 3.12). */
enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7, L_COUNT = 19, V_COUNT = 21, T_COUNT = 28 };
enum { S_COUNT = L_COUNT * V_COUNT * T_COUNT };

int trine_decompose(uint32_t out[TRINE_DECOMPOSITION_MAX], uint32_t c, bool compat)
{
    out[0] = c;
    if (c < 0xA0) return 1;
    if (c >= S_BASE && c < S_BASE + S_COUNT) {
        const uint32_t s = c - S_BASE;
        out[0] = L_BASE + s / (V_COUNT * T_COUNT);
        out[1] = V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT;
        out[2] = T_BASE + s % T_COUNT;
        return s % T_COUNT ? 3 : 2;
    }
    if (!in_ranges(trine_decomposing, trine_n_decomposing, c)) return 1;
    utf8proc_int32_t parts[TRINE_DECOMPOSITION_MAX];
    int boundary = 0;
    const utf8proc_option_t how = UTF8PROC_DECOMPOSE | (compat ? UTF8PROC_COMPAT : 0);
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, TRINE_DECOMPOSITION_MAX, how, &boundary);
    if (n < 1 || n > TRINE_DECOMPOSITION_MAX) return 1;
    for (int i = 0; i < n; i++) out[i] = (uint32_t)parts[i];
    return (int)n;
}

int trine_combining_class(uint32_t c)
{
    if (c < 0x300) return 0;
    int low = 0, high = trine_n_combining_classes;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (c > trine_combining_classes[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < trine_n_combining_classes && c >= trine_combining_classes[low].first ? trine_combining_classes[low].value : 0;
}

uint32_t trine_compose(uint32_t a, uint32_t b)
{
    if (b < 0x300) return 0;
    if (a >= L_BASE && a < L_BASE + L_COUNT && b >= V_BASE && b < V_BASE + V_COUNT)
        return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
    if (a >= S_BASE && a < S_BASE + S_COUNT && b > T_BASE && b < T_BASE + T_COUNT && (a - S_BASE) % T_COUNT == 0)
        return a + (b - T_BASE);
    int low = 0, high = trine_n_compositions;
    while (low < high) {
        const int middle = (low + high) / 2;
        const trine_code_pair *pair = &trine_compositions[middle];
        if (pair->first < a || (pair->first == a && pair->second < b))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == trine_n_compositions) return 0;
    const trine_code_pair *pair = &trine_compositions[low];
    return pair->first == a && pair->second == b ? pair->composite : 0;
}

static bool extends(uint32_t c) { return c >= 0x300 && in_ranges(trine_grapheme_extends, trine_n_grapheme_extends, c); }
static bool prepends(uint32_t c) { return c >= 0x600 && in_ranges(trine_grapheme_prepends, trine_n_grapheme_prepends, c); }
static bool is_picture(uint32_t c) { return c >= 0xA9 && in_ranges(trine_pictures, trine_n_pictures, c); }

static bool separates(uint32_t c)
{
    if (c < 0x80) return c < 0x20 || c == 0x7F;
    return in_ranges(trine_grapheme_controls, trine_n_grapheme_controls, c);
}

size_t trine_grapheme_next(const char *s, size_t n)
{
    uint32_t c = trine_utf8_at(s);
    size_t i = trine_utf8_length((unsigned char)s[0]);
    if (c == '\r') return n > 1 && s[1] == '\n' ? 2 : 1;
    if (separates(c)) return i;
    while (i < n && prepends(c)) { /* it takes what follows into the cluster, unless that is a control */
        const uint32_t next = trine_utf8_at(s + i);
        if (separates(next)) return i;
        c = next;
        i += trine_utf8_length((unsigned char)s[i]);
    }
    bool picture = is_picture(c), joined = false;
    while (i < n) {
        const uint32_t next = trine_utf8_at(s + i);
        if (extends(next)) {
            joined = next == 0x200D;
        } else if (picture && joined && is_picture(next)) {
            joined = false;
        } else {
            break;
        }
        i += trine_utf8_length((unsigned char)s[i]);
    }
    return i;
}
