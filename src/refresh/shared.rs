//! One refresh of a handle that shares its token with other processes. [`crate::store`] describes the order of events.

use std::time::Duration;

use super::{Exchange, Fetch, FetchedBy, Session};
use crate::attempt::Attempt;
use crate::clock::{Clock, Now};
use crate::credentials::Credentials;
use crate::error::{Error, Status};
use crate::jwt::Jwt;
use crate::policy::{self, Life, Lifetime};
use crate::process::PerProcess;
use crate::refusals::Fingerprint;
use crate::store::{Lock, Look, Opened, Record, Seal, SharedToken, Standing, Store, fault};
use crate::sync::{Arc, Mutex, lock};

/// The store of a handle.
pub struct Share {
    /// Where the record is.
    pub store: Box<dyn Store>,
    /// Whether a refresh fails if the store cannot be used.
    pub required: bool,
}

impl Share {
    /// The same store for a child process.
    pub fn for_child(&self) -> Share {
        Share { store: self.store.for_child(), required: self.required }
    }
}

/// The token that a handle has, and whether it is still valid.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    /// The token.
    pub jwt: &'a str,
    /// How long it is valid. Zero: it has expired, or was rejected.
    pub left: Duration,
}

/// The result of a refresh, and what was wrong with the store.
pub struct Outcome {
    /// A token, or the reason of the failure.
    pub result: Result<Fetch, Error>,
    /// Why the store could not be used.
    pub fault: Option<Error>,
}

/// One use of the record for some credentials.
struct Access<'a> {
    share: &'a Share,
    seal: Arc<Seal>,
    clock: &'a dyn Clock,
    attempt: &'a Attempt,
}

/// A record, and the time at which it was asked for.
struct Looked {
    record: Record,
    asked: Now,
    /// Another version of the library has written the record.
    is_of_other_version: bool,
}

/// The keys of this process, because it takes time to make one.
static SEALS: PerProcess<Mutex<Vec<Known>>> = PerProcess::new();

/// The key of these credentials.
type Known = (Fingerprint, Arc<Seal>);

/// The maximum number of keys that a process keeps.
const SEALS_MAX: usize = 64;

/// The pauses while another process holds the lock: the first, doubled each time, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(80));

/// A process that holds the lock ends its refresh this much earlier, and publishes the result. A process that waits for
/// the lock ends half of this earlier.
const RESERVE: Duration = Duration::from_secs(2);

impl Exchange {
    /// A refresh, shared with other processes if the handle has a store. `held` is the token that the handle has.
    pub fn obtain(&self, session: &mut Session, held: Option<Held<'_>>, attempt: &Attempt) -> Outcome {
        let held_text = held.map(|held| held.jwt);
        let Some(share) = &self.share else {
            return Outcome { result: self.refresh(session, held_text, attempt), fault: None };
        };
        session.reread(); // the credentials select the record
        let outcome = self.in_turn(&self.access(share, &session.credentials, attempt), session, held);
        share.store.rest();
        match outcome {
            Ok(outcome) => outcome,
            Err(fault) if share.required => Outcome { result: Err(fault.clone()), fault: Some(fault) },
            Err(fault) => Outcome { result: self.refresh(session, held_text, attempt), fault: Some(fault) },
        }
    }

    /// Publishes that the platform rejected this token, so that no process takes it from the store. Returns why the
    /// store could not be used.
    pub fn reject(&self, credentials: &Credentials, token: &str, attempt: &Attempt) -> Option<Error> {
        let share = self.share.as_ref()?;
        let access = self.access(share, credentials, attempt);
        let publish = || {
            access.look()?; // a store may need to know its time before it locks
            let Some(mut held) = self.lock_in_time(&access, |_| false)? else { return Ok(()) };
            let Looked { mut record, asked, is_of_other_version } = access.look()?;
            if !is_of_other_version && record.token.as_ref().is_some_and(|shared| shared.jwt.text() == token) {
                record.token = None;
                access.publish(&mut *held, record, asked)?;
            }
            Ok(())
        };
        let fault = publish().err();
        share.store.rest();
        fault
    }

    fn access<'a>(&'a self, share: &'a Share, credentials: &Credentials, attempt: &'a Attempt) -> Access<'a> {
        Access { share, seal: self.seal(credentials), clock: &*self.clock, attempt }
    }

    /// The key and the name for these credentials.
    fn seal(&self, credentials: &Credentials) -> Arc<Seal> {
        let print = self.fingerprint(credentials);
        let seals = SEALS.get();
        let known = lock(&seals).iter().find(|(of, _)| *of == print).map(|(_, seal)| seal.clone());
        known.unwrap_or_else(|| {
            let made = Arc::new(Seal::new(&self.rules.gate, credentials));
            let mut seals = lock(&seals);
            if seals.len() == SEALS_MAX {
                seals.remove(0);
            }
            seals.push((print, made.clone()));
            made
        })
    }

    /// The order of events. An error means that the store cannot be used, and that nothing was sent to the gate.
    fn in_turn(&self, access: &Access<'_>, session: &mut Session, held: Option<Held<'_>>) -> Result<Outcome, Error> {
        let mut taken = None;
        let mut take = |looked: &Looked| {
            taken = self.take(looked, session, held);
            taken.is_some()
        };
        if take(&access.look()?) {
            return Ok(found(taken));
        }
        let Some(mut lock) = self.lock_in_time(access, &mut take)? else {
            return Ok(found(taken));
        };
        let (looked, attempt) = (access.look()?, access.attempt);
        if looked.is_of_other_version {
            return Err(fault("another version of dl_auth has written this record; it is left alone"));
        }
        if take(&looked) {
            return Ok(found(taken));
        }
        let Looked { mut record, asked, .. } = looked;
        let left = attempt.deadline.saturating_sub(self.clock.boot());
        // A request that ends too early may use up the refresh token.
        if left < self.rules.timeout / 4 && self.rules.refresh_grant && record.refresh_token.is_some() {
            return Ok(found(Some(Err(too_late()))));
        }
        if !record.interval.is_zero() && (record.interval > left / 2 || !self.pause_within(record.interval, attempt)) {
            return Ok(found(Some(Err(too_soon(record.interval)))));
        }
        let mut failed = None;
        // The record's refresh token is the newer one: the session has one only if it was not shared.
        if let Some(refresh_token) = record.refresh_token.take_if(|_| self.rules.refresh_grant) {
            let marked = access.publish(&mut *lock, record.clone(), asked);
            session.refresh_token = marked.is_ok().then_some(refresh_token);
            failed = marked.err();
        }
        let before = self.fingerprint(&session.credentials);
        // Ends earlier than the refreshes of the processes that wait, so that they find the result.
        let result = self.refresh(session, held.map(|held| held.jwt), &self.shorter(attempt, 1));
        // The password file may have changed during the refresh: then the result belongs to another record.
        if !attempt.is_cancelled() && self.fingerprint(&session.credentials) == before {
            self.record_result(&mut record, session, &result, asked);
            // From now on, only the record has the refresh token. If it could not be written, a login follows.
            record.refresh_token = session.refresh_token.take().or(record.refresh_token);
            failed = access.publish(&mut *lock, record, asked).err().or(failed);
        }
        Ok(Outcome { result, fault: failed })
    }

    /// Takes the lock. While another process has it, reads the record repeatedly, until `is_enough`. `None`:
    /// `is_enough`, or the time is over.
    fn lock_in_time<'a>(
        &self,
        access: &Access<'a>,
        mut is_enough: impl FnMut(&Looked) -> bool,
    ) -> Result<Option<Box<dyn Lock + 'a>>, Error> {
        let mut longest = PAUSE.0;
        let mut before = None;
        let waiting = self.shorter(access.attempt, 2); // ends while there is time for a last look
        loop {
            if let Some(lock) = access.share.store.try_lock(access.seal.name(), access.attempt)? {
                return Ok(Some(lock));
            }
            let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
            longest = (longest * 2).min(PAUSE.1);
            let continues = self.pause_within(pause, &waiting);
            let (look, asked) = access.read()?;
            let is_new = before.as_ref() != Some(&look.sealed);
            before = Some(look.sealed.clone());
            if (is_new && is_enough(&access.opened(look, asked))) || !continues {
                return Ok(None);
            }
        }
    }

    /// The same attempt, which ends earlier by a part of the reserve: an eighth of `timeout`, or half of what is left.
    fn shorter(&self, attempt: &Attempt, part: u32) -> Attempt {
        let left = attempt.deadline.saturating_sub(self.clock.boot());
        attempt.until(attempt.deadline.saturating_sub((self.rules.timeout / 8).min(RESERVE).min(left / 2) / part))
    }

    /// Pauses, if the attempt lasts longer. Returns whether it may continue.
    fn pause_within(&self, time: Duration, attempt: &Attempt) -> bool {
        self.clock.boot().saturating_add(time) < attempt.deadline && self.pause(time, attempt)
    }

    /// What the record says about this refresh; `None`: the gate must be asked.
    fn take(&self, looked: &Looked, session: &Session, held: Option<Held<'_>>) -> Option<Result<Fetch, Error>> {
        let Looked { record, asked, .. } = looked;
        let token = record.token.as_ref().filter(|shared| is_better(&shared.jwt, shared.life, held));
        if let Some(SharedToken { jwt, life }) = token {
            let lifetime = Lifetime::shared(*life, *asked).with_jitter(fastrand::f64());
            let (jwt, min_interval) = (jwt.clone(), record.interval);
            return Some(Ok(Fetch { jwt, lifetime, by: FetchedBy::Store, clock_skew_ms: None, min_interval }));
        }
        if let Some(Standing { times, left, error }) = record.refusal.as_ref().filter(|refusal| refusal.times > 0) {
            let until = asked.boot.saturating_add(*left);
            self.refusals.adopt(self.fingerprint(&session.credentials), *times, until, error);
            if !left.is_zero() {
                return Some(Err(error.clone().with_retry_after(Some(*left))));
            }
        }
        let failure = record.failure.as_ref().filter(|failure| !failure.left.is_zero())?;
        Some(Err(failure.error.clone().with_retry_after(Some(failure.left))))
    }

    /// Puts the result of a refresh into the record.
    fn record_result(&self, record: &mut Record, session: &Session, result: &Result<Fetch, Error>, asked: Now) {
        // All times in the record are relative to the moment of the look.
        let now = self.clock.boot();
        let since = now.saturating_sub(asked.boot);
        let from_look = |left: Duration| left.saturating_add(since);
        match result {
            Ok(fetch) => {
                record.token = Some(SharedToken { jwt: fetch.jwt.clone(), life: fetch.lifetime.to_share(asked.boot) });
                record.interval = from_look(fetch.min_interval);
                (record.failure, record.refusal) = (None, None);
            }
            Err(error) if error.status() == Status::Denied => {
                let refused = self.refusals.refused(self.fingerprint(&session.credentials), now);
                record.refusal =
                    refused.map(|(times, left)| Standing { times, left: from_look(left), error: error.clone() });
                record.failure = None;
            }
            Err(error) if is_shared(error) => {
                let times = record.failure.as_ref().map_or(0, |failure| failure.times).saturating_add(1);
                let pause = policy::cool_down(times, record.token.is_some(), fastrand::f64());
                let left = from_look(pause.max(error.retry_after().unwrap_or_default()));
                record.failure = Some(Standing { times, left, error: error.clone() });
            }
            Err(_) => {}
        }
    }
}

impl Access<'_> {
    /// Reads the record. A record that does not open counts as empty.
    fn look(&self) -> Result<Looked, Error> {
        let (look, asked) = self.read()?;
        Ok(self.opened(look, asked))
    }

    fn read(&self) -> Result<(Look, Now), Error> {
        let asked = self.clock.now(); // before: what is left of a token must not be too much
        Ok((self.share.store.read(self.seal.name(), self.attempt)?, asked))
    }

    fn opened(&self, look: Look, asked: Now) -> Looked {
        let opened = look.sealed.as_deref().map(|sealed| self.seal.open(sealed));
        let is_of_other_version = matches!(opened, Some(Opened::OtherVersion));
        let record = match opened {
            Some(Opened::Record(plain)) => Record::decode(&plain).map(|record| record.at(look.at)),
            _ => None,
        };
        let record = record.unwrap_or(Record { at: look.at, ..Record::default() });
        Looked { record, asked, is_of_other_version }
    }

    /// Publishes a record whose times are relative to the moment of its look.
    fn publish(&self, lock: &mut dyn Lock, record: Record, asked: Now) -> Result<(), Error> {
        let moment = record.at.after(self.clock.boot().saturating_sub(asked.boot));
        let record = record.at(moment);
        lock.publish(&self.seal.seal(record.encode())?, record.lasts(), self.attempt)
    }
}

/// Whether a shared token is better than the token that the handle has.
fn is_better(jwt: &Jwt, life: Life, held: Option<Held<'_>>) -> bool {
    match held {
        None => true,
        Some(held) if held.jwt == jwt.text() => false,
        Some(held) => held.left.is_zero() || (life.left > held.left && !life.due_in.is_zero()),
    }
}

/// Whether other processes would fail in the same way.
fn is_shared(error: &Error) -> bool {
    // Not `Tls`: the certificates and the clock of this machine may be the reason.
    use Status::{BadResponse, Gate, RateLimited, Timeout, Unreachable};
    matches!(error.status(), BadResponse | Gate | RateLimited | Timeout | Unreachable)
}

fn found(taken: Option<Result<Fetch, Error>>) -> Outcome {
    Outcome { result: taken.unwrap_or_else(|| Err(busy())), fault: None }
}

fn busy() -> Error {
    let message = "another process holds the lock of the shared store, and has not published a token within `timeout`";
    Error::new(Status::Timeout, message)
}

fn too_late() -> Error {
    let message = "too little of `timeout` was left for a request after the wait for the lock of the shared store";
    Error::new(Status::Timeout, message)
}

fn too_soon(left: Duration) -> Error {
    let message = "the shared token has expired, and the minimum interval since the last refresh of another process is \
                   not over; call again then";
    Error::new(Status::TooShort, message).with_retry_after(Some(left))
}
