//! The world of a simulation: its clock, its threads, and the state of the gate.
//!
//! Time passes only while a thread sleeps. Each refresh and each timer has a separate thread, but only one thread runs
//! at a time: the one whose sleep ends first. So each run of a seed is the same.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread::{self, Thread};

use fastrand::Rng;

use super::super::bench::NOW;
use super::*;
use crate::clock::Boot;
use crate::scheduler::{Background, Job};
use crate::sync::{Changes, Mutex, Weak};

/// The gate's clock when a world begins.
const GATE_MS: i64 = NOW * 1000;

pub(super) const YEARS_MS: i64 = 366 * 86_400_000;

/// The lives of tokens, in seconds; `None`: the token has no `exp`.
const LIVES: [Option<i64>; 15] = [
    Some(0),
    Some(1),
    Some(2),
    Some(9),
    Some(10),
    Some(11),
    Some(59),
    Some(60),
    Some(61),
    Some(3600),
    Some(86_400),
    Some(10 * 366 * 86_400),
    Some(-5),
    None,
    Some(i64::MAX),
];

thread_local! {
    /// The number of this thread in the world; 0: the thread of the test.
    pub(super) static ME: Cell<u64> = const { Cell::new(0) };
}

pub(super) struct World {
    pub(super) state: Mutex<Scene>,
}

#[derive(Default)]
pub(super) struct Scene {
    pub(super) rng: Rng,
    pub(super) boot: Boot,
    /// The wall clock minus the gate's clock, in milliseconds.
    pub(super) wrong_ms: i64,
    /// The thread that runs. All others are parked.
    pub(super) running: u64,
    pub(super) handles: BTreeMap<u64, Thread>,
    pub(super) threads: u64,
    /// When the thread of the test continues. No other thread runs later.
    end: Boot,
    /// The time at which each other sleeping thread continues.
    pub(super) sleepers: BTreeSet<(Boot, u64)>,
    pub(super) alive: BTreeSet<u64>,
    /// The threads that are timers of background handles.
    pub(super) timers: Vec<u64>,
    pub(super) can_make_threads: bool,
    pub(super) mood: Mood,
    pub(super) life: Option<i64>,
    pub(super) broken: Vec<String>,
    /// The refusals since the gate last accepted these credentials, or since they were set again.
    pub(super) refused: Vec<Refusal>,
    pub(super) good_password: String,
}

pub(super) struct Refusal {
    pub(super) credentials: String,
    /// When the password was sent.
    pub(super) sent: Boot,
    /// When the answer was received.
    pub(super) received: Boot,
    pub(super) http: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Mood {
    #[default]
    Well,
    Flaky,
    Dead,
    Silent,
    Busy,
    Portal,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<World> {
        let mut rng = Rng::with_seed(seed);
        let hour = 3_600_000;
        let wrong_ms = rng.choice([0, 0, 700, hour, -hour, 55 * YEARS_MS, -55 * YEARS_MS]).unwrap_or(0);
        let life = LIVES[rng.usize(..LIVES.len())];
        let state = Scene {
            rng,
            boot: Duration::from_secs(77),
            wrong_ms,
            can_make_threads: true,
            life,
            good_password: "p0".to_owned(),
            ..Scene::default()
        };
        Arc::new(World { state: Mutex::new(state) })
    }

    pub(super) fn look<R>(&self, f: impl FnOnce(&mut Scene) -> R) -> R {
        f(&mut lock(&self.state))
    }

    /// Lets the next thread run, and parks this one until it may run again.
    fn sleep_until_it_runs(&self, me: u64) {
        self.look(|state| state.handles.insert(me, thread::current()));
        self.run_next();
        self.park_until_it_runs(me);
    }

    fn run_next(&self) {
        let next = self.look(|state| {
            state.running = state.next();
            state.handles.get(&state.running).cloned()
        });
        next.iter().filter(|next| next.id() != thread::current().id()).for_each(|next| next.unpark());
    }

    fn park_until_it_runs(&self, me: u64) {
        while self.look(|state| state.running) != me {
            thread::park();
        }
    }

    /// Adds a thread to the world. It starts when the thread of the test sleeps next.
    pub(super) fn spawn(self: &Arc<Self>, body: impl FnOnce() + Send + 'static) -> u64 {
        let (me, seed) = self.look(|state| {
            state.threads += 1;
            let me = state.threads;
            state.sleepers.insert((state.boot, me));
            state.alive.insert(me);
            (me, state.rng.u64(..))
        });
        let world = self.clone();
        let spawned = thread::spawn(move || {
            ME.set(me);
            fastrand::seed(seed);
            world.park_until_it_runs(me);
            body();
            world.look(|state| {
                state.alive.remove(&me);
                state.handles.remove(&me);
            });
            world.run_next();
        });
        self.look(|state| state.handles.insert(me, spawned.thread().clone()));
        me
    }

    /// Ends the sleep of this thread immediately.
    pub(super) fn wake(&self, thread: u64) {
        self.look(|state| {
            let before = state.sleepers.iter().find(|(_, sleeper)| *sleeper == thread).copied();
            if let Some(before) = before.filter(|(time, _)| *time > state.boot) {
                state.sleepers.remove(&before);
                state.sleepers.insert((state.boot, thread));
            }
        });
    }

    /// Lets time pass for the thread of the test. The other threads run during this time.
    pub(super) fn pass(&self, time: Duration) {
        let end = self.look(|state| {
            state.end = state.boot.saturating_add(time);
            state.end
        });
        self.sleep_until_it_runs(0);
        self.look(|state| state.boot = state.boot.max(end));
    }

    pub(super) fn gate_ms(&self) -> i64 {
        self.look(|state| state.gate_ms())
    }

    pub(super) fn broken(&self, what: String) {
        self.look(|state| state.broken.push(what));
    }
}

impl Scene {
    /// Chooses the thread that runs next: the first that wakes while the thread of the test sleeps, or that thread.
    fn next(&mut self) -> u64 {
        match self.sleepers.pop_first() {
            Some((at, thread)) if at <= self.end => {
                self.boot = self.boot.max(at);
                thread
            }
            later => {
                self.sleepers.extend(later);
                0
            }
        }
    }

    pub(super) fn gate_ms(&self) -> i64 {
        GATE_MS.saturating_add(millis(self.boot))
    }

    /// Checks that a refused password is sent again only after its pause.
    pub(super) fn check_refusals(&self) -> Option<String> {
        let mut passwords: Vec<&String> = self.refused.iter().map(|refusal| &refusal.credentials).collect();
        passwords.sort();
        passwords.dedup();
        passwords.into_iter().find_map(|password| {
            let refusals: Vec<_> = self.refused.iter().filter(|refusal| refusal.credentials == *password).collect();
            refusals.windows(2).zip(1..).find_map(|(pair, n)| {
                let (after, pause) = (pair[1].sent - pair[0].sent, crate::policy::refusal_pause(n, Some(pair[0].http)));
                (after < pause).then(|| format!("a password was sent again {after:?} after refusal number {n}"))
            })
        })
    }
}

impl Clock for Arc<World> {
    fn boot(&self) -> Boot {
        self.look(|state| state.boot)
    }

    fn wall_ms(&self) -> i64 {
        self.look(|state| state.gate_ms().saturating_add(state.wrong_ms))
    }

    fn sleep(&self, time: Duration) {
        match ME.get() {
            0 => self.pass(time),
            me => {
                self.look(|state| state.sleepers.insert((state.boot.saturating_add(time), me)));
                self.sleep_until_it_runs(me);
            }
        }
    }

    /// Time passes only while a thread sleeps. Therefore a waiter sleeps, and checks for a change afterwards.
    fn wait(&self, _: &Changes, _: u64, at_most: Duration) {
        self.sleep(at_most);
    }
}

impl Runner for Arc<World> {
    fn run(&self, job: Job) -> Result<(), Job> {
        if !self.look(|state| state.can_make_threads) {
            return Err(job);
        }
        self.spawn(job);
        Ok(())
    }

    fn register(&self, handle: Weak<dyn Background>) -> u64 {
        let world = self.clone();
        let thread = self.spawn(move || {
            while let Some(next) = handle.upgrade().and_then(Background::tick) {
                world.sleep(next.saturating_sub(world.boot()).min(Duration::from_secs(100 * 86_400)));
            }
        });
        self.look(|state| state.timers.push(thread));
        thread
    }

    fn check_soon(&self, number: u64) {
        self.wake(number);
    }

    fn check_all(&self) {
        self.look(|state| state.timers.clone()).into_iter().for_each(|thread| self.wake(thread));
    }

    fn unregister(&self, number: u64) {
        self.wake(number);
    }
}
