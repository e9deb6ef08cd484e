/* The things that calls wait for: held by the thread that prepares them, until it releases them. */
#include "wait_calls.h"

static int is(const char *name, const char *part) { return strstr(name, part) != 0; }

static void *run_until_told(void *of) {
    struct things *t = of;
    __atomic_store_n(&t->runs_tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    while (sem_wait(&t->leaves)) {
    }
    return 0;
}

static mqd_t queue(const char *what) {
    static int count;
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 64};
    snprintf(name, sizeof name, "/falseticker-%d-%d-%s", getpid(), count++, what);
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    if (queue < 0) perror("mq_open"), exit(3);
    mq_unlink(name);
    return queue;
}

/* What a timer signals, and what `sigtimedwait` waits for, is for nobody else. Before any thread. */
static void block_signals(void) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) sigaddset(&blocked, signal);
    sigprocmask(SIG_BLOCK, &blocked, 0);
}

/* What is dear is made only for the call that needs it. */
static void prepare(struct things *t, const char *name) {
    pthread_mutexattr_t robust, inherits;
    pthread_condattr_t mono;
    static int signals;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_init(&inherits);
    pthread_mutexattr_setprotocol(&inherits, PTHREAD_PRIO_INHERIT);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->held, 0);
    pthread_mutex_init(&t->own, 0);
    pthread_mutex_init(&t->robust, &robust);
    int unfit = pthread_mutex_init(&t->inherits, &inherits);
    pthread_cond_init(&t->wall, 0);
    pthread_cond_init(&t->mono, &mono);
    pthread_rwlock_init(&t->locked, 0);
    sem_init(&t->none, 0, 0);
    sem_init(&t->leaves, 0, 0);
    mtx_init(&t->c11_held, mtx_timed);
    mtx_init(&t->c11_own, mtx_plain);
    cnd_init(&t->c11_condition);
    pthread_mutex_lock(&t->held);
    pthread_mutex_lock(&t->robust);
    unfit |= pthread_mutex_lock(&t->inherits);
    pthread_rwlock_wrlock(&t->locked);
    mtx_lock(&t->c11_held);
    t->lock = is(name, "REQUEUE") ? 0 : syscall(SYS_gettid);
    if (is(name, "join")) pthread_create(&t->runs, 0, run_until_told, t);
    if (is(name, "mq_timedsend")) {
        t->full = queue("full");
        mq_send(t->full, "x", 1, 0);
    }
    if (is(name, "mq_timedreceive")) t->empty = queue("empty");
    if (is(name, "epoll")) t->epoll = epoll_create1(0);
    if (is(name, "timer(")) t->signal = SIGRTMIN + signals++;
    if (is(name, "itimer") || is(name, "alarm") || is(name, ",thread")) unfit |= helper(t);
    sigemptyset(&t->signals);
    sigaddset(&t->signals, SIGUSR1);
    sigfillset(&t->all_signals);
    if (unfit) fprintf(stderr, "%s: what it waits for is not made: error %d\n", name, unfit), exit(3);
}
