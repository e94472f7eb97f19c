/* The memory of idle handles: each has logged in and keeps its token. DL_AUTH_* have the credentials and the URL.
 *
 * handles NUMBER...      growing numbers of handles in addition to the first
 *
 * Prints one line for each number: "HEAP_BYTES RESIDENT_BYTES", the memory of one handle. */
#include "bench.h"
#include "dl_auth.h"
#include <malloc.h>

static void open_one(void) {
  char jwt[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_t *auth;
  if (dl_auth_new(NULL, &auth, &error) || dl_auth_token(auth, jwt, sizeof jwt, NULL, &error))
    give_up("login", error.message);
}

/* Each handle also has a slot in memory that the library maps itself and that the allocator does not see. */
enum { SLOT_BYTES = 256 };

static double heap_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return (double)(info.uordblks + info.hblkhd);
}

int main(int argc, char **argv) {
  open_one();
  double heap = heap_bytes(), resident = (double)resident_kib() * 1024;
  for (int argument = 1, made = 0; argument < argc; argument++) {
    int number = atoi(argv[argument]);
    for (; made < number; made++) open_one();
    printf("%.1f %.1f\n", (heap_bytes() - heap) / number + SLOT_BYTES,
           ((double)resident_kib() * 1024 - resident) / number);
    fflush(stdout);
  }
  return 0;
}
