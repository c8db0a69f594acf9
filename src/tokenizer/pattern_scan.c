/* pattern_scan.c - alternative by alternative, in the pattern's order. Each of these patterns matches at every place. */
#include "tokenizer/pattern_scan.h"

#include <string.h>

/* What the patterns tell apart: letters, digits, \s, all else; bytes of characters beyond ASCII may be any of them. */
enum { OTHER, LETTER, DIGIT, SPACE, HIGH };

static int class_of(char c)
{
    static const unsigned char classes[128] = {
        ['\t'] = SPACE, ['\n'] = SPACE, ['\v'] = SPACE, ['\f'] = SPACE, ['\r'] = SPACE, [' '] = SPACE,  ['0'] = DIGIT,
        ['1'] = DIGIT,  ['2'] = DIGIT,  ['3'] = DIGIT,  ['4'] = DIGIT,  ['5'] = DIGIT,  ['6'] = DIGIT,  ['7'] = DIGIT,
        ['8'] = DIGIT,  ['9'] = DIGIT,  ['A'] = LETTER, ['B'] = LETTER, ['C'] = LETTER, ['D'] = LETTER, ['E'] = LETTER,
        ['F'] = LETTER, ['G'] = LETTER, ['H'] = LETTER, ['I'] = LETTER, ['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER,
        ['M'] = LETTER, ['N'] = LETTER, ['O'] = LETTER, ['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER, ['S'] = LETTER,
        ['T'] = LETTER, ['U'] = LETTER, ['V'] = LETTER, ['W'] = LETTER, ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,
        ['a'] = LETTER, ['b'] = LETTER, ['c'] = LETTER, ['d'] = LETTER, ['e'] = LETTER, ['f'] = LETTER, ['g'] = LETTER,
        ['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER,
        ['o'] = LETTER, ['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER,
        ['v'] = LETTER, ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER,
    };
    return (unsigned char)c < 0x80 ? classes[(unsigned char)c] : HIGH;
}

static bool is_line_end(char c) { return c == '\r' || c == '\n'; }

/* The end of the run of a class; 0 when it ends at a character that may or may not be of it. */
static size_t run(const char *text, size_t n, size_t at, int class)
{
    while (at < n && class_of(text[at]) == class) at++;
    return at < n && class_of(text[at]) == HIGH ? 0 : at;
}

/* 's 't 're 've 'm 'll 'd behind the apostrophe: the length with it, or 0. `fold`: capitals too. */
static size_t contraction(const char *text, size_t n, size_t at, char fold)
{
    const char a = at + 1 < n ? text[at + 1] | fold : 0, b = at + 2 < n ? text[at + 2] | fold : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/* \s+(?!\S)|\s+ where a run of spaces goes to `end`: the last one is left to the word behind it, unless it is the only one. */
static size_t spaces(size_t n, size_t at, size_t end) { return end == n || end - at == 1 ? end - at : end - at - 1; }

static size_t from(size_t end, size_t at) { return end ? end - at : 0; }

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t scan_gpt2(const char *text, size_t n, size_t at)
{
    size_t start = at;
    int class = class_of(text[at]);
    if (text[at] == '\'') {
        const size_t length = contraction(text, n, at, 0);
        if (length) return length;
    }
    if (text[at] == ' ' && at + 1 < n && (class = class_of(text[at + 1])) != SPACE) start++;
    if (class == HIGH) return 0;
    const size_t end = run(text, n, start, class);
    return class == SPACE && end ? spaces(n, at, end) : from(end, at);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t scan_words(const char *text, size_t n, size_t at, size_t max_digits)
{
    const char c = text[at];
    const int class = class_of(c), next = at + 1 < n ? class_of(text[at + 1]) : SPACE;
    if (class == LETTER) return from(run(text, n, at, LETTER), at);
    if (class == DIGIT) {
        size_t end = at + 1;
        while (end < n && end - at < max_digits && class_of(text[end]) == DIGIT) end++;
        return end < n && end - at < max_digits && class_of(text[end]) == HIGH ? 0 : end - at;
    }
    if (class == HIGH || next == HIGH) return 0;
    if (c == '\'') {
        const size_t length = contraction(text, n, at, 0x20);
        if (length) return length;
    }
    if (next == LETTER && !is_line_end(c)) return from(run(text, n, at + 1, LETTER), at);
    if (class == OTHER || (c == ' ' && next == OTHER)) {
        size_t end = run(text, n, at + (class != OTHER), OTHER);
        while (end && end < n && is_line_end(text[end])) end++;
        return from(end, at);
    }
    const size_t end = run(text, n, at, SPACE);
    if (!end) return 0;
    for (size_t i = end; i > at; i--)
        if (is_line_end(text[i - 1])) return i - at;
    return spaces(n, at, end);
}

static size_t scan_llama3(const char *text, size_t n, size_t at) { return scan_words(text, n, at, 3); }
static size_t scan_qwen2(const char *text, size_t n, size_t at) { return scan_words(text, n, at, 1); }

trine_scan *trine_scan_find(const char *pattern, size_t n)
{
#define GPT2_WORDS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SHORT_FORMS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    static const struct {
        const char *pattern;
        trine_scan *scan;
    } known[] = {
        { "'s|'t|'re|'ve|'m|'ll|'d" GPT2_WORDS, scan_gpt2 },
        { "'(?:[sdmt]|ll|ve|re)" GPT2_WORDS, scan_gpt2 },
        { SHORT_FORMS "\\p{N}{1,3}" SIGNS, scan_llama3 },
        { SHORT_FORMS "\\p{N}" SIGNS, scan_qwen2 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].pattern) == n && !memcmp(known[i].pattern, pattern, n)) return known[i].scan;
    return NULL;
}
