/* What timers and waits for a length of time answer to times, flags, clocks, descriptors and pointers that are no good, one line
 * each, with what is left in the caller's structures. No call here waits for long. Each runs in a child: it may crash, or hang. */
#include "wait_things.h"
#include <sys/socket.h>

static void *const nowhere = (void *)8, *const kernel = (void *)0xffff800000000000;
static char file[] = "/dev/null";
static uint32_t number_of_nobody;

static const struct timespec times[] = {
    {0, 0}, {0, -1}, {0, 1000000000}, {0, INT64_MIN}, {0, INT64_MAX}, {-1, 0}, {-1, 999999999}, {INT64_MIN, 0}, {INT64_MIN, INT64_MIN},
    {INT64_MAX, 999999999}, {INT64_MAX, 1000000000}, {INT64_MAX / SECOND, 999999999}, {1LL << 33, 0}, {1000, 0},
};
/* Microseconds: a million is refused by some, and carried by others. */
static const struct timeval micros[] = {
    {0, 0}, {0, -1}, {0, 1000000}, {0, 1500000}, {0, INT64_MIN}, {0, INT64_MAX}, {-1, 0}, {-1, 999999}, {INT64_MIN, 0},
    {INT64_MAX, 999999}, {INT64_MAX, 1000000}, {1LL << 33, 0}, {1000, 0},
};
enum { TIMES = sizeof times / sizeof *times, MICROS_ = sizeof micros / sizeof *micros };
#define EACH(at, list) for (int at = 0; at < (int)(sizeof(list) / sizeof *(list)); at++)

/* Runs `call` in a child: a line of its result and errno. */
#define ANSWER(label, one, two, call)                                                                                  \
    do {                                                                                                               \
        int status = 0;                                                                                                \
        fflush(stdout);                                                                                                \
        int pid = fork();                                                                                              \
        if (!pid) {                                                                                                    \
            alarm(10);                                                                                                 \
            errno = 77;                                                                                                \
            long result = (long)(call);                                                                                \
            printf("%s %lld %lld %s = %ld, errno %d\n", label, (long long)(one), (long long)(two), #call, result, errno); \
            fflush(stdout);                                                                                            \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        waitpid(pid, &status, 0);                                                                                      \
        if (WIFSIGNALED(status))                                                                                       \
            printf("%s %lld %lld %s: signal %d\n", label, (long long)(one), (long long)(two), #call, WTERMSIG(status)); \
    } while (0)

static int any_timer(int clock) { return timerfd_create(clock, TFD_NONBLOCK); }

/* What a timer says of itself after it was set: the interval, and whether it is armed. */
static long state_of(const struct itimerspec *now) {
    return now->it_interval.tv_sec * 10 + !!now->it_interval.tv_nsec * 2 + (now->it_value.tv_sec || now->it_value.tv_nsec);
}
static long descriptor_after(int timer, int flags, const struct itimerspec *to) {
    struct itimerspec now = {{5, 5}, {5, 5}};
    if (timerfd_settime(timer, flags, to, 0)) return -1;
    return timerfd_gettime(timer, &now) ? -2 : state_of(&now);
}
static long old_of_descriptor(int timer, const struct itimerspec *first, const struct itimerspec *second) {
    struct itimerspec old = {{5, 5}, {5, 5}};
    timerfd_settime(timer, 0, first, 0);
    long result = timerfd_settime(timer, 0, second, &old);
    return result ? result : state_of(&old);
}

static void descriptors(void) {
    static struct itimerspec setting, old;
    const int clocks[] = {-6, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99, INT_MIN};
    const int flags[] = {0, 1, 2, 3, 4, 5, 8, -1, INT_MIN};
    const int create_flags[] = {0, TFD_CLOEXEC, TFD_NONBLOCK, 1, -1};
    EACH(at, clocks) EACH(on, create_flags) ANSWER("timerfd_create", clocks[at], create_flags[on], timerfd_create(clocks[at], create_flags[on]));
    EACH(at, clocks) ANSWER("SYS_timerfd_create", clocks[at], 0, syscall(SYS_timerfd_create, clocks[at], 0));
    const int good[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    EACH(which, good) {
        int timer = any_timer(good[which]);
        EACH(on, flags) EACH(at, times) {
            setting = (struct itimerspec){{0, 0}, times[at]};
            ANSWER("timerfd value", good[which] * 100 + flags[on], at, descriptor_after(timer, flags[on], &setting));
            setting = (struct itimerspec){times[at], {1000, 0}};
            ANSWER("timerfd interval", good[which] * 100 + flags[on], at, descriptor_after(timer, flags[on], &setting));
        }
        setting = (struct itimerspec){{3, 1}, {1000, 0}};
        ANSWER("timerfd old", good[which], 0, timerfd_settime(timer, 0, &setting, nowhere));
        ANSWER("timerfd old", good[which], 0, timerfd_settime(timer, 1, &setting, kernel));
        ANSWER("timerfd old", good[which], 0, old_of_descriptor(timer, &setting, &setting));
        setting.it_value.tv_nsec = -1;
        ANSWER("timerfd both", good[which], 0, timerfd_settime(timer, 0, &setting, nowhere));
        ANSWER("timerfd", good[which], 0, timerfd_settime(timer, 0, nowhere, 0));
        ANSWER("timerfd", good[which], 0, timerfd_settime(timer, 1, kernel, &old));
        ANSWER("timerfd", good[which], 0, timerfd_settime(timer, 0, 0, 0));
        ANSWER("timerfd", good[which], 0, timerfd_gettime(timer, nowhere));
        ANSWER("timerfd", good[which], 0, timerfd_gettime(timer, 0));
        ANSWER("timerfd", good[which], 0, syscall(SYS_timerfd_settime, timer, 1, nowhere, nowhere));
        ANSWER("timerfd", good[which], 0, read(timer, nowhere, 8));
        ANSWER("timerfd", good[which], 0, read(timer, &setting, 4));
    }
    int pipes[2], others[] = {-1, 999, INT_MAX, INT_MIN, open(file, O_RDONLY), epoll_create1(0), socket(AF_UNIX, SOCK_STREAM, 0), 0};
    if (pipe(pipes)) _exit(3);
    others[7] = pipes[0];
    EACH(at, others) {
        setting = (struct itimerspec){{0, 0}, {1000, 0}};
        ANSWER("no timer", at, 0, timerfd_settime(others[at], 0, &setting, 0));
        ANSWER("no timer", at, 0, timerfd_settime(others[at], 1, &setting, &old));
        ANSWER("no timer", at, 0, timerfd_settime(others[at], 1, nowhere, 0));
        ANSWER("no timer", at, 0, timerfd_gettime(others[at], &old));
        ANSWER("no timer", at, 0, syscall(SYS_timerfd_settime, others[at], 1, &setting, 0));
    }
}

static long timer_after(clockid_t clock, int flags, const struct itimerspec *to) {
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    struct itimerspec now = {{5, 5}, {5, 5}};
    timer_t timer;
    if (timer_create(clock, &none, &timer)) return -1;
    if (timer_settime(timer, flags, to, 0)) return -2;
    return timer_gettime(timer, &now) ? -3 : state_of(&now);
}
static timer_t a_timer(clockid_t clock) {
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    timer_create(clock, &none, &timer);
    return timer;
}
static long create(clockid_t clock, int notify, int signal) {
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signal, .sigev_notify_function = post};
    timer_t timer;
    return timer_create(clock, &event, &timer);
}

static void timers(void) {
    static struct itimerspec setting;
    static int number;
    const int clocks[] = {-6, -1, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 99, INT_MIN};
    const int notes[] = {SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, 4, 99, -1};
    EACH(at, clocks) EACH(on, notes) ANSWER("timer_create", clocks[at], notes[on], create(clocks[at], notes[on], SIGUSR2));
    const int signals[] = {-1, 0, 65, 1000};
    EACH(at, signals) ANSWER("timer_create signal", signals[at], 0, create(CLOCK_REALTIME, SIGEV_SIGNAL, signals[at]));
    EACH(at, clocks) ANSWER("SYS_timer_create", clocks[at], 0, syscall(SYS_timer_create, clocks[at], 0, &number));
    ANSWER("SYS_timer_create", 0, 0, syscall(SYS_timer_create, 0, nowhere, &number));
    ANSWER("SYS_timer_create", 0, 0, syscall(SYS_timer_create, 0, 0, nowhere));
    ANSWER("SYS_timer_create", 0, 0, syscall(SYS_timer_create, 1, 0, 0));
    const int good[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME}, flags[] = {0, 1, 2, 3, -1};
    EACH(which, good) EACH(on, flags) EACH(at, times) {
        setting = (struct itimerspec){{0, 0}, times[at]};
        ANSWER("timer value", good[which] * 100 + flags[on], at, timer_after(good[which], flags[on], &setting));
        setting = (struct itimerspec){times[at], {1000, 0}};
        ANSWER("timer interval", good[which] * 100 + flags[on], at, timer_after(good[which], flags[on], &setting));
    }
    EACH(which, good) EACH(on, flags) {
        setting = (struct itimerspec){{0, 0}, {1000, 0}};
        ANSWER("timer", good[which], flags[on], timer_settime(a_timer(good[which]), flags[on], &setting, nowhere));
        ANSWER("timer", good[which], flags[on], timer_settime(a_timer(good[which]), flags[on], nowhere, 0));
        ANSWER("timer", good[which], flags[on], timer_settime(a_timer(good[which]), flags[on], 0, 0));
        ANSWER("timer", good[which], flags[on], timer_gettime(a_timer(good[which]), nowhere));
    }
    const int none[] = {-1, 77, INT_MAX, INT_MIN};
    EACH(at, none) {
        ANSWER("SYS_timer", none[at], 0, syscall(SYS_timer_settime, none[at], 1, &setting, 0));
        ANSWER("SYS_timer", none[at], 0, syscall(SYS_timer_settime, none[at], 0, nowhere, 0));
        ANSWER("SYS_timer", none[at], 0, syscall(SYS_timer_gettime, none[at], &setting));
        ANSWER("SYS_timer", none[at], 0, syscall(SYS_timer_delete, none[at]));
    }
}

static long own_after(int which, const struct itimerval *to) {
    struct itimerval now = {{5, 5}, {5, 5}};
    long result = setitimer(which, to, 0);
    int error = errno;
    getitimer(which, &now);
    errno = error;
    return result ? result : now.it_interval.tv_sec * 10 + !!now.it_interval.tv_usec * 2 + (now.it_value.tv_sec || now.it_value.tv_usec);
}

static void own(void) {
    static struct itimerval setting, old;
    const int which[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, 3, -1, INT_MAX};
    EACH(on, which) {
        EACH(at, micros) {
            setting = (struct itimerval){{0, 0}, micros[at]};
            ANSWER("setitimer value", which[on], at, own_after(which[on], &setting));
            setting = (struct itimerval){micros[at], {1000, 0}};
            ANSWER("setitimer interval", which[on], at, own_after(which[on], &setting));
        }
        setting = (struct itimerval){{0, 0}, {1000, 0}};
        ANSWER("setitimer", which[on], 0, setitimer(which[on], &setting, nowhere));
        ANSWER("setitimer", which[on], 0, setitimer(which[on], &setting, kernel));
        ANSWER("setitimer", which[on], 0, setitimer(which[on], nowhere, 0));
        ANSWER("setitimer", which[on], 0, syscall(SYS_setitimer, which[on], kernel, 0));
        ANSWER("setitimer", which[on], 0, syscall(SYS_setitimer, which[on], &setting, nowhere));
        ANSWER("setitimer", which[on], 0, syscall(SYS_setitimer, which[on], 0, &old));
        ANSWER("getitimer", which[on], 0, getitimer(which[on], nowhere));
        ANSWER("getitimer", which[on], 0, syscall(SYS_getitimer, which[on], 0));
    }
    const unsigned numbers[] = {0, 500000, 999999, 1000000, UINT_MAX};
    EACH(at, numbers) ANSWER("ualarm", numbers[at], 0, (alarm(0), numbers[at] < 1000000 ? ualarm(numbers[at], numbers[at]) : (int)ualarm(numbers[at], 0) < 0, ualarm(0, 0) / 1000000));
    ANSWER("alarm", 0, 0, (alarm(0), alarm(UINT_MAX), alarm(0) > 1000000));
    ANSWER("alarm", 0, 0, (alarm(1000), alarm(1000)) / 10);
}

#include "wait_lengths.h"

int main(void) {
    block_signals();
    make_system_v();
    descriptors();
    timers();
    own();
    lengths();
    remove_system_v();
    return 0;
}
