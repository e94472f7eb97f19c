/* Tells the library's version and ABI; fails where the header's is another. */
#include "dl_auth.h"
#include <stdio.h>
#include <string.h>

int main(void) {
  printf("%s %u\n", dl_auth_version(), (unsigned)dl_auth_abi_version());
  return strcmp(dl_auth_version(), DL_AUTH_VERSION) != 0;
}
