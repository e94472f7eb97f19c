//! A handle: reads its token, or refreshes it once for all who ask.
//!
//! The idea is [`Auth::read`]: a good token is lent at once; where it is due, a refresh begins behind it; where there
//! is none, the caller waits for that refresh, to its own deadline. The refresh runs elsewhere ([`Runner`]) under the
//! session's mutex, which is only ever *tried*: whoever gets it begins the one request in flight, and its guard moves
//! to the thread that runs it. All who waited share the result, good or bad.

use std::time::Duration;

use crate::cache::{Cache, Token};
use crate::clock::{Boot, Clock, System};
use crate::config::{self, Config};
use crate::error::{Error, Status};
use crate::gate::Grant;
use crate::http::{Http, Transport};
use crate::info::{Activity, Info};
use crate::policy::{self, Fetched, Lifetime, State};
use crate::process;
use crate::refresher::{Job, Runner, Threads};
use crate::secret::Secret;
use crate::session::{Exchange, Fetch, Rules, Session};
use crate::settings::{Credentials, Origin, Settings};
use crate::sync::{Arc, Condvar, Mutex, lock, try_lock, wait};

mod errors;
use errors::*;

/// A handle on one user's token, for any number of threads. Dropped or closed, it wakes all who wait in it.
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    wait: Duration,
    exchange: Exchange,
    cache: Cache,
    runner: Box<dyn Runner>,
    state: Mutex<Shared>,
    /// Notified when a refresh has ended or was disowned, and when the handle is closed.
    changed: Condvar,
}

/// What all callers share. Its lock is never held over I/O.
#[derive(Default)]
struct Shared {
    closed: bool,
    username: Option<Secret>,
    /// `None`: there is nothing to log in with.
    session: Option<Arc<parking_lot::Mutex<Session>>>,
    flights: u64,
    in_flight: Option<Flight>,
    /// The last flight that ended by itself, and how.
    landed: Option<(u64, Result<Arc<Token>, Error>)>,
    /// No refresh before then; until then, calls that need one get this error.
    cooling: Option<(Boot, Error)>,
    waiting: u64,
    generation: u64,
    clock_skew_ms: i64,
    logins: u64,
    refreshes: u64,
    failures: u64,
}

#[derive(Clone, Copy)]
struct Flight {
    number: u64,
    /// When it should have ended, whatever hangs.
    limit: Boot,
}

impl Auth {
    /// Makes a handle. Reads the environment and the files that the configuration names; touches no network.
    pub fn new(config: &Config) -> Result<Auth, Error> {
        let now = System.wall_ms().div_euclid(1000);
        let settings = Settings::resolve(config, |name| std::env::var_os(name), now)?;
        let transport = Box::new(Http::new(&settings));
        Ok(Auth::with_parts(settings, Box::new(System), transport, Box::new(Threads)))
    }

    /// Makes a handle from its three moving parts: what time it is, what carries a request, who runs a refresh.
    pub(crate) fn with_parts(
        settings: Settings,
        clock: Box<dyn Clock>,
        transport: Box<dyn Transport>,
        runner: Box<dyn Runner>,
    ) -> Auth {
        let mut shared = Shared::default();
        let cache = Cache::default();
        let (wait, rules) = (settings.wait, Rules::new(&settings));
        match settings.origin {
            Origin::Login(credentials) => shared.log_in_with(credentials),
            Origin::Ready(jwt) => {
                shared.generation = 1;
                cache.publish(ready_token(*jwt, &*clock).map(Arc::new));
            }
        }
        let exchange = Exchange { rules, clock, transport };
        let inner = Inner { wait, exchange, cache, runner, state: Mutex::new(shared), changed: Condvar::new() };
        Auth { inner: Arc::new(inner) }
    }

    /// Lends a good token to `f`; waits for one as long as the configuration says.
    pub fn token<R>(&self, f: impl FnOnce(&Token) -> R) -> Result<R, Error> {
        self.read(Duration::ZERO, self.inner.wait, f)
    }

    /// Lends a token that is good for another `need` to `f`; waits for one at most this long.
    pub fn read<R>(&self, need: Duration, wait: Duration, f: impl FnOnce(&Token) -> R) -> Result<R, Error> {
        let inner = &self.inner;
        let now = inner.exchange.clock.boot();
        let lent = inner.cache.lend();
        if let Some(token) = lent.as_ref().filter(|token| serves(token, now, need)) {
            if token.state(now) == State::Due {
                inner.begin_behind();
            }
            return Ok(f(token));
        }
        drop(lent);
        inner.wait_for_token(need, wait).map(|token| f(&token))
    }

    /// The generation of a token that needs no refresh; 0 where there is none.
    pub fn generation(&self) -> u64 {
        let now = self.inner.exchange.clock.boot();
        let lent = self.inner.cache.lend();
        lent.as_ref().filter(|token| token.state(now) == State::Fresh).map_or(0, |token| token.generation())
    }

    /// The platform refused this token: where it is still the current one, it counts as expired.
    pub fn invalidate(&self, rejected_token: &str) {
        let lent = self.inner.cache.lend();
        if let Some(token) = lent.as_ref().filter(|token| token.jwt().text() == rejected_token) {
            token.reject();
        }
    }

    /// Logs in with these from now on. A refresh in flight is disowned; the present token stays only where the
    /// username does. Without a username, it stays.
    pub fn set_credentials(&self, username: Option<&str>, password: &str) -> Result<(), Error> {
        if let Some(username) = username {
            config::find("username")?.accept(username, "set by call")?;
        }
        config::find("password")?.accept(password, "set by call")?;
        let mut shared = lock(&self.inner.state);
        let before = shared.username.clone();
        let Some(username) = username.map(|name| Secret::new(name.to_owned())).or_else(|| before.clone()) else {
            return Err(no_username());
        };
        if before.as_ref() != Some(&username) {
            self.inner.cache.publish(None);
        }
        shared.log_in_with(Credentials { username, password: Secret::new(password.to_owned()) });
        shared.cooling = None;
        shared.landed = None;
        if shared.in_flight.take().is_some() {
            // Under the lock, so that the next refresh cannot have begun yet and be cut off with this one.
            self.inner.exchange.transport.cancel();
            self.inner.changed.notify_all();
        }
        Ok(())
    }

    /// A look at the handle. Starts nothing.
    pub fn info(&self) -> Info {
        let shared = lock(&self.inner.state);
        let now = self.inner.exchange.clock.boot();
        let token = self.inner.cache.lend().clone();
        let until =
            |time: fn(&Lifetime) -> Boot| token.as_ref().map_or(0, |token| signed_ms(time(token.lifetime()), now));
        let retry_in = shared.cooling.as_ref().map_or(Duration::ZERO, |(until, _)| until.saturating_sub(now));
        Info {
            state: token.as_ref().map(|token| token.state(now)),
            activity: match shared.in_flight {
                Some(_) => Activity::Refreshing,
                None if !retry_in.is_zero() => Activity::Cooling,
                None => match &shared.landed {
                    Some((_, Err(error))) if error.status() == Status::Denied => Activity::Denied,
                    _ => Activity::Idle,
                },
            },
            generation: shared.generation,
            expires_in_ms: until(|life| life.expires),
            refresh_in_ms: until(|life| life.due),
            clock_skew_ms: shared.clock_skew_ms,
            logins: shared.logins,
            refreshes: shared.refreshes,
            failures: shared.failures,
            waiting: shared.waiting,
            last: shared.landed.as_ref().map(|(_, result)| result.clone().map(drop)),
            retry_in,
            token,
        }
    }

    /// Wakes all who wait, with `Closed`, and lets a request in flight fail. Later calls fail too, once their token
    /// has ended.
    pub fn close(&self) {
        lock(&self.inner.state).closed = true;
        self.inner.changed.notify_all();
        self.inner.exchange.transport.cancel();
    }
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn log_in_with(&mut self, credentials: Credentials) {
        self.username = Some(credentials.username.clone());
        self.session = Some(Arc::new(parking_lot::Mutex::new(Session::new(credentials))));
    }

    fn owns(&self, flight: u64) -> bool {
        !self.closed && self.in_flight.is_some_and(|current| current.number == flight)
    }
}

impl Inner {
    /// Begins a refresh for a caller who has a good token already, and so waits for nobody.
    fn begin_behind(self: &Arc<Self>) {
        let Some(mut shared) = try_lock(&self.state) else { return };
        // Looked at again under the lock: the token that was due may have been replaced since.
        let now = self.exchange.clock.boot();
        if self.cache.lend().as_ref().is_none_or(|token| token.state(now) != State::Due) {
            return;
        }
        let begun = self.begin(&mut shared, now);
        drop(shared);
        if let Ok((flight, Some(job))) = begun {
            self.launch(flight, job, false).ok(); // the caller has a token; who needs one will hear of it
        }
    }

    /// Has a refresh run. Where no thread can be made, a caller who may wait runs it itself; for one who may not, the
    /// flight is called off, and the next caller tries.
    fn launch(&self, flight: Flight, job: Job, may_wait: bool) -> Result<(), Error> {
        match self.runner.run(job) {
            Ok(()) => Ok(()),
            Err(job) if may_wait => {
                job();
                Ok(())
            }
            Err(job) => {
                drop(job); // and with it the session's guard, before anybody can see that the flight is gone
                let mut shared = lock(&self.state);
                if shared.owns(flight.number) {
                    shared.in_flight = None;
                }
                drop(shared);
                self.changed.notify_all();
                Err(no_thread())
            }
        }
    }

    /// Joins the refresh in flight, or begins one: then there is a job, to be run once the lock is released.
    fn begin(self: &Arc<Self>, shared: &mut Shared, now: Boot) -> Result<(Flight, Option<Job>), Error> {
        if shared.closed {
            return Err(closed());
        }
        if let Some(flight) = shared.in_flight {
            return if now < flight.limit { Ok((flight, None)) } else { Err(self.hangs()) };
        }
        if let Some((until, error)) = shared.cooling.as_ref().filter(|(until, _)| *until > now) {
            return Err(error.clone().with_retry_after(Some(until.saturating_sub(now))));
        }
        let Some(session) = &shared.session else {
            return Err(no_credentials());
        };
        let session = session.try_lock_arc().ok_or_else(|| self.hangs())?;
        shared.flights += 1;
        let flight = Flight { number: shared.flights, limit: now.saturating_add(self.exchange.rules.timeout) };
        shared.in_flight = Some(flight);
        let inner = self.clone();
        let job = move || {
            let mut session = session;
            let wanted = || lock(&inner.state).owns(flight.number);
            // A little less, so that the reason of a failure is there for whoever waits as long as a refresh may take.
            let limit = flight.limit - policy::margin(inner.exchange.rules.timeout);
            let refresh = || inner.exchange.refresh(&mut session, limit, &wanted);
            let result = process::caught(refresh).unwrap_or_else(|what| Err(panicked(&what)));
            drop(session); // before anybody can see that the flight has ended, and try the mutex
            inner.land(flight, result);
        };
        Ok((flight, Some(Box::new(job))))
    }

    /// A refresh is past its limit. What holds it may be a proxy that drips its answer: that connection is cut.
    fn hangs(&self) -> Error {
        self.exchange.transport.cancel();
        hangs()
    }

    /// The slow path: there is no token that serves.
    fn wait_for_token(self: &Arc<Self>, need: Duration, at_most: Duration) -> Result<Arc<Token>, Error> {
        let deadline = self.exchange.clock.boot().saturating_add(at_most);
        let late = if at_most.is_zero() { pending } else { deadline_passed };
        loop {
            let now = self.exchange.clock.boot();
            let mut shared = lock(&self.state);
            let token = self.cache.lend().clone();
            if let Some(token) = token.filter(|token| token.state(now) != State::Expired) {
                if serves(&token, now, need) {
                    return Ok(token);
                }
                if token.lifetime().length < need || shared.session.is_none() {
                    return Err(too_short(&token, now));
                }
            }
            let (flight, job) = self.begin(&mut shared, now)?;
            drop(shared);
            if let Some(job) = job {
                self.launch(flight, job, !at_most.is_zero())?;
            }
            // Where it was disowned or called off, there is another to begin or to join.
            let Some(token) = self.wait_for_landing(flight, deadline, late)? else { continue };
            let now = self.exchange.clock.boot();
            match token.state(now) {
                // The platform refused it before this caller woke: it needs the next one.
                State::Expired if token.is_rejected() => {}
                // A new one would fare no better, and asking at once for it would hammer the gate.
                State::Expired => return Err(ended_already()),
                _ if serves(&token, now, need) => return Ok(token),
                _ => return Err(too_short(&token, now)),
            }
        }
    }

    /// Waits until a flight has landed; `None` where it was disowned or called off. From `deadline` on, the caller is `late`.
    fn wait_for_landing(
        &self,
        flight: Flight,
        deadline: Boot,
        late: fn() -> Error,
    ) -> Result<Option<Arc<Token>>, Error> {
        let mut shared = lock(&self.state);
        shared.waiting += 1;
        let waited = loop {
            if shared.closed {
                break Err(closed());
            }
            if !shared.owns(flight.number) {
                break Ok(());
            }
            let now = self.exchange.clock.boot();
            if now >= deadline {
                break Err(late());
            }
            if now >= flight.limit {
                break Err(self.hangs());
            }
            // In slices, for the condition variable's own clock stops in suspend, and the deadline's does not.
            let slice = deadline.min(flight.limit).saturating_sub(now).min(Duration::from_secs(1));
            shared = wait(&self.changed, shared, slice);
        };
        shared.waiting -= 1;
        waited?;
        match &shared.landed {
            Some((number, result)) if *number >= flight.number => result.clone().map(Some),
            _ => Ok(None),
        }
    }

    /// Publishes what a refresh brought, and wakes all who wait for it. A disowned one brings nothing.
    fn land(&self, flight: Flight, result: Result<Fetch, Error>) {
        let mut shared = lock(&self.state);
        if !shared.owns(flight.number) {
            return;
        }
        shared.in_flight = None;
        let result = match result {
            Ok(fetch) => {
                match fetch.grant {
                    Grant::Login => shared.logins += 1,
                    Grant::Refresh => shared.refreshes += 1,
                }
                shared.generation += 1;
                shared.clock_skew_ms = fetch.clock_skew_ms;
                shared.cooling = None;
                let token = Arc::new(Token::new(fetch.tokens.jwt, fetch.lifetime, shared.generation));
                self.cache.publish(Some(token.clone()));
                Ok(token)
            }
            Err(error) => {
                shared.failures += 1;
                let until = error.retry_after().map(|wait| self.exchange.clock.boot().saturating_add(wait));
                shared.cooling = until.map(|until| (until, error.clone()));
                Err(error)
            }
        };
        shared.landed = Some((flight.number, result));
        drop(shared);
        self.changed.notify_all();
    }
}

fn serves(token: &Token, now: Boot, need: Duration) -> bool {
    token.state(now) != State::Expired && token.lifetime().left(now) >= need
}

/// A token of the configuration, by this machine's clock: no gate has told us the time.
fn ready_token(jwt: crate::jwt::Jwt, clock: &dyn Clock) -> Option<Token> {
    let now = clock.boot();
    let fetched = Fetched { started: now, ended: now, gate_ms: clock.wall_ms() };
    let mut lifetime = Lifetime::new(fetched, jwt.expiry()?, jwt.issued_at(), 1.0)?;
    lifetime.due = lifetime.expires; // it is never refreshed
    Some(Token::new(jwt, lifetime, 1))
}

fn signed_ms(time: Boot, now: Boot) -> i64 {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    if time >= now { ms(time - now) } else { -ms(now - time) }
}

#[cfg(test)]
mod tests;
