//! One accepted connection, with or without TLS, and the ways to end it.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shared, because a gate that stops shuts down the sockets of blocked threads.
pub(crate) struct Socket(pub Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buf)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

pub(crate) enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Wire {
    /// Completes the TLS handshake.
    pub fn handshake(tcp: Arc<TcpStream>, config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut socket = Socket(tcp);
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    pub fn tcp(&self) -> &Arc<TcpStream> {
        match self {
            Self::Plain(socket) => &socket.0,
            Self::Tls(stream) => &stream.sock.0,
        }
    }

    /// Checks without waiting whether the client has closed or reset the connection.
    pub fn peer_is_gone(&mut self) -> bool {
        if self.tcp().set_nonblocking(true).is_err() {
            return true;
        }
        let found = match self {
            Self::Plain(socket) => socket.0.peek(&mut [0]).map(|n| n == 0),
            Self::Tls(stream) => stream.conn.read_tls(&mut stream.sock).map(|n| {
                let state = stream.conn.process_new_packets();
                n == 0 || state.map_or(true, |state| state.peer_has_closed())
            }),
        };
        let blocking_again = self.tcp().set_nonblocking(false);
        let gone =
            found.unwrap_or_else(|e| !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted));
        gone || blocking_again.is_err()
    }

    /// Sends the end of the stream, then waits a short time for the client to do the same. If a socket is closed while
    /// it has unread data, it sends a reset, and the client might lose the answer.
    pub fn close(mut self) {
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        self.close_without_notice();
    }

    /// Closes like `close`, but without TLS's close_notify.
    pub fn close_without_notice(self) {
        let mut tcp = &**self.tcp();
        let _ = tcp.shutdown(Shutdown::Write);
        let _ = tcp.set_read_timeout(Some(Duration::from_millis(200)));
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end && tcp.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
    }

    /// Ends with a TCP reset instead of an orderly close.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(&**self.tcp()).set_linger(Some(Duration::ZERO));
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
