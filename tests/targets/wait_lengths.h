/* The waits for a length of time, asked for what is no good. Part of timer_errors.c. */

/* Something is always ready, so that nobody waits; with nothing ready only lengths that are refused or over are asked for. */
static int ready[2], quiet[2], no_epoll, an_epoll, full_epoll;

static int is_short(const struct timespec *time) {
    return time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= SECOND || !time->tv_sec && !time->tv_nsec;
}

static long select_on(int descriptor, int count, struct timeval *length) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(descriptor, &set);
    long result = select(count, &set, 0, 0, length);
    return result * 10 + FD_ISSET(descriptor, &set);
}

static void by_times(void) {
    static struct timespec length, rest;
    static struct timeval short_;
    struct epoll_event event;
    struct sembuf down = {0, -1, 0}, impatient = {0, -1, IPC_NOWAIT}, none = {9, -1, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EACH(at, times) {
        length = times[at];
        struct pollfd one = {ready[0], POLLIN}, silent = {quiet[0], POLLIN};
        ANSWER("ppoll ready", 0, at, ppoll(&one, 1, &length, 0));
        ANSWER("pselect ready", 0, at, pselect(ready[0] + 1, (fd_set[1]){{{1L << ready[0]}}}, 0, 0, &length, 0));
        ANSWER("epoll_pwait2 ready", 0, at, syscall(SYS_epoll_pwait2, full_epoll, &event, 1, &length, 0, 8));
        ANSWER("semtimedop", 0, at, semtimedop(system_v, &impatient, 1, &length));
        ANSWER("semtimedop", 0, at, semtimedop(system_v, &none, 1, &length));
        ANSWER("semtimedop", 0, at, semtimedop(-1, &down, 1, &length));
        ANSWER("recvmmsg", 0, at, recvmmsg(ready[0], 0, 0, 0, &length));
        ANSWER("recvmmsg", 0, at, recvmmsg(quiet[0], 0, 1, MSG_DONTWAIT, &length));
        if (!is_short(&length)) continue;
        ANSWER("nanosleep", 0, at, nanosleep(&length, &rest));
        ANSWER("nanosleep", 0, at, nanosleep(&length, nowhere));
        ANSWER("SYS_nanosleep", 0, at, syscall(SYS_nanosleep, &length, nowhere));
        ANSWER("thrd_sleep", 0, at, thrd_sleep(&length, &rest));
        ANSWER("ppoll", 0, at, ppoll(&silent, 1, &length, 0));
        ANSWER("SYS_ppoll", 0, at, syscall(SYS_ppoll, &silent, 1, &length, 0, 8));
        ANSWER("pselect", 0, at, pselect(0, 0, 0, 0, &length, 0));
        ANSWER("SYS_pselect6", 0, at, syscall(SYS_pselect6, 0, 0, 0, 0, &length, 0));
        ANSWER("epoll_pwait2", 0, at, syscall(SYS_epoll_pwait2, an_epoll, &event, 1, &length, 0, 8));
        ANSWER("sigtimedwait", 0, at, sigtimedwait(&set, 0, &length));
        ANSWER("SYS_rt_sigtimedwait", 0, at, syscall(SYS_rt_sigtimedwait, &set, 0, &length, 8));
        ANSWER("semtimedop", 0, at, semtimedop(system_v, &down, 1, &length));
        ANSWER("SYS_semtimedop", 0, at, syscall(SYS_semtimedop, system_v, &down, 1, &length));
        ANSWER("FUTEX_WAIT", 0, at, syscall(SYS_futex, &number_of_nobody, 0, 0, &length, 0, 0));
        ANSWER("FUTEX_WAIT differs", 0, at, syscall(SYS_futex, &number_of_nobody, 0, 1, &length, 0, 0));
    }
    EACH(at, micros) {
        short_ = micros[at];
        ANSWER("select ready", 0, at, select_on(ready[0], ready[0] + 1, &short_));
        if (short_.tv_sec >= 0 && short_.tv_usec >= 0 && (short_.tv_sec || short_.tv_usec)) continue;
        ANSWER("select", 0, at, select_on(quiet[0], quiet[0] + 1, &short_));
        ANSWER("SYS_select", 0, at, syscall(SYS_select, 0, 0, 0, 0, &short_));
    }
}

static void by_pointers(void) {
    static struct timespec brief = {0, 2000000};
    static struct timeval brief_ = {0, 2000};
    struct epoll_event event;
    struct pollfd silent = {quiet[0], POLLIN}, closed = {999, POLLIN};
    sigset_t set;
    sigemptyset(&set);
    void *const bad[] = {0, nowhere, kernel};
    EACH(at, bad) {
        ANSWER("ppoll mask", at, 0, syscall(SYS_ppoll, &silent, 1, &brief, bad[at], 8));
        ANSWER("ppoll mask's size", at, 0, syscall(SYS_ppoll, &silent, 1, &brief, &set, 4));
        ANSWER("poll", at, 0, poll(bad[at], 1, 2));
        ANSWER("ppoll", at, 0, ppoll(bad[at], 1, &brief, 0));
        ANSWER("poll", at, 0, syscall(SYS_poll, bad[at], 1, 2));
        ANSWER("epoll_wait", at, 0, epoll_wait(an_epoll, bad[at], 1, 2));
        ANSWER("epoll_wait", at, 0, epoll_wait(full_epoll, bad[at], 1, 2));
        ANSWER("epoll_pwait mask", at, 0, syscall(SYS_epoll_pwait, an_epoll, &event, 1, 2, bad[at], 8));
        ANSWER("epoll_pwait2", at, 0, syscall(SYS_epoll_pwait2, an_epoll, bad[at], 1, &brief, 0, 8));
        ANSWER("SYS_select", at, 0, syscall(SYS_select, 8, bad[at], 0, 0, &brief_));
        ANSWER("SYS_pselect6", at, 0, syscall(SYS_pselect6, 8, 0, bad[at], 0, &brief, 0));
        ANSWER("SYS_pselect6 mask", at, 0, syscall(SYS_pselect6, 0, 0, 0, 0, &brief, bad[at]));
        ANSWER("SYS_rt_sigtimedwait", at, 0, syscall(SYS_rt_sigtimedwait, bad[at], 0, &brief, 8));
        ANSWER("SYS_rt_sigtimedwait", at, 0, syscall(SYS_rt_sigtimedwait, &set, bad[at], &brief, 8));
        ANSWER("SYS_semtimedop", at, 0, syscall(SYS_semtimedop, system_v, bad[at], 1, &brief));
        ANSWER("recvmmsg", at, 0, syscall(SYS_recvmmsg, quiet[0], bad[at], 1, MSG_DONTWAIT, &brief));
        ANSWER("FUTEX_WAIT", at, 0, syscall(SYS_futex, bad[at], 0, 0, &brief, 0, 0));
        if (!at) continue;
        ANSWER("SYS_ppoll", at, 0, syscall(SYS_ppoll, &silent, 1, bad[at], 0, 8));
        ANSWER("ppoll", at, 0, syscall(SYS_ppoll, 0, 0, bad[at], 0, 8));
        ANSWER("SYS_select", at, 0, syscall(SYS_select, 0, 0, 0, 0, bad[at]));
        ANSWER("SYS_pselect6", at, 0, syscall(SYS_pselect6, 0, 0, 0, 0, bad[at], 0));
        ANSWER("epoll_pwait2", at, 0, syscall(SYS_epoll_pwait2, an_epoll, &event, 1, bad[at], 0, 8));
        ANSWER("sigtimedwait", at, 0, syscall(SYS_rt_sigtimedwait, &set, 0, bad[at], 8));
        ANSWER("semtimedop", at, 0, syscall(SYS_semtimedop, system_v, &(struct sembuf){0, -1, 0}, 1, bad[at]));
        ANSWER("recvmmsg", at, 0, syscall(SYS_recvmmsg, quiet[0], 0, 0, 0, bad[at]));
        ANSWER("SYS_nanosleep", at, 0, syscall(SYS_nanosleep, bad[at], 0));
        ANSWER("nanosleep", at, 0, nanosleep(bad[at], 0));
        ANSWER("FUTEX_WAIT", at, 0, syscall(SYS_futex, &number_of_nobody, 0, 0, bad[at], 0, 0));
        /* What libc itself reads crashes bare. */
        ANSWER("ppoll", at, 0, ppoll(&silent, 1, bad[at], 0));
        ANSWER("pselect", at, 0, pselect(0, 0, 0, 0, bad[at], 0));
        ANSWER("select", at, 0, select(0, 0, 0, 0, bad[at]));
        ANSWER("thrd_sleep", at, 0, thrd_sleep(bad[at], 0));
    }
    ANSWER("poll closed", 0, 0, poll(&closed, 1, 2));
}

static void by_numbers(void) {
    static struct timespec brief = {0, 2000000};
    static struct timeval brief_ = {0, 2000};
    static struct epoll_event event, events[4];
    const int numbers[] = {-1, 0, 1, 2, INT_MAX, INT_MIN, 1 << 20, 1025, 10000};
    const int descriptors_[] = {-1, 999, INT_MIN, INT_MAX, no_epoll};
    sigset_t set;
    sigemptyset(&set);
    EACH(at, numbers) {
        int number = numbers[at];
        ANSWER("poll count", number, 0, number > 2 ? poll(0, number, 2) : 0);
        ANSWER("SYS_ppoll count", number, 0, number > 2 || number < 0 ? syscall(SYS_ppoll, 0, (long)number, &brief, 0, 8) : 0);
        ANSWER("select count", number, 0, select(number, 0, 0, 0, &brief_));
        ANSWER("pselect count", number, 0, pselect(number, 0, 0, 0, &brief, 0));
        ANSWER("SYS_select count", number, 0, syscall(SYS_select, number, 0, 0, 0, &brief_));
        ANSWER("SYS_pselect6 count", number, 0, syscall(SYS_pselect6, number, 0, 0, 0, &brief, 0));
        ANSWER("epoll_wait room", number, 0, epoll_wait(an_epoll, &event, number, 2));
        ANSWER("epoll_pwait2 room", number, 0, syscall(SYS_epoll_pwait2, an_epoll, &event, number, &brief, 0, 8));
        ANSWER("sigset's size", number, 0, syscall(SYS_rt_sigtimedwait, &set, 0, &brief, (long)number));
        ANSWER("epoll_pwait's size", number, 0, syscall(SYS_epoll_pwait, an_epoll, &event, 1, 2, &set, (long)number));
        ANSWER("semtimedop count", number, 0, syscall(SYS_semtimedop, system_v, &(struct sembuf){0, -1, IPC_NOWAIT}, (long)(number > 2 ? 100000 : number < 1 ? number : 1), &brief));
        ANSWER("semtimedop set", number, 0, number != system_v ? semtimedop(number + 100000, &(struct sembuf){0, -1, 0}, 1, &brief) : 0);
        ANSWER("FUTEX_WAIT value", number, 0, number ? syscall(SYS_futex, &number_of_nobody, 0, number, &brief, 0, 0) : 0);
        ANSWER("recvmmsg room", number, 0, syscall(SYS_recvmmsg, -1, 0, number, 0, &brief));
        ANSWER("usleep", number, 0, number >= 0 && number < 20000 ? usleep(number) : 0);
    }
    EACH(at, descriptors_) {
        int descriptor = descriptors_[at];
        ANSWER("epoll_wait", at, 0, epoll_wait(descriptor, &event, 1, 2));
        ANSWER("epoll_pwait", at, 0, epoll_pwait(descriptor, &event, 1, 2, &set));
        ANSWER("epoll_pwait2", at, 0, syscall(SYS_epoll_pwait2, descriptor, &event, 1, &brief, 0, 8));
        ANSWER("recvmmsg", at, 0, recvmmsg(descriptor, 0, 1, 0, &brief));
    }
    ANSWER("select closed", 0, 0, select_on(999, 1000, &brief_));
    ANSWER("select quiet", 0, 0, select_on(quiet[0], quiet[0] + 1, &brief_));
    ANSWER("poll zero", 0, 0, poll(0, 0, 0));
    ANSWER("sleep zero", 0, 0, sleep(0));
}

static void lengths(void) {
    struct epoll_event in = {EPOLLIN};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ready) || socketpair(AF_UNIX, SOCK_STREAM, 0, quiet)) _exit(3);
    no_epoll = open(file, O_RDONLY);
    an_epoll = epoll_create1(0);
    full_epoll = epoll_create1(0);
    epoll_ctl(an_epoll, EPOLL_CTL_ADD, quiet[0], &in);
    epoll_ctl(full_epoll, EPOLL_CTL_ADD, ready[0], &in);
    if (write(ready[1], "x", 1) != 1) _exit(3);
    by_times();
    by_pointers();
    by_numbers();
}
