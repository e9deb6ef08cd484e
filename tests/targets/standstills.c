/* Reads CLOCK_MONOTONIC about every millisecond, and remembers where two reads are more than 3 ms apart. At the end of its
 * standard input it prints these, a line each: the read before and the read after, in nanoseconds. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
    static long long gaps[100000][2];
    int count = 0;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    printf("ready\n");
    fflush(stdout);
    long long before = now();
    for (int is_over = 0; !is_over;) {
        is_over = poll(&input, 1, 1) > 0;
        /* Also after the last wait, which may have been through a pause. */
        long long after = now();
        if (after - before > 3000000 && count < 100000) {
            gaps[count][0] = before;
            gaps[count++][1] = after;
        }
        before = after;
    }
    for (int at = 0; at < count; at++) printf("%lld %lld\n", gaps[at][0], gaps[at][1]);
    printf("end\n");
    return 0;
}
