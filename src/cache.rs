//! The published token, and how it is read: wait-free, in one of two ways.
//!
//! `arc-swap` lends the token itself, with all that is known of it, for the length of a read; the one that is replaced
//! is wiped when its last reader is done with it. And where the handle is C's, the token's text stands in a [`Window`],
//! for the read before every request. What is published goes to both; who may use the window is decided here.

use std::ops::Deref;

use arc_swap::ArcSwapOption;

use crate::clock::{Boot, Clock, Now};
use crate::jwt::Jwt;
use crate::policy::{Lifetime, State};
use crate::process;
use crate::sync::{Arc, AtomicU64, Ordering};

mod window;
pub use window::{Copied, Window, Words};

/// A token as a handle holds it.
#[derive(Debug)]
pub struct Token {
    jwt: Jwt,
    lifetime: Lifetime,
    generation: u64,
    /// The generation of the process that published it.
    process: u32,
    /// When it stops to count, in nanoseconds of the suspend-aware clock, because the platform refused it.
    rejected_from: AtomicU64,
}

/// Of a token that the platform has not refused.
const NEVER: u64 = u64::MAX;

impl Token {
    /// A token of that generation.
    pub fn new(jwt: Jwt, lifetime: Lifetime, generation: u64) -> Token {
        Token { jwt, lifetime, generation, process: process::epoch(), rejected_from: AtomicU64::new(NEVER) }
    }

    /// The JWT and its claims.
    pub fn jwt(&self) -> &Jwt {
        &self.jwt
    }

    /// When it is due and when it ends.
    pub fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// Which of the handle's tokens it is, counted from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What it is good for now.
    pub fn state(&self, now: Now) -> State {
        match (self.lifetime.state(now), self.rejected_from.load(Ordering::Relaxed)) {
            (state, NEVER) => state,
            (State::Expired, _) => State::Expired,
            (_, from) if now.boot.as_nanos() >= u128::from(from) => State::Expired,
            _ => State::Due,
        }
    }

    /// The platform refused it: counts as due, and from then on as expired.
    pub fn reject(&self, from: Boot) {
        let from = u64::try_from(from.as_nanos()).unwrap_or(NEVER).min(NEVER - 1);
        self.rejected_from.fetch_min(from, Ordering::Relaxed);
    }

    /// Whether a parent of this process published it.
    pub fn is_inherited(&self) -> bool {
        self.process != process::epoch()
    }

    /// The same token for this process, with a draw of its own.
    pub fn redrawn(&self, draw: f64) -> Token {
        let token = Token::new(self.jwt.clone(), self.lifetime.drawn(draw), self.generation);
        token.rejected_from.store(self.rejected_from.load(Ordering::Relaxed), Ordering::Relaxed);
        token
    }
}

/// The place of a handle's token.
#[derive(Default)]
pub struct Cache {
    token: ArcSwapOption<Token>,
    place: Option<Place>,
}

/// A window, and the handle that has it until the cache is closed.
#[derive(Clone, Copy)]
pub struct Place {
    /// Where the text is published.
    pub window: &'static Window,
    /// For whom.
    pub handle: usize,
}

impl Cache {
    /// An empty one, which publishes there too.
    pub fn new(place: Option<Place>) -> Cache {
        if let Some(place) = place {
            place.window.write(place.handle, None, || {});
        }
        Cache { token: ArcSwapOption::empty(), place }
    }

    /// Lends the token, where there is one, until the result is dropped.
    pub fn lend(&self) -> impl Deref<Target = Option<Arc<Token>>> {
        self.token.load()
    }

    /// Puts a token in the place of the last one. Who publishes takes turns.
    pub fn publish(&self, token: Option<Arc<Token>>) {
        match self.own() {
            Some(place) => {
                let published = token.clone();
                let published = published.as_ref().map(|token| (token.generation(), token.jwt().text()));
                place.window.write(place.handle, published, || self.token.store(token));
            }
            None => self.token.store(token),
        }
    }

    /// Takes the token back for a while, since more is known of it now. As `publish`.
    pub fn revoke(&self) {
        if let Some(place) = self.own() {
            place.window.revoke();
        }
    }

    /// Leaves the window to another handle. As `publish`.
    pub fn close(&self) {
        if let Some(place) = self.own() {
            place.window.write(0, None, || {});
        }
    }

    /// Where it publishes besides.
    #[cfg(test)]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The window, until it was left.
    fn own(&self) -> Option<&Place> {
        self.place.as_ref().filter(|place| place.window.is_of(place.handle))
    }

    /// What may be leased, noted before the clocks are read and the token is lent.
    pub fn lease(&self, clock: &dyn Clock) -> Lease {
        let seen = self.place.and_then(|Place { window, handle }| Some((window, window.see(handle)?)));
        Lease(seen.map(|(window, seen)| (window, seen, clock.tick_ms())))
    }
}

/// A lease that may be granted.
pub struct Lease(Option<(&'static Window, window::Seen, u64)>);

impl Lease {
    /// Lets the token be read in the window for a moment, where it stays what it is for much longer.
    pub fn grant(self, token: &Token, now: Now) {
        let Some((window, seen, tick_ms)) = self.0 else { return };
        let ahead = Now { boot: now.boot + window::AHEAD, wall_ms: now.wall_ms + window::AHEAD.as_millis() as i64 };
        let state = token.state(now);
        if !token.is_inherited() && state != State::Expired && token.state(ahead) == state {
            window.grant(seen, tick_ms, state == State::Fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::Fetched;
    use crate::secret::Secret;

    #[test]
    fn a_token_that_is_drawn_anew_is_due_at_another_time_and_as_rejected_as_before() {
        let now = Now { boot: Duration::from_secs(100), wall_ms: 100_000 };
        let jwt = Jwt::decode(Secret::new("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDB9.c2ln".to_owned())).unwrap();
        let lifetime = Lifetime::new(Fetched { started: now.boot, ended: now, gate_ms: 0 }, 1000, None, 0.5).unwrap();
        let token = Token::new(jwt, lifetime.drawn(0.0), 7);
        let early = token.redrawn(0.0);
        let late = token.redrawn(1.0);
        assert_eq!((early.lifetime().due, late.lifetime().due.as_secs()), (token.lifetime().due, 650));
        assert_eq!((late.generation(), late.state(now)), (7, State::Fresh));
        token.reject(now.boot);
        assert_eq!(token.redrawn(1.0).state(now), State::Expired);
    }
}
