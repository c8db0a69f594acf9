/* cpu.c - kernel levels of this processor. A wide instruction may be used when the processor has it (cpuid) and the
 * operating system saves its registers at a task switch (xgetbv: Intel SDM vol. 1, sec. 14.3 and 15.2). Tiles need the
 * operating system's word as well (sec. 13.14). */
#include "base/cpu.h"

#include <ctype.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/status.h"

static const char *const level_names[TRINE_CPU_COUNT] = { "scalar",      "avx2",        "avx-vnni", "avx512",
                                                          "avx512-vnni", "avx512-bf16", "amx" };

#if defined(__x86_64__)
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool all(unsigned word, unsigned bits) { return (word & bits) == bits; }

/* Linux gives the registers of AMX (8 KiB a thread) to a process that asks. Asking again is harmless; the answer is no when
 * the kernel is old, a filter forbids it, or a signal stack of the process is too small to save them on. */
static bool tiles_permitted(void)
{
#if defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0;
#else
    return false;
#endif
}

/* Bit `level` is set for each level that this machine runs. */
static unsigned levels(void)
{
    enum { XMM_YMM = 0x6, OPMASK_ZMM = 0xE0, TILES = 0x60000 };
    enum { AVX512_VNNI = 1u << 11, AMX_BF16 = 1u << 22, AMX_TILE = 1u << 24, AMX_INT8 = 1u << 25 }; /* leaf 7.0, ecx and edx */
    enum { AVX_VNNI = 1u << 4, AVX512_BF16 = 1u << 5 };                                             /* leaf 7.1, eax */
    unsigned found = 1u << TRINE_CPU_SCALAR, subleaves, b, c, d, more = 0;
    if (!__get_cpuid(1, &subleaves, &b, &c, &d) || !all(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return found;
    const uint64_t saved = saved_state();
    if ((saved & XMM_YMM) != XMM_YMM) return found;
    if (!__get_cpuid_count(7, 0, &subleaves, &b, &c, &d) || !all(b, bit_AVX2)) return found;
    unsigned unused[3];
    if (subleaves >= 1) __get_cpuid_count(7, 1, &more, &unused[0], &unused[1], &unused[2]);
    found |= 1u << TRINE_CPU_AVX2;
    if (all(more, AVX_VNNI)) found |= 1u << TRINE_CPU_AVX_VNNI;
    if (!all(b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL) || (saved & OPMASK_ZMM) != OPMASK_ZMM) return found;
    found |= 1u << TRINE_CPU_AVX512;
    if (!all(c, AVX512_VNNI)) return found;
    found |= 1u << TRINE_CPU_AVX512_VNNI;
    if (!all(more, AVX512_BF16)) return found;
    found |= 1u << TRINE_CPU_AVX512_BF16;
    if (!all(d, AMX_BF16 | AMX_TILE | AMX_INT8) || (saved & TILES) != TILES || !tiles_permitted()) return found;
    return found | 1u << TRINE_CPU_AMX;
}

bool trine_cpu_bf16_is_fast(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
}
#else
static unsigned levels(void) { return 1u << TRINE_CPU_SCALAR; }
bool trine_cpu_bf16_is_fast(void) { return false; }
#endif

bool trine_cpu_has(int level) { return level >= 0 && level < TRINE_CPU_COUNT && (levels() >> level & 1); }

int trine_cpu_next(int level)
{
    const unsigned here = levels();
    do level++;
    while (level < TRINE_CPU_COUNT && !(here >> level & 1));
    return level;
}

trine_cpu trine_cpu_detect(void)
{
    const unsigned here = levels();
    int best = TRINE_CPU_COUNT - 1;
    while (!(here >> best & 1)) best--;
    return (trine_cpu)best;
}

const char *trine_cpu_name(trine_cpu level) { return (unsigned)level < TRINE_CPU_COUNT ? level_names[level] : NULL; }
const char *trine_cpu_best(void) { return level_names[trine_cpu_detect()]; }

const char *trine_cpu_level(int i)
{
    const unsigned here = levels();
    for (int level = 0; i >= 0 && level < TRINE_CPU_COUNT; level++)
        if (here >> level & 1 && i-- == 0) return level_names[level];
    return NULL;
}

/* Names are compared without letter case, and "avx512_bf16" is "avx512-bf16". */
static bool same_level(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        const int x = *a == '_' ? '-' : tolower((unsigned char)*a), y = *b == '_' ? '-' : tolower((unsigned char)*b);
        if (x != y) return false;
    }
    return *a == *b;
}

trine_status trine_cpu_choose(trine_cpu *out, const char *name, trine_error *err)
{
    *out = TRINE_CPU_SCALAR;
    if (!name || !strcasecmp(name, "auto")) {
        *out = trine_cpu_detect();
        return TRINE_OK;
    }
    const unsigned here = levels();
    char list[128] = "";
    int known = -1;
    for (int i = 0; i < TRINE_CPU_COUNT; i++) {
        if (same_level(name, level_names[i])) known = i;
        if (here >> i & 1) strcat(strcat(list, i ? ", " : ""), level_names[i]);
    }
    if (known >= 0 && here >> known & 1) {
        *out = (trine_cpu)known;
        return TRINE_OK;
    }
    if (known >= 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "cpu level '%s' is none that this machine runs; it runs %s", name, list);
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "there is no cpu level '%s'; this machine runs %s", name, list);
}

int trine_cpu_cores(void)
{
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set) && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
