//! A store in memory, for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Lock, Look, Moment, Store, fault};
use crate::attempt::Attempt;
use crate::clock::{Boot, Clock};
use crate::error::Error;
use crate::sync::{Arc, Mutex, lock};

/// A server that several handles use.
#[derive(Clone)]
pub struct Memory {
    clock: Arc<dyn Clock>,
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    /// The records, and when they are deleted.
    pub records: BTreeMap<String, (Vec<u8>, Boot)>,
    /// For each lock: the number of its holder, and its end.
    pub locks: BTreeMap<String, (u64, Boot)>,
    /// How many locks were taken.
    pub taken: u64,
    /// Each use fails.
    pub is_down: bool,
    /// How many records were published.
    pub published: u64,
}

impl Memory {
    pub fn new(clock: Arc<dyn Clock>) -> Memory {
        Memory { clock, state: Arc::default() }
    }

    fn reach<R>(&self, use_it: impl FnOnce(&mut State, Boot) -> R) -> Result<R, Error> {
        let mut state = lock(&self.state);
        if state.is_down {
            return Err(fault("the store is down"));
        }
        Ok(use_it(&mut state, self.clock.boot()))
    }
}

impl Store for Memory {
    fn read(&self, name: &str, _: &Attempt) -> Result<Look, Error> {
        self.reach(|state, now| {
            let sealed = state.records.get(name).filter(|(_, end)| *end > now).map(|(sealed, _)| sealed.clone());
            let ms = i64::try_from(now.as_millis()).unwrap();
            Look { sealed, at: Moment { clock: [1; 16], ms, wall_ms: self.clock.wall_ms() } }
        })
    }

    fn try_lock(&self, name: &str, attempt: &Attempt) -> Result<Option<Box<dyn Lock + '_>>, Error> {
        self.reach(|state, now| {
            if state.locks.get(name).is_some_and(|(_, end)| *end > now) {
                return None;
            }
            state.taken += 1;
            let number = state.taken;
            state.locks.insert(name.to_owned(), (number, attempt.deadline + Duration::from_secs(5)));
            Some(Box::new(Locked { memory: self.clone(), name: name.to_owned(), number }) as Box<dyn Lock>)
        })
    }

    fn for_child(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }
}

struct Locked {
    memory: Memory,
    name: String,
    number: u64,
}

impl Lock for Locked {
    fn publish(&mut self, sealed: &[u8], lasts: Duration, _: &Attempt) -> Result<(), Error> {
        let Locked { name, number, .. } = &*self;
        self.memory.reach(|state, now| {
            if state.locks.get(name).is_none_or(|(holder, end)| holder != number || *end <= now) {
                return Err(fault("the lock has run out"));
            }
            state.published += 1;
            state.records.insert(name.clone(), (sealed.to_vec(), now + lasts));
            Ok(())
        })?
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // as if the process were killed
        }
        let Locked { memory, name, number } = self;
        let free = memory.reach(|state, _| state.locks.retain(|of, (holder, _)| of != name || holder != number));
        free.ok(); // the lock runs out
    }
}
