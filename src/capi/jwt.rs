//! The functions that read any JWT, without a handle.

use std::ffi::c_char;

use super::error::{dl_auth_error_t, dl_auth_status_t};
use super::guard::guard;
use super::text::{Buffer, null, read};
use crate::error::Error;
use crate::jwt::Jwt;
use crate::secret::Secret;

/// Copies the payload of a JWT into `buf`: a JSON object (RFC 7519).
///
/// The signature is not checked: the claims can be false.
///
/// @param jwt The JWT. Can be the same memory as `buf`.
/// @param[out] buf The JSON text and a NUL. Can be NULL if `cap` is 0. As many bytes as `jwt` has always fit.
/// @param cap The size of `buf` in bytes.
/// @param[out] len The length of the JSON text in bytes, without the NUL. Can be NULL.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `buf` has the payload.
/// - DL_AUTH_E_BAD_JWT: `jwt` is not a JWT.
/// - DL_AUTH_E_BUFFER_TOO_SMALL: `cap` is less than the length of the JSON text plus 1. `*len` is the length.
/// - DL_AUTH_E_NULL_ARGUMENT: `jwt` is NULL; or `buf` is NULL and `cap` is not 0.
/// - DL_AUTH_E_NOT_UTF8: `jwt` is not UTF-8.
///
/// Ownership: the copy is yours. The library does not keep `jwt`.
///
/// Threads: thread-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_jwt_claims(
    jwt: *const c_char,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header requires what is needed here: a string, `cap` bytes at `buf`, writable `len` and `error`.
    unsafe {
        guard(error, || {
            let jwt = decode(jwt); // before `buf` is emptied, because it can be the same memory
            let buffer = Buffer::new(buf, cap, len)?;
            buffer.put(&[jwt?.claims()])
        })
    }
}

/// Reads the claim `exp` of a JWT: the time at which it expires.
///
/// The signature is not checked, nor whether the JWT has expired.
///
/// @param jwt The JWT.
/// @param[out] unix_seconds The claim `exp` in Unix seconds. Not changed if the call fails.
/// @param[out] error The reason of a failure. Can be NULL.
///
/// @return
/// - DL_AUTH_OK: `*unix_seconds` is set.
/// - DL_AUTH_E_BAD_JWT: `jwt` is not a JWT, or has no usable `exp`: a number of Unix seconds from 1 to the year 9999.
/// - DL_AUTH_E_NULL_ARGUMENT: `jwt` or `unix_seconds` is NULL.
/// - DL_AUTH_E_NOT_UTF8: `jwt` is not UTF-8.
///
/// Ownership: the library does not keep `jwt`.
///
/// Threads: thread-safe.
///
/// Blocking: no.
///
/// @since 0.1.0
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_auth_jwt_expiry(
    jwt: *const c_char,
    unix_seconds: *mut i64,
    error: *mut dl_auth_error_t,
) -> dl_auth_status_t {
    // SAFETY: the header requires what is needed here: a valid string, writable `unix_seconds` and `error`.
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
