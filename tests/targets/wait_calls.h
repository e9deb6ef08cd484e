/* Every way that a C program has to wait until an instant or for a while, as ONE list: what the tests know of waits comes
 * from here. A call waits for what never comes: a lock that is held, a condition that nobody signals. */
#include "truth.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef CLOCK_TAI
#define CLOCK_TAI 11
#endif

/* linux/futex.h, which musl's headers do not have. */
enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_LOCK_PI2 = 13,
    FUTEX_PRIVATE_FLAG = 128,
    FUTEX_CLOCK_REALTIME = 256,
    FUTEX_TID_MASK = 0x3fffffff,
    FUTEX_BITSET_MATCH_ANY = -1,
};

/* What a waiter of `futex_waitv` is told; older headers do not have it. */
struct one_of_many {
    uint64_t value, address;
    uint32_t flags, reserved;
};

/* What a call may need; every call has a set of its own. */
struct things {
    pthread_mutex_t held, robust, inherits, own;
    pthread_cond_t wall, mono;
    void *old[6]; /* a condition as it was before glibc 2.3.2 */
    pthread_rwlock_t locked;
    sem_t none;
    mtx_t c11_held, c11_own;
    cnd_t c11_condition;
    pthread_t runs;
    sem_t leaves; /* ends that thread */
    int runs_tid;
    mqd_t full, empty;
    uint32_t word, lock;
    int epoll;
    sigset_t signals, all_signals;
    int signal; /* of its timer */
    int child, asks, answers[2]; /* whose own timer it is */
    int64_t every, over, count; /* of a timer that expires more than once */
};

/* A System V semaphore that nobody raises: one for all, since such outlive their processes. */
static int system_v;
static inline void make_system_v(void) { system_v = semget(IPC_PRIVATE, 1, 0600); }
static inline void remove_system_v(void) { semctl(system_v, 0, IPC_RMID); }

/* Results are error numbers: 0, or as libc says. */
#define OF(call) ((call) < 0 ? errno : 0)
static inline int of_c11(int result) {
    return result == thrd_success ? 0 : result == thrd_timedout ? ETIMEDOUT : 1000 + result;
}
#define C11(call) of_c11(call)

#define PRIVATE_BITSET (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG)
static inline int futex(uint32_t *word, int operation, uint32_t value, const struct timespec *until, uint32_t *second) {
    return OF(syscall(SYS_futex, word, operation, value, until, second, FUTEX_BITSET_MATCH_ANY));
}
/* An answer of 0 says that the lock is the caller's: whoever says so without it lies. */
static inline int requeue(struct things *t, int flags, const struct timespec *until) {
    int result = futex(&t->word, FUTEX_WAIT_REQUEUE_PI | flags, 0, until, &t->lock);
    uint32_t owner = __atomic_load_n(&t->lock, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK;
    return result || owner == (uint32_t)syscall(SYS_gettid) ? result : ENOLCK;
}
static inline int wait_for_many(struct things *t, const struct timespec *until, int clock) {
    struct one_of_many waiter = {0, (uint64_t)(uintptr_t)&t->word, 2 /* 32 bits wide */ | FUTEX_PRIVATE_FLAG, 0};
    return OF(syscall(SYS_futex_waitv, &waiter, 1, 0, until, clock));
}
#define TIMEVAL(span) (struct timeval[]){{(span)->tv_sec, (span)->tv_nsec / 1000}}
/* Where the kernel writes down what is left. */
#define COPY(span) ((span) ? (struct timespec[]){*(span)} : 0)
/* Nothing came: the time is up. */
static inline int of_none(int result) { return result == EAGAIN ? 0 : result; }
#define NONE_OF(call) of_none(OF(call))
static inline int lower(const struct timespec *span, int by_number) {
    struct sembuf down = {0, -1, 0};
    return NONE_OF(by_number ? syscall(SYS_semtimedop, system_v, &down, 1, span) : semtimedop(system_v, &down, 1, span));
}
static inline int millis(const struct timespec *span) { return nanos(*span) / 1000000; }
static inline unsigned seconds(const struct timespec *span) { return (nanos(*span) + SECOND - 1) / SECOND; }
#define EVENT &(struct epoll_event){0}
static inline int send_to(mqd_t queue, const struct timespec *until) { return OF(mq_timedsend(queue, "x", 1, 0, until)); }
static inline int receive_from(mqd_t queue, const struct timespec *until) {
    char text[64];
    return OF(mq_timedreceive(queue, text, sizeof text, 0, until));
}

#ifdef __GLIBC__
extern int old_timedwait(void *, pthread_mutex_t *, const struct timespec *);
__asm__(".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5");
extern int old_broadcast(void *);
__asm__(".symver old_broadcast, pthread_cond_broadcast@GLIBC_2.2.5");
extern int old_clockwait(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
__asm__(".symver old_clockwait, pthread_cond_clockwait@GLIBC_2.30");
/* What _FORTIFY_SOURCE makes of their namesakes. */
extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
extern int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
#endif

/* Whether the time is an instant of the clock or a length: a `timespec`, or a number of such units. */
enum form { UNTIL, FOR, MICROS, MILLIS, SECONDS };
static const int64_t units[] = {1, 1, 1000, 1000000, SECOND};
/* LOCK: it ends with ETIMEDOUT and nothing else. LOOP: so too, but a program has to expect spurious wake-ups, and looks again.
 * SLEEP: it ends with 0. */
enum kind { LOCK, LOOP, SLEEP };

#define REAL CLOCK_REALTIME
#define MONO CLOCK_MONOTONIC

/* name, clock, form, kind, the call: of `t`, its things, and `until`, an instant or a length. */
#define CALLS_OF_ALL(X)                                                                                                \
    X("pthread_cond_timedwait", REAL, UNTIL, LOOP, pthread_cond_timedwait(&t->wall, &t->own, until))                   \
    X("pthread_cond_timedwait(MONOTONIC)", MONO, UNTIL, LOOP, pthread_cond_timedwait(&t->mono, &t->own, until))        \
    X("pthread_mutex_timedlock", REAL, UNTIL, LOCK, pthread_mutex_timedlock(&t->held, until))                          \
    X("pthread_mutex_timedlock(robust)", REAL, UNTIL, LOCK, pthread_mutex_timedlock(&t->robust, until))                \
    X("pthread_mutex_timedlock(PI)", REAL, UNTIL, LOCK, pthread_mutex_timedlock(&t->inherits, until))                  \
    X("pthread_rwlock_timedrdlock", REAL, UNTIL, LOCK, pthread_rwlock_timedrdlock(&t->locked, until))                  \
    X("pthread_rwlock_timedwrlock", REAL, UNTIL, LOCK, pthread_rwlock_timedwrlock(&t->locked, until))                  \
    X("sem_timedwait", REAL, UNTIL, LOCK, OF(sem_timedwait(&t->none, until)))                                          \
    X("cnd_timedwait", REAL, UNTIL, LOOP, C11(cnd_timedwait(&t->c11_condition, &t->c11_own, until)))                   \
    X("mtx_timedlock", REAL, UNTIL, LOCK, C11(mtx_timedlock(&t->c11_held, until)))                                     \
    X("pthread_timedjoin_np", REAL, UNTIL, LOCK, pthread_timedjoin_np(t->runs, 0, until))                              \
    X("mq_timedsend", REAL, UNTIL, LOCK, send_to(t->full, until))                                                      \
    X("mq_timedreceive", REAL, UNTIL, LOCK, receive_from(t->empty, until))                                             \
    X("clock_nanosleep(REALTIME)", REAL, UNTIL, SLEEP, clock_nanosleep(REAL, TIMER_ABSTIME, until, 0))                 \
    X("clock_nanosleep(TAI)", CLOCK_TAI, UNTIL, SLEEP, clock_nanosleep(CLOCK_TAI, TIMER_ABSTIME, until, 0))            \
    X("SYS_clock_nanosleep(REALTIME)", REAL, UNTIL, SLEEP, OF(syscall(SYS_clock_nanosleep, 0, TIMER_ABSTIME, until, 0)))\
    X("FUTEX_WAIT_BITSET", REAL, UNTIL, LOOP, futex(&t->word, PRIVATE_BITSET | FUTEX_CLOCK_REALTIME, 0, until, 0))     \
    X("FUTEX_WAIT_BITSET(shared)", REAL, UNTIL, LOOP,                                                                  \
      futex(&t->word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, until, 0))                                          \
    X("FUTEX_LOCK_PI", REAL, UNTIL, LOCK, futex(&t->lock, FUTEX_LOCK_PI, 0, until, 0))                                 \
    X("FUTEX_LOCK_PI2(REALTIME)", REAL, UNTIL, LOCK, futex(&t->lock, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, until, 0))\
    X("FUTEX_WAIT_REQUEUE_PI", REAL, UNTIL, LOOP, requeue(t, FUTEX_CLOCK_REALTIME, until))                             \
    X("futex_waitv(REALTIME)", REAL, UNTIL, LOOP, wait_for_many(t, until, REAL))                                       \
    X("FUTEX_WAIT_BITSET(MONOTONIC)", MONO, UNTIL, LOOP, futex(&t->word, PRIVATE_BITSET, 0, until, 0))                 \
    X("FUTEX_LOCK_PI2(MONOTONIC)", MONO, UNTIL, LOCK, futex(&t->lock, FUTEX_LOCK_PI2, 0, until, 0))                    \
    X("futex_waitv(MONOTONIC)", MONO, UNTIL, LOOP, wait_for_many(t, until, MONO))                                      \
    X("clock_nanosleep(MONOTONIC)", MONO, UNTIL, SLEEP, clock_nanosleep(MONO, TIMER_ABSTIME, until, 0))                \
    X("clock_nanosleep(REALTIME,relative)", MONO, FOR, SLEEP, clock_nanosleep(REAL, 0, until, 0))                      \
    X("clock_nanosleep(MONOTONIC,relative)", MONO, FOR, SLEEP, clock_nanosleep(MONO, 0, until, 0))                     \
    X("clock_nanosleep(BOOTTIME,relative)", CLOCK_BOOTTIME, FOR, SLEEP, clock_nanosleep(CLOCK_BOOTTIME, 0, until, 0))  \
    X("SYS_clock_nanosleep(relative)", MONO, FOR, SLEEP, OF(syscall(SYS_clock_nanosleep, MONO, 0, until, 0)))          \
    X("FUTEX_WAIT", MONO, FOR, LOOP, futex(&t->word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, until, 0))                    \
    X("FUTEX_WAIT(shared)", MONO, FOR, LOOP, futex(&t->word, FUTEX_WAIT, 0, until, 0))                                 \
    X("nanosleep", MONO, FOR, SLEEP, OF(nanosleep(until, 0)))                                                          \
    X("SYS_nanosleep", MONO, FOR, SLEEP, OF(syscall(SYS_nanosleep, until, 0)))                                         \
    X("usleep", MONO, MICROS, SLEEP, OF(usleep(nanos(*until) / 1000)))                                                 \
    X("sleep", MONO, SECONDS, SLEEP, sleep(seconds(until)) ? EINTR : 0)                                                \
    X("thrd_sleep", MONO, FOR, SLEEP, C11(thrd_sleep(until, 0)))                                                       \
    X("poll", MONO, MILLIS, SLEEP, OF(poll(0, 0, millis(until))))                                                      \
    X("SYS_poll", MONO, MILLIS, SLEEP, OF(syscall(SYS_poll, 0, 0, millis(until))))                                     \
    X("ppoll", MONO, FOR, SLEEP, OF(ppoll(0, 0, until, 0)))                                                            \
    X("SYS_ppoll", MONO, FOR, SLEEP, OF(syscall(SYS_ppoll, 0, 0, COPY(until), 0, 8)))                                  \
    X("select", MONO, MICROS, SLEEP, OF(select(0, 0, 0, 0, TIMEVAL(until))))                                           \
    X("SYS_select", MONO, MICROS, SLEEP, OF(syscall(SYS_select, 0, 0, 0, 0, TIMEVAL(until))))                          \
    X("pselect", MONO, FOR, SLEEP, OF(pselect(0, 0, 0, 0, until, 0)))                                                  \
    X("SYS_pselect6", MONO, FOR, SLEEP, OF(syscall(SYS_pselect6, 0, 0, 0, 0, COPY(until), 0)))                         \
    X("epoll_wait", MONO, MILLIS, SLEEP, OF(epoll_wait(t->epoll, EVENT, 1, millis(until))))                            \
    X("SYS_epoll_wait", MONO, MILLIS, SLEEP, OF(syscall(SYS_epoll_wait, t->epoll, EVENT, 1, millis(until))))           \
    X("epoll_pwait", MONO, MILLIS, SLEEP, OF(epoll_pwait(t->epoll, EVENT, 1, millis(until), &t->all_signals)))          \
    X("SYS_epoll_pwait", MONO, MILLIS, SLEEP, OF(syscall(SYS_epoll_pwait, t->epoll, EVENT, 1, millis(until), 0, 8)))   \
    X("SYS_epoll_pwait2", MONO, FOR, SLEEP, OF(syscall(SYS_epoll_pwait2, t->epoll, EVENT, 1, until, 0, 8)))            \
    X("sigtimedwait", MONO, FOR, SLEEP, NONE_OF(sigtimedwait(&t->signals, 0, until)))                                  \
    X("SYS_rt_sigtimedwait", MONO, FOR, SLEEP, NONE_OF(syscall(SYS_rt_sigtimedwait, &t->signals, 0, until, 8)))        \
    X("semtimedop", MONO, FOR, SLEEP, lower(until, 0))                                                                 \
    X("SYS_semtimedop", MONO, FOR, SLEEP, lower(until, 1))

/* What musl does not have. */
#define CALLS_OF_GLIBC(X)                                                                                              \
    X("pthread_cond_timedwait@GLIBC_2.2.5", REAL, UNTIL, LOOP, old_timedwait(t->old, &t->own, until))                  \
    X("pthread_cond_clockwait(REALTIME)", REAL, UNTIL, LOOP, pthread_cond_clockwait(&t->mono, &t->own, REAL, until))   \
    X("pthread_cond_clockwait@GLIBC_2.30", REAL, UNTIL, LOOP, old_clockwait(&t->wall, &t->own, REAL, until))           \
    X("pthread_mutex_clocklock(REALTIME)", REAL, UNTIL, LOCK, pthread_mutex_clocklock(&t->held, REAL, until))          \
    X("pthread_mutex_clocklock(PI)", REAL, UNTIL, LOCK, pthread_mutex_clocklock(&t->inherits, REAL, until))            \
    X("pthread_rwlock_clockrdlock(REALTIME)", REAL, UNTIL, LOCK, pthread_rwlock_clockrdlock(&t->locked, REAL, until))  \
    X("pthread_rwlock_clockwrlock(REALTIME)", REAL, UNTIL, LOCK, pthread_rwlock_clockwrlock(&t->locked, REAL, until))  \
    X("sem_clockwait(REALTIME)", REAL, UNTIL, LOCK, OF(sem_clockwait(&t->none, REAL, until)))                          \
    X("pthread_clockjoin_np(REALTIME)", REAL, UNTIL, LOCK, pthread_clockjoin_np(t->runs, 0, REAL, until))              \
    X("pthread_cond_clockwait(MONOTONIC)", MONO, UNTIL, LOOP, pthread_cond_clockwait(&t->wall, &t->own, MONO, until))  \
    X("pthread_mutex_clocklock(MONOTONIC)", MONO, UNTIL, LOCK, pthread_mutex_clocklock(&t->held, MONO, until))         \
    X("pthread_rwlock_clockrdlock(MONOTONIC)", MONO, UNTIL, LOCK, pthread_rwlock_clockrdlock(&t->locked, MONO, until)) \
    X("pthread_rwlock_clockwrlock(MONOTONIC)", MONO, UNTIL, LOCK, pthread_rwlock_clockwrlock(&t->locked, MONO, until)) \
    X("sem_clockwait(MONOTONIC)", MONO, UNTIL, LOCK, OF(sem_clockwait(&t->none, MONO, until)))                         \
    X("pthread_clockjoin_np(MONOTONIC)", MONO, UNTIL, LOCK, pthread_clockjoin_np(t->runs, 0, MONO, until))            \
    X("__poll_chk", MONO, MILLIS, SLEEP, OF(__poll_chk(0, 0, millis(until), 0)))                                        \
    X("__ppoll_chk", MONO, FOR, SLEEP, OF(__ppoll_chk(0, 0, until, 0, 0)))                                              \
    X("epoll_pwait2", MONO, FOR, SLEEP, OF(epoll_pwait2(t->epoll, EVENT, 1, until, 0)))

#include "wait_timers.h"

#ifdef __GLIBC__
#define CALLS(X) CALLS_OF_ALL(X) CALLS_OF_TIMERS(X) CALLS_OF_GLIBC(X)
#else
#define CALLS(X) CALLS_OF_ALL(X) CALLS_OF_TIMERS(X)
#endif

static const struct call {
    const char *name;
    clockid_t clock;
    enum form form;
    enum kind kind;
} calls[] = {
#define ROW(name, clock, form, kind, call) {name, clock, form, kind},
    CALLS(ROW)
};
enum { COUNT = sizeof calls / sizeof *calls };

static int wait_by(int which, struct things *t, const struct timespec *until) {
    int at = 0;
#define CASE(name, clock, form, kind, call)                                                                            \
    if (which == at++) return call;
    CALLS(CASE)
    return -1;
}
