/* A peer that closes its socket causes an error, not a SIGPIPE.
 *
 * A thread of the library blocks all signals and would hide a SIGPIPE. So thread creation fails in this program: the
 * refresh then runs on the calling thread, where a SIGPIPE would arrive. */
#include "gate.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static int refused_threads, failed_sends;
static bool peer_goes_first; /* true: each write waits until its peer has closed, and then until the reset arrives */
static volatile sig_atomic_t broken_pipes;

/* Replaces the C library's function in this program and the library that it links. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  (void)thread, (void)attributes, (void)body, (void)argument;
  refused_threads++;
  return EAGAIN;
}

/* Does the same as the C library's function, and counts the calls that would raise a SIGPIPE. The first write to a peer
 * that has closed is answered with a reset, and the next write raises a SIGPIPE. With `peer_goes_first`, this happens
 * each time. */
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

/* When the peer closes a connection. */
enum closing { IMMEDIATELY, AT_THE_FIRST_BYTE, AFTER_A_TUNNEL };

static void serve(int connection, enum closing closing) {
  char request[4096] = "";
  size_t got = 0;
  if (closing == AT_THE_FIRST_BYTE && recv(connection, request, 1, 0) < 0) give_up("cannot read from the connection");
  if (closing == AFTER_A_TUNNEL) {
    while (!strstr(request, "\r\n\r\n") && got < sizeof request - 1) {
      ssize_t more = recv(connection, request + got, sizeof request - 1 - got, 0);
      if (more <= 0) break;
      got += (size_t)more;
    }
    /* MSG_MORE holds the answer back until the close, so that it leaves together with the FIN: the reader finds the
     * connection already closed. Two writes after that get a reset and then a SIGPIPE. */
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    send(connection, yes, sizeof yes - 1, MSG_MORE | MSG_NOSIGNAL);
  }
  close(connection);
}

/* A process that serves on its own port until it is killed. Writes its URL to `url`. */
static pid_t start_peer(enum closing closing, char url[64]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&address, &length))
    give_up("cannot listen on a port");
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
  pid_t peer = fork();
  if (peer < 0) give_up("cannot create a child process");
  if (peer == 0) begin(); /* so that it ends even if its parent has ended */
  while (peer == 0) serve(accept(listener, NULL, NULL), closing);
  close(listener);
  return peer;
}

static void end_peer(pid_t peer) {
  if (kill(peer, SIGKILL) || waitpid(peer, NULL, 0) != peer) give_up("cannot end the peer");
}

/* Shows that the peer really causes the signal: a program with a plain `write` gets it. */
static void a_plain_write_to_the_peer_raises_sigpipe(void) {
  static char block[8 << 10];
  char url[64];
  pid_t peer = start_peer(AFTER_A_TUNNEL, url);
  int connection = connect_to(url);
  static const char request[] = "CONNECT localhost:1 HTTP/1.1\r\n\r\n";
  CHECK(write(connection, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
  CHECK(read(connection, block, sizeof block) > 0);
  for (int time = 0; time < 3 && !broken_pipes; time++) {
    if (write(connection, block, sizeof block) < 0) break;
    poll(&(struct pollfd){connection, 0, 0}, 1, -1); /* until the reset has arrived */
  }
  CHECK_NUMBER(1, broken_pipes);
  broken_pipes = 0;
  close(connection);
  end_peer(peer);
}

/* With a long password, the request is written in many pieces. */
static void a_closed_socket_causes_an_error_and_no_signal(void) {
  static const struct { const char *name; enum closing closing; int times; } peers[] = {
    {"a proxy that closes after opening the tunnel", AFTER_A_TUNNEL, 10},
    {"a gate that closes immediately", IMMEDIATELY, 20},
    {"a gate that closes at the first byte", AT_THE_FIRST_BYTE, 10},
  };
  const size_t length = (size_t)many(10) << 14;
  char *password = malloc(length + 1), token[DL_AUTH_TOKEN_MAX];
  memset(password, 'x', length);
  password[length] = 0;
  for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
    char url[64];
    subject = peers[i].name;
    pid_t peer = start_peer(peers[i].closing, url);
    bool is_proxy = peers[i].closing == AFTER_A_TUNNEL;
    for (int time = 0; time < many(peers[i].times); time++) {
      /* To the gate without TLS, so that the library writes first, and more than once. */
      dl_auth_t *auth = open_gate("url", is_proxy ? gate("GATE_URL") : url, "allow_http", "true", "proxy",
                                  is_proxy ? url : "none", "password", password, NULL);
      int failed_before = failed_sends;
      peer_goes_first = peers[i].closing == IMMEDIATELY;
      CHECK_STATUS(DL_AUTH_E_UNREACHABLE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
      if (peer_goes_first) CHECK(failed_sends > failed_before); /* otherwise the test has shown nothing */
      peer_goes_first = false;
      dl_auth_free(auth);
    }
    end_peer(peer);
  }
  subject = "";
  free(password);
}

static void a_gate_that_resets_or_closes_causes_an_error_and_no_signal(void) {
  static const char *const plans[] = {"{'do':'close'}", "{'do':'reset'}", "{'do':'reset','after':200}", "{'do':'truncated'}"};
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    char token[DL_AUTH_TOKEN_MAX];
    subject = plans[i];
    reset_gate();
    plan(plans[i]);
    dl_auth_t *auth = open_gate(NULL);
    CHECK_STATUS(DL_AUTH_E_UNREACHABLE, dl_auth_token(auth, token, sizeof token, NULL, &failure));
    CHECK_RETRY_WITHIN(FIRST_COOLDOWN_MS);
    wait_until_it_may_refresh(auth);
    token_of(auth); /* without a thread, a login still succeeds */
    dl_auth_free(auth);
  }
  subject = "";
}

int main(void) {
  begin();
  sigaction(SIGPIPE, &(struct sigaction){.sa_handler = count_broken_pipe}, NULL);
  a_plain_write_to_the_peer_raises_sigpipe();
  a_closed_socket_causes_an_error_and_no_signal();
  a_gate_that_resets_or_closes_causes_an_error_and_no_signal();
  CHECK(refused_threads >= many(40)); /* otherwise no signal could arrive */
  CHECK_NUMBER(0, broken_pipes);
  return done();
}
