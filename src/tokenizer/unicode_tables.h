/* unicode_tables.h - the generated tables behind unicode.h (tools/make_unicode_tables.py). */
#ifndef TRINE_TOKENIZER_UNICODE_TABLES_H
#define TRINE_TOKENIZER_UNICODE_TABLES_H

#include <stdint.h>

typedef struct trine_code_range {
    uint32_t first, last;
} trine_code_range;
typedef struct trine_code_class {
    uint32_t first, last;
    int value;
} trine_code_class;
typedef struct trine_code_pair {
    uint32_t first, second, composite;
} trine_code_pair;
/* Every step-th code point of first..last has its lower case `delta` further. */
typedef struct trine_case_run {
    uint32_t first, last;
    int step, delta;
} trine_case_run;
typedef struct trine_class_addition {
    const char *name, *text;
} trine_class_addition;

extern const trine_code_range trine_controls[], trine_nonspacing[], trine_marks[], trine_punctuation[], trine_numerics[],
    trine_word_characters[], trine_decomposing[], trine_grapheme_extends[], trine_grapheme_prepends[], trine_grapheme_controls[],
    trine_pictures[];
extern const int trine_n_controls, trine_n_nonspacing, trine_n_marks, trine_n_punctuation, trine_n_numerics,
    trine_n_word_characters, trine_n_decomposing, trine_n_grapheme_extends, trine_n_grapheme_prepends, trine_n_grapheme_controls,
    trine_n_pictures;
extern const trine_code_class trine_combining_classes[];
extern const int trine_n_combining_classes;
extern const trine_code_pair trine_compositions[];
extern const int trine_n_compositions;
extern const trine_case_run trine_lower_runs[];
extern const int trine_n_lower_runs;
extern const trine_class_addition trine_class_additions[]; /* ends with a NULL name */

#endif
