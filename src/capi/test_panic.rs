//! A panic on order, so that a test can see where it ends. Only with the feature `test-panic`.

use super::error::{dl_auth_error_t, dl_auth_status_t};
use super::guard::guard;

/// Panics inside the boundary.
#[unsafe(no_mangle)]
#[allow(clippy::panic, missing_docs)]
pub unsafe extern "C" fn dl_auth_test_panic(error: *mut dl_auth_error_t) -> dl_auth_status_t {
    // SAFETY: passed on from our caller.
    unsafe { guard(error, || panic!("on order of a test")) }
}
