//! A handle: reads its token, or refreshes it once for all callers.
//!
//! The main function is [`Auth::read`]. It lends a valid token immediately. If the token is due, it also starts a
//! refresh in the background. If there is no valid token, the caller blocks until the refresh ends, or until the
//! caller's deadline. There is one refresh in flight at a time (`flight.rs`), and all waiters share its result.
//!
//! A child process can read the token immediately. The first call that needs more makes the rest of the handle anew
//! ([`Auth::inner`]): a lock or a refresh of the parent would never end in the child.

use std::time::Duration;

use arc_swap::ArcSwap;

use crate::cache::{Cache, Place, Token};
use crate::clock::{Boot, Clock, Now, System, millis};
use crate::config::{self, Config};
use crate::credentials::Credentials;
use crate::error::{Error, Status};
use crate::http::{Http, Transport};
use crate::info::{Activity, Info};
use crate::policy::{Lifetime, RequestTimes, State};
use crate::process;
use crate::refresh::{Exchange, Rules, Share};
use crate::refusals::{self, Refusals};
use crate::scheduler::{Runner, Threads};
use crate::settings::{Origin, Settings};
use crate::store;
use crate::sync::{Arc, AtomicBool, Ordering, lock};

mod errors;
mod facts;
mod flight;
use errors::*;
use facts::Facts;
use flight::Inner;

/// A handle for one user's token. It is thread-safe. When it is dropped or closed, all its waiters return.
pub struct Auth {
    wait: Duration,
    clock: Arc<dyn Clock>,
    cache: Arc<Cache>,
    inner: ArcSwap<Inner>,
    closed: AtomicBool,
}

/// The replaceable parts of a handle: the clock, the transport, the runner of refreshes, and the refused credentials.
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) refusals: &'static Refusals,
    pub(crate) place: Option<Place>,
    pub(crate) share: Option<Share>,
}

impl Auth {
    /// Makes a handle. Reads the files that the configuration names. Reads the process's environment, unless the
    /// configuration has a separate environment. Does not use the network, but `refresh=background` starts the first
    /// refresh in the background.
    pub fn new(config: &Config) -> Result<Auth, Error> {
        Auth::placed(config, None)
    }

    /// Makes a handle that also publishes its token in a seqlock.
    pub(crate) fn placed(config: &Config, place: Option<Place>) -> Result<Auth, Error> {
        process::stay_mapped();
        process::watch_forks();
        let now = System.wall_ms().div_euclid(1000);
        let settings = match config.environ() {
            Some(environ) => Settings::resolve(config, |name| environ.get(name), now)?,
            None if process::is_privileged() => {
                Settings::resolve(config, |_| None, now).map_err(ignored_environment)?
            }
            None => Settings::resolve(config, |name| std::env::var_os(name), now)?,
        };
        let parts = Parts {
            clock: Arc::new(System),
            transport: Box::new(Http::new(&settings)),
            runner: Arc::new(Threads),
            refusals: &refusals::OF_THIS_PROCESS,
            place,
            share: match &settings.store {
                Some(place) => Some(Share { store: store::open(place, &settings)?, required: settings.store_required }),
                None => None,
            },
        };
        Ok(Auth::with_parts(settings, parts))
    }

    /// Makes a handle from its parts.
    pub(crate) fn with_parts(settings: Settings, parts: Parts) -> Auth {
        let Parts { clock, transport, runner, refusals, place, share } = parts;
        let (wait, rules) = (settings.wait, Rules::new(&settings));
        let exchange = Exchange { rules, clock: clock.clone(), transport, refusals, share };
        let cache = Arc::new(Cache::new(place));
        let mut facts = Facts::default();
        match settings.origin {
            Origin::Login(credentials) => facts.credentials = Some(Arc::new(credentials)),
            Origin::Ready(jwt) => {
                facts.generation = 1;
                cache.publish(ready_token(*jwt, clock.now()).map(Arc::new));
            }
        }
        let inner = Inner::new(exchange, cache.clone(), runner, settings.background, facts);
        inner.register();
        Auth { wait, clock, cache, inner: ArcSwap::new(inner), closed: AtomicBool::new(false) }
    }

    /// The part of the handle that belongs to this process. In a child process, the first call makes the child's copy,
    /// with a new jitter for the token, and leaks the parent's.
    fn inner(&self) -> Arc<Inner> {
        self.own_inner(|child| {
            child.adopt_token();
            if self.closed.load(Ordering::SeqCst) {
                child.close(); // `close` may have run before it was registered
            }
        })
    }

    /// Does what `inner` does. If it makes the child's copy, it also calls `begin` with the copy.
    fn own_inner(&self, begin: impl Fn(&Arc<Inner>)) -> Arc<Inner> {
        loop {
            let inner = self.inner.load_full();
            if inner.is_of_this_process() {
                return inner;
            }
            std::mem::forget(inner.clone());
            let child = inner.child_copy();
            if Arc::ptr_eq(&self.inner.compare_and_swap(&inner, child.clone()), &inner) {
                begin(&child);
            }
        }
    }

    /// Lends a valid token to `f`. Blocks for up to the configured `wait`.
    pub fn token<R>(&self, f: impl FnOnce(&Token) -> R) -> Result<R, Error> {
        self.read(Duration::ZERO, self.wait, f)
    }

    /// Lends a token that is valid for at least `need` to `f`. Blocks for up to `wait`.
    pub fn read<R>(&self, need: Duration, wait: Duration, f: impl FnOnce(&Token) -> R) -> Result<R, Error> {
        let lease = self.cache.lease(&*self.clock);
        let now = self.clock.now();
        let lent = self.cache.lend();
        if let Some(token) = lent.as_ref().filter(|token| serves(token, now, need)) {
            lease.grant(token, now);
            if token.is_inherited() || token.state(now) == State::Due {
                self.inner().begin_in_background();
            }
            return Ok(f(token));
        }
        drop(lent);
        self.inner().wait_for_token(need, wait).map(|token| f(&token))
    }

    /// The generation of the token. Returns 0 if a refresh is due.
    pub fn generation(&self) -> u64 {
        let lease = self.cache.lease(&*self.clock);
        let now = self.clock.now();
        let lent = self.cache.lend();
        let Some(token) = lent.as_ref().filter(|token| token.state(now) == State::Fresh) else { return 0 };
        lease.grant(token, now);
        token.generation()
    }

    /// Call this when the platform has rejected this token. If it is still the cached token, it counts as expired as
    /// soon as the minimum interval since the last refresh is over.
    pub fn invalidate(&self, rejected_token: &str) {
        // `inner` comes first, because it adopts the token in a child. A thread that replaces the token holds this
        // lock.
        let inner = self.inner();
        let shared = lock(&inner.state);
        let lent = self.cache.lend();
        let Some(token) = lent.as_ref().filter(|token| token.jwt().text() == rejected_token) else { return };
        let is_new = token.reject(inner.next_refresh_from().max(self.clock.boot()));
        self.cache.revoke();
        drop(shared);
        if is_new {
            inner.share_rejection(token.clone());
        }
        inner.check_soon();
    }

    /// Uses these credentials from now on. A refresh in flight is cancelled; its waiters receive the new login's token.
    /// The refresh token, the cooldown and the refusals of these credentials are forgotten. The cached token is kept
    /// only if the username is unchanged. Without a username, the present one is kept.
    pub fn set_credentials(&self, username: Option<&str>, password: &str) -> Result<(), Error> {
        let username = username.map(|name| config::text_by_call("username", name)).transpose()?;
        let password = config::text_by_call("password", password)?;
        let inner = self.inner();
        let mut shared = lock(&inner.state);
        let before = inner.facts().credentials.clone();
        let before = before.as_ref().map(|before| &before.username);
        let Some(username) = username.or_else(|| before.cloned()) else {
            return Err(no_username());
        };
        let same_user = before == Some(&username);
        inner.log_in_with(&mut shared, Credentials::new(username, password), same_user);
        drop(shared);
        inner.check_all();
        Ok(())
    }

    /// The state of the handle. Starts no refresh.
    pub fn info(&self) -> Info {
        let inner = self.inner();
        let shared = lock(&inner.state);
        let facts = inner.facts();
        let now = self.clock.now();
        let token = self.cache.lend().clone();
        let left = |of: fn(&Lifetime) -> Boot| token.as_ref().map_or(0, |token| signed_ms(of(token.lifetime()), now));
        let standing = inner.standing(&facts, now);
        let cooling = standing.as_ref().and_then(Error::retry_after).unwrap_or_default();
        let last_denied = matches!(&facts.last, Some(Err(error)) if error.status() == Status::Denied);
        Info {
            state: token.as_ref().map(|token| token.state(now)),
            activity: match shared.in_flight {
                Some(_) => Activity::Refreshing,
                None if last_denied => Activity::Denied,
                None if standing.is_some() => Activity::Cooling,
                None => Activity::Idle,
            },
            generation: facts.generation,
            expires_in_ms: left(|life| life.expires),
            refresh_in_ms: left(|life| life.due),
            clock_skew_ms: facts.clock_skew_ms,
            logins: facts.logins,
            refreshes: facts.refreshes,
            failures: facts.failures,
            shared_hits: facts.shared_hits,
            store_failures: facts.store_failures,
            store_fault: facts.store_fault.clone(),
            waiting: shared.waiting,
            last: facts.last.clone(),
            retry_in: cooling.max(facts.next_refresh_from.saturating_sub(now.boot)),
            wait: self.wait,
            token,
        }
    }

    /// All waiters return `Closed`, and a request in flight fails. Later calls fail too, as soon as the cached token
    /// has expired.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.own_inner(|_| {}).close();
    }
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.close();
    }
}

fn serves(token: &Token, now: Now, need: Duration) -> bool {
    token.state(now) != State::Expired && token.lifetime().left(now) >= need
}

/// Explains missing credentials that may be in the ignored environment.
fn ignored_environment(error: Error) -> Error {
    if error.status() != Status::NoCredentials {
        return error;
    }
    let message = format!(
        "{error}; the environment is ignored, because this program has more rights than the user that started it \
         (set-user-ID, set-group-ID or file capabilities): set the options by call",
    );
    Error::new(Status::NoCredentials, message)
}

/// The configured token. Its expiry is computed from this machine's clock, because the gate has sent no time.
fn ready_token(jwt: crate::jwt::Jwt, now: Now) -> Option<Token> {
    let times = RequestTimes { started: now.boot, ended: now, gate_ms: now.wall_ms };
    let lifetime = Lifetime::new(times, jwt.expiry()?, jwt.issued_at(), 1.0)?;
    Some(Token::new(jwt, lifetime.never_due(), 1))
}

fn signed_ms(time: Boot, now: Now) -> i64 {
    if time >= now.boot { millis(time - now.boot) } else { -millis(now.boot - time) }
}

#[cfg(all(test, feature = "shuttle"))]
mod model;
#[cfg(test)]
mod tests;
