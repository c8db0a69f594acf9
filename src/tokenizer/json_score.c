/* json_score.c - see json_score.h; the reading is that of serde_json 1.0, f64_from_parts. */
#include "tokenizer/json_score.h"
#include "base/numbers.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The text "d.ddde-XX" of x, with this many digits, read as serde_json does. */
static double read_digits(const char *text)
{
    uint64_t digits = 0;
    int n = 0;
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9') {
            digits = digits * 10 + (uint64_t)(*text - '0');
            n++;
        }
    int exponent = (*text ? atoi(text + 1) : 0) - (n - 1);
    while (digits && digits % 10 == 0) { /* the shortest spelling has none at its end */
        digits /= 10;
        exponent++;
    }
    const double power = pow(10, abs(exponent)); /* exact up to 10^22; scores have no greater ones */
    return exponent < 0 ? (double)digits / power : (double)digits * power;
}

static double read_with(double x, int n_digits)
{
    char text[40];
    trine_print(text, sizeof text, "%.*e", n_digits - 1, fabs(x));
    return copysign(read_digits(text), x);
}

double trine_score_read(double x)
{
    for (int n = 15; n < 17; n++) {
        char text[40];
        trine_print(text, sizeof text, "%.*e", n - 1, x);
        if (trine_to_double(text, NULL) == x) return n == 15 ? x : read_with(x, n);
    }
    return read_with(x, 17);
}

/* Written with 17 digits y is the same number to both readers. */
static bool is_plain(double y) { return read_with(y, 17) == trine_score_read(y); }

double trine_score_write(double x)
{
    for (int pass = 0; pass < 2; pass++) { /* one that reads as x; else the nearest that reads as one number */
        double low = x, high = x;
        for (int i = 0; i < 8; i++) {
            if (is_plain(low) && (pass || trine_score_read(low) == x)) return low;
            if (is_plain(high) && (pass || trine_score_read(high) == x)) return high;
            low = nextafter(low, -INFINITY);
            high = nextafter(high, INFINITY);
        }
    }
    return x;
}
