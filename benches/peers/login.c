/* Ours: from the start to a token. DL_AUTH_* have the credentials and the URL. */
#include "bench.h"
#include "dl_auth.h"

int main(void) {
  char jwt[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;
  int64_t began = cpu_ns();
  if (dl_auth_new(NULL, &auth, &error) || dl_auth_token(auth, jwt, sizeof jwt, NULL, &error))
    give_up("login", error.message);
  print_login(jwt, cpu_ns() - began);
  dl_auth_free(auth);
  return 0;
}
