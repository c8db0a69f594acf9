/* numbers.c - see numbers.h. The locale of this thread is another while a function of C's library runs. */
#include "base/numbers.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain; /* stays: 0 when there was no memory for it, and the program's own is used */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static locale_t enter(void)
{
    pthread_once(&once, make_plain);
    return plain ? uselocale(plain) : (locale_t)0;
}

static void leave(locale_t before)
{
    if (before) uselocale(before);
}

int trine_vprint(char *out, size_t cap, const char *format, va_list args)
{
    const locale_t before = enter();
    const int n = vsnprintf(out, cap, format, args);
    leave(before);
    return n;
}

int trine_print(char *out, size_t cap, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = trine_vprint(out, cap, format, args);
    va_end(args);
    return n;
}

double trine_to_double(const char *text, char **end)
{
    const locale_t before = enter();
    const double x = strtod(text, end);
    leave(before);
    return x;
}
