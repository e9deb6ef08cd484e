/* A program that stands in a signal handler which will return into the first instructions of the vDSO's clock_gettime: it has
 * itself interrupted after each instruction of a read, and stays in the handler of the first one that is inside the bytes which a
 * detour overwrites. With an argument the handler runs on a stack of its own. Says "framed PID", or "none PID" where no instruction
 * begins there; after a line of input the handler returns, and the reading must be the truth. Ends at the end of its input. */
#include "truth.h"
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define OVERWRITTEN 5
#define TRAP_FLAG "0x100"

static int (*volatile read_clock)(clockid_t, struct timespec *);
static volatile int stands;

static void say(const char *what) {
    char line[64];
    raw_syscall(1, 1, (long)line, snprintf(line, sizeof line, "%s %d\n", what, getpid()));
}

static void on_step(int signal, siginfo_t *info, void *context) {
    greg_t rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    char byte;
    (void)signal, (void)info;
    if (stands || rip <= (greg_t)read_clock || rip >= (greg_t)read_clock + OVERWRITTEN) return;
    stands = 1;
    say("framed");
    while (raw_syscall(0, 0, (long)&byte, 1) == 1 && byte != '\n') {
    }
}

int main(int count, char **words) {
    size_t size = 64 << 10;
    stack_t stack = {.ss_sp = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = size};
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | (count > 1 ? SA_ONSTACK : 0)};
    struct timespec now = {0, 0};
    char byte;
    (void)words;
    read_clock = dlsym(dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD), "__vdso_clock_gettime");
    if (!read_clock) return 2;
    sigaltstack(&stack, 0);
    sigaction(SIGTRAP, &action, 0);
    int64_t before = true_clock(0);
    __asm__ volatile("pushfq\n orq $" TRAP_FLAG ", (%%rsp)\n popfq" ::: "memory", "cc");
    read_clock(CLOCK_REALTIME, &now);
    __asm__ volatile("pushfq\n andq $~" TRAP_FLAG ", (%%rsp)\n popfq" ::: "memory", "cc");
    int64_t after = true_clock(0);
    if (!stands) say("none");
    if (nanos(now) < before || nanos(now) > after) return 3;
    say("read");
    while (raw_syscall(0, 0, (long)&byte, 1) == 1) {
    }
    return 0;
}
