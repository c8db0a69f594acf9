/* attention_drawing.h - trace --draw. */
#ifndef TRINE_APP_ATTENTION_DRAWING_H
#define TRINE_APP_ATTENTION_DRAWING_H

#include "run.h"

/* Draws the attention that --draw LAYER[,HEAD] asks for, of one text; the session is opened for it. */
int draw_attention(run *r, const input *in);

#endif
