/* Handles: a freed, a made-up and a reused handle are recognised in every call and on every thread. */
#include "gate.h"
#include <sched.h>

/* A slot of the handle table takes this many bytes. It also holds this many handles in its life, one after the
 * other. */
#define SLOT 256

/* Every call on a handle that is not open: each returns the same error and no token. */
static void check_closed(dl_auth_t *auth) {
  char buffer[64] = "old";
  size_t length = 77;
  dl_auth_info_t info = DL_AUTH_INFO_INIT, no_info = DL_AUTH_INFO_INIT;
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token(auth, buffer, sizeof buffer, &length, &failure));
  CHECK_CONTAINS(failure.message, "freed");
  CHECK_NUMBER(0, buffer[0]);
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token(auth, NULL, 0, &length, &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token_within(auth, 0, 0, buffer, sizeof buffer, &length, &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_bearer(auth, buffer, sizeof buffer, &length, &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_claims(auth, buffer, sizeof buffer, &length, &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_info(auth, &info, &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_invalidate(auth, "no token", &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_set_credentials(auth, "canary", "canary", &failure));
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token(auth, buffer, sizeof buffer, NULL, NULL));
  CHECK_NUMBER(0, dl_auth_generation(auth));
  CHECK_NUMBER(77, length);
  CHECK(memcmp(&info, &no_info, sizeof info) == 0);
  dl_auth_free(auth);
}

/* A handle with a ready token: it needs no gate, and its claims hold the number. */
static dl_auth_t *open_ready(int number) {
  char payload[64], jwt[256];
  snprintf(payload, sizeof payload, "{\"exp\":4102444800,\"number\":%d}", number);
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth = NULL;
  set_option(config, "token", seen(make_jwt(payload, jwt)));
  set_option(config, "tls_roots", "bundled");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure));
  dl_auth_config_free(config);
  return auth;
}

static int number_of(const dl_auth_t *auth) {
  char claims[128];
  CHECK_STATUS(DL_AUTH_OK, dl_auth_claims(auth, claims, sizeof claims, NULL, &failure));
  return (int)number_in(claims, "number");
}

static void a_freed_handle_is_closed_and_a_second_free_does_nothing(void) {
  dl_auth_t *auth = open_gate(NULL);
  token_of(auth);
  dl_auth_free(auth);
  check_closed(auth);
  dl_auth_free(auth);
  check_closed(auth);
}

static void a_stale_handle_never_reads_the_token_of_the_next_handle_in_its_slot(void) {
  dl_auth_t *stale = open_ready(1);
  dl_auth_free(stale);
  dl_auth_t *next = open_ready(2);
  CHECK((uintptr_t)stale / SLOT == (uintptr_t)next / SLOT); /* the same slot; otherwise this test shows nothing */
  CHECK(stale != next);
  CHECK_NUMBER(2, number_of(next));
  check_closed(stale); /* this also frees it */
  CHECK_NUMBER(2, number_of(next));
  dl_auth_free(next);
  check_closed(next);
  check_closed(stale);
}

static void no_two_handles_are_ever_equal(void) {
  enum { HANDLES = 3 * SLOT };
  static dl_auth_t *handles[HANDLES];
  for (int n = 0; n < HANDLES; n++) {
    handles[n] = open_ready(n);
    for (int before = 0; before < n; before++)
      if (handles[before] == handles[n]) complain(__FILE__, __LINE__, "handle %d is equal to handle %d", n, before);
    if (n % 3) CHECK_NUMBER(n, number_of(handles[n]));
    if (n % 3) dl_auth_free(handles[n]); /* two of three */
  }
  for (int n = 0; n < HANDLES; n++) {
    if (n % 3 == 0) CHECK_NUMBER(n, number_of(handles[n]));
    dl_auth_free(handles[n]);
    CHECK_NUMBER(0, dl_auth_generation(handles[n]));
  }
  for (int n = 0; n < HANDLES; n += 97) check_closed(handles[n]);
}

static void an_address_that_is_not_a_handle_is_closed(void) {
  dl_auth_t *auth = open_ready(7);
  int local = 0, *heap = malloc(sizeof *heap);
  const uintptr_t made_up[] = {
    1, UINTPTR_MAX, UINTPTR_MAX / 2, (uintptr_t)&local, (uintptr_t)heap, (uintptr_t)&failed_checks,
    (uintptr_t)auth + 1, (uintptr_t)auth - 1, (uintptr_t)auth + SLOT, (uintptr_t)auth - SLOT,
    (uintptr_t)auth + 1000 * SLOT, (uintptr_t)auth ^ (uintptr_t)1 << 40,
  };
  for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) check_closed((dl_auth_t *)made_up[i]);
  CHECK_NUMBER(7, number_of(auth));
  dl_auth_free(auth);
  free(heap);
}

static void freeing_a_configuration_leaves_its_handles(void) {
  dl_auth_config_t *config = gate_config();
  dl_auth_t *first, *second;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &first, &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &second, &failure));
  dl_auth_config_free(config);
  token_of(first);
  dl_auth_free(first);
  token_of(second);
  dl_auth_free(second);
}

/* A thread that waits for a token in one of the four calls that can wait. */
struct waiter { const dl_auth_t *auth; int way; dl_auth_status_t status; };

static void *wait_for_a_token(void *argument) {
  struct waiter *waiter = argument;
  char buffer[DL_AUTH_BEARER_MAX] = "old";
  const dl_auth_t *auth = waiter->auth;
  size_t cap = sizeof buffer;
  switch (waiter->way) {
    case 0: waiter->status = CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token(auth, buffer, cap, NULL, &failure)); break;
    case 1: waiter->status = CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_bearer(auth, buffer, cap, NULL, &failure)); break;
    case 2: waiter->status = CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_claims(auth, buffer, cap, NULL, &failure)); break;
    default:
      waiter->status =
        CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token_within(auth, 1, UINT64_MAX, buffer, cap, NULL, &failure));
  }
  CHECK_CONTAINS(failure.message, "freed");
  CHECK_NUMBER(0, buffer[0]);
  return NULL;
}

static void a_free_wakes_all_sixteen_waiters(void) {
  enum { WAITERS = 16 };
  struct waiter waiters[WAITERS];
  pthread_t threads[WAITERS];
  int closed = 0;
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate(NULL);
  for (int n = 0; n < WAITERS; n++) {
    waiters[n] = (struct waiter){auth, n % 4, DL_AUTH_OK};
    threads[n] = start(wait_for_a_token, &waiters[n]);
  }
  wait_for("hanging", 1);
  WAIT_UNTIL(info_of(auth).waiting == WAITERS);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info_of(auth).activity);
  dl_auth_free(auth);
  for (int n = 0; n < WAITERS; n++) {
    join(threads[n]);
    closed += waiters[n].status == DL_AUTH_E_CLOSED;
  }
  CHECK_NUMBER(WAITERS, closed);
  check_closed(auth);
  WAIT_UNTIL(count("hanging") == 0); /* the request in flight is cancelled while the gate still holds its answer */
  CHECK_NUMBER(1, count("requests"));
  CHECK_NUMBER(0, count("issued"));
}

/* Threads that read the current handle while it is freed and its slot is reused many times. */
enum { READERS = 2, ROUNDS = 300 };

static struct { pthread_mutex_t lock; dl_auth_t *auth; int number; bool over; } present = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *read_the_current_handle(void *unused) {
  for (bool over = false; !over;) {
    pthread_mutex_lock(&present.lock);
    const dl_auth_t *auth = present.auth;
    int number = present.number;
    over = present.over;
    pthread_mutex_unlock(&present.lock);
    sched_yield(); /* valgrind runs one thread at a time; without this, the other threads would not run */
    for (int again = 0; again < 5; again++) {
      char claims[128];
      dl_auth_status_t status = dl_auth_claims(auth, claims, sizeof claims, NULL, NULL);
      if (status == DL_AUTH_OK) CHECK_NUMBER(number, number_in(claims, "number"));
      else CHECK_NUMBER(DL_AUTH_E_CLOSED, status);
    }
  }
  return unused;
}

static void a_handle_is_valid_or_closed_while_its_slot_is_reused(void) {
  pthread_t threads[READERS];
  present.auth = open_ready(0);
  for (int n = 0; n < READERS; n++) threads[n] = start(read_the_current_handle, NULL);
  for (int n = 1; n <= ROUNDS; n++) {
    dl_auth_free(present.auth);
    dl_auth_t *next = open_ready(n);
    pthread_mutex_lock(&present.lock);
    present.auth = next;
    present.number = n;
    present.over = n == ROUNDS;
    pthread_mutex_unlock(&present.lock);
  }
  for (int n = 0; n < READERS; n++) join(threads[n]);
  dl_auth_free(present.auth);
}

static void *free_it(void *auth) {
  dl_auth_free(auth);
  return NULL;
}

static void only_one_of_several_simultaneous_frees_takes_effect(void) {
  for (int round = 0; round < 100; round++) {
    dl_auth_t *auth = open_ready(round);
    pthread_t one = start(free_it, auth), other = start(free_it, auth);
    dl_auth_free(auth);
    join(one);
    join(other);
    /* If two of the frees had taken effect, two handles would now share the slot. */
    dl_auth_t *first = open_ready(1), *second = open_ready(2);
    CHECK((uintptr_t)first / SLOT != (uintptr_t)second / SLOT);
    CHECK_NUMBER(1, number_of(first));
    CHECK_NUMBER(2, number_of(second));
    dl_auth_free(first);
    dl_auth_free(second);
  }
}

int main(void) {
  begin();
  a_freed_handle_is_closed_and_a_second_free_does_nothing();
  a_stale_handle_never_reads_the_token_of_the_next_handle_in_its_slot();
  no_two_handles_are_ever_equal();
  an_address_that_is_not_a_handle_is_closed();
  freeing_a_configuration_leaves_its_handles();
  a_free_wakes_all_sixteen_waiters();
  a_handle_is_valid_or_closed_while_its_slot_is_reused();
  only_one_of_several_simultaneous_frees_takes_effect();
  return done();
}
