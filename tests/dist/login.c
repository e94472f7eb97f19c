/* The first program of each target: logs in, reads the cached token many times, and sends a wrong password. It uses only
 * ISO C, so that it compiles for each system. packaging/try.sh runs it, and asks the gate what it received.
 *
 * Prints the token. Exits with 1 after a failed check. */
#include "dl_auth.h"
#include <stdio.h>
#include <string.h>

enum { READS = 1000 };

static int failed(const char *what, const dl_auth_error_t *error) {
  fprintf(stderr, "login.c: %s: %s: %s\n", what, dl_auth_status_name(error->status), error->message);
  return 1;
}

int main(void) {
  char token[DL_AUTH_TOKEN_MAX], again[DL_AUTH_TOKEN_MAX], claims[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;

  if (strcmp(dl_auth_version(), DL_AUTH_VERSION)) {
    fprintf(stderr, "login.c: the library has the version %s, and the header %s\n", dl_auth_version(), DL_AUTH_VERSION);
    return 1;
  }
  if (dl_auth_new(NULL, &auth, &error)) return failed("dl_auth_new", &error);
  if (dl_auth_token(auth, token, sizeof token, NULL, &error)) return failed("the login", &error);
  for (int i = 0; i < READS; i++) {
    if (dl_auth_token(auth, again, sizeof again, NULL, &error)) return failed("a cached read", &error);
    if (strcmp(token, again)) return fprintf(stderr, "login.c: a cached read returned another token\n"), 1;
  }
  if (dl_auth_claims(auth, claims, sizeof claims, NULL, &error)) return failed("dl_auth_claims", &error);
  if (claims[0] != '{') return fprintf(stderr, "login.c: the claims are not a JSON object\n"), 1;

  /* The handle keeps its token if the new password is wrong. */
  if (dl_auth_set_credentials(auth, "other@example.com", "wrong", &error)) return failed("dl_auth_set_credentials", &error);
  dl_auth_status_t status = dl_auth_token(auth, again, sizeof again, NULL, &error);
  if (status != DL_AUTH_E_DENIED || error.http_status != 401) return failed("a wrong password was not refused", &error);
  dl_auth_free(auth);
  puts(token);
  return 0;
}
