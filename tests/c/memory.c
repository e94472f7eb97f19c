/* Memory: what a process uses after its first login, what each additional handle costs, and that a freed handle leaves
 * at most one byte, which stays until the process ends.
 *
 * The counts come from the allocator: the C library's, or the sanitizer's. Valgrind's allocator counts nothing; under
 * valgrind there are few handles, and only its own search for leaks. A program compiled by gcc makes and frees a
 * million handles. Other programs make a tenth of that, because other allocators are slow and keep freed memory. */
#include "gate.h"
#include <malloc.h>

#ifdef SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t allocated(void) { return __sanitizer_get_current_allocated_bytes(); }
#else
static size_t allocated(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
#endif

/* The resident memory of the process, in bytes. */
static long long resident(void) {
  long long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  if (!statm || fscanf(statm, "%*d %lld", &pages) != 1) give_up("cannot read statm");
  fclose(statm);
  return pages * sysconf(_SC_PAGESIZE);
}

static void check_at_most(const char *what, long long most, long long got) {
  if (got > most) complain(__FILE__, __LINE__, "%s: at most %lld bytes, got %lld", what, most, got);
}

/* The limit for a handle without its token and without its slot, which the allocator does not see. */
enum { HANDLE = 4096 - 256 };

static dl_auth_t *open_with(const dl_auth_config_t *config) {
  dl_auth_t *auth;
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("cannot make a handle");
  return auth;
}

/* libcurl with OpenSSL used 12.6 MB after the same login, with the system's root certificates: the limit is 0.45 of
 * that. */
static void the_process_is_small_after_a_login(void) {
  dl_auth_t *auth = open_gate("tls_roots", "auto", NULL);
  token_of(auth);
  if (is_plain()) check_at_most("the process after a login", 5670000, resident());
  dl_auth_free(auth);
}

static void each_handle_that_has_logged_in_costs_little_more_than_its_token(void) {
  enum { HANDLES = 100 };
  dl_auth_t *handles[HANDLES];
  const int number = many(HANDLES);
  set_gate("{'pad_to':900}");
  dl_auth_config_t *config = gate_config();
  dl_auth_t *first = open_with(config);
  token_of(first);
  const size_t before = allocated();
  for (int n = 0; n < number; n++) {
    handles[n] = open_with(config);
    CHECK_NUMBER(900, strlen(token_of(handles[n])));
  }
  WAIT_UNTIL(library_threads() == 0); /* their memory is freed */
  check_at_most("handles that have logged in", number * (HANDLE + 900LL), (long long)(allocated() - before));
  for (int n = 0; n < number; n++) dl_auth_free(handles[n]);
  dl_auth_free(first);
  dl_auth_config_free(config);
}

static void make_and_free(const dl_auth_config_t *config, int pairs) {
  for (int n = 0; n < pairs; n++) dl_auth_free(open_with(config));
}

static void a_million_freed_handles_leave_less_than_four_megabytes(void) {
#if defined(__clang__) || defined(SANITIZED)
  const int pairs = 100000;
#else
  const int pairs = is_plain() ? 1000000 : 1000;
#endif
  dl_auth_config_t *config = dl_auth_config_new();
  set_option(config, "username", "canary");
  set_option(config, "password", "canary");
  make_and_free(config, 500);
  const size_t before = allocated();
  const long long resident_before = resident();
  make_and_free(config, pairs);
  check_at_most("what the freed handles have left", pairs * 4LL, (long long)(allocated() - before));
  if (is_plain()) check_at_most("the growth of the process", 4000000, resident() - resident_before);
  dl_auth_config_free(config);
}

static void each_of_ten_thousand_handles_costs_little(void) {
  enum { HANDLES = 10000 };
  static dl_auth_t *handles[HANDLES];
  const int number = many(many(HANDLES));
  dl_auth_config_t *config = gate_config();
  dl_auth_t *first = open_with(config);
  const size_t before = allocated();
  for (int n = 0, check = 1; n < number; n++) {
    handles[n] = open_with(config);
    if (n + 1 < check) continue;
    check *= 10;
    check_at_most("handles without a token", (n + 1LL) * HANDLE, (long long)(allocated() - before));
  }
  for (int n = 0; n < number; n++) dl_auth_free(handles[n]);
  CHECK_STATUS(DL_AUTH_E_CLOSED, dl_auth_token(handles[0], NULL, 0, NULL, &failure));
  dl_auth_free(first);
  dl_auth_config_free(config);
}

/* The order matters: a handle that reuses the slot of an earlier handle costs less. */
int main(void) {
  begin();
  the_process_is_small_after_a_login();
  each_handle_that_has_logged_in_costs_little_more_than_its_token();
  a_million_freed_handles_leave_less_than_four_megabytes();
  each_of_ten_thousand_handles_costs_little();
  return done();
}
