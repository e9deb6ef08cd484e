/* Processes around a wait: shared objects, forks in the middle of it, in its signal handlers, vfork, exec, exits. Every wait
 * has a deadline an hour ahead and says when it ended, by the host's CLOCK_MONOTONIC. "waits NAME TID" says who is
 * about to wait.
 * Usage: wait_processes SCENARIO */
#include "waiting.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char **arguments;
static int parent_of_all;

static void say(const char *what, int64_t ended, const char *result) {
    char line[200];
    int length = snprintf(line, sizeof line, "%s ended %lld %s\n", what, (long long)ended, result);
    if (write(1, line, length) != length) _exit(9);
}
static void waits(const char *what) {
    char line[200];
    int length = snprintf(line, sizeof line, "waits %s %d\n", what, (int)syscall(SYS_gettid));
    if (write(1, line, length) != length) _exit(9);
}

/* One wait on a semaphore that nobody posts. */
static void once(const char *name) {
    sem_t semaphore;
    struct timespec far = in(HOUR);
    sem_init(&semaphore, 0, 0);
    waits(name);
    while (sem_timedwait(&semaphore, &far) && errno == EINTR) continue;
    say(name, true_clock(1), named(errno));
}
static void *once_in_thread(void *name) {
    once(name);
    return 0;
}
static pthread_t thread(void *(*body)(void *), void *of) {
    pthread_t handle;
    if (pthread_create(&handle, 0, body, of)) abort();
    return handle;
}

/* Objects of two processes. */
struct shared {
    pthread_mutex_t mutex, held;
    pthread_cond_t condition;
    sem_t semaphore, back;
    volatile int letters;
};
static struct shared *shared;
static void make_shared(void) {
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &mutex);
    pthread_mutex_init(&shared->held, &mutex);
    pthread_cond_init(&shared->condition, &condition);
    sem_init(&shared->semaphore, 1, 0);
    sem_init(&shared->back, 1, 0);
}
static int letter(struct timespec *until) {
    int result = 0;
    pthread_mutex_lock(&shared->mutex);
    while (!shared->letters && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&shared->condition, &shared->mutex, until);
    if (shared->letters) shared->letters--, result = 0;
    pthread_mutex_unlock(&shared->mutex);
    return result;
}
static void send_letter(void) {
    pthread_mutex_lock(&shared->mutex);
    shared->letters++;
    pthread_cond_signal(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
}
static void *by_condition(void *name) {
    struct timespec far = in(HOUR);
    waits(name);
    int result = letter(&far);
    say(name, true_clock(1), named(result));
    return 0;
}
static void *by_semaphore(void *name) {
    struct timespec far = in(HOUR);
    waits(name);
    int result = sem_timedwait(&shared->semaphore, &far);
    say(name, true_clock(1), named(result ? errno : 0));
    return 0;
}
static void *by_mutex(void *name) {
    struct timespec far = in(HOUR);
    waits(name);
    int result = pthread_mutex_timedlock(&shared->held, &far);
    say(name, true_clock(1), named(result));
    return 0;
}
/* The other process: hears and answers, then waits for what never comes. */
static void other_process(void) {
    for (int round = 0; round < 500; round++) {
        struct timespec far = in(HOUR);
        if (letter(&far) || sem_post(&shared->back)) _exit(3);
    }
    pthread_t one = thread(by_condition, "child-cond"), two = thread(by_semaphore, "child-sem");
    by_mutex("child-mutex");
    pthread_join(one, 0), pthread_join(two, 0);
    exit(0);
}
static void two_processes(void) {
    int memory = memfd_create("shared", 0), status = 0;
    char number[16];
    ftruncate(memory, 4096);
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    make_shared();
    pthread_mutex_lock(&shared->held);
    int child = fork();
    if (!child) { /* another program, which maps the memory elsewhere */
        snprintf(number, sizeof number, "%d", memory);
        execl("/proc/self/exe", "wait_processes", "other", number, (char *)0);
        _exit(9);
    }
    for (int round = 0; round < 500; round++) {
        struct timespec far = in(HOUR);
        send_letter();
        if (sem_timedwait(&shared->back, &far)) exit(4);
    }
    pthread_t one = thread(by_condition, "parent-cond");
    by_semaphore("parent-sem");
    pthread_join(one, 0);
    waitpid(child, &status, 0);
    printf("child %d\n", status);
}

static void end_of(int child) {
    int status = 0;
    waitpid(child, &status, 0);
    if (status) printf("a child ended with %x\n", status);
}

/* Forks while another thread waits; the child waits in two threads of its own. */
static void forks(int raw) {
    pthread_t one = thread(once_in_thread, "parent");
    usleep(20000);
    int child = raw ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    if (!child) {
        if (raw) {
            once("child");
            _exit(0);
        }
        pthread_t two = thread(once_in_thread, "child-thread");
        once("child");
        pthread_join(two, 0);
        if (!fork()) once("grandchild"), _exit(0);
        end_of(-1);
        _exit(0);
    }
    pthread_join(one, 0);
    end_of(child);
}

/* A condition whose predicate never comes true. */
static void *in_condition(void *waiter) {
    struct waiter *w = waiter;
    w->tid = syscall(SYS_gettid);
    pthread_mutex_lock(&w->object->mutex);
    while (!w->result) w->result = pthread_cond_timedwait(&w->object->condition, &w->object->mutex, &w->deadline);
    pthread_mutex_unlock(&w->object->mutex);
    w->ended = true_clock(1);
    return 0;
}
static volatile int forked;
static void fork_in_handler(int signal) {
    int child = fork();
    if (!child) {
        once("child");
        _exit(0);
    }
    forked = child;
}
static void handler(void) {
    struct sigaction action = {.sa_handler = fork_in_handler};
    struct object object;
    struct waiter w;
    sigaction(SIGUSR1, &action, 0);
    make(&object, &calls[0]); /* a condition, which goes on */
    w = (struct waiter){.object = &object, .deadline = in(HOUR)};
    pthread_create(&w.thread, 0, in_condition, &w);
    blocked(&w.tid, &w.done);
    pthread_kill(w.thread, SIGUSR1);
    while (!forked) usleep(200);
    printf("waits parent %d\n", w.tid);
    pthread_join(w.thread, 0);
    say("parent", w.ended, named(w.result));
    end_of(forked);
}

static void vforks(void) {
    pthread_t one = thread(once_in_thread, "parent");
    usleep(20000);
    int child = vfork();
    if (!child) {
        execl("/proc/self/exe", "wait_processes", "once", "child", (char *)0);
        _exit(9);
    }
    pthread_join(one, 0);
    end_of(child);
}

/* What the first wait costs: no task before it, one more after it, with every signal blocked. */
static int tasks(void) {
    char line[256];
    int count = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &count);
    fclose(file);
    return count;
}
static void unshares(void) {
    int before = tasks(), child = fork();
    if (!child) _exit(unshare(0x10000000 /* CLONE_NEWUSER */) ? errno : 0);
    int status = 0;
    waitpid(child, &status, 0);
    struct timespec soon = in(5 * MILLISECOND);
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &soon, 0);
    printf("tasks %d, user namespace %d, files %d, more tasks after a wait: %d\n", before, WEXITSTATUS(status),
           unshare(CLONE_FS | CLONE_FILES), tasks() - before);
}

static void *ends_process(void *how) {
    char text[256];
    usleep(50000);
    if (*(char *)how == 'e') exit(7);
    if (*(char *)how == 'x') execl("/proc/self/exe", "wait_processes", "once", "after-exec", (char *)0);
    _exit(8);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!strcmp(what, "once")) once(argv[2]);
    if (!strcmp(what, "other")) {
        shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
        other_process();
    }
    if (!strcmp(what, "shared")) two_processes();
    if (!strcmp(what, "fork")) forks(0);
    if (!strcmp(what, "raw-clone")) forks(1);
    if (!strcmp(what, "handler")) handler();
    if (!strcmp(what, "vfork")) vforks();
    if (!strcmp(what, "unshare")) unshares();
    if (!strcmp(what, "main-exits")) {
        for (int at = 0; at < 4; at++) thread(once_in_thread, "thread");
        pthread_exit(0); /* the process goes on without its first thread, and ends with the last */
    }
    if (!strcmp(what, "exit") || !strcmp(what, "xec") || !strcmp(what, "_exit")) {
        for (int at = 0; at < 8; at++) thread(once_in_thread, "thread");
        thread(ends_process, (void *)what);
        once("main");
    }
    return 0;
}
