/* A program of which a thread is in vfork, over and over or for as long as its child sleeps, while another reads the clock. Argument: how
 * many milliseconds each child sleeps. Says "ready PID". */
#include "truth.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *forks(void *milliseconds) {
    long length = (long)milliseconds;
    for (;;) {
        int pid = vfork();
        if (!pid) {
            struct timespec sleep = {length / 1000, length % 1000 * 1000000};
            raw_syscall(35, (long)&sleep, 0, 0);
            _exit(0);
        }
        waitpid(pid, 0, 0);
        usleep(2000);
    }
    return 0;
}

int main(int count, char **words) {
    pthread_t thread;
    char byte;
    pthread_create(&thread, 0, forks, (void *)(count > 1 ? atol(words[1]) : 1));
    usleep(100000);
    printf("ready %d\n", getpid());
    fflush(stdout);
    while (read(0, &byte, 1) == 1) {
        printf("skew %lld\n", (long long)measure(by_clock_gettime, 0, 0).skew);
        fflush(stdout);
    }
    _exit(0);
}
