/* Reads a ready token of 900 bytes for callgrind. The arguments are the way and the number of reads. */
#include "dl_auth.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Valid until the year 2100. The signature, which the library does not check, fills the token up. */
#define HEAD "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9."

static dl_auth_status_t read_token(const dl_auth_t *auth, const char *way, char *buf, size_t cap, size_t *len) {
  switch (*way) {
    case 't': return dl_auth_token(auth, buf, cap, len, NULL);
    case 'b': return dl_auth_bearer(auth, buf, cap, len, NULL);
    case 'g': return dl_auth_generation(auth) == 1 ? DL_AUTH_OK : DL_AUTH_E_INTERNAL;
    default: return dl_auth_token_within(auth, 0, 0, buf, cap, len, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  char token[900 + 1], buf[DL_AUTH_BEARER_MAX];
  memset(token, 'A', sizeof token - 1);
  memcpy(token, HEAD, strlen(HEAD));
  token[sizeof token - 1] = 0;
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth = NULL;
  dl_auth_status_t status = dl_auth_config_set(config, "token", token, &error);
  if (!status) status = dl_auth_new(config, &auth, &error);
  dl_auth_config_free(config);
  size_t len = 0;
  if (!status) status = dl_auth_token(auth, buf, sizeof buf, &len, NULL);
  for (int n = atoi(argv[2]); !status && n > 0; n--) status = read_token(auth, argv[1], buf, sizeof buf, &len);
  dl_auth_free(auth);
  if (status || !strstr(buf, token)) printf("%s: %s\n", dl_auth_status_name(status), error.message);
  return status || !strstr(buf, token);
}
