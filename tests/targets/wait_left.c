/* What is left of timers and of interrupted waits. All of them begin; told `look`, it says of each what is left, one line each:
 *
 *     NAME LENGTH LEAST MOST UNIT
 *
 * (nanoseconds of the node's clock: what is left, and between what it must lie by that clock; UNIT is what it is rounded by.) */
#include "wait_things.h"

enum { LENGTH = 100 };

static struct one {
    const char *name;
    int64_t begun[2], left, looked[2], unit;
} ones[16];
static int count;
static pthread_t waiters[8];
static pthread_barrier_t about;

static void on_signal(int signal) { (void)signal; }
static int64_t now(void) { return by_clock_gettime(CLOCK_MONOTONIC); }

/* Between `begun` it was set, between `looked` looked at. */
static void tell(const struct one *one) {
    int64_t length = LENGTH * SECOND;
    printf("%s %lld %lld %lld %lld\n", one->name, (long long)one->left, (long long)(length - (one->looked[1] - one->begun[0])),
           (long long)(length - (one->looked[0] - one->begun[1])), (long long)one->unit);
}

#define BEGIN(call, of_name, rounding)                                                                                 \
    do {                                                                                                               \
        struct one *one = ones + count++;                                                                              \
        *one = (struct one){.name = of_name, .unit = rounding, .begun[0] = now()};                                     \
        call;                                                                                                          \
        one->begun[1] = now();                                                                                         \
    } while (0)
#define LOOK(call, value)                                                                                              \
    do {                                                                                                               \
        one->looked[0] = now();                                                                                        \
        call;                                                                                                          \
        one->left = value;                                                                                             \
        one->looked[1] = now();                                                                                        \
        tell(one++);                                                                                                   \
    } while (0)

/* A wait that a signal interrupts: the signal is sent after `looked[0]`. */
static struct one waits[] = {{"nanosleep"}, {"clock_nanosleep"}, {"SYS_nanosleep"}, {"SYS_ppoll"}, {"SYS_pselect6"}, {"SYS_select"},
                             {"sleep"},
#ifdef __GLIBC__
                             {"select"},
#endif
};
enum { WAITS = sizeof waits / sizeof *waits };

static void *wait_for_signal(void *of) {
    struct one *one = of;
    struct timespec length = {LENGTH, 0}, left = {0, 0};
    struct timeval short_ = {LENGTH, 0};
    const char *name = one->name;
    pthread_barrier_wait(&about);
    one->begun[0] = now();
    one->unit = 2000;
    if (!strcmp(name, "nanosleep")) nanosleep(&length, &left);
    if (!strcmp(name, "clock_nanosleep")) clock_nanosleep(CLOCK_REALTIME, 0, &length, &left);
    if (!strcmp(name, "SYS_nanosleep")) syscall(SYS_nanosleep, &length, &left);
    if (!strcmp(name, "SYS_ppoll")) syscall(SYS_ppoll, 0, 0, &length, 0, 8), left = length;
    if (!strcmp(name, "SYS_pselect6")) syscall(SYS_pselect6, 0, 0, 0, 0, &length, 0), left = length;
    int micros = !strcmp(name, "select") || !strcmp(name, "SYS_select");
    if (micros) name[0] == 's' ? select(0, 0, 0, 0, &short_) : syscall(SYS_select, 0, 0, 0, 0, &short_);
    if (micros) left = (struct timespec){short_.tv_sec, short_.tv_usec * 1000};
    if (!strcmp(name, "sleep")) left.tv_sec = sleep(LENGTH), one->unit = SECOND;
    one->looked[1] = now();
    one->left = nanos(left);
    return 0;
}

int main(void) {
    char line[64];
    struct itimerspec setting = {{3, 0}, {LENGTH, 0}}, seen;
    struct itimerval own = {{3, 0}, {LENGTH, 0}}, left;
    struct sigevent none = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    int mono = timerfd_create(CLOCK_MONOTONIC, 0), raw = timerfd_create(CLOCK_BOOTTIME, 0), again = timerfd_create(CLOCK_MONOTONIC, 0);
    timer_t timer, other;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR2, &action, 0);
    block_signals();
    timer_create(CLOCK_MONOTONIC, &none, &timer);
    timer_create(CLOCK_REALTIME, &none, &other);
    pthread_barrier_init(&about, 0, WAITS + 1);
    for (int at = 0; at < WAITS; at++) pthread_create(waiters + at, 0, wait_for_signal, waits + at);
    pthread_barrier_wait(&about);
    BEGIN(timerfd_settime(mono, 0, &setting, 0), "timerfd_gettime", 1000);
    BEGIN(timerfd_settime(again, 0, &setting, 0), "timerfd_settime(old)", 1000);
    BEGIN(syscall(SYS_timerfd_settime, raw, 0, &setting, 0), "SYS_timerfd_gettime", 1000);
    BEGIN(timer_settime(timer, 0, &setting, 0), "timer_gettime", 1000);
    BEGIN(timer_settime(other, 0, &setting, 0), "timer_settime(old)", 1000);
    BEGIN(setitimer(0, &own, 0), "getitimer", 5000);
    ones[count] = ones[count - 1];
    ones[count++].name = "setitimer(old)";
    ones[count] = ones[count - 1];
    ones[count].name = "alarm";
    ones[count++].unit = SECOND;
    printf("armed\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 3;
    struct one *one = ones;
    LOOK(timerfd_gettime(mono, &seen), nanos(seen.it_value));
    LOOK(timerfd_settime(again, 0, &setting, &seen), nanos(seen.it_value));
    LOOK(syscall(SYS_timerfd_gettime, raw, &seen), nanos(seen.it_value));
    LOOK(timer_gettime(timer, &seen), nanos(seen.it_value));
    LOOK(timer_settime(other, 0, &setting, &seen), nanos(seen.it_value));
    LOOK(getitimer(0, &left), left.it_value.tv_sec * SECOND + left.it_value.tv_usec * 1000);
    int64_t set = now();
    LOOK(setitimer(0, &own, &left), left.it_value.tv_sec * SECOND + left.it_value.tv_usec * 1000);
    one->begun[0] = set;
    one->begun[1] = now();
    unsigned seconds;
    LOOK(seconds = alarm(0), seconds * SECOND);
    for (int at = 0; at < WAITS; at++) {
        waits[at].looked[0] = now();
        waits[at].begun[1] = waits[at].begun[0];
        pthread_kill(waiters[at], SIGUSR2);
        pthread_join(waiters[at], 0);
        tell(waits + at);
    }
    printf("done\n");
    fflush(stdout);
    _exit(0);
}
