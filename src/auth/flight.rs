//! The single flight: one refresh at a time for a handle, whoever asks for it, and one result for all who waited.
//!
//! A refresh runs elsewhere ([`Runner`]) under the session's mutex, which is only ever *tried*: whoever gets it begins
//! the one request in flight, and its guard moves to the thread that runs it. When none may begin, [`Inner::begin`]
//! says why: the storm brake of the last one, or the cool-down of a failure.

use std::time::Duration;

use arc_swap::ArcSwap;

use super::errors::*;
use super::facts::{Cooling, Facts};
use super::serves;
use crate::cache::{Cache, Token};
use crate::clock::{Boot, Now};
use crate::error::{Error, Status};
use crate::gate::Grant;
use crate::policy::{self, State};
use crate::process;
use crate::refresh::{Exchange, Fetch, Session};
use crate::scheduler::{Job, Runner};
use crate::settings::Credentials;
use crate::sync::{Arc, AtomicU64, Changes, Mutex, MutexGuard, lock, try_lock};

mod background;

/// What a handle has in one generation of the process.
pub(super) struct Inner {
    epoch: u32,
    background: bool,
    exchange: Exchange,
    cache: Arc<Cache>,
    runner: Arc<dyn Runner>,
    /// The number by which the timer knows this handle; 0: it does not.
    number: AtomicU64,
    /// Changed under the lock of `state` only, but read without it: a child cannot take its parent's locks.
    facts: ArcSwap<Facts>,
    pub(super) state: Mutex<Shared>,
    /// Notified when a refresh has ended or was disowned, and when the handle is closed.
    changes: Changes,
}

/// What callers share. Its lock is never held over I/O.
#[derive(Default)]
pub(super) struct Shared {
    closed: bool,
    session: Option<Arc<parking_lot::Mutex<Session>>>,
    flights: u64,
    pub(super) in_flight: Option<Flight>,
    /// The last flight that ended by itself, and how.
    finished: Option<(u64, Result<Arc<Token>, Error>)>,
    pub(super) waiting: u64,
    /// When the password file may be read again.
    reread_from: Boot,
}

#[derive(Clone, Copy)]
pub(super) struct Flight {
    number: u64,
    /// When it should have ended, whatever hangs.
    limit: Boot,
}

/// What comes of asking for a refresh.
enum Begun {
    /// One is in flight.
    Joined(Flight),
    /// One begins when the job is run, which is to be done once the lock is released.
    Started(Flight, Job),
    /// None before then: one has just worked.
    TooSoon(Boot),
    /// None before the time that the error gives. There may be something to be done meanwhile, for nobody to wait for.
    Cooling(Error, Option<(Flight, Job)>),
}

impl Shared {
    fn owns(&self, flight: u64) -> bool {
        !self.closed && self.in_flight.is_some_and(|current| current.number == flight)
    }
}

impl Inner {
    pub(super) fn new(
        exchange: Exchange,
        cache: Arc<Cache>,
        runner: Arc<dyn Runner>,
        background: bool,
        facts: Facts,
    ) -> Arc<Inner> {
        let session =
            facts.credentials.clone().map(|credentials| Arc::new(parking_lot::Mutex::new(Session::new(credentials))));
        Arc::new(Inner {
            epoch: process::epoch(),
            background,
            exchange,
            cache,
            runner,
            number: AtomicU64::new(0),
            facts: ArcSwap::from_pointee(facts),
            state: Mutex::new(Shared { session, ..Shared::default() }),
            changes: Changes::default(),
        })
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.epoch == process::epoch()
    }

    /// The same handle for a child process. No lock of the parent's is touched; its refresh token stays its own, for
    /// else both would spend it.
    pub(super) fn child_copy(&self) -> Arc<Inner> {
        // A thread that was forked begins with its parent's random numbers.
        fastrand::seed(u64::from(std::process::id()) << 32 ^ self.exchange.clock.boot().as_nanos() as u64);
        let mut facts = Facts::clone(&self.facts.load());
        // The fork may have come between the token and the count of it.
        facts.generation = facts.generation.max(self.cache.lend().as_ref().map_or(0, |token| token.generation()));
        Inner::new(self.exchange.for_child(), self.cache.clone(), self.runner.clone(), self.background, facts)
    }

    /// Makes the parent's token the child's, due by a draw of its own.
    pub(super) fn adopt_token(self: &Arc<Self>) {
        let shared = lock(&self.state);
        let token = self.cache.lend().clone();
        if let Some(token) = token.filter(|token| token.is_inherited()) {
            self.cache.publish(Some(Arc::new(token.with_jitter(fastrand::f64()))));
        }
        drop(shared);
        self.register();
        self.check_soon(); // whoever came before it had a number could not say so
    }

    pub(super) fn facts(&self) -> Arc<Facts> {
        self.facts.load_full()
    }

    /// Changes what is known. The caller holds the lock of `state`.
    fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = Facts::clone(&self.facts.load());
        change(&mut facts);
        self.facts.store(Arc::new(facts));
    }

    /// From when on a refresh may follow the last one that worked.
    pub(super) fn next_refresh_from(&self) -> Boot {
        self.facts.load().next_refresh_from
    }

    /// Begins anew with these. The token, and the brake of the login that brought it, stay where the user does.
    pub(super) fn log_in_with(&self, shared: &mut Shared, credentials: Credentials, same_user: bool) {
        let credentials = Arc::new(credentials);
        self.exchange.refusals.forget(self.exchange.fingerprint(&credentials));
        shared.session = Some(Arc::new(parking_lot::Mutex::new(Session::new(credentials.clone()))));
        shared.finished = None;
        if !same_user {
            self.cache.publish(None);
        }
        self.change(|facts| {
            facts.credentials = Some(credentials);
            (facts.cooling, facts.failed_in_a_row, facts.last) = (None, 0, None);
            if !same_user {
                facts.next_refresh_from = Boot::ZERO;
            }
        });
        if shared.in_flight.take().is_some() {
            // Under the lock, so that the next refresh cannot have begun yet and be cut off with this one.
            self.exchange.transport.cancel();
        }
        self.changes.announce();
    }

    pub(super) fn close(&self) {
        let mut shared = lock(&self.state);
        shared.closed = true;
        self.cache.close();
        drop(shared);
        self.changes.announce();
        self.exchange.transport.cancel();
        self.unregister();
    }

    /// The failure that holds refreshes back, with the time for which it does.
    pub(super) fn standing(&self, facts: &Facts, now: Now) -> Option<Error> {
        let holds_valid = self.cache.lend().as_ref().is_some_and(|token| token.state(now) != State::Expired);
        let error = facts.cooling.as_ref()?.error(holds_valid, now.boot)?;
        if error.status() != Status::Denied {
            return Some(error);
        }
        // The refusals are the process's: another handle's success or new credentials may have ended this one.
        self.exchange.refusals.standing(self.exchange.fingerprint(facts.credentials.as_ref()?), now.boot)
    }

    /// Begins a refresh for a caller who has a good token already, and so waits for nobody.
    pub(super) fn begin_behind(self: &Arc<Self>) {
        let Some(mut shared) = try_lock(&self.state) else { return };
        // Looked at again under the lock: the token that was due may have been replaced since.
        let now = self.exchange.clock.now();
        if self.cache.lend().as_ref().is_none_or(|token| token.state(now) != State::Due) {
            return;
        }
        let begun = self.begin(&mut shared, now);
        drop(shared);
        if let Ok(Begun::Started(flight, job) | Begun::Cooling(_, Some((flight, job)))) = begun {
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
                self.changes.announce();
                Err(no_thread())
            }
        }
    }

    /// What the refresh in flight does.
    fn doing(&self) -> Option<String> {
        self.exchange.transport.doing()
    }

    /// Joins the refresh in flight, or begins one, or says why not.
    fn begin(self: &Arc<Self>, shared: &mut Shared, now: Now) -> Result<Begun, Error> {
        if shared.closed {
            return Err(closed());
        }
        let facts = self.facts();
        if let Some(error) = self.standing(&facts, now) {
            let file = facts.credentials.as_ref().and_then(|credentials| credentials.password_file.as_ref());
            let look = error.status() == Status::Denied && file.is_some() && now.boot >= shared.reread_from;
            let flight = if look && shared.in_flight.is_none() {
                Some(self.start_flight(shared, now.boot, true)?)
            } else {
                None
            };
            return Ok(Begun::Cooling(error, flight));
        }
        if let Some(flight) = shared.in_flight {
            return if now.boot < flight.limit { Ok(Begun::Joined(flight)) } else { Err(hangs(self.doing())) };
        }
        if facts.next_refresh_from > now.boot {
            return Ok(Begun::TooSoon(facts.next_refresh_from));
        }
        let (flight, job) = self.start_flight(shared, now.boot, false)?;
        Ok(Begun::Started(flight, job))
    }

    /// A flight and its job. With `reread`, it goes on only where there is a new password in the file.
    fn start_flight(self: &Arc<Self>, shared: &mut Shared, now: Boot, reread: bool) -> Result<(Flight, Job), Error> {
        let Some(session) = &shared.session else {
            return Err(no_credentials());
        };
        let session = session.try_lock_arc().ok_or_else(|| hangs(self.doing()))?;
        shared.flights += 1;
        let flight = Flight { number: shared.flights, limit: now.saturating_add(self.exchange.rules.timeout) };
        shared.in_flight = Some(flight);
        if reread {
            shared.reread_from = now.saturating_add(Duration::from_secs(1));
        }
        let inner = self.clone();
        let job = move || {
            let mut session = session;
            let wanted = || lock(&inner.state).owns(flight.number);
            // A little less, so that the reason of a failure is there for whoever waits as long as a refresh may take.
            let limit = flight.limit - policy::margin(inner.exchange.rules.timeout);
            let refresh = || {
                let held = inner.cache.lend().clone();
                let held = held.as_ref().map(|token| token.jwt().text());
                (!reread || session.reread()).then(|| inner.exchange.refresh(&mut session, held, limit, &wanted))
            };
            let result = process::caught(refresh).unwrap_or_else(|what| Some(Err(panicked(&what))));
            let credentials = session.credentials().clone();
            drop(session); // before anybody can see that the flight has ended, and try the mutex
            inner.finish(flight, credentials, result);
        };
        Ok((flight, Box::new(job)))
    }

    /// The slow path: there is no token that serves.
    pub(super) fn wait_for_token(self: &Arc<Self>, need: Duration, at_most: Duration) -> Result<Arc<Token>, Error> {
        let deadline = self.exchange.clock.boot().saturating_add(at_most);
        let late = if at_most.is_zero() { |_| pending() } else { deadline_passed };
        loop {
            let now = self.exchange.clock.now();
            let mut shared = lock(&self.state);
            let valid = self.cache.lend().clone().filter(|token| token.state(now) != State::Expired);
            if let Some(token) = &valid {
                if serves(token, now, need) {
                    return Ok(token.clone());
                }
                if token.lifetime().length < need || shared.session.is_none() {
                    return Err(too_short(token, now));
                }
            }
            let (flight, job) = match self.begin(&mut shared, now)? {
                Begun::Joined(flight) => (flight, None),
                Begun::Started(flight, job) => (flight, Some(job)),
                Begun::Cooling(error, meanwhile) => {
                    drop(shared);
                    if let Some((flight, job)) = meanwhile {
                        self.launch(flight, job, false).ok(); // nobody waits for it
                    }
                    return Err(error);
                }
                Begun::TooSoon(until) if valid.is_some() || until > deadline => {
                    return Err(too_soon(valid.as_deref(), until.saturating_sub(now.boot), now));
                }
                Begun::TooSoon(until) => {
                    shared.waiting += 1;
                    let mut shared = self.wait(shared, until.saturating_sub(now.boot));
                    shared.waiting -= 1;
                    continue;
                }
            };
            drop(shared);
            if let Some(job) = job {
                self.launch(flight, job, !at_most.is_zero())?;
            }
            // Where it was disowned or called off, there is another to begin or to join.
            let Some(token) = self.wait_for_flight(flight, deadline, late)? else { continue };
            let now = self.exchange.clock.now();
            match token.state(now) {
                // It ended, or the platform refused it, before this caller woke: it needs the next one.
                State::Expired => {}
                _ if serves(&token, now, need) => return Ok(token),
                _ => return Err(too_short(&token, now)),
            }
        }
    }

    /// Waits until a flight has landed; `None` where it was disowned or called off. From `deadline` on, the caller is
    /// `late`.
    fn wait_for_flight(
        &self,
        flight: Flight,
        deadline: Boot,
        late: fn(Option<String>) -> Error,
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
                break Err(late(self.doing()));
            }
            if now >= flight.limit {
                break Err(hangs(self.doing()));
            }
            shared = self.wait(shared, deadline.min(flight.limit).saturating_sub(now));
        };
        shared.waiting -= 1;
        waited?;
        match &shared.finished {
            Some((number, result)) if *number >= flight.number => result.clone().map(Some),
            _ => Ok(None),
        }
    }

    /// Blocks until `state` changes, for at most this long. May return earlier, without a change.
    fn wait<'a>(&'a self, shared: MutexGuard<'a, Shared>, at_most: Duration) -> MutexGuard<'a, Shared> {
        let seen = self.changes.count();
        drop(shared);
        self.exchange.clock.wait(&self.changes, seen, at_most);
        lock(&self.state)
    }

    /// Publishes what a refresh brought, and wakes all who wait for it. A disowned one brings nothing; nor does one
    /// that found no new password.
    fn finish(&self, flight: Flight, credentials: Arc<Credentials>, result: Option<Result<Fetch, Error>>) {
        let mut shared = lock(&self.state);
        if !shared.owns(flight.number) {
            return;
        }
        shared.in_flight = None;
        if let Some(result) = result {
            let now = self.exchange.clock.now();
            let result = match result {
                Ok(fetch) => Ok(self.succeed(fetch, credentials, now.boot)),
                Err(error) => Err(self.fail(error, credentials, now)),
            };
            shared.finished = Some((flight.number, result));
        }
        drop(shared);
        self.changes.announce();
        self.check_soon();
    }

    fn succeed(&self, fetch: Fetch, credentials: Arc<Credentials>, now: Boot) -> Arc<Token> {
        let generation = self.facts.load().generation + 1;
        let next_refresh_from = now.saturating_add(fetch.lifetime.min_interval());
        let token = Arc::new(Token::new(fetch.tokens.jwt, fetch.lifetime, generation));
        self.cache.publish(Some(token.clone()));
        self.change(|facts| {
            match fetch.grant {
                Grant::Login => facts.logins += 1,
                Grant::Refresh => facts.refreshes += 1,
            }
            facts.credentials = Some(credentials);
            facts.generation = generation;
            facts.clock_skew_ms = fetch.clock_skew_ms;
            facts.next_refresh_from = next_refresh_from;
            (facts.cooling, facts.failed_in_a_row, facts.last) = (None, 0, Some(Ok(())));
        });
        token
    }

    /// What the failure is to all who hear of it: the same, with the time until the next try.
    fn fail(&self, error: Error, credentials: Arc<Credentials>, now: Now) -> Error {
        self.change(|facts| {
            facts.failures += 1;
            facts.failed_in_a_row = facts.failed_in_a_row.saturating_add(1);
            facts.credentials = Some(credentials);
            facts.last = Some(Err(error.clone()));
            let (failures, jitter) = (facts.failed_in_a_row, fastrand::f64());
            facts.cooling = Some(Cooling { since: now.boot, failures, jitter, error: error.clone() });
        });
        self.standing(&self.facts.load(), now).unwrap_or(error)
    }
}
