/* kv_cache.c - the pages of past keys and values, and who holds them.
 *
 *     memory  groups of GROUP pages, [layer][kv head] in each: keys of all its pages, then their values
 *     a tile  of keys, or of values: padded to 64 bytes (kernels/kv_kernels.h draws it)
 *
 * A sequence mostly takes pages one after another, so attention reads the keys of a head GROUP pages at a stretch, then their
 * values; and a short text uses little memory, because its pages are side by side.
 *
 * All memory is taken at open: the pages, one page table a sequence, and a stack of free page numbers. The system gives the
 * pages real memory when they are first written. There are as many pages as entries in all tables together, and a
 * shared page fills several entries, so a page taken within the context is always there. */
#include "blocks/kv_cache.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/size.h"
#include "base/status.h"

enum {
    GROUP = 8,       /* pages whose tiles of a head lie together: as many as a step reads keys of before their values */
    LARGE = 1 << 21, /* a large page of the system */
};

struct trine_kv {
    trine_kv_pool *pool;
    int *pages;  /* [pool->pages_a_sequence] */
    int n_pages; /* taken: at least what `length` needs */
    int length;
    bool open;
};

struct trine_kv_pool {
    trine_kv_shape shape;
    int ctx, n_sequences, n_pages, pages_a_sequence;
    size_t taken;                  /* bytes, of all that was allocated */
    size_t keys_bytes, page_bytes; /* keys_bytes: of the keys of a tile, and of its values, with padding */
    unsigned char *memory;
    int *references; /* [n_pages] table entries that name the page */
    int *free_pages; /* [n_pages] a stack */
    int n_free;
    int *tables; /* [n_sequences * pages_a_sequence] */
    trine_kv *sequences;
};

static int pages_for(int n_tokens) { return n_tokens / TRINE_KV_PAGE + (n_tokens % TRINE_KV_PAGE != 0); }

static bool tile_sizes(size_t *keys_bytes, size_t *page_bytes, const trine_kv_shape *s)
{
    size_t elements, bytes, tiles;
    if (s->n_layers < 1 || s->n_kv_heads < 1 || s->d_head < 1) return false;
    if (!trine_mul_size(&elements, TRINE_KV_PAGE, (size_t)s->d_head) || !trine_dtype_bytes(&bytes, s->type, elements) ||
        bytes > SIZE_MAX / 4)
        return false;
    *keys_bytes = trine_round_up(bytes, 64);
    return trine_mul_size(&tiles, (size_t)s->n_layers, (size_t)s->n_kv_heads) && trine_mul_size(page_bytes, tiles, 2 * *keys_bytes);
}

bool trine_kv_page_bytes(size_t *out, const trine_kv_shape *shape)
{
    size_t keys;
    return tile_sizes(&keys, out, shape);
}

/* Pages, and what is kept about them and the sequences. */
static bool pool_sizes(size_t *pages_bytes, size_t *all_bytes, int *n_pages, const trine_kv_shape *shape, int ctx, int n_sequences)
{
    size_t page, count, book;
    if (ctx < 1 || n_sequences < 1 || !trine_kv_page_bytes(&page, shape)) return false;
    if (!trine_mul_size(&count, (size_t)pages_for(ctx), (size_t)n_sequences) || count > INT_MAX / 4) return false;
    if (!trine_mul_size(pages_bytes, count, page) || !trine_add_size(pages_bytes, *pages_bytes, TRINE_KV_SLACK)) return false;
    book = sizeof(trine_kv_pool) + (size_t)n_sequences * sizeof(trine_kv) + 3 * count * sizeof(int);
    *n_pages = (int)count;
    return trine_add_size(all_bytes, *pages_bytes, book);
}

bool trine_kv_pool_bytes(size_t *out, const trine_kv_shape *shape, int ctx, int n_sequences)
{
    size_t pages;
    int n;
    return pool_sizes(&pages, out, &n, shape, ctx, n_sequences);
}

/* Large pages, where the system gives them: else a step would miss the translation of an address every 4 KiB. Not for the first group,
 * where tiles of all layers and heads lie between one another: one token would bring all of it into memory. */
static void choose_system_pages(trine_kv_pool *pool, size_t bytes)
{
#if defined(MADV_HUGEPAGE) && defined(MADV_NOHUGEPAGE)
    const size_t first = trine_round_up((size_t)trine_min_int(GROUP, pool->n_pages) * pool->page_bytes, LARGE);
    if (bytes < LARGE) return;
    madvise(pool->memory, first < bytes ? first : bytes, MADV_NOHUGEPAGE);
    if (first < bytes) madvise(pool->memory + first, bytes - first, MADV_HUGEPAGE);
#endif
}

trine_status trine_kv_pool_open(trine_kv_pool **out, const trine_kv_shape *shape, int ctx, int n_sequences, trine_error *err)
{
    const trine_dtype_info *type = trine_dtype_get(shape->type);
    size_t pages_bytes, all_bytes;
    int n_pages;
    *out = NULL;
    switch (shape->type) {
    case TRINE_F32:
    case TRINE_F16:
    case TRINE_BF16:
    case TRINE_Q8_0:
    case TRINE_Q4_0: break;
    default:
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "cache: type %s, expected f32, f16, bf16, q8_0 or q4_0",
                          type ? type->name : "unknown");
    }
    if (shape->d_head % type->block)
        return trine_fail(
            err, TRINE_ERROR_ARGUMENT,
            "cache: type %s needs heads of a multiple of %d, this model's have %d: choose f16 (or bf16, f32) as the cache type",
            type->name, type->block, shape->d_head);
    if (!pool_sizes(&pages_bytes, &all_bytes, &n_pages, shape, ctx, n_sequences))
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "cache: %d sequences of %d tokens, %d layers, %d heads of %d are none or more than can be addressed; "
                          "choose a smaller context",
                          n_sequences, ctx, shape->n_layers, shape->n_kv_heads, shape->d_head);

    trine_kv_pool *pool = calloc(1, sizeof *pool);
    if (!pool) goto fail;
    pool->shape = *shape;
    pool->ctx = ctx;
    pool->n_sequences = n_sequences;
    pool->n_pages = n_pages;
    pool->pages_a_sequence = pages_for(ctx);
    tile_sizes(&pool->keys_bytes, &pool->page_bytes, shape);
    pool->taken = sizeof *pool + pages_bytes +
                  (size_t)n_pages * (sizeof *pool->references + sizeof *pool->free_pages + sizeof *pool->tables) +
                  (size_t)n_sequences * sizeof *pool->sequences;
    pool->references = calloc((size_t)n_pages, sizeof *pool->references);
    pool->free_pages = calloc((size_t)n_pages, sizeof *pool->free_pages);
    pool->tables = calloc((size_t)n_pages, sizeof *pool->tables);
    pool->sequences = calloc((size_t)n_sequences, sizeof *pool->sequences);
    pool->memory = aligned_alloc(pages_bytes < LARGE ? 64 : LARGE, trine_round_up(pages_bytes, pages_bytes < LARGE ? 64 : LARGE));
    if (pool->memory) choose_system_pages(pool, pages_bytes);
    if (!pool->references || !pool->free_pages || !pool->tables || !pool->sequences || !pool->memory) goto fail;
    for (int i = 0; i < n_pages; i++) pool->free_pages[i] = n_pages - 1 - i; /* page 0 is taken first */
    pool->n_free = n_pages;
    for (int i = 0; i < n_sequences; i++) pool->sequences[i].pages = pool->tables + (size_t)i * (size_t)pool->pages_a_sequence;
    *out = pool;
    return TRINE_OK;

fail:
    trine_kv_pool_close(pool);
    return trine_fail(err, TRINE_ERROR_MEMORY,
                      "cache: no memory for %zu MiB (%d sequences of %d tokens in %s); choose a smaller context, fewer sequences "
                      "or a smaller cache type",
                      all_bytes >> 20, n_sequences, ctx, type->name);
}

size_t trine_kv_pool_taken(const trine_kv_pool *pool) { return pool->taken; }

void trine_kv_pool_close(trine_kv_pool *pool)
{
    if (!pool) return;
    free(pool->references);
    free(pool->free_pages);
    free(pool->tables);
    free(pool->sequences);
    free(pool->memory);
    free(pool);
}

/* ---- who holds which page ---- */

/* Where the tile of a layer and head is; `place` counts these. */
static trine_kv_tile tile_of(const trine_kv_pool *pool, size_t place, int page)
{
    const int group = page / GROUP, first = group * GROUP;
    const size_t n = (size_t)trine_min_int(GROUP, pool->n_pages - first), at = (size_t)(page - first);
    unsigned char *keys = pool->memory + (size_t)first * pool->page_bytes + (2 * n * place + at) * pool->keys_bytes;
    return (trine_kv_tile) { keys, keys + n * pool->keys_bytes };
}

/* The first n tokens of a page, or all where tokens share bytes. Beams copy one page or more at every step. */
static void copy_page(const trine_kv_pool *pool, int to, int from, int n)
{
    const trine_dtype_info *type = trine_dtype_get(pool->shape.type);
    const size_t d = (size_t)pool->shape.d_head, token = (size_t)type->block_bytes, row = TRINE_KV_PAGE * token;
    for (size_t place = 0; place < (size_t)pool->shape.n_layers * (size_t)pool->shape.n_kv_heads; place++) {
        const trine_kv_tile a = tile_of(pool, place, to), b = tile_of(pool, place, from);
        if (type->block > 1) {
            memcpy(a.keys, b.keys, pool->keys_bytes);
            memcpy(a.values, b.values, pool->keys_bytes);
            continue;
        }
        for (size_t i = 0; i < d; i++) memcpy((char *)a.keys + i * row, (const char *)b.keys + i * row, (size_t)n * token);
        memcpy(a.values, b.values, (size_t)n * d * token);
    }
}

/* A free page, or -1. */
static int take_page(trine_kv_pool *pool)
{
    if (!pool->n_free) return -1;
    const int page = pool->free_pages[--pool->n_free];
    pool->references[page] = 1;
    return page;
}

static void drop_page(trine_kv_pool *pool, int page)
{
    if (--pool->references[page] == 0) pool->free_pages[pool->n_free++] = page;
}

/* Keeps the first n pages of the table. */
static void keep_pages(trine_kv *kv, int n)
{
    while (kv->n_pages > n) drop_page(kv->pool, kv->pages[--kv->n_pages]);
}

trine_status trine_kv_open(trine_kv **out, trine_kv_pool *pool, trine_error *err)
{
    *out = NULL;
    for (int i = 0; i < pool->n_sequences; i++) {
        trine_kv *kv = &pool->sequences[i];
        if (kv->open) continue;
        kv->pool = pool;
        kv->n_pages = kv->length = 0;
        kv->open = true;
        *out = kv;
        return TRINE_OK;
    }
    return trine_fail(err, TRINE_ERROR_MEMORY,
                      "cache: all %d sequences are open; close one, or open the session for more (n_sequences)", pool->n_sequences);
}

trine_status trine_kv_fork(trine_kv **out, const trine_kv *parent, trine_error *err)
{
    const trine_status status = trine_kv_open(out, parent->pool, err);
    if (!status) trine_kv_assign(*out, parent);
    return status;
}

void trine_kv_assign(trine_kv *kv, const trine_kv *source)
{
    if (kv == source) return;
    const int n = pages_for(source->length);
    /* The new references first: the two may share pages that nobody else holds. */
    for (int i = 0; i < n; i++) kv->pool->references[source->pages[i]]++;
    keep_pages(kv, 0);
    if (n) memcpy(kv->pages, source->pages, (size_t)n * sizeof *kv->pages);
    kv->n_pages = n;
    kv->length = source->length;
}

void trine_kv_close(trine_kv *kv)
{
    if (!kv) return;
    keep_pages(kv, 0);
    kv->length = 0;
    kv->open = false;
}

trine_status trine_kv_reserve(trine_kv *kv, int n, trine_error *err)
{
    trine_kv_pool *pool = kv->pool;
    if (n < 0 || n > pool->ctx - kv->length)
        return trine_fail(
            err, TRINE_ERROR_TOO_LONG,
            "cache: %d tokens more than the %d there do not fit the context of %d; open the session with a larger one", n,
            kv->length, pool->ctx);
    const int before = kv->n_pages, needed = pages_for(kv->length + n), last = kv->length / TRINE_KV_PAGE;
    while (kv->n_pages < needed) {
        const int page = take_page(pool);
        if (page < 0) goto none;
        kv->pages[kv->n_pages++] = page;
    }
    /* The first new token goes into a page that others see the beginning of: they keep it, this sequence gets a copy. */
    if (n && kv->length % TRINE_KV_PAGE && pool->references[kv->pages[last]] > 1) {
        const int copy = take_page(pool);
        if (copy < 0) goto none;
        copy_page(pool, copy, kv->pages[last], kv->length % TRINE_KV_PAGE);
        drop_page(pool, kv->pages[last]);
        kv->pages[last] = copy;
    }
    return TRINE_OK;

none:
    keep_pages(kv, before);
    return trine_fail(err, TRINE_ERROR_INTERNAL, "cache: all %d pages are taken", pool->n_pages);
}

void trine_kv_commit(trine_kv *kv, int n) { kv->length = trine_min_int(kv->length + n, kv->n_pages * TRINE_KV_PAGE); }

int trine_kv_length(const trine_kv *kv) { return kv->length; }

int trine_kv_reserved(const trine_kv *kv) { return kv->n_pages * TRINE_KV_PAGE; }

void trine_kv_truncate(trine_kv *kv, int n)
{
    kv->length = trine_max_int(0, trine_min_int(kv->length, n));
    keep_pages(kv, pages_for(kv->length));
}

/* ---- for attention ---- */

const trine_kv_shape *trine_kv_get_shape(const trine_kv *kv) { return &kv->pool->shape; }

trine_kv_tile trine_kv_get_tile(const trine_kv *kv, int layer, int head, int page)
{
    return tile_of(kv->pool, (size_t)layer * (size_t)kv->pool->shape.n_kv_heads + (size_t)head, kv->pages[page]);
}
