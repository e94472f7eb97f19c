/* A daemon that has closed the descriptors 0 to 2, or some of them, and still writes to them. What it writes must not go
 * into a connection of the library: no descriptor of the library has one of these numbers, at no time. And each is closed
 * in a program that the daemon starts.
 *
 * The daemon is a child of the test, which looks at its descriptors from outside: a descriptor of the test itself would
 * get one of these numbers. */
#define _GNU_SOURCE
#include "gate.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What the daemon sees, in memory that the test shares with it. */
struct seen {
  atomic_int made;        /* descriptors that the library made for connections */
  atomic_int low;         /* those of them that were 0, 1 or 2 at first */
  atomic_int writes;      /* to descriptors that were closed */
  atomic_int wrong;       /* those of them that did not fail with EBADF, or found a socket */
  atomic_int inherited;   /* numbers that were open in a child that was forked out of the resolver */
  atomic_int resolved;
  atomic_bool start, started, over, ended;
  int status;
};
static struct seen *of_daemon;
static const char *program; /* its path */
static bool is_daemon;      /* whether this process is the daemon, and not the test */
static int closed_numbers;  /* a bit each */
static bool closes_late;    /* whether the daemon closes them at the moment when the library makes its first socket */

static void close_the_numbers(void) {
  for (int number = 0; number <= 2; number++)
    if (closed_numbers & 1 << number) close(number);
}

static int made(int descriptor) {
  if (is_daemon && descriptor >= 0) {
    atomic_fetch_add(&of_daemon->made, 1);
    if (descriptor <= 2) atomic_fetch_add(&of_daemon->low, 1);
  }
  return descriptor;
}

/* These stand in the place of the C library's, for this program and the library that it links. */
int socket(int domain, int type, int protocol) {
  static atomic_bool before;
  if (is_daemon && closes_late && !atomic_exchange(&before, true)) close_the_numbers();
  return made((int)syscall(SYS_socket, domain, type, protocol));
}

int epoll_create1(int flags) { return made((int)syscall(SYS_epoll_create1, flags)); }

/* What a sandbox forbids the daemon. */
static enum { NOTHING, O_PATH_ALONE, F_GETFD_ALONE } forbidden;

static bool forbids(bool it) {
  if (is_daemon && it) errno = EPERM;
  return is_daemon && it;
}

int open(const char *path, int flags, ...) {
  if (forbids(forbidden == O_PATH_ALONE && flags & O_PATH)) return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600); /* no file is made */
}

int fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  if (forbids(forbidden == F_GETFD_ALONE && command == F_GETFD)) return -1;
  return (int)syscall(SYS_fcntl, descriptor, command, argument);
}

static bool is_open(int number) { return syscall(SYS_fcntl, number, F_GETFD, 0L) != -1; }

/* A child ends so: valgrind would look for leaks in one that exits, and finds what its parent's threads held. */
static _Noreturn void end_at_once(void) {
  for (;;) kill(getpid(), SIGKILL);
}

/* The resolver opens descriptors for itself. They must be above 2 too. And a child that is forked now does not inherit
 * what keeps the numbers occupied meanwhile. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  void *address = dlsym(RTLD_NEXT, "getaddrinfo");
  if (!address) give_up("the C library has no resolver");
  memcpy(&next, &address, sizeof next); /* ISO C has no cast for it */
  if (is_daemon) {
    int its_own = open("/dev/null", O_WRONLY | O_CLOEXEC);
    made(its_own);
    close(its_own);
    pid_t child = fork();
    if (child == 0) {
      for (int number = 0; number <= 2 && !closes_late; number++)
        if (closed_numbers & 1 << number && is_open(number)) atomic_fetch_add(&of_daemon->inherited, 1);
      end_at_once();
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) abort();
    atomic_fetch_add(&of_daemon->resolved, 1);
  }
  return next(name, service, hints, found);
}

/* Writes to the closed numbers, again and again. */
static void *write_astray(void *unused) {
  bool lets_others_run = !is_plain(); /* valgrind runs one thread at a time */
  while (!atomic_load(&of_daemon->over)) {
    for (int number = 0; number <= 2; number++) {
      struct stat found;
      if (!(closed_numbers & 1 << number)) continue;
      bool failed = write(number, "astray", 6) == -1 && errno == EBADF;
      bool is_socket = fstat(number, &found) == 0 && S_ISSOCK(found.st_mode);
      if (!failed || is_socket) atomic_fetch_add(&of_daemon->wrong, 1);
      atomic_fetch_add(&of_daemon->writes, 1);
    }
    if (lets_others_run) nanosleep(&(struct timespec){0, 100000}, NULL);
  }
  return unused;
}

/* Starts this program anew when the test says so. */
static void *start_a_program(void *unused) {
  while (!atomic_load(&of_daemon->start)) nanosleep(&(struct timespec){0, 2000000}, NULL);
  pid_t child = fork();
  if (child == 0) {
    execl(program, "daemon", "list", (char *)NULL);
    _exit(1);
  }
  int how;
  if (child < 0 || waitpid(child, &how, 0) != child || how) abort();
  atomic_store(&of_daemon->started, true);
  return unused;
}

static _Noreturn void live_as_a_daemon(void) {
  static char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = open_gate(NULL);
  pthread_t writer, starter;
  is_daemon = true;
  signal(SIGPIPE, SIG_IGN); /* it would hide what went wrong */
  if (closes_late) atomic_store(&of_daemon->over, true); /* nothing is written before they are closed */
  else close_the_numbers();
  if (pthread_create(&writer, NULL, write_astray, NULL) || pthread_create(&starter, NULL, start_a_program, NULL)) abort();
  WAIT_UNTIL(closes_late || atomic_load(&of_daemon->writes) > 0);
  of_daemon->status = dl_auth_token(auth, token, sizeof token, NULL, NULL);
  atomic_store(&of_daemon->over, true);
  if (pthread_join(writer, NULL) || pthread_join(starter, NULL)) abort();
  dl_auth_free(auth);
  atomic_store(&of_daemon->ended, true);
  end_at_once();
}

/* Which descriptors a process has open. */
struct descriptors {
  bool open[1024];
};

/* The descriptor of the list itself is left out. */
static struct descriptors descriptors_in(const char *directory) {
  struct descriptors found = {{false}};
  DIR *list = opendir(directory);
  if (!list) give_up("no list of descriptors");
  for (struct dirent *entry; (entry = readdir(list));) {
    int number = atoi(entry->d_name);
    bool is_list = number == dirfd(list) && strcmp(directory, "/proc/self/fd") == 0;
    if (*entry->d_name != '.' && !is_list && number < 1024) found.open[number] = true;
  }
  closedir(list);
  return found;
}

static bool is_closed_by_exec(pid_t process, int number) {
  char path[64], line[128];
  unsigned flags = 0;
  snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)process, number);
  FILE *file = fopen(path, "r");
  if (!file) give_up("no flags of a descriptor");
  while (fgets(line, sizeof line, file) && sscanf(line, "flags: %o", &flags) != 1) continue;
  fclose(file);
  return flags & O_CLOEXEC;
}

/* Writes into a file which descriptors this program was started with. */
static int list_descriptors(void) {
  struct descriptors found = descriptors_in("/proc/self/fd");
  FILE *file = fopen("inherited", "w");
  return !file || fwrite(&found, sizeof found, 1, file) != 1 || fclose(file);
}

static void a_daemon_logs_in(int numbers) {
  static const char *const names[] = {"none", "0", "1", "0 and 1", "2", "0 and 2", "1 and 2", "0 to 2"};
  char directory[64];
  struct descriptors inherited;
  bool closed_by_exec[1024];
  subject = names[numbers];
  closed_numbers = numbers;
  memset(of_daemon, 0, sizeof *of_daemon);
  reset_gate();
  plan("{'do':'hang'}");
  struct descriptors before = descriptors_in("/proc/self/fd");
  pid_t daemon = fork();
  if (daemon < 0) give_up("no child can be made");
  if (daemon == 0) live_as_a_daemon();

  wait_for("hanging", 1);
  snprintf(directory, sizeof directory, "/proc/%d/fd", (int)daemon);
  struct descriptors now = descriptors_in(directory);
  for (int number = 0; number <= 2; number++) CHECK_NUMBER(!(numbers & 1 << number), now.open[number]);
  for (int number = 3; number < 1024; number++)
    closed_by_exec[number] = now.open[number] && is_closed_by_exec(daemon, number);
  atomic_store(&of_daemon->start, true);
  pid_t ended = 0;
  WAIT_UNTIL(atomic_load(&of_daemon->started) || (ended = waitpid(daemon, NULL, WNOHANG)) != 0);
  release_hanging();
  if ((!ended && waitpid(daemon, NULL, 0) != daemon) || !of_daemon->ended) give_up("the daemon did not end well");
  FILE *file = fopen("inherited", "r");
  if (!file || fread(&inherited, sizeof inherited, 1, file) != 1) give_up("no list of descriptors");
  fclose(file);
  int of_library = 0;
  for (int number = 3; number < 1024; number++) {
    if (!now.open[number] || before.open[number]) continue;
    of_library++;
    CHECK(closed_by_exec[number]);
    CHECK(!inherited.open[number]);
  }
  CHECK(of_library > 0); /* the connection; else nothing was shown */
  CHECK_NUMBER(DL_AUTH_OK, of_daemon->status);
  CHECK(of_daemon->made > 1); /* else nothing was shown */
  CHECK(of_daemon->resolved > 0);
  CHECK_NUMBER(closes_late && numbers, of_daemon->low > 0); /* late: for a moment, which no code can prevent */
  CHECK_NUMBER(0, of_daemon->wrong);
  CHECK_NUMBER(0, of_daemon->inherited);
  CHECK_NUMBER(1, count("logins"));
  CHECK_NUMBER(0, count("bad_requests"));
  subject = "";
}

int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "list") == 0) return list_descriptors();
  begin();
  program = arguments[0];
  of_daemon = mmap(NULL, sizeof *of_daemon, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (of_daemon == MAP_FAILED) give_up("no memory");
  for (int numbers = 1; numbers <= 7; numbers++) a_daemon_logs_in(numbers);
  forbidden = O_PATH_ALONE;
  a_daemon_logs_in(7);
  closes_late = true;
  forbidden = F_GETFD_ALONE;
  a_daemon_logs_in(0);
  forbidden = NOTHING;
  for (int numbers = 1; numbers <= 7; numbers++) a_daemon_logs_in(numbers);
  CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, dl_auth_token(NULL, NULL, 0, NULL, &failure)); /* for the search for secrets */
  return done();
}
