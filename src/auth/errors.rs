//! What a handle says when it has no token to give.

use crate::cache::Token;
use std::time::Duration;

use crate::clock::Now;
use crate::error::{Error, Status, whole_ms};

pub(super) fn closed() -> Error {
    Error::new(Status::Closed, "the handle was freed; make a new one with dl_auth_new")
}

pub(super) fn pending() -> Error {
    Error::new(
        Status::Pending,
        "there is no token that serves, and the call may not wait; a refresh is under way, ask again",
    )
}

pub(super) fn no_thread() -> Error {
    let message =
        "there is no token that serves, and no thread can be made to get one; a call that may wait gets it itself";
    Error::new(Status::Pending, message)
}

/// `doing` says what the refresh does at this moment.
pub(super) fn deadline_passed(doing: Option<String>) -> Error {
    let doing = doing.map(|doing| format!(": it is {doing}")).unwrap_or_default();
    let message = format!(
        "there was no valid token within the time that the call may wait (`wait`, or wait_ms); the refresh goes on{doing}"
    );
    Error::new(Status::Timeout, message)
}

/// The same.
pub(super) fn hangs(doing: Option<String>) -> Error {
    let message = match doing {
        Some(doing) => format!(
            "the refresh has not ended within `timeout`: it is still {doing}; check the network, and DNS on this machine"
        ),
        None => "the refresh has not ended within `timeout`; give it more time, or look whether the file system of \
                 `password_file` answers"
            .to_owned(),
    };
    Error::new(Status::Timeout, message)
}

pub(super) fn panicked(what: &str) -> Error {
    Error::new(Status::Internal, format!("the refresh failed by a bug in dl_auth, {what}; the handle stays usable"))
}

/// The storm brake holds the next refresh back: there is no token, or one with less life than was asked for.
pub(super) fn too_soon(token: Option<&Token>, until: Duration, now: Now) -> Error {
    let what = match token {
        Some(token) => format!(
            "the token is good for another {} ms, less than was asked for",
            token.lifetime().left(now).as_millis()
        ),
        None => "the token has ended".to_owned(),
    };
    let message = format!(
        "{what}, and a refresh that worked ended so short a while ago that the next may begin in {} ms; ask again then",
        whole_ms(until)
    );
    Error::new(Status::TooShort, message).with_retry_after(Some(until))
}

pub(super) fn too_short(token: &Token, now: Now) -> Error {
    let left = token.lifetime().left(now).as_millis();
    let message = format!(
        "the token is good for another {left} ms, less than was asked for, and a new one would live no longer; \
         ask for less (min_valid_ms)"
    );
    Error::new(Status::TooShort, message)
}

pub(super) fn no_credentials() -> Error {
    let message = "the ready `token` has ended or was rejected, and there are no credentials to log in with: \
                   make a new handle, or give them with dl_auth_set_credentials";
    Error::new(Status::NoCredentials, message)
}

pub(super) fn no_username() -> Error {
    let message = "the handle has no username yet, for it was made with a ready `token`: give one with the password";
    Error::new(Status::NoCredentials, message)
}
