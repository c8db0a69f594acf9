/* resident.h - what this process has resident. */
#ifndef TRINE_TESTS_RESIDENT_H
#define TRINE_TESTS_RESIDENT_H

#include <stddef.h>

/* Bytes of a line of /proc/self/status, "VmHWM:    1234 kB". */
size_t status_bytes(const char *key);

#endif
