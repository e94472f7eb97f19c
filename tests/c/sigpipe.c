/* A peer that closes its socket is an error, not a SIGPIPE.
 *
 * A thread of the library blocks all signals and would hide one. So this program lets no thread be made: the refresh
 * then runs on the thread that calls, where a SIGPIPE would arrive. */
#include "gate.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static int refused_threads, failed_sends;
static bool peer_goes_first; /* whether each write waits until its peer has closed, and then until it says so */
static volatile sig_atomic_t broken_pipes;

/* In the place of the C library's, for this program and the library that it links. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  (void)thread, (void)attributes, (void)body, (void)argument;
  refused_threads++;
  return EAGAIN;
}

/* The C library's own, but for the count of what would have been a SIGPIPE. A write to a peer that has closed is
 * answered with a reset, and the next one is a SIGPIPE: where the peer goes first, that is so each time. */
ssize_t send(int connection, const void *bytes, size_t length, int flags) {
  struct pollfd closed = {connection, POLLIN, 0}, reset = {connection, 0, 0};
  if (peer_goes_first) poll(&closed, 1, -1);
  ssize_t sent = sendto(connection, bytes, length, flags, NULL, 0);
  if (peer_goes_first && sent >= 0) poll(&reset, 1, -1);
  if (sent < 0 && errno == EPIPE) failed_sends++;
  return sent;
}

static void count_broken_pipe(int signal) {
  (void)signal;
  broken_pipes++;
}

/* How the peer ends a connection. */
enum manner { AT_ONCE, AT_THE_FIRST_BYTE, AFTER_A_TUNNEL };

static void serve(int connection, enum manner manner) {
  char request[4096] = "";
  size_t got = 0;
  if (manner == AT_THE_FIRST_BYTE && recv(connection, request, 1, 0) < 0) give_up("nothing came");
  if (manner == AFTER_A_TUNNEL) {
    while (!strstr(request, "\r\n\r\n") && got < sizeof request - 1) {
      ssize_t more = recv(connection, request + got, sizeof request - 1 - got, 0);
      if (more <= 0) break;
      got += (size_t)more;
    }
    /* What is held back goes out together with the FIN: who reads it finds the connection closed already. Whoever then
     * writes twice gets a reset, and a SIGPIPE. */
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    send(connection, yes, sizeof yes - 1, MSG_MORE | MSG_NOSIGNAL);
  }
  close(connection);
}

/* A process that serves on a port of its own until it is killed; where, is written to `url`. */
static pid_t start_peer(enum manner manner, char url[64]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&address, &length))
    give_up("no port");
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
  pid_t peer = fork();
  if (peer < 0) give_up("no child process can be made");
  if (peer == 0) begin(); /* so that it ends even where nobody is left to end it */
  while (peer == 0) serve(accept(listener, NULL, NULL), manner);
  close(listener);
  return peer;
}

static void end_peer(pid_t peer) {
  if (kill(peer, SIGKILL) || waitpid(peer, NULL, 0) != peer) give_up("the peer cannot be ended");
}

/* Shows that the peer does what is claimed of it: a program with a plain `write` gets the signal. */
static void the_peer_breaks_the_pipe_of_who_does_not_care(void) {
  static char block[8 << 10];
  char url[64];
  pid_t peer = start_peer(AFTER_A_TUNNEL, url);
  int connection = connect_to(url);
  static const char request[] = "CONNECT localhost:1 HTTP/1.1\r\n\r\n";
  CHECK(write(connection, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
  CHECK(read(connection, block, sizeof block) > 0);
  for (int time = 0; time < 3 && !broken_pipes; time++) {
    if (write(connection, block, sizeof block) < 0) break;
    poll(&(struct pollfd){connection, 0, 0}, 1, -1); /* until the reset is there */
  }
  CHECK_NUMBER(1, broken_pipes);
  broken_pipes = 0;
  close(connection);
  end_peer(peer);
}

/* A long password makes the request be written in many pieces. */
static void a_closed_socket_is_an_error_and_no_signal(void) {
  static const struct { const char *name; enum manner manner; int times; } peers[] = {
    {"a proxy that closes after it has opened the tunnel", AFTER_A_TUNNEL, 10},
    {"a gate that closes at once", AT_ONCE, 20},
    {"a gate that closes at the first byte", AT_THE_FIRST_BYTE, 10},
  };
  char *password = malloc((1 << 17) + 1), token[DL_AUTH_TOKEN_MAX];
  memset(password, 'x', 1 << 17);
  password[1 << 17] = 0;
  for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
    char url[64];
    subject = peers[i].name;
    pid_t peer = start_peer(peers[i].manner, url);
    bool is_proxy = peers[i].manner == AFTER_A_TUNNEL;
    for (int time = 0; time < many(peers[i].times); time++) {
      /* To the gate without TLS, so that it is the library that writes first, and more than once. */
      dl_auth_t *auth = open_gate("url", is_proxy ? gate("GATE_URL") : url, "allow_http", "true", "proxy",
                                  is_proxy ? url : "none", "password", password, NULL);
      int failed_before = failed_sends;
      peer_goes_first = peers[i].manner == AT_ONCE;
      CHECK_STATUS(DL_AUTH_E_UNREACHABLE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
      if (peer_goes_first) CHECK(failed_sends > failed_before); /* else nothing was shown */
      peer_goes_first = false;
      dl_auth_free(auth);
    }
    end_peer(peer);
  }
  subject = "";
  free(password);
}

static void a_gate_that_resets_or_closes_is_an_error_and_no_signal(void) {
  static const char *const plans[] = {"{'do':'close'}", "{'do':'reset'}", "{'do':'reset','after':200}", "{'do':'truncated'}"};
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    char token[DL_AUTH_TOKEN_MAX];
    subject = plans[i];
    reset_gate();
    plan(plans[i]);
    dl_auth_t *auth = open_gate(NULL);
    CHECK_STATUS(DL_AUTH_E_UNREACHABLE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK_RETRY_WITHIN(FIRST_COOL_DOWN_MS);
    wait_until_it_may_refresh(auth);
    token_of(auth); /* and without a thread all goes its way */
    dl_auth_free(auth);
  }
  subject = "";
}

int main(void) {
  begin();
  sigaction(SIGPIPE, &(struct sigaction){.sa_handler = count_broken_pipe}, NULL);
  the_peer_breaks_the_pipe_of_who_does_not_care();
  a_closed_socket_is_an_error_and_no_signal();
  a_gate_that_resets_or_closes_is_an_error_and_no_signal();
  CHECK(refused_threads >= many(40)); /* else the signals had nowhere to arrive */
  CHECK_NUMBER(0, broken_pipes);
  return done();
}
