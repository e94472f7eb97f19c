//! The locale of a thread. In any locale but "C", glibc translates the text of an error: it reads `LANGUAGE` from the
//! process's environment, which another thread may change at that time, and it opens files of translations. Therefore the
//! library runs in "C".

#[cfg(target_os = "linux")]
mod system {
    /// The locale to restore.
    pub struct Untranslated(libc::locale_t);

    impl Untranslated {
        pub fn new() -> Untranslated {
            // SAFETY: the name is a NUL-terminated string. glibc and musl have "C" as a constant, which is not freed.
            // `uselocale` changes this thread alone; it changes nothing if it is given NULL, after a failure.
            unsafe {
                Untranslated(libc::uselocale(libc::newlocale(libc::LC_ALL_MASK, c"C".as_ptr(), std::ptr::null_mut())))
            }
        }
    }

    impl Drop for Untranslated {
        fn drop(&mut self) {
            // SAFETY: the locale was this thread's before.
            unsafe { libc::uselocale(self.0) };
        }
    }
}

/// Elsewhere, "C" would have to be allocated and freed.
#[cfg(not(target_os = "linux"))]
mod system {
    pub struct Untranslated;

    impl Untranslated {
        pub fn new() -> Untranslated {
            Untranslated
        }
    }
}

/// Runs `f` in the locale "C". Afterwards, this thread's locale is as before.
pub fn untranslated<T>(f: impl FnOnce() -> T) -> T {
    let _restored = system::Untranslated::new();
    f()
}
