/* trine.h - the public interface of libtrine, and the only promise it makes. Include this; it includes its parts, in trine/.
 *
 * One engine for the three transformer paradigms: encoder-only (BERT), decoder-only (GPT-2, Llama) and
 * encoder-decoder (T5). A program that embeds a sentence:
 *
 *     trine_model *model; trine_session *session; trine_error err; float v[384];
 *     if (trine_model_open(&model, "all-MiniLM-L6-v2", NULL, &err)) return fail(err.text);
 *     if (trine_session_open(&session, model, NULL, &err)) return fail(err.text);
 *     if (trine_embed(v, 384, session, "A cat sits.", NULL, &err)) return fail(err.text);
 *     trine_session_close(session); trine_model_close(model);
 *
 * Rules that hold for every function here:
 * - A function that can fail returns a trine_status: 0 (TRINE_OK) or a negative code. Details go into the caller's
 *   trine_error, which may be NULL. The library never exits, aborts or prints, and keeps no global state.
 * - Out parameters come first, the error last. On failure out parameters that are pointers are set to NULL, and results
 *   that have a clear are empty: to clear them does no harm.
 * - Who opens, closes: X_open pairs with X_close, and a result filled by the library is released by its X_clear.
 *   Close and clear accept NULL. A returned `const T *` is borrowed; its comment says until when.
 * - An options struct filled with zeros, or NULL in its place, means all defaults.
 * - A model and a tokenizer are read-only once open and may be shared by threads. A session, and every sequence in
 *   it, belongs to one thread at a time.
 * - Text is UTF-8. Bytes that are not valid UTF-8 are read as U+FFFD, one for each maximal invalid part (the practice
 *   of Unicode 15, section 3.9), and offsets still count bytes of the text as given.
 */
#ifndef TRINE_H
#define TRINE_H

#include "trine/basics.h"        /* status and errors, types, plain values */
#include "trine/comparing.h"     /* architectures compared; the built-in corpus */
#include "trine/converting.h"    /* containers, types, adapters merged */
#include "trine/generation.h"    /* text written; conversations, translations, summaries */
#include "trine/inference.h"     /* model, session, sequence */
#include "trine/long_texts.h"    /* long documents: decoder and encoder-decoder measured */
#include "trine/measuring.h"     /* tracing, evaluating, comparing; the machine's limits */
#include "trine/planning.h"      /* memory and rates before anything is loaded */
#include "trine/ranks.h"         /* many processes that work as one */
#include "trine/reports.h"       /* what an experiment found, told */
#include "trine/runs.h"          /* the record of experiments */
#include "trine/scaling.h"       /* scaling laws, fitted */
#include "trine/shipped.h"       /* the models that come with trine */
#include "trine/tokenizers.h"    /* text to tokens and back; vocabularies trained */
#include "trine/training.h"      /* train, finetune */
#include "trine/understanding.h" /* vectors, masks, labels, entities */

#endif
