//! The copy of a text that another thread may be writing. It is a part of the seqlock: the seqlock's version decides
//! whether the copy is valid.

use std::ffi::c_char;

use super::Words;
use crate::sync::{AtomicU64, Ordering};

/// Writes the prefix, `length` bytes of `words`, and a NUL. Another thread may change the words during the copy.
/// Returns how many bytes are before the NUL. Returns `None`, and writes nothing, if they do not fit or `words` has
/// fewer bytes.
///
/// # Safety
/// `buf` has `cap` writable bytes, which no other thread uses during the call.
#[inline]
pub unsafe fn put_words(buf: *mut c_char, cap: usize, prefix: &str, words: &Words, length: usize) -> Option<usize> {
    let total = prefix.len() + length;
    if total >= cap || words.len() * 8 < length {
        return None;
    }
    // SAFETY: the prefix, the text and the NUL are `total + 1 <= cap` bytes, and `words` has at least `length` bytes.
    unsafe {
        let to = buf.cast::<u8>();
        to.copy_from_nonoverlapping(prefix.as_ptr(), prefix.len());
        copy_words(to.add(prefix.len()), words, length);
        to.add(total).write(0);
    }
    Some(total)
}

/// Copies bytes that another thread may be writing, with the C library's `memcpy`. The call is in assembly, because the
/// compiler makes no assumptions about memory accesses that it cannot see. For the processor, it is a sequence of loads
/// of any size. Each may see the old or the new bytes. The version says whether all saw the same text.
///
/// # Safety
/// `to` has room for `length` bytes, and `words` has at least as many.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(any(feature = "loom", feature = "shuttle"))))]
#[inline]
unsafe fn copy_words(to: *mut u8, words: &Words, length: usize) {
    // SAFETY: the call follows the C ABI: the arguments are in rdi, rsi and rdx, the stack is aligned (`nostack` is not
    // given), and the clobber list names the registers that a C function may change. `memcpy` reads and writes `length`
    // bytes, which the caller guarantees to exist.
    unsafe {
        std::arch::asm!(
            "call qword ptr [rip + {memcpy}@GOTPCREL]",
            memcpy = sym libc::memcpy,
            inout("rdi") to => _,
            inout("rsi") words.as_ptr() => _,
            inout("rdx") length => _,
            clobber_abi("C"),
        );
    }
}

/// The same call for another processor.
///
/// # Safety
/// `to` has room for `length` bytes, and `words` has at least as many.
#[cfg(all(target_arch = "aarch64", target_os = "linux", not(any(feature = "loom", feature = "shuttle"))))]
#[inline]
unsafe fn copy_words(to: *mut u8, words: &Words, length: usize) {
    // SAFETY: as above. The arguments are in x0, x1 and x2, and the clobber list has the link register.
    unsafe {
        std::arch::asm!(
            "bl {memcpy}",
            memcpy = sym libc::memcpy,
            inout("x0") to => _,
            inout("x1") words.as_ptr() => _,
            inout("x2") length => _,
            clobber_abi("C"),
        );
    }
}

/// On other systems, and for the model checkers.
///
/// # Safety
/// `to` has room for `length` bytes, and `words` has at least as many.
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    not(any(feature = "loom", feature = "shuttle"))
)))]
#[inline]
unsafe fn copy_words(to: *mut u8, words: &Words, length: usize) {
    // SAFETY: the requirements are the same.
    unsafe { copy_by_words(to, words, length) };
}

/// Copies words that another thread may be writing, one word at a time: the whole words first, each by one store.
///
/// # Safety
/// `to` has room for `length` bytes, and `words` has at least as many.
#[allow(dead_code)] // a system with a copy in assembly only tests it
#[inline]
unsafe fn copy_by_words(to: *mut u8, words: &Words, length: usize) {
    let (whole, rest) = (length / 8, length % 8);
    let bytes = |word: &AtomicU64| word.load(Ordering::Relaxed).to_ne_bytes();
    for (nth, word) in words.iter().take(whole).enumerate() {
        // SAFETY: the word ends within the `length` bytes for which `to` has room.
        unsafe { to.add(nth * 8).cast::<[u8; 8]>().write_unaligned(bytes(word)) };
    }
    if let Some(word) = words.get(whole).filter(|_| rest > 0) {
        // SAFETY: `rest` bytes after the whole words are `length` bytes.
        unsafe { to.add(whole * 8).copy_from_nonoverlapping(bytes(word).as_ptr(), rest) };
    }
}

#[cfg(all(test, not(any(feature = "loom", feature = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn both_copies_write_the_text_and_nothing_else() {
        let text: Vec<u8> = (1..=80).collect();
        let words: Vec<AtomicU64> =
            text.chunks(8).map(|chunk| AtomicU64::new(u64::from_ne_bytes(chunk.try_into().unwrap()))).collect();
        for copy in [copy_words, copy_by_words] {
            for (start, length) in (0..9).flat_map(|start| (0..=80).map(move |length| (start, length))) {
                let mut to = [0; 96];
                // SAFETY: at most 8 + 80 bytes of the 96 are written, and the words have 80.
                unsafe { copy(to.as_mut_ptr().add(start), &words, length) };
                let wanted = [&vec![0; start][..], &text[..length], &vec![0; 96 - start - length]].concat();
                assert_eq!(to.to_vec(), wanted, "{length} bytes at {start}");
            }
        }
    }
}
