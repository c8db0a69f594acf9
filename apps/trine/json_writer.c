/* json_writer.c - JSON documents, one a line: see json_writer.h. */
#include "json_writer.h"

static void put_out(void *to, const char *bytes, size_t n) { put(to, bytes, n); }

json_writer jw_begin(run *r) { return jw_to(put_out, r); }

void jw_end(json_writer *j)
{
    run *r = j->to;
    put(r, "\n", 1);
    flush_output(r);
}
