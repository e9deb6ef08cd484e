/* Waits by every call of the list at once, each in a thread of its own, and tells when each came back.
 *
 * Told `patient` as its word, it begins a wait again that is interrupted, and reports later.
 *
 * It says `pid PID`, a line `thread NAME TID` for each call, and `ready`. Told `go NANOSECONDS`, all wait for as long by their
 * own clocks; when all are about to, it says `waiting`. When all are back, or after MOST_MS, it says what came of each:
 *
 *     NAME CLOCK FORM KIND DEADLINE BEFORE AFTER RESULT SPURIOUS SHOWN USED COUNT EVERY
 *
 * (clocks, forms and kinds by number, the rest in nanoseconds: the deadline by the call's clock, BEFORE and AFTER by the host's
 * CLOCK_MONOTONIC, SHOWN by the call's clock just after, USED of the CPU by the thread, COUNT the expiries of a timer that comes
 * EVERY so often, the last time at the deadline; AFTER is 0 if it still waits), and then `done`. It ends when its standard
 * input does. */
#include "wait_things.h"

enum { MOST_MS = 5000, MOST_MS_SUSPENDED = 15000 };

static struct row {
    struct things things;
    pthread_t thread;
    int tid, result, spurious;
    int64_t deadline, before, after, shown, used;
} rows[COUNT];

static int64_t ahead;
static pthread_barrier_t begin;
static sem_t told;
static int about_to_wait, back[2];

static void arrive(void) {
    if (__atomic_add_fetch(&about_to_wait, 1, __ATOMIC_SEQ_CST) == COUNT) sem_post(&told);
}

/* Who is woken for nothing waits for what is left, in units of the call's. */
static int shorten(struct timespec *length, int64_t left, int64_t unit) {
    left = (left + unit - 1) / unit * unit;
    *length = (struct timespec){left / SECOND, left % SECOND};
    return left > 0;
}

static void *wait_once(void *of) {
    struct row *row = of;
    int which = row - rows;
    const struct call *call = calls + which;
    row->tid = syscall(SYS_gettid);
    pthread_mutex_lock(&row->things.own);
    mtx_lock(&row->things.c11_own);
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&begin);
    int64_t unit = units[call->form], length = (ahead + unit - 1) / unit * unit;
    row->deadline = by_clock_gettime(call->clock) + length;
    int64_t given = call->form == UNTIL ? row->deadline : length;
    struct timespec until = {given / SECOND, given % SECOND};
    arrive();
    int64_t used = true_clock(CLOCK_THREAD_CPUTIME_ID);
    row->before = true_clock(1);
    if (call->form != UNTIL) row->deadline = by_clock_gettime(call->clock) + length;
    for (;;) {
        row->result = wait_by(which, &row->things, &until);
        int woken = row->result == 0 || row->result == EAGAIN || row->result == EINTR;
        if (!(call->kind == LOOP && woken) && !(patient && row->result == EINTR)) break;
        row->spurious++;
        if (call->form != UNTIL && !shorten(&until, row->deadline - by_clock_gettime(call->clock), unit)) {
            row->result = ETIMEDOUT;
            break;
        }
    }
    int64_t after = true_clock(1);
    row->used = true_clock(CLOCK_THREAD_CPUTIME_ID) - used;
    row->shown = by_clock_gettime(call->clock);
    __atomic_store_n(&row->after, after, __ATOMIC_SEQ_CST);
    return write(back[1], "", 1) == 1 ? 0 : of;
}

static void tell(const struct row *row) {
    const struct call *call = calls + (row - rows);
    long long after = __atomic_load_n(&row->after, __ATOMIC_SEQ_CST);
    printf("%s %d %d %d %lld %lld %lld %d %d %lld %lld %lld %lld\n", call->name, call->clock, call->form, call->kind, (long long)row->deadline,
           (long long)row->before, after, row->result, row->spurious, (long long)row->shown,
           (long long)row->used, (long long)row->things.count, (long long)row->things.every);
}

int main(int count, char **words) {
    char line[64];
    patient = count > 1 && !strcmp(words[1], "patient");
    block_signals();
    make_system_v();
    sem_init(&told, 0, 0);
    pthread_barrier_init(&begin, 0, COUNT + 1);
    if (pipe(back)) return 3;
    for (int which = 0; which < COUNT; which++) {
        prepare(&rows[which].things, calls[which].name);
        if (pthread_create(&rows[which].thread, 0, wait_once, rows + which)) return 3;
    }
    pthread_barrier_wait(&begin);
    printf("pid %d\n", getpid());
    for (int which = 0; which < COUNT; which++) printf("thread %s %d\n", calls[which].name, rows[which].tid);
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin) || strncmp(line, "go ", 3)) return 3;
    ahead = strtoll(line + 3, 0, 10);
    pthread_barrier_wait(&begin);
    sem_wait(&told);
    printf("waiting\n");
    fflush(stdout);
    int64_t until = true_clock(1) + (patient ? MOST_MS_SUSPENDED : MOST_MS) * 1000000LL;
    for (int all = 0; all < COUNT;) {
        int left = (until - true_clock(1)) / 1000000;
        struct pollfd any = {back[0], POLLIN, 0};
        char one;
        if (left <= 0 || poll(&any, 1, left) <= 0 && true_clock(1) >= until) break;
        if (any.revents && read(back[0], &one, 1) == 1) all++;
    }
    for (int which = 0; which < COUNT; which++) tell(rows + which);
    printf("done\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
    }
    remove_system_v();
    _exit(0);
}
