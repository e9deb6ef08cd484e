/* Waits of every kind at random, by many threads, with deadlines that have passed, are near, or never come, while others
 * post, signal, broadcast, hold, unlock and interrupt. What must hold, and is checked here:
 * 1. No wake-up is lost: what is there for a thread that waits is taken within LIMIT.
 * 2. No deadline is missed: a wait ends within LIMIT of an instant at which its clock has shown its deadline.
 * 3. Every token and every letter is received exactly once, and locks exclude.
 * That no deadline comes too early is checked by whoever knows how the clock was moved: FILE gets a record of every
 * timeout (of one in so many, when there are millions).
 * It runs in rounds. Each ends quietly: on the line "quiet" the clock is moved past all deadlines that ever come, and then no
 * more, nor are signals sent, which would wake whoever has lost his wake-up; all threads must come to their end by that and
 * by what they are given.
 * Usage: wait_stress WAITS THREADS SEED FILE. With FALSETICKER_LOSE=1 in the environment one token is lost, with =2 one
 * wake-up, with =3 one letter is read twice: the checks must find it. */
#include "waiting.h"

#define LIMIT (2 * SECOND)
#define NEVER (10LL * 365 * 86400 * SECOND)
#define SETS 4
#define ROUNDS 40
#define MOST 64
#define RECORDS 65536

enum kind { COND, SEM, FUTEX, MUTEX, READ, WRITE, SLEEP, KINDS };
static const char *kind_names[] = {"condition", "semaphore", "futex", "mutex", "read lock", "write lock", "sleep"};

static struct set {
    pthread_mutex_t mutex, lock;
    pthread_cond_t condition;
    pthread_rwlock_t rwlock;
    sem_t semaphore;
    uint32_t word; /* letters for whoever waits by the raw call */
    int letters;   /* under the mutex */
    int owner, writer, readers;
    long posted, received, sent, taken, woken, picked;
} sets[SETS + 2 * MOST]; /* those of all; one of each worker's own, where a wake-up that is lost stays lost; and one of each
                          * worker's to which nobody gives and whose locks are held for ever, so that the clock alone ends a wait */

struct record {
    int64_t kind, deadline, begun, ended;
};
static struct worker {
    pthread_t thread;
    volatile int tid;
    uint64_t random;
    volatile long serial; /* odd while it waits */
    volatile int kind, set;
    volatile int64_t deadline;
    long shown_serial, there_serial; /* the watchdog's */
    int64_t shown_at, there_at;
    long count[KINDS], timeouts, interrupted, spurious, kept;
    struct record *records;
} workers[MOST];
static int threads, lose;
static long total, every;
static volatile long waits, until_quiet;
static volatile int stop;
static volatile int64_t stopped_at;

static uint64_t next(uint64_t *state) { /* xorshift */
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state >> 11;
}
static void fail(const char *what, const struct worker *w) {
    printf("FAILED: %s (%s)\n", what, w ? kind_names[w->kind] : "-");
    fflush(stdout);
    _exit(1);
}
static long add(long *to, long by) { return __atomic_add_fetch(to, by, __ATOMIC_SEQ_CST); }
static long get(long *of) { return __atomic_load_n(of, __ATOMIC_SEQ_CST); }

/* One call, between two readings of the host's clock. `is_over`: it says that the deadline has come. */
static _Thread_local int64_t from;
static void begin(struct worker *w, int kind, int set, int64_t deadline) {
    w->kind = kind, w->set = set, w->deadline = deadline;
    from = true_clock(1);
    __atomic_store_n(&w->serial, w->serial + 1, __ATOMIC_SEQ_CST);
}
static void end(struct worker *w, int is_over) {
    __atomic_store_n(&w->serial, w->serial + 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&waits, 1, __ATOMIC_RELAXED);
    w->count[w->kind]++;
    if (!is_over) return;
    if (w->timeouts++ % every == 0 && w->kept < RECORDS)
        w->records[w->kept++] = (struct record){w->kind, w->deadline, from, true_clock(1)};
}

static void in_condition(struct worker *w, struct set *s, int64_t deadline) {
    struct timespec at = {deadline / SECOND, deadline % SECOND};
    int result = 0;
    pthread_mutex_lock(&s->mutex);
    while (!s->letters && result != ETIMEDOUT) {
        begin(w, COND, s - sets, deadline);
        result = pthread_cond_timedwait(&s->condition, &s->mutex, &at);
        end(w, result == ETIMEDOUT);
        if (result && result != ETIMEDOUT) fail("a condition answers what it must not", w);
        w->spurious += !result && !s->letters;
    }
    if (s->letters) s->letters--, s->taken += lose == 3 && s->taken == 100 ? 2 : 1;
    pthread_mutex_unlock(&s->mutex);
}
static void in_semaphore(struct worker *w, struct set *s, int64_t deadline) {
    struct timespec at = {deadline / SECOND, deadline % SECOND};
    begin(w, SEM, s - sets, deadline);
    int result = sem_timedwait(&s->semaphore, &at) ? errno : 0;
    end(w, result == ETIMEDOUT);
    if (!result) add(&s->received, 1);
    else if (result == EINTR) w->interrupted++;
    else if (result != ETIMEDOUT) fail("a semaphore answers what it must not", w);
}
static int pick(struct set *s) {
    uint32_t letters = __atomic_load_n(&s->word, __ATOMIC_SEQ_CST);
    while (letters)
        if (__atomic_compare_exchange_n(&s->word, &letters, letters - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            add(&s->picked, 1);
            return 1;
        }
    return 0;
}
static void in_futex(struct worker *w, struct set *s, int64_t deadline) {
    struct timespec at = {deadline / SECOND, deadline % SECOND};
    for (int result = 0; !pick(s) && result != ETIMEDOUT && !stop;) {
        begin(w, FUTEX, s - sets, deadline);
        result = futex(&s->word, WAIT_BITSET | REALTIME_FUTEX | PRIVATE, 0, &at, 0, -1) ? errno : 0;
        end(w, result == ETIMEDOUT);
        w->interrupted += result == EINTR;
        if (result == ETIMEDOUT) pick(s); /* as a real program looks once more */
        else if (result && result != EAGAIN && result != EINTR) fail("a futex answers what it must not", w);
    }
}
static void own(struct set *s, struct worker *w) {
    if (__atomic_exchange_n(&s->owner, 1, __ATOMIC_SEQ_CST)) fail("two own a mutex", w);
    __atomic_store_n(&s->owner, 0, __ATOMIC_SEQ_CST);
}
static void in_mutex(struct worker *w, struct set *s, int64_t deadline) {
    struct timespec at = {deadline / SECOND, deadline % SECOND};
    begin(w, MUTEX, s - sets, deadline);
    int result = pthread_mutex_timedlock(&s->lock, &at);
    end(w, result == ETIMEDOUT);
    if (result && result != ETIMEDOUT) fail("a mutex answers what it must not", w);
    if (result) return;
    own(s, w);
    pthread_mutex_unlock(&s->lock);
}
static void as_writer(struct set *s, struct worker *w) {
    if (__atomic_exchange_n(&s->writer, 1, __ATOMIC_SEQ_CST)) fail("two write", w);
    if (__atomic_load_n(&s->readers, __ATOMIC_SEQ_CST)) fail("one reads while one writes", w);
    __atomic_store_n(&s->writer, 0, __ATOMIC_SEQ_CST);
}
static void in_rwlock(struct worker *w, struct set *s, int64_t deadline, int writes) {
    struct timespec at = {deadline / SECOND, deadline % SECOND};
    begin(w, writes ? WRITE : READ, s - sets, deadline);
    int result = writes ? pthread_rwlock_timedwrlock(&s->rwlock, &at) : pthread_rwlock_timedrdlock(&s->rwlock, &at);
    end(w, result == ETIMEDOUT);
    if (result && result != ETIMEDOUT) fail("a lock answers what it must not", w);
    if (result) return;
    if (writes) {
        as_writer(s, w);
    } else {
        __atomic_add_fetch(&s->readers, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&s->writer, __ATOMIC_SEQ_CST)) fail("one writes while one reads", w);
        __atomic_add_fetch(&s->readers, -1, __ATOMIC_SEQ_CST);
    }
    pthread_rwlock_unlock(&s->rwlock);
}
static void in_sleep(struct worker *w, int64_t deadline) {
    struct timespec at = {deadline / SECOND, deadline % SECOND};
    begin(w, SLEEP, 0, deadline);
    int result = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, 0);
    end(w, !result);
    w->interrupted += result == EINTR;
    if (result && result != EINTR) fail("a sleep answers what it must not", w);
}

static void *work(void *worker) {
    struct worker *w = worker;
    w->tid = syscall(SYS_gettid);
    while (!stop) {
        uint64_t how = next(&w->random) % 16;
        uint64_t whose = next(&w->random) % 8;
        struct set *s = &sets[whose < 4 ? next(&w->random) % SETS : SETS + (w - workers)];
        if (whose >= 6 && how < 13) s += MOST;
        int64_t now = by_clock_gettime(CLOCK_REALTIME), near = next(&w->random) % (5 * MILLISECOND);
        int64_t deadline = now + (how < 7 ? -SECOND : how < 13 ? near : NEVER);
        switch (next(&w->random) % KINDS) {
        case COND: in_condition(w, s, deadline); break;
        case SEM: in_semaphore(w, s, deadline); break;
        case FUTEX: in_futex(w, s, deadline); break;
        case MUTEX: in_mutex(w, s, deadline); break;
        case READ: in_rwlock(w, s, deadline, 0); break;
        case WRITE: in_rwlock(w, s, deadline, 1); break;
        default: in_sleep(w, how < 13 ? deadline : now + near);
        }
        if (waits >= until_quiet && !__atomic_exchange_n(&stop, 1, __ATOMIC_SEQ_CST)) {
            stopped_at = true_clock(1);
            printf("quiet\n");
        }
    }
    w->tid = 0;
    return 0;
}

/* No more than a few at a time, that there be waiting; to a worker's own one alone, whose wake-up must do. */
static void give(struct set *s, uint64_t random) {
    int lost = lose == 2 && random / 8 % 4 == 0, is_own = s >= &sets[SETS], most = is_own ? 1 : stop ? INT_MAX : 2;
    switch (random % 3) {
    case 0:
        if (get(&s->posted) - get(&s->received) >= most) return;
        if (lose == 1 && add(&s->posted, 1) == 100) return;
        if (lose != 1) add(&s->posted, 1);
        sem_post(&s->semaphore);
        return;
    case 1:
        pthread_mutex_lock(&s->mutex);
        if (s->letters < most) {
            s->letters++, s->sent++;
            if (random / 4 % 2) pthread_cond_broadcast(&s->condition);
            else pthread_cond_signal(&s->condition);
        }
        pthread_mutex_unlock(&s->mutex);
        return;
    default:
        if (__atomic_load_n(&s->word, __ATOMIC_SEQ_CST) >= (uint32_t)most) return;
        add(&s->woken, 1);
        __atomic_add_fetch(&s->word, 1, __ATOMIC_SEQ_CST);
        if (!lost) futex(&s->word, 1 | PRIVATE, random / 4 % 2 ? INT_MAX : 1, 0, 0, 0);
    }
}
static void interrupt(struct worker *w) {
    if (w->tid) syscall(SYS_tgkill, getpid(), w->tid, SIGUSR1);
}
static volatile int over;
static void *agitate(void *seed) {
    uint64_t state = (uintptr_t)seed;
    while (!over) {
        struct set *s = &sets[next(&state) % SETS], *own_set = &sets[SETS + next(&state) % threads];
        switch (next(&state) % 8) {
        case 0:
            pthread_mutex_lock(&s->lock);
            own(s, 0);
            usleep(next(&state) % 2000);
            pthread_mutex_unlock(&s->lock);
            break;
        case 1:
            pthread_rwlock_wrlock(&s->rwlock);
            as_writer(s, 0);
            usleep(next(&state) % 2000);
            pthread_rwlock_unlock(&s->rwlock);
            break;
        case 2:
            if (!stop && next(&state) % 4 == 0) interrupt(&workers[next(&state) % threads]);
            break;
        default: give(next(&state) % 2 ? s : own_set, next(&state));
        }
        usleep(next(&state) % 200);
    }
    return 0;
}

/* Whether there is something for a thread that waits. A lock may be taken by others for as long as they like. */
static int is_there(const struct worker *w, struct set *s) {
    int value = 0;
    switch (w->kind) {
    case COND: return __atomic_load_n(&s->letters, __ATOMIC_SEQ_CST) > 0;
    case SEM: return !sem_getvalue(&s->semaphore, &value) && value > 0;
    case FUTEX: return __atomic_load_n(&s->word, __ATOMIC_SEQ_CST) > 0;
    default: return 0;
    }
}
static int64_t longest;
static void watch(struct worker *w, int64_t now) {
    long serial = __atomic_load_n(&w->serial, __ATOMIC_SEQ_CST);
    if (serial % 2 == 0) return;
    int64_t deadline = w->deadline;
    int shown = by_clock_gettime(CLOCK_REALTIME) >= deadline, there = is_there(w, &sets[w->set]);
    if (__atomic_load_n(&w->serial, __ATOMIC_SEQ_CST) != serial) return;
    /* Once shown is enough, whatever the clock does then; what is there may be gone the next moment. */
    if (w->shown_serial != serial) w->shown_at = shown ? now : 0, w->shown_serial = shown ? serial : 0;
    if (w->shown_at && now - w->shown_at > longest) longest = now - w->shown_at;
    if (w->shown_at && now - w->shown_at > LIMIT) fail("a deadline has come and the wait goes on", w);
    if (w->there_serial != serial || !there) w->there_at = now, w->there_serial = serial;
    if (now - w->there_at > longest) longest = now - w->there_at;
    if (now - w->there_at > LIMIT) fail("a wake-up is lost", w);
}
static void *watchdog(void *unused) {
    for (int64_t last = true_clock(1); !over;) {
        int64_t now = true_clock(1);
        /* A machine that gave this thread no time has perhaps given none to the others. */
        for (int at = 0; at < threads; at++) {
            if (now - last > LIMIT / 5) workers[at].shown_serial = workers[at].there_serial = 0, workers[at].shown_at = 0;
            watch(&workers[at], now);
        }
        if (stop && stopped_at && now - stopped_at > 2 * LIMIT) fail("the round does not come to its end", 0);
        last = now;
        usleep(20000);
    }
    return 0;
}

static void ignore(int signal) {}

/* One round, with threads of its own. */
static void play(long round) {
    pthread_t agitators[3], dog;
    until_quiet = total * (round + 1) / ROUNDS;
    stop = over = 0, stopped_at = 0;
    printf("begun\n");
    for (int at = 0; at < threads; at++) {
        if (pthread_create(&workers[at].thread, 0, work, &workers[at])) abort();
        workers[at].shown_at = workers[at].shown_serial = workers[at].there_serial = 0;
    }
    for (int at = 0; at < 3; at++)
        pthread_create(&agitators[at], 0, agitate, (void *)(workers[at].random * 3 + at));
    pthread_create(&dog, 0, watchdog, 0);
    for (int at = 0; at < threads; at++) pthread_join(workers[at].thread, 0);
    over = 1;
    pthread_join(dog, 0);
    for (int at = 0; at < 3; at++) pthread_join(agitators[at], 0);
}

static void settle(void) {
    for (int at = 0; at < SETS + threads; at++) {
        struct set *s = &sets[at];
        int left = 0;
        sem_getvalue(&s->semaphore, &left);
        if (s->posted != s->received + left) fail("a token is lost or was received twice", 0);
        if (s->sent != s->taken + s->letters) fail("a letter is lost or was taken twice", 0);
        if (s->woken != s->picked + s->word) fail("a futex's letter is lost or was picked twice", 0);
    }
}

static int tell_all(const char *path) {
    long timeouts = 0, interrupted = 0, spurious = 0, kept = 0;
    FILE *file = fopen(path, "w");
    for (int at = 0; at < threads; at++) {
        struct worker *w = &workers[at];
        timeouts += w->timeouts, interrupted += w->interrupted, spurious += w->spurious, kept += w->kept;
        fwrite(w->records, sizeof *w->records, w->kept, file);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        long count = 0;
        for (int at = 0; at < threads; at++) count += workers[at].count[kind];
        printf("%s %ld, ", kind_names[kind], count);
    }
    printf("of them timeouts %ld (recorded %ld), interrupted %ld, conditions woken for nothing %ld\n", timeouts, kept,
           interrupted, spurious);
    printf("done %ld, the longest in arrears %.1f ms\n", waits, longest / 1e6);
    return fclose(file) ? 3 : 0;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = ignore};
    if (argc < 5) return 2;
    total = atol(argv[1]), threads = atoi(argv[2]);
    every = total / 2000000 + 1;
    lose = getenv("FALSETICKER_LOSE") ? atoi(getenv("FALSETICKER_LOSE")) : 0;
    setvbuf(stdout, 0, _IOLBF, 0);
    sigaction(SIGUSR1, &action, 0);
    for (int at = 0; at < SETS + 2 * MOST; at++) {
        struct set *s = &sets[at];
        pthread_mutex_init(&s->mutex, 0), pthread_mutex_init(&s->lock, 0), pthread_cond_init(&s->condition, 0);
        pthread_rwlock_init(&s->rwlock, 0), sem_init(&s->semaphore, 0, 0);
    }
    for (int at = 0; at < threads; at++) {
        pthread_mutex_lock(&sets[SETS + MOST + at].lock);
        pthread_rwlock_wrlock(&sets[SETS + MOST + at].rwlock);
        workers[at].random = (atol(argv[3]) + at + 1) * 0x9e3779b97f4a7c15u;
        workers[at].records = malloc(RECORDS * sizeof(struct record));
    }
    for (long round = 0; round < ROUNDS; round++) play(round);
    settle();
    return tell_all(argv[4]);
}
