/* json_writer.h - JSON documents, one a line, written straight to standard output. */
#ifndef TRINE_APP_JSON_WRITER_H
#define TRINE_APP_JSON_WRITER_H

#include "json_text.h"
#include "run.h"

json_writer jw_begin(run *r);
void jw_end(json_writer *j); /* ends the line and flushes it */

#endif
