/* json_vocabulary.c - see json_vocabulary.h. One walk over the text, which knows only well-formed JSON and stops at the first
 * surprise. */
#include "tokenizer/json_vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"

enum { DEPTH_LIMIT = 64 };

typedef struct cursor {
    const char *at, *end;
    trine_buffer spelt; /* strings with escapes, decoded */
    bool memory;        /* ran out */
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')) c->at++;
}

/* The sign comes next; it is passed. */
static bool sign(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool next_is(cursor *c, char wanted)
{
    skip_space(c);
    return c->at < c->end && *c->at == wanted;
}

/* Past a value, whose inside is for the JSON library to judge. */
static bool skip_value(cursor *c)
{
    skip_space(c);
    int depth = 0;
    do {
        if (c->at == c->end) return false;
        switch (*c->at++) {
        case '"':
            while (c->at < c->end && *c->at != '"') c->at += *c->at == '\\' && c->end - c->at > 1 ? 2 : 1;
            if (c->at == c->end) return false;
            c->at++;
            break;
        case '{':
        case '[':
            if (++depth > DEPTH_LIMIT) return false;
            break;
        case '}':
        case ']':
            if (--depth < 0) return false;
            break;
        default: break;
        }
    } while (depth);
    while (c->at < c->end && !strchr(",}] \n\t\r", *c->at)) c->at++; /* the rest of a number or a word */
    return true;
}

static bool hexadecimal(uint32_t *out, cursor *c)
{
    if (c->end - c->at < 4) return false;
    *out = 0;
    for (int i = 0; i < 4; i++) {
        const char d = *c->at++, low = (char)(d | 0x20);
        if (!(d >= '0' && d <= '9') && !(low >= 'a' && low <= 'f')) return false;
        *out = *out << 4 | (uint32_t)(d <= '9' ? d - '0' : low - 'a' + 10);
    }
    return true;
}

/* One escape, behind its backslash. */
static bool escape(cursor *c)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end) return false;
    const char kind = *c->at++;
    const char *place = kind ? strchr(names, kind) : NULL;
    if (place) {
        trine_buffer_putc(&c->spelt, values[place - names]);
        return true;
    }
    uint32_t unit, low;
    if (kind != 'u' || !hexadecimal(&unit, c) || !unit || (unit >= 0xDC00 && unit < 0xE000)) return false;
    if (unit >= 0xD800 && unit < 0xDC00) {
        if (c->end - c->at < 6 || *c->at++ != '\\' || *c->at++ != 'u' || !hexadecimal(&low, c)) return false;
        if (low < 0xDC00 || low > 0xDFFF) return false;
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    trine_buffer_put_utf8(&c->spelt, unit);
    return true;
}

/* A string: where it stands in the text or, decoded, behind what `spelt` holds already; `at` then is its place there. */
typedef struct string {
    const char *text; /* NULL: in `spelt` */
    size_t at, n;
} string;
static bool read_string(string *out, cursor *c)
{
    if (!sign(c, '"')) return false;
    const char *start = c->at;
    while (c->at < c->end && *c->at != '"' && *c->at != '\\' && (unsigned char)*c->at >= 0x20) c->at++;
    *out = (string) { start, 0, (size_t)(c->at - start) };
    if (c->at < c->end && *c->at == '\\') {
        const size_t place = c->spelt.n;
        trine_buffer_append(&c->spelt, start, out->n);
        while (c->at < c->end && *c->at != '"') {
            if ((unsigned char)*c->at < 0x20) return false;
            const char now = *c->at++;
            if (now != '\\')
                trine_buffer_putc(&c->spelt, now);
            else if (!escape(c))
                return false;
        }
        c->memory = c->memory || c->spelt.failed;
        *out = (string) { NULL, place, c->spelt.n - place };
    }
    return !c->memory && sign(c, '"');
}

static trine_piece piece_of(const cursor *c, const string *s)
{
    return (trine_piece) { s->text ? s->text : c->spelt.data + s->at, (uint32_t)s->n };
}

/* Digits as a number; false when there are none or more than 64 bits hold. Returns how many by `n`. */
static bool digits(uint64_t *value, int *n, cursor *c)
{
    const char *start = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (*value > (UINT64_MAX - 9) / 10) return false;
        *value = *value * 10 + (uint64_t)(*c->at - '0');
    }
    *n = (int)(c->at - start);
    return c->at > start;
}

static bool read_id(int32_t *out, cursor *c)
{
    uint64_t value = 0;
    int n;
    skip_space(c);
    if (!digits(&value, &n, c) || value >= TRINE_ID_LIMIT || (n > 1 && c->at[-n] == '0')) return false;
    *out = (int32_t)value;
    return next_is(c, ',') || next_is(c, '}');
}

/* A score with the bits that the reference's reader gives it (serde_json's f64_from_parts): the digits as a whole number, then one
 * multiplication or division by a power of ten, exact in the range that is taken here. */
static bool read_score(double *out, cursor *c)
{
    skip_space(c);
    uint64_t value = 0, power = 0;
    int n, exponent = 0;
    const bool minus = c->at < c->end && *c->at == '-';
    c->at += minus;
    if (!digits(&value, &n, c) || (n > 1 && c->at[-n] == '0')) return false;
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (!digits(&value, &n, c)) return false;
        exponent = -n;
    }
    if (c->at < c->end && (*c->at | 0x20) == 'e') {
        c->at++;
        const bool negative = c->at < c->end && *c->at == '-';
        if (c->at < c->end && (*c->at == '-' || *c->at == '+')) c->at++;
        if (!digits(&power, &n, c) || power > 99) return false;
        exponent += negative ? -(int)power : (int)power;
    }
    if (exponent < -22 || exponent > 22 || !next_is(c, ']')) return false;
    double scale = 1;
    for (int i = 0; i < abs(exponent); i++) scale *= 10;
    const double x = exponent < 0 ? (double)value / scale : (double)value * scale;
    *out = minus ? -x : x;
    return true;
}

/* {"token": id, ...}; a token that comes twice is left to the JSON library. */
static bool read_object(trine_tokenizer *t, cursor *c, trine_error *err)
{
    string token;
    int32_t id;
    if (!sign(c, '{')) return false;
    do {
        c->spelt.n = 0;
        if (!read_string(&token, c) || !sign(c, ':') || !read_id(&id, c)) return false;
        const trine_piece p = piece_of(c, &token);
        const trine_status status = trine_vocab_set(&t->vocab, id, p.text, p.n, err);
        c->memory = c->memory || status == TRINE_ERROR_MEMORY;
        if (status) return false;
    } while (sign(c, ','));
    if (!sign(c, '}')) return false;
    c->memory = c->memory || trine_vocab_index(&t->vocab, err);
    return !c->memory && !t->vocab.repeated;
}

/* [["token", score], ...] */
static bool read_list(trine_tokenizer *t, cursor *c, trine_error *err)
{
    int cap = 0;
    string token;
    if (!sign(c, '[')) return false;
    do {
        const int n = t->vocab.n;
        if (n == cap) {
            cap = cap ? 2 * cap : 32768;
            double *scores = cap <= TRINE_ID_LIMIT ? realloc(t->scores, (size_t)cap * sizeof *scores) : NULL;
            c->memory = c->memory || !scores;
            if (!scores) return false;
            t->scores = scores;
        }
        c->spelt.n = 0;
        if (!sign(c, '[') || !read_string(&token, c) || !sign(c, ',') || !read_score(&t->scores[n], c) || !sign(c, ']'))
            return false;
        const trine_piece p = piece_of(c, &token);
        const trine_status status = trine_vocab_set(&t->vocab, n, p.text, p.n, err);
        c->memory = c->memory || status == TRINE_ERROR_MEMORY;
        if (status) return false;
    } while (sign(c, ','));
    if (!sign(c, ']')) return false;
    c->memory = c->memory || trine_vocab_index(&t->vocab, err);
    return !c->memory;
}

/* ["a b", ...] or [["a", "b"], ...] */
static bool read_merges(trine_tokenizer *t, cursor *c)
{
    int cap = 0;
    string a, b;
    if (!sign(c, '[')) return false;
    if (sign(c, ']')) return true;
    do {
        if (t->n_merges == cap) {
            cap = cap ? 2 * cap : 65536;
            trine_merge *merges = cap <= TRINE_ID_LIMIT ? realloc(t->merges, (size_t)cap * sizeof *merges) : NULL;
            c->memory = c->memory || !merges;
            if (!merges) return false;
            t->merges = merges;
        }
        c->spelt.n = 0;
        trine_piece left, right;
        if (next_is(c, '"')) {
            if (!read_string(&a, c)) return false;
            left = piece_of(c, &a);
            if (left.n >= 8 && !memcmp(left.text, "#version", 8)) return false;
            const char *space = memchr(left.text, ' ', left.n);
            if (!space) return false;
            right = (trine_piece) { space + 1, left.n - (uint32_t)(space + 1 - left.text) };
            left.n = (uint32_t)(space - left.text);
            if (memchr(right.text, ' ', right.n)) return false;
        } else {
            if (!sign(c, '[') || !read_string(&a, c) || !sign(c, ',') || !read_string(&b, c) || !sign(c, ']')) return false;
            left = piece_of(c, &a); /* not before: `spelt` may have moved */
            right = piece_of(c, &b);
        }
        const trine_merge ids = { trine_vocab_find(&t->vocab, left.text, left.n),
                                  trine_vocab_find(&t->vocab, right.text, right.n) };
        if (ids.left < 0 || ids.right < 0) return false;
        t->merges[t->n_merges++] = ids;
    } while (sign(c, ','));
    return sign(c, ']');
}

/* What the walk gathers. */
typedef struct walk {
    cursor c;
    trine_tokenizer *t;
    trine_error *err;
    trine_buffer *rest;
    const char *kept; /* the text up to here is in `rest` */
    string type;
    bool model, list, merges; /* seen: the model; its vocabulary is a list; merges */
} walk;

/* Calls `member` for each member of the object at the cursor, which stands before the value. A key with escapes is a surprise. */
static bool each_member(walk *w, bool (*member)(walk *w, const char *key, size_t n))
{
    cursor *c = &w->c;
    string key;
    if (!sign(c, '{')) return false;
    if (sign(c, '}')) return true;
    do {
        c->spelt.n = 0;
        if (!read_string(&key, c) || !key.text || !sign(c, ':')) return false;
        skip_space(c);
        if (!member(w, key.text, key.n)) return false;
    } while (sign(c, ','));
    return sign(c, '}');
}

static bool is(const char *text, size_t n, const char *wanted) { return n == strlen(wanted) && !memcmp(text, wanted, n); }

/* The text up to `begin` is kept, what was read since becomes a zero. */
static void cut(walk *w, const char *begin)
{
    trine_buffer_append(w->rest, w->kept, (size_t)(begin - w->kept));
    trine_buffer_putc(w->rest, '0');
    w->kept = w->c.at;
}

static bool model_member(walk *w, const char *key, size_t n)
{
    cursor *c = &w->c;
    const char *begin = c->at;
    bool fine;
    if (is(key, n, "type")) {
        if (w->type.text || !read_string(&w->type, c) || !w->type.text) return false;
        return true;
    }
    if (is(key, n, "vocab")) {
        if (w->t->vocab.n) return false;
        w->list = next_is(c, '[');
        fine = w->list ? read_list(w->t, c, w->err) : read_object(w->t, c, w->err);
    } else if (is(key, n, "merges")) {
        if (w->merges || !w->t->vocab.n) return false;
        w->merges = true;
        fine = read_merges(w->t, c);
    } else {
        return skip_value(c);
    }
    if (fine) cut(w, begin);
    return fine;
}

static bool file_member(walk *w, const char *key, size_t n)
{
    if (!is(key, n, "model")) return skip_value(&w->c);
    if (w->model) return false;
    w->model = true;
    return each_member(w, model_member);
}

/* A model without a type, or of one kind with the members of another, is for the long way to judge. */
static bool fits(const walk *w)
{
    const char *type = w->type.text;
    const size_t n = w->type.n;
    if (!type || !w->t->vocab.n) return false;
    if (is(type, n, "BPE")) return w->merges && !w->list;
    if (is(type, n, "Unigram")) return w->list && !w->merges;
    return (is(type, n, "WordPiece") || is(type, n, "WordLevel")) && !w->list && !w->merges;
}

trine_status trine_json_vocabulary(bool *taken, trine_buffer *rest, trine_tokenizer *t, const char *text, size_t n,
                                   trine_error *err)
{
    *taken = false;
    if (t->vocab.n || !trine_utf8_valid(text, n)) return TRINE_OK;
    walk w = { .c = { .at = text, .end = text + n }, .t = t, .err = err, .rest = rest, .kept = text };
    *taken = each_member(&w, file_member) && fits(&w);
    trine_buffer_append(rest, w.kept, (size_t)(text + n - w.kept));
    const bool memory = w.c.memory || w.c.spelt.failed || rest->failed;
    trine_buffer_clear(&w.c.spelt);
    if (*taken && !memory) return TRINE_OK;
    *taken = false;
    trine_vocab_clear(&t->vocab);
    free(t->scores);
    free(t->merges);
    t->scores = NULL;
    t->merges = NULL;
    t->n_merges = 0;
    return memory ? trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for the vocabulary") : TRINE_OK;
}
