/* Prints the sizes of the structs and the constants that CONSTANTS lists, from the header or from the declarations. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#ifdef CDEF
#include "dl_auth.cdef.h"
#else
#include "dl_auth.h"
#endif

#define PRINT(name) printf(#name " %d\n", (int)name);

int main(void) {
  printf("dl_auth_error_t %d\n", (int)sizeof(dl_auth_error_t));
  printf("dl_auth_info_t %d\n", (int)sizeof(dl_auth_info_t));
  CONSTANTS
  return 0;
}
