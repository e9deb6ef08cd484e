/* A thread in every call that waits, each with a deadline an hour ahead, as a real program has them: woken too early, it
 * looks at what it waits for and waits again. "waits NAME TID" says who is about to wait. When all have ended, it is said when, by the host's CLOCK_MONOTONIC.
 * In the modes strict and at-once programs take nearly all calls from themselves: after the first wait, and at once after it.
 * Usage: wait_follow plain | refused | strict | at-once | chroot FOLDER */
#include "waiting.h"
#include "seccomp.h"
#include <sched.h>
#include <sys/wait.h>

static struct object objects[CALLS];
static struct waiter waiters[CALLS];
static long wakes[CALLS];
static pthread_barrier_t barrier;
static const char *mode;

/* No clone of any kind: whoever wants a thread is refused. */
static int refuse_clone(void) {
    const struct instruction code[] = {
        LOAD_NUMBER,           ALLOW_CALL(56, 4), ALLOW_CALL(57, 3), ALLOW_CALL(58, 2), ALLOW_CALL(435, 1),
        RETURN(ALLOW), RETURN(REFUSE(EPERM)),
    };
    return install(code, sizeof code / sizeof *code);
}

/* From here on the whole process, whoever runs in it, has the calls that wait, what ends a thread, and nothing else: a
 * file that is opened, in /proc or anywhere, kills. */
static int allow_waits_alone(void) {
    static const int allowed[] = {0, 1, 3, 11, 14, 15, 24, 28, 60, 96, 201, 202, 219, 228, 230, 231, 242, 243, 449};
    enum { COUNT = sizeof allowed / sizeof *allowed };
    struct instruction code[COUNT + 3] = {LOAD_NUMBER};
    for (int at = 0; at < COUNT; at++) code[1 + at] = (struct instruction)ALLOW_CALL(allowed[at], COUNT - at);
    code[1 + COUNT] = (struct instruction)RETURN(KILL_PROCESS);
    code[2 + COUNT] = (struct instruction)RETURN(ALLOW);
    struct filter filter = {COUNT + 3, code};
    return prctl(38, 1, 0, 0, 0) || syscall(317, 1 /* by a filter */, 1 /* every thread */, &filter);
}

/* A line by one call, without libc's buffers: what those need may be forbidden by now. */
#define say(...)                                                                      \
    do {                                                                              \
        char line[200];                                                               \
        int length = snprintf(line, sizeof line, __VA_ARGS__);                        \
        if (raw_syscall(1, 1, (long)line, length) != length) raw_syscall(231, 9, 0, 0); \
    } while (0)

static void *follow(void *waiter) {
    struct waiter *w = waiter;
    w->tid = syscall(SYS_gettid);
    if (*mode == 'r' && refuse_clone()) _exit(8);
    pthread_barrier_wait(&barrier); /* all have begun */
    pthread_barrier_wait(&barrier);
    say("waits %s %d\n", w->call->name, w->tid);
    for (;;) {
        errno = 77;
        w->result = w->call->wait(w->object, &w->deadline);
        w->error = errno;
        w->ended = true_clock(1);
        int timed_out = w->result == ETIMEDOUT || w->error == ETIMEDOUT || w->result == thrd_timedout;
        if (IS_CONDITION(w->call)) w->call->after(w->object);
        /* Nobody ever releases: a success is a sleep's end, or a wake-up for nothing. */
        if (timed_out || w->result && w->error != EINTR) return 0;
        if (w->call->wait == wait_sleep || w->call->wait == wait_raw_sleep) return 0;
        wakes[w - waiters]++;
    }
}

/* A wait that is over as it begins, whatever the machine is at: the word is another. */
static int wait_in_vain(void) {
    uint32_t word = 1;
    struct timespec deadline = in(HOUR);
    return futex(&word, WAIT_BITSET | REALTIME_FUTEX | PRIVATE, 2, &deadline, 0, -1) == 0 || errno != EAGAIN;
}

/* A process that has nothing but waits right after the first of them: the helper may not have run yet. */
static int forbid_after_first_wait(void) {
    if (wait_in_vain()) return 7;
    if (allow_waits_alone()) return 8;
    uint32_t word = 1;
    struct timespec deadline = in(5 * MILLISECOND);
    return futex(&word, WAIT_BITSET | REALTIME_FUTEX | PRIVATE, 1, &deadline, 0, -1) == 0 || errno != ETIMEDOUT;
}

/* Many of them, on one processor. */
static int at_once(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one)) return 6;
    for (int process = 0; process < 50; process++) {
        pid_t child = fork();
        if (child == 0) raw_syscall(231, forbid_after_first_wait(), 0, 0);
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child) return 5;
        if (status) {
            fprintf(stderr, "process %d: status 0x%x\n", process, status);
            return 4;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    mode = argc > 1 ? argv[1] : "plain";
    if (*mode == 'a') return at_once();
    if (*mode == 'c' && chroot(argv[2]) && (unshare(0x10000000 /* a user namespace */) || chroot(argv[2]))) {
        perror("chroot");
        return 77;
    }
    if (*mode == 'c' && chdir("/") || *mode == 'c' && !access("/proc", F_OK)) return 9;
    pthread_barrier_init(&barrier, 0, CALLS + 1);
    for (unsigned at = 0; at < CALLS; at++) {
        make(&objects[at], &calls[at]);
        waiters[at] = (struct waiter){.call = &calls[at], .object = &objects[at], .deadline = in(HOUR)};
        pthread_create(&waiters[at].thread, 0, follow, &waiters[at]);
    }
    pthread_barrier_wait(&barrier);
    if (*mode == 's' && (wait_in_vain() || allow_waits_alone())) return 8;
    pthread_barrier_wait(&barrier);
    for (unsigned at = 0; at < CALLS; at++) {
        struct waiter *w = &waiters[at];
        pthread_join(w->thread, 0);
        say("%s %d %s %lld %ld\n", w->call->name, w->result, named(w->error), (long long)w->ended, wakes[at]);
    }
    say("done\n");
    raw_syscall(231, 0, 0, 0);
}
