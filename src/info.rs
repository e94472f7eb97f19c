//! The state of a handle: its token, its activity, and its counters.

use std::time::Duration;

use crate::cache::Token;
use crate::error::Error;
use crate::policy::State;
use crate::sync::Arc;

/// The activity of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nothing.
    Idle,
    /// A request is in flight.
    Refreshing,
    /// The last refresh failed, and the cooldown is not over.
    Cooling,
    /// The gate refused the credentials in the last request.
    Denied,
}

/// The state of a handle. `dl_auth_info_t` documents the times.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // `capi/info.rs` documents each field in the header
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
    pub shared_hits: u64,
    pub store_failures: u64,
    pub store_fault: Option<Error>,
    pub waiting: u64,
    pub last: Option<Result<(), Error>>,
    pub retry_in: Duration,
    pub wait: Duration,
}
