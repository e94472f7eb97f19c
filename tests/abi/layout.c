/* The header alone, twice, with its initialisers, and the offset and size of each field. Valid C89 to C23, and C++.
 * The structs are the same on each machine, with 32 or with 64 bits.
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
/* A field of the struct `dl_auth_ ## name ## _t`. */
#define AT(name, field, offset, size) \
  HOLDS(at_##name##_##field, offsetof(dl_auth_##name##_t, field) == (offset)); \
  HOLDS(size_of_##name##_##field, sizeof(the_##name.field) == (size))

extern dl_auth_error_t the_error;
extern dl_auth_info_t the_info;

HOLDS(size_of_error, sizeof(dl_auth_error_t) == 536);
AT(error, size, 0, 4);
AT(error, status, 4, 4);
AT(error, http_status, 8, 4);
AT(error, reserved, 12, 4);
AT(error, retry_after_ms, 16, 8);
AT(error, message, 24, 512);

HOLDS(size_of_info, sizeof(dl_auth_info_t) == 392);
AT(info, size, 0, 4);
AT(info, state, 4, 4);
AT(info, activity, 8, 4);
AT(info, reserved, 12, 4);
AT(info, generation, 16, 8);
AT(info, issued_at, 24, 8);
AT(info, expires_at, 32, 8);
AT(info, expires_in_ms, 40, 8);
AT(info, refresh_in_ms, 48, 8);
AT(info, clock_skew_ms, 56, 8);
AT(info, logins, 64, 8);
AT(info, refreshes, 72, 8);
AT(info, failures, 80, 8);
AT(info, shared_hits, 88, 8);
AT(info, store_failures, 96, 8);
AT(info, waiting, 104, 8);
AT(info, last_status, 112, 4);
AT(info, last_http_status, 116, 4);
AT(info, retry_in_ms, 120, 8);
AT(info, wait_ms, 128, 8);
AT(info, store_message, 136, 256);

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
