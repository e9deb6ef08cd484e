/* A program that notices what a pause lets it notice. Threads sit in calls that wait, and count how often these fail with EINTR; the
 * main thread looks at its clocks; one reads a timer; one answers at a TCP port. Usage: seen [handler]: with a handler of SIGCONT.
 * Says `port N`. To every line on standard input it answers with what was noticed so far: `NAME VALUE` pairs in one line. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "truth.h"

enum { EPOLL, SIGWAIT, SEM, SLEEP, POLL, FUTEX, READ, CALLS };
static const char *const names[CALLS] = {"epoll_wait", "sigtimedwait", "semtimedop", "nanosleep", "poll", "futex", "read"};
static volatile long interrupted[CALLS], continued, expiries, spins;
static volatile int64_t mono_gap, boot_gap;

static void *sit(void *which) {
    int pipes[2], epoll = epoll_create1(0), word = 0, sem = (long)which == SEM ? semget(IPC_PRIVATE, 1, 0600) : -1;
    char byte;
    sigset_t set;
    struct epoll_event event;
    struct timespec minute = {60, 0};
    struct sembuf down = {0, -1, 0};
    pipe(pipes);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    for (;;) {
        long result = 0;
        switch ((long)which) {
        case EPOLL: result = epoll_wait(epoll, &event, 1, 60000); break;
        case SIGWAIT: result = sigtimedwait(&set, 0, &minute); break;
        case SEM: result = semtimedop(sem, &down, 1, &minute); break;
        case SLEEP: result = nanosleep(&minute, 0); break;
        case POLL: result = poll(&(struct pollfd){pipes[0], POLLIN, 0}, 1, 60000); break;
        case FUTEX: result = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &minute, 0, 0); break;
        case READ: result = read(pipes[0], &byte, 1); break;
        }
        if (result < 0 && errno == EINTR) interrupted[(long)which]++;
    }
}

static void *read_timer(void *unused) {
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    uint64_t count;
    timerfd_settime(timer, 0, &(struct itimerspec){{0, 10000000}, {0, 10000000}}, 0);
    while (read(timer, &count, sizeof count) == sizeof count) {
        expiries += count;
    }
    return 0;
}

static void *answer(void *listening) {
    char byte;
    for (;;) {
        int peer = accept((int)(long)listening, 0, 0);
        while (read(peer, &byte, 1) == 1) write(peer, &byte, 1);
        close(peer);
    }
}

static void *report(void *unused) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        for (int call = 0; call < CALLS; call++) printf("%s %ld ", names[call], interrupted[call]);
        printf("sigcont %ld expiries %ld mono_gap %ld boot_gap %ld\n", continued, expiries, (long)mono_gap, (long)boot_gap);
        fflush(stdout);
        if (line[0] == 'r') mono_gap = boot_gap = 0;
    }
    _exit(0);
}

static void on_continue(int signal) { continued++; }

static void widen(volatile int64_t *gap, int64_t *last, int clock) {
    int64_t now = by_clock_gettime(clock);
    if (*last && now - *last > *gap) *gap = now - *last;
    *last = now;
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    if (argc > 1) sigaction(SIGCONT, &(struct sigaction){.sa_handler = on_continue, .sa_flags = SA_RESTART}, 0);
    bind(listening, (struct sockaddr *)&at, length);
    listen(listening, 8);
    getsockname(listening, (struct sockaddr *)&at, &length);
    for (long call = 0; call < CALLS; call++) pthread_create(&thread, 0, sit, (void *)call);
    pthread_create(&thread, 0, read_timer, 0);
    pthread_create(&thread, 0, answer, (void *)(long)listening);
    pthread_create(&thread, 0, report, 0);
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (int64_t mono = 0, boot = 0;;) {
        widen(&mono_gap, &mono, CLOCK_MONOTONIC);
        widen(&boot_gap, &boot, CLOCK_BOOTTIME);
        for (int64_t until = true_clock(1) + 200000; true_clock(1) < until;) spins++;
        usleep(500);
    }
}
