/* The truth, for target programs: clocks read by the processor's own `syscall` instruction, which nothing interposes on.
 * A skew is measured inside one process: true, false, true, and the two true reads lie close together. */
#include <stdint.h>
#include <time.h>

#define SECOND 1000000000LL

static inline long raw_syscall(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static inline int64_t nanos(struct timespec at) { return at.tv_sec * SECOND + at.tv_nsec; }

static inline int64_t true_clock(int id) {
    struct timespec now = {0, 0};
    raw_syscall(228, id, (long)&now, 0);
    return nanos(now);
}

/* What one way of reading a clock shows: nanoseconds, or a negative errno. */
typedef int64_t (*way)(int id);

/* A reading: what was shown, the truth of the same clock between two reads, and how far those were apart. */
struct reading {
    int64_t shown, skew, width, mono;
};

/* A preempted measurement is made again: the narrowest of a few stands. */
static inline struct reading measure(way read, int id, int true_id) {
    struct reading best = {0, 0, INT64_MAX, 0};
    for (int attempt = 0; attempt < 50 && best.width > 20000; attempt++) {
        int64_t before = true_clock(true_id), shown = read(id), mono = true_clock(1), after = true_clock(true_id);
        if (after - before < best.width) {
            best = (struct reading){shown, shown - (before + (after - before) / 2), after - before, mono};
        }
    }
    return best;
}

static inline int64_t by_clock_gettime(int id) {
    struct timespec now = {0, 0};
    return clock_gettime(id, &now) ? -1 : nanos(now);
}

/* Spins until the host's CLOCK_MONOTONIC is past `instant`. */
static inline void reach(int64_t instant) {
    while (true_clock(1) <= instant) {
    }
}
