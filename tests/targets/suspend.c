/* What a program sees of a suspend.
 *
 * `watch` reads its clocks over and over; it says `begun`, and whenever more of CLOCK_BOOTTIME than 200 ms goes by from one look
 * to the next, what went by of each clock, in nanoseconds: `woke MONOTONIC RAW COARSE BOOTTIME REALTIME` and by the host's
 * CLOCK_BOOTTIME. Beside that it keeps a timer armed, far ahead, so that it has a helper.
 * `unread` arms a timer of 10 ms that nobody reads, and says `begun`.
 * `hold PID` stops the shim's own thread in another process as a debugger does, says `held`, and lets it go when its input ends. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "truth.h"

static void say(const char *text) {
    printf("%s\n", text);
    fflush(stdout);
}

static int has_input_ended(int wait_ms) {
    struct pollfd input = {0, POLLIN, 0};
    char text[64];
    return poll(&input, 1, wait_ms) == 1 && read(0, text, sizeof text) <= 0;
}

static int armed(int64_t first, int64_t every) {
    struct itimerspec setting = {{every / SECOND, every % SECOND}, {first / SECOND, first % SECOND}};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    return timer < 0 || timerfd_settime(timer, 0, &setting, 0) ? -1 : timer;
}

enum { CLOCKS = 6, BOOT = 3 };
static void look(int64_t *at) {
    static const int ids[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_REALTIME};
    for (int clock = 0; clock < CLOCKS - 1; clock++) at[clock] = by_clock_gettime(ids[clock]);
    at[CLOCKS - 1] = true_clock(CLOCK_BOOTTIME);
}

static int watch(void) {
    int64_t before[CLOCKS], now[CLOCKS];
    look(before);
    say("begun");
    for (int looks = 0; looks % 64 || !has_input_ended(0); looks++) {
        look(now);
        if (now[BOOT] - before[BOOT] > SECOND / 5) {
            printf("woke");
            for (int clock = 0; clock < CLOCKS; clock++) printf(" %lld", (long long)(now[clock] - before[clock]));
            say("");
        }
        memcpy(before, now, sizeof now);
        usleep(200);
    }
    return 0;
}

static int helper_of(const char *pid) {
    char path[300], name[32];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/%s/task/%s/comm", pid, task->d_name);
        int file = open(path, O_RDONLY);
        int length = file < 0 ? 0 : read(file, name, sizeof name);
        close(file);
        if (length == 12 && !memcmp(name, "falseticker\n", 12)) return atoi(task->d_name);
    }
    return 0;
}

static int hold(const char *pid) {
    int tid = helper_of(pid), status;
    if (!tid || ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0)) return 4;
    if (waitpid(tid, &status, __WALL) != tid) return 5;
    say("held");
    while (!has_input_ended(-1)) {
    }
    return ptrace(PTRACE_DETACH, tid, 0, 0) ? 6 : 0;
}

int main(int count, char **words) {
    if (count == 3 && !strcmp(words[1], "hold")) return hold(words[2]);
    if (armed(3600 * SECOND, 0) < 0) return 3;
    if (count == 2 && !strcmp(words[1], "watch")) return watch();
    if (armed(SECOND / 100, SECOND / 100) < 0) return 3;
    say("begun");
    while (!has_input_ended(-1)) {
    }
    return 0;
}
