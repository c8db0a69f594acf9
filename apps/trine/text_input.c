/* text_input.c - where texts come from: --tokens, arguments, -p, -f, standard input; one at a time, or line by line.
 *
 * A file or standard input is one text, whole, and the newline that ends it does not count, so that `echo Hello | trine embed`
 * and `trine embed Hello` are the same text. With --lines each line is answered before the next is read, unless the input is a
 * file, whose lines may be taken in batches. */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(run *r, FILE **file, const char *path)
{
    struct stat info;
    if (strcmp(path, "-") == 0) {
        *file = stdin;
        if (isatty(STDIN_FILENO)) note(r, "reading text from the terminal; Control-D ends it");
        return 0;
    }
    *file = fopen(path, "rb");
    if (!*file) return fail(r, EXIT_DATA, "%s: cannot be read: %s", path, strerror(errno));
    if (fstat(fileno(*file), &info) == 0 && S_ISDIR(info.st_mode)) {
        fclose(*file);
        return fail(r, EXIT_DATA, "%s: is a directory; expected a text file", path);
    }
    return 0;
}

static void close_file(FILE *file)
{
    if (file && file != stdin) fclose(file);
}

static const char *shown_path(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }

static int read_failed(run *r, const char *path)
{
    if (interrupted()) return EXIT_INTERRUPTED;
    return fail(r, EXIT_FAILED, "%s: cannot be read: %s", shown_path(path), strerror(errno));
}

/* Library functions take texts that end with a zero: one inside would hide the rest. */
static int check_text(run *r, const char *path, const char *text, size_t bytes)
{
    const char *zero = memchr(text, 0, bytes);
    if (!zero) return 0;
    return fail(r, EXIT_DATA, "%s: holds a zero byte at byte %zu; expected text (UTF-8)", shown_path(path), (size_t)(zero - text));
}

int read_file(run *r, char **text, size_t *bytes, const char *path)
{
    FILE *file;
    int code = open_file(r, &file, path);
    if (code) return code;
    size_t used = 0, size = 0;
    char *buffer = NULL;
    for (;;) {
        if (size - used < 4096) {
            size_t larger = size ? size * 2 : 65536;
            char *grown = larger > size ? realloc(buffer, larger) : NULL;
            if (!grown) {
                free(buffer);
                close_file(file);
                return fail_memory(r);
            }
            buffer = grown;
            size = larger;
        }
        size_t got = fread(buffer + used, 1, size - used - 1, file);
        used += got;
        if (interrupted())
            code = EXIT_INTERRUPTED;
        else if (got == 0 && ferror(file))
            code = read_failed(r, path);
        if (got == 0 || code) break;
    }
    close_file(file);
    if (!code) {
        buffer[used] = 0;
        code = check_text(r, path, buffer, used);
    }
    if (code) {
        free(buffer);
        return code;
    }
    *text = buffer;
    *bytes = used;
    return 0;
}

int check_folder_of(run *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) return fail_memory(r);
    int code =
        access(folder, W_OK | X_OK) == 0 ? 0 : fail(r, EXIT_FAILED, "%s: cannot be written: %s: %s", path, folder, strerror(errno));
    free(folder);
    return code;
}

static size_t without_newline(char *text, size_t bytes)
{
    if (bytes && text[bytes - 1] == '\n') bytes--;
    if (bytes && text[bytes - 1] == '\r') bytes--;
    text[bytes] = 0;
    return bytes;
}

/* ------------------------------------------------------------------------------------------------------- line by line */

/* After a failed input: whether the following ones are still worth a try. */
static bool goes_on(const run *r) { return !interrupted() && !output_failed(r) && is_input_failure(r->last_status); }

typedef int each_fn(run *r, const input *in, int n, void *user);

static void clear_inputs(input *items, int *n)
{
    for (int i = 0; i < *n; i++) free((char *)items[i].text);
    *n = 0;
}

static int for_each_line(run *r, const char *path, int most, each_fn *each, void *user)
{
    FILE *file;
    int code = open_file(r, &file, path);
    if (code) return end_round(r, code);
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) most = 1; /* a pipe: answer at once */
    bool blanks = r->command->id == CMD_TOKENIZE;
    r->batch_lines = most;
    char *line = NULL;
    size_t size = 0;
    long number = 0, n_blank = 0, n_texts = 0;
    int first_failure = 0;
    int n = 0;
    input *items = calloc((size_t)most, sizeof *items);
    if (!items) {
        close_file(file);
        return end_round(r, fail_memory(r));
    }
    bool end = false, round_ends = false, told_failure = false;
    while (!end) {
        told_failure = false;
        errno = 0;
        ssize_t got = getline(&line, &size, file);
        end = got < 0;
        if (end && (ferror(file) || errno == ENOMEM))
            code = interrupted() ? EXIT_INTERRUPTED : errno == ENOMEM ? fail_memory(r) : read_failed(r, path);
        if (interrupted()) code = EXIT_INTERRUPTED;
        if (code) break;
        if (!end) {
            r->line = ++number;
            if ((code = check_text(r, path, line, (size_t)got))) break;
            size_t bytes = without_newline(line, (size_t)got);
            note_line(r, line, bytes);
            if (!blanks && strspn(line, " \t\r\v\f") == bytes) {
                n_blank++;
                continue;
            }
            if (is_own_line(r, n_texts)) {
                char *copy = strdup(line);
                if (!copy) {
                    code = fail_memory(r);
                    break;
                }
                items[n++] = (input) { .text = copy, .bytes = bytes, .line = number };
            }
            round_ends = ends_round(r, n_texts++);
        }
        if (n == most || ((end || round_ends) && n)) {
            r->line = items[0].line;
            r->last_status = TRINE_OK;
            code = each(r, items, n, user);
            clear_inputs(items, &n);
            if (code && goes_on(r)) {
                if (!first_failure) first_failure = code;
                code = 0;
            }
        }
        if (!code && (end || round_ends) && r->ranks && r->finish_round) code = r->finish_round(r->finish_user);
        if (round_ends && r->ranks) code = end_round(r, code);
        told_failure = round_ends;
        round_ends = false;
        if (code) break;
    }
    if (!(code && told_failure)) code = end_round(r, code);
    r->line = 0;
    clear_inputs(items, &n);
    free(items);
    free(line);
    close_file(file);
    if (!code && n_blank) note(r, "%ld blank line%s skipped", n_blank, n_blank == 1 ? "" : "s");
    return code ? code : share_failure(r, first_failure);
}

/* --------------------------------------------------------------------------------------------------------- every source */

static int one_text(run *r, const char *text, size_t bytes, each_fn *each, void *user)
{
    input in = { .text = text, .bytes = bytes };
    return each(r, &in, 1, user);
}

int check_sources(run *r)
{
    const arguments *a = &r->args;
    int sources = (a->tokens.n > 0) + (a->rest.n > 0) + (a->prompt != NULL) + (a->file != NULL);
    if (r->ranks && !(a->lines && a->file && strcmp(a->file, "-")))
        return fail_usage(r, "several processes share out the lines of a file: expected -f FILE with --lines");
    if (sources > 1)
        return fail_usage(r, "text is given twice; expected it from one of: arguments, -p, -f%s",
                          r->command->id == CMD_TOKENIZE ? "" : ", --tokens");
    if (a->lines && sources && !a->file)
        return fail_usage(r, "--lines reads a file or standard input; texts given as arguments are one input each");
    if (a->token_types.n && a->token_types.n != a->tokens.n)
        return fail_usage(r, "--token-types holds %d types; expected as many as --tokens, which holds %d", a->token_types.n,
                          a->tokens.n);
    if (a->truncate && a->chunk) return fail_usage(r, "--truncate and --chunk exclude each other");
    return 0;
}

/* Who gives a path as a text most often means the file. */
static void note_file(run *r, const char *text)
{
    struct stat info;
    if (strpbrk(text, "./") && stat(text, &info) == 0 && S_ISREG(info.st_mode))
        note(r, "'%s' is taken as the text itself; -f reads the file of that name", text);
}

static int for_each_source(run *r, int most, each_fn *each, void *user)
{
    const arguments *a = &r->args;
    int code = 0;
    if (a->tokens.n) {
        input in = { .ids = a->tokens.items, .n_ids = a->tokens.n };
        return each(r, &in, 1, user);
    }
    if (a->prompt) return one_text(r, a->prompt, strlen(a->prompt), each, user);
    if (a->rest.n) {
        int first_failure = 0;
        for (int i = 0; i < a->rest.n && !interrupted(); i++) {
            r->last_status = TRINE_OK;
            note_file(r, a->rest.items[i]);
            code = one_text(r, a->rest.items[i], strlen(a->rest.items[i]), each, user);
            if (code && !goes_on(r)) return code;
            if (code && !first_failure) first_failure = code;
        }
        return interrupted() ? EXIT_INTERRUPTED : first_failure;
    }
    const char *path = a->file ? a->file : "-";
    if (a->lines) {
        r->to_json_errors = a->json;
        return for_each_line(r, path, most, each, user);
    }
    char *text = NULL;
    size_t bytes = 0;
    if ((code = read_file(r, &text, &bytes, path)) || !text) return code;
    bytes = without_newline(text, bytes);
    code = one_text(r, text, bytes, each, user);
    free(text);
    return code;
}

typedef struct single {
    int (*each)(run *r, const input *in, void *user);
    void *user;
} single;

static int call_single(run *r, const input *in, int n, void *user)
{
    (void)n;
    single *s = user;
    return s->each(r, in, s->user);
}

int for_each_input(run *r, int (*each)(run *r, const input *in, void *user), void *user)
{
    single s = { each, user };
    return for_each_source(r, 1, call_single, &s);
}

int for_each_batch(run *r, int most, each_fn *each, void *user) { return for_each_source(r, most, each, user); }
