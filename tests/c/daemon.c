/* A daemon has closed all or some of the descriptors 0 to 2, and still writes to them. These writes must not reach a
 * connection of the library: no descriptor of the library has one of these numbers at any time. Each descriptor of the
 * library is closed in a program that the daemon starts.
 *
 * The daemon is a child process. The test looks at the daemon's descriptors from outside, because a descriptor that the
 * test opens inside the daemon would get one of these numbers. */
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

/* The daemon's counts, in memory that the test shares with it. */
struct seen {
  atomic_int made;        /* descriptors that the library made for connections */
  atomic_int low;         /* descriptors of these that had the number 0, 1 or 2 at first */
  atomic_int writes;      /* writes to closed descriptors */
  atomic_int wrong;       /* writes of these that did not fail with EBADF, or that found a socket */
  atomic_int inherited;   /* numbers that were open in a child that was forked inside the resolver call */
  atomic_int resolved;
  atomic_bool start, started, over, ended;
  int status;
};
static struct seen *of_daemon;
static const char *program; /* its path */
static bool is_daemon;      /* whether this process is the daemon; otherwise it is the test */
static int closed_numbers;  /* one bit for each number */
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

/* These functions replace the C library's in this program and the library that it links. */
int socket(int domain, int type, int protocol) {
  static atomic_bool before;
  if (is_daemon && closes_late && !atomic_exchange(&before, true)) close_the_numbers();
  return made((int)syscall(SYS_socket, domain, type, protocol));
}

int epoll_create1(int flags) { return made((int)syscall(SYS_epoll_create1, flags)); }

/* The system call that a sandbox forbids in the daemon. */
static enum { NOTHING, O_PATH_ALONE, F_GETFD_ALONE } forbidden;

static bool forbids(bool it) {
  if (is_daemon && it) errno = EPERM;
  return is_daemon && it;
}

int open(const char *path, int flags, ...) {
  if (forbids(forbidden == O_PATH_ALONE && flags & O_PATH)) return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600); /* no file is created */
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

/* How a child ends. If it exited normally, valgrind would look for leaks and report what the threads of its parent
 * held. */
static _Noreturn void end_immediately(void) {
  for (;;) kill(getpid(), SIGKILL);
}

/* The resolver opens descriptors too. They must be above 2. A child that is forked at this moment must not inherit the
 * descriptors that occupy the numbers meanwhile. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  void *address = dlsym(RTLD_NEXT, "getaddrinfo");
  if (!address) give_up("the C library has no getaddrinfo");
  memcpy(&next, &address, sizeof next); /* ISO C has no cast for it */
  if (is_daemon) {
    int its_own = open("/dev/null", O_WRONLY | O_CLOEXEC);
    made(its_own);
    close(its_own);
    pid_t child = fork();
    if (child == 0) {
      for (int number = 0; number <= 2 && !closes_late; number++)
        if (closed_numbers & 1 << number && is_open(number)) atomic_fetch_add(&of_daemon->inherited, 1);
      end_immediately();
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) abort();
    atomic_fetch_add(&of_daemon->resolved, 1);
  }
  return next(name, service, hints, found);
}

/* Writes to the closed numbers until the login is over. */
static void *write_to_closed_numbers(void *unused) {
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

/* Starts this program again when the test says so. */
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

static _Noreturn void run_as_a_daemon(void) {
  static char token[DL_AUTH_TOKEN_MAX];
  dl_auth_t *auth = open_gate(NULL);
  pthread_t writer, starter;
  is_daemon = true;
  signal(SIGPIPE, SIG_IGN); /* SIGPIPE would hide an error */
  if (closes_late) atomic_store(&of_daemon->over, true); /* nothing is written before the numbers are closed */
  else close_the_numbers();
  if (pthread_create(&writer, NULL, write_to_closed_numbers, NULL) || pthread_create(&starter, NULL, start_a_program, NULL)) abort();
  WAIT_UNTIL(closes_late || atomic_load(&of_daemon->writes) > 0);
  of_daemon->status = dl_auth_token(auth, token, sizeof token, NULL, NULL);
  atomic_store(&of_daemon->over, true);
  if (pthread_join(writer, NULL) || pthread_join(starter, NULL)) abort();
  dl_auth_free(auth);
  atomic_store(&of_daemon->ended, true);
  end_immediately();
}

/* The descriptors that a process has open. */
struct descriptors {
  bool open[1024];
};

/* Leaves out the descriptor of the list itself. */
static struct descriptors descriptors_in(const char *directory) {
  struct descriptors found = {{false}};
  DIR *list = opendir(directory);
  if (!list) give_up("cannot list the descriptors");
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
  if (!file) give_up("cannot read the flags of a descriptor");
  while (fgets(line, sizeof line, file) && sscanf(line, "flags: %o", &flags) != 1) continue;
  fclose(file);
  return flags & O_CLOEXEC;
}

/* Writes the list of descriptors that this program was started with into a file. */
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
  if (daemon < 0) give_up("cannot create a child process");
  if (daemon == 0) run_as_a_daemon();

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
  if ((!ended && waitpid(daemon, NULL, 0) != daemon) || !of_daemon->ended) give_up("the daemon failed");
  FILE *file = fopen("inherited", "r");
  if (!file || fread(&inherited, sizeof inherited, 1, file) != 1) give_up("cannot read the list of descriptors");
  fclose(file);
  int of_library = 0;
  for (int number = 3; number < 1024; number++) {
    if (!now.open[number] || before.open[number]) continue;
    of_library++;
    CHECK(closed_by_exec[number]);
    CHECK(!inherited.open[number]);
  }
  CHECK(of_library > 0); /* the connection; otherwise the test has shown nothing */
  CHECK_NUMBER(DL_AUTH_OK, of_daemon->status);
  CHECK(of_daemon->made > 1); /* otherwise the test has shown nothing */
  CHECK(of_daemon->resolved > 0);
  CHECK_NUMBER(closes_late && numbers, of_daemon->low > 0); /* if late: unavoidable for a moment */
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
  if (of_daemon == MAP_FAILED) give_up("cannot map memory");
  for (int numbers = 1; numbers <= 7; numbers++) {
    if (numbers == 2) prepare_children(); /* the first daemon uses the library for the first time */
    a_daemon_logs_in(numbers);
  }
  forbidden = O_PATH_ALONE;
  a_daemon_logs_in(7);
  closes_late = true;
  forbidden = F_GETFD_ALONE;
  a_daemon_logs_in(0);
  forbidden = NOTHING;
  for (int numbers = 1; numbers <= 7; numbers++) a_daemon_logs_in(numbers);
  CHECK_STATUS(DL_AUTH_E_NULL_ARGUMENT, dl_auth_token(NULL, NULL, 0, NULL, &failure)); /* a message for the driver */
  return done();
}
