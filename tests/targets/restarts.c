/* A program that is always inside a restartable sequence (rseq): a few instructions that the kernel has begin anew whenever their
 * thread loses the processor or takes a signal in their midst. At each SIGUSR1 it says "restarts N": how often they did. */
#include "truth.h"
#include <signal.h>
#include <stdio.h>
#include <sys/rseq.h>
#include <unistd.h>

static volatile long restarts;

static void on_signal(int signal) {
    char line[64];
    (void)signal;
    raw_syscall(1, 1, (long)line, snprintf(line, sizeof line, "restarts %ld\n", restarts));
}

int main(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, 0);
    if (!__rseq_size) {
        raw_syscall(1, 1, (long)"none\n", 5);
        return 0;
    }
    struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    raw_syscall(1, 1, (long)"ready\n", 6);
    __asm__ volatile(".pushsection __rseq_cs, \"aw\"\n"
                     ".balign 32\n"
                     "3: .long 0, 0\n"
                     ".quad 1f, 2f - 1f, 4f\n"
                     ".popsection\n"
                     "5: lea 3b(%%rip), %%rax\n"
                     "mov %%rax, %0\n"
                     "1: pause\n"
                     "jmp 1b\n"
                     "2: ud2\n"
                     ".long 0x53053053\n" /* RSEQ_SIG */
                     "4: incq %1\n"
                     "jmp 5b\n"
                     : "=m"(area->rseq_cs), "+m"(restarts)
                     :
                     : "rax", "memory", "cc");
    return 1;
}
