//! An HTTP proxy for `CONNECT`. It connects only to this machine.

use crate::behave::Behaviour;
use crate::grant::plain_error;
use crate::http::{Extras, Incoming, Request, Response};
use crate::reply::{Answer, End, Reply};
use crate::serve::write;
use crate::state::Shared;
use crate::wire::Wire;
use serde_json::json;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;

pub(crate) fn serve(shared: &Arc<Shared>, mut wire: Wire) {
    let mut rest = Vec::new();
    let Incoming::Request(request) = Request::read(&mut wire, &mut rest) else { return };
    let taken = shared.with(|state| {
        state.last_connect = Some(request.seen());
        state.take(None)
    });
    if matches!(taken.behaviour, Behaviour::Hang { .. }) && !shared.hold(&mut wire, taken.since) {
        return;
    }
    let behaviour = match taken.behaviour {
        Behaviour::Hang { then } => *then,
        other => other,
    };
    if !matches!(behaviour, Behaviour::Ok(_)) {
        let extras = Extras { date: None, close: true };
        let answer = |_: &_| Answer { status: 200, body: json!({}), token: None };
        let now = shared.with(|state| state.date());
        return finish(shared, wire, Reply::to(&behaviour, answer, &extras, now));
    }
    match destination(&request).and_then(|address| {
        TcpStream::connect_timeout(&address, crate::patience(60)).map_err(|e| plain_error(502, &e.to_string()))
    }) {
        Ok(tcp) => tunnel(shared, wire, Arc::new(tcp), &rest),
        Err(refusal) => {
            let reply = Reply::whole(refusal, &Extras { date: None, close: true });
            finish(shared, wire, reply);
        }
    }
}

fn finish(shared: &Shared, mut wire: Wire, reply: Reply) {
    let end = reply.end;
    match (write(shared, &mut wire, reply), end) {
        (true, End::Reset) => wire.reset(),
        (true, _) => wire.close(),
        (false, _) => {}
    }
}

fn destination(request: &Request) -> Result<SocketAddr, Response> {
    if request.method != "CONNECT" {
        return Err(plain_error(405, "this proxy accepts only CONNECT").with("Allow", "CONNECT"));
    }
    match request.target.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some(("localhost" | "127.0.0.1", Ok(port))) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        _ => Err(plain_error(403, "this proxy connects only to localhost:PORT and 127.0.0.1:PORT")),
    }
}

fn tunnel(shared: &Arc<Shared>, mut wire: Wire, far: Arc<TcpStream>, early: &[u8]) {
    let Some(_registered) = shared.register(&far) else { return };
    let _ = far.set_nodelay(true);
    shared.with(|state| state.counts.proxied += 1);
    let near = Arc::clone(wire.tcp());
    if wire.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() || (&*far).write_all(early).is_err() {
        return;
    }
    thread::scope(|scope| {
        let _ = thread::Builder::new().spawn_scoped(scope, || copy(&near, &far));
        copy(&far, &near);
    });
}

/// Copies until one side ends. It passes an end on; an error ends both directions.
fn copy(from: &TcpStream, to: &TcpStream) {
    let (mut reader, mut writer) = (from, to);
    match io::copy(&mut reader, &mut writer) {
        Ok(_) => drop(to.shutdown(Shutdown::Write)),
        Err(_) => drop((to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both))),
    }
}
