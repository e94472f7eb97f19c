//! What can go wrong, as a value: a [`Status`] that says what the caller should do, and a message that says what
//! happened, to what, and what to do about it.
//!
//! An [`Error`] is built where the fact is known and worded once. Its message never holds a username, a password,
//! a token or a body: whoever builds one passes only names, numbers and text that went through [`crate::secret`].

use std::fmt;
use std::time::Duration;

/// The status codes of the C API, grouped by what the caller should do. A number is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // each is described at its constant in `capi/error.rs`, which is what the header prints
pub enum Status {
    NullArgument = -1,
    NotUtf8 = -2,
    BufferTooSmall = -3,
    Closed = -4,
    UnknownKey = -10,
    InvalidValue = -11,
    NoCredentials = -12,
    Unsupported = -13,
    Denied = -20,
    Pending = -30,
    Timeout = -31,
    Unreachable = -32,
    RateLimited = -33,
    Gate = -34,
    BadResponse = -35,
    TooShort = -36,
    Tls = -40,
    Store = -41,
    BadJwt = -50,
    Internal = -99,
}

/// A failure: its status, the HTTP status where the gate answered, when the library tries again, and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    http_status: Option<u16>,
    retry_after: Option<Duration>,
    message: String,
}

impl Error {
    /// A failure that no HTTP answer caused.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error { status, http_status: None, retry_after: None, message: message.into() }
    }

    /// The same failure, caused by an answer with this HTTP status.
    pub fn with_http_status(self, http_status: u16) -> Error {
        Error { http_status: Some(http_status), ..self }
    }

    /// The same failure, with the time after which the library itself tries again.
    pub fn with_retry_after(self, retry_after: Option<Duration>) -> Error {
        Error { retry_after, ..self }
    }

    /// What the caller should do.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The HTTP status of the answer, where there was one.
    pub fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    /// When the library itself tries again; `None`: at the next call, or never.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same in milliseconds, rounded up, so that who waits as long does not come too soon; 0 for `None`.
    pub fn retry_after_ms(&self) -> u64 {
        self.retry_after.map_or(0, whole_ms)
    }

    /// What happened, to what, and what to do. One line, never a secret.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Milliseconds, rounded up: 0 is nothing at all.
pub fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_until_the_next_try_is_never_told_too_short() {
        for (nanos, ms) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
            let error = Error::new(Status::Gate, "x").with_retry_after(Some(Duration::from_nanos(nanos)));
            assert_eq!(error.retry_after_ms(), ms, "{nanos}");
        }
        assert_eq!(Error::new(Status::Gate, "x").retry_after_ms(), 0);
        assert_eq!(whole_ms(Duration::MAX), u64::MAX);
    }
}
