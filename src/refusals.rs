//! The refused credentials of the process. All handles share them, so that a wrong password does not lock the account.
//!
//! A refused password is not sent again before a pause, which grows with each refusal of any status
//! ([`policy::refusal_pause`]). A password that is not known to be right is sent by one handle at a time; the other
//! handles wait for the result. The key of an entry is a keyed hash of gate, user and password, which reveals none of
//! them. The table is replaced as a whole, without a lock, so that a child process can take it over.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::clock::Boot;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::policy;
use crate::process;
use crate::sync::Arc;

/// Identifies a gate, a user and a password within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// The refusals of a process.
#[derive(Default)]
pub struct Refusals(ArcSwapOption<Table>);

/// The refusals of this process.
pub static OF_THIS_PROCESS: Refusals = Refusals(ArcSwapOption::const_empty());

/// Whether a password may be sent now.
pub enum Turn<'a> {
    /// Yes. Report the result to the `Try`.
    Go(Try<'a>),
    /// Not yet: another handle tries this password now.
    Wait,
    /// No: it was refused. The error has the remaining pause.
    Refused(Error),
}

/// The permission to send a password once. If it is dropped without a result, it has no effect.
pub struct Try<'a> {
    refusals: &'a Refusals,
    fingerprint: Fingerprint,
    number: u64,
}

#[derive(Clone, Default)]
struct Table {
    hasher: RandomState,
    tries: u64,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    fingerprint: Fingerprint,
    /// The time at which the gate last accepted it.
    proven: Option<Boot>,
    refused: Option<Refused>,
    /// The try that other handles wait for.
    trying: Option<Trying>,
}

#[derive(Clone)]
struct Trying {
    epoch: u32,
    number: u64,
    /// The time by which the try must end.
    limit: Boot,
}

#[derive(Clone)]
struct Refused {
    times: u32,
    until: Boot,
    error: Error,
}

/// For this long after the gate accepted a password, many handles may send it at the same time.
const PROVEN: Duration = Duration::from_secs(60);

/// A refusal is forgotten this long after the end of its pause.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

impl Refusals {
    /// Identifies these credentials at this gate.
    pub fn fingerprint(&self, gate: &str, credentials: &Credentials) -> Fingerprint {
        let key = (gate, credentials.username.expose(), credentials.password.expose());
        let of = |table: &Table| Fingerprint(table.hasher.hash_one(key));
        let made = self.0.load().as_deref().map(of);
        made.unwrap_or_else(|| self.change(|table| of(table)))
    }

    /// Asks for permission to send them. The try must end by `limit`.
    pub fn ask(&self, fingerprint: Fingerprint, now: Boot, limit: Boot) -> Turn<'_> {
        // The number of the try, or None to wait. The `Try` is made only from the final result: the drop of an earlier
        // one would end the try of another thread that has the same number.
        let answer = self.change(|table| {
            table.entries.retain(|entry| entry.matters(now));
            table.tries += 1;
            let number = table.tries;
            let entry = table.entry(fingerprint);
            if let Some(error) = entry.standing(now) {
                return Err(error);
            }
            if entry.proven.is_none_or(|at| at + PROVEN <= now) {
                // A thread of the parent process does not exist in this process, so it never reports a result. A thread
                // that hangs may never report one.
                let epoch = process::epoch();
                if entry.trying.as_ref().is_some_and(|trying| trying.epoch == epoch && now < trying.limit) {
                    return Ok(None);
                }
                entry.trying = Some(Trying { epoch, number, limit });
            }
            Ok(Some(number))
        });
        match answer {
            Ok(Some(number)) => Turn::Go(Try { refusals: self, fingerprint, number }),
            Ok(None) => Turn::Wait,
            Err(error) => Turn::Refused(error),
        }
    }

    /// The present refusal, with its remaining pause.
    pub fn standing(&self, fingerprint: Fingerprint, now: Boot) -> Option<Error> {
        self.0.load().as_ref()?.find(fingerprint)?.standing(now)
    }

    /// The number of refusals in a row, and what is left of the pause; `None`: they are not refused.
    pub fn refused(&self, fingerprint: Fingerprint, now: Boot) -> Option<(u32, Duration)> {
        let table = self.0.load();
        let refused = table.as_ref()?.find(fingerprint)?.refused.as_ref()?;
        Some((refused.times, refused.until.saturating_sub(now)))
    }

    /// Takes over the refusals that another process got, unless this process knows more.
    pub fn adopt(&self, fingerprint: Fingerprint, times: u32, until: Boot, error: &Error) {
        self.change(|table| {
            let known = &mut table.entry(fingerprint).refused;
            if known.as_ref().is_none_or(|known| (known.times, known.until) < (times, until)) {
                *known = Some(Refused { times, until, error: error.clone() });
            }
        });
    }

    /// Forgets the refusals of these credentials: the program has set them again.
    pub fn forget(&self, fingerprint: Fingerprint) {
        self.change(|table| table.entry(fingerprint).refused = None);
    }

    /// Changes the table. `change` may run more than once, each time on the newest table. All results but the last are
    /// dropped, so the drop of a result must have no effect.
    fn change<R>(&self, change: impl Fn(&mut Table) -> R) -> R {
        loop {
            let before = self.0.load();
            let mut table = before.as_deref().cloned().unwrap_or_default();
            let result = change(&mut table);
            let found = self.0.compare_and_swap(&*before, Some(Arc::new(table)));
            if found.as_ref().map(Arc::as_ptr) == before.as_ref().map(Arc::as_ptr) {
                return result;
            }
        }
    }
}

impl Table {
    fn find(&self, fingerprint: Fingerprint) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.fingerprint == fingerprint)
    }

    fn entry(&mut self, fingerprint: Fingerprint) -> &mut Entry {
        let place = self.entries.iter().position(|entry| entry.fingerprint == fingerprint).unwrap_or_else(|| {
            self.entries.push(Entry { fingerprint, proven: None, refused: None, trying: None });
            self.entries.len() - 1
        });
        #[allow(clippy::indexing_slicing)] // the lines above have found or added this entry
        &mut self.entries[place]
    }
}

impl Entry {
    fn standing(&self, now: Boot) -> Option<Error> {
        let refused = self.refused.as_ref().filter(|refused| refused.until > now)?;
        Some(refused.error.clone().with_retry_after(Some(refused.until - now)))
    }

    fn matters(&self, now: Boot) -> bool {
        self.trying.is_some()
            || self.proven.is_some_and(|at| at + PROVEN > now)
            || self.refused.as_ref().is_some_and(|refused| refused.until + REMEMBERED > now)
    }
}

impl Try<'_> {
    /// The gate accepted it.
    pub fn proven(&self, now: Boot) {
        self.refusals.change(|table| {
            let entry = table.entry(self.fingerprint);
            (entry.proven, entry.refused) = (Some(now), None);
        });
    }

    /// The gate refused it. Returns the error with the pause.
    pub fn refused(&self, error: Error, now: Boot) -> Error {
        self.refusals.change(|table| {
            let entry = table.entry(self.fingerprint);
            entry.proven = None;
            let before = entry.refused.take();
            // If many handles sent it at the same time, their refusals count as one.
            let refused = before.as_ref().filter(|before| before.until > now).cloned().unwrap_or_else(|| {
                let times = before.map_or(0, |before| before.times).saturating_add(1);
                let until = now + policy::refusal_pause(times, error.http_status());
                Refused { times, until, error: error.clone() }
            });
            let until = refused.until;
            entry.refused = Some(refused);
            error.clone().with_retry_after(Some(until - now))
        })
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.refusals.change(|table| {
            let entry = table.entry(self.fingerprint);
            entry.trying = entry.trying.take().filter(|trying| trying.number != self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;
    use crate::secret::Secret;

    fn s(seconds: u64) -> Boot {
        Duration::from_secs(seconds)
    }

    fn credentials(password: &str) -> Credentials {
        Credentials::new(Secret::new("bot".to_owned()), Secret::new(password.to_owned()))
    }

    fn sent(turn: Turn<'_>) -> Try<'_> {
        match turn {
            Turn::Go(permission) => permission,
            Turn::Wait => panic!("the turn is Wait"),
            Turn::Refused(error) => panic!("{error}"),
        }
    }

    /// Asks for a try of 30 s.
    fn ask(refusals: &Refusals, print: Fingerprint, now: Boot) -> Turn<'_> {
        refusals.ask(print, now, now + s(30))
    }

    fn denied() -> Error {
        Error::new(Status::Denied, "no").with_http_status(401)
    }

    #[test]
    fn a_fingerprint_depends_on_gate_user_and_password() {
        let refusals = Refusals::default();
        let of = |gate, password| refusals.fingerprint(gate, &credentials(password));
        assert_eq!(of("g", "p"), of("g", "p"));
        assert_ne!(of("g", "p"), of("h", "p"));
        assert_ne!(of("g", "p"), of("g", "q"));
        assert_ne!(of("g", "p"), Refusals::default().fingerprint("g", &credentials("p")), "each table has its own key");
    }

    #[test]
    fn a_refused_password_is_sent_again_on_schedule_and_another_one_immediately() {
        let refusals = Refusals::default();
        let print = refusals.fingerprint("g", &credentials("p"));
        let mut now = s(0);
        for pause in [30, 300, 3600, 7200] {
            let permission = sent(ask(&refusals, print, now));
            assert_eq!(permission.refused(denied(), now).retry_after(), Some(s(pause)));
            drop(permission);
            assert!(
                matches!(ask(&refusals, print, now + s(pause - 1)), Turn::Refused(error) if error.retry_after() == Some(s(1)))
            );
            assert_eq!(refusals.standing(print, now).unwrap().http_status(), Some(401));
            sent(ask(&refusals, refusals.fingerprint("g", &credentials("other")), now));
            now += s(pause);
        }
        assert_eq!(refusals.standing(print, now), None);
        sent(ask(&refusals, print, now)).proven(now);
        let permission = sent(ask(&refusals, print, now));
        assert_eq!(permission.refused(denied(), now).retry_after(), Some(s(30)), "the earlier refusals are forgotten");
        drop(permission);
        refusals.forget(print);
        sent(ask(&refusals, print, now));
    }

    #[test]
    fn refusals_of_all_statuses_count_and_the_status_of_the_last_one_decides() {
        let refusals = Refusals::default();
        let print = refusals.fingerprint("g", &credentials("p"));
        let mut now = s(0);
        for (http, pause) in
            [(403, 30), (403, 300), (403, 300), (401, 7200), (403, 300), (400, 28_800), (401, 57_600), (403, 300)]
        {
            let error = Error::new(Status::Denied, "no").with_http_status(http);
            let permission = sent(ask(&refusals, print, now));
            assert_eq!(permission.refused(error, now).retry_after(), Some(s(pause)), "{http}");
            now += s(pause);
        }
    }

    #[test]
    fn an_unproven_password_is_sent_by_one_handle_at_a_time_and_a_proven_one_by_all() {
        let refusals = Refusals::default();
        let print = refusals.fingerprint("g", &credentials("p"));
        let first = sent(ask(&refusals, print, s(0)));
        assert!(matches!(ask(&refusals, print, s(0)), Turn::Wait));
        drop(first); // there is no result, so the next handle tries
        let second = sent(ask(&refusals, print, s(0)));
        second.proven(s(0));
        let many = [sent(ask(&refusals, print, s(59))), sent(ask(&refusals, print, s(59)))];
        for permission in &many {
            assert_eq!(
                permission.refused(denied(), s(60)).retry_after(),
                Some(s(30)),
                "refusals at the same time count as one"
            );
        }
        drop(many);
        drop(second);
        let later = sent(ask(&refusals, print, s(90)));
        assert!(matches!(ask(&refusals, print, s(90)), Turn::Wait), "the password was proven too long ago");
        assert_eq!(later.refused(denied(), s(90)).retry_after(), Some(s(300)));
    }

    #[test]
    fn no_handle_waits_for_a_try_that_hangs_past_its_limit() {
        let refusals = Refusals::default();
        let print = refusals.fingerprint("g", &credentials("p"));
        let hanging = sent(ask(&refusals, print, s(0)));
        assert!(matches!(ask(&refusals, print, s(29)), Turn::Wait));
        let second = sent(ask(&refusals, print, s(30)));
        drop(hanging);
        assert!(matches!(ask(&refusals, print, s(31)), Turn::Wait), "the end of the first try does not end the second");
        drop(second);
    }

    #[test]
    fn an_entry_without_effect_is_dropped() {
        let refusals = Refusals::default();
        let entries = || refusals.0.load().as_ref().unwrap().entries.len();
        for n in 0..10 {
            let print = refusals.fingerprint("g", &credentials(&n.to_string()));
            sent(ask(&refusals, print, s(0))).proven(s(0));
        }
        assert_eq!(entries(), 10);
        sent(ask(&refusals, refusals.fingerprint("g", &credentials("x")), s(61)));
        assert_eq!(entries(), 1);
    }

    /// Many rounds, because a thread that loses the race to change the table must lose it at the right moment.
    #[test]
    fn threads_that_ask_at_the_same_time_get_one_permission() {
        for round in 0..500 {
            let refusals = Refusals::default();
            let print = refusals.fingerprint("g", &credentials("p"));
            let barrier = std::sync::Barrier::new(8);
            let turns = std::thread::scope(|scope| {
                let ask = || {
                    barrier.wait();
                    ask(&refusals, print, s(0))
                };
                let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
                asked.into_iter().map(|asked| asked.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(turns.iter().filter(|turn| matches!(turn, Turn::Go(_))).count(), 1, "round {round}");
        }
    }
}
