/* Logs in, then reads the cached token. Configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and so on. */
#include "dl_auth.h"
#include <stdio.h>
#include <time.h>

static double milliseconds(void) {
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(void) {
  char jwt[DL_AUTH_TOKEN_MAX], claims[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;
  size_t length;
  int64_t expiry;

  if (dl_auth_new(NULL, &auth, &error)) goto failed;
  double started = milliseconds();
  if (dl_auth_token(auth, jwt, sizeof jwt, &length, &error)) goto failed;
  double first = milliseconds() - started;

  started = milliseconds();
  for (int i = 0; i < 1000; i++) dl_auth_token(auth, jwt, sizeof jwt, NULL, NULL);
  double cached = (milliseconds() - started) / 1000;

  if (dl_auth_claims(auth, claims, sizeof claims, NULL, &error)) goto failed;
  if (dl_auth_jwt_expiry(jwt, &expiry, &error)) goto failed;
  printf("token   %.20s... (%zu bytes)\nclaims  %s\nexpiry  %lld (Unix seconds)\n", jwt, length, claims, (long long)expiry);
  printf("first   %.1f ms (login over TLS)\ncached  %.6f ms (mean of 1000 calls)\n", first, cached);
  dl_auth_free(auth);
  return 0;

failed:
  fprintf(stderr, "%s: %s\n", dl_auth_status_name(error.status), error.message);
  return 1;
}
