//! The locks and atomics by one name, so that a test can put a model checker's in their place.
//!
//! With the feature `shuttle`, what a handle shares between threads is shuttle's: `auth/model.rs` runs it in many
//! orders. `Arc`, and the atomics that statics are made of, stay std's: a static outlives a run of the model.
//!
//! A lock that a panic poisoned is taken all the same: what it guards is written whole or not at all, and a handle
//! must stay usable after a bug.

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

/// Locks, poisoned or not, where that needs no waiting.
pub fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Waits for a notification, at most this long; may also wake for no reason. In the model, time does not pass.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, at_most: Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
}
