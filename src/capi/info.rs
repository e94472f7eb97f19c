//! The state of a handle, and the version of the library.

use std::ffi::{CStr, c_char};
use std::mem::offset_of;

use super::error::{dl_auth_error_t, dl_auth_status_t, put, write_sized};
use super::guard::guard;
use super::handle::{self, dl_auth_t};
use super::text::null;
use crate::error::{Error, Status, whole_ms};
use crate::info::{Activity, Info};
use crate::policy::State;

/// dl_auth_info_t.state: there is no token.
pub const DL_AUTH_STATE_EMPTY: i32 = 0;
/// dl_auth_info_t.state: the token is valid, and no refresh is due.
pub const DL_AUTH_STATE_FRESH: i32 = 1;
/// dl_auth_info_t.state: the token is valid, and a refresh is due. The next call that reads the token starts a refresh,
/// as soon as the cooldown and the minimum interval are over.
pub const DL_AUTH_STATE_DUE: i32 = 2;
/// dl_auth_info_t.state: the token has expired, or the platform rejected it. No call returns it.
pub const DL_AUTH_STATE_EXPIRED: i32 = 3;

/// dl_auth_info_t.activity: nothing.
pub const DL_AUTH_ACTIVITY_IDLE: i32 = 0;
/// dl_auth_info_t.activity: a refresh is in flight.
pub const DL_AUTH_ACTIVITY_REFRESHING: i32 = 1;
/// dl_auth_info_t.activity: the last refresh failed, and the next one starts after retry_in_ms at the earliest.
pub const DL_AUTH_ACTIVITY_COOLING: i32 = 2;
/// dl_auth_info_t.activity: the gate refused the credentials in the last refresh. They are sent again after retry_in_ms
/// at the earliest, unless they change.
pub const DL_AUTH_ACTIVITY_DENIED: i32 = 3;

/// The size of dl_auth_info_t.store_message, with its NUL.
pub const DL_AUTH_STORE_MESSAGE_MAX: usize = 256;

/// The state of a handle, in memory of the caller. Initialise it with DL_AUTH_INFO_INIT. A later version can add fields
/// at the end. It fills only the fields that your struct has.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dl_auth_info_t {
    /// The size of the struct. DL_AUTH_INFO_INIT sets it. After a call: the number of bytes that were written.
    pub size: u32,
    /// The state of the token: one of DL_AUTH_STATE_*.
    pub state: i32,
    /// The activity of the handle: one of DL_AUTH_ACTIVITY_*.
    pub activity: i32,
    /// Always 0.
    pub reserved: u32,
    /// How many tokens the handle has had. 0: none yet.
    pub generation: u64,
    /// The claim `iat` of the token in Unix seconds. 0: none.
    pub issued_at: i64,
    /// The claim `exp` of the token in Unix seconds. 0: none.
    pub expires_at: i64,
    /// Milliseconds until the claim `exp` of the token, by a clock that counts suspend and that cannot be set.
    /// Negative: `exp` has passed. 0: there is no token. dl_auth_invalidate and a jump of the wall clock do not change
    /// this time: `state` says whether the token has expired.
    pub expires_in_ms: i64,
    /// Milliseconds until the planned time of the next refresh. Negative: this time has passed. 0: there is no token.
    /// dl_auth_invalidate and a jump of the wall clock do not change this time: `state` says whether a refresh is due.
    pub refresh_in_ms: i64,
    /// The gate's clock minus this machine's, in milliseconds, accurate to about one second, measured at the last
    /// answer with a token. 0 if that answer had no usable time.
    pub clock_skew_ms: i64,
    /// How many tokens the handle got by a login.
    pub logins: u64,
    /// How many tokens the handle got by a refresh token.
    pub refreshes: u64,
    /// How many refreshes failed. A refresh with all its retries counts once.
    pub failures: u64,
    /// How many tokens came from the shared store: another process had fetched them.
    pub shared_hits: u64,
    /// How many refreshes could not use the shared store. `store_message` has the last reason.
    pub store_failures: u64,
    /// How many calls wait at this moment.
    pub waiting: u64,
    /// The status of the last refresh that has ended. DL_AUTH_OK: it was successful, or there was none.
    pub last_status: i32,
    /// The HTTP status of its answer if it failed. 0: it was successful, or there was no answer.
    pub last_http_status: u32,
    /// Milliseconds until the next refresh can start, after a failed one or a successful one. 0: immediately.
    pub retry_in_ms: i64,
    /// How long dl_auth_token can block, in milliseconds: the option `wait`. It is for a program that waits by itself
    /// between calls of dl_auth_token_within with `wait_ms` 0.
    pub wait_ms: u64,
    /// Why the shared store could not be used the last time: UTF-8 with a NUL at the end. Empty: it has not failed.
    pub store_message: [c_char; DL_AUTH_STORE_MESSAGE_MAX],
}

/// Describes the state of a handle.
///
/// The call starts no refresh. In a child process, the first such call for a handle with `refresh=background` starts
/// that handle's background refreshes.
///
/// @param auth The handle.
/// @param[in,out] info The state of the handle. Its field `size` must be set: use DL_AUTH_INFO_INIT.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `*info` is filled.
/// - DL_AUTH_E_CLOSED: the handle was freed, or dl_auth_new did not return it.
/// - DL_AUTH_E_NULL_ARGUMENT: `auth` or `info` is NULL, or `info->size` is less than 4.
///
/// Threads: thread-safe. Each thread needs a separate `info`.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_info(
    auth: *const dl_auth_t,
    info: *mut dl_auth_info_t,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header requires what `guard` and `write_sized` need: structs of at least `size` bytes.
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
    let mut store_message = [0; DL_AUTH_STORE_MESSAGE_MAX];
    if let Some(fault) = &info.store_fault {
        put(&mut store_message, fault.message(), known.saturating_sub(offset_of!(dl_auth_info_t, store_message)));
    }
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
        shared_hits: info.shared_hits,
        store_failures: info.store_failures,
        waiting: info.waiting,
        last_status: failure.map_or(0, |failure| failure.status() as i32),
        last_http_status: failure.and_then(Error::http_status).map_or(0, u32::from),
        retry_in_ms: i64::try_from(whole_ms(info.retry_in)).unwrap_or(i64::MAX),
        wait_ms: whole_ms(info.wait),
        store_message,
    }
}

/// Returns the version of the library, such as "1.2.3".
///
/// @return The version. Never NULL.
///
/// Ownership: the string is static: you must not free it.
///
/// Threads: thread-safe and async-signal-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// The ABI version of this header. A program that uses all of this header needs a library whose dl_auth_abi_version()
/// is at least this number.
pub const DL_AUTH_ABI_VERSION: u32 = 1;

/// Returns the ABI version of the library.
///
/// It increases by 1 with each function that is added. A program that needs a later ABI version must not continue.
///
/// @return The ABI version.
///
/// Threads: thread-safe and async-signal-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_abi_version() -> u32 {
    DL_AUTH_ABI_VERSION
}
