/* console.c - the three streams: results, notes and progress, errors.
 *
 * A write to standard output can fail (a full disk, a closed pipe). stdio forgets why, so the first errno is kept here, the work
 * stops at its next step, and console_close tells. A pipe closed by its reader is no error worth a line: `trine ... | head`
 * ends quietly, with status 1. Neither signal may kill the program: it would leave half-written files behind. */
#include "json_writer.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void console_open(run *r)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* past ulimit -f: the write fails, and what was begun is taken away */
    setlocale(LC_CTYPE, "");  /* only what characters are; numbers keep their points */
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool plain = (no_color && *no_color) || !term || strcmp(term, "dumb") == 0;
    r->out_terminal = isatty(STDOUT_FILENO);
    r->err_terminal = isatty(STDERR_FILENO);
    r->color = r->out_terminal && !plain;
    r->err_color = r->err_terminal && !plain;
    r->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    struct winsize size;
    r->width = 80;
    if (r->out_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        r->width = size.ws_col < 100 ? size.ws_col : 100;
}

static void output_error(run *r)
{
    if (!r->output_errno) r->output_errno = errno ? errno : EIO;
}

bool output_failed(const run *r) { return r->output_errno != 0; }

void put(run *r, const char *bytes, size_t n)
{
    if (r->output_errno || n == 0) return;
    if (is_silent(r)) {
        if (r->command->id & CMD_SPREAD) keep_output(r, bytes, n);
        return;
    }
    if (r->out_terminal && r->err_terminal) progress_end(r); /* both may be the same terminal */
    errno = 0;
    if (fwrite(bytes, 1, n, stdout) != n) output_error(r);
}

void puts_out(run *r, const char *text) { put(r, text, strlen(text)); }

void print(run *r, const char *format, ...)
{
    char small[512];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(small, sizeof small, format, list);
    va_end(list);
    if (n < 0) return;
    if ((size_t)n < sizeof small) {
        put(r, small, (size_t)n);
        return;
    }
    char *large = malloc((size_t)n + 1);
    if (!large) { /* what fits is better than nothing, and the failure is told */
        put(r, small, sizeof small - 1);
        errno = ENOMEM;
        output_error(r);
        return;
    }
    va_start(list, format);
    vsnprintf(large, (size_t)n + 1, format, list);
    va_end(list);
    put(r, large, (size_t)n);
    free(large);
}

void flush_output(run *r)
{
    if (r->output_errno) return;
    errno = 0;
    if (fflush(stdout) != 0) output_error(r);
}

int console_close(run *r, int code)
{
    progress_end(r);
    flush_output(r);
    errno = 0;
    if (fclose(stdout) != 0 && !r->output_errno) output_error(r);
    if (!r->output_errno) return code;
    if (r->output_errno != EPIPE) fail(r, EXIT_FAILED, "write error on standard output: %s", strerror(r->output_errno));
    return code == EXIT_INTERRUPTED ? code : EXIT_FAILED;
}

/* ----------------------------------------------------------------------------------------------------- notes and errors */

/* Errors quote file names and options as they were given; on a terminal nothing in them may steer it. */
static void say(run *r, const char *before, const char *format, va_list list)
{
    char text[1400];
    vsnprintf(text, sizeof text, format, list);
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f) *p = '?';
    if (is_silent(r)) {
        char line[1500];
        snprintf(line, sizeof line, "%s%s\n", before, text);
        withhold(r, line);
        return;
    }
    progress_end(r);
    fflush(stdout); /* keeps the order when both streams are one terminal */
    fprintf(stderr, "%s%s\n", before, text);
}

static const char *label(const run *r, char buffer[96])
{
    char place[40] = "";
    const int n = is_silent(r) ? snprintf(place, sizeof place, "rank %d: ", r->ranks->rank) : 0;
    if (r->line) snprintf(place + n, sizeof place - (size_t)n, "line %ld: ", r->line);
    snprintf(buffer, 96, "trine%s%s: %s", r->command ? " " : "", r->command ? r->command->name : "", place);
    return buffer;
}

void note(run *r, const char *format, ...)
{
    if (r->args.quiet || is_silent(r)) return;
    char before[96];
    va_list list;
    va_start(list, format);
    say(r, label(r, before), format, list);
    va_end(list);
}

int fail(run *r, int code, const char *format, ...)
{
    char before[96];
    va_list list;
    va_start(list, format);
    if (!is_silent(r) || !r->ranks->over) say(r, label(r, before), format, list); /* what all know the first tells */
    va_end(list);
    r->last_status = TRINE_OK;
    return code;
}

int fail_usage(run *r, const char *format, ...)
{
    char before[96];
    va_list list;
    if (is_silent(r) || is_other_process()) return EXIT_USAGE; /* all have the same arguments */
    va_start(list, format);
    say(r, label(r, before), format, list);
    va_end(list);
    fprintf(stderr, "Try `trine %s%s--help`.\n", r->command ? r->command->name : "", r->command ? " " : "");
    return EXIT_USAGE;
}

/* What to do about it in this command, where the library can only speak of options of its own; "" when it has said so. */
static const char *remedy(const run *r, trine_status status, const char *text)
{
    const unsigned id = r->command ? (unsigned)r->command->id : 0;
    const bool pair = r->info && r->info->paradigm == TRINE_ENCODER_DECODER;
    const bool writes = id & (CMD_GENERATE | CMD_TRANSLATE | CMD_SUMMARIZE) || (id == CMD_FILL && pair);
    if (status == TRINE_ERROR_MEMORY && strstr(text, "no memory"))
        return "; close other programs, or take a smaller model (`trine quantize` makes one)";
    if (status != TRINE_ERROR_TOO_LONG) return "";
    /* Where none was chosen a decoder has what memory allows, an encoder-decoder a few tokens of as many as one likes. */
    if (writes) return (pair || r->args.ctx) && strstr(text, "larger one") ? " (-c N)" : "";
    if ((id & (CMD_FILL | CMD_CLASSIFY | CMD_TAG | CMD_EMBED)) && !r->args.truncate && !r->args.chunk &&
        !strstr(text, "--truncate"))
        return "; --truncate cuts its end, --chunk reads it in parts";
    if (id == CMD_EMBED && !r->args.ctx && strstr(text, "in this session")) return "; -c N takes longer ones";
    return "";
}

static const char *without_name(const char *text, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && strncmp(text + length, ": ", 2) == 0 ? text + length + 2 : text;
}

int fail_status(run *r, trine_status status, const trine_error *err)
{
    const char *text = err && err->text[0] ? err->text : trine_status_text(status);
    if (r->command) text = without_name(text, r->command->name); /* it stands before already */
    /* These write by the library's generate, whose name tells nothing here. */
    if (r->command && r->command->id & (CMD_FILL | CMD_CHAT | CMD_TRANSLATE | CMD_SUMMARIZE)) text = without_name(text, "generate");
    int code = fail(r, exit_of_status(status), "%s%s", text, remedy(r, status, text));
    r->last_status = status;
    if (r->to_json_errors && r->line && is_input_failure(status)) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_key(&j, "error");
        jw_open(&j, '{');
        jw_set_text(&j, "code", trine_status_name(status));
        jw_set_int(&j, "line", r->line);
        jw_set_text(&j, "text", text);
        jw_close(&j, '}');
        jw_close(&j, '}');
        jw_end(&j);
    }
    return code;
}

bool is_input_failure(trine_status s)
{
    return s == TRINE_ERROR_TOO_LONG || s == TRINE_ERROR_EMPTY || s == TRINE_ERROR_ARGUMENT || s == TRINE_ERROR_NUMERIC;
}

int fail_memory(run *r)
{
    fail(r, EXIT_MEMORY, "memory ran out");
    r->last_status = TRINE_ERROR_MEMORY;
    return EXIT_MEMORY;
}

/* ------------------------------------------------------------------------------------------------------------ progress */

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void progress_begin(run *r, const char *what)
{
    r->progress_what = what;
    r->progress_start = seconds_now();
    r->progress_last = r->progress_start + 0.2; /* short work shows nothing */
}

bool progress_step(void *user, int done, int total)
{
    run *r = user;
    if (interrupted() || output_failed(r)) return false;
    double now = seconds_now();
    if (!r->err_terminal || r->args.quiet || now - r->progress_last < 0.1) return true;
    r->progress_last = now;
    r->progress_shown = true;
    double elapsed = now - r->progress_start, rate = elapsed > 0 ? done / elapsed : 0;
    const char *dim = r->err_color ? "\033[2m" : "", *plain = r->err_color ? "\033[0m" : "";
    fprintf(stderr, "\r\033[K%s%s ", dim, r->progress_what ? r->progress_what : "");
    if (total > 0) {
        enum { COLUMNS = 24 };
        int filled = done >= total ? COLUMNS : (int)((double)done / total * COLUMNS);
        fputc('[', stderr);
        for (int i = 0; i < COLUMNS; i++) fputc(i < filled ? '#' : ' ', stderr);
        fprintf(stderr, "] %d/%d, %.*f/s", done, total, rate < 10 ? 1 : 0, rate);
        if (rate > 0 && done < total) {
            long left = (long)((total - done) / rate + 0.5);
            fprintf(stderr, ", %ld:%02ld left", left / 60, left % 60);
        }
    } else {
        fprintf(stderr, "%d, %.*f/s", done, rate < 10 ? 1 : 0, rate);
    }
    fprintf(stderr, "%s", plain);
    fflush(stderr);
    return true;
}

bool progress_share(run *r, const char *what, double share)
{
    if (interrupted() || output_failed(r)) return false;
    const double now = seconds_now();
    if (!r->progress_what || share < r->progress_from) { /* what was there before is no measure of the rate */
        r->progress_start = now;
        r->progress_from = share;
    }
    r->progress_what = what;
    if (!r->err_terminal || r->args.quiet || now - r->progress_last < 0.1) return true;
    r->progress_last = now;
    r->progress_shown = true;
    enum { COLUMNS = 20 };
    const double rate = now > r->progress_start ? (share - r->progress_from) / (now - r->progress_start) : 0;
    const char *dim = r->err_color ? "\033[2m" : "", *plain = r->err_color ? "\033[0m" : "";
    fprintf(stderr, "\r\033[K%s[", dim);
    for (int i = 0; i < COLUMNS; i++) fputc(i < (int)(share * COLUMNS) ? '#' : ' ', stderr);
    fprintf(stderr, "] %2.0f%%", 100 * share);
    if (rate > 0) {
        const long left = (long)((1 - share) / rate + 0.5);
        fprintf(stderr, ", %ld:%02ld left", left / 60, left % 60);
    }
    fprintf(stderr, ", %.38s%s", what, plain); /* 79 columns at most */
    fflush(stderr);
    return true;
}

void progress_end(run *r)
{
    if (!r->progress_shown) return;
    fputs("\r\033[K", stderr);
    r->progress_shown = false;
}
