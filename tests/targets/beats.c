/* A program that can be seen to run: each of its threads notes the instant at which it last ran in a file that others read.
 * Usage: beats FILE WORKERS. Says its pid. The main thread has the first place in the file, and waits for the end of its standard
 * input in a thread that is called "reader"; workers are called "worker-1" and on. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "truth.h"

static volatile int64_t *places;

static void beat(long place) {
    for (;;) {
        places[place] = true_clock(1);
        usleep(500);
    }
}

static void *work(void *place) {
    char name[16];
    snprintf(name, sizeof name, "worker-%ld", (long)place);
    pthread_setname_np(pthread_self(), name);
    beat((long)place);
    return 0;
}

static void *read_to_the_end(void *unused) {
    char byte;
    pthread_setname_np(pthread_self(), "reader");
    while (read(0, &byte, 1) > 0) {
    }
    _exit(0);
}

int main(int argc, char **argv) {
    int workers = atoi(argv[2]), file = open(argv[1], O_RDWR | O_CREAT, 0600);
    ftruncate(file, 4096);
    places = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pthread_t thread;
    pthread_create(&thread, 0, read_to_the_end, 0);
    for (long place = 1; place <= workers; place++) pthread_create(&thread, 0, work, (void *)place);
    printf("pid %d\n", getpid());
    fflush(stdout);
    beat(0);
}
