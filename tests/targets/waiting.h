/* Every call that waits for a deadline of the wall clock, from one list: how it waits, and how it is released; and
 * threads that wait in one of them, of which is known when they are blocked there. */
#include "truth.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#define MILLISECOND 1000000LL
#define HOUR (3600 * SECOND)

/* What is waited for. Whoever makes it holds its locks. */
struct object {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_rwlock_t rwlock;
    sem_t semaphore;
    mtx_t mtx;
    cnd_t cnd;
    pthread_t other; /* ends when `semaphore` is posted */
    uint32_t word, second;
    mqd_t queue;
    int arrived; /* whoever waits for a condition holds its mutex by now */
};

struct call {
    const char *name;
    int (*wait)(struct object *, const struct timespec *);
    void (*after)(struct object *); /* what a waiter that succeeded gives back; also after a timeout of a condition */
    void (*release)(struct object *);
    char makes;    /* 'q': a queue, 'Q': a full one, 't': a thread */
    char is_raw;   /* not by a function that cancellation could be told from */
};

static inline long futex(uint32_t *word, int operation, long value, const void *timeout, uint32_t *second, long last) {
    return syscall(SYS_futex, word, operation, value, timeout, second, last);
}
#define REALTIME_FUTEX 256
#define WAIT_BITSET 9
#define LOCK_PI 6
#define UNLOCK_PI 7
#define LOCK_PI2 13
#define WAIT_REQUEUE_PI 11
#define CMP_REQUEUE_PI 12
#define PRIVATE 128

static void *until_posted(void *object) {
    while (sem_wait(&((struct object *)object)->semaphore)) continue;
    return 0;
}

static int wait_cond(struct object *o, const struct timespec *at) {
    pthread_mutex_lock(&o->mutex);
    o->arrived = 1;
    return pthread_cond_timedwait(&o->condition, &o->mutex, at);
}
static void after_cond(struct object *o) { pthread_mutex_unlock(&o->mutex); }
static void release_cond(struct object *o) {
    pthread_mutex_lock(&o->mutex);
    pthread_cond_signal(&o->condition);
    pthread_mutex_unlock(&o->mutex);
}
static int wait_cnd(struct object *o, const struct timespec *at) {
    mtx_lock(&o->mtx);
    return cnd_timedwait(&o->cnd, &o->mtx, at);
}
static void after_cnd(struct object *o) { mtx_unlock(&o->mtx); }
static void release_cnd(struct object *o) {
    mtx_lock(&o->mtx);
    cnd_signal(&o->cnd);
    mtx_unlock(&o->mtx);
}
static int wait_mutex(struct object *o, const struct timespec *at) { return pthread_mutex_timedlock(&o->mutex, at); }
static void unlock_mutex(struct object *o) { pthread_mutex_unlock(&o->mutex); }
static int wait_mtx(struct object *o, const struct timespec *at) { return mtx_timedlock(&o->mtx, at); }
static void unlock_mtx(struct object *o) { mtx_unlock(&o->mtx); }
static int wait_read(struct object *o, const struct timespec *at) { return pthread_rwlock_timedrdlock(&o->rwlock, at); }
static int wait_write(struct object *o, const struct timespec *at) { return pthread_rwlock_timedwrlock(&o->rwlock, at); }
static void unlock_rwlock(struct object *o) { pthread_rwlock_unlock(&o->rwlock); }
static int wait_sem(struct object *o, const struct timespec *at) { return sem_timedwait(&o->semaphore, at); }
static void post_sem(struct object *o) { sem_post(&o->semaphore); }
static int wait_join(struct object *o, const struct timespec *at) { return pthread_timedjoin_np(o->other, 0, at); }
static int wait_receive(struct object *o, const struct timespec *at) {
    char message[8];
    return mq_timedreceive(o->queue, message, sizeof message, 0, at);
}
static void send_one(struct object *o) { mq_send(o->queue, "a", 1, 0); }
static int wait_send(struct object *o, const struct timespec *at) { return mq_timedsend(o->queue, "b", 1, 0, at); }
static void receive_one(struct object *o) {
    char message[8];
    mq_receive(o->queue, message, sizeof message, 0);
}
static int wait_sleep(struct object *o, const struct timespec *at) {
    return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, at, 0);
}
static int wait_raw_sleep(struct object *o, const struct timespec *at) {
    return syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, at, 0);
}
static int wait_futex(struct object *o, const struct timespec *at) {
    return futex(&o->word, WAIT_BITSET | REALTIME_FUTEX | PRIVATE, o->word, at, 0, -1);
}
static void wake_futex(struct object *o) { futex(&o->word, 1 | PRIVATE, 1, 0, 0, 0); }
static int wait_pi(struct object *o, const struct timespec *at) {
    return futex(&o->second, LOCK_PI | PRIVATE, 0, at, 0, 0);
}
static int wait_pi2(struct object *o, const struct timespec *at) {
    return futex(&o->second, LOCK_PI2 | REALTIME_FUTEX | PRIVATE, 0, at, 0, 0);
}
static void unlock_pi(struct object *o) { futex(&o->second, UNLOCK_PI | PRIVATE, 0, 0, 0, 0); }
static int wait_requeue(struct object *o, const struct timespec *at) {
    int result;
    /* EAGAIN is its spurious wake-up. */
    do {
        errno = 77;
        result = futex(&o->word, WAIT_REQUEUE_PI | REALTIME_FUTEX | PRIVATE, o->word, at, &o->second, 0);
    } while (result && errno == EAGAIN);
    return result;
}
/* Nobody waits before the waiter comes, nor while it looks again after a slice. */
static void requeue(struct object *o) {
    for (int tries = 0; tries < 500; tries++) {
        if (futex(&o->word, CMP_REQUEUE_PI | PRIVATE, 1, (void *)0, &o->second, o->word) > 0) break;
        usleep(200);
    }
    unlock_pi(o);
}
static int wait_waitv(struct object *o, const struct timespec *at) {
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiter = {o->word, (uintptr_t)&o->word, 2 | PRIVATE, 0};
    return syscall(449, &waiter, 1, 0, at, CLOCK_REALTIME);
}
#ifdef __GLIBC__
static int clock_cond(struct object *o, const struct timespec *at) {
    pthread_mutex_lock(&o->mutex);
    o->arrived = 1;
    return pthread_cond_clockwait(&o->condition, &o->mutex, CLOCK_REALTIME, at);
}
static int clock_mutex(struct object *o, const struct timespec *at) {
    return pthread_mutex_clocklock(&o->mutex, CLOCK_REALTIME, at);
}
static int clock_read(struct object *o, const struct timespec *at) {
    return pthread_rwlock_clockrdlock(&o->rwlock, CLOCK_REALTIME, at);
}
static int clock_write(struct object *o, const struct timespec *at) {
    return pthread_rwlock_clockwrlock(&o->rwlock, CLOCK_REALTIME, at);
}
static int clock_sem(struct object *o, const struct timespec *at) {
    return sem_clockwait(&o->semaphore, CLOCK_REALTIME, at);
}
static int clock_join(struct object *o, const struct timespec *at) {
    return pthread_clockjoin_np(o->other, 0, CLOCK_REALTIME, at);
}
#endif

static void nothing(struct object *o) {}

static const struct call calls[] = {
    {"pthread_cond_timedwait", wait_cond, after_cond, release_cond},
    {"pthread_mutex_timedlock", wait_mutex, unlock_mutex, unlock_mutex},
    {"pthread_rwlock_timedrdlock", wait_read, unlock_rwlock, unlock_rwlock},
    {"pthread_rwlock_timedwrlock", wait_write, unlock_rwlock, unlock_rwlock},
    {"sem_timedwait", wait_sem, nothing, post_sem},
    {"cnd_timedwait", wait_cnd, after_cnd, release_cnd},
    {"mtx_timedlock", wait_mtx, unlock_mtx, unlock_mtx},
    {"pthread_timedjoin_np", wait_join, nothing, post_sem, 't'},
    {"mq_timedreceive", wait_receive, nothing, send_one, 'q'},
    {"mq_timedsend", wait_send, nothing, receive_one, 'Q'},
    {"clock_nanosleep", wait_sleep, nothing, 0},
    {"SYS_clock_nanosleep", wait_raw_sleep, nothing, 0, 0, 1},
    {"FUTEX_WAIT_BITSET", wait_futex, nothing, wake_futex, 0, 1},
    {"FUTEX_LOCK_PI", wait_pi, unlock_pi, unlock_pi, 0, 1},
    {"FUTEX_LOCK_PI2", wait_pi2, unlock_pi, unlock_pi, 0, 1},
    {"FUTEX_WAIT_REQUEUE_PI", wait_requeue, unlock_pi, requeue, 0, 1},
    {"SYS_futex_waitv", wait_waitv, nothing, wake_futex, 0, 1},
#ifdef __GLIBC__
    {"pthread_cond_clockwait", clock_cond, after_cond, release_cond},
    {"pthread_mutex_clocklock", clock_mutex, unlock_mutex, unlock_mutex},
    {"pthread_rwlock_clockrdlock", clock_read, unlock_rwlock, unlock_rwlock},
    {"pthread_rwlock_clockwrlock", clock_write, unlock_rwlock, unlock_rwlock},
    {"sem_clockwait", clock_sem, nothing, post_sem},
    {"pthread_clockjoin_np", clock_join, nothing, post_sem, 't'},
#endif
};
#define CALLS (sizeof calls / sizeof *calls)
#define IS_CONDITION(call) ((call)->after == after_cond || (call)->after == after_cnd)

/* An object that blocks: a mutex that is held (but by whoever waits for a condition, where it is free), and so on. The
 * mutex checks for errors, so that it can be told who holds it. */
static void make(struct object *o, const struct call *call) {
    pthread_mutexattr_t checked;
    memset(o, 0, sizeof *o);
    pthread_mutexattr_init(&checked);
    pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&o->mutex, &checked);
    pthread_cond_init(&o->condition, 0);
    pthread_rwlock_init(&o->rwlock, 0);
    sem_init(&o->semaphore, 0, 0);
    mtx_init(&o->mtx, mtx_timed);
    cnd_init(&o->cnd);
    o->second = syscall(SYS_gettid);
    if (!IS_CONDITION(call)) {
        pthread_mutex_lock(&o->mutex);
        mtx_lock(&o->mtx);
    }
    pthread_rwlock_wrlock(&o->rwlock);
    if (call->makes == 't') pthread_create(&o->other, 0, until_posted, o);
    if (call->makes == 'q' || call->makes == 'Q') {
        struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 8};
        char name[40];
        snprintf(name, sizeof name, "/falseticker-%d", getpid());
        o->queue = mq_open(name, O_RDWR | O_CREAT, 0600, &small);
        if (o->queue == (mqd_t)-1) perror("mq_open"), exit(9);
        mq_unlink(name);
        if (call->makes == 'Q') send_one(o);
    }
}
static void unmake(struct object *o, const struct call *call) {
    if (call->makes == 'q' || call->makes == 'Q') mq_close(o->queue);
}

/* A deadline of the clock that the program sees. */
static inline struct timespec in(int64_t ns) {
    int64_t at = by_clock_gettime(CLOCK_REALTIME) + ns;
    return (struct timespec){at / SECOND, at % SECOND};
}

/* A thread in a call. */
struct waiter {
    const struct call *call;
    struct object *object;
    struct timespec deadline;
    pthread_t thread;
    volatile int tid, done, result, error;
    int64_t ended; /* on the host's CLOCK_MONOTONIC */
};

static inline void wait_there(struct waiter *w) {
    errno = 77;
    w->result = w->call->wait(w->object, &w->deadline);
    w->error = errno;
    w->ended = true_clock(1);
    if (!w->result || IS_CONDITION(w->call)) w->call->after(w->object);
    w->done = 1;
}
static void *waiting(void *waiter) {
    struct waiter *w = waiter;
    w->tid = syscall(SYS_gettid);
    wait_there(w);
    return 0;
}

/* Where a thread of this process is blocked in the kernel: "" where it is not. */
static inline void where(int tid, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0) close(file);
    text[length > 0 ? length : 0] = 0;
    if (!strncmp(text, "running", 7)) *text = 0;
}
static inline int is_wait(const char *text) {
    int number = *text ? atoi(text) : 0;
    return number == 202 || number == 219 || number == 230 || number == 242 || number == 243 || number == 449;
}
/* Waits until the thread is blocked in a call that waits, or has come back. Returns whether it is blocked. */
static inline int blocked(const volatile int *tid, const volatile int *done) {
    char first[256], second[256];
    for (;;) {
        if (*done) return 0;
        if (*tid) {
            where(*tid, first, sizeof first);
            usleep(500);
            where(*tid, second, sizeof second);
            if (is_wait(first) && !strcmp(first, second) && !*done) return 1;
        } else {
            usleep(200);
        }
    }
}
static inline void start(struct waiter *w, const struct call *call, struct object *object, int64_t ahead) {
    *w = (struct waiter){.call = call, .object = object, .deadline = in(ahead)};
    if (pthread_create(&w->thread, 0, waiting, w)) abort();
}
static inline const char *named(int error) {
    return error == 0 ? "0" : error == ETIMEDOUT ? "ETIMEDOUT" : error == EINTR ? "EINTR" : error == 77 ? "77" : strerror(error);
}
static inline void tell(const char *what, const struct waiter *w) {
    printf("%s: %s: returned %d, errno %s\n", w->call->name, what, w->result, named(w->error));
}
