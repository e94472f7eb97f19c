/* The gate for a C test: its control endpoint, and handles for it.
 *
 * The driver (tests/c.rs) starts one gate for each program and passes its addresses in the environment: GATE_URL,
 * GATE_CA_FILE, GATE_CONTROL_URL and so on; tests/gate/README.md has the names. JSON for the gate is written with '
 * instead of ", so that it is readable in C. */
#ifndef GATE_H
#define GATE_H

#include "check.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* An answer of the control endpoint. */
static _Thread_local char answer[64 << 10];

/* The gate's value of a variable such as "GATE_URL". */
static inline const char *gate(const char *what) {
  const char *value = getenv(what);
  if (!value) give_up("the environment has no address of the gate; tests/c.rs starts one");
  return value;
}

/* A connection to an `http://127.0.0.1:PORT` URL. */
static inline int connect_to(const char *url) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const char *port = strrchr(url, ':');
  address.sin_port = htons((uint16_t)strtoul(port ? port + 1 : "", NULL, 10));
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address)) give_up("cannot connect");
  return connection;
}

/* Sends one request to the control endpoint and returns the body of the answer, which must have one of the two
 * statuses. */
static inline const char *control(const char *method, const char *path, const char *body, int status, int or_status) {
  size_t head_room = 256 + strlen(path), length = strlen(body);
  char *request = malloc(head_room + length);
  if (!request) give_up("no memory");
  int head = snprintf(request, head_room, "%s %s HTTP/1.1\r\nHost: gate\r\nContent-Length: %zu\r\n\r\n", method, path, length);
  for (size_t at = 0; at < length; at++) request[(size_t)head + at] = body[at] == '\'' ? '"' : body[at];

  int connection = connect_to(gate("GATE_CONTROL_URL"));
  size_t total = (size_t)head + length, sent = 0, got = 0;
  while (sent < total) {
    ssize_t now = send(connection, request + sent, total - sent, MSG_NOSIGNAL);
    if (now <= 0) give_up("cannot send to the gate's control endpoint");
    sent += (size_t)now;
  }
  for (ssize_t now; (now = recv(connection, answer + got, sizeof answer - 1 - got, 0)) > 0;) got += (size_t)now;
  answer[got] = 0;
  close(connection);
  free(request);

  int came = 0;
  char *end = strstr(answer, "\r\n\r\n");
  if (!end || sscanf(answer, "HTTP/1.1 %d", &came) != 1 || (came != status && came != or_status)) {
    fprintf(stderr, "%s %s %s\n", method, path, body);
    give_up(answer);
  }
  return memmove(answer, end + 4, strlen(end + 4) + 1);
}

/* Plans the gate's next behaviours: one, or an array. */
static inline void plan(const char *behaviours) { control("POST", "/plan", behaviours, 200, 200); }

/* Changes the gate's settings. */
static inline void set_gate(const char *settings) { control("POST", "/set", settings, 200, 200); }

static inline void release_hanging(void) { control("POST", "/release", "", 200, 200); }

/* Sets the gate's counts to zero and drops its plans. */
static inline void reset_gate(void) { control("POST", "/reset", "", 200, 200); }

/* The number with this name in a JSON object. */
static inline long long number_in(const char *json, const char *name) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", name);
  const char *at = strstr(json, quoted);
  if (!at) give_up(name);
  return strtoll(at + strlen(quoted), NULL, 10);
}

/* The gate's count with this name. */
static inline long long count(const char *name) {
  return number_in(control("GET", "/counts", "", 200, 200), name);
}

/* Waits until the gate's count reaches this number. */
static inline void wait_for(const char *name, int least) {
  char path[64];
  snprintf(path, sizeof path, "/wait?%s=%d", name, least);
  control("GET", path, "", 200, 200);
}

/* The last request that the gate read, as JSON. */
static inline const char *last_request(void) { return control("GET", "/last_request", "", 200, 200); }

/* Sets an option. The value must be accepted. */
static inline void set_option(dl_auth_config_t *config, const char *key, const char *value) {
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set(config, key, value, &failure));
}

/* Sets the library's largest limits, for calls that must succeed or that wait until the test is done with them: the
 * machine may be busy, and valgrind is slow. A test that needs a limit to expire sets that option again. */
static inline void be_patient(dl_auth_config_t *config) {
  set_option(config, "wait", "10m");
  set_option(config, "connect_timeout", "5m");
  set_option(config, "timeout", "10m");
}

/* A configuration with the URL of the gate, only the gate's root certificate, and long limits. Nothing else is set. */
static inline dl_auth_config_t *way_to_the_gate(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  if (!config) give_up("cannot make a configuration");
  set_option(config, "url", gate("GATE_URL"));
  set_option(config, "ca_file", gate("GATE_CA_FILE"));
  set_option(config, "tls_roots", "ca_file_only");
  be_patient(config);
  return config;
}

/* A configuration for the gate, with one attempt per refresh, so that the number of requests is known. */
static inline dl_auth_config_t *gate_config(void) {
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "username", gate("GATE_USERNAME"));
  set_option(config, "password", gate("GATE_PASSWORD"));
  set_option(config, "proxy", "none");
  set_option(config, "max_attempts", "1");
  return config;
}

/* A handle for the gate with more options: key, value, ..., NULL. An option that is already set above can be set
 * again. */
static inline dl_auth_t *open_gate(const char *key, ...) {
  dl_auth_config_t *config = gate_config();
  dl_auth_t *auth;
  va_list more;
  va_start(more, key);
  for (; key; key = va_arg(more, const char *)) set_option(config, key, va_arg(more, const char *));
  va_end(more);
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("cannot make a handle");
  dl_auth_config_free(config);
  return auth;
}

/* A password that this process has not sent yet. The gate accepts it until it is reset. A refused password is not sent
 * again for a while, from any handle, so a test of a refusal needs its own password. */
static inline const char *new_password(void) {
  static char password[64], settings[96];
  static int number;
  snprintf(password, sizeof password, "canary battery staple %d", ++number);
  snprintf(settings, sizeof settings, "{'password':'%s'}", password);
  set_gate(settings);
  return password;
}

/* The maximum time until a handle tries again: after its first failure, after the first refusal of a password, and
 * after a successful refresh. */
enum { FIRST_COOLDOWN_MS = 1000, FIRST_REFUSAL_MS = 30000, LONGEST_MIN_INTERVAL_MS = 60000 };

/* The failure of the last call says when the library tries again: within this many milliseconds. */
#define CHECK_RETRY_WITHIN(most) CHECK(failure.retry_after_ms > 0 && failure.retry_after_ms <= (most))

/* The handle's token, cached or new. */
static inline const char *token_of(const dl_auth_t *auth) {
  static _Thread_local char token[DL_AUTH_TOKEN_MAX];
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, NULL, &failure))) give_up("no token");
  return seen(token);
}

/* Information about the handle. */
static inline dl_auth_info_t info_of(const dl_auth_t *auth) {
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_info(auth, &info, &failure));
  return info;
}

/* Waits until the handle may refresh again, after a failed or a successful refresh. */
static inline void wait_until_it_may_refresh(const dl_auth_t *auth) { WAIT_UNTIL(info_of(auth).retry_in_ms == 0); }

/* A thread that polls the number of waiting calls: after a call has returned, its thread cannot see whether it
 * waited. */
struct lookout {
  const dl_auth_t *auth;
  pthread_mutex_t lock; /* held during each look: no earlier look is counted later */
  uint64_t most;
  bool over;
  pthread_t thread;
};

static inline void *watch_waiting(void *argument) {
  struct lookout *lookout = argument;
  for (bool over = false; !over;) {
    pthread_mutex_lock(&lookout->lock);
    uint64_t waiting = info_of(lookout->auth).waiting;
    if (waiting > lookout->most) lookout->most = waiting;
    over = lookout->over;
    pthread_mutex_unlock(&lookout->lock);
    nanosleep(&(struct timespec){0, 500000}, NULL);
  }
  return NULL;
}

static inline void start_lookout(struct lookout *lookout, const dl_auth_t *auth) {
  *lookout = (struct lookout){.auth = auth, .lock = PTHREAD_MUTEX_INITIALIZER};
  lookout->thread = start(watch_waiting, lookout);
}

/* The maximum number of waiting calls since the last call of this function. */
static inline uint64_t most_waiting(struct lookout *lookout) {
  pthread_mutex_lock(&lookout->lock);
  uint64_t most = lookout->most;
  lookout->most = 0;
  pthread_mutex_unlock(&lookout->lock);
  return most;
}

static inline void stop_lookout(struct lookout *lookout) {
  pthread_mutex_lock(&lookout->lock);
  lookout->over = true;
  pthread_mutex_unlock(&lookout->lock);
  join(lookout->thread);
}

/* The number of threads except this one; in `*ours`, the number of those that are named dl-auth. */
static inline int count_threads(int *ours) {
  DIR *tasks = opendir("/proc/self/task");
  int number = *ours = 0;
  if (!tasks) give_up("cannot list the threads");
  for (struct dirent *task; (task = readdir(tasks));) {
    char path[300], name[32] = "";
    if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    FILE *comm = fopen(path, "r");
    if (!comm) continue; /* the thread has just ended */
    if (fgets(name, sizeof name, comm)) number++;
    if (strcmp(name, "dl-auth\n") == 0) ++*ours;
    fclose(comm);
  }
  closedir(tasks);
  return number;
}

static inline int other_threads(void) {
  int ours;
  return count_threads(&ours);
}

static inline int library_threads(void) {
  int ours;
  count_threads(&ours);
  return ours;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

/* This number; a tenth of it under valgrind, which is slow and runs one thread at a time. */
static inline int many(int number) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded && strstr(preloaded, "vgpreload") ? number / 10 : number;
}

/* Whether the process runs without valgrind and without a sanitizer. */
static inline bool is_plain(void) {
#ifdef SANITIZED
  return false;
#else
  return many(10) == 10;
#endif
}

/* Logs in once, under valgrind only. Valgrind translates code when it runs for the first time. Children that are forked
 * afterwards have the translation, and are several times faster. */
static inline void prepare_children(void) {
  if (many(10) == 10) return;
  dl_auth_t *auth = open_gate(NULL);
  token_of(auth);
  dl_auth_free(auth);
  WAIT_UNTIL(library_threads() == 0);
}

#endif
