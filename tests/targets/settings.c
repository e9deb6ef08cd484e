/* Every call that sets the host's clocks. None of them can, whatever the shim does:
 *   settings answers   without CAP_SYS_TIME; one line for each call, the same with and without the shim
 *   settings calls     with all privileges, behind a filter that answers PASSED for the kernel; by lines of standard input
 */
#include "seccomp.h"
#include "truth.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSED 118
#define ADJ_ADJTIME 0x8000 /* half of ADJ_OFFSET_SINGLESHOT */

static int calls;
#define SAY(call)                                                                                                      \
    do {                                                                                                               \
        errno = 77;                                                                                                    \
        long result = (long)(call);                                                                                    \
        printf("%s = %ld, errno %d\n", #call, result, errno);                                                          \
        calls++;                                                                                                       \
    } while (0)
/* A call that may crash runs in a child. */
#define CRASH(call)                                                                                                    \
    do {                                                                                                               \
        int status = 0;                                                                                                \
        fflush(stdout);                                                                                                \
        if (!fork()) {                                                                                                 \
            SAY(call);                                                                                                 \
            fflush(stdout);                                                                                            \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        wait(&status);                                                                                                 \
        if (WIFSIGNALED(status)) printf("%s: signal %d\n", #call, WTERMSIG(status));                                   \
    } while (0)

#ifdef __GLIBC__
extern int old_stime(const time_t *);
__asm__(".symver old_stime, stime@GLIBC_2.2.5");
extern int __adjtimex(struct timex *);
#define stime old_stime
#else
extern int stime(const time_t *);
#endif

static struct timespec now;
static struct timeval day;
static time_t seconds;
static struct timezone zone;

static struct timex *with(unsigned modes) {
    static struct timex asked;
    memset(&asked, 0, sizeof asked);
    asked.modes = modes;
    asked.tick = 10000;
    return &asked;
}
static struct timespec *at(long sec, long nsec) {
    static struct timespec made;
    made = (struct timespec){sec, nsec};
    return &made;
}
static struct timeval *day_at(long sec, long usec) {
    static struct timeval made;
    made = (struct timeval){sec, usec};
    return &made;
}

/* What is refused. (Musl leaves the zone alone.) */
static void setters(void) {
    struct timeval old, little = {0, 1};
    int (*found)(clockid_t, const struct timespec *) = dlsym(RTLD_DEFAULT, "clock_settime");
    SAY(clock_settime(0, &now));
    SAY(found(0, &now));
    SAY(settimeofday(&day, 0));
    SAY(stime(&seconds));
    SAY(adjtime(&little, 0));
    SAY(adjtime(&little, &old));
    SAY(adjtimex(with(ADJ_OFFSET_SINGLESHOT)));
    SAY(adjtimex(with(ADJ_TICK)));
    SAY(clock_adjtime(0, with(ADJ_STATUS)));
    SAY(clock_adjtime(0, with(ADJ_SETOFFSET)));
    SAY(syscall(227, 0, &now));
    SAY(syscall(164, &day, 0));
    SAY(syscall(164, &day, &zone));
    SAY(syscall(164, 0, &zone));
    SAY(syscall(164, 0, 0));
    SAY(syscall(159, with(ADJ_OFFSET)));
    SAY(syscall(305, 0, with(ADJ_OFFSET_SINGLESHOT)));
#ifdef __GLIBC__
    SAY(settimeofday(0, &zone));
    SAY(__adjtimex(with(ADJ_FREQUENCY)));
    SAY(ntp_adjtime(with(ADJ_MAXERROR)));
#endif
}

/* What is wrong, what nobody can set, and what only reads. */
static void others(void) {
    void *volatile null = 0, *volatile bad = (void *)8;
    long page = sysconf(_SC_PAGESIZE), most = 0x7fffffffffffffff;
    char *edge = mmap(0, 2 * page, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + page, page);
    char *last = edge + page;
    struct timeval old = {77, 77};
    int file = open("/dev/null", O_RDWR), of_file = (~file << 3) | 3, of_none = (~999 << 3) | 3;
    int of_cpu = (~getpid() << 3) | 2, ids[] = {of_file, of_none, of_cpu, -6, 0x7fffffff, (int)0x80000000, 64};
    for (int id = -10; id <= 30; id++) {
        printf("clock %d: ", id); SAY(clock_settime(id, &now));
        printf("clock %d: ", id); SAY(syscall(227, id, &now));
        printf("clock %d: ", id); SAY(syscall(227, id, bad));
        printf("clock %d: ", id); SAY(syscall(227, id, at(0, -1)));
        printf("clock %d: ", id); SAY(clock_adjtime(id, with(ADJ_STATUS)));
        printf("clock %d: ", id); SAY(syscall(305, id, bad));
        printf("clock %d: ", id); SAY(clock_adjtime(id, with(0)) >= 0);
    }
    for (unsigned each = 0; each < sizeof ids / sizeof *ids; each++) {
        printf("clock #%u: ", each); SAY(clock_settime(ids[each], &now));
        printf("clock #%u: ", each); SAY(syscall(227, ids[each], bad));
        printf("clock #%u: ", each); SAY(clock_settime(ids[each], at(0, 1000000000)));
        printf("clock #%u: ", each); SAY(clock_adjtime(ids[each], with(ADJ_STATUS)));
        printf("clock #%u: ", each); SAY(clock_adjtime(ids[each], with(0)));
    }
    long secs[] = {0, 1, -1, -most - 1, most, most / 1000000000, most / 1000000000 - 946080000,
                   most / 1000000000 - 946080001};
    long parts[] = {0, -1, 999999, 1000000, 1000001, 999999999, 1000000000, 1000000001, most, -most - 1};
    for (unsigned sec = 0; sec < sizeof secs / sizeof *secs; sec++) {
        for (unsigned part = 0; part < sizeof parts / sizeof *parts; part++) {
            printf("%ld %ld: ", secs[sec], parts[part]); SAY(clock_settime(0, at(secs[sec], parts[part])));
            printf("%ld %ld: ", secs[sec], parts[part]); SAY(syscall(227, 0, at(secs[sec], parts[part])));
            printf("%ld %ld: ", secs[sec], parts[part]); SAY(settimeofday(day_at(secs[sec], parts[part]), 0));
            printf("%ld %ld: ", secs[sec], parts[part]); SAY(syscall(164, day_at(secs[sec], parts[part]), 0));
            /* Kernels differ in whether they refuse a second of microseconds before they read the zone. */
            if (parts[part] == 1000000) continue;
            printf("%ld %ld: ", secs[sec], parts[part]); SAY(syscall(164, day_at(secs[sec], parts[part]), bad));
        }
        printf("%ld: ", secs[sec]); SAY(stime(&secs[sec]));
    }
    long spans[] = {0, 1, -1, 999, 1000, 1001, 2144, 2145, 2146, -2144, -2145, -2146, most, -most - 1};
    long micros[] = {0, 999999, 1000000, 1000000000, 1000000001, -1000000, -1000000001, most, -most - 1};
    for (unsigned span = 0; span < sizeof spans / sizeof *spans; span++)
        for (unsigned micro = 0; micro < sizeof micros / sizeof *micros; micro++) {
            printf("%ld %ld: ", spans[span], micros[micro]); SAY(adjtime(day_at(spans[span], micros[micro]), 0));
        }
    for (int bit = 0; bit < 32; bit++) {
        printf("bit %d: ", bit); SAY(adjtimex(with(1u << bit)));
        printf("bit %d: ", bit); SAY(syscall(159, with(1u << bit | ADJ_OFFSET_SS_READ)) >= 0);
        printf("bit %d: ", bit); SAY(syscall(305, 0, with(1u << bit | ADJ_ADJTIME)) >= 0);
    }
    SAY(adjtime(0, &old));
    printf("%ld %ld\n", (long)old.tv_sec, (long)old.tv_usec);
    SAY(adjtime(0, 0));
    SAY(adjtimex(with(0)) >= 0);
    SAY(adjtimex(with(ADJ_OFFSET_SS_READ)) >= 0);
    SAY(syscall(159, bad));
    SAY(syscall(159, null));
    SAY(syscall(159, last - 100));
    SAY(syscall(159, last - sizeof(struct timex)) >= 0);
    SAY(syscall(305, 0, bad));
    SAY(syscall(305, 0, null));
    SAY(syscall(305, 0, last - 207));
    SAY(adjtimex(bad));
    SAY(clock_adjtime(0, null));
    SAY(syscall(227, 0, null));
    SAY(syscall(227, 0, last - 8));
    SAY(syscall(227, 0, last - 16));
    SAY(syscall(164, bad, 0));
    SAY(syscall(164, last - 8, 0));
    SAY(syscall(164, &day, bad));
    SAY(syscall(164, 0, bad));
    SAY(syscall(164, 0, last - 4));
    SAY(syscall(164, 0, last - 8));
    CRASH(clock_settime(0, null));
    CRASH(clock_settime(0, bad));
    CRASH(clock_settime(1, bad));
    CRASH(settimeofday(bad, 0));
    CRASH(settimeofday(0, 0));
    CRASH(settimeofday(&day, &zone));
    CRASH(settimeofday(bad, &zone));
    CRASH(settimeofday(0, bad));
    CRASH(stime(null));
    CRASH(adjtime(bad, 0));
    CRASH(adjtime(&day, bad));
    CRASH(adjtime(0, bad));
}

/* Gives CAP_SYS_TIME away and makes sure of it. */
static void give_up_privilege(void) {
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } sets[2];
    uint32_t it = 1u << 25;
    if (raw_syscall(125, (long)&header, (long)sets, 0)) _exit(8);
    sets[0].effective &= ~it, sets[0].permitted &= ~it, sets[0].inheritable &= ~it;
    if (raw_syscall(126, (long)&header, (long)sets, 0)) _exit(8);
    if (raw_syscall(125, (long)&header, (long)sets, 0) || (sets[0].effective | sets[0].permitted) & it) _exit(8);
}

/* From here on the kernel answers PASSED to whoever gets as far, and makes sure of it with calls that can set nothing. */
static void shut_the_kernel(void) {
    struct instruction filter[] = {LOAD_NUMBER,        ALLOW_CALL(227, 4), ALLOW_CALL(164, 3),     ALLOW_CALL(159, 2),
                                   ALLOW_CALL(305, 1), RETURN(ALLOW),      RETURN(REFUSE(PASSED))};
    if (install(filter, sizeof filter / sizeof *filter)) _exit(8);
    if (raw_syscall(227, 99, 0, 0) != -PASSED || raw_syscall(164, 8, 8, 0) != -PASSED) _exit(8);
    if (raw_syscall(159, 8, 0, 0) != -PASSED || raw_syscall(305, 99, 8, 0) != -PASSED) _exit(8);
}

int main(int count, char **arguments) {
    char line[64];
    now.tv_sec = day.tv_sec = seconds = true_clock(0) / SECOND;
    if (count > 1 && !strcmp(arguments[1], "answers")) {
        give_up_privilege();
        setters();
        others();
        return 0;
    }
    shut_the_kernel();
    while (fgets(line, sizeof line, stdin)) {
        calls = 0;
        int child = !strcmp(line, "child\n") ? fork() : 0;
        if (child) {
            waitpid(child, 0, 0);
            continue;
        }
        setters();
        if (!strcmp(line, "read\n")) SAY(adjtimex(with(0)));
        printf("calls %d of %d\n", calls, (int)getpid());
        fflush(stdout);
    }
    return 0;
}
