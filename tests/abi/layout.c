/* The header alone, twice, with its initialisers, and the size and offset of each field. Valid C89 to C23, and C++.
 * With CDEF: the declarations without a preprocessor, which have no initialisers. */
#ifdef CDEF
#include <stddef.h>
#include <stdint.h>
#include "dl_auth.cdef.h"
#define DL_AUTH_ERROR_INIT { sizeof(dl_auth_error_t), 0, 0, 0, 0, { 0 } }
#define DL_AUTH_INFO_INIT \
  { sizeof(dl_auth_info_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }
#else
#include "dl_auth.h"
#include "dl_auth.h"
#endif

#define HOLDS(name, truth) typedef char name[(truth) ? 1 : -1]
#define AT(type, field, offset) HOLDS(type##_##field, offsetof(type, field) == (offset))

HOLDS(error_size, sizeof(dl_auth_error_t) == 536);
AT(dl_auth_error_t, size, 0);
AT(dl_auth_error_t, status, 4);
AT(dl_auth_error_t, http_status, 8);
AT(dl_auth_error_t, reserved, 12);
AT(dl_auth_error_t, retry_after_ms, 16);
AT(dl_auth_error_t, message, 24);

HOLDS(info_size, sizeof(dl_auth_info_t) == 392);
AT(dl_auth_info_t, size, 0);
AT(dl_auth_info_t, state, 4);
AT(dl_auth_info_t, activity, 8);
AT(dl_auth_info_t, reserved, 12);
AT(dl_auth_info_t, generation, 16);
AT(dl_auth_info_t, issued_at, 24);
AT(dl_auth_info_t, expires_at, 32);
AT(dl_auth_info_t, expires_in_ms, 40);
AT(dl_auth_info_t, refresh_in_ms, 48);
AT(dl_auth_info_t, clock_skew_ms, 56);
AT(dl_auth_info_t, logins, 64);
AT(dl_auth_info_t, refreshes, 72);
AT(dl_auth_info_t, failures, 80);
AT(dl_auth_info_t, shared_hits, 88);
AT(dl_auth_info_t, store_failures, 96);
AT(dl_auth_info_t, waiting, 104);
AT(dl_auth_info_t, last_status, 112);
AT(dl_auth_info_t, last_http_status, 116);
AT(dl_auth_info_t, retry_in_ms, 120);
AT(dl_auth_info_t, wait_ms, 128);
AT(dl_auth_info_t, store_message, 136);

int main(void) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_info_t info = DL_AUTH_INFO_INIT;
  char token[DL_AUTH_TOKEN_MAX], bearer[DL_AUTH_BEARER_MAX];
  HOLDS(bearer_fits, sizeof bearer == sizeof token + sizeof "Bearer " - 1);
  bearer_fits unused;
  (void)unused;
  (void)token;
  return error.size == sizeof error && info.size == sizeof info ? DL_AUTH_OK : 1;
}
