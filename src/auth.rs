//! A handle: reads its token, or refreshes it once for all who ask.
//!
//! The idea is [`Auth::read`]: a good token is lent at once; where it is due, a refresh begins behind it; where there
//! is none, the caller waits for that refresh, to its own deadline. The refresh is a flight (`flight.rs`): one at a
//! time, whatever the number of callers, and all who waited share its result.
//!
//! In a child process the token can be read at once. All else is made anew by the first call that comes for more than
//! that ([`Auth::inner`]): a lock or a flight of the parent's would never end there.

use std::time::Duration;

use arc_swap::ArcSwap;

use crate::cache::{Cache, Place, Token};
use crate::clock::{Clock, Now, System};
use crate::config::{self, Config};
use crate::error::{Error, Status};
use crate::http::{Http, Transport};
use crate::info::{Activity, Info};
use crate::policy::{Lifetime, RequestTimes, State};
use crate::process;
use crate::refresh::{Exchange, Rules};
use crate::refusals::{self, Refusals};
use crate::scheduler::{Runner, Threads};
use crate::secret::Secret;
use crate::settings::{Credentials, Origin, Settings};
use crate::sync::{Arc, AtomicBool, Ordering, lock};

mod errors;
mod facts;
mod flight;
use errors::*;
use facts::Facts;
use flight::Inner;

/// A handle on one user's token, for any number of threads. Dropped or closed, it wakes all who wait in it.
pub struct Auth {
    wait: Duration,
    clock: Arc<dyn Clock>,
    cache: Arc<Cache>,
    inner: ArcSwap<Inner>,
    closed: AtomicBool,
}

/// The moving parts of a handle: what time it is, what carries a request, who runs a refresh, what was refused.
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) refusals: &'static Refusals,
    pub(crate) place: Option<Place>,
}

impl Auth {
    /// Makes a handle. Reads the environment, if the configuration has none, and the files that the configuration names; touches no network, but with
    /// `refresh=background` the first refresh begins behind it.
    pub fn new(config: &Config) -> Result<Auth, Error> {
        Auth::placed(config, None)
    }

    /// Makes a handle whose token is published in a window too.
    pub(crate) fn placed(config: &Config, place: Option<Place>) -> Result<Auth, Error> {
        process::watch_forks();
        let now = System.wall_ms().div_euclid(1000);
        let settings = match config.environ() {
            Some(environ) => Settings::resolve(config, |name| environ.get(name), now)?,
            None if process::is_privileged() => Settings::resolve(config, |_| None, now).map_err(unseen)?,
            None => Settings::resolve(config, |name| std::env::var_os(name), now)?,
        };
        let parts = Parts {
            clock: Arc::new(System),
            transport: Box::new(Http::new(&settings)),
            runner: Arc::new(Threads),
            refusals: &refusals::OF_THIS_PROCESS,
            place,
        };
        Ok(Auth::with_parts(settings, parts))
    }

    /// Makes a handle from its moving parts.
    pub(crate) fn with_parts(settings: Settings, parts: Parts) -> Auth {
        let Parts { clock, transport, runner, refusals, place } = parts;
        let (wait, rules) = (settings.wait, Rules::new(&settings));
        let exchange = Exchange { rules, clock: clock.clone(), transport, refusals };
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

    /// What belongs to this process. Where the handle is a parent's, it is made here, with a new draw for the token,
    /// and the parent's is leaked.
    fn inner(&self) -> Arc<Inner> {
        self.own_inner(|child| {
            child.adopt_token();
            if self.closed.load(Ordering::SeqCst) {
                child.close(); // `close` may have come before it was registered
            }
        })
    }

    /// As `inner`; an heir that has to be made takes over what `begin` says.
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

    /// Lends a good token to `f`; waits for one as long as the configuration says.
    pub fn token<R>(&self, f: impl FnOnce(&Token) -> R) -> Result<R, Error> {
        self.read(Duration::ZERO, self.wait, f)
    }

    /// Lends a token that is good for another `need` to `f`; waits for one at most this long.
    pub fn read<R>(&self, need: Duration, wait: Duration, f: impl FnOnce(&Token) -> R) -> Result<R, Error> {
        let lease = self.cache.lease(&*self.clock);
        let now = self.clock.now();
        let lent = self.cache.lend();
        if let Some(token) = lent.as_ref().filter(|token| serves(token, now, need)) {
            lease.grant(token, now);
            if token.is_inherited() || token.state(now) == State::Due {
                self.inner().begin_behind();
            }
            return Ok(f(token));
        }
        drop(lent);
        self.inner().wait_for_token(need, wait).map(|token| f(&token))
    }

    /// The generation of a token that needs no refresh; 0 where there is none.
    pub fn generation(&self) -> u64 {
        let lease = self.cache.lease(&*self.clock);
        let now = self.clock.now();
        let lent = self.cache.lend();
        let Some(token) = lent.as_ref().filter(|token| token.state(now) == State::Fresh) else { return 0 };
        lease.grant(token, now);
        token.generation()
    }

    /// The platform refused this token: where it is still the current one, it counts as expired, or will when the storm
    /// brake of its login ends.
    pub fn invalidate(&self, rejected_token: &str) {
        // First of all, for in a child this makes the token anew; and under the lock, which whoever replaces it holds.
        let inner = self.inner();
        let shared = lock(&inner.state);
        let lent = self.cache.lend();
        let Some(token) = lent.as_ref().filter(|token| token.jwt().text() == rejected_token) else { return };
        token.reject(inner.next_refresh_from().max(self.clock.boot()));
        self.cache.revoke();
        drop(shared);
        inner.check_soon();
    }

    /// Logs in with these from now on. A refresh in flight is disowned, the refresh token, the cool-down and what these
    /// were refused are forgotten; the present token stays only where the username does. Without a username, it stays.
    pub fn set_credentials(&self, username: Option<&str>, password: &str) -> Result<(), Error> {
        if let Some(username) = username {
            config::find("username")?.accept(username, "set by call")?;
        }
        config::find("password")?.accept(password, "set by call")?;
        let inner = self.inner();
        let mut shared = lock(&inner.state);
        let before = inner.facts().credentials.clone();
        let before = before.as_ref().map(|before| &before.username);
        let Some(username) = username.map(|name| Secret::new(name.to_owned())).or_else(|| before.cloned()) else {
            return Err(no_username());
        };
        let same_user = before == Some(&username);
        let password = Secret::new(password.to_owned());
        inner.log_in_with(&mut shared, Credentials::new(username, password), same_user);
        drop(shared);
        inner.check_all();
        Ok(())
    }

    /// A look at the handle. Starts nothing.
    pub fn info(&self) -> Info {
        let inner = self.inner();
        let shared = lock(&inner.state);
        let facts = inner.facts();
        let now = self.clock.now();
        let token = self.cache.lend().clone();
        let left = |of: fn(&Lifetime, Now) -> i64| token.as_ref().map_or(0, |token| of(token.lifetime(), now));
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
            expires_in_ms: left(|life, now| signed_ms(life.expires, now)),
            refresh_in_ms: left(|life, now| signed_ms(life.due, now)),
            clock_skew_ms: facts.clock_skew_ms,
            logins: facts.logins,
            refreshes: facts.refreshes,
            failures: facts.failures,
            waiting: shared.waiting,
            last: facts.last.clone(),
            retry_in: cooling.max(facts.next_refresh_from.saturating_sub(now.boot)),
            wait: self.wait,
            token,
        }
    }

    /// Wakes all who wait, with `Closed`, and lets a request in flight fail. Later calls fail too, once their token
    /// has ended.
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

/// The error of a configuration whose environment is ignored.
fn unseen(error: Error) -> Error {
    if error.status() != Status::NoCredentials {
        return error;
    }
    let message = format!(
        "{error}; the environment is ignored, because this program has more rights than the user that started it \
         (set-user-ID, set-group-ID or file capabilities): set the options by call",
    );
    Error::new(Status::NoCredentials, message)
}

/// A token of the configuration, by this machine's clock: no gate has told us the time.
fn ready_token(jwt: crate::jwt::Jwt, now: Now) -> Option<Token> {
    let times = RequestTimes { started: now.boot, ended: now, gate_ms: now.wall_ms };
    let lifetime = Lifetime::new(times, jwt.expiry()?, jwt.issued_at(), 1.0)?;
    Some(Token::new(jwt, lifetime.never_due(), 1))
}

fn signed_ms(time: crate::clock::Boot, now: Now) -> i64 {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    if time >= now.boot { ms(time - now.boot) } else { -ms(now.boot - time) }
}

#[cfg(all(test, feature = "shuttle"))]
mod model;
#[cfg(test)]
mod tests;
