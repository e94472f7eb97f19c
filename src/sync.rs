//! Locks, atomics and [`Changes`]. The models replace std's locks and atomics with a model checker's here.
//!
//! With the feature `shuttle`, the state that threads of a handle share uses shuttle's types: `auth/model.rs` runs it
//! in many orders. `Arc` and the atomics of statics stay std's, because a static outlives a run of the model.
//!
//! [`lock`] also takes a lock that a panic poisoned. The value behind it is always complete, because it is written as a
//! whole or not at all, and a handle must stay usable after a bug.

#[cfg(feature = "loom")]
pub use loom::sync::atomic::{AtomicU64, fence};
#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic::AtomicU64};
#[cfg(not(any(feature = "shuttle", feature = "loom")))]
pub use std::sync::atomic::AtomicU64;
#[cfg(not(feature = "loom"))]
pub use std::sync::atomic::fence;
pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
pub use std::sync::{Arc, Weak};
#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Condvar, Mutex, MutexGuard};

use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

/// Locks, poisoned or not.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks, poisoned or not, if the lock is free. Never blocks.
pub fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Blocks until a notification, for at most this long. May also return without a reason. In the model, time does not
/// pass.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, at_most: Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
}

/// Counts changes of some state, so that a thread can wait for the next one without the state's lock.
///
/// A waiter reads [`Changes::count`] under the state's lock, releases the lock, and waits. A thread that changes the
/// state calls [`Changes::announce`] afterwards. The waiter therefore misses no change.
#[derive(Default)]
pub struct Changes {
    count: Mutex<u64>,
    announced: Condvar,
}

impl Changes {
    /// How many changes there were so far.
    pub fn count(&self) -> u64 {
        *lock(&self.count)
    }

    /// Counts a change and wakes all waiters.
    pub fn announce(&self) {
        *lock(&self.count) += 1;
        self.announced.notify_all();
    }

    /// Blocks until there were more changes than `seen`, for at most this long. May also return without a reason.
    pub fn wait(&self, seen: u64, at_most: Duration) {
        let count = lock(&self.count);
        if *count == seen {
            drop(wait(&self.announced, count, at_most));
        }
    }
}
