/* convert_command.c - trine convert: a model in another type or container, whole or not at all. */
#include "json_writer.h"

int convert_main(run *r)
{
    const int code = in_and_out(r);
    if (code) return code;
    const arguments *a = &r->args;
    static const char *const containers[] = { "gguf", "safetensors" };
    trine_error err = { 0 };
    trine_convert_result result = { 0 };
    trine_convert_options options = {
        .container = GIVEN(a, container) ? containers[a->container] : NULL,
        .type = a->type,
        .shard_bytes = a->shard_bytes,
        .overwrite = a->overwrite,
        .on_progress = progress_step,
        .user = r,
    };
    progress_begin(r, "writing");
    trine_status status = a->adapter ? trine_merge_adapter(&result, a->out, a->model, a->adapter, &options, &err)
                                     : trine_convert(&result, a->out, a->model, &options, &err);
    progress_end(r);
    if (status) return fail_status(r, status, &err);
    if (a->json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_set_text(&j, "out", a->out);
        jw_set_int(&j, "bytes", result.bytes);
        jw_set_int(&j, "tensors", result.n_tensors);
        jw_set_int(&j, "files", result.n_files);
        jw_close(&j, '}');
        jw_end(&j);
    } else {
        char bytes[32];
        print(r, "%s: %d tensors, %s in %d file%s\n", a->out, result.n_tensors, show_bytes(bytes, (double)result.bytes),
              result.n_files, result.n_files == 1 ? "" : "s");
    }
    return EXIT_DONE;
}
