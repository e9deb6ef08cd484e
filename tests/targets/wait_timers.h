/* Timers, each armed for the time and awaited by what programs await them with. Part of the list in wait_calls.h.
 *
 * A periodic one expires PERIODS times until the time is over, the last time then. */
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

enum { PERIODS = 16, ONCE = 0, PERIODIC = 1, RAW = 2 };

/* Whether a wait that is interrupted is begun again: SIGCONT interrupts some, with no handler. */
static int patient;
#define WAIT(failed, call) do { failed = call; } while (failed && patient && errno == EINTR)

/* How long a period is; nothing where the time is none that is ahead. */
static inline int64_t period(clockid_t clock, int flags, const struct timespec *until) {
    int sane = until->tv_sec >= 0 && until->tv_sec < 1LL << 32 && until->tv_nsec >= 0 && until->tv_nsec < SECOND;
    if (!sane) return 0;
    int64_t left = nanos(*until) - (flags & TIMER_ABSTIME ? by_clock_gettime(clock) : 0);
    return left < 100 * PERIODS ? 0 : left / PERIODS / 1000 * 1000;
}

/* What it is set to, and by its clock when it is over. */
static inline struct itimerspec set_for(struct things *t, clockid_t clock, int flags, const struct timespec *until, int how) {
    struct itimerspec setting = {{0, 0}, *until};
    t->every = how & PERIODIC ? period(clock, flags, until) : 0;
    t->over = 0;
    if (t->every) {
        int64_t first = nanos(*until) - (PERIODS - 1) * t->every;
        setting = (struct itimerspec){{t->every / SECOND, t->every % SECOND}, {first / SECOND, first % SECOND}};
        t->over = nanos(*until) + (flags & TIMER_ABSTIME ? 0 : by_clock_gettime(clock));
    }
    return setting;
}

/* Whether a timer has told of all expiries until now, give or take GRACE, and that is when its time is over. One that does not
 * count them ends with the first after that. */
static inline int has_ended(struct things *t, clockid_t clock, uint64_t expiries, int counts) {
    enum { GRACE = 5000000 };
    int64_t now = by_clock_gettime(clock);
    t->count += expiries;
    if (now < t->over) return 0;
    if (!t->every || !counts) return 1;
    int64_t since = now - GRACE - t->over;
    return t->count >= PERIODS + (since > 0 ? since / t->every : 0);
}

enum { BY_READ, BY_POLL, BY_EPOLL };

/* A timer with a descriptor. Clocks of alarms need a privilege that their tests may lack, so they are not in the list. */
static inline int descriptor(struct things *t, clockid_t clock, int flags, const struct timespec *until, int by, int how) {
    int timer = how & RAW ? syscall(SYS_timerfd_create, clock, 0) : timerfd_create(clock, 0);
    if (timer < 0) return errno;
    struct itimerspec setting = set_for(t, clock, flags, until, how);
    int result = how & RAW ? syscall(SYS_timerfd_settime, timer, flags, &setting, 0) : timerfd_settime(timer, flags, &setting, 0);
    for (uint64_t expiries = 0; !result;) {
        struct pollfd one = {timer, POLLIN, 0};
        struct epoll_event event = {EPOLLIN};
        if (by == BY_POLL) WAIT(result, poll(&one, 1, -1) < 0);
        if (by == BY_EPOLL) {
            epoll_ctl(t->epoll, EPOLL_CTL_ADD, timer, &event);
            WAIT(result, epoll_wait(t->epoll, &event, 1, -1) < 0);
        }
        long length = result ? 0 : how & RAW ? syscall(SYS_read, timer, &expiries, 8) : read(timer, &expiries, 8);
        if (length < 0) result = -1;
        if (!result && has_ended(t, clock, expiries, 1)) break;
    }
    int error = result ? errno : 0;
    close(timer);
    return error;
}

/* A POSIX timer that signals: a signal of its own. */
static inline int signaller(struct things *t, clockid_t clock, int flags, const struct timespec *until, int how) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = t->signal};
    timer_t timer = 0;
    int number = 0;
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, t->signal);
    if (how & RAW ? syscall(SYS_timer_create, clock, &event, &number) : timer_create(clock, &event, &timer)) return errno;
    struct itimerspec setting = set_for(t, clock, flags, until, how);
    int result = how & RAW ? syscall(SYS_timer_settime, number, flags, &setting, 0) : timer_settime(timer, flags, &setting, 0);
    while (!result) {
        WAIT(result, sigwaitinfo(&set, &info) != t->signal);
        if (!result && has_ended(t, clock, 1 + info.si_overrun, 1)) break;
    }
    int error = result ? errno : 0;
    how & RAW ? syscall(SYS_timer_delete, number) : timer_delete(timer);
    return error;
}

static inline void post(union sigval of) { sem_post(of.sival_ptr); }

/* A POSIX timer that has libc start a thread, in which no signal is blocked. */
static inline int starter(struct things *t, clockid_t clock, int flags, const struct timespec *until) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = post, .sigev_value.sival_ptr = &t->none};
    struct itimerspec setting = set_for(t, clock, flags, until, ONCE);
    timer_t timer;
    if (timer_create(clock, &event, &timer)) return errno;
    int result = timer_settime(timer, flags, &setting, 0) || sem_wait(&t->none);
    int error = result ? errno : 0;
    timer_delete(timer);
    return error;
}

enum { BY_SETITIMER, BY_ALARM, BY_UALARM, BY_THREAD };

/* The process's own timer. */
static inline int own_timer(struct things *t, const struct timespec *until, int by, int how) {
    struct itimerspec setting = set_for(t, CLOCK_MONOTONIC, 0, until, how);
    struct itimerval given = {{setting.it_interval.tv_sec, setting.it_interval.tv_nsec / 1000},
                              {setting.it_value.tv_sec, setting.it_value.tv_nsec / 1000}};
    sigset_t set;
    siginfo_t info;
    int result = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    if (by == BY_SETITIMER) result = how & RAW ? syscall(SYS_setitimer, 0, &given, 0) : setitimer(0, &given, 0);
    if (by == BY_ALARM) how & RAW ? syscall(SYS_alarm, seconds(until)) : alarm(seconds(until));
    /* It takes no second or more. */
    if (by == BY_UALARM) ualarm(given.it_value.tv_usec, given.it_interval.tv_usec);
    while (!result) {
        WAIT(result, sigwaitinfo(&set, &info) != SIGALRM);
        if (!result && has_ended(t, CLOCK_MONOTONIC, 1, 0)) break;
    }
    return result ? errno : 0;
}

/* What a process of its own is asked, and answers: there is one such timer a process, and signals for others are not blocked. */
struct errand {
    struct timespec until;
    int by, how, result;
    clockid_t clock;
    int64_t count, every;
};

/* Starts it. It ends with the thread that started it. */
static inline int helper(struct things *t) {
    int ends[2];
    struct errand errand;
    int parent = getpid();
    if (pipe(ends) || pipe(t->answers)) return -1;
    if ((t->child = fork())) {
        close(ends[0]);
        close(t->answers[1]);
        t->asks = ends[1];
        return t->child > 0 ? 0 : -1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* It may have ended before that. */
    if (getppid() != parent) _exit(0);
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarms, 0);
    while (read(ends[0], &errand, sizeof errand) == sizeof errand) {
        t->count = 0;
        int is_own = errand.by != BY_THREAD;
        errand.result = is_own ? own_timer(t, &errand.until, errand.by, errand.how)
                               : starter(t, errand.clock, errand.how, &errand.until);
        errand.count = t->count;
        errand.every = t->every;
        if (write(t->answers[1], &errand, sizeof errand) < 0) break;
    }
    _exit(0);
}

static inline int run_errand(struct things *t, struct errand errand) {
    if (write(t->asks, &errand, sizeof errand) < 0 || read(t->answers[0], &errand, sizeof errand) < 0) return errno;
    t->count = errand.count;
    t->every = errand.every;
    return errand.result;
}

static inline int in_child(struct things *t, const struct timespec *until, int by, int how) {
    return run_errand(t, (struct errand){*until, by, how});
}
static inline int thread_in_child(struct things *t, clockid_t clock, int flags, const struct timespec *until) {
    return run_errand(t, (struct errand){*until, BY_THREAD, flags, 0, clock});
}

#define ABS TIMER_ABSTIME

#define CALLS_OF_TIMERS(X)                                                                                             \
    X("timerfd(REALTIME,until)", REAL, UNTIL, SLEEP, descriptor(t, REAL, ABS, until, BY_READ, ONCE))                   \
    X("timerfd(REALTIME,until),poll", REAL, UNTIL, SLEEP, descriptor(t, REAL, ABS, until, BY_POLL, ONCE))              \
    X("timerfd(REALTIME,until),epoll", REAL, UNTIL, SLEEP, descriptor(t, REAL, ABS, until, BY_EPOLL, ONCE))            \
    X("timerfd(REALTIME,until),periodic", REAL, UNTIL, SLEEP, descriptor(t, REAL, ABS, until, BY_READ, PERIODIC))      \
    X("timerfd(REALTIME,until),periodic,epoll", REAL, UNTIL, SLEEP, descriptor(t, REAL, ABS, until, BY_EPOLL, PERIODIC))\
    X("timerfd(REALTIME,relative)", MONO, FOR, SLEEP, descriptor(t, REAL, 0, until, BY_READ, ONCE))                    \
    X("timerfd(MONOTONIC,until)", MONO, UNTIL, SLEEP, descriptor(t, MONO, ABS, until, BY_READ, ONCE))                  \
    X("timerfd(MONOTONIC,until),poll", MONO, UNTIL, SLEEP, descriptor(t, MONO, ABS, until, BY_POLL, ONCE))             \
    X("timerfd(MONOTONIC,until),periodic", MONO, UNTIL, SLEEP, descriptor(t, MONO, ABS, until, BY_READ, PERIODIC))     \
    X("timerfd(MONOTONIC,relative)", MONO, FOR, SLEEP, descriptor(t, MONO, 0, until, BY_READ, ONCE))                   \
    X("timerfd(MONOTONIC,relative),epoll", MONO, FOR, SLEEP, descriptor(t, MONO, 0, until, BY_EPOLL, ONCE))            \
    X("timerfd(MONOTONIC,relative),periodic", MONO, FOR, SLEEP, descriptor(t, MONO, 0, until, BY_READ, PERIODIC))      \
    X("timerfd(BOOTTIME,until)", CLOCK_BOOTTIME, UNTIL, SLEEP, descriptor(t, CLOCK_BOOTTIME, ABS, until, BY_READ, ONCE))\
    X("timerfd(BOOTTIME,relative)", CLOCK_BOOTTIME, FOR, SLEEP, descriptor(t, CLOCK_BOOTTIME, 0, until, BY_READ, ONCE))\
    X("SYS_timerfd(REALTIME,until)", REAL, UNTIL, SLEEP, descriptor(t, REAL, ABS, until, BY_READ, RAW))                \
    X("SYS_timerfd(MONOTONIC,relative)", MONO, FOR, SLEEP, descriptor(t, MONO, 0, until, BY_READ, RAW))                \
    X("timer(REALTIME,until)", REAL, UNTIL, SLEEP, signaller(t, REAL, ABS, until, ONCE))                               \
    X("timer(REALTIME,until),periodic", REAL, UNTIL, SLEEP, signaller(t, REAL, ABS, until, PERIODIC))                  \
    X("timer(REALTIME,relative)", MONO, FOR, SLEEP, signaller(t, REAL, 0, until, ONCE))                                \
    X("timer(TAI,until)", CLOCK_TAI, UNTIL, SLEEP, signaller(t, CLOCK_TAI, ABS, until, ONCE))                          \
    X("timer(MONOTONIC,until)", MONO, UNTIL, SLEEP, signaller(t, MONO, ABS, until, ONCE))                              \
    X("timer(MONOTONIC,relative)", MONO, FOR, SLEEP, signaller(t, MONO, 0, until, ONCE))                               \
    X("timer(MONOTONIC,relative),periodic", MONO, FOR, SLEEP, signaller(t, MONO, 0, until, PERIODIC))                  \
    X("timer(BOOTTIME,relative)", CLOCK_BOOTTIME, FOR, SLEEP, signaller(t, CLOCK_BOOTTIME, 0, until, ONCE))            \
    X("SYS_timer(REALTIME,until)", REAL, UNTIL, SLEEP, signaller(t, REAL, ABS, until, RAW))                            \
    X("SYS_timer(MONOTONIC,relative)", MONO, FOR, SLEEP, signaller(t, MONO, 0, until, RAW))                            \
    X("timer(REALTIME,until),thread", REAL, UNTIL, SLEEP, thread_in_child(t, REAL, ABS, until))                        \
    X("timer(MONOTONIC,until),thread", MONO, UNTIL, SLEEP, thread_in_child(t, MONO, ABS, until))                       \
    X("timer(MONOTONIC,relative),thread", MONO, FOR, SLEEP, thread_in_child(t, MONO, 0, until))                        \
    X("setitimer", MONO, FOR, SLEEP, in_child(t, until, BY_SETITIMER, ONCE))                                           \
    X("setitimer,periodic", MONO, FOR, SLEEP, in_child(t, until, BY_SETITIMER, PERIODIC))                              \
    X("SYS_setitimer", MONO, FOR, SLEEP, in_child(t, until, BY_SETITIMER, RAW))                                        \
    X("alarm", MONO, SECONDS, SLEEP, in_child(t, until, BY_ALARM, ONCE))                                               \
    X("SYS_alarm", MONO, SECONDS, SLEEP, in_child(t, until, BY_ALARM, RAW))                                            \
    X("ualarm,periodic", MONO, MICROS, SLEEP, in_child(t, until, BY_UALARM, PERIODIC))
