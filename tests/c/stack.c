/* The stack that a call needs, as the header states it: 16 KB; 48 KB if the call runs the refresh itself; 64 KB if it
 * runs the refresh with more than two intermediate certificates. The test first measures on a stack filled with a
 * pattern, and then runs each call on a stack of the stated size.
 *
 * The statement is about the released library: under valgrind another library runs, and a sanitizer enlarges each
 * frame. */
#include "no_threads.h"
#include <sys/mman.h>

enum { PAGE = 4096, PAINTED = 512 << 10, WITHOUT_REFRESH = 16 << 10, WITH_REFRESH = 48 << 10, WITH_A_LONG_CHAIN = 64 << 10, PAINT = 0xa5 };

static char store[4096] = "file:";
static dl_auth_t *auth;
static dl_auth_config_t *config;
static char token[DL_AUTH_BEARER_MAX];
static size_t length;

static void call_new_and_free(void) {
  dl_auth_t *made;
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_new(config, &made, &failure));
  dl_auth_free(made);
}

static void call_config(void) {
  static const char *const variables[] = {"DL_AUTH_WAIT=1s", NULL};
  dl_auth_config_t *made = dl_auth_config_new();
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_config_set(made, "url", "https://gate.test/", &failure));
  CHECK_NUMBER(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set(made, "wait", "canary", &failure));
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_config_set_environ(made, variables, &failure));
  dl_auth_config_free(made);
}

static void call_token(void) {
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, &length, &failure));
}

static void call_bearer(void) {
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_bearer(auth, token, sizeof token, &length, &failure));
}

static void call_claims(void) {
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_claims(auth, token, sizeof token, &length, &failure));
}

static void call_that_fails(void) {
  CHECK(dl_auth_token(auth, token, sizeof token, &length, &failure) != DL_AUTH_OK);
}

static void call_the_others(void) {
  static char jwt[128];
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  int64_t ends;
  dl_auth_generation(auth);
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_info(auth, &info, &failure));
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_invalidate(auth, "canary", &failure));
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, "canary", &failure));
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_jwt_expiry(make_jwt("{\"exp\":4102444800}", jwt), &ends, &failure));
  CHECK_NUMBER(DL_AUTH_OK, dl_auth_jwt_claims(jwt, token, sizeof token, &length, &failure));
}

/* ---- a thread on a stack that the test has allocated ---- */

struct run {
  void (*call)(void);
  const char *name;
  bool by_the_caller; /* whether the call runs the refresh */
  const char *option, *value;
  bool long_chain;    /* more than two intermediate certificates */
  size_t need;        /* what the call used */
  size_t taken;       /* what the C library used at the top of the stack */
};

struct stack {
  const struct run *run;
  unsigned char *bottom, *top; /* of the part that the call may use */
};

static void *run_on_it(void *argument) {
  struct stack *stack = argument;
  unsigned char here;
  subject = stack->run->name;
  stack->top = &here;
  atomic_store(&no_threads, stack->run->by_the_caller);
  stack->run->call();
  atomic_store(&no_threads, false);
  return NULL;
}

/* Runs the call on a stack of this size, above a page that must not be accessed. */
static void run_on(struct run *made, size_t size) {
  pthread_attr_t attributes;
  pthread_t thread;
  unsigned char *pages = mmap(NULL, PAGE + PAINTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct stack stack = {.run = made, .bottom = pages + PAGE};
  if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE)) give_up("cannot map memory");
  memset(stack.bottom, PAINT, size);
  if (pthread_attr_init(&attributes) || pthread_attr_setstack(&attributes, stack.bottom, size)) give_up("no such stack");
  if (pthread_create(&thread, &attributes, run_on_it, &stack)) give_up("cannot create a thread");
  join(thread);
  pthread_attr_destroy(&attributes);
  size_t unused = 0;
  while (unused < size && stack.bottom[unused] == PAINT) unused++;
  made->need = (size_t)(stack.top - stack.bottom) - unused;
  made->taken = size - (size_t)(stack.top - stack.bottom);
  munmap(pages, PAGE + PAINTED);
}

static void open_handle(const struct run *made) {
  const char *value = made->value && strncmp(made->value, "GATE_", 5) == 0 ? gate(made->value) : made->value;
  reset_gate();
  config = way_to_the_gate();
  set_option(config, "username", gate("GATE_USERNAME"));
  set_option(config, "password_file", "password");
  set_option(config, "proxy", "none");
  set_option(config, "max_attempts", "1");
  if (made->option) set_option(config, made->option, value);
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("cannot make a handle");
}

static void no_call_needs_more_stack_than_the_header_states(void) {
  static struct run calls[] = {
    {.name = "configuration", .call = call_config},
    {.name = "dl_auth_new", .call = call_new_and_free},
    {.name = "dl_auth_token", .call = call_token},
    {.name = "dl_auth_bearer", .call = call_bearer},
    {.name = "dl_auth_claims", .call = call_claims},
    {.name = "the rest", .call = call_the_others},
    {.name = "dl_auth_token by the caller", .call = call_token, .by_the_caller = true},
    {.name = "dl_auth_claims by the caller", .call = call_claims, .by_the_caller = true},
    {.name = "through a proxy", .call = call_token, .by_the_caller = true, .option = "proxy", .value = "GATE_PROXY_URL"},
    {.name = "with the system's roots", .call = call_token, .by_the_caller = true, .option = "tls_roots", .value = "auto"},
    {.name = "a connection that breaks", .call = call_that_fails, .by_the_caller = true},
    {.name = "a certificate that has expired", .call = call_that_fails, .by_the_caller = true, .option = "url",
     .value = "GATE_EXPIRED_URL"},
    {.name = "a certificate of another host", .call = call_that_fails, .by_the_caller = true, .option = "url",
     .value = "GATE_WRONG_HOST_URL"},
    {.name = "a self-signed certificate", .call = call_that_fails, .by_the_caller = true, .option = "url",
     .value = "GATE_SELF_SIGNED_URL"},
    {.name = "with a store", .call = call_token, .by_the_caller = true, .option = "store", .value = store},
    {.name = "with a server that is down", .call = call_token, .by_the_caller = true, .option = "store",
     .value = "redis://127.0.0.1:1"},
    {.name = "two intermediates", .call = call_token, .by_the_caller = true, .option = "url",
     .value = "GATE_TWO_INTERMEDIATES_URL"},
    {.name = "six intermediates", .call = call_token, .by_the_caller = true, .option = "url",
     .value = "GATE_SIX_INTERMEDIATES_URL", .long_chain = true},
  };
  for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
    struct run *made = &calls[n];
    size_t limit = made->long_chain ? WITH_A_LONG_CHAIN : made->by_the_caller ? WITH_REFRESH : WITHOUT_REFRESH;
    subject = made->name;
    for (int exact = 0; exact < 2; exact++) {
      open_handle(made);
      if (made->call == call_that_fails && !made->option) plan("{'do':'close'}");
      run_on(made, exact ? (limit + made->taken + 63) / 64 * 64 : PAINTED);
      CHECK(made->need <= limit);
#ifdef PRINT
      fprintf(stderr, "%s: %zu, taken %zu\n", made->name, made->need, made->taken);
#endif
      dl_auth_free(auth);
      dl_auth_config_free(config);
      if (made->need > limit) break; /* on a smaller stack it would crash */
    }
  }
  subject = "";
}

int main(void) {
  begin();
  CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, dl_auth_token(NULL, NULL, 0, NULL, &failure)); /* a message for the driver */
  if (!is_plain()) return done();
  if (!getcwd(store + 5, sizeof store - 16)) give_up("no working directory");
  strcat(store, "/store");
  FILE *file = fopen("password", "w");
  if (!file || fputs(gate("GATE_PASSWORD"), file) < 0 || fclose(file)) give_up("cannot write a file");
  no_call_needs_more_stack_than_the_header_states();
  return done();
}
