/* A program that links the static archive, in C or C++. It uses two handles, and with TEST_PANIC it panics inside the
 * library. With OTHER_RUST, the program also links another Rust archive. */
#include "dl_auth.h"
#include <stdio.h>

#define CHECK(what) \
  if (!(what)) return printf("line %d: %s\n", __LINE__, #what), 1

#ifdef __cplusplus
extern "C" {
#endif
int other_catches_a_panic(void);
dl_auth_status_t dl_auth_test_panic(dl_auth_error_t *error);
#ifdef __cplusplus
}

static int thrown(int times) {
  try {
    throw times;
  } catch (int caught) {
    return caught;
  }
}
#endif

static int use(void) {
  dl_auth_t *auth[2];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  int n;
  CHECK(dl_auth_config_set(config, "username", "bot", &error) == DL_AUTH_OK);
  CHECK(dl_auth_config_set(config, "password", "secret", &error) == DL_AUTH_OK);
  /* A refresh has a thread, and its failure unwinds nothing. */
  CHECK(dl_auth_config_set(config, "url", "https://127.0.0.1:1/", &error) == DL_AUTH_OK);
  CHECK(dl_auth_config_set(config, "proxy", "none", &error) == DL_AUTH_OK);
  CHECK(dl_auth_config_set(config, "max_attempts", "1", &error) == DL_AUTH_OK);
  for (n = 0; n < 2; n++) CHECK(dl_auth_new(config, &auth[n], &error) == DL_AUTH_OK);
  dl_auth_config_free(config);
  for (n = 0; n < 2; n++) CHECK(dl_auth_token(auth[n], NULL, 0, NULL, &error) == DL_AUTH_E_UNREACHABLE);
  for (n = 0; n < 2; n++) dl_auth_free(auth[n]);
  CHECK(dl_auth_generation(auth[0]) == 0);
  return 0;
}

int main(void) {
  int round;
  for (round = 0; round < 2; round++) {
    if (use()) return 1;
#ifdef TEST_PANIC
    CHECK(dl_auth_test_panic(NULL) == DL_AUTH_E_INTERNAL);
#endif
#ifdef OTHER_RUST
    CHECK(other_catches_a_panic() == 1);
#endif
#ifdef __cplusplus
    CHECK(thrown(round) == round);
#endif
  }
  printf("%s\n", dl_auth_version());
  return 0;
}
