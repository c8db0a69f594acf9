/* template_text.h - what string methods and filters share. */
#ifndef TRINE_TASKS_TEMPLATE_TEXT_H
#define TRINE_TASKS_TEMPLATE_TEXT_H

#include "tasks/template.h"

/* CAPITAL: first character of the text; TITLE: of each run of letters (str.title); WORDS: after white space or a bracket
 * (jinja2's title filter). */
typedef enum trine_tpl_case { TPL_CASE_UPPER, TPL_CASE_LOWER, TPL_CASE_CAPITAL, TPL_CASE_TITLE, TPL_CASE_WORDS } trine_tpl_case;
tpl_value trine_tpl_cased(tpl *t, tpl_string s, trine_tpl_case kind);
size_t trine_tpl_text_find(tpl_string s, tpl_string part, size_t from);
tpl_value trine_tpl_replace(tpl *t, tpl_string s, tpl_string old, tpl_string new, int64_t limit);
tpl_value trine_tpl_split_lines(tpl *t, tpl_string s, bool keep_ends);

/* template_unicode.c */
enum { TPL_PRINTABLE = 1, TPL_LETTER = 2, TPL_UPPER = 4, TPL_LOWER = 8, TPL_TITLE = 16, TPL_DIGIT = 32 };
unsigned trine_tpl_character(uint32_t c); /* which of these it is; a blank is the only white space that repr() shows */
uint32_t trine_tpl_upper(uint32_t c);
uint32_t trine_tpl_lower(uint32_t c);

#endif
