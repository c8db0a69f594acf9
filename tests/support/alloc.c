#include "support/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_long n_calls, fail_from;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
int __real_posix_memalign(void **out, size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
int __wrap_posix_memalign(void **out, size_t alignment, size_t n);
char *__wrap_strdup(const char *text);

long alloc_count(void) { return atomic_load(&n_calls); }

void alloc_fail_at(long k)
{
    atomic_store(&n_calls, 0);
    atomic_store(&fail_from, k);
}

static bool refuse(void)
{
    const long call = atomic_fetch_add(&n_calls, 1) + 1, from = atomic_load(&fail_from);
    if (!from || call < from) return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t n) { return refuse() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return refuse() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return refuse() ? NULL : __real_realloc(p, n); }
void *__wrap_aligned_alloc(size_t alignment, size_t n) { return refuse() ? NULL : __real_aligned_alloc(alignment, n); }
int __wrap_posix_memalign(void **out, size_t alignment, size_t n)
{
    return refuse() ? ENOMEM : __real_posix_memalign(out, alignment, n);
}

char *__wrap_strdup(const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = __wrap_malloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}
