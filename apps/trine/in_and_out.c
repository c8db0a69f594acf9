/* in_and_out.c - the two paths of a command that writes a model from a model. */
#include "run.h"

#include <unistd.h>

/* MODEL and OUT come from -m and -o, or in their order from the arguments. */
static int find_paths(run *r)
{
    arguments *a = &r->args;
    int next = 0;
    if (a->rest.n == 2 || (a->rest.n == 1 && a->out)) a->model = a->rest.items[next++];
    if (next < a->rest.n) {
        if (a->out) return fail_usage(r, "the output is given twice: '%s' and '%s'", a->out, a->rest.items[next]);
        a->out = a->rest.items[next];
    }
    if (!a->model) return fail_usage(r, "no model: expected -m MODEL, or MODEL and OUT");
    if (!a->out) return fail_usage(r, "no output: expected -o OUT, a name that ends in .gguf, or a directory");
    return 0;
}

int in_and_out(run *r)
{
    interrupt_catch_end(); /* what is half written goes, by Control-C and by SIGTERM */
    int code = find_paths(r);
    if (!code) code = take_shipped_model(r);
    if (!code) code = check_folder_of(r, r->args.out);
    if (code) return code;
    if (!r->args.overwrite && access(r->args.out, F_OK) == 0)
        return fail(r, EXIT_FAILED, "%s: exists already; --overwrite replaces it", r->args.out);
    return 0;
}
