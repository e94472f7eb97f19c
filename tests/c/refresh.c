/* The refresh: what the library sends to replace a token that is due or expired. The program's own clock (clock.h)
 * makes it due. */
#include "clock.h"

/* The first token of the latest handle. */
static char first[DL_AUTH_TOKEN_MAX];

static dl_auth_t *open_with_a_token(const char *key, const char *value) {
  reset_gate();
  dl_auth_t *auth = open_gate("max_attempts", "3", "password", new_password(), key, value, NULL);
  strcpy(first, token_of(auth));
  CHECK_NUMBER(1, count("logins"));
  return auth;
}

/* Lets half of the token's lifetime pass: enough for a low `refresh_at`. */
static void make_it_due(const dl_auth_t *auth) {
  suspend(DAY / 2);
  CHECK_NUMBER(DL_AUTH_STATE_DUE, info_of(auth).state);
}

static void make_it_expire(const dl_auth_t *auth) {
  suspend(2 * DAY);
  CHECK_NUMBER(DL_AUTH_STATE_EXPIRED, info_of(auth).state);
}

/* The gate and the handle agree on the counts. */
static void check_done(const dl_auth_t *auth, int logins, int refreshes) {
  CHECK_NUMBER(logins, count("logins"));
  CHECK_NUMBER(refreshes, count("refreshes"));
  CHECK_NUMBER(0, count("reused_refresh_tokens"));
  CHECK_NUMBER(0, count("bad_requests"));
  CHECK_NUMBER(logins + refreshes, count("requests"));
  CHECK_NUMBER(info_of(auth).generation, info_of(auth).logins + info_of(auth).refreshes);
}

static void an_expired_token_is_replaced_by_the_refresh_grant(void) {
  dl_auth_t *auth = open_with_a_token("refresh_grant", "true");
  make_it_expire(auth);
  CHECK_NUMBER(0, dl_auth_generation(auth));
  CHECK(strcmp(first, token_of(auth)) != 0);
  CHECK_NUMBER(2, dl_auth_generation(auth));
  check_done(auth, 1, 1);
  const char *request = last_request(); /* it has the refresh token and no credentials */
  CHECK_CONTAINS(request, "refresh_token");
  CHECK(!strstr(request, "canary"));
  dl_auth_free(auth);
}

static void a_due_token_is_returned_while_the_refresh_runs(void) {
  dl_auth_t *auth = open_gate("refresh_at", "0.1", NULL);
  reset_gate();
  strcpy(first, token_of(auth));
  make_it_due(auth);
  plan("{'do':'hang','on':'refresh'}");
  CHECK(strcmp(first, token_of(auth)) == 0); /* starts the refresh and does not wait for it */
  wait_for("hanging", 1);
  CHECK(strcmp(first, token_of(auth)) == 0);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info_of(auth).activity);
  CHECK_NUMBER(0, info_of(auth).waiting);
  release_hanging();
  WAIT_UNTIL(info_of(auth).generation == 2);
  CHECK(strcmp(first, token_of(auth)) != 0);
  check_done(auth, 1, 1);
  dl_auth_free(auth);
}

static void a_valid_token_survives_a_failed_refresh(void) {
  static const char *const failures[] = {"{'do':'status','status':401,'times':100}", "{'do':'close','times':100}"};
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    subject = failures[i];
    reset_gate();
    dl_auth_t *auth = open_gate("refresh_at", "0.1", "password", new_password(), NULL);
    strcpy(first, token_of(auth));
    plan(failures[i]);
    make_it_due(auth);
    CHECK(strcmp(first, token_of(auth)) == 0); /* starts the refresh */
    WAIT_UNTIL(info_of(auth).failures == 1);
    CHECK(info_of(auth).last_status < 0);
    CHECK(strcmp(first, token_of(auth)) == 0);
    CHECK_NUMBER(1, info_of(auth).generation);
    dl_auth_free(auth);
  }
  subject = "";
}

static void a_rotated_refresh_token_replaces_the_old_one(void) {
  dl_auth_t *auth = open_with_a_token("refresh_grant", "true");
  set_gate("{'rotate':true}");
  for (int refreshes = 1; refreshes <= 2; refreshes++) {
    make_it_expire(auth);
    token_of(auth);
    check_done(auth, 1, refreshes);
  }
  CHECK_NUMBER(0, count("refused_refreshes"));
  dl_auth_free(auth);
}

static void a_refused_refresh_token_leads_to_a_login_within_the_call(void) {
  dl_auth_t *auth = open_with_a_token("max_attempts", "1");
  plan("{'do':'status','status':401,'on':'refresh'}");
  make_it_expire(auth);
  token_of(auth);
  check_done(auth, 2, 1);
  CHECK_NUMBER(0, info_of(auth).failures);
  dl_auth_free(auth);
}

/* The connection broke after the gate had rotated the refresh token: the new one is lost, and the old one may be used
 * up. */
static void a_lost_answer_to_a_refresh_leads_to_a_login(void) {
  dl_auth_t *auth = open_with_a_token("max_attempts", "3");
  set_gate("{'rotate':true}");
  plan("{'do':'reset','after':100,'on':'refresh'}");
  make_it_expire(auth);
  token_of(auth);
  check_done(auth, 2, 1);
  dl_auth_free(auth);
}

static void without_the_refresh_grant_each_refresh_is_a_login(void) {
  dl_auth_t *auth = open_with_a_token("refresh_grant", "false");
  make_it_expire(auth);
  token_of(auth);
  check_done(auth, 2, 0);
  dl_auth_free(auth);
}

/* A gate that refuses the refresh and also the login. */
static void an_expired_token_is_never_returned(void) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = open_with_a_token("max_attempts", "1");
  plan("{'do':'status','status':401,'times':100}");
  make_it_expire(auth);
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_NUMBER(0, token[0]);
  CHECK_NUMBER(401, failure.http_status);
  CHECK_RETRY_WITHIN(FIRST_REFUSAL_MS);
  CHECK_NUMBER(0, dl_auth_generation(auth));
  CHECK(info_of(auth).expires_in_ms <= 0);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info_of(auth).activity);
  CHECK_NUMBER(1, info_of(auth).generation);
  dl_auth_free(auth);
}

/* The refresh token and the handle's own token are as secret as the password. */
static void secrets_that_the_gate_repeats_in_a_refresh_are_redacted(void) {
  char behaviour[DL_AUTH_TOKEN_MAX + 256], token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  plan("{'do':'ok','refresh_token':'canary-refresh-token'}");
  dl_auth_t *auth = open_gate("max_attempts", "1", NULL);
  strcpy(first, token_of(auth));
  snprintf(behaviour, sizeof behaviour, "{'do':'status','status':500,'on':'refresh','body':'{\\'message\\':\\'%s and %s.\\'}'}",
           "canary-refresh-token", first);
  plan(behaviour);
  make_it_expire(auth);
  CHECK_STATUS(DL_AUTH_E_GATE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_RETRY_WITHIN(FIRST_COOLDOWN_MS);
  CHECK_CONTAINS(failure.message, " and ");
  CHECK(!strstr(failure.message, "canary") && !strstr(failure.message, "eyJ"));
  dl_auth_free(auth);
}

int main(void) {
  begin();
  an_expired_token_is_replaced_by_the_refresh_grant();
  a_due_token_is_returned_while_the_refresh_runs();
  a_valid_token_survives_a_failed_refresh();
  a_rotated_refresh_token_replaces_the_old_one();
  a_refused_refresh_token_leads_to_a_login_within_the_call();
  a_lost_answer_to_a_refresh_leads_to_a_login();
  without_the_refresh_grant_each_refresh_is_a_login();
  an_expired_token_is_never_returned();
  secrets_that_the_gate_repeats_in_a_refresh_are_redacted();
  return done();
}
