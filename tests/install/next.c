/* Makes the next version of the library from the archive of this one: one more function, and a larger dl_auth_info_t. In
 * the archive, the functions that change have names that end in _before. */
#include <dl_auth.h>

dl_auth_status_t dl_auth_info_before(const dl_auth_t *auth, dl_auth_info_t *info, dl_auth_error_t *error);

dl_auth_status_t dl_auth_info(const dl_auth_t *auth, dl_auth_info_t *info, dl_auth_error_t *error) {
  uint32_t size = info->size;
  dl_auth_status_t status = dl_auth_info_before(auth, info, error);
  if (status == DL_AUTH_OK && size >= sizeof *info) {
    info->added = 42;
    info->size = sizeof *info;
  }
  return status;
}

uint32_t dl_auth_added(void) { return 7; }

uint32_t dl_auth_abi_version(void) { return DL_AUTH_ABI_VERSION; }
