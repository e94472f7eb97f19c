//! The handle's calls.

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

/// A buffer of this many bytes fits every token, its NUL, and its claims: a longer token is not taken from the gate,
/// for it would not fit the header limit of most servers.
pub const DL_AUTH_TOKEN_MAX: usize = 8192;

/// A buffer of this many bytes fits every "Bearer <token>" and its NUL.
pub const DL_AUTH_BEARER_MAX: usize = 8199;

const _: () = assert!(DL_AUTH_TOKEN_MAX == TOKEN_MAX + 1 && DL_AUTH_BEARER_MAX == DL_AUTH_TOKEN_MAX + "Bearer ".len());

/// Makes a handle from a configuration and the environment: that of dl_auth_config_set_environ, or, without that call,
/// the process's. `config` may be NULL: only the process's environment is used. If the program has more rights than the
/// user that started it (set-user-ID, set-group-ID, file capabilities), the process's environment is ignored. The
/// configuration is copied. Files that it names are read, the network is not touched: the first dl_auth_token logs in.
/// Free the handle with dl_auth_free. If the call fails, `*auth` is NULL.
///
/// DL_AUTH_E_NO_CREDENTIALS, DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_UNSUPPORTED, DL_AUTH_E_NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_new(
    config: *const dl_auth_config_t,
    auth: *mut *mut dl_auth_t,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what is needed here: `auth` and `error` live and writable, and a configuration that
    // dl_auth_config_new made and that no other thread changes now.
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

/// Copies a valid token into `buf`: at once while there is one, else after the refresh in flight, which this call
/// begins where there is none, and at most after the time that `wait` gives. From any thread.
///
/// `*len`, where `len` is not NULL, is the token's length without its NUL. With `buf` NULL and `cap` 0 the call asks
/// for that length (DL_AUTH_E_BUFFER_TOO_SMALL); it may have changed by the next call. Nothing is to be freed; the copy
/// is yours, and as secret as a password.
///
/// After a refresh that failed, calls without a valid token fail at once with its error, until the time that
/// `retry_after_ms` gives: 1 s at most, doubled with each failure to 30 s, but no less than the Retry-After of a 429 or 503, up to 1 h;
/// after a refused password 30 s, 5 min, 1 h doubling to 24 h (with HTTP 403, 5 min at most), for all handles of the
/// process, or until the credentials change.
///
/// DL_AUTH_E_DENIED, DL_AUTH_E_TIMEOUT, DL_AUTH_E_UNREACHABLE, DL_AUTH_E_RATE_LIMITED, DL_AUTH_E_GATE,
/// DL_AUTH_E_BAD_RESPONSE, DL_AUTH_E_TLS, DL_AUTH_E_NO_CREDENTIALS; DL_AUTH_E_PENDING where `wait` is 0;
/// DL_AUTH_E_TOO_SHORT where the gate's last token has ended, and `wait` is over before another may be fetched;
/// DL_AUTH_E_BUFFER_TOO_SMALL, DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT.
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

/// Gives up a handle. NULL, and a handle that was freed before, do nothing. Threads inside a call finish it; those that
/// wait are woken with DL_AUTH_E_CLOSED. The call does not wait for them, nor for a refresh in flight.
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_free(auth: *mut dl_auth_t) {
    guard_or((), || {
        handle::close(auth);
        Ok(())
    });
}

/// As dl_auth_token, for a caller with needs of its own: a token that is valid for another `min_valid_ms`, and a wait
/// of at most `wait_ms` milliseconds. With 0 and 0 it never waits: the poll of a frame loop, and the prefetch. (Where
/// no thread can be made for the refresh, a caller who may wait runs it, for as long as it takes.)
///
/// As dl_auth_token; and DL_AUTH_E_PENDING (`wait_ms` is 0, and the refresh is under way) and DL_AUTH_E_TOO_SHORT: no
/// token of the gate lives for `min_valid_ms`; or `retry_after_ms` is not 0, and another may be fetched then. For a
/// tenth of a new token's life, at least 1 s and at most 60 s, no other refresh begins, however the token is asked for.
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

/// As dl_auth_token, but copies "Bearer <token>", the value of the header Authorization (RFC 6750).
/// DL_AUTH_BEARER_MAX bytes always fit.
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

/// As dl_auth_token, but copies the token's payload: a JSON object (RFC 7519), as the gate wrote it. The claims say
/// what the token says of itself; the signature is not checked. DL_AUTH_TOKEN_MAX bytes always fit.
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

/// The number of the present token, counted from 1 and never given twice, where it needs no refresh; else 0, and then
/// dl_auth_token is to be called. For a host that keeps a copy of its own: while the number is the same, so is the
/// token. Never waits, refreshes nothing; 0 for a bad handle too.
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_generation(auth: *const dl_auth_t) -> u64 {
    let leased = handle::seqlock(auth).and_then(|seqlock| seqlock.generation(auth.addr(), clock::tick_ms()));
    leased.unwrap_or_else(|| guard_or(0, || handle::with(auth, |auth| Ok(auth.generation()))))
}

/// Tells that the platform refused a token with 401: give the token that was refused. Where it is still the current
/// one, it counts as expired and the next call refreshes; else somebody has told already, and nothing is done. So a
/// thousand threads that saw a 401 cause one refresh. A token that has just been fetched stays until another may be
/// (see dl_auth_token_within). DL_AUTH_OK in each case. (A ready `token` of the configuration has nothing to be
/// refreshed with: from then on, calls fail with DL_AUTH_E_NO_CREDENTIALS.)
///
/// DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_invalidate(
    auth: *const dl_auth_t,
    rejected_token: *const c_char,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what `guard` and `read` need: a live string and struct.
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

/// Logs in with these from now on; they are copied. `username` NULL keeps the one there is. The refresh token, the
/// pause after a failure and what these were refused are dropped, a refresh in flight is disowned (who waits for it
/// gets the new one's token), and the present token stays only where the username does. A `password_file` is read no
/// more.
///
/// DL_AUTH_E_INVALID_VALUE, DL_AUTH_E_NO_CREDENTIALS (no username to keep), DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT,
/// DL_AUTH_E_NOT_UTF8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_set_credentials(
    auth: *const dl_auth_t,
    username: *const c_char,
    password: *const c_char,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what `guard` and `read` need: live strings and a live struct.
    unsafe {
        guard(error, || {
            let username = if username.is_null() { None } else { Some(read("username", username)?) };
            let password = read("password", password)?;
            handle::with(auth, |auth| auth.set_credentials(username, password))
        })
    }
}

/// The read before every request: copies the prefix and the token, where one is under a lease. Where it returns false,
/// `copy` is to be asked. Nothing in it can panic, so it does without the guard. Always a part of its caller, and `copy`
/// never: else each read saves registers that only the exact way needs, which costs half as many instructions again.
///
/// # Safety
/// As `copy`.
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

/// A call that copies text into the host's buffer.
///
/// # Safety
/// As the header says: `buf` is NULL or has `cap` writable bytes, `len` and `error` are NULL or writable, and nobody
/// else touches them during the call.
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
