//! The two clocks. The suspend-aware clock counts the time that the machine is suspended, and cannot be set: all
//! deadlines use it. The wall clock is compared with the gate's time.
//!
//! Rust's `Instant` stops while a Linux machine is suspended, so a token would seem valid for hours too long. Therefore
//! Linux uses `CLOCK_BOOTTIME`, and Apple's systems use `CLOCK_MONOTONIC`, which counts the suspend there. Systems
//! other than Unix use `Instant`.

use std::time::{Duration, SystemTime};

use crate::sync::Changes;

/// A point in time on the suspend-aware clock. Its origin does not change while the process lives.
pub type Boot = Duration;

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// On the suspend-aware clock.
    pub boot: Boot,
    /// On the wall clock, in Unix milliseconds.
    pub wall_ms: i64,
}

impl Now {
    /// The wall clock minus the suspend-aware clock, in milliseconds. Constant until the wall clock is set.
    pub fn offset_ms(&self) -> i64 {
        self.wall_ms.saturating_sub(millis(self.boot))
    }
}

/// Reads the time and waits. [`System`] uses the machine's clocks; a simulation has other implementations.
pub trait Clock: Send + Sync {
    /// The suspend-aware clock. It never goes backwards.
    fn boot(&self) -> Boot;

    /// The machine's wall clock in Unix milliseconds. It may be wrong.
    fn wall_ms(&self) -> i64;

    /// Both clocks.
    fn now(&self) -> Now {
        Now { boot: self.boot(), wall_ms: self.wall_ms() }
    }

    /// Milliseconds of a clock that is cheap to read. It may be some of its ticks late, and may stop during a suspend.
    fn tick_ms(&self) -> u64 {
        u64::try_from(self.boot().as_millis()).unwrap_or(u64::MAX)
    }

    /// Blocks for this long.
    fn sleep(&self, time: Duration);

    /// Blocks until there were more changes than `seen`, for at most `at_most`. May return earlier, without a change.
    fn wait(&self, changes: &Changes, seen: u64, at_most: Duration) {
        // In slices: the condition variable's clock stops during a suspend, and the caller's deadline does not.
        changes.wait(seen, at_most.min(Duration::from_secs(1)));
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn boot(&self) -> Boot {
        boot()
    }

    fn wall_ms(&self) -> i64 {
        unix_ms(SystemTime::now())
    }

    fn tick_ms(&self) -> u64 {
        tick_ms()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Whole milliseconds. Saturates if they do not fit.
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Unix milliseconds, negative before 1970. Saturates if they do not fit.
pub fn unix_ms(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

#[cfg(unix)]
fn boot() -> Boot {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

    let now = time(CLOCK);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The time of the kernel's last tick: reading it costs a quarter of reading the exact time.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub fn tick_ms() -> u64 {
    let now = time(libc::CLOCK_MONOTONIC_COARSE);
    (now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000) // neither is ever negative
}

/// The time of the system's last tick, which is up to 16 ms old. It includes the time of a suspend.
#[cfg(windows)]
pub fn tick_ms() -> u64 {
    // SAFETY: has no arguments and always succeeds.
    unsafe { windows_sys::Win32::System::SystemInformation::GetTickCount64() }
}

/// Other systems have no cheaper clock. This reads the exact one.
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
pub fn tick_ms() -> u64 {
    u64::try_from(boot().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(unix)]
#[inline]
fn time(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `clock_gettime` only writes to the timespec, which is a live local variable. It cannot fail for a clock
    // that the system has. If it failed, the timespec would stay zero.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time
}

#[cfg(not(unix))]
fn boot() -> Boot {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    ORIGIN.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
pub(crate) mod fake {
    //! A clock that a test sets.

    use super::*;
    use crate::sync::{Mutex, lock};

    pub(crate) struct Fake(Mutex<(Boot, i64)>);

    impl Fake {
        pub(crate) fn at(wall_s: i64) -> std::sync::Arc<Fake> {
            std::sync::Arc::new(Fake(Mutex::new((Duration::from_secs(1000), wall_s * 1000))))
        }

        /// Moves the wall clock by this many seconds.
        pub(crate) fn set_wall(&self, by_s: i64) {
            lock(&self.0).1 += by_s * 1000;
        }
    }

    impl Clock for std::sync::Arc<Fake> {
        fn boot(&self) -> Boot {
            lock(&self.0).0
        }

        fn wall_ms(&self) -> i64 {
            lock(&self.0).1
        }

        fn sleep(&self, time: Duration) {
            let mut now = lock(&self.0);
            now.0 += time;
            now.1 += time.as_millis() as i64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_does_not_go_back() {
        let first = System.boot();
        assert!(System.boot() >= first && first > Duration::ZERO);
    }

    #[test]
    fn times_before_1970_are_negative() {
        assert_eq!(unix_ms(SystemTime::UNIX_EPOCH - Duration::from_millis(1500)), -1500);
        assert_eq!(unix_ms(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)), 1500);
    }
}
