/* Reads a cached token in a loop, in one of four ways, on the given number of threads and for the given time.
 *
 * read HANDLES ROUND   HANDLES live handles, of which one is read; DL_AUTH_* have the credentials and the URL
 *
 * In each round, the first thread runs on another CPU, and the buffers start at another offset in their page. If the
 * token and its copy have the same offset in their pages, each load waits for an unrelated store.
 *
 * The program prints "ready". It reads lines "WAY THREADS MILLISECONDS", and prints "READS_PER_SECOND
 * NANOSECONDS_PER_READ": of all threads together, and of one read on average. */
#include "bench.h"
#include "dl_auth.h"
#include "handwritten.h"
#include <sched.h>
#include <stdatomic.h>

enum { BATCH = 256, MOST_THREADS = 64, PAGE = 4096, STEP = 7 * 64 + 16 };

static dl_auth_t *auth, *last; /* the first and the last handle */
static struct holder holder = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The floor: the minimum work of a library that is called, reads a clock, and copies. */
struct held {
  time_t expires;
  size_t length;
  char token[DL_AUTH_TOKEN_MAX];
};
static struct held only;
static struct held *_Atomic held = &only;

static __attribute__((noinline)) int floor_token(char *buf, size_t cap) {
  const struct held *now_held = atomic_load_explicit(&held, memory_order_acquire);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (now.tv_sec >= now_held->expires || now_held->length >= cap) return 1;
  memcpy(buf, now_held->token, now_held->length);
  buf[now_held->length] = 0;
  return 0;
}

/* Forces the compiler to write the token. */
#define USE(token) __asm__ volatile("" : : "r"(token) : "memory")

static void read_floor(char *buf) {
  for (int i = 0; i < BATCH; i++) {
    if (floor_token(buf, DL_AUTH_TOKEN_MAX)) give_up("floor", "no token");
    USE(buf);
  }
}

static inline void read_handle(const dl_auth_t *handle, char *buf) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  for (int i = 0; i < BATCH; i++) {
    if (dl_auth_token(handle, buf, DL_AUTH_TOKEN_MAX, NULL, &error)) give_up("dl_auth_token", error.message);
    USE(buf);
  }
}

static void read_ours(char *buf) { read_handle(auth, buf); }
static void read_last(char *buf) { read_handle(last, buf); }

static void read_handwritten(char *buf) {
  (void)buf;
  for (int i = 0; i < BATCH; i++) {
    char *token = holder_token(&holder);
    if (!token) give_up("handwritten", "no token");
    USE(token);
    free(token);
  }
}

static const struct way {
  const char *name;
  void (*read_batch)(char *buf);
} ways[] = {{"floor", read_floor}, {"ours", read_ours}, {"last", read_last}, {"handwritten", read_handwritten}};

struct slice {
  const struct way *way;
  int threads;
  pthread_barrier_t ready;
  atomic_bool over;
};

struct reader {
  struct slice *slice;
  int number;
  pthread_t thread;
  double reads;
  int64_t began, ended;
};

static int number_of_round;

/* Pins each thread to one CPU, if there are at most two threads and enough CPUs. Otherwise the kernel may run both
 * threads on one CPU for a while. */
static void pin(const struct reader *reader) {
  cpu_set_t allowed, one;
  if (reader->slice->threads > 2 || sched_getaffinity(0, sizeof allowed, &allowed)) return;
  if (CPU_COUNT(&allowed) < reader->slice->threads) return;
  int skip = (number_of_round + reader->number) % CPU_COUNT(&allowed), cpu = 0;
  while (!CPU_ISSET(cpu, &allowed) || skip-- > 0) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void *run(void *argument) {
  struct reader *reader = argument;
  struct slice *slice = reader->slice;
  char room[DL_AUTH_TOKEN_MAX + PAGE], *buf = room + number_of_round * STEP % PAGE;
  int64_t batches = 0;
  pin(reader);
  for (int i = 0; i < 8; i++) slice->way->read_batch(buf); /* warms up the thread */
  pthread_barrier_wait(&slice->ready);
  reader->began = nanoseconds(CLOCK_MONOTONIC);
  do {
    slice->way->read_batch(buf);
    batches++;
  } while (!atomic_load_explicit(&slice->over, memory_order_relaxed));
  reader->ended = nanoseconds(CLOCK_MONOTONIC);
  reader->reads = (double)batches * BATCH;
  return NULL;
}

/* Measures from the first read of the first thread to the last read of the last one. */
static void measure(const struct way *way, int threads, long milliseconds) {
  struct slice slice = {.way = way, .threads = threads};
  struct reader readers[MOST_THREADS];
  int64_t began = INT64_MAX, ended = 0;
  double reads = 0;
  pthread_barrier_init(&slice.ready, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) {
    readers[i] = (struct reader){.slice = &slice, .number = i};
    if (pthread_create(&readers[i].thread, NULL, run, &readers[i])) give_up("pthread_create", "no thread");
  }
  pthread_barrier_wait(&slice.ready);
  nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
  atomic_store(&slice.over, 1);
  for (int i = 0; i < threads; i++) {
    pthread_join(readers[i].thread, NULL);
    if (readers[i].began < began) began = readers[i].began;
    if (readers[i].ended > ended) ended = readers[i].ended;
    reads += readers[i].reads;
  }
  pthread_barrier_destroy(&slice.ready);
  double per_nanosecond = reads / (double)(ended - began);
  printf("%.1f %.4f\n", per_nanosecond * 1e9, threads / per_nanosecond);
  fflush(stdout);
}

static void never(struct holder *unused) {
  (void)unused;
  give_up("handwritten", "the token has expired");
}

/* More handles, with the same token as a ready token: their logins would not change the reads. */
static void open_more(int handles, const char *token) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  dl_auth_config_t *config = dl_auth_config_new();
  if (dl_auth_config_set(config, "token", token, &error)) give_up("token", error.message);
  while (handles-- > 0)
    if (dl_auth_new(config, &last, &error)) give_up("dl_auth_new", error.message);
  dl_auth_config_free(config);
}

int main(int argc, char **argv) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT;
  char name[32];
  int threads;
  long milliseconds;
  if (argc != 3) give_up("usage", "read HANDLES ROUND");
  number_of_round = atoi(argv[2]);
  if (dl_auth_new(NULL, &auth, &error) || dl_auth_token(auth, only.token, sizeof only.token, &only.length, &error))
    give_up("login", error.message);
  last = auth;
  open_more(atoi(argv[1]) - 1, only.token);
  clock_gettime(CLOCK_MONOTONIC, &holder.expires);
  only.expires = holder.expires.tv_sec += 24 * 3600;
  holder.token = only.token;
  holder.login = never;
  puts("ready");
  fflush(stdout);

  while (scanf("%31s %d %ld", name, &threads, &milliseconds) == 3) {
    size_t way = 0;
    while (way < sizeof ways / sizeof *ways && strcmp(ways[way].name, name) != 0) way++;
    if (way == sizeof ways / sizeof *ways || threads < 1 || threads > MOST_THREADS) give_up(name, "cannot be measured");
    measure(&ways[way], threads, milliseconds);
  }
  return 0;
}
