/* Many armed timers, each a descriptor with an instant of the wall clock, in one epoll set. `many_timers COUNT SPREAD`: deadlines
 * lie evenly, in no order, from half a second ahead until SPREAD nanoseconds later. It says `armed`, then for each that expires
 * `DEADLINE BEFORE AFTER SHOWN`: what it was set to, the machine's CLOCK_MONOTONIC when it was set and when the program was
 * back from waiting, and what the node's clock showed then; and at the end `cpu NANOSECONDS`. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "truth.h"

struct one {
    int descriptor;
    int64_t deadline, before, after, shown;
};

#define MUST(what) \
    do { \
        if (!(what)) perror(#what), exit(1); \
    } while (0)

int main(int words, char **word) {
    if (words != 3) return 2;
    long count = atol(word[1]), spread = atol(word[2]), left = count;
    struct one *all = calloc(count, sizeof *all);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int watch = epoll_create1(EPOLL_CLOEXEC);
    int64_t first = by_clock_gettime(CLOCK_REALTIME) + SECOND / 2;
    for (long each = 0; each < count; each++) {
        struct one *one = &all[each];
        /* 7919 is prime: every place once, far from the one before. */
        one->deadline = first + spread / count * (each * 7919 % count);
        one->descriptor = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
        MUST(one->descriptor >= 0);
        struct itimerspec until = {.it_value = {one->deadline / SECOND, one->deadline % SECOND}};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
        one->before = true_clock(CLOCK_MONOTONIC);
        MUST(timerfd_settime(one->descriptor, TFD_TIMER_ABSTIME, &until, 0) == 0);
        MUST(epoll_ctl(watch, EPOLL_CTL_ADD, one->descriptor, &event) == 0);
    }
    printf("armed\n");
    fflush(stdout);
    while (left) {
        struct epoll_event events[512];
        int ready = epoll_wait(watch, events, 512, -1);
        int64_t shown = by_clock_gettime(CLOCK_REALTIME), after = true_clock(CLOCK_MONOTONIC);
        for (int each = 0; each < ready; each++) {
            struct one *one = events[each].data.ptr;
            uint64_t expired = 0;
            MUST(read(one->descriptor, &expired, 8) == 8 && expired == 1);
            MUST(epoll_ctl(watch, EPOLL_CTL_DEL, one->descriptor, 0) == 0);
            one->after = after;
            one->shown = shown;
            left--;
        }
    }
    for (long each = 0; each < count; each++)
        printf("%ld %ld %ld %ld\n", all[each].deadline, all[each].before, all[each].after, all[each].shown);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("cpu %ld\n", nanos(cpu));
    fflush(stdout);
    getchar();
}
