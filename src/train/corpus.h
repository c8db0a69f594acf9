/* corpus.h - a text as tokens, made once: the ids of all documents one after another. */
#ifndef TRINE_TRAIN_CORPUS_H
#define TRINE_TRAIN_CORPUS_H

#include "base/team.h"
#include "tasks/documents.h"
#include "trine/tokenizers.h"

typedef struct trine_corpus {
    int32_t *ids;
    size_t n, cap;
    size_t *ends; /* document i is ids[ends[i - 1] .. ends[i]); 0 before the first */
    size_t n_documents, documents_cap;
    size_t n_bytes; /* of the texts */
} trine_corpus;

typedef struct trine_corpus_options {
    trine_documents_options documents;
    int32_t before, after;          /* put around each document (BOS, EOS); -1: nothing */
    trine_progress_fn *on_progress; /* files done of all */
    void *user;
} trine_corpus_options;

/* Reads and tokenises all files of `paths`; documents are tokenised by the team, and come in the order of the files. ERROR_EMPTY
 * when there is no token in them. */
trine_status trine_corpus_open(trine_corpus *out, const char *const *paths, int n_paths, const trine_tokenizer *tokenizer,
                               const trine_corpus_options *options, trine_team *team, trine_error *err);
void trine_corpus_close(trine_corpus *corpus);

#endif
