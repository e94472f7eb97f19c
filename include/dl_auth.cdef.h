/*
 * The declarations of dl_auth.h for tools without a preprocessor: cffi, LuaJIT
 * and PHP FFI. These tools define size_t, uint32_t and similar types. In PHP:
 *   FFI::cdef(file_get_contents("dl_auth.cdef.h"), "libdl_auth.so.0")
 * and not FFI::load. Before a call, set the field `size` of a struct to its
 * size. dl_auth.h is the manual.
 *
 * `make generate` makes this file from src/capi/. Do not edit it.
 */

enum {
  DL_AUTH_TOKEN_MAX = 8192,
  DL_AUTH_BEARER_MAX = 8199,
  DL_AUTH_STATE_EMPTY = 0,
  DL_AUTH_STATE_FRESH = 1,
  DL_AUTH_STATE_DUE = 2,
  DL_AUTH_STATE_EXPIRED = 3,
  DL_AUTH_ACTIVITY_IDLE = 0,
  DL_AUTH_ACTIVITY_REFRESHING = 1,
  DL_AUTH_ACTIVITY_COOLING = 2,
  DL_AUTH_ACTIVITY_DENIED = 3,
  DL_AUTH_STORE_MESSAGE_MAX = 256,
  DL_AUTH_ABI_VERSION = 1
};

typedef struct dl_auth_config_t dl_auth_config_t;

typedef struct dl_auth_t dl_auth_t;

typedef int32_t dl_auth_status_t;

typedef struct dl_auth_error_t {
  uint32_t size;
  int32_t status;
  uint32_t http_status;
  uint32_t reserved;
  uint64_t retry_after_ms;
  char message[512];
} dl_auth_error_t;

typedef struct dl_auth_info_t {
  uint32_t size;
  int32_t state;
  int32_t activity;
  uint32_t reserved;
  uint64_t generation;
  int64_t issued_at;
  int64_t expires_at;
  int64_t expires_in_ms;
  int64_t refresh_in_ms;
  int64_t clock_skew_ms;
  uint64_t logins;
  uint64_t refreshes;
  uint64_t failures;
  uint64_t shared_hits;
  uint64_t store_failures;
  uint64_t waiting;
  int32_t last_status;
  uint32_t last_http_status;
  int64_t retry_in_ms;
  uint64_t wait_ms;
  char store_message[DL_AUTH_STORE_MESSAGE_MAX];
} dl_auth_info_t;

enum {
  DL_AUTH_OK = 0,
  DL_AUTH_E_NULL_ARGUMENT = -1,
  DL_AUTH_E_NOT_UTF8 = -2,
  DL_AUTH_E_BUFFER_TOO_SMALL = -3,
  DL_AUTH_E_CLOSED = -4,
  DL_AUTH_E_UNKNOWN_KEY = -10,
  DL_AUTH_E_INVALID_VALUE = -11,
  DL_AUTH_E_NO_CREDENTIALS = -12,
  DL_AUTH_E_UNSUPPORTED = -13,
  DL_AUTH_E_DENIED = -20,
  DL_AUTH_E_PENDING = -30,
  DL_AUTH_E_TIMEOUT = -31,
  DL_AUTH_E_UNREACHABLE = -32,
  DL_AUTH_E_RATE_LIMITED = -33,
  DL_AUTH_E_GATE = -34,
  DL_AUTH_E_BAD_RESPONSE = -35,
  DL_AUTH_E_TOO_SHORT = -36,
  DL_AUTH_E_TLS = -40,
  DL_AUTH_E_STORE = -41,
  DL_AUTH_E_BAD_JWT = -50,
  DL_AUTH_E_INTERNAL = -99
};

dl_auth_status_t dl_auth_new(const dl_auth_config_t *config,
                             dl_auth_t **auth,
                             dl_auth_error_t *error);

dl_auth_status_t dl_auth_token(const dl_auth_t *auth,
                               char *buf,
                               size_t cap,
                               size_t *len,
                               dl_auth_error_t *error);

void dl_auth_free(dl_auth_t *auth);

dl_auth_status_t dl_auth_token_within(const dl_auth_t *auth,
                                      uint64_t min_valid_ms,
                                      uint64_t wait_ms,
                                      char *buf,
                                      size_t cap,
                                      size_t *len,
                                      dl_auth_error_t *error);

dl_auth_status_t dl_auth_bearer(const dl_auth_t *auth,
                                char *buf,
                                size_t cap,
                                size_t *len,
                                dl_auth_error_t *error);

dl_auth_status_t dl_auth_claims(const dl_auth_t *auth,
                                char *buf,
                                size_t cap,
                                size_t *len,
                                dl_auth_error_t *error);

uint64_t dl_auth_generation(const dl_auth_t *auth);

dl_auth_status_t dl_auth_invalidate(const dl_auth_t *auth,
                                    const char *rejected_token,
                                    dl_auth_error_t *error);

dl_auth_status_t dl_auth_set_credentials(const dl_auth_t *auth,
                                         const char *username,
                                         const char *password,
                                         dl_auth_error_t *error);

dl_auth_config_t *dl_auth_config_new(void);

dl_auth_status_t dl_auth_config_set(dl_auth_config_t *config,
                                    const char *key,
                                    const char *value,
                                    dl_auth_error_t *error);

dl_auth_status_t dl_auth_config_set_environ(dl_auth_config_t *config,
                                            const char *const *variables,
                                            dl_auth_error_t *error);

void dl_auth_config_free(dl_auth_config_t *config);

const char *dl_auth_config_key(size_t index);

const char *dl_auth_status_name(dl_auth_status_t status);

dl_auth_status_t dl_auth_info(const dl_auth_t *auth,
                              dl_auth_info_t *info,
                              dl_auth_error_t *error);

const char *dl_auth_version(void);

uint32_t dl_auth_abi_version(void);

dl_auth_status_t dl_auth_jwt_claims(const char *jwt,
                                    char *buf,
                                    size_t cap,
                                    size_t *len,
                                    dl_auth_error_t *error);

dl_auth_status_t dl_auth_jwt_expiry(const char *jwt,
                                    int64_t *unix_seconds,
                                    dl_auth_error_t *error);
