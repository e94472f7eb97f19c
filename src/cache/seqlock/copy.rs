//! The copy of a text that another thread may be writing. It is a part of the seqlock: the seqlock's version decides
//! whether the copy is valid.

use std::ffi::c_char;

use super::Words;

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

/// Copies words that another thread may be writing, one word at a time.
///
/// # Safety
/// `to` has room for `length` bytes, and `words` has at least as many.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(any(feature = "loom", feature = "shuttle")))))]
#[inline]
unsafe fn copy_words(to: *mut u8, words: &Words, length: usize) {
    for (nth, word) in words.iter().take(length.div_ceil(8)).enumerate() {
        let bytes = word.load(crate::sync::Ordering::Relaxed).to_ne_bytes();
        // SAFETY: `to` has room for `length` bytes, and only the rest of them is taken from the last word.
        unsafe { to.add(nth * 8).copy_from_nonoverlapping(bytes.as_ptr(), (length - nth * 8).min(8)) };
    }
}
