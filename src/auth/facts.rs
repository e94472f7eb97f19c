//! What is known about a handle: its credentials, what it has counted, and what holds the next refresh back.
//!
//! Replaced as a whole at each change, and read without a lock: a child process takes it over as it is.

use crate::clock::Boot;
use crate::error::Error;
use crate::policy;
use crate::settings::Credentials;
use crate::sync::Arc;

/// What is known about a handle, and what a child takes over.
#[derive(Clone, Default)]
pub(super) struct Facts {
    /// `None`: there is nothing to log in with.
    pub(super) credentials: Option<Arc<Credentials>>,
    /// No refresh before then, for one has just worked.
    pub(super) next_refresh_from: Boot,
    pub(super) cooling: Option<Cooling>,
    /// How many refreshes have failed since one worked.
    pub(super) failed_in_a_row: u32,
    pub(super) generation: u64,
    pub(super) clock_skew_ms: i64,
    pub(super) logins: u64,
    pub(super) refreshes: u64,
    pub(super) failures: u64,
    /// How the last refresh ended.
    pub(super) last: Option<Result<(), Error>>,
}

/// A failure whose consequences last.
#[derive(Clone)]
pub(super) struct Cooling {
    pub(super) since: Boot,
    pub(super) failures: u32,
    pub(super) jitter: f64,
    pub(super) error: Error,
}

impl Cooling {
    /// What to tell until it ends; `None`: it has. It ends sooner for a handle that holds no valid token.
    pub(super) fn error(&self, holds_valid: bool, now: Boot) -> Option<Error> {
        let told = self.error.retry_after().unwrap_or_default();
        let pause = told.max(policy::cool_down(self.failures, holds_valid, self.jitter));
        let left = self.since.saturating_add(pause).saturating_sub(now);
        (!left.is_zero()).then(|| self.error.clone().with_retry_after(Some(left)))
    }
}
