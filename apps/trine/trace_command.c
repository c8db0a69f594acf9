/* trace_command.c - trine trace: what happens inside a model for one text, written to a file. */
#include "attention_drawing.h"
#include "json_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int trace_one(run *r, const input *in, void *user)
{
    (void)user;
    const arguments *a = &r->args;
    int n, n_decoder = a->decoder_tokens.n ? a->decoder_tokens.n : a->draw.n ? 32 : 1, n_tensors = 0;
    int code = count_tokens(r, &n, in);
    if (code) return code;
    /* One pass holds all rows, and gives the logits of all. */
    bool two = r->info->paradigm == TRINE_ENCODER_DECODER;
    int rows = two ? n_decoder : n, most = two && n_decoder > n ? n_decoder : n;
    trine_session_options options = { .batch_tokens = most > 0 ? most : 1, .logit_rows = rows > 0 ? rows : 1 };
    if (!a->ctx) {
        options.ctx = most > 0 ? most : 1;
        if (r->info->max_tokens && options.ctx > r->info->max_tokens) options.ctx = r->info->max_tokens;
    }
    if ((code = open_session(r, options))) return code;
    if (a->draw.n) return draw_attention(r, in);
    trine_error err = { 0 };
    trine_trace_options trace = {
        .text = in->text,
        .ids = in->ids,
        .n_ids = in->n_ids,
        .types = a->token_types.n ? a->token_types.items : NULL,
        .decoder_ids = a->decoder_tokens.items,
        .n_decoder_ids = a->decoder_tokens.n,
        .hidden = a->hidden,
        .attention = a->attention,
        .lens = a->lens,
        .parts = a->parts,
    };
    trine_status status = trine_trace(&n_tensors, r->session, a->out, &trace, &err);
    if (status) return fail_status(r, status, &err);
    if (a->json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_set_text(&j, "out", a->out);
        jw_set_int(&j, "tensors", n_tensors);
        jw_close(&j, '}');
        jw_end(&j);
    } else {
        struct stat info;
        char bytes[32];
        double size = stat(a->out, &info) == 0 ? (double)info.st_size : 0;
        print(r, "%s: %d tensor%s, %s, of %d token%s\n", a->out, n_tensors, n_tensors == 1 ? "" : "s", show_bytes(bytes, size), n,
              n == 1 ? "" : "s");
    }
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

/* Whether `out` is there already and is the model's file or in its directory: a slip of the hand must not replace weights by a
 * trace of them. */
static bool is_of_model(const char *out, const char *model)
{
    struct stat file, folder, whole;
    if (!model || stat(out, &file) != 0 || stat(model, &whole) != 0) return false;
    const char *slash = strrchr(out, '/');
    char *path = slash ? strndup(out, (size_t)(slash - out) + 1) : strdup(".");
    const bool inside = !path || (stat(path, &folder) == 0 && folder.st_dev == whole.st_dev && folder.st_ino == whole.st_ino);
    free(path);
    return inside || (file.st_dev == whole.st_dev && file.st_ino == whole.st_ino);
}

int trace_main(run *r)
{
    struct stat info;
    if (r->args.draw.n > 2) return fail_usage(r, "--draw takes a layer, or a layer and a head: --draw 3,1");
    if (r->args.draw.n && (r->args.out || r->args.json))
        return fail_usage(r, "--draw shows attention in the terminal: not with --out or --json");
    if (!r->args.out && !r->args.draw.n) return fail_usage(r, "no output: expected --out FILE (safetensors), or --draw LAYER,HEAD");
    if (r->args.out && !strcmp(r->args.out, "-"))
        return fail_usage(
            r, "a trace is a file, not a stream: expected a name, such as --out trace.safetensors (./- is a file called -)");
    if (r->args.lines) return fail_usage(r, "--lines has no meaning here: one text makes one file");
    if (r->args.draw.n) {
        const int opened = open_model(r);
        return opened ? opened : for_each_input(r, trace_one, NULL);
    }
    if (stat(r->args.out, &info) == 0 && S_ISDIR(info.st_mode))
        return fail(r, EXIT_FAILED, "%s: is a directory; expected the name of a file to write", r->args.out);
    int code = check_folder_of(r, r->args.out);
    if (!code) code = open_model(r);
    if (!code && is_of_model(r->args.out, r->args.model))
        code = fail_usage(r, "%s is there already, beside the model or as the model itself: choose another name", r->args.out);
    return code ? code : for_each_input(r, trace_one, NULL);
}
