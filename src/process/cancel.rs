//! `pthread_cancel`. It unwinds the stack of a thread at a cancellation point, such as `read` or `pthread_cond_wait`.
//! Rust code cannot be unwound in this way: the process would abort. Therefore a call of the library cannot be
//! cancelled.

#[cfg(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod system {
    use std::ffi::c_int;

    const PTHREAD_CANCEL_DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }

    /// Sets the state of this thread, and returns the one before.
    fn set(state: c_int) -> c_int {
        let mut before = state;
        // SAFETY: `before` is a local variable. The function only changes a flag of this thread. It fails only for a
        // state that does not exist.
        unsafe { pthread_setcancelstate(state, &mut before) };
        before
    }

    /// The state to restore.
    pub struct Uncancelled(c_int);

    impl Uncancelled {
        pub fn new() -> Uncancelled {
            Uncancelled(set(PTHREAD_CANCEL_DISABLE))
        }
    }

    impl Drop for Uncancelled {
        fn drop(&mut self) {
            set(self.0);
        }
    }
}

/// On other systems, a thread cannot be cancelled: Android and Windows have no `pthread_cancel`.
#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
mod system {
    pub struct Uncancelled;

    impl Uncancelled {
        pub fn new() -> Uncancelled {
            Uncancelled
        }
    }
}

/// Runs `f` while this thread cannot be cancelled. Afterwards the state is as before: a cancellation that was requested
/// during `f` takes effect at the next cancellation point of the program.
pub fn uncancelled<T>(f: impl FnOnce() -> T) -> T {
    let _restored = system::Uncancelled::new();
    f()
}
