/* A host that opens the library, starts a refresh, and closes the library while the refresh runs:
 * `unload PATH`. The thread of the refresh returns into the library after that, so its code must still be loaded.
 *
 * packaging/try.sh makes the gate answer only when this program has printed "closed", and then sends a line to its
 * standard input. */
#include "dl_auth.h"
#include <stdio.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#define OPEN(path) LoadLibraryA(path)
#define FIND(library, name) (void *)GetProcAddress(library, name)
#define CLOSE(library) (!FreeLibrary(library))
#define PAUSE() Sleep(1000)
#else
#include <dlfcn.h>
#include <unistd.h>
#define OPEN(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define FIND(library, name) dlsym(library, name)
#define CLOSE(library) dlclose(library)
#define PAUSE() sleep(1)
#endif

static dl_auth_status_t (*open_handle)(const dl_auth_config_t *, dl_auth_t **, dl_auth_error_t *);
static dl_auth_status_t (*token_within)(const dl_auth_t *, uint64_t, uint64_t, char *, size_t, size_t *, dl_auth_error_t *);

static int failed(const char *what, const char *why) {
  fprintf(stderr, "unload.c: %s: %s\n", what, why);
  return 1;
}

/* The bytes of an object's address are those of a function's: on each system with dlopen, and on Windows. */
#define FIND_INTO(function, name) \
  do { \
    void *address = FIND(library, name); \
    if (!address) return failed(name, "not found"); \
    memcpy(&function, &address, sizeof address); \
  } while (0)

int main(int count, char **arguments) {
  char token[DL_AUTH_TOKEN_MAX], line[8];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;
  if (count != 2) return failed("usage", "unload PATH");
  void *library = (void *)OPEN(arguments[1]);
  if (!library) return failed(arguments[1], "cannot be opened");
  FIND_INTO(open_handle, "dl_auth_new");
  FIND_INTO(token_within, "dl_auth_token_within");
  if (open_handle(NULL, &auth, &error)) return failed("dl_auth_new", error.message);
  if (token_within(auth, 0, 0, token, sizeof token, NULL, &error) != DL_AUTH_E_PENDING) return failed("a call that may not wait", error.message);
  fgets(line, sizeof line, stdin); /* the gate has the request now */
  if (CLOSE(library)) return failed(arguments[1], "cannot be closed");
  puts("closed");
  fflush(stdout);
  fgets(line, sizeof line, stdin); /* the gate has answered */
  PAUSE(); /* the thread of the refresh reads the answer */
  puts("alive");
  return 0;
}
