/* Many threads that wait, each for an object of its own: semaphores, conditions, mutexes and locks in turn.
 * Usage: wait_crowd THREADS, and on standard input a command a line:
 *   wait MILLISECONDS BETWEEN  all of them, from now on; the nth until MILLISECONDS + n * BETWEEN from now. Says "waiting" when
 *                              all are blocked, and when all have ended: "ended FIRST LAST DUE WRONG", when the first and the
 *                              last did, when the last was to, all on the host's CLOCK_MONOTONIC, and how many did otherwise
 *   cpu                        says "cpu NANOSECONDS", of the whole process */
#include "waiting.h"

#define MOST 1000
static struct object objects[MOST];
static struct waiter waiters[MOST];
static int threads;

static void *until_deadline(void *waiter) {
    struct waiter *w = waiter;
    w->tid = syscall(SYS_gettid);
    do {
        errno = 0;
        w->result = w->call->wait(w->object, &w->deadline);
        if (IS_CONDITION(w->call)) w->call->after(w->object);
    } while (!w->result && IS_CONDITION(w->call));
    w->ended = true_clock(1);
    w->error = w->result == ETIMEDOUT ? ETIMEDOUT : errno;
    w->done = 1;
    return 0;
}

static void all_wait(int64_t ahead, int64_t between) {
    static const int kinds[] = {4 /* semaphore */, 0 /* condition */, 1 /* mutex */, 3 /* rwlock */};
    pthread_attr_t small;
    int64_t true_offset = true_clock(0) - true_clock(1), first = INT64_MAX, last = 0;
    int wrong = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    struct timespec base = in(ahead);
    for (int at = 0; at < threads; at++) {
        struct waiter *w = &waiters[at];
        int64_t until = nanos(base) + at * between;
        make(&objects[at], &calls[kinds[at % 4]]);
        *w = (struct waiter){.call = &calls[kinds[at % 4]], .object = &objects[at]};
        w->deadline = (struct timespec){until / SECOND, until % SECOND};
        if (pthread_create(&w->thread, &small, until_deadline, w)) abort();
    }
    for (int at = 0; at < threads; at++) blocked(&waiters[at].tid, &waiters[at].done);
    printf("waiting\n");
    for (int at = 0; at < threads; at++) {
        struct waiter *w = &waiters[at];
        pthread_join(w->thread, 0);
        if (w->ended < first) first = w->ended;
        if (w->ended > last) last = w->ended;
        wrong += w->error != ETIMEDOUT;
    }
    int64_t due = nanos(base) + (threads - 1) * between - true_offset;
    printf("ended %lld %lld %lld %d\n", (long long)first, (long long)last, (long long)due, wrong);
}

static long long first, second;
static void *waits(void *unused) {
    all_wait(first * MILLISECOND, second * MILLISECOND);
    return 0;
}

int main(int argc, char **argv) {
    char line[80];
    pthread_t thread = 0;
    threads = argc > 1 ? atoi(argv[1]) : 100;
    setvbuf(stdout, 0, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "wait %lld %lld", &first, &second) == 2) {
            /* The objects are made anew, also the locks that the thread before holds until it has gone. */
            if (thread) pthread_join(thread, 0);
            if (pthread_create(&thread, 0, waits, 0)) abort();
        }
        if (!strncmp(line, "cpu", 3)) printf("cpu %lld\n", (long long)by_clock_gettime(CLOCK_PROCESS_CPUTIME_ID));
    }
    _exit(0);
}
