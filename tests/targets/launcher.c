/* Puts itself under a policy, then executes the rest of its command line. */
#include "seccomp.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int failed = 1;
    if (argc < 3) return 9;
    if (!strcmp(argv[1], "mdwe")) { /* PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN */
        failed = prctl(65, 1, 0, 0, 0);
    } else if (!strcmp(argv[1], "systemd")) { /* MemoryDenyWriteExecute: mmap W+X and mprotect X are refused */
        const struct instruction code[] = {
            LOAD_NUMBER,          {0x15, 0, 3, 9 /* mmap */},         LOAD_ARGUMENT(2), {0x54, 0, 0, 6},
            {0x15, 5, 4, 6},      {0x15, 1, 0, 10 /* mprotect */},    {0x15, 0, 2, 329 /* pkey_mprotect */},
            LOAD_ARGUMENT(2),     {0x45, 1, 0, 4},                    RETURN(ALLOW),    RETURN(REFUSE(1)),
        };
        failed = install(code, sizeof code / sizeof *code);
    } else if (!strcmp(argv[1], "no-code")) { /* nor by /proc/self/mem: pwrite64 is refused too */
        const struct instruction code[] = {
            LOAD_NUMBER,      {0x15, 3, 0, 18 /* pwrite64 */}, {0x15, 0, 3, 10 /* mprotect */}, LOAD_ARGUMENT(2),
            {0x45, 0, 1, 4},  RETURN(REFUSE(1)),               RETURN(ALLOW),
        };
        failed = install(code, sizeof code / sizeof *code);
    }
    if (failed) {
        perror(argv[1]);
        return 77;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 9;
}
