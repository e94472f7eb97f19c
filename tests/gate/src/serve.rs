//! The listeners, and the connections to a token listener.

use crate::behave::Behaviour;
use crate::grant::{Grant, Route, plain_error};
use crate::http::{Extras, Incoming, Request, Response};
use crate::reply::{End, Reply};
use crate::state::{Shared, unix_now};
use crate::wire::{Socket, Wire};
use crate::{control, proxy};
use rustls::ServerConfig;
use socket2::{Domain, Type};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The kind of a listener.
#[derive(Clone)]
pub(crate) enum Door {
    Tls(Arc<ServerConfig>),
    Plain,
    /// Accepts and never sends anything.
    Silent,
    Proxy,
    Control,
}

/// A TCP socket on a free loopback port.
pub(crate) fn bind() -> io::Result<(socket2::Socket, SocketAddr)> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))?;
    Ok((socket, address))
}

/// Opens a listener on a free port.
pub(crate) fn open(shared: &Arc<Shared>, door: Door) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let (socket, address) = bind()?;
    socket.listen(1024)?;
    let listener = TcpListener::from(socket);
    let accepting = Arc::clone(shared);
    let handle =
        thread::Builder::new().name("gate-accept".into()).spawn(move || accept(&accepting, &listener, &door))?;
    shared.with(|state| state.doors.push(address));
    Ok((address, handle))
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, door: &Door) {
    loop {
        let accepted = listener.accept();
        if shared.stopping() {
            return;
        }
        match accepted {
            Ok((tcp, _)) => serve_connection(shared, tcp, door),
            Err(_) => drop(shared.pause(Duration::from_millis(10))), // no free descriptor: wait until one is closed
        }
    }
}

/// Serves the connection on a separate thread. If no thread is available, drops the connection.
fn serve_connection(shared: &Arc<Shared>, tcp: TcpStream, door: &Door) {
    let _ = tcp.set_nodelay(true);
    let tcp = Arc::new(tcp);
    let Some(registered) = shared.register(&tcp) else { return };
    if matches!(door, Door::Tls(_) | Door::Plain | Door::Silent) {
        shared.with(|state| state.counts.connections += 1);
    }
    let (shared, door) = (Arc::clone(shared), door.clone());
    let _ = thread::Builder::new().name("gate".into()).spawn(move || {
        let _registered = registered;
        match door {
            Door::Tls(config) => {
                if let Ok(wire) = Wire::handshake(tcp, config) {
                    shared.with(|state| state.counts.handshakes += 1);
                    serve(&shared, wire);
                }
            }
            Door::Plain => serve(&shared, Wire::Plain(Socket(tcp))),
            Door::Silent => while (&*tcp).read(&mut [0; 4096]).is_ok_and(|n| n > 0) {},
            Door::Proxy => proxy::serve(&shared, Wire::Plain(Socket(tcp))),
            Door::Control => control::serve(&shared, Wire::Plain(Socket(tcp))),
        }
    });
}

/// Answers the requests of one connection.
fn serve(shared: &Shared, mut wire: Wire) {
    let mut rest = Vec::new();
    loop {
        let reply = match Request::read(&mut wire, &mut rest) {
            Incoming::Closed => return,
            Incoming::Malformed(message) => {
                let extras = shared.with(|state| {
                    state.counts.bad_requests += 1;
                    Extras { date: Some(state.date()).filter(|_| state.settings.send_date), close: true }
                });
                Some(Reply::whole(plain_error(400, &message), &extras))
            }
            Incoming::Request(request) => respond(shared, &mut wire, &request),
        };
        let Some(reply) = reply else { return };
        let end = reply.end;
        match (write(shared, &mut wire, reply), end) {
            (true, End::Open) => {}
            (true, End::Close) => return wire.close(),
            (true, End::Abrupt) => return wire.close_without_notice(),
            (true, End::Reset) => return wire.reset(),
            (false, _) => return,
        }
    }
}

/// The reply to one request. `None` if the client disconnected while it was held, or if the gate stops.
fn respond(shared: &Shared, wire: &mut Wire, request: &Request) -> Option<Reply> {
    let route = Route::of(request);
    let extras = shared.with(|state| {
        state.last_request = Some(request.seen());
        let counts = &mut state.counts;
        match &route {
            Route::Token(_) => {}
            Route::Malformed(_) => {
                counts.requests += 1;
                counts.bad_requests += 1;
            }
            Route::Other(_) => counts.bad_requests += 1,
            Route::Elsewhere => counts.redirected_hits += 1,
        }
        let date = Some(state.date()).filter(|_| state.settings.send_date);
        Extras { date, close: request.last || !state.settings.keep_alive }
    });
    let response = match route {
        Route::Token(grant) => return token_reply(shared, wire, &grant, request.last),
        Route::Malformed(message) => plain_error(400, &message),
        Route::Other(response) => response,
        Route::Elsewhere => Response::json(200, &serde_json::json!({})),
    };
    Some(Reply::whole(response, &extras))
}

fn token_reply(shared: &Shared, wire: &mut Wire, grant: &Grant, last: bool) -> Option<Reply> {
    let taken = shared.with(|state| {
        state.counts.requests += 1;
        match grant {
            Grant::Login { .. } => state.counts.logins += 1,
            Grant::Refresh { .. } => state.counts.refreshes += 1,
        }
        state.take(Some(grant.kind()))
    });
    if matches!(taken.behaviour, Behaviour::Hang { .. }) && !shared.hold(wire, taken.since) {
        return None;
    }
    shared.with(|state| {
        let now = state.date();
        let date = Some(now).filter(|_| state.settings.send_date);
        let extras = Extras { date, close: last || !state.settings.keep_alive };
        Some(Reply::to(&taken.behaviour, |overrides| state.answer(grant, overrides, unix_now()), &extras, now))
    })
}

/// Writes a reply. The token is counted before the write, so that a client that has the answer finds it counted. If the
/// client did not get the complete answer, the count is corrected.
pub(crate) fn write(shared: &Shared, wire: &mut Wire, reply: Reply) -> bool {
    let issued = u64::from(reply.token.is_some());
    shared.with(|state| {
        state.counts.issued += issued;
        state.last_token = reply.token.or(state.last_token.take());
    });
    let (size, delay) = reply.pace.unwrap_or((usize::MAX, Duration::ZERO));
    let mut rested = true;
    let written = reply.bytes.chunks(size).enumerate().all(|(n, chunk)| {
        rested = n == 0 || delay.is_zero() || shared.pause(delay);
        rested && wire.write_all(chunk).and_then(|()| wire.flush()).is_ok()
    });
    if !written {
        shared.with(|state| state.counts.issued = state.counts.issued.saturating_sub(issued));
    }
    written
}
