/* grammar.h - a probabilistic grammar with memory, whose entropy is known exactly.
 *
 * A text is made by choices from left to right: which alternative of a rule, which word of a class, whether a part comes once more.
 * Words that were drawn can be kept in slots and said again, in another form or in another language, which is what makes a text
 * hang together. Each choice shows in the next token, so a text tells the choices that made it and no two ways lead to one text:
 * the entropy of texts is that of the choices (Shannon 1948; for grammars, Grenander 1967), a sum over rules, and the probability of
 * a given text is found by reading it once. What is drawn unseen (`?class=S`: a review's opinion) is summed over.
 *
 * The notation, a line each (a line that begins with a space goes on):
 *
 *     class person tr pron = mara maro she, tomas tomo he     words with their columns; word*3 is three times as likely
 *     slot person = A B                                       what words of a class can be kept in
 *     rule hello = 2 hi @person=A . | good day .              alternatives with weights, told apart by their first token
 *
 *     word               itself                       @class          a word of the class; - is none at all
 *     @class=S           and kept in slot S           @class=S/T/U    another than those in T and U, which differ (even
 *                                                                     classes alone)
 *     ?class=S           kept and not said            @$S.column      a word of the class that S's word names
 *     $S                 the word in S                $S.column       what stands in its column
 *     <rule>             a part                       <rule>*2-5      2 to 5 of it, each beyond the second with probability 3/4
 *     <rule>*1-3!        the same, or as many as the caller of trine_grammar_write says
 *
 * A rule uses classes and rules that stand before it, so it is no recursion and its texts have a longest. */
#ifndef TRINE_COMPARE_GRAMMAR_H
#define TRINE_COMPARE_GRAMMAR_H

#include "trine/basics.h"

#define TRINE_GRAMMAR_MORE 0.75 /* that a part comes once more */
enum { TRINE_GRAMMAR_SLOTS = 48, TRINE_GRAMMAR_COLUMNS = 4, TRINE_GRAMMAR_OTHERS = 4 };

typedef struct trine_grammar_word {
    int32_t id; /* -1: none at all */
    double p;
    const char *columns[TRINE_GRAMMAR_COLUMNS]; /* as written */
    int32_t ids[TRINE_GRAMMAR_COLUMNS];         /* as a word, or -1 */
    int classes[TRINE_GRAMMAR_COLUMNS];         /* as the name of a class, or -1 */
} trine_grammar_word;

typedef struct trine_grammar_class {
    const char *name, *columns[TRINE_GRAMMAR_COLUMNS];
    int n, n_columns, empty; /* empty: which of the words is none at all; -1: each is one */
    bool even;               /* all as likely, and none of them empty */
    trine_grammar_word *words;
    double nats, tokens;
} trine_grammar_class;

typedef enum trine_grammar_kind {
    TRINE_GRAMMAR_WORD,
    TRINE_GRAMMAR_DRAW,   /* @class */
    TRINE_GRAMMAR_HIDDEN, /* ?class=S */
    TRINE_GRAMMAR_BY,     /* @$S.column */
    TRINE_GRAMMAR_SLOT,   /* $S, $S.column */
    TRINE_GRAMMAR_PART    /* <rule> */
} trine_grammar_kind;

typedef struct trine_grammar_element {
    trine_grammar_kind kind;
    int32_t id;                                 /* WORD */
    int class, slot, column;                    /* slot, column: -1 none */
    int rule, least, most;                      /* PART */
    bool scaled;                                /* <rule>*1-3! */
    int others[TRINE_GRAMMAR_OTHERS], n_others; /* slots whose words are not drawn */
} trine_grammar_element;

typedef struct trine_grammar_way {
    double p;
    int n;
    trine_grammar_element *elements;
} trine_grammar_way;

/* What is known of the texts of a rule. */
typedef struct trine_grammar_facts {
    double nats, tokens; /* entropy of a text; its expected tokens (its end is not one of them) */
    int most_tokens;
    int most_answer; /* tokens after "=>"; 0 where there is none */
} trine_grammar_facts;

typedef struct trine_grammar_rule {
    const char *name;
    int n;
    trine_grammar_way *ways;
    trine_grammar_facts facts;
} trine_grammar_rule;

typedef struct trine_grammar {
    int first_id, n_ids; /* words are first_id .. first_id + n_ids - 1 */
    const char **words;  /* [n_ids] */
    int n_classes, n_rules, n_slots;
    trine_grammar_class *classes;
    trine_grammar_rule *rules;
    const char *slots[TRINE_GRAMMAR_SLOTS];
    int slot_classes[TRINE_GRAMMAR_SLOTS]; /* that they are drawn from */
    char *text;                            /* what the names point into */
} trine_grammar;

/* ERROR_FORMAT names the line and what is wrong with it. */
trine_status trine_grammar_open(trine_grammar **out, const char *text, int first_id, trine_error *err);
void trine_grammar_close(trine_grammar *grammar);
/* The rule or the word called so, or -1. */
int trine_grammar_find(const trine_grammar *grammar, const char *rule);
int32_t trine_grammar_id(const trine_grammar *grammar, const char *word);

/* Tokens that grow. */
typedef struct trine_grammar_text {
    int32_t *ids;
    int n, cap;
    double nats; /* -log of the probability of the choices that made it; with unseen ones, together with these */
    bool failed; /* memory ran out */
} trine_grammar_text;
/* Appends text number `i` of a rule under `seed`: a function of these alone. `scale`: how many of each part that is marked !; 0: drawn. */
void trine_grammar_write(trine_grammar_text *text, const trine_grammar *grammar, int rule, uint64_t seed, uint64_t i, int scale);
void trine_grammar_text_clear(trine_grammar_text *text);

/* -log p of each token given those before it, and of the end in nats[n]: infinity from the first token that cannot stand there. The
 * sum of all is -log p of the text. *whole: whether it is a text of the rule. ERROR_MEMORY. */
trine_status trine_grammar_score(double *nats, bool *whole, const trine_grammar *grammar, int rule, const int32_t *ids, int n,
                                 trine_error *err);

#endif
