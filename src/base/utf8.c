/* utf8.c - UTF-8 by the table of well-formed sequences (Unicode 15, table 3-7).
 *
 * The second byte's range depends on the first (it excludes overlong forms, surrogates and numbers past U+10FFFF); the
 * third and fourth are 80..BF. The longest prefix of a row of that table is one maximal invalid part. */
#include "base/utf8.h"

#include <string.h>

uint32_t trine_utf8_next(size_t *taken, const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    *taken = 1;
    const unsigned char first = u[0];
    if (first < 0x80) return first;
    if (first < 0xC2 || first > 0xF4) return 0xFFFD;
    const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xBF;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    uint32_t c = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
        if (i >= n || u[i] < low || u[i] > high) {
            *taken = i;
            return 0xFFFD;
        }
        c = c << 6 | (u[i] & 0x3F);
    }
    *taken = length;
    return c;
}

bool trine_utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0, taken; i < n; i += taken) {
        for (uint64_t word; i + sizeof word <= n; i += sizeof word) { /* ASCII, eight bytes at a time */
            memcpy(&word, s + i, sizeof word);
            if (word & 0x8080808080808080u) break;
        }
        if (i == n) break;
        const unsigned char first = (unsigned char)s[i];
        if (first >= 0xC2 && first < 0xE0 && i + 1 < n && ((unsigned char)s[i + 1] & 0xC0) == 0x80) {
            taken = 2;
            continue;
        }
        /* U+FFFD itself is valid: three bytes EF BF BD. A maximal invalid part never has them. */
        if (trine_utf8_next(&taken, s + i, n - i) == 0xFFFD && !(taken == 3 && (unsigned char)s[i] == 0xEF)) return false;
    }
    return true;
}

size_t trine_utf8_whole(const char *s, size_t n)
{
    /* A character's start is at most three bytes before the end of a cut; see whether the sequence there wants more. */
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        const unsigned char c = (unsigned char)s[n - back];
        if ((c & 0xC0) == 0x80) continue;
        const size_t length = c < 0xC2 || c > 0xF4 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        if (length <= back) return n;
        size_t taken;
        trine_utf8_next(&taken, s + n - back, back);
        return taken == back ? n - back : n; /* broken before the cut: more bytes will not mend it */
    }
    return n;
}

int trine_utf8_put(char out[4], uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const int length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00u >> length & 0xFF) | c);
    return length;
}
