/* A process that ends while the library is at work: exit, return from main, _exit and quick_exit, from any thread, at
 * any moment of a refresh. Each way is a child process of its own, whose exit status must be the one that it chose. */
#include "gate.h"
#include <sys/wait.h>

static dl_auth_t *auth;

/* Begins a refresh, and does not wait for it. */
static void begin_a_refresh(const char *url) {
  char token[DL_AUTH_TOKEN_MAX];
  auth = open_gate("url", url, NULL);
  CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, &failure));
}

static void *wait_for_a_token(void *unused) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_token(auth, token, sizeof token, NULL, NULL);
  return unused;
}

static void *exit_from_here(void *unused) {
  wait_for("hanging", 1);
  (void)unused;
  exit(done());
}

static int while_the_gate_holds_its_answer(void) {
  begin_a_refresh(gate("GATE_URL"));
  wait_for("hanging", 1);
  exit(done());
}

static int by_returning_from_main(void) {
  begin_a_refresh(gate("GATE_URL"));
  wait_for("hanging", 1);
  return done();
}

static int while_other_threads_wait(void) {
  begin_a_refresh(gate("GATE_URL"));
  for (int n = 0; n < 4; n++) start(wait_for_a_token, NULL);
  WAIT_UNTIL(info_of(auth).waiting == 4);
  exit(done());
}

static int from_another_thread_while_main_waits(void) {
  begin_a_refresh(gate("GATE_URL"));
  start(exit_from_here, NULL);
  wait_for_a_token(NULL);
  return 3; /* it did not wait */
}

static int in_the_tls_handshake(void) {
  begin_a_refresh(gate("GATE_SILENT_URL"));
  wait_for("connections", 1);
  exit(done());
}

static int as_soon_as_the_refresh_has_begun(void) {
  begin_a_refresh(gate("GATE_URL"));
  exit(done());
}

static int after_the_free(void) {
  begin_a_refresh(gate("GATE_URL"));
  wait_for("hanging", 1);
  dl_auth_free(auth);
  exit(done());
}

static void call_the_library(void) {
  char token[64];
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  dl_auth_info(auth, &info, NULL);
  dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, NULL);
  dl_auth_free(auth);
}

static int and_a_handler_at_exit_calls_the_library(void) {
  begin_a_refresh(gate("GATE_URL"));
  wait_for("hanging", 1);
  atexit(call_the_library);
  exit(done());
}

static const struct { const char *name; int (*way)(void); int times; } ways[] = {
  {"while the gate holds its answer", while_the_gate_holds_its_answer, 1},
  {"by returning from main", by_returning_from_main, 1},
  {"while other threads wait", while_other_threads_wait, 1},
  {"from another thread while main waits", from_another_thread_while_main_waits, 1},
  {"in the TLS handshake", in_the_tls_handshake, 1},
  {"as soon as the refresh has begun", as_soon_as_the_refresh_has_begun, 10},
  {"after the free", after_the_free, 1},
  {"and a handler at exit calls the library", and_a_handler_at_exit_calls_the_library, 1},
};

int main(void) {
  begin();
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    for (int time = 0; time < ways[i].times; time++) {
      int status;
      subject = ways[i].name;
      WAIT_UNTIL(count("hanging") == 0); /* the one before has gone */
      reset_gate();
      plan("{'do':'hang','times':5}");
      pid_t child = fork(); /* nothing of the library has been called in this process */
      if (child < 0) give_up("no child process can be made");
      if (child == 0) {
        begin();
        failed_checks = 0; /* those were its parent's */
        return ways[i].way();
      }
      if (waitpid(child, &status, 0) != child) give_up("the child is lost");
      if (status) complain(__FILE__, __LINE__, "wanted an exit with 0, got a wait status of %#x", (unsigned)status);
    }
  }
  return done();
}
