/* Handles across fork: `fork CASE [FORKS] [without-hook]`.
 *
 * A child has its parent's memory, with every lock in its state at the fork, and without the threads that would release
 * the locks. The cases fork out of a crowd of threads, thousands of times, or at a moment that the test holds still.
 * With `without-hook`, the library does not notice a fork (feature `test-panic`): the same program must then hang, and
 * reports this by the exit code HUNG.
 *
 * A child of the crowd uses no checks of check.h, because they take a lock that another thread may hold at the fork. */
#include "../c/gate.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define HUNG 3

static bool without_hook, hung;

/* No header has it, because no released library has it. */
void dl_auth_test_without_fork_hook(void) __attribute__((weak));

static pid_t forked(void) {
  pid_t child = fork();
  if (child < 0) give_up("cannot create a child process");
  if (child == 0) alarm(patience(without_hook ? 5 : 600)); /* ends a child that hangs */
  return child;
}

/* Checks how a child ended: by itself, and without a failure. */
static void ended(pid_t child, int how) {
  if (without_hook && WIFSIGNALED(how) && WTERMSIG(how) == SIGALRM) hung = true;
  else if (WIFSIGNALED(how)) complain(__FILE__, __LINE__, "child %d: signal %d", (int)child, WTERMSIG(how));
  else if (WEXITSTATUS(how)) complain(__FILE__, __LINE__, "child %d: exit code %d", (int)child, WEXITSTATUS(how));
}

static void reap(pid_t child) {
  int how;
  while (waitpid(child, &how, 0) != child)
    if (errno != EINTR) give_up("cannot wait for a child process");
  ended(child, how);
}

/* With `refresh_at=0.1`, a token is due after one or two seconds, but is valid long enough on a slow machine. */
#define SHORT "{'rotate':true,'lifetime':15}"

static void *ask(void *auth) {
  token_of(auth);
  return NULL;
}

/* ---- the crowd ---- */

#define ASKERS 16
#define CHILDREN_AT_A_TIME 8

static dl_auth_t *hot;  /* has a token that is soon due; its refresh takes long */
static dl_auth_t *cold; /* never has a token; the parent only calls dl_auth_info on it */
static atomic_bool over;

static void pause_a_little(long ns) { nanosleep(&(struct timespec){0, ns}, NULL); }

static void *contend(void *number) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  dl_auth_status_t status = DL_AUTH_OK;
  for (unsigned turn = (unsigned)(size_t)number; !status && !atomic_load(&over); turn++) {
    switch (turn % 4) {
      case 0: status = CHECK_STATUS(DL_AUTH_OK, dl_auth_token(hot, token, sizeof token, NULL, &failure)); break;
      case 1: status = CHECK_STATUS(DL_AUTH_OK, dl_auth_info(hot, &info, &failure)); break;
      case 2: status = CHECK_STATUS(DL_AUTH_OK, dl_auth_info(cold, &info, &failure)); break;
      case 3: dl_auth_generation(hot); break;
    }
    if (turn % 1024 == 0) pause_a_little(100000); /* the children need the processor too */
  }
  return NULL;
}

/* Makes and frees two handles: one that would log in, and a background handle with a ready token, which sends no
 * request. */
static void *make_and_free_handles(void *unused) {
  char ready[256];
  make_jwt("{\"exp\":4102444800}", ready);
  while (!atomic_load(&over)) {
    dl_auth_t *auth = open_gate(NULL), *timed;
    dl_auth_config_t *config = way_to_the_gate();
    set_option(config, "token", ready);
    set_option(config, "refresh", "background");
    if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &timed, &failure))) give_up("cannot make a handle");
    dl_auth_config_free(config);
    dl_auth_free(auth);
    dl_auth_free(timed);
    pause_a_little(200000);
  }
  return unused;
}

/* In a child: the condition must be true. */
#define MUST(condition) \
  do { \
    if (!(condition)) { \
      dprintf(2, "child %d, line %d: %s\n", (int)getpid(), __LINE__, #condition); \
      _exit(1); \
    } \
  } while (0)
#define MUST_BE(wanted, call) must_be(__LINE__, #call, (wanted), (call))

static void must_be(int line, const char *call, dl_auth_status_t wanted, dl_auth_status_t got) {
  if (wanted == got) return;
  dprintf(2, "child %d, line %d: %s: %s: %s\n", (int)getpid(), line, call, dl_auth_status_name(got), failure.message);
  _exit(1);
}

struct taken {
  dl_auth_t *auth;
  char token[DL_AUTH_TOKEN_MAX];
};

static void *take(void *argument) {
  struct taken *taken = argument;
  expect_failure();
  MUST_BE(DL_AUTH_OK, dl_auth_token(taken->auth, taken->token, sizeof taken->token, NULL, &failure));
  return NULL;
}

static void look(dl_auth_t *auth, dl_auth_info_t *info) {
  *info = (dl_auth_info_t)DL_AUTH_INFO_INIT;
  MUST_BE(DL_AUTH_OK, dl_auth_info(auth, info, &failure));
}

static _Noreturn void run_as_a_child(bool platform_refuses) {
  static struct taken of_hot, next_of_hot, of_cold[2];
  dl_auth_info_t info;
  expect_failure();

  of_hot.auth = hot;
  take(&of_hot);
  MUST(strncmp(of_hot.token, "eyJ", 3) == 0);
  look(hot, &info);
  MUST(info.generation > 0 && info.failures == 0);
  if (platform_refuses) { /* then the inherited token is not valid, and the child needs a new one */
    MUST_BE(DL_AUTH_OK, dl_auth_invalidate(hot, of_hot.token, &failure));
    WAIT_UNTIL((next_of_hot.auth = hot, take(&next_of_hot), strcmp(of_hot.token, next_of_hot.token) != 0));
  }

  pthread_t threads[2];
  for (int n = 0; n < 2; n++) {
    of_cold[n].auth = cold;
    MUST(pthread_create(&threads[n], NULL, take, &of_cold[n]) == 0);
  }
  for (int n = 0; n < 2; n++) MUST(pthread_join(threads[n], NULL) == 0);
  look(cold, &info);
  MUST(info.logins == 1 && info.failures == 0);
  MUST(info.generation > 1 || strcmp(of_cold[0].token, of_cold[1].token) == 0);
  MUST(strcmp(of_cold[0].token, of_hot.token) != 0);

  dl_auth_config_t *config = dl_auth_config_new();
  MUST(config);
  const char *const options[][2] = {{"url", gate("GATE_URL")}, {"ca_file", gate("GATE_CA_FILE")},
                                    {"tls_roots", "ca_file_only"}, {"proxy", "none"},
                                    {"username", gate("GATE_USERNAME")}, {"password", gate("GATE_PASSWORD")}};
  for (size_t n = 0; n < sizeof options / sizeof *options; n++)
    MUST_BE(DL_AUTH_OK, dl_auth_config_set(config, options[n][0], options[n][1], &failure));
  dl_auth_t *own;
  MUST_BE(DL_AUTH_OK, dl_auth_new(config, &own, &failure));
  dl_auth_config_free(config);
  look(own, &info);
  MUST(info.generation == 0 && own != hot && own != cold);
  dl_auth_free(own);
  MUST_BE(DL_AUTH_E_CLOSED, dl_auth_token(own, NULL, 0, NULL, &failure));

  dl_auth_t *const inherited[] = {hot, cold};
  for (int n = 0; n < 2; n++) {
    dl_auth_free(inherited[n]);
    MUST_BE(DL_AUTH_E_CLOSED, dl_auth_token(inherited[n], NULL, 0, NULL, &failure));
  }
  _exit(0);
}

static void fork_in_a_crowd(int forks) {
  pthread_t askers[ASKERS], maker;
  reset_gate();
  set_gate(SHORT);
  /* A refresh of `hot` takes a third of a second, so that many forks happen during one. */
  plan("{'do':'slow','on':'refresh','bytes':100,'delay_ms':25,'times':1000000}");
  hot = open_gate("refresh_at", "0.1", NULL);
  cold = open_gate(NULL);
  token_of(hot);
  for (size_t n = 0; n < ASKERS; n++) askers[n] = start(contend, (void *)n);
  maker = start(make_and_free_handles, NULL);

  int made = 0, alive = 0;
  while (alive || (made < forks && !failed_checks && !hung)) {
    if (made < forks && !failed_checks && !hung && alive < CHILDREN_AT_A_TIME) {
      if (forked() == 0) run_as_a_child(made % 50 == 0);
      made++, alive++;
    } else {
      int how;
      pid_t child = wait(&how);
      if (child < 0) give_up("cannot wait for a child process");
      ended(child, how);
      alive--;
    }
  }
  if (hung) return;
  /* The crowd continues. */
  dl_auth_info_t info = info_of(hot);
  WAIT_UNTIL(info_of(hot).refreshes > info.refreshes);
  atomic_store(&over, true);
  for (int n = 0; n < ASKERS; n++) join(askers[n]);
  join(maker);

  CHECK_NUMBER(forks, made);
  info = info_of(hot);
  CHECK_NUMBER(0, info.failures);
  CHECK_NUMBER(1, info.logins);
  CHECK(info.refreshes > 0);
  info = info_of(cold);
  CHECK_NUMBER(0, info.logins + info.refreshes + info.failures);
  CHECK(count("logins") > forks); /* each child logs in by itself */
  CHECK_NUMBER(0, count("reused_refresh_tokens"));
  CHECK_NUMBER(0, count("refused_refreshes"));
  CHECK_NUMBER(0, count("refused"));
  CHECK_NUMBER(0, count("bad_requests"));
  dl_auth_free(hot);
  dl_auth_free(cold);
}

/* ---- threads that make and free handles ---- */

#define MAKERS 21
#define CHILD_MAKERS 8
#define CHILD_ROUNDS 300

/* The time limit of a child. A child that runs longer hangs, and the parent kills it. */
#ifndef CHILD_SECONDS
#define CHILD_SECONDS 600
#endif

static char small_token[256], large_token[6000]; /* ready tokens: no network is needed */
static dl_auth_config_t *small, *large, *login;
static pthread_barrier_t all_there;

static dl_auth_config_t *config_with(const char *key, const char *value) {
  dl_auth_config_t *config = dl_auth_config_new();
  if (!config) give_up("cannot make a configuration");
  set_option(config, "url", gate("GATE_URL"));
  set_option(config, "tls_roots", "bundled"); /* no file is read: the threads spend their time on handles */
  set_option(config, "proxy", "none");
  set_option(config, key, value);
  return config;
}

/* Makes a handle, reads its token and frees it. Returns the line of the call that failed, or 0. */
static int make_read_and_free(const dl_auth_config_t *config, const char *wanted) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth;
  if (dl_auth_new(config, &auth, NULL)) return __LINE__;
  if (wanted && dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, NULL)) return __LINE__;
  if (wanted && strcmp(token, wanted) != 0) return __LINE__;
  dl_auth_free(auth);
  return dl_auth_generation(auth) ? __LINE__ : 0;
}

/* Frees many handles with large tokens, which leaves large free blocks in the allocator. A thread that then makes a
 * handle with a small token searches these blocks for a small one, and holds a lock for a long time meanwhile. */
static int leave_large_free_blocks(void) {
  enum { HANDLES = 1500 };
  dl_auth_t *handles[HANDLES];
  for (int n = 0; n < HANDLES; n++)
    if (dl_auth_new(large, &handles[n], NULL)) return __LINE__;
  for (int n = 0; n < HANDLES; n++) dl_auth_free(handles[n]);
  return 0;
}

/* In the parent: makes handles until the test is over. */
static void *make_handles(void *number) {
  int line = 0;
  setpriority(PRIO_PROCESS, 0, 19); /* only this thread: the children get the processor, and end soon */
  for (size_t turn = (size_t)number; !line && !atomic_load(&over); turn++)
    line = turn % 8 ? make_read_and_free(small, small_token) : make_read_and_free(login, NULL);
  if (line) complain(__FILE__, line, "a thread of the parent");
  return NULL;
}

/* In a child: makes handles in some rounds, and reads the parent's handle. Returns the line that failed, or 0. */
static void *make_handles_in_a_child(void *number) {
  char token[DL_AUTH_TOKEN_MAX];
  int line = 0;
  pthread_barrier_wait(&all_there);
  for (size_t round = 0; !line && round < CHILD_ROUNDS; round++) {
    line = make_read_and_free(small, small_token);
    if (!line && round % 8 == (size_t)number) line = make_read_and_free(login, NULL);
    if (!line && dl_auth_token(hot, token, sizeof token, NULL, NULL)) line = __LINE__;
    if (!line && strcmp(token, small_token) != 0) line = __LINE__;
  }
  return (void *)(size_t)line;
}

static _Noreturn void make_handles_as_a_child(void) {
  pthread_t threads[CHILD_MAKERS];
  MUST(leave_large_free_blocks() == 0);
  /* When a thread of the child ends, the C library unmaps the stacks of the parent's threads. */
  MUST(pthread_barrier_init(&all_there, NULL, 1) == 0);
  MUST(pthread_create(&threads[0], NULL, make_handles_in_a_child, NULL) == 0);
  MUST(pthread_join(threads[0], NULL) == 0);
  MUST(pthread_barrier_init(&all_there, NULL, CHILD_MAKERS) == 0);
  for (size_t n = 0; n < CHILD_MAKERS; n++)
    MUST(pthread_create(&threads[n], NULL, make_handles_in_a_child, (void *)n) == 0);
  for (size_t n = 0; n < CHILD_MAKERS; n++) {
    void *line;
    MUST(pthread_join(threads[n], &line) == 0);
    if (line) dprintf(2, "child %d, line %d\n", (int)getpid(), (int)(size_t)line);
    MUST(!line);
  }
  _exit(0);
}

/* Waits until a child ends. Kills it if it hangs. */
static bool hangs(pid_t child, int *how) {
  time_t limit = time(NULL) + (time_t)patience(CHILD_SECONDS);
  pid_t ended;
  while ((ended = waitpid(child, how, WNOHANG)) == 0 && time(NULL) < limit) pause_a_little(1000000);
  if (ended == child) return false;
  kill(child, SIGKILL);
  if (waitpid(child, how, 0) != child) give_up("cannot wait for a child process");
  return true;
}

static void fork_while_threads_make_and_free_handles(int forks) {
  pthread_t makers[MAKERS];
  char payload[4000] = "{\"exp\":4102444800,\"fill\":\"";
  int made = 0, crashed = 0, stuck = 0, wrong = 0;
  make_jwt("{\"exp\":4102444800}", small_token);
  memset(payload + strlen(payload), 'x', sizeof payload - 1 - strlen(payload));
  memcpy(payload + sizeof payload - 3, "\"}", 3);
  make_jwt(payload, large_token);
  small = config_with("token", small_token);
  large = config_with("token", large_token);
  login = config_with("username", gate("GATE_USERNAME"));
  set_option(login, "password", gate("GATE_PASSWORD"));
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(small, &hot, &failure))) give_up("cannot make a handle");
  CHECK_NUMBER(0, leave_large_free_blocks());
  for (size_t n = 0; n < MAKERS; n++) makers[n] = start(make_handles, (void *)n);

  for (; made < forks && !stuck && !failed_checks; made++) {
    int how;
    pause_a_little(5000000); /* the threads meet at locks */
    pid_t child = fork();
    if (child < 0) give_up("cannot create a child process");
    if (child == 0) make_handles_as_a_child();
    if (hangs(child, &how)) stuck++;
    else if (WIFSIGNALED(how)) crashed++;
    else if (WEXITSTATUS(how)) wrong++;
  }
  atomic_store(&over, true);
  for (int n = 0; n < MAKERS; n++) join(makers[n]);
  if (crashed + stuck + wrong)
    complain(__FILE__, __LINE__, "of %d children, %d crashed, %d hung, %d failed", made, crashed, stuck, wrong);
  dl_auth_free(hot);
  dl_auth_config_free(small);
  dl_auth_config_free(large);
  dl_auth_config_free(login);
}

/* ---- moments that the test holds still ---- */

/* The parent's login hangs at the gate. The child logs in by itself, and its own child logs in with a handle that it
 * uses first. */
static void fork_while_a_refresh_is_in_flight(void) {
  int pipe_ends[2];
  char byte = 0;
  reset_gate();
  plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate(NULL), *second = open_gate(NULL);
  pthread_t asker = start(ask, auth);
  wait_for("hanging", 1);
  WAIT_UNTIL(info_of(auth).waiting == 1);
  if (pipe(pipe_ends)) give_up("cannot make a pipe");
  pid_t child = forked();
  if (child == 0) {
    if (write(pipe_ends[1], &byte, 1) != 1) give_up("cannot write to the pipe");
    token_of(auth);
    dl_auth_info_t info = info_of(auth);
    CHECK_NUMBER(1, info.logins);
    CHECK_NUMBER(1, info.generation);
    CHECK_NUMBER(0, info.failures + info.refreshes + info.waiting);
    CHECK_NUMBER(2, count("logins"));
    pid_t grandchild = forked();
    if (grandchild == 0) {
      token_of(auth);
      CHECK_NUMBER(2, count("logins")); /* it reads the inherited token */
      token_of(second);
      CHECK_NUMBER(3, count("logins"));
      dl_auth_free(auth);
      _exit(done());
    }
    reap(grandchild);
    token_of(auth);
    CHECK_NUMBER(3, count("logins"));
    dl_auth_free(auth);
    CHECK_NUMBER(1, count("hanging")); /* the parent's connection is still open */
    _exit(done());
  }
  if (read(pipe_ends[0], &byte, 1) != 1) give_up("cannot read from the pipe");
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  /* The child is about to ask for a token. Without the hook it waits for a thread that it does not have, and sends
   * nothing. */
  control("GET", without_hook ? "/wait?requests=2&timeout_ms=3000" : "/wait?requests=2", "", 200, 504);
  int how;
  if (count("requests") == 1) kill(child, SIGKILL);
  if (waitpid(child, &how, 0) != child) give_up("cannot wait for a child process");
  hung = WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL;
  if (!hung) ended(child, how);
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info.activity);
  CHECK_NUMBER(1, info.waiting);
  CHECK_NUMBER(0, info.generation);
  release_hanging();
  join(asker);
  info = info_of(auth);
  CHECK_NUMBER(1, info.logins);
  CHECK_NUMBER(0, info.failures);
  CHECK_NUMBER(hung ? 1 : 3, count("requests"));
  dl_auth_free(auth);
  dl_auth_free(second);
}

/* A handle that trusts only the root certificates in the file that SSL_CERT_FILE names. */
static dl_auth_t *open_with_the_systems_roots(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth;
  if (!config) give_up("cannot make a configuration");
  set_option(config, "url", gate("GATE_URL"));
  set_option(config, "tls_roots", "system");
  set_option(config, "proxy", "none");
  set_option(config, "username", gate("GATE_USERNAME"));
  set_option(config, "password", gate("GATE_PASSWORD"));
  be_patient(config);
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("cannot make a handle");
  dl_auth_config_free(config);
  return auth;
}

/* While `held` is set, a thread that opens the file of root certificates waits. */
static atomic_bool held, reached;

/* Replaces the C library's function, which the library uses to open files. */
int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...) {
  if (strcmp(path, "roots") == 0 && atomic_load(&held)) {
    atomic_store(&reached, true);
    while (atomic_load(&held)) pause_a_little(1000000);
  }
  return openat(AT_FDCWD, path, flags, 0600);
}

/* The parent is in the set-up of TLS, which all its handles with these root certificates share: it waits for the file
 * of root certificates. The child makes its own set-up. */
static void fork_while_tls_is_set_up(void) {
  reset_gate();
  /* The gate has accepted the password, so no handle waits for the result of another handle's login. */
  dl_auth_t *proof = open_gate(NULL);
  token_of(proof);
  if (setenv("SSL_CERT_FILE", "roots", 1)) give_up("cannot set the environment");
  /* dl_auth_new finds no such file. The set-up of TLS reads it later. */
  dl_auth_t *auth = open_with_the_systems_roots(), *second = open_with_the_systems_roots();
  if (symlink(gate("GATE_CA_FILE"), "roots")) give_up("cannot link the roots");
  atomic_store(&held, true);
  pthread_t asker = start(ask, auth);
  WAIT_UNTIL(atomic_load(&reached) && info_of(auth).waiting == 1);
  pid_t child = forked();
  if (child == 0) {
    atomic_store(&held, false);
    /* Each handle finds the set-up in another state: an idle handle, a new handle, and the handle in flight. */
    dl_auth_t *const handles[] = {second, open_with_the_systems_roots(), auth};
    for (int n = 0; n < 3; n++) {
      token_of(handles[n]);
      CHECK_NUMBER(1, info_of(handles[n]).logins);
      dl_auth_free(handles[n]);
    }
    _exit(done());
  }
  reap(child);
  CHECK_NUMBER(hung ? 1 : 4, count("requests"));
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(DL_AUTH_ACTIVITY_REFRESHING, info.activity);
  CHECK_NUMBER(1, info.waiting);
  CHECK_NUMBER(0, info.generation);
  atomic_store(&held, false);
  join(asker);
  info = info_of(auth);
  CHECK_NUMBER(1, info.logins);
  CHECK_NUMBER(0, info.failures);
  token_of(second);
  dl_auth_free(auth);
  dl_auth_free(second);
  dl_auth_free(proof);
}

/* A background handle has no thread in the child until the child's first call. After that call it refreshes there
 * without a call. */
static void fork_with_a_background_handle(bool in_flight) {
  subject = in_flight ? "in flight" : "at rest";
  reset_gate();
  set_gate(SHORT);
  if (in_flight) plan("{'do':'hang'}");
  dl_auth_t *auth = open_gate("refresh", "background", "refresh_at", "0.1", NULL);
  if (in_flight) wait_for("hanging", 1);
  else token_of(auth);
  pid_t child = forked();
  if (child == 0) {
    CHECK_NUMBER(0, library_threads());
    token_of(auth);
    WAIT_UNTIL(library_threads() > 0);
    dl_auth_info_t first = info_of(auth), later;
    do { /* dl_auth_info starts nothing */
      pause_a_little(2000000);
      later = info_of(auth);
    } while (later.generation < first.generation + 2);
    CHECK_NUMBER(0, later.failures);
    CHECK_NUMBER(in_flight ? 1 : 2, later.logins); /* one of them may be the parent's */
    CHECK(later.refreshes > 0);
    dl_auth_free(auth);
    WAIT_UNTIL(library_threads() == 0);
    _exit(done());
  }
  reap(child);
  if (in_flight) {
    CHECK_NUMBER(0, info_of(auth).generation);
    set_gate("{'lifetime':3600}"); /* a token's age counts from the middle between request and answer */
    release_hanging();
    token_of(auth);
  } else {
    unsigned long long generation = info_of(auth).generation;
    WAIT_UNTIL(info_of(auth).generation > generation);
  }
  dl_auth_info_t info = info_of(auth);
  CHECK_NUMBER(1, info.logins);
  CHECK_NUMBER(0, info.failures);
  CHECK_NUMBER(2, count("logins"));
  CHECK_NUMBER(0, count("reused_refresh_tokens"));
  CHECK_NUMBER(0, count("refused_refreshes"));
  dl_auth_free(auth);
  subject = "";
}

/* A child does not send a password again that the gate has refused to its parent. */
static void fork_after_a_refused_password(void) {
  reset_gate();
  dl_auth_t *auth = open_gate("password", "canary donkey", NULL), *second = open_gate("password", "canary donkey", NULL);
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, NULL, 0, NULL, &failure));
  CHECK_NUMBER(1, count("requests"));
  pid_t child = forked();
  if (child == 0) {
    dl_auth_t *const handles[] = {auth, second, open_gate("password", "canary donkey", NULL)};
    for (int n = 0; n < 3; n++) {
      CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(handles[n], NULL, 0, NULL, &failure));
      CHECK_NUMBER(401, failure.http_status);
      CHECK(failure.retry_after_ms > 0);
    }
    CHECK_NUMBER(1, count("requests"));
    CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, gate("GATE_PASSWORD"), &failure));
    token_of(auth);
    CHECK_NUMBER(2, count("requests"));
    _exit(done());
  }
  reap(child);
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, NULL, 0, NULL, &failure)); /* the parent keeps the old password */
  CHECK_NUMBER(2, count("requests"));
  dl_auth_free(auth);
  dl_auth_free(second);
}

/* A child sends no request before the time that the gate gave to its parent. */
static void fork_in_the_cooldown_after_a_failure(void) {
  reset_gate();
  plan("{'do':'status','status':503,'headers':{'Retry-After':'600'}}");
  dl_auth_t *auth = open_gate(NULL);
  CHECK_STATUS(DL_AUTH_E_GATE, dl_auth_token(auth, NULL, 0, NULL, &failure));
  pid_t child = forked();
  if (child == 0) {
    CHECK_STATUS(DL_AUTH_E_GATE, dl_auth_token(auth, NULL, 0, NULL, &failure));
    CHECK_NUMBER(503, failure.http_status);
    CHECK(failure.retry_after_ms > 0);
    _exit(done());
  }
  reap(child);
  CHECK_NUMBER(1, count("requests"));
  dl_auth_free(auth);
}

/* A child that first frees a handle can make other handles, and each is a separate handle. */
static void fork_and_free_first(void) {
  enum { MADE = 64 };
  dl_auth_t *auth = open_gate(NULL), *kept = open_gate(NULL);
  pid_t child = forked();
  if (child == 0) {
    dl_auth_t *made[MADE];
    dl_auth_free(auth);
    for (int n = 0; n < MADE; n++) made[n] = open_gate(NULL);
    for (int n = 0; n < MADE; n++) info_of(made[n]); /* all of them are open */
    info_of(kept);
    for (int n = 0; n < MADE; n++) dl_auth_free(made[n]);
    _exit(done());
  }
  reap(child);
  info_of(auth);
  dl_auth_free(auth);
  dl_auth_free(kept);
}

/* A child that first reports the parent's token as rejected rejects its own copy of it. */
static void fork_and_invalidate_first(void) {
  char token[DL_AUTH_TOKEN_MAX];
  reset_gate();
  dl_auth_t *auth = open_gate(NULL);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  pid_t child = forked();
  if (child == 0) {
    CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, token, &failure));
    CHECK(info_of(auth).state != DL_AUTH_STATE_FRESH);
    CHECK_NUMBER(0, dl_auth_generation(auth));
    _exit(done());
  }
  reap(child);
  CHECK_NUMBER(DL_AUTH_STATE_FRESH, info_of(auth).state); /* the child's report does not affect the parent */
  dl_auth_free(auth);
}

/* The time from the due time of the handle's token to its expiry, in milliseconds, plus or minus one: this needs no
 * clock. */
static long long due_before_the_end(const dl_auth_t *auth) {
  dl_auth_info_t info = info_of(auth);
  CHECK(info.expires_in_ms > 0);
  return info.expires_in_ms - info.refresh_in_ms;
}

/* The token is due after 0.8 of its lifetime, with a jitter of up to one twentieth to either side. The due times of a
 * few children are more than a second apart, and more than a second from their parent's. The chance that they are not
 * is one in 10^14. */
static void check_the_jitters_of_children(const dl_auth_t *auth) {
  enum { CHILDREN = 8, LIFE_MS = 3600000, APART_MS = 1000 };
  long long own = due_before_the_end(auth), least = LIFE_MS, most = 0;
  int others = 0, pipe_ends[2];
  if (pipe(pipe_ends)) give_up("cannot make a pipe");
  for (int n = 0; n < CHILDREN; n++) {
    long long childs_due;
    pid_t child = forked();
    if (child == 0) {
      childs_due = due_before_the_end(auth);
      CHECK(llabs(childs_due - due_before_the_end(auth)) <= 1); /* the jitter does not change */
      if (write(pipe_ends[1], &childs_due, sizeof childs_due) != sizeof childs_due) give_up("cannot write to the pipe");
      _exit(done());
    }
    reap(child);
    if (read(pipe_ends[0], &childs_due, sizeof childs_due) != sizeof childs_due) give_up("cannot read from the pipe");
    /* A minute of the lifetime may be over when the token arrives: one second, because the gate's times are whole
     * seconds, and the rest for a slow machine. */
    CHECK(childs_due >= (LIFE_MS - 60000) * 15LL / 100 && childs_due <= LIFE_MS * 25LL / 100 + 1);
    if (llabs(childs_due - own) > APART_MS) others++;
    if (childs_due < least) least = childs_due;
    if (childs_due > most) most = childs_due;
  }
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  CHECK(others >= 2);
  CHECK(most - least > APART_MS);
  CHECK(llabs(own - due_before_the_end(auth)) <= 1); /* the parent's jitter does not change */
}

/* The children of a child also get new jitters, although they inherit the state of its random numbers. */
static void fork_and_compare_jitters(void) {
  reset_gate();
  set_gate("{'lifetime':3600}");
  dl_auth_t *auth = open_gate(NULL);
  token_of(auth);
  check_the_jitters_of_children(auth);
  pid_t child = forked();
  if (child == 0) {
    check_the_jitters_of_children(auth);
    _exit(done());
  }
  reap(child);
  CHECK_NUMBER(1, count("requests")); /* one token is used all the time */
  dl_auth_free(auth);
}

int main(int count, char **arguments) {
  const char *what = count > 1 ? arguments[1] : "";
  without_hook = count > 2 && strcmp(arguments[count - 1], "without-hook") == 0;
  begin();
  if (without_hook) {
    if (!dl_auth_test_without_fork_hook) give_up("this library cannot run without its hook");
    dl_auth_test_without_fork_hook();
  }
  if (strcmp(what, "crowd") == 0) fork_in_a_crowd(count > 2 ? atoi(arguments[2]) : 100);
  else if (strcmp(what, "makers") == 0) fork_while_threads_make_and_free_handles(count > 2 ? atoi(arguments[2]) : 100);
  else if (strcmp(what, "in-flight") == 0) fork_while_a_refresh_is_in_flight();
  else if (strcmp(what, "set-up") == 0) fork_while_tls_is_set_up();
  else if (strcmp(what, "background") == 0) fork_with_a_background_handle(true), fork_with_a_background_handle(false);
  else if (strcmp(what, "refused") == 0) fork_after_a_refused_password(), fork_in_the_cooldown_after_a_failure();
  else if (strcmp(what, "first-call") == 0) fork_and_free_first(), fork_and_invalidate_first();
  else if (strcmp(what, "jitter") == 0) fork_and_compare_jitters();
  else give_up("usage: fork crowd|makers|in-flight|set-up|background|refused|first-call|jitter [FORKS] [without-hook]");
  return hung ? HUNG : done();
}
