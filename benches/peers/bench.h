/* The common parts of the measuring programs: clocks, resident memory, and the output of a login. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline _Noreturn void give_up(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static inline int64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* CPU time that all threads of this process have used. */
static inline int64_t cpu_ns(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

/* VmRSS in KiB. */
static inline long resident_kib(void) {
  char line[128];
  long kib = -1;
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) give_up("/proc/self/status", "cannot be read");
  while (kib < 0 && fgets(line, sizeof line, status)) sscanf(line, "VmRSS: %ld", &kib);
  fclose(status);
  return kib;
}

/* The output of a program that logs in: the token, then the CPU time of the login and the memory after it. */
static inline void print_login(const char *token, int64_t login_cpu_ns) {
  puts(token);
  fflush(stdout);
  printf("%lld %ld\n", (long long)login_cpu_ns, resident_kib());
}

#endif
