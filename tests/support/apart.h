/* apart.h - work in a process of its own, whose resident memory nothing else has touched. */
#ifndef TRINE_TESTS_APART_H
#define TRINE_TESTS_APART_H

#include <stdbool.h>
#include <stddef.h>

/* `work` fills `out` [bytes] in a child, and says whether it could. Fails the test when it could not, or when the child died. */
void apart(void *out, size_t bytes, bool (*work)(void *out, void *user), void *user);

#endif
