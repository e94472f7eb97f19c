/* The life of a token that many threads use: one login for all, one refusal for all, an outage of the gate, a refresh
 * in the background of the readers, a token that the platform rejected, the poll. Here the handles refresh on demand;
 * background.c tests background handles.
 *
 * No test measures time. The gate and the library count events. The tests compare the counts with the times that the
 * library itself reports. */
#include "clock.h"

enum { CROWD = 256, REPORTERS = 200, CALLS = 1000, READERS = 8 };

/* A thread of a crowd: its input and its result. */
struct one {
  const dl_auth_t *auth;
  const char *known; /* a token */
  dl_auth_status_t wanted;
  char token[DL_AUTH_TOKEN_MAX];
};

static struct one crowd[CROWD];
static pthread_t threads[CROWD];
static int crowd_size;
static pthread_barrier_t together; /* all threads start at the same moment */

static void start_crowd(int number, void *(*body)(void *), const dl_auth_t *auth, const char *known,
                   dl_auth_status_t wanted) {
  crowd_size = number;
  if (pthread_barrier_init(&together, NULL, (unsigned)number)) give_up("cannot make a barrier");
  for (int n = 0; n < number; n++) {
    crowd[n].auth = auth;
    crowd[n].known = known;
    crowd[n].wanted = wanted;
    threads[n] = start(body, &crowd[n]);
  }
}

static void join_crowd(void) {
  for (int n = 0; n < crowd_size; n++) join(threads[n]);
  pthread_barrier_destroy(&together);
}

/* All threads got the same token. */
static const char *token_of_the_crowd(void) {
  for (int n = 0; n < crowd_size; n++) CHECK(*crowd[n].token && strcmp(crowd[0].token, crowd[n].token) == 0);
  return seen(crowd[0].token);
}

static void keep_token(const dl_auth_t *auth, char *token) { strcpy(token, token_of(auth)); }

/* A call that must return this token. */
static void check_token(const dl_auth_t *auth, const char *wanted) {
  char token[DL_AUTH_TOKEN_MAX];
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK(strcmp(wanted, token) == 0);
}

/* The gate has received as many requests as the library reports, with one attempt per refresh and no refresh in
 * flight. */
static void check_requests(const dl_auth_t *auth) {
  WAIT_UNTIL(info_of(auth).activity != DL_AUTH_ACTIVITY_REFRESHING);
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(info.logins + info.refreshes + info.failures, count("requests"));
}

/* The state of the handle and the gate before a call. From here on, the lookout counts for this call. */
struct before { dl_auth_info_t info; long long requests; };

static struct before before_a_call(const dl_auth_t *auth, struct lookout *lookout) {
  struct before before = {info_of(auth), count("requests")};
  most_waiting(lookout);
  return before;
}

/* Whether the call was made in a pause that still lasts, by the times that the handle reports. A pause that is about to
 * end does not count. In a pause, the call sent no request to the gate, and nothing failed. */
static bool was_in_a_pause(const dl_auth_t *auth, const struct before *before) {
  long long requests = count("requests");
  dl_auth_info_t now = info_of(auth);
  int64_t passed = before->info.expires_in_ms - now.expires_in_ms; /* 0 without a token: then pauses are long */
  if (before->info.retry_in_ms <= passed + 100) return false;
  CHECK_NUMBER(before->requests, requests);
  CHECK_NUMBER(before->info.failures, now.failures);
  return true;
}

static void *get_token(void *argument) {
  struct one *one = argument;
  pthread_barrier_wait(&together);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(one->auth, one->token, sizeof one->token, NULL, &failure));
  return NULL;
}

static void a_crowd_on_a_handle_without_a_token_logs_in_once(void) {
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  start_crowd(many(CROWD), get_token, auth, NULL, DL_AUTH_OK);
  join_crowd();
  token_of_the_crowd();
  CHECK_NUMBER(1, count("logins"));
  CHECK_NUMBER(1, count("requests"));
  CHECK_NUMBER(0, info_of(auth).waiting);
  dl_auth_free(auth);
}

static void *get_refusal(void *argument) {
  struct one *one = argument;
  pthread_barrier_wait(&together);
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(one->auth, one->token, sizeof one->token, NULL, &failure));
  CHECK_NUMBER(401, failure.http_status);
  CHECK(failure.retry_after_ms > 0);
  CHECK_NUMBER(0, one->token[0]);
  return NULL;
}

static void a_crowd_with_a_wrong_password_sends_it_once(void) {
  char token[DL_AUTH_TOKEN_MAX];
  struct lookout lookout;
  reset_gate();
  plan("{'do':'hang','then':{'do':'status','status':401}}");
  dl_auth_t *auth = open_gate("password", "canary of the crowd", NULL);
  start_lookout(&lookout, auth);
  start_crowd(many(CROWD), get_refusal, auth, NULL, DL_AUTH_E_DENIED);
  WAIT_UNTIL(most_waiting(&lookout) == (uint64_t)crowd_size); /* the lookout does see waiting calls */
  wait_for("hanging", 1);
  release_hanging();
  join_crowd();
  CHECK_NUMBER(1, count("requests"));
  CHECK_NUMBER(1, info_of(auth).failures);
  CHECK(info_of(auth).retry_in_ms > 20000); /* the pause is 30 s long: the calls end well before it ends */
  for (int call = 0; call < many(CALLS) && info_of(auth).retry_in_ms > 10000; call++) {
    struct before before = before_a_call(auth, &lookout);
    CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK_NUMBER(401, failure.http_status);
    CHECK(failure.retry_after_ms > 0);
    CHECK_NUMBER(0, most_waiting(&lookout));
    CHECK(was_in_a_pause(auth, &before));
  }
  stop_lookout(&lookout);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info_of(auth).activity);
  CHECK_NUMBER(1, count("requests"));
  check_requests(auth);
  dl_auth_free(auth);
}

/* The maximum number of refreshes that may have started this long after the first failed one. A pause is at least half
 * of 1 s, doubled each time. (From 15 s on the pauses stop growing; that is long after this test.) */
static int most_failures(int64_t ms) {
  int most = 1;
  for (int64_t pause = 500; ms >= pause; pause *= 2) {
    ms -= pause;
    most++;
  }
  return most;
}

static void an_outage_of_the_gate_loses_no_valid_token_and_costs_few_requests(void) {
  static char first[DL_AUTH_TOKEN_MAX], token[DL_AUTH_TOKEN_MAX];
  dl_auth_info_t look, after, valid = DL_AUTH_INFO_INIT;
  struct lookout lookout;
  dl_auth_status_t status;
  int due = 0, paused = 0;
  reset_gate();
  set_gate("{'lifetime':12}");
  dl_auth_t *auth = open_gate("refresh_at", "0.5", NULL);
  keep_token(auth, first);
  plan("{'do':'close','times':1000}");
  start_lookout(&lookout, auth);
  for (;;) {
    struct before before = before_a_call(auth, &lookout);
    look = info_of(auth);
    status = dl_auth_token(auth, token, sizeof token, NULL, NULL);
    if (look.expires_in_ms > 0) valid = look;
    if (status) break;
    due += look.state == DL_AUTH_STATE_DUE;
    CHECK(look.expires_in_ms >= 0); /* 0: less than a millisecond */
    CHECK(strcmp(first, token) == 0);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    CHECK_NUMBER(0, most_waiting(&lookout)); /* in a pause or not */
    paused += was_in_a_pause(auth, &before) && before.info.failures > 0;
  }
  after = info_of(auth);
  CHECK(after.expires_in_ms <= 0); /* not a call too early */
  CHECK_NUMBER(DL_AUTH_E_UNREACHABLE, status);
  CHECK_NUMBER(DL_AUTH_STATE_EXPIRED, after.state);
  CHECK_NUMBER(0, dl_auth_generation(auth));
  /* The first failure delays the next attempt by at most one second of the six. Fewer than 100 calls: the machine was
   * stopped. */
  CHECK((valid.failures >= 2 && count("requests") >= 1 + 2 && paused > 0) || due < 100);
  CHECK(valid.failures <= (uint64_t)most_failures(-valid.refresh_in_ms));

  paused = 0;
  for (int call = 0; call < many(CALLS); call++) {
    struct before before = before_a_call(auth, &lookout);
    CHECK_STATUS(DL_AUTH_E_UNREACHABLE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK(failure.retry_after_ms > 0);
    CHECK_NUMBER(0, token[0]);
    uint64_t waiting = most_waiting(&lookout);
    if (!was_in_a_pause(auth, &before)) continue; /* a new attempt may have started, and the call waited for it */
    CHECK_NUMBER(0, waiting);
    paused++;
  }
  CHECK(paused > 0);
  after = info_of(auth);
  CHECK(after.failures <= (uint64_t)most_failures(-after.refresh_in_ms));
  CHECK_NUMBER(1, after.logins);
  CHECK_NUMBER(0, after.refreshes);
  check_requests(auth);

  control("DELETE", "/plan", "", 200, 200);
  plan("{'do':'hang'}");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure)); /* ends the pause */
  start_crowd(1, get_token, auth, NULL, DL_AUTH_OK);
  WAIT_UNTIL(most_waiting(&lookout) == 1); /* the lookout does see waiting calls */
  wait_for("hanging", 1);
  release_hanging();
  join_crowd();
  CHECK(strcmp(first, token_of_the_crowd()) != 0);
  check_requests(auth);
  stop_lookout(&lookout);
  dl_auth_free(auth);
}

static void *read_many_times(void *argument) {
  struct one *one = argument;
  pthread_barrier_wait(&together);
  for (int n = 0; n < many(CALLS); n++) {
    check_token(one->auth, one->known);
    CHECK_NUMBER(0, info_of(one->auth).waiting);
  }
  return NULL;
}

static void readers_of_a_due_token_do_not_wait_for_the_refresh(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate("refresh_at", "0.1", NULL);
  keep_token(auth, first);
  plan("{'do':'hang'}");
  suspend(DAY / 2);
  while (count("hanging") == 0) {
    check_token(auth, first);
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  start_crowd(READERS, read_many_times, auth, first, DL_AUTH_OK);
  join_crowd();
  CHECK_NUMBER(1, count("hanging"));
  CHECK_NUMBER(2, count("requests"));
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info_of(auth).activity);
  release_hanging();
  WAIT_UNTIL(info_of(auth).generation == 2);
  CHECK(strcmp(first, token_of(auth)) != 0);
  check_requests(auth);
  dl_auth_free(auth);
}

static void *report_and_get_token(void *argument) {
  struct one *one = argument;
  pthread_barrier_wait(&together);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(one->auth, one->known, &failure));
  return get_token(one);
}

static void a_crowd_whose_token_was_rejected_refreshes_it_once(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  keep_token(auth, first);
  pass_the_min_interval(auth);
  CHECK_NUMBER(1, count("requests"));
  start_crowd(many(REPORTERS), report_and_get_token, auth, first, DL_AUTH_OK);
  join_crowd();
  CHECK(strcmp(first, token_of_the_crowd()) != 0);
  CHECK_NUMBER(2, count("requests"));
  CHECK_NUMBER(2, dl_auth_generation(auth));
  dl_auth_free(auth);
}

static void a_token_rejected_immediately_is_kept_until_the_minimum_interval_is_over(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  int in_interval = 0;
  dl_auth_info_t info;
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  keep_token(auth, first);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, first, &failure));
  for (;;) {
    const char *token = token_of(auth);
    long long requests = count("requests");
    info = info_of(auth);
    if (info.generation > 1) break;
    if (info.retry_in_ms > 0) {
      in_interval++;
      CHECK(strcmp(first, token) == 0);
      CHECK_NUMBER(1, requests);
      CHECK_NUMBER(DL_AUTH_STATE_DUE, info.state);
      CHECK_NUMBER(DL_AUTH_ACTIVITY_IDLE, info.activity);
    }
    CHECK(info.refresh_in_ms > 0); /* the token is not due because of its age */
    if (in_interval == 20) suspend(LONGEST_MIN_INTERVAL_MS / 1000);
  }
  CHECK(in_interval > 0);
  CHECK(strcmp(first, token_of(auth)) != 0);
  CHECK_NUMBER(2, info.generation);
  CHECK_NUMBER(2, count("requests"));
  dl_auth_free(auth);
}

static void *poll_many_times(void *argument) {
  struct one *one = argument;
  pthread_barrier_wait(&together);
  for (int n = 0; n < many(CALLS); n++) {
    CHECK_STATUS(one->wanted, dl_auth_token_within(one->auth, 0, 0, one->token, sizeof one->token, NULL, &failure));
    if (one->wanted == DL_AUTH_E_RATE_LIMITED) CHECK(failure.retry_after_ms > 0);
    if (one->wanted == DL_AUTH_OK) CHECK(strcmp(one->known, one->token) == 0);
    CHECK_NUMBER(0, info_of(one->auth).waiting);
  }
  return NULL;
}

static void check_polls(const dl_auth_t *auth, const char *known, dl_auth_status_t wanted) {
  start_crowd(READERS, poll_many_times, auth, known, wanted);
  join_crowd();
}

static void a_poll_never_waits_in_any_state_of_the_handle(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  reset_gate();
  plan("[{'do':'hang','then':{'do':'status','status':429,'headers':{'Retry-After':3600}}},"
       "{'do':'hang'},{'do':'hang'}]");
  dl_auth_t *auth = open_gate("refresh_at", "0.1", NULL);
  check_polls(auth, NULL, DL_AUTH_E_PENDING);
  wait_for("hanging", 1);
  release_hanging();
  WAIT_UNTIL(info_of(auth).failures == 1);
  check_polls(auth, NULL, DL_AUTH_E_RATE_LIMITED);
  CHECK_NUMBER(1, count("requests"));

  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure));
  check_polls(auth, NULL, DL_AUTH_E_PENDING);
  wait_for("hanging", 1);
  release_hanging();
  WAIT_UNTIL(info_of(auth).generation == 1);
  keep_token(auth, first);
  check_polls(auth, first, DL_AUTH_OK); /* fresh */
  suspend(DAY / 2);
  while (count("hanging") == 0) {
    check_token(auth, first);
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  check_polls(auth, first, DL_AUTH_OK); /* due, with a refresh in the background */
  CHECK_NUMBER(3, count("requests"));
  dl_auth_free(auth);
  WAIT_UNTIL(count("hanging") == 0);
}

int main(void) {
  begin();
  a_crowd_on_a_handle_without_a_token_logs_in_once();
  a_crowd_with_a_wrong_password_sends_it_once();
  an_outage_of_the_gate_loses_no_valid_token_and_costs_few_requests();
  readers_of_a_due_token_do_not_wait_for_the_refresh();
  a_crowd_whose_token_was_rejected_refreshes_it_once();
  a_token_rejected_immediately_is_kept_until_the_minimum_interval_is_over();
  a_poll_never_waits_in_any_state_of_the_handle();
  return done();
}
