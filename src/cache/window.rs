//! The published token once more, as the C API's readers find it: plain words in memory that is never unmapped, under a
//! lease of 50 ms.
//!
//! Why not arc-swap alone, which keeps the token itself: its loan costs about as much as the copy of a token, and the
//! two exact clocks that say whether a token is still good cost three times as much again. Under a lease, a read is one
//! load, one coarse clock, and the copy. Why one buffer and not two with an index: a reader never tries again. Whatever
//! is amiss (no lease, another handle, a write before or during the copy), it takes the exact way, [`super::Cache`]'s
//! loan, which is wait-free itself; so a writer that stands still, or that a fork cut off, holds nobody up.
//!
//! It is a sequence lock (H.-J. Boehm, "Can seqlocks get along with programming language memory models?", 2012). The
//! version and the lease's end share a word, so a lease is granted for just the text that was there when the token was
//! looked at. All else is guarded by the version: handle, block, length and words, which are atomics because a reader
//! may see them change. loom runs it in all orders (`window/model.rs`).
//!
//! Writers take turns: who calls [`Window::write`] or [`Window::revoke`] holds the lock of the handle's state.

use std::time::Duration;

use crossbeam_utils::atomic::AtomicCell;

use crate::process::{self, PerProcess};
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock};

/// How long a lease lasts, by the clock that [`crate::clock::Clock::tick_ms`] reads.
const LEASE_MS: u64 = 50;

/// What must not happen to a token within this time for a lease to be granted: that clock may lag by a few of its own
/// ticks, of up to 10 ms, and by more on a virtual machine that was held up.
pub const AHEAD: Duration = Duration::from_secs(1);

/// The word: the version above, and below the lease, which says whether the token needs no refresh, and when the lease
/// ends, in milliseconds. 2^40 of them are 34 years.
const UNTIL: u64 = (1 << 40) - 1;
const FRESH: u64 = 1 << 40;
const VERSION: u64 = 1 << 41;
const LEASE: u64 = VERSION - 1;

/// The least that a block holds, in bytes. In the model each word costs a factor.
const SMALLEST: usize = if cfg!(feature = "loom") { 16 } else { 1024 };

/// The place of one handle's token. Its memory outlives every handle.
#[derive(Default)]
pub struct Window {
    /// The version, odd while somebody writes, and the lease; 0 for none.
    lease: AtomicU64,
    /// Whose token it is; 0: nobody's.
    handle: AtomicU64,
    /// The generation of the process that wrote it: a child's first read goes the exact way, which makes it its own.
    process: AtomicU64,
    /// Which of the handle's tokens it is.
    generation: AtomicU64,
    length: AtomicU64,
    block: AtomicCell<Option<&'static Block>>,
}

/// Room for a text, eight bytes a word.
pub type Words = [AtomicU64];

/// Words that are never given back, for a reader may be among them at any time.
struct Block(Box<Words>);

/// Which text a lease may be granted for.
pub struct Seen(u64);

/// What came of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Copied {
    /// So many bytes were written, and they are right.
    Whole(usize),
    /// So many bytes were written, and are not to be trusted.
    Torn(usize),
    /// Nothing was written.
    Nothing,
}

impl Window {
    /// Nobody's.
    #[cfg(not(feature = "loom"))]
    pub const fn new() -> Window {
        let [lease, handle, process, generation, length] = [const { AtomicU64::new(0) }; 5];
        Window { lease, handle, process, generation, length, block: AtomicCell::new(None) }
    }

    /// Has the words and the length of the handle's token copied, where there is a lease at `tick_ms`. `copy` tells how
    /// many bytes it wrote; `None` where they do not fit, or the words are fewer, for a length may be another text's.
    #[inline]
    pub fn read(&self, handle: usize, tick_ms: u64, copy: impl FnOnce(&Words, usize) -> Option<usize>) -> Copied {
        let Some(lease) = self.lease_of(handle, tick_ms) else { return Copied::Nothing };
        let Some(block) = self.block.load() else { return Copied::Nothing };
        let length = self.length.load(Ordering::Relaxed) as usize;
        let Some(written) = copy(&block.0, length) else { return Copied::Nothing };
        if self.is_unchanged_since(lease) { Copied::Whole(written) } else { Copied::Torn(written) }
    }

    /// The generation of the handle's token, where there is a lease at `tick_ms`, and the token needs no refresh.
    #[inline]
    pub fn generation(&self, handle: usize, tick_ms: u64) -> Option<u64> {
        let lease = self.lease_of(handle, tick_ms).filter(|lease| lease & FRESH != 0)?;
        let generation = self.generation.load(Ordering::Relaxed);
        self.is_unchanged_since(lease).then_some(generation)
    }

    /// The lease, where there is one for this handle and in this process.
    #[inline]
    fn lease_of(&self, handle: usize, tick_ms: u64) -> Option<u64> {
        let lease = self.lease.load(Ordering::Acquire);
        (lease & UNTIL > tick_ms && self.is_of(handle) && self.is_of_this_process()).then_some(lease)
    }

    /// Whether all that was read since then is one token's.
    #[inline]
    fn is_unchanged_since(&self, lease: u64) -> bool {
        fence(Ordering::Acquire);
        (self.lease.load(Ordering::Relaxed) ^ lease) < VERSION
    }

    /// What stands here now, while it is this handle's; to be asked before the token is looked at.
    pub fn see(&self, handle: usize) -> Option<Seen> {
        let seen = Seen(self.lease.load(Ordering::Acquire));
        self.is_of(handle).then_some(seen)
    }

    /// Lets what was seen be read for a while, unless it has changed since, or another thread has granted it. `is_fresh`:
    /// it needs no refresh.
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

    /// Whether it is this handle's. That it stays so, only the handle's writer knows.
    pub fn is_of(&self, handle: usize) -> bool {
        self.handle.load(Ordering::Relaxed) == handle as u64
    }

    fn is_of_this_process(&self) -> bool {
        self.process.load(Ordering::Relaxed) == u64::from(process::epoch())
    }

    /// Puts a handle's token in the place of the last, and runs `meanwhile` where nothing can be read here. Without a
    /// token, the words are wiped and given to another window. No lease is granted yet. A token is its generation and
    /// its text.
    pub fn write(&self, handle: usize, token: Option<(u64, &str)>, meanwhile: impl FnOnce()) {
        let (generation, text) = token.unwrap_or_default();
        let writing = self.begin();
        meanwhile();
        self.handle.store(handle as u64, Ordering::Relaxed);
        self.process.store(u64::from(process::epoch()), Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
        self.fit(text.len());
        if let Some(block) = self.block.load() {
            block.fill(text);
        }
        self.length.store(text.len() as u64, Ordering::Relaxed);
        self.lease.store(writing.wrapping_add(VERSION), Ordering::Release);
    }

    /// Makes the version odd, and no lease. A fork may have left it odd.
    fn begin(&self) -> u64 {
        let writing = ((self.lease.load(Ordering::Relaxed) & !LEASE).wrapping_add(VERSION)) | VERSION;
        self.lease.swap(writing, Ordering::Acquire); // after the last grant
        fence(Ordering::Release);
        writing
    }

    /// Finds a block for that many bytes, and none for 0.
    fn fit(&self, bytes: usize) {
        let before = self.block.load();
        if bytes > 0 && before.is_some_and(|block| block.0.len() * 8 >= bytes) {
            return;
        }
        self.block.store((bytes > 0).then(|| Block::with_room_for(bytes)));
        if let Some(before) = before {
            before.fill("");
            before.give_back();
        }
    }
}

/// The blocks that no window has, wiped.
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

    fn give_back(&'static self) {
        lock(&IDLE.get()).push(self);
    }

    /// Writes the text, and zeroes behind it.
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
