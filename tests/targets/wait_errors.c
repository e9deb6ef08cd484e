/* What the waits answer to clocks, operations, flags and pointers that are no good, one line each. No call here waits: words do
 * not have the value that is waited for, or the time is over. Each runs in a child: it may crash, or hang. */
#include "wait_calls.h"
#include <sys/wait.h>

static const struct timespec past = {0, 1}, refused = {0, 1000000000}, negative = {-1, 0};
static struct timespec little = {0, 1000};
static void *const nowhere = (void *)8, *const kernel = (void *)0xffff800000000000;
static uint32_t word, second;
static struct one_of_many waiter;

static void begin(void) {
    struct timespec used;
    fflush(stdout);
    alarm(5);
    /* The first nanosecond of the processor's clocks is over once they show it: not before the kernel has counted something. */
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    while (!used.tv_sec && used.tv_nsec <= past.tv_nsec);
    errno = 77;
}

#define ANSWER(label, number, call)                                                                                    \
    do {                                                                                                               \
        int status = 0;                                                                                                \
        fflush(stdout);                                                                                                \
        int pid = fork();                                                                                              \
        if (!pid) {                                                                                                    \
            begin();                                                                                                   \
            long result = (long)(call);                                                                                \
            printf("%s %#x %s = %ld, errno %d\n", label, (unsigned)(number), #call, result, errno);                    \
            fflush(stdout);                                                                                            \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        waitpid(pid, &status, 0);                                                                                      \
        if (WIFSIGNALED(status)) printf("%s %#x %s: signal %d\n", label, (unsigned)(number), #call, WTERMSIG(status)); \
    } while (0)

#define FUTEX(at, operation, value, until, second, mask) syscall(SYS_futex, at, operation, value, until, second, mask)

/* Where the time stands, some operations take a number. */
static const void *or_number(int operation, const void *time) {
    int command = operation & 127;
    return command == 3 || command == 4 || command == 5 || command == 12 ? (void *)1 : time;
}

#define TIME(time) or_number(both, time)

static void operations(void) {
    const int flags[] = {0, 128, 256, 384, 512, 1024, 0x10000, INT_MIN};
    for (unsigned at = 0; at < sizeof flags / sizeof *flags; at++) {
        for (int operation = -1; operation < 20; operation++) {
            int both = operation | flags[at];
            /* A lock that is free would be taken, and asked for once more deadlock: the word is nobody's number. */
            ANSWER("value differs", both, FUTEX(&word, both, 1, TIME(&past), &second, -1));
            ANSWER("value differs, refused", both, FUTEX(&word, both, 1, TIME(&refused), &second, -1));
            ANSWER("value differs, negative", both, FUTEX(&word, both, 1, TIME(&negative), &second, -1));
            ANSWER("time over", both, FUTEX(&word, both, 0, TIME(&past), &second, -1));
            ANSWER("time refused", both, FUTEX(&word, both, 0, TIME(&refused), &second, -1));
            ANSWER("time nowhere", both, FUTEX(&word, both, 0, TIME(nowhere), nowhere, -1));
            ANSWER("time in the kernel", both, FUTEX(&word, both, 1, TIME(kernel), &second, -1));
            ANSWER("no time", both, FUTEX(&word, both, 1, TIME(0), &second, -1));
            ANSWER("no mask", both, FUTEX(&word, both, 0, TIME(&past), &second, 0));
            ANSWER("word nowhere", both, FUTEX(nowhere, both, 0, TIME(&past), &second, -1));
            ANSWER("word in the kernel", both, FUTEX(kernel, both, 0, TIME(&past), &second, -1));
            ANSWER("word askew", both, FUTEX((char *)&word + 1, both, 0, TIME(&past), &second, -1));
            ANSWER("no word", both, FUTEX(0, both, 0, TIME(&past), &second, -1));
            ANSWER("one word twice", both, FUTEX(&word, both, 0, TIME(&past), &word, -1));
        }
    }
}

#define MANY(waiters, count, flags, until, clock) syscall(SYS_futex_waitv, waiters, count, flags, until, clock)

static void many(void) {
    waiter = (struct one_of_many){1, (uintptr_t)&word, 2 | FUTEX_PRIVATE_FLAG, 0};
    for (int clock = -2; clock < 14; clock++) {
        ANSWER("waitv, value differs", clock, MANY(&waiter, 1, 0, &past, clock));
        ANSWER("waitv, refused", clock, MANY(&waiter, 1, 0, &refused, clock));
        ANSWER("waitv, nowhere", clock, MANY(&waiter, 1, 0, nowhere, clock));
        ANSWER("waitv, no time", clock, MANY(&waiter, 1, 0, 0, clock));
    }
    ANSWER("waitv", 0, MANY(&waiter, 0, 0, &past, 0));
    ANSWER("waitv", 0, MANY(&waiter, 129, 0, &past, 0));
    ANSWER("waitv", 0, MANY(&waiter, -1, 0, &past, 0));
    ANSWER("waitv", 0, MANY(&waiter, 1, 1, &past, 0));
    ANSWER("waitv", 0, MANY(&waiter, 1, -1, &refused, 0));
    ANSWER("waitv", 0, MANY(nowhere, 1, 0, &past, 0));
    ANSWER("waitv", 0, MANY(nowhere, 1, 0, nowhere, 0));
    ANSWER("waitv", 0, MANY(nowhere, 1, 0, &refused, 99));
    ANSWER("waitv", 0, MANY(0, 1, 0, &past, 0));
    for (unsigned flags = 0; flags < 512; flags = flags * 2 + 1) {
        waiter.flags = flags;
        ANSWER("waitv, a waiter's flags", flags, MANY(&waiter, 1, 0, &past, 0));
    }
    waiter = (struct one_of_many){0, (uintptr_t)&word, 2, 0};
    ANSWER("waitv, time over", 0, MANY(&waiter, 1, 0, &past, 0));
    ANSWER("waitv, time negative", 0, MANY(&waiter, 1, 0, &negative, 0));
    waiter.reserved = 1;
    ANSWER("waitv, reserved", 0, MANY(&waiter, 1, 0, &past, 0));
    waiter = (struct one_of_many){0, 8, 2, 0};
    ANSWER("waitv, word nowhere", 0, MANY(&waiter, 1, 0, &past, 0));
}

static void sleeps(void) {
    const int clocks[] = {-6, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 64, 99, 0x100, INT_MAX, INT_MIN};
    static struct timespec rest = {7, 7};
    for (unsigned at = 0; at < sizeof clocks / sizeof *clocks; at++) {
        int id = clocks[at];
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, &past, 0));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, &past, &rest));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, &past, nowhere));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, &refused, 0));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, &negative, 0));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, nowhere, 0));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME, 0, 0));
        ANSWER("clock", id, clock_nanosleep(id, 0, &refused, 0));
        ANSWER("clock", id, clock_nanosleep(id, 0, nowhere, 0));
        /* A sleep on the CPU's time would never end. */
        if (id > 3 || id == 0 || id == 1) ANSWER("clock", id, clock_nanosleep(id, 0, &little, 0));
        if (id > 3 || id == 0 || id == 1) ANSWER("clock", id, clock_nanosleep(id, 2, &little, 0));
        ANSWER("clock", id, clock_nanosleep(id, -1, &past, 0));
        ANSWER("clock", id, clock_nanosleep(id, TIMER_ABSTIME | 0x100, &past, 0));
        ANSWER("clock", id, syscall(SYS_clock_nanosleep, id, TIMER_ABSTIME, &past, 0));
        ANSWER("clock", id, syscall(SYS_clock_nanosleep, id, TIMER_ABSTIME, &refused, nowhere));
        ANSWER("clock", id, syscall(SYS_clock_nanosleep, id, TIMER_ABSTIME, nowhere, 0));
        ANSWER("clock", id, syscall(SYS_clock_nanosleep, id, TIMER_ABSTIME, kernel, 0));
        ANSWER("clock", id, syscall(SYS_clock_nanosleep, id, -1, &past, 0));
    }
}

#ifdef __GLIBC__
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, own = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t locked = PTHREAD_RWLOCK_INITIALIZER, open_ = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t none, one;

static void clocks_of_locks(void) {
    pthread_mutex_lock(&held);
    pthread_mutex_lock(&own);
    pthread_rwlock_wrlock(&locked);
    sem_init(&one, 0, 1);
    for (int id = -2; id < 14; id++) {
        ANSWER("clock", id, pthread_cond_clockwait(&condition, &own, id, &past));
        ANSWER("clock", id, pthread_cond_clockwait(&condition, &own, id, &refused));
        ANSWER("clock", id, pthread_mutex_clocklock(&held, id, &past));
        ANSWER("clock", id, pthread_mutex_clocklock(&held, id, &refused));
        ANSWER("clock", id, pthread_rwlock_clockrdlock(&locked, id, &past));
        ANSWER("clock", id, pthread_rwlock_clockrdlock(&open_, id, &refused));
        ANSWER("clock", id, pthread_rwlock_clockwrlock(&locked, id, &past));
        ANSWER("clock", id, pthread_rwlock_clockwrlock(&open_, id, &past));
        ANSWER("clock", id, sem_clockwait(&none, id, &past));
        ANSWER("clock", id, sem_clockwait(&one, id, &past));
        ANSWER("clock", id, sem_clockwait(&one, id, &refused));
        ANSWER("clock", id, pthread_clockjoin_np(pthread_self(), 0, id, &past));
    }
}
#endif

static void queues(void) {
    char text[64];
    const int numbers[] = {-1, 0, 999};
    for (unsigned at = 0; at < sizeof numbers / sizeof *numbers; at++) {
        int number = numbers[at];
        ANSWER("queue", number, mq_timedsend(number, "x", 1, 0, &past));
        ANSWER("queue", number, mq_timedsend(number, "x", 1, 0, &refused));
        ANSWER("queue", number, mq_timedsend(number, "x", 1, 0, nowhere));
        ANSWER("queue", number, mq_timedsend(number, nowhere, 1, -1, 0));
        ANSWER("queue", number, mq_timedreceive(number, text, sizeof text, 0, &past));
        ANSWER("queue", number, mq_timedreceive(number, text, 0, 0, &negative));
        ANSWER("queue", number, mq_timedreceive(number, nowhere, 0, nowhere, nowhere));
    }
}

int main(void) {
    operations();
    many();
    sleeps();
    queues();
#ifdef __GLIBC__
    clocks_of_locks();
#endif
    return 0;
}
