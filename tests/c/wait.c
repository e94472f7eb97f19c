/* Waiting, and changes from outside: deadlines, polls, rejected tokens, new credentials, dl_auth_info. */
#include "clock.h"

static dl_auth_status_t poll_token(const dl_auth_t *auth) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_status_t status = dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, NULL);
  if (status == DL_AUTH_OK) seen(token);
  return status;
}

static void a_poll_is_pending_until_the_token_is_there(void) {
  char token[DL_AUTH_TOKEN_MAX] = "old";
  size_t length = 77;
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate(NULL);
  for (int poll = 0; poll < 10; poll++) {
    CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, token, sizeof token, &length, &failure));
    CHECK_NUMBER(0, token[0]);
    CHECK_NUMBER(77, length);
  }
  wait_for("hanging", 1);
  CHECK_NUMBER(DL_AUTH_E_PENDING, poll_token(auth));
  release_hanging();
  WAIT_UNTIL(poll_token(auth) != DL_AUTH_E_PENDING);
  CHECK_NUMBER(DL_AUTH_OK, poll_token(auth));
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

static void a_caller_gets_a_timeout_at_its_deadline_and_the_refresh_continues(void) {
  char token[DL_AUTH_TOKEN_MAX] = "old";
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate("wait", "50ms", NULL);
  CHECK_STATUS(DL_AUTH_E_TIMEOUT, dl_auth_token_within(auth, 0, 1, token, sizeof token, NULL, &failure));
  CHECK_NUMBER(0, token[0]);
  CHECK_CONTAINS(failure.message, "wait_ms");
  CHECK_STATUS(DL_AUTH_E_TIMEOUT, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_STATUS(DL_AUTH_E_TIMEOUT, dl_auth_bearer(auth, token, sizeof token, NULL, &failure));
  CHECK_STATUS(DL_AUTH_E_TIMEOUT, dl_auth_claims(auth, token, sizeof token, NULL, &failure));
  wait_for("hanging", 1);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info_of(auth).activity);
  CHECK_NUMBER(0, info_of(auth).failures);
  release_hanging();
  WAIT_UNTIL(info_of(auth).generation == 1);
  token_of(auth);
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

static void with_a_wait_of_zero_each_call_is_a_poll(void) {
  char token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate("wait", "0s", NULL);
  CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  WAIT_UNTIL(info_of(auth).generation == 1);
  token_of(auth);
  dl_auth_free(auth);
}

static void the_longest_wait_does_not_overflow(void) {
  char token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token_within(auth, 0, UINT64_MAX, token, sizeof token, NULL, &failure));
  seen(token);
  CHECK_STATUS(DL_AUTH_E_TOO_SHORT, dl_auth_token_within(auth, UINT64_MAX, UINT64_MAX, token, sizeof token, NULL, &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token_within(auth, 60000, UINT64_MAX, token, sizeof token, NULL, &failure));
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

static void a_demand_beyond_the_lifetime_is_too_short_and_sends_no_request(void) {
  char token[DL_AUTH_TOKEN_MAX] = "old";
  reset_gate();
  set_gate("{'lifetime':600}");
  dl_auth_t *auth = open_gate(NULL);
  token_of(auth);
  for (int call = 0; call < 3; call++) {
    CHECK_STATUS(DL_AUTH_E_TOO_SHORT, dl_auth_token_within(auth, 700000, 10000, token, sizeof token, NULL, &failure));
    CHECK_NUMBER(0, token[0]);
    CHECK_CONTAINS(failure.message, "min_valid_ms");
  }
  CHECK_STATUS(DL_AUTH_E_TOO_SHORT, dl_auth_token_within(auth, 700000, 0, token, sizeof token, NULL, &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token_within(auth, 300000, 0, token, sizeof token, NULL, &failure));
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

enum { THREADS = 16 };

/* A thread that asks for a token, and its result. */
struct asker { const dl_auth_t *auth; char token[DL_AUTH_TOKEN_MAX]; };

static void *get_token(void *argument) {
  struct asker *asker = argument;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(asker->auth, asker->token, sizeof asker->token, NULL, &failure));
  return NULL;
}

static void all_waiters_share_one_request_and_its_token(void) {
  static struct asker all[THREADS];
  pthread_t threads[THREADS];
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate(NULL);
  for (int n = 0; n < THREADS; n++) {
    all[n].auth = auth;
    threads[n] = start(get_token, &all[n]);
  }
  WAIT_UNTIL(info_of(auth).waiting == THREADS);
  wait_for("hanging", 1);
  release_hanging();
  for (int n = 0; n < THREADS; n++) join(threads[n]);
  for (int n = 0; n < THREADS; n++) CHECK(strcmp(seen(all[n].token), all[0].token) == 0);
  CHECK_NUMBER(0, info_of(auth).waiting);
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

static void *get_refusal(void *auth) {
  char token[DL_AUTH_TOKEN_MAX];
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_NUMBER(401, failure.http_status);
  CHECK_RETRY_WITHIN(FIRST_REFUSAL_MS);
  return NULL;
}

static void all_waiters_share_a_failure_and_none_of_them_retries(void) {
  pthread_t threads[THREADS];
  reset_gate();
  plan("{'do':'hang','then':{'do':'status','status':401}}");
  dl_auth_t *auth = open_gate("password", new_password(), NULL);
  for (int n = 0; n < THREADS; n++) threads[n] = start(get_refusal, auth);
  WAIT_UNTIL(info_of(auth).waiting == THREADS);
  wait_for("hanging", 1);
  release_hanging();
  for (int n = 0; n < THREADS; n++) join(threads[n]);
  get_refusal(auth); /* a later caller gets the same error */
  CHECK_NUMBER(1, count("requests"));
  CHECK_NUMBER(1, info_of(auth).failures);
  dl_auth_free(auth);
}

/* A token that the platform rejected. `may_stay`: the library may still return it. */
struct refused { const dl_auth_t *auth; const char *token; bool may_stay; };

static void *report(void *argument) {
  struct refused *refused = argument;
  char token[DL_AUTH_TOKEN_MAX];
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(refused->auth, refused->token, &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(refused->auth, token, sizeof token, NULL, &failure));
  seen(token);
  CHECK(refused->may_stay || strcmp(token, refused->token) != 0);
  return NULL;
}

/* All threads report at the same time, within or after the minimum interval that follows the login. */
static void many_reports_of_the_same_rejected_token_cause_one_refresh(bool within_interval) {
  char first[DL_AUTH_TOKEN_MAX];
  pthread_t threads[THREADS];
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  strcpy(first, token_of(auth));
  struct refused refused = {auth, first, within_interval};
  if (!within_interval) pass_the_min_interval(auth);
  for (int n = 0; n < THREADS; n++) threads[n] = start(report, &refused);
  for (int n = 0; n < THREADS; n++) join(threads[n]);
  if (info_of(auth).generation == 1) pass_the_min_interval(auth);
  CHECK(strcmp(first, token_of(auth)) != 0);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, first, &failure)); /* too late: the handle has another token now */
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, "no token of this handle", &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, "", &failure));
  token_of(auth);
  CHECK_NUMBER(2, dl_auth_generation(auth));
  CHECK_NUMBER(2, count("issued"));
  CHECK_NUMBER(2, count("requests"));
  dl_auth_free(auth);
}

/* The minimum interval is a minute long, so a step that does not happen within it was not only late. */
static void a_token_rejected_within_the_minimum_interval_is_kept_until_it_is_over(void) {
  char first[DL_AUTH_TOKEN_MAX], token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  set_gate("{'lifetime':600}");
  dl_auth_t *auth = open_gate(NULL);
  strcpy(first, token_of(auth));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, first, &failure));
  CHECK(strcmp(first, token_of(auth)) == 0);
  CHECK_NUMBER(0, dl_auth_generation(auth)); /* it needs a refresh */
  /* The token lives for 600 s, but a part of the first second is over. */
  WAIT_UNTIL(info_of(auth).expires_in_ms < 599900);
  CHECK_STATUS(DL_AUTH_E_TOO_SHORT, dl_auth_token_within(auth, 599950, 10000, token, sizeof token, NULL, &failure));
  CHECK_RETRY_WITHIN(LONGEST_MIN_INTERVAL_MS);
  CHECK_NUMBER(0, token[0]);
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_STATE_DUE, info.state);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_IDLE, info.activity);
  CHECK(info.retry_in_ms > 0 && info.retry_in_ms <= LONGEST_MIN_INTERVAL_MS);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure));
  CHECK(info_of(auth).retry_in_ms > 0); /* the interval goes on for the same user */
  CHECK(strcmp(first, token_of(auth)) == 0);
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

static void other_credentials_are_used_immediately(void) {
  char token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate("password", "canary-wrong", NULL);
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_RETRY_WITHIN(FIRST_REFUSAL_MS);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info_of(auth).activity);
  dl_auth_t *other = open_gate("password", "canary-wrong", NULL); /* not sent again, from any handle */
  get_refusal(other);
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(other);
  CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_set_credentials(auth, NULL, "", &failure));
  CHECK_CONTAINS(failure.message, "`password`");
  CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_set_credentials(auth, "", "canary", &failure));
  CHECK_CONTAINS(failure.message, "`username`");
  CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info_of(auth).activity);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure));
  CHECK_NUMBER(DL_AUTH_ACTIVITY_IDLE, info_of(auth).activity);
  CHECK_NUMBER(0, info_of(auth).retry_in_ms);
  token_of(auth);
  CHECK_NUMBER(2, count("logins"));
  dl_auth_free(auth);
}

static void the_token_is_kept_only_if_the_username_is_unchanged(void) {
  char first[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  strcpy(first, token_of(auth));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, "canary-2", &failure));
  CHECK(strcmp(first, token_of(auth)) == 0);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, gate("GATE_USERNAME"), "canary-3", &failure));
  CHECK(strcmp(first, token_of(auth)) == 0);
  set_gate("{'username':'canary-other','password':'canary-4'}");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, "canary-other", "canary-4", &failure));
  CHECK_NUMBER(DL_AUTH_STATE_EMPTY, info_of(auth).state);
  CHECK_NUMBER(0, dl_auth_generation(auth));
  CHECK(strcmp(first, token_of(auth)) != 0);
  CHECK_NUMBER(2, dl_auth_generation(auth));
  CHECK_NUMBER(0, count("refreshes")); /* the refresh token was the other user's */
  dl_auth_free(auth);
}

static void waiters_of_a_cancelled_refresh_get_the_token_of_the_next_login(void) {
  static struct asker one;
  reset_gate();
  plan("[{'do':'hang','then':{'do':'status','status':401}}]");
  dl_auth_t *auth = open_gate("username", "canary-unknown", NULL);
  one.auth = auth;
  pthread_t thread = start(get_token, &one);
  wait_for("hanging", 1);
  WAIT_UNTIL(info_of(auth).waiting == 1);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, gate("GATE_USERNAME"), gate("GATE_PASSWORD"), &failure));
  join(thread);
  CHECK(strcmp(seen(one.token), token_of(auth)) == 0);
  CHECK_NUMBER(2, count("logins"));
  CHECK_NUMBER(1, info_of(auth).generation);
  dl_auth_free(auth);
}

static void a_ready_token_is_returned_without_a_request(void) {
  char jwt[128], token[DL_AUTH_TOKEN_MAX];
  seen(make_jwt("{\"exp\":4102444800,\"iat\":1700000000}", jwt));
  dl_auth_config_t *config = way_to_the_gate();
  dl_auth_t *auth;
  reset_gate();
  set_option(config, "token", jwt);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure));
  CHECK_NUMBER(1, dl_auth_generation(auth));
  CHECK(strcmp(jwt, token_of(auth)) == 0);
  CHECK_NUMBER(DL_AUTH_STATE_FRESH, info_of(auth).state);
  CHECK_NUMBER(4102444800, info_of(auth).expires_at);
  CHECK_NUMBER(1700000000, info_of(auth).issued_at);
  CHECK_STATUS(DL_AUTH_E_TOO_SHORT, dl_auth_token_within(auth, UINT64_MAX, 0, token, sizeof token, NULL, &failure));
  CHECK_STATUS(DL_AUTH_E_NO_CREDENTIALS, dl_auth_set_credentials(auth, NULL, "canary", &failure));
  CHECK(strcmp(jwt, token_of(auth)) == 0);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, jwt, &failure));
  CHECK_STATUS(DL_AUTH_E_NO_CREDENTIALS, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_CONTAINS(failure.message, "`token`");
  CHECK_NUMBER(0, count("requests"));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, gate("GATE_USERNAME"), gate("GATE_PASSWORD"), &failure));
  CHECK(strcmp(jwt, token_of(auth)) != 0);
  CHECK_NUMBER(1, count("logins"));
  dl_auth_free(auth);
  dl_auth_config_free(config);
}

static void info_reports_the_state_of_a_handle(void) {
  char claims[DL_AUTH_TOKEN_MAX];
  reset_gate();
  set_gate("{'lifetime':3600,'date_offset':86400,'iat_offset':86400}");
  dl_auth_t *auth = open_gate("wait", "599s", NULL);
  dl_auth_info_t info = info_of(auth), nothing = DL_AUTH_INFO_INIT;
  nothing.wait_ms = 599000;
  CHECK(memcmp(&info, &nothing, sizeof info) == 0); /* nothing has happened yet, and dl_auth_info changes nothing */
  CHECK_NUMBER(0, dl_auth_generation(auth));
  CHECK_NUMBER(0, count("connections"));

  plan("{'do':'status','status':500}");
  CHECK_STATUS(DL_AUTH_E_GATE, dl_auth_claims(auth, claims, sizeof claims, NULL, &failure));
  CHECK_RETRY_WITHIN(FIRST_COOLDOWN_MS);
  info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_STATE_EMPTY, info.state);
  CHECK_NUMBER(1, info.failures);
  CHECK_NUMBER(DL_AUTH_E_GATE, info.last_status);
  CHECK_NUMBER(500, info.last_http_status);
  CHECK(info.retry_in_ms >= 0 && info.retry_in_ms <= FIRST_COOLDOWN_MS);
  if (info.retry_in_ms > 0) CHECK_NUMBER(DL_AUTH_ACTIVITY_COOLING, info.activity);

  wait_until_it_may_refresh(auth);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_IDLE, info_of(auth).activity);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_claims(auth, claims, sizeof claims, NULL, &failure));
  seen(token_of(auth));
  info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_STATE_FRESH, info.state);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_IDLE, info.activity);
  CHECK_NUMBER(1, info.generation);
  CHECK_NUMBER(1, dl_auth_generation(auth));
  CHECK_NUMBER(number_in(claims, "iat"), info.issued_at);
  CHECK_NUMBER(number_in(claims, "exp"), info.expires_at);
  CHECK(info.expires_in_ms > 0 && info.expires_in_ms <= 3601000);
  CHECK(info.refresh_in_ms > 0 && info.refresh_in_ms < info.expires_in_ms);
  /* The gate's clock is a day ahead of the machine's, and this program's clock is ahead by the time it has slept. */
  long long ahead_ms = 1000 * (DAY - slept);
  CHECK(info.clock_skew_ms > ahead_ms - 120000 && info.clock_skew_ms < ahead_ms + 120000);
  CHECK_NUMBER(1, info.logins);
  CHECK_NUMBER(0, info.refreshes);
  CHECK_NUMBER(1, info.failures);
  CHECK_NUMBER(0, info.shared_hits);
  CHECK_NUMBER(0, info.store_failures);
  CHECK_NUMBER(0, info.waiting);
  CHECK_NUMBER(DL_AUTH_OK, info.last_status);
  CHECK_NUMBER(0, info.last_http_status);
  CHECK(info.retry_in_ms > 0 && info.retry_in_ms <= LONGEST_MIN_INTERVAL_MS); /* because a login has just succeeded */
  CHECK_NUMBER(0, info.reserved);
  dl_auth_free(auth);
}

int main(void) {
  begin();
  a_poll_is_pending_until_the_token_is_there();
  a_caller_gets_a_timeout_at_its_deadline_and_the_refresh_continues();
  with_a_wait_of_zero_each_call_is_a_poll();
  the_longest_wait_does_not_overflow();
  a_demand_beyond_the_lifetime_is_too_short_and_sends_no_request();
  all_waiters_share_one_request_and_its_token();
  all_waiters_share_a_failure_and_none_of_them_retries();
  many_reports_of_the_same_rejected_token_cause_one_refresh(false);
  many_reports_of_the_same_rejected_token_cause_one_refresh(true);
  a_token_rejected_within_the_minimum_interval_is_kept_until_it_is_over();
  other_credentials_are_used_immediately();
  the_token_is_kept_only_if_the_username_is_unchanged();
  waiters_of_a_cancelled_refresh_get_the_token_of_the_next_login();
  a_ready_token_is_returned_without_a_request();
  info_reports_the_state_of_a_handle();
  return done();
}
