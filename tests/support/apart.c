/* apart.c - see apart.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/apart.h"

void apart(void *out, size_t bytes, bool (*work)(void *out, void *user), void *user)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) _exit(work(out, user) && write(ends[1], out, bytes) == (ssize_t)bytes ? 0 : 1);
    close(ends[1]);
    assert_int_equal(read(ends[0], out, bytes), bytes);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
