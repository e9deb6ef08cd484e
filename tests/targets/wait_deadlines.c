/* Every call of the list with every bad, past and far deadline, once for what is held and once for what is free: a line each,
 * `NAME DEADLINE STATE = RESULT, errno ERRNO`. What would wait for ever is released after a few milliseconds. */
#include "wait_things.h"
#include <sys/wait.h>

static const struct deadline {
    const char *name;
    int64_t sec, nsec;
    enum { REFUSED_OR_PAST, FAR, NONE, NOWHERE } is;
} deadlines[] = {
    {"nsec=-1", INT32_MAX, -1},
    {"nsec=10^9", INT32_MAX, 1000000000},
    {"nsec=min", INT32_MAX, INT64_MIN},
    {"nsec=max", INT32_MAX, INT64_MAX},
    {"past,nsec=-1", 0, -1},
    {"past,nsec=10^9", 0, 1000000000},
    {"sec=-1", -1, 0},
    {"sec=-1,nsec=10^9-1", -1, 999999999},
    {"sec=min", INT64_MIN, 0},
    {"sec=min,nsec=-1", INT64_MIN, -1},
    {"sec=min,nsec=min", INT64_MIN, INT64_MIN},
    {"zero", 0, 0},
    {"sec=0,nsec=1", 0, 1},
    {"sec=max,nsec=10^9", INT64_MAX, 1000000000},
    {"sec=max,nsec=max", INT64_MAX, INT64_MAX},
    {"sec=max", INT64_MAX, 0, FAR},
    {"sec=max,nsec=10^9-1", INT64_MAX, 999999999, FAR},
    {"sec=max-1", INT64_MAX - 1, 999999999, FAR},
    {"sec=2^33", 1LL << 33, 0, FAR},
    {"sec=the-last-in-nanoseconds", INT64_MAX / SECOND, 854775807, FAR},
    {"sec=one-nanosecond-more", INT64_MAX / SECOND, 854775808, FAR},
    {"sec=one-second-more", INT64_MAX / SECOND + 1, 0, FAR},
    {"NULL", 0, 0, NONE},
    {"nowhere", 0, 0, NOWHERE},
};

static struct things things;
static pthread_barrier_t prepared;
static pthread_t waiter;
static const struct call *call;
static int is_free, is_asking, is_over, patience;

static void on_signal(int signal) { (void)signal; }

/* Once for what is held; again and again for what a waiter that comes later would miss. */
static void release(struct things *t, int first) {
    const char *name = call->name;
    if (first) {
        pthread_mutex_unlock(&t->held);
        pthread_mutex_unlock(&t->robust);
        pthread_mutex_unlock(&t->inherits);
        pthread_rwlock_unlock(&t->locked);
        mtx_unlock(&t->c11_held);
        sem_post(&t->none);
        sem_post(&t->leaves);
        char text[64];
        if (is(name, "mq_timedsend")) mq_receive(t->full, text, sizeof text, 0);
        if (is(name, "mq_timedreceive")) mq_send(t->empty, "x", 1, 0);
        if (is(name, "LOCK_PI")) futex(&t->lock, FUTEX_UNLOCK_PI, 0, 0, 0);
    }
    pthread_cond_broadcast(&t->wall);
    pthread_cond_broadcast(&t->mono);
    cnd_broadcast(&t->c11_condition);
#ifdef __GLIBC__
    if (is(name, "2.2.5")) old_broadcast(t->old);
#endif
    if (is(name, "REQUEUE")) syscall(SYS_futex, &t->word, FUTEX_CMP_REQUEUE_PI, 1, 0, &t->lock, 0);
    else if (is(name, "utex") || is(name, "FUTEX")) {
        futex(&t->word, FUTEX_WAKE, INT_MAX, 0, 0);
        futex(&t->word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, 0, 0);
    }
    /* musl's wait for a signal begins anew after another one. */
    int is_signalled = is(name, "timer(") && !is(name, ",thread");
    if (call->kind == SLEEP || call->form != UNTIL) pthread_kill(waiter, is_signalled ? t->signal : SIGUSR2);
}

static void pause_for(int millis) {
    struct timespec span = {0, millis * 1000000L};
    if (millis == 1000) span = (struct timespec){1, 0};
    nanosleep(&span, 0);
}

/* A thread may be joined without waiting when the kernel knows it no more. */
static void await_end(struct things *t) {
    int tid;
    while (!(tid = __atomic_load_n(&t->runs_tid, __ATOMIC_SEQ_CST)) || !syscall(SYS_tgkill, getpid(), tid, 0)) sched_yield();
}

static void *hold(void *unused) {
    prepare(&things, call->name);
    things.word = is_free;
    if (is_free) release(&things, 1);
    if (is_free && is(call->name, "join")) await_end(&things);
    pthread_barrier_wait(&prepared);
    while (!__atomic_load_n(&is_asking, __ATOMIC_SEQ_CST)) pause_for(1);
    pause_for(patience);
    for (int first = !is_free; !__atomic_load_n(&is_over, __ATOMIC_SEQ_CST); first = 0) {
        release(&things, first);
        pause_for(2);
    }
    for (;;) pause();
    return unused;
}

static int is_refused(const struct deadline *deadline) { return deadline->nsec < 0 || deadline->nsec >= SECOND; }

/* Whether the bare call is known to wait until it is released. What is not expected to is released too, much later. */
static int waits(const struct deadline *deadline) {
#ifdef __GLIBC__
    /* Its joins take no notice of a refused deadline, and ask the kernel again and again until the thread has ended. */
    if (is(call->name, "join") && is_refused(deadline)) return 1;
#else
    /* Its deadline less now is a length that wraps; but a timer's is the kernel's to refuse. */
    if (deadline->sec == INT64_MIN) return !is(call->name, "timer");
#endif
    /* A timer that is set to nothing never expires. */
    if (is(call->name, "timer") && !deadline->sec && !deadline->nsec) return 1;
    return deadline->is == FAR || deadline->is == NONE;
}

/* In a process of its own: it may crash, or hang. */
static void answer(const struct deadline *deadline) {
    struct timespec at = {deadline->sec, deadline->nsec};
    const struct timespec *given = deadline->is == NONE ? 0 : deadline->is == NOWHERE ? (void *)8 : &at;
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t holder;
    alarm(20);
    sigaction(SIGUSR2, &action, 0);
    waiter = pthread_self();
    patience = waits(deadline) ? 3 : 1000;
    pthread_barrier_init(&prepared, 0, 2);
    if (pthread_create(&holder, 0, hold, 0)) _exit(3);
    pthread_barrier_wait(&prepared);
    pthread_mutex_lock(&things.own);
    mtx_lock(&things.c11_own);
    __atomic_store_n(&is_asking, 1, __ATOMIC_SEQ_CST);
    int result, after;
    do {
        errno = 77;
        result = wait_by(call - calls, &things, given), after = errno;
        /* Its users ask again, which a slow release makes necessary: in a node it comes back for each look at the clock. */
    } while (!is_free && is(call->name, "REQUEUE") && result == EAGAIN);
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    printf("%s %s %s = %d, errno %d\n", call->name, deadline->name, is_free ? "free" : "held", result, after);
    fflush(stdout);
    _exit(0);
}

/* Those that take no `timespec` have no such deadlines; what cannot be held has no free state; and musl's lock with priority
 * inheritance never ends where the kernel refuses the deadline. */
static int has(const struct deadline *deadline) {
    if (call->form > FOR) return 0;
#ifndef __GLIBC__
    /* Its begins anew after a signal. */
    if (!strcmp(call->name, "sigtimedwait")) return 0;
#endif
    /* A wild pointer is the kernel's to refuse: what libc itself looks at may crash, and what this program copies. */
    int has_kernel_look = is(call->name, "FUTEX") || is(call->name, "futex") || is(call->name, "nanosleep") || is(call->name, "mq_");
    if (deadline->is == NOWHERE && !has_kernel_look) return 0;
    if (deadline->is == NONE && is(call->name, "timer")) return 0;
#ifndef __GLIBC__
    if (is(call->name, "(PI)") && (is_refused(deadline) || deadline->sec < 0) && !is_free) return 0;
#endif
    int has_no_free_state = call->kind == SLEEP || call->form != UNTIL || is(call->name, "cond") || is(call->name, "cnd");
    return !(is_free && has_no_free_state);
}

/* Most of them sleep most of the time, so some run at once. */
static struct asked {
    int pid;
    char what[128];
} asked[16];
enum { AT_ONCE = sizeof asked / sizeof *asked };

static void await(struct asked *one) {
    int status = 0;
    if (!one->pid) return;
    waitpid(one->pid, &status, 0);
    if (WIFSIGNALED(status)) printf("%s: signal %d\n", one->what, WTERMSIG(status));
    one->pid = 0;
}

static void ask(const struct deadline *deadline) {
    static int count;
    struct asked *one = asked + count++ % AT_ONCE;
    await(one);
    snprintf(one->what, sizeof one->what, "%s %s %s", call->name, deadline->name, is_free ? "free" : "held");
    fflush(stdout);
    one->pid = fork();
    if (!one->pid) answer(deadline);
}

int main(void) {
    block_signals();
    make_system_v();
    for (call = calls; call < calls + COUNT; call++) {
        for (unsigned at = 0; at < sizeof deadlines / sizeof *deadlines; at++) {
            for (is_free = 0; is_free < 2; is_free++) {
                if (has(deadlines + at)) ask(deadlines + at);
            }
        }
    }
    for (int at = 0; at < AT_ONCE; at++) await(asked + at);
    remove_system_v();
    return 0;
}
