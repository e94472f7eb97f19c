/* The environment belongs to the host. The library reads the process's environment only in dl_auth_new, and not at all
 * if the host passes an array. This program replaces `getenv` and counts the calls. */
#define _GNU_SOURCE /* setreuid, newlocale */
#include "gate.h"
#include <locale.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

/* How often any thread calls getenv while `counting` is set. */
static volatile int counting, reads;
static char last_read[64];

char *getenv(const char *name) {
  if (counting) {
    __atomic_fetch_add(&reads, 1, __ATOMIC_SEQ_CST);
    snprintf(last_read, sizeof last_read, "%s", name);
  }
  size_t length = strlen(name);
  for (char **at = environ; at && *at; at++)
    if (strncmp(*at, name, length) == 0 && (*at)[length] == '=') return *at + length + 1;
  return NULL;
}

static void start_counting(void) {
  reads = 0;
  counting = 1;
}

static int stop_counting(void) {
  counting = 0;
  return reads;
}

#define CHECK_NO_READS() \
  do { \
    int number = stop_counting(); \
    if (number) complain(__FILE__, __LINE__, "getenv was called %d times, last for %s", number, last_read); \
  } while (0)

/* An array of up to 15 NAME=VALUE entries, in memory that `scribble` overwrites. */
static char *variables[16];
static int number_of_variables;

static const char *const *array(void) { return (const char *const *)variables; }

static void add(const char *name, const char *value) {
  char *entry = malloc(strlen(name) + strlen(value) + 2);
  if (!entry || number_of_variables == 15) give_up("no room for a variable");
  sprintf(entry, "%s=%s", name, value);
  variables[number_of_variables++] = entry;
}

static void add_gate(void) {
  add("DL_AUTH_URL", gate("GATE_URL"));
  add("SSL_CERT_FILE", gate("GATE_CA_FILE"));
  add("DL_AUTH_USERNAME", gate("GATE_USERNAME"));
  add("DL_AUTH_PASSWORD", gate("GATE_PASSWORD"));
}

static void scribble(void) {
  while (number_of_variables) {
    char *entry = variables[--number_of_variables];
    memset(entry, 'x', strlen(entry));
    free(entry);
    variables[number_of_variables] = NULL;
  }
}

/* A configuration with the array. The array is overwritten afterwards. */
static dl_auth_config_t *configured(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set_environ(config, array(), &failure));
  scribble();
  return config;
}

/* Calls dl_auth_new, which must return this status. */
static dl_auth_t *handle(const dl_auth_config_t *config, dl_auth_status_t wanted) {
  dl_auth_t *auth = NULL;
  if (CHECK_STATUS(wanted, dl_auth_new(config, &auth, &failure))) CHECK(auth == NULL);
  return auth;
}

/* Calls each function once, with calls that succeed and calls that fail. */
static void use(dl_auth_t *auth) {
  char token[DL_AUTH_BEARER_MAX] = "";
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  dl_auth_token(auth, token, sizeof token, NULL, NULL);
  dl_auth_claims(auth, token, sizeof token, NULL, NULL);
  dl_auth_bearer(auth, token, sizeof token, NULL, NULL);
  dl_auth_invalidate(auth, token + 7, NULL);
  dl_auth_token_within(auth, 3600000, 0, token, sizeof token, NULL, NULL);
  dl_auth_generation(auth);
  dl_auth_info(auth, &info, NULL);
  dl_auth_set_credentials(auth, "canary", "canary", NULL);
  dl_auth_token(auth, token, sizeof token, NULL, NULL);
}

static void the_process_environment_is_read_in_dl_auth_new_only(void) {
  static const char *const ways[][2] = {
    {"DL_AUTH_TIMEOUT", "10m"}, {"DL_AUTH_REFRESH", "background"}, {"DL_AUTH_TLS_ROOTS", "system"},
    {"HTTPS_PROXY", "http://127.0.0.1:1"},
  };
  dl_auth_t *auth;
  add_gate();
  char *names[4], **variable = names;
  for (int i = 0; i < number_of_variables; i++) {
    char *end = strchr(variables[i], '=');
    *end = 0;
    setenv(*variable++ = variables[i], end + 1, 1);
  }
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    subject = ways[i][0];
    setenv(ways[i][0], ways[i][1], 1);
    reset_gate();
    start_counting();
    CHECK_STATUS(DL_AUTH_OK, dl_auth_new(NULL, &auth, NULL));
    CHECK(stop_counting() > 0); /* otherwise the counter does not work */
    CHECK(count("requests") <= (strcmp(subject, "DL_AUTH_REFRESH") == 0)); /* `background` logs in immediately */
    start_counting();
    use(auth);
    CHECK_NO_READS();
    if (strcmp(subject, "HTTPS_PROXY") != 0) CHECK(count("requests") >= 2);
    start_counting();
    dl_auth_free(auth);
    WAIT_UNTIL(library_threads() == 0);
    CHECK_NO_READS();
    unsetenv(ways[i][0]);
  }
  subject = "";
  while (variable > names) unsetenv(*--variable);
  scribble();
}

static void a_passed_environment_is_used_instead_of_the_process_environment(void) {
  char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = NULL;
  reset_gate();
  setenv("DL_AUTH_URL", "canary", 1); /* reading it would cause an error */
  add_gate();
  add("PATH", "/bin");
  dl_auth_config_t *config = dl_auth_config_new();
  start_counting();
  dl_auth_status_t set = dl_auth_config_set_environ(config, array(), NULL), made = dl_auth_new(config, &auth, NULL);
  CHECK_NO_READS();
  CHECK_NUMBER(DL_AUTH_OK, set);
  CHECK_NUMBER(DL_AUTH_OK, made);
  scribble();
  dl_auth_config_free(config);
  start_counting();
  dl_auth_status_t got = dl_auth_token(auth, token, sizeof token, NULL, NULL);
  use(auth);
  CHECK_NO_READS();
  CHECK_NUMBER(DL_AUTH_OK, got);
  CHECK(count("logins") >= 1);
  dl_auth_free(auth);
  unsetenv("DL_AUTH_URL");
}

static void the_array_is_copied_and_replaces_an_earlier_array(void) {
  add("DL_AUTH_WAIT", "canary");
  dl_auth_config_t *config = configured();
  add_gate();
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set_environ(config, array(), &failure));
  scribble();
  dl_auth_t *auth = handle(config, DL_AUTH_OK);
  dl_auth_config_free(config);
  token_of(auth);
  dl_auth_free(auth);
}

static void an_empty_array_means_no_variables(void) {
  setenv("DL_AUTH_USERNAME", "bot", 1);
  setenv("DL_AUTH_PASSWORD", "canary", 1);
  dl_auth_config_t *config = configured();
  handle(config, DL_AUTH_E_NO_CREDENTIALS);
  CHECK_CONTAINS(failure.message, "no credentials");
  dl_auth_config_free(config);
  unsetenv("DL_AUTH_USERNAME");
  unsetenv("DL_AUTH_PASSWORD");
}

static void the_array_follows_the_rules_of_the_process_environment(void) {
  /* An option by call wins; an empty variable is unset; an option of a pair hides the pair; the first of two equal
   * entries wins. */
  add("DL_AUTH_WAIT", "");
  add("DL_AUTH_USERNAME", "bot");
  add("DL_AUTH_USERNAME", "");
  add("DL_AUTH_PASSWORD_FILE", "/nowhere");
  add("DL_AUTH_URL", "canary");
  dl_auth_config_t *config = configured();
  set_option(config, "password", "canary");
  set_option(config, "environment", "rc");
  dl_auth_free(handle(config, DL_AUTH_OK));
  dl_auth_config_free(config);

  /* The proxies and the root certificates. */
  static const char *const bad[][2] = {{"HTTPS_PROXY", "socks5://canary"}, {"https_proxy", "socks5://canary"},
                                       {"SSL_CERT_FILE", "not-certificates"}, {"DL_AUTH_WAIT", "canary"}};
  FILE *file = fopen("not-certificates", "w");
  if (!file || fputs("canary", file) < 0 || fclose(file)) give_up("cannot write a file");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    add("DL_AUTH_USERNAME", "bot");
    add("DL_AUTH_PASSWORD", "canary");
    add(bad[i][0], bad[i][1]);
    config = configured();
    handle(config, DL_AUTH_E_INVALID_VALUE);
    CHECK_CONTAINS(failure.message, bad[i][0]);
    dl_auth_config_free(config);
  }
  add("DL_AUTH_USERNAME", "bot");
  add("DL_AUTH_PASSWORD", "canary");
  add("HTTPS_PROXY", "socks5://canary");
  add("no_proxy", "gate.dataloop.ai");
  config = configured();
  dl_auth_free(handle(config, DL_AUTH_OK));
  dl_auth_config_free(config);
}

static void a_malformed_array_changes_nothing_and_the_error_names_the_variable(void) {
  static const struct { const char *entry, *named; } malformed[] = {
    {"DL_AUTH_USERNAME", "DL_AUTH_USERNAME"}, {"canary horse", "variables[1]"}, {"", "variables[1]"},
    {"HOME", "HOME"}, {"\xff", "variables[1]"}, {"CANARY1", "variables[1]"},
  };
  dl_auth_config_t *config = dl_auth_config_new();
  add_gate();
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set_environ(config, array(), &failure));
  scribble();
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    const char *const entries[] = {"DL_AUTH_URL=canary", malformed[i].entry, NULL};
    subject = malformed[i].named;
    CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set_environ(config, entries, &failure));
    CHECK_CONTAINS(failure.message, malformed[i].named);
    CHECK_CONTAINS(failure.message, "NAME=VALUE");
  }
  subject = "";
  CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, dl_auth_config_set_environ(config, NULL, &failure));
  CHECK_CONTAINS(failure.message, "variables");
  const char *const none[] = {NULL};
  CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, dl_auth_config_set_environ(NULL, none, &failure));
  CHECK_CONTAINS(failure.message, "config");
  dl_auth_free(handle(config, DL_AUTH_OK)); /* the first array is still set */
  dl_auth_config_free(config);
}

static void a_used_variable_that_is_not_utf_8_is_refused(void) {
  static const char *const used[] = {"DL_AUTH_USERNAME", "DL_AUTH_PASSWORD", "DL_AUTH_WAIT", "HTTPS_PROXY", "NO_PROXY",
                                     "no_proxy"};
  for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
    subject = used[i];
    add(used[i], "canary\xff");
    add("DL_AUTH_USERNAME", "bot");
    add("DL_AUTH_PASSWORD", "canary");
    add("HTTPS_PROXY", "http://127.0.0.1:1");
    dl_auth_config_t *config = configured();
    handle(config, DL_AUTH_E_INVALID_VALUE);
    CHECK_CONTAINS(failure.message, used[i]);
    CHECK_CONTAINS(failure.message, "UTF-8");
    dl_auth_config_free(config);
  }
  subject = "";
  add("DL_AUTH_UNKNOWN", "\xff");
  add("\xff", "\xff");
  add("DL_AUTH_USERNAME", "\xff"); /* hidden by the option by call */
  add("NO_PROXY", "\xff");         /* not read, because no proxy is set */
  add("DL_AUTH_PASSWORD", "canary");
  dl_auth_config_t *config = configured();
  set_option(config, "username", "bot");
  dl_auth_free(handle(config, DL_AUTH_OK));
  dl_auth_config_free(config);
}

/* The calls that are made while the environment cannot be read. The result is the number of the failed step, or 0. */
static int without_a_readable_environment(void) {
  static const char *const none[] = {NULL};
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth = NULL;
  if (dl_auth_config_set_environ(config, none, NULL)) return 10;
  if (dl_auth_config_set(config, "username", "bot", NULL)) return 11;
  if (dl_auth_config_set(config, "password_file", "/nowhere/canary", NULL)) return 12;
  if (dl_auth_new(config, &auth, &error) != DL_AUTH_E_INVALID_VALUE) return 13;
  if (!strstr(error.message, "No such file")) return 14;
  dl_auth_config_free(config);
  config = dl_auth_config_new();
  if (dl_auth_config_set_environ(config, none, NULL)) return 15;
  if (dl_auth_config_set(config, "username", "bot", NULL)) return 16;
  if (dl_auth_config_set(config, "password", "canary", NULL)) return 17;
  if (dl_auth_config_set(config, "allow_http", "true", NULL)) return 18;
  if (dl_auth_config_set(config, "url", "http://127.0.0.1:1", NULL)) return 19; /* the resolver reads variables */
  if (dl_auth_new(config, &auth, &error)) return 20;
  if (dl_auth_token(auth, NULL, 0, NULL, &error) != DL_AUTH_E_UNREACHABLE) return 21;
  dl_auth_free(auth);
  dl_auth_config_free(config);
  return strstr(error.message, "Connection refused") ? 0 : 22;
}

/* In any locale except "C", the C library translates an error text. To choose a language, it reads the environment
 * itself. */
static void error_texts_are_not_translated_so_that_the_environment_is_not_read(void) {
  if (!setlocale(LC_ALL, "C.UTF-8")) give_up("there is no locale C.UTF-8");
  locale_t before = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
  uselocale(before);
  char **readable = environ;
  environ = (char **)16; /* reading it is a SIGSEGV */
  int wrong = without_a_readable_environment();
  environ = readable;
  CHECK_NUMBER(0, wrong);
  CHECK(uselocale((locale_t)0) == before);
  uselocale(LC_GLOBAL_LOCALE);
  freelocale(before);
  setlocale(LC_ALL, "C");
}

/* Paths of root certificates may have any bytes, as in the process's environment. */
static void paths_of_root_certificates_may_have_any_bytes(void) {
  static const char *const roots[][2] = {{"SSL_CERT_FILE", "roots-\xff/ca.pem"}, {"SSL_CERT_DIR", "nowhere:roots-\xff"}};
  if (mkdir("roots-\xff", 0700) || symlink(gate("GATE_CA_FILE"), roots[0][1])) give_up("cannot link the roots");
  for (size_t i = 0; i < 2 * sizeof roots / sizeof *roots; i++) {
    const char *name = subject = roots[i / 2][0], *path = roots[i / 2][1];
    dl_auth_config_t *config = NULL;
    if (i % 2) {
      add("DL_AUTH_URL", gate("GATE_URL"));
      add(name, path);
      config = configured();
    } else {
      setenv(name, path, 1);
      config = dl_auth_config_new();
      set_option(config, "url", gate("GATE_URL"));
    }
    set_option(config, "username", gate("GATE_USERNAME"));
    set_option(config, "password", gate("GATE_PASSWORD"));
    dl_auth_t *auth = handle(config, DL_AUTH_OK);
    token_of(auth);
    dl_auth_free(auth);
    dl_auth_config_free(config);
    unsetenv(name);
  }
  subject = "";
}

/* The body of the set-user-ID program: the exit code is the number of the failed step, or 0. */
static int as_a_set_user_id_program(void) {
  dl_auth_t *auth = NULL;
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  if (dl_auth_new(NULL, &auth, &error) != DL_AUTH_E_NO_CREDENTIALS) return 10;
  if (!strstr(error.message, "set-user-ID")) return 11;
  if (dl_auth_config_set(config, "password", "canary", NULL)) return 12;
  if (dl_auth_new(config, &auth, &error) != DL_AUTH_E_NO_CREDENTIALS) return 13; /* username and URL are not set */
  const char *const passed_array[] = {"DL_AUTH_USERNAME=bot", NULL};
  if (dl_auth_config_set_environ(config, passed_array, NULL)) return 14;
  if (dl_auth_new(config, &auth, &error) != DL_AUTH_OK) return 15; /* DL_AUTH_URL is not read */
  dl_auth_free(auth);
  dl_auth_config_free(config);
  return 0;
}

/* The kernel marks a new program as privileged if its effective user is not its real user, as for a file with the
 * set-user-ID bit. */
static void a_set_user_id_program_ignores_the_process_environment(const char *self) {
  if (!is_plain()) return; /* the loader removes variables that valgrind and the sanitizers need */
  if (geteuid() != 0) give_up("this test needs root, run it by `make test`");
  for (int by_group = 0; by_group < 2; by_group++) {
    subject = by_group ? "set-group-ID" : "set-user-ID";
    pid_t child = fork();
    if (child == 0) {
      setenv("DL_AUTH_USERNAME", "bot", 1);
      setenv("DL_AUTH_PASSWORD", "canary", 1);
      setenv("DL_AUTH_URL", "not a URL", 1);
      if (by_group ? setregid(65534, (gid_t)-1) : setreuid(65534, (uid_t)-1)) _exit(3);
      execl(self, self, "set-user-ID", (char *)NULL);
      _exit(4);
    }
    int status = 0;
    CHECK_NUMBER(child, waitpid(child, &status, 0));
    CHECK_NUMBER(0, WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
  }
  subject = "";
}

int main(int argc, char **argv) {
  if (argc > 1) return as_a_set_user_id_program();
  begin();
  the_process_environment_is_read_in_dl_auth_new_only();
  a_passed_environment_is_used_instead_of_the_process_environment();
  the_array_is_copied_and_replaces_an_earlier_array();
  an_empty_array_means_no_variables();
  the_array_follows_the_rules_of_the_process_environment();
  a_malformed_array_changes_nothing_and_the_error_names_the_variable();
  a_used_variable_that_is_not_utf_8_is_refused();
  paths_of_root_certificates_may_have_any_bytes();
  error_texts_are_not_translated_so_that_the_environment_is_not_read();
  a_set_user_id_program_ignores_the_process_environment(argv[0]);
  return done();
}
