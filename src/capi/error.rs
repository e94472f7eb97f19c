//! Status codes, and the struct that a failure is described in.

use std::ffi::{CStr, c_char};
use std::mem::offset_of;

use crate::error::{Error, Status};

/// The result of a call: DL_AUTH_OK or one of DL_AUTH_E_*. Errors are negative.
pub type dl_auth_status_t = i32;

/// It worked.
pub const DL_AUTH_OK: dl_auth_status_t = 0;

/// A pointer that must not be NULL is, or a struct was not initialised. Fix the call.
pub const DL_AUTH_E_NULL_ARGUMENT: dl_auth_status_t = -1;

/// A string is not UTF-8. Fix the call.
pub const DL_AUTH_E_NOT_UTF8: dl_auth_status_t = -2;

/// Grow the buffer to `*len + 1` bytes and call again.
pub const DL_AUTH_E_BUFFER_TOO_SMALL: dl_auth_status_t = -3;

/// The handle was freed, before the call or during it; or dl_auth_new never made it.
pub const DL_AUTH_E_CLOSED: dl_auth_status_t = -4;

/// There is no such option. Fix the configuration; the message names the nearest key.
pub const DL_AUTH_E_UNKNOWN_KEY: dl_auth_status_t = -10;

/// A value has not the form that its key needs. Fix the configuration; the message names the key, the form, and who
/// gave the value: a call, or which variable of the environment.
pub const DL_AUTH_E_INVALID_VALUE: dl_auth_status_t = -11;

/// There is no username or no password, neither from a call nor from the environment. Or: a ready `token` has ended,
/// and there is nothing to log in with.
pub const DL_AUTH_E_NO_CREDENTIALS: dl_auth_status_t = -12;

/// The option is known, but not built into this library.
pub const DL_AUTH_E_UNSUPPORTED: dl_auth_status_t = -13;

/// The gate refused the credentials: HTTP 401, or 400 or 403 in the gate's own form. Ask whoever issued them.
pub const DL_AUTH_E_DENIED: dl_auth_status_t = -20;

/// The call may not wait (`wait_ms`, or `wait`, is 0) and there is no token that serves; a refresh is under way, or no
/// thread could be made for it. Ask again later.
pub const DL_AUTH_E_PENDING: dl_auth_status_t = -30;

/// The time that the call may wait, or the limit of the refresh or of its connection (`connect_timeout`), ran out: the
/// message says what took it, such as a firewall that drops packets. Ask again.
pub const DL_AUTH_E_TIMEOUT: dl_auth_status_t = -31;

/// No connection: a name that does not resolve, a refused or broken connection, a proxy that says no. Ask again.
pub const DL_AUTH_E_UNREACHABLE: dl_auth_status_t = -32;

/// HTTP 429: the gate has had too many requests. `retry_after_ms` says when the library asks again, where the gate said
/// so; else wait a little.
pub const DL_AUTH_E_RATE_LIMITED: dl_auth_status_t = -33;

/// HTTP 5xx, 408, 425, or a 400 or 403 that is not in the gate's own form: the gate, or what is before it, is not
/// well. Ask again.
pub const DL_AUTH_E_GATE: dl_auth_status_t = -34;

/// An answer that no gate gives: not JSON, too large, a redirect, 404, no `id_token`, no JWT, no usable `exp`, or a
/// token that has ended already. Check `url` and what stands between.
pub const DL_AUTH_E_BAD_RESPONSE: dl_auth_status_t = -35;

/// The token has less life than was asked for, and a new one would live no longer: ask for less. Or, where
/// `retry_after_ms` is not 0, another may be fetched only then, for the last one is too new.
pub const DL_AUTH_E_TOO_SHORT: dl_auth_status_t = -36;

/// TLS failed: a certificate that is not trusted, for another host, or expired; or no TLS at that port.
pub const DL_AUTH_E_TLS: dl_auth_status_t = -40;

/// The shared store cannot be used, and `store_required` is set.
pub const DL_AUTH_E_STORE: dl_auth_status_t = -41;

/// What was given to dl_auth_jwt_claims or dl_auth_jwt_expiry is no JWT, or has no usable `exp`.
pub const DL_AUTH_E_BAD_JWT: dl_auth_status_t = -50;

/// A bug in the library: a panic was caught. The handle and its token stay usable.
pub const DL_AUTH_E_INTERNAL: dl_auth_status_t = -99;

/// The reason of a failed call, in memory of the caller. Initialise it with DL_AUTH_ERROR_INIT and pass its address. It
/// has no pointers and nothing to free. A successful call does not change it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dl_auth_error_t {
    /// The size of the struct. DL_AUTH_ERROR_INIT sets it. After a failed call: the number of bytes that were written.
    /// If it is less than 4, the struct is not initialised, and the library writes nothing.
    pub size: u32,
    /// The status that the call returned.
    pub status: i32,
    /// The HTTP status of the answer that caused the failure. 0: there was no answer.
    pub http_status: u32,
    /// 0.
    pub reserved: u32,
    /// Milliseconds until the library itself tries again. 0: at the next call, or never.
    pub retry_after_ms: u64,
    /// What happened, with what, and what to do: one line of UTF-8, NUL-terminated. A longer message is cut between two
    /// characters. It never contains a username, a password or a token.
    pub message: [c_char; 512],
}

/// Describes a failure to the host.
///
/// # Safety
/// `error` is NULL or points to a `dl_auth_error_t` of which as many bytes as its `size` says may be written.
pub unsafe fn write(error: *mut dl_auth_error_t, failure: &Error) {
    if error.is_null() {
        return;
    }
    let mut ours = dl_auth_error_t {
        size: 0,
        status: failure.status() as i32,
        http_status: failure.http_status().map_or(0, u32::from),
        reserved: 0,
        retry_after_ms: failure.retry_after_ms(),
        message: [0; 512],
    };
    // SAFETY: as our caller promises.
    unsafe {
        write_sized(error, |known| {
            ours.size = known as u32;
            let room = known.saturating_sub(offset_of!(dl_auth_error_t, message) + 1);
            let end = failure.message().floor_char_boundary(room);
            for (to, from) in ours.message.iter_mut().zip(failure.message().bytes().take(end)) {
                *to = from as c_char;
            }
            ours
        });
    }
}

/// Fills as much of a host's struct as both sides know. Says whether anything was written.
///
/// # Safety
/// `T` is a `repr(C)` struct without padding that begins with a `u32`, its size. `theirs` points to as many writable
/// bytes as that `u32` says, and to no fewer than the `u32` itself.
pub unsafe fn write_sized<T: Copy>(theirs: *mut T, fill: impl FnOnce(usize) -> T) -> bool {
    // SAFETY: the `u32` is there; it may be misaligned.
    let size = unsafe { theirs.cast::<u32>().read_unaligned() } as usize;
    if size < size_of::<u32>() {
        return false;
    }
    let known = size.min(size_of::<T>());
    let ours = fill(known);
    // SAFETY: `known` bytes are in both structs; `ours` is a local, so they do not overlap.
    unsafe { theirs.cast::<u8>().copy_from_nonoverlapping((&raw const ours).cast(), known) };
    true
}

/// Returns the name of a status, such as "DL_AUTH_E_DENIED".
///
/// @param status Any number.
///
/// @return The name. "DL_AUTH_E_UNKNOWN" if `status` is not a status. Never NULL.
///
/// Ownership: the string is static: you must not free it.
///
/// Threads: thread-safe and async-signal-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_status_name(status: dl_auth_status_t) -> *const c_char {
    let name: &'static CStr = match status {
        DL_AUTH_OK => c"DL_AUTH_OK",
        DL_AUTH_E_NULL_ARGUMENT => c"DL_AUTH_E_NULL_ARGUMENT",
        DL_AUTH_E_NOT_UTF8 => c"DL_AUTH_E_NOT_UTF8",
        DL_AUTH_E_BUFFER_TOO_SMALL => c"DL_AUTH_E_BUFFER_TOO_SMALL",
        DL_AUTH_E_CLOSED => c"DL_AUTH_E_CLOSED",
        DL_AUTH_E_UNKNOWN_KEY => c"DL_AUTH_E_UNKNOWN_KEY",
        DL_AUTH_E_INVALID_VALUE => c"DL_AUTH_E_INVALID_VALUE",
        DL_AUTH_E_NO_CREDENTIALS => c"DL_AUTH_E_NO_CREDENTIALS",
        DL_AUTH_E_UNSUPPORTED => c"DL_AUTH_E_UNSUPPORTED",
        DL_AUTH_E_DENIED => c"DL_AUTH_E_DENIED",
        DL_AUTH_E_PENDING => c"DL_AUTH_E_PENDING",
        DL_AUTH_E_TIMEOUT => c"DL_AUTH_E_TIMEOUT",
        DL_AUTH_E_UNREACHABLE => c"DL_AUTH_E_UNREACHABLE",
        DL_AUTH_E_RATE_LIMITED => c"DL_AUTH_E_RATE_LIMITED",
        DL_AUTH_E_GATE => c"DL_AUTH_E_GATE",
        DL_AUTH_E_BAD_RESPONSE => c"DL_AUTH_E_BAD_RESPONSE",
        DL_AUTH_E_TOO_SHORT => c"DL_AUTH_E_TOO_SHORT",
        DL_AUTH_E_TLS => c"DL_AUTH_E_TLS",
        DL_AUTH_E_STORE => c"DL_AUTH_E_STORE",
        DL_AUTH_E_BAD_JWT => c"DL_AUTH_E_BAD_JWT",
        DL_AUTH_E_INTERNAL => c"DL_AUTH_E_INTERNAL",
        _ => c"DL_AUTH_E_UNKNOWN",
    };
    name.as_ptr()
}

/// The statuses of the core are the numbers of the header.
const _: () = {
    assert!(Status::NullArgument as i32 == DL_AUTH_E_NULL_ARGUMENT);
    assert!(Status::NotUtf8 as i32 == DL_AUTH_E_NOT_UTF8);
    assert!(Status::BufferTooSmall as i32 == DL_AUTH_E_BUFFER_TOO_SMALL);
    assert!(Status::Closed as i32 == DL_AUTH_E_CLOSED);
    assert!(Status::UnknownKey as i32 == DL_AUTH_E_UNKNOWN_KEY);
    assert!(Status::InvalidValue as i32 == DL_AUTH_E_INVALID_VALUE);
    assert!(Status::NoCredentials as i32 == DL_AUTH_E_NO_CREDENTIALS);
    assert!(Status::Unsupported as i32 == DL_AUTH_E_UNSUPPORTED);
    assert!(Status::Denied as i32 == DL_AUTH_E_DENIED);
    assert!(Status::Pending as i32 == DL_AUTH_E_PENDING);
    assert!(Status::Timeout as i32 == DL_AUTH_E_TIMEOUT);
    assert!(Status::Unreachable as i32 == DL_AUTH_E_UNREACHABLE);
    assert!(Status::RateLimited as i32 == DL_AUTH_E_RATE_LIMITED);
    assert!(Status::Gate as i32 == DL_AUTH_E_GATE);
    assert!(Status::BadResponse as i32 == DL_AUTH_E_BAD_RESPONSE);
    assert!(Status::TooShort as i32 == DL_AUTH_E_TOO_SHORT);
    assert!(Status::Tls as i32 == DL_AUTH_E_TLS);
    assert!(Status::Store as i32 == DL_AUTH_E_STORE);
    assert!(Status::BadJwt as i32 == DL_AUTH_E_BAD_JWT);
    assert!(Status::Internal as i32 == DL_AUTH_E_INTERNAL);
};

/// The message of an error as a host gets it.
#[cfg(test)]
pub fn message_of(failure: &Error) -> String {
    let mut error = dl_auth_error_t {
        size: size_of::<dl_auth_error_t>() as u32,
        status: 0,
        http_status: 0,
        reserved: 0,
        retry_after_ms: 0,
        message: [0; 512],
    };
    // SAFETY: the struct is whole, and `size` is its own.
    unsafe { write(&mut error, failure) };
    // SAFETY: `write` has terminated the message.
    unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn written(size: u32, message: &str) -> dl_auth_error_t {
        let mut error = dl_auth_error_t {
            size,
            status: 77,
            http_status: 77,
            reserved: 77,
            retry_after_ms: 77,
            message: [0x55; 512],
        };
        let failure =
            Error::new(Status::Denied, message).with_http_status(401).with_retry_after(Some(Duration::from_secs(2)));
        // SAFETY: `size` is at most the struct's own, but for the test of a larger one, which writes no more than that.
        unsafe { write(&mut error, &failure) };
        error
    }

    fn text(error: &dl_auth_error_t) -> &str {
        // SAFETY: the struct is written whole and its message is terminated, which is what is being tested.
        unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap()
    }

    #[test]
    fn a_whole_a_larger_and_a_smaller_struct_are_filled_as_far_as_they_go() {
        let whole = size_of::<dl_auth_error_t>() as u32;
        for size in [whole, whole + 64] {
            let error = written(size, "no");
            assert_eq!((error.size, error.status, error.http_status, error.reserved), (whole, -20, 401, 0));
            assert_eq!((error.retry_after_ms, text(&error)), (2000, "no"));
        }
        let error = written(12, "no");
        assert_eq!((error.size, error.status, error.http_status, error.reserved), (12, -20, 401, 77));
        assert_eq!((error.retry_after_ms, error.message[0]), (77, 0x55));
        let error = written(0, "no");
        assert_eq!((error.size, error.status, error.message[0]), (0, 77, 0x55));
    }

    #[test]
    fn a_long_message_is_cut_at_a_character_s_boundary_and_terminated() {
        let long = format!("{}€€€", "x".repeat(509));
        assert_eq!(text(&written(size_of::<dl_auth_error_t>() as u32, &long)), "x".repeat(509));
        let error = written(24 + 5, "ab€€");
        assert_eq!((text(&error), error.message[5]), ("ab", 0x55));
    }
}
