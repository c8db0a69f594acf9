/* template_unicode.c - what Python's str methods know of characters: white space, case, and what repr() may show. */
#include <utf8proc.h>

#include "tasks/template_text.h"

bool trine_tpl_is_space(uint32_t c)
{
    if (c <= 0x20) return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

unsigned trine_tpl_character(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: return TPL_PRINTABLE | TPL_LETTER | TPL_UPPER;
    case UTF8PROC_CATEGORY_LT: return TPL_PRINTABLE | TPL_LETTER | TPL_TITLE;
    case UTF8PROC_CATEGORY_LL: return TPL_PRINTABLE | TPL_LETTER | TPL_LOWER;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return TPL_PRINTABLE | TPL_LETTER;
    case UTF8PROC_CATEGORY_ND: return TPL_PRINTABLE | TPL_DIGIT;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return 0;
    case UTF8PROC_CATEGORY_ZS: return c == ' ' ? TPL_PRINTABLE : 0;
    default: return TPL_PRINTABLE;
    }
}

uint32_t trine_tpl_upper(uint32_t c) { return (uint32_t)utf8proc_toupper((utf8proc_int32_t)c); }
uint32_t trine_tpl_lower(uint32_t c) { return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c); }
