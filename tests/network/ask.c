/* Asks for one token. The arguments are options, as `key=value`. Writes three lines: the name of the status, the HTTP
   status, and the token or the message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dl_auth.h"

static int report(dl_auth_status_t status, unsigned http_status, const char *text) {
  printf("%s\n%u\n%s\n", dl_auth_status_name(status), http_status, text);
  return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **options) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth = NULL;
  dl_auth_status_t status = DL_AUTH_OK;
  static char token[8192];
  size_t length = 0;
  int code;

  for (int i = 1; i < count && status == DL_AUTH_OK; i++) {
    char *value = strchr(options[i], '=');
    if (value == NULL) {
      fprintf(stderr, "usage: ask key=value...\n");
      return EXIT_FAILURE;
    }
    *value = '\0';
    status = dl_auth_config_set(config, options[i], value + 1, &error);
  }
  if (status == DL_AUTH_OK)
    status = dl_auth_new(config, &auth, &error);
  if (status == DL_AUTH_OK)
    status = dl_auth_token(auth, token, sizeof token, &length, &error);
  code = status == DL_AUTH_OK ? report(status, 0, token) : report(status, error.http_status, error.message);
  dl_auth_free(auth);
  dl_auth_config_free(config);
  return code;
}
