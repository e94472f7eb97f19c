/* A signal handler calls the functions that the header names async-signal-safe. It interrupts calls that allocate
 * memory and hold locks. If such a function allocated or locked too, it would hang or corrupt the heap. */
#include "gate.h"
#include <errno.h>
#include <signal.h>

static volatile sig_atomic_t handled, wrong;

static void call_each(int signal) {
  int before = errno;
  (void)signal;
  for (size_t index = 0; dl_auth_config_key(index); index++)
    if (!*dl_auth_config_key(index)) wrong++;
  for (dl_auth_status_t status = 0; status >= -99; status--)
    if (strncmp(dl_auth_status_name(status), "DL_AUTH_", 8) != 0) wrong++;
  if (dl_auth_abi_version() != DL_AUTH_ABI_VERSION || strcmp(dl_auth_version(), DL_AUTH_VERSION) != 0) wrong++;
  handled++;
  errno = before;
}

static void *send_signals(void *to) {
  pthread_t thread = *(pthread_t *)to;
  for (int times = many(2000); times > 0; times--) {
    int before = handled;
    pthread_kill(thread, SIGUSR1);
    while (handled == before) nanosleep(&(struct timespec){0, 100000}, NULL);
  }
  return NULL;
}

int main(void) {
  char jwt[128];
  pthread_t here = pthread_self();
  begin();
  CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, dl_auth_token(NULL, NULL, 0, NULL, &failure)); /* a message for the driver */
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "token", make_jwt("{\"exp\":4102444800}", jwt));
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = call_each}, NULL);
  pthread_t sender = start(send_signals, &here);
  while (handled < many(2000) && !wrong) {
    dl_auth_t *auth;
    if (dl_auth_new(config, &auth, NULL)) give_up("cannot make a handle");
    dl_auth_free(auth);
  }
  join(sender);
  CHECK_NUMBER(0, wrong);
  dl_auth_config_free(config);
  return done();
}
