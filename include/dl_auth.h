/*
 * dl_auth: trades Dataloop API credentials for a JWT, keeps it valid, and hands it to any number of threads.
 *
 *   dl_auth_t *auth;
 *   char jwt[DL_AUTH_TOKEN_MAX];
 *   if (dl_auth_new(NULL, &auth, NULL) != DL_AUTH_OK) return 1;      // NULL: configured by the environment
 *   if (dl_auth_token(auth, jwt, sizeof jwt, NULL, NULL) == DL_AUTH_OK) use(jwt);
 *   dl_auth_free(auth);
 *
 * Generated from src/capi/ by `make generate`; do not edit.
 *
 * Memory. The library copies into your memory and keeps copies of what you give it. You free what you made with a
 * *_new, by its *_free, and nothing else. Every *_free(NULL) does nothing.
 *
 * Threads. `const dl_auth_t *` means: any number of threads at the same time; it does not promise that nothing changes.
 * A dl_auth_config_t is for one thread at a time. Functions without a handle are for any thread.
 *
 * Handles. A handle that was freed is recognised, not undefined behaviour: DL_AUTH_E_CLOSED. Freeing it again does
 * nothing. Freeing it while other threads are inside lets them finish, and wakes those that wait.
 *
 * Parameters. Outputs come after inputs, `error` is last and may be NULL. A string is NUL-terminated UTF-8. `buf` is
 * NUL-terminated after every call where `cap` > 0; `*len` does not count the NUL, and is set on success and on
 * DL_AUTH_E_BUFFER_TOO_SMALL. A struct begins with its size, which its *_INIT sets: the library fills as much as both
 * sides know, and sets `size` to that. What the documentation does not call nullable gives DL_AUTH_E_NULL_ARGUMENT.
 * Any call may give DL_AUTH_E_INTERNAL: a bug in the library, caught.
 *
 * The process. A refresh has a thread for its length; at rest there is none, or one for all handles with
 * `refresh=background`. Each is named dl-auth and has all signals blocked. No signal handler, no atexit, no SIGPIPE, no
 * output. The process's environment is read in dl_auth_new only; with dl_auth_config_set_environ it is not read at all.
 * dlclose is safe and does nothing. If memory cannot be allocated, the process aborts.
 *
 * Signal handlers may call dl_auth_abi_version, dl_auth_config_key, dl_auth_status_name and dl_auth_version: these are
 * async-signal-safe. No other function is.
 *
 * Stack. A call needs at most 16 KB of the caller's stack. If no thread can be made, the call runs the refresh itself and
 * needs 48 KB, or 64 KB if the gate or a proxy sends more than two intermediate certificates. Add what the C library
 * keeps on that stack and what your signal handlers need.
 *
 * Fork. A child of fork may use its parent's handles, but not in a handler that the host gave to pthread_atfork: the
 * library relies on such a handler too, which may run later. After _Fork or a raw clone, whose child has a copy of the
 * memory, no handler has run: the child may call the async-signal-safe functions only. After vfork, it may call none.
 *
 * Cancellation. It is disabled during a call. Afterwards its state is as before: pthread_cancel takes effect at the first
 * cancellation point after the call. Do not call the library while cancellation is enabled with the type
 * PTHREAD_CANCEL_ASYNCHRONOUS: the process would abort. POSIX allows pthread_cancel, pthread_setcancelstate and
 * pthread_setcanceltype only.
 *
 * Descriptors. They are above 2 and close-on-exec. If 0, 1 or 2 is closed, the library opens the root directory under that
 * number while it makes a descriptor or resolves a name: reading and writing it fails. Open 0 to 2 before the first call.
 */
#ifndef DL_AUTH_H
#define DL_AUTH_H


#include <stddef.h>
#include <stdint.h>

/*
 * Options: the keys of dl_auth_config_set.
 *
 * username
 *     The user or the bot to log in as.
 *     Must be text, not empty.
 *     Default: none. Environment: DL_AUTH_USERNAME.
 *
 * password
 *     The password of `username`. The library wipes its copies of it and never
 *     logs it.
 *     Must be text, not empty.
 *     Default: none. Environment: DL_AUTH_PASSWORD.
 *
 * password_file
 *     A file with the password. It is read when a handle is made and each time
 *     before its password is sent. While the gate refuses the password, it is
 *     read at most once per second. A line end at the end of the file is not
 *     part of the password.
 *     Must be the path of a regular file that holds the password.
 *     Default: none. Environment: DL_AUTH_PASSWORD_FILE.
 *
 * token
 *     A ready token, such as an API key. It is returned until its `exp` and is
 *     never refreshed. It cannot be set together with the credentials.
 *     Must be a JWT with an `exp` in the future.
 *     Default: none. Environment: DL_AUTH_TOKEN.
 *
 * environment
 *     The environment of the service: it selects the gate. `url` has priority
 *     over it. `prod`: https://gate.dataloop.ai; `rc`:
 *     https://rc-gate.dataloop.ai; `dev`: https://dev-gate.dataloop.ai;
 *     `new-dev`: https://custom1-gate.dataloop.ai; `aws`:
 *     https://poc-gate.dataloop.ai; `local`: https://localhost:8443.
 *     Must be `prod`, `rc`, `dev`, `new-dev`, `aws` or `local`.
 *     Default: `prod`. Environment: DL_AUTH_ENVIRONMENT.
 *
 * url
 *     The gate to log in at. An `http` URL is accepted only with a loopback
 *     address and with `allow_http=true`.
 *     Must be an https URL without credentials: a gate, its API base, or its
 *     /token endpoint.
 *     Default: by `environment`. Environment: DL_AUTH_URL.
 *
 * ca_file
 *     Certificates to trust in addition to the roots, or a self-signed server
 *     certificate itself. The file is read when a handle is made.
 *     Must be the path of a file with at least one certificate: PEM, or one
 *     certificate as DER.
 *     Default: none. Environment: DL_AUTH_CA_FILE.
 *
 * tls_roots
 *     The root certificates to trust. `auto`: the system's roots, or the
 *     bundled roots if the system has no roots; `system`: only the system's
 *     roots; `bundled`: only the roots in this library; `ca_file_only`: only
 *     the certificates in `ca_file`.
 *     Must be `auto`, `system`, `bundled` or `ca_file_only`.
 *     Default: `auto`. Environment: DL_AUTH_TLS_ROOTS.
 *
 * proxy
 *     The proxy to the gate. Percent-encode special characters of user and
 *     password. `none`: no proxy, even if the environment sets one. `NO_PROXY`
 *     is a list of hosts, read as curl reads it: the library bypasses the proxy
 *     of `HTTPS_PROXY` for these hosts and their subdomains.
 *     Must be an http or https URL, or `none`.
 *     Default: `HTTPS_PROXY`, `NO_PROXY`. Environment: DL_AUTH_PROXY.
 *
 * connect_timeout
 *     The maximum time for one connection, TLS included.
 *     Must be a duration from 1ms to 5m, such as 500ms, 30s or 2m.
 *     Default: `10s`. Environment: DL_AUTH_CONNECT_TIMEOUT.
 *
 * timeout
 *     The maximum time for one whole refresh, DNS and retries included.
 *     Must be a duration from 1ms to 10m, such as 500ms, 30s or 2m.
 *     Default: `30s`. Environment: DL_AUTH_TIMEOUT.
 *
 * wait
 *     The maximum time that `dl_auth_token` blocks while there is no valid
 *     token.
 *     Must be a duration from 0s to 10m, such as 500ms, 30s or 2m.
 *     Default: `30s`. Environment: DL_AUTH_WAIT.
 *
 * refresh
 *     What starts a refresh. `on_demand`: a call that finds that a refresh is
 *     due; `background`: such a call, and also a timer, which needs no call.
 *     Must be `on_demand` or `background`.
 *     Default: `on_demand`. Environment: DL_AUTH_REFRESH.
 *
 * refresh_at
 *     The part of a token's life after which a refresh is due.
 *     Must be a number from 0.1 to 0.9.
 *     Default: `0.8`. Environment: DL_AUTH_REFRESH_AT.
 *
 * refresh_grant
 *     Whether to use the refresh token before the password.
 *     Must be `true` or `false`.
 *     Default: `true`. Environment: DL_AUTH_REFRESH_GRANT.
 *
 * max_attempts
 *     The maximum number of attempts in one refresh. Only failures that may be
 *     temporary are retried.
 *     Must be a whole number from 1 to 10.
 *     Default: `3`. Environment: DL_AUTH_MAX_ATTEMPTS.
 *
 * store
 *     Where processes share a token. This version supports only `none`: any
 *     other value causes `DL_AUTH_E_UNSUPPORTED`.
 *     Must be `none`, `file:DIR` or `redis://HOST`.
 *     Default: `none`. Environment: DL_AUTH_STORE.
 *
 * store_required
 *     Whether to fail if the store cannot be used, instead of a login that is
 *     not shared. It has no effect without a `store`.
 *     Must be `true` or `false`.
 *     Default: `false`. Environment: DL_AUTH_STORE_REQUIRED.
 *
 * user_agent
 *     Text that is appended to `dl_auth/VERSION` in each request.
 *     Must be visible ASCII characters and spaces, at most 200.
 *     Default: none. Environment: DL_AUTH_USER_AGENT.
 *
 * allow_http
 *     Whether to accept an `http` URL with a loopback address. This is for
 *     tests.
 *     Must be `true` or `false`.
 *     Default: `false`. Environment: DL_AUTH_ALLOW_HTTP.
 */

/* The version of this header; dl_auth_version() tells the library's. */
#define DL_AUTH_VERSION "0.1.0"
#define DL_AUTH_VERSION_MAJOR 0
#define DL_AUTH_VERSION_MINOR 1
#define DL_AUTH_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A buffer of this many bytes fits every token, its NUL, and its claims: a longer token is not taken from the gate,
 * for it would not fit the header limit of most servers.
 */
#define DL_AUTH_TOKEN_MAX 8192

/** A buffer of this many bytes fits every "Bearer <token>" and its NUL. */
#define DL_AUTH_BEARER_MAX 8199

/** dl_auth_info_t.state: there is no token. */
#define DL_AUTH_STATE_EMPTY 0

/** dl_auth_info_t.state: valid, and needs no refresh. */
#define DL_AUTH_STATE_FRESH 1

/** dl_auth_info_t.state: valid, and the next call that finds it begins a refresh. */
#define DL_AUTH_STATE_DUE 2

/** dl_auth_info_t.state: not handed out any more: it has ended, or the platform refused it. */
#define DL_AUTH_STATE_EXPIRED 3

/** dl_auth_info_t.activity: nothing. */
#define DL_AUTH_ACTIVITY_IDLE 0

/** dl_auth_info_t.activity: a refresh is in flight. */
#define DL_AUTH_ACTIVITY_REFRESHING 1

/** dl_auth_info_t.activity: the last refresh failed, and no other begins for retry_in_ms. */
#define DL_AUTH_ACTIVITY_COOLING 2

/**
 * dl_auth_info_t.activity: the gate refused the credentials the last time it was asked; they are not sent again for
 * retry_in_ms, unless they change.
 */
#define DL_AUTH_ACTIVITY_DENIED 3

/**
 * The number of the ABI of this header: a host that uses all of it needs a library whose `dl_auth_abi_version()` is at
 * least that.
 */
#define DL_AUTH_ABI_VERSION 1

/**
 * Options by name. Made by dl_auth_config_new, used by one thread at a time, given to any number of dl_auth_new, and
 * freed by dl_auth_config_free, at once if you like: dl_auth_new keeps a copy.
 */
typedef struct dl_auth_config_t dl_auth_config_t;

/**
 * A handle on one user's token. Made by dl_auth_new, given up by dl_auth_free, and used by any number of threads in
 * between. It points to nothing that a host may read; a handle that was freed is recognised (DL_AUTH_E_CLOSED).
 */
typedef struct dl_auth_t dl_auth_t;

/**
 * The result of a call: DL_AUTH_OK or one of DL_AUTH_E_*. DL_AUTH_OK is 0 and errors are negative, so `if (status)` is
 * true for each error.
 */
typedef int32_t dl_auth_status_t;

/**
 * How a call failed. The caller provides this struct: initialise it with DL_AUTH_ERROR_INIT and pass its address. It
 * contains no pointer, and there is nothing to free. A call that succeeds does not change it.
 */
typedef struct dl_auth_error_t {
  /**
   * The size of the struct, set by DL_AUTH_ERROR_INIT. After a failure: how many bytes the library wrote. If it is
   * less than 4, the struct is not initialised, and the library writes nothing.
   */
  uint32_t size;
  /** The status that the call returned. */
  int32_t status;
  /** The HTTP status of the answer that caused the failure. 0: there was no answer. */
  uint32_t http_status;
  /** Always 0. */
  uint32_t reserved;
  /** Milliseconds until the library itself tries again. 0: at the next call, or never. */
  uint64_t retry_after_ms;
  /**
   * What happened, what it happened to, and what to do: one line of UTF-8 with a NUL at the end. A longer message is
   * cut between two characters. It never contains a username, a password or a token.
   */
  char message[512];
} dl_auth_error_t;

/**
 * A look at a handle, in the caller's own memory: initialise it with DL_AUTH_INFO_INIT. A later version may add fields
 * at the end; it fills no more than yours has.
 */
typedef struct dl_auth_info_t {
  /** The struct's size, set by DL_AUTH_INFO_INIT; afterwards, how much of it was written. */
  uint32_t size;
  /** What the token is good for: one of DL_AUTH_STATE_*. */
  int32_t state;
  /** What the handle is doing: one of DL_AUTH_ACTIVITY_*. */
  int32_t activity;
  /** 0. */
  uint32_t reserved;
  /** How many tokens the handle has held; 0: none yet. */
  uint64_t generation;
  /** The token's `iat` in Unix seconds; 0: none. */
  int64_t issued_at;
  /** The token's `exp` in Unix seconds; 0: none. */
  int64_t expires_at;
  /**
   * Milliseconds until the token ends, by a clock that counts suspend and that nobody can set; negative: it has
   * ended; 0: none.
   */
  int64_t expires_in_ms;
  /** Milliseconds until its refresh is due; negative: it is due; 0: none. */
  int64_t refresh_in_ms;
  /**
   * The gate's clock minus this machine's, in milliseconds but good to about a second, as measured at the last
   * answer that had a token; 0 if that answer did not tell a time to believe.
   */
  int64_t clock_skew_ms;
  /** Tokens that were got for the password. */
  uint64_t logins;
  /** Tokens that were got for a refresh token. */
  uint64_t refreshes;
  /** Refreshes that failed, each with all its tries. */
  uint64_t failures;
  /** Tokens that were found in the shared store. 0: there is no shared store yet. */
  uint64_t shared_hits;
  /** Failures of the shared store. 0: there is no shared store yet. */
  uint64_t store_failures;
  /** Callers that wait at this moment. */
  uint64_t waiting;
  /** The status of the last refresh that has ended; DL_AUTH_OK: it worked, or there was none. */
  int32_t last_status;
  /** The HTTP status of its answer, where it failed; 0: it worked, or there was no answer. */
  uint32_t last_http_status;
  /** Milliseconds until the next refresh may begin, after one that failed, or one that has just worked; 0: at once. */
  int64_t retry_in_ms;
  /**
   * Milliseconds that dl_auth_token may hold its caller: the option `wait`. For a host that waits in a way of its own
   * between calls of dl_auth_token_within with 0.
   */
  uint64_t wait_ms;
} dl_auth_info_t;

/** The call succeeded. */
#define DL_AUTH_OK 0

/**
 * A pointer is NULL and must not be NULL, or a struct is not initialised. Fix
 * the call.
 */
#define DL_AUTH_E_NULL_ARGUMENT (-1)

/** A string is not UTF-8. Fix the call. */
#define DL_AUTH_E_NOT_UTF8 (-2)

/**
 * The buffer is too small for the text and its NUL. Grow the buffer to
 * `*len + 1` bytes and call again.
 */
#define DL_AUTH_E_BUFFER_TOO_SMALL (-3)

/**
 * The handle was freed, before or during the call. Or dl_auth_new did not make
 * this handle. Make a new handle.
 */
#define DL_AUTH_E_CLOSED (-4)

/**
 * There is no option with this name. Fix the configuration. The message names
 * the most similar option.
 */
#define DL_AUTH_E_UNKNOWN_KEY (-10)

/**
 * A value is not valid for this option. Fix the configuration. The message
 * names the option, describes a valid value, and gives the source of the value:
 * a call or an environment variable.
 */
#define DL_AUTH_E_INVALID_VALUE (-11)

/**
 * The username or the password is missing, both in the calls and in the
 * environment. Or a ready `token` has expired and there are no credentials to
 * log in with. Set a username and a password, or a ready token.
 */
#define DL_AUTH_E_NO_CREDENTIALS (-12)

/**
 * The option exists, but this library is built without the feature. Do not set
 * the option.
 */
#define DL_AUTH_E_UNSUPPORTED (-13)

/**
 * The gate refused the credentials: HTTP 401, or HTTP 400 or 403 in the gate's
 * own form. Correct the credentials, or ask their issuer.
 */
#define DL_AUTH_E_DENIED (-20)

/**
 * No valid token yet; refresh in progress. The call may not wait, because
 * `wait_ms` or `wait` is 0. The status is the same if no thread could be made
 * for the refresh. Call again later.
 */
#define DL_AUTH_E_PENDING (-30)

/**
 * A time limit ended: the time that the call may wait, the limit of the refresh
 * (`timeout`), or the limit of its connection (`connect_timeout`). Call again.
 * The message says what took the time, such as a firewall that drops packets.
 */
#define DL_AUTH_E_TIMEOUT (-31)

/**
 * There is no connection: a name does not resolve, a connection is refused or
 * broken, or a proxy refuses it. Check the network and the proxy. Call again.
 */
#define DL_AUTH_E_UNREACHABLE (-32)

/**
 * The gate received too many requests (HTTP 429). Wait for `retry_after_ms`,
 * then call again. If it is 0, the gate gave no time: wait a little.
 */
#define DL_AUTH_E_RATE_LIMITED (-33)

/**
 * Server error: HTTP 5xx, 408 or 425, or HTTP 400 or 403 that is not in the
 * gate's own form. The gate, or a server in front of it, has a problem. Call
 * again.
 */
#define DL_AUTH_E_GATE (-34)

/**
 * A gate does not send such an answer: it is not JSON, is too large, is a
 * redirect or HTTP 404, or has no `id_token`. Or the token in it is not a JWT,
 * has no usable `exp`, or has expired. Check `url`, and the servers between
 * this machine and the gate.
 */
#define DL_AUTH_E_BAD_RESPONSE (-35)

/**
 * The remaining life of the token is shorter than requested. A new token would
 * not be valid for longer, or, if `retry_after_ms` is not 0, the last token is
 * too new to fetch another one before that time. If `retry_after_ms` is 0,
 * request less life (`min_valid_ms`). Otherwise call again after that time.
 */
#define DL_AUTH_E_TOO_SHORT (-36)

/**
 * TLS failed: a certificate is not trusted, is for another host, or has
 * expired. Or the port does not use TLS. Read the message: it names the
 * certificate and the problem.
 */
#define DL_AUTH_E_TLS (-40)

/**
 * The shared store cannot be used, and `store_required` is set. This version
 * does not return this status, because it has no shared store.
 */
#define DL_AUTH_E_STORE (-41)

/**
 * The text given to dl_auth_jwt_claims or dl_auth_jwt_expiry is not a JWT, or
 * has no usable `exp`. Fix the text.
 */
#define DL_AUTH_E_BAD_JWT (-50)

/**
 * There is a bug in the library, and the library caught a panic. The handle and
 * its token stay usable. Report the bug.
 */
#define DL_AUTH_E_INTERNAL (-99)

/**
 * Makes a handle from a configuration and the environment: that of dl_auth_config_set_environ, or, without that call,
 * the process's. `config` may be NULL: only the process's environment is used. If the program has more rights than the
 * user that started it (set-user-ID, set-group-ID, file capabilities), the process's environment is ignored. The
 * configuration is copied. Files that it names are read, the network is not touched: the first dl_auth_token logs in.
 * Free the handle with dl_auth_free. If the call fails, `*auth` is NULL.
 *
 * DL_AUTH_E_NO_CREDENTIALS, DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_UNSUPPORTED, DL_AUTH_E_NULL_ARGUMENT.
 */
dl_auth_status_t dl_auth_new(const dl_auth_config_t *config,
                             dl_auth_t **auth,
                             dl_auth_error_t *error);

/**
 * Copies a valid token into `buf`: at once while there is one, else after the refresh in flight, which this call
 * begins where there is none, and at most after the time that `wait` gives. From any thread.
 *
 * `*len`, where `len` is not NULL, is the token's length without its NUL. With `buf` NULL and `cap` 0 the call asks
 * for that length (DL_AUTH_E_BUFFER_TOO_SMALL); it may have changed by the next call. Nothing is to be freed; the copy
 * is yours, and as secret as a password.
 *
 * After a refresh that failed, calls without a valid token fail at once with its error, until the time that
 * `retry_after_ms` gives: 1 s at most, doubled with each failure to 30 s, but no less than the Retry-After of a 429 or 503, up to 1 h;
 * after a refused password 30 s, 5 min, 1 h doubling to 24 h (with HTTP 403, 5 min at most), for all handles of the
 * process, or until the credentials change.
 *
 * DL_AUTH_E_DENIED, DL_AUTH_E_TIMEOUT, DL_AUTH_E_UNREACHABLE, DL_AUTH_E_RATE_LIMITED, DL_AUTH_E_GATE,
 * DL_AUTH_E_BAD_RESPONSE, DL_AUTH_E_TLS, DL_AUTH_E_NO_CREDENTIALS; DL_AUTH_E_PENDING where `wait` is 0;
 * DL_AUTH_E_TOO_SHORT where the gate's last token has ended, and `wait` is over before another may be fetched;
 * DL_AUTH_E_BUFFER_TOO_SMALL, DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT.
 */
dl_auth_status_t dl_auth_token(const dl_auth_t *auth,
                               char *buf,
                               size_t cap,
                               size_t *len,
                               dl_auth_error_t *error);

/**
 * Gives up a handle. NULL, and a handle that was freed before, do nothing. Threads inside a call finish it; those that
 * wait are woken with DL_AUTH_E_CLOSED. The call does not wait for them, nor for a refresh in flight.
 */
void dl_auth_free(dl_auth_t *auth);

/**
 * As dl_auth_token, for a caller with needs of its own: a token that is valid for another `min_valid_ms`, and a wait
 * of at most `wait_ms` milliseconds. With 0 and 0 it never waits: the poll of a frame loop, and the prefetch. (Where
 * no thread can be made for the refresh, a caller who may wait runs it, for as long as it takes.)
 *
 * As dl_auth_token; and DL_AUTH_E_PENDING (`wait_ms` is 0, and the refresh is under way) and DL_AUTH_E_TOO_SHORT: no
 * token of the gate lives for `min_valid_ms`; or `retry_after_ms` is not 0, and another may be fetched then. For a
 * tenth of a new token's life, at least 1 s and at most 60 s, no other refresh begins, however the token is asked for.
 */
dl_auth_status_t dl_auth_token_within(const dl_auth_t *auth,
                                      uint64_t min_valid_ms,
                                      uint64_t wait_ms,
                                      char *buf,
                                      size_t cap,
                                      size_t *len,
                                      dl_auth_error_t *error);

/**
 * As dl_auth_token, but copies "Bearer <token>", the value of the header Authorization (RFC 6750).
 * DL_AUTH_BEARER_MAX bytes always fit.
 */
dl_auth_status_t dl_auth_bearer(const dl_auth_t *auth,
                                char *buf,
                                size_t cap,
                                size_t *len,
                                dl_auth_error_t *error);

/**
 * As dl_auth_token, but copies the token's payload: a JSON object (RFC 7519), as the gate wrote it. The claims say
 * what the token says of itself; the signature is not checked. DL_AUTH_TOKEN_MAX bytes always fit.
 */
dl_auth_status_t dl_auth_claims(const dl_auth_t *auth,
                                char *buf,
                                size_t cap,
                                size_t *len,
                                dl_auth_error_t *error);

/**
 * The number of the present token, counted from 1 and never given twice, where it needs no refresh; else 0, and then
 * dl_auth_token is to be called. For a host that keeps a copy of its own: while the number is the same, so is the
 * token. Never waits, refreshes nothing; 0 for a bad handle too.
 */
uint64_t dl_auth_generation(const dl_auth_t *auth);

/**
 * Tells that the platform refused a token with 401: give the token that was refused. Where it is still the current
 * one, it counts as expired and the next call refreshes; else somebody has told already, and nothing is done. So a
 * thousand threads that saw a 401 cause one refresh. A token that has just been fetched stays until another may be
 * (see dl_auth_token_within). DL_AUTH_OK in each case. (A ready `token` of the configuration has nothing to be
 * refreshed with: from then on, calls fail with DL_AUTH_E_NO_CREDENTIALS.)
 *
 * DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
 */
dl_auth_status_t dl_auth_invalidate(const dl_auth_t *auth,
                                    const char *rejected_token,
                                    dl_auth_error_t *error);

/**
 * Logs in with these from now on; they are copied. `username` NULL keeps the one there is. The refresh token, the
 * pause after a failure and what these were refused are dropped, a refresh in flight is disowned (who waits for it
 * gets the new one's token), and the present token stays only where the username does. A `password_file` is read no
 * more.
 *
 * DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NO_CREDENTIALS (no username to keep), DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT,
 * DL_AUTH_E_NOT_UTF8.
 */
dl_auth_status_t dl_auth_set_credentials(const dl_auth_t *auth,
                                         const char *username,
                                         const char *password,
                                         dl_auth_error_t *error);

/**
 * An empty configuration: what is not set comes from the environment (DL_AUTH_ and the key in capitals), else from the
 * defaults. Never NULL unless there is a bug in the library. Free it with dl_auth_config_free.
 */
dl_auth_config_t *dl_auth_config_new(void);

/**
 * Sets an option: `key` is one of those that dl_auth_config_key tells, `value` is text in the form that the README's
 * table gives. Both are copied. A value set again replaces the first; one that is refused changes nothing.
 *
 * A value that can be judged alone is judged here. What must be judged together or needs a file (`url`, `token`,
 * `ca_file`, `password_file`) is judged by dl_auth_new.
 *
 * DL_AUTH_E_UNKNOWN_KEY, DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
 */
dl_auth_status_t dl_auth_config_set(dl_auth_config_t *config,
                                    const char *key,
                                    const char *value,
                                    dl_auth_error_t *error);

/**
 * Sets the environment of this configuration. `variables` is an array of "NAME=VALUE" strings that ends with NULL, such
 * as a copy of `environ`. Handles that are made with this configuration use it instead of the process's environment, for
 * all that dl_auth_new reads there: DL_AUTH_*, HTTPS_PROXY and NO_PROXY (also in lower case), SSL_CERT_FILE and
 * SSL_CERT_DIR. dl_auth_new then does not read the process's environment, so another thread may change that at the same
 * time. An array that holds only NULL means: no variables. The array is copied, and replaces that of an earlier call. The
 * first of two entries with the same name counts, as with getenv.
 *
 * In a program that has more rights than the user that started it, do not give it the environment of the process: that
 * is under the user's control.
 *
 * If an entry has no `=`, the call fails with DL_AUTH_E_INVALID_VALUE and changes nothing. If a variable that is used is
 * not UTF-8, dl_auth_new fails. (On Unix, this does not apply to SSL_CERT_FILE and SSL_CERT_DIR.)
 *
 * DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NULL_ARGUMENT.
 */
dl_auth_status_t dl_auth_config_set_environ(dl_auth_config_t *config,
                                            const char *const *variables,
                                            dl_auth_error_t *error);

/** Frees a configuration, wiping what it holds. NULL does nothing. Handles made with it live on. */
void dl_auth_config_free(dl_auth_config_t *config);

/** The name of the index-th option, counted from 0; NULL past the last. The string is static: do not free it. */
const char *dl_auth_config_key(size_t index);

/**
 * Returns the name of a status, such as "DL_AUTH_E_DENIED", or "DL_AUTH_E_UNKNOWN" for any other number. Never NULL.
 * The string is static: do not free it.
 */
const char *dl_auth_status_name(dl_auth_status_t status);

/**
 * Looks at a handle. Starts no refresh and waits for nothing. (In a child process, the first look at a handle with
 * `refresh=background` begins its refreshes there.)
 *
 * DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT (`info` is NULL or was not initialised).
 */
dl_auth_status_t dl_auth_info(const dl_auth_t *auth,
                              dl_auth_info_t *info,
                              dl_auth_error_t *error);

/** The library's version, such as "1.2.3". The string is static: do not free it. */
const char *dl_auth_version(void);

/** The number of the ABI: it grows by 1 with each symbol that is added. A host that needs a later one must not go on. */
uint32_t dl_auth_abi_version(void);

/**
 * Copies the payload of a JWT, a JSON object (RFC 7519), into `buf`; buffer and length as for dl_auth_token. The
 * signature is not checked: the claims say what the token says of itself, not that it is genuine.
 *
 * DL_AUTH_E_BAD_JWT, DL_AUTH_E_BUFFER_TOO_SMALL, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
 */
dl_auth_status_t dl_auth_jwt_claims(const char *jwt,
                                    char *buf,
                                    size_t cap,
                                    size_t *len,
                                    dl_auth_error_t *error);

/**
 * Tells when a JWT ends: its claim `exp`, in Unix seconds. Nothing is checked but that it is a date.
 *
 * DL_AUTH_E_BAD_JWT, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
 */
dl_auth_status_t dl_auth_jwt_expiry(const char *jwt, int64_t *unix_seconds, dl_auth_error_t *error);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* Initialisers. They name every field and contain no cast, so that no compiler warns:
 *   dl_auth_error_t error = DL_AUTH_ERROR_INIT;
 * A language that cannot use them sets `size` to the size of the struct, and all other fields to 0. */
#define DL_AUTH_ERROR_INIT { sizeof(dl_auth_error_t), 0, 0, 0, 0, { 0 } }
#define DL_AUTH_INFO_INIT \
  { sizeof(dl_auth_info_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

#endif /* DL_AUTH_H */
