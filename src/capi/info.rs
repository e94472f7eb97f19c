//! A look at a handle, and the library's own version.

use std::ffi::{CStr, c_char};

use super::error::{dl_auth_error_t, dl_auth_status_t, write_sized};
use super::guard::guard;
use super::handle::{self, dl_auth_t};
use super::text::null;
use crate::error::{Error, Status, whole_ms};
use crate::info::{Activity, Info};
use crate::policy::State;

/// dl_auth_info_t.state: there is no token.
pub const DL_AUTH_STATE_EMPTY: i32 = 0;
/// dl_auth_info_t.state: valid, and needs no refresh.
pub const DL_AUTH_STATE_FRESH: i32 = 1;
/// dl_auth_info_t.state: valid, and the next call that finds it begins a refresh.
pub const DL_AUTH_STATE_DUE: i32 = 2;
/// dl_auth_info_t.state: not handed out any more: it has ended, or the platform refused it.
pub const DL_AUTH_STATE_EXPIRED: i32 = 3;

/// dl_auth_info_t.activity: nothing.
pub const DL_AUTH_ACTIVITY_IDLE: i32 = 0;
/// dl_auth_info_t.activity: a refresh is in flight.
pub const DL_AUTH_ACTIVITY_REFRESHING: i32 = 1;
/// dl_auth_info_t.activity: the last refresh failed, and no other begins for retry_in_ms.
pub const DL_AUTH_ACTIVITY_COOLING: i32 = 2;
/// dl_auth_info_t.activity: the gate refused the credentials the last time it was asked; they are not sent again for
/// retry_in_ms, unless they change.
pub const DL_AUTH_ACTIVITY_DENIED: i32 = 3;

/// A look at a handle, in the caller's own memory: initialise it with DL_AUTH_INFO_INIT. A later version may add fields
/// at the end; it fills no more than yours has.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct dl_auth_info_t {
    /// The struct's size, set by DL_AUTH_INFO_INIT; afterwards, how much of it was written.
    pub size: u32,
    /// What the token is good for: one of DL_AUTH_STATE_*.
    pub state: i32,
    /// What the handle is doing: one of DL_AUTH_ACTIVITY_*.
    pub activity: i32,
    /// 0.
    pub reserved: u32,
    /// How many tokens the handle has held; 0: none yet.
    pub generation: u64,
    /// The token's `iat` in Unix seconds; 0: none.
    pub issued_at: i64,
    /// The token's `exp` in Unix seconds; 0: none.
    pub expires_at: i64,
    /// Milliseconds until the token ends, by a clock that counts suspend and that nobody can set; negative: it has
    /// ended; 0: none.
    pub expires_in_ms: i64,
    /// Milliseconds until its refresh is due; negative: it is due; 0: none.
    pub refresh_in_ms: i64,
    /// The gate's clock minus this machine's, in milliseconds but good to about a second, as measured at the last
    /// answer that had a token; 0 if that answer did not tell a time to believe.
    pub clock_skew_ms: i64,
    /// Tokens that were got for the password.
    pub logins: u64,
    /// Tokens that were got for a refresh token.
    pub refreshes: u64,
    /// Refreshes that failed, each with all its tries.
    pub failures: u64,
    /// Tokens that were found in the shared store. 0: there is no shared store yet.
    pub shared_hits: u64,
    /// Failures of the shared store. 0: there is no shared store yet.
    pub store_failures: u64,
    /// Callers that wait at this moment.
    pub waiting: u64,
    /// The status of the last refresh that has ended; DL_AUTH_OK: it worked, or there was none.
    pub last_status: i32,
    /// The HTTP status of its answer, where it failed; 0: it worked, or there was no answer.
    pub last_http_status: u32,
    /// Milliseconds until the next refresh may begin, after one that failed, or one that has just worked; 0: at once.
    pub retry_in_ms: i64,
    /// Milliseconds that dl_auth_token may hold its caller: the option `wait`. For a host that waits in a way of its own
    /// between calls of dl_auth_token_within with 0.
    pub wait_ms: u64,
}

/// Looks at a handle. Starts no refresh and waits for nothing. (In a child process, the first look at a handle with
/// `refresh=background` begins its refreshes there.)
///
/// DL_AUTH_E_CLOSED, DL_AUTH_E_NULL_ARGUMENT (`info` is NULL or was not initialised).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_info(
    auth: *const dl_auth_t,
    info: *mut dl_auth_info_t,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what `guard` and `write_sized` need: structs that are as large as their `size` says.
    unsafe {
        guard(error, || {
            if info.is_null() {
                return Err(null("info"));
            }
            let looked = handle::with(auth, |auth| Ok(auth.info()))?;
            if write_sized(info, |known| describe(&looked, known)) {
                return Ok(());
            }
            let message = "`info` was not initialised, its size is less than 4: set it to DL_AUTH_INFO_INIT";
            Err(Error::new(Status::NullArgument, message))
        })
    }
}

fn describe(info: &Info, known: usize) -> dl_auth_info_t {
    let jwt = info.token.as_ref().map(|token| token.jwt());
    let failure = info.last.as_ref().and_then(|last| last.as_ref().err());
    dl_auth_info_t {
        size: known as u32,
        state: match info.state {
            None => DL_AUTH_STATE_EMPTY,
            Some(State::Fresh) => DL_AUTH_STATE_FRESH,
            Some(State::Due) => DL_AUTH_STATE_DUE,
            Some(State::Expired) => DL_AUTH_STATE_EXPIRED,
        },
        activity: match info.activity {
            Activity::Idle => DL_AUTH_ACTIVITY_IDLE,
            Activity::Refreshing => DL_AUTH_ACTIVITY_REFRESHING,
            Activity::Cooling => DL_AUTH_ACTIVITY_COOLING,
            Activity::Denied => DL_AUTH_ACTIVITY_DENIED,
        },
        reserved: 0,
        generation: info.generation,
        issued_at: jwt.and_then(|jwt| jwt.issued_at()).unwrap_or(0),
        expires_at: jwt.and_then(|jwt| jwt.expiry()).unwrap_or(0),
        expires_in_ms: info.expires_in_ms,
        refresh_in_ms: info.refresh_in_ms,
        clock_skew_ms: info.clock_skew_ms,
        logins: info.logins,
        refreshes: info.refreshes,
        failures: info.failures,
        shared_hits: 0,
        store_failures: 0,
        waiting: info.waiting,
        last_status: failure.map_or(0, |failure| failure.status() as i32),
        last_http_status: failure.and_then(Error::http_status).map_or(0, u32::from),
        retry_in_ms: i64::try_from(whole_ms(info.retry_in)).unwrap_or(i64::MAX),
        wait_ms: whole_ms(info.wait),
    }
}

/// The library's version, such as "1.2.3". The string is static: do not free it.
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// The number of the ABI of this header: a host that uses all of it needs a library whose `dl_auth_abi_version()` is at
/// least that.
pub const DL_AUTH_ABI_VERSION: u32 = 1;

/// The number of the ABI: it grows by 1 with each symbol that is added. A host that needs a later one must not go on.
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_abi_version() -> u32 {
    DL_AUTH_ABI_VERSION
}
