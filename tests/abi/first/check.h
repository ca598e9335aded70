/* A small test frame: check(condition) counts and names what fails; the program ends with `return checked();`. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int check_good, check_bad;

static void check_one(int ok, const char *what, const char *file, int line) {
    if (ok) {
        check_good++;
    } else {
        check_bad++;
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
    }
}

#define check(condition) check_one((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* The last line of the output is the sum that tests/run reads. */
static int checked(void) {
    printf("%d passed, %d failed\n", check_good, check_bad);
    return check_bad != 0;
}

#endif
