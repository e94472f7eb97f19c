/* Logs in, and asks for the state of the handle, with the header of this version or of another one. Prints the ABI of
 * the library, how many bytes of dl_auth_info_t it has filled, and how many the program has. With NEXT, the header is
 * the one that tests/install.rs makes for the next version, and the program calls its new function if it has an
 * argument. */
#include <dl_auth.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
  struct {
    dl_auth_info_t info;
    unsigned char beyond[1024];
  } mine = {DL_AUTH_INFO_INIT, {0}};
  char jwt[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;
  size_t nth;
  (void)arguments;
  memset(mine.beyond, 0x5a, sizeof mine.beyond);
  if (dl_auth_new(NULL, &auth, &error) || dl_auth_token(auth, jwt, sizeof jwt, NULL, &error) ||
      dl_auth_info(auth, &mine.info, &error)) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  for (nth = 0; nth < sizeof mine.beyond; nth++) {
    if (mine.beyond[nth] != 0x5a) {
      fprintf(stderr, "the library wrote %zu bytes after the struct\n", nth);
      return 1;
    }
  }
  printf("token %.20s\n", jwt);
  printf("abi %u info %u of %zu logins %u wait %u\n", (unsigned)dl_auth_abi_version(), (unsigned)mine.info.size,
         sizeof mine.info, (unsigned)mine.info.logins, (unsigned)mine.info.wait_ms);
  fflush(stdout);
#ifdef NEXT
  if (count > 1) printf("added %u %u\n", (unsigned)mine.info.added, (unsigned)dl_auth_added());
#endif
  dl_auth_free(auth);
  return count > 2;
}
