/* restore.h - the part of trine fill that is for encoder-decoders. */
#ifndef TRINE_APP_RESTORE_H
#define TRINE_APP_RESTORE_H

#include "run.h"

/* for_each_input's: fills the gaps of one text. */
int restore_one(run *r, const input *in, void *user);

#endif
