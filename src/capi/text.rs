//! Strings across the door: the host's in, ours out into the host's buffer.

use std::ffi::{CStr, c_char};

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
