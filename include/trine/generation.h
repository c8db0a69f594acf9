/* generation.h - text written by a model: one, many in a batch, a conversation, a translation, a summary. */
#ifndef TRINE_GENERATION_H
#define TRINE_GENERATION_H

#include "trine/inference.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------- generation */

/* Text as it appears, whole characters only; return false to stop (finish is then TRINE_FINISH_CANCELLED). */
typedef bool trine_text_fn(void *user, const char *text, size_t bytes);

/* A token that was chosen, and what the model itself held likely there: logarithms of probabilities at temperature 1, before any
 * penalty or filter. */
typedef struct trine_token_chance {
    int32_t id;
    float log_prob;
} trine_token_chance;
typedef struct trine_chosen_token {
    int32_t id;
    float log_prob;
    const trine_token_chance *top; /* [n_top] the likeliest, best first; for the call only */
    int n_top;
} trine_chosen_token;
typedef void trine_token_fn(void *user, const trine_chosen_token *token);

typedef struct trine_generate_options {
    int max_tokens;          /* new tokens at most; 0: until the end token or the end of the context */
    float temperature;       /* 0: greedy */
    int top_k;               /* 0: off */
    float top_p;             /* 0 or 1: off */
    float min_p;             /* 0: off */
    float repeat_penalty;    /* 0 or 1: off; logits of seen tokens are divided (or multiplied) by it */
    int repeat_last_n;       /* how far back tokens count as seen; 0: 64; -1: all */
    float presence_penalty;  /* subtracted once from the logit of a seen token */
    float frequency_penalty; /* subtracted for each time it was seen */
    uint64_t seed;           /* the same seed gives the same text on any number of threads */
    const char *const *stop; /* texts that end the generation; not part of the result */
    int n_stop;
    int beam;             /* beams; 0 or 1: none. Beam search ignores the sampling fields */
    float length_penalty; /* exponent of the length a beam's score is divided by; 0: 1.0 */
    bool ignore_eos;      /* go on past the end token */
    const int32_t *ids;   /* raw ids in place of the prompt text (the source, for encoder-decoders) */
    int n_ids;
    const int32_t *decoder_ids; /* encoder-decoder: decoder tokens to begin with in place of the start token */
    int n_decoder_ids;
    bool
        continues; /* decoders: the text is what follows the prompt's, so that both together are the document: a space before its first
                     * word, which a vocabulary of SentencePiece leaves away where a text begins, is told */
    bool no_special;          /* do not add the special tokens the tokenizer puts around a prompt (chat templates have them) */
    trine_sequence *sequence; /* decoders, no beams: work in this sequence of the session, kept by the caller. What it holds that
                               * the prompt begins with is not computed again; afterwards it holds the prompt and the answer
                               * (a chat reads each turn once). NULL: a sequence of its own */
    trine_text_fn *on_text;   /* not called under beam search until the end */
    trine_token_fn *on_token; /* each new token, before its text; not under beam search, nor for the end token unless ignore_eos */
    int n_top;                /* on_token: likeliest tokens to tell beside the one chosen; 0: none */
    /* Reading the prompt: tokens done of all. Called again with done = total between the steps of a beam search, and between tokens
     * when there is no tokenizer: a place to stop. Stopped, finish is TRINE_FINISH_CANCELLED. */
    trine_progress_fn *on_progress;
    void *user;
} trine_generate_options;

typedef enum trine_finish { TRINE_FINISH_EOS, TRINE_FINISH_STOP, TRINE_FINISH_LENGTH, TRINE_FINISH_CANCELLED } trine_finish;
/* "eos", "stop", "length", "cancelled"; static. */
TRINE_API const char *trine_finish_name(trine_finish finish);

typedef struct trine_generation {
    char *text;      /* NULL when the model has no tokenizer */
    int32_t *tokens; /* new tokens; the end token is not among them unless ignore_eos */
    int n_tokens;
    int n_prompt; /* tokens of the prompt or source */
    trine_finish finish;
    double score;     /* sum of the log probabilities; under beam search divided by length^length_penalty */
    double prompt_ms; /* reading the prompt */
    double first_ms;  /* from the start to the first token */
    double decode_ms; /* all tokens after the first */
    int n_parts;      /* summarize: parts the document was read in; else 1 */
} trine_generation;

/* Continues `prompt` (decoder) or maps it (encoder-decoder). */
TRINE_API trine_status trine_generate(trine_generation *out, trine_session *session, const char *prompt,
                                      const trine_generate_options *options, trine_error *err);
TRINE_API void trine_generation_clear(trine_generation *generation);

/* Many texts written as one batch. A step reads the weights once for all of them, so that eight texts take little longer than one;
 * when one is over the next takes its place. Each is what trine_generate would write, to rounding: with six rows in a pass or more sums
 * run in another order, and quantised weights may meet x by a coarser way, so two tokens that are nearly as likely may change places.
 *
 *     while (more() || trine_generator_held(g)) {
 *         while (more() && trine_generator_room(g)) trine_generator_add(g, id++, next_prompt(), &options, &err);
 *         trine_generator_step(g, &err);
 *         for (int64_t done; trine_generator_take(&text, &done, g, &err), done >= 0; trine_generation_clear(&text)) use(done, &text);
 *     }
 *
 * A generator works in the session it was opened for, on the session's thread; it holds at most n_sequences texts. */
typedef struct trine_generator trine_generator;
/* A generator with room for the session's n_sequences texts. */
TRINE_API trine_status trine_generator_open(trine_generator **out, trine_session *session, trine_error *err);
/* Ends what it is writing; before the session is closed. */
TRINE_API void trine_generator_close(trine_generator *generator);
/* Adds a text; `id` (0 or more, of no text that it holds) is the caller's name for it. Its options are its own; no beams, no sequence. What they point to is
 * copied, but for `user`; the callbacks are called by step. */
TRINE_API trine_status trine_generator_add(trine_generator *generator, int64_t id, const char *prompt,
                                           const trine_generate_options *options, trine_error *err);
/* Texts that may be added now. */
TRINE_API int trine_generator_room(const trine_generator *generator);
/* Texts that are in it: being written, or over and not yet taken. */
TRINE_API int trine_generator_held(const trine_generator *generator);
/* One pass: the next token of every text, and up to batch_tokens in all of the prompts that are still to be read. When it fails,
 * no text has moved. */
TRINE_API trine_status trine_generator_step(trine_generator *generator, trine_error *err);
/* The text that was over first: *id is its name, or -1 when none is. Returns how it went: a text that failed (its logits not
 * finite, memory) ends alone. */
TRINE_API trine_status trine_generator_take(trine_generation *out, int64_t *id, trine_generator *generator, trine_error *err);
/* Holds a text back, or lets it go on: steps pass over it, and it keeps its place. For a reader slower than the batch. */
TRINE_API void trine_generator_hold(trine_generator *generator, int64_t id, bool held);
/* Ends a text as it is now (TRINE_FINISH_CANCELLED); it is then there to be taken. */
TRINE_API void trine_generator_cancel(trine_generator *generator, int64_t id);

typedef struct trine_message {
    const char *role, *content;
} trine_message;
/* The conversation as the text the model was trained on, through a chat template: `jinja`, or with NULL the tokenizer's
 * own. ERROR_UNSUPPORTED names the construct when a template needs more of Jinja than is implemented. */
TRINE_API trine_status trine_chat_render(char **out, const trine_tokenizer *tokenizer, const char *jinja,
                                         const trine_message *messages, int n_messages, bool add_generation_prompt,
                                         trine_error *err);

typedef struct trine_text_options {
    const char *prefix;    /* instruction put before the text; NULL: chosen from the task and languages */
    const char *from, *to; /* translate: "en", "de", "fr"... */
    bool whole;            /* summarize: refuse a document longer than the context instead of reading it in parts */
    trine_generate_options generate;
} trine_text_options;
/* Translates: "translate English to German: ..." for T5, a prompt through the chat template for decoders. */
TRINE_API trine_status trine_translate(trine_generation *out, trine_session *session, const char *text,
                                       const trine_text_options *options, trine_error *err);
/* The same as one of the texts of a generator. */
TRINE_API trine_status trine_generator_translate(trine_generator *generator, int64_t id, const char *text,
                                                 const trine_text_options *options, trine_error *err);
/* Summarises. A document longer than the context is summarised in parts, then the parts together: out->n_parts says so. */
TRINE_API trine_status trine_summarize(trine_generation *out, trine_session *session, const char *text,
                                       const trine_text_options *options, trine_error *err);
/* The same as one of the texts of a generator. ERROR_TOO_LONG for a document that trine_summarize would read in parts. */
TRINE_API trine_status trine_generator_summarize(trine_generator *generator, int64_t id, const char *text,
                                                 const trine_text_options *options, trine_error *err);

typedef struct trine_restored {
    char *text;   /* the text with what was restored in its gaps */
    char **spans; /* [n_spans] what stands in each, in the order of the text; "": the model left it out */
    int n_spans;
    char *target; /* what the model wrote: sentinels and spans */
    double score; /* as trine_generation's */
} trine_restored;
/* Restores the gaps of a text by an encoder-decoder that learnt to (T5's span corruption). A gap is "<mask>" or "[MASK]", or a
 * sentinel by its name, "<extra_id_0>"; each may be filled by several words. options->max_tokens 0: 16 a gap; no ids.
 * ERROR_ARGUMENT when the text has no gap, or more than the vocabulary has sentinels. */
TRINE_API trine_status trine_restore(trine_restored *out, trine_session *session, const char *text,
                                     const trine_generate_options *options, trine_error *err);
TRINE_API void trine_restored_clear(trine_restored *restored);

#ifdef __cplusplus
}
#endif
#endif
