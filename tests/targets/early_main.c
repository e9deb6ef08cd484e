/* The program of the early library: prints what that read before `main`. */
#include "truth.h"
#include <stdio.h>

extern struct reading early_readings[3];
extern int early_answer(void);
extern void early_join(void);

int main(void) {
    static const char *names[] = {"resolver", "constructor", "thread"};
    early_join();
    if (early_answer() != 42) return 9;
    for (int at = 0; at < 3; at++) {
        struct reading *r = &early_readings[at];
        if (!r->shown) continue;
        printf("%s %lld %lld %lld %lld 0\n", names[at], (long long)r->shown, (long long)r->skew, (long long)r->width,
               (long long)r->mono);
    }
    struct reading r = measure(by_clock_gettime, 0, 0);
    printf("main %lld %lld %lld %lld 0\n", (long long)r.shown, (long long)r.skew, (long long)r.width, (long long)r.mono);
    return 0;
}
