/* A process without a free file descriptor: the error says so at each stage. When descriptors are free again, the next
 * handle gets a token.
 *
 * The checks write to files. So they run after the call, when descriptors are free again. */
#define _GNU_SOURCE
#include "gate.h"
#include <fcntl.h>
#include <sys/resource.h>

enum { LIMIT = 64 };

/* A call while only `left` descriptors are free. */
static dl_auth_status_t call_with(int left, dl_auth_error_t *error) {
  dl_auth_t *auth = open_gate(NULL, NULL);
  char token[DL_AUTH_TOKEN_MAX];
  int held[LIMIT], count = 0;
  for (int descriptor; count < LIMIT && (descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) {
    held[count++] = descriptor;
  }
  for (int free_now = 0; free_now < left && count > 0; free_now++) close(held[--count]);
  dl_auth_status_t status = dl_auth_token(auth, token, sizeof token, NULL, error);
  while (count > 0) close(held[--count]);
  if (status == DL_AUTH_OK) seen(token);
  dl_auth_free(auth);
  return status;
}

int main(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) give_up("cannot read the descriptor limit");
  limit.rlim_cur = LIMIT; /* the only limit that a program may change under valgrind */
  if (setrlimit(RLIMIT_NOFILE, &limit)) give_up("cannot set the descriptor limit");
  for (int left = 0; left < 4; left++) {
    dl_auth_error_t error = DL_AUTH_ERROR_INIT;
    dl_auth_status_t status = call_with(left, &error);
    record("CHECK_MESSAGES", error.message);
    if (left > 0 && status == DL_AUTH_OK) break; /* the call had enough descriptors */
    CHECK_NUMBER(DL_AUTH_E_UNREACHABLE, status);
    CHECK_CONTAINS(error.message, "Too many open files");
  }
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  CHECK_NUMBER(DL_AUTH_OK, call_with(LIMIT, &error));
  return done();
}
