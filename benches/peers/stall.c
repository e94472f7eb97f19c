/* A loop of 1 kHz that reads the token in each cycle, and the time of the reads.
 *
 * stall ours SECONDS             DL_AUTH_* have the credentials and the URL
 * stall handwritten SECONDS MS   the token expires after a quarter of the time, and the next login takes MS
 *
 * Prints "MEDIAN P99.9 LONGEST" in nanoseconds, the number of refreshes that started and ended within the loop, and the
 * number of cycles that were missed because a read took longer than a cycle. */
#include "bench.h"
#include "dl_auth.h"
#include "handwritten.h"

#define PERIOD_NS 1000000L
#define SECOND_NS 1000000000L

static dl_auth_t *auth;
static struct holder holder = {.lock = PTHREAD_MUTEX_INITIALIZER};
static long login_ms, logins;

static void read_ours(void) {
  static char buf[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  if (dl_auth_token_within(auth, 0, 0, buf, sizeof buf, NULL, &error)) give_up("dl_auth_token_within", error.message);
}

static void read_handwritten(void) {
  char *token = holder_token(&holder);
  if (!token) give_up("handwritten", "no token");
  free(token);
}

/* Replaces a login: it takes as long as a slow gate. */
static void sleep_as_a_login(struct holder *self) {
  nanosleep(&(struct timespec){login_ms / 1000, login_ms % 1000 * 1000000}, NULL);
  self->expires.tv_sec += 24 * 3600;
  logins++;
}

static long refreshes(void) {
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  if (!auth) return logins;
  if (dl_auth_info(auth, &info, NULL)) give_up("dl_auth_info", "failed");
  return (long)info.refreshes;
}

static int by_value(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc < 3) give_up("usage", "stall ours|handwritten SECONDS [MS]");
  long cycles = (long)(atof(argv[2]) * 1000);
  int64_t *took = calloc((size_t)cycles, sizeof *took);
  struct timespec next;
  void (*read_token)(void) = read_handwritten;
  if (!took || cycles < 1) give_up("SECONDS", "too few or too many");
  for (long i = 0; i < cycles; i++) took[i] = -1; /* so that the pages are mapped */

  if (strcmp(argv[1], "ours") == 0) {
    static char first[DL_AUTH_TOKEN_MAX];
    dl_auth_error_t error = DL_AUTH_ERROR_INIT;
    if (dl_auth_new(NULL, &auth, &error) || dl_auth_token(auth, first, sizeof first, NULL, &error))
      give_up("login", error.message);
    read_token = read_ours;
  } else {
    static char token[901];
    memset(token, 'x', sizeof token - 1);
    login_ms = argc > 3 ? atol(argv[3]) : 0;
    clock_gettime(CLOCK_MONOTONIC, &holder.expires);
    holder.expires.tv_sec += cycles / 4 / 1000;
    holder.expires.tv_nsec += cycles / 4 % 1000 * PERIOD_NS;
    if (holder.expires.tv_nsec >= SECOND_NS) holder.expires.tv_sec++, holder.expires.tv_nsec -= SECOND_NS;
    holder.token = token;
    holder.login = sleep_as_a_login;
  }

  read_token(); /* warms up the thread */
  long before = refreshes();
  clock_gettime(CLOCK_MONOTONIC, &next);
  long ran = 0;
  for (long cycle = 0; cycle < cycles; cycle++) {
    if ((next.tv_nsec += PERIOD_NS) >= SECOND_NS) next.tv_sec++, next.tv_nsec -= SECOND_NS;
    int64_t due = (int64_t)next.tv_sec * SECOND_NS + next.tv_nsec;
    if (due + PERIOD_NS < nanoseconds(CLOCK_MONOTONIC)) continue; /* its time is over: the cycle is missed */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL)) {} /* a signal */
    int64_t began = nanoseconds(CLOCK_MONOTONIC);
    read_token();
    took[ran++] = nanoseconds(CLOCK_MONOTONIC) - began;
  }
  long within = refreshes() - before;
  qsort(took, (size_t)ran, sizeof *took, by_value);
  printf("%lld %lld %lld %ld %ld\n", (long long)took[ran / 2], (long long)took[ran - 1 - ran / 1000],
         (long long)took[ran - 1], within, cycles - ran);
  free(took);
  dl_auth_free(auth);
  return 0;
}
