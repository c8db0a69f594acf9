/* gap_marks.h - how people mark a gap in a text, whatever the model's own vocabulary calls it. */
#ifndef TRINE_TASKS_GAP_MARKS_H
#define TRINE_TASKS_GAP_MARKS_H

#include <stddef.h>

/* Bytes of the mark that `text` begins with, "[MASK]" or "<mask>"; 0: none. */
size_t trine_gap_mark(const char *text);

#endif
