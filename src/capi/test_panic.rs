//! Functions with which a test makes the library fail: a panic, and forks without their hook. Only with the feature
//! `test-panic`.

use super::error::{dl_auth_error_t, dl_auth_status_t};
use super::guard::guard;
#[cfg(unix)]
use crate::process;
#[cfg(unix)]
use crate::sync::Ordering;

/// Panics inside the boundary.
#[unsafe(no_mangle)]
#[allow(clippy::panic, missing_docs)]
pub unsafe extern "C" fn dl_auth_test_panic(error: *mut dl_auth_error_t) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe { guard(error, || panic!("requested by a test")) }
}

/// If it is called before the first handle is made, the library detects no fork.
#[cfg(unix)]
#[unsafe(no_mangle)]
pub extern "C" fn dl_auth_test_without_fork_hook() {
    process::WATCHED.store(true, Ordering::Relaxed);
}
