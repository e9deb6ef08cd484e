/* A program that reads its clock when it is told to, and tells at which reads it was held.
 * Commands, a line each: `read N`, `mono N`, `fork N`, `vfork N`, `handler N` (while a timer's handler reads too),
 * `ways`, `threads N` (one that reads, one that counts), `connect PORT`, `sandbox ERRNO` (futex is refused from then on),
 * `time N` (how long N reads take). */
#include "seccomp.h"
#include "ways.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A thread that is not held may lose the processor for tens of milliseconds. */
#define HELD 80000000

static int clock_id;

/* Reads N times, and tells of each read that took longer than a read takes: which it was, for how long, and how old the
 * value was on return. */
static void read_times(int count) {
    for (int at = 1; at <= count; at++) {
        errno = 77;
        int64_t before = true_clock(1), true_before = true_clock(clock_id), shown = by_clock_gettime(clock_id);
        int64_t after = true_clock(1);
        if (after - before > HELD)
            printf("held %d %lld %lld %d\n", at, (long long)(after - before), (long long)(shown - true_before), errno);
    }
}

static volatile int handled, handled_held;
static void on_alarm(int signal) {
    (void)signal;
    int64_t before = true_clock(1);
    by_clock_gettime(0);
    if (true_clock(1) - before > HELD) handled_held++;
    handled++;
}
static void with_handler(int count) {
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    handled = handled_held = 0;
    sigaction(SIGALRM, &action, 0);
    /* One read of a handler's own first. */
    setitimer(ITIMER_REAL, &often, 0);
    while (handled < 2) {
    }
    read_times(count);
    setitimer(ITIMER_REAL, &never, 0);
    printf("handled %d %d\n", handled, handled_held);
}

static void report_way(const char *name, way read, int id, int true_id, int grain) {
    struct timespec probe;
    (void)grain;
    if (read == by_clock_gettime && raw_syscall(228, id, (long)&probe, 0)) return;
    int64_t before = true_clock(1);
    read(id);
    printf("way %s %lld %d\n", name, (long long)(true_clock(1) - before), true_id);
}

static volatile long counted;
static volatile int over;
static void *count(void *unused) {
    (void)unused;
    while (!over) counted++;
    return 0;
}
static void with_another(int reads) {
    pthread_t other;
    over = 0;
    pthread_create(&other, 0, count, 0);
    while (!counted) {
    }
    long before = counted;
    read_times(reads);
    printf("counted %ld\n", counted - before);
    over = 1;
    pthread_join(other, 0);
}

static void connect_to(int port) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    for (int turn = 0; turn < 3; turn++) {
        int socket_of = socket(turn == 1 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
        void *to = turn == 1 ? (void *)&six : (void *)&four;
        unsigned length = turn == 1 ? sizeof six : sizeof four;
        errno = 77;
        int64_t before = true_clock(1);
        int result = turn == 2 ? syscall(42, socket_of, to, length) : connect(socket_of, to, length);
        int64_t took = true_clock(1) - before;
        printf("connect %d %lld %d %s\n", turn, (long long)took, result, result ? strerror(errno) : "-");
        printf("skew %lld\n", (long long)(by_clock_gettime(0) - true_clock(0)));
        close(socket_of);
    }
    errno = 77;
    int result = connect(-1, (void *)8, 16), bad = errno;
    printf("bad %d %s\n", result, strerror(bad));
}

static void sandbox(int error) {
    struct instruction filter[] = {LOAD_NUMBER, {0x15, 0, 1, 202}, RETURN(REFUSE(error)), RETURN(ALLOW)};
    if (install(filter, sizeof filter / sizeof *filter)) _exit(8);
}

static void time_of(int reads) {
    int64_t before = true_clock(1);
    for (int at = 0; at < reads; at++) by_clock_gettime(0);
    printf("took %lld\n", (long long)(true_clock(1) - before));
}

int main(void) {
    char line[256];
    setvbuf(stdout, 0, _IOLBF, 0);
    printf("ready %d\n", getpid());
    while (fgets(line, sizeof line, stdin)) {
        char *rest = strchr(line, ' ');
        int number = rest ? atoi(rest) : 0, pid;
        line[strcspn(line, " \n")] = 0;
        clock_id = 0;
        if (!strcmp(line, "read")) read_times(number);
        else if (!strcmp(line, "mono")) clock_id = 1, read_times(number);
        else if (!strcmp(line, "fork")) {
            if (!(pid = fork())) read_times(number), fflush(stdout), _exit(0);
            waitpid(pid, 0, 0);
        } else if (!strcmp(line, "vfork")) {
            /* What it prints is buffered in the parent's memory. */
            if (!(pid = vfork())) read_times(number), _exit(0);
            waitpid(pid, 0, 0);
        } else if (!strcmp(line, "handler")) with_handler(number);
        else if (!strcmp(line, "ways")) every_way(report_way);
        else if (!strcmp(line, "threads")) with_another(number);
        else if (!strcmp(line, "connect")) connect_to(number);
        else if (!strcmp(line, "sandbox")) sandbox(number);
        else if (!strcmp(line, "time")) time_of(number);
        printf("done\n");
    }
    return 0;
}
