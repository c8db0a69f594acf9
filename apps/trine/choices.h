/* choices.h - the steps of a generation in its JSON document. */
#ifndef TRINE_APP_CHOICES_H
#define TRINE_APP_CHOICES_H

#include "json_writer.h"

/* "choices": of each step that on_choice kept. */
void write_choices(json_writer *j, const writing *w);

#endif
