/* The gate as a C test sees it: its control endpoint, and handles for it.
 *
 * The driver (tests/c.rs) starts one gate for each program and says in the environment where it is: GATE_URL,
 * GATE_CA_FILE, GATE_CONTROL_URL and so on, after the names of tests/gate/README.md. JSON for the gate is written with
 * ' in place of ", so that it can be read in C. */
#ifndef GATE_H
#define GATE_H

#include "check.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* An answer of the control endpoint. */
static _Thread_local char answer[64 << 10];

/* Where the gate has `what`, such as "GATE_URL". */
static inline const char *gate(const char *what) {
  const char *value = getenv(what);
  if (!value) give_up("the environment does not say where the gate is; tests/c.rs starts one");
  return value;
}

/* A connection to an `http://127.0.0.1:PORT` URL. */
static inline int connect_to(const char *url) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const char *port = strrchr(url, ':');
  address.sin_port = htons((uint16_t)strtoul(port ? port + 1 : "", NULL, 10));
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address)) give_up("no connection");
  return connection;
}

/* One request to the control endpoint. The body of its answer, which must have one of the two statuses. */
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
    if (now <= 0) give_up("the gate's control endpoint takes no request");
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

/* Lets the gate misbehave: a behaviour, or an array of them. */
static inline void plan(const char *behaviours) { control("POST", "/plan", behaviours, 200, 200); }

/* Changes the gate's settings. */
static inline void set_gate(const char *settings) { control("POST", "/set", settings, 200, 200); }

static inline void release_hanging(void) { control("POST", "/release", "", 200, 200); }

/* Counts to zero, plans away. */
static inline void reset_gate(void) { control("POST", "/reset", "", 200, 200); }

/* The number of that name in a JSON object. */
static inline long long number_in(const char *json, const char *name) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", name);
  const char *at = strstr(json, quoted);
  if (!at) give_up(name);
  return strtoll(at + strlen(quoted), NULL, 10);
}

/* How often the gate has seen that. */
static inline long long count(const char *name) {
  return number_in(control("GET", "/counts", "", 200, 200), name);
}

/* Waits until the gate has seen it so often. */
static inline void wait_for(const char *name, int least) {
  char path[64];
  snprintf(path, sizeof path, "/wait?%s=%d", name, least);
  control("GET", path, "", 200, 200);
}

/* The last request that the gate read, as JSON. */
static inline const char *last_request(void) { return control("GET", "/last_request", "", 200, 200); }

/* Sets an option that must be taken. */
static inline void set_option(dl_auth_config_t *config, const char *key, const char *value) {
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set(config, key, value, &failure));
}

/* The library's own limits, for calls that must succeed or wait until the test is done with them: the machine may be
 * busy, and valgrind slow. A test that wants a limit to be reached sets that one option anew. */
static inline void be_patient(dl_auth_config_t *config) {
  set_option(config, "wait", "10m");
  set_option(config, "connect_timeout", "5m");
  set_option(config, "timeout", "10m");
}

/* A configuration with the way to the gate, the gate's root alone and long limits. Nothing else is set. */
static inline dl_auth_config_t *way_to_the_gate(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  if (!config) give_up("no configuration");
  set_option(config, "url", gate("GATE_URL"));
  set_option(config, "ca_file", gate("GATE_CA_FILE"));
  set_option(config, "tls_roots", "ca_file_only");
  be_patient(config);
  return config;
}

/* A configuration for the gate: one try a refresh, so that requests can be counted. */
static inline dl_auth_config_t *gate_config(void) {
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "username", gate("GATE_USERNAME"));
  set_option(config, "password", gate("GATE_PASSWORD"));
  set_option(config, "proxy", "none");
  set_option(config, "max_attempts", "1");
  return config;
}

/* A handle for the gate with more options: key, value, ..., NULL. Options that stand above can be set anew. */
static inline dl_auth_t *open_gate(const char *key, ...) {
  dl_auth_config_t *config = gate_config();
  dl_auth_t *auth;
  va_list more;
  va_start(more, key);
  for (; key; key = va_arg(more, const char *)) set_option(config, key, va_arg(more, const char *));
  va_end(more);
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("no handle");
  dl_auth_config_free(config);
  return auth;
}

/* A password that this process has not sent yet, and that the gate takes until it is reset. One that was refused is not
 * sent again for a while, by whichever handle: who is to be refused has one of his own. */
static inline const char *new_password(void) {
  static char password[64], settings[96];
  static int number;
  snprintf(password, sizeof password, "canary battery staple %d", ++number);
  snprintf(settings, sizeof settings, "{'password':'%s'}", password);
  set_gate(settings);
  return password;
}

/* The most that a handle waits until it tries again: after its first failure, after the first refusal of a password, and
 * after a refresh that worked. */
enum { FIRST_COOL_DOWN_MS = 1000, FIRST_REFUSAL_MS = 30000, LONGEST_BRAKE_MS = 60000 };

/* The last call's failure says when the library tries again, and that is within so many milliseconds. */
#define CHECK_RETRY_WITHIN(most) CHECK(failure.retry_after_ms > 0 && failure.retry_after_ms <= (most))

/* The handle's token, which it must have, or get. */
static inline const char *token_of(const dl_auth_t *auth) {
  static _Thread_local char token[DL_AUTH_TOKEN_MAX];
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, NULL, &failure))) give_up("no token");
  return seen(token);
}

/* A look at the handle. */
static inline dl_auth_info_t info_of(const dl_auth_t *auth) {
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_info(auth, &info, &failure));
  return info;
}

/* Waits until the handle may refresh again, after one that failed, or one that has just worked. */
static inline void wait_until_it_may_refresh(const dl_auth_t *auth) { WAIT_UNTIL(info_of(auth).retry_in_ms == 0); }

/* A thread that looks again and again at how many wait: who has come back from a call cannot see whether it waited. */
struct lookout {
  const dl_auth_t *auth;
  pthread_mutex_t lock; /* held over each look, so that none belongs to what was before the last question */
  uint64_t most;
  bool over;
  pthread_t thread;
};

static inline void *look_out(void *argument) {
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

static inline void post_lookout(struct lookout *lookout, const dl_auth_t *auth) {
  *lookout = (struct lookout){.auth = auth, .lock = PTHREAD_MUTEX_INITIALIZER};
  lookout->thread = start(look_out, lookout);
}

/* The most that it has seen waiting since it was last asked. */
static inline uint64_t most_waiting(struct lookout *lookout) {
  pthread_mutex_lock(&lookout->lock);
  uint64_t most = lookout->most;
  lookout->most = 0;
  pthread_mutex_unlock(&lookout->lock);
  return most;
}

static inline void call_lookout_in(struct lookout *lookout) {
  pthread_mutex_lock(&lookout->lock);
  lookout->over = true;
  pthread_mutex_unlock(&lookout->lock);
  join(lookout->thread);
}

/* How many threads there are besides this one; in `*ours`, how many of them are named dl-auth. */
static inline int count_threads(int *ours) {
  DIR *tasks = opendir("/proc/self/task");
  int number = *ours = 0;
  if (!tasks) give_up("no list of tasks");
  for (struct dirent *task; (task = readdir(tasks));) {
    char path[300], name[32] = "";
    if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    FILE *comm = fopen(path, "r");
    if (!comm) continue; /* it has just ended */
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

/* So many; under valgrind, where one thread runs at a time and slowly, a tenth. */
static inline int many(int number) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded && strstr(preloaded, "vgpreload") ? number / 10 : number;
}

/* Whether nothing adds to the process: neither valgrind nor a sanitizer. */
static inline bool is_plain(void) {
#ifdef SANITIZED
  return false;
#else
  return many(10) == 10;
#endif
}

#endif
