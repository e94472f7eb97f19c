//! The single flight: a handle has at most one refresh in flight, and all waiters share its result.
//!
//! A [`Runner`] runs the refresh under the session's mutex. The mutex is only *tried*: the thread that gets it starts
//! the refresh, and its guard moves to the thread that runs it. If no refresh may start, [`Inner::begin`] says why: the
//! minimum interval after the last refresh, or the cooldown after a failure.

use std::time::Duration;

use arc_swap::ArcSwap;

use super::errors::*;
use super::facts::{Cooling, Facts};
use super::serves;
use crate::attempt::{Attempt, Cancellation};
use crate::cache::{Cache, Token};
use crate::clock::{Boot, Now};
use crate::credentials::Credentials;
use crate::error::{Error, Status};
use crate::policy::{self, State};
use crate::process;
use crate::refresh::{Exchange, Fetch, FetchedBy, Held, Outcome, Session};
use crate::scheduler::{Job, Runner};
use crate::sync::{Arc, AtomicU64, Changes, Mutex, MutexGuard, lock, try_lock};

mod background;

/// The part of a handle that belongs to one epoch of the process.
pub(super) struct Inner {
    epoch: u32,
    background: bool,
    exchange: Exchange,
    cache: Arc<Cache>,
    runner: Arc<dyn Runner>,
    /// This handle's number in the scheduler; 0: it is not registered.
    number: AtomicU64,
    /// Changed only under the lock of `state`, but read without it, because a child cannot take its parent's locks.
    facts: ArcSwap<Facts>,
    pub(super) state: Mutex<Shared>,
    /// Announces that a refresh has ended or was cancelled, or that the handle was closed.
    changes: Changes,
}

/// The state that callers share. Its lock is never held during I/O.
#[derive(Default)]
pub(super) struct Shared {
    closed: bool,
    session: Option<Arc<parking_lot::Mutex<Session>>>,
    flights: u64,
    pub(super) in_flight: Option<Flight>,
    /// The last flight that was not cancelled, and its result.
    finished: Option<(u64, Result<Arc<Token>, Error>)>,
    pub(super) waiting: u64,
    /// From this time on, the password file may be read again.
    reread_from: Boot,
    /// A thread publishes in the store that a token was rejected.
    rejection: Option<Arc<Cancellation>>,
}

#[derive(Clone)]
pub(super) struct Flight {
    number: u64,
    cancellation: Arc<Cancellation>,
    /// The time by which the flight must end.
    limit: Boot,
}

/// The result of a request for a refresh.
enum Begun {
    /// A refresh is in flight.
    Joined(Flight),
    /// A refresh starts when the job runs. Run it after the lock is released.
    Started(Flight, Job),
    /// No refresh may start before this time: the minimum interval is not over.
    TooSoon(Boot),
    /// No refresh may start before the time in the error. There may be a job that reads the password file again. No
    /// call waits for it.
    Cooling(Error, Option<(Flight, Job)>),
}

impl Shared {
    fn owns(&self, flight: u64) -> bool {
        !self.closed && self.in_flight.as_ref().is_some_and(|current| current.number == flight)
    }

    /// What the refresh in flight does.
    fn doing(&self) -> Option<String> {
        self.in_flight.as_ref()?.cancellation.doing()
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

    /// The child process's copy. It takes no lock of the parent. The parent keeps the refresh token, because otherwise
    /// both processes would use it.
    pub(super) fn child_copy(&self) -> Arc<Inner> {
        // A forked thread starts with the state of its parent's random numbers.
        fastrand::seed(u64::from(std::process::id()) << 32 ^ self.exchange.clock.boot().as_nanos() as u64);
        let mut facts = Facts::clone(&self.facts.load());
        // The fork may have happened after the token was published and before it was counted.
        facts.generation = facts.generation.max(self.cache.lend().as_ref().map_or(0, |token| token.generation()));
        Inner::new(self.exchange.for_child(), self.cache.clone(), self.runner.clone(), self.background, facts)
    }

    /// Adopts the parent's token, with a new jitter.
    pub(super) fn adopt_token(self: &Arc<Self>) {
        let shared = lock(&self.state);
        let token = self.cache.lend().clone();
        if let Some(token) = token.filter(|token| token.is_inherited()) {
            self.cache.publish(Some(Arc::new(token.with_jitter(fastrand::f64()))));
        }
        drop(shared);
        self.register();
        self.check_soon(); // a change before the handle had a number was not reported
    }

    pub(super) fn facts(&self) -> Arc<Facts> {
        self.facts.load_full()
    }

    /// Changes the facts. The caller holds the lock of `state`.
    fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = Facts::clone(&self.facts.load());
        change(&mut facts);
        self.facts.store(Arc::new(facts));
    }

    /// The end of the minimum interval after the last successful refresh.
    pub(super) fn next_refresh_from(&self) -> Boot {
        self.facts.load().next_refresh_from
    }

    /// Uses these credentials from now on. The token, and the minimum interval after it, are kept only if the user is
    /// the same.
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
        if let Some(flight) = shared.in_flight.take() {
            flight.cancellation.cancel();
        }
        self.changes.announce();
    }

    pub(super) fn close(&self) {
        let mut shared = lock(&self.state);
        shared.closed = true;
        self.cache.close();
        for cancellation in shared.in_flight.iter().map(|flight| &flight.cancellation).chain(&shared.rejection) {
            cancellation.cancel();
        }
        drop(shared);
        self.changes.announce();
        self.unregister();
    }

    /// The failure that delays the next refresh, with the remaining delay.
    pub(super) fn standing(&self, facts: &Facts, now: Now) -> Option<Error> {
        let holds_valid = self.cache.lend().as_ref().is_some_and(|token| token.state(now) != State::Expired);
        let error = facts.cooling.as_ref()?.error(holds_valid, now.boot)?;
        if error.status() != Status::Denied {
            return Some(error);
        }
        // The process has one list of refusals. A login or new credentials of another handle may have ended this
        // refusal.
        self.exchange.refusals.standing(self.exchange.fingerprint(facts.credentials.as_ref()?), now.boot)
    }

    /// Starts a refresh for a caller that has a valid token already. Never blocks.
    pub(super) fn begin_in_background(self: &Arc<Self>) {
        let Some(mut shared) = try_lock(&self.state) else { return };
        // Checks again under the lock: another thread may have replaced the due token.
        let now = self.exchange.clock.now();
        if self.cache.lend().as_ref().is_none_or(|token| token.state(now) != State::Due) {
            return;
        }
        let begun = self.begin(&mut shared, now);
        drop(shared);
        if let Ok(Begun::Started(flight, job) | Begun::Cooling(_, Some((flight, job)))) = begun {
            self.launch(&flight, job, false).ok(); // this caller has a token; a caller without one gets the error
        }
    }

    /// Runs a refresh. If no thread can be created, a caller that may block runs it itself. If the caller may not
    /// block, the flight is abandoned, and the next caller tries.
    fn launch(&self, flight: &Flight, job: Job, may_wait: bool) -> Result<(), Error> {
        match self.runner.run(job) {
            Ok(()) => Ok(()),
            Err(job) if may_wait => {
                job();
                Ok(())
            }
            Err(job) => {
                drop(job); // first: `job` holds the session's mutex, which the next flight tries
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

    /// Joins the refresh in flight, or starts one. Otherwise returns why no refresh may start.
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
        if let Some(flight) = shared.in_flight.clone() {
            return if now.boot < flight.limit { Ok(Begun::Joined(flight)) } else { Err(hangs(shared.doing())) };
        }
        if facts.next_refresh_from > now.boot {
            return Ok(Begun::TooSoon(facts.next_refresh_from));
        }
        let (flight, job) = self.start_flight(shared, now.boot, false)?;
        Ok(Begun::Started(flight, job))
    }

    /// A flight and its job. With `reread`, the job sends a request only if the file has a new password.
    fn start_flight(self: &Arc<Self>, shared: &mut Shared, now: Boot, reread: bool) -> Result<(Flight, Job), Error> {
        let Some(session) = &shared.session else {
            return Err(no_credentials());
        };
        let session = session.try_lock_arc().ok_or_else(|| hangs(shared.doing()))?;
        shared.flights += 1;
        let limit = now.saturating_add(self.exchange.rules.timeout);
        // Slightly earlier than the limit, so that a caller that waits until the limit gets the reason of a failure.
        let deadline = limit - policy::margin(self.exchange.rules.timeout);
        let cancellation = Arc::new(Cancellation::default());
        let attempt = Attempt::new(deadline, cancellation.clone());
        let flight = Flight { number: shared.flights, cancellation, limit };
        shared.in_flight = Some(flight.clone());
        if reread {
            shared.reread_from = now.saturating_add(Duration::from_secs(1));
        }
        let inner = self.clone();
        let number = flight.number;
        let job = move || {
            let mut session = session;
            let refresh = || {
                let held = inner.cache.lend().clone();
                let now = inner.exchange.clock.now();
                let held = held.as_ref().map(|token| Held {
                    jwt: token.jwt().text(),
                    left: if token.state(now) == State::Expired { Duration::ZERO } else { token.lifetime().left(now) },
                });
                (!reread || session.reread()).then(|| inner.exchange.obtain(&mut session, held, &attempt))
            };
            let result = process::caught(refresh)
                .unwrap_or_else(|what| Some(Outcome { result: Err(panicked(&what)), fault: None }));
            let credentials = session.credentials().clone();
            drop(session); // first: this unlocks the session's mutex, which the next flight tries
            inner.finish(number, credentials, result);
        };
        Ok((flight, Box::new(job)))
    }

    /// The slow path: there is no token that is valid for `need`.
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
            let shared_hits = self.facts().shared_hits;
            let (flight, job) = match self.begin(&mut shared, now)? {
                Begun::Joined(flight) => (flight, None),
                Begun::Started(flight, job) => (flight, Some(job)),
                Begun::Cooling(error, meanwhile) => {
                    drop(shared);
                    if let Some((flight, job)) = meanwhile {
                        self.launch(&flight, job, false).ok(); // no call waits for it
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
                self.launch(&flight, job, !at_most.is_zero())?;
            }
            // If the flight was cancelled or abandoned, this caller starts or joins another one.
            let Some(token) = self.wait_for_flight(&flight, deadline, late)? else { continue };
            let now = self.exchange.clock.now();
            match token.state(now) {
                // The token expired, or was rejected, before this caller woke up. The caller needs the next token.
                State::Expired => {}
                _ if serves(&token, now, need) => return Ok(token),
                // An older token of another process. The next refresh asks the gate.
                _ if self.facts().shared_hits > shared_hits && token.lifetime().length >= need => {}
                _ => return Err(too_short(&token, now)),
            }
        }
    }

    /// Blocks until a flight has ended. Returns `None` if it was cancelled or abandoned, and the error of `late` at the
    /// deadline.
    fn wait_for_flight(
        &self,
        flight: &Flight,
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
                break Err(late(shared.doing()));
            }
            if now >= flight.limit {
                break Err(hangs(shared.doing()));
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

    /// Publishes the result of a refresh and wakes its waiters. A cancelled refresh has no effect. A job that found no
    /// new password has no result.
    fn finish(&self, flight: u64, credentials: Arc<Credentials>, outcome: Option<Outcome>) {
        let mut shared = lock(&self.state);
        if !shared.owns(flight) {
            return;
        }
        shared.in_flight = None;
        if let Some(Outcome { result, fault }) = outcome {
            let now = self.exchange.clock.now();
            if let Some(fault) = fault {
                self.change(|facts| facts.count_fault(fault));
            }
            let result = match result {
                Ok(fetch) => Ok(self.succeed(fetch, credentials, now.boot)),
                Err(error) => Err(self.fail(error, credentials, now)),
            };
            shared.finished = Some((flight, result));
        }
        drop(shared);
        self.changes.announce();
        self.check_soon();
    }

    /// Publishes in the store that the platform rejected this token. Never blocks: a thread does it. Without a thread,
    /// it is not published.
    pub(super) fn share_rejection(self: &Arc<Self>, token: Arc<Token>) {
        let credentials = self.facts().credentials.clone();
        let Some(credentials) = credentials.filter(|_| self.exchange.share.is_some()) else { return };
        let inner = self.clone();
        let deadline = self.exchange.clock.boot().saturating_add(self.exchange.rules.timeout);
        let cancellation = Arc::<Cancellation>::default();
        let attempt = Attempt::new(deadline, cancellation.clone());
        lock(&self.state).rejection = Some(cancellation);
        let job = move || {
            let reject = || inner.exchange.reject(&credentials, token.jwt().text(), &attempt);
            let Ok(Some(fault)) = process::caught(reject) else { return };
            let shared = lock(&inner.state);
            inner.change(|facts| facts.count_fault(fault));
            drop(shared);
        };
        self.runner.run(Box::new(job)).ok();
    }

    fn succeed(&self, fetch: Fetch, credentials: Arc<Credentials>, now: Boot) -> Arc<Token> {
        let generation = self.facts.load().generation + 1;
        let next_refresh_from = now.saturating_add(fetch.min_interval);
        let token = Arc::new(Token::new(fetch.jwt, fetch.lifetime, generation));
        self.cache.publish(Some(token.clone()));
        self.change(|facts| {
            match fetch.by {
                FetchedBy::Login => facts.logins += 1,
                FetchedBy::Refresh => facts.refreshes += 1,
                FetchedBy::Store => facts.shared_hits += 1,
            }
            facts.credentials = Some(credentials);
            facts.generation = generation;
            facts.clock_skew_ms = fetch.clock_skew_ms.unwrap_or(facts.clock_skew_ms);
            facts.next_refresh_from = next_refresh_from;
            (facts.cooling, facts.failed_in_a_row, facts.last) = (None, 0, Some(Ok(())));
        });
        token
    }

    /// Records the failure. Returns the error for all waiters, with the time until the next attempt.
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
