//! The errors of a handle that has no valid token.

use crate::cache::Token;
use std::time::Duration;

use crate::clock::Now;
use crate::error::{Error, Status, whole_ms};

pub(super) fn closed() -> Error {
    Error::new(Status::Closed, "the handle was freed; make a new one with dl_auth_new")
}

pub(super) fn pending() -> Error {
    Error::new(Status::Pending, "no valid token yet; refresh in progress; call again later")
}

pub(super) fn no_thread() -> Error {
    let message = "no valid token yet; the refresh did not start, because no thread could be created; a call that may \
                   block runs the refresh itself";
    Error::new(Status::Pending, message)
}

/// The caller's `wait` is over. `doing` says what the refresh does now.
pub(super) fn deadline_passed(doing: Option<String>) -> Error {
    let doing = doing.map(|doing| format!(": it is {doing}")).unwrap_or_default();
    let message = format!(
        "no valid token within the time that the call may block (`wait`, or wait_ms); the refresh continues{doing}"
    );
    Error::new(Status::Timeout, message)
}

/// The refresh is past its limit. `doing` says what it does now.
pub(super) fn hangs(doing: Option<String>) -> Error {
    let message = match doing {
        Some(doing) => format!(
            "the refresh has not ended within `timeout`: it is still {doing}; check the network, and DNS on this machine"
        ),
        None => "the refresh has not ended within `timeout`; increase it, or check whether the file system of \
                 `password_file` responds"
            .to_owned(),
    };
    Error::new(Status::Timeout, message)
}

pub(super) fn panicked(what: &str) -> Error {
    let message = format!("the refresh failed because of a bug in dl_auth: {what}; the handle stays usable");
    Error::new(Status::Internal, message)
}

/// The minimum interval between refreshes is not over. There is no valid token, or it is valid for less than requested.
pub(super) fn too_soon(token: Option<&Token>, until: Duration, now: Now) -> Error {
    let what = match token {
        Some(token) => {
            format!("the token is valid for another {} ms, less than requested", token.lifetime().left(now).as_millis())
        }
        None => "the token has expired".to_owned(),
    };
    let message = format!(
        "{what}, and the minimum interval since the last refresh is not over: the next refresh may start in {} ms; \
         call again then",
        whole_ms(until)
    );
    Error::new(Status::TooShort, message).with_retry_after(Some(until))
}

pub(super) fn too_short(token: &Token, now: Now) -> Error {
    let left = token.lifetime().left(now).as_millis();
    let message = format!(
        "the token is valid for another {left} ms, less than requested, and a new token would not be valid for longer; \
         request less (min_valid_ms)"
    );
    Error::new(Status::TooShort, message)
}

pub(super) fn no_credentials() -> Error {
    let message = "the configured `token` has expired or was rejected, and there are no credentials for a login: \
                   make a new handle, or set credentials with dl_auth_set_credentials";
    Error::new(Status::NoCredentials, message)
}

pub(super) fn no_username() -> Error {
    let message = "the handle has no username yet, because it was made with a configured `token`: set the username \
                   together with the password";
    Error::new(Status::NoCredentials, message)
}
