//! A connection as layers: TCP, and TLS over it, to the proxy or to the gate.
//!
//! Every read and write ends at the connection's deadline, even if the other side sends one byte at a time.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustls::{ClientConnection, StreamOwned};
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::buffers::WipedBuffers;
use super::corked::Corked;
use super::{Fault, Progress, Stage};
use crate::clock::{Boot, Clock, System};
use crate::sync::Arc;

/// A TCP connection with a deadline.
pub struct Socket {
    stream: Arc<TcpStream>,
    end: Boot,
}

impl Socket {
    /// A socket with the deadline `end`. The stream is shared, because another thread may shut it down.
    pub fn new(stream: Arc<TcpStream>, end: Boot) -> Socket {
        Socket { stream, end }
    }

    /// Repeats a call that a signal interrupts, each time with the remaining time.
    fn in_time<T>(
        &mut self,
        limit: fn(&TcpStream, Option<std::time::Duration>) -> io::Result<()>,
        mut call: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let left = self.end.saturating_sub(System.boot());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            limit(&self.stream, Some(left))?;
            match call(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The error of a time limit on Unix.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                result => return result,
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time(TcpStream::set_read_timeout, |mut stream| stream.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.in_time(TcpStream::set_write_timeout, |mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A TLS session over a connection.
pub type Session = StreamOwned<ClientConnection, Corked<Link>>;

/// A connection, or a TLS session over one.
pub enum Link {
    /// Plain TCP, and the bytes that were read too early. They are read first.
    Tcp(Socket, Vec<u8>),
    /// TLS, and the bytes that were read too early.
    Tls(Box<Session>, Vec<u8>),
}

impl Link {
    /// Puts back bytes that were read too early.
    pub fn put_back(&mut self, bytes: Vec<u8>) {
        let (Link::Tcp(_, early) | Link::Tls(_, early)) = self;
        let later = std::mem::replace(early, bytes);
        early.extend(later);
    }

    /// Moves the deadline.
    pub fn until(&mut self, end: Boot) {
        match self {
            Link::Tcp(socket, _) => socket.end = end,
            Link::Tls(session, _) => session.sock.socket().until(end),
        }
    }

    /// Sends the bytes that the layers hold back.
    pub fn release(&mut self) -> io::Result<()> {
        match self {
            Link::Tcp(..) => Ok(()),
            Link::Tls(session, _) => session.sock.release().and_then(|()| session.sock.socket().release()),
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Link::Tcp(_, early) | Link::Tls(_, early)) = self;
        if !early.is_empty() {
            let amount = early.as_slice().read(buffer)?;
            early.drain(..amount);
            return Ok(amount);
        }
        match self {
            Link::Tcp(socket, _) => socket.read(buffer),
            Link::Tls(session, _) => session.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(socket, _) => socket.write(bytes),
            Link::Tls(session, _) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Link::Tcp(socket, _) => socket.flush(),
            Link::Tls(session, _) => session.flush(),
        }
    }
}

/// A connection to the gate as ureq drives it.
pub struct Wire {
    buffers: WipedBuffers,
    link: Link,
    progress: Arc<Progress>,
}

impl Wire {
    /// A transport over this connection, with buffers of these sizes.
    pub fn new(link: Link, progress: Arc<Progress>, input: usize, output: usize) -> Wire {
        Wire { buffers: WipedBuffers::new(input, output), link, progress }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

/// Some errors end a body that has no length. ureq recognizes them only in the variant `Io`.
fn for_ureq(error: io::Error) -> ureq::Error {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        ConnectionAborted | ConnectionReset | UnexpectedEof => ureq::Error::Io(error),
        _ => Fault::from(error).into(),
    }
}

/// The connection has a deadline, so ureq's time-outs are not set, and their values are not used.
impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.progress.reach(Stage::Sending);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.link.write_all(output).map_err(Fault::from)?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.link.release().map_err(Fault::from)?;
        self.progress.reach(Stage::Waiting);
        self.progress.answered(self.buffers.input()); // the rest after an interim answer
        let amount = self.link.read(self.buffers.input_append_buf()).map_err(for_ureq)?;
        self.buffers.input_appended(amount);
        self.progress.answered(self.buffers.input());
        Ok(amount > 0)
    }

    /// No connection is used twice.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        matches!(self.link, Link::Tls(..))
    }
}
