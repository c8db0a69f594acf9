/* cut_text.c - where a document may be cut so that each part still reads: at a paragraph's end, a sentence's, a word's. */
#include <string.h>

#include "base/utf8.h"
#include "tasks/text_to_text.h"

/* Marks that end a sentence: . ! ? and their relatives in other scripts. */
static bool ends_sentence(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x061F ||
           c == 0x06D4 || c == 0x0964;
}

/* Quotes and brackets that close after the mark. */
static bool closes(uint32_t c)
{
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x201D || c == 0x2019 || c == 0xBB || c == 0x300D || c == 0xFF09;
}

static bool is_blank(uint32_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0x3000 || c == 0xA0; }

size_t trine_cut_text(const char *text, size_t n, size_t limit)
{
    if (n <= limit) return n;
    size_t paragraph = 0, line = 0, sentence = 0, word = 0, character = 0;
    bool after_mark = false; /* a sentence's mark came, and only closing marks since */
    int newlines = 0;        /* since the last character that is no blank */
    for (size_t i = 0, taken; i < n && i <= limit; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, text + i, n - i);
        character = i;
        if (is_blank(c)) {
            newlines += c == '\n';
            if (newlines) line = i;
            if (newlines > 1) paragraph = i;
            if (after_mark) sentence = i;
            word = i;
            continue;
        }
        newlines = 0;
        if (after_mark && !closes(c) && c >= 0x80) sentence = i; /* scripts without blanks between sentences */
        after_mark = ends_sentence(c) || (after_mark && closes(c));
    }
    /* A better place that leaves most of the room empty is no better. */
    const size_t least = limit / 3;
    if (paragraph > least) return paragraph;
    if (sentence > least) return sentence;
    if (line > least) return line;
    if (word > least) return word;
    if (character > 0) return character;
    size_t taken;
    trine_utf8_next(&taken, text, n);
    return taken; /* one character is longer than the limit */
}
