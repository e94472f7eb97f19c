//! A look at a handle: what its token is good for, what it is doing, and what it has counted.

use std::time::Duration;

use crate::cache::Token;
use crate::error::Error;
use crate::policy::State;
use crate::sync::Arc;

/// What a handle is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nothing.
    Idle,
    /// A request is in flight.
    Refreshing,
    /// The last refresh failed, and the next waits for its time.
    Cooling,
    /// The gate refused the credentials the last time it was asked.
    Denied,
}

/// A look at a handle. Times are what `dl_auth_info_t` documents.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is documented where the header gets it, in `capi/info.rs`
pub struct Info {
    pub token: Option<Arc<Token>>,
    pub state: Option<State>,
    pub activity: Activity,
    pub generation: u64,
    pub expires_in_ms: i64,
    pub refresh_in_ms: i64,
    pub clock_skew_ms: i64,
    pub logins: u64,
    pub refreshes: u64,
    pub failures: u64,
    pub waiting: u64,
    pub last: Option<Result<(), Error>>,
    pub retry_in: Duration,
    pub wait: Duration,
}
