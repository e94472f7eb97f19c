/* Arguments: NULL for each pointer of each function, text that is not UTF-8, buffers and structs of every size. */
#include "gate.h"
#include <stddef.h>

static const char *const bad_utf8[] = {"\xff", "canary\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\x80z"};
#define EACH_BAD_UTF8(text) \
  for (const char *const *each = bad_utf8, *text; each < bad_utf8 + sizeof bad_utf8 / sizeof *bad_utf8 && (text = *each); each++)

static const char jwt_of_1970[] = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln"; /* {"exp":1} */

/* The functions that copy text into a buffer, in one signature. */
typedef dl_auth_status_t copying(const dl_auth_t *auth, char *buf, size_t cap, size_t *len, dl_auth_error_t *error);

static dl_auth_status_t token_within(const dl_auth_t *auth, char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  return dl_auth_token_within(auth, 1, 1000, buf, cap, len, error);
}

static dl_auth_status_t jwt_claims(const dl_auth_t *auth, char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  return dl_auth_jwt_claims(auth ? jwt_of_1970 : NULL, buf, cap, len, error);
}

static const struct { const char *name; copying *call; const char *input; } copies[] = {
  {"dl_auth_token", dl_auth_token, "`auth`"},
  {"dl_auth_token_within", token_within, "`auth`"},
  {"dl_auth_bearer", dl_auth_bearer, "`auth`"},
  {"dl_auth_claims", dl_auth_claims, "`auth`"},
  {"dl_auth_jwt_claims", jwt_claims, "`jwt`"},
};
#define EACH_COPY(i) for (size_t i = 0; i < sizeof copies / sizeof *copies && (subject = copies[i].name); i++)

/* The call must name the pointer that is NULL. It must also work without an error struct. */
#define CHECK_NULL(name, call, call_without_error) \
  do { \
    CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, call); \
    CHECK_CONTAINS(failure.message, "`" name "` is NULL"); \
    CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, call_without_error); \
  } while (0)

static void a_copying_function_refuses_null_for_each_pointer(const dl_auth_t *auth) {
  EACH_COPY(i) {
    copying *call = copies[i].call;
    char buffer[DL_AUTH_BEARER_MAX] = "old";
    size_t length = 77;
    CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, call(NULL, buffer, sizeof buffer, &length, &failure));
    CHECK_CONTAINS(failure.message, copies[i].input);
    CHECK_NUMBER(0, buffer[0]);
    CHECK_NUMBER(77, length);
    CHECK_NULL("buf", call(auth, NULL, 10, &length, &failure), call(auth, NULL, 10, NULL, NULL));
    CHECK_NUMBER(77, length);
    CHECK_STATUS(DL_AUTH_OK, call(auth, buffer, sizeof buffer, NULL, &failure)); /* a NULL `len` is allowed */
    CHECK_STATUS(DL_AUTH_OK, call(auth, buffer, sizeof buffer, NULL, NULL));
    CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, call(NULL, NULL, 0, NULL, NULL));
  }
  subject = "";
}

static void each_other_function_refuses_null_for_each_pointer(const dl_auth_t *auth) {
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  int64_t seconds = 77;

  CHECK_NULL("config", dl_auth_config_set(NULL, "url", "x", &failure), dl_auth_config_set(NULL, "url", "x", NULL));
  CHECK_NULL("key", dl_auth_config_set(config, NULL, "x", &failure), dl_auth_config_set(config, NULL, "x", NULL));
  CHECK_NULL("value` of `url", dl_auth_config_set(config, "url", NULL, &failure), dl_auth_config_set(config, "url", NULL, NULL));
  CHECK_NULL("auth", dl_auth_new(config, NULL, &failure), dl_auth_new(NULL, NULL, NULL));
  CHECK_NULL("auth", dl_auth_info(NULL, &info, &failure), dl_auth_info(NULL, &info, NULL));
  CHECK_NULL("info", dl_auth_info(auth, NULL, &failure), dl_auth_info(auth, NULL, NULL));
  CHECK_NULL("auth", dl_auth_invalidate(NULL, "x", &failure), dl_auth_invalidate(NULL, "x", NULL));
  CHECK_NULL("rejected_token", dl_auth_invalidate(auth, NULL, &failure), dl_auth_invalidate(auth, NULL, NULL));
  CHECK_NULL("auth", dl_auth_set_credentials(NULL, "u", "p", &failure), dl_auth_set_credentials(NULL, "u", "p", NULL));
  CHECK_NULL("password", dl_auth_set_credentials(auth, "u", NULL, &failure), dl_auth_set_credentials(auth, "u", NULL, NULL));
  CHECK_NULL("jwt", dl_auth_jwt_expiry(NULL, &seconds, &failure), dl_auth_jwt_expiry(NULL, &seconds, NULL));
  CHECK_NULL("unix_seconds", dl_auth_jwt_expiry(jwt_of_1970, NULL, &failure), dl_auth_jwt_expiry(jwt_of_1970, NULL, NULL));
  CHECK_NUMBER(77, seconds);
  CHECK_NUMBER(0, dl_auth_generation(NULL));
  dl_auth_free(NULL);
  dl_auth_config_free(NULL);
  dl_auth_config_free(config);
}

static void every_call_works_without_an_error_struct(const dl_auth_t *auth) {
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  dl_auth_t *made;
  int64_t seconds;
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set(config, "username", "canary", NULL));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set(config, "password", "canary", NULL));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &made, NULL));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(made, NULL, "canary", NULL));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, "no token of this handle", NULL));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_info(auth, &info, NULL));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_jwt_expiry(jwt_of_1970, &seconds, NULL));
  CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, "canary", "x", NULL));
  dl_auth_free(made);
  dl_auth_config_free(config);
}

/* Without a configuration, all values come from the environment, which is empty here. */
static void a_failed_new_sets_the_handle_to_null(void) {
  dl_auth_t *auth = (dl_auth_t *)(uintptr_t)77;
  CHECK_STATUS(DL_AUTH_E_NO_CREDENTIALS, dl_auth_new(NULL, &auth, &failure));
  CHECK(auth == NULL);
}

static void every_function_refuses_text_that_is_not_utf8(const dl_auth_t *auth) {
  dl_auth_config_t *config = dl_auth_config_new();
  char buffer[64];
  size_t length = 77;
  int64_t seconds = 77;
  EACH_BAD_UTF8(bad) {
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_config_set(config, bad, "x", &failure));
    CHECK_CONTAINS(failure.message, "`key` is not UTF-8");
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_config_set(config, "password", bad, &failure));
    CHECK_CONTAINS(failure.message, "`value` of `password` is not UTF-8");
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_invalidate(auth, bad, &failure));
    CHECK_CONTAINS(failure.message, "`rejected_token` is not UTF-8");
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_set_credentials(auth, bad, "p", &failure));
    CHECK_CONTAINS(failure.message, "`username` is not UTF-8");
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_set_credentials(auth, "u", bad, &failure));
    CHECK_CONTAINS(failure.message, "`password` is not UTF-8");
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_jwt_claims(bad, buffer, sizeof buffer, &length, &failure));
    CHECK_CONTAINS(failure.message, "`jwt` is not UTF-8");
    CHECK_NUMBER(0, buffer[0]);
    CHECK_STATUS(DL_AUTH_E_NOT_UTF8, dl_auth_jwt_expiry(bad, &seconds, &failure));
    CHECK_CONTAINS(failure.message, "`jwt` is not UTF-8");
  }
  CHECK_NUMBER(77, length);
  CHECK_NUMBER(77, seconds);
  dl_auth_config_free(config);
}

/* Each buffer is on the heap and has exactly the stated size, so that valgrind and ASAN detect an overrun of one
 * byte. */
static void a_large_enough_buffer_is_filled_and_a_smaller_one_only_terminated(const dl_auth_t *auth) {
  EACH_COPY(i) {
    copying *call = copies[i].call;
    size_t needed = 0, length = 77;
    CHECK_STATUS(DL_AUTH_E_BUFFER_TOO_SMALL, call(auth, NULL, 0, &needed, &failure));
    CHECK(needed > 8 && needed < DL_AUTH_BEARER_MAX);
    CHECK_STATUS(DL_AUTH_E_BUFFER_TOO_SMALL, call(auth, NULL, 0, NULL, &failure));

    char *whole = malloc(needed + 1);
    CHECK_STATUS(DL_AUTH_OK, call(auth, whole, needed + 1, &length, &failure));
    CHECK_NUMBER(needed, length);
    CHECK_NUMBER(needed, strlen(whole));
    seen(whole);

    const size_t too_small[] = {1, 2, needed / 2, needed - 1, needed};
    for (size_t s = 0; s < sizeof too_small / sizeof *too_small; s++) {
      size_t cap = too_small[s], untouched_bytes = 0;
      char *small = malloc(cap), sizes[64];
      memset(small, 0x5a, cap);
      length = 77;
      CHECK_STATUS(DL_AUTH_E_BUFFER_TOO_SMALL, call(auth, small, cap, &length, &failure));
      CHECK_NUMBER(needed, length);
      CHECK_NUMBER(0, small[0]);
      for (size_t at = 1; at < cap; at++) untouched_bytes += small[at] == 0x5a;
      CHECK_NUMBER(cap - 1, untouched_bytes);
      snprintf(sizes, sizeof sizes, "%zu bytes, and %zu are needed", cap, needed + 1);
      CHECK_CONTAINS(failure.message, sizes);
      free(small);
    }

    char untouchable = 0x5a; /* a buffer of size 0 is treated like NULL */
    CHECK_STATUS(DL_AUTH_E_BUFFER_TOO_SMALL, call(auth, &untouchable, 0, &length, &failure));
    CHECK_NUMBER(0x5a, untouchable);
    CHECK_NUMBER(needed, length);

    char roomy[DL_AUTH_BEARER_MAX];
    memset(roomy, 0x5a, sizeof roomy);
    CHECK_STATUS(DL_AUTH_OK, call(auth, roomy, sizeof roomy, &length, &failure));
    CHECK_TEXT(whole, roomy);
    CHECK_NUMBER(0x5a, roomy[needed + 1]);
    free(whole);
  }
  subject = "";
}

static void bearer_claims_and_expiry_match_the_token(const dl_auth_t *auth) {
  char token[DL_AUTH_TOKEN_MAX], bearer[DL_AUTH_BEARER_MAX], claims[DL_AUTH_TOKEN_MAX], again[DL_AUTH_TOKEN_MAX];
  int64_t expiry;
  strcpy(token, token_of(auth));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_bearer(auth, bearer, sizeof bearer, NULL, &failure));
  CHECK(strncmp(bearer, "Bearer ", 7) == 0 && strcmp(bearer + 7, token) == 0);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_claims(auth, claims, sizeof claims, NULL, &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_jwt_claims(token, again, sizeof again, NULL, &failure));
  CHECK(strcmp(claims, again) == 0);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_jwt_expiry(token, &expiry, &failure));
  CHECK_NUMBER(number_in(claims, "exp"), expiry);
  CHECK_NUMBER(info_of(auth).expires_at, expiry);
}

/* A library of another version may have more or fewer fields. It writes the fields that both versions have, and stores
 * in `size` how many bytes they take. */
static void an_error_struct_of_any_size_is_filled_up_to_its_size(void) {
  dl_auth_config_t *config = dl_auth_config_new();
  const char *unknown = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"; /* euro signs, 3 bytes each: a cut inside one shows */
  const size_t own = sizeof(dl_auth_error_t), fields = offsetof(dl_auth_error_t, message);
  CHECK_STATUS(DL_AUTH_E_UNKNOWN_KEY, dl_auth_config_set(config, unknown, "x", &failure));
  dl_auth_error_t whole = failure;
  for (uint32_t size = 0; size <= own + 64; size++) {
    unsigned char *bytes = malloc(size < sizeof size ? sizeof size : size);
    memset(bytes, 0x5a, size < sizeof size ? sizeof size : size);
    memcpy(bytes, &size, sizeof size);
    dl_auth_config_set(config, unknown, "x", (dl_auth_error_t *)(void *)bytes);

    uint32_t written;
    memcpy(&written, bytes, sizeof written);
    /* A struct that is smaller than its `size` field is not initialised. */
    CHECK_NUMBER(size < sizeof size ? size : size < own ? size : own, written);
    for (size_t at = sizeof size; at < size && at < fields; at++)
      CHECK_NUMBER(((unsigned char *)&whole)[at], bytes[at]);
    for (size_t at = own; at < size; at++) CHECK_NUMBER(0x5a, bytes[at]);
    if (size > fields) {
      char *message = (char *)bytes + fields;
      size_t room = (size < own ? size : own) - fields;
      CHECK(memchr(message, 0, room));
      CHECK(utf8_length(message) >= 0);
      CHECK(strncmp(message, whole.message, strlen(message)) == 0);
      CHECK(strlen(message) + 3 >= room || strlen(message) == strlen(whole.message)); /* not cut more than needed */
    }
    free(bytes);
  }
  dl_auth_config_free(config);
}

static void an_info_struct_of_any_size_is_filled_up_to_its_size(const dl_auth_t *auth) {
  const size_t own = sizeof(dl_auth_info_t);
  dl_auth_info_t whole = info_of(auth);
  for (uint32_t size = 0; size <= own + 64; size++) {
    unsigned char *bytes = malloc(size < sizeof size ? sizeof size : size);
    memset(bytes, 0x5a, size < sizeof size ? sizeof size : size);
    memcpy(bytes, &size, sizeof size);
    bool fits = size >= sizeof size;
    CHECK_STATUS(fits ? DL_AUTH_OK : DL_AUTH_E_NULL_ARGUMENT, dl_auth_info(auth, (dl_auth_info_t *)(void *)bytes, &failure));
    if (!fits) CHECK_CONTAINS(failure.message, "DL_AUTH_INFO_INIT");

    uint32_t written;
    memcpy(&written, bytes, sizeof written);
    CHECK_NUMBER(size < own ? size : own, written);
    for (size_t at = sizeof size; at < size && at < offsetof(dl_auth_info_t, expires_in_ms); at++)
      CHECK_NUMBER(((unsigned char *)&whole)[at], bytes[at]);
    for (size_t at = own; at < size; at++) CHECK_NUMBER(0x5a, bytes[at]);
    free(bytes);
  }
}

static void text_that_is_not_a_jwt_is_refused_and_not_repeated_in_messages(void) {
  static const char *const not_jwts[] = {
    "", ".", "..", "canary", "canary.canary", "a.b.c.d", "e30.e30.", "e30.e30.c2ln.", ".e30.c2ln", "e30..c2ln",
    "e30.canary!.c2ln", "e30.e30.canary c2ln", "e30.e30.c2ln\n", " e30.e30.c2ln", "e30.e30.c2ln=", "e30=.e30=.c2ln",
    "e30.W10.c2ln", /* [] */ "e30.bnVsbA.c2ln", /* null */ "Y2FuYXJ5.e30.c2ln", /* canary */
  };
  char buffer[64];
  size_t length = 77;
  int64_t seconds = 77;
  for (size_t i = 0; i < sizeof not_jwts / sizeof *not_jwts; i++) {
    subject = not_jwts[i];
    CHECK_STATUS(DL_AUTH_E_BAD_JWT, dl_auth_jwt_claims(not_jwts[i], buffer, sizeof buffer, &length, &failure));
    CHECK_NUMBER(0, buffer[0]);
    CHECK_STATUS(DL_AUTH_E_BAD_JWT, dl_auth_jwt_expiry(not_jwts[i], &seconds, &failure));
  }
  subject = "";
  CHECK_NUMBER(77, length);
  CHECK_NUMBER(77, seconds);
}

static void an_expiry_is_a_date_in_unix_seconds(void) {
  static const struct { const char *payload; int64_t expiry; } payloads[] = {
    {"{}", 0},
    {"{\"exp\":null}", 0},
    {"{\"exp\":\"canary\"}", 0},
    {"{\"exp\":\"1893456000\"}", 0},
    {"{\"exp\":-1}", 0},
    {"{\"exp\":0}", 0},
    {"{\"exp\":1e300}", 0},
    {"{\"exp\":253402300800}", 0},
    {"{\"exp\":18446744073709551615}", 0},
    {"{\"exp\":[1893456000]}", 0},
    {"{\"exp\":1}", 1},
    {"{\"exp\":1893456000}", 1893456000},
    {"{\"exp\":1893456000.9}", 1893456000},
    {"{\"exp\":1.893456e9}", 1893456000},
    {"{\"exp\":253402300799}", INT64_C(253402300799)},
  };
  char jwt[256], claims[128];
  for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
    subject = payloads[i].payload;
    int64_t seconds = 0;
    make_jwt(subject, jwt);
    CHECK_STATUS(payloads[i].expiry ? DL_AUTH_OK : DL_AUTH_E_BAD_JWT, dl_auth_jwt_expiry(jwt, &seconds, &failure));
    CHECK_NUMBER(payloads[i].expiry, seconds);
    CHECK_STATUS(DL_AUTH_OK, dl_auth_jwt_claims(jwt, claims, sizeof claims, NULL, &failure)); /* it is still a JWT */
    CHECK_TEXT(subject, claims);
  }
  subject = "";
}

int main(void) {
  begin();
  dl_auth_t *auth = open_gate(NULL);
  token_of(auth);
  a_copying_function_refuses_null_for_each_pointer(auth);
  each_other_function_refuses_null_for_each_pointer(auth);
  every_call_works_without_an_error_struct(auth);
  a_failed_new_sets_the_handle_to_null();
  every_function_refuses_text_that_is_not_utf8(auth);
  a_large_enough_buffer_is_filled_and_a_smaller_one_only_terminated(auth);
  bearer_claims_and_expiry_match_the_token(auth);
  an_error_struct_of_any_size_is_filled_up_to_its_size();
  an_info_struct_of_any_size_is_filled_up_to_its_size(auth);
  text_that_is_not_a_jwt_is_refused_and_not_repeated_in_messages();
  an_expiry_is_a_date_in_unix_seconds();
  CHECK_NUMBER(1, count("requests")); /* no call above used up the handle's token */
  dl_auth_free(auth);
  return done();
}
