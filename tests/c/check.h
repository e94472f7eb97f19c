/* The base of each C test: checks that print the wanted and the actual value, and records of what the library returned.
 *
 * A failed check is printed and counted, and the test continues. `done()` makes the exit code from the count. If a test
 * cannot continue, `give_up` ends the program. Each message of the library goes to the file in CHECK_MESSAGES, each
 * token to the one in CHECK_TOKENS, and each status to the one in CHECK_STATUSES. The driver (tests/c.rs) searches the
 * messages and all output for the tokens, and for the word "canary", which is in each secret that a test makes up. It
 * compares the statuses with the header. */
#ifndef CHECK_H
#define CHECK_H

#include "dl_auth.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* No test measures time. This limit only ends a program that hangs. It is in seconds, and is multiplied by
 * DL_AUTH_TEST_PATIENCE (a whole number, default 1). */
#define HANG_GUARD_SECONDS 3000

static inline unsigned patience(unsigned seconds) {
  const char *factor = getenv("DL_AUTH_TEST_PATIENCE");
  return seconds * (factor && atoi(factor) > 0 ? (unsigned)atoi(factor) : 1);
}

static int failed_checks;
static pthread_mutex_t check_lock = PTHREAD_MUTEX_INITIALIZER;

/* What the test checks at this moment, such as a row of a table. Each failed check prints it. */
static _Thread_local const char *subject = "";

/* The error struct of this thread's calls. Pass its address: CHECK_STATUS prepares and checks it. */
static _Thread_local dl_auth_error_t failure;

static inline void complain(const char *file, int line, const char *format, ...) {
  va_list arguments;
  pthread_mutex_lock(&check_lock);
  failed_checks++;
  fprintf(stderr, "%s:%d: ", file, line);
  if (*subject) fprintf(stderr, "[%s] ", subject);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  pthread_mutex_unlock(&check_lock);
}

static inline _Noreturn void give_up(const char *what) {
  fprintf(stderr, "the test cannot continue: %s%s%s\n", what, *subject ? ", at: " : "", subject);
  exit(2);
}

static inline int done(void) {
  if (failed_checks) fprintf(stderr, "%d checks failed\n", failed_checks);
  return failed_checks ? 1 : 0;
}

/* Appends a line to the file that this variable names. */
static inline void record(const char *variable, const char *line) {
  const char *path = getenv(variable);
  if (!path) give_up("CHECK_MESSAGES and CHECK_TOKENS must name files; tests/c.rs sets them");
  pthread_mutex_lock(&check_lock);
  FILE *file = fopen(path, "a");
  if (!file || fprintf(file, "%s\n", line) < 0 || fclose(file)) give_up("cannot write a record");
  pthread_mutex_unlock(&check_lock);
}

/* Which function has returned which status: one row for each function, one byte for each status. The rows are the file
 * that CHECK_STATUSES names, mapped into memory. So a record needs no descriptor, no lock, no cancellation point, and is
 * safe in threads, signal handlers and child processes. The driver compares the rows with the header. */
struct returned {
  char function[32];
  volatile unsigned char status[128]; /* status[n] is 1 if the function has returned -n */
};

enum { RECORDED_FUNCTIONS = 12 };
static struct returned *returned;

/* Before main, because a program can change its environment and close its descriptors. */
__attribute__((constructor)) static void map_the_record(void) {
  static const char functions[RECORDED_FUNCTIONS][32] = {
    "dl_auth_new", "dl_auth_token", "dl_auth_token_within", "dl_auth_bearer", "dl_auth_claims", "dl_auth_invalidate",
    "dl_auth_set_credentials", "dl_auth_config_set", "dl_auth_config_set_environ", "dl_auth_info", "dl_auth_jwt_claims",
    "dl_auth_jwt_expiry",
  };
  const char *path = getenv("CHECK_STATUSES");
  if (!path) return;
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  size_t size = RECORDED_FUNCTIONS * sizeof *returned;
  if (file < 0 || ftruncate(file, (off_t)size)) give_up("the file in CHECK_STATUSES cannot be made");
  void *rows = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (rows == MAP_FAILED) give_up("the file in CHECK_STATUSES cannot be mapped");
  close(file);
  returned = rows;
  for (int row = 0; row < RECORDED_FUNCTIONS; row++)
    memcpy(returned[row].function, functions[row], sizeof functions[row]);
}

static inline dl_auth_status_t recorded(const char *function, dl_auth_status_t status) {
  if (status > 0 || status <= -128) give_up("a status outside the record");
  for (int row = 0; returned && row < RECORDED_FUNCTIONS; row++)
    if (strcmp(returned[row].function, function) == 0) returned[row].status[-status] = 1;
  return status;
}

/* A macro does not expand its own name, so each of these calls the function. */
#define dl_auth_new(...) recorded("dl_auth_new", dl_auth_new(__VA_ARGS__))
#define dl_auth_token(...) recorded("dl_auth_token", dl_auth_token(__VA_ARGS__))
#define dl_auth_token_within(...) recorded("dl_auth_token_within", dl_auth_token_within(__VA_ARGS__))
#define dl_auth_bearer(...) recorded("dl_auth_bearer", dl_auth_bearer(__VA_ARGS__))
#define dl_auth_claims(...) recorded("dl_auth_claims", dl_auth_claims(__VA_ARGS__))
#define dl_auth_invalidate(...) recorded("dl_auth_invalidate", dl_auth_invalidate(__VA_ARGS__))
#define dl_auth_set_credentials(...) recorded("dl_auth_set_credentials", dl_auth_set_credentials(__VA_ARGS__))
#define dl_auth_config_set(...) recorded("dl_auth_config_set", dl_auth_config_set(__VA_ARGS__))
#define dl_auth_config_set_environ(...) recorded("dl_auth_config_set_environ", dl_auth_config_set_environ(__VA_ARGS__))
#define dl_auth_info(...) recorded("dl_auth_info", dl_auth_info(__VA_ARGS__))
#define dl_auth_jwt_claims(...) recorded("dl_auth_jwt_claims", dl_auth_jwt_claims(__VA_ARGS__))
#define dl_auth_jwt_expiry(...) recorded("dl_auth_jwt_expiry", dl_auth_jwt_expiry(__VA_ARGS__))

/* Length of the text if it is UTF-8, otherwise -1. It accepts overlong forms and surrogates, enough for messages. */
static inline long utf8_length(const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  while (*at) {
    int more = *at < 0x80 ? 0 : *at >> 5 == 6 ? 1 : *at >> 4 == 14 ? 2 : *at >> 3 == 30 ? 3 : -1;
    if (more < 0) return -1;
    for (at++; more; more--, at++)
      if (*at >> 6 != 2) return -1;
  }
  return (long)(at - (const unsigned char *)text);
}

#define CHECK(condition) \
  do { \
    if (!(condition)) complain(__FILE__, __LINE__, "wanted: %s", #condition); \
  } while (0)

#define CHECK_NUMBER(wanted, got) check_number(__FILE__, __LINE__, #got, (long long)(wanted), (long long)(got))
#define CHECK_TEXT(wanted, got) check_text(__FILE__, __LINE__, #got, (wanted), (got))
#define CHECK_CONTAINS(text, word) check_contains(__FILE__, __LINE__, (text), (word))

/* Runs a call and checks its status, and its error struct for all that the header promises. */
#define CHECK_STATUS(wanted, call) (expect_failure(), check_status(__FILE__, __LINE__, #call, (wanted), (call)))

static inline void check_number(const char *file, int line, const char *what, long long wanted, long long got) {
  if (wanted != got) complain(file, line, "%s: wanted %lld, got %lld", what, wanted, got);
}

static inline void check_text(const char *file, int line, const char *what, const char *wanted, const char *got) {
  if (!got || strcmp(wanted, got) != 0)
    complain(file, line, "%s: wanted \"%s\", got \"%s\"", what, wanted, got ? got : "(NULL)");
}

static inline void check_contains(const char *file, int line, const char *text, const char *word) {
  if (!strstr(text, word)) complain(file, line, "wanted \"%s\" in: %s", word, text);
}

/* The error struct before a call: initialised, and with a pattern that shows each write. */
static inline dl_auth_error_t untouched(void) {
  dl_auth_error_t error;
  memset(&error, 0x5a, sizeof error);
  error.size = sizeof error;
  return error;
}

static inline void expect_failure(void) { failure = untouched(); }

static inline bool was_touched(void) {
  dl_auth_error_t before = untouched();
  return memcmp(&before, &failure, sizeof failure) != 0;
}

static inline dl_auth_status_t check_status(const char *file, int line, const char *call, dl_auth_status_t wanted,
                                            dl_auth_status_t got) {
  bool touched = was_touched();
  if (!touched) {
    memset(failure.message, 0, sizeof failure.message); /* `failure` was not passed, or the call succeeded */
  } else if (!memchr(failure.message, 0, sizeof failure.message)) {
    complain(file, line, "%s: the message is not terminated", call);
    memset(failure.message, 0, sizeof failure.message);
  } else {
    record("CHECK_MESSAGES", failure.message);
    if (failure.size != sizeof failure) complain(file, line, "%s: error.size is %u", call, failure.size);
    if (failure.status != got) complain(file, line, "%s: returned %d, error.status is %d", call, got, failure.status);
    if (failure.reserved) complain(file, line, "%s: error.reserved is %u", call, failure.reserved);
    if (utf8_length(failure.message) <= 0 || strpbrk(failure.message, "\r\n"))
      complain(file, line, "%s: the message is not one line of UTF-8: \"%s\"", call, failure.message);
  }
  if (touched && got == DL_AUTH_OK) complain(file, line, "%s: the call succeeded, but wrote to the error struct", call);
  if (got != wanted)
    complain(file, line, "%s: wanted %s, got %s: %s", call, dl_auth_status_name(wanted), dl_auth_status_name(got),
             failure.message);
  return got;
}

/* Records a token that the test has got, so that the driver searches for it. */
static inline const char *seen(const char *token) {
  record("CHECK_TOKENS", token);
  return token;
}

/* Waits for an event of another thread or of the gate, by polling. */
#define WAIT_UNTIL(condition) \
  do { \
    while (!(condition)) nanosleep(&(struct timespec){0, 2000000}, NULL); \
  } while (0)

static inline pthread_t start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, argument)) give_up("cannot create a thread");
  return thread;
}

static inline void join(pthread_t thread) {
  if (pthread_join(thread, NULL)) give_up("cannot join a thread");
}

/* Each test calls it first: it ends a test that hangs. */
static inline void begin(void) { alarm(patience(HANG_GUARD_SECONDS)); }

/* Makes a JWT with this payload and a false signature. `jwt` needs 4/3 of the payload's length and 64 bytes more. */
static inline char *make_jwt(const char *payload, char *jwt) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const char *parts[] = {"{\"alg\":\"none\"}", payload};
  char *to = jwt;
  for (int part = 0; part < 2; part++) {
    const unsigned char *from = (const unsigned char *)parts[part];
    size_t left = strlen(parts[part]);
    for (; left; from += left < 3 ? left : 3, left -= left < 3 ? left : 3) {
      unsigned long bits = (unsigned long)from[0] << 16;
      if (left > 1) bits |= (unsigned long)from[1] << 8;
      if (left > 2) bits |= from[2];
      for (size_t digit = 0; digit < (left < 3 ? left + 1 : 4); digit++) *to++ = digits[bits >> (18 - 6 * digit) & 63];
    }
    *to++ = '.';
  }
  strcpy(to, "c2lnbmF0dXJl");
  return jwt;
}

#endif
