/* The life of a token among many threads: one login for all, one refusal for all, an outage of the gate, a refresh
 * behind the readers, a token that the platform refused, the poll. On demand; background.c has the timer's handles.
 *
 * No test measures time. What took place is counted, at the gate and by the library, and set against what the library
 * itself says of its times. */
#include "clock.h"

enum { CROWD = 256, REPORTERS = 200, CALLS = 1000, READERS = 8 };

/* A thread of a crowd: what it works with, and what it got. */
struct one {
  const dl_auth_t *auth;
  const char *known; /* a token */
  dl_auth_status_t wanted;
  char token[DL_AUTH_TOKEN_MAX];
};

static struct one crowd[CROWD];
static pthread_t threads[CROWD];
static int admitted;
static pthread_barrier_t together; /* all begin at the same moment */

static void let_in(int number, void *(*body)(void *), const dl_auth_t *auth, const char *known,
                   dl_auth_status_t wanted) {
  admitted = number;
  if (pthread_barrier_init(&together, NULL, (unsigned)number)) give_up("no barrier");
  for (int n = 0; n < number; n++) {
    crowd[n].auth = auth;
    crowd[n].known = known;
    crowd[n].wanted = wanted;
    threads[n] = start(body, &crowd[n]);
  }
}

static void see_off(void) {
  for (int n = 0; n < admitted; n++) join(threads[n]);
  pthread_barrier_destroy(&together);
}

/* They all got the same token. */
static const char *token_of_the_crowd(void) {
  for (int n = 0; n < admitted; n++) CHECK(*crowd[n].token && strcmp(crowd[0].token, crowd[n].token) == 0);
  return seen(crowd[0].token);
}

static void keep_token(const dl_auth_t *auth, char *token) { strcpy(token, token_of(auth)); }

/* A call that must hand out this token. */
static void check_token(const dl_auth_t *auth, const char *wanted) {
  char token[DL_AUTH_TOKEN_MAX];
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK(strcmp(wanted, token) == 0);
}

/* The gate has had as many requests as the library knows of, with one try a refresh, and none in flight. */
static void check_requests(const dl_auth_t *auth) {
  WAIT_UNTIL(info_of(auth).activity != DL_AUTH_ACTIVITY_REFRESHING);
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(info.logins + info.refreshes + info.failures, count("requests"));
}

/* What handle and gate know before a call; and from here on the lookout's answer is about the call. */
struct before { dl_auth_info_t info; long long requests; };

static struct before before_a_call(const dl_auth_t *auth, struct lookout *lookout) {
  struct before before = {info_of(auth), count("requests")};
  most_waiting(lookout);
  return before;
}

/* Whether the call was made in a pause that lasted until now, by what the handle itself says of its times; one about to
 * end is none. Then it has asked the gate for nothing, and nothing has failed. */
static bool was_in_a_pause(const dl_auth_t *auth, const struct before *before) {
  long long requests = count("requests");
  dl_auth_info_t now = info_of(auth);
  int64_t passed = before->info.expires_in_ms - now.expires_in_ms; /* 0 where there is no token: then pauses are long */
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

static void a_crowd_at_a_cold_handle_logs_in_once(void) {
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  let_in(many(CROWD), get_token, auth, NULL, DL_AUTH_OK);
  see_off();
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
  post_lookout(&lookout, auth);
  let_in(many(CROWD), get_refusal, auth, NULL, DL_AUTH_E_DENIED);
  WAIT_UNTIL(most_waiting(&lookout) == (uint64_t)admitted); /* it does see who waits */
  wait_for("hanging", 1);
  release_hanging();
  see_off();
  CHECK_NUMBER(1, count("requests"));
  CHECK_NUMBER(1, info_of(auth).failures);
  CHECK(info_of(auth).retry_in_ms > 20000); /* the pause is half a minute long: the calls end well before it does */
  for (int call = 0; call < many(CALLS) && info_of(auth).retry_in_ms > 10000; call++) {
    struct before before = before_a_call(auth, &lookout);
    CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK_NUMBER(401, failure.http_status);
    CHECK(failure.retry_after_ms > 0);
    CHECK_NUMBER(0, most_waiting(&lookout));
    CHECK(was_in_a_pause(auth, &before));
  }
  call_lookout_in(&lookout);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info_of(auth).activity);
  CHECK_NUMBER(1, count("requests"));
  check_requests(auth);
  dl_auth_free(auth);
}

/* How many refreshes may have begun so long after the first that failed: the pauses are half of 1 s at least, doubled
 * each time. (That they grow no more from 15 s on is long after this test.) */
static int most_failures(int64_t ms) {
  int most = 1;
  for (int64_t pause = 500; ms >= pause; pause *= 2) {
    ms -= pause;
    most++;
  }
  return most;
}

static void an_outage_of_the_gate_costs_no_valid_token_and_few_requests(void) {
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
  post_lookout(&lookout, auth);
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
  /* The first failure holds back the next try for a second of the six at most. So few: the machine stood still. */
  CHECK((valid.failures >= 2 && count("requests") >= 1 + 2 && paused > 0) || due < 100);
  CHECK(valid.failures <= (uint64_t)most_failures(-valid.refresh_in_ms));

  paused = 0;
  for (int call = 0; call < many(CALLS); call++) {
    struct before before = before_a_call(auth, &lookout);
    CHECK_STATUS(DL_AUTH_E_UNREACHABLE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK(failure.retry_after_ms > 0);
    CHECK_NUMBER(0, token[0]);
    uint64_t waiting = most_waiting(&lookout);
    if (!was_in_a_pause(auth, &before)) continue; /* it may have tried again, and waited for that */
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
  let_in(1, get_token, auth, NULL, DL_AUTH_OK);
  WAIT_UNTIL(most_waiting(&lookout) == 1); /* it does see who waits */
  wait_for("hanging", 1);
  release_hanging();
  see_off();
  CHECK(strcmp(first, token_of_the_crowd()) != 0);
  check_requests(auth);
  call_lookout_in(&lookout);
  dl_auth_free(auth);
}

static void *read_again_and_again(void *argument) {
  struct one *one = argument;
  pthread_barrier_wait(&together);
  for (int n = 0; n < many(CALLS); n++) {
    check_token(one->auth, one->known);
    CHECK_NUMBER(0, info_of(one->auth).waiting);
  }
  return NULL;
}

static void readers_of_a_due_token_wait_for_no_refresh(void) {
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
  let_in(READERS, read_again_and_again, auth, first, DL_AUTH_OK);
  see_off();
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
  pass_the_brake(auth);
  CHECK_NUMBER(1, count("requests"));
  let_in(many(REPORTERS), report_and_get_token, auth, first, DL_AUTH_OK);
  see_off();
  CHECK(strcmp(first, token_of_the_crowd()) != 0);
  CHECK_NUMBER(2, count("requests"));
  CHECK_NUMBER(2, dl_auth_generation(auth));
  dl_auth_free(auth);
}

static void a_token_rejected_at_once_stays_until_another_may_be_fetched(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  int braked = 0;
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
      braked++;
      CHECK(strcmp(first, token) == 0);
      CHECK_NUMBER(1, requests);
      CHECK_NUMBER(DL_AUTH_STATE_DUE, info.state);
      CHECK_NUMBER(DL_AUTH_ACTIVITY_IDLE, info.activity);
    }
    CHECK(info.refresh_in_ms > 0); /* it is not its age that ends it */
    if (braked == 20) suspend(LONGEST_BRAKE_MS / 1000);
  }
  CHECK(braked > 0);
  CHECK(strcmp(first, token_of(auth)) != 0);
  CHECK_NUMBER(2, info.generation);
  CHECK_NUMBER(2, count("requests"));
  dl_auth_free(auth);
}

static void *poll_again_and_again(void *argument) {
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
  let_in(READERS, poll_again_and_again, auth, known, wanted);
  see_off();
}

static void a_poll_never_waits_whatever_the_handle_is_doing(void) {
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
  check_polls(auth, first, DL_AUTH_OK); /* due, with a refresh behind it */
  CHECK_NUMBER(3, count("requests"));
  dl_auth_free(auth);
  WAIT_UNTIL(count("hanging") == 0);
}

int main(void) {
  begin();
  a_crowd_at_a_cold_handle_logs_in_once();
  a_crowd_with_a_wrong_password_sends_it_once();
  an_outage_of_the_gate_costs_no_valid_token_and_few_requests();
  readers_of_a_due_token_wait_for_no_refresh();
  a_crowd_whose_token_was_rejected_refreshes_it_once();
  a_token_rejected_at_once_stays_until_another_may_be_fetched();
  a_poll_never_waits_whatever_the_handle_is_doing();
  return done();
}
