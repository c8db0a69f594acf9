/* attention.c - softmax(Q K^T scale + bias, masked) V for a ragged batch: who computes which tile.
 *
 * A task is (segment, kv head, tile of queries, chunk of keys). Long inputs have tiles of queries enough, and one chunk. A
 * step of decoding has one query a sequence: its keys are cut into chunks, each chunk gives a softmax of its own, and a second
 * loop merges them. The cut into chunks depends on the batch, never on the number of threads; tiles of queries may, for a row's sums are the
 * same in any. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "blocks/attention.h"
#include "blocks/hadamard.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

enum {
    SPLIT_ROWS = 16,   /* most rows of a batch whose keys are cut into chunks */
    SPLIT_SEGMENT = 4, /* most rows of such a segment: more have tiles enough */
    CHUNKS = 16,       /* most chunks of a row */
    CHUNK_TILES = 4,   /* least tiles of a chunk */
    DEEP = 1024,       /* keys from which on a tile of queries is large */
    DEEP_TASKS = 3,    /* if each thread has so many */
    BUCKETS = 4096,    /* limits of a relative bias; T5 has 32 and 128 */
    DISTANCE = 1 << 20,
};

/* How one segment is cut. */
typedef struct cut {
    int first_task, n_query_tiles, n_chunks, first_partial;
    int queries; /* a tile */
} cut;

static int ceil_divide(int a, int b) { return (a + b - 1) / b; }

/* Tokens a tile of a segment's queries. Keys in less than f32 are unpacked for each tile; over many of them, larger tiles lose little by what
 * a causal mask hides of their last ones, if there are enough for all threads. */
static int task_queries(const trine_attention_job *job, const trine_segment *segment, int n_threads)
{
    if (job->in_bf16) return job->many_queries;
    const trine_kv *kv = job->cross ? segment->cross : segment->self;
    const int tiles = segment->n_rows / job->deep_queries * job->spec->n_kv_heads;
    if (!kv || trine_kv_get_shape(kv)->type == TRINE_F32 || tiles < DEEP_TASKS * n_threads) return job->tile_queries;
    return trine_attention_keys_of(job, segment).n >= DEEP ? job->deep_queries : job->tile_queries;
}

/* Chunk c of n over the tiles [begin, end). */
static void chunk_tiles(int *begin, int *end, int c, int n)
{
    const int size = ceil_divide(*end - *begin, n), stop = *end;
    *begin = trine_min_int(*begin + c * size, stop);
    *end = trine_min_int(*begin + size, stop);
}

/* Fills cuts [n_segments]; returns the number of tasks. *partial_rows: rows that are merged afterwards. */
static int cut_batch(cut *cuts, int *partial_rows, const trine_attention_job *job, int n_threads)
{
    int n_tasks = 0, rows = 0;
    for (int s = 0; s < job->batch->n_segments; s++) {
        const trine_segment *segment = &job->batch->segments[s];
        cut *c = &cuts[s];
        const int queries = task_queries(job, segment, n_threads);
        *c = (cut) { n_tasks, ceil_divide(segment->n_rows, queries), 1, rows, queries };
        if (!job->lse.cols && segment->n_rows <= SPLIT_SEGMENT && segment->n_rows <= job->tile_queries &&
            rows + segment->n_rows <= SPLIT_ROWS) {
            const trine_attention_keys keys = trine_attention_keys_of(job, segment);
            int begin, end;
            trine_attention_tiles(&begin, &end, &keys, job->cross ? 0 : segment->pos - keys.base, segment->n_rows);
            c->n_chunks = trine_max_int(1, trine_min_int(CHUNKS, (end - begin) / CHUNK_TILES));
            if (c->n_chunks > 1) rows += segment->n_rows;
        }
        n_tasks += c->n_query_tiles * c->n_chunks * job->spec->n_kv_heads;
    }
    *partial_rows = rows;
    return n_tasks;
}

static int find_segment(const cut *cuts, int n, int task)
{
    int low = 0, high = n - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (cuts[middle].first_task <= task)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* A partial is d_head sums of values, the largest score and the sum of exponentials; [row][head][CHUNKS]. */
static size_t partial_size(const trine_attention_spec *spec) { return trine_round_up((size_t)spec->d_head + 2, 16); }

static float *partial_at(float *partials, const trine_attention_spec *spec, int row, int head, int chunk)
{
    return partials + (((size_t)row * (size_t)spec->n_heads + (size_t)head) * CHUNKS + (size_t)chunk) * partial_size(spec);
}

/* What all tasks of a call share. */
typedef struct tasks {
    const trine_attention_job *job;
    const cut *cuts;
    trine_mat out;
    float *partials, *scratch;
    size_t stride;
    int n;
} tasks;

static void run_task(void *user, int piece, int thread)
{
    const tasks *all = user;
    const trine_attention_job *job = all->job;
    const cut *cuts = all->cuts;
    const trine_mat out = all->out;
    float *partials = all->partials, *scratch = all->scratch + (size_t)thread * all->stride;
    /* Backwards: the last tiles of a causal mask see the most keys, and long tasks are better begun first. */
    const int task = all->n - 1 - piece;
    const trine_attention_spec *spec = job->spec;
    const int index = find_segment(cuts, job->batch->n_segments, task);
    const trine_segment *segment = &job->batch->segments[index];
    const cut *c = &cuts[index];
    const int rest = task - c->first_task, chunk = rest % c->n_chunks, kv_head = rest / c->n_chunks % spec->n_kv_heads;
    const int first = rest / c->n_chunks / spec->n_kv_heads * c->queries;
    const int n = trine_min_int(c->queries, segment->n_rows - first);
    const trine_attention_keys keys = trine_attention_keys_of(job, segment);
    const trine_attention_scratch s = trine_attention_scratch_at(scratch, job);
    const size_t d = (size_t)spec->d_head;
    int begin, end;
    trine_attention_tiles(&begin, &end, &keys, job->cross ? first : segment->pos - keys.base + first, n);
    chunk_tiles(&begin, &end, chunk, c->n_chunks);
    /* Of the segment, not of its last tile: how that is cut must not decide how its rows are computed. */
    const bool few = segment->n_rows * job->group <= TRINE_FEW_ROWS;
    if (job->in_bf16 && !few && c->n_chunks == 1) {
        trine_attention_many(out, job, scratch, segment, &keys, kv_head, first, n, begin, end);
        return;
    }
    if (keys.kv && few)
        trine_attention_few(job, &s, segment, &keys, kv_head, first, n, begin, end);
    else
        trine_attention_tile(job, &s, segment, kv_head, first, n, begin, end);
    for (int i = 0; i < n; i++)
        for (int g = 0; g < job->group; g++) {
            const int r = i * job->group + g, head = kv_head * job->group + g;
            const float *from = s.out + (size_t)r * d;
            if (c->n_chunks > 1) {
                float *to = partial_at(partials, spec, c->first_partial + i, head, chunk);
                memcpy(to, from, d * sizeof *to);
                to[d] = s.max[r];
                to[d + 1] = s.sum[r];
            } else {
                float *to = out.data + (size_t)(segment->first_row + first + i) * (size_t)out.cols + (size_t)head * d;
                memcpy(to, from, d * sizeof *to);
                job->kernels->scale(to, job->drops ? trine_attention_drop_scale(job) / s.sum[r] : 1.0f / s.sum[r], d);
                if (job->lse.cols) trine_row(job->lse, segment->first_row + first + i)[head] = s.max[r] + logf(s.sum[r]);
            }
        }
}

/* One row and head from its chunks. */
static void merge(float *to, const float *chunks, int n_chunks, size_t size, size_t d)
{
    float max = -INFINITY, sum = 0;
    for (int c = 0; c < n_chunks; c++) max = chunks[(size_t)c * size + d] > max ? chunks[(size_t)c * size + d] : max;
    memset(to, 0, d * sizeof *to);
    for (int c = 0; c < n_chunks; c++) {
        const float *from = chunks + (size_t)c * size;
        const float weight = expf(from[d] - max);
        sum += from[d + 1] * weight;
        for (size_t i = 0; i < d; i++) to[i] += from[i] * weight;
    }
    for (size_t i = 0; i < d; i++) to[i] /= sum;
}

/* One segment's keys and values on their way into its cache. */
typedef struct append_job {
    trine_kv *kv;
    const trine_kernels *kernels;
    const trine_segment *segment;
    trine_mat k, v;
    int layer;
    float *scratch;
    size_t stride;
} append_job;

static void append_head(void *user, int head, int thread)
{
    const append_job *j = user;
    const size_t at = (size_t)head * (size_t)trine_kv_get_shape(j->kv)->d_head;
    trine_kv_write(j->kv, j->kernels, j->layer, head, j->segment->pos, j->segment->n_rows,
                   trine_row(j->k, j->segment->first_row) + at, trine_row(j->v, j->segment->first_row) + at, (size_t)j->k.cols,
                   j->scratch + (size_t)thread * j->stride);
}

/* Appends the pass's keys and values to the segments' caches. `cross` picks which. */
static void append(trine_pass *p, int layer, trine_mat k, trine_mat v, bool cross, float *scratch, size_t stride)
{
    for (int s = 0; s < p->batch->n_segments; s++) {
        const trine_segment *segment = &p->batch->segments[s];
        append_job job = { cross ? segment->cross : segment->self, p->kernels, segment, k, v, layer, scratch, stride };
        if (!job.kv) continue;
        const bool large = (double)segment->n_rows * k.cols > TRINE_ROWS_SMALL / 16;
        trine_team_run(large ? p->team : NULL, trine_kv_get_shape(job.kv)->n_kv_heads, append_head, &job);
    }
}

/* Whether a cache takes what the pass brings. */
static bool cache_fits(trine_pass *p, const trine_kv *kv, int layer, int n_kv_heads, int d_head, int needed)
{
    const trine_kv_shape *shape = trine_kv_get_shape(kv);
    if (layer < 0 || layer >= shape->n_layers || shape->n_kv_heads != n_kv_heads || shape->d_head != d_head) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "attention: layer %d with %d heads of %d, the cache has %d layers, %d heads of %d",
                        layer, n_kv_heads, d_head, shape->n_layers, shape->n_kv_heads, shape->d_head);
    } else if (needed > trine_kv_reserved(kv)) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "attention: %d tokens, the cache has room reserved for %d", needed,
                        trine_kv_reserved(kv));
    }
    return !p->failed;
}

/* Whether keys and values are in caches alone: in cross-attention without a tape. */
static bool from_cache(const trine_attention_job *job) { return job->cross && !job->k.cols; }

/* Shapes that a correct model never gets wrong, checked because the next line would read past the end. */
static void check(trine_pass *p, const trine_attention_job *job)
{
    const trine_attention_spec *spec = job->spec;
    const trine_relative_bias *bias = spec->bias;
    if (p->failed) return;
    if (spec->n_heads < 1 || spec->n_kv_heads < 1 || spec->d_head < 1 || spec->n_heads % spec->n_kv_heads ||
        (int64_t)spec->n_heads * spec->d_head != job->q.cols ||
        (!from_cache(job) &&
         ((int64_t)spec->n_kv_heads * spec->d_head != job->k.cols || job->v.cols != job->k.cols || job->v.rows != job->k.rows)) ||
        (!job->cross && job->k.rows != job->q.rows)) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "attention: q [%d, %d], k [%d, %d], v [%d, %d] for %d heads, %d kv heads of %d",
                        job->q.rows, job->q.cols, job->k.rows, job->k.cols, job->v.rows, job->v.cols, spec->n_heads,
                        spec->n_kv_heads, spec->d_head);
        return;
    }
    if (bias && !job->cross) {
        const int side = bias->bidirectional ? bias->n_buckets / 2 : bias->n_buckets;
        if (bias->n_heads != spec->n_heads || bias->n_buckets > BUCKETS || bias->max_distance > DISTANCE || side < 2 ||
            bias->max_distance <= side / 2)
            trine_pass_fail(p, TRINE_ERROR_UNSUPPORTED,
                            "attention: a relative bias of %d buckets, distance %d, %d heads; expected 4 to %d buckets, a distance "
                            "from half of them to %d, %d heads",
                            bias->n_buckets, bias->max_distance, bias->n_heads, BUCKETS, DISTANCE, spec->n_heads);
    }
    if (!trine_pass_computes(p)) return;
    for (int s = 0; s < job->batch->n_segments && !p->failed; s++) {
        const trine_segment *segment = &job->batch->segments[s];
        if (job->cross && !from_cache(job)) {
            if (segment->source_row < 0 || segment->n_source < 1 || segment->n_source > job->k.rows - segment->source_row)
                trine_pass_fail(p, TRINE_ERROR_INTERNAL, "attention: segment %d has source rows %d to %d, of %d", s,
                                segment->source_row, segment->source_row + segment->n_source, job->k.rows);
        } else if (job->cross) {
            if (!segment->cross || !trine_kv_length(segment->cross))
                trine_pass_fail(p, TRINE_ERROR_INTERNAL, "attention: segment %d has no source to attend to", s);
            else
                cache_fits(p, segment->cross, spec->layer, spec->n_kv_heads, spec->d_head, trine_kv_length(segment->cross));
        } else if (segment->self && p->tape) {
            trine_pass_fail(p, TRINE_ERROR_INTERNAL, "attention: segment %d has a cache, which a tape does not keep", s);
        } else if (segment->self) {
            cache_fits(p, segment->self, spec->layer, spec->n_kv_heads, spec->d_head, segment->pos + segment->n_rows);
        }
    }
}

/* Floats a thread works with, whatever its tasks are. */
static size_t scratch_size(const trine_attention_job *job)
{
    const size_t tile = trine_attention_tile_size(job), many = job->kernels->pair.gemm ? trine_attention_many_size(job) : 0;
    return trine_round_up(tile > many ? tile : many, 16);
}

/* Whether many rows may be computed in bf16: the processor is faster so, and all keys lie in a cache of less than f32, or what was
 * multiplied to make them was rounded as well. Dropout and the way back are in f32. */
static bool may_use_bf16(const trine_pass *p, const trine_attention_job *job)
{
    if (!job->kernels->pair.gemm || p->tape) return false;
    for (int s = 0; s < job->batch->n_segments && !job->spec->rounds; s++) {
        const trine_kv *kv = job->cross ? job->batch->segments[s].cross : job->batch->segments[s].self;
        if (!kv || trine_kv_get_shape(kv)->type == TRINE_F32) return false;
    }
    return true;
}

static trine_mat attention(trine_pass *p, trine_attention_job *job, const char *name)
{
    if (p->tracer && p->tracer->unscaled) {
        job->unscaled = *job->spec;
        job->unscaled.scale = 1.0f;
        job->spec = &job->unscaled;
    }
    const trine_attention_spec *spec = job->spec;
    const trine_relative_bias *bias = job->cross ? NULL : spec->bias;
    const int n_threads = trine_max_int(1, p->n_threads), n_rows = job->q.rows;
    trine_mat out = trine_mat_new(p, n_rows, job->q.cols);
    check(p, job);
    if (p->failed) return out;
    if (p->tape) {
        job->lse = trine_mat_new(p, n_rows, spec->n_heads);
        job->drops = (uint32_t)lrintf(p->tape->dropout_attention * 65536);
        if (job->drops) job->drop_key = trine_random_key(p->tape->seed, p->tape->n_draws++);
    }
    job->group = spec->n_heads / spec->n_kv_heads;
    job->tile_queries = trine_max_int(1, TRINE_QUERY_ROWS / job->group);
    job->deep_queries = trine_max_int(1, TRINE_DEEP_ROWS / job->group);
    job->many_queries = trine_max_int(1, TRINE_MANY_ROWS / job->group);

    /* Sizes follow from the number of rows alone, so that a pass measured with the most rows has room for every other. */
    const size_t mark = trine_arena_mark(p->arena), stride = scratch_size(job);
    float *scratch = trine_pass_alloc(p, stride * (size_t)n_threads, sizeof(float));
    cut *cuts = trine_pass_alloc(p, (size_t)trine_max_int(n_rows, p->batch->n_segments), sizeof *cuts);
    float *partials = trine_pass_alloc(p, (size_t)trine_min_int(n_rows, SPLIT_ROWS) * (size_t)spec->n_heads * CHUNKS,
                                       partial_size(spec) * sizeof(float));
    uint16_t *bucket = bias ? trine_pass_alloc(p, (size_t)bias->max_distance + 1, sizeof *bucket) : NULL;
    if (!trine_pass_computes(p)) goto done;

    if (bias) trine_relative_buckets(bucket, bias);
    job->bucket = bucket;
    job->in_bf16 = may_use_bf16(p, job);
    /* In place: nobody reads what meets a cache once more. */
    if (!p->tape) trine_turn_heads(p, job->q, spec->d_head, job->cross);
    if (!job->cross) {
        trine_turn_heads(p, job->k, spec->d_head, false);
        trine_turn_heads(p, job->v, spec->d_head, false);
        append(p, spec->layer, job->k, job->v, false, scratch, stride);
    }
    int partial_rows;
    const int n_tasks = cut_batch(cuts, &partial_rows, job, n_threads);
    double work = 0;
    for (int s = 0; s < p->batch->n_segments; s++) {
        const trine_attention_keys keys = trine_attention_keys_of(job, &p->batch->segments[s]);
        work += (double)p->batch->segments[s].n_rows * keys.n * job->q.cols;
    }
    tasks all = { job, cuts, out, partials, scratch, stride, n_tasks };
    trine_team_run(work > TRINE_ROWS_SMALL / 4 ? p->team : NULL, n_tasks, run_task, &all);
    for (int s = 0; partial_rows && s < p->batch->n_segments; s++) {
        const trine_segment *segment = &p->batch->segments[s];
        if (cuts[s].n_chunks == 1) continue;
        for (int i = 0; i < segment->n_rows; i++)
            for (int h = 0; h < spec->n_heads; h++)
                merge(out.data + (size_t)(segment->first_row + i) * (size_t)out.cols + (size_t)h * (size_t)spec->d_head,
                      partial_at(partials, spec, cuts[s].first_partial + i, h, 0), cuts[s].n_chunks, partial_size(spec),
                      (size_t)spec->d_head);
    }
    if (!p->tape) trine_turn_heads(p, out, spec->d_head, job->cross); /* sums of turned values */
    if (p->tracer && p->tracer->attention && p->batch->n_segments == 1) trine_attention_trace(p, job, scratch, name);
    if (p->tracer && p->tracer->parts && p->batch->n_segments == 1) trine_attention_trace_parts(p, job, scratch, out);
done:
    trine_arena_release(p->arena, mark);
    if (trine_pass_notes(p)) trine_attention_note(p, job, &out);
    return out;
}

trine_mat trine_self_attention(trine_pass *p, trine_mat q, trine_mat k, trine_mat v, const trine_attention_spec *spec)
{
    trine_attention_job job = { .kernels = p->kernels, .spec = spec, .batch = p->batch, .q = q, .k = k, .v = v };
    return attention(p, &job, "attention");
}

/* Whether the tape has a place for a decoder layer's keys of the source. */
static bool layer_is_kept(trine_pass *p, int layer)
{
    if (layer >= 0 && layer < p->tape->n_cross) return true;
    trine_pass_fail(p, TRINE_ERROR_INTERNAL, "cross attention: layer %d, the tape has %d", layer, p->tape->n_cross);
    return false;
}

trine_mat trine_cross_attention(trine_pass *p, trine_mat q, const trine_attention_spec *spec)
{
    trine_attention_job job = { .kernels = p->kernels, .spec = spec, .batch = p->batch, .q = q, .cross = true };
    if (p->tape && layer_is_kept(p, spec->layer)) {
        job.k = p->tape->cross[spec->layer].k;
        job.v = p->tape->cross[spec->layer].v;
    }
    return attention(p, &job, "cross");
}

void trine_cross_append(trine_pass *p, int layer, trine_mat k, trine_mat v)
{
    if (p->tape) {
        if (layer_is_kept(p, layer)) p->tape->cross[layer] = (trine_cross_pair) { k, v };
        return;
    }
    /* A head is no wider than the row it lies in, so this holds TRINE_KV_PAGE of any. */
    const size_t mark = trine_arena_mark(p->arena), stride = (size_t)TRINE_KV_PAGE * (size_t)k.cols;
    float *scratch = trine_pass_alloc(p, stride * (size_t)trine_max_int(1, p->n_threads), sizeof(float));
    if (!p->failed && (k.rows != v.rows || k.cols != v.cols || k.rows != p->batch->n_rows))
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "cross attention: keys [%d, %d], values [%d, %d] of %d rows", k.rows, k.cols,
                        v.rows, v.cols, p->batch->n_rows);
    if (trine_pass_computes(p)) {
        int d_head = 0;
        for (int s = 0; s < p->batch->n_segments && !p->failed; s++) {
            const trine_segment *segment = &p->batch->segments[s];
            if (!segment->cross) continue;
            const trine_kv_shape *shape = trine_kv_get_shape(segment->cross);
            d_head = shape->d_head;
            if ((int64_t)shape->n_kv_heads * shape->d_head != k.cols)
                trine_pass_fail(p, TRINE_ERROR_INTERNAL, "cross attention: keys [%d, %d], the cache has %d heads of %d", k.rows,
                                k.cols, shape->n_kv_heads, shape->d_head);
            else
                cache_fits(p, segment->cross, layer, shape->n_kv_heads, shape->d_head, segment->pos + segment->n_rows);
        }
        if (!p->failed) {
            if (d_head) {
                trine_turn_heads(p, k, d_head, true);
                trine_turn_heads(p, v, d_head, true);
            }
            append(p, layer, k, v, true, scratch, stride);
        }
    }
    trine_arena_release(p->arena, mark);
}
