/* charsmap.c - the blob is: bytes of the trie (little endian), the trie's units, the replacement texts.
 *
 * A unit (darts-clone): bits 0-7 and 31 the label, bit 8 "a string ends here", bits 10-30 the offset of the children, times 256
 * when bit 9 is set; the unit of an end holds the value, the place of the replacement. */
#include "tokenizer/charsmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"

trine_status trine_charsmap_open(trine_charsmap *out, const unsigned char *bytes, size_t n, trine_error *err)
{
    *out = (trine_charsmap) { 0 };
    if (n < 4) return trine_fail(err, TRINE_ERROR_FORMAT, "precompiled charsmap: %zu bytes, expected 4 or more", n);
    const size_t trie_bytes = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    if (trie_bytes > n - 4 || trie_bytes < 4)
        return trine_fail(err, TRINE_ERROR_FORMAT, "precompiled charsmap: a trie of %zu bytes in %zu", trie_bytes, n);
    const size_t n_units = trie_bytes / 4;
    const char *texts = (const char *)bytes + 4 + n_units * 4;
    const size_t n_texts = n - 4 - n_units * 4;
    if (!trine_utf8_valid(texts, n_texts))
        return trine_fail(err, TRINE_ERROR_FORMAT, "precompiled charsmap: replacements are not valid UTF-8");
    out->units = malloc(n_units * sizeof *out->units);
    out->texts = malloc(n_texts + 1);
    if (!out->units || !out->texts) {
        trine_charsmap_close(out);
        return trine_fail(err, TRINE_ERROR_MEMORY, "precompiled charsmap: no memory for %zu bytes", n);
    }
    for (size_t i = 0; i < n_units; i++) {
        const unsigned char *u = bytes + 4 + 4 * i;
        out->units[i] = (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
    }
    out->n_units = n_units;
    memcpy(out->texts, texts, n_texts);
    out->texts[n_texts] = 0;
    out->n_texts = n_texts;
    const char *to;
    size_t n_to;
    for (int c = ' '; c < 0x7F; c++) out->plain[c] = !trine_charsmap_find(&to, &n_to, out, &(char) { (char)c }, 1);
    return TRINE_OK;
}

void trine_charsmap_close(trine_charsmap *map)
{
    free(map->units);
    free(map->texts);
    *map = (trine_charsmap) { 0 };
}

static size_t offset_of(uint32_t unit) { return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6); }

bool trine_charsmap_find(const char **to, size_t *n_to, const trine_charsmap *map, const char *text, size_t n)
{
    if (!map->n_units) return false;
    size_t at = offset_of(map->units[0]);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == 0) return false;
        at ^= c;
        if (at >= map->n_units) return false; /* a damaged trie */
        const uint32_t unit = map->units[at];
        if ((unit & (1u << 31 | 0xFF)) != c) return false;
        at ^= offset_of(unit);
        if (!(unit >> 8 & 1)) continue;
        if (at >= map->n_units) return false;
        const size_t place = map->units[at] & 0x7FFFFFFF;
        if (place > map->n_texts) return false;
        const char *start = map->texts + place;
        if (((unsigned char)*start & 0xC0) == 0x80) return false; /* inside of a character */
        *to = start;
        *n_to = strlen(start);
        return true;
    }
    return false;
}
