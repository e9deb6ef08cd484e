/* Mutexes of every kind in a timed lock: robust ones whose owner dies, PI, error-checking, recursive. Under an
 * inherited priority the kernel itself queues, and a dead owner is told of by it too. */
#include "waiting.h"

static pthread_mutex_t mutex;
static volatile int held, go;

static void make_mutex(int type, int protocol, int robust) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setrobust(&attributes, robust);
    memset(&mutex, 0, sizeof mutex);
    int result = pthread_mutex_init(&mutex, &attributes);
    if (result) printf("init %d\n", result);
    held = go = 0;
}

static void *hold_and_die(void *unlocks) {
    pthread_mutex_lock(&mutex);
    held = 1;
    while (!go) usleep(200);
    if (unlocks) pthread_mutex_unlock(&mutex);
    return 0;
}

static struct object object;
static int lock_it(struct object *unused, const struct timespec *at) { return pthread_mutex_timedlock(&mutex, at); }
static void nothing_after(struct object *unused) {}
static const struct call locking = {"pthread_mutex_timedlock", lock_it, nothing_after};

static void contended(const char *name, int robust) {
    pthread_t holder;
    struct waiter w, second;
    for (int unlocks = 0; unlocks < 2; unlocks++) {
        if (!unlocks && !robust) continue; /* nobody would ever get it */
        go = held = 0;
        pthread_create(&holder, 0, hold_and_die, unlocks ? &w : 0);
        while (!held) usleep(200);
        start(&w, &locking, &object, 40 * MILLISECOND);
        pthread_join(w.thread, 0);
        printf("%s: held: %d errno %s\n", name, w.result, named(w.error));
        start(&second, &locking, &object, HOUR);
        if (!blocked(&second.tid, &second.done)) puts("it did not wait");
        go = 1;
        pthread_join(holder, 0);
        pthread_join(second.thread, 0);
        printf("%s: its owner %s: %s errno %s\n", name, unlocks ? "unlocked" : "died",
               second.result == EOWNERDEAD ? "EOWNERDEAD" : named(second.result), named(second.error));
        if (second.result == EOWNERDEAD) { /* again by the death of `second`, which is taken over here */
            struct timespec far = in(HOUR);
            int result = pthread_mutex_timedlock(&mutex, &far);
            int consistent = pthread_mutex_consistent(&mutex), unlocked = pthread_mutex_unlock(&mutex);
            printf("%s: taken over: %s, consistent %d, unlocked %d\n", name,
                   result == EOWNERDEAD ? "EOWNERDEAD" : named(result), consistent, unlocked);
        }
    }
}

static void own(const char *name) {
    struct timespec past = in(-SECOND), soon = in(30 * MILLISECOND);
    int first = pthread_mutex_timedlock(&mutex, &past), again = pthread_mutex_timedlock(&mutex, &soon);
    printf("%s: free, deadline passed: %s; held by oneself: %s; unlocked %d\n", name, named(first),
           again == EDEADLK ? "EDEADLK" : named(again), pthread_mutex_unlock(&mutex));
    if (!again) printf("%s: unlocked again %d\n", name, pthread_mutex_unlock(&mutex));
}

int main(void) {
    const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE};
    const char *names[] = {"normal", "error-checking", "recursive"};
    setvbuf(stdout, 0, _IOLBF, 0);
    alarm(60);
    for (int type = 0; type < 3; type++) {
        for (int pi = 0; pi < 2; pi++) {
            for (int robust = 0; robust < 2; robust++) {
                char name[64];
                snprintf(name, sizeof name, "%s%s%s", names[type], pi ? ", PI" : "", robust ? ", robust" : "");
                int protocol = pi ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE;
                make_mutex(types[type], protocol, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
                own(name);
                contended(name, robust);
            }
        }
    }
    return 0;
}
