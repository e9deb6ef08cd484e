/* Two threads that read their clocks without end and count how often one ran backward, and by how much at most. A line on
 * standard input asks for the counts. Each clock is one clock to both threads, by whichever way it is read. */
#include "truth.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static const int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, 4 /* CLOCK_MONOTONIC_RAW */, 11 /* CLOCK_TAI */};
enum { CLOCKS = sizeof ids / sizeof *ids };
static _Atomic long reads, backward[CLOCKS], worst[CLOCKS];
static _Atomic int64_t shared[CLOCKS];

static void *loop(void *unused) {
    for (;; atomic_fetch_add(&reads, 1)) {
        int at = reads % CLOCKS;
        /* What anybody has seen before this read began must not be more than what it shows. */
        int64_t before = atomic_load(&shared[at]), now = by_clock_gettime(ids[at]);
        if (now < before) {
            atomic_fetch_add(&backward[at], 1);
            if (before - now > worst[at]) worst[at] = before - now;
        } else {
            atomic_compare_exchange_strong(&shared[at], &before, now);
        }
    }
    return unused;
}

int main(void) {
    pthread_t thread[2];
    char line[64];
    setvbuf(stdout, 0, _IONBF, 0);
    for (int at = 0; at < 2; at++) pthread_create(&thread[at], 0, loop, 0);
    while (fgets(line, sizeof line, stdin)) {
        printf("%ld", reads);
        for (int at = 0; at < CLOCKS; at++) printf(" %ld %ld", backward[at], worst[at]);
        printf("\n");
    }
    return 0;
}
