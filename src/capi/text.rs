//! Reads the caller's strings, and writes text into the caller's buffer.

use std::ffi::{CStr, c_char};

use crate::error::{Error, Status};

/// The error for a pointer that must not be NULL.
pub fn null(name: &str) -> Error {
    Error::new(Status::NullArgument, format!("`{name}` is NULL"))
}

/// Reads the caller's string.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that does not change while the result is in use.
pub unsafe fn read<'a>(name: &str, text: *const c_char) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: it is not NULL, and the caller guarantees that it is NUL-terminated and does not change.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|error| {
        let message = format!("`{name}` is not UTF-8: the byte at offset {} is not valid", error.valid_up_to());
        Error::new(Status::NotUtf8, message)
    })
}

/// Reads the caller's array of strings, which ends with NULL.
///
/// # Safety
/// `array` points to pointers: the last one is NULL, and the others point to NUL-terminated strings. The array and the
/// strings do not change while the result is in use.
pub unsafe fn read_array<'a>(array: *const *const c_char) -> impl Iterator<Item = &'a [u8]> {
    let mut next = array;
    std::iter::from_fn(move || {
        // SAFETY: `next` is at most at the NULL that ends the array. The array may be misaligned.
        let text = unsafe { next.read_unaligned() };
        if text.is_null() {
            return None;
        }
        // SAFETY: this pointer is not NULL, so the array has another one. The caller guarantees that the string is
        // NUL-terminated and does not change.
        unsafe {
            next = next.add(1);
            Some(CStr::from_ptr(text).to_bytes())
        }
    })
}

/// The caller's buffer: `cap` bytes at `buf`, and the address for the length of the text.
pub struct Buffer {
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
}

impl Buffer {
    /// Takes a buffer and makes it an empty string, so that it is NUL-terminated on every return.
    ///
    /// # Safety
    /// `buf` is NULL or has `cap` writable bytes. `len` is NULL or points to a writable `size_t`. Both stay valid, and
    /// no other code uses them, while the result is in use.
    pub unsafe fn new(buf: *mut c_char, cap: usize, len: *mut usize) -> Result<Buffer, Error> {
        if buf.is_null() && cap > 0 {
            return Err(null("buf"));
        }
        if cap > 0 {
            // SAFETY: it is not NULL, and `cap` bytes are writable.
            unsafe { buf.write(0) };
        }
        Ok(Buffer { buf, cap, len })
    }

    /// Writes the parts, one after the other, and a NUL. If they do not fit, writes only their length.
    pub fn put(&self, parts: &[&str]) -> Result<(), Error> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if !self.len.is_null() {
            // SAFETY: it is not NULL, and the caller of `new` guarantees that it is writable. It may be misaligned.
            unsafe { self.len.write_unaligned(length) };
        }
        if length >= self.cap {
            let message =
                format!("the buffer has {} bytes, and {} are needed; enlarge it and call again", self.cap, length + 1);
            return Err(Error::new(Status::BufferTooSmall, message));
        }
        let mut at = self.buf;
        for part in parts {
            // SAFETY: the parts and the NUL are `length + 1 <= cap` bytes, so this part and the rest fit at `at`. The
            // library's memory and the caller's do not overlap, because the library gives out none of its memory.
            unsafe {
                at.copy_from_nonoverlapping(part.as_ptr().cast(), part.len());
                at = at.add(part.len());
            }
        }
        // SAFETY: the parts and the NUL are `length + 1 <= cap` bytes, so one byte is left.
        unsafe { at.write(0) };
        Ok(())
    }
}
