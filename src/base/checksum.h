/* checksum.h - whether bytes are those that they were: against damage and changed files, not against design. */
#ifndef TRINE_BASE_CHECKSUM_H
#define TRINE_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Goes on from h with bytes in their order: eight at a time, each word folded in and multiplied by an odd constant, so that every bit of
 * every word counts. */
static inline uint64_t trine_checksum(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    for (; n; p++, n--) h = (h ^ *p) * 0x100000001B3u;
    return h;
}

#endif
