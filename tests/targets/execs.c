/* Executes itself from a thread that is not its first, and then tells the wall clock's skew. */
#include "truth.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void *execute(void *self) {
    execl(self, "execs", "told", (char *)0);
    return 0;
}

int main(int count, char **words) {
    if (count > 1) {
        struct timespec now;
        int64_t before = true_clock(0);
        clock_gettime(CLOCK_REALTIME, &now);
        printf("%lld\n", (long long)(now.tv_sec * 1000000000LL + now.tv_nsec - before));
        return 0;
    }
    pthread_t thread;
    pthread_create(&thread, 0, execute, "/proc/self/exe");
    pthread_join(thread, 0);
    return 1;
}
