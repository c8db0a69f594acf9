/* status.c - the words of every status, and how an error's text is made. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/commit.h" /* written by the build */
#include "base/numbers.h"

#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *trine_version(void) { return VERSION_TEXT(TRINE_VERSION_MAJOR, TRINE_VERSION_MINOR, TRINE_VERSION_PATCH); }

const char *trine_commit(void) { return TRINE_COMMIT; }

const char *trine_build(void)
{
    return VERSION_TEXT(TRINE_VERSION_MAJOR, TRINE_VERSION_MINOR, TRINE_VERSION_PATCH) TRINE_PLUS_COMMIT;
}

const char *trine_status_name(trine_status status)
{
    switch (status) {
#define CASE(name, value, text)                                                                                                    \
    case TRINE_##name: return "TRINE_" #name;
        TRINE_STATUS_MAP(CASE)
#undef CASE
    }
    return "unknown";
}

const char *trine_status_text(trine_status status)
{
    switch (status) {
#define CASE(name, value, text)                                                                                                    \
    case TRINE_##name: return text;
        TRINE_STATUS_MAP(CASE)
#undef CASE
    }
    return "unknown status";
}

void trine_free(void *memory) { free(memory); }

trine_status(trine_fail)(trine_error *err, trine_status code, const char *format, ...)
{
    if (!err) return code;
    err->code = code;
    va_list args;
    va_start(args, format);
    if (trine_vprint(err->text, sizeof err->text, format, args) < 0) err->text[0] = 0;
    va_end(args);
    return code;
}

trine_status trine_fail_in(trine_error *err, trine_status code, const char *format, ...)
{
    if (!err) return code;
    char prefix[sizeof err->text], text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    va_list args;
    va_start(args, format);
    if (trine_vprint(prefix, sizeof prefix, format, args) < 0) prefix[0] = 0;
    va_end(args);
    const size_t n = strnlen(prefix, sizeof prefix);
    const size_t room = sizeof err->text - n;
    memcpy(err->text, prefix, n);
    snprintf(err->text + n, room, ": ");
    strncat(err->text, text, sizeof err->text - 1 - strlen(err->text));
    return err->code;
}
