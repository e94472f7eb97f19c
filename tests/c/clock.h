/* The clock of a C test: time passes only when the test says so. No test waits for the end of a token, or misses it on
 * a busy machine. Include this file instead of gate.h.
 *
 * `clock_gettime` below replaces the C library's function for the whole process, including the library. A suspend moves
 * the clock that counts it and the wall clock, but not CLOCK_MONOTONIC, as Linux does; a jump moves only the wall
 * clock. After each of them, the 50 ms are over for which a token may be read without a look at these clocks. */
#ifndef CLOCK_H
#define CLOCK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gate.h"
#include <stdatomic.h>
#include <sys/syscall.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

static _Atomic long long slept, jumped; /* seconds */
static _Atomic long leases;             /* periods of 50 ms that are over */

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME)) now->tv_sec += atomic_load(&slept);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += atomic_load(&jumped);
  if (result == 0 && clock == CLOCK_MONOTONIC_COARSE) {
    long ns = now->tv_nsec + atomic_load(&leases) * 50000000;
    now->tv_sec += ns / 1000000000;
    now->tv_nsec = ns % 1000000000;
  }
  return result;
}

static inline void suspend(long long seconds) {
  atomic_fetch_add(&slept, seconds);
  atomic_fetch_add(&leases, 1);
}

static inline void set_the_clock(long long ahead) {
  atomic_fetch_add(&jumped, ahead);
  atomic_fetch_add(&leases, 1);
}

/* Lets the minimum interval after a login or a refresh pass. */
static inline void pass_the_min_interval(const dl_auth_t *auth) {
  suspend(LONGEST_MIN_INTERVAL_MS / 1000);
  CHECK_NUMBER(0, info_of(auth).retry_in_ms);
}

#endif
