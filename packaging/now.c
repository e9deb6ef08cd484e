/* Prints the time in seconds: a dynamic program for a root that has musl and no dynamic one. */
#include <stdio.h>
#include <time.h>

int main(void) { return printf("%lld\n", (long long)time(NULL)) < 0; }
