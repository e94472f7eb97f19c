//! A socket that collects its writes and sends them together before the next read.
//!
//! TLS writes each record separately. The two records that end its handshake, the headers and the body of a request
//! would be four packets, and would wake the server four times. Collected, they are one packet.

use std::io::{self, Read, Write};

/// A socket, and the bytes that are not written to it yet. They are encrypted by TLS, so they hold no secret.
pub struct Corked<S> {
    socket: S,
    held: Vec<u8>,
}

impl<S: Write> Corked<S> {
    /// A corked socket over this socket.
    pub fn new(socket: S) -> Corked<S> {
        Corked { socket, held: Vec::new() }
    }

    /// The socket below.
    pub fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Writes the bytes that are held back, if no read follows.
    pub fn release(&mut self) -> io::Result<()> {
        self.socket.write_all(&std::mem::take(&mut self.held))
    }
}

impl<S: Read + Write> Read for Corked<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.release()?;
        self.socket.read(buffer)
    }
}

impl<S> Write for Corked<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: TLS flushes after each of its writes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records each write separately, and answers one byte at a time.
    #[derive(Default)]
    struct Socket(Vec<Vec<u8>>);

    impl Read for Socket {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer[0] = b'!';
            Ok(1)
        }
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_writes_are_sent_in_one_piece_before_the_next_read() {
        let mut corked = Corked::new(Socket::default());
        for piece in ["hand", "shake", " and request"] {
            corked.write_all(piece.as_bytes()).unwrap();
            corked.flush().unwrap();
        }
        assert!(corked.socket().0.is_empty());
        for _ in 0..2 {
            assert_eq!(corked.read(&mut [0; 8]).unwrap(), 1);
            assert_eq!(corked.socket().0, [b"handshake and request"]);
        }
    }

    #[test]
    fn held_back_bytes_are_sent_even_if_no_read_follows() {
        let mut corked = Corked::new(Socket::default());
        corked.write_all(b"alert").unwrap();
        corked.release().unwrap();
        assert_eq!(corked.socket().0, [b"alert"]);
    }
}
