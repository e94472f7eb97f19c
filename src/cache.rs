//! The published token, and how it is read.
//!
//! A reader takes no lock and writes nothing that another thread reads: `arc-swap` lends the token for the length of
//! the read. The one that is replaced is wiped when its last reader is done with it.

use std::ops::Deref;

use arc_swap::ArcSwapOption;

use crate::clock::Boot;
use crate::jwt::Jwt;
use crate::policy::{Lifetime, State};
use crate::sync::{Arc, AtomicBool, Ordering};

/// A token as a handle holds it.
#[derive(Debug)]
pub struct Token {
    jwt: Jwt,
    lifetime: Lifetime,
    generation: u64,
    rejected: AtomicBool,
}

impl Token {
    /// A token of that generation.
    pub fn new(jwt: Jwt, lifetime: Lifetime, generation: u64) -> Token {
        Token { jwt, lifetime, generation, rejected: AtomicBool::new(false) }
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
    pub fn state(&self, now: Boot) -> State {
        if self.is_rejected() { State::Expired } else { self.lifetime.state(now) }
    }

    /// Whether the platform refused it.
    pub fn is_rejected(&self) -> bool {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Counts as expired from here on: the platform refused it.
    pub fn reject(&self) {
        self.rejected.store(true, Ordering::Relaxed);
    }
}

/// The place of a handle's token.
#[derive(Default)]
pub struct Cache(ArcSwapOption<Token>);

impl Cache {
    /// Lends the token, where there is one, until the result is dropped.
    pub fn lend(&self) -> impl Deref<Target = Option<Arc<Token>>> {
        self.0.load()
    }

    /// Puts a token in the place of the last one.
    pub fn publish(&self, token: Option<Arc<Token>>) {
        self.0.store(token);
    }
}
