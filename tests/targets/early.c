/* A library that reads the clock before anything else of its program: in an IFUNC resolver, which runs while libraries are
 * still being relocated; in its constructor; and in a thread that the constructor starts. */
#include "truth.h"
#include <pthread.h>

struct reading early_readings[3];

static int answer(void) { return 42; }
#ifdef __GLIBC__
static int (*resolve(void))(void) {
    early_readings[0] = measure(by_clock_gettime, 0, 0);
    return answer;
}
int early_answer(void) __attribute__((ifunc("resolve")));
#else /* musl has no IFUNC */
int early_answer(void) { return answer(); }
#endif

static void *in_thread(void *unused) {
    early_readings[2] = measure(by_clock_gettime, 0, 0);
    return unused;
}

static pthread_t thread;
__attribute__((constructor)) static void begin(void) {
    early_readings[1] = measure(by_clock_gettime, 0, 0);
    pthread_create(&thread, 0, in_thread, 0);
}
void early_join(void) { pthread_join(thread, 0); }
