/* Loads the library at run time, logs in, and prints the beginning of the token. DL_AUTH_USERNAME, DL_AUTH_PASSWORD and
 * the other variables of the library configure it. */
#include <dl_auth.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* Sets a pointer to a function of the library. */
static void find(void *library, const char *name, void *function) {
  *(void **)function = dlsym(library, name);
  if (!*(void **)function) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
}

int main(void) {
  uint32_t (*abi_version)(void);
  dl_auth_status_t (*new)(const dl_auth_config_t *, dl_auth_t **, dl_auth_error_t *);
  dl_auth_status_t (*token)(const dl_auth_t *, char *, size_t, size_t *, dl_auth_error_t *);
  void (*free)(dl_auth_t *);
  void *library = dlopen("libdl_auth.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  find(library, "dl_auth_abi_version", &abi_version);
  if (abi_version() < DL_AUTH_ABI_VERSION) {
    fprintf(stderr, "libdl_auth.so.0 is too old: its ABI is %u, and this program needs %u\n", (unsigned)abi_version(),
            (unsigned)DL_AUTH_ABI_VERSION);
    return 1;
  }
  find(library, "dl_auth_new", &new);
  find(library, "dl_auth_token", &token);
  find(library, "dl_auth_free", &free);

  dl_auth_t *auth;
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  char jwt[DL_AUTH_TOKEN_MAX];
  if (new(NULL, &auth, &error) || token(auth, jwt, sizeof jwt, NULL, &error)) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  printf("token   %.20s...\n", jwt);
  free(auth);
  return 0;
}
