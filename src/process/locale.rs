//! The locale of a thread. In any locale except "C", glibc translates the text of an error. It reads `LANGUAGE` from
//! the process's environment, which another thread may change at that time, and it opens files of translations.
//! Therefore the library runs in the locale "C".

#[cfg(target_os = "linux")]
mod system {
    /// All categories of a locale.
    #[cfg(not(target_env = "musl"))]
    const ALL: libc::c_int = libc::LC_ALL_MASK;
    /// The value of `LC_ALL_MASK` in musl's `locale.h`. The crate `libc` lacks it.
    #[cfg(target_env = "musl")]
    const ALL: libc::c_int = 0x7fff_ffff;

    /// The locale to restore.
    pub struct Untranslated(libc::locale_t);

    impl Untranslated {
        pub fn new() -> Untranslated {
            // SAFETY: the name is a NUL-terminated string. glibc and musl have "C" as a constant, which is not freed.
            // `uselocale` changes only this thread. After a failure it gets NULL, and then changes nothing.
            unsafe { Untranslated(libc::uselocale(libc::newlocale(ALL, c"C".as_ptr(), std::ptr::null_mut()))) }
        }
    }

    impl Drop for Untranslated {
        fn drop(&mut self) {
            // SAFETY: the locale was this thread's before.
            unsafe { libc::uselocale(self.0) };
        }
    }
}

/// On other systems, the locale is not changed, because the locale "C" would have to be allocated and freed.
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
