/* world.h - the built-in corpus: a small world of people, places, things and events, in which every kind of task can be asked, and
 * whose every word is one token.
 *
 * A text begins with what it is ("story :", "translate :"), and where it asks something "=>" stands between what is given and what is
 * to be said. The language of translations has its own words and its own order: place first, verb last, adjectives after nouns. */
#ifndef TRINE_COMPARE_WORLD_H
#define TRINE_COMPARE_WORLD_H

#include "compare/grammar.h"

/* Ids before the words. */
enum {
    TRINE_WORLD_PAD,
    TRINE_WORLD_UNK,
    TRINE_WORLD_CLS,
    TRINE_WORLD_SEP,
    TRINE_WORLD_MASK,
    TRINE_WORLD_BOS,
    TRINE_WORLD_EOS,
    TRINE_WORLD_SENTINEL, /* <extra_id_0> and so on */
    TRINE_WORLD_N_SENTINELS = 24,
    TRINE_WORLD_WORD = TRINE_WORLD_SENTINEL + TRINE_WORLD_N_SENTINELS
};

/* The grammar. Its rules are the kinds of texts: story, translate, reverse, summarise, review, recall; and "world": all of them. */
trine_status trine_world_open(trine_grammar **out, trine_error *err);
/* The notation it is read from; static. */
const char *trine_world_notation(void);
/* Ids in all, the special ones too. */
int trine_world_vocab(const trine_grammar *world);
/* How an id is spelt; borrowed from the world. `special` in new memory of the caller: at least 24 bytes. */
const char *trine_world_spell(char special[24], const trine_grammar *world, int32_t id);
/* The words, with spaces between. New memory (trine_free). */
trine_status trine_world_spell_all(char **out, const trine_grammar *world, const int32_t *ids, int n, trine_error *err);
/* The tokenizer of this world as a directory, for the models' ids and these are the same. ERROR_IO. */
trine_status trine_world_save_tokenizer(const trine_grammar *world, const char *dir, bool overwrite, trine_error *err);

#endif
