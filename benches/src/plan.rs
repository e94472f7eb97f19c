//! The number and the length of the measurements.

use std::time::Duration;

/// The length of the token that is read and kept.
pub const TOKEN_BYTES: usize = 900;

/// The numbers of threads that read at the same time.
pub const THREADS: [usize; 3] = [1, 2, 8];

/// Rounds and lengths.
pub struct Plan {
    /// Rounds of cached reads, and the time of each way of reading in a round.
    pub reading_rounds: usize,
    pub slice: Duration,
    /// Live handles, if one handle among many is read.
    pub live_handles: usize,
    /// Rounds of the loop of 1 kHz, its length, and the time that the gate takes for a refresh.
    pub stall_rounds: usize,
    pub stall: Duration,
    pub refresh: Duration,
    /// The lifetime of the token that is refreshed in the loop. The token is due after a tenth of it, plus or minus up
    /// to half of that, but never within the first second.
    pub lifetime_s: u64,
    /// Rounds of the reads in other languages.
    pub host_rounds: usize,
    pub login_rounds: usize,
    pub sdk_rounds: usize,
    pub sdk_calls: usize,
    pub handles_rounds: usize,
    /// A small and a large number of idle handles.
    pub idle_handles: [usize; 2],
}

impl Plan {
    /// The plan of docs/benchmarks.md: about six minutes.
    pub fn full() -> Self {
        Self {
            reading_rounds: 121,
            slice: Duration::from_millis(50),
            live_handles: 10_000,
            stall_rounds: 15,
            stall: Duration::from_millis(4500),
            refresh: Duration::from_secs(2),
            lifetime_s: 8,
            host_rounds: 32,
            login_rounds: 31,
            sdk_rounds: 15,
            sdk_calls: 5_000,
            handles_rounds: 3,
            idle_handles: [1_000, 10_000],
        }
    }

    /// The shortest plan: a test run whose numbers mean nothing.
    pub fn quick() -> Self {
        Self {
            reading_rounds: 2,
            slice: Duration::from_millis(10),
            live_handles: 100,
            stall_rounds: 1,
            stall: Duration::from_secs(4),
            refresh: Duration::from_millis(100),
            lifetime_s: 5, // so it is due when the first second is over
            host_rounds: 2,
            login_rounds: 2,
            sdk_rounds: 1,
            sdk_calls: 100,
            handles_rounds: 1,
            idle_handles: [10, 100],
        }
    }
}
