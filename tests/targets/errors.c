/* What the clock functions answer to what is wrong, one line each: the same with and without the shim. */
#include "ways.h"
#include <signal.h>
#include <sys/wait.h>

#define SAY(call)                                                                                                      \
    do {                                                                                                               \
        errno = 77;                                                                                                    \
        long result = (long)(call);                                                                                    \
        printf("%s = %ld, errno %d\n", #call, result, errno);                                                          \
    } while (0)
/* A call that may crash runs in a child. */
#define CRASH(call)                                                                                                    \
    do {                                                                                                               \
        int status = 0;                                                                                                \
        fflush(stdout);                                                                                                \
        if (!fork()) {                                                                                                 \
            errno = 77;                                                                                                \
            long result = (long)(call);                                                                                \
            printf("%s = %ld, errno %d\n", #call, result, errno);                                                      \
            fflush(stdout);                                                                                            \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        wait(&status);                                                                                                 \
        if (WIFSIGNALED(status)) printf("%s: signal %d\n", #call, WTERMSIG(status));                                   \
    } while (0)

int main(void) {
    void *volatile null = 0, *volatile bad = (void *)8;
    struct timespec now;
    struct timeval day;
    struct timezone zone = {77, 77};
    struct timex timex = {0};
    for (int id = -10; id <= 20; id++) {
        printf("clock %d: ", id);
        SAY(clock_gettime(id, &now));
        SAY(syscall(228, id, &now));
    }
    int ids[] = {0x7fffffff, (int)0x80000000, 0x100, 0x10000, 64, 63, 32};
    for (unsigned at = 0; at < sizeof ids / sizeof *ids; at++) {
        printf("clock %d: ", ids[at]);
        SAY(clock_gettime(ids[at], &now));
        SAY(syscall(228, ids[at], &now));
        SAY(clock_adjtime(ids[at], &timex));
    }
    SAY(gettimeofday(&day, 0));
    SAY(gettimeofday(0, 0));
#ifdef __GLIBC__
    SAY(gettimeofday(0, (void *)&zone));
    printf("zone %d %d\n", zone.tz_minuteswest, zone.tz_dsttime);
#endif
    SAY(time(0) > 0);
    SAY(syscall(201, 0) > 0);
    for (int base = -1; base < 9; base++) SAY(timespec_get(&now, base));
    SAY(adjtimex(&timex) >= 0);
    SAY(syscall(159, &timex) >= 0);
    timex.modes = 0xffff;
    SAY(clock_adjtime(1, &timex));
    SAY(clock_gettime(99, null));
    SAY(syscall(228, 0, bad));
    SAY(syscall(228, 1, bad));
    SAY(syscall(228, 0, null));
    SAY(syscall(228, 99, bad));
    SAY(syscall(96, bad, 0));
    SAY(syscall(96, 0, bad));
    SAY(syscall(96, 0, 0));
    SAY(syscall(201, bad));
    SAY(syscall(159, bad));
    SAY(syscall(159, null));
    SAY(syscall(305, 0, bad));
    SAY(syscall(305, 0, null));
    SAY(syscall(305, 99, bad));
    SAY(adjtimex(bad));
    SAY(clock_adjtime(0, bad));
    SAY(syscall(999999));
    SAY(syscall(-1));
    SAY(syscall(3, -1));
    CRASH(clock_gettime(0, null));
    CRASH(clock_gettime(5, null));
    CRASH(clock_gettime(1, null));
    CRASH(clock_gettime(7, bad));
    CRASH(clock_gettime(4, bad));
    CRASH(clock_gettime(8, bad));
    CRASH(clock_gettime(11, bad));
    CRASH(clock_gettime(2, bad));
    CRASH(gettimeofday(bad, 0));
#ifdef __GLIBC__ /* musl never looks at the zone */
    CRASH(gettimeofday(0, bad));
    CRASH(gettimeofday(&day, bad));
#endif
    CRASH(time(bad));
    CRASH(timespec_get(bad, TIME_UTC));
    CRASH(ftime(bad));
    CRASH(adjtimex(null));
#ifdef __GLIBC__
    CRASH(ntp_gettime(bad));
    CRASH(ntp_gettimex(bad));
    CRASH(ntp_adjtime(bad));
#endif
    found_clock_gettime = (int (*)(clockid_t, struct timespec *))in_vdso("__vdso_clock_gettime");
    if (found_clock_gettime) {
        for (int id = -3; id <= 20; id++) SAY(found_clock_gettime(id, &now));
        CRASH(found_clock_gettime(0, null));
        SAY(found_clock_gettime(99, null));
    }
    return 0;
}
