//! Runs refreshes: each on a separate thread, or on one of the threads of the background refresh.
//!
//! All background handles of a process share one timer and at most [`MOST`] threads. One thread sleeps until the next
//! check of a handle. If several checks are due at the same time, the library starts more threads, which end when they
//! have nothing to do. A refresh that a call starts has a separate thread, so it never waits for one of these.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::{Boot, Clock, System};
use crate::process::{self, PerProcess};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, Weak, lock, wait};

/// One refresh, ready to run.
pub type Job = Box<dyn FnOnce() + Send>;

/// A handle with background refresh.
pub trait Background: Send + Sync {
    /// Refreshes the token if it is due, on this thread. Returns the time of the next check; `None`: no check.
    fn tick(self: Arc<Self>) -> Option<Boot>;
}

/// Runs refreshes.
pub trait Runner: Send + Sync {
    /// Runs the job, now or later, on this thread or another one. Returns the job if it cannot run it.
    fn run(&self, job: Job) -> Result<(), Job>;

    /// Checks this background handle from now on. Returns its number, or 0.
    fn register(&self, _handle: Weak<dyn Background>) -> u64 {
        0
    }

    /// Checks this handle soon, because its state has changed.
    fn check_soon(&self, _number: u64) {}

    /// Checks every handle soon.
    fn check_all(&self) {}

    /// Stops checking this handle.
    fn unregister(&self, _number: u64) {}
}

/// A thread for each refresh, and the timer of the background handles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

static TIMER: PerProcess<Timer> = PerProcess::new();

impl Runner for Threads {
    fn run(&self, job: Job) -> Result<(), Job> {
        process::spawn(job)
    }

    fn register(&self, handle: Weak<dyn Background>) -> u64 {
        let timer = TIMER.get();
        let mut queue = lock(&timer.queue);
        queue.count += 1;
        let number = queue.count;
        queue.handles.insert(number, Handle { handle, when: None });
        queue.put(number, Boot::ZERO);
        timer.serve(queue);
        number
    }

    fn check_soon(&self, number: u64) {
        let timer = TIMER.get();
        let mut queue = lock(&timer.queue);
        queue.put(number, Boot::ZERO);
        timer.serve(queue);
    }

    fn check_all(&self) {
        let timer = TIMER.get();
        let mut queue = lock(&timer.queue);
        if !queue.handles.is_empty() {
            queue.put_all();
            timer.serve(queue);
        }
    }

    fn unregister(&self, number: u64) {
        let timer = TIMER.get();
        let mut queue = lock(&timer.queue);
        if let Some(when) = queue.handles.remove(&number).and_then(|handle| handle.when) {
            queue.times.remove(&(when, number));
        }
        if queue.handles.is_empty() {
            timer.changed.notify_all(); // the sleeping thread has nothing to do
        }
    }
}

/// The maximum number of threads for the background handles of a process.
const MOST: usize = 4;

/// The longest sleep: the condition variable's clock stops during a suspend, and the handles' clock does not.
const SLICE: Duration = Duration::from_secs(5);

/// A jump of the wall clock after which every handle is checked.
const JUMP_MS: u64 = 5000;

#[derive(Default)]
struct Timer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    count: u64,
    handles: BTreeMap<u64, Handle>,
    /// The time of each handle's next check, except for handles under check now.
    times: BTreeSet<(Boot, u64)>,
    threads: usize,
    /// Whether a thread sleeps until the first of the times.
    has_sleeper: bool,
    offset_ms: i64,
}

struct Handle {
    handle: Weak<dyn Background>,
    /// The time of the next check; `None`: it is under check now.
    when: Option<Boot>,
}

impl Queue {
    /// Schedules a check of the handle, also if another thread checks it now.
    fn put(&mut self, number: u64, when: Boot) {
        let Some(handle) = self.handles.get_mut(&number) else { return };
        if let Some(before) = handle.when.replace(when) {
            self.times.remove(&(before, number));
        }
        self.times.insert((when, number));
    }

    /// Takes the first handle whose check is due.
    fn take(&mut self, now: Boot) -> Option<(u64, Weak<dyn Background>)> {
        let (when, number) = *self.times.first()?;
        if when > now {
            return None;
        }
        self.times.pop_first();
        let handle = self.handles.get_mut(&number)?;
        handle.when = None;
        Some((number, handle.handle.clone()))
    }

    /// Schedules a check of all handles if the wall clock has jumped.
    fn check_the_clock(&mut self, offset_ms: i64) {
        if offset_ms.abs_diff(std::mem::replace(&mut self.offset_ms, offset_ms)) > JUMP_MS {
            self.put_all();
        }
    }

    /// Schedules a check of every handle now.
    fn put_all(&mut self) {
        let numbers: Vec<u64> = self.handles.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.put(number, Boot::ZERO));
    }
}

impl Timer {
    /// Wakes the sleeping thread, or starts one more.
    fn serve(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        if queue.has_sleeper {
            self.changed.notify_one();
        } else if queue.threads < MOST {
            queue.threads += 1;
            drop(queue);
            let timer = self.clone();
            if process::spawn(move || timer.work()).is_err() {
                lock(&self.queue).threads -= 1; // a call that finds its token due still refreshes it
            }
        }
    }

    /// Runs one thread, until there is nothing to do, or another thread waits for the next check.
    fn work(self: Arc<Self>) {
        let mut queue = lock(&self.queue);
        while !queue.handles.is_empty() {
            let now = System.now();
            queue.check_the_clock(now.offset_ms());
            if let Some((number, handle)) = queue.take(now.boot) {
                // While this thread is busy, another one waits for the next check.
                if queue.times.is_empty() {
                    drop(queue)
                } else {
                    self.serve(queue)
                }
                let check = |handle: Arc<dyn Background>| {
                    process::caught(|| handle.tick()).unwrap_or(Some(now.boot.saturating_add(SLICE)))
                };
                let next = handle.upgrade().and_then(check);
                queue = lock(&self.queue);
                match next {
                    None => drop(queue.handles.remove(&number)),
                    // If another thread has scheduled a check during this one, the time of that check stays.
                    Some(when) if queue.handles.get(&number).is_some_and(|handle| handle.when.is_none()) => {
                        queue.put(number, when);
                    }
                    Some(_) => {}
                }
            } else if queue.has_sleeper || queue.times.is_empty() {
                // The other thread may wait for a later check than the next check of this handle.
                self.changed.notify_one();
                break;
            } else {
                let first = queue.times.first().map_or(Boot::MAX, |(when, _)| *when);
                queue.has_sleeper = true;
                queue = wait(&self.changed, queue, first.saturating_sub(now.boot).min(SLICE));
                queue.has_sleeper = false;
            }
        }
        queue.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicUsize, Ordering};

    /// Counts its checks, and requests no further check.
    #[derive(Default)]
    struct Checked {
        checks: AtomicUsize,
        panics: bool,
    }

    impl Background for Checked {
        fn tick(self: Arc<Self>) -> Option<Boot> {
            assert!(self.checks.fetch_add(1, Ordering::Relaxed) > 0 || !self.panics, "a bug");
            Some(Boot::MAX)
        }
    }

    fn wait_for(handle: &Checked, checks: usize) {
        for _ in 0..60_000 {
            if handle.checks.load(Ordering::Relaxed) >= checks {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no thread checks the handle");
    }

    fn registered(handle: &Arc<Checked>) -> u64 {
        let weak: Weak<Checked> = Arc::downgrade(handle);
        Threads.register(weak)
    }

    #[test]
    fn check_all_checks_every_handle() {
        let handles: [Arc<Checked>; 10] = Default::default();
        let numbers = handles.each_ref().map(registered);
        handles.iter().for_each(|handle| wait_for(handle, 1));
        Threads.check_all();
        handles.iter().for_each(|handle| wait_for(handle, 2));
        Threads.check_soon(numbers[3]);
        wait_for(&handles[3], 3);
        Threads.unregister(numbers[3]);
        Threads.check_soon(numbers[3]);
        Threads.check_all();
        handles.iter().enumerate().filter(|(n, _)| *n != 3).for_each(|(_, handle)| wait_for(handle, 3));
        assert_eq!(handles[3].checks.load(Ordering::Relaxed), 3, "it was unregistered");
        numbers.into_iter().for_each(|number| Threads.unregister(number));
    }

    #[test]
    fn a_handle_that_panics_is_checked_again() {
        let handle = Arc::new(Checked { panics: true, ..Checked::default() });
        let number = registered(&handle);
        wait_for(&handle, 2);
        Threads.unregister(number);
    }
}
