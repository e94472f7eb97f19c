//! The file descriptors 0 to 2. A daemon may close them and still print. Its output must not go into a connection of
//! the library. Therefore no descriptor of the library ever has one of these numbers.

use std::io;

/// Makes a descriptor above 2.
#[cfg(unix)]
pub fn above_stdio<T: std::os::fd::AsRawFd>(make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    occupying_stdio(|| {
        let mut low = Vec::new(); // used if another thread of the program has closed 0, 1 or 2 in the meantime
        loop {
            let made = make()?;
            if made.as_raw_fd() > 2 {
                return Ok(made);
            }
            low.push(made);
        }
    })
}

/// Runs code that makes descriptors. While it runs, the closed ones of the descriptors 0 to 2 are open on the root
/// directory. A write to them still fails with EBADF.
#[cfg(unix)]
pub fn occupying_stdio<T>(f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _occupied = numbers::Occupied::new()?;
    f()
}

#[cfg(not(unix))]
pub fn above_stdio<T>(make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    make()
}

#[cfg(not(unix))]
pub fn occupying_stdio<T>(f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    f()
}

#[cfg(unix)]
pub(super) use numbers::release;

#[cfg(unix)]
mod numbers {
    use std::io;
    use std::mem::MaybeUninit;

    use libc::c_int;

    use crate::process::PerProcess;
    use crate::sync::{AtomicU32, Mutex, Ordering, lock};

    /// How many threads make a descriptor now. The last one closes the numbers that were opened for them.
    static USERS: PerProcess<Mutex<usize>> = PerProcess::new();

    /// The numbers that are open for them, one bit each. Written under the lock of `USERS`, and read in a child of
    /// fork.
    static OURS: AtomicU32 = AtomicU32::new(0);

    pub struct Occupied;

    impl Occupied {
        pub fn new() -> io::Result<Occupied> {
            let users = USERS.get();
            let mut users = lock(&users);
            let occupied = occupy();
            if occupied.is_err() && *users == 0 {
                release();
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
                release();
            }
        }
    }

    /// Opens the numbers that are closed.
    fn occupy() -> io::Result<()> {
        while (0..=2).any(is_closed) {
            let number = open_root()?;
            if number > 2 {
                // Another thread of the program has opened this number in the meantime.
                close(number);
            } else {
                OURS.fetch_or(1 << number, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// A sandbox may forbid this call. Then the number counts as open.
    fn is_closed(number: c_int) -> bool {
        // SAFETY: asks for the flags of a descriptor; it may be closed.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        flags == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EBADF)
    }

    /// Opens the root directory. Neither `read` nor `write` accepts this descriptor.
    fn open_root() -> io::Result<c_int> {
        // `O_PATH` needs no permission to read the directory. A sandbox may allow only `O_RDONLY`.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const WAYS: [c_int; 2] = [libc::O_PATH, libc::O_RDONLY];
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const WAYS: [c_int; 1] = [libc::O_RDONLY];

        // SAFETY: the path is a C string.
        let open = |way| unsafe { libc::open(c"/".as_ptr(), way | libc::O_DIRECTORY | libc::O_CLOEXEC) };
        let opened = WAYS.into_iter().map(open).find(|number| *number >= 0);
        opened.ok_or_else(io::Error::last_os_error)
    }

    /// Closes what `occupy` opened. Async-signal-safe: a child of fork calls it.
    pub fn release() {
        let ours = OURS.swap(0, Ordering::Relaxed);
        // If it is not a directory, the program has opened this number in the meantime.
        (0..=2).filter(|number| ours & 1 << number != 0 && is_directory(*number)).for_each(close);
    }

    fn is_directory(number: c_int) -> bool {
        let mut found = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: `fstat` writes `found`, a local variable, if it returns 0. Only then is it read.
        unsafe {
            libc::fstat(number, found.as_mut_ptr()) == 0 && found.assume_init().st_mode & libc::S_IFMT == libc::S_IFDIR
        }
    }

    fn close(number: c_int) {
        // SAFETY: the descriptor was opened here, and no other code has it.
        unsafe { libc::close(number) };
    }
}
