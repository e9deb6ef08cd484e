/* A busy program for processes that are attached and detached: threads that read every clock as fast as they can, each interrupted
 * by a timer every millisecond whose handler reads them as well and sometimes stays for a while. Each reading of the wall
 * clock must be the truth, or the truth and the node's skew; the monotonic clock must be the truth. Arguments: threads, skew in
 * seconds. Says "ready PID"; at each line of its input, how many readings there were: all, skewed, in handlers, wrong. */
#include "truth.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* By how much the node's wall clock may run away from the machine's while it is skewed: that one is slewed, the node's is not. */
#define NEAR (SECOND / 100)
/* time() and coarse clocks are a tick behind, and time() knows whole seconds. */
#define TICK (SECOND / 50)

static int64_t skew;
static atomic_long readings, skewed, handled, wrong;
static _Thread_local int64_t last_mono;

static void check(const char *name, int64_t before, int64_t shown, int64_t after, int64_t behind) {
    int is_true = shown >= before - behind - NEAR && shown <= after + NEAR;
    int is_skewed = shown >= before + skew - behind - NEAR && shown <= after + skew + NEAR;
    atomic_fetch_add(&readings, 1);
    if (is_skewed) atomic_fetch_add(&skewed, 1);
    if (!is_true && !is_skewed && atomic_fetch_add(&wrong, 1) < 10) {
        fprintf(stderr, "%s shows %lld between %lld and %lld\n", name, (long long)shown, (long long)before, (long long)after);
    }
}

static void look(void) {
    struct timespec now;
    struct timeval day;
    int64_t before = true_clock(0);
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t after = true_clock(0);
    check("clock_gettime", before, nanos(now), after, 0);
    gettimeofday(&day, 0);
    int64_t later = true_clock(0);
    check("gettimeofday", after, day.tv_sec * SECOND + day.tv_usec * 1000, later, 1000);
    time_t seconds = time(0);
    check("time", later, seconds * SECOND, true_clock(0), SECOND + TICK);
    before = true_clock(1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    after = true_clock(1);
    if ((nanos(now) < before || nanos(now) > after) && atomic_fetch_add(&wrong, 1) < 10) {
        fprintf(stderr, "monotonic %lld between %lld and %lld\n", (long long)nanos(now), (long long)before, (long long)after);
    }
}

static void on_timer(int signal) {
    (void)signal;
    look();
    /* So that frames of interrupted readings stay for a while. */
    if (atomic_fetch_add(&handled, 1) % 16 == 0) {
        struct timespec a_while = {0, 300000};
        raw_syscall(SYS_nanosleep, (long)&a_while, 0, 0);
    }
}

static void *work(void *number) {
    if ((long)number % 2) {
        size_t size = 256 << 10;
        stack_t stack = {.ss_sp = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = size};
        sigaltstack(&stack, 0);
    }
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = syscall(SYS_gettid);
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, 0)) exit(2);
    for (;;) look();
    return 0;
}

int main(int count, char **words) {
    long threads = count > 1 ? atol(words[1]) : 2;
    skew = (count > 2 ? atoll(words[2]) : 3600) * SECOND;
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigaction(SIGUSR1, &action, 0);
    sigset_t own, before;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR1);
    for (long number = 0; number < threads; number++) {
        pthread_t thread;
        if (pthread_create(&thread, 0, work, (void *)number)) exit(3);
    }
    pthread_sigmask(SIG_BLOCK, &own, &before);
    printf("ready %d\n", getpid());
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        printf("readings %ld %ld %ld %ld\n", atomic_load(&readings), atomic_load(&skewed), atomic_load(&handled), atomic_load(&wrong));
        fflush(stdout);
    }
    _exit(atomic_load(&wrong) != 0);
}
