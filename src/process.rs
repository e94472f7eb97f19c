//! The process: its epoch, the library's threads, and its panics.
//!
//! A fork copies every lock in its present state, but not the threads that would release it. Therefore a child process
//! never uses a lock of its parent. Data behind a lock belongs to one epoch of the process. The next epoch makes new
//! data ([`PerProcess`]) and leaks the parent's data. Data that a child takes over is in atomics.
//!
//! The threads have the name `dl-auth` and block every signal, so that a signal handler of the program never runs on
//! them. A panic is caught and returned as an error. The library prints nothing.

use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use arc_swap::ArcSwapOption;

use crate::sync::{Arc, AtomicBool, AtomicU32, Ordering};

mod cancel;
mod inherited;
mod locale;
mod stdio;
pub use cancel::uncancelled;
pub use inherited::{NotInherited, not_inherited};
pub use locale::untranslated;
pub use stdio::{above_stdio, occupying_stdio};

/// Counts the forks between the first process and this one.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// The epoch of this process. An object that was made in another epoch belongs to a parent.
pub fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Whether the hook is set. A test that must run without the hook sets this before it makes the first handle.
#[cfg(unix)]
pub(crate) static WATCHED: AtomicBool = AtomicBool::new(false);

/// From now on, a fork starts a new epoch in its child.
#[cfg(unix)]
pub fn watch_forks() {
    extern "C" fn before() {
        inherited::before_fork();
    }
    extern "C" fn in_the_parent() {
        inherited::after_fork();
    }
    extern "C" fn in_the_child() {
        EPOCH.fetch_add(1, Ordering::Relaxed);
        // `close` is a cancellation point.
        uncancelled(|| {
            stdio::release();
            inherited::close_in_child();
        });
    }
    if WATCHED.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the hooks are functions of this library, which stays mapped (`-z nodelete`). They change atomics and call
    // `fstat` and `close`, all of which is async-signal-safe. If two threads get here, a fork counts twice.
    if unsafe { libc::pthread_atfork(Some(before), Some(in_the_parent), Some(in_the_child)) } == 0 {
        WATCHED.store(true, Ordering::Relaxed);
    }
}

#[cfg(not(unix))]
pub fn watch_forks() {}

/// From now on, the library stays mapped: a thread of a refresh may still run when the program unloads it. Other
/// systems have a flag of the linker for this (packaging/shared/build.rs).
#[cfg(windows)]
pub fn stay_mapped() {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };

    static HERE: u8 = 0;
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    let mut module = std::ptr::null_mut();
    // SAFETY: with this flag, the second argument is any address of the module, and the call writes to `module`.
    unsafe { GetModuleHandleExW(flags, std::ptr::from_ref(&HERE).cast(), &mut module) };
}

#[cfg(not(windows))]
pub fn stay_mapped() {}

/// A static with a separate value in each epoch of the process. A thread that gets the value never waits for another
/// one.
pub struct PerProcess<T>(ArcSwapOption<Value<T>>);

struct Value<T> {
    epoch: u32,
    value: Arc<T>,
    /// Never dropped, because its locks may be held by threads that do not exist in this process. Kept here, so that a
    /// search for leaks finds no lost memory in a child process.
    _parents: Option<Arc<Value<T>>>,
}

impl<T: Default> PerProcess<T> {
    /// The value is made at the first [`PerProcess::get`].
    pub const fn new() -> PerProcess<T> {
        PerProcess(ArcSwapOption::const_empty())
    }

    /// The value of this epoch.
    pub fn get(&self) -> Arc<T> {
        loop {
            let made = self.0.load();
            if let Some(made) = made.as_ref().filter(|made| made.epoch == epoch()) {
                return made.value.clone();
            }
            let own = Value { epoch: epoch(), value: Arc::default(), _parents: made.clone() };
            self.0.compare_and_swap(&*made, Some(Arc::new(own)));
        }
    }
}

/// Whether the program has more rights than the user that started it: set-user-ID, set-group-ID or file capabilities.
/// Then the user must not control it by the environment (`secure_getenv`).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn is_privileged() -> bool {
    // SAFETY: reads a number that the kernel gave to the process.
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

/// The user whose rights the process has.
#[cfg(unix)]
pub fn effective_user() -> u32 {
    // SAFETY: has no arguments and always succeeds.
    unsafe { libc::geteuid() }
}

/// The stack of a thread. It is enough for TLS and the system's resolver, and a quarter of a thread's default stack.
const STACK: usize = 512 << 10;

/// The number of bytes of a thread's stack that the C library uses. glibc stores the program's static thread-local
/// variables there. They may be larger than `STACK`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn taken_by_libc() -> usize {
    use std::mem::MaybeUninit;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `dlsym` looks a name up. If glibc has this function, it has this type. The attributes are a local
    // variable, initialised before they are read, and destroyed once.
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

/// Runs `f`. If it panics, returns the message and the place of the panic, without parts that may contain a secret.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let place = PLACE.try_with(Cell::take).ok().flatten().map(|place| format!(" at {place}")).unwrap_or_default();
        match payload.downcast::<&'static str>() {
            Ok(text) => format!("a panic{place}: {text}"),
            Err(payload) => {
                // A formatted message may contain data in use, such as a secret. A payload that is not a message is
                // leaked, because its drop could panic again.
                payload.downcast::<String>().map_or_else(std::mem::forget, drop);
                format!("a panic{place}")
            }
        }
    })
}

thread_local! {
    /// The place of this thread's last panic: a source file and a line.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// From now on, a panic in this copy of Rust's std prints nothing and stores its place. Only the C API calls this.
/// There, the library has a separate copy of std, and every panic in it is a bug of the library, which returns an
/// error.
pub fn keep_panics_quiet() {
    static SET: AtomicBool = AtomicBool::new(false);
    // A panicking thread cannot set a hook. The next call sets it.
    if thread::panicking() || SET.swap(true, Ordering::Relaxed) {
        return;
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        PLACE.try_with(|noted| noted.set(place)).ok();
    }));
}

/// Starts a thread of the library. Returns the job if no thread can be created.
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

/// Runs `f` while this thread blocks all signals. A thread that `f` starts keeps them blocked.
#[cfg(unix)]
fn with_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    use std::mem::MaybeUninit;

    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are live local variables. `sigfillset` initialises the first before it is read.
    // `pthread_sigmask` changes only this thread's mask, and writes the second set if it returns 0.
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

/// Restores this thread's signal mask, also after a panic.
#[cfg(unix)]
struct Restore(libc::sigset_t);

#[cfg(unix)]
impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: the set is initialised. Only this thread's mask changes.
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
        // All signals except SIGKILL, SIGSTOP and the two that the C library uses.
        assert_eq!(u64::from_str_radix(blocked, 16).unwrap() | 1 << 8 | 1 << 18 | 3 << 31, u64::MAX);
        let ours = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(ours.contains("SigBlk:\t0000000000000000\n"), "{ours}");
    }
}
