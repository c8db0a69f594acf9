/* grammar_read.c - the notation of grammar.h into tables, and what can be known of a rule without drawing a text. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/status.h"
#include "compare/grammar.h"

typedef struct reader {
    trine_grammar *g;
    const char *name; /* of the class or rule that is read */
    trine_status status;
    trine_error *err;
} reader;

static void fail(reader *r, const char *what, const char *word)
{
    if (!r->status) r->status = trine_fail(r->err, TRINE_ERROR_FORMAT, "grammar: %s: %s '%.60s'", r->name, what, word);
}

/* One more of an array; NULL after a failure. */
static void *one_more(reader *r, void **array, int *n, size_t size)
{
    if (r->status) return NULL;
    if (!(*n & (*n - 1))) { /* 0, 1, 2, 4...: full */
        void *grown = realloc(*array, (*n ? 2 * (size_t)*n : 1) * size);
        if (!grown) {
            r->status = trine_fail(r->err, TRINE_ERROR_MEMORY, "grammar: no memory");
            return NULL;
        }
        *array = grown;
    }
    return memset((char *)*array + (size_t)(*n)++ * size, 0, size);
}

static int32_t intern(reader *r, const char *word)
{
    if (!strcmp(word, "-")) return -1;
    const int32_t id = trine_grammar_id(r->g, word);
    if (id >= 0) return id;
    const char **at = one_more(r, (void **)&r->g->words, &r->g->n_ids, sizeof *r->g->words);
    if (!at) return -1;
    *at = word;
    return r->g->first_id + r->g->n_ids - 1;
}

static int find_class(const trine_grammar *g, const char *name)
{
    for (int i = 0; i < g->n_classes; i++)
        if (!strcmp(g->classes[i].name, name)) return i;
    return -1;
}

static int find_slot(reader *r, const char *name)
{
    const trine_grammar *g = r->g;
    for (int i = 0; i < g->n_slots; i++)
        if (!strcmp(g->slots[i], name)) return i;
    fail(r, "no slot is called", name);
    return 0;
}

/* "slot CLASS = A B C" */
static void read_slots(reader *r, char *head, char *body)
{
    char *rest;
    trine_grammar *g = r->g;
    const char *class = strtok_r(head, " ", &rest);
    const int c = find_class(g, class);
    r->name = class;
    if (c < 0) fail(r, "no class before its slots is called", class);
    for (const char *name = strtok_r(body, " ", &rest); name && !r->status; name = strtok_r(NULL, " ", &rest)) {
        if (g->n_slots == TRINE_GRAMMAR_SLOTS) {
            fail(r, "one slot too many,", name);
            return;
        }
        g->slots[g->n_slots] = name;
        g->slot_classes[g->n_slots++] = c;
    }
}

/* ------------------------------------------------------------------------------------------------------------ classes */

static void measure_class(trine_grammar_class *c)
{
    double sum = 0;
    c->empty = -1;
    c->even = true;
    for (int i = 0; i < c->n; i++) sum += c->words[i].p;
    for (int i = 0; i < c->n; i++) {
        c->even = c->even && c->words[i].p == c->words[0].p && c->words[i].id >= 0;
        if (c->words[i].id < 0) c->empty = i;
    }
    for (int i = 0; i < c->n; i++) {
        const double p = c->words[i].p /= sum;
        c->nats -= p * log(p);
        c->tokens += c->words[i].id < 0 ? 0 : p;
    }
}

static void read_word(reader *r, trine_grammar_class *c, char *text)
{
    char *rest, *name = strtok_r(text, " ", &rest);
    trine_grammar_word *w = name ? one_more(r, (void **)&c->words, &c->n, sizeof *c->words) : NULL;
    if (!name) fail(r, "expected a word before", "a comma or the end");
    if (!w) return;
    char *star = strchr(name, '*');
    w->p = star ? trine_to_double(star + 1, NULL) : 1;
    if (star) *star = 0;
    if (!(w->p > 0)) fail(r, "expected a weight above 0 at", name);
    w->id = intern(r, name);
    for (int i = 0; i < c->n - 1; i++)
        if (c->words[i].id == w->id) fail(r, "twice the word", name);
    for (int i = 0; i < c->n_columns; i++) {
        const char *word = strtok_r(NULL, " ", &rest);
        if (!word) {
            fail(r, "too few columns at", name);
            return;
        }
        w->columns[i] = word;
        w->classes[i] = find_class(r->g, word);
        w->ids[i] = w->classes[i] < 0 ? intern(r, word) : -1;
        if ((w->classes[i] < 0) != (c->words[0].classes[i] < 0)) fail(r, "a column of words and of classes at", name);
    }
    if (strtok_r(NULL, " ", &rest)) fail(r, "too many columns at", name);
}

static void read_class(reader *r, char *head, char *body)
{
    char *rest, *name = strtok_r(head, " ", &rest);
    trine_grammar_class *c = one_more(r, (void **)&r->g->classes, &r->g->n_classes, sizeof *r->g->classes);
    if (!c) return;
    c->name = r->name = name;
    for (const char *column; (column = strtok_r(NULL, " ", &rest));) {
        if (c->n_columns == TRINE_GRAMMAR_COLUMNS) {
            fail(r, "one column too many,", column);
            return;
        }
        c->columns[c->n_columns++] = column;
    }
    for (char *word = strtok_r(body, ",", &rest); word && !r->status; word = strtok_r(NULL, ",", &rest)) read_word(r, c, word);
    if (!c->n) fail(r, "a class without", "words");
    if (!r->status) measure_class(c);
}

/* -------------------------------------------------------------------------------------------------------------- rules */

static int column_of(reader *r, int slot, const char *name)
{
    const trine_grammar_class *c = r->status ? NULL : &r->g->classes[r->g->slot_classes[slot]];
    for (int i = 0; c && i < c->n_columns; i++)
        if (!strcmp(c->columns[i], name)) return i;
    fail(r, "the slot's words have no column", name);
    return 0;
}

/* S, or S/T/U, of a draw from class e->class. */
static void read_binding(reader *r, trine_grammar_element *e, char *text)
{
    char *rest, *name = strtok_r(text, "/", &rest);
    if (!name) fail(r, "expected a slot after", "=");
    if (r->status) return;
    const trine_grammar *g = r->g;
    e->slot = find_slot(r, name);
    if (!r->status && g->slot_classes[e->slot] != e->class) fail(r, "words of another class go into slot", name);
    while ((name = strtok_r(NULL, "/", &rest)) && !r->status) {
        const int other = find_slot(r, name);
        if (e->n_others == TRINE_GRAMMAR_OTHERS) fail(r, "too many other slots at", name);
        if (r->status) return;
        if (!g->classes[e->class].even || g->slot_classes[other] != e->class)
            fail(r, "expected an even class, and the same one, at", name);
        e->others[e->n_others++] = other;
    }
    if (!r->status && e->n_others >= g->classes[e->class].n) fail(r, "no word is left of", g->classes[e->class].name);
}

static void read_part(reader *r, trine_grammar_element *e, char *text)
{
    char *end = strchr(text, '>');
    if (!end || (end[1] && end[1] != '*')) {
        fail(r, "expected <rule> or <rule>*2-5, not", text);
        return;
    }
    *end = 0;
    e->kind = TRINE_GRAMMAR_PART;
    e->rule = trine_grammar_find(r->g, text + 1);
    e->least = e->most = 1;
    if (e->rule < 0 || e->rule == r->g->n_rules - 1) fail(r, "no rule before this one is called", text + 1);
    if (!end[1]) return;
    char *at;
    e->least = (int)strtol(end + 2, &at, 10);
    e->most = *at == '-' ? (int)strtol(at + 1, &at, 10) : e->least;
    e->scaled = *at == '!';
    if (at[e->scaled] || e->least < 0 || e->most < e->least || e->most > 1000) fail(r, "expected a count as *2-5 at", text + 1);
}

static void read_element(reader *r, trine_grammar_way *way, char *text)
{
    trine_grammar_element *e = one_more(r, (void **)&way->elements, &way->n, sizeof *way->elements);
    if (!e) return;
    e->slot = e->column = e->class = -1;
    char *dot;
    if (text[0] == '$' || (text[0] == '@' && text[1] == '$')) {
        e->kind = text[0] == '$' ? TRINE_GRAMMAR_SLOT : TRINE_GRAMMAR_BY;
        char *name = text + 1 + (text[0] == '@');
        if ((dot = strchr(name, '.'))) *dot = 0;
        e->slot = find_slot(r, name);
        if (dot) e->column = column_of(r, e->slot, dot + 1);
        const trine_grammar_class *c = r->status ? NULL : &r->g->classes[r->g->slot_classes[e->slot]];
        if (c && (e->kind == TRINE_GRAMMAR_BY) != (e->column >= 0 && c->words[0].classes[e->column] >= 0))
            fail(r, "a column of classes is drawn from by @$S.column, and no other is:", text);
    } else if (text[0] == '@' || text[0] == '?') {
        e->kind = text[0] == '@' ? TRINE_GRAMMAR_DRAW : TRINE_GRAMMAR_HIDDEN;
        char *slots = strchr(text, '=');
        if (slots) *slots = 0;
        e->class = find_class(r->g, text + 1);
        if (e->class < 0) fail(r, "no class before this rule is called", text + 1);
        if (slots && !r->status) read_binding(r, e, slots + 1);
        if (!slots && e->kind == TRINE_GRAMMAR_HIDDEN) fail(r, "expected a slot for", text + 1);
    } else if (text[0] == '<') {
        read_part(r, e, text);
    } else {
        e->kind = TRINE_GRAMMAR_WORD;
        e->id = intern(r, text);
    }
}

/* --------------------------------------------------------------------------------------------------------------- facts */

/* Means over the words that slot S may hold: each class's as likely as drawn, whatever was said before (even classes stay even when
 * some of their words are out). */
static void add_by(trine_grammar_facts *f, const trine_grammar *g, const trine_grammar_element *e)
{
    const trine_grammar_class *c = &g->classes[g->slot_classes[e->slot]];
    int most = 0;
    for (int i = 0; i < c->n; i++) {
        const trine_grammar_class *by = &g->classes[c->words[i].classes[e->column]];
        f->nats += c->words[i].p * by->nats;
        f->tokens += c->words[i].p * by->tokens;
        most = 1;
    }
    f->most_tokens += most;
}

static void add_slot(trine_grammar_facts *f, const trine_grammar *g, const trine_grammar_element *e)
{
    const trine_grammar_class *c = &g->classes[g->slot_classes[e->slot]];
    for (int i = 0; i < c->n; i++)
        if ((e->column < 0 ? c->words[i].id : c->words[i].ids[e->column]) >= 0) f->tokens += c->words[i].p;
    f->most_tokens++;
}

static void add_part(trine_grammar_facts *f, const trine_grammar *g, const trine_grammar_element *e)
{
    const trine_grammar_facts *part = &g->rules[e->rule].facts;
    double count = e->least, p = 1;
    for (int i = e->least; i < e->most; i++) {
        f->nats -= p * (TRINE_GRAMMAR_MORE * log(TRINE_GRAMMAR_MORE) +
                        (1 - TRINE_GRAMMAR_MORE) * log(1 - TRINE_GRAMMAR_MORE)); /* the choice, when it comes to it */
        p *= TRINE_GRAMMAR_MORE;
        count += p;
    }
    f->nats += count * part->nats;
    f->tokens += count * part->tokens;
    f->most_tokens += e->most * part->most_tokens;
}

static trine_grammar_facts way_facts(const trine_grammar *g, const trine_grammar_way *way)
{
    trine_grammar_facts f = { 0 };
    const int32_t mark = trine_grammar_id(g, "=>");
    int before = -1; /* tokens until the mark */
    for (int i = 0; i < way->n; i++) {
        const trine_grammar_element *e = &way->elements[i];
        switch (e->kind) {
        case TRINE_GRAMMAR_WORD:
            f.tokens++;
            f.most_tokens++;
            break;
        case TRINE_GRAMMAR_DRAW:
            f.nats += e->n_others ? log(g->classes[e->class].n - e->n_others) : g->classes[e->class].nats;
            f.tokens += g->classes[e->class].tokens;
            f.most_tokens++;
            break;
        case TRINE_GRAMMAR_HIDDEN: f.nats += g->classes[e->class].nats; break;
        case TRINE_GRAMMAR_BY: add_by(&f, g, e); break;
        case TRINE_GRAMMAR_SLOT: add_slot(&f, g, e); break;
        case TRINE_GRAMMAR_PART: add_part(&f, g, e); break;
        }
        if (e->kind == TRINE_GRAMMAR_WORD && e->id == mark) before = f.most_tokens;
        if (e->kind == TRINE_GRAMMAR_PART && g->rules[e->rule].facts.most_answer)
            before = f.most_tokens - g->rules[e->rule].facts.most_answer;
    }
    if (before >= 0 && mark >= 0) f.most_answer = f.most_tokens - before;
    return f;
}

static void measure_rule(const trine_grammar *g, trine_grammar_rule *rule)
{
    double sum = 0;
    for (int i = 0; i < rule->n; i++) sum += rule->ways[i].p;
    for (int i = 0; i < rule->n; i++) {
        const trine_grammar_facts f = way_facts(g, &rule->ways[i]);
        const double p = rule->ways[i].p /= sum;
        rule->facts.nats += p * (f.nats - log(p));
        rule->facts.tokens += p * f.tokens;
        if (f.most_tokens > rule->facts.most_tokens) rule->facts.most_tokens = f.most_tokens;
        if (f.most_answer > rule->facts.most_answer) rule->facts.most_answer = f.most_answer;
    }
}

static void read_rule(reader *r, char *name, char *body)
{
    char *rest, *others;
    name = strtok_r(name, " ", &rest);
    trine_grammar_rule *rule = one_more(r, (void **)&r->g->rules, &r->g->n_rules, sizeof *r->g->rules);
    if (!rule) return;
    rule->name = r->name = name;
    for (char *text = strtok_r(body, "|", &others); text && !r->status; text = strtok_r(NULL, "|", &others)) {
        trine_grammar_way *way = one_more(r, (void **)&rule->ways, &rule->n, sizeof *rule->ways);
        if (!way) return;
        way->p = 1;
        char *word = strtok_r(text, " ", &rest);
        if (word && isdigit((unsigned char)word[0])) {
            way->p = trine_to_double(word, NULL);
            word = strtok_r(NULL, " ", &rest);
        }
        if (!word || !(way->p > 0)) fail(r, "expected a weight above 0 and something after it in", "an alternative");
        for (; word && !r->status; word = strtok_r(NULL, " ", &rest)) read_element(r, way, word);
    }
    if (!rule->n) fail(r, "a rule without", "alternatives");
    if (!r->status) measure_rule(r->g, rule);
}

/* --------------------------------------------------------------------------------------------------------------- text */

static void read_line(reader *r, char *line)
{
    char *equals = strstr(line, " = ");
    r->name = line;
    if (!equals || (strncmp(line, "class ", 6) && strncmp(line, "slot ", 5) && strncmp(line, "rule ", 5))) {
        fail(r, "expected class, slot or rule NAME = ..., not", line);
        return;
    }
    *equals = 0;
    char *head = strchr(line, ' ') + 1;
    if (!*head || *head == ' ')
        fail(r, "expected a name in", line);
    else if (line[0] == 'c')
        read_class(r, head, equals + 3);
    else if (line[0] == 's')
        read_slots(r, head, equals + 3);
    else
        read_rule(r, head, equals + 3);
}

/* Cuts the text into lines, of which those that begin with a space go on the one before. */
static void read_lines(reader *r, char *text)
{
    for (char *line = text; line && *line && !r->status;) {
        char *end = line;
        while ((end = strchr(end, '\n')) && end[1] == ' ') *end = ' ';
        if (end) *end = 0;
        if (*line && *line != '#') read_line(r, line);
        line = end ? end + 1 : NULL;
    }
}

trine_status trine_grammar_open(trine_grammar **out, const char *text, int first_id, trine_error *err)
{
    trine_grammar *g = *out = calloc(1, sizeof *g);
    if (!g) return trine_fail(err, TRINE_ERROR_MEMORY, "grammar: no memory");
    reader r = { .g = g, .name = "the text", .err = err };
    g->first_id = first_id;
    g->text = strdup(text);
    if (!g->text)
        r.status = trine_fail(err, TRINE_ERROR_MEMORY, "grammar: no memory");
    else
        read_lines(&r, g->text);
    if (!r.status && !g->n_rules) fail(&r, "no rule in", "it");
    if (!r.status) return TRINE_OK;
    trine_grammar_close(g);
    *out = NULL;
    return r.status;
}

void trine_grammar_close(trine_grammar *g)
{
    if (!g) return;
    for (int i = 0; i < g->n_classes; i++) free(g->classes[i].words);
    for (int i = 0; i < g->n_rules; i++) {
        for (int w = 0; w < g->rules[i].n; w++) free(g->rules[i].ways[w].elements);
        free(g->rules[i].ways);
    }
    free(g->classes);
    free(g->rules);
    free(g->words);
    free(g->text);
    free(g);
}

int trine_grammar_find(const trine_grammar *g, const char *rule)
{
    for (int i = 0; i < g->n_rules; i++)
        if (!strcmp(g->rules[i].name, rule)) return i;
    return -1;
}

int32_t trine_grammar_id(const trine_grammar *g, const char *word)
{
    for (int i = 0; i < g->n_ids; i++)
        if (!strcmp(g->words[i], word)) return g->first_id + i;
    return -1;
}
