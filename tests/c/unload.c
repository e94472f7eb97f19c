/* A host that opens the library, uses it from a thread, closes it, and only then lets the thread end, many times.
 * Rust's destructors of the thread run after dlclose. This test shows that their code is still loaded. */
#include "gate.h"
#include <dlfcn.h>

enum { TIMES = 50 };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int stage; /* 1: the thread has used the library; 2: the library was closed, and the thread may end */
} progress = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void reach(int stage) {
  pthread_mutex_lock(&progress.lock);
  progress.stage = stage;
  pthread_cond_broadcast(&progress.changed);
  pthread_mutex_unlock(&progress.lock);
}

static void await(int stage) {
  pthread_mutex_lock(&progress.lock);
  while (progress.stage < stage) pthread_cond_wait(&progress.changed, &progress.lock);
  pthread_mutex_unlock(&progress.lock);
}

/* The library's functions, found by their names. */
static struct {
  dl_auth_config_t *(*config_new)(void);
  dl_auth_status_t (*config_set)(dl_auth_config_t *, const char *, const char *, dl_auth_error_t *);
  void (*config_free)(dl_auth_config_t *);
  dl_auth_status_t (*new_handle)(const dl_auth_config_t *, dl_auth_t **, dl_auth_error_t *);
  dl_auth_status_t (*token)(const dl_auth_t *, char *, size_t, size_t *, dl_auth_error_t *);
  void (*free_handle)(dl_auth_t *);
} library;

/* ISO C has no cast from an object's address to a function's; POSIX promises that the bytes are equal. */
static void find(void *handle, const char *name, void *function, size_t size) {
  void *address = dlsym(handle, name);
  if (!address || size != sizeof address) give_up(name);
  memcpy(function, &address, size);
}

#define FIND(handle, name, member) find(handle, name, &library.member, sizeof library.member)

static void *use_it(void *unused) {
  static const char *const options[][2] = {
    {"url", "GATE_URL"}, {"ca_file", "GATE_CA_FILE"}, {"username", "GATE_USERNAME"}, {"password", "GATE_PASSWORD"},
  };
  /* The same values as `be_patient` in gate.h. */
  static const char *const fixed[][2] = {
    {"tls_roots", "ca_file_only"}, {"wait", "10m"}, {"connect_timeout", "5m"}, {"timeout", "10m"},
  };
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;
  dl_auth_config_t *config = library.config_new();
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
    CHECK_NUMBER(DL_AUTH_OK, library.config_set(config, fixed[i][0], fixed[i][1], &error));
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    CHECK_NUMBER(DL_AUTH_OK, library.config_set(config, options[i][0], gate(options[i][1]), &error));
  CHECK_NUMBER(DL_AUTH_OK, library.new_handle(config, &auth, &error));
  CHECK_NUMBER(DL_AUTH_OK, library.token(auth, token, sizeof token, NULL, &error));
  library.free_handle(auth);
  library.config_free(config);
  if (error.message[0]) complain(__FILE__, __LINE__, "%s", error.message);
  reach(1);
  await(2);
  return unused;
}

int main(void) {
  begin();
  for (int time = 0; time < TIMES; time++) {
    void *handle = dlopen(gate("CHECK_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    if (!handle) give_up(dlerror());
    FIND(handle, "dl_auth_config_new", config_new);
    FIND(handle, "dl_auth_config_set", config_set);
    FIND(handle, "dl_auth_config_free", config_free);
    FIND(handle, "dl_auth_new", new_handle);
    FIND(handle, "dl_auth_token", token);
    FIND(handle, "dl_auth_free", free_handle);
    progress.stage = 0;
    pthread_t thread = start(use_it, NULL);
    await(1);
    if (dlclose(handle)) give_up(dlerror());
    reach(2);
    join(thread);
  }
  CHECK_NUMBER(TIMES, count("logins"));
  return done();
}
