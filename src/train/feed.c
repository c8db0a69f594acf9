/* feed.c - see feed.h. */
#include "train/feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/status.h"
#include "train/draw.h"

typedef struct part {
    trine_examples *examples;
    double weight;
    uint64_t epoch, at;
    int64_t n;       /* examples of this epoch */
    uint32_t *order; /* [n], or NULL: as they are */
    size_t order_cap;
} part;

struct trine_feed {
    trine_feed_options o;
    part parts[TRINE_FEED_PARTS];
    int n_parts;
    double weights; /* sum */
    uint64_t drawn;
    bool at_end;
};

void trine_feed_close(trine_feed *f)
{
    if (!f) return;
    for (int i = 0; i < f->n_parts; i++) {
        trine_examples_close(f->parts[i].examples);
        free(f->parts[i].order);
    }
    free(f);
}

/* The order of a part's epoch: Fisher and Yates's shuffle. */
static trine_status begin_epoch(trine_feed *f, int which, uint64_t epoch, uint64_t at, trine_error *err)
{
    part *p = &f->parts[which];
    p->epoch = epoch;
    p->at = at;
    p->n = p->examples->count(p->examples, epoch);
    if (p->n < 1) return trine_fail(err, TRINE_ERROR_EMPTY, "train: there are no examples");
    if (at > (uint64_t)p->n)
        return trine_fail(err, TRINE_ERROR_FORMAT, "train: example %llu of %lld: the data is not what it was",
                          (unsigned long long)at, (long long)p->n);
    if (!f->o.shuffle) return TRINE_OK;
    if (p->n > UINT32_MAX) return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "train: more than 2^32 examples");
    if ((size_t)p->n > p->order_cap) {
        uint32_t *order = realloc(p->order, (size_t)p->n * sizeof *order);
        if (!order) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory to shuffle %lld examples", (long long)p->n);
        p->order = order;
        p->order_cap = (size_t)p->n;
    }
    for (int64_t i = 0; i < p->n; i++) p->order[i] = (uint32_t)i;
    trine_draws d = trine_draws_for(f->o.seed, TRINE_DRAW_ORDER, epoch, (uint64_t)which);
    for (int64_t i = p->n - 1; i > 0; i--) {
        const int64_t j = (int64_t)trine_draw_below(&d, (uint64_t)i + 1);
        const uint32_t swapped = p->order[i];
        p->order[i] = p->order[j];
        p->order[j] = swapped;
    }
    return TRINE_OK;
}

trine_status trine_feed_open(trine_feed **out, const trine_feed_part *parts, int n_parts, const trine_feed_options *options,
                             trine_error *err)
{
    *out = NULL;
    trine_status status = TRINE_OK;
    trine_feed *f = calloc(1, sizeof *f);
    if (!f)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    else if (n_parts < 1 || n_parts > TRINE_FEED_PARTS)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a mixture of %d parts, expected 1 to %d", n_parts, TRINE_FEED_PARTS);
    if (status) {
        for (int i = 0; i < n_parts; i++) trine_examples_close(parts[i].examples);
        free(f);
        return status;
    }
    f->o = *options;
    f->n_parts = n_parts;
    for (int i = 0; i < n_parts; i++) {
        f->parts[i] = (part) { .examples = parts[i].examples, .weight = parts[i].weight > 0 ? parts[i].weight : 1 };
        f->weights += f->parts[i].weight;
        const trine_examples *e = parts[i].examples, *first = parts[0].examples;
        if (e->label_a_text != first->label_a_text || e->prefix != first->prefix)
            status = trine_fail(err, TRINE_ERROR_ARGUMENT,
                                "train: part %d of the mixture has another kind of objective than part 1", i + 1);
    }
    for (int i = 0; i < n_parts && !status; i++) status = begin_epoch(f, i, 0, 0, err);
    if (status) {
        trine_feed_close(f);
        return status;
    }
    *out = f;
    return TRINE_OK;
}

/* Which part the next example is of. */
static int draw_part(const trine_feed *f)
{
    if (f->n_parts == 1) return 0;
    trine_draws d = trine_draws_for(f->o.seed, TRINE_DRAW_MIXTURE, 0, f->drawn);
    double u = trine_draw_unit(&d) * f->weights;
    int i = 0;
    for (; i < f->n_parts - 1 && u >= f->parts[i].weight; i++) u -= f->parts[i].weight;
    return i;
}

static int64_t number_of(const trine_feed *f, const part *p) { return f->o.shuffle ? (int64_t)p->order[p->at] : (int64_t)p->at; }

/* Adds examples until a limit is met. What the mixture draws depends on how many were drawn before alone, so an example that does not
 * fit any more is simply not taken: it is drawn again, as the first of the next. */
static trine_status pack(trine_feed_most *packed, trine_batch_room *room, trine_feed *f, trine_error *err)
{
    int64_t tokens = 0;
    *packed = (trine_feed_most) { 0 };
    f->at_end = false;
    if (room) {
        trine_batch_begin(room);
        room->label_a_text = f->parts[0].examples->label_a_text;
        room->prefix = f->parts[0].examples->prefix;
    }
    for (;;) {
        const int which = draw_part(f);
        part *p = &f->parts[which];
        if (p->at == (uint64_t)p->n) {
            if (packed->texts && f->n_parts == 1) return TRINE_OK;
            const trine_status status = begin_epoch(f, which, p->epoch + 1, 0, err);
            if (status) return status;
        }
        const int64_t i = number_of(f, p);
        const trine_example_size size = p->examples->size(p->examples, p->epoch, i);
        tokens += size.rows + size.targets;
        if (packed->texts && f->o.batch_tokens && tokens > f->o.batch_tokens) return TRINE_OK;
        if (room) p->examples->make(room, p->examples, p->epoch, i);
        packed->texts++;
        packed->rows += size.rows;
        packed->targets += size.targets;
        packed->outs += size.outs;
        p->at++;
        f->drawn++;
        f->at_end = f->n_parts == 1 && p->at == (uint64_t)p->n;
        if (f->at_end || packed->texts == f->o.batch_texts) return TRINE_OK;
        if (!f->o.batch_texts && !f->o.batch_tokens) return TRINE_OK;
    }
}

trine_status trine_feed_next(trine_batch_room *room, trine_feed *f, trine_error *err)
{
    trine_feed_most packed;
    return pack(&packed, room, f, err);
}

bool trine_feed_at_end(const trine_feed *f) { return f->at_end; }

void trine_feed_tell(trine_feed_place *place, const trine_feed *f)
{
    *place = (trine_feed_place) { .drawn = f->drawn };
    for (int i = 0; i < f->n_parts; i++) {
        place->parts[i].epoch = f->parts[i].epoch;
        place->parts[i].at = f->parts[i].at;
    }
}

trine_status trine_feed_seek(trine_feed *f, const trine_feed_place *place, trine_error *err)
{
    trine_status status = TRINE_OK;
    f->drawn = place->drawn;
    f->at_end = false;
    for (int i = 0; i < f->n_parts && !status; i++) status = begin_epoch(f, i, place->parts[i].epoch, place->parts[i].at, err);
    return status;
}

/* Examples of one epoch of all parts. */
static double all_examples(const trine_feed *f)
{
    double n = 0;
    for (int i = 0; i < f->n_parts; i++) n += (double)f->parts[i].n;
    return n;
}

double trine_feed_epochs(const trine_feed *f)
{
    if (f->n_parts == 1) return (double)f->parts[0].epoch + (double)f->parts[0].at / (double)f->parts[0].n;
    return (double)f->drawn / all_examples(f);
}

const char *trine_feed_chat_template(const trine_feed *f)
{
    const char *jinja = NULL;
    for (int i = 0; i < f->n_parts && !jinja; i++) jinja = f->parts[i].examples->chat_template;
    return jinja;
}

uint64_t trine_feed_checksum(const trine_feed *f)
{
    uint64_t h = 0;
    for (int i = 0; i < f->n_parts; i++) {
        const uint64_t of_part = f->parts[i].examples->checksum(f->parts[i].examples);
        h = trine_checksum(h, &of_part, sizeof of_part);
    }
    return h;
}

trine_status trine_feed_survey(int64_t *n_batches, trine_feed_most *most, trine_feed *f, double epochs, trine_error *err)
{
    static const trine_feed_place beginning;
    int64_t n = 0;
    *most = (trine_feed_most) { 0 };
    trine_status status = trine_feed_seek(f, &beginning, err);
    while (!status && (epochs > 0 ? trine_feed_epochs(f) < epochs - 1e-9 : n < *n_batches)) {
        trine_feed_most packed;
        status = pack(&packed, NULL, f, err);
        n++;
        if (packed.texts > most->texts) most->texts = packed.texts;
        if (packed.rows > most->rows) most->rows = packed.rows;
        if (packed.targets > most->targets) most->targets = packed.targets;
        if (packed.outs > most->outs) most->outs = packed.outs;
    }
    *n_batches = n;
    return status ? status : trine_feed_seek(f, &beginning, err);
}
