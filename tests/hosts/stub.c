/* A library that fails on request. The tests of the bindings use it: the value of the option `token` is the number of the
 * status that every call on the handle returns, with HTTP status 418, a retry time of 1,500 ms and an empty message.
 * Compiled with -DSTUB_ABI=0, it is too old for every binding. */
#include "dl_auth.h"
#include <stdlib.h>
#include <string.h>

#define CALL __attribute__((visibility("default")))

static dl_auth_status_t wanted;
static char handle;

static dl_auth_status_t fail(dl_auth_error_t *error) {
  if (error && error->size >= sizeof *error) {
    memset(error, 0, sizeof *error);
    error->size = sizeof *error;
    error->status = wanted;
    error->http_status = 418;
    error->retry_after_ms = 1500;
  }
  return wanted;
}

static dl_auth_status_t fail_with(char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  if (buf && cap) *buf = 0;
  if (len) *len = 0;
  return fail(error);
}

CALL dl_auth_config_t *dl_auth_config_new(void) { return (dl_auth_config_t *)&handle; }
CALL void dl_auth_config_free(dl_auth_config_t *config) { (void)config; }
CALL dl_auth_status_t dl_auth_config_set(dl_auth_config_t *config, const char *key, const char *value, dl_auth_error_t *error) {
  (void)config;
  if (STUB_ABI == 0) return wanted = DL_AUTH_E_UNKNOWN_KEY, fail(error); /* an old library has fewer options */
  if (strcmp(key, "token") == 0) wanted = atoi(value);
  return DL_AUTH_OK;
}
CALL dl_auth_status_t dl_auth_config_set_environ(dl_auth_config_t *config, const char *const *variables,
                                                 dl_auth_error_t *error) {
  (void)config, (void)variables, (void)error;
  return DL_AUTH_OK;
}
CALL const char *dl_auth_config_key(size_t index) { return index == 0 ? "token" : NULL; }
CALL dl_auth_status_t dl_auth_new(const dl_auth_config_t *config, dl_auth_t **auth, dl_auth_error_t *error) {
  (void)config, (void)error;
  *auth = (dl_auth_t *)&handle;
  return DL_AUTH_OK;
}
CALL void dl_auth_free(dl_auth_t *auth) { (void)auth; }
CALL dl_auth_status_t dl_auth_token(const dl_auth_t *auth, char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  (void)auth;
  return fail_with(buf, cap, len, error);
}
CALL dl_auth_status_t dl_auth_token_within(const dl_auth_t *auth, uint64_t min_valid_ms, uint64_t wait_ms, char *buf,
                                           size_t cap, size_t *len, dl_auth_error_t *error) {
  (void)auth, (void)min_valid_ms, (void)wait_ms;
  return fail_with(buf, cap, len, error);
}
CALL dl_auth_status_t dl_auth_bearer(const dl_auth_t *auth, char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  (void)auth;
  return fail_with(buf, cap, len, error);
}
CALL dl_auth_status_t dl_auth_claims(const dl_auth_t *auth, char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  (void)auth;
  return fail_with(buf, cap, len, error);
}
CALL uint64_t dl_auth_generation(const dl_auth_t *auth) { return (void)auth, 0; }
CALL dl_auth_status_t dl_auth_info(const dl_auth_t *auth, dl_auth_info_t *info, dl_auth_error_t *error) {
  (void)auth, (void)info;
  return fail(error);
}
CALL dl_auth_status_t dl_auth_invalidate(const dl_auth_t *auth, const char *rejected_token, dl_auth_error_t *error) {
  (void)auth, (void)rejected_token;
  return fail(error);
}
CALL dl_auth_status_t dl_auth_set_credentials(const dl_auth_t *auth, const char *username, const char *password, dl_auth_error_t *error) {
  (void)auth, (void)username, (void)password;
  return fail(error);
}
CALL dl_auth_status_t dl_auth_jwt_claims(const char *jwt, char *buf, size_t cap, size_t *len, dl_auth_error_t *error) {
  (void)jwt;
  return fail_with(buf, cap, len, error);
}
CALL dl_auth_status_t dl_auth_jwt_expiry(const char *jwt, int64_t *unix_seconds, dl_auth_error_t *error) {
  (void)jwt, (void)unix_seconds;
  return fail(error);
}
CALL const char *dl_auth_status_name(dl_auth_status_t status) {
  return status == DL_AUTH_OK ? "DL_AUTH_OK" : status == DL_AUTH_E_DENIED ? "DL_AUTH_E_DENIED" : "DL_AUTH_E_UNKNOWN";
}
CALL const char *dl_auth_version(void) { return "0.0.9"; }
CALL uint32_t dl_auth_abi_version(void) { return STUB_ABI; }
