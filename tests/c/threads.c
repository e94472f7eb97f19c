/* The library's threads, as the process's list of tasks shows them: none when idle, one during a refresh, and none of
 * the HTTP library, which would use a separate thread to resolve names. The library's threads have enough stack, even
 * if this program's thread-local variables take a large part of each thread's stack. */
#include "gate.h"

/* More than the stack that the library requests. The C library takes it from the stack of each thread. */
static _Thread_local char large[1 << 20];

/* The number of threads except this one; each must be a `dl-auth` thread. */
static int others(void) {
  int ours, number = count_threads(&ours);
  CHECK_NUMBER(number, ours);
  return number;
}

static dl_auth_t *a_handle_in_refresh(void) {
  char token[DL_AUTH_TOKEN_MAX];
  WAIT_UNTIL(count("hanging") == 0); /* the gate has closed the last connection */
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate(NULL);
  CHECK_NUMBER(0, others());
  CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, &failure));
  wait_for("hanging", 1);
  CHECK_NUMBER(1, others());
  return auth;
}

static void a_refresh_has_one_thread_while_it_runs(void) {
  dl_auth_t *auth = a_handle_in_refresh();
  for (int n = 0; n < 10; n++)
    CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, NULL, 0, NULL, &failure));
  CHECK_NUMBER(1, others());
  release_hanging();
  token_of(auth);
  WAIT_UNTIL(others() == 0);
  dl_auth_free(auth);
}

static void the_refresh_of_a_freed_handle_ends_while_the_gate_holds_its_answer(void) {
  dl_auth_t *auth = a_handle_in_refresh();
  dl_auth_free(auth);
  WAIT_UNTIL(others() == 0);
  CHECK_NUMBER(0, count("issued"));
}

static void the_thread_of_a_refresh_ends_when_the_credentials_change(void) {
  dl_auth_t *auth = a_handle_in_refresh();
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure));
  WAIT_UNTIL(others() == 0);
  token_of(auth);
  WAIT_UNTIL(others() == 0);
  CHECK_NUMBER(1, count("issued"));
  dl_auth_free(auth);
}

int main(void) {
  begin();
  large[getpid() % (int)sizeof large] = 1; /* otherwise the compiler would remove it */
  a_refresh_has_one_thread_while_it_runs();
  the_refresh_of_a_freed_handle_ends_while_the_gate_holds_its_answer();
  the_thread_of_a_refresh_ends_when_the_credentials_change();
  return done();
}
