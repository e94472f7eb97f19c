//! The descriptors 0 to 2. A daemon may close them, and then still print: what it writes must not go into a connection of
//! the library. So no descriptor of the library gets one of these numbers, not even for a moment.

use std::io;

/// Makes a descriptor above 2. Meanwhile, those of 0 to 2 that are closed are open on the root directory: a write to them
/// still fails with EBADF.
#[cfg(unix)]
pub fn above_stdio<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _occupied = numbers::Occupied::new()?;
    make()
}

#[cfg(not(unix))]
pub fn above_stdio<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    make()
}

#[cfg(unix)]
pub(super) use numbers::give_back;

#[cfg(unix)]
mod numbers {
    use std::io;
    use std::mem::MaybeUninit;

    use libc::c_int;

    use crate::process::PerProcess;
    use crate::sync::{AtomicU32, Mutex, Ordering, lock};

    /// How many threads make a descriptor. The last one closes what is open for them.
    static USERS: PerProcess<Mutex<usize>> = PerProcess::new();

    /// The numbers that are open for them, one bit each. Written under the lock of `USERS`, and read in a child of fork.
    static OURS: AtomicU32 = AtomicU32::new(0);

    pub struct Occupied;

    impl Occupied {
        pub fn new() -> io::Result<Occupied> {
            let users = USERS.get();
            let mut users = lock(&users);
            let occupied = occupy();
            if occupied.is_err() && *users == 0 {
                give_back();
            }
            occupied?;
            *users += 1;
            Ok(Occupied)
        }
    }

    impl Drop for Occupied {
        fn drop(&mut self) {
            let users = USERS.get();
            let mut users = lock(&users);
            *users -= 1;
            if *users == 0 {
                give_back();
            }
        }
    }

    /// Opens the numbers that are closed.
    fn occupy() -> io::Result<()> {
        // SAFETY: asks for the flags of a descriptor; it may be closed.
        while (0..=2).any(|number| unsafe { libc::fcntl(number, libc::F_GETFD) } == -1) {
            let number = open_root()?;
            if number > 2 {
                // Another thread of the host took the number meanwhile.
                close(number);
            } else {
                OURS.fetch_or(1 << number, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Opens the root directory, for nothing: neither `read` nor `write` takes this descriptor.
    fn open_root() -> io::Result<c_int> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const FOR_NOTHING: c_int = libc::O_PATH;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const FOR_NOTHING: c_int = libc::O_RDONLY;

        // SAFETY: the path is a C string.
        let number = unsafe { libc::open(c"/".as_ptr(), FOR_NOTHING | libc::O_DIRECTORY | libc::O_CLOEXEC) };
        if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
    }

    /// Closes what `occupy` opened. Async-signal-safe: a child of fork calls it.
    pub fn give_back() {
        let ours = OURS.swap(0, Ordering::Relaxed);
        // What is no directory, the host has put there meanwhile.
        (0..=2).filter(|number| ours & 1 << number != 0 && is_directory(*number)).for_each(close);
    }

    fn is_directory(number: c_int) -> bool {
        let mut found = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: `fstat` writes `found`, which is ours, where it returns 0; only then it is read.
        unsafe {
            libc::fstat(number, found.as_mut_ptr()) == 0 && found.assume_init().st_mode & libc::S_IFMT == libc::S_IFDIR
        }
    }

    fn close(number: c_int) {
        // SAFETY: the descriptor was opened here, and no other code has it.
        unsafe { libc::close(number) };
    }
}
