/* Which parts of what a program does with time are its node's: told by what they do an hour behind the machine.
 * Says "up", waits for a line, and then names each part with "node" or "machine". */
#include "seccomp.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *part, int of_node) {
    printf("%s %s\n", part, of_node ? "node" : "machine");
    fflush(stdout);
}

static int is_near(struct timespec shown, struct timespec node) {
    return labs(shown.tv_sec - node.tv_sec) < 600;
}

static long raw(long number, long first, void *second) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
    return result;
}

static void awake(int signal) {
    (void)signal;
}

/* Whether a sleep until an instant that is a minute ahead by the node's clock, and past by the machine's, lasts until a signal. */
static int sleeps(struct timespec node) {
    struct sigaction action = {.sa_handler = awake};
    struct itimerval often = {{0, 200000}, {0, 200000}}, never = {{0, 0}, {0, 0}};
    node.tv_sec += 60;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    int result = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &node, NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    return result == EINTR;
}

/* Whether a timer that is set to such an instant lets one wait. */
static int lets_wait(struct timespec node) {
    struct itimerspec at = {{0, 0}, {node.tv_sec + 60, node.tv_nsec}};
    struct pollfd timer = {timerfd_create(CLOCK_REALTIME, 0), POLLIN, 0};
    timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &at, NULL);
    return poll(&timer, 1, 200) == 0;
}

/* Whether a call that sets the clock is refused before it comes to the kernel, where a filter refuses it by another name. */
static int is_refused(struct timespec node) {
    static const struct instruction code[] = {
        LOAD_NUMBER,
        ALLOW_CALL(SYS_clock_settime, 1),
        RETURN(ALLOW),
        RETURN(REFUSE(EXDEV)),
    };
    if (install(code, 4)) {
        perror("a filter");
        exit(1);
    }
    return clock_settime(CLOCK_REALTIME, &node) == -1 && errno == EPERM;
}

int main(void) {
    struct timespec node, shown;
    puts("up");
    fflush(stdout);
    getchar();
    clock_gettime(CLOCK_REALTIME, &node);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &shown);
    tell("syscall", is_near(shown, node));
    raw(SYS_clock_gettime, CLOCK_REALTIME, &shown);
    tell("raw", is_near(shown, node));
    tell("deadline", sleeps(node));
    tell("timer", lets_wait(node));
    tell("setting", is_refused(node));
    return 0;
}
