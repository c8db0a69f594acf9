/* plan_verified.c - trine plan --verify: planned, allocated and resident bytes of a model that really ran. */
#include "plan.h"

#include <stdlib.h>

void plan_write_verification(json_writer *j, const trine_verification *v)
{
    jw_key(j, "verify");
    jw_open(j, '{');
    jw_set_int(j, "planned_bytes", (int64_t)v->planned_bytes);
    jw_set_int(j, "allocated_bytes", (int64_t)v->allocated_bytes);
    jw_set_int(j, "resident_bytes", (int64_t)v->resident_bytes);
    jw_set_int(j, "arena_peak", (int64_t)v->arena_peak);
    jw_close(j, '}');
}

void plan_draw_verification(run *r, const trine_verification *v, const char *what)
{
    char a[3][32];
    const double off = 100 * ((double)v->resident_bytes - (double)v->planned_bytes) / (double)v->planned_bytes;
    print(r, "%11s: planned %s, allocated %s", what, show_number(a[0], (int64_t)v->planned_bytes),
          v->allocated_bytes == v->planned_bytes ? "the same" : show_number(a[1], (int64_t)v->allocated_bytes));
    print(r, ", resident %s (%+.1f%%)\n", show_number(a[2], (int64_t)v->resident_bytes), off);
}

/* Every context that was planned, run to its end. */
int plan_verify(run *r, plan_report *p)
{
    char ctx[32];
    trine_error err;
    const trine_verify_options options = { .cpu = r->args.cpu, .on_progress = progress_step, .user = r };
    for (int i = 0; i < p->n_contexts; i++) {
        trine_session_options o = p->options;
        o.ctx = p->contexts[i].bytes.options.ctx;
        flush_output(r); /* what is known is shown while the rest is found out */
        progress_begin(r, "running");
        const trine_status status = trine_verify_session(&p->contexts[i].verified, r->args.model, &o, &options, &err);
        progress_end(r);
        if (status) return fail_status(r, status, &err);
        p->contexts[i].is_verified = true;
        if (!r->args.json) plan_draw_verification(r, &p->contexts[i].verified, show_number(ctx, o.ctx));
        flush_output(r);
    }
    return 0;
}
