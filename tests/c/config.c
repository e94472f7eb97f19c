/* The configuration: unknown keys, values that are not valid (by call and from the environment), missing credentials,
 * files, and the precedence of the sources. */
#include "gate.h"
#include <sys/stat.h>

/* The environment variable of a key: DL_AUTH_ and the key in capitals. */
static const char *variable_of(const char *key) {
  static char name[64];
  snprintf(name, sizeof name, "DL_AUTH_%s", key);
  for (char *at = name; *at; at++) if (*at >= 'a' && *at <= 'z') *at = (char)(*at - 'a' + 'A');
  return name;
}

/* Checks that dl_auth_new returns this status, and frees the handle. */
static void check_new(const dl_auth_config_t *config, dl_auth_status_t wanted) {
  dl_auth_t *auth = (dl_auth_t *)(uintptr_t)77;
  if (CHECK_STATUS(wanted, dl_auth_new(config, &auth, &failure))) CHECK(auth == NULL);
  else dl_auth_free(auth);
}

/* Writes a file with this content in the test's own directory. */
static const char *file_with(const char *name, const void *content, size_t length) {
  FILE *file = fopen(name, "wb");
  if (!file || fwrite(content, 1, length, file) != length || fclose(file)) give_up("cannot write a file");
  return name;
}

static void each_key_is_in_the_list_once(void) {
  static const char *const keys[] = {
    "username", "password", "password_file", "token", "environment", "url", "ca_file", "tls_roots", "proxy",
    "connect_timeout", "timeout", "wait", "refresh", "refresh_at", "refresh_grant", "max_attempts", "store",
    "store_required", "user_agent", "allow_http",
  };
  size_t number = sizeof keys / sizeof *keys;
  for (size_t i = 0; i < number; i++) {
    int found = 0;
    for (size_t index = 0; dl_auth_config_key(index); index++) found += strcmp(dl_auth_config_key(index), keys[i]) == 0;
    subject = keys[i];
    CHECK_NUMBER(1, found);
  }
  subject = "";
  CHECK(dl_auth_config_key(number - 1) != NULL);
  CHECK(dl_auth_config_key(number) == NULL);
  CHECK(dl_auth_config_key(SIZE_MAX) == NULL);
}

static void an_unknown_key_is_refused_and_the_nearest_key_is_named(void) {
  static const struct { const char *wrong, *nearest; } keys[] = {
    {"usrename", "username"}, {"pasword", "password"}, {"passwordfile", "password_file"},
    {"tokens", "token"}, {"enviroment", "environment"}, {"Url", "url"}, {"ca-file", "ca_file"},
    {"tls_root", "tls_roots"}, {"proxies", "proxy"}, {"connecttimeout", "connect_timeout"}, {"time_out", "timeout"},
    {"waits", "wait"}, {"refreshes", "refresh"}, {"refresh-at", "refresh_at"},
    {"max_attempt", "max_attempts"}, {"stores", "store"}, {"storerequired", "store_required"},
    {"useragent", "user_agent"}, {"allow_https", "allow_http"}, {" url", "url"}, {"url ", "url"},
  };
  dl_auth_config_t *config = dl_auth_config_new();
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    char nearest[64], wrong[64];
    bool looks_like_a_key = true;
    subject = keys[i].wrong;
    for (const char *at = subject; *at; at++) looks_like_a_key &= *at == '_' || (*at >= 'a' && *at <= 'z');
    CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, subject, "canary", &failure));
    snprintf(wrong, sizeof wrong, "`%s`", keys[i].wrong);
    if (looks_like_a_key) CHECK_CONTAINS(failure.message, wrong); /* otherwise it may be a misplaced value */
    snprintf(nearest, sizeof nearest, "nearest is `%s`", keys[i].nearest);
    CHECK_CONTAINS(failure.message, nearest);
  }
  subject = "";
  CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, "", "x", &failure));
  CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, "Canary-horse 1", "password", &failure));
  CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, "u\nr\tl\x1b[31m", "x", &failure)); /* one line */
  char *endless = malloc(100001);
  memset(endless, 'u', 100000);
  endless[100000] = 0;
  CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, endless, "x", &failure));
  CHECK_CONTAINS(failure.message, "nearest is `");
  free(endless);
  dl_auth_config_free(config);
}

/* Values that are not valid for their key. dl_auth_config_set refuses them. dl_auth_new refuses a value that needs a
 * file or that must be checked together with other values. */
static const struct { const char *key, *value; } malformed[] = {
  {"username", ""},
  {"password", ""},
  {"password_file", ""}, {"password_file", "missing"}, {"password_file", "empty"}, {"password_file", "newline"},
  {"password_file", "."}, {"password_file", "not_utf8"}, {"password_file", "with_nul"}, {"password_file", "too_large"},
  {"token", ""}, {"token", "canary"}, {"token", "canary.canary.canary"}, {"token", "e30.e30.c2ln"},
  {"token", "e30.eyJleHAiOjF9.c2ln"} /* {"exp":1} */, {"token", "e30.eyJleHAiOiJjYW5hcnkifQ.c2ln"} /* {"exp":"canary"} */,
  {"environment", ""}, {"environment", "canary"}, {"environment", "PROD"}, {"environment", "prod "},
  {"url", ""}, {"url", "canary"}, {"url", "/token"}, {"url", "gate.canary.invalid"}, {"url", "ftp://canary.invalid/"},
  {"url", "https://"}, {"url", "https:///token"}, {"url", "https://canary invalid/"}, {"url", "https://localhost:canary/"},
  {"url", "https://localhost:99999/"}, {"url", "https://localhost:/"}, {"url", "https://canary@localhost/"},
  {"url", "https://canary:canary@localhost/"}, {"url", "https://:@localhost/"}, {"url", "https://localhost/#canary"},
  {"url", "https://localhost/canary"}, {"url", "http://localhost/"}, {"url", "http://canary.invalid/"},
  {"url", "HTTP://localhost/"}, {"url", "https://localhost/\r\nCanary: 1"},
  {"ca_file", ""}, {"ca_file", "missing"}, {"ca_file", "empty"}, {"ca_file", "not_utf8"}, {"ca_file", "."},
  {"ca_file", "no_pem"}, {"ca_file", "no_certificate"}, {"ca_file", "half_a_pem"}, {"ca_file", "too_large"},
  {"tls_roots", ""}, {"tls_roots", "canary"}, {"tls_roots", "none"}, {"tls_roots", "System"},
  {"proxy", ""}, {"proxy", "canary"}, {"proxy", "None"}, {"proxy", "canary:3128"}, {"proxy", "socks5://canary:1"},
  {"proxy", "http://"}, {"proxy", "http://canary:canary@"}, {"proxy", "http://localhost:canary"},
  {"proxy", "http://localhost:99999"}, {"proxy", "https://canary:canary@localhost:canary"},
  {"connect_timeout", ""}, {"connect_timeout", "10"}, {"connect_timeout", "0s"}, {"connect_timeout", "-1s"},
  {"connect_timeout", "6m"}, {"connect_timeout", "1.5s"}, {"connect_timeout", "99999999999999999999s"},
  {"timeout", ""}, {"timeout", "canary"}, {"timeout", "30"}, {"timeout", "0ms"}, {"timeout", "11m"}, {"timeout", "30 s"},
  {"timeout", "18446744073709551615h"}, {"timeout", "\xd9\xa3s"} /* an Arabic 3 */,
  {"wait", ""}, {"wait", "30"}, {"wait", "11m"}, {"wait", "-0s"}, {"wait", "canary"},
  {"refresh", ""}, {"refresh", "canary"}, {"refresh", "on-demand"},
  {"refresh_at", ""}, {"refresh_at", "0"}, {"refresh_at", "0.09"}, {"refresh_at", "0.91"}, {"refresh_at", "1"},
  {"refresh_at", "nan"}, {"refresh_at", "inf"}, {"refresh_at", "80%"}, {"refresh_at", "0,8"}, {"refresh_at", "."},
  {"refresh_grant", ""}, {"refresh_grant", "yes"}, {"refresh_grant", "1"}, {"refresh_grant", "True"},
  {"max_attempts", ""}, {"max_attempts", "0"}, {"max_attempts", "11"}, {"max_attempts", "3.0"}, {"max_attempts", "+3"},
  {"max_attempts", "99999999999999999999"},
  {"store", ""}, {"store", "canary"}, {"store", "file"}, {"store", "redis:canary"},
  {"store_required", ""}, {"store_required", "0"},
  {"user_agent", ""}, {"user_agent", "canary\r\nX: 1"}, {"user_agent", "\xc3\xbc"}, {"user_agent", "\t"},
  {"allow_http", ""}, {"allow_http", "canary"}, {"allow_http", "on"},
};

static void write_the_files(void) {
  char *large = calloc(1, (5 << 20) + 1);
  memset(large, 'x', 5 << 20);
  file_with("empty", "", 0);
  file_with("newline", "\r\n", 2);
  file_with("not_utf8", "canary\xff", 7);
  file_with("with_nul", "canary\0canary", 13);
  file_with("too_large", large, 5 << 20);
  file_with("no_pem", "canary", 6);
  file_with("no_certificate", "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n", 64);
  file_with("half_a_pem", "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n", 37);
  file_with("password", "from a file \n", 13);
  free(large);
}

/* Options with a range: the smallest and the largest value, the nearest values outside (NULL: there is no such value),
 * and the end of the message. */
static const struct { const char *key, *least, *most, *too_little, *too_much, *form; } ranges[] = {
  {"connect_timeout", "1ms", "5m", "0ms", "300001ms", "must be a duration from 1ms to 5m, such as 500ms, 30s or 2m"},
  {"timeout", "1ms", "10m", "0ms", "600001ms", "must be a duration from 1ms to 10m, such as 500ms, 30s or 2m"},
  {"wait", "0s", "10m", NULL, "600001ms", "must be a duration from 0s to 10m, such as 500ms, 30s or 2m"},
  {"refresh_at", "0.1", "0.9", "0.0999999", "0.9000001", "must be a number from 0.1 to 0.9"},
  {"max_attempts", "1", "10", "0", "11", "must be a whole number from 1 to 10"},
};

/* If the key has a range, the message about a refused value states the range. */
static void check_range(const char *key) {
  const char *form = strstr(failure.message, "must be ");
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (strcmp(key, ranges[i].key) == 0) CHECK_TEXT(ranges[i].form, form);
}

static void a_range_includes_its_ends_and_a_value_outside_it_is_refused_with_the_range(void) {
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    const char *key = ranges[i].key, *beyond[] = {ranges[i].too_much, ranges[i].too_little};
    subject = key;
    dl_auth_config_t *config = gate_config();
    set_option(config, key, ranges[i].least);
    check_new(config, DL_AUTH_OK);
    set_option(config, key, ranges[i].most);
    check_new(config, DL_AUTH_OK);
    dl_auth_config_free(config);
    for (int end = 0; end < 2 && beyond[end]; end++) {
      config = dl_auth_config_new();
      set_option(config, "username", "canary");
      set_option(config, "password", "canary");
      CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set(config, key, beyond[end], &failure));
      check_range(key);
      setenv(variable_of(key), beyond[end], 1);
      check_new(config, DL_AUTH_E_INVALID_VALUE);
      check_range(key);
      unsetenv(variable_of(key));
      dl_auth_config_free(config);
    }
  }
  subject = "";
}

static void each_refused_value_is_reported_with_its_key_and_source(void) {
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    const char *key = malformed[i].key, *value = malformed[i].value;
    char named[64], source[64];
    bool is_ready = strcmp(key, "token") == 0;
    subject = value;
    snprintf(named, sizeof named, "`%s`", key);

    dl_auth_config_t *config = dl_auth_config_new();
    if (!is_ready) set_option(config, "username", "canary");
    if (!is_ready && strcmp(key, "password_file")) set_option(config, "password", "canary");
    if (dl_auth_config_set(config, key, value, NULL)) {
      CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set(config, key, value, &failure));
      CHECK_CONTAINS(failure.message, "(set by call)");
      CHECK_CONTAINS(failure.message, named);
      check_range(key);
      if (strcmp(key, "username") && strcmp(key, "password") && !strstr(key, "_file") && !is_ready)
        check_new(config, DL_AUTH_OK); /* a refused value changes nothing */
    } else {
      check_new(config, DL_AUTH_E_INVALID_VALUE);
      CHECK_CONTAINS(failure.message, "(set by call)");
      CHECK_CONTAINS(failure.message, named);
    }
    dl_auth_config_free(config);

    if (!*value) continue; /* an empty variable counts as unset */
    config = dl_auth_config_new();
    if (!is_ready) set_option(config, "username", "canary");
    if (!is_ready && strcmp(key, "password_file")) set_option(config, "password", "canary");
    setenv(variable_of(key), value, 1);
    snprintf(source, sizeof source, "(from %s)", variable_of(key));
    check_new(config, DL_AUTH_E_INVALID_VALUE);
    CHECK_CONTAINS(failure.message, named);
    CHECK_CONTAINS(failure.message, source);
    check_range(key);
    unsetenv(variable_of(key));
    dl_auth_config_free(config);
  }
  subject = "";
}

/* The message states what is wrong with a file or a URL, not only that it is wrong. */
static void a_message_states_what_is_wrong(void) {
  static const struct { const char *key, *value, *word; } wrongs[] = {
    {"url", "canary", "not a URL"},
    {"url", "https://canary:canary@localhost/", "contains credentials"},
    {"url", "http://localhost/", "allow_http"},
    {"url", "https://localhost/elsewhere", "path"},
    {"ca_file", "missing", "cannot be read"},
    {"ca_file", "empty", "no certificate"},
    {"ca_file", "no_pem", "no certificate"},
    {"ca_file", "no_certificate", "cannot be used"},
    {"ca_file", "too_large", "4 MiB"},
    {"password_file", "missing", "cannot be read"},
    {"password_file", "empty", "empty"},
    {"password_file", "not_utf8", "UTF-8"},
    {"token", "e30.eyJleHAiOjF9.c2ln", "expired"},
    {"token", "e30.e30.c2ln", "exp"},
  };
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    dl_auth_config_t *config = dl_auth_config_new();
    subject = wrongs[i].value;
    if (strcmp(wrongs[i].key, "token")) set_option(config, "username", "canary");
    if (strcmp(wrongs[i].key, "token") && strcmp(wrongs[i].key, "password_file")) set_option(config, "password", "canary");
    set_option(config, wrongs[i].key, wrongs[i].value);
    check_new(config, DL_AUTH_E_INVALID_VALUE);
    CHECK_CONTAINS(failure.message, wrongs[i].word);
    dl_auth_config_free(config);
  }
  subject = "";
}

static void http_needs_allow_http_and_a_loopback_address(void) {
  static const struct { const char *url; dl_auth_status_t status; } urls[] = {
    {"http://localhost:1/", DL_AUTH_OK}, {"http://127.0.0.1:1/token?default", DL_AUTH_OK},
    {"http://127.8.9.10/", DL_AUTH_OK}, {"http://[::1]:1/api/v1", DL_AUTH_OK},
    {"http://canary.invalid/", DL_AUTH_E_INVALID_VALUE}, {"http://10.0.0.1/", DL_AUTH_E_INVALID_VALUE},
    {"http://localhost.canary.invalid/", DL_AUTH_E_INVALID_VALUE}, {"http://0.0.0.0/", DL_AUTH_E_INVALID_VALUE},
    {"http://canary:canary@localhost/", DL_AUTH_E_INVALID_VALUE},
  };
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    dl_auth_config_t *config = gate_config();
    subject = urls[i].url;
    set_option(config, "url", urls[i].url);
    set_option(config, "allow_http", "true");
    check_new(config, urls[i].status);
    if (urls[i].status == DL_AUTH_OK) {
      set_option(config, "allow_http", "false");
      check_new(config, DL_AUTH_E_INVALID_VALUE);
    }
    dl_auth_config_free(config);
  }
  subject = "";
}

static void missing_credentials_are_named(void) {
  static const struct { const char *key, *missing; } halves[] = {
    {NULL, "DL_AUTH_USERNAME"}, {"username", "DL_AUTH_PASSWORD"}, {"password", "DL_AUTH_USERNAME"},
    {"password_file", "DL_AUTH_USERNAME"},
  };
  for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
    const char *key = halves[i].key, *value = key && strcmp(key, "password_file") == 0 ? "password" : "canary";
    dl_auth_config_t *config = dl_auth_config_new();
    subject = key ? key : "nothing";
    if (key) setenv(variable_of(key), value, 1);
    check_new(NULL, DL_AUTH_E_NO_CREDENTIALS);
    CHECK_CONTAINS(failure.message, halves[i].missing);
    if (key) unsetenv(variable_of(key));
    if (key) set_option(config, key, value);
    check_new(config, DL_AUTH_E_NO_CREDENTIALS);
    CHECK_CONTAINS(failure.message, halves[i].missing);
    dl_auth_config_free(config);
  }
  subject = "";
}

static void a_store_is_checked_for_its_form_and_not_opened(void) {
  static const char *const good[] = {"none", "file:/nowhere/canary", "redis://:canary@localhost:1/2",
                                     "rediss://localhost"};
  static const struct { const char *value, *why; } bad[] = {
    {"file:", "the absolute path"}, {"file://canary", "the absolute path"}, {"file:canary", "the absolute path"}, {"redis:canary", "no scheme"},
    {"redis+sentinel://canary", "not supported"}, {"redis://canary:0", "no valid host and port"},
    {"redis://canary@localhost", "has no password"}, {"redis://localhost/canary", "number of a database"},
  };
  dl_auth_config_t *config = gate_config();
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    set_option(config, "store", subject = good[i]);
    check_new(config, DL_AUTH_OK);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    subject = bad[i].value;
    CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set(config, "store", bad[i].value, &failure));
    CHECK_CONTAINS(failure.message, bad[i].why);
  }
  subject = "";
  dl_auth_config_free(config);
}

static void each_refresh_mode_is_accepted(void) {
  static const char *const ways[] = {"on_demand", "background"};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    dl_auth_config_t *config = gate_config();
    subject = ways[i];
    set_option(config, "refresh", ways[i]);
    check_new(config, DL_AUTH_OK);
    dl_auth_config_free(config);
  }
  subject = "";
}

static void two_conflicting_options_from_one_source_are_refused(void) {
  char jwt[128];
  make_jwt("{\"exp\":4102444800}", jwt);
  const struct { const char *key, *value, *other, *other_value; } pairs[] = {
    {"password", "canary", "password_file", "password"},
    {"token", jwt, "username", "canary"}, {"token", jwt, "password", "canary"}, {"token", jwt, "password_file", "password"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    dl_auth_config_t *config = dl_auth_config_new();
    subject = pairs[i].other;
    set_option(config, pairs[i].key, pairs[i].value);
    set_option(config, pairs[i].other, pairs[i].other_value);
    check_new(config, DL_AUTH_E_INVALID_VALUE);
    CHECK_CONTAINS(failure.message, pairs[i].key);
    CHECK_CONTAINS(failure.message, pairs[i].other);
    dl_auth_config_free(config);
    char variable[64];
    strcpy(variable, variable_of(pairs[i].key));
    setenv(variable, pairs[i].value, 1);
    setenv(variable_of(pairs[i].other), pairs[i].other_value, 1);
    check_new(NULL, DL_AUTH_E_INVALID_VALUE);
    CHECK_CONTAINS(failure.message, variable);
    unsetenv(variable_of(pairs[i].other));
    unsetenv(variable);
  }
  subject = "";
}

/* Sets the environment variables that work with the gate, or removes them. */
static void use_environment(bool use) {
  static const char *const given[][2] = {
    {"DL_AUTH_URL", "GATE_URL"}, {"DL_AUTH_CA_FILE", "GATE_CA_FILE"}, {"DL_AUTH_USERNAME", "GATE_USERNAME"},
    {"DL_AUTH_PASSWORD", "GATE_PASSWORD"},
  };
  /* The same values as `be_patient` in gate.h. */
  static const char *const fixed[][2] = {
    {"DL_AUTH_TLS_ROOTS", "ca_file_only"}, {"DL_AUTH_WAIT", "10m"}, {"DL_AUTH_CONNECT_TIMEOUT", "5m"},
    {"DL_AUTH_TIMEOUT", "10m"},
  };
  for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
    if (use) setenv(given[i][0], gate(given[i][1]), 1);
    else unsetenv(given[i][0]);
  }
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    if (use) setenv(fixed[i][0], fixed[i][1], 1);
    else unsetenv(fixed[i][0]);
  }
}

/* Makes a handle from the environment and at most one option, asks for a token, and frees the handle. */
static void check_token(dl_auth_status_t wanted, const char *key, const char *value) {
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth;
  char token[DL_AUTH_TOKEN_MAX];
  set_option(config, "max_attempts", "1");
  if (key) set_option(config, key, value);
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure)) == DL_AUTH_OK) {
    if (CHECK_STATUS(wanted, dl_auth_token(auth, token, sizeof token, NULL, &failure)) == DL_AUTH_OK) seen(token);
    dl_auth_free(auth);
  }
  dl_auth_config_free(config);
}

static void the_environment_alone_is_enough(void) {
  use_environment(true);
  setenv("DL_AUTH_REFRESH_AT", "", 1); /* treated as unset */
  setenv("DL_AUTH_UNHEARD_OF", "canary", 1); /* not a variable of the library */
  dl_auth_t *auth;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(NULL, &auth, &failure));
  setenv("DL_AUTH_URL", "canary", 1); /* dl_auth_new has read it; it is not read again */
  setenv("DL_AUTH_PASSWORD", "canary", 1);
  token_of(auth);
  dl_auth_free(auth);
  unsetenv("DL_AUTH_UNHEARD_OF");
  unsetenv("DL_AUTH_REFRESH_AT");
  use_environment(false);
}

static void an_option_by_call_wins_over_the_environment(void) {
  use_environment(true);
  setenv("DL_AUTH_REFRESH_AT", "canary", 1); /* not even read */
  check_token(DL_AUTH_OK, "refresh_at", "0.5");
  unsetenv("DL_AUTH_REFRESH_AT");
  setenv("DL_AUTH_USERNAME", "canary-wrong", 1);
  check_token(DL_AUTH_E_DENIED, NULL, NULL);
  check_token(DL_AUTH_OK, "username", gate("GATE_USERNAME")); /* the password still comes from the environment */
  use_environment(false);
}

static void an_option_of_a_pair_hides_the_pair_of_the_weaker_source(void) {
  char jwt[128];
  use_environment(true);

  /* `url` from the environment and `environment` by call: the credentials go only to the gate of the call. */
  reset_gate();
  check_token(DL_AUTH_E_UNREACHABLE, "environment", "local");
  CHECK_CONTAINS(failure.message, "localhost:8443");
  CHECK_NUMBER(0, count("connections"));
  /* `environment` from the environment and `url` by call. */
  unsetenv("DL_AUTH_URL");
  setenv("DL_AUTH_ENVIRONMENT", "local", 1);
  check_token(DL_AUTH_OK, "url", gate("GATE_URL"));
  /* Both from one source: `url` wins, because it is more exact. */
  setenv("DL_AUTH_URL", gate("GATE_URL"), 1);
  check_token(DL_AUTH_OK, NULL, NULL);
  unsetenv("DL_AUTH_ENVIRONMENT");

  /* `password` and `password_file`. */
  setenv("DL_AUTH_PASSWORD", "canary-wrong", 1);
  file_with("right", gate("GATE_PASSWORD"), strlen(gate("GATE_PASSWORD")));
  check_token(DL_AUTH_OK, "password_file", "right");
  unsetenv("DL_AUTH_PASSWORD");
  setenv("DL_AUTH_PASSWORD_FILE", "missing", 1);
  check_token(DL_AUTH_OK, "password", gate("GATE_PASSWORD"));
  unsetenv("DL_AUTH_PASSWORD_FILE");

  /* `token` by call hides the environment's credentials. Credentials by call hide the environment's `token`. */
  use_environment(true);
  reset_gate();
  make_jwt("{\"exp\":4102444800}", jwt);
  check_token(DL_AUTH_OK, "token", jwt);
  CHECK_NUMBER(0, count("requests"));
  unsetenv("DL_AUTH_USERNAME");
  unsetenv("DL_AUTH_PASSWORD");
  setenv("DL_AUTH_TOKEN", jwt, 1);
  check_token(DL_AUTH_OK, NULL, NULL);
  CHECK_NUMBER(0, count("requests"));
  dl_auth_config_t *config = gate_config();
  dl_auth_t *auth;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure));
  CHECK(strcmp(token_of(auth), jwt) != 0);
  CHECK_NUMBER(1, count("logins"));
  dl_auth_free(auth);
  dl_auth_config_free(config);
  unsetenv("DL_AUTH_TOKEN");
  use_environment(false);
}

static void a_variable_that_is_not_utf8_is_refused(void) {
  use_environment(true);
  setenv("DL_AUTH_PASSWORD", "canary\xff", 1);
  check_new(NULL, DL_AUTH_E_INVALID_VALUE);
  CHECK_CONTAINS(failure.message, "DL_AUTH_PASSWORD");
  CHECK_CONTAINS(failure.message, "UTF-8");
  use_environment(false);
}

static void a_password_file_may_have_one_line_end_and_may_be_a_link(void) {
  static const char *const ends[] = {"", "\n", "\r\n"};
  char text[256];
  use_environment(true);
  unsetenv("DL_AUTH_PASSWORD");
  for (size_t i = 0; i < 3; i++) {
    snprintf(text, sizeof text, "%s%s", gate("GATE_PASSWORD"), ends[i]);
    check_token(DL_AUTH_OK, "password_file", file_with("right", text, strlen(text)));
  }
  if (symlink("right", "mounted")) give_up("cannot make a link"); /* Kubernetes mounts a secret like this */
  check_token(DL_AUTH_OK, "password_file", "mounted");
  snprintf(text, sizeof text, "%s\n\n", gate("GATE_PASSWORD")); /* only one line end is removed, not two */
  check_token(DL_AUTH_E_DENIED, "password_file", file_with("right", text, strlen(text)));
  use_environment(false);
}

/* A program may never write to a pipe, and a device may have no end. */
static void only_regular_files_are_read(void) {
  static const char *const paths[] = {"/dev/zero", "/dev/null", "pipe", "."};
  static const char *const keys[] = {"ca_file", "password_file"};
  if (mkfifo("pipe", 0600)) give_up("cannot make a pipe");
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    subject = paths[i];
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      dl_auth_config_t *config = dl_auth_config_new();
      set_option(config, "username", "canary");
      if (k == 0) set_option(config, "password", "canary");
      set_option(config, keys[k], paths[i]);
      check_new(config, DL_AUTH_E_INVALID_VALUE);
      CHECK_CONTAINS(failure.message, "regular file");
      CHECK_CONTAINS(failure.message, paths[i]);
      dl_auth_config_free(config);
    }
  }
  subject = "";
}

static void the_options_select_the_root_certificates(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  set_option(config, "username", "canary");
  set_option(config, "password", "canary");
  set_option(config, "tls_roots", "ca_file_only");
  check_new(config, DL_AUTH_E_INVALID_VALUE); /* no ca_file is set */
  CHECK_CONTAINS(failure.message, "ca_file");
  dl_auth_config_free(config);

  use_environment(true);
  unsetenv("DL_AUTH_CA_FILE");
  check_token(DL_AUTH_E_TLS, "tls_roots", "bundled");
  CHECK_CONTAINS(failure.message, "ca_file");
  setenv("SSL_CERT_FILE", gate("GATE_CA_FILE"), 1);
  check_token(DL_AUTH_OK, "tls_roots", "system");
  check_token(DL_AUTH_OK, "tls_roots", "auto");
  check_token(DL_AUTH_E_TLS, "tls_roots", "bundled");
  setenv("SSL_CERT_FILE", "missing", 1);
  check_token(DL_AUTH_E_TLS, "tls_roots", "system");
  CHECK_CONTAINS(failure.message, "missing");
  unsetenv("SSL_CERT_FILE");
  use_environment(false);
}

static void a_second_value_replaces_the_first_and_a_refused_one_changes_nothing(void) {
  dl_auth_config_t *config = gate_config();
  dl_auth_t *auth;
  set_option(config, "password", "canary-wrong");
  set_option(config, "password", gate("GATE_PASSWORD"));
  CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set(config, "password", "", &failure));
  CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set(config, "timeout", "canary", &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure));
  set_option(config, "password", "canary-wrong"); /* too late for the handle: it has its own copy */
  token_of(auth);
  dl_auth_free(auth);
  dl_auth_config_free(config);
}

static void the_user_agent_names_the_library_and_its_user(void) {
  dl_auth_t *auth = open_gate("user_agent", "robot/1 (arm)", NULL);
  token_of(auth);
  CHECK_CONTAINS(last_request(), "\"dl_auth/" DL_AUTH_VERSION " robot/1 (arm)\"");
  dl_auth_free(auth);
}

int main(void) {
  begin();
  write_the_files();
  each_key_is_in_the_list_once();
  an_unknown_key_is_refused_and_the_nearest_key_is_named();
  a_range_includes_its_ends_and_a_value_outside_it_is_refused_with_the_range();
  each_refused_value_is_reported_with_its_key_and_source();
  a_message_states_what_is_wrong();
  http_needs_allow_http_and_a_loopback_address();
  missing_credentials_are_named();
  a_store_is_checked_for_its_form_and_not_opened();
  each_refresh_mode_is_accepted();
  two_conflicting_options_from_one_source_are_refused();
  the_environment_alone_is_enough();
  an_option_by_call_wins_over_the_environment();
  an_option_of_a_pair_hides_the_pair_of_the_weaker_source();
  a_variable_that_is_not_utf8_is_refused();
  a_password_file_may_have_one_line_end_and_may_be_a_link();
  only_regular_files_are_read();
  the_options_select_the_root_certificates();
  a_second_value_replaces_the_first_and_a_refused_one_changes_nothing();
  the_user_agent_names_the_library_and_its_user();
  return done();
}
