/* The system's name resolver hangs. It has no time limit, so it blocks the one thread of the library that called it. It
 * must not block any other thread: callers return when their own time or the refresh's time is over, a valid token is
 * returned, and a handle can be freed.
 *
 * This program is the resolver: it hangs until a test releases it. No test measures time. */
#include "clock.h" /* this also defines _GNU_SOURCE, for RTLD_NEXT */
#include <dlfcn.h>
#include <netdb.h>

enum { WAITERS = 8, CALLS = 100, LONG_MS = 600000 };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t released;
  bool hangs;
  int asked; /* calls since it began to hang */
  int held;  /* calls that hang at this moment */
} resolver = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0};

/* Replaces the C library's function in this program and the library that it links. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  void *address = dlsym(RTLD_NEXT, "getaddrinfo");
  if (!address) give_up("the C library has no getaddrinfo");
  memcpy(&next, &address, sizeof next); /* ISO C has no cast for it */
  CHECK_TEXT("localhost", name);
  pthread_mutex_lock(&resolver.lock);
  resolver.asked++;
  resolver.held++;
  while (resolver.hangs) pthread_cond_wait(&resolver.released, &resolver.lock);
  resolver.held--;
  pthread_mutex_unlock(&resolver.lock);
  return next(name, service, hints, found);
}

static void let_it_hang(bool hangs) {
  pthread_mutex_lock(&resolver.lock);
  resolver.hangs = hangs;
  if (hangs) resolver.asked = 0;
  pthread_cond_broadcast(&resolver.released);
  pthread_mutex_unlock(&resolver.lock);
}

static int number_of(const int *calls) {
  pthread_mutex_lock(&resolver.lock);
  int number = *calls;
  pthread_mutex_unlock(&resolver.lock);
  return number;
}

/* The resolver still hangs, in the only call so far, and the gate has received no new request. */
static void check_that_it_hangs(long long requests) {
  CHECK_NUMBER(1, number_of(&resolver.held));
  CHECK_NUMBER(1, number_of(&resolver.asked));
  CHECK_NUMBER(requests, count("requests"));
}

/* A thread that asks for a token, and the expected result. */
struct caller {
  const dl_auth_t *auth;
  uint64_t need_ms, wait_ms;
  dl_auth_status_t wanted;
  const char *word; /* in the message */
  char token[DL_AUTH_TOKEN_MAX];
};

static void *call(void *argument) {
  struct caller *caller = argument;
  CHECK_STATUS(caller->wanted, dl_auth_token_within(caller->auth, caller->need_ms, caller->wait_ms, caller->token,
                                                    sizeof caller->token, NULL, &failure));
  if (caller->wanted) CHECK_CONTAINS(failure.message, caller->word);
  if (caller->wanted) CHECK_NUMBER(0, caller->token[0]);
  return NULL;
}

static struct caller callers[WAITERS];
static pthread_t threads[WAITERS];

/* Later callers wait longer. */
static void start_callers(const dl_auth_t *auth, uint64_t first_ms, uint64_t step_ms, dl_auth_status_t wanted,
                          const char *word) {
  for (uint64_t n = 0; n < WAITERS; n++) {
    callers[n] = (struct caller){auth, 0, first_ms + n * step_ms, wanted, word, ""};
    threads[n] = start(call, &callers[n]);
  }
}

static void join_callers(void) {
  for (int n = 0; n < WAITERS; n++) join(threads[n]);
}

static void callers_return_at_their_deadlines_and_a_patient_one_gets_the_token(void) {
  static struct caller patient;
  reset_gate();
  let_it_hang(true);
  dl_auth_t *auth = open_gate(NULL);
  patient = (struct caller){auth, 0, LONG_MS, DL_AUTH_OK, "", ""};
  pthread_t stays = start(call, &patient);
  WAIT_UNTIL(info_of(auth).waiting == 1 && number_of(&resolver.held) == 1);
  start_callers(auth, 100, 50, DL_AUTH_E_TIMEOUT, "wait_ms");
  join_callers();
  call(&callers[WAITERS - 1]);
  check_that_it_hangs(0);
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info.activity);
  CHECK_NUMBER(1, info.waiting);
  CHECK_NUMBER(0, info.failures);

  let_it_hang(false);
  join(stays);
  CHECK(strcmp(seen(patient.token), token_of(auth)) == 0);
  CHECK_NUMBER(1, number_of(&resolver.asked));
  CHECK_NUMBER(1, count("logins"));
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

/* Returns false if the machine was too slow for the limit: the refresh had to reach the resolver within it, and the
 * next refresh had to reach the gate and return. */
static bool check_a_limit_of(int seconds) {
  char limit[16], token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  let_it_hang(true);
  snprintf(limit, sizeof limit, "%ds", seconds);
  dl_auth_t *auth = open_gate("timeout", limit, NULL);
  CHECK_STATUS(DL_AUTH_E_PENDING, dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, &failure));
  WAIT_UNTIL(number_of(&resolver.held) == 1 || info_of(auth).activity != DL_AUTH_ACTIVITY_REFRESHING);
  if (number_of(&resolver.held) == 0) {
    let_it_hang(false);
    dl_auth_free(auth);
    return false;
  }
  start_callers(auth, LONG_MS, 0, DL_AUTH_E_TIMEOUT, "name resolver");
  join_callers();
  for (int n = 0; n < CALLS; n++) call(&callers[0]); /* a later caller does not wait at all */
  callers[0].wait_ms = 0;
  call(&callers[0]); /* a caller that may not wait gets the same error */
  check_that_it_hangs(0);
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info.activity);
  CHECK_NUMBER(0, info.waiting);

  let_it_hang(false);
  WAIT_UNTIL(info_of(auth).activity != DL_AUTH_ACTIVITY_REFRESHING);
  info = info_of(auth);
  CHECK_NUMBER(1, info.failures);
  CHECK_NUMBER(DL_AUTH_E_TIMEOUT, info.last_status);
  CHECK_NUMBER(0, count("requests")); /* no time was left for a request to the gate */
  wait_until_it_may_refresh(auth);
  dl_auth_status_t status = dl_auth_token_within(auth, 0, LONG_MS, token, sizeof token, NULL, NULL);
  if (status == DL_AUTH_OK) {
    seen(token);
    CHECK_NUMBER(1, info_of(auth).logins);
  } else {
    CHECK_NUMBER(DL_AUTH_E_TIMEOUT, status);
  }
  dl_auth_free(auth);
  return status == DL_AUTH_OK;
}

static void after_its_limit_a_refresh_blocks_no_caller_and_no_other_one_starts(void) {
  for (int seconds = 1; !check_a_limit_of(seconds);) seconds *= 2;
}

static void a_due_token_is_returned_immediately(void) {
  static char first[DL_AUTH_TOKEN_MAX];
  static struct caller demanding;
  struct lookout lookout;
  reset_gate();
  dl_auth_t *auth = open_gate("refresh_at", "0.1", NULL);
  strcpy(first, token_of(auth));
  suspend(DAY / 2);
  let_it_hang(true);
  start_lookout(&lookout, auth);
  while (number_of(&resolver.held) == 0) { /* until a call has started the refresh that is due */
    CHECK(strcmp(first, token_of(auth)) == 0);
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  for (int n = 0; n < CALLS; n++) CHECK(strcmp(first, token_of(auth)) == 0);
  CHECK_NUMBER(0, most_waiting(&lookout));
  check_that_it_hangs(1);
  CHECK_NUMBER(DL_AUTH_STATE_DUE, info_of(auth).state);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info_of(auth).activity);

  demanding = (struct caller){auth, DAY * 900ULL, LONG_MS, DL_AUTH_OK, "", ""}; /* more than it has left */
  pthread_t waits = start(call, &demanding);
  WAIT_UNTIL(most_waiting(&lookout) == 1); /* the lookout does see waiting calls */
  CHECK(strcmp(first, token_of(auth)) == 0);
  check_that_it_hangs(1);
  let_it_hang(false);
  join(waits);
  CHECK(strcmp(first, demanding.token) != 0);
  CHECK(strcmp(seen(demanding.token), token_of(auth)) == 0);
  CHECK_NUMBER(2, count("requests"));
  stop_lookout(&lookout);
  dl_auth_free(auth);
}

static void a_handle_can_be_freed_and_its_waiters_return(void) {
  static const char *const ways[] = {"on_demand", "background"};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    subject = ways[i];
    WAIT_UNTIL(other_threads() == 0);
    reset_gate();
    let_it_hang(true);
    dl_auth_t *auth = open_gate("refresh", ways[i], NULL);
    start_callers(auth, LONG_MS, 0, DL_AUTH_E_CLOSED, "freed");
    WAIT_UNTIL(info_of(auth).waiting == WAITERS && number_of(&resolver.held) == 1);
    dl_auth_free(auth);
    join_callers();
    call(&callers[0]);
    check_that_it_hangs(0);
    WAIT_UNTIL(other_threads() == 1); /* the blocked one; others end, or have ended and are still listed */

    let_it_hang(false);
    WAIT_UNTIL(other_threads() == 0);
    CHECK_NUMBER(1, number_of(&resolver.asked));
    CHECK_NUMBER(0, count("requests")); /* no caller needs a token any longer */
    auth = open_gate(NULL);
    token_of(auth);
    CHECK_NUMBER(1, count("logins"));
    CHECK_NUMBER(1, count("requests"));
    dl_auth_free(auth);
  }
  subject = "";
}

int main(void) {
  begin();
  /* The first login of a process sets TLS up, which under valgrind may take longer than a short limit. This also shows
   * that the library calls this program's resolver. */
  dl_auth_t *first_login = open_gate(NULL);
  token_of(first_login);
  CHECK_NUMBER(1, number_of(&resolver.asked));
  callers_return_at_their_deadlines_and_a_patient_one_gets_the_token();
  after_its_limit_a_refresh_blocks_no_caller_and_no_other_one_starts();
  a_due_token_is_returned_immediately();
  a_handle_can_be_freed_and_its_waiters_return();
  dl_auth_free(first_login);
  return done();
}
