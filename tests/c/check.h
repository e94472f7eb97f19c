/* The base of every C test: checks that print the expected and the actual value, and a record of every text that the
 * library returns.
 *
 * A failed check is printed and counted, and the test continues; `done()` returns the exit code. `give_up` ends the
 * program if the test cannot continue. Each message of the library is appended to the file in CHECK_MESSAGES, and each
 * token to the file in CHECK_TOKENS. The driver (tests/c.rs) searches the messages and all output for the tokens and
 * for the word "canary", which is part of each secret that a test makes up. */
#ifndef CHECK_H
#define CHECK_H

#include "dl_auth.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* What the test checks at this moment, for example a table row. Each failed check prints it. */
static _Thread_local const char *subject = "";

/* The error struct for the calls of this thread: pass its address. CHECK_STATUS prepares and checks it. */
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

/* Length of the text if it is UTF-8, otherwise -1. It accepts overlong forms and surrogates; this is enough for
 * messages. */
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

/* Runs a call, checks its status, and checks everything that the header promises about the error struct. */
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

/* The error struct before a call: initialised, and filled so that any write is detected. */
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

/* Records a token that the test has seen, so that the driver treats it as a secret. */
static inline const char *seen(const char *token) {
  record("CHECK_TOKENS", token);
  return token;
}

/* Polls until another thread or the gate makes the condition true. */
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

/* The first call of each test: it ends a test that hangs. */
static inline void begin(void) { alarm(patience(HANG_GUARD_SECONDS)); }

/* Makes a JWT with this payload and a made-up signature. `jwt` needs 4/3 of the payload's length plus 64 bytes. */
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
