//! The facts about a handle: its credentials, its counters, and what delays the next refresh.
//!
//! They are replaced as a whole at each change and read without a lock. A child process takes them over unchanged.

use crate::clock::Boot;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::policy;
use crate::sync::Arc;

/// The facts about a handle. A child process takes them over.
#[derive(Clone, Default)]
pub(super) struct Facts {
    /// `None`: there are no credentials for a login.
    pub(super) credentials: Option<Arc<Credentials>>,
    /// The end of the minimum interval after the last successful refresh.
    pub(super) next_refresh_from: Boot,
    pub(super) cooling: Option<Cooling>,
    /// How many refreshes have failed since the last successful one.
    pub(super) failed_in_a_row: u32,
    pub(super) generation: u64,
    pub(super) clock_skew_ms: i64,
    pub(super) logins: u64,
    pub(super) refreshes: u64,
    pub(super) failures: u64,
    /// How many tokens came from the store.
    pub(super) shared_hits: u64,
    /// How many refreshes could not use the store.
    pub(super) store_failures: u64,
    /// Why the store could not be used the last time.
    pub(super) store_fault: Option<Error>,
    /// How the last refresh ended.
    pub(super) last: Option<Result<(), Error>>,
}

impl Facts {
    /// The store could not be used.
    pub(super) fn count_fault(&mut self, fault: Error) {
        self.store_failures += 1;
        self.store_fault = Some(fault);
    }
}

/// The cooldown after a failed refresh.
#[derive(Clone)]
pub(super) struct Cooling {
    pub(super) since: Boot,
    pub(super) failures: u32,
    pub(super) jitter: f64,
    pub(super) error: Error,
}

impl Cooling {
    /// The error to return during the cooldown; `None` if the cooldown is over. The cooldown is shorter if the handle
    /// holds no valid token.
    pub(super) fn error(&self, holds_valid: bool, now: Boot) -> Option<Error> {
        let retry_after = self.error.retry_after().unwrap_or_default();
        let pause = retry_after.max(policy::cool_down(self.failures, holds_valid, self.jitter));
        let left = self.since.saturating_add(pause).saturating_sub(now);
        (!left.is_zero()).then(|| self.error.clone().with_retry_after(Some(left)))
    }
}
