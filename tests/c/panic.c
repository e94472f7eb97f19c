/* A panic inside the library ends at the library's boundary. This needs a library with the feature `test-panic`. */
#include "gate.h"

/* Panics on request. No header has it, because no released library has it. */
dl_auth_status_t dl_auth_test_panic(dl_auth_error_t *error);

static void *panic(void *unused) {
  for (int time = 0; time < 20; time++) {
    CHECK_STATUS(DL_AUTH_E_INTERNAL, dl_auth_test_panic(&failure));
    CHECK_CONTAINS(failure.message, "bug");
    CHECK_CONTAINS(failure.message, "panic");
    CHECK_STATUS(DL_AUTH_E_INTERNAL, dl_auth_test_panic(NULL));
  }
  return unused;
}

int main(void) {
  char before[DL_AUTH_TOKEN_MAX];
  pthread_t threads[4];
  begin();
  dl_auth_t *auth = open_gate(NULL);
  strcpy(before, token_of(auth));
  panic(NULL);
  for (int n = 0; n < 4; n++) threads[n] = start(panic, NULL);
  for (int n = 0; n < 4; n++) join(threads[n]);
  CHECK(strcmp(before, token_of(auth)) == 0); /* the handle still works */
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
  auth = open_gate(NULL);
  token_of(auth);
  dl_auth_free(auth);
  return done();
}
