/* The library's threads, as the process's list of tasks has them: none at rest, one for the length of a refresh, and
 * none of the HTTP library's, which would resolve names on a thread of its own. And they have room to work in, however
 * much of each thread's stack this program's own thread-locals take. */
#include "gate.h"

/* More than the stack that the library asks for. The C library takes it out of the stack of each thread. */
static _Thread_local char large[1 << 20];

/* How many threads there are besides this one; each must be a `dl-auth`. */
static int others(void) {
  int ours, number = count_threads(&ours);
  CHECK_NUMBER(number, ours);
  return number;
}

static dl_auth_t *a_handle_in_refresh(void) {
  char token[DL_AUTH_TOKEN_MAX];
  WAIT_UNTIL(count("hanging") == 0); /* the gate has seen the last one go */
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate(NULL);
  CHECK_NUMBER(0, others());
  CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, &failure));
  wait_for("hanging", 1);
  CHECK_NUMBER(1, others());
  return auth;
}

static void a_refresh_has_one_thread_for_its_length(void) {
  dl_auth_t *auth = a_handle_in_refresh();
  for (int n = 0; n < 10; n++)
    CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, NULL, 0, NULL, &failure));
  CHECK_NUMBER(1, others());
  release_hanging();
  token_of(auth);
  WAIT_UNTIL(others() == 0);
  dl_auth_free(auth);
}

static void a_freed_handle_s_refresh_ends_while_the_gate_still_holds_its_answer(void) {
  dl_auth_t *auth = a_handle_in_refresh();
  dl_auth_free(auth);
  WAIT_UNTIL(others() == 0);
  CHECK_NUMBER(0, count("issued"));
}

static void a_refresh_s_thread_ends_when_the_credentials_change(void) {
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
  large[getpid() % (int)sizeof large] = 1; /* else the compiler would leave it out */
  a_refresh_has_one_thread_for_its_length();
  a_freed_handle_s_refresh_ends_while_the_gate_still_holds_its_answer();
  a_refresh_s_thread_ends_when_the_credentials_change();
  return done();
}
