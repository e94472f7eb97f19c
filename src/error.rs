//! Errors. An [`Error`] has a [`Status`], which says what the caller should do, and a message. The message says what
//! happened, what it happened to, and what to do.
//!
//! The code that finds a failure makes the error and writes its message once. A message never contains a username, a
//! password, a token or a body. It contains only names, numbers, and text that [`crate::secret`] has redacted.

use std::fmt;
use std::time::Duration;

pub use crate::status::Status;

/// A failure: its status, the HTTP status if the gate answered, the time until the next refresh can start, and a
/// message.
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

    /// The same failure, with the time after which the next refresh can start.
    pub fn with_retry_after(self, retry_after: Option<Duration>) -> Error {
        Error { retry_after, ..self }
    }

    /// What the caller should do.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The HTTP status of the answer; `None`: there was no answer.
    pub fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    /// The time after which the next refresh can start; `None`: the next call can start it, or no refresh can help.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// [`Error::retry_after`] in milliseconds; 0 for `None`. It is rounded up, so that a caller that waits for this
    /// time does not call too early.
    pub fn retry_after_ms(&self) -> u64 {
        self.retry_after.map_or(0, whole_ms)
    }

    /// What happened, what it happened to, and what to do. One line without secrets.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Milliseconds, rounded up: only a time of zero gives 0.
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
    fn the_time_until_the_next_attempt_is_rounded_up() {
        for (nanos, ms) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
            let error = Error::new(Status::Gate, "x").with_retry_after(Some(Duration::from_nanos(nanos)));
            assert_eq!(error.retry_after_ms(), ms, "{nanos}");
        }
        assert_eq!(Error::new(Status::Gate, "x").retry_after_ms(), 0);
        assert_eq!(whole_ms(Duration::MAX), u64::MAX);
    }
}
