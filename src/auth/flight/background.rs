//! A handle with `refresh=background`: what the timer does each time it looks at it.

use std::time::Duration;

use super::{Begun, Inner};
use crate::clock::Boot;
use crate::policy::State;
use crate::scheduler::Background;
use crate::sync::{Arc, Ordering, Weak, lock};

impl Inner {
    /// Has the timer look after this handle, where it is to be refreshed with no call needed.
    pub(in crate::auth) fn register(self: &Arc<Self>) {
        if self.background {
            let this: Weak<Inner> = Arc::downgrade(self);
            self.number.store(self.runner.register(this), Ordering::Relaxed);
        }
    }

    /// The number by which the timer knows it, where it does.
    fn number(&self) -> Option<u64> {
        Some(self.number.load(Ordering::Relaxed)).filter(|number| *number > 0)
    }

    /// Something has changed that the timer should know.
    pub(in crate::auth) fn check_soon(&self) {
        if let Some(number) = self.number() {
            self.runner.check_soon(number);
        }
    }

    /// What these credentials were refused is forgotten for all handles: the timer should look at each.
    pub(in crate::auth) fn check_all(&self) {
        self.runner.check_all();
    }

    /// Nothing is left to look after.
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
            return Some(Boot::MAX); // a ready token; credentials may yet come
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
                // It may end sooner when the token does.
                let expires = token.map_or(Boot::MAX, |token| token.lifetime().expires);
                let ends = now.boot.saturating_add(error.retry_after().unwrap_or_default()).min(expires);
                Some(if reread_from > now.boot { ends.min(reread_from) } else { ends })
            }
            Ok(Begun::Joined(_)) | Err(_) => Some(soon), // a caller's own: it will land, or is past its limit
        }
    }
}
