/*
 * dl_auth: trades Dataloop API credentials for a JWT, caches it, and refreshes
 * it before it expires. Any number of threads can use it.
 *
 * ```c
 * #include <dl_auth.h>
 * #include <stdio.h>
 *
 * int main(void) {
 *   char jwt[DL_AUTH_TOKEN_MAX];
 *   dl_auth_error_t error = DL_AUTH_ERROR_INIT;
 *   dl_auth_t *auth;
 *   // NULL: DL_AUTH_USERNAME, DL_AUTH_PASSWORD and so on configure the handle.
 *   if (dl_auth_new(NULL, &auth, &error) != DL_AUTH_OK ||
 *       dl_auth_token(auth, jwt, sizeof jwt, NULL, &error) != DL_AUTH_OK) {
 *     fprintf(stderr, "%s\n", error.message);
 *     return 1;
 *   }
 *   printf("logged in, the token begins with %.20s\n", jwt);
 *   dl_auth_free(auth);
 *   return 0;
 * }
 * ```
 *
 * Generated from src/capi/ by `make generate`; do not edit.
 *
 * TERMS
 *
 * - gate: the endpoint of the Dataloop service that issues tokens.
 * - platform: the other endpoints of the service. Your program sends the token
 *   to them.
 * - handle: a dl_auth_t. It has the token of one user.
 * - token: the JWT. The cached token is the one that the handle has.
 * - login: a request to the gate with the username and the password.
 * - refresh: getting a new token, by the refresh token of the gate's last
 *   answer or by a login, retries included. A handle has at most one refresh
 *   in flight.
 * - valid, expired: a token is valid until its claim `exp`, or until a call of
 *   dl_auth_invalidate ends it earlier. Then it is expired.
 * - due: a refresh is due after the part `refresh_at` of the token's life. A
 *   jitter moves this time by up to 5 % of the life, earlier or later. A token
 *   whose refresh is due is still valid.
 * - minimum interval: after a successful refresh, the next one starts after
 *   this time at the earliest: a tenth of the time for which the new token was
 *   valid when it arrived, at least 1 s and at most 60 s.
 * - cooldown: after a failed refresh, the next one starts after this time at
 *   the earliest. The documentation of dl_auth_token has the times.
 * - option: a key and a value, see dl_auth_config_set. This header writes the
 *   key of an option in backquotes: `wait`.
 *
 * CONVENTIONS
 *
 * Status. A function that can fail returns a dl_auth_status_t: DL_AUTH_OK (0)
 * or one of DL_AUTH_E_* (negative). The documentation of each function lists
 * its statuses and the condition of each. One status is in no list, because
 * any call can return it: DL_AUTH_E_INTERNAL means a bug in the library, which
 * was caught. The handle and its token stay usable.
 *
 * Parameters. Outputs come after inputs. `error` is last. It can be NULL, and
 * a successful call does not change what it points to. A parameter can be NULL
 * only if its documentation says so. Otherwise the call returns
 * DL_AUTH_E_NULL_ARGUMENT.
 *
 * Strings are NUL-terminated UTF-8.
 *
 * Buffers. A function that returns text has the parameters `buf`, `cap` and
 * `len`. It copies the text and a NUL into the `cap` bytes at `buf`. After
 * each call with `cap` > 0, `buf` is NUL-terminated; after a failed call, it
 * is the empty string. `*len` is the length of the text without the NUL. It is
 * set on success and on DL_AUTH_E_BUFFER_TOO_SMALL, and not changed otherwise.
 * With `buf` NULL and `cap` 0 the call returns DL_AUTH_E_BUFFER_TOO_SMALL, and
 * `*len` is the length that is needed. The next token can be longer.
 *
 * Structs. The first field is the size of the struct. The *_INIT macro sets
 * it. The library fills only the fields that both sides have, and sets `size`
 * to the number of bytes that it has written. So a program can run with a
 * library that is older or newer than its header.
 *
 * Memory. The library copies into your memory, and keeps copies of what you
 * pass. You must free what a *_new function returned, by its *_free function,
 * and nothing else. Each *_free(NULL) does nothing. If memory cannot be
 * allocated, the process aborts.
 *
 * Handles. A freed handle is detected. It is not undefined behaviour: a call
 * with it returns DL_AUTH_E_CLOSED, and freeing it again does nothing. Another
 * thread can be in a call when the handle is freed: dl_auth_free wakes it if
 * it waits. A handle costs one byte until the process ends, and 256 bytes once
 * for 256 handles. The memory for the
 * token's text (1 KB or more) is kept for later handles.
 *
 * Streams. The library writes nothing to stdout and stderr.
 *
 * THREADS
 *
 * `const` means thread-safe, not immutable: any number of threads can call the
 * functions that take a `const dl_auth_t *` at the same time. A
 * dl_auth_config_t is for one thread at a time. The functions without a handle
 * and without a configuration are thread-safe.
 *
 * A refresh runs in a separate thread, which ends with the refresh. An idle
 * handle has no thread. The handles with `refresh=background` share one thread
 * when idle, and at most four. Each thread has the name dl-auth, and all
 * signals are blocked in it. If no thread can be created, the next call that
 * is allowed to wait runs the refresh itself.
 *
 * FORK
 *
 * A child process can use the handles of its parent, from any number of
 * threads (glibc and macOS). It can also create and free handles. It has a
 * copy of the cached token, and refreshes it independently of the parent, with
 * a separate jitter. Its first refresh is a login. It does not wait for the
 * parent's refresh in flight. It keeps the cooldowns and the pauses after
 * refused credentials. A handle with `refresh=background` starts its refreshes
 * again at the child's first call, except if this call is dl_auth_generation.
 *
 * The library detects a fork with a handler that it registers by
 * pthread_atfork. Your own handlers of pthread_atfork can run before it, so in
 * the child they must not call the library. _Fork, and a raw clone that copies
 * the memory, run no handlers: their child must call only the
 * async-signal-safe functions of the next chapter. After vfork, the child must
 * call no function of the library.
 *
 * SIGNALS
 *
 * A signal handler can call dl_auth_abi_version, dl_auth_config_key,
 * dl_auth_status_name and dl_auth_version: they are async-signal-safe. No
 * other function is.
 *
 * The library installs no signal handler. A broken connection is an error and
 * raises no SIGPIPE. While the library creates a thread, the signals of the
 * creating thread are blocked.
 *
 * CANCELLATION
 *
 * pthread_cancel does not end a call. Cancellation is disabled during the call
 * and takes effect at the first cancellation point after it.
 * Do not call the library while cancellation is enabled with the type
 * PTHREAD_CANCEL_ASYNCHRONOUS: the process would abort. With that type, POSIX
 * allows only pthread_cancel, pthread_setcancelstate and
 * pthread_setcanceltype.
 *
 * UNLOAD
 *
 * dlclose is safe and does nothing: the library stays loaded. There is no
 * atexit handler. A process can exit while a refresh is in flight. If you link
 * the static library into a plug-in, link that plug-in with -Wl,-z,nodelete.
 *
 * SECRETS
 *
 * A message in a dl_auth_error_t never contains a username, a password or a
 * token: these are redacted, also in the text that a message repeats from the
 * gate, a proxy or a certificate. A token in your memory is as secret as a
 * password: you must wipe it if you need that.
 *
 * The library wipes its copies of usernames, passwords, tokens and request
 * bodies when it frees them. It cannot wipe the internal buffers of the TLS
 * and JSON libraries, the environment, and the registers of the processor.
 *
 * STACK
 *
 * A call needs at most 16 KB of the caller's stack. If no thread can be
 * created, the call runs the refresh itself and needs 48 KB, or 64 KB if the
 * gate or a proxy sends more than two intermediate certificates. Add what the
 * C library keeps on that stack and what your signal handlers need.
 *
 * DESCRIPTORS
 *
 * The descriptors of the library are above 2 and close-on-exec. If 0, 1 or 2
 * is closed, the library opens the root directory under that number while it
 * creates a descriptor or resolves a name. Each read and write of it fails.
 * Open 0 to 2 before the first call.
 *
 * ENVIRONMENT
 *
 * Only dl_auth_new reads the environment of the process. After a call of
 * dl_auth_config_set_environ, dl_auth_new does not read it. If the program has
 * more rights than the user that started it (set-user-ID, set-group-ID, file
 * capabilities), the environment of the process is ignored.
 *
 * SSL_CERT_FILE and SSL_CERT_DIR name root certificates: if set, only these
 * roots are trusted. This applies to `tls_roots` `auto` and `system`.
 * `ca_file` adds to them.
 *
 * The system's name resolver can read variables too, in the thread of a
 * refresh: glibc reads LOCALDOMAIN and RES_OPTIONS.
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
 *     Must be an https URL without credentials: of a gate, with no path,
 *     `/api/v1` or `/token`.
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
 *     The root certificates to trust. `auto`: the system's roots; the bundled
 *     roots if the system has none, and on Windows also if it lacks the issuer;
 *     `system`: only the system's roots; `bundled`: only the roots in this
 *     library; `ca_file_only`: only the certificates in `ca_file`.
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
 *     The maximum time for one connection, TLS included and DNS not included.
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
 *     Where processes share a token, a failure and a refusal. `file:DIR`: a
 *     directory (an absolute path) that the processes of one user on one
 *     machine use. `redis://`, or `rediss://` with TLS: a Redis server that the
 *     machines of a fleet use. What is shared is encrypted with the
 *     credentials. A library that was built without Redis refuses such a URL
 *     with `DL_AUTH_E_UNSUPPORTED`.
 *     Must be `none`, `file:DIR` or
 *     `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]` (with TLS:
 *     `rediss://`).
 *     Default: `none`. Environment: DL_AUTH_STORE.
 *
 * store_required
 *     Whether a refresh fails with `DL_AUTH_E_STORE` if the store cannot be
 *     used, instead of a login that is not shared. It has no effect without a
 *     `store`.
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

/* The version of this header; dl_auth_version() returns the library's. */
#define DL_AUTH_VERSION "0.1.0"
#define DL_AUTH_VERSION_MAJOR 0
#define DL_AUTH_VERSION_MINOR 1
#define DL_AUTH_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A buffer of this many bytes fits each token with its NUL, and each token's
 * claims. The library does not accept a longer token from the gate, because it
 * would not fit the header limit of most servers.
 */
#define DL_AUTH_TOKEN_MAX 8192

/** A buffer of this many bytes fits each "Bearer <token>" with its NUL. */
#define DL_AUTH_BEARER_MAX 8199

/** dl_auth_info_t.state: there is no token. */
#define DL_AUTH_STATE_EMPTY 0

/** dl_auth_info_t.state: the token is valid, and no refresh is due. */
#define DL_AUTH_STATE_FRESH 1

/**
 * dl_auth_info_t.state: the token is valid, and a refresh is due. The next call
 * that reads the token starts a refresh, as soon as the cooldown and the
 * minimum interval are over.
 */
#define DL_AUTH_STATE_DUE 2

/**
 * dl_auth_info_t.state: the token has expired, or the platform rejected it. No
 * call returns it.
 */
#define DL_AUTH_STATE_EXPIRED 3

/** dl_auth_info_t.activity: nothing. */
#define DL_AUTH_ACTIVITY_IDLE 0

/** dl_auth_info_t.activity: a refresh is in flight. */
#define DL_AUTH_ACTIVITY_REFRESHING 1

/**
 * dl_auth_info_t.activity: the last refresh failed, and the next one starts
 * after retry_in_ms at the earliest.
 */
#define DL_AUTH_ACTIVITY_COOLING 2

/**
 * dl_auth_info_t.activity: the gate refused the credentials in the last
 * refresh. They are sent again after retry_in_ms at the earliest, unless they
 * change.
 */
#define DL_AUTH_ACTIVITY_DENIED 3

/** The size of dl_auth_info_t.store_message, with its NUL. */
#define DL_AUTH_STORE_MESSAGE_MAX 256

/**
 * The ABI version of this header. A program that uses all of this header needs
 * a library whose dl_auth_abi_version() is at least this number.
 */
#define DL_AUTH_ABI_VERSION 1

/**
 * Options by name. dl_auth_config_new creates it, and dl_auth_config_free frees
 * it. Any number of dl_auth_new calls can use it. Each of them makes a copy, so
 * you can free it immediately after them. It is for one thread at a time.
 */
typedef struct dl_auth_config_t dl_auth_config_t;

/**
 * A handle, which has the token of one user. dl_auth_new creates it,
 * dl_auth_free frees it, and any number of threads can use it. It points to
 * nothing that a program can read. A handle that was freed is detected:
 * DL_AUTH_E_CLOSED.
 */
typedef struct dl_auth_t dl_auth_t;

/**
 * The result of a call: DL_AUTH_OK (0) or one of DL_AUTH_E_*, which are
 * negative. So `if (status)` tests for a failure.
 */
typedef int32_t dl_auth_status_t;

/**
 * The reason of a failed call, in memory of the caller. Initialise it with
 * DL_AUTH_ERROR_INIT and pass its address. It has no pointers and nothing to
 * free. A successful call does not change it.
 */
typedef struct dl_auth_error_t {
  /**
   * The size of the struct. DL_AUTH_ERROR_INIT sets it. After a failed call:
   * the number of bytes that were written. If it is less than 4, the struct is
   * not initialised, and the library writes nothing.
   */
  uint32_t size;
  /** The status that the call returned. */
  int32_t status;
  /**
   * The HTTP status of the answer that caused the failure. 0: there was no
   * answer.
   */
  uint32_t http_status;
  /** Always 0. */
  uint32_t reserved;
  /**
   * Milliseconds until the next refresh can start: a call starts it, or the
   * library itself with `refresh=background`. 0: the next call can start it, or
   * no refresh can help.
   */
  uint64_t retry_after_ms;
  /**
   * What happened, with what, and what to do: one line of UTF-8,
   * NUL-terminated. A longer message is cut between two characters. It never
   * contains a username, a password or a token.
   */
  char message[512];
} dl_auth_error_t;

/**
 * The state of a handle, in memory of the caller. Initialise it with
 * DL_AUTH_INFO_INIT. A later version can add fields at the end. It fills only
 * the fields that your struct has.
 */
typedef struct dl_auth_info_t {
  /**
   * The size of the struct. DL_AUTH_INFO_INIT sets it. After a call: the number
   * of bytes that were written.
   */
  uint32_t size;
  /** The state of the token: one of DL_AUTH_STATE_*. */
  int32_t state;
  /** The activity of the handle: one of DL_AUTH_ACTIVITY_*. */
  int32_t activity;
  /** Always 0. */
  uint32_t reserved;
  /** How many tokens the handle has had. 0: none yet. */
  uint64_t generation;
  /** The claim `iat` of the token in Unix seconds. 0: none. */
  int64_t issued_at;
  /** The claim `exp` of the token in Unix seconds. 0: none. */
  int64_t expires_at;
  /**
   * Milliseconds until the claim `exp` of the token, by a clock that counts
   * suspend and that cannot be set. Negative: `exp` has passed. 0: there is no
   * token. dl_auth_invalidate and a jump of the wall clock do not change this
   * time: `state` says whether the token has expired.
   */
  int64_t expires_in_ms;
  /**
   * Milliseconds until the planned time of the next refresh. Negative: this
   * time has passed. 0: there is no token. dl_auth_invalidate and a jump of the
   * wall clock do not change this time: `state` says whether a refresh is due.
   */
  int64_t refresh_in_ms;
  /**
   * The gate's clock minus this machine's, in milliseconds, accurate to about
   * one second, measured at the last answer with a token. 0 if that answer had
   * no usable time.
   */
  int64_t clock_skew_ms;
  /** How many tokens the handle got by a login. */
  uint64_t logins;
  /** How many tokens the handle got by a refresh token. */
  uint64_t refreshes;
  /** How many refreshes failed. A refresh with all its retries counts once. */
  uint64_t failures;
  /**
   * How many tokens came from the shared store: another process had fetched
   * them.
   */
  uint64_t shared_hits;
  /**
   * How many refreshes could not use the shared store. `store_message` has the
   * last reason.
   */
  uint64_t store_failures;
  /** How many calls wait at this moment. */
  uint64_t waiting;
  /**
   * The status of the last refresh that has ended. DL_AUTH_OK: it was
   * successful, or there was none.
   */
  int32_t last_status;
  /**
   * The HTTP status of its answer if it failed. 0: it was successful, or there
   * was no answer.
   */
  uint32_t last_http_status;
  /**
   * Milliseconds until the next refresh can start, after a failed one or a
   * successful one. 0: immediately.
   */
  int64_t retry_in_ms;
  /**
   * How long dl_auth_token can block, in milliseconds: the option `wait`. It is
   * for a program that waits by itself between calls of dl_auth_token_within
   * with `wait_ms` 0.
   */
  uint64_t wait_ms;
  /**
   * Why the shared store could not be used the last time: UTF-8 with a NUL at
   * the end. Empty: it has not failed.
   */
  char store_message[DL_AUTH_STORE_MESSAGE_MAX];
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
 * The handle was freed, before or during the call. Or dl_auth_new did not
 * return this handle. Make a new handle.
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
 * environment. Or a ready `token` has expired or was rejected, and there are no
 * credentials to log in with. Set a username and a password, or a ready token.
 */
#define DL_AUTH_E_NO_CREDENTIALS (-12)

/**
 * The option exists, but this library is built without the feature. Do not set
 * the option.
 */
#define DL_AUTH_E_UNSUPPORTED (-13)

/**
 * The gate refused the credentials: HTTP 401, or HTTP 400 or 403 with a JSON
 * object in the body. Correct the credentials, or ask their issuer.
 */
#define DL_AUTH_E_DENIED (-20)

/**
 * No valid token yet; refresh in progress. The call may not wait, because
 * `wait_ms` or `wait` is 0. The status is the same if no thread could be
 * created for the refresh. Call again later.
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
 * then call again.
 */
#define DL_AUTH_E_RATE_LIMITED (-33)

/**
 * Server error: HTTP 5xx, 408 or 425, or HTTP 400 or 403 without a JSON object
 * in the body. The gate, or a server before it, has a problem. Call again.
 */
#define DL_AUTH_E_GATE (-34)

/**
 * The answer is not that of a gate: it is not JSON, is too large, is a redirect
 * or HTTP 404, or has no `id_token`. Or the token in it is not a JWT, has no
 * usable `exp`, or has expired. Check `url`, and the servers between this
 * machine and the gate.
 */
#define DL_AUTH_E_BAD_RESPONSE (-35)

/**
 * The cached token is not valid for as long as requested. If `retry_after_ms`
 * is 0, a new token would not be valid for longer. Otherwise the minimum
 * interval after the last refresh is not over. If `retry_after_ms` is 0,
 * request less (`min_valid_ms`). Otherwise call again after that time.
 */
#define DL_AUTH_E_TOO_SHORT (-36)

/**
 * TLS failed: a certificate is not trusted, is for another host, or has
 * expired. Or the port does not use TLS, the server requires a client
 * certificate, or there are no root certificates. Read the message: it names
 * the certificate or the problem.
 */
#define DL_AUTH_E_TLS (-40)

/**
 * The shared store cannot be used, and `store_required` is set. Read the
 * message: it names the store and the problem. Correct it, or remove
 * `store_required`.
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
 * Creates a handle from a configuration and the environment.
 *
 * An option that the configuration does not set comes from the environment:
 * from the one that dl_auth_config_set_environ has set, otherwise from that of
 * the process. An option that is in neither has its default. If the program has
 * more rights than the user that started it (set-user-ID, set-group-ID, file
 * capabilities), the environment of the process is ignored.
 *
 * The call reads the files that the options name. It does not use the network:
 * the first dl_auth_token logs in. With `refresh=background`, a separate thread
 * logs in, without another call.
 *
 * @param config The configuration, which is copied. NULL: only the
 *   environment of the process is used.
 * @param[out] auth The new handle. NULL if the call fails.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `*auth` is a handle.
 * - DL_AUTH_E_NO_CREDENTIALS: there is neither a ready `token`, nor a
 *   `username` with a `password` or a `password_file`.
 * - DL_AUTH_E_INVALID_VALUE: a value is not valid for its option, is not
 *   UTF-8, or excludes another one; or a file that an option or SSL_CERT_FILE
 *   names cannot be read or used.
 * - DL_AUTH_E_UNSUPPORTED: `store` is a Redis server, and this library was
 *   built without Redis.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL.
 *
 * Ownership: you must free the handle with dl_auth_free. The configuration
 * stays yours.
 *
 * Threads: thread-safe, if no other thread changes `config` or the environment
 * that is read.
 *
 * Blocking: while the files are read.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_new(const dl_auth_config_t *config,
                             dl_auth_t **auth,
                             dl_auth_error_t *error);

/**
 * Copies a valid token into `buf`.
 *
 * Returns the cached token immediately if it is valid. Otherwise starts a
 * refresh, or joins the one in flight, and blocks for up to `wait`. If a
 * refresh is due, the call returns the cached token immediately and starts the
 * refresh in a separate thread.
 *
 * After a failed refresh, a call without a valid token fails immediately with
 * the status of that refresh, until the cooldown ends. `retry_after_ms` of the
 * error is the time until then. The cooldown is 1 s after the first failure. It
 * doubles with each further failure, to at most 30 s, or to at most 120 s while
 * the handle has a valid token. A jitter reduces it by up to half. It is at
 * least the Retry-After of an HTTP 429 or 503, of which the library uses up to
 * 1 h.
 *
 * Refused credentials are not sent again for 30 s after the first refusal, and
 * for 5 min after the second. Then the pause is 1 h, and doubles with each
 * refusal, to at most 24 h. After an HTTP 403, it is at most 5 min. The pauses
 * apply to all handles of the process. They end when the credentials change: by
 * dl_auth_set_credentials, or by another password in the `password_file`.
 *
 * @param auth The handle.
 * @param[out] buf The token and a NUL. Can be NULL if `cap` is 0.
 *   DL_AUTH_TOKEN_MAX bytes always fit.
 * @param cap The size of `buf` in bytes.
 * @param[out] len The length of the token in bytes, without the NUL. Can be
 *   NULL.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `buf` has a valid token.
 * - DL_AUTH_E_DENIED: there is no valid token, and the gate refused the
 *   credentials: HTTP 401, or 400 or 403 with a JSON object in the body. Or it
 *   refused them before, and they are not sent again yet.
 * - DL_AUTH_E_TIMEOUT: there is no valid token after `wait`, and the refresh
 *   continues. Or the refresh did not end within `timeout`, or the gate or the
 *   proxy did not connect within `connect_timeout`. Or another process held the
 *   lock of the shared store for all of `timeout`.
 * - DL_AUTH_E_UNREACHABLE: there is no valid token, and the gate cannot be
 *   reached: its name or the proxy's does not resolve, a connection is refused
 *   or breaks, or the proxy does not open a tunnel.
 * - DL_AUTH_E_RATE_LIMITED: there is no valid token, and the gate limits the
 *   rate of requests: HTTP 429.
 * - DL_AUTH_E_GATE: there is no valid token, and the gate has a server error:
 *   HTTP 5xx, 408, 425, or 400 or 403 without a JSON object in the body.
 * - DL_AUTH_E_BAD_RESPONSE: there is no valid token, and the answer is not
 *   that of a gate: not HTTP, not JSON, too large, a redirect, HTTP 404 or
 *   another status that no gate sends, no `id_token`, not a JWT, no usable
 *   `exp`, or an expired token.
 * - DL_AUTH_E_TLS: there is no valid token, and TLS failed: a certificate is
 *   not trusted, has expired or is for another host, there is no TLS at that
 *   port, the server requires a client certificate, or there are no root
 *   certificates.
 * - DL_AUTH_E_STORE: there is no valid token, the shared store cannot be
 *   used, and `store_required` is set.
 * - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected,
 *   and the handle has no credentials.
 * - DL_AUTH_E_PENDING: `wait` is 0 and there is no valid token yet. A refresh
 *   is in progress, or no thread can be created for it.
 * - DL_AUTH_E_TOO_SHORT: the cached token has expired, and the minimum
 *   interval ends after `wait`. `retry_after_ms` is the rest of that interval.
 * - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the token
 *   plus 1. `*len` is the length.
 * - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or
 *   dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is
 *   not 0.
 *
 * Ownership: the copy is yours. It is as secret as a password.
 *
 * Threads: thread-safe.
 *
 * Blocking: for up to `wait` if there is no valid token, otherwise not. If
 * `wait` is not 0 and no thread can be created for the refresh, the call runs
 * the refresh itself and blocks until it ends.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_token(const dl_auth_t *auth,
                               char *buf,
                               size_t cap,
                               size_t *len,
                               dl_auth_error_t *error);

/**
 * Frees a handle.
 *
 * Other threads can be in a call with this handle. Calls that wait return
 * DL_AUTH_E_CLOSED. All other calls end normally. A refresh in flight is
 * cancelled.
 *
 * @param auth The handle. NULL and a handle that was freed before do nothing.
 *
 * Ownership: the handle is no longer yours. Each later call with it returns
 * DL_AUTH_E_CLOSED, and dl_auth_generation returns 0.
 *
 * Threads: thread-safe, also with the same handle.
 *
 * Blocking: no. The call waits neither for the other calls nor for the refresh
 * in flight.
 *
 * @since 0.1.0
 */
void dl_auth_free(dl_auth_t *auth);

/**
 * Copies a token that is valid for at least `min_valid_ms` into `buf`, and
 * blocks for up to `wait_ms`.
 *
 * Returns the cached token immediately if it is valid for that long. Otherwise
 * starts a refresh, or joins the one in flight. With `wait_ms` 0 the call never
 * blocks: use it in a loop that must not stop, or to start the first login
 * early. The cooldown and the pauses after refused credentials have the same
 * effect as in dl_auth_token. In the list of statuses below, "no such token"
 * means: the cached token is not valid for `min_valid_ms`.
 *
 * The minimum interval applies to each call: for a tenth of a new token's life,
 * at least 1 s and at most 60 s, no other refresh starts.
 *
 * ```c
 * // For each frame: never blocks.
 * void draw_frame(const dl_auth_t *auth) {
 *   char jwt[DL_AUTH_TOKEN_MAX];
 *   dl_auth_error_t error = DL_AUTH_ERROR_INIT;
 *   dl_auth_status_t status =
 *       dl_auth_token_within(auth, 0, 0, jwt, sizeof jwt, NULL, &error);
 *   if (status == DL_AUTH_OK)
 *     send_request(jwt);
 *   else if (status == DL_AUTH_E_PENDING)
 *     show_status("logging in"); // the next frame asks again
 *   else
 *     show_status(error.message); // the next frame asks again, too
 * }
 * ```
 *
 * @param auth The handle.
 * @param min_valid_ms How long the token must be valid, in milliseconds. 0:
 *   any valid token.
 * @param wait_ms How long the call can block, in milliseconds, instead of
 *   `wait`. 0: not at all.
 * @param[out] buf The token and a NUL. Can be NULL if `cap` is 0.
 *   DL_AUTH_TOKEN_MAX bytes always fit.
 * @param cap The size of `buf` in bytes.
 * @param[out] len The length of the token in bytes, without the NUL. Can be
 *   NULL.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `buf` has a token that is valid for `min_valid_ms`.
 * - DL_AUTH_E_PENDING: `wait_ms` is 0 and there is no such token yet. A
 *   refresh is in progress, or no thread can be created for it.
 * - DL_AUTH_E_TOO_SHORT: there is no such token. If `retry_after_ms` is 0, a
 *   new token would not be valid for that long either: request less. Otherwise
 *   the minimum interval delays the refresh: `retry_after_ms` is the rest of
 *   it.
 * - DL_AUTH_E_DENIED: there is no such token, and the gate refused the
 *   credentials: HTTP 401, or 400 or 403 with a JSON object in the body. Or it
 *   refused them before, and they are not sent again yet.
 * - DL_AUTH_E_TIMEOUT: there is no such token after `wait_ms`, and the
 *   refresh continues. Or the refresh did not end within `timeout`, or the gate
 *   or the proxy did not connect within `connect_timeout`.
 * - DL_AUTH_E_UNREACHABLE: there is no such token, and the gate cannot be
 *   reached: its name or the proxy's does not resolve, a connection is refused
 *   or breaks, or the proxy does not open a tunnel.
 * - DL_AUTH_E_RATE_LIMITED: there is no such token, and the gate limits the
 *   rate of requests: HTTP 429.
 * - DL_AUTH_E_GATE: there is no such token, and the gate has a server error:
 *   HTTP 5xx, 408, 425, or 400 or 403 without a JSON object in the body.
 * - DL_AUTH_E_BAD_RESPONSE: there is no such token, and the answer is not
 *   that of a gate: not HTTP, not JSON, too large, a redirect, HTTP 404 or
 *   another status that no gate sends, no `id_token`, not a JWT, no usable
 *   `exp`, or an expired token.
 * - DL_AUTH_E_TLS: there is no such token, and TLS failed: a certificate is
 *   not trusted, has expired or is for another host, there is no TLS at that
 *   port, the server requires a client certificate, or there are no root
 *   certificates.
 * - DL_AUTH_E_STORE: there is no such token, the shared store cannot be used,
 *   and `store_required` is set.
 * - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected,
 *   and the handle has no credentials.
 * - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the token
 *   plus 1. `*len` is the length.
 * - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or
 *   dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is
 *   not 0.
 *
 * Ownership: the copy is yours. It is as secret as a password.
 *
 * Threads: thread-safe.
 *
 * Blocking: for up to `wait_ms` if there is no such token, otherwise not. If
 * `wait_ms` is not 0 and no thread can be created for the refresh, the call
 * runs the refresh itself and blocks until it ends.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_token_within(const dl_auth_t *auth,
                                      uint64_t min_valid_ms,
                                      uint64_t wait_ms,
                                      char *buf,
                                      size_t cap,
                                      size_t *len,
                                      dl_auth_error_t *error);

/**
 * Copies "Bearer <token>", the value of the HTTP header Authorization (RFC
 * 6750), into `buf`.
 *
 * Returns immediately if the cached token is valid. Otherwise starts a refresh,
 * or joins the one in flight, and blocks for up to `wait`. dl_auth_token
 * describes the refresh and the cooldown.
 *
 * @param auth The handle.
 * @param[out] buf The text and a NUL. Can be NULL if `cap` is 0.
 *   DL_AUTH_BEARER_MAX bytes always fit.
 * @param cap The size of `buf` in bytes.
 * @param[out] len The length of the text in bytes, without the NUL. Can be
 *   NULL.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `buf` has "Bearer " and a valid token.
 * - DL_AUTH_E_DENIED: there is no valid token, and the gate refused the
 *   credentials, now or before.
 * - DL_AUTH_E_TIMEOUT: there is no valid token within `wait`, or the refresh
 *   did not end within `timeout` or `connect_timeout`.
 * - DL_AUTH_E_UNREACHABLE: there is no valid token, and the gate or the proxy
 *   cannot be reached.
 * - DL_AUTH_E_RATE_LIMITED: there is no valid token, and the gate limits the
 *   rate of requests: HTTP 429.
 * - DL_AUTH_E_GATE: there is no valid token, and the gate has a server error.
 * - DL_AUTH_E_BAD_RESPONSE: there is no valid token, and the answer is not
 *   that of a gate.
 * - DL_AUTH_E_TLS: there is no valid token, and TLS with the gate or the
 *   proxy failed.
 * - DL_AUTH_E_STORE: there is no valid token, the shared store cannot be
 *   used, and `store_required` is set.
 * - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected,
 *   and the handle has no credentials.
 * - DL_AUTH_E_PENDING: `wait` is 0 and there is no valid token yet. A refresh
 *   is in progress, or no thread can be created for it.
 * - DL_AUTH_E_TOO_SHORT: the cached token has expired, and the minimum
 *   interval ends after `wait`. `retry_after_ms` is the rest of that interval.
 * - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the text
 *   plus 1. `*len` is the length.
 * - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or
 *   dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is
 *   not 0.
 *
 * Ownership: the copy is yours. It is as secret as a password.
 *
 * Threads: thread-safe.
 *
 * Blocking: for up to `wait` if there is no valid token, otherwise not. If
 * `wait` is not 0 and no thread can be created for the refresh, the call runs
 * the refresh itself and blocks until it ends.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_bearer(const dl_auth_t *auth,
                                char *buf,
                                size_t cap,
                                size_t *len,
                                dl_auth_error_t *error);

/**
 * Copies the payload of a valid token into `buf`: a JSON object (RFC 7519), as
 * the gate wrote it.
 *
 * Returns immediately if the cached token is valid. Otherwise starts a refresh,
 * or joins the one in flight, and blocks for up to `wait`. dl_auth_token
 * describes the refresh and the cooldown. The library does not check the
 * signature.
 *
 * @param auth The handle.
 * @param[out] buf The JSON text and a NUL. Can be NULL if `cap` is 0.
 *   DL_AUTH_TOKEN_MAX bytes always fit.
 * @param cap The size of `buf` in bytes.
 * @param[out] len The length of the JSON text in bytes, without the NUL. Can
 *   be NULL.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `buf` has the payload of a valid token.
 * - DL_AUTH_E_DENIED: there is no valid token, and the gate refused the
 *   credentials, now or before.
 * - DL_AUTH_E_TIMEOUT: there is no valid token within `wait`, or the refresh
 *   did not end within `timeout` or `connect_timeout`.
 * - DL_AUTH_E_UNREACHABLE: there is no valid token, and the gate or the proxy
 *   cannot be reached.
 * - DL_AUTH_E_RATE_LIMITED: there is no valid token, and the gate limits the
 *   rate of requests: HTTP 429.
 * - DL_AUTH_E_GATE: there is no valid token, and the gate has a server error.
 * - DL_AUTH_E_BAD_RESPONSE: there is no valid token, and the answer is not
 *   that of a gate.
 * - DL_AUTH_E_TLS: there is no valid token, and TLS with the gate or the
 *   proxy failed.
 * - DL_AUTH_E_STORE: there is no valid token, the shared store cannot be
 *   used, and `store_required` is set.
 * - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected,
 *   and the handle has no credentials.
 * - DL_AUTH_E_PENDING: `wait` is 0 and there is no valid token yet. A refresh
 *   is in progress, or no thread can be created for it.
 * - DL_AUTH_E_TOO_SHORT: the cached token has expired, and the minimum
 *   interval ends after `wait`. `retry_after_ms` is the rest of that interval.
 * - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the JSON
 *   text plus 1. `*len` is the length.
 * - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or
 *   dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is
 *   not 0.
 *
 * Ownership: the copy is yours.
 *
 * Threads: thread-safe.
 *
 * Blocking: for up to `wait` if there is no valid token, otherwise not. If
 * `wait` is not 0 and no thread can be created for the refresh, the call runs
 * the refresh itself and blocks until it ends.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_claims(const dl_auth_t *auth,
                                char *buf,
                                size_t cap,
                                size_t *len,
                                dl_auth_error_t *error);

/**
 * Returns the number of the cached token.
 *
 * Each token of a handle has another number. Returns 0 if a refresh is due. The
 * numbers of a handle begin with 1 and increase. While the number is the same,
 * the token is the same. So a program can keep a copy of the token, and make a
 * new copy only when the number changes:
 *
 * ```c
 * struct token_copy {
 *   uint64_t generation; // 0: no copy
 *   char jwt[DL_AUTH_TOKEN_MAX];
 * };
 *
 * const char *current_token(const dl_auth_t *auth, struct token_copy *copy) {
 *   // The number is read before the token. If the token changes between the
 *   // two calls, the copy is newer than its number, and is made again.
 *   uint64_t generation = dl_auth_generation(auth);
 *   if (generation == 0 || generation != copy->generation) {
 *     copy->generation = 0;
 *     if (dl_auth_token(auth, copy->jwt, sizeof copy->jwt, NULL, NULL))
 *       return NULL;
 *     copy->generation = generation;
 *   }
 *   return copy->jwt;
 * }
 * ```
 *
 * @param auth The handle. With NULL, and with a handle that was freed, the
 *   result is 0.
 *
 * @return The number of the cached token. 0 if a refresh is due, if there is
 *   no valid token, or if `auth` is not a handle: call dl_auth_token.
 *
 * Threads: thread-safe. A parent process and its child count separately.
 *
 * Blocking: no. The call starts no refresh.
 *
 * @since 0.1.0
 */
uint64_t dl_auth_generation(const dl_auth_t *auth);

/**
 * Marks a token as expired, because the platform rejected it with HTTP 401.
 *
 * If `rejected_token` is the cached token, it counts as expired, and the next
 * call starts a refresh. If it is not the cached token, another thread has
 * already reported it, and the call changes nothing. So if a thousand threads
 * get a 401 at the same time, they cause one refresh.
 *
 * During the minimum interval after a refresh (see dl_auth_token_within), the
 * token is due, and still returned. It counts as expired when that interval
 * ends. The library cannot replace a ready `token` of the configuration without
 * credentials: after this call, calls fail with DL_AUTH_E_NO_CREDENTIALS.
 *
 * ```c
 * // Sends a request, and once more if the answer is 401. During the minimum
 * // interval, the second request has the same token.
 * int send_with_token(const dl_auth_t *auth) {
 *   char jwt[DL_AUTH_TOKEN_MAX];
 *   int http_status = 0;
 *   for (int attempt = 0; attempt < 2; attempt++) {
 *     if (dl_auth_token(auth, jwt, sizeof jwt, NULL, NULL) != DL_AUTH_OK)
 *       return 0;
 *     http_status = send_request(jwt);
 *     if (http_status != 401)
 *       break;
 *     dl_auth_invalidate(auth, jwt, NULL);
 *   }
 *   return http_status;
 * }
 * ```
 *
 * @param auth The handle.
 * @param rejected_token The token that the platform rejected.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: the token counts as expired, now or when the minimum interval
 *   ends. Or it is not the cached token.
 * - DL_AUTH_E_CLOSED: the handle was freed, or dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` or `rejected_token` is NULL.
 * - DL_AUTH_E_NOT_UTF8: `rejected_token` is not UTF-8.
 *
 * Ownership: the library does not keep `rejected_token`.
 *
 * Threads: thread-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_invalidate(const dl_auth_t *auth,
                                    const char *rejected_token,
                                    dl_auth_error_t *error);

/**
 * Replaces the credentials of a handle.
 *
 * The next refresh is a login with the new credentials. The old refresh token
 * and the cooldown end. If the gate had refused the new credentials before,
 * they can be sent again immediately, by each handle of the process. A refresh
 * in flight is cancelled; its waiters receive the new login's token. The cached
 * token is kept only if the username is unchanged. If the username changes, the
 * minimum interval ends too. The library no longer reads a `password_file`.
 *
 * @param auth The handle.
 * @param username The username. NULL: the username is unchanged.
 * @param password The password.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: the credentials are replaced.
 * - DL_AUTH_E_INVALID_VALUE: `username` or `password` is empty.
 * - DL_AUTH_E_NO_CREDENTIALS: `username` is NULL, and the handle has no
 *   username, because it was created with a ready `token`.
 * - DL_AUTH_E_CLOSED: the handle was freed, or dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` or `password` is NULL.
 * - DL_AUTH_E_NOT_UTF8: `username` or `password` is not UTF-8.
 *
 * Ownership: both strings are copied.
 *
 * Threads: thread-safe.
 *
 * Blocking: no. The call does not wait for a refresh.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_set_credentials(const dl_auth_t *auth,
                                         const char *username,
                                         const char *password,
                                         dl_auth_error_t *error);

/**
 * Creates an empty configuration.
 *
 * An option that is not set comes from the environment: from the variable
 * DL_AUTH_ and the key in capitals, such as DL_AUTH_USERNAME. Otherwise it has
 * its default.
 *
 * ```c
 * dl_auth_t *log_in(const char *username, const char *password,
 *                   dl_auth_error_t *error) {
 *   dl_auth_config_t *config = dl_auth_config_new();
 *   dl_auth_t *auth = NULL;
 *   if (dl_auth_config_set(config, "username", username, error) ||
 *       dl_auth_config_set(config, "password", password, error) ||
 *       dl_auth_new(config, &auth, error)) {
 *     // `error` has the reason.
 *   }
 *   dl_auth_config_free(config);
 *   return auth;
 * }
 * ```
 *
 * @return The configuration. NULL only if there is a bug in the library.
 *
 * Ownership: you must free the configuration with dl_auth_config_free.
 *
 * Threads: thread-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_config_t *dl_auth_config_new(void);

/**
 * Sets an option.
 *
 * The call checks what can be checked for one value. dl_auth_new checks what
 * needs a file or other options: `url`, `token`, `ca_file`, `password_file`,
 * and the options that exclude each other. A second value replaces the first
 * one. A call that fails changes nothing.
 *
 * @param config The configuration.
 * @param key The name of an option: one of those that dl_auth_config_key
 *   returns.
 * @param value The value as text. The table of options says what is valid.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: the option is set.
 * - DL_AUTH_E_UNKNOWN_KEY: there is no option `key`. The message names the
 *   nearest one.
 * - DL_AUTH_E_INVALID_VALUE: `value` is not valid for this option. The
 *   message says what is valid.
 * - DL_AUTH_E_NULL_ARGUMENT: `config`, `key` or `value` is NULL.
 * - DL_AUTH_E_NOT_UTF8: `key` or `value` is not UTF-8.
 *
 * Ownership: both strings are copied.
 *
 * Threads: one thread at a time for each configuration.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_config_set(dl_auth_config_t *config,
                                    const char *key,
                                    const char *value,
                                    dl_auth_error_t *error);

/**
 * Sets the environment of a configuration.
 *
 * Handles that are created with this configuration use it instead of the
 * environment of the process, for all variables that dl_auth_new reads:
 * DL_AUTH_*, HTTPS_PROXY and NO_PROXY (also in lower case), SSL_CERT_FILE and
 * SSL_CERT_DIR. dl_auth_new then does not read the environment of the process,
 * so another thread can change that at the same time. A second call replaces
 * the environment of the first one. A call that fails changes nothing. The
 * first of two entries with the same name counts, as with getenv.
 *
 * If a variable that is used is not UTF-8, dl_auth_new returns
 * DL_AUTH_E_INVALID_VALUE; on Unix, SSL_CERT_FILE and SSL_CERT_DIR do not need
 * to be UTF-8. On Windows, this call returns that status.
 *
 * In a program that has more rights than the user that started it, do not pass
 * the environment of the process: that user controls it.
 *
 * @param config The configuration.
 * @param variables An array of "NAME=VALUE" strings that ends with NULL, such
 *   as a copy of `environ`. An array that holds only NULL means: no variables.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: the environment is set.
 * - DL_AUTH_E_INVALID_VALUE: an entry has no `=`. On Windows also: a variable
 *   that the library reads is not UTF-8.
 * - DL_AUTH_E_NULL_ARGUMENT: `config` or `variables` is NULL.
 *
 * Ownership: the array and its strings are copied.
 *
 * Threads: one thread at a time for each configuration.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_config_set_environ(dl_auth_config_t *config,
                                            const char *const *variables,
                                            dl_auth_error_t *error);

/**
 * Wipes and frees a configuration.
 *
 * @param config The configuration. NULL does nothing.
 *
 * Ownership: the configuration is no longer yours. You must not use it or free
 * it again. Handles that were created with it stay usable.
 *
 * Threads: one thread at a time for each configuration.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
void dl_auth_config_free(dl_auth_config_t *config);

/**
 * Returns the name of an option. With it, a program can list all options.
 *
 * @param index The number of the option, counted from 0.
 *
 * @return The name. NULL if `index` is past the last option.
 *
 * Ownership: the string is static: you must not free it.
 *
 * Threads: thread-safe and async-signal-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
const char *dl_auth_config_key(size_t index);

/**
 * Returns the name of a status, such as "DL_AUTH_E_DENIED".
 *
 * @param status Any number.
 *
 * @return The name. "DL_AUTH_E_UNKNOWN" if `status` is not a status. Never
 *   NULL.
 *
 * Ownership: the string is static: you must not free it.
 *
 * Threads: thread-safe and async-signal-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
const char *dl_auth_status_name(dl_auth_status_t status);

/**
 * Describes the state of a handle.
 *
 * The call starts no refresh. In a child process, the first such call for a
 * handle with `refresh=background` starts that handle's background refreshes.
 *
 * @param auth The handle.
 * @param[in,out] info The state of the handle. Its field `size` must be set:
 *   use DL_AUTH_INFO_INIT.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `*info` is filled.
 * - DL_AUTH_E_CLOSED: the handle was freed, or dl_auth_new did not return it.
 * - DL_AUTH_E_NULL_ARGUMENT: `auth` or `info` is NULL, or `info->size` is
 *   less than 4.
 *
 * Threads: thread-safe. Each thread needs a separate `info`.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_info(const dl_auth_t *auth,
                              dl_auth_info_t *info,
                              dl_auth_error_t *error);

/**
 * Returns the version of the library, such as "1.2.3".
 *
 * @return The version. Never NULL.
 *
 * Ownership: the string is static: you must not free it.
 *
 * Threads: thread-safe and async-signal-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
const char *dl_auth_version(void);

/**
 * Returns the ABI version of the library.
 *
 * It increases by 1 with each function that is added. A program that needs a
 * later ABI version must not continue.
 *
 * @return The ABI version.
 *
 * Threads: thread-safe and async-signal-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
uint32_t dl_auth_abi_version(void);

/**
 * Copies the payload of a JWT into `buf`: a JSON object (RFC 7519).
 *
 * The signature is not checked: the claims can be false.
 *
 * @param jwt The JWT. Can be the same memory as `buf`.
 * @param[out] buf The JSON text and a NUL. Can be NULL if `cap` is 0. As many
 *   bytes as `jwt` has always fit.
 * @param cap The size of `buf` in bytes.
 * @param[out] len The length of the JSON text in bytes, without the NUL. Can
 *   be NULL.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `buf` has the payload.
 * - DL_AUTH_E_BAD_JWT: `jwt` is not a JWT.
 * - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the JSON
 *   text plus 1. `*len` is the length.
 * - DL_AUTH_E_NULL_ARGUMENT: `jwt` is NULL; or `buf` is NULL and `cap` is not
 *   0.
 * - DL_AUTH_E_NOT_UTF8: `jwt` is not UTF-8.
 *
 * Ownership: the copy is yours. The library does not keep `jwt`.
 *
 * Threads: thread-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_jwt_claims(const char *jwt,
                                    char *buf,
                                    size_t cap,
                                    size_t *len,
                                    dl_auth_error_t *error);

/**
 * Reads the claim `exp` of a JWT: the time at which it expires.
 *
 * The signature is not checked, nor whether the JWT has expired.
 *
 * @param jwt The JWT.
 * @param[out] unix_seconds The claim `exp` in Unix seconds. Not changed if
 *   the call fails.
 * @param[out] error The reason of a failure. Can be NULL.
 *
 * @return
 * - DL_AUTH_OK: `*unix_seconds` is set.
 * - DL_AUTH_E_BAD_JWT: `jwt` is not a JWT, or has no usable `exp`: a number
 *   of Unix seconds from 1 to the year 9999.
 * - DL_AUTH_E_NULL_ARGUMENT: `jwt` or `unix_seconds` is NULL.
 * - DL_AUTH_E_NOT_UTF8: `jwt` is not UTF-8.
 *
 * Ownership: the library does not keep `jwt`.
 *
 * Threads: thread-safe.
 *
 * Blocking: no.
 *
 * @since 0.1.0
 */
dl_auth_status_t dl_auth_jwt_expiry(const char *jwt,
                                    int64_t *unix_seconds,
                                    dl_auth_error_t *error);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* Initialisers. They name each field and contain no cast, so that no compiler
 * warns:
 *   dl_auth_error_t error = DL_AUTH_ERROR_INIT;
 * A language that cannot use them sets `size` to the size of the struct, and
 * all other fields to 0. */
#define DL_AUTH_ERROR_INIT { sizeof(dl_auth_error_t), 0, 0, 0, 0, { 0 } }
#define DL_AUTH_INFO_INIT \
  { sizeof(dl_auth_info_t), \
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }

#endif /* DL_AUTH_H */
