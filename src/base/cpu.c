/* cpu.c - kernel levels of this processor. A wide instruction may be used when the processor has it (cpuid) and the
 * operating system saves its registers at a task switch (xgetbv: Intel SDM vol. 1, sec. 14.3 and 15.2). */
#include "base/cpu.h"

#include <ctype.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/status.h"

static const char *const level_names[TRINE_CPU_COUNT] = { "scalar", "avx2", "avx512", "avx512-vnni", "avx512-bf16" };

#if defined(__x86_64__)
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool all(unsigned word, unsigned bits) { return (word & bits) == bits; }

trine_cpu trine_cpu_detect(void)
{
    enum { XMM_YMM = 0x6, OPMASK_ZMM = 0xE0 };
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return TRINE_CPU_SCALAR;
    const uint64_t saved = saved_state();
    if ((saved & XMM_YMM) != XMM_YMM) return TRINE_CPU_SCALAR;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all(b, bit_AVX2)) return TRINE_CPU_SCALAR;
    if (!all(b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL) || (saved & OPMASK_ZMM) != OPMASK_ZMM)
        return TRINE_CPU_AVX2;
    if (!all(c, 1u << 11)) return TRINE_CPU_AVX512; /* AVX512_VNNI */
    const unsigned max_subleaf = a;
    if (max_subleaf < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !all(a, 1u << 5)) return TRINE_CPU_AVX512_VNNI;
    return TRINE_CPU_AVX512_BF16;
}
#else
trine_cpu trine_cpu_detect(void) { return TRINE_CPU_SCALAR; }
#endif

const char *trine_cpu_name(trine_cpu level) { return (unsigned)level < TRINE_CPU_COUNT ? level_names[level] : NULL; }
const char *trine_cpu_best(void) { return level_names[trine_cpu_detect()]; }
const char *trine_cpu_level(int i) { return i >= 0 && i <= (int)trine_cpu_detect() ? level_names[i] : NULL; }

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
    const trine_cpu best = trine_cpu_detect();
    *out = TRINE_CPU_SCALAR;
    if (!name || !strcasecmp(name, "auto")) {
        *out = best;
        return TRINE_OK;
    }
    char list[128] = "";
    for (int i = 0; i <= (int)best; i++) {
        if (same_level(name, level_names[i])) {
            *out = (trine_cpu)i;
            return TRINE_OK;
        }
        strcat(strcat(list, i ? ", " : ""), level_names[i]);
    }
    for (int i = (int)best + 1; i < TRINE_CPU_COUNT; i++) {
        if (same_level(name, level_names[i]))
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "cpu level '%s' is more than this machine runs; it runs %s", name, list);
    }
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "there is no cpu level '%s'; this machine runs %s", name, list);
}

int trine_cpu_cores(void)
{
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set) && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
