// Watches its wall clock against its monotonic one, and notes each step in a file: between which two instants of the
// monotonic clock it came, and by how much. "step FROM UNTIL BY OFF": the wall clock had not been stepped at FROM, and had been
// at UNTIL; OFF is how far it is from where it was at the beginning. Reads both clocks some 2,000 times a second.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (argc < 2 || file < 0)
        return 1;
    char line[200];
    long long first = 0, last = 0, before = 0;
    for (int rounds = 0;; rounds++) {
        long long from = now(CLOCK_MONOTONIC);
        long long wall = now(CLOCK_REALTIME);
        long long until = now(CLOCK_MONOTONIC);
        long long off = wall - from;
        if (rounds == 0) {
            first = off;
            int length = snprintf(line, sizeof line, "begin %lld\n", from);
            if (write(file, line, length) != length)
                return 1;
            puts("watching");
            fflush(stdout);
        } else if (llabs(off - last) > 50000000LL && until - from < 20000000LL) {
            int length = snprintf(line, sizeof line, "step %lld %lld %lld %lld\n", before, until, off - last, off - first);
            if (write(file, line, length) != length)
                return 1;
            last = off;
        }
        if (until - from >= 20000000LL)
            continue; // It lost the processor between the reads.
        if (rounds == 0)
            last = off;
        before = from;
        struct timespec pause = { 0, 400000 };
        nanosleep(&pause, NULL);
    }
}
