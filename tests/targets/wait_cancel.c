/* Threads that are cancelled in a wait: which calls are cancellation points, that cleanup handlers run (for a condition
 * with its mutex held), and what becomes of a thread that has cancellation disabled, or of an asynchronous type.
 * Usage: wait_cancel enabled | disabled | asynchronous | pending | crowd COUNT | longjmp COUNT */
#include "waiting.h"
#include <setjmp.h>
#include <sys/time.h>

static struct object object;
static struct waiter waiter;
static int mode, outer, inner_result, holds_mutex, holds_mtx;

static void clean_outer(void *unused) { outer++; }
static void clean(void *unused) {
    /* The mutex checks for errors: only its owner can unlock it. */
    holds_mutex = waiter.call->after == after_cond ? pthread_mutex_unlock(&object.mutex) == 0 : -1;
    holds_mtx = waiter.call->after == after_cnd ? mtx_trylock(&object.mtx) == thrd_busy : -1;
    if (waiter.call->after == after_cnd) mtx_unlock(&object.mtx);
}

static void *cancelled(void *unused) {
    int before;
    waiter.tid = syscall(SYS_gettid);
    if (mode == 'd') pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    if (mode == 'a') pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
    pthread_cleanup_push(clean_outer, 0);
    pthread_cleanup_push(clean, 0);
    if (mode == 'p') pthread_cancel(pthread_self());
    wait_there(&waiter);
    pthread_cleanup_pop(0);
    inner_result = 1;
    if (mode == 'd') pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return 0;
}

static void cancel_in(const struct call *call) {
    void *result = 0;
    outer = inner_result = 0;
    holds_mutex = holds_mtx = -1;
    make(&object, call);
    /* A sleep has nobody who releases it, so where it is not cancelled its deadline ends it. */
    int64_t ahead = call->release && mode != 'p' ? HOUR : 300 * MILLISECOND;
    waiter = (struct waiter){.call = call, .object = &object, .deadline = in(ahead)};
    pthread_create(&waiter.thread, 0, cancelled, 0);
    if (mode != 'p') {
        if (!blocked(&waiter.tid, &waiter.done)) puts("it did not wait");
        pthread_cancel(waiter.thread);
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 50 * MILLISECOND;
        soon.tv_sec += soon.tv_nsec / SECOND;
        soon.tv_nsec %= SECOND;
        /* Where it is no cancellation point it waits on until it is released. */
        int gone = pthread_timedjoin_np(waiter.thread, &result, &soon) == 0;
        char text[256];
        /* It is not seen to wait while it is between two slices. */
        while (!gone && call->release) {
            where(waiter.tid, text, sizeof text);
            if (is_wait(text)) {
                call->release(&object);
                break;
            }
            usleep(200);
            gone = pthread_tryjoin_np(waiter.thread, &result) == 0;
        }
        if (!gone) pthread_join(waiter.thread, &result);
    } else {
        pthread_join(waiter.thread, &result);
    }
    printf("%s: %s, handlers %d, result %s", call->name, inner_result ? "came back" : "cancelled inside", outer,
           result == PTHREAD_CANCELED ? "PTHREAD_CANCELED" : "another");
    if (inner_result) printf(", returned %d, errno %s", waiter.result, named(waiter.error));
    if (holds_mutex >= 0) printf(", held the mutex %d", holds_mutex);
    if (holds_mtx >= 0) printf(", held the mtx %d", holds_mtx);
    puts("");
    if (call->makes == 't' && waiter.result) post_sem(&object);
    unmake(&object, call);
}

/* Many threads that are cancelled in a wait, or leave it by longjmp: nothing of theirs may be left behind. */
static long rounds;
static void so_far(long round) {
    if (round % 10000 == 0) printf("so far %ld\n", round);
}
static struct object shared[4];
static void *brief(void *which) {
    struct timespec far = in(HOUR);
    for (;;) wait_sem(&shared[(long)which], &far);
}
static void crowd(void) {
    for (int at = 0; at < 4; at++) make(&shared[at], &calls[4]);
    for (long round = 0; round < rounds; round += 4) {
        pthread_t threads[4];
        so_far(round);
        for (long at = 0; at < 4; at++) pthread_create(&threads[at], 0, brief, (void *)at);
        for (long at = 0; at < 4; at++) {
            if (round % 16 == 0) usleep(at * 50);
            pthread_cancel(threads[at]);
            pthread_join(threads[at], 0);
        }
    }
    printf("cancelled %ld\n", rounds);
}

static sigjmp_buf out;
static volatile sig_atomic_t inside;
static void leap(int signal) {
    if (inside) siglongjmp(out, 1);
}
static void jumps(void) {
    struct sigaction action = {.sa_handler = leap};
    sigaction(SIGALRM, &action, 0);
    make(&object, &calls[4]);
    for (volatile long round = 0; round < rounds; round++) {
        struct timespec far = in(HOUR);
        so_far(round);
        struct itimerval soon = {{0, 0}, {0, 20}}, never = {{0, 0}, {0, 0}};
        if (!sigsetjmp(out, 1)) {
            inside = 1;
            setitimer(ITIMER_REAL, &soon, 0);
            for (;;) wait_sem(&object, &far);
        }
        inside = 0;
        setitimer(ITIMER_REAL, &never, 0);
    }
    printf("jumped out %ld times\n", rounds);
}

/* After all that a wait still ends when it should, and with it the program. */
static void last(void) {
    char line[16];
    struct waiter w;
    make(&object, &calls[4]);
    start(&w, &calls[4], &object, HOUR);
    blocked(&w.tid, &w.done);
    puts("ready");
    pthread_join(w.thread, 0);
    printf("ended %lld %s\n", (long long)w.ended, named(w.error));
    fgets(line, sizeof line, stdin);
}

int main(int argc, char **argv) {
    mode = argc > 1 ? *argv[1] : 0;
    rounds = argc > 2 ? atol(argv[2]) : 1000;
    setvbuf(stdout, 0, _IOLBF, 0);
    if (mode == 'c') crowd(), last();
    else if (mode == 'l') jumps(), last();
    else
        for (unsigned at = 0; at < CALLS; at++) cancel_in(&calls[at]);
    return 0;
}
