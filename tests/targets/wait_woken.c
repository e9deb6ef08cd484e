/* Waits on a futex for a length of time that is too long for anybody, and each time that it is woken tells what it sees then:
 *
 *     woke AHEAD INSTANT
 *
 * (nanoseconds: how far its CLOCK_MONOTONIC is ahead of the machine's, and that.) Says `waits futex TID` before the first time. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "truth.h"

enum { FUTEX_WAIT_PRIVATE = 128 };

int main(void) {
    static uint32_t word;
    struct timespec length = {100000, 0};
    printf("waits futex %d\n", getpid());
    for (;;) {
        fflush(stdout);
        if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &length, 0, 0)) return 1;
        int64_t shown = by_clock_gettime(CLOCK_MONOTONIC), instant = true_clock(CLOCK_MONOTONIC);
        printf("woke %lld %lld\n", (long long)(shown - instant), (long long)instant);
    }
}
