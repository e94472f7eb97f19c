/* A machine that sleeps, and a machine whose clock is changed: this program supplies its own clock. */
#include "clock.h"

enum { YEARS = 10 * 366 * DAY };

/* A handle whose token has this lifetime in seconds; the token's text is in `token`. */
static dl_auth_t *with_token(int life, char *token, const char *key, const char *value) {
  char settings[64];
  reset_gate();
  snprintf(settings, sizeof settings, "{'lifetime':%d}", life);
  set_gate(settings);
  dl_auth_t *auth = open_gate(key, value, NULL);
  strcpy(token, token_of(auth));
  CHECK_NUMBER(DL_AUTH_STATE_FRESH, info_of(auth).state);
  return auth;
}

static void a_token_that_expired_during_a_suspend_is_never_returned(void) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = with_token(HOUR, token, NULL, NULL);
  suspend(8 * HOUR);
  CHECK_NUMBER(DL_AUTH_STATE_EXPIRED, info_of(auth).state);
  CHECK_NUMBER(0, dl_auth_generation(auth));
  plan("{'do':'status','status':503}");
  CHECK_STATUS(DL_AUTH_E_GATE, dl_auth_token(auth, NULL, 0, NULL, &failure)); /* the gate issues no new token */
  wait_until_it_may_refresh(auth);
  CHECK(strcmp(token, token_of(auth)) != 0);
  CHECK_NUMBER(2, count("issued"));
  dl_auth_free(auth);
}

static void a_suspend_makes_a_token_due_but_not_early(void) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = with_token(4 * DAY, token, NULL, NULL);
  suspend(2 * DAY);
  CHECK_NUMBER(DL_AUTH_STATE_FRESH, info_of(auth).state);
  CHECK_TEXT(token, token_of(auth));
  CHECK_NUMBER(1, count("requests"));
  suspend(2 * DAY - 2 * HOUR);
  CHECK_NUMBER(DL_AUTH_STATE_DUE, info_of(auth).state);
  CHECK_TEXT(token, token_of(auth)); /* returned immediately; the refresh runs in the background */
  WAIT_UNTIL(info_of(auth).generation == 2);
  CHECK_NUMBER(2, count("issued"));
  dl_auth_free(auth);
}

static void a_background_handle_refreshes_after_a_suspend(void) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = with_token(HOUR, token, "refresh", "background");
  suspend(8 * HOUR);
  WAIT_UNTIL(info_of(auth).generation == 2); /* without a call */
  CHECK_NUMBER(2, count("issued"));
  dl_auth_free(auth);
}

static void a_clock_jump_makes_a_token_due_and_a_jump_past_its_end_expires_it(void) {
  static const struct { const char *name; long long jump; int state; } jumps[] = {
      {"half an hour ahead", HOUR / 2, DL_AUTH_STATE_DUE}, {"an hour back", -HOUR, DL_AUTH_STATE_DUE},
      {"ten years back", -YEARS, DL_AUTH_STATE_DUE},       {"ten years ahead", YEARS, DL_AUTH_STATE_EXPIRED},
      {"two seconds", 2, DL_AUTH_STATE_FRESH},
  };
  for (size_t n = 0; n < sizeof jumps / sizeof *jumps; n++) {
    char token[DL_AUTH_TOKEN_MAX];
    subject = jumps[n].name;
    dl_auth_t *auth = with_token(DAY, token, NULL, NULL);
    suspend(2 * LONGEST_MIN_INTERVAL_MS / 1000); /* so that another refresh may start */
    set_the_clock(jumps[n].jump);
    CHECK_NUMBER(jumps[n].state, info_of(auth).state);
    bool same = strcmp(token, token_of(auth)) == 0;
    CHECK(same == (jumps[n].state != DL_AUTH_STATE_EXPIRED));
    if (jumps[n].state != DL_AUTH_STATE_FRESH) WAIT_UNTIL(info_of(auth).generation == 2);
    CHECK_NUMBER(DL_AUTH_STATE_FRESH, info_of(auth).state);
    CHECK_NUMBER(jumps[n].state == DL_AUTH_STATE_FRESH ? 1 : 2, count("issued"));
    dl_auth_free(auth);
    set_the_clock(-jumps[n].jump);
  }
  subject = "";
}

int main(void) {
  begin();
  a_token_that_expired_during_a_suspend_is_never_returned();
  a_suspend_makes_a_token_due_but_not_early();
  a_background_handle_refreshes_after_a_suspend();
  a_clock_jump_makes_a_token_due_and_a_jump_past_its_end_expires_it();
  return done();
}
