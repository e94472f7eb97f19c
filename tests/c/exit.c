/* A process that ends while the library works: exit or return from main, from any thread, at any moment of a refresh.
 * Each way runs in a separate child process, whose exit status must be the one that it passed. */
#include "gate.h"
#include <sys/wait.h>

static dl_auth_t *auth;

/* Starts a refresh and does not wait for it. */
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
  return 3; /* the call returned instead of waiting */
}

static int during_the_tls_handshake(void) {
  begin_a_refresh(gate("GATE_SILENT_URL"));
  wait_for("connections", 1);
  exit(done());
}

static int right_after_the_refresh_has_started(void) {
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

static int while_an_atexit_handler_calls_the_library(void) {
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
  {"during the TLS handshake", during_the_tls_handshake, 1},
  {"right after the refresh has started", right_after_the_refresh_has_started, 10},
  {"after the free", after_the_free, 1},
  {"while an atexit handler calls the library", while_an_atexit_handler_calls_the_library, 1},
};

int main(void) {
  begin();
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    if (i == 1) { /* so the first child uses the library for the first time, also under valgrind */
      reset_gate();
      prepare_children();
    }
    for (int time = 0; time < ways[i].times; time++) {
      int status;
      subject = ways[i].name;
      WAIT_UNTIL(count("hanging") == 0); /* the previous child's connection is closed */
      reset_gate();
      plan("{'do':'hang','times':5}");
      pid_t child = fork(); /* without valgrind, this process has not used the library */
      if (child < 0) give_up("cannot create a child process");
      if (child == 0) {
        begin();
        failed_checks = 0; /* the count of the parent process */
        return ways[i].way();
      }
      if (waitpid(child, &status, 0) != child) give_up("cannot wait for the child process");
      if (status) complain(__FILE__, __LINE__, "wanted an exit with 0, got a wait status of %#x", (unsigned)status);
    }
  }
  return done();
}
