/* A control loop of 1 kHz. It has a valid token in every cycle and never waits for one: the library logs in and refreshes
 * in the background (`refresh=background`), and a call with a wait of 0 ms only copies the token.
 *
 *   control_loop [CYCLES]      configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and so on */
#define _POSIX_C_SOURCE 200809L
#include "dl_auth.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_NS 1000000L
#define SECOND_NS 1000000000L

static long nanoseconds_since(struct timespec then) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - then.tv_sec) * SECOND_NS + now.tv_nsec - then.tv_nsec;
}

int main(int argc, char **argv) {
  long cycles = argc > 1 ? atol(argv[1]) : 5000, with = 0, before = 0, gaps = 0, worst = 0;
  char jwt[DL_AUTH_TOKEN_MAX];
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  dl_auth_t *auth;

  if (dl_auth_config_set(config, "refresh", "background", &error) || dl_auth_new(config, &auth, &error)) {
    fprintf(stderr, "%s: %s\n", dl_auth_status_name(error.status), error.message);
    return 1;
  }
  dl_auth_config_free(config);

  struct timespec next, began;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (long cycle = 0; cycle < cycles; cycle++) {
    if ((next.tv_nsec += PERIOD_NS) >= SECOND_NS) next.tv_sec++, next.tv_nsec -= SECOND_NS;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL)) {} /* a signal */

    clock_gettime(CLOCK_MONOTONIC, &began);
    dl_auth_status_t status = dl_auth_token_within(auth, 0, 0, jwt, sizeof jwt, NULL, NULL);
    long took = nanoseconds_since(began);
    if (took > worst) worst = took;
    if (status == DL_AUTH_OK) with++; /* read the sensors, talk to the platform with jwt, move the arm */
    else if (with == 0) before++;     /* hold still: the first login is under way, or fails */
    else gaps++;                      /* hold still: the gate was down for longer than the life of a token */
  }
  printf("cycles   %ld\nwith     %ld (a token at hand)\nbefore   %ld (the first token)\n", cycles, with, before);
  printf("gaps     %ld (without one since)\nworst    %.1f us (the longest call)\n", gaps, (double)worst / 1e3);
  dl_auth_free(auth);
  return 0;
}
