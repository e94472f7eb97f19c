//! Who runs a refresh: a thread of the library for its length, or one of the few that serve the background handles.
//!
//! All background handles of a process share one timer and at most [`MOST`] threads: one sleeps until the next handle
//! is to be looked at; where several are at once, more threads come, and go when nothing is left to do. A caller's own
//! refresh has a thread of its own, and so never waits for one of these.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::{Boot, Clock, System};
use crate::process::{self, PerProcess};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, Weak, lock, wait};

/// One refresh, ready to run.
pub type Job = Box<dyn FnOnce() + Send>;

/// A handle that is refreshed with no call needed.
pub trait Background: Send + Sync {
    /// Refreshes what is due, on this thread. When to look again; `None`: never.
    fn tick(self: Arc<Self>) -> Option<Boot>;
}

/// Runs refreshes.
pub trait Runner: Send + Sync {
    /// Runs the job, now or later, on this thread or another; gives it back where it cannot.
    fn run(&self, job: Job) -> Result<(), Job>;

    /// Looks after a background handle from now on. The number that it is known by, or 0.
    fn register(&self, _handle: Weak<dyn Background>) -> u64 {
        0
    }

    /// Looks at that handle soon, for something about it has changed.
    fn check_soon(&self, _number: u64) {}

    /// Looks at every handle soon.
    fn check_all(&self) {}

    /// Looks at that handle no more.
    fn unregister(&self, _number: u64) {}
}

/// A thread for each refresh, for its length; and the timer of the background handles.
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
            timer.changed.notify_all(); // the thread that sleeps has nothing to wake up for
        }
    }
}

/// The most threads that the background handles of a process have.
const MOST: usize = 4;

/// The longest sleep: the condition variable's clock stops in suspend, and the handles' does not.
const SLICE: Duration = Duration::from_secs(5);

/// A jump of the wall clock after which every handle is looked at.
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
    /// When each is to be looked at, but those that are looked at now.
    times: BTreeSet<(Boot, u64)>,
    threads: usize,
    /// Whether one of them sleeps until the first of the times.
    watched: bool,
    offset_ms: i64,
}

struct Handle {
    handle: Weak<dyn Background>,
    /// When it is to be looked at; `None`: it is looked at now.
    when: Option<Boot>,
}

impl Queue {
    /// Has a handle looked at then, be it looked at by another thread now.
    fn put(&mut self, number: u64, when: Boot) {
        let Some(handle) = self.handles.get_mut(&number) else { return };
        if let Some(before) = handle.when.replace(when) {
            self.times.remove(&(before, number));
        }
        self.times.insert((when, number));
    }

    /// Takes the first handle whose time has come.
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

    /// Looks at all handles where the wall clock has jumped.
    fn check_the_clock(&mut self, offset_ms: i64) {
        if offset_ms.abs_diff(std::mem::replace(&mut self.offset_ms, offset_ms)) > JUMP_MS {
            self.put_all();
        }
    }

    /// Has every handle looked at now.
    fn put_all(&mut self) {
        let numbers: Vec<u64> = self.handles.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.put(number, Boot::ZERO));
    }
}

impl Timer {
    /// Sees to it that a thread comes: one that sleeps is woken, or one more is made.
    fn serve(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        if queue.watched {
            self.changed.notify_one();
        } else if queue.threads < MOST {
            queue.threads += 1;
            drop(queue);
            let timer = self.clone();
            if process::spawn(move || timer.work()).is_err() {
                lock(&self.queue).threads -= 1; // whoever finds his token due refreshes it all the same
            }
        }
    }

    /// The life of one thread: until there is nothing to do that another does not wait for.
    fn work(self: Arc<Self>) {
        let mut queue = lock(&self.queue);
        while !queue.handles.is_empty() {
            let now = System.now();
            queue.check_the_clock(now.offset_ms());
            if let Some((number, handle)) = queue.take(now.boot) {
                // While this thread is busy, another watches the rest.
                if queue.times.is_empty() {
                    drop(queue)
                } else {
                    self.serve(queue)
                }
                let look = |handle: Arc<dyn Background>| {
                    process::caught(|| handle.tick()).unwrap_or(Some(now.boot.saturating_add(SLICE)))
                };
                let next = handle.upgrade().and_then(look);
                queue = lock(&self.queue);
                match next {
                    None => drop(queue.handles.remove(&number)),
                    // Where somebody has asked for another look meanwhile, that look says when the next is.
                    Some(when) if queue.handles.get(&number).is_some_and(|handle| handle.when.is_none()) => {
                        queue.put(number, when);
                    }
                    Some(_) => {}
                }
            } else if queue.watched || queue.times.is_empty() {
                self.changed.notify_one(); // what this thread has put may be sooner than what that one waits for
                break;
            } else {
                let first = queue.times.first().map_or(Boot::MAX, |(when, _)| *when);
                queue.watched = true;
                queue = wait(&self.changed, queue, first.saturating_sub(now.boot).min(SLICE));
                queue.watched = false;
            }
        }
        queue.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicUsize, Ordering};

    /// Counts how often it is looked at, and never wants another look.
    #[derive(Default)]
    struct Looked {
        looks: AtomicUsize,
        panics: bool,
    }

    impl Background for Looked {
        fn tick(self: Arc<Self>) -> Option<Boot> {
            assert!(self.looks.fetch_add(1, Ordering::Relaxed) > 0 || !self.panics, "a bug");
            Some(Boot::MAX)
        }
    }

    fn wait_for(handle: &Looked, looks: usize) {
        for _ in 0..60_000 {
            if handle.looks.load(Ordering::Relaxed) >= looks {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nobody looks");
    }

    fn watched(handle: &Arc<Looked>) -> u64 {
        let weak: Weak<Looked> = Arc::downgrade(handle);
        Threads.register(weak)
    }

    #[test]
    fn every_handle_is_looked_at_when_all_are_to_be() {
        let handles: [Arc<Looked>; 10] = Default::default();
        let numbers = handles.each_ref().map(watched);
        handles.iter().for_each(|handle| wait_for(handle, 1));
        Threads.check_all();
        handles.iter().for_each(|handle| wait_for(handle, 2));
        Threads.check_soon(numbers[3]);
        wait_for(&handles[3], 3);
        Threads.unregister(numbers[3]);
        Threads.check_soon(numbers[3]);
        Threads.check_all();
        handles.iter().enumerate().filter(|(n, _)| *n != 3).for_each(|(_, handle)| wait_for(handle, 3));
        assert_eq!(handles[3].looks.load(Ordering::Relaxed), 3, "it was to be forgotten");
        numbers.into_iter().for_each(|number| Threads.unregister(number));
    }

    #[test]
    fn a_handle_that_panics_is_looked_at_again() {
        let handle = Arc::new(Looked { panics: true, ..Looked::default() });
        let number = watched(&handle);
        wait_for(&handle, 2);
        Threads.unregister(number);
    }
}
