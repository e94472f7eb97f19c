//! The list of statuses: the numbers of the C API, their names, and what they mean.
//!
//! This file uses no other file of the library, because `build.rs` includes it too. From this list come the `#define`
//! lines of the header, the tables of the README, and the names in the bindings. To add a status, add a row and run
//! `make generate`. A number is never reused.

use std::ffi::CStr;

/// A status as the documentation describes it.
#[derive(Debug)]
pub struct StatusRow {
    /// The number that a C function returns.
    pub number: i32,
    /// The name in C.
    pub name: &'static str,
    /// Under which condition a call fails with this status.
    pub condition: &'static str,
    /// What the caller should do.
    pub advice: &'static str,
}

macro_rules! statuses {
    ($($variant:ident = $number:literal, $name:literal, $condition:literal, $advice:literal;)*) => {
        /// How a call failed. The statuses are grouped by what the caller should do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Status {
            $(#[doc = $condition] $variant = $number,)*
        }

        /// All statuses, in the order of the header.
        pub static STATUSES: &[StatusRow] =
            &[$(StatusRow { number: $number, name: $name, condition: $condition, advice: $advice },)*];

        impl Status {
            /// The status with this number.
            pub fn of_number(number: i32) -> Option<Status> {
                match number {
                    $($number => Some(Status::$variant),)*
                    _ => None,
                }
            }
        }

        /// The name of a number in C. Allocates no memory and takes no lock, because signal handlers call it.
        pub fn name(number: i32) -> &'static CStr {
            match number {
                0 => c"DL_AUTH_OK",
                $($number => const { c_name(concat!($name, "\0")) },)*
                _ => c"DL_AUTH_E_UNKNOWN",
            }
        }
    };
}

const fn c_name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

statuses! {
    NullArgument = -1, "DL_AUTH_E_NULL_ARGUMENT",
        "A pointer is NULL and must not be NULL, or a struct is not initialised.",
        "Fix the call.";
    NotUtf8 = -2, "DL_AUTH_E_NOT_UTF8",
        "A string is not UTF-8.",
        "Fix the call.";
    BufferTooSmall = -3, "DL_AUTH_E_BUFFER_TOO_SMALL",
        "The buffer is too small for the text and its NUL.",
        "Grow the buffer to `*len + 1` bytes and call again.";
    Closed = -4, "DL_AUTH_E_CLOSED",
        "The handle was freed, before or during the call. Or dl_auth_new did not return this handle.",
        "Make a new handle.";
    UnknownKey = -10, "DL_AUTH_E_UNKNOWN_KEY",
        "There is no option with this name.",
        "Fix the configuration. The message names the most similar option.";
    InvalidValue = -11, "DL_AUTH_E_INVALID_VALUE",
        "A value is not valid for this option.",
        "Fix the configuration. The message names the option, describes a valid value, and gives the source of the \
         value: a call or an environment variable.";
    NoCredentials = -12, "DL_AUTH_E_NO_CREDENTIALS",
        "The username or the password is missing, both in the calls and in the environment. Or a ready `token` has \
         expired or was rejected, and there are no credentials to log in with.",
        "Set a username and a password, or a ready token.";
    Unsupported = -13, "DL_AUTH_E_UNSUPPORTED",
        "The option exists, but this library is built without the feature.",
        "Do not set the option.";
    Denied = -20, "DL_AUTH_E_DENIED",
        "The gate refused the credentials: HTTP 401, or HTTP 400 or 403 with a JSON object in the body.",
        "Correct the credentials, or ask their issuer.";
    Pending = -30, "DL_AUTH_E_PENDING",
        "No valid token yet; refresh in progress. The call may not wait, because `wait_ms` or `wait` is 0. The status is \
         the same if no thread could be created for the refresh.",
        "Call again later.";
    Timeout = -31, "DL_AUTH_E_TIMEOUT",
        "A time limit ended: the time that the call may wait, the limit of the refresh (`timeout`), or the limit of its \
         connection (`connect_timeout`).",
        "Call again. The message says what took the time, such as a firewall that drops packets.";
    Unreachable = -32, "DL_AUTH_E_UNREACHABLE",
        "There is no connection: a name does not resolve, a connection is refused or broken, or a proxy refuses it.",
        "Check the network and the proxy. Call again.";
    RateLimited = -33, "DL_AUTH_E_RATE_LIMITED",
        "The gate received too many requests (HTTP 429).",
        "Wait for `retry_after_ms`, then call again.";
    Gate = -34, "DL_AUTH_E_GATE",
        "Server error: HTTP 5xx, 408 or 425, or HTTP 400 or 403 without a JSON object in the body. The gate, or a server \
         before it, has a problem.",
        "Call again.";
    BadResponse = -35, "DL_AUTH_E_BAD_RESPONSE",
        "The answer is not that of a gate: it is not JSON, is too large, is a redirect or HTTP 404, or has no `id_token`. \
         Or the token in it is not a JWT, has no usable `exp`, or has expired.",
        "Check `url`, and the servers between this machine and the gate.";
    TooShort = -36, "DL_AUTH_E_TOO_SHORT",
        "The cached token is not valid for as long as requested. If `retry_after_ms` is 0, a new token would not be valid \
         for longer. Otherwise the minimum interval after the last refresh is not over.",
        "If `retry_after_ms` is 0, request less (`min_valid_ms`). Otherwise call again after that time.";
    Tls = -40, "DL_AUTH_E_TLS",
        "TLS failed: a certificate is not trusted, is for another host, or has expired. Or the port does not use TLS, the \
         server requires a client certificate, or there are no root certificates.",
        "Read the message: it names the certificate or the problem.";
    Store = -41, "DL_AUTH_E_STORE",
        "The shared store cannot be used, and `store_required` is set.",
        "Read the message: it names the store and the problem. Correct it, or remove `store_required`.";
    BadJwt = -50, "DL_AUTH_E_BAD_JWT",
        "The text given to dl_auth_jwt_claims or dl_auth_jwt_expiry is not a JWT, or has no usable `exp`.",
        "Fix the text.";
    Internal = -99, "DL_AUTH_E_INTERNAL",
        "There is a bug in the library, and the library caught a panic. The handle and its token stay usable.",
        "Report the bug.";
}
