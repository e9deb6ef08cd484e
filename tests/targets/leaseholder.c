/* A lease by the wall clock: taken, looked at before each write, renewed when it is over. What is written bears the true
 * instant, by which everybody else would judge it.
 * Usage: leaseholder LEASE_MS. Each line on standard input is a run of so many milliseconds; it answers with how many
 * writes there were, and how many of them came after the lease had ended. */
#include "truth.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct entry {
    int64_t at, lease_end;
};
static struct entry storage[1 << 16];
static volatile int written;

static void put(int64_t lease_end) {
    if (written < 1 << 16) storage[written++] = (struct entry){true_clock(0), lease_end};
}

int main(int argc, char **argv) {
    int64_t lease = atoi(argv[1]) * 1000000LL;
    char line[64];
    setvbuf(stdout, 0, _IOLBF, 0);
    printf("ready\n");
    while (fgets(line, sizeof line, stdin)) {
        int64_t end_of_run = true_clock(1) + atoi(line) * 1000000LL;
        written = 0;
        int64_t expiry = by_clock_gettime(0) + lease;
        while (true_clock(1) < end_of_run) {
            if (by_clock_gettime(0) < expiry) put(expiry);
            else expiry = by_clock_gettime(0) + lease;
            usleep(1000);
        }
        int late = 0;
        for (int at = 0; at < written; at++) late += storage[at].at > storage[at].lease_end;
        printf("writes %d late %d\n", written, late);
    }
    return 0;
}
