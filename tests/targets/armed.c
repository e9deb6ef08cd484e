/* What programs do with timers that are armed: copies, children, reuse of numbers, handlers, threads. `armed WHAT` arms timers a
 * minute ahead of the wall clock, or as it says; it says `armed` each time that it wants its clock jumped past them, and for each
 * that expires `fired NAME INSTANT`, by the machine's CLOCK_MONOTONIC. Whatever is not as it must be it says as `wrong`. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "truth.h"

#define MINUTE 60
static volatile sig_atomic_t signals;

static void say(const char *what, const char *name) {
    printf("%s %s %lld\n", what, name, (long long)true_clock(CLOCK_MONOTONIC));
    fflush(stdout);
}

#define MUST(what) \
    do { \
        if (!(what)) printf("wrong: %s (errno %d)\n", #what, errno), fflush(stdout), _exit(1); \
    } while (0)

static struct itimerspec ahead(int clock, int seconds) {
    struct timespec now;
    clock_gettime(clock, &now);
    now.tv_sec += seconds;
    return (struct itimerspec){.it_value = now};
}

static void arm(int descriptor) {
    struct itimerspec until = ahead(CLOCK_REALTIME, MINUTE);
    MUST(timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &until, 0) == 0);
}

static int armed(void) {
    int descriptor = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    MUST(descriptor >= 0);
    arm(descriptor);
    return descriptor;
}

/* Returns when the descriptor is readable, without reading it: others may wait for it too. */
static void await(const char *name, int descriptor) {
    struct pollfd one = {descriptor, POLLIN, 0};
    while (poll(&one, 1, -1) != 1) MUST(errno == EINTR);
    say("fired", name);
}

static void take(const char *name, int descriptor) {
    uint64_t count = 0;
    await(name, descriptor);
    MUST(read(descriptor, &count, 8) == 8 && count == 1);
}

static void heard(void) {
    char line[64];
    MUST(fgets(line, sizeof line, stdin));
}

/* The test says when it has jumped: the timers have been moved, and nobody has expired. */
static void moved(void) {
    say("move", "-");
    heard();
}

/* The same, by an hour: whoever has a deadline within that expires. */
static void passed(void) {
    say("pass", "-");
    heard();
}

/* A copy outlives the descriptor that it was made of, also when both were moved before that. */
static void copies(void) {
    const char *names[] = {"dup", "dup2", "dup3", "F_DUPFD", "F_DUPFD_CLOEXEC"};
    for (int way = 0; way < 5; way++)
        for (int both = 0; both < 2; both++) {
            int old = armed(), copy = -1;
            if (way == 0) copy = dup(old);
            if (way == 1) copy = dup2(old, 50);
            if (way == 2) copy = dup3(old, 51, O_CLOEXEC);
            if (way == 3) copy = fcntl(old, F_DUPFD, 60);
            if (way == 4) copy = fcntl(old, F_DUPFD_CLOEXEC, 60);
            MUST(copy >= 0);
            if (both) moved();
            MUST(close(old) == 0);
            say("armed", names[way]);
            take(names[way], copy);
            MUST(close(copy) == 0);
        }
    /* Set by the copy, seen by both. */
    int old = armed(), copy = dup(old);
    struct itimerspec left;
    arm(copy);
    MUST(timerfd_gettime(old, &left) == 0 && left.it_value.tv_sec >= MINUTE - 2 && left.it_value.tv_sec <= MINUTE);
    moved();
    say("armed", "set-by-copy");
    take("set-by-copy", old);
}

/* Its number is another's: a timer of another clock, a timer with another deadline, no timer at all. */
static void reused(void) {
    struct itimerspec soon = {.it_value = {0, 300000000}}, day = ahead(CLOCK_REALTIME, 86400);
    int old = armed();
    close(old);
    int new = timerfd_create(CLOCK_MONOTONIC, 0);
    MUST(new == old && timerfd_settime(new, 0, &soon, 0) == 0);
    int64_t begun = true_clock(CLOCK_MONOTONIC);
    passed();
    await("monotonic", new);
    MUST(true_clock(CLOCK_MONOTONIC) - begun >= 299000000);
    close(new);
    old = armed();
    close(old);
    new = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    MUST(new == old && timerfd_settime(new, TFD_TIMER_ABSTIME, &day, 0) == 0);
    passed();
    uint64_t count;
    MUST(read(new, &count, 8) == -1 && errno == EAGAIN);
    close(new);
    old = armed();
    close(old);
    new = eventfd(0, EFD_NONBLOCK);
    MUST(new == old);
    passed();
    MUST(read(new, &count, 8) == -1 && errno == EAGAIN);
    close(new);
    /* A copy put in a timer's place. */
    old = armed();
    int other = eventfd(0, EFD_NONBLOCK);
    MUST(dup2(other, old) == old);
    passed();
    MUST(read(old, &count, 8) == -1 && errno == EAGAIN);
    int last = armed();
    say("armed", "after");
    take("after", last);
}

/* The number of a copy is given to another timer, which is due in days, at any time while the helper sees to the jump past the one
 * before. */
static void renumbered(void) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    int first = armed();
    say("helper", pid);
    heard();
    close(first);
    for (int step = 0; step < 16; step++) {
        int old = armed(), copy = dup(old);
        close(old);
        passed();
        usleep(10000 * step);
        MUST(close(copy) == 0);
        int new = timerfd_create(CLOCK_REALTIME, 0);
        struct itimerspec days = ahead(CLOCK_REALTIME, 30 * 86400);
        MUST(new == old && timerfd_settime(new, TFD_TIMER_ABSTIME, &days, 0) == 0);
        MUST(dup(new) == copy);
        usleep(50000);
        struct pollfd one = {copy, POLLIN, 0};
        MUST(poll(&one, 1, 0) == 0);
        close(new), close(copy);
    }
}

static pid_t child(void (*what)(int), int descriptor) {
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) what(descriptor), fflush(stdout), _exit(0);
    return pid;
}

static void ends(pid_t pid) {
    int status;
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

static void only_waits(int descriptor) { await("child", descriptor); }

/* A wait of its own gives it a helper of its own. */
static void waits_by_itself(int descriptor) {
    struct timespec passed = {1, 0};
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &passed, 0);
    int own = armed();
    say("ready", "child");
    await("child", descriptor);
    await("own", own);
}

/* Descriptors are shared with a child. */
static void children(void) {
    int descriptor = armed();
    pid_t pid = child(only_waits, descriptor);
    say("armed", "both");
    await("parent", descriptor);
    ends(pid);
    close(descriptor);

    descriptor = armed();
    pid = child(waits_by_itself, descriptor);
    moved();
    moved();
    say("armed", "both");
    await("parent", descriptor);
    ends(pid);
    close(descriptor);

    /* And it goes on to be the parent's when the child has gone, whoever moved it meanwhile. */
    descriptor = armed();
    int gone[2];
    MUST(pipe(gone) == 0);
    pid = fork();
    if (pid == 0) {
        char byte;
        close(gone[1]);
        armed();
        read(gone[0], &byte, 1);
        _exit(0);
    }
    close(gone[0]);
    moved();
    moved();
    close(gone[1]);
    ends(pid);
    say("armed", "after-child");
    await("after-child", descriptor);
}

/* Who becomes a daemon keeps its timers' descriptors: its parent has gone. */
static void daemons(void) {
    int descriptor = armed();
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid) _exit(0);
    while (getppid() == pid) usleep(1000);
    usleep(50000);
    say("armed", "daemon");
    await("daemon", descriptor);
}

static timer_t timer;

static void set_timer(int seconds) {
    struct itimerspec until = ahead(CLOCK_REALTIME, seconds);
    MUST(timer_settime(timer, TIMER_ABSTIME, &until, 0) == 0);
}

static void expired(int signal) {
    set_timer(MINUTE);
    signals++;
}

static void only_count(int signal) { signals++; }

static void make_timer(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    sigaction(SIGUSR1, &action, 0);
    MUST(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
}

static void await_signals(int count) {
    sigset_t blocked, old;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    while (signals < count) sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, 0);
}

/* A handler sets the timer again, also while the thread that it interrupts is setting it. */
static void handlers(void) {
    make_timer(expired);
    set_timer(MINUTE);
    for (int count = 1; count <= 3; count++) {
        say("armed", "handler");
        await_signals(count);
        say("fired", "handler");
    }
    int64_t until = true_clock(CLOCK_MONOTONIC) + SECOND / 2;
    struct sigevent often = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec period = {{0, 200000}, {0, 200000}};
    timer_t ticking;
    MUST(timer_create(CLOCK_MONOTONIC, &often, &ticking) == 0 && timer_settime(ticking, 0, &period, 0) == 0);
    int before = signals;
    while (true_clock(CLOCK_MONOTONIC) < until) set_timer(MINUTE);
    MUST(timer_delete(ticking) == 0);
    MUST(signals > before + 100);
    int count = signals;
    set_timer(MINUTE);
    say("armed", "interrupted");
    await_signals(count + 1);
    say("fired", "interrupted");
}

static void has_no_timer(int none) {
    struct itimerspec left, until = ahead(CLOCK_REALTIME, MINUTE);
    MUST(timer_gettime(timer, &left) == -1 && errno == EINVAL);
    MUST(timer_settime(timer, TIMER_ABSTIME, &until, 0) == -1 && errno == EINVAL);
    signals = 0;
    make_timer(only_count);
    set_timer(MINUTE);
    await_signals(1);
    say("fired", "child");
    usleep(100000);
    MUST(signals == 1);
}

/* POSIX timers are not inherited; a child may have its own. */
static void forks(void) {
    make_timer(only_count);
    set_timer(MINUTE);
    pid_t pid = child(has_no_timer, 0);
    usleep(100000);
    say("armed", "both");
    await_signals(1);
    say("fired", "parent");
    ends(pid);
    MUST(signals == 1);
    set_timer(MINUTE);
    say("armed", "again");
    await_signals(2);
    say("fired", "again");
}

static void *sets(void *of) {
    int descriptor = *(int *)of;
    int64_t until = true_clock(CLOCK_MONOTONIC) + SECOND / 2;
    while (true_clock(CLOCK_MONOTONIC) < until) arm(descriptor), set_timer(MINUTE);
    return 0;
}

/* Two threads set one timer. */
static void threads(void) {
    pthread_t two[2];
    int descriptor = armed();
    make_timer(only_count);
    say("move", "-");
    for (int which = 0; which < 2; which++) pthread_create(&two[which], 0, sets, &descriptor);
    for (int which = 0; which < 2; which++) pthread_join(two[which], 0);
    heard();
    signals = 0;
    arm(descriptor);
    set_timer(MINUTE);
    say("armed", "threads");
    take("threads", descriptor);
    await_signals(1);
    say("fired", "signal");
    usleep(50000);
    MUST(signals == 1);
}

/* A thousand timers come and go, of which none is left. */
static void thousand(void) {
    static timer_t timers[1000];
    static int descriptors[1000];
    for (int round = 0; round < 3; round++) {
        for (int each = 0; each < 1000; each++) {
            descriptors[each] = armed();
            make_timer(only_count);
            set_timer(MINUTE);
            timers[each] = timer;
        }
        for (int each = 0; each < 1000; each++)
            MUST(close(descriptors[each]) == 0 && timer_delete(timers[each]) == 0);
    }
    int descriptor = armed();
    make_timer(only_count);
    set_timer(MINUTE);
    say("armed", "last");
    take("last", descriptor);
    await_signals(1);
    say("fired", "signal");
    usleep(50000);
    MUST(signals == 1);
}

/* The process's own timer goes on over exec, where nobody knows of it who could move it; and is stopped for a child. */
static void outlives(void) {
    struct itimerval second = {.it_value = {1, 0}}, left;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, 0);
    char begun[32];
    snprintf(begun, sizeof begun, "%lld", (long long)true_clock(CLOCK_MONOTONIC));
    MUST(setitimer(ITIMER_REAL, &second, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        MUST(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
        _exit(0);
    }
    ends(pid);
    execl("/proc/self/exe", "armed", "rings", begun, (char *)0);
    MUST(0);
}

static void rings(const char *begun) {
    int signal;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    MUST(sigwait(&alarm, &signal) == 0);
    printf("took %lld\n", (long long)true_clock(CLOCK_MONOTONIC) - atoll(begun));
}

int main(int count, char **words) {
    if (count == 3 && !strcmp(words[1], "rings")) return rings(words[2]), 0;
    static const struct {
        const char *name;
        void (*what)(void);
    } all[] = {{"copies", copies}, {"reused", reused}, {"children", children}, {"daemons", daemons},
               {"handlers", handlers}, {"forks", forks}, {"threads", threads}, {"thousand", thousand},
               {"outlives", outlives}, {"renumbered", renumbered}};
    for (int each = 0; each < 10; each++)
        if (count > 1 && !strcmp(words[1], all[each].name)) return all[each].what(), say("end", "-"), 0;
    return 2;
}
