//! The functions with a handle.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use super::config::dl_auth_config_t;
use super::error::{DL_AUTH_OK, dl_auth_error_t, dl_auth_status_t};
use super::guard::{guard, guard_or};
use super::handle::{self, dl_auth_t};
use super::text::{Buffer, null, read};
use crate::auth::Auth;
use crate::cache::{Copied, Words, put_words};
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::jwt::TOKEN_MAX;

/// A buffer of this many bytes fits each token with its NUL, and each token's claims. The library does not accept a
/// longer token from the gate, because it would not fit the header limit of most servers.
pub const DL_AUTH_TOKEN_MAX: usize = 8192;

/// A buffer of this many bytes fits each "Bearer <token>" with its NUL.
pub const DL_AUTH_BEARER_MAX: usize = 8199;

const _: () = assert!(DL_AUTH_TOKEN_MAX == TOKEN_MAX + 1 && DL_AUTH_BEARER_MAX == DL_AUTH_TOKEN_MAX + "Bearer ".len());

/// Creates a handle from a configuration and the environment.
///
/// An option that the configuration does not set comes from the environment: from the one that
/// dl_auth_config_set_environ has set, otherwise from that of the process. An option that is in neither has its
/// default. If the program has more rights than the user that started it (set-user-ID, set-group-ID, file
/// capabilities), the environment of the process is ignored.
///
/// The call reads the files that the options name. It does not use the network: the first dl_auth_token logs in. With
/// `refresh=background`, a separate thread logs in, without another call.
///
/// @param config The configuration, which is copied. NULL: only the environment of the process is used.
/// @param[out] auth The new handle. NULL if the call fails.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `*auth` is a handle.
/// - DL_AUTH_E_NO_CREDENTIALS: there is neither a ready `token`, nor a `username` with a `password` or a
///   `password_file`.
/// - DL_AUTH_E_INVALID_VALUE: a value is not valid for its option, is not UTF-8, or excludes another one; or a file
///   that an option or SSL_CERT_FILE names cannot be read or used.
/// - DL_AUTH_E_UNSUPPORTED: `store` is a Redis server, and this library was built without Redis.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL.
///
/// Ownership: you must free the handle with dl_auth_free. The configuration stays yours.
///
/// Threads: thread-safe, if no other thread changes `config` or the environment that is read.
///
/// Blocking: while the files are read.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_new(
    config: *const dl_auth_config_t,
    auth: *mut *mut dl_auth_t,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header requires what is needed here: `auth` and `error` are valid and writable, dl_auth_config_new
    // made the configuration, and no other thread changes it now.
    unsafe {
        guard(error, || {
            if auth.is_null() {
                return Err(null("auth"));
            }
            auth.write_unaligned(ptr::null_mut());
            let environment = Config::new();
            let config = config.as_ref().map_or(&environment, |config| &config.0);
            auth.write_unaligned(handle::open(|place| Auth::placed(config, Some(place)))?);
            Ok(())
        })
    }
}

/// Copies a valid token into `buf`.
///
/// Returns the cached token immediately if it is valid. Otherwise starts a refresh, or joins the one in flight, and
/// blocks for up to `wait`. If a refresh is due, the call returns the cached token immediately and starts the refresh
/// in a separate thread.
///
/// After a failed refresh, a call without a valid token fails immediately with the status of that refresh, until the
/// cooldown ends. `retry_after_ms` of the error is the time until then. The cooldown is 1 s after the first failure. It
/// doubles with each further failure, to at most 30 s, or to at most 120 s while the handle has a valid token. A jitter
/// reduces it by up to half. It is at least the Retry-After of an HTTP 429 or 503, of which the library uses up to 1 h.
///
/// Refused credentials are not sent again for 30 s after the first refusal, and for 5 min after the second. Then the
/// pause is 1 h, and doubles with each refusal, to at most 24 h. After an HTTP 403, it is at most 5 min. The pauses
/// apply to all handles of the process. They end when the credentials change: by dl_auth_set_credentials, or by another
/// password in the `password_file`.
///
/// @param auth The handle.
/// @param[out] buf The token and a NUL. Can be NULL if `cap` is 0. DL_AUTH_TOKEN_MAX bytes always fit.
/// @param cap The size of `buf` in bytes.
/// @param[out] len The length of the token in bytes, without the NUL. Can be NULL.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `buf` has a valid token.
/// - DL_AUTH_E_DENIED: there is no valid token, and the gate refused the credentials: HTTP 401, or 400 or 403 with a
///   JSON object in the body. Or it refused them before, and they are not sent again yet.
/// - DL_AUTH_E_TIMEOUT: there is no valid token after `wait`, and the refresh continues. Or the refresh did not end
///   within `timeout`, or the gate or the proxy did not connect within `connect_timeout`. Or another process held the
///   lock of the shared store for all of `timeout`.
/// - DL_AUTH_E_UNREACHABLE: there is no valid token, and the gate cannot be reached: its name or the proxy's does not
///   resolve, a connection is refused or breaks, or the proxy does not open a tunnel.
/// - DL_AUTH_E_RATE_LIMITED: there is no valid token, and the gate limits the rate of requests: HTTP 429.
/// - DL_AUTH_E_GATE: there is no valid token, and the gate has a server error: HTTP 5xx, 408, 425, or 400 or 403
///   without a JSON object in the body.
/// - DL_AUTH_E_BAD_RESPONSE: there is no valid token, and the answer is not that of a gate: not HTTP, not JSON, too
///   large, a redirect, HTTP 404 or another status that no gate sends, no `id_token`, not a JWT, no usable `exp`, or an
///   expired token.
/// - DL_AUTH_E_TLS: there is no valid token, and TLS failed: a certificate is not trusted, has expired or is for
///   another host, there is no TLS at that port, the server requires a client certificate, or there are no root
///   certificates.
/// - DL_AUTH_E_STORE: there is no valid token, the shared store cannot be used, and `store_required` is set.
/// - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected, and the handle has no credentials.
/// - DL_AUTH_E_PENDING: `wait` is 0 and there is no valid token yet. A refresh is in progress, or no thread can be
///   created for it.
/// - DL_AUTH_E_TOO_SHORT: the cached token has expired, and the minimum interval ends after `wait`. `retry_after_ms` is
///   the rest of that interval.
/// - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the token plus 1. `*len` is the length.
/// - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is not 0.
///
/// Ownership: the copy is yours. It is as secret as a password.
///
/// Threads: thread-safe.
///
/// Blocking: for up to `wait` if there is no valid token, otherwise not. If `wait` is not 0 and no thread can be
/// created for the refresh, the call runs the refresh itself and blocks until it ends.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_token(
    auth: *const dl_auth_t,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe {
        if copy_leased(auth, "", buf, cap, len) {
            return DL_AUTH_OK;
        }
        copy(auth, buf, cap, len, error, |auth, buffer| auth.token(|token| buffer.put(&[token.jwt().text()]))?)
    }
}

/// Frees a handle.
///
/// Other threads can be in a call with this handle. Calls that wait return DL_AUTH_E_CLOSED. All other calls end
/// normally. A refresh in flight is cancelled.
///
/// @param auth The handle. NULL and a handle that was freed before do nothing.
///
/// Ownership: the handle is no longer yours. Each later call with it returns DL_AUTH_E_CLOSED, and dl_auth_generation
/// returns 0.
///
/// Threads: thread-safe, also with the same handle.
///
/// Blocking: no. The call waits neither for the other calls nor for the refresh in flight.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_free(auth: *mut dl_auth_t) {
    guard_or((), || {
        handle::close(auth);
        Ok(())
    });
}

/// Copies a token that is valid for at least `min_valid_ms` into `buf`, and blocks for up to `wait_ms`.
///
/// Returns the cached token immediately if it is valid for that long. Otherwise starts a refresh, or joins the one in
/// flight. With `wait_ms` 0 the call never blocks: use it in a loop that must not stop, or to start the first login
/// early. The cooldown and the pauses after refused credentials have the same effect as in dl_auth_token. In the list
/// of statuses below, "no such token" means: the cached token is not valid for `min_valid_ms`.
///
/// The minimum interval applies to each call: for a tenth of a new token's life, at least 1 s and at most 60 s, no
/// other refresh starts.
///
/// ```c
/// // For each frame: never blocks.
/// void draw_frame(const dl_auth_t *auth) {
///   char jwt[DL_AUTH_TOKEN_MAX];
///   dl_auth_error_t error = DL_AUTH_ERROR_INIT;
///   dl_auth_status_t status =
///       dl_auth_token_within(auth, 0, 0, jwt, sizeof jwt, NULL, &error);
///   if (status == DL_AUTH_OK)
///     send_request(jwt);
///   else if (status == DL_AUTH_E_PENDING)
///     show_status("logging in"); // the next frame asks again
///   else
///     show_status(error.message); // the next frame asks again, too
/// }
/// ```
///
/// @param auth The handle.
/// @param min_valid_ms How long the token must be valid, in milliseconds. 0: any valid token.
/// @param wait_ms How long the call can block, in milliseconds, instead of `wait`. 0: not at all.
/// @param[out] buf The token and a NUL. Can be NULL if `cap` is 0. DL_AUTH_TOKEN_MAX bytes always fit.
/// @param cap The size of `buf` in bytes.
/// @param[out] len The length of the token in bytes, without the NUL. Can be NULL.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `buf` has a token that is valid for `min_valid_ms`.
/// - DL_AUTH_E_PENDING: `wait_ms` is 0 and there is no such token yet. A refresh is in progress, or no thread can be
///   created for it.
/// - DL_AUTH_E_TOO_SHORT: there is no such token. If `retry_after_ms` is 0, a new token would not be valid for that
///   long either: request less. Otherwise the minimum interval delays the refresh: `retry_after_ms` is the rest of it.
/// - DL_AUTH_E_DENIED: there is no such token, and the gate refused the credentials: HTTP 401, or 400 or 403 with a
///   JSON object in the body. Or it refused them before, and they are not sent again yet.
/// - DL_AUTH_E_TIMEOUT: there is no such token after `wait_ms`, and the refresh continues. Or the refresh did not end
///   within `timeout`, or the gate or the proxy did not connect within `connect_timeout`.
/// - DL_AUTH_E_UNREACHABLE: there is no such token, and the gate cannot be reached: its name or the proxy's does not
///   resolve, a connection is refused or breaks, or the proxy does not open a tunnel.
/// - DL_AUTH_E_RATE_LIMITED: there is no such token, and the gate limits the rate of requests: HTTP 429.
/// - DL_AUTH_E_GATE: there is no such token, and the gate has a server error: HTTP 5xx, 408, 425, or 400 or 403 without
///   a JSON object in the body.
/// - DL_AUTH_E_BAD_RESPONSE: there is no such token, and the answer is not that of a gate: not HTTP, not JSON, too
///   large, a redirect, HTTP 404 or another status that no gate sends, no `id_token`, not a JWT, no usable `exp`, or an
///   expired token.
/// - DL_AUTH_E_TLS: there is no such token, and TLS failed: a certificate is not trusted, has expired or is for another
///   host, there is no TLS at that port, the server requires a client certificate, or there are no root certificates.
/// - DL_AUTH_E_STORE: there is no such token, the shared store cannot be used, and `store_required` is set.
/// - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected, and the handle has no credentials.
/// - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the token plus 1. `*len` is the length.
/// - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is not 0.
///
/// Ownership: the copy is yours. It is as secret as a password.
///
/// Threads: thread-safe.
///
/// Blocking: for up to `wait_ms` if there is no such token, otherwise not. If `wait_ms` is not 0 and no thread can be
/// created for the refresh, the call runs the refresh itself and blocks until it ends.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_token_within(
    auth: *const dl_auth_t,
    min_valid_ms: u64,
    wait_ms: u64,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe {
        if min_valid_ms == 0 && copy_leased(auth, "", buf, cap, len) {
            return DL_AUTH_OK;
        }
        copy(auth, buf, cap, len, error, |auth, buffer| {
            let (need, wait) = (Duration::from_millis(min_valid_ms), Duration::from_millis(wait_ms));
            auth.read(need, wait, |token| buffer.put(&[token.jwt().text()]))?
        })
    }
}

/// Copies "Bearer <token>", the value of the HTTP header Authorization (RFC 6750), into `buf`.
///
/// Returns immediately if the cached token is valid. Otherwise starts a refresh, or joins the one in flight, and blocks
/// for up to `wait`. dl_auth_token describes the refresh and the cooldown.
///
/// @param auth The handle.
/// @param[out] buf The text and a NUL. Can be NULL if `cap` is 0. DL_AUTH_BEARER_MAX bytes always fit.
/// @param cap The size of `buf` in bytes.
/// @param[out] len The length of the text in bytes, without the NUL. Can be NULL.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `buf` has "Bearer " and a valid token.
/// - DL_AUTH_E_DENIED: there is no valid token, and the gate refused the credentials, now or before.
/// - DL_AUTH_E_TIMEOUT: there is no valid token within `wait`, or the refresh did not end within `timeout` or
///   `connect_timeout`.
/// - DL_AUTH_E_UNREACHABLE: there is no valid token, and the gate or the proxy cannot be reached.
/// - DL_AUTH_E_RATE_LIMITED: there is no valid token, and the gate limits the rate of requests: HTTP 429.
/// - DL_AUTH_E_GATE: there is no valid token, and the gate has a server error.
/// - DL_AUTH_E_BAD_RESPONSE: there is no valid token, and the answer is not that of a gate.
/// - DL_AUTH_E_TLS: there is no valid token, and TLS with the gate or the proxy failed.
/// - DL_AUTH_E_STORE: there is no valid token, the shared store cannot be used, and `store_required` is set.
/// - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected, and the handle has no credentials.
/// - DL_AUTH_E_PENDING: `wait` is 0 and there is no valid token yet. A refresh is in progress, or no thread can be
///   created for it.
/// - DL_AUTH_E_TOO_SHORT: the cached token has expired, and the minimum interval ends after `wait`. `retry_after_ms` is
///   the rest of that interval.
/// - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the text plus 1. `*len` is the length.
/// - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is not 0.
///
/// Ownership: the copy is yours. It is as secret as a password.
///
/// Threads: thread-safe.
///
/// Blocking: for up to `wait` if there is no valid token, otherwise not. If `wait` is not 0 and no thread can be
/// created for the refresh, the call runs the refresh itself and blocks until it ends.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_bearer(
    auth: *const dl_auth_t,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe {
        if copy_leased(auth, "Bearer ", buf, cap, len) {
            return DL_AUTH_OK;
        }
        copy(auth, buf, cap, len, error, |auth, buffer| {
            auth.token(|token| buffer.put(&["Bearer ", token.jwt().text()]))?
        })
    }
}

/// Copies the payload of a valid token into `buf`: a JSON object (RFC 7519), as the gate wrote it.
///
/// Returns immediately if the cached token is valid. Otherwise starts a refresh, or joins the one in flight, and blocks
/// for up to `wait`. dl_auth_token describes the refresh and the cooldown. The library does not check the signature.
///
/// @param auth The handle.
/// @param[out] buf The JSON text and a NUL. Can be NULL if `cap` is 0. DL_AUTH_TOKEN_MAX bytes always fit.
/// @param cap The size of `buf` in bytes.
/// @param[out] len The length of the JSON text in bytes, without the NUL. Can be NULL.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `buf` has the payload of a valid token.
/// - DL_AUTH_E_DENIED: there is no valid token, and the gate refused the credentials, now or before.
/// - DL_AUTH_E_TIMEOUT: there is no valid token within `wait`, or the refresh did not end within `timeout` or
///   `connect_timeout`.
/// - DL_AUTH_E_UNREACHABLE: there is no valid token, and the gate or the proxy cannot be reached.
/// - DL_AUTH_E_RATE_LIMITED: there is no valid token, and the gate limits the rate of requests: HTTP 429.
/// - DL_AUTH_E_GATE: there is no valid token, and the gate has a server error.
/// - DL_AUTH_E_BAD_RESPONSE: there is no valid token, and the answer is not that of a gate.
/// - DL_AUTH_E_TLS: there is no valid token, and TLS with the gate or the proxy failed.
/// - DL_AUTH_E_STORE: there is no valid token, the shared store cannot be used, and `store_required` is set.
/// - DL_AUTH_E_NO_CREDENTIALS: the ready `token` has expired or was rejected, and the handle has no credentials.
/// - DL_AUTH_E_PENDING: `wait` is 0 and there is no valid token yet. A refresh is in progress, or no thread can be
///   created for it.
/// - DL_AUTH_E_TOO_SHORT: the cached token has expired, and the minimum interval ends after `wait`. `retry_after_ms` is
///   the rest of that interval.
/// - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the JSON text plus 1. `*len` is the length.
/// - DL_AUTH_E_CLOSED: the handle was freed, before the call or during it, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` is NULL; or `buf` is NULL and `cap` is not 0.
///
/// Ownership: the copy is yours.
///
/// Threads: thread-safe.
///
/// Blocking: for up to `wait` if there is no valid token, otherwise not. If `wait` is not 0 and no thread can be
/// created for the refresh, the call runs the refresh itself and blocks until it ends.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_claims(
    auth: *const dl_auth_t,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe { copy(auth, buf, cap, len, error, |auth, buffer| auth.token(|token| buffer.put(&[token.jwt().claims()]))?) }
}

/// Returns the number of the cached token.
///
/// Each token of a handle has another number. Returns 0 if a refresh is due. The numbers of a handle begin with 1 and
/// increase. While the number is the same, the token is the same. So a program can keep a copy of the token, and make a
/// new copy only when the number changes:
///
/// ```c
/// struct token_copy {
///   uint64_t generation; // 0: no copy
///   char jwt[DL_AUTH_TOKEN_MAX];
/// };
///
/// const char *current_token(const dl_auth_t *auth, struct token_copy *copy) {
///   // The number is read before the token. If the token changes between the
///   // two calls, the copy is newer than its number, and is made again.
///   uint64_t generation = dl_auth_generation(auth);
///   if (generation == 0 || generation != copy->generation) {
///     copy->generation = 0;
///     if (dl_auth_token(auth, copy->jwt, sizeof copy->jwt, NULL, NULL))
///       return NULL;
///     copy->generation = generation;
///   }
///   return copy->jwt;
/// }
/// ```
///
/// @param auth The handle. With NULL, and with a handle that was freed, the result is 0.
///
/// @return The number of the cached token. 0 if a refresh is due, if there is no valid token, or if `auth` is not a
/// handle: call dl_auth_token.
///
/// Threads: thread-safe. A parent process and its child count separately.
///
/// Blocking: no. The call starts no refresh.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_generation(auth: *const dl_auth_t) -> u64 {
    let leased = handle::seqlock(auth).and_then(|seqlock| seqlock.generation(auth.addr(), clock::tick_ms()));
    leased.unwrap_or_else(|| guard_or(0, || handle::with(auth, |auth| Ok(auth.generation()))))
}

/// Marks a token as expired, because the platform rejected it with HTTP 401.
///
/// If `rejected_token` is the cached token, it counts as expired, and the next call starts a refresh. If it is not the
/// cached token, another thread has already reported it, and the call changes nothing. So if a thousand threads get a
/// 401 at the same time, they cause one refresh.
///
/// During the minimum interval after a refresh (see dl_auth_token_within), the token is due, and still returned. It
/// counts as expired when that interval ends. The library cannot replace a ready `token` of the configuration without
/// credentials: after this call, calls fail with DL_AUTH_E_NO_CREDENTIALS.
///
/// ```c
/// // Sends a request, and once more if the answer is 401. During the minimum
/// // interval, the second request has the same token.
/// int send_with_token(const dl_auth_t *auth) {
///   char jwt[DL_AUTH_TOKEN_MAX];
///   int http_status = 0;
///   for (int attempt = 0; attempt < 2; attempt++) {
///     if (dl_auth_token(auth, jwt, sizeof jwt, NULL, NULL) != DL_AUTH_OK)
///       return 0;
///     http_status = send_request(jwt);
///     if (http_status != 401)
///       break;
///     dl_auth_invalidate(auth, jwt, NULL);
///   }
///   return http_status;
/// }
/// ```
///
/// @param auth The handle.
/// @param rejected_token The token that the platform rejected.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: the token counts as expired, now or when the minimum interval ends. Or it is not the cached token.
/// - DL_AUTH_E_CLOSED: the handle was freed, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` or `rejected_token` is NULL.
/// - DL_AUTH_E_NOT_UTF8: `rejected_token` is not UTF-8.
///
/// Ownership: the library does not keep `rejected_token`.
///
/// Threads: thread-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_invalidate(
    auth: *const dl_auth_t,
    rejected_token: *const c_char,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header requires what `guard` and `read` need: a valid string and a valid struct.
    unsafe {
        guard(error, || {
            let rejected_token = read("rejected_token", rejected_token)?;
            handle::with(auth, |auth| {
                auth.invalidate(rejected_token);
                Ok(())
            })
        })
    }
}

/// Replaces the credentials of a handle.
///
/// The next refresh is a login with the new credentials. The old refresh token and the cooldown end. If the gate had
/// refused the new credentials before, they can be sent again immediately, by each handle of the process. A refresh in
/// flight is cancelled; its waiters receive the new login's token. The cached token is kept only if the username is
/// unchanged. If the username changes, the minimum interval ends too. The library no longer reads a `password_file`.
///
/// @param auth The handle.
/// @param username The username. NULL: the username is unchanged.
/// @param password The password.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: the credentials are replaced.
/// - DL_AUTH_E_INVALID_VALUE: `username` or `password` is empty.
/// - DL_AUTH_E_NO_CREDENTIALS: `username` is NULL, and the handle has no username, because it was created with a ready
///   `token`.
/// - DL_AUTH_E_CLOSED: the handle was freed, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` or `password` is NULL.
/// - DL_AUTH_E_NOT_UTF8: `username` or `password` is not UTF-8.
///
/// Ownership: both strings are copied.
///
/// Threads: thread-safe.
///
/// Blocking: no. The call does not wait for a refresh.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_set_credentials(
    auth: *const dl_auth_t,
    username: *const c_char,
    password: *const c_char,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header requires what `guard` and `read` need: valid strings and a valid struct.
    unsafe {
        guard(error, || {
            let username = if username.is_null() { None } else { Some(read("username", username)?) };
            let password = read("password", password)?;
            handle::with(auth, |auth| auth.set_credentials(username, password))
        })
    }
}

/// The fast read: copies the prefix and the token if the token is under a lease. If it returns false, the caller must
/// call `copy`. It cannot panic, so it needs no guard. It is always inlined and `copy` never is: otherwise each read
/// saves registers that only `copy` needs, which is half as many instructions more.
///
/// # Safety
/// See `copy`.
#[inline(always)]
unsafe fn copy_leased(auth: *const dl_auth_t, prefix: &str, buf: *mut c_char, cap: usize, len: *mut usize) -> bool {
    let Some(seqlock) = handle::seqlock(auth) else { return false };
    if buf.is_null() {
        return false;
    }
    // SAFETY: passed on from our caller, and `buf` is not NULL.
    unsafe {
        let put = |words: &Words, length| put_words(buf, cap, prefix, words, length);
        match seqlock.read(auth.addr(), clock::tick_ms(), put) {
            Copied::Whole(length) => {
                if !len.is_null() {
                    len.write_unaligned(length);
                }
                true
            }
            Copied::Torn(length) => {
                buf.write_bytes(0, length);
                false
            }
            Copied::Nothing => false,
        }
    }
}

/// Runs a call that copies text into the caller's buffer.
///
/// # Safety
/// `buf` is NULL or has `cap` writable bytes, `len` and `error` are NULL or writable, and no other thread uses them
/// during the call. The header requires this.
#[inline(never)]
unsafe fn copy(
    auth: *const dl_auth_t,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
    call: impl FnOnce(&Auth, &Buffer) -> Result<(), Error>,
) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe {
        guard(error, || {
            let buffer = Buffer::new(buf, cap, len)?;
            handle::with(auth, |auth| call(auth, &buffer))
        })
    }
}
