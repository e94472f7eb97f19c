/* Background handles: they log in and refresh without a call, share at most four threads, and block no caller.
 *
 * dl_auth_info only looks: it starts no refresh. No test measures time. */
#include "clock.h"

enum { THE_FOUR = 4, THOUSAND = 1000 };

/* The option of all handles here. */
#define BACKGROUND "refresh", "background"

static void keep_token(const dl_auth_t *auth, char *token) { strcpy(token, token_of(auth)); }

static void wait_for_generation(const dl_auth_t *auth, uint64_t generation) {
  WAIT_UNTIL(info_of(auth).generation >= generation);
}

/* All threads end after the last free. */
static void wait_until_no_thread_is_left(void) { WAIT_UNTIL(other_threads() == 0); }

/* Frees the handle. Then no thread is left, and the gate holds no request. */
static void free_and_wait_until_idle(dl_auth_t *auth) {
  dl_auth_free(auth);
  wait_until_no_thread_is_left();
  WAIT_UNTIL(count("hanging") == 0);
}

static void a_background_handle_logs_in_and_replaces_each_token_without_a_call(void) {
  reset_gate();
  dl_auth_t *auth = open_gate(BACKGROUND, "refresh_at", "0.1", NULL);
  wait_for("issued", 1);
  wait_for_generation(auth, 1);
  CHECK_NUMBER(1, info_of(auth).logins);
  for (int generation = 2; generation <= 3; generation++) {
    suspend(DAY / 2);
    wait_for("issued", generation);
    wait_for_generation(auth, (uint64_t)generation);
  }
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(1, info.logins);
  CHECK_NUMBER(0, info.failures);
  CHECK_NUMBER(info.generation, info.logins + info.refreshes);
  token_of(auth);
  free_and_wait_until_idle(auth);
}

/* One of several threads that read and poll. */
struct reader { const dl_auth_t *auth; const char *known; dl_auth_status_t wanted; };

static void *read_many_times(void *argument) {
  struct reader *reader = argument;
  char token[DL_AUTH_TOKEN_MAX];
  for (int n = 0; n < many(1000); n++) {
    CHECK_STATUS(reader->wanted, dl_auth_token_within(reader->auth, 0, 0, token, sizeof token, NULL, &failure));
    if (!reader->wanted) {
      CHECK(strcmp(reader->known, token) == 0);
      CHECK_STATUS(DL_AUTH_OK, dl_auth_token(reader->auth, token, sizeof token, NULL, &failure));
      CHECK(strcmp(reader->known, token) == 0);
    }
    CHECK_NUMBER(0, info_of(reader->auth).waiting);
  }
  return NULL;
}

static void check_reads(const dl_auth_t *auth, const char *known, dl_auth_status_t wanted) {
  struct reader reader = {auth, known, wanted};
  pthread_t threads[4];
  for (int n = 0; n < 4; n++) threads[n] = start(read_many_times, &reader);
  for (int n = 0; n < 4; n++) join(threads[n]);
}

static void no_read_of_a_valid_token_and_no_poll_waits_for_a_refresh(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  reset_gate();
  plan("[{'do':'hang'},{'do':'hang'}]");
  dl_auth_t *auth = open_gate(BACKGROUND, "refresh_at", "0.1", NULL);
  wait_for("hanging", 1);
  check_reads(auth, NULL, DL_AUTH_E_PENDING);
  release_hanging();
  wait_for_generation(auth, 1);
  keep_token(auth, first);
  check_reads(auth, first, DL_AUTH_OK);
  suspend(DAY / 2);
  wait_for("requests", 2);
  wait_for("hanging", 1);
  check_reads(auth, first, DL_AUTH_OK);
  CHECK_NUMBER(1, count("hanging"));
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info_of(auth).activity);
  release_hanging();
  wait_for_generation(auth, 2);
  CHECK(strcmp(first, token_of(auth)) != 0);
  CHECK_NUMBER(2, count("requests"));
  free_and_wait_until_idle(auth);
}

static void a_rejected_token_is_replaced_without_a_call(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  for (int in_interval = 0; in_interval < 2; in_interval++) {
    subject = in_interval ? "within the minimum interval" : "after the minimum interval";
    int looks = 0;
    reset_gate();
    dl_auth_t *auth = open_gate(BACKGROUND, "refresh_at", "0.9", NULL);
    wait_for_generation(auth, 1);
    keep_token(auth, first);
    if (!in_interval) pass_the_min_interval(auth);
    CHECK_NUMBER(1, count("requests"));
    CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, first, &failure));
    for (dl_auth_info_t info; (info = info_of(auth)).generation == 1;) {
      CHECK(info.refresh_in_ms > 0); /* the token is not due because of its age */
      if (info.retry_in_ms > 0) CHECK_NUMBER(DL_AUTH_STATE_DUE, info.state);
      if (in_interval && ++looks == 20) suspend(LONGEST_MIN_INTERVAL_MS / 1000);
      nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    CHECK(strcmp(first, token_of(auth)) != 0);
    CHECK_NUMBER(2, count("requests"));
    free_and_wait_until_idle(auth);
  }
  subject = "";
}

static void new_credentials_are_used_without_a_call(void) {
  reset_gate();
  dl_auth_t *auth = open_gate(BACKGROUND, "password", "canary that is wrong", NULL);
  WAIT_UNTIL(info_of(auth).failures == 1);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info_of(auth).activity);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure));
  wait_for_generation(auth, 1);
  CHECK_NUMBER(2, count("logins"));

  set_gate("{'username':'canary-other','password':'canary-4'}");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, "canary-other", "canary-4", &failure));
  wait_for_generation(auth, 2);
  CHECK_NUMBER(3, count("logins"));

  plan("{'do':'hang'}"); /* the refresh in flight is cancelled, and the next one starts */
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, "canary-third", "canary-5", &failure));
  wait_for("hanging", 1);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, "canary-other", "canary-4", &failure));
  wait_for_generation(auth, 3);
  CHECK_NUMBER(5, count("logins"));
  CHECK_NUMBER(5, count("requests"));
  token_of(auth);
  free_and_wait_until_idle(auth);
}

/* At most four threads. A thread that has just ended may still be listed; it is gone at the next look. */
static void check_at_most_four(void) { WAIT_UNTIL(other_threads() <= THE_FOUR); }

/* Without TLS: a thousand handshakes would load the gate, not the library. */
static void a_thousand_handles_share_four_threads_and_one_when_idle(void) {
  static dl_auth_t *handles[THOUSAND];
  const int number = many(THOUSAND);
  reset_gate();
  for (int n = 0; n < number; n++) {
    handles[n] = open_gate(BACKGROUND, "url", gate("GATE_HTTP_URL"), "allow_http", "true", NULL);
    check_at_most_four();
  }
  for (int n = 0; n < number; n++) {
    while (info_of(handles[n]).state != DL_AUTH_STATE_FRESH) {
      check_at_most_four();
      nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
  }
  WAIT_UNTIL(other_threads() <= 1);
  CHECK_NUMBER(1, other_threads()); /* it sleeps until the next token is due */
  CHECK_NUMBER(number, count("logins"));
  CHECK_NUMBER(number, count("requests"));
  for (int n = 0; n < number; n++) dl_auth_free(handles[n]);
  wait_until_no_thread_is_left();
}

/* Background handles whose first requests the gate holds: only four at a time, because there are only four threads. */
enum { HELD = THE_FOUR + 4 };
static dl_auth_t *held[HELD];

static void hold_the_four_threads(const char *hanging) {
  reset_gate();
  dl_auth_t *auth = open_gate(NULL); /* only an accepted password is sent by several threads */
  token_of(auth);
  dl_auth_free(auth);
  wait_until_no_thread_is_left();
  plan(hanging);
  for (int n = 0; n < HELD; n++) held[n] = open_gate(BACKGROUND, NULL);
  wait_for("hanging", THE_FOUR);
  CHECK_NUMBER(THE_FOUR, other_threads());
  CHECK_NUMBER(1 + THE_FOUR, count("requests"));
}

static void a_refresh_by_a_caller_does_not_wait_for_the_four_threads(void) {
  hold_the_four_threads("{'do':'hang','times':4}");
  dl_auth_t *on_demand = open_gate(NULL);
  token_of(on_demand);
  int idle = 0;
  for (int n = 0; n < HELD; n++) {
    if (info_of(held[n]).activity != DL_AUTH_ACTIVITY_IDLE) continue;
    CHECK_NUMBER(0, info_of(held[n]).generation);
    token_of(held[n]);
    CHECK_NUMBER(1, info_of(held[n]).generation);
    idle++;
  }
  CHECK_NUMBER(HELD - THE_FOUR, idle);
  CHECK_NUMBER(THE_FOUR, count("hanging"));
  CHECK_NUMBER(1 + 1 + HELD, count("requests"));

  release_hanging();
  for (int n = 0; n < HELD; n++) wait_for_generation(held[n], 1);
  CHECK_NUMBER(1 + 1 + HELD, count("requests"));
  for (int n = 0; n < HELD; n++) dl_auth_free(held[n]);
  free_and_wait_until_idle(on_demand);
}

static void a_handle_that_waits_for_a_thread_is_served_when_one_is_free(void) {
  hold_the_four_threads("{'do':'hang','times':4}");
  release_hanging();
  for (int n = 0; n < HELD; n++) wait_for_generation(held[n], 1);
  CHECK_NUMBER(1 + HELD, count("requests"));
  WAIT_UNTIL(other_threads() <= 1);
  for (int n = 1; n < HELD; n++) dl_auth_free(held[n]);
  free_and_wait_until_idle(held[0]);
}

static void freed_handles_leave_no_thread_while_the_gate_holds_their_answers(void) {
  hold_the_four_threads("{'do':'hang','times':100}"); /* 100: also for the handles that take the turn of a freed one */
  for (int n = 1; n < HELD; n++) dl_auth_free(held[n]);
  free_and_wait_until_idle(held[0]);
  CHECK_NUMBER(1, count("issued"));
}

int main(void) {
  begin();
  a_background_handle_logs_in_and_replaces_each_token_without_a_call();
  no_read_of_a_valid_token_and_no_poll_waits_for_a_refresh();
  a_rejected_token_is_replaced_without_a_call();
  new_credentials_are_used_without_a_call();
  a_thousand_handles_share_four_threads_and_one_when_idle();
  a_refresh_by_a_caller_does_not_wait_for_the_four_threads();
  a_handle_that_waits_for_a_thread_is_served_when_one_is_free();
  freed_handles_leave_no_thread_while_the_gate_holds_their_answers();
  return done();
}
