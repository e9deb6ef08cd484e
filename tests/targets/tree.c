/* A tree of processes and threads that all count. A line on standard input asks for one line: every process, with its
 * count. The counts stand in shared memory, so that what is frozen can be told from what runs.
 * Usage: tree PROCESSES [THREADS]. The reader itself is the last process's parent and is frozen with the rest. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile long *counts;
static volatile long sink;

static void *count(void *slot) {
    for (;;) {
        (*(volatile long *)slot)++;
        usleep(1000);
    }
    return 0;
}

int main(int argc, char **argv) {
    int processes = argc > 1 ? atoi(argv[1]) : 3, threads = argc > 2 ? atoi(argv[2]) : 0;
    counts = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int parent = getpid();
    setvbuf(stdout, 0, _IONBF, 0);
    printf("pids %d", getpid());
    for (int at = 1; at < processes; at++) {
        int pid = fork();
        if (!pid) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) _exit(0);
            pthread_t thread;
            for (int more = 0; more < threads; more++) pthread_create(&thread, 0, count, (void *)&counts[at]);
            count((void *)&counts[at]);
        }
        printf(" %d", pid);
    }
    printf("\n");
    pthread_t thread;
    pthread_create(&thread, 0, count, (void *)&counts[0]);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        printf("counts");
        for (int at = 0; at < processes; at++) printf(" %ld", counts[at]);
        printf("\n");
    }
    return 0;
}
