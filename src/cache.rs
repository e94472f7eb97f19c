//! The cached token. A read is wait-free, in one of two ways.
//!
//! `arc-swap` lends the token with all its data for the duration of a read. A replaced token is wiped when its last
//! reader has finished. A handle of the C API also has the token's text in a [`Seqlock`], which is read before every
//! request. [`Cache::publish`] writes to both. This module decides when the seqlock may be read.

use std::ops::Deref;

use arc_swap::ArcSwapOption;

use crate::clock::{Boot, Clock, Now};
use crate::jwt::Jwt;
use crate::policy::{Lifetime, State};
use crate::process;
use crate::sync::{Arc, AtomicU64, Ordering};

#[allow(unsafe_code)]
mod seqlock;
pub use seqlock::{Copied, Seqlock, Words, put_words};

/// The token of a handle.
#[derive(Debug)]
pub struct Token {
    jwt: Jwt,
    lifetime: Lifetime,
    generation: u64,
    /// The epoch of the process that published it.
    epoch: u32,
    /// If the platform rejected it: the time from which it counts as expired, in nanoseconds of the suspend-aware
    /// clock. Otherwise `NEVER`.
    rejected_from: AtomicU64,
}

/// The platform has not rejected the token.
const NEVER: u64 = u64::MAX;

impl Token {
    /// A token of this generation.
    pub fn new(jwt: Jwt, lifetime: Lifetime, generation: u64) -> Token {
        Token { jwt, lifetime, generation, epoch: process::epoch(), rejected_from: AtomicU64::new(NEVER) }
    }

    /// The JWT and its claims.
    pub fn jwt(&self) -> &Jwt {
        &self.jwt
    }

    /// When it is due and when it expires.
    pub fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// The number of this token among the handle's tokens, counted from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its state now.
    pub fn state(&self, now: Now) -> State {
        match (self.lifetime.state(now), self.rejected_from.load(Ordering::Relaxed)) {
            (state, NEVER) => state,
            (State::Expired, _) => State::Expired,
            (_, from) if now.boot.as_nanos() >= u128::from(from) => State::Expired,
            _ => State::Due,
        }
    }

    /// Records that the platform rejected it. It counts as due immediately, and as expired from this time on. Returns
    /// whether it was not rejected before.
    pub fn reject(&self, from: Boot) -> bool {
        let from = u64::try_from(from.as_nanos()).unwrap_or(NEVER).min(NEVER - 1);
        self.rejected_from.fetch_min(from, Ordering::Relaxed) == NEVER
    }

    /// Whether a parent process published it.
    pub fn is_inherited(&self) -> bool {
        self.epoch != process::epoch()
    }

    /// The same token for this process, with a new jitter.
    pub fn with_jitter(&self, jitter: f64) -> Token {
        let token = Token::new(self.jwt.clone(), self.lifetime.with_jitter(jitter), self.generation);
        token.rejected_from.store(self.rejected_from.load(Ordering::Relaxed), Ordering::Relaxed);
        token
    }
}

/// Holds the token of a handle.
#[derive(Default)]
pub struct Cache {
    token: ArcSwapOption<Token>,
    place: Option<Place>,
}

/// A seqlock, and the handle that uses it until the cache is closed.
#[derive(Clone, Copy)]
pub struct Place {
    /// The text is published here.
    pub seqlock: &'static Seqlock,
    /// The handle.
    pub handle: usize,
}

impl Cache {
    /// An empty cache. It also publishes in the seqlock of `place`.
    pub fn new(place: Option<Place>) -> Cache {
        if let Some(place) = place {
            place.seqlock.write(place.handle, None, || {});
        }
        Cache { token: ArcSwapOption::empty(), place }
    }

    /// Lends the token, if there is one, until the result is dropped.
    pub fn lend(&self) -> impl Deref<Target = Option<Arc<Token>>> {
        self.token.load()
    }

    /// Replaces the token. The caller holds the lock of the handle's state.
    pub fn publish(&self, token: Option<Arc<Token>>) {
        match self.own() {
            Some(place) => {
                let published = token.clone();
                let published = published.as_ref().map(|token| (token.generation(), token.jwt().text()));
                place.seqlock.write(place.handle, published, || self.token.store(token));
            }
            None => self.token.store(token),
        }
    }

    /// Ends the lease, because the token's state has changed. The caller holds the lock of the handle's state.
    pub fn revoke(&self) {
        if let Some(place) = self.own() {
            place.seqlock.revoke();
        }
    }

    /// Makes the seqlock available to another handle. The caller holds the lock of the handle's state.
    pub fn close(&self) {
        if let Some(place) = self.own() {
            place.seqlock.write(0, None, || {});
        }
    }

    /// The seqlock that it also publishes in.
    #[cfg(test)]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The seqlock, until [`Cache::close`].
    fn own(&self) -> Option<&Place> {
        self.place.as_ref().filter(|place| place.seqlock.is_of(place.handle))
    }

    /// Identifies the text that may be leased. Call this before the clocks are read and the token is lent.
    pub fn lease(&self, clock: &dyn Clock) -> Lease {
        let seen = self.place.and_then(|Place { seqlock, handle }| Some((seqlock, seqlock.see(handle)?)));
        Lease(seen.map(|(seqlock, seen)| (seqlock, seen, clock.tick_ms())))
    }
}

/// A lease that may be granted.
pub struct Lease(Option<(&'static Seqlock, seqlock::Seen, u64)>);

impl Lease {
    /// Grants a lease if the token's state stays the same for [`seqlock::AHEAD`], which is much longer than the lease.
    pub fn grant(self, token: &Token, now: Now) {
        let Some((seqlock, seen, tick_ms)) = self.0 else { return };
        let ahead = Now { boot: now.boot + seqlock::AHEAD, wall_ms: now.wall_ms + seqlock::AHEAD.as_millis() as i64 };
        let state = token.state(now);
        if !token.is_inherited() && state != State::Expired && token.state(ahead) == state {
            seqlock.grant(seen, tick_ms, state == State::Fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::RequestTimes;
    use crate::secret::Secret;

    #[test]
    fn a_new_jitter_changes_the_due_time_and_keeps_the_rejection() {
        let now = Now { boot: Duration::from_secs(100), wall_ms: 100_000 };
        let jwt = Jwt::decode(Secret::new("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDB9.c2ln".to_owned())).unwrap();
        let lifetime =
            Lifetime::new(RequestTimes { started: now.boot, ended: now, gate_ms: 0 }, 1000, None, 0.5).unwrap();
        let token = Token::new(jwt, lifetime.with_jitter(0.0), 7);
        let early = token.with_jitter(0.0);
        let late = token.with_jitter(1.0);
        assert_eq!((early.lifetime().due, late.lifetime().due.as_secs()), (token.lifetime().due, 650));
        assert_eq!((late.generation(), late.state(now)), (7, State::Fresh));
        token.reject(now.boot);
        assert_eq!(token.with_jitter(1.0).state(now), State::Expired);
    }
}
