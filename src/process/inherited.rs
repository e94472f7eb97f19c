//! Descriptors that a child of fork closes. A child would otherwise keep the lock of its parent: a file stays locked
//! until the last copy of the descriptor is closed.

use std::io;

#[cfg(unix)]
use std::os::fd::AsRawFd;

use crate::sync::{AtomicU32, Ordering};

/// The open descriptors plus one; 0: the place is free. A child reads them without a lock.
static OPEN: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];

/// How many forks have begun, and how many are over, in this process.
static BEGUN: AtomicU32 = AtomicU32::new(0);
static OVER: AtomicU32 = AtomicU32::new(0);

/// A descriptor, and its place in the list.
pub struct NotInherited<T> {
    file: T,
    place: &'static AtomicU32,
}

impl<T> NotInherited<T> {
    /// The file.
    pub fn get(&self) -> &T {
        &self.file
    }
}

impl<T> Drop for NotInherited<T> {
    fn drop(&mut self) {
        // Before the descriptor is closed: another file may get its number immediately.
        self.place.store(0, Ordering::SeqCst);
    }
}

/// Makes a descriptor that no child has. If a fork happens between its making and its entry in the list, the child has
/// a copy, so another one is made.
#[cfg(unix)]
pub fn not_inherited<T: AsRawFd>(make: impl Fn() -> io::Result<T>) -> io::Result<NotInherited<T>> {
    for _ in 0..10_000 {
        let (begun, over) = (BEGUN.load(Ordering::SeqCst), OVER.load(Ordering::SeqCst));
        if begun == over {
            let file = make()?;
            let number = file.as_raw_fd() as u32 + 1; // a descriptor is not negative
            let free =
                |place: &&AtomicU32| place.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            let place = OPEN.iter().find(free).ok_or_else(|| io::Error::other("too many files are locked"))?;
            let made = NotInherited { file, place };
            if BEGUN.load(Ordering::SeqCst) == begun {
                return Ok(made);
            }
        }
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    Err(io::Error::other("the process forks all the time"))
}

#[cfg(not(unix))]
pub fn not_inherited<T>(make: impl Fn() -> io::Result<T>) -> io::Result<NotInherited<T>> {
    static NONE: AtomicU32 = AtomicU32::new(0);
    Ok(NotInherited { file: make()?, place: &NONE })
}

/// A fork begins.
#[cfg(unix)]
pub fn before_fork() {
    BEGUN.fetch_add(1, Ordering::SeqCst);
}

/// A fork is over, in the parent.
#[cfg(unix)]
pub fn after_fork() {
    OVER.fetch_add(1, Ordering::SeqCst);
}

/// Closes the descriptors in the child. Async-signal-safe.
#[cfg(unix)]
pub fn close_in_child() {
    OVER.store(BEGUN.load(Ordering::SeqCst), Ordering::SeqCst);
    for place in &OPEN {
        let number = place.swap(0, Ordering::SeqCst);
        if number > 0 {
            // SAFETY: the descriptor is a copy of one that the parent's library has open. No code of the child has it.
            unsafe { libc::close((number - 1) as i32) };
        }
    }
}
