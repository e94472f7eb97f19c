//! Reading any JWT: no handle is needed.

use std::ffi::c_char;

use super::error::{dl_auth_error_t, dl_auth_status_t};
use super::guard::guard;
use super::text::{Buffer, null, read};
use crate::error::Error;
use crate::jwt::Jwt;
use crate::secret::Secret;

/// Copies the payload of a JWT, a JSON object (RFC 7519), into `buf`; buffer and length as for dl_auth_token. The
/// signature is not checked: the claims say what the token says of itself, not that it is genuine.
///
/// DL_AUTH_E_BAD_JWT, DL_AUTH_E_BUFFER_TOO_SMALL, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_jwt_claims(
    jwt: *const c_char,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what is needed here: a live string, `cap` bytes at `buf`, writable `len` and `error`.
    unsafe {
        guard(error, || {
            let jwt = decode(jwt); // before the buffer is emptied, for it may be the same one
            let buffer = Buffer::new(buf, cap, len)?;
            buffer.put(&[jwt?.claims()])
        })
    }
}

/// Tells when a JWT ends: its claim `exp`, in Unix seconds. Nothing is checked but that it is a date.
///
/// DL_AUTH_E_BAD_JWT, DL_AUTH_E_NULL_ARGUMENT, DL_AUTH_E_NOT_UTF8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_jwt_expiry(
    jwt: *const c_char,
    unix_seconds: *mut i64,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header asks for what is needed here: a live string, writable `unix_seconds` and `error`.
    unsafe {
        guard(error, || {
            if unix_seconds.is_null() {
                return Err(null("unix_seconds"));
            }
            unix_seconds.write_unaligned(decode(jwt)?.expect_expiry()?);
            Ok(())
        })
    }
}

/// # Safety
/// `jwt` is NULL or points to a NUL-terminated string.
unsafe fn decode(jwt: *const c_char) -> Result<Jwt, Error> {
    // SAFETY: passed on from our caller.
    let text = unsafe { read("jwt", jwt) }?;
    Jwt::decode(Secret::new(text.to_owned()))
}
