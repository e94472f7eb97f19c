/* pthread_cancel: a call of the library is not cancelled. Its thread is cancelled at the next cancellation point after
 * the call. The cancellation state and type are the same as before the call. */
#include "no_threads.h"

/* ---- the calls ---- */

static dl_auth_t *auth; /* a new handle for each attempt, with files to read and without a token */
static char token[DL_AUTH_BEARER_MAX];
static size_t length;

static dl_auth_config_t *config_with_files(const char *password_file) {
  dl_auth_config_t *config = way_to_the_gate(); /* this includes ca_file */
  set_option(config, "username", gate("GATE_USERNAME"));
  set_option(config, "password_file", password_file);
  set_option(config, "proxy", "none");
  set_option(config, "max_attempts", "1");
  return config;
}

static dl_auth_config_t *with_files, *without_the_file;

static dl_auth_status_t call_new_and_free(void) {
  dl_auth_t *made = NULL;
  dl_auth_status_t status = dl_auth_new(with_files, &made, &failure);
  dl_auth_free(made);
  return status;
}

static dl_auth_status_t call_new_without_its_file(void) {
  dl_auth_t *made = NULL;
  return dl_auth_new(without_the_file, &made, &failure);
}

static dl_auth_status_t call_token(void) { return dl_auth_token(auth, token, sizeof token, &length, &failure); }

static dl_auth_status_t call_token_within(void) {
  return dl_auth_token_within(auth, 1, 600000, token, sizeof token, &length, &failure);
}

static dl_auth_status_t call_bearer(void) { return dl_auth_bearer(auth, token, sizeof token, &length, &failure); }

static dl_auth_status_t call_claims(void) { return dl_auth_claims(auth, token, sizeof token, &length, &failure); }

static dl_auth_status_t call_without_a_request(void) {
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  dl_auth_status_t status = dl_auth_generation(auth) ? DL_AUTH_E_INTERNAL : DL_AUTH_OK;
  if (!status) status = dl_auth_info(auth, &info, &failure);
  if (!status) status = dl_auth_invalidate(auth, "canary", &failure);
  if (!status) status = dl_auth_set_credentials(auth, NULL, "canary", &failure);
  return status;
}

static dl_auth_status_t call_with_options(void) {
  static const char *const variables[] = {"DL_AUTH_WAIT=1s", NULL};
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_status_t status = dl_auth_config_set(config, dl_auth_config_key(0), "canary", &failure);
  if (!status) status = dl_auth_config_set_environ(config, variables, &failure);
  dl_auth_config_free(config);
  return status;
}

static dl_auth_status_t call_without_a_handle(void) {
  char jwt[128];
  int64_t ends = 0;
  dl_auth_status_t status = dl_auth_jwt_expiry(make_jwt("{\"exp\":4102444800}", jwt), &ends, &failure);
  if (!status) status = dl_auth_jwt_claims(jwt, token, sizeof token, &length, &failure);
  if (strcmp(dl_auth_status_name(status), "DL_AUTH_OK") != 0 || ends != 4102444800) return DL_AUTH_E_INTERNAL;
  return dl_auth_abi_version() == DL_AUTH_ABI_VERSION && dl_auth_version() ? status : DL_AUTH_E_INTERNAL;
}

/* ---- a thread that makes one of the calls ---- */

struct attempt {
  dl_auth_status_t (*call)(void);
  dl_auth_status_t wanted;
  const char *name;
  int state, type; /* of cancellation, before the call */
  bool pending;    /* true: the cancellation comes before the call; false: while the call waits */
  pthread_t thread;
  bool returned, went_on;
};

/* A cancellation leaves this stack frame as it is, so the sanitizer must not put data into it. */
__attribute__((no_sanitize_address)) static void *attempt(void *argument) {
  struct attempt *attempt = argument;
  int state, type;
  subject = attempt->name;
  expect_failure();
  pthread_setcancelstate(attempt->state, NULL);
  pthread_setcanceltype(attempt->type, NULL);
  if (attempt->pending) pthread_cancel(pthread_self());
  dl_auth_status_t status = attempt->call();
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state); /* the code below has cancellation points */
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
  check_status(__FILE__, __LINE__, "the call", attempt->wanted, status);
  CHECK_NUMBER(attempt->state, state);
  CHECK_NUMBER(attempt->type, type);
  attempt->returned = true;
  pthread_setcancelstate(state, NULL);
  pthread_testcancel();
  attempt->went_on = true;
  return NULL;
}

static void begin_attempt(struct attempt *made) {
  if (pthread_create(&made->thread, NULL, attempt, made)) give_up("cannot create a thread");
}

/* Checks how the attempt ended: after the call, and by the cancellation if cancellation was enabled before. */
static void end_attempt(struct attempt *made) {
  void *result;
  subject = made->name;
  if (pthread_join(made->thread, &result)) give_up("cannot join a thread");
  CHECK(made->returned);
  CHECK_NUMBER(made->state == PTHREAD_CANCEL_DISABLE, made->went_on);
  CHECK((result == PTHREAD_CANCELED) == (made->state == PTHREAD_CANCEL_ENABLE));
  dl_auth_free(auth);
  subject = "";
}

static void open_handle(void) {
  reset_gate();
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(with_files, &auth, &failure))) give_up("cannot make a handle");
}

static void a_pending_cancellation_takes_effect_after_the_call(void) {
  static const struct { const char *name; dl_auth_status_t (*call)(void), wanted; bool asks_the_gate; } calls[] = {
    {"dl_auth_new", call_new_and_free, DL_AUTH_OK, false},
    {"dl_auth_new that fails", call_new_without_its_file, DL_AUTH_E_INVALID_VALUE, false},
    {"dl_auth_token", call_token, DL_AUTH_OK, true},
    {"dl_auth_token_within", call_token_within, DL_AUTH_OK, true},
    {"dl_auth_bearer", call_bearer, DL_AUTH_OK, true},
    {"dl_auth_claims", call_claims, DL_AUTH_OK, true},
    {"dl_auth_info and others", call_without_a_request, DL_AUTH_OK, false},
    {"dl_auth_config_set and others", call_with_options, DL_AUTH_OK, false},
    {"dl_auth_jwt_expiry and others", call_without_a_handle, DL_AUTH_OK, false},
  };
  static const int states[][2] = {{PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DEFERRED},
                                  {PTHREAD_CANCEL_DISABLE, PTHREAD_CANCEL_DEFERRED},
                                  {PTHREAD_CANCEL_DISABLE, PTHREAD_CANCEL_ASYNCHRONOUS}};
  for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
    for (size_t state = 0; state < sizeof states / sizeof *states; state++) {
      open_handle();
      struct attempt made = {.call = calls[n].call, .wanted = calls[n].wanted, .name = calls[n].name,
                             .state = states[state][0], .type = states[state][1], .pending = true};
      begin_attempt(&made);
      end_attempt(&made);
      CHECK_NUMBER(calls[n].asks_the_gate, count("logins"));
    }
  }
}

/* The gate does not answer, and the call waits for the library's thread. */
static void a_cancellation_during_a_wait_takes_effect_after_it(void) {
  static const int states[] = {PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DISABLE};
  for (size_t n = 0; n < 2; n++) {
    open_handle();
    plan("{'do':'hang'}");
    struct attempt made = {.call = call_token, .wanted = DL_AUTH_OK, .name = "a wait", .state = states[n],
                           .type = PTHREAD_CANCEL_DEFERRED};
    begin_attempt(&made);
    wait_for("hanging", 1);
    WAIT_UNTIL(info_of(auth).waiting == 1);
    for (int times = 0; times < 3; times++) pthread_cancel(made.thread);
    CHECK_NUMBER(1, count("hanging"));
    CHECK_NUMBER(1, info_of(auth).waiting);
    release_hanging();
    end_attempt(&made);
  }
}

/* No thread can be created for the refresh. The calling thread exists before that. */
static atomic_bool go;

static dl_auth_status_t call_token_when_go_is_set(void) {
  while (!atomic_load(&go)) { /* without a cancellation point */
  }
  return call_token();
}

static void a_refresh_by_the_caller_is_not_cancelled(void) {
  static const int states[] = {PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DISABLE};
  for (int pending = 0; pending < 2; pending++) {
    for (size_t n = 0; n < 2; n++) {
      open_handle();
      if (!pending) plan("{'do':'hang'}");
      struct attempt made = {.call = call_token_when_go_is_set, .wanted = DL_AUTH_OK, .name = "a refresh by the caller",
                             .state = states[n], .type = PTHREAD_CANCEL_DEFERRED, .pending = pending};
      atomic_store(&go, false);
      begin_attempt(&made);
      atomic_store(&no_threads, true);
      atomic_store(&go, true);
      if (!pending) {
        wait_for("hanging", 1);
        CHECK_NUMBER(0, library_threads());
        for (int times = 0; times < 3; times++) pthread_cancel(made.thread);
        CHECK_NUMBER(1, count("hanging"));
        release_hanging();
      }
      end_attempt(&made);
      atomic_store(&no_threads, false);
      CHECK_NUMBER(1, count("logins"));
    }
  }
}

int main(void) {
  begin();
  FILE *file = fopen("password", "w");
  if (!file || fputs(gate("GATE_PASSWORD"), file) < 0 || fclose(file)) give_up("cannot write a file");
  with_files = config_with_files("password");
  without_the_file = config_with_files("nothing");
  a_pending_cancellation_takes_effect_after_the_call();
  a_cancellation_during_a_wait_takes_effect_after_it();
  a_refresh_by_the_caller_is_not_cancelled();
  dl_auth_config_free(with_files);
  dl_auth_config_free(without_the_file);
  return done();
}
