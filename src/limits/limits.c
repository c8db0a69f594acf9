/* limits.c - what this machine can do at most, measured: bytes a second from memory, operations a second of each kind.
 *
 * Memory and turbo clocks change from minute to minute on a machine that others share, so limits are measured beside what is
 * held against them, at the same number of threads. Of several short runs the best counts: nothing makes a loop faster than
 * the machine, and much makes it slower. */
#include "limits/limits.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/status.h"
#include "base/team.h"
#include "kernels/limit_kernels.h"

enum { PIECES_A_THREAD = 8 };        /* so that nobody waits long for the last */
#define RUNS 7                       /* of each; the best counts */
#define RUN_SECONDS 0.01             /* of a peak loop: long enough to reach the clock it will keep */
#define CHUNK ((size_t)1 << 22)      /* bytes of a piece of reading */
#define MOST_BYTES ((size_t)2 << 30) /* of the buffer: more than any last level of cache keeps for one user */
#define LEAST_BYTES ((size_t)64 << 20)
#define PAGE 4096

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct work {
    const trine_peak *peak;
    trine_read_fn *read;
    char *data;
    size_t n_rounds;
    volatile float keep;
    volatile uint64_t keep_bits;
} work;

static void peak_piece(void *job, int piece, int thread)
{
    work *w = job;
    (void)piece;
    const float value = w->peak->run(w->n_rounds);
    if (thread == 0) w->keep = value;
}

static void touch_piece(void *job, int piece, int thread)
{
    work *w = job;
    (void)thread;
    for (size_t i = 0; i < CHUNK; i += PAGE) w->data[(size_t)piece * CHUNK + i] = 1;
}

static void read_piece(void *job, int piece, int thread)
{
    work *w = job;
    const uint64_t value = w->read(w->data + (size_t)piece * CHUNK, CHUNK);
    if (thread == 0) w->keep_bits = value;
}

static double best_peak(const trine_peak *peak, double run_seconds, trine_team *team, int n_threads)
{
    if (!peak->run) return 0;
    work w = { .peak = peak, .n_rounds = 1000 };
    const int n = PIECES_A_THREAD * n_threads;
    double best = 0;
    for (int i = 0; i < RUNS;) {
        const double start = seconds();
        trine_team_run(team, n, peak_piece, &w);
        const double time = seconds() - start;
        if (time < run_seconds && w.n_rounds < (size_t)1 << 40) {
            w.n_rounds *= 2; /* still looking for the length of a run */
            continue;
        }
        const double rate = (double)w.n_rounds * n * peak->ops / time;
        best = rate > best ? rate : best;
        i++;
    }
    return best;
}

static trine_status best_read(trine_limits *out, size_t most_bytes, trine_read_fn *const *read, trine_team *team, trine_error *err)
{
    const size_t free_bytes = trine_memory_free();
    const size_t bytes = (free_bytes / 2 < most_bytes ? free_bytes / 2 : most_bytes) / CHUNK * CHUNK;
    if (bytes < LEAST_BYTES)
        return trine_fail(err, TRINE_ERROR_MEMORY, "limits: %zu MiB of memory are free, and measuring its speed takes %zu",
                          free_bytes >> 20, LEAST_BYTES >> 19);
    char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return trine_fail(err, TRINE_ERROR_MEMORY, "limits: no memory for %zu MiB to read", bytes >> 20);
    madvise(data, bytes, MADV_HUGEPAGE); /* fewer misses of the address cache; as well as memory can be read */
    work w = { .data = data };
    const int n = (int)(bytes / CHUNK);
    trine_team_run(team, n, touch_piece, &w);
    for (int i = 0; i < TRINE_READS * RUNS; i++) {
        w.read = read[i % TRINE_READS];
        if (!w.read) continue;
        const double start = seconds();
        trine_team_run(team, n, read_piece, &w);
        const double rate = (double)bytes / (seconds() - start);
        if (rate > out->read_bytes) out->read_bytes = rate;
    }
    out->buffer_bytes = bytes;
    munmap(data, bytes);
    return TRINE_OK;
}

trine_status trine_limits_run(trine_limits *out, const char *cpu, int n_threads, size_t most_bytes, double run_seconds,
                              trine_error *err)
{
    trine_limit_kernels k;
    trine_cpu level;
    trine_team *team;
    memset(out, 0, sizeof *out);
    trine_status status = trine_cpu_choose(&level, cpu, err);
    if (status) return status;
    if ((status = trine_team_size(&n_threads, err))) return status;
    out->n_threads = n_threads;
    out->cpu = trine_cpu_name(level);
    if ((status = trine_team_open(&team, out->n_threads, err))) return status;
    trine_limit_kernels_init(&k, level);
    out->f32_ops = best_peak(&k.f32, run_seconds, team, out->n_threads);
    out->bf16_ops = best_peak(&k.bf16, run_seconds, team, out->n_threads);
    out->int8_ops = best_peak(&k.int8, run_seconds, team, out->n_threads);
    out->tile_bf16_ops = best_peak(&k.tile_bf16, run_seconds, team, out->n_threads);
    out->tile_int8_ops = best_peak(&k.tile_int8, run_seconds, team, out->n_threads);
    status = best_read(out, most_bytes, k.read, team, err);
    trine_team_close(team);
    return status;
}

trine_status trine_limits_measure(trine_limits *out, const char *cpu, int n_threads, trine_error *err)
{
    return trine_limits_run(out, cpu, n_threads, MOST_BYTES, RUN_SECONDS, err);
}
