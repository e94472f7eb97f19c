/* Prints the library's version and ABI. Fails if the header has another version. */
#include "dl_auth.h"
#include <stdio.h>
#include <string.h>

int main(void) {
  printf("%s %u\n", dl_auth_version(), (unsigned)dl_auth_abi_version());
  return strcmp(dl_auth_version(), DL_AUTH_VERSION) != 0;
}
