/* command_line.c - from argv to `arguments`, by the table of options.
 *
 * Forms: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags together (-qh), "--" ends the options, "-" alone is an argument.
 * Every complaint says what was expected, and names the nearest option when one was misspelt. */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct complaint {
    char *text;
    size_t size;
} complaint;

static bool complain(const complaint *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool complain(const complaint *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(c->text, c->size, format, list);
    va_end(list);
    return false;
}

bool choice_name(char *out, size_t out_size, const char *choices, int index)
{
    const char *p = choices;
    for (; index > 0 && p; index--) {
        p = strchr(p, '|');
        if (p) p++;
    }
    if (!p || index < 0) return false;
    snprintf(out, out_size, "%.*s", (int)strcspn(p, "|"), p);
    return true;
}

/* Letters to insert, delete, replace or swap to come from `a` to `b`, of either case (Damerau 1964), for names up to 31 letters. */
static int edit_distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > 31 || m > 31) return 99;
    int d[32][32];
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *nearest_name(const char *name, const char *(*nth)(int i, const void *data), const void *data)
{
    const char *best = NULL;
    int length = (int)strlen(name), best_distance = 1 + (length > 3) + (length > 7); /* one slip for each few letters */
    for (int i = 0;; i++) {
        const char *candidate = nth(i, data);
        if (!candidate) return best;
        if (!*candidate) continue;
        int distance = edit_distance(name, candidate);
        if (length >= 3 && strncmp(name, candidate, (size_t)length) == 0) distance = 1; /* the beginning of a longer name */
        if (distance < best_distance || (distance == best_distance && !best)) {
            best = candidate;
            best_distance = distance;
        }
    }
}

/* Long names of the command's options, an alias after its name; "" where there is none. */
static const char *option_name_at(int i, const void *data)
{
    const command *cmd = data;
    if (i >= 2 * trine_n_options) return NULL;
    const option *o = &trine_options[i / 2];
    const char *name = i % 2 ? o->alias : o->name;
    return name && (o->commands & (unsigned)cmd->id) ? name : "";
}

static bool is_called(const option *o, const char *name, size_t length)
{
    return (strlen(o->name) == length && strncmp(o->name, name, length) == 0) ||
           (o->alias && strlen(o->alias) == length && strncmp(o->alias, name, length) == 0);
}

static const option *find_long(const char *name, size_t length, unsigned commands)
{
    for (int i = 0; i < trine_n_options; i++)
        if ((trine_options[i].commands & commands) && is_called(&trine_options[i], name, length)) return &trine_options[i];
    return NULL;
}

static const option *find_letter(char letter, unsigned commands)
{
    for (int i = 0; i < trine_n_options; i++)
        if (trine_options[i].letter == letter && (trine_options[i].commands & commands)) return &trine_options[i];
    return NULL;
}

/* The commands that know the option `name`, by whichever row: options of one name take other values after other commands. */
static unsigned commands_with(const char *name, size_t length)
{
    unsigned commands = 0;
    for (int i = 0; i < trine_n_options; i++)
        if (length == 1 ? trine_options[i].letter == *name : is_called(&trine_options[i], name, length))
            commands |= trine_options[i].commands;
    return commands;
}

/* Says whose option it is: of the first commands where there are many. */
static bool elsewhere(const complaint *c, const char *shown, unsigned commands, const command *cmd)
{
    enum { MOST = 6 };
    char which[160] = "";
    size_t used = 0;
    int n = 0;
    for (int i = 0; i < trine_n_commands; i++)
        if (commands & (unsigned)trine_commands[i].id && ++n <= MOST)
            used += (size_t)snprintf(which + used, sizeof which - used, "%s%s", n > 1 ? ", " : "", trine_commands[i].name);
    return complain(c, "%s is an option of %s%s, not of %s", shown, which, n > MOST ? " and others (`trine help all`)" : "",
                    cmd->name);
}

static bool unknown_option(const complaint *c, const char *shown, const char *name, size_t length, const command *cmd)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)length, name);
    for (char *p = copy; *p; p++)
        if (*p == '_') *p = '-';
    const unsigned commands = commands_with(name, length);
    if (commands) return elsewhere(c, shown, commands, cmd);
    const char *near = length == 1 ? NULL : nearest_name(copy, option_name_at, cmd);
    if (near) return complain(c, "unknown option %s; did you mean --%s?", shown, near);
    return complain(c, "unknown option %s", shown);
}

/* ------------------------------------------------------------------------------------------------------------ values */

static bool parse_int(int *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (end == value || *end || errno || n < (long long)o->min || n > (long long)o->max)
        return complain(c, "%s takes a whole number from %.0f to %.0f, not '%s'", shown, o->min, o->max, value);
    *out = (int)n;
    return true;
}

static bool parse_real(float *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    char *end;
    double x = strtod(value, &end);
    if (end == value || *end || !isfinite(x) || x < o->min || x > o->max)
        return complain(c, "%s takes a number from %g to %g, not '%s'", shown, o->min, o->max, value);
    *out = (float)x;
    return true;
}

static bool parse_seed(uint64_t *out, const char *shown, const char *value, const complaint *c)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || errno)
        return complain(c, "%s takes a whole number from 0 to 18446744073709551615, not '%s'", shown, value);
    *out = n;
    return true;
}

static bool parse_bytes(size_t *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {
        { "", 1 },
        { "B", 1 },
        { "K", 1024 },
        { "M", 1048576 },
        { "G", 1073741824 },
        { "T", 1099511627776 },
        { "KiB", 1024 },
        { "MiB", 1048576 },
        { "GiB", 1073741824 },
        { "TiB", 1099511627776 },
        { "KB", 1e3 },
        { "MB", 1e6 },
        { "GB", 1e9 },
        { "TB", 1e12 },
    };
    char *end;
    double x = strtod(value, &end);
    if (end != value && isfinite(x)) {
        while (*end == ' ') end++;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            double bytes = x * units[i].bytes;
            if (strcasecmp(end, units[i].unit) || bytes < o->min || bytes > o->max) continue;
            *out = (size_t)bytes;
            return true;
        }
    }
    return complain(c, "%s takes a size of %.0f bytes or more, such as 500MB or 2GiB, not '%s'", shown, o->min, value);
}

static bool parse_ids(id_list *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    size_t most = strlen(value) / 2 + 1;
    int32_t *ids = malloc(most * sizeof *ids);
    if (!ids) return complain(c, "no memory for the ids of %s", shown);
    int n = 0;
    const char *p = value;
    while (*p) {
        if (*p == ',' || isspace((unsigned char)*p)) {
            p++;
            continue;
        }
        char *end;
        errno = 0;
        long long id = strtoll(p, &end, 10);
        if (end == p || errno || id < (long long)o->min || id > (long long)o->max ||
            (*end && *end != ',' && !isspace((unsigned char)*end))) {
            free(ids);
            if (o->kind == OPTION_COUNTS)
                return complain(c, "%s takes whole numbers from %.0f to %.0f with commas between, not '%.40s'", shown, o->min,
                                o->max, p);
            return complain(c, "%s takes ids from %.0f to %.0f with commas between, such as \"5,6,7\", not '%.40s'", shown, o->min,
                            o->max, p);
        }
        ids[n++] = (int32_t)id;
        p = end;
    }
    if (!n) {
        free(ids);
        return complain(c,
                        o->kind == OPTION_COUNTS ? "%s takes one number or more, such as \"1,8\", not '%s'"
                                                 : "%s takes one id or more, such as \"5,6,7\", not '%s'",
                        shown, value);
    }
    free(out->items);
    *out = (id_list) { ids, n };
    return true;
}

static bool parse_choice(int *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    char word[64];
    for (int i = 0; choice_name(word, sizeof word, o->choices, i); i++) {
        if (strcasecmp(word, value) == 0) {
            *out = i;
            return true;
        }
    }
    return complain(c, "%s takes one of %s, not '%s'", shown, o->choices, value);
}

static bool parse_types(id_list *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    int32_t *types = malloc((strlen(value) / 2 + 1) * sizeof *types);
    if (!types) return complain(c, "no memory for the types of %s", shown);
    int n = 0;
    for (const char *p = value;; p++) {
        char word[16] = "";
        const size_t length = strcspn(p, ",");
        int index = 0;
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), p);
        if (!parse_choice(&index, o, shown, word, c)) {
            free(types);
            return false;
        }
        choice_name(word, sizeof word, o->choices, index);
        types[n++] = (int32_t)trine_dtype_from_name(word);
        p += length;
        if (!*p) break;
    }
    free(out->items);
    *out = (id_list) { types, n };
    return true;
}

static bool parse_cpu(const char **out, const char *shown, const char *value, const complaint *c)
{
    char levels[160] = "auto", name[32] = "";
    size_t used = strlen(levels);
    *out = value;
    if (strcmp(value, "auto") == 0) return true;
    for (size_t i = 0; value[i] && i + 1 < sizeof name; i++) name[i] = value[i] == '_' ? '-' : value[i]; /* avx512_bf16 too */
    for (int i = 0; trine_cpu_level(i); i++) {
        if (strcasecmp(name, trine_cpu_level(i)) == 0) {
            *out = trine_cpu_level(i);
            return true;
        }
        if (used < sizeof levels) used += (size_t)snprintf(levels + used, sizeof levels - used, ", %s", trine_cpu_level(i));
    }
    return complain(c, "%s takes a kernel level that this machine runs (%s), not '%s'", shown, levels, value);
}

static bool parse_mask(mask_value *out, const option *o, const char *shown, const char *value, const complaint *c)
{
    if (strcasecmp(value, "bidirectional") == 0) {
        *out = (mask_value) { TRINE_MASK_BIDIRECTIONAL, 0 };
    } else if (strcasecmp(value, "causal") == 0) {
        *out = (mask_value) { TRINE_MASK_CAUSAL, 0 };
    } else {
        char *end = "";
        const bool prefix = strncasecmp(value, "prefix:", 7) == 0, window = strncasecmp(value, "window:", 7) == 0;
        long n = (prefix || window) && isdigit((unsigned char)value[7]) ? strtol(value + 7, &end, 10) : -1;
        if (n < 0 || n > 16777216 || *end) return complain(c, "%s takes one of %s, not '%s'", shown, o->choices, value);
        *out = (mask_value) { prefix ? TRINE_MASK_PREFIX : TRINE_MASK_WINDOW, (int)n };
    }
    return true;
}

static bool append_text(text_list *list, const char *text, const complaint *c)
{
    const char **grown = realloc(list->items, (size_t)(list->n + 1) * sizeof *grown);
    if (!grown) return complain(c, "no memory for the arguments");
    list->items = grown;
    list->items[list->n++] = text;
    return true;
}

/* `shown` is the option as it was written, for complaints. */
static bool set_option(arguments *args, const option *o, const char *shown, const char *value, const complaint *c)
{
    void *field = (char *)args + o->offset;
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)field = true; return true;
    case OPTION_INT: return parse_int(field, o, shown, value, c);
    case OPTION_REAL: return parse_real(field, o, shown, value, c);
    case OPTION_SEED: return parse_seed(field, shown, value, c);
    case OPTION_BYTES: return parse_bytes(field, o, shown, value, c);
    case OPTION_TEXT:
    case OPTION_FILE: *(const char **)field = value; return true;
    case OPTION_TEXTS: return append_text(field, value, c);
    case OPTION_TYPES: return parse_types(field, o, shown, value, c);
    case OPTION_IDS:
    case OPTION_COUNTS: return parse_ids(field, o, shown, value, c);
    case OPTION_CHOICE: return parse_choice(field, o, shown, value, c);
    case OPTION_CPU: return parse_cpu(field, shown, value, c);
    case OPTION_MASK: return parse_mask(field, o, shown, value, c);
    case OPTION_TYPE: {
        int index = 0;
        if (!parse_choice(&index, o, shown, value, c)) return false;
        char word[64] = "";
        choice_name(word, sizeof word, o->choices, index);
        *(trine_dtype *)field = trine_dtype_from_name(word);
        return true;
    }
    }
    return false;
}

static bool give(arguments *args, const option *o, const char *shown, const char *value, const complaint *c)
{
    args->given[o - trine_options] = true;
    return set_option(args, o, shown, value, c);
}

static bool missing_value(const complaint *c, const option *o, const char *shown)
{
    return complain(c, "%s needs a value: %s%s%s", shown, o->argument, o->choices ? ", one of " : "", o->choices ? o->choices : "");
}

/* The value that follows an option as the next argument. An option of this command in its place means that it was
 * forgotten; one that truly begins so can be written --name=VALUE. */
static const char *next_value(int *i, int argc, char **argv, const command *cmd)
{
    if (*i + 1 >= argc) return NULL;
    const char *value = argv[*i + 1];
    if (value[0] == '-' && value[1] == '-' && value[2] && find_long(value + 2, strcspn(value + 2, "="), (unsigned)cmd->id))
        return NULL;
    ++*i;
    return value;
}

static bool parse_long(arguments *args, const command *cmd, int *i, int argc, char **argv, const complaint *c)
{
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "=");
    char shown[80];
    snprintf(shown, sizeof shown, "--%.*s", (int)(length < 60 ? length : 60), name);
    const option *o = find_long(name, length, (unsigned)cmd->id);
    if (!o) return unknown_option(c, shown, name, length, cmd);
    if (o->kind == OPTION_FLAG) {
        if (name[length]) return complain(c, "%s takes no value", shown);
        return give(args, o, shown, NULL, c);
    }
    const char *value = name[length] ? name + length + 1 : next_value(i, argc, argv, cmd);
    return value ? give(args, o, shown, value, c) : missing_value(c, o, shown);
}

/* -temp 0.5, a long name with one dash, would read as -t emp: better to say so. */
static bool parse_short(arguments *args, const command *cmd, int *i, int argc, char **argv, const complaint *c)
{
    const char *name = argv[*i] + 1;
    if (name[1] && find_long(name, strcspn(name, "="), (unsigned)cmd->id))
        return complain(c, "unknown option -%s; did you mean --%s?", name, name);
    for (const char *p = name; *p; p++) {
        char shown[3] = { '-', *p, 0 };
        const option *o = find_letter(*p, (unsigned)cmd->id);
        if (!o) return unknown_option(c, shown, p, 1, cmd);
        if (o->kind == OPTION_FLAG) {
            if (!give(args, o, shown, NULL, c)) return false;
            continue;
        }
        const char *value = p[1] ? p + 1 : next_value(i, argc, argv, cmd);
        return value ? give(args, o, shown, value, c) : missing_value(c, o, shown);
    }
    return true;
}

/* Defaults and the environment, before the command line. */
static bool set_defaults(arguments *args, const command *cmd, const complaint *c)
{
    for (int i = 0; i < trine_n_options; i++) {
        const option *o = &trine_options[i];
        if (!(o->commands & (unsigned)cmd->id)) continue;
        if (o->fallback && !set_option(args, o, o->name, o->fallback, c)) return false;
        const char *value = o->environment ? getenv(o->environment) : NULL;
        if (value && *value && !set_option(args, o, o->environment, value, c)) return false;
    }
    return true;
}

bool command_line_parse(arguments *args, const command *cmd, int argc, char **argv)
{
    *args = (arguments) { 0 };
    complaint c = { args->complaint, sizeof args->complaint };
    bool options_end = false;
    if (!set_defaults(args, cmd, &c)) return false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        bool ok;
        if (options_end || arg[0] != '-' || !arg[1]) {
            ok = append_text(&args->rest, arg, &c);
        } else if (strcmp(arg, "--") == 0) {
            options_end = true;
            continue;
        } else if (arg[1] == '-') {
            ok = parse_long(args, cmd, &i, argc, argv, &c);
        } else {
            ok = parse_short(args, cmd, &i, argc, argv, &c);
        }
        if (!ok) return false;
    }
    if (args->help) return true;
    if (args->rest.n < cmd->min_arguments) return complain(&c, "%s is missing", cmd->arguments);
    if (cmd->max_arguments >= 0 && args->rest.n > cmd->max_arguments)
        return complain(&c, "'%s' is one argument too many: expected %s", args->rest.items[cmd->max_arguments],
                        cmd->max_arguments ? cmd->arguments : "none");
    return true;
}

void arguments_clear(arguments *args)
{
    for (int i = 0; i < trine_n_options; i++) {
        const option *o = &trine_options[i];
        void *field = (char *)args + o->offset; /* cleared at once, for two options may set one field */
        if (o->kind == OPTION_TEXTS) {
            free(((text_list *)field)->items);
            *(text_list *)field = (text_list) { 0 };
        } else if (o->kind == OPTION_IDS || o->kind == OPTION_COUNTS || o->kind == OPTION_TYPES) {
            free(((id_list *)field)->items);
            *(id_list *)field = (id_list) { 0 };
        }
    }
    free(args->rest.items);
    *args = (arguments) { 0 };
}

bool arguments_given(const arguments *args, size_t offset)
{
    for (int i = 0; i < trine_n_options; i++)
        if (trine_options[i].offset == offset) return args->given[i];
    return false;
}
