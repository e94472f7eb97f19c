//! Makes a connection to the gate: resolve the name, connect, open the tunnel of a proxy, TLS.
//!
//! `connect_timeout` limits all of these steps except the resolver. The resolver blocks as long as the system allows.
//! Names are resolved on the calling thread, because a refresh has a thread already.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use rustls::StreamOwned;
use rustls::pki_types::ServerName;
use ureq::http::Uri;

use super::corked::Corked;
use super::dial::dial;
use super::fault::is_no_descriptor;
use super::link::{Link, Socket, Wire};
use super::{Destination, Fault, INPUT_BUFFER, OUTPUT_BUFFER, Progress, Stage, tls, tunnel};
use crate::address::bare;
use crate::attempt::Attempt;
use crate::clock::{Clock, System};
use crate::process::{above_stdio, occupying_stdio};
use crate::sync::Arc;
use crate::trust::Anchors;

/// Makes the connection of one request.
pub struct Route<'a> {
    /// Where the request goes, and by which proxy.
    pub destination: &'a Destination,
    /// The root certificates with which the proxy and the gate are verified.
    pub anchors: Arc<Anchors>,
    /// The deadline of the request, and whether it is cancelled.
    pub attempt: &'a Attempt,
    /// The stage of the request, and its connection.
    pub progress: Arc<Progress>,
}

/// The host and the port of the gate.
#[derive(Clone)]
pub struct Target {
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection uses TLS.
    pub tls: bool,
    /// The URL's host and port, which a message may show.
    pub shown: String,
    /// The option that names it.
    pub option: &'static str,
}

impl Target {
    /// The target of a URL.
    pub fn new(uri: &Uri) -> Target {
        let tls = uri.scheme_str() != Some("http");
        Target {
            host: bare(uri.host().unwrap_or_default()).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            shown: uri.authority().map(|authority| authority.to_string()).unwrap_or_default(),
            option: "url",
        }
    }

    /// Host and port for a CONNECT request.
    fn authority(&self) -> String {
        let Target { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Route<'_> {
    /// Makes the connection.
    pub fn open(&self) -> Result<Wire, ureq::Error> {
        let link = self.link()?;
        Ok(Wire::new(link, self.progress.clone(), INPUT_BUFFER, OUTPUT_BUFFER))
    }

    /// Makes the connection, without HTTP.
    pub fn link(&self) -> Result<Link, Fault> {
        let Destination { target, proxy, .. } = self.destination;
        let (host, port) = match proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&target.host, target.port),
        };
        self.progress.reach(Stage::Resolving);
        let addresses = resolve(host, port).map_err(Fault::Resolve)?;
        if System.boot() >= self.attempt.deadline {
            return Err(Fault::SlowResolver);
        }

        self.progress.reach(Stage::Connecting);
        let connecting = System.boot().saturating_add(self.destination.connect_timeout).min(self.attempt.deadline);
        let connecting = self.attempt.until(connecting);
        let stream = Arc::new(dial(&addresses, &connecting).map_err(Fault::Connect)?);
        // From now on, another thread can shut the connection down.
        self.progress.connected(&stream, self.attempt);
        let mut link = Link::Tcp(Socket::new(stream, connecting.deadline), Vec::new());

        if let Some(proxy) = proxy {
            if proxy.tls {
                self.progress.reach(Stage::ProxyTls);
                link = self.secure(link, &proxy.host)?;
            }
            self.progress.reach(Stage::Tunnel);
            let opened = tunnel::open(
                &mut link,
                &target.authority(),
                &self.destination.user_agent,
                proxy.authorization.as_ref(),
            );
            link.put_back(opened.map_err(Fault::Tunnel)?);
        }
        if target.tls {
            self.progress.reach(Stage::Tls);
            link = self.secure(link, &target.host)?;
        }
        link.until(self.attempt.deadline);
        Ok(link)
    }

    /// A TLS session over this connection.
    fn secure(&self, link: Link, host: &str) -> Result<Link, Fault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Fault::Name)?;
        let (mut session, verifier) = tls::session(self.anchors.clone(), name).map_err(Fault::Tls)?;
        self.progress.handshake(verifier);
        let mut socket = Corked::new(link);
        session.complete_io(&mut socket).map_err(|error| {
            // Sends the alert that gives the server the reason.
            socket.release().and_then(|()| socket.socket().release()).ok();
            Fault::from(error)
        })?;
        Ok(Link::Tls(Box::new(StreamOwned::new(session, socket)), Vec::new()))
    }
}

/// The addresses of a name, by the system's resolver.
fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match occupying_stdio(|| (host, port).to_socket_addrs()) {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(no_descriptor().unwrap_or(error)),
    }
}

/// The error if the process or the system has no descriptor left. The resolver reports it as an unknown name.
fn no_descriptor() -> Option<io::Error> {
    above_stdio(|| std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))).err().filter(is_no_descriptor)
}
