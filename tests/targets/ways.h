/* Every way to read a clock that a C program has. */
#include "truth.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <sys/timex.h>
#include <unistd.h>

static int (*found_clock_gettime)(clockid_t, struct timespec *);
static int (*found_gettimeofday)(struct timeval *, void *);
static time_t (*found_time)(time_t *);

static int64_t by_found_clock_gettime(int id) {
    struct timespec now = {0, 0};
    return found_clock_gettime(id, &now) ? -1 : nanos(now);
}
static int64_t by_found_gettimeofday(int id) {
    struct timeval now = {0, 0};
    (void)id;
    return found_gettimeofday(&now, 0) ? -1 : now.tv_sec * SECOND + now.tv_usec * 1000;
}
static int64_t by_found_time(int id) {
    time_t stored = 0, returned = found_time(&stored);
    (void)id;
    return returned == stored && returned == found_time(0) ? returned * SECOND : -1;
}
static int64_t by_gettimeofday(int id) {
    struct timeval now = {0, 0};
    (void)id;
    return gettimeofday(&now, 0) ? -1 : now.tv_sec * SECOND + now.tv_usec * 1000;
}
static int64_t by_gettimeofday_and_zone(int id) {
    struct timeval now = {0, 0};
    struct timezone zone = {99, 99};
    (void)id;
    return gettimeofday(&now, &zone) || zone.tz_minuteswest == 99 ? -1 : now.tv_sec * SECOND + now.tv_usec * 1000;
}
static int64_t by_time(int id) {
    time_t stored = 0, returned = time(&stored);
    (void)id;
    return returned == stored ? returned * SECOND : -1;
}
static int64_t by_timespec_get(int id) {
    struct timespec now = {0, 0};
    (void)id;
    return timespec_get(&now, TIME_UTC) == TIME_UTC ? nanos(now) : -1;
}
static int64_t of_timex(const struct timex *now) {
    return now->time.tv_sec * SECOND + now->time.tv_usec * (now->status & STA_NANO ? 1 : 1000);
}
static int64_t by_adjtimex(int id) {
    struct timex now = {0};
    (void)id;
    return adjtimex(&now) < 0 ? -1 : of_timex(&now);
}
static int64_t by_clock_adjtime(int id) {
    struct timex now = {0};
    return clock_adjtime(id, &now) < 0 ? -1 : of_timex(&now);
}
static int64_t by_syscall_clock_gettime(int id) {
    struct timespec now = {0, 0};
    return syscall(228, id, &now) ? -1 : nanos(now);
}
static int64_t by_syscall_gettimeofday(int id) {
    struct timeval now = {0, 0};
    (void)id;
    return syscall(96, &now, 0) ? -1 : now.tv_sec * SECOND + now.tv_usec * 1000;
}
static int64_t by_syscall_time(int id) {
    time_t stored = 0, returned = syscall(201, &stored);
    (void)id;
    return returned == stored ? returned * SECOND : -1;
}
static int64_t by_syscall_adjtimex(int id) {
    struct timex now = {0};
    (void)id;
    return syscall(159, &now) < 0 ? -1 : of_timex(&now);
}
static int64_t by_syscall_clock_adjtime(int id) {
    struct timex now = {0};
    return syscall(305, id, &now) < 0 ? -1 : of_timex(&now);
}
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static int64_t by_ftime(int id) {
    struct timeb now = {0};
    (void)id;
    return ftime(&now) ? -1 : now.time * SECOND + now.millitm * 1000000LL;
}
#ifdef __GLIBC__
static int64_t by_ntp_gettime(int id) {
    struct ntptimeval now = {0};
    (void)id;
    return (ntp_gettime)(&now) < 0 ? -1 : now.time.tv_sec * SECOND + now.time.tv_usec * 1000;
}
static int64_t by_ntp_gettimex(int id) {
    struct ntptimeval now = {0};
    (void)id;
    return ntp_gettimex(&now) < 0 ? -1 : now.time.tv_sec * SECOND + now.time.tv_usec * 1000;
}
static int64_t by_ntp_adjtime(int id) {
    struct timex now = {0};
    (void)id;
    return ntp_adjtime(&now) < 0 ? -1 : of_timex(&now);
}
#endif

/* A function of the vDSO, found as programs that bypass libc find it. */
static void *in_vdso(const char *name) {
    const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!base) return 0;
    const Elf64_Phdr *header = (const void *)(base + ((const Elf64_Ehdr *)base)->e_phoff);
    const Elf64_Dyn *dynamic = 0;
    for (int at = 0; at < ((const Elf64_Ehdr *)base)->e_phnum; at++)
        if (header[at].p_type == PT_DYNAMIC) dynamic = (const void *)(base + header[at].p_offset);
    const Elf64_Sym *symbols = 0;
    const char *strings = 0;
    for (; dynamic && dynamic->d_tag; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (const void *)(base + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) strings = base + dynamic->d_un.d_ptr;
    }
    /* In every vDSO the strings follow the symbols. */
    for (const Elf64_Sym *symbol = symbols; symbol && (const char *)(symbol + 1) <= strings; symbol++)
        if (symbol->st_shndx && !strcmp(strings + symbol->st_name, name)) return (void *)(base + symbol->st_value);
    return 0;
}

/* The clock that a way is compared with, and how coarse it is. */
enum { FINE = 0, TICK = 1, WHOLE_SECONDS = 2 };
typedef void (*report)(const char *name, way read, int id, int true_id, int grain);

static void found(report to, const char *name, void *clock, void *day, void *seconds) {
    char full[64];
    found_clock_gettime = (int (*)(clockid_t, struct timespec *))clock;
    found_gettimeofday = (int (*)(struct timeval *, void *))day;
    found_time = (time_t (*)(time_t *))seconds;
    snprintf(full, sizeof full, "%s-clock_gettime", name);
    if (clock) to(full, by_found_clock_gettime, 0, 0, FINE);
    snprintf(full, sizeof full, "%s-clock_gettime-monotonic", name);
    if (clock) to(full, by_found_clock_gettime, 1, 1, FINE);
    snprintf(full, sizeof full, "%s-gettimeofday", name);
    if (day) to(full, by_found_gettimeofday, 0, 0, FINE);
    snprintf(full, sizeof full, "%s-time", name);
    if (seconds) to(full, by_found_time, 0, 0, WHOLE_SECONDS);
}

/* Names that hold "monotonic", "boottime" or "cputime" are of those clocks; all others are of the wall clock. */
static void every_way(report to) {
    to("realtime", by_clock_gettime, 0, 0, FINE);
    to("realtime_coarse", by_clock_gettime, 5, 5, TICK);
    to("realtime_alarm", by_clock_gettime, 8, 8, FINE);
    to("tai", by_clock_gettime, 11, 11, FINE);
    to("monotonic", by_clock_gettime, 1, 1, FINE);
    to("monotonic_coarse", by_clock_gettime, 6, 6, TICK);
    to("monotonic_raw", by_clock_gettime, 4, 4, FINE);
    to("boottime", by_clock_gettime, 7, 7, FINE);
    to("boottime_alarm", by_clock_gettime, 9, 9, FINE);
    to("process_cputime", by_clock_gettime, 2, 2, FINE);
    to("thread_cputime", by_clock_gettime, 3, 3, FINE);
    to("gettimeofday", by_gettimeofday, 0, 0, FINE);
    to("gettimeofday-zone", by_gettimeofday_and_zone, 0, 0, FINE);
    to("time", by_time, 0, 0, WHOLE_SECONDS);
    to("timespec_get", by_timespec_get, 0, 0, FINE);
    to("adjtimex", by_adjtimex, 0, 0, FINE);
    to("clock_adjtime", by_clock_adjtime, 0, 0, FINE);
    to("syscall-clock_gettime", by_syscall_clock_gettime, 0, 0, FINE);
    to("syscall-clock_gettime-coarse", by_syscall_clock_gettime, 5, 5, TICK);
    to("syscall-clock_gettime-tai", by_syscall_clock_gettime, 11, 11, FINE);
    to("syscall-clock_gettime-monotonic", by_syscall_clock_gettime, 1, 1, FINE);
    to("syscall-clock_gettime-boottime", by_syscall_clock_gettime, 7, 7, FINE);
    to("syscall-gettimeofday", by_syscall_gettimeofday, 0, 0, FINE);
    to("syscall-time", by_syscall_time, 0, 0, WHOLE_SECONDS);
    to("syscall-adjtimex", by_syscall_adjtimex, 0, 0, FINE);
    to("syscall-clock_adjtime", by_syscall_clock_adjtime, 0, 0, FINE);
    to("ftime", by_ftime, 0, 0, TICK);
#ifdef __GLIBC__
    to("ntp_gettime", by_ntp_gettime, 0, 0, FINE);
    to("ntp_gettimex", by_ntp_gettimex, 0, 0, FINE);
    to("ntp_adjtime", by_ntp_adjtime, 0, 0, FINE);
    found(to, "private", dlsym(RTLD_DEFAULT, "__clock_gettime"), 0, 0);
    found(to, "old-version", dlvsym(RTLD_DEFAULT, "clock_gettime", "GLIBC_2.2.5"), 0, 0);
    void *libc = dlopen("libc.so.6", RTLD_NOW);
#else
    void *libc = dlopen("libc.so", RTLD_NOW);
#endif
    if (libc) found(to, "dlopen", dlsym(libc, "clock_gettime"), dlsym(libc, "gettimeofday"), dlsym(libc, "time"));
    found(to, "default", dlsym(RTLD_DEFAULT, "clock_gettime"), dlsym(RTLD_DEFAULT, "gettimeofday"),
          dlsym(RTLD_DEFAULT, "time"));
    found(to, "next", dlsym(RTLD_NEXT, "clock_gettime"), dlsym(RTLD_NEXT, "gettimeofday"), dlsym(RTLD_NEXT, "time"));
    found(to, "vdso", in_vdso("__vdso_clock_gettime"), in_vdso("__vdso_gettimeofday"), in_vdso("__vdso_time"));
}
