/* A process of a fleet: makes a handle with the options of the environment, and obeys the lines of its standard input.
 *
 *   token      prints the status of dl_auth_token, the HTTP status, and the token or the message
 *   rounds N   calls dl_auth_token until it has had N tokens; prints OK, or the first failure
 *   invalidate invalidates the last token
 *   password P sets the password of the handle
 *   counts     prints the counts of dl_auth_info: logins, refreshes, shared_hits, store_failures, and store_message
 *   fork N     starts N children while other threads work. Each child prints what `token` prints. The last line is
 *              "end", and the number of children that could not use the store.
 *   sleeper    starts a child that does nothing, until the standard input ends
 *
 * KILLED_AT is a moment at which the process kills itself: "before rename", "after rename" (the record is in a file),
 * "before send" or "after send" (Redis gets the script that publishes it), each with the number of the publication. */
#define _GNU_SOURCE
#include <dl_auth.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char token[DL_AUTH_TOKEN_MAX];

/* Kills the process if this is the moment. */
static void here(const char *when, const char *what) {
  const char *at = getenv("KILLED_AT");
  static int seen; /* in the whole process: each refresh has a separate thread */
  char now[64];
  if (strcmp(when, "before") == 0) __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
  snprintf(now, sizeof now, "%s %s %d", when, what, __atomic_load_n(&seen, __ATOMIC_SEQ_CST));
  if (at && strcmp(at, now) == 0) kill(getpid(), SIGKILL);
}

/* These functions replace the C library's in this program and in the library that it links. */
int rename(const char *from, const char *to) {
  here("before", "rename");
  int result = (int)syscall(SYS_rename, from, to);
  here("after", "rename");
  return result;
}

ssize_t send(int connection, const void *bytes, size_t length, int flags) {
  static const char publishes[] = "KEYS[1],ARGV[2],'PX'";
  int it_is = memmem(bytes, length, publishes, sizeof publishes - 1) != NULL;
  if (it_is) here("before", "send");
  ssize_t sent = sendto(connection, bytes, length, flags, NULL, 0);
  if (it_is) here("after", "send");
  return sent;
}

static void print_token(dl_auth_t *auth) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_status_t status = dl_auth_token(auth, token, sizeof token, NULL, &error);
  printf("%s %u %s\n", dl_auth_status_name(status), error.http_status, status ? error.message : token);
  fflush(stdout);
}

static void go_through_rounds(dl_auth_t *auth, int rounds) {
  char last[DL_AUTH_TOKEN_MAX] = "";
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  for (int had = 0; had < rounds;) {
    if (dl_auth_token(auth, token, sizeof token, NULL, &error)) {
      printf("%s: %s\n", dl_auth_status_name(error.status), error.message);
      fflush(stdout);
      return;
    }
    had += strcmp(last, token) != 0;
    strcpy(last, token);
    usleep(20000);
  }
  printf("OK\n");
  fflush(stdout);
}

static void set_password(dl_auth_t *auth, char *password) {
  password[strcspn(password, "\n")] = 0;
  dl_auth_set_credentials(auth, NULL, password, NULL);
}

static void print_counts(dl_auth_t *auth) {
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  dl_auth_info(auth, &info, NULL);
  printf("%llu %llu %llu %llu %s\n", (unsigned long long)info.logins, (unsigned long long)info.refreshes,
         (unsigned long long)info.shared_hits, (unsigned long long)info.store_failures, info.store_message);
  fflush(stdout);
}

static void start_children(dl_auth_t *auth, int number) {
  for (int n = 0; n < number; n++) {
    pid_t child = fork();
    if (child < 0) exit(2);
    if (child == 0) {
      alarm(600); /* only detects a hang */
      print_token(auth);
      dl_auth_info_t info = DL_AUTH_INFO_INIT;
      dl_auth_info(auth, &info, NULL);
      _exit(info.store_failures > 0);
    }
  }
  int alone = 0;
  for (int n = 0; n < number; n++) {
    int how;
    if (wait(&how) < 0 || !WIFEXITED(how) || WEXITSTATUS(how) > 1) printf("a child failed: %#x\n", (unsigned)how);
    else alone += WEXITSTATUS(how);
  }
  printf("end %d\n", alone);
  fflush(stdout);
}

int main(void) {
  char line[128];
  dl_auth_t *auth;
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dl_auth_new(NULL, &auth, &error)) {
    printf("%s 0 %s\n", dl_auth_status_name(error.status), error.message);
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    int number = 0;
    if (strcmp(line, "token\n") == 0) print_token(auth);
    else if (sscanf(line, "rounds %d", &number) == 1) go_through_rounds(auth, number);
    else if (strcmp(line, "invalidate\n") == 0) dl_auth_invalidate(auth, token, NULL);
    else if (strncmp(line, "password ", 9) == 0) set_password(auth, line + 9);
    else if (strcmp(line, "counts\n") == 0) print_counts(auth);
    else if (sscanf(line, "fork %d", &number) == 1) start_children(auth, number);
    else if (strcmp(line, "begin\n") == 0) dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, NULL);
    else if (strcmp(line, "sleeper\n") == 0 && fork() == 0) {
      prctl(PR_SET_PDEATHSIG, 0);
      close(1);
      close(2);
      struct pollfd input = {.fd = 0};
      poll(&input, 1, -1); /* reads nothing, because the lines are for the parent */
      _exit(0);
    }
  }
  dl_auth_free(auth);
  return 0;
}
