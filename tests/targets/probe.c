/* A program that does what its standard input says, a command a line, and answers in lines of its own.
 * Every command but `quit` takes an instant of the host's CLOCK_MONOTONIC, before which it does not begin. */
#include "seccomp.h"
#include "ways.h"
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void say(const char *name, struct reading r, int grain) {
    char line[160];
    int length = snprintf(line, sizeof line, "%s %lld %lld %lld %lld %d\n", name, (long long)r.shown, (long long)r.skew,
                          (long long)r.width, (long long)r.mono, grain);
    if (raw_syscall(1, 1, (long)line, length) != length) _exit(9);
}

static void report_way(const char *name, way read, int id, int true_id, int grain) {
    struct timespec probe;
    if (read == by_clock_gettime && raw_syscall(228, id, (long)&probe, 0)) return; /* not on this machine */
    say(name, measure(read, id, true_id), grain);
}

static void wall(const char *name) { say(name, measure(by_clock_gettime, 0, 0), FINE); }
static void mono(void) { say("monotonic", measure(by_clock_gettime, 1, 1), FINE); }
static void done(void) { raw_syscall(1, 1, (long)"done\n", 5); }

static volatile int64_t handled_false, handled_before, handled_after;
static void in_handler(int signal) {
    (void)signal;
    handled_before = true_clock(0);
    handled_false = by_clock_gettime(0);
    handled_after = true_clock(0);
}

static void handler(int on_small_stack) {
    /* What a bare signal needs, and as much as the smallest stack ever had for whatever the handler calls. */
    size_t size = getauxval(51 /* AT_MINSIGSTKSZ */) + 2048;
    stack_t stack = {.ss_sp = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = size};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = on_small_stack ? SA_ONSTACK : 0};
    if (on_small_stack) sigaltstack(&stack, 0);
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    int64_t width = handled_after - handled_before;
    say("handler", (struct reading){handled_false, handled_false - handled_before, width, true_clock(1)}, FINE);
}

static volatile long interrupted;
static volatile int64_t worst;
static int64_t expected;
static void note(void) {
    struct reading r = measure(by_clock_gettime, 0, 0);
    int64_t off = llabs(r.skew - expected) - r.width;
    if (off > worst) worst = off;
}
static void on_timer(int signal) {
    (void)signal;
    interrupted++;
    note();
}
/* Reads the clock while a timer's handler reads it too, at whatever instruction the first read has come to. */
static void storm(void) {
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    expected = measure(by_clock_gettime, 0, 0).skew;
    worst = 0;
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &often, 0);
    while (interrupted < 500) note();
    setitimer(ITIMER_REAL, &never, 0);
    say("storm", (struct reading){worst, expected, 20000, true_clock(1)}, FINE);
}

static int child_reads(void *unused) {
    (void)unused;
    wall("child");
    _exit(0);
}
static void children(void) {
    char stack[16384];
    int pid = fork();
    if (!pid) {
        if (!fork()) child_reads(0);
        wait(0);
        child_reads(0);
    }
    waitpid(pid, 0, 0);
    pid = vfork();
    if (!pid) child_reads(0);
    waitpid(pid, 0, 0);
    pid = syscall(56, SIGCHLD, 0, 0, 0, 0);
    if (!pid) child_reads(0);
    waitpid(pid, 0, 0);
    pid = clone(child_reads, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
    waitpid(pid, 0, 0);
}

/* From here on only read, write, exit and sigreturn; anything else kills. */
static void sandbox(void) {
    struct instruction filter[] = {LOAD_NUMBER,  ALLOW_CALL(0, 6),  ALLOW_CALL(1, 5),  ALLOW_CALL(15, 4),
                                   ALLOW_CALL(60, 3), ALLOW_CALL(231, 2), ALLOW_CALL(0xffff, 1), RETURN(KILL_PROCESS),
                                   RETURN(ALLOW)};
    if (install(filter, sizeof filter / sizeof *filter)) _exit(8);
}

/* In the sandbox there is no way to the truth but the shape of what is shown: no syscall is made at all. */
static void blind(void) {
    struct reading r = {by_clock_gettime(0), 0, 0, by_clock_gettime(1)};
    say("blind", r, FINE);
}

int main(void) {
    char line[256];
    size_t length = 0;
    setvbuf(stdout, 0, _IONBF, 0);
    wall("ready");
    for (;;) {
        length = 0;
        for (;;) {
            if (raw_syscall(0, 0, (long)(line + length), 1) != 1) _exit(0);
            if (line[length] == '\n' || length + 2 > sizeof line) break;
            length++;
        }
        line[length] = 0;
        char *rest = strchr(line, ' ');
        int64_t after = 0;
        if (rest) {
            *rest++ = 0;
            after = strtoll(rest, &rest, 10);
        }
        if (after) reach(after);
        if (!strcmp(line, "wall")) wall("wall");
        else if (!strcmp(line, "mono")) mono();
        else if (!strcmp(line, "pid")) printf("pid %d 0 0 0 0\n", getpid());
        else if (!strcmp(line, "exec")) { execl("/proc/self/exe", "probe", (char *)0); _exit(7); }
        else if (!strcmp(line, "forked")) {
            /* A child that lives on, and takes over what is asked. */
            int child = fork();
            if (child) { waitpid(child, 0, 0); _exit(0); }
        }
        else if (!strcmp(line, "all")) every_way(report_way);
        else if (!strcmp(line, "handler")) handler(0);
        else if (!strcmp(line, "small-stack")) handler(1);
        else if (!strcmp(line, "storm")) storm();
        else if (!strcmp(line, "children")) children();
        else if (!strcmp(line, "sandbox")) sandbox();
        else if (!strcmp(line, "blind")) blind();
        else if (!strcmp(line, "clear-environment")) { clearenv(); environ = 0; }
        else if (!strcmp(line, "quit")) _exit(atoi(rest ? rest : "0"));
        else raw_syscall(1, 1, (long)"what?\n", 6);
        done();
    }
}
