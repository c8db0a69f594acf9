/* test_mpi_ranks.c - trine_mpi.so keeps what trine/ranks.h promises, by 2, 3 and 5 processes: this program starts itself under mpirun, and
 * is then one of them. Skipped where Open MPI is not installed. */
#include "run_trine.h"

#include <dlfcn.h>
#include <unistd.h>

#include "trine/ranks.h"

#ifdef TRINE_MPIRUN

enum { ROUNDS = 6, FLOATS = 16 * 3001, PIECES = 20 };

/* What rank `rank` brings at place i. */
static float brought(size_t i, int rank, int round) { return (float)((i * 7 + (size_t)(rank * 13 + round)) % 1000); }

static void expect(bool fine, const char *what)
{
    if (fine) return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Sums at all ranks and at one, many at a time, from the end; whole numbers, so that they are exact. */
static void exchange_sums(trine_ranks *r, float *x, float *y, int round)
{
    const size_t piece = FLOATS / PIECES;
    int to = 0;
    for (size_t i = 0; i < FLOATS; i++) x[i] = y[i] = brought(i, r->rank, round);
    for (size_t end = FLOATS, first; end > 0; end = first, to++) {
        first = end > piece ? end - piece : 0;
        expect(!r->sum_begin(r->self, x + first, end - first, -1, NULL), "sum_begin, to all");
        expect(!r->sum_begin(r->self, y + first, end - first, to % r->size, NULL), "sum_begin, to one");
    }
    expect(!r->wait(r->self, NULL), "wait");
    to = 0;
    for (size_t end = FLOATS, first; end > 0; end = first, to++) {
        first = end > piece ? end - piece : 0;
        for (size_t i = first; i < end; i++) {
            float sum = 0;
            for (int k = 0; k < r->size; k++) sum += brought(i, k, round);
            expect(x[i] == sum, "a sum at all ranks");
            expect(y[i] == (to % r->size == r->rank ? sum : brought(i, r->rank, round)), "a sum at one rank");
        }
    }
}

static void exchange_the_rest(trine_ranks *r, float *x, float *y)
{
    size_t ends[8];
    double numbers[2] = { r->rank + 0.5, 1 };
    int32_t told = r->rank == r->size - 1 ? 42 : 0;
    expect(!r->sum(r->self, numbers, 2, NULL) && numbers[0] == r->size * r->size / 2.0 && numbers[1] == r->size, "sum");
    for (int k = 0; k < r->size; k++) ends[k] = (size_t)(FLOATS / 16) * (size_t)(k + 1) / (size_t)r->size * 16;
    for (size_t i = 0; i < FLOATS; i++) x[i] = i < ends[r->rank] && i >= (r->rank ? ends[r->rank - 1] : 0) ? brought(i, 0, 0) : -1;
    expect(!r->gather(r->self, x, ends, NULL), "gather");
    for (size_t i = 0; i < FLOATS; i++) expect(x[i] == brought(i, 0, 0), "what was gathered");
    expect(!r->broadcast(r->self, &told, sizeof told, r->size - 1, NULL) && told == 42, "broadcast");
    told = r->rank;
    if (r->rank) expect(!r->send(r->self, &told, sizeof told, NULL) && !r->send(r->self, x, FLOATS * sizeof *x, NULL), "send");
    for (int k = 1; k < r->size && !r->rank; k++) {
        expect(!r->receive(r->self, &told, sizeof told, k, NULL) && told == k, "receive");
        expect(!r->receive(r->self, y, FLOATS * sizeof *y, k, NULL) && !memcmp(x, y, FLOATS * sizeof *x), "what was received");
    }
}

static int be_a_rank(void)
{
    typedef trine_status open_fn(trine_ranks * *out, trine_error * err);
    char path[1000];
    const char *slash = strrchr(TRINE_COMMAND, '/');
    snprintf(path, sizeof path, "%.*s/trine_mpi.so", (int)(slash - TRINE_COMMAND), TRINE_COMMAND);
    void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    expect(module != NULL, "dlopen");
    union {
        void *symbol;
        open_fn *open;
    } found = { .symbol = dlsym(module, "trine_mpi_open") };
    trine_ranks *ranks;
    expect(found.symbol && !found.open(&ranks, NULL), "trine_mpi_open");
    float *x = malloc(FLOATS * sizeof *x), *y = malloc(FLOATS * sizeof *y);
    for (int round = 0; round < ROUNDS; round++) {
        exchange_sums(ranks, x, y, round);
        exchange_the_rest(ranks, x, y);
    }
    free(x);
    free(y);
    ranks->close(ranks);
    return 0;
}

static void many_processes_exchange_what_is_promised(void **state)
{
    (void)state;
    static const process_options mpi = {
        .environment = { "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_rmaps_base_oversubscribe=1",
                         "OMPI_MCA_btl_vader_single_copy_mechanism=none", "ASAN_OPTIONS=detect_leaks=0", NULL }
    };
    static const char *const sizes[] = { "2", "3", "5" };
    char self[1000];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    for (int i = 0; i < 3; i++) {
        process_result r = process_run((const char *const[]) { TRINE_MPIRUN, "-n", sizes[i], self, NULL }, &mpi);
        assert_status(&r, 0);
        process_result_clear(&r);
    }
}

int main(void)
{
    if (getenv("OMPI_COMM_WORLD_SIZE")) return be_a_rank();
    const struct CMUnitTest tests[] = { cmocka_unit_test(many_processes_exchange_what_is_promised) };
    return cmocka_run_group_tests_name("mpi_ranks", tests, NULL, NULL);
}

#else

int main(void)
{
    printf("skipped: this build has no Open MPI (Debian: libopenmpi-dev, openmpi-bin)\n");
    return 0;
}

#endif
