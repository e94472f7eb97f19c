/* A secret is wiped from memory when it is dropped. The test makes the library hold secrets, and then searches the
 * memory of this process for them. The README lists what remains; nothing else may remain.
 *
 * A secret is one piece of eight bytes, repeated. So a copy of it is a row of equal words, and a copy whose ends are
 * overwritten is found too. The secrets are constants of this program. The search covers only writable memory, and a
 * child process does everything else that needs a secret in plain text, such as a request to the gate's control
 * endpoint. So each copy that is found belongs to the library.
 *
 * The TLS library leaves two copies of each answer in its buffers: the record, decrypted in place, and the text taken
 * out of it. More than two are not allowed.
 *
 * memcpy leaves its last bytes in registers: up to 640 bytes of a token. If the registers are saved, these bytes are on
 * a stack. The kernel saves the registers for a signal handler, and the loader saves them when a function is called for
 * the first time. `-z now` binds the calls of one program or library; LD_BIND_NOW, which the driver sets, binds all
 * calls before main.
 *
 * Valgrind and the sanitizers keep freed memory unchanged for a long time. So a copy must be wiped there, while
 * otherwise new data may have overwritten it. */
#include "gate.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

/* A copy is a row of at least this many equal words. Valgrind keeps the registers in memory: there the number is larger
 * than what they can hold. */
static int least_row(void) { return is_plain() ? 2 : 9; }

enum { LEFT_BY_TLS = 2 };

/* The secrets. Each has 24 pieces, and the last letter of its piece identifies it. */
#define EIGHT(text) text text text text text text text text
#define SECRET(piece) EIGHT(piece piece piece)
#define USERNAME SECRET("canary-u")
#define PASSWORD SECRET("canary-p")
#define NEXT_PASSWORD SECRET("canary-n")
#define WRONG_PASSWORD SECRET("canary-w")
#define SHORT_PASSWORD "canary-fcanary-fcanary-f"
#define REFRESH_TOKEN SECRET("canary-r")
#define NEXT_REFRESH_TOKEN SECRET("canary-s")
/* Tokens that are valid until the year 2100. Their claims hold SECRET("canary-c") and SECRET("canary-d"). */
#define HEAD "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsImlzIjoi"
#define TOKEN HEAD EIGHT("Y2FuYXJ5LWNjYW5hcnktY2NhbmFyeS1j") "In0." SECRET("canary-t")
#define READY_TOKEN HEAD EIGHT("Y2FuYXJ5LWRjYW5hcnktZGNhbmFyeS1k") "In0." SECRET("canary-k")
#define READY_CLAIMS "{\"exp\":4102444800,\"is\":\"" SECRET("canary-d") "\"}"
#define LETTERS "upnwfrstkcd"

/* The number of copies of each secret. */
static int copies[UCHAR_MAX + 1];

/* The letter of the secret to which this word belongs, at any offset of the word in the piece. 0: the word belongs to
 * no secret. */
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
    if (got <= 0) give_up("cannot read the memory");
    for (const uint64_t *word = window; word < window + got / (ssize_t)sizeof *word; word++) {
      row = *word == last ? row + 1 : 1;
      last = *word;
      if (row == least) copies[letter_in(last)]++;
    }
  }
}

/* Counts the copies in all memory that this process can write to and does not share. */
static void search_process(pid_t process) {
  char path[64], line[512], access[5];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)process);
  FILE *maps = fopen(path, "r");
  snprintf(path, sizeof path, "/proc/%d/mem", (int)process);
  int memory = open(path, O_RDONLY);
  if (!maps || memory < 0) give_up("cannot open the memory of a process");
  while (fgets(line, sizeof line, maps)) {
    unsigned long long from, to;
    if (sscanf(line, "%llx-%llx %4s", &from, &to, access) != 3) give_up("cannot read the list of memory");
    /* A larger range belongs to a sanitizer: terabytes, nearly all of them empty. */
    if (access[1] == 'w' && access[3] == 'p' && to - from < 1ULL << 30) search_range(memory, (off_t)from, (off_t)to);
  }
  fclose(maps);
  close(memory);
}

/* Counts the copies in this process. The searching process has what it found in its own memory. So a child process
 * searches the memory of its child process, which is paused. */
static void search(void) {
  int pipe_ends[2];
  if (pipe(pipe_ends)) give_up("cannot make a pipe");
  pid_t searcher = fork();
  if (searcher == 0) {
    pid_t searched = fork();
    begin();
    if (searched < 0) give_up("cannot create a child process");
    if (searched == 0)
      for (;;) pause();
    memset(copies, 0, sizeof copies);
    search_process(searched);
    kill(searched, SIGKILL);
    if (write(pipe_ends[1], copies, sizeof copies) != sizeof copies) give_up("cannot write to the pipe");
    _exit(0);
  }
  close(pipe_ends[1]);
  if (searcher < 0 || read(pipe_ends[0], copies, sizeof copies) != sizeof copies) give_up("cannot search the memory");
  close(pipe_ends[0]);
  if (waitpid(searcher, NULL, 0) != searcher) give_up("cannot wait for the child process");
}

/* The letters of the secrets that an answer has contained so far. */
static const char *answered = "";

/* Searches for all secrets. A secret whose letter is in `held` must have a copy. A secret that was in an answer may
 * have the copies that TLS leaves. Any other secret must have no copy. */
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

/* Runs it in a child process, whose memory is not searched. */
static void elsewhere(void (*what)(void)) {
  int how;
  pid_t child = fork();
  if (child == 0) {
    begin();
    failed_checks = 0; /* the count of the parent process */
    what();
    _exit(done());
  }
  if (child < 0 || waitpid(child, &how, 0) != child || how) give_up("a child process failed");
}

/* The text that the library has copied for this program. */
static char text[DL_AUTH_TOKEN_MAX];

static void check_and_wipe_text(const char *wanted) {
  CHECK_TEXT(wanted, text);
  for (volatile char *at = text; at < text + sizeof text; at++) *at = 0;
}

static dl_auth_t *made_of(dl_auth_config_t *config) {
  dl_auth_t *auth;
  if (CHECK_STATUS(DL_AUTH_OK, dl_auth_new(config, &auth, &failure))) give_up("cannot make a handle");
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

static void plan_a_login_and_a_refresh(void) {
  seen(TOKEN);
  set_gate("{'username':'" USERNAME "','password':'" PASSWORD "'}");
  plan("[{'do':'ok','on':'login','lifetime':20,'refresh_token':'" REFRESH_TOKEN "'},"
       "{'do':'ok','on':'refresh','id_token':'" TOKEN "','refresh_token':'" NEXT_REFRESH_TOKEN "'}]");
}

static void secrets_of_a_login_and_a_refresh_are_wiped(void) {
  elsewhere(plan_a_login_and_a_refresh);
  dl_auth_config_t *config = way_to_the_gate();
  set_option(config, "proxy", "none");
  set_option(config, "username", USERNAME);
  set_option(config, "password", PASSWORD);
  CHECK_MEMORY("up");
  dl_auth_t *auth = made_of(config);
  CHECK_MEMORY("up");

  answered = "r";
  CHECK_STATUS(DL_AUTH_OK, dl_auth_token(auth, text, sizeof text, NULL, &failure)); /* a token that the gate has made */
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
  CHECK_STATUS(DL_AUTH_OK, dl_auth_set_credentials(auth, "unknown", NEXT_PASSWORD, &failure));
  CHECK_MEMORY("n");
  dl_auth_free(auth);
  CHECK_MEMORY("");
}

static void plan_a_refusal(void) {
  FILE *file = fopen("password", "w");
  if (!file || fputs(WRONG_PASSWORD "\n", file) < 0 || fclose(file)) give_up("cannot write the password file");
  plan("{'do':'status','status':401,'body':'{\\'message\\':\\'not with " WRONG_PASSWORD "\\'}'}");
}

static void a_password_from_a_file_that_the_gate_repeats_is_wiped(void) {
  elsewhere(plan_a_refusal);
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
  if (!file || fputs(SHORT_PASSWORD "\n", file) < 0 || fclose(file)) give_up("cannot write the password file");
}

/* A password that fits into a small buffer on a stack. It is shorter than the rows that the search finds under
 * valgrind. */
static void a_password_file_is_read_only_into_memory_that_is_wiped(void) {
  if (!is_plain()) return;
  elsewhere(write_a_short_password);
  /* Nothing else is read after the password, so nothing overwrites what remains on the stack. */
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
static void a_passed_environment_is_wiped(void) {
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
    CHECK_NUMBER(1, copies['u']); /* the copy in the array */
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
  a_password_file_is_read_only_into_memory_that_is_wiped();
  a_passed_environment_is_wiped();
  a_ready_token_is_wiped();
  secrets_of_a_login_and_a_refresh_are_wiped();
  a_password_from_a_file_that_the_gate_repeats_is_wiped();
  return done();
}
