/* What the calls return: on success, after a deadline that passes or has passed, interrupted; and what they leave alone.
 * Usage: wait_results results | interrupted | restarted | stopped | handler-clock | process-signal */
#include "waiting.h"
#include <sys/wait.h>

static volatile int handled, handled_by;
static volatile int64_t skew_in_handler;
static void on_signal(int signal) {
    int saved = errno;
    struct reading r = measure(by_clock_gettime, 0, 0);
    skew_in_handler = r.skew;
    handled_by = syscall(SYS_gettid);
    handled++;
    errno = saved;
}
static void handle(int flags) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(SIGUSR1, &action, 0);
}

static void tell_mask(const char *when) {
    sigset_t mask;
    unsigned long bits = 0;
    pthread_sigmask(SIG_SETMASK, 0, &mask);
    for (int signal = 1; signal < 32; signal++) bits |= (unsigned long)(sigismember(&mask, signal) == 1) << signal;
    printf("mask %s %lx\n", when, bits);
}

static void timed_out(const struct call *call, int64_t ahead) {
    struct object object;
    struct waiter w;
    char what[32];
    make(&object, call);
    start(&w, call, &object, ahead);
    pthread_join(w.thread, 0);
    int64_t now = by_clock_gettime(CLOCK_REALTIME);
    snprintf(what, sizeof what, "deadline %lld ms", (long long)(ahead / MILLISECOND));
    tell(what, &w);
    if (now < nanos(w.deadline)) printf("%s: %lld ns too early\n", call->name, (long long)(nanos(w.deadline) - now));
    if (call->makes == 't') {
        post_sem(&object);
        pthread_join(object.other, 0);
    }
    unmake(&object, call);
}

/* Released while it waits, or before, by the thread that holds what it waits for. */
static void released(const struct call *call, int before) {
    struct object object;
    struct waiter w;
    if (!call->release || before && IS_CONDITION(call)) return;
    if (before && (call->wait == wait_futex || call->wait == wait_waitv || call->wait == wait_requeue)) return;
    make(&object, call);
    if (before) call->release(&object);
    start(&w, call, &object, HOUR);
    if (!before && blocked(&w.tid, &w.done)) call->release(&object);
    pthread_join(w.thread, 0);
    tell(before ? "free" : "released", &w);
    unmake(&object, call);
}

static void results(void) {
    for (unsigned at = 0; at < CALLS; at++) {
        timed_out(&calls[at], -10 * SECOND);
        timed_out(&calls[at], 0);
        timed_out(&calls[at], 20 * MILLISECOND);
        released(&calls[at], 0);
        released(&calls[at], 1);
    }
    tell_mask("after them all");
}

/* Whether it goes on after a handler ran; then it is released, or ends by a second signal's death of the process. */
static void interrupted(const struct call *call, int quietly) {
    struct object object;
    struct waiter w;
    int before = handled;
    make(&object, call);
    start(&w, call, &object, HOUR);
    if (!blocked(&w.tid, &w.done)) puts("it did not wait");
    pthread_kill(w.thread, SIGUSR1);
    while (handled == before) usleep(100);
    int goes_on = blocked(&w.tid, &w.done);
    if (goes_on && call->release) call->release(&object);
    if (!goes_on || call->release) pthread_join(w.thread, 0);
    if (quietly) {
        int64_t skew = skew_in_handler;
        printf("%s: %lld\n", call->name, (long long)((skew + (skew < 0 ? -SECOND : SECOND) / 2) / SECOND));
    } else {
        tell(goes_on ? "interrupted, goes on" : "interrupted", &w);
    }
    if (handled_by != w.tid) puts("the handler ran in another thread");
    unmake(&object, call);
}

/* A signal that is blocked neither interrupts nor is lost, and the mask stays as it was. */
static void masked(void) {
    struct object object;
    struct waiter w;
    sigset_t set, pending;
    int got = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    tell_mask("before");
    for (unsigned at = 0; at < CALLS; at++) {
        make(&object, &calls[at]);
        start(&w, &calls[at], &object, 50 * MILLISECOND);
        kill(getpid(), SIGUSR2);
        pthread_join(w.thread, 0);
        tell("a blocked signal", &w);
        sigpending(&pending);
        if (!sigismember(&pending, SIGUSR2) || sigwait(&set, &got) || got != SIGUSR2) puts("the signal is lost");
    }
    tell_mask("after");
}

/* Of all threads only one takes the signal: the handler runs nowhere else, however often it is sent to the process. */
static struct waiter taker;
static void *taking(void *unused) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, 0);
    return waiting(&taker);
}
static void process_signal(void) {
    static struct object object;
    sigset_t set;
    int others = 0;
    handle(0);
    sigfillset(&set);
    pthread_sigmask(SIG_SETMASK, &set, 0);
    make(&object, &calls[0]);
    taker = (struct waiter){.call = &calls[0], .object = &object, .deadline = in(HOUR)};
    pthread_create(&taker.thread, 0, taking, 0);
    for (int round = 1; round <= 200; round++) {
        blocked(&taker.tid, &taker.done);
        kill(getpid(), SIGUSR1);
        while (handled < round && !taker.done) usleep(100);
        others += handled_by != taker.tid;
    }
    printf("200 signals: %d in the one thread, %d elsewhere\n", handled - others, others);
    release_cond(&object);
    pthread_join(taker.thread, 0);
    sigset_t none;
    struct timespec now = {0, 0};
    kill(getpid(), SIGTERM); /* now all threads block it: it stays until it is asked for */
    printf("SIGTERM stays pending: %d\n", sigtimedwait(&set, 0, &now) == SIGTERM);
}

/* The process is stopped while it waits, and goes on. `passes`: the deadline passes meanwhile. */
static void stopped(const struct call *call, int passes) {
    struct object object;
    struct waiter w;
    int ready[2];
    char byte;
    make(&object, call);
    pipe(ready);
    int parent = getpid(), child = fork();
    if (!child) {
        char path[64], stat[512] = "";
        read(ready[0], &byte, 1);
        kill(parent, SIGSTOP);
        snprintf(path, sizeof path, "/proc/%d/stat", parent);
        while (!strstr(stat, ") T")) {
            int file = open(path, O_RDONLY);
            stat[read(file, stat, sizeof stat - 1)] = 0;
            close(file);
        }
        if (passes) usleep(200000);
        kill(parent, SIGCONT);
        _exit(0);
    }
    start(&w, call, &object, passes ? 150 * MILLISECOND : HOUR);
    blocked(&w.tid, &w.done);
    write(ready[1], "", 1);
    waitpid(child, 0, 0);
    if (!passes) {
        int goes_on = blocked(&w.tid, &w.done);
        printf("%s: %s\n", call->name, goes_on ? "goes on" : "was ended by the stop");
        if (goes_on && call->release) call->release(&object);
        if (goes_on && !call->release) return; /* ends with the process */
    }
    pthread_join(w.thread, 0);
    tell(passes ? "passed while stopped" : "stopped", &w);
    close(ready[0]), close(ready[1]);
    if (call->makes == 't' && w.result) {
        post_sem(&object);
        pthread_join(object.other, 0);
    }
    unmake(&object, call);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    alarm(60);
    if (!strcmp(what, "results")) results();
    if (!strcmp(what, "masked")) masked();
    if (!strcmp(what, "process-signal")) process_signal();
    for (unsigned at = 0; at < CALLS; at++) {
        if (!strcmp(what, "interrupted")) handle(0), interrupted(&calls[at], 0);
        if (!strcmp(what, "restarted")) handle(SA_RESTART), interrupted(&calls[at], 0);
        if (!strcmp(what, "handler-clock")) handle(0), interrupted(&calls[at], 1);
        if (!strcmp(what, "stopped")) stopped(&calls[at], 0), stopped(&calls[at], 1);
    }
    return 0;
}
