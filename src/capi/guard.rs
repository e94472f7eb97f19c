//! Runs the body of each exported function: turns its `Result` into a status and a message, and a panic into
//! `DL_AUTH_E_INTERNAL`. The thread cannot be cancelled while it runs a body. A body runs in the locale "C".

use super::error::{DL_AUTH_OK, dl_auth_error_t, dl_auth_status_t, write};
use crate::error::{Error, Status};
use crate::process;

/// Runs the body of an exported function.
///
/// # Safety
/// `error` is NULL or points to a `dl_auth_error_t` of which as many bytes as its `size` says may be written.
pub unsafe fn guard(error: *mut dl_auth_error_t, body: impl FnOnce() -> Result<(), Error>) -> dl_auth_status_t {
    match caught(body) {
        Ok(()) => DL_AUTH_OK,
        Err(failure) => {
            // SAFETY: passed on from our caller.
            unsafe { write(error, &failure) };
            failure.status() as dl_auth_status_t
        }
    }
}

/// Runs a body that cannot return an error: after an error or a panic, the result is the default.
pub fn guard_or<T>(default: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    caught(body).unwrap_or(default)
}

fn caught<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let body = || {
        process::keep_panics_quiet();
        body()
    };
    process::uncancelled(|| process::untranslated(|| process::caught(body))).unwrap_or_else(|what| {
        let message = format!("a bug in dl_auth, {what}; the handle and its token stay usable");
        Err(Error::new(Status::Internal, message))
    })
}
