/* x8_order.c - rows of x in 8 bits once more, in the orders in which vector kernels take them (kernels/x8_order.h). Moved by bytes:
 * this costs a small part of one row of W. */
#include "kernels/x8_order.h"

#include <string.h>

/* Minus what four levels, and four more of the upper half of a block (or NULL), are multiplied to by the zero of a type. */
static void taken_back(unsigned char *to, const unsigned char *low, const unsigned char *high, int zero)
{
    int32_t sum = 0;
    for (int i = 0; i < 4; i++) sum += (int8_t)low[i] + (high ? (int8_t)high[i] : 0);
    sum *= -zero;
    memcpy(to, &sum, sizeof sum);
}

static void spread(unsigned char *to, const void *value, int n)
{
    for (int i = 0; i < n; i++) memcpy(to + 4 * i, value, 4);
}

/* ---- blocks of 32 ---- */

static void order_32(void *x8, size_t n, int zero)
{
    const unsigned char *levels = x8, *scales = levels + trine_x8_levels(n);
    unsigned char *to = (unsigned char *)x8 + trine_x8_order_at(n);
    for (size_t at = 0; at < trine_x8_levels(n); at += TRINE_X8_GROUP, levels += 128, scales += 32, to += TRINE_X8_ORDERED_32)
        for (int b = 0; b < 4; b++) {
            const unsigned char *block = levels + 32 * b;
            memcpy(to + 16 * b, block, 16);
            memcpy(to + 64 + 16 * b, block + 16, 16);
            memset(to + 128 + 16 * b, 0, 16);
            if (zero)
                for (int i = 0; i < 4; i++) taken_back(to + 128 + 16 * b + 4 * i, block + 4 * i, block + 16 + 4 * i, zero);
            else
                memcpy(to + 128 + 16 * b, scales + 16 + 4 * b, 4);
            spread(to + 192 + 16 * b, scales + 4 * b, 4);
        }
}

static void order_q8_0(void *x8, size_t n) { order_32(x8, n, 128); }
static void order_q4_0(void *x8, size_t n) { order_32(x8, n, 8); }
static void order_q5_0(void *x8, size_t n) { order_32(x8, n, 16); }
static void order_mins(void *x8, size_t n) { order_32(x8, n, 0); }

/* ---- blocks of 256 ---- */

static void order_4_k(void *x8, size_t n)
{
    static const int part[8] = { 0, 2, 1, 3, 4, 6, 5, 7 };
    const unsigned char *levels = x8, *scales = levels + trine_x8_levels(n);
    unsigned char *to = (unsigned char *)x8 + trine_x8_order_at(n);
    for (size_t at = 0; at < n; at += 256, levels += 256, scales += 64, to += TRINE_X8_ORDERED_4_K) {
        for (int i = 0; i < 8; i++) memcpy(to + 32 * i, levels + 32 * part[i], 32);
        memcpy(to + 256, scales, 64);
    }
}

static void order_6_k(void *x8, size_t n)
{
    const unsigned char *levels = x8, *scales = levels + trine_x8_levels(n);
    unsigned char *to = (unsigned char *)x8 + trine_x8_order_at(n);
    for (size_t at = 0; at < n; at += 256, levels += 256, scales += 64, to += TRINE_X8_ORDERED_6_K) {
        memcpy(to, levels, 256);
        for (int i = 0; i < 64; i++) taken_back(to + 256 + 4 * i, levels + 4 * i, NULL, 32);
        for (int part = 0; part < 16; part++) memcpy(to + 512 + 4 * part, scales + part / 8 * 32 + part % 8 / 2 * 4, 4);
    }
}

void trine_order_x8(trine_kernels *k)
{
    k->order_x8[TRINE_Q8_0] = order_q8_0;
    k->order_x8[TRINE_Q4_0] = order_q4_0;
    k->order_x8[TRINE_Q5_0] = order_q5_0;
    k->order_x8[TRINE_Q4_1] = k->order_x8[TRINE_Q5_1] = order_mins;
    k->order_x8[TRINE_Q4_K] = k->order_x8[TRINE_Q5_K] = order_4_k;
    k->order_x8[TRINE_Q6_K] = order_6_k;
}
