//! Strings across the door: the host's in, ours out into the host's buffer.

use std::ffi::{CStr, c_char};

use crate::cache::Words;
use crate::error::{Error, Status};

/// The error for a pointer that must not be NULL.
pub fn null(name: &str) -> Error {
    Error::new(Status::NullArgument, format!("`{name}` is NULL"))
}

/// Reads a host's string.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that nobody changes while the result lives.
pub unsafe fn read<'a>(name: &str, text: *const c_char) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL, and NUL-terminated and unchanged by our caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|error| {
        let message = format!("`{name}` is not UTF-8: byte {} cannot stand there", error.valid_up_to());
        Error::new(Status::NotUtf8, message)
    })
}

/// Reads a host's array of strings, which ends with NULL.
///
/// # Safety
/// `array` points to pointers, of which the last is NULL and the others point to NUL-terminated strings. All of it stays
/// unchanged while the result lives.
pub unsafe fn read_array<'a>(array: *const *const c_char) -> impl Iterator<Item = &'a [u8]> {
    let mut next = array;
    std::iter::from_fn(move || {
        // SAFETY: not behind the NULL that ends the array, by our caller's promise. The host may have it misaligned.
        let text = unsafe { next.read_unaligned() };
        if text.is_null() {
            return None;
        }
        // SAFETY: the end of the array is not reached, so there is another pointer; and the text is NUL-terminated and
        // unchanged by our caller's promise.
        unsafe {
            next = next.add(1);
            Some(CStr::from_ptr(text).to_bytes())
        }
    })
}

/// A host's buffer: `cap` bytes at `buf`, and where to put the length of the text.
pub struct Buffer {
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
}

impl Buffer {
    /// Takes a buffer and empties it, so that it is terminated whatever comes.
    ///
    /// # Safety
    /// `buf` is NULL or has `cap` writable bytes; `len` is NULL or points to a writable `size_t`; both stay so, and
    /// nobody else touches them, while the result lives.
    pub unsafe fn new(buf: *mut c_char, cap: usize, len: *mut usize) -> Result<Buffer, Error> {
        if buf.is_null() && cap > 0 {
            return Err(null("buf"));
        }
        if cap > 0 {
            // SAFETY: not NULL, and `cap` bytes are writable.
            unsafe { buf.write(0) };
        }
        Ok(Buffer { buf, cap, len })
    }

    /// Writes the parts, one behind the other, and a NUL; or, where they do not fit, only their length.
    pub fn put(&self, parts: &[&str]) -> Result<(), Error> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if !self.len.is_null() {
            // SAFETY: not NULL, and writable by the promise given to `new`. The host may have it misaligned.
            unsafe { self.len.write_unaligned(length) };
        }
        if length >= self.cap {
            let message =
                format!("the buffer has {} bytes, and {} are needed; grow it and call again", self.cap, length + 1);
            return Err(Error::new(Status::BufferTooSmall, message));
        }
        let mut at = self.buf;
        for part in parts {
            // SAFETY: the parts and a NUL are `length + 1 <= cap` bytes together, so this part and what follows fit
            // behind `at`. Ours and the host's memory do not overlap: ours was never given out.
            unsafe {
                at.copy_from_nonoverlapping(part.as_ptr().cast(), part.len());
                at = at.add(part.len());
            }
        }
        // SAFETY: as above, one byte is left.
        unsafe { at.write(0) };
        Ok(())
    }
}

/// Writes the prefix, `length` bytes of `words`, which may change meanwhile, and a NUL. Tells how many bytes stand
/// before the NUL; `None` where they do not fit, and then nothing is written.
///
/// # Safety
/// `buf` has `cap` writable bytes that nobody else touches.
#[inline]
pub unsafe fn put_words(buf: *mut c_char, cap: usize, prefix: &str, words: &Words, length: usize) -> Option<usize> {
    let total = prefix.len() + length;
    if total >= cap || words.len() * 8 < length {
        return None;
    }
    // SAFETY: prefix, words and NUL are `total + 1 <= cap` bytes, and there are words for `length` bytes.
    unsafe {
        let to = buf.cast::<u8>();
        to.copy_from_nonoverlapping(prefix.as_ptr(), prefix.len());
        copy_words(to.add(prefix.len()), words, length);
        to.add(total).write(0);
    }
    Some(total)
}

/// Copies bytes that another thread may be writing, by the C library's `memcpy`. It is called in assembly, for what
/// Rust cannot see it makes no assumption about; on this machine's terms it is a row of loads of any size, of which each
/// may see the old or the new bytes, and the version tells whether all saw the same.
///
/// # Safety
/// `to` has room for `length` bytes, and so many are in `words`.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(any(feature = "loom", feature = "shuttle"))))]
#[inline]
unsafe fn copy_words(to: *mut u8, words: &Words, length: usize) {
    // SAFETY: the call follows the C ABI: arguments in rdi, rsi and rdx, the stack aligned (`nostack` is not given),
    // and what a C function may change is said. `memcpy` reads and writes `length` bytes, by our caller's promise.
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

/// Copies words that another thread may be writing, one by one.
///
/// # Safety
/// `to` has room for `length` bytes, and so many are in `words`.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(any(feature = "loom", feature = "shuttle")))))]
#[inline]
unsafe fn copy_words(to: *mut u8, words: &Words, length: usize) {
    for (nth, word) in words.iter().take(length.div_ceil(8)).enumerate() {
        let bytes = word.load(crate::sync::Ordering::Relaxed).to_ne_bytes();
        // SAFETY: from `to` on there is room for `length` bytes, and the last word is cut to what is left of them.
        unsafe { to.add(nth * 8).copy_from_nonoverlapping(bytes.as_ptr(), (length - nth * 8).min(8)) };
    }
}
