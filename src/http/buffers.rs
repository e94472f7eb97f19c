//! The buffers between ureq and TLS, wiped when the connection is dropped.
//!
//! The password and the tokens go through these buffers unencrypted. ureq's own buffers are not wiped when they are
//! freed. When they grow, they move, and leave a copy behind. The buffers here never grow: to make room, the unconsumed
//! input moves to the front.

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroizing;

/// An input and an output of fixed size, both wiped when dropped.
pub struct WipedBuffers {
    input: Zeroizing<Vec<u8>>,
    /// `input[consumed..filled]` was received and is not consumed yet.
    consumed: usize,
    filled: usize,
    /// Whether the last call of `input_consume` consumed something. If not, the reader needs more input.
    progress: bool,
    output: Zeroizing<Vec<u8>>,
}

impl WipedBuffers {
    /// Buffers of these sizes, in bytes.
    pub fn new(input: usize, output: usize) -> WipedBuffers {
        let buffer = |size| Zeroizing::new(vec![0; size]);
        WipedBuffers { input: buffer(input), consumed: 0, filled: 0, progress: false, output: buffer(output) }
    }

    /// Moves the unconsumed input to the front, so that all the free space is behind it.
    fn compact(&mut self) {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
        }
    }
}

impl Buffers for WipedBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.compact();
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = self.filled.saturating_add(amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = self.consumed.saturating_add(amount).min(self.filled);
    }

    /// ureq uses the first buffer for a body that is sent in chunks. This library sends no such body, but ureq expects
    /// at least 10 KiB. This call returns the free part of the input: nothing is read before the request is sent, so
    /// all of the input is free.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.compact();
        (self.input.get_mut(self.filled..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && self.consumed < self.filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buffers of 8 and 4 bytes with these bytes in the input.
    fn filled(with: &[u8]) -> WipedBuffers {
        let mut buffers = WipedBuffers::new(8, 4);
        append(&mut buffers, with);
        buffers
    }

    fn append(buffers: &mut WipedBuffers, bytes: &[u8]) {
        buffers.input_append_buf()[..bytes.len()].copy_from_slice(bytes);
        buffers.input_appended(bytes.len());
    }

    #[test]
    fn appended_bytes_stay_in_the_input_until_they_are_consumed() {
        let mut buffers = filled(b"abc");
        append(&mut buffers, b"def");
        assert_eq!(buffers.input(), b"abcdef");
        buffers.input_consume(2);
        assert_eq!(buffers.input(), b"cdef");
        buffers.input_consume(4);
        assert_eq!(buffers.input(), b"");
    }

    #[test]
    fn consumed_bytes_make_room_and_the_buffers_keep_their_addresses() {
        let mut buffers = filled(b"abcdefgh");
        let (input, output) = (buffers.input.as_ptr(), buffers.output.as_ptr());
        for (consumed, more) in [(6, b"ijklmn".as_slice()), (1, b"o"), (8, b""), (0, b"pqrstuvw"), (8, b"xy")] {
            let mut left = buffers.input()[consumed..].to_vec();
            buffers.input_consume(consumed);
            assert_eq!(buffers.input_append_buf().len(), 8 - left.len());
            append(&mut buffers, more);
            left.extend(more);
            assert_eq!(buffers.input(), left);
        }
        assert_eq!(buffers.tmp_and_output().0.len(), 6);
        assert_eq!((buffers.input.as_ptr(), buffers.output.as_ptr()), (input, output));
    }

    #[test]
    fn a_full_input_has_no_free_space() {
        let mut buffers = filled(b"abcdefgh");
        assert!(buffers.input_append_buf().is_empty());
        assert!(buffers.tmp_and_output().0.is_empty());
        assert_eq!(buffers.input(), b"abcdefgh");
    }

    #[test]
    fn input_can_be_used_if_it_is_not_empty_and_the_last_call_consumed_some() {
        let mut buffers = filled(b"abc");
        assert!(!buffers.can_use_input());
        buffers.input_consume(1);
        assert!(buffers.can_use_input());
        buffers.input_consume(0);
        assert!(!buffers.can_use_input());
        buffers.input_consume(2);
        assert!(!buffers.can_use_input(), "the input is empty");
    }

    #[test]
    fn amounts_that_are_too_large_are_limited_to_the_size_of_the_buffer() {
        let mut buffers = filled(b"abc");
        buffers.input_appended(usize::MAX);
        assert_eq!(buffers.input(), b"abc\0\0\0\0\0");
        buffers.input_consume(usize::MAX);
        assert_eq!(buffers.input(), b"");
        assert_eq!(buffers.input_append_buf().len(), 8);
    }

    #[test]
    fn the_whole_output_is_available_even_if_the_input_is_full() {
        let mut buffers = filled(b"abcdefgh");
        buffers.output().copy_from_slice(b"1234");
        assert_eq!(buffers.tmp_and_output().1, b"1234");
        assert_eq!(buffers.input(), b"abcdefgh");
    }

    #[test]
    fn a_wipe_overwrites_the_whole_buffer_including_consumed_bytes() {
        use zeroize::Zeroize;
        let mut buffers = filled(b"canary");
        buffers.input_consume(3);
        append(&mut buffers, b"x");
        buffers.output().copy_from_slice(b"pass");
        let WipedBuffers { input, output, .. } = &mut buffers;
        for (buffer, size) in [(input, 8), (output, 4)] {
            assert_eq!(buffer.capacity(), size, "the vector, which is wiped when dropped, holds the whole buffer");
            buffer.as_mut_slice().zeroize();
            assert!(buffer.iter().all(|byte| *byte == 0));
        }
    }
}
