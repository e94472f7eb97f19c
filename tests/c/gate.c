/* The table of the gate's misbehaviours: what the gate does, and what the caller gets.
 *
 * Each row has its own handle and its own password, with one attempt per refresh. So the number of requests is known,
 * and a refused password does not affect the next row. */
#include "gate.h"

/* A row that does not set `requests` expects one request. */
enum { NO_REQUEST = -1 };

struct row {
  const char *name;
  const char *plan;      /* a behaviour; NULL: the gate behaves well */
  dl_auth_status_t status;
  uint32_t http_status;
  const char *word;      /* the message contains it */
  const char *key, *value; /* an option; a value that begins with GATE_ is looked up in the gate's environment */
  int requests;
  const char *settings;  /* settings of the gate */
  const char *limit;     /* the option whose time limit must expire */
};

#define ROW(n, p, s, h, w) {.name = n, .plan = p, .status = s, .http_status = h, .word = w}
#define ROW_WITH(n, p, s, h, w, ...) {.name = n, .plan = p, .status = s, .http_status = h, .word = w, __VA_ARGS__}
#define HTML "'content_type':'text/html','body':'<html>Access to canary is blocked</html>'"
#define OK_WITH(fields) "{'do':'ok'," fields "}"
#define STATUS(number) "{'do':'status','status':" #number "}"
#define DENIED DL_AUTH_E_DENIED
#define BAD DL_AUTH_E_BAD_RESPONSE
#define UNREACHABLE DL_AUTH_E_UNREACHABLE

static const struct row rows[] = {
  ROW("a well-behaved gate", NULL, DL_AUTH_OK, 0, ""),

  /* Refusals: a 401, or a 400 or 403 with a JSON object. */
  ROW_WITH("a wrong password", NULL, DENIED, 401, "Wrong email or password", .key = "password", .value = "canary-wrong"),
  ROW_WITH("an unknown user", NULL, DENIED, 401, "`username` and `password`", .key = "username", .value = "canary-unknown"),
  ROW("400 in JSON", "{'do':'status','status':400,'body':'{\\'message\\':\\'no such thing\\'}'}", DENIED, 400, "no such thing"),
  ROW("401 in JSON", "{'do':'status','status':401,'body':'{\\'error\\':\\'invalid_grant\\',\\'error_description\\':\\'go away\\'}'}", DENIED, 401, "go away"),
  ROW("403 in JSON", "{'do':'status','status':403,'body':'{\\'error\\':\\'locked\\'}'}", DENIED, 403, "locked"),
  ROW("403 with no reason", "{'do':'status','status':403,'body':'{}'}", DENIED, 403, "HTTP 403"),
  ROW("401 in HTML", "{'do':'status','status':401," HTML "}", DENIED, 401, "HTTP 401"),
  ROW("401 without a body", "{'do':'status','status':401,'body':''}", DENIED, 401, "HTTP 401"),
  ROW("400 in HTML", "{'do':'status','status':400," HTML "}", DL_AUTH_E_GATE, 400, "proxy"),
  ROW("403 in HTML", "{'do':'status','status':403," HTML "}", DL_AUTH_E_GATE, 403, "proxy"),
  ROW("403 without a body", "{'do':'status','status':403,'body':''}", DL_AUTH_E_GATE, 403, "proxy"),
  ROW("403 with a JSON array", "{'do':'status','status':403,'body':'[]'}", DL_AUTH_E_GATE, 403, "proxy"),

  /* Other statuses. */
  ROW("404", STATUS(404), BAD, 404, "`url`"),
  ROW_WITH("404 of the gate itself", NULL, BAD, 404, "`url`", .key = "url", .value = "GATE_WRONG_PATH", .requests = NO_REQUEST),
  ROW("405", STATUS(405), BAD, 405, "405"),
  ROW("407 of the gate", STATUS(407), UNREACHABLE, 407, "`proxy=http:"),
  ROW("408", STATUS(408), DL_AUTH_E_GATE, 408, "408"),
  ROW("410", STATUS(410), BAD, 410, "410"),
  ROW("418", STATUS(418), BAD, 418, "418"),
  ROW("421", STATUS(421), BAD, 421, "421"),
  ROW("425", STATUS(425), DL_AUTH_E_GATE, 425, "425"),
  ROW("429", STATUS(429), DL_AUTH_E_RATE_LIMITED, 429, "429"),
  ROW("451", STATUS(451), BAD, 451, "451"),
  ROW("500", STATUS(500), DL_AUTH_E_GATE, 500, "500"),
  ROW("500 in HTML", "{'do':'status','status':500," HTML "}", DL_AUTH_E_GATE, 500, "500"),
  ROW("501", STATUS(501), DL_AUTH_E_GATE, 501, "501"),
  ROW("502", STATUS(502), DL_AUTH_E_GATE, 502, "502"),
  ROW("503", STATUS(503), DL_AUTH_E_GATE, 503, "503"),
  ROW("504", STATUS(504), DL_AUTH_E_GATE, 504, "504"),
  ROW("599", STATUS(599), DL_AUTH_E_GATE, 599, "599"),
  ROW("600", STATUS(600), BAD, 600, "600"),
  ROW("999", STATUS(999), BAD, 999, "999"),
  ROW("204", STATUS(204), BAD, 204, "empty"),
  ROW("304", STATUS(304), BAD, 304, "redirect"),

  /* Redirects are never followed: the password is not sent to another URL. */
#define REDIRECT(number, to) \
  ROW(#number " to " to, "{'do':'status','status':" #number ",'headers':{'Location':'" to "'}}", BAD, number, "redirect")
  REDIRECT(300, "/elsewhere"), REDIRECT(301, "/elsewhere"), REDIRECT(302, "/elsewhere"), REDIRECT(303, "/elsewhere"),
  REDIRECT(307, "/elsewhere"), REDIRECT(308, "/elsewhere"), REDIRECT(307, "https://canary.invalid/elsewhere"),
  ROW("307 without a location", STATUS(307), BAD, 307, "redirect"),

  /* Answers with status 200 that are not valid. */
  ROW("a captive portal's page", "{'do':'html'}", BAD, 200, "not JSON"),
  ROW("an empty body", "{'do':'empty'}", BAD, 200, "empty"),
  ROW("bytes that are not UTF-8", "{'do':'bad_utf8'}", BAD, 200, "not JSON"),
  ROW("gzip that was not requested", OK_WITH("'encoding':'gzip'"), BAD, 200, "gzip"),
  ROW("not HTTP", "{'do':'garbage'}", BAD, 0, "HTTP/1.1"),
  ROW("a JSON array", "{'do':'status','status':200,'body':'[]'}", BAD, 200, "id_token"),
  ROW("a JSON string", "{'do':'status','status':200,'body':'\\'canary\\''}", BAD, 200, "id_token"),
  ROW("half of a JSON object", "{'do':'status','status':200,'body':'{\\'id_token\\':\\'canary'}", BAD, 200, "not JSON"),
  ROW("a body of 64 KiB", "{'do':'overlong','bytes':65536}", DL_AUTH_OK, 0, ""),
  ROW("a body of 64 KiB and one byte", "{'do':'overlong','bytes':65537}", BAD, 0, "64 KiB"),
  ROW("a body of 1 MiB", "{'do':'overlong'}", BAD, 0, "64 KiB"),
  ROW("headers of 1 MiB", "{'do':'overlong_headers'}", BAD, 0, "header"),

  /* The token. */
  ROW("no id_token", OK_WITH("'omit_id_token':true"), BAD, 200, "id_token"),
  ROW("id_token null", OK_WITH("'id_token':null"), BAD, 200, "id_token"),
  ROW("id_token a number", OK_WITH("'id_token':17"), BAD, 200, "not a string"),
  ROW("id_token an object", OK_WITH("'id_token':{'canary':1}"), BAD, 200, "not a string"),
  ROW("id_token empty", OK_WITH("'id_token':''"), BAD, 200, "JWT"),
  ROW("id_token that is not a JWT", OK_WITH("'id_token':'canary'"), BAD, 200, "JWT"),
  ROW("id_token of two parts", OK_WITH("'id_token':'canary.canary'"), BAD, 200, "three parts"),
  ROW("id_token without JSON", OK_WITH("'id_token':'canary.canary.canary'"), BAD, 200, "JSON"),
  ROW("id_token with a line break", OK_WITH("'id_token':'e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln\\r\\nX-Canary: 1'"), BAD, 200, "signature"),
  ROW("id_token of 8191 bytes", OK_WITH("'pad_to':8191"), DL_AUTH_OK, 0, ""),
  ROW("id_token of 8192 bytes", OK_WITH("'pad_to':8192"), BAD, 200, "8191"),
  ROW("no exp", OK_WITH("'omit':['exp']"), BAD, 200, "exp"),
  ROW("exp null", OK_WITH("'exp':null"), BAD, 200, "exp"),
  ROW("exp a string", OK_WITH("'exp':'4102444800'"), BAD, 200, "exp"),
  ROW("exp a boolean", OK_WITH("'exp':true"), BAD, 200, "exp"),
  ROW("exp a float", OK_WITH("'exp':4102444800.5"), DL_AUTH_OK, 0, ""),
  ROW("exp in the last second of 9999", OK_WITH("'exp':253402300799"), DL_AUTH_OK, 0, ""),
  ROW("exp in the year 10000", OK_WITH("'exp':253402300800"), BAD, 200, "exp"),
  ROW("exp huge", OK_WITH("'exp':1e300"), BAD, 200, "exp"),
  ROW("exp in milliseconds", OK_WITH("'exp':4102444800000"), BAD, 200, "exp"),
  ROW("exp past", OK_WITH("'exp':1700000000"), BAD, 200, "expired"),
  ROW("exp now", OK_WITH("'lifetime':0"), BAD, 200, "expired"),
  ROW("exp before iat", OK_WITH("'lifetime':-60"), BAD, 200, "expired"),
  ROW("exp negative", OK_WITH("'exp':-1"), BAD, 200, "exp"),
  ROW("exp zero", OK_WITH("'exp':0"), BAD, 200, "exp"),

  /* Unusual, but valid. */
  ROW("a chunked body", OK_WITH("'encoding':'chunked'"), DL_AUTH_OK, 0, ""),
  ROW("a connection that closes after the answer", OK_WITH("'close_after':true"), DL_AUTH_OK, 0, ""),
  ROW("no iat", OK_WITH("'omit':['iat']"), DL_AUTH_OK, 0, ""),
  ROW("an iat that is not a number", OK_WITH("'iat':'canary'"), DL_AUTH_OK, 0, ""),
  ROW("an iat of 1970", OK_WITH("'iat':0"), DL_AUTH_OK, 0, ""),
  ROW("an iat in the future", OK_WITH("'iat':4000000000"), DL_AUTH_OK, 0, ""),
  ROW("no e-mail in the claims", OK_WITH("'omit':['email','name','sub','iss','aud','jti']"), DL_AUTH_OK, 0, ""),
  ROW("no refresh token", OK_WITH("'omit_refresh_token':true"), DL_AUTH_OK, 0, ""),
  ROW("a refresh token that is null", OK_WITH("'refresh_token':null"), DL_AUTH_OK, 0, ""),
  ROW("a refresh token that is a number", OK_WITH("'refresh_token':5"), DL_AUTH_OK, 0, ""),
  ROW("more fields", OK_WITH("'extra':{'canary':{'a':[1,2,{'b':null}]},'expires_in':'soon'}"), DL_AUTH_OK, 0, ""),
  ROW_WITH("no Date header", NULL, DL_AUTH_OK, 0, "", .settings = "{'send_date':false}"),
  ROW_WITH("a gate whose clock is a year ahead", NULL, DL_AUTH_OK, 0, "", .settings = "{'date_offset':31536000,'iat_offset':31536000}"),
  ROW_WITH("a gate whose clock is a year behind", NULL, DL_AUTH_OK, 0, "", .settings = "{'date_offset':-31536000,'iat_offset':-31536000}"),
  ROW_WITH("a Date three years ahead", NULL, DL_AUTH_OK, 0, "", .settings = "{'date_offset':94608000}"),
  ROW_WITH("a Date three years behind", NULL, DL_AUTH_OK, 0, "", .settings = "{'date_offset':-94608000}"),
  ROW_WITH("a token that has expired by the gate's clock", NULL, BAD, 200, "by the gate's own clock", .settings = "{'lifetime':120,'date_offset':240}"),
  ROW_WITH("an old token that has expired", NULL, BAD, 200, "by the gate's own clock", .settings = "{'lifetime':3600,'iat_offset':-3660}"),
  ROW_WITH("an old token that has expired, without a Date", NULL, BAD, 200, "by this machine's clock", .settings = "{'lifetime':3600,'iat_offset':-3660,'send_date':false}"),
  ROW_WITH("an old token that has expired, with a Date of 1997", NULL, BAD, 200, "by this machine's clock", .settings = "{'lifetime':3600,'iat_offset':-3660,'date_offset':-922000000}"),

  /* The connection. */
  ROW("a reset before the answer", "{'do':'reset'}", UNREACHABLE, 0, "localhost"),
  ROW("a reset in the headers", "{'do':'reset','after':20}", UNREACHABLE, 0, "localhost"),
  ROW("a reset in the body", "{'do':'reset','after':400}", UNREACHABLE, 0, "localhost"),
  ROW("a close before the answer", "{'do':'close'}", UNREACHABLE, 0, "localhost"),
  ROW("a body that ends too soon", "{'do':'truncated'}", UNREACHABLE, 0, "localhost"),
  ROW_WITH("no answer", "{'do':'hang'}", DL_AUTH_E_TIMEOUT, 0, "`timeout`", .limit = "timeout"),
  ROW_WITH("a slow answer", "{'do':'slow','bytes':1,'delay_ms':1000}", DL_AUTH_E_TIMEOUT, 0, "`timeout`", .limit = "timeout"),
  ROW("a slow answer within the time limit", "{'do':'slow','bytes':256,'delay_ms':1}", DL_AUTH_OK, 0, ""),
  ROW_WITH("only a connection", NULL, DL_AUTH_E_TIMEOUT, 0, "`connect_timeout`", .key = "url", .value = "GATE_SILENT_URL", .requests = NO_REQUEST, .limit = "connect_timeout"),
  ROW_WITH("a closed port", NULL, UNREACHABLE, 0, "refused", .key = "url", .value = "GATE_REFUSED_URL", .requests = NO_REQUEST),
  ROW_WITH("a host name that does not exist", NULL, UNREACHABLE, 0, "resolved", .key = "url", .value = "https://unknown.invalid/", .requests = NO_REQUEST),

  /* TLS. */
  ROW_WITH("a certificate for another host", NULL, DL_AUTH_E_TLS, 0, "another host", .key = "url", .value = "GATE_WRONG_HOST_URL", .requests = NO_REQUEST),
  ROW_WITH("a certificate that has expired", NULL, DL_AUTH_E_TLS, 0, "expired", .key = "url", .value = "GATE_EXPIRED_URL", .requests = NO_REQUEST),
  ROW_WITH("a certificate that is not signed by a root", NULL, DL_AUTH_E_TLS, 0, "ca_file", .key = "url", .value = "GATE_SELF_SIGNED_URL", .requests = NO_REQUEST),
  ROW_WITH("a port that speaks HTTP", NULL, DL_AUTH_E_TLS, 0, "https", .key = "url", .value = "GATE_HTTP_AS_HTTPS", .requests = NO_REQUEST),

  /* The proxy. */
#define PROXY(behaviour) \
  .key = "proxy", .value = "GATE_PROXY_URL", .requests = NO_REQUEST, .settings = "{'proxy_plan':[" behaviour "]}"
  ROW_WITH("a proxy", NULL, DL_AUTH_OK, 0, "", .key = "proxy", .value = "GATE_PROXY_URL"),
  ROW_WITH("a proxy with a user", NULL, DL_AUTH_OK, 0, "", .key = "proxy", .value = "GATE_PROXY_WITH_USER"),
  ROW_WITH("a proxy that requires a user", NULL, UNREACHABLE, 407, "127.0.0.1", PROXY(STATUS(407))),
  ROW_WITH("a proxy that requires another user", NULL, UNREACHABLE, 407, "`proxy`", .key = "proxy", .value = "GATE_PROXY_WITH_USER", .requests = NO_REQUEST, .settings = "{'proxy_plan':[" STATUS(407) "]}"),
  ROW_WITH("a proxy that forbids", NULL, UNREACHABLE, 403, "127.0.0.1", PROXY(STATUS(403))),
  ROW_WITH("a proxy that fails", NULL, UNREACHABLE, 502, "127.0.0.1", PROXY(STATUS(502))),
  ROW_WITH("a proxy that redirects", NULL, UNREACHABLE, 302, "127.0.0.1", PROXY("{'do':'status','status':302,'headers':{'Location':'/elsewhere'}}")),
  ROW_WITH("a proxy that closes", NULL, UNREACHABLE, 0, "127.0.0.1", PROXY("{'do':'close'}")),
  ROW_WITH("a proxy that resets", NULL, UNREACHABLE, 0, "127.0.0.1", PROXY("{'do':'reset'}")),
  ROW_WITH("a proxy that hangs", NULL, DL_AUTH_E_TIMEOUT, 0, "127.0.0.1", PROXY("{'do':'hang'}"), .limit = "connect_timeout"),
  ROW_WITH("a proxy on a closed port", NULL, UNREACHABLE, 0, "proxy", .key = "proxy", .value = "GATE_REFUSED_PROXY", .requests = NO_REQUEST),
};

/* More addresses, derived from the addresses of the gate. */
static void make_more_addresses(void) {
  char address[256];
  snprintf(address, sizeof address, "https%s", gate("GATE_HTTP_URL") + 4);
  setenv("GATE_HTTP_AS_HTTPS", address, 1);
  snprintf(address, sizeof address, "http://canary:canary@%s", gate("GATE_PROXY_URL") + 7);
  setenv("GATE_PROXY_WITH_USER", address, 1);
  snprintf(address, sizeof address, "http%.*s", (int)(strchr(gate("GATE_REFUSED_URL") + 8, '/') - gate("GATE_REFUSED_URL") - 5), gate("GATE_REFUSED_URL") + 5);
  setenv("GATE_REFUSED_PROXY", address, 1);
  snprintf(address, sizeof address, "%.*s/not/here/token", (int)(strchr(gate("GATE_URL") + 8, '/') - gate("GATE_URL")), gate("GATE_URL"));
  setenv("GATE_WRONG_PATH", address, 1);
}

static const char *value_of(const struct row *row) {
  return strncmp(row->value, "GATE_", 5) == 0 ? gate(row->value) : row->value;
}

/* A handle for the row. If the row names a limit, that option is set to this number of seconds. */
static dl_auth_t *open_for(const struct row *row, int seconds) {
  char limit[16];
  snprintf(limit, sizeof limit, "%ds", seconds);
  dl_auth_config_t *config = gate_config();
  dl_auth_t *auth;
  set_option(config, "password", new_password());
  if (row->key) set_option(config, row->key, value_of(row));
  if (row->limit) set_option(config, row->limit, limit);
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("cannot make a handle");
  dl_auth_config_free(config);
  return auth;
}

/* Until the pause that the failure reported is over, each call returns the same error without a request. */
static void check_that_it_repeats(const struct row *row, const dl_auth_t *auth) {
  char token[DL_AUTH_TOKEN_MAX] = "old", message[sizeof failure.message];
  strcpy(message, failure.message);
  expect_failure();
  dl_auth_status_t status = dl_auth_token(auth, token, sizeof token, NULL, &failure);
  dl_auth_error_t again = failure;
  dl_auth_info_t info = info_of(auth);
  if (row->status == DENIED) {
    CHECK_NUMBER(DL_AUTH_ACTIVITY_DENIED, info.activity);
    CHECK(info.retry_in_ms > 0 && info.retry_in_ms <= FIRST_REFUSAL_MS);
  } else if (info.generation || info.failures > 1) {
    if (status == DL_AUTH_OK) seen(token);
    return; /* on a slow machine, the cooldown was already over */
  }
  CHECK_NUMBER(row->status, status);
  CHECK_NUMBER(row->http_status, again.http_status);
  CHECK_TEXT(message, again.message);
  CHECK_NUMBER(0, token[0]);
  CHECK_NUMBER(0, info.generation);
  CHECK_NUMBER(1, info.failures);
}

static void each_misbehaviour_returns_its_status(void) {
  for (const struct row *row = rows; row < rows + sizeof rows / sizeof *rows; row++) {
    char token[DL_AUTH_TOKEN_MAX] = "old";
    bool works = row->status == DL_AUTH_OK;
    dl_auth_t *auth;
    dl_auth_status_t status;
    subject = row->name;
    for (int seconds = 2;; seconds *= 2) {
      reset_gate();
      if (row->settings) set_gate(row->settings);
      if (row->plan) plan(row->plan);
      auth = open_for(row, seconds);
      expect_failure();
      status = dl_auth_token(auth, token, sizeof token, NULL, &failure);
      if (!row->limit || row->requests == NO_REQUEST || count("requests")) break;
      dl_auth_free(auth); /* the machine was too busy to send the request within the limit */
    }
    check_status(__FILE__, __LINE__, "dl_auth_token", row->status, status);
    if (works) {
      seen(token);
    } else {
      CHECK_NUMBER(0, token[0]);
      CHECK_NUMBER(row->http_status, failure.http_status);
      CHECK_RETRY_WITHIN(row->status == DENIED ? FIRST_REFUSAL_MS : FIRST_COOLDOWN_MS);
      CHECK_CONTAINS(failure.message, row->word);
    }
    dl_auth_error_t first = failure;
    dl_auth_info_t info = info_of(auth);
    CHECK_NUMBER(works, info.generation);
    CHECK_NUMBER(works ? DL_AUTH_STATE_FRESH : DL_AUTH_STATE_EMPTY, info.state);
    CHECK_NUMBER(!works, info.failures);
    CHECK_NUMBER(row->status, info.last_status);
    CHECK_NUMBER(row->http_status, info.last_http_status);
    CHECK_NUMBER(row->requests == NO_REQUEST ? 0 : 1, count("requests"));
    CHECK_NUMBER(0, count("redirected_hits"));
    CHECK(count("connections") <= 1);
    failure = first;
    if (!works) check_that_it_repeats(row, auth);
    dl_auth_free(auth);
  }
  subject = "";
}

/* Fields that the library does not use may hold text that a strict parser refuses. The claims are returned
 * unchanged. */
static void a_token_is_found_in_any_valid_json(void) {
  static const char claims[] = "{\"exp\":4102444800,\"name\":\"Zaphod \\ud83d\",\"\\udc00\":1e99999,\"name\":[[[]]]}";
  static const char *const bodies[] = {
      "{\\'id_token\\':\\'%s\\'}",
      "\\ufeff{\\'id_token\\':\\'%s\\'}",
      "{\\'id_token\\':\\'%s\\',\\'name\\':\\'\\\\ud800\\'}",
      "{\\'\\\\udfff\\':{\\'\\\\ud800\\':[\\'\\\\ud800\\',1e99999]},\\'id_token\\':\\'%s\\'}",
      "{\\'id_token\\':\\'%s\\',\\'refresh_token\\':\\'\\\\ud800\\'}",
      "{\\'id_token\\':\\'\\\\ud800\\',\\'id\\\\u005ftoken\\':\\'%s\\'}",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    char jwt[512], body[1024], behaviour[1200], token[DL_AUTH_TOKEN_MAX], told[sizeof claims];
    subject = bodies[i];
    reset_gate();
    make_jwt(claims, jwt);
    snprintf(body, sizeof body, bodies[i], jwt);
    snprintf(behaviour, sizeof behaviour, "{'do':'status','status':200,'body':'%s'}", body);
    plan(behaviour);
    dl_auth_t *auth = open_gate("password", new_password(), NULL);
    if (CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, token, sizeof token, NULL, &failure)) == DL_AUTH_OK) {
      CHECK_TEXT(jwt, token);
      CHECK_STATUS(DL_AUTH_OK, dl_auth_claims(auth, told, sizeof told, NULL, &failure));
      CHECK_TEXT(claims, told);
    }
    dl_auth_free(auth);
  }
  subject = "";
}

/* A token expires at `exp`, whatever `Date` says, and also without `Date`. */
static void a_wrong_date_header_does_not_move_the_expiry(void) {
  static const struct { const char *settings, *plan; int64_t most_s; } answers[] = {
      {"{'lifetime':86400,'date_offset':94608000}", NULL, 86400},
      {"{'lifetime':86400,'date_offset':-94608000}", NULL, 86400},
      {"{'lifetime':86400,'send_date':false}", NULL, 86400},
      {"{'lifetime':86400,'send_date':false}", "{'do':'ok','omit':['iat']}", 86400},
      {"{'lifetime':86400,'date_offset':-922000000}", "{'do':'ok','omit':['iat']}", 86400},
      {"{'lifetime':86400,'send_date':false}", "{'do':'ok','iat':4000000000}", 86400},
      {"{'lifetime':86400,'iat_offset':-80000,'send_date':false}", NULL, 6400},
      {"{'lifetime':86400,'iat_offset':-80000,'date_offset':94608000}", NULL, 6400},
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    subject = answers[i].settings;
    reset_gate();
    set_gate(answers[i].settings);
    if (answers[i].plan) plan(answers[i].plan);
    dl_auth_t *auth = open_gate("password", new_password(), NULL);
    token_of(auth);
    int64_t left_s = info_of(auth).expires_in_ms / 1000;
    CHECK(left_s <= answers[i].most_s && left_s > answers[i].most_s - 3600); /* a slow machine uses some of it */
    dl_auth_free(auth);
  }
  subject = "";
}

static void a_chunked_body_is_limited_too(void) {
  char token[DL_AUTH_TOKEN_MAX], *large = calloc(1, 70100);
  int head = sprintf(large, "{'do':'ok','encoding':'chunked','extra':{'canary':'");
  memset(large + head, 'x', 70000);
  strcpy(large + head + 70000, "'}}");
  reset_gate();
  plan(large);
  dl_auth_t *auth = open_gate(NULL);
  CHECK_STATUS(BAD, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_CONTAINS(failure.message, "64 KiB");
  dl_auth_free(auth);
  free(large);
}

/* The gate says when to try again. Until then each call returns the same error immediately, without a request. */
static void retry_after_is_obeyed_without_another_request(void) {
  static const struct { const char *plan; dl_auth_status_t status; uint32_t http; uint64_t least, most; } waits[] = {
    {"{'do':'status','status':429,'headers':{'Retry-After':'600'}}", DL_AUTH_E_RATE_LIMITED, 429, 400000, 600000},
    {"{'do':'status','status':429,'retry_after_date_in':600}", DL_AUTH_E_RATE_LIMITED, 429, 400000, 601000},
    {"{'do':'status','status':503,'headers':{'Retry-After':'600'}}", DL_AUTH_E_GATE, 503, 400000, 600000},
    {"{'do':'status','status':503,'retry_after_date_in':600}", DL_AUTH_E_GATE, 503, 400000, 601000},
    {"{'do':'status','status':429,'headers':{'Retry-After':'999999'}}", DL_AUTH_E_RATE_LIMITED, 429, 3400000, 3600000},
    {"{'do':'status','status':429,'headers':{'Retry-After':'99999999999999999999999'}}", DL_AUTH_E_RATE_LIMITED, 429, 3400000, 3600000},
    {"{'do':'status','status':429,'retry_after_date_in':999999}", DL_AUTH_E_RATE_LIMITED, 429, 3400000, 3600000},
  };
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    char token[DL_AUTH_TOKEN_MAX];
    subject = waits[i].plan;
    reset_gate();
    plan(waits[i].plan);
    dl_auth_t *auth = open_gate("max_attempts", "3", NULL);
    for (int call = 0; call < 3; call++) {
      CHECK_STATUS(waits[i].status, dl_auth_token(auth, token, sizeof token, NULL, &failure));
      CHECK_NUMBER(waits[i].http, failure.http_status);
      CHECK(failure.retry_after_ms >= waits[i].least && failure.retry_after_ms <= waits[i].most);
    }
    CHECK_STATUS(waits[i].status, dl_auth_token_within(auth, 0, 0, token, sizeof token, NULL, &failure));
    dl_auth_info_t info = info_of(auth);
    CHECK_NUMBER(DL_AUTH_ACTIVITY_COOLING, info.activity);
    CHECK(info.retry_in_ms >= (int64_t)waits[i].least && info.retry_in_ms <= (int64_t)waits[i].most);
    CHECK_NUMBER(1, info.failures);
    CHECK_NUMBER(1, count("requests"));
    dl_auth_free(auth);
  }
  subject = "";
}

static void an_invalid_retry_after_leaves_the_library_s_own_cooldown(void) {
  static const char *const headers[] = {"0", "-1", "soon", "", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT"};
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    char behaviour[160], token[DL_AUTH_TOKEN_MAX];
    subject = headers[i];
    reset_gate();
    snprintf(behaviour, sizeof behaviour, "{'do':'status','status':429,'headers':{'Retry-After':'%s'}}", headers[i]);
    plan(behaviour);
    dl_auth_t *auth = open_gate(NULL);
    CHECK_STATUS(DL_AUTH_E_RATE_LIMITED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK_RETRY_WITHIN(FIRST_COOLDOWN_MS);
    dl_auth_free(auth);
  }
  subject = "";
}

/* A gate or a proxy may repeat what it received. The message redacts the secrets and keeps the words around them. */
static void secrets_that_the_gate_repeats_are_redacted(void) {
  static const char *const answers[] = {
    "{'do':'status','status':401,'body':'{\\'message\\':\\'no %s with %s here\\'}'}",
    "{'do':'status','status':403,'body':'{\\'error\\':\\'no\\',\\'error_description\\':\\'no %s with %s here\\'}'}",
    "{'do':'status','status':400,'body':'{\\'error\\':\\'no %s with %s here\\'}'}",
    "{'do':'status','status':429,'body':'{\\'message\\':\\'no %s with %s here\\'}'}",
    "{'do':'status','status':500,'body':'{\\'message\\':\\'no %s\\\\nwith %s\\\\u0000 here\\'}'}",
    "{'do':'status','status':418,'body':'{\\'message\\':\\'no %s with %s here\\'}'}",
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    char behaviour[512], token[DL_AUTH_TOKEN_MAX];
    subject = answers[i];
    reset_gate();
    const char *password = new_password();
    snprintf(behaviour, sizeof behaviour, answers[i], gate("GATE_USERNAME"), password);
    plan(behaviour);
    dl_auth_t *auth = open_gate("password", password, NULL);
    CHECK(dl_auth_token(auth, token, sizeof token, NULL, NULL) != DL_AUTH_OK);
    dl_auth_free(auth);
    password = new_password();
    snprintf(behaviour, sizeof behaviour, answers[i], gate("GATE_USERNAME"), password);
    plan(behaviour);
    auth = open_gate("password", password, NULL);
    expect_failure();
    dl_auth_status_t status = dl_auth_token(auth, token, sizeof token, NULL, &failure);
    CHECK(status != DL_AUTH_OK);
    record("CHECK_MESSAGES", failure.message);
    CHECK_CONTAINS(failure.message, " with ");
    CHECK_CONTAINS(failure.message, " here");
    CHECK(!strstr(failure.message, "canary"));
    CHECK(!strpbrk(failure.message, "\r\n"));
    CHECK_NUMBER(2, count("requests"));
    dl_auth_free(auth);
  }
  subject = "";
}

/* Writes each character of a text in this format. Without a format, each space becomes a line break. */
static const char *written(const char *text, const char *format) {
  static char result[1024];
  int length = 0;
  for (; *text; text++) {
    int room = (int)sizeof result - length;
    length += format ? snprintf(result + length, (size_t)room, format, (unsigned char)*text)
                     : snprintf(result + length, (size_t)room, *text == ' ' ? "\\\\r\\\\n" : "%c", *text);
  }
  return result;
}

/* Checks that the message has no part of what the gate repeats between these words. */
static void check_redacted(dl_auth_t *auth) {
  char token[DL_AUTH_TOKEN_MAX];
  CHECK_STATUS(DENIED, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_CONTAINS(failure.message, "no [redacted] here");
}

static void a_password_that_the_gate_repeats_in_another_encoding_is_redacted(void) {
  /* The plan is JSON and contains a body in JSON. Each of the two levels removes one backslash of two. */
  static const char *const forms[] = {
      "%%%02x",                      /* percent-encoded */
      "%%25%02X",                    /* percent-encoded twice */
      "\\\\u%04x",                   /* in JSON escapes, which the parser of the body removes */
      "\\\\\\\\u%04X",               /* in escapes that remain after that */
      "\\\\\\\\\\\\\\\\u%04x",       /* in escapes twice */
      NULL,                          /* with a line break instead of each space */
  };
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    char behaviour[2048];
    subject = forms[i] ? forms[i] : "line breaks";
    reset_gate();
    const char *password = new_password();
    snprintf(behaviour, sizeof behaviour, "{'do':'status','status':401,'body':'{\\'message\\':\\'no %s here\\'}'}",
             written(password, forms[i]));
    plan(behaviour);
    dl_auth_t *auth = open_gate("password", password, NULL);
    check_redacted(auth);
    dl_auth_free(auth);
  }
  subject = "";
}

/* The gate refuses a refresh token and then the login; the answer to the login repeats the refresh token. Or the answer
 * repeats another JWT, whose header begins with a space or a line break after the brace. */
static void a_token_that_the_gate_repeats_is_redacted(void) {
  static const char *const tokens[] = {
      "canary-refresh-token",
      "canary%2Drefresh%2dtoken",
      "eyAiYWxnIjoibm9uZSJ9.eyAiZXhwIjo0MTAyNDQ0ODAwfQ.Y2FuYXJ5LWNhbmFyeQ",
      "ewogICJhbGciOiJub25lIn0%2EeyAiZXhwIjo0MTAyNDQ0ODAwfQ%2EY2FuYXJ5LWNhbmFyeQ",
  };
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
    char behaviours[1024];
    subject = tokens[i];
    reset_gate();
    snprintf(behaviours, sizeof behaviours,
             "[{'do':'ok','lifetime':20,'refresh_token':'canary-refresh-token'},{'do':'status','status':401,'body':'{}'},"
             "{'do':'status','status':401,'body':'{\\'message\\':\\'no %s here\\'}'}]", tokens[i]);
    plan(behaviours);
    dl_auth_t *auth = open_gate("password", new_password(), NULL);
    const char *token = token_of(auth);
    wait_until_it_may_refresh(auth);
    CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, token, &failure));
    check_redacted(auth);
    CHECK_NUMBER(3, count("requests"));
    CHECK(!strstr(failure.message, "Y2Fu") && !strstr(failure.message, "YWxn"));
    dl_auth_free(auth);
  }
  subject = "";
}

static void a_long_message_of_the_gate_is_cut(void) {
  char behaviour[4096], token[DL_AUTH_TOKEN_MAX];
  int head = sprintf(behaviour, "{'do':'status','status':500,'body':'{\\'message\\':\\'");
  for (int i = 0; i < 1000; i++) head += sprintf(behaviour + head, "\xe2\x82\xac");
  strcpy(behaviour + head, "\\'}'}");
  reset_gate();
  plan(behaviour);
  dl_auth_t *auth = open_gate(NULL);
  CHECK_STATUS(DL_AUTH_E_GATE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
  CHECK_CONTAINS(failure.message, "500");
  dl_auth_free(auth);
}

static void a_temporary_failure_is_retried_and_a_permanent_one_is_not(void) {
  static const struct { const char *plan; dl_auth_status_t status; int requests; } cases[] = {
    {"[{'do':'status','status':503},{'do':'reset'}]", DL_AUTH_OK, 3},
    {"[{'do':'html'},{'do':'status','status':403,'body':'no JSON'}]", DL_AUTH_OK, 3},
    {"[{'do':'ok','lifetime':-5},{'do':'truncated'}]", DL_AUTH_OK, 3},
    {"{'do':'status','status':502,'times':5}", DL_AUTH_E_GATE, 3},
    {"{'do':'status','status':401,'times':5}", DENIED, 1},
    {"{'do':'status','status':404,'times':5}", BAD, 1},
    {"{'do':'status','status':307,'headers':{'Location':'/elsewhere'},'times':5}", BAD, 1},
    {"{'do':'status','status':429,'times':5}", DL_AUTH_E_RATE_LIMITED, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char token[DL_AUTH_TOKEN_MAX];
    subject = cases[i].plan;
    reset_gate();
    plan(cases[i].plan);
    dl_auth_t *auth = open_gate("max_attempts", "3", "password", new_password(), NULL);
    if (CHECK_STATUS(cases[i].status, dl_auth_token(auth, token, sizeof token, NULL, &failure)) == DL_AUTH_OK) seen(token);
    CHECK_NUMBER(cases[i].requests, count("requests"));
    dl_auth_free(auth);
  }
  subject = "";
}

/* A handle whose proxy comes from the environment. */
static void check_proxied(int tunnels) {
  dl_auth_config_t *config = way_to_the_gate();
  dl_auth_t *auth;
  reset_gate();
  set_option(config, "username", gate("GATE_USERNAME"));
  set_option(config, "password", gate("GATE_PASSWORD"));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure));
  token_of(auth);
  CHECK_NUMBER(tunnels, count("proxied"));
  dl_auth_free(auth);
  dl_auth_config_free(config);
}

static void the_proxy_from_the_environment_is_used_except_for_hosts_in_no_proxy(void) {
  setenv("HTTPS_PROXY", gate("GATE_PROXY_URL"), 1);
  check_proxied(1);
  setenv("NO_PROXY", "elsewhere.invalid, localhost", 1);
  check_proxied(0);
  setenv("NO_PROXY", "elsewhere.invalid", 1);
  check_proxied(1);
  setenv("DL_AUTH_PROXY", "none", 1);
  check_proxied(0);
  unsetenv("DL_AUTH_PROXY");
  unsetenv("NO_PROXY");
  unsetenv("HTTPS_PROXY");
  setenv("https_proxy", gate("GATE_PROXY_URL") + 7, 1); /* without its scheme, as is common */
  check_proxied(1);
  unsetenv("https_proxy");
  setenv("HTTP_PROXY", gate("GATE_REFUSED_PROXY"), 1); /* another scheme */
  setenv("ALL_PROXY", gate("GATE_REFUSED_PROXY"), 1);
  check_proxied(0);
  unsetenv("ALL_PROXY");
  unsetenv("HTTP_PROXY");
}

static void an_invalid_proxy_variable_is_named_without_its_password(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth;
  set_option(config, "username", "canary");
  set_option(config, "password", "canary");
  setenv("HTTPS_PROXY", "socks5://canary:canary@localhost:1080", 1);
  CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_new(config, &auth, &failure));
  CHECK_CONTAINS(failure.message, "HTTPS_PROXY");
  unsetenv("HTTPS_PROXY");
  dl_auth_config_free(config);
}

static void the_password_goes_to_the_gate_and_the_proxy_user_to_the_proxy(void) {
  reset_gate();
  dl_auth_t *auth = open_gate("proxy", gate("GATE_PROXY_WITH_USER"), NULL);
  token_of(auth);
  const char *connect = control("GET", "/last_connect", "", 200, 200);
  CHECK_CONTAINS(connect, "\"proxy-authorization\":\"Basic Y2FuYXJ5OmNhbmFyeQ==\"");
  CHECK(!strstr(connect, "canary"));
  const char *request = last_request();
  CHECK(!strstr(request, "proxy-authorization"));
  CHECK_CONTAINS(request, "user_credentials");
  dl_auth_free(auth);
}

static void http_to_a_loopback_address_works(void) {
  reset_gate();
  dl_auth_t *auth = open_gate("url", gate("GATE_HTTP_URL"), "allow_http", "true", NULL);
  token_of(auth);
  dl_auth_free(auth);
}

int main(void) {
  begin();
  make_more_addresses();
  each_misbehaviour_returns_its_status();
  a_token_is_found_in_any_valid_json();
  a_wrong_date_header_does_not_move_the_expiry();
  a_chunked_body_is_limited_too();
  retry_after_is_obeyed_without_another_request();
  an_invalid_retry_after_leaves_the_library_s_own_cooldown();
  secrets_that_the_gate_repeats_are_redacted();
  a_password_that_the_gate_repeats_in_another_encoding_is_redacted();
  a_token_that_the_gate_repeats_is_redacted();
  a_long_message_of_the_gate_is_cut();
  a_temporary_failure_is_retried_and_a_permanent_one_is_not();
  the_proxy_from_the_environment_is_used_except_for_hosts_in_no_proxy();
  an_invalid_proxy_variable_is_named_without_its_password();
  the_password_goes_to_the_gate_and_the_proxy_user_to_the_proxy();
  http_to_a_loopback_address_works();
  return done();
}
