//! A handle with `refresh=background`: what the scheduler does each time it checks the handle.

use std::time::Duration;

use super::{Begun, Inner};
use crate::clock::Boot;
use crate::policy::State;
use crate::scheduler::Background;
use crate::sync::{Arc, Ordering, Weak, lock};

impl Inner {
    /// Registers the handle with the scheduler if it has `refresh=background`.
    pub(in crate::auth) fn register(self: &Arc<Self>) {
        if self.background {
            let this: Weak<Inner> = Arc::downgrade(self);
            self.number.store(self.runner.register(this), Ordering::Relaxed);
        }
    }

    /// The handle's number in the scheduler, if it is registered.
    fn number(&self) -> Option<u64> {
        Some(self.number.load(Ordering::Relaxed)).filter(|number| *number > 0)
    }

    /// The state has changed: the scheduler checks this handle soon.
    pub(in crate::auth) fn check_soon(&self) {
        if let Some(number) = self.number() {
            self.runner.check_soon(number);
        }
    }

    /// Refusals were forgotten, which affects all handles: the scheduler checks each of them soon.
    pub(in crate::auth) fn check_all(&self) {
        self.runner.check_all();
    }

    /// The scheduler no longer checks this handle.
    pub(in crate::auth) fn unregister(&self) {
        if let Some(number) = self.number() {
            self.runner.unregister(number);
        }
    }
}

impl Background for Inner {
    fn tick(self: Arc<Self>) -> Option<Boot> {
        let now = self.exchange.clock.now();
        let mut shared = lock(&self.state);
        if shared.closed || !self.is_of_this_process() {
            return None;
        }
        if shared.session.is_none() {
            return Some(Boot::MAX); // a configured token; credentials may be set later
        }
        let token = self.cache.lend().clone().filter(|token| token.state(now) != State::Expired);
        if let Some(token) = token.as_ref().filter(|token| token.state(now) == State::Fresh) {
            return Some(token.lifetime().due);
        }
        let begun = self.begin(&mut shared, now);
        let reread_from = shared.reread_from;
        drop(shared);
        let soon = now.boot.saturating_add(Duration::from_secs(1));
        match begun {
            Ok(Begun::Started(_, job) | Begun::Cooling(_, Some((_, job)))) => {
                job();
                Some(self.exchange.clock.boot())
            }
            Ok(Begun::TooSoon(until)) => Some(until),
            Ok(Begun::Cooling(error, None)) => {
                // The cooldown may become shorter when the token expires.
                let expires = token.map_or(Boot::MAX, |token| token.lifetime().expires);
                let ends = now.boot.saturating_add(error.retry_after().unwrap_or_default()).min(expires);
                Some(if reread_from > now.boot { ends.min(reread_from) } else { ends })
            }
            // A refresh of another thread. It is in flight, or past its limit.
            Ok(Begun::Joined(_)) | Err(_) => Some(soon),
        }
    }
}
