//! What belongs to the process: its generation, the threads that the library starts in somebody else's program, and
//! what a panic may do there.
//!
//! A fork copies every lock as it is, and none of the threads that would release it. So a child never touches a lock of
//! its parent: what is guarded by one belongs to a generation of the process, and is made anew in the next
//! ([`PerProcess`]); the parent's is leaked. What a child takes over stands in atomics.
//!
//! The threads are named `dl-auth` and have every signal blocked, so that a host's handler never runs on a thread that
//! it does not know. A panic is caught and told as an error; nothing is printed, for the host did not ask for it.

use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use arc_swap::ArcSwapOption;

use crate::sync::{Arc, AtomicBool, AtomicU32, Ordering};

mod cancel;
mod locale;
mod stdio;
pub use cancel::uncancelled;
pub use locale::untranslated;
pub use stdio::{above_stdio, occupying_stdio};

/// Counts the forks between the first process and this one.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Which generation of the process this is. What was made in another is the parent's.
pub fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Whether the hook is set. A test that has to go without it says so before the first handle is made.
#[cfg(unix)]
pub(crate) static WATCHED: AtomicBool = AtomicBool::new(false);

/// From here on, a fork begins a new generation in its child.
#[cfg(unix)]
pub fn watch_forks() {
    extern "C" fn in_the_child() {
        EPOCH.fetch_add(1, Ordering::Relaxed);
        uncancelled(stdio::give_back); // `close` is a cancellation point
    }
    if WATCHED.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the hook is a function of this library, which stays mapped (`-z nodelete`). It changes atomics and calls
    // `fstat` and `close`, all of which is async-signal-safe. Two threads may both get here: then a fork counts twice.
    if unsafe { libc::pthread_atfork(None, None, Some(in_the_child)) } == 0 {
        WATCHED.store(true, Ordering::Relaxed);
    }
}

#[cfg(not(unix))]
pub fn watch_forks() {}

/// A static that each generation of the process has for itself. No thread ever waits here for another.
pub struct PerProcess<T>(ArcSwapOption<(u32, Arc<T>)>);

impl<T: Default> PerProcess<T> {
    /// One that is made when it is first asked for.
    pub const fn new() -> PerProcess<T> {
        PerProcess(ArcSwapOption::const_empty())
    }

    /// This generation's.
    pub fn get(&self) -> Arc<T> {
        loop {
            let made = self.0.load();
            match &*made {
                Some(made) if made.0 == epoch() => return made.1.clone(),
                // Leaked: its locks may be held, by threads that are not here.
                parents => std::mem::forget(parents.clone()),
            }
            self.0.compare_and_swap(&*made, Some(Arc::new((epoch(), Arc::new(T::default())))));
        }
    }
}

/// Whether the program has more rights than the user that started it: set-user-ID, set-group-ID or file capabilities.
/// Then the user must not steer it by the environment (`secure_getenv`).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn is_privileged() -> bool {
    // SAFETY: looks up a number that the kernel gave to the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
pub fn is_privileged() -> bool {
    // SAFETY: has no arguments and always succeeds.
    unsafe { libc::issetugid() != 0 }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub fn is_privileged() -> bool {
    false
}

/// Enough for TLS and the system's resolver, and a quarter of what a thread has by default.
const STACK: usize = 512 << 10;

/// What the C library takes of a thread's stack for itself: glibc puts the host's static thread-locals there, which may
/// be larger than all that we ask for.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn taken_by_libc() -> usize {
    use std::mem::MaybeUninit;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `dlsym` looks a name up; where glibc has this function, its type is the one given here. The attributes
    // are ours, initialised before they are read, and destroyed once.
    unsafe {
        let found = libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr());
        if found.is_null() || libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
            return 0;
        }
        type MinStack = unsafe extern "C" fn(*const libc::pthread_attr_t) -> libc::size_t;
        let taken = std::mem::transmute::<*mut libc::c_void, MinStack>(found)(attributes.as_ptr());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        taken
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn taken_by_libc() -> usize {
    0
}

/// Runs `f`; where it panics, tells what and where, as far as that can hold no secret.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let place = PLACE.try_with(Cell::take).ok().flatten().map(|place| format!(" at {place}")).unwrap_or_default();
        match payload.downcast::<&'static str>() {
            Ok(text) => format!("a panic{place}: {text}"),
            Err(payload) => {
                // A formatted message may quote what was being worked on. Whatever is no message is kept: to drop it
                // could panic again.
                payload.downcast::<String>().map_or_else(std::mem::forget, drop);
                format!("a panic{place}")
            }
        }
    })
}

thread_local! {
    /// Where the last panic of this thread was: a file and a line of the source.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// From here on, a panic of this copy of Rust's std prints nothing and notes its place. For the C API only: there, that
/// copy is the library's own, and every panic in it is a bug of the library that becomes an error.
pub fn keep_panics_quiet() {
    static SET: AtomicBool = AtomicBool::new(false);
    // While one panics, a hook cannot be set; the next call will.
    if thread::panicking() || SET.swap(true, Ordering::Relaxed) {
        return;
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        PLACE.try_with(|noted| noted.set(place)).ok();
    }));
}

/// Starts a thread of the library. Where none can be made, the job comes back.
pub fn spawn<F: FnOnce() + Send + 'static>(job: F) -> Result<(), F> {
    let job = crate::sync::Arc::new(crate::sync::Mutex::new(Some(job)));
    let take = |job: &crate::sync::Mutex<Option<F>>| crate::sync::lock(job).take();
    let theirs = job.clone();
    let body = move || {
        if let Some(job) = take(&theirs) {
            untranslated(job);
        }
    };
    let started: io::Result<_> = with_signals_blocked(|| {
        thread::Builder::new().name("dl-auth".into()).stack_size(STACK + taken_by_libc()).spawn(body)
    });
    match started {
        Ok(_) => Ok(()),
        Err(_) => take(&job).map_or(Ok(()), Err),
    }
}

/// Runs `f` while this thread takes no signal; a thread that it starts begins so, and stays so.
#[cfg(unix)]
fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    use std::mem::MaybeUninit;

    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are ours and alive. `sigfillset` initialises the first before it is read; `pthread_sigmask`
    // changes this thread's mask only, and writes the second where it returns 0.
    let blocked = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
    };
    let _restored = blocked.then(|| {
        // SAFETY: `pthread_sigmask` returned 0, so it wrote `before`.
        Restore(unsafe { before.assume_init() })
    });
    f()
}

/// Gives this thread its signals back, however it leaves.
#[cfg(unix)]
struct Restore(libc::sigset_t);

#[cfg(unix)]
impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: the set is ours and initialised; only this thread's mask changes.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

#[cfg(not(unix))]
fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_of_the_library_has_a_name_and_all_signals_blocked() {
        let (tx, rx) = mpsc::channel();
        assert!(
            super::spawn(move || tx.send(std::fs::read_to_string("/proc/thread-self/status").unwrap()).unwrap())
                .is_ok()
        );
        let status = rx.recv().unwrap();
        assert!(status.contains("Name:\tdl-auth\n"), "{status}");
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        // All but SIGKILL, SIGSTOP and the two that the C library keeps for itself.
        assert_eq!(u64::from_str_radix(blocked, 16).unwrap() | 1 << 8 | 1 << 18 | 3 << 31, u64::MAX);
        let ours = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(ours.contains("SigBlk:\t0000000000000000\n"), "{ours}");
    }
}
