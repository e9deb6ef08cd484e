/* Waits for its clock to be set, as systemd does: a timer at the end of time with TFD_TIMER_CANCEL_ON_SET, in an epoll set. For
 * each notice it says `set WAY INSTANT`, by the machine's CLOCK_MONOTONIC; to a line it answers `seen`, when it has looked at all
 * that came before. Of the ways one sets its timer again each time, one only reads on, and one blocks in read. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "truth.h"

#define MUST(what) \
    do { \
        if (!(what)) printf("wrong: %s (errno %d)\n", #what, errno), fflush(stdout), _exit(1); \
    } while (0)

static void say(const char *way) {
    printf("set %s %lld\n", way, (long long)true_clock(CLOCK_MONOTONIC));
    fflush(stdout);
}

static int never(int flags) {
    struct itimerspec end = {.it_value.tv_sec = INT64_MAX};
    int descriptor = timerfd_create(CLOCK_REALTIME, flags | TFD_CLOEXEC);
    MUST(timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &end, 0) == 0);
    return descriptor;
}

static void again(int descriptor) {
    struct itimerspec end = {.it_value.tv_sec = INT64_MAX};
    MUST(timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &end, 0) == 0);
}

static void *blocks(void *none) {
    int descriptor = never(0);
    for (uint64_t count;;) {
        MUST(read(descriptor, &count, 8) == -1 && errno == ECANCELED);
        say("blocks");
    }
    return 0;
}

/* One that is told and closes its timer instead of reading: whatever gets its number reads as ever. */
static void closes(int descriptor) {
    int two[2];
    char byte = 0;
    MUST(close(descriptor) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, two) == 0);
    MUST((two[0] == descriptor || two[1] == descriptor) && write(two[0], "x", 1) == 1);
    MUST(read(two[1], &byte, 1) == 1 && byte == 'x');
    MUST(write(two[1], "y", 1) == 1 && read(two[0], &byte, 1) == 1 && byte == 'y');
    say("closes");
    close(two[0]);
    close(two[1]);
}

int main(void) {
    enum { SETS = 0, READS, CLOSES, INPUT };
    static const char *const names[] = {"sets", "reads"};
    pthread_t thread;
    int watch = epoll_create1(0), timers[3];
    for (int way = 0; way < 3; way++) timers[way] = never(TFD_NONBLOCK);
    pthread_create(&thread, 0, blocks, 0);
    for (int way = 0; way < 4; way++) {
        struct epoll_event one = {.events = EPOLLIN, .data.u32 = way};
        MUST(epoll_ctl(watch, EPOLL_CTL_ADD, way == INPUT ? 0 : timers[way], &one) == 0);
    }
    printf("ready\n");
    fflush(stdout);
    for (char line[64];;) {
        struct epoll_event events[4];
        uint64_t number;
        int count = epoll_wait(watch, events, 4, -1);
        MUST(count > 0 || errno == EINTR);
        for (int each = 0; each < count; each++) {
            int way = events[each].data.u32;
            if (way == INPUT) {
                long length = read(0, line, sizeof line);
                if (length <= 0) _exit(0);
                if (line[length - 1] != '\n') continue;
                printf("seen\n");
                fflush(stdout);
            } else if (way == CLOSES) {
                /* Closing takes it out of the set; only the first step is of interest. */
                closes(timers[way]);
            } else {
                MUST(read(timers[way], &number, 8) == -1 && errno == ECANCELED);
                say(names[way]);
                /* Once for each step. */
                MUST(read(timers[way], &number, 8) == -1 && errno == EAGAIN);
                if (way == SETS) again(timers[way]);
            }
        }
    }
}
