//! A sequence lock (seqlock) with a second copy of the cached token. The readers of the C API use it. It consists of
//! plain words in memory that is never unmapped. They may be read under a lease of 50 ms.
//!
//! arc-swap alone would be slower. A loan of arc-swap costs about as much as the copy of a token. The two exact clocks
//! that show whether a token is still valid cost three times as much in addition. Under a lease, a read is one load,
//! one coarse clock, and the copy.
//!
//! One buffer is enough, because a reader never retries. A reader uses the exact way, which is the wait-free loan of
//! [`super::Cache`], in these cases: there is no lease, the token belongs to another handle, or a write happens before
//! or during the copy. So a writer that is suspended, or that a fork interrupted, blocks no reader.
//!
//! The algorithm: H.-J. Boehm, "Can seqlocks get along with programming language memory models?", 2012. The version and
//! the end of the lease share one word, so a lease is granted only for the text that was there when the token was
//! checked. The version guards everything else: handle, epoch, generation, length, block and words. These are atomics,
//! because a reader may see them change. loom runs small models of it (`seqlock/model.rs`).
//!
//! Only one thread writes at a time: the caller of [`Seqlock::write`] or [`Seqlock::revoke`] holds the lock of the
//! handle's state.

use std::ptr;
use std::sync::atomic::AtomicPtr; // also in the model, see `model.rs`
use std::time::Duration;

use crate::process::{self, PerProcess};
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock};

mod copy;
pub use copy::put_words;

/// The duration of a lease, on the clock of [`crate::clock::Clock::tick_ms`].
const LEASE_MS: u64 = 50;

/// A lease is granted only if the token's state stays the same for this long. It is more than a lease, because that
/// clock may be late by a few of its ticks, of up to 10 ms each, and by more on a virtual machine that was suspended.
pub const AHEAD: Duration = Duration::from_secs(1);

/// The first word. Its upper bits are the version. Its lower bits are the lease: a flag that the token is fresh (no
/// refresh is due), and the end of the lease in milliseconds. 2^40 ms are 34 years.
const UNTIL: u64 = (1 << 40) - 1;
const FRESH: u64 = 1 << 40;
const VERSION: u64 = 1 << 41;
const LEASE: u64 = VERSION - 1;

/// The minimum size of a block in bytes. The model uses a smaller one, because each word multiplies the number of
/// orders.
const SMALLEST: usize = if cfg!(feature = "loom") { 16 } else { 1024 };

/// Holds the token of one handle. Its memory lives longer than every handle.
#[derive(Default)]
pub struct Seqlock {
    /// The version, which is odd during a write, and the lease. Without a lease, the lower bits are 0.
    lease: AtomicU64,
    /// The handle that owns the token; 0: no handle.
    handle: AtomicU64,
    /// The epoch of the process that wrote it. A child's first read therefore uses the exact way, which adopts the
    /// token.
    epoch: AtomicU64,
    /// The generation of the token.
    generation: AtomicU64,
    length: AtomicU64,
    /// NULL or a block that is never freed.
    block: AtomicPtr<Block>,
}

/// Space for a text, eight bytes in each word.
pub type Words = [AtomicU64];

/// Words that are never freed, because a reader may read them at any time.
struct Block(Box<Words>);

/// Identifies the text that a lease may be granted for.
pub struct Seen(u64);

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Copied {
    /// This many bytes were written, and they are valid.
    Whole(usize),
    /// This many bytes were written, and they are not valid.
    Torn(usize),
    /// Nothing was written.
    Nothing,
}

impl Seqlock {
    /// An empty one, without a handle.
    #[cfg(not(feature = "loom"))]
    pub const fn new() -> Seqlock {
        let [lease, handle, epoch, generation, length] = [const { AtomicU64::new(0) }; 5];
        Seqlock { lease, handle, epoch, generation, length, block: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Copies the handle's token with `copy` if there is a lease at `tick_ms`. `copy` gets the words and the length,
    /// and returns how many bytes it wrote. It returns `None` if they do not fit, or if there are fewer words than the
    /// length says: the length may be another text's.
    #[inline]
    pub fn read(&self, handle: usize, tick_ms: u64, copy: impl FnOnce(&Words, usize) -> Option<usize>) -> Copied {
        let Some(lease) = self.lease_of(handle, tick_ms) else { return Copied::Nothing };
        let Some(block) = self.block() else { return Copied::Nothing };
        let length = self.length.load(Ordering::Relaxed) as usize;
        let Some(written) = copy(&block.0, length) else { return Copied::Nothing };
        if self.is_unchanged_since(lease) { Copied::Whole(written) } else { Copied::Torn(written) }
    }

    /// The generation of the handle's token, if there is a lease at `tick_ms` and no refresh is due.
    #[inline]
    pub fn generation(&self, handle: usize, tick_ms: u64) -> Option<u64> {
        let lease = self.lease_of(handle, tick_ms).filter(|lease| lease & FRESH != 0)?;
        let generation = self.generation.load(Ordering::Relaxed);
        self.is_unchanged_since(lease).then_some(generation)
    }

    /// The lease, if there is one for this handle in this process.
    #[inline]
    fn lease_of(&self, handle: usize, tick_ms: u64) -> Option<u64> {
        let lease = self.lease.load(Ordering::Acquire);
        (lease & UNTIL > tick_ms && self.is_of(handle) && self.is_of_this_process()).then_some(lease)
    }

    /// Whether everything that was read since then belongs to one token.
    #[inline]
    fn is_unchanged_since(&self, lease: u64) -> bool {
        fence(Ordering::Acquire);
        (self.lease.load(Ordering::Relaxed) ^ lease) < VERSION
    }

    /// Identifies the present text, if it is this handle's. Call this before the token's state is checked.
    pub fn see(&self, handle: usize) -> Option<Seen> {
        let seen = Seen(self.lease.load(Ordering::Acquire));
        self.is_of(handle).then_some(seen)
    }

    /// Grants a lease for the text that was seen, unless the text has changed since, or another thread has granted a
    /// lease. `is_fresh`: no refresh of the token is due.
    pub fn grant(&self, Seen(lease): Seen, tick_ms: u64, is_fresh: bool) {
        if lease & VERSION == 0 {
            let until = tick_ms.saturating_add(LEASE_MS).min(UNTIL);
            let granted = lease & !LEASE | until | if is_fresh { FRESH } else { 0 };
            self.lease.compare_exchange(lease, granted, Ordering::Release, Ordering::Relaxed).ok();
        }
    }

    /// Ends the lease.
    pub fn revoke(&self) {
        self.lease.store(self.begin().wrapping_add(VERSION), Ordering::Release);
    }

    /// Whether it belongs to this handle. Only for the handle's writer does the result stay correct.
    pub fn is_of(&self, handle: usize) -> bool {
        self.handle.load(Ordering::Relaxed) == handle as u64
    }

    fn is_of_this_process(&self) -> bool {
        self.epoch.load(Ordering::Relaxed) == u64::from(process::epoch())
    }

    /// Replaces the token by a handle's token (its generation and its text), and runs `meanwhile` while nothing can be
    /// read. Without a token, wipes the words and makes them available to another seqlock. Grants no lease.
    pub fn write(&self, handle: usize, token: Option<(u64, &str)>, meanwhile: impl FnOnce()) {
        let (generation, text) = token.unwrap_or_default();
        let writing = self.begin();
        meanwhile();
        self.handle.store(handle as u64, Ordering::Relaxed);
        self.epoch.store(u64::from(process::epoch()), Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
        self.fit(text.len());
        if let Some(block) = self.block() {
            block.fill(text);
        }
        self.length.store(text.len() as u64, Ordering::Relaxed);
        self.lease.store(writing.wrapping_add(VERSION), Ordering::Release);
    }

    /// Makes the version odd and ends the lease. The version may already be odd, because a fork interrupted a write.
    fn begin(&self) -> u64 {
        let writing = ((self.lease.load(Ordering::Relaxed) & !LEASE).wrapping_add(VERSION)) | VERSION;
        self.lease.swap(writing, Ordering::Acquire); // after the last grant
        fence(Ordering::Release);
        writing
    }

    /// The block, if there is one.
    #[inline]
    fn block(&self) -> Option<&'static Block> {
        // SAFETY: the pointer is NULL or was made of a `&'static Block` in `fit`. The load is `Acquire`, so a block of
        // another thread is complete here.
        unsafe { self.block.load(Ordering::Acquire).as_ref() }
    }

    /// Finds a block for this many bytes. For 0 bytes there is no block.
    fn fit(&self, bytes: usize) {
        let before = self.block();
        if bytes > 0 && before.is_some_and(|block| block.0.len() * 8 >= bytes) {
            return;
        }
        let block = (bytes > 0).then(|| Block::with_room_for(bytes));
        let block = block.map_or(ptr::null_mut(), |block| ptr::from_ref(block).cast_mut());
        self.block.store(block, Ordering::Release);
        if let Some(before) = before {
            before.fill("");
            before.release();
        }
    }
}

/// The blocks that no seqlock uses. They are wiped.
static IDLE: PerProcess<Mutex<Vec<&'static Block>>> = PerProcess::new();

impl Block {
    fn with_room_for(bytes: usize) -> &'static Block {
        let words = bytes.next_power_of_two().max(SMALLEST) / 8;
        let idle = IDLE.get();
        let mut idle = lock(&idle);
        if let Some(found) = idle.iter().position(|block| block.0.len() == words) {
            return idle.swap_remove(found);
        }
        Box::leak(Box::new(Block((0..words).map(|_| AtomicU64::new(0)).collect())))
    }

    fn release(&'static self) {
        lock(&IDLE.get()).push(self);
    }

    /// Writes the text, and zeros after it.
    fn fill(&self, text: &str) {
        let pieces = text.as_bytes().chunks(8).map(|piece| {
            let mut word = [0; 8];
            word.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
            u64::from_ne_bytes(word)
        });
        for (word, piece) in self.0.iter().zip(pieces.chain(std::iter::repeat(0))) {
            word.store(piece, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, feature = "loom"))]
mod model;
#[cfg(all(test, not(any(feature = "loom", feature = "shuttle"))))]
mod tests;
