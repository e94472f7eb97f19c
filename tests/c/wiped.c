/* A secret is gone from memory once it is dropped: the library is made to hold secrets, and then the memory of this
 * process is searched for them. The README lists what is left; nothing else may be.
 *
 * A secret is one piece of eight bytes, repeated: a copy of it is a row of equal words, and a copy whose ends something
 * has been written over is found too. The secret stands in this program's constants. Only writable memory is searched,
 * and whatever else needs the secret in plain text, such as an order to the gate, is done by a child process. So each
 * copy that is found is the library's.
 *
 * Left by the TLS library of each answer are two copies in its buffers: the record, deciphered in place, and the text
 * taken out of it. No more of them are allowed.
 *
 * Left by memcpy is what it has copied last, in registers: up to 640 bytes of a token. Where the registers are saved,
 * this is on a stack. The kernel saves them for a signal handler, and the loader when a function is called for the first
 * time. `-z now` binds the calls of one program or library; all are bound before main by LD_BIND_NOW,
 * which the driver sets.
 *
 * Valgrind and the sanitizers keep for long what was freed, as it was: there a copy has to be wiped, where otherwise
 * something else may have been written over it. */
#include "gate.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

/* A copy is a row of so many equal words. Valgrind holds the registers in memory: there it is more than they hold. */
static int least_row(void) { return is_plain() ? 2 : 9; }

enum { LEFT_BY_TLS = 2 };

/* The secrets, of 24 pieces each, and told apart by the letter at the end of a piece. */
#define EIGHT(text) text text text text text text text text
#define SECRET(piece) EIGHT(piece piece piece)
#define USERNAME SECRET("canary-u")
#define PASSWORD SECRET("canary-p")
#define NEXT_PASSWORD SECRET("canary-n")
#define WRONG_PASSWORD SECRET("canary-w")
#define SHORT_PASSWORD "canary-fcanary-fcanary-f"
#define REFRESH_TOKEN SECRET("canary-r")
#define NEXT_REFRESH_TOKEN SECRET("canary-s")
/* Tokens that are good until the year 2100. In their claims are SECRET("canary-c") and SECRET("canary-d"). */
#define HEAD "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsImlzIjoi"
#define TOKEN HEAD EIGHT("Y2FuYXJ5LWNjYW5hcnktY2NhbmFyeS1j") "In0." SECRET("canary-t")
#define READY_TOKEN HEAD EIGHT("Y2FuYXJ5LWRjYW5hcnktZGNhbmFyeS1k") "In0." SECRET("canary-k")
#define READY_CLAIMS "{\"exp\":4102444800,\"is\":\"" SECRET("canary-d") "\"}"
#define LETTERS "upnwfrstkcd"

/* How often each secret was found. */
static int copies[UCHAR_MAX + 1];

/* The letter of the secret that this word is a piece of, wherever in it the word begins; 0: it is of none. */
static unsigned char letter_in(uint64_t word) {
  char twice[2 * sizeof word + 1] = "";
  memcpy(twice, &word, sizeof word);
  memcpy(twice + sizeof word, &word, sizeof word);
  const char *piece = strstr(twice, "canary-");
  return piece ? (unsigned char)piece[strlen("canary-")] : 0;
}

/* Counts the copies in a range of a process's memory. */
static void search_range(int memory, off_t from, off_t to) {
  static uint64_t window[1 << 17];
  uint64_t last = 0;
  int row = 0, least = least_row();
  for (ssize_t got; from < to; from += got) {
    got = pread(memory, window, to - from < (off_t)sizeof window ? (size_t)(to - from) : sizeof window, from);
    if (got <= 0) give_up("memory that cannot be read");
    for (const uint64_t *word = window; word < window + got / (ssize_t)sizeof *word; word++) {
      row = *word == last ? row + 1 : 1;
      last = *word;
      if (row == least) copies[letter_in(last)]++;
    }
  }
}

/* Counts the copies in all that a process can write to and nobody else can. */
static void search_process(pid_t process) {
  char path[64], line[512], access[5];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)process);
  FILE *maps = fopen(path, "r");
  snprintf(path, sizeof path, "/proc/%d/mem", (int)process);
  int memory = open(path, O_RDONLY);
  if (!maps || memory < 0) give_up("the memory of a process cannot be opened");
  while (fgets(line, sizeof line, maps)) {
    unsigned long long from, to;
    if (sscanf(line, "%llx-%llx %4s", &from, &to, access) != 3) give_up("a list of memory that cannot be read");
    /* What is larger is a sanitizer's own: terabytes, next to nothing of them there. */
    if (access[1] == 'w' && access[3] == 'p' && to - from < 1ULL << 30) search_range(memory, (off_t)from, (off_t)to);
  }
  fclose(maps);
  close(memory);
}

/* Counts the copies in this process. Whoever searches has before him what he has found: a child does it, in a child of
 * its own that stands still. */
static void search(void) {
  int pipe_ends[2];
  if (pipe(pipe_ends)) give_up("no pipe");
  pid_t searcher = fork();
  if (searcher == 0) {
    pid_t searched = fork();
    begin();
    if (searched < 0) give_up("no child can be made");
    if (searched == 0)
      for (;;) pause();
    memset(copies, 0, sizeof copies);
    search_process(searched);
    kill(searched, SIGKILL);
    if (write(pipe_ends[1], copies, sizeof copies) != sizeof copies) give_up("the pipe takes nothing");
    _exit(0);
  }
  close(pipe_ends[1]);
  if (searcher < 0 || read(pipe_ends[0], copies, sizeof copies) != sizeof copies) give_up("memory was not searched");
  close(pipe_ends[0]);
  if (waitpid(searcher, NULL, 0) != searcher) give_up("a child cannot be waited for");
}

/* The letters of what has come in an answer so far. */
static const char *answered = "";

/* Searches for all secrets. Of those with the letters in `held` there must be a copy, of those that came in an answer
 * there may be what TLS left of it, and of all others there is none. */
static void check_memory(int line, const char *held) {
  WAIT_UNTIL(other_threads() == 0);
  search();
  for (const char *letter = LETTERS; *letter; letter++) {
    int found = copies[(unsigned char)*letter], most = strchr(answered, *letter) ? LEFT_BY_TLS : 0;
    if (strchr(held, *letter) && found == 0) complain(__FILE__, line, "wanted: a copy of \"canary-%c\"", *letter);
    if (!strchr(held, *letter) && found > most)
      complain(__FILE__, line, "copies of \"canary-%c\": wanted %d at most, got %d", *letter, most, found);
  }
}
#define CHECK_MEMORY(held) check_memory(__LINE__, (held))

/* Does it in a child process, whose memory is not searched. */
static void elsewhere(void (*what)(void)) {
  int how;
  pid_t child = fork();
  if (child == 0) {
    begin();
    failed_checks = 0; /* those were its parent's */
    what();
    _exit(done());
  }
  if (child < 0 || waitpid(child, &how, 0) != child || how) give_up("a child has failed");
}

/* What the library has copied for this program. */
static char text[DL_AUTH_TOKEN_MAX];

static void check_and_wipe_text(const char *wanted) {
  CHECK_TEXT(wanted, text);
  for (volatile char *at = text; at < text + sizeof text; at++) *at = 0;
}

static dl_auth_t *made_of(dl_auth_config_t *config) {
  dl_auth_t *auth;
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("no handle");
  dl_auth_config_free(config);
  return auth;
}

static void a_ready_token_is_wiped(void) {
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "token", READY_TOKEN);
  CHECK_MEMORY("k");
  dl_auth_t *auth = made_of(config);
  CHECK_MEMORY("kd");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, text, sizeof text, NULL, &failure));
  check_and_wipe_text(READY_TOKEN);
  CHECK_STATUS(DL_AUTH_OK, dl_auth_claims(auth, text, sizeof text, NULL, &failure));
  check_and_wipe_text(READY_CLAIMS);
  dl_auth_free(auth);
  CHECK_MEMORY("");
}

static void order_a_login_and_a_refresh(void) {
  seen(TOKEN);
  set_gate("{'username':'" USERNAME "','password':'" PASSWORD "'}");
  plan("[{'do':'ok','on':'login','lifetime':20,'refresh_token':'" REFRESH_TOKEN "'},"
       "{'do':'ok','on':'refresh','id_token':'" TOKEN "','refresh_token':'" NEXT_REFRESH_TOKEN "'}]");
}

static void what_a_login_and_a_refresh_gave_and_got_is_wiped(void) {
  elsewhere(order_a_login_and_a_refresh);
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "proxy", "none");
  set_option(config, "username", USERNAME);
  set_option(config, "password", PASSWORD);
  CHECK_MEMORY("up");
  dl_auth_t *auth = made_of(config);
  CHECK_MEMORY("up");

  answered = "r";
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, text, sizeof text, NULL, &failure)); /* one of the gate's own */
  CHECK_MEMORY("upr");
  wait_until_it_may_refresh(auth);
  answered = "rst";
  CHECK_STATUS(DL_AUTH_OK, dl_auth_invalidate(auth, text, &failure));
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, text, sizeof text, NULL, &failure));
  check_and_wipe_text(TOKEN);
  CHECK_NUMBER(1, info_of(auth).refreshes);
  CHECK_MEMORY("upstc");

  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, NULL, NEXT_PASSWORD, &failure));
  CHECK_MEMORY("untc");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, "nobody", NEXT_PASSWORD, &failure));
  CHECK_MEMORY("n");
  dl_auth_free(auth);
  CHECK_MEMORY("");
}

static void order_a_refusal(void) {
  FILE *file = fopen("password", "w");
  if (!file || fputs(WRONG_PASSWORD "\n", file) < 0 || fclose(file)) give_up("the password's file cannot be written");
  plan("{'do':'status','status':401,'body':'{\\'message\\':\\'not with " WRONG_PASSWORD "\\'}'}");
}

static void a_password_of_a_file_that_the_gate_repeats_is_wiped(void) {
  elsewhere(order_a_refusal);
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "proxy", "none");
  set_option(config, "username", USERNAME);
  set_option(config, "password_file", "password");
  CHECK_MEMORY("u");
  dl_auth_t *auth = made_of(config);
  CHECK_MEMORY("uw");
  answered = "rstw";
  CHECK_STATUS(DL_AUTH_E_DENIED, dl_auth_token(auth, NULL, 0, NULL, &failure));
  CHECK_CONTAINS(failure.message, "not with [redacted]");
  CHECK_MEMORY("uw");
  dl_auth_free(auth);
  CHECK_MEMORY("");
}

static void write_a_short_password(void) {
  FILE *file = fopen("short", "w");
  if (!file || fputs(SHORT_PASSWORD "\n", file) < 0 || fclose(file)) give_up("the password's file cannot be written");
}

/* One that fits into a small buffer on a stack. It is shorter than the rows that are searched for under valgrind. */
static void a_password_of_a_file_is_read_into_wiped_memory_alone(void) {
  if (!is_plain()) return;
  elsewhere(write_a_short_password);
  /* Nothing more is read after it, so that nothing is written over what is left on the stack. */
  dl_auth_config_t *config = dl_auth_config_new();
  set_option(config, "username", USERNAME);
  set_option(config, "password_file", "short");
  set_option(config, "tls_roots", "bundled");
  dl_auth_t *auth = made_of(config);
  CHECK_MEMORY("uf");
  CHECK_NUMBER(1, copies['f']);
  dl_auth_free(auth);
  CHECK_MEMORY("");
}

/* The arrays are constants, which are not searched. */
static void an_environment_that_is_handed_over_is_wiped(void) {
  static const char *const first[] = {"DL_AUTH_PASSWORD=" WRONG_PASSWORD, NULL};
  static const char *const refused[] = {"DL_AUTH_PASSWORD=" NEXT_PASSWORD, "HOME", NULL};
  static const char *const used[] = {"DL_AUTH_USERNAME=" USERNAME, "DL_AUTH_PASSWORD=" PASSWORD,
                                     "DL_AUTH_PASSWORD=" NEXT_PASSWORD, "HTTPS_PROXY=http://user:" WRONG_PASSWORD "@p.invalid",
                                     "NO_PROXY=*", "HOME=" SHORT_PASSWORD, NULL};
  static const char *const not_utf8[][3] = {{"DL_AUTH_USERNAME=" USERNAME "\xff", "DL_AUTH_PASSWORD=" PASSWORD, NULL},
                                            {"DL_AUTH_USERNAME=" USERNAME, "DL_AUTH_PASSWORD=" PASSWORD "\xff", NULL}};
  dl_auth_config_t *config = dl_auth_config_new();
  set_option(config, "tls_roots", "bundled");
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set_environ(config, first, &failure));
  CHECK_MEMORY("w");
  CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_config_set_environ(config, refused, &failure));
  CHECK_MEMORY("w");
  for (int i = 0; i < 2; i++) {
    dl_auth_t *auth;
    CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set_environ(config, not_utf8[i], &failure));
    CHECK_STATUS(DL_AUTH_E_INVALID_VALUE, dl_auth_new(config, &auth, &failure));
    CHECK_MEMORY("up");
    CHECK_NUMBER(1, copies['u']); /* the array's */
    CHECK_NUMBER(1, copies['p']);
  }
  CHECK_STATUS(DL_AUTH_OK, dl_auth_config_set_environ(config, used, &failure));
  CHECK_MEMORY("upw");
  dl_auth_t *auth = made_of(config);
  CHECK_MEMORY("up");
  dl_auth_free(auth);
  CHECK_MEMORY("");
}

int main(void) {
  begin();
  CHECK_MEMORY("");
  a_password_of_a_file_is_read_into_wiped_memory_alone();
  an_environment_that_is_handed_over_is_wiped();
  a_ready_token_is_wiped();
  what_a_login_and_a_refresh_gave_and_got_is_wiped();
  a_password_of_a_file_that_the_gate_repeats_is_wiped();
  return done();
}
