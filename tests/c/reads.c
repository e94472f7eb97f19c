/* A cached read only copies. It allocates no memory and makes no system call; waiting for a lock would be a system
 * call. (Unit tests of the library check that it takes no free lock either: src/auth/tests.rs, src/capi/handle.rs.)
 *
 * The allocator functions below replace the C library's, and count for each thread. The kernel detects system calls: a
 * filter turns each into a signal. The sanitizers and valgrind have their own allocators and system calls: there
 * nothing is counted. */
#define _GNU_SOURCE
#include "gate.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Reads as long as several leases of 50 ms last. */
enum { READS = 200000, LEASES_MS = 400 };

static _Thread_local long allocations;
static _Atomic long system_calls;

#ifndef SANITIZED
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void __libc_free(void *);

void *malloc(size_t size) {
  allocations++;
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  allocations++;
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
  allocations++;
  return __libc_realloc(memory, size);
}

void free(void *memory) {
  if (memory) allocations++;
  __libc_free(memory);
}
#endif

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Reads in each way in which a host may read before a request. */
static void read_for_long(const dl_auth_t *auth) {
  char buf[DL_AUTH_BEARER_MAX];
  size_t len;
  long long end = now_ms() + LEASES_MS;
  for (int n = 0; n < many(READS) || now_ms() < end; n++) {
    if (dl_auth_token(auth, buf, sizeof buf, &len, NULL) || dl_auth_bearer(auth, buf, sizeof buf, &len, NULL) ||
        dl_auth_token_within(auth, 0, 0, buf, sizeof buf, &len, NULL) || !dl_auth_generation(auth))
      atomic_fetch_add(&system_calls, 1000000); /* a number that is too large for another cause */
  }
}

static void no_read_allocates(const dl_auth_t *auth) {
  token_of(auth); /* the first read of a thread */
  long before = allocations;
  read_for_long(auth);
  if (is_plain()) CHECK(before > 0); /* the library's allocations are counted: it has made a handle */
  CHECK_NUMBER(before, allocations);
  CHECK_NUMBER(0, atomic_load(&system_calls));
}

static void trapped(int signal) {
  (void)signal;
  atomic_fetch_add(&system_calls, 1);
}

static _Atomic int filtered, finished;

/* From here on, each system call of this thread raises a signal, except the end of the thread and the return from a
 * signal. */
static bool trap_system_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void *read_filtered(void *auth) {
  token_of(auth);
  if (trap_system_calls()) {
    atomic_store(&filtered, 1);
    read_for_long(auth);
    long before = atomic_load(&system_calls);
    syscall(SYS_getppid); /* a system call is detected */
    atomic_store(&finished, before == 0 && atomic_load(&system_calls) == 1 ? 1 : -1);
  } else {
    atomic_store(&finished, -1);
  }
  syscall(SYS_exit, 0); /* without the C library, which would make more system calls */
  return NULL;
}

static void no_read_makes_a_system_call(dl_auth_t *auth) {
  struct sigaction action = {.sa_handler = trapped};
  sigaction(SIGSYS, &action, NULL);
  atomic_store(&system_calls, 0);
  pthread_t thread = start(read_filtered, auth);
  pthread_detach(thread);
  WAIT_UNTIL(atomic_load(&finished) != 0);
  CHECK_NUMBER(1, atomic_load(&filtered));
  CHECK_NUMBER(1, atomic_load(&finished));
  CHECK_NUMBER(1, atomic_load(&system_calls));
}

int main(void) {
  char buf[DL_AUTH_TOKEN_MAX];
  begin();
  dl_auth_t *auth = open_gate(NULL, NULL);
  no_read_allocates(auth);
  if (is_plain()) no_read_makes_a_system_call(auth); /* valgrind makes its own system calls */
  dl_auth_free(auth);
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token(auth, buf, sizeof buf, NULL, &failure));
  return done();
}
