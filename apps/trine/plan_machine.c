/* plan_machine.c - what there is to fit into and to compute with: this machine, a known device, or numbers given. */
#include "plan.h"

#include <stdio.h>
#include <string.h>

#include "bench.h"

/* Makers' figures: bytes of memory, bytes a second, operations a second of dense bf16 with sums in f32. */
typedef struct device {
    const char *name;
    double memory, bandwidth, ops;
} device;

static const double gib = 1 << 30, giga = 1e9, tera = 1e12;
#define DEVICE(name, gibibytes, gigabytes_a_second, tera_ops)                                                                      \
    {                                                                                                                              \
        name, gibibytes, gigabytes_a_second, tera_ops                                                                              \
    }
static const device devices[] = {
    DEVICE("b200", 180, 8000, 2250),     DEVICE("h200", 141e9 / (1 << 30), 4800, 989),
    DEVICE("h100", 80, 3350, 989),       DEVICE("h100-pcie", 80, 2000, 756),
    DEVICE("a100-80gb", 80, 2039, 312),  DEVICE("a100-40gb", 40, 1555, 312),
    DEVICE("mi300x", 192, 5300, 1307),   DEVICE("l40s", 48, 864, 362),
    DEVICE("l4", 24, 300, 121),          DEVICE("a10g", 24, 600, 70),
    DEVICE("t4", 16, 320, 65),           DEVICE("v100", 32, 900, 125),
    DEVICE("rtx-5090", 32, 1792, 209.5), DEVICE("rtx-4090", 24, 1008, 165),
    DEVICE("rtx-3090", 24, 936, 71),     DEVICE("m2-ultra", 192, 800, 27),
    DEVICE("m3-max", 128, 400, 14),      DEVICE("m1", 16, 68, 2.6),
    DEVICE("ddr4-laptop", 16, 50, 0.5),  DEVICE("ddr5-desktop", 64, 90, 2),
};
enum { N_DEVICES = sizeof devices / sizeof *devices };

static int unknown_device(run *r, const char *name)
{
    char list[400] = "";
    for (int i = 0; i < N_DEVICES; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", devices[i].name);
    return fail_usage(r, "there is no device '%s'; known are %s. Others by --memory, --bandwidth and --flops", name, list);
}

int plan_machine_of(plan_machine *m, run *r, trine_dtype weights_type)
{
    const arguments *a = &r->args;
    *m = (plan_machine) { .name = "this machine", .arithmetic = "bf16" };
    if (a->device) {
        const device *found = NULL;
        for (int i = 0; i < N_DEVICES; i++)
            if (!strcmp(devices[i].name, a->device)) found = &devices[i];
        if (!found) return unknown_device(r, a->device);
        *m = (plan_machine) { .name = found->name,
                              .memory = (size_t)(found->memory * gib),
                              .bandwidth = found->bandwidth * giga,
                              .ops = found->ops * tera,
                              .arithmetic = "bf16" };
    } else if (a->limits) {
        trine_limits limits;
        trine_error err;
        const trine_status status = trine_limits_measure(&limits, a->cpu, a->threads, &err);
        if (status) return fail_status(r, status, &err);
        if (interrupted()) return EXIT_INTERRUPTED;
        const bench_peaks peaks = bench_peak(weights_type, &limits);
        m->bandwidth = limits.read_bytes;
        m->ops = peaks.tiles > peaks.vector ? peaks.tiles : peaks.vector;
        m->arithmetic = peaks.name;
    }
    if (a->memory) m->memory = a->memory;
    if (!m->memory) m->memory = trine_memory_available();
    if (!a->device && !a->limits && (a->bandwidth > 0 || a->tera_ops > 0)) m->name = "as given";
    if (a->bandwidth > 0) m->bandwidth = (double)a->bandwidth * giga;
    if (a->tera_ops > 0) {
        m->ops = (double)a->tera_ops * tera;
        m->arithmetic = "any type";
    }
    return 0;
}
