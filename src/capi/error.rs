//! Statuses, and the struct that describes a failure.

#[cfg(test)]
use std::ffi::CStr;
use std::ffi::c_char;
use std::mem::offset_of;

use crate::error::Error;
use crate::status;

/// The result of a call: DL_AUTH_OK (0) or one of DL_AUTH_E_*, which are negative. So `if (status)` tests for a
/// failure.
pub type dl_auth_status_t = i32;

/// The call succeeded.
pub const DL_AUTH_OK: dl_auth_status_t = 0;

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
    /// Always 0.
    pub reserved: u32,
    /// Milliseconds until the next refresh can start: a call starts it, or the library itself with
    /// `refresh=background`. 0: the next call can start it, or no refresh can help.
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
    // SAFETY: the caller of this function promises it.
    unsafe {
        write_sized(error, |known| {
            ours.size = known as u32;
            put(&mut ours.message, failure.message(), known.saturating_sub(offset_of!(dl_auth_error_t, message)));
            ours
        });
    }
}

/// Writes a text into a field that is all zeros, of which the host has `known` bytes. A longer text is cut between two
/// characters. The last byte stays a NUL.
pub fn put(field: &mut [c_char], text: &str, known: usize) {
    let room = known.min(field.len()).saturating_sub(1);
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    for (to, from) in field.iter_mut().zip(text.bytes().take(end)) {
        *to = from as c_char;
    }
}

/// Fills the fields of a host's struct that both the host and the library have. Returns whether anything was written.
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
    status::name(status).as_ptr()
}

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
    // SAFETY: `size` is the size of the struct.
    unsafe { write(&mut error, failure) };
    // SAFETY: `write` has terminated the message.
    unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;
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
        // SAFETY: `write` writes at most the struct's size, also if `size` is larger.
        unsafe { write(&mut error, &failure) };
        error
    }

    fn text(error: &dl_auth_error_t) -> &str {
        // SAFETY: the whole struct was written, so its message is terminated. This is also what the test checks.
        unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap()
    }

    #[test]
    fn structs_of_equal_larger_and_smaller_size_are_filled() {
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
    fn a_long_message_is_cut_between_characters_and_terminated() {
        let long = format!("{}€€€", "x".repeat(509));
        assert_eq!(text(&written(size_of::<dl_auth_error_t>() as u32, &long)), "x".repeat(509));
        let error = written(24 + 5, "ab€€");
        assert_eq!((text(&error), error.message[5]), ("ab", 0x55));
    }
}
